"""The sans-I/O face: bytes in, events and bytes out.

    client = ClientConnection(ClientConfig(trust=anchors), server_name="localhost")
    client.start()
    transport.write(client.data_to_send())
    for event in client.receive_data(transport.read()): ...

A connection does no I/O and reads no clock but its configuration's. After an error was raised, ``data_to_send`` still
gives the alert that the peer is owed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import trace as t
from .config import ClientConfig, ServerConfig
from .engine import Engine
from .errors import HandshakeTimeout, Misuse, TLSError, TruncatedStream
from .events import ConnectionFacts, Event
from .handshake.channel_binding import NOT_BOUND, channel_binding
from .handshake.connected12 import client_connected_12, server_connected_12
from .handshake.connected13 import client_connected_13, server_connected_13, update_keys
from .handshake.early_data import send_early_data
from .handshake.entry import client_handshake, server_handshake
from .handshake.established import Established
from .handshake.flow import Flow
from .handshake.post_handshake_auth import request_certificate
from .trust.names import parse_server_name
from .wire.codepoints import AlertDescription, AlertLevel, ContentType, ProtocolVersion

if TYPE_CHECKING:
    from .trace import Sink
    from .trust.verify import VerifiedPeer

__all__ = ["ClientConnection", "ServerConnection", "make_connection"]


class _Connection(Engine):
    """What an application may call on clients and servers alike."""

    # What it knows

    @property
    def facts(self) -> ConnectionFacts | None:
        """What the handshake agreed; None until it is complete."""
        return None if self._established is None else self._established.facts

    @property
    def handshake_complete(self) -> bool:
        """Whether application data may be sent."""
        return self._established is not None

    @property
    def peer(self) -> VerifiedPeer | None:
        """The verified peer; None where it showed no certificate, or none was judged."""
        return None if self.facts is None else self.facts.peer

    @property
    def alpn(self) -> str | None:
        """The application protocol that was agreed (RFC 7301)."""
        return None if self.facts is None else self.facts.alpn

    @property
    def error(self) -> TLSError | None:
        """What the connection failed with, if it did."""
        return self._error

    @property
    def closed_by_peer(self) -> bool:
        """Whether the peer's close_notify has come."""
        return self._closed_by_peer

    @property
    def closed_by_us(self) -> bool:
        """Whether ``close`` has been called."""
        return self._closed_by_us

    @property
    def awaiting(self) -> tuple[str, ...]:
        """The RFC's names of the handshake messages that are waited for."""
        return self._driver.awaiting

    @property
    def has_data_to_send(self) -> bool:
        """Whether ``data_to_send`` would give anything."""
        return self._records.has_output

    def channel_binding(self, kind: str) -> bytes:
        """What ties an authentication above TLS to this connection: ``tls-exporter`` (RFC 9266), ``tls-unique``
        or ``tls-server-end-point`` (RFC 5929). Raises ``Misuse`` where the version has no such binding.
        """
        self._raise_if_failed()
        if self._established is None:
            raise Misuse("a channel binding exists only after the handshake", code="not-connected")
        return channel_binding(kind, self.role, self._established)

    # The handshake

    def start(self) -> None:
        """Begin: a client queues its ClientHello, a server gets ready for one. Calling it again does nothing."""
        if self._started:
            return
        self._started = True
        self._guarded(lambda: self._run(self._flow()))

    def answer(self, value: Any) -> list[Event]:
        """Answer the decision of a ``DecisionNeeded`` and go on; gives events as ``receive_data`` does.

        An exception as the answer, such as what ``decision.resolve()`` raised, fails the connection with it.
        """
        self._raise_if_failed()
        if self._driver.decision is None:
            raise Misuse("no decision is waited for")
        if self._given_up:
            return []
        return self._guarded(lambda: self._answer(value))

    # Data

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take bytes from the peer, in any split; gives what happened, in order.

        Raises a ``TLSError`` where the connection fails; ``data_to_send`` then gives the alert. Once it has failed, every
        further call raises the same error. Bytes after the peer's close_notify are ignored (RFC 8446 section 6.1), and
        so is everything where ``close`` was called before the handshake was complete.
        """
        if self._error is not None:
            raise self._error
        if not self._started:
            self.start()
        if self._closed_by_peer or not data or (self._closed_by_us and self._given_up):
            return []
        self._records.feed(data if type(data) is bytes else bytes(data))
        if self._driver.decision is not None:
            return self._guarded(self._wait)
        return self._guarded(self._pump)

    def events_before_error(self) -> list[Event]:
        """What happened before ``receive_data`` raised, in order: data that arrived whole is not lost to what followed."""
        events, self._handshake.events = self._handshake.events, []
        return events

    def receive_eof(self, *, reset: bool = False) -> None:
        """The transport has ended, by a ``reset`` or as it should. Raises ``TruncatedStream`` where the peer did not say so
        with close_notify.
        """
        if self._closed_by_peer or self._error is not None:
            return
        if self.trace is not None:
            self.trace(t.Closed("received", "cut"))
        error: TLSError
        if self.handshake_complete:
            error = TruncatedStream(reset=reset)
        else:
            error = TruncatedStream("the peer ended the connection in the middle of the handshake", reset=reset)
        self._fail(error, alert=False)
        raise error

    def receive_timeout(self, sentence: str, seconds: float | None = None) -> HandshakeTimeout:
        """The I/O layer's time for the handshake is over: fails the connection; gives the error to raise, with its step."""
        error = HandshakeTimeout(sentence, seconds=seconds)
        self._fail(error, alert=False)
        return error

    def send_data(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt application data of any length and queue it. Raises ``Misuse`` before the handshake is complete."""
        self._raise_if_failed()
        if self._closed_by_us:
            raise Misuse("the connection was closed for sending, so nothing more can be sent", code="closed")
        if self._established is None and not self._handshake.half_rtt:
            raise Misuse("application data can't be sent before the handshake is complete", code="not-connected")
        if not data:
            return
        view = memoryview(data)
        view = view if view.format == "B" and view.contiguous and view.ndim == 1 else memoryview(bytes(view))
        self._guarded(lambda: self._send_data(view))

    def _send_data(self, view: memoryview) -> None:
        write = self._records.write
        assert write is not None  # noqa: S101 - the handshake left it
        limit = self._key_limit(write.record_limit)
        if self.trace is not None:
            kept = bytes(view) if getattr(self.trace, "secrets", False) else None
            self.trace(t.Data("sent", len(view), write.epoch, kept))
        start, length = 0, len(view)
        while start < length:
            # Section 5.5: change the keys before this one has protected more records than its AEAD allows.
            records = limit - self._records.write.sequence  # type: ignore[union-attr]
            if records <= 0:
                self.update_keys()
                continue
            stop = min(length, start + records * self._records.max_fragment)
            self._records.queue(ContentType.application_data, view[start:stop])
            start = stop

    def data_to_send(self) -> bytes:
        """Everything that waits to be sent, taken out of the queue."""
        self._handshake.key_update_queued = False
        return self._records.take()

    def close(self) -> None:
        """Queue close_notify: nothing more will be sent; what the peer still sends can be read (RFC 8446 section 6.1)."""
        if self._closed_by_us or self._error is not None:
            return
        # Before anything was said, there is nobody to say goodbye to.
        if self._started and (self._established is not None or self.role == "client" or self._records.write):
            self._guarded(lambda: self._send_alert(AlertLevel.warning, AlertDescription.close_notify))
        self._closed_by_us = True
        self._handshake.may_write = False
        if self.trace is not None:
            self.trace(t.Closed("sent", "close_notify"))

    def abort(self, description: AlertDescription = AlertDescription.internal_error) -> None:
        """Give the connection up: queue this fatal alert, after which nothing can be sent or received.

        For what only the application can judge, such as ``access_denied`` for a peer who is who it says it is.
        """
        self._fail(TLSError("the application gave the connection up", code="aborted", alert=description))

    def update_keys(self, *, request_peer: bool = False) -> None:
        """Change the sending keys (RFC 8446 section 4.6.3), and have the peer change its own with ``request_peer``.

        Raises ``Misuse`` before the handshake is complete, after ``close``, and in TLS 1.2, which has no KeyUpdate.
        """
        self._raise_if_failed()
        if self._established is None or self._closed_by_us:
            raise Misuse("keys can be updated only while the connection is open")
        if self._established.facts.version is not ProtocolVersion.TLS1_3:
            raise Misuse("TLS 1.2 has no KeyUpdate", code="no-key-update")
        self._guarded(lambda: update_keys(self._handshake, request=request_peer))

    def export_keying_material(self, label: str | bytes, length: int, context: bytes | None = None) -> bytes:
        """``length`` bytes that only the two ends of this connection know (RFC 8446 section 7.5, RFC 5705).

        ``label`` should be registered or start with ``EXPERIMENTAL``. In TLS 1.3 no context is the same as an empty
        one, in TLS 1.2 it is not.
        """
        self._raise_if_failed()
        if self._established is None:
            raise Misuse("keying material can be exported only after the handshake", code="not-connected")
        if not 1 <= length <= 255 * 32:
            raise Misuse(f"{length} bytes of keying material can't be exported: 1 to 8160 can")
        if not self._established.binds:
            raise Misuse(NOT_BOUND, code="no-extended-master-secret")
        name = label.encode() if isinstance(label, str) else label
        if len(name) > 249:
            raise Misuse("an exporter label has at most 249 bytes")
        return self._established.exporter.export(name, context, length)


class ClientConnection(_Connection):
    """A client's end of one connection.

    ``server_name`` is the DNS name or address that the server's certificate must be for; it may be left out only where
    nothing is verified. Raises ``Misuse`` for a name that can't be one.
    """

    role = "client"

    def __init__(self, config: ClientConfig, server_name: str | None = None, *, trace: Sink | None = None) -> None:
        if server_name is None and config.verifier is not None and config.check_server_name:
            raise Misuse("a server's certificate can't be verified without server_name", code="no-server-name")
        if server_name is not None:
            server_name = parse_server_name(server_name).text
        super().__init__(config, server_name, trace)
        self.config = config

    def _flow(self) -> Flow[Established]:
        return client_handshake(self._handshake, self.config)

    def _connected_flow(self) -> Flow[Any]:
        if self._handshake.version is ProtocolVersion.TLS1_2:
            return client_connected_12(self._handshake)
        assert self._established is not None  # noqa: S101 - this is what follows it
        return client_connected_13(self._handshake, self.config, self._established)

    # Early data

    @property
    def early_data_room(self) -> int:
        """Bytes of early data that may be sent now; 0 where there is no session for it, or the server has answered."""
        early = self._handshake.early_data
        return 0 if early is None or not early.open else early.limit - early.used

    def send_early_data(self, data: bytes | bytearray | memoryview) -> None:
        """Queue data that the server may read before its own first word (RFC 8446 section 2.3), after ``start``.

        Whoever sees it can send it again, so it must be such that doing it twice does no harm. Raises ``Misuse`` where
        ``early_data_room`` is too small. Where the server does not take it, an ``EarlyDataRejected`` gives it back.
        """
        self._raise_if_failed()
        send_early_data(self._handshake, bytes(data))


class ServerConnection(_Connection):
    """A server's end of one connection."""

    role = "server"

    def __init__(self, config: ServerConfig, *, trace: Sink | None = None) -> None:
        super().__init__(config, None, trace)
        self.config = config

    @property
    def server_name(self) -> str | None:
        """The name that the client asked for (RFC 6066 section 3); None before its ClientHello, or without one."""
        return self._handshake.server_name

    def request_client_certificate(self) -> None:
        """Ask the connected client for its certificate (RFC 8446 section 4.6.2); ``PeerAuthenticated`` will answer.

        Raises ``Misuse`` where the client did not offer that, where ``trust`` is not set, and in TLS 1.2.
        """
        self._raise_if_failed()
        if self._established is None or self._closed_by_us:
            raise Misuse("a certificate can be asked for only while the connection is open", code="not-connected")
        request_certificate(self._handshake, self.config)

    def _flow(self) -> Flow[Established]:
        return server_handshake(self._handshake, self.config)

    def _connected_flow(self) -> Flow[Any]:
        if self._handshake.version is ProtocolVersion.TLS1_2:
            return server_connected_12(self._handshake)
        assert self._established is not None  # noqa: S101 - this is what follows it
        return server_connected_13(self._handshake, self.config, self._established)


def make_connection(
    config: ClientConfig | ServerConfig | None, server_name: str | None, trace: Sink | None
) -> ClientConnection | ServerConnection:
    """A server's where there is a ``ServerConfig``, else a client's. Raises ``Misuse`` where the name does not fit that."""
    if isinstance(config, ServerConfig):
        if server_name is not None:
            raise Misuse("server_name is whom a client wants to reach; a server has none")
        return ServerConnection(config, trace=trace)
    return ClientConnection(config or ClientConfig(), server_name, trace=trace)
