"""The sans-I/O face: bytes in, events and bytes out.

    client = ClientConnection(ClientConfig(trust=anchors), server_name="localhost")
    client.start()
    transport.write(client.data_to_send())
    for event in client.receive_data(transport.read()): ...

A connection does no I/O and reads no clock but its configuration's. After an error was raised, ``data_to_send`` still
gives the alert that the peer is owed; this file is the one place that turns an error into an alert.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import trace as t
from . import violations
from .config import ClientConfig, ServerConfig
from .errors import AlertReceived, Misuse, PeerViolation, TLSError, TruncatedStream
from .events import (
    ConnectionFacts,
    DataReceived,
    DecisionNeeded,
    EarlyDataReceived,
    Event,
    HandshakeCompleted,
    PeerClosed,
)
from .handshake.connected12 import client_connected_12, server_connected_12
from .handshake.connected13 import client_connected_13, server_connected_13, update_keys
from .handshake.driver import Driver, Handshake
from .handshake.early_data import send_early_data
from .handshake.entry import client_handshake, server_handshake
from .handshake.established import Established
from .handshake.flow import ChangeCipherSpec, Flow
from .handshake.post_handshake_auth import PostHandshakeAuth, request_certificate
from .record.layer import RecordLayer
from .trust.names import parse_server_name
from .wire.alerts import Alert
from .wire.codec import DecodeError
from .wire.codepoints import AlertDescription, AlertLevel, ContentType, ProtocolVersion

if TYPE_CHECKING:
    from .config import _Config
    from .trace import Sink
    from .trust.verify import VerifiedPeer

__all__ = ["ClientConnection", "ServerConnection"]

_HTTP_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)
_HTTP_SENTENCE = b"This port speaks HTTPS, and the request came in plain HTTP. Use https:// in the address.\n"


class _Connection:
    """What clients and servers have in common."""

    role: str

    def __init__(self, config: _Config, server_name: str | None, trace: Sink | None) -> None:
        self._config = config
        if trace is None and config.trace is not None:
            trace = config.trace()
        self.trace: Sink | None = trace
        """The sink of this connection's events, None where nobody looks."""
        self._records = RecordLayer()
        self._records.max_fragment = config.max_fragment
        self._records.padding = config.padding
        self._handshake = Handshake(self.role, config, self._records, trace, server_name)
        self._driver = Driver(self._handshake)
        self._established: Established | None = None
        self._error: TLSError | None = None
        self._started = False
        self._closed_by_us = False
        self._closed_by_peer = False
        self._empty_records = 0
        self._warnings = 0
        self._change_cipher_specs = 0
        if trace is not None:
            self._records.on_record = self._trace_record
            trace(t.Started("client" if self.role == "client" else "server", server_name or ""))

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
        if self._driver.decision is None:
            raise Misuse("no decision is waited for")
        return self._guarded(lambda: self._answer(value))

    # Data

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take bytes from the peer, in any split; gives what happened, in order.

        Raises a ``TLSError`` where the connection fails; ``data_to_send`` then gives the alert. Once it has failed, every
        further call raises the same error. Bytes after the peer's close_notify are ignored (RFC 8446 section 6.1).
        """
        self._raise_if_failed()
        self.start()
        if self._closed_by_peer or not data:
            return []
        self._records.feed(data if type(data) is bytes else bytes(data))
        return self._guarded(self._pump)

    def events_before_error(self) -> list[Event]:
        """What happened before ``receive_data`` raised, in order: data that arrived whole is not lost to what followed."""
        events, self._handshake.events = self._handshake.events, []
        return events

    def receive_eof(self) -> None:
        """The transport has ended. Raises ``TruncatedStream`` where the peer did not say so with close_notify."""
        if self._closed_by_peer or self._error is not None:
            return
        if self.trace is not None:
            self.trace(t.Closed("received", "cut"))
        error: TLSError
        if self.handshake_complete:
            error = TruncatedStream()
        else:
            error = TruncatedStream("the peer ended the connection in the middle of the handshake")
        self._fail(self._driver.placed(error), alert=False)
        raise error

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
        write = self._records.write
        assert write is not None  # noqa: S101 - the handshake left it
        limit = self._key_limit(write.record_limit)
        if self.trace is not None:
            kept = bytes(view) if getattr(self.trace, "secrets", False) else None
            self.trace(t.Data("sent", len(view), write.epoch, kept))
        start = 0
        while start < len(view):
            # Section 5.5: change the keys before this one has protected more records than its AEAD allows.
            records = limit - self._records.write.sequence  # type: ignore[union-attr]
            if records <= 0:
                self.update_keys()
                continue
            stop = min(len(view), start + records * self._records.max_fragment)
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
        self._closed_by_us = True
        self._handshake.may_write = False
        # Before anything was said, there is nobody to say goodbye to.
        if self._started and (self._established is not None or self.role == "client" or self._records.write):
            self._send_alert(AlertLevel.warning, AlertDescription.close_notify)
        if self.trace is not None:
            self.trace(t.Closed("sent", "close_notify"))

    def update_keys(self, *, request_peer: bool = False) -> None:
        """Change the sending keys (RFC 8446 section 4.6.3), and have the peer change its own with ``request_peer``.

        Raises ``Misuse`` before the handshake is complete, after ``close``, and in TLS 1.2, which has no KeyUpdate.
        """
        self._raise_if_failed()
        if self._established is None or self._closed_by_us:
            raise Misuse("keys can be updated only while the connection is open")
        if self._established.facts.version is not ProtocolVersion.TLS1_3:
            raise Misuse("TLS 1.2 has no KeyUpdate", code="no-key-update")
        update_keys(self._handshake, request=request_peer)

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
        name = label.encode() if isinstance(label, str) else label
        if not 1 <= len(name) <= 249:
            raise Misuse("an exporter label has 1 to 249 bytes")
        return self._established.exporter.export(name, context, length)

    # Inside

    def _flow(self) -> Flow[Established]:
        raise NotImplementedError

    def _connected_flow(self) -> Flow[Any]:
        raise NotImplementedError

    def _key_limit(self, aead_limit: int) -> int:
        wish = self._config.key_update_after
        if self._established is None or self._established.facts.version is not ProtocolVersion.TLS1_3:
            return 1 << 62
        return aead_limit if wish is None else max(1, min(wish, aead_limit))

    def _guarded(self, action: Callable[[], list[Event] | None]) -> list[Event]:
        try:
            return action() or []
        except TLSError as error:
            self._fail(error)
            raise
        except Exception:
            # An application's hook raised something of its own: the peer learns that it is not its fault.
            self._fail(TLSError("a hook of the application failed", code="hook-failed", alert=_INTERNAL_ERROR))
            raise

    def _run(self, flow: Flow[Any]) -> None:
        self._driver.start(flow)
        self._after_step()

    def _answer(self, value: Any) -> list[Event]:
        self._driver.answer(value)
        self._after_step()
        return self._pump()

    def _after_step(self) -> None:
        """After each step of a flow: a finished handshake makes place for what comes after it."""
        if self._established is None and self._driver.finished:
            self._established = self._driver.result
            hs = self._handshake
            hs.change_cipher_specs_allowed = False
            if self._established.post_handshake_auth and hs.transcript is not None:
                hs.post_handshake = PostHandshakeAuth(hs.transcript)
            hs.transcript = None
            hs.reassembly.relax()
            facts = self._established.facts
            if self.trace is not None:
                self.trace(t.Completed(facts.as_dict()))
            hs.events.append(HandshakeCompleted(facts))
            self._driver = Driver(hs, "connected")
            self._driver.start(self._connected_flow())

    def _pump(self) -> list[Event]:
        hs, records = self._handshake, self._records
        while not self._closed_by_peer:
            if self._driver.decision is not None:
                if not (hs.events and isinstance(hs.events[-1], DecisionNeeded)):
                    hs.events.append(DecisionNeeded(self._driver.decision))
                break
            message = hs.reassembly.next_message()
            if message is not None:
                self._driver.deliver(message)
                if self._driver.finished:
                    self._after_step()
                continue
            record = records.next_record()
            if record is None:
                break
            self._receive_record(*record)
        events, hs.events = hs.events, []
        return events

    def _receive_record(self, kind: int, content: bytes) -> None:
        hs = self._handshake
        if hs.reassembly.pending and kind != ContentType.handshake:
            raise PeerViolation(violations.INTERLEAVED_RECORD, received=ContentType(kind))
        if kind == ContentType.application_data:
            self._receive_application_data(content)
        elif kind == ContentType.handshake:
            if not content:
                raise PeerViolation(violations.EMPTY_HANDSHAKE_RECORD, received=ContentType(kind))
            hs.reassembly.feed(content)
        elif kind == ContentType.alert:
            self._receive_alert(content)
        elif kind == ContentType.change_cipher_spec:
            self._receive_change_cipher_spec(content)
        else:
            self._driver.refuse_record(kind)

    def _receive_application_data(self, content: bytes) -> None:
        early = self._handshake.early_data
        if self._established is None and (self.role == "client" or early is None or not early.open):
            raise PeerViolation(violations.EARLY_APPLICATION_DATA)
        if not content:
            self._empty_records += 1
            limit = self._config.limits.max_empty_records
            if self._empty_records > limit:
                raise PeerViolation(violations.TOO_MANY_EMPTY_RECORDS, limit=limit, setting="Limits.max_empty_records")
            return
        self._empty_records = self._warnings = self._handshake.key_updates_received = 0
        if self.trace is not None:
            kept = content if getattr(self.trace, "secrets", False) else None
            self.trace(t.Data("received", len(content), self._epoch_in, kept))
        if self._established is not None:
            self._handshake.events.append(DataReceived(content))
        elif early is not None:
            if not early.take(len(content)):
                raise PeerViolation(violations.TOO_MUCH_EARLY_DATA, limit=early.limit)
            self._handshake.events.append(EarlyDataReceived(content))

    def _receive_alert(self, content: bytes) -> None:
        try:
            alert = Alert.decode(content)
        except DecodeError as problem:
            raise PeerViolation(violations.MALFORMED_ALERT, problem=problem) from None
        description = alert.description
        if self.trace is not None:
            self.trace(t.AlertEvent("received", alert.level, description, description.name, self._epoch_in))
        if description == AlertDescription.close_notify:
            self._receive_close_notify()
            return
        is_tls13 = self._handshake.version is ProtocolVersion.TLS1_3
        # Section 6: in TLS 1.3 the level is ignored, and every alert but two ends the connection.
        tolerated = description == AlertDescription.user_canceled if is_tls13 else alert.level == AlertLevel.warning
        if not tolerated:
            raise AlertReceived(alert.level, description)
        self._warnings += 1
        limit = self._config.limits.max_warning_alerts
        if self._warnings > limit:
            raise PeerViolation(violations.TOO_MANY_WARNINGS, limit=limit, setting="Limits.max_warning_alerts")

    def _receive_close_notify(self) -> None:
        self._closed_by_peer = True
        if self.trace is not None:
            self.trace(t.Closed("received", "close_notify"))
        if self._established is None:
            raise AlertReceived(AlertLevel.warning, AlertDescription.close_notify)
        self._handshake.events.append(PeerClosed())

    def _receive_change_cipher_spec(self, content: bytes) -> None:
        hs, protected = self._handshake, self._records.read is not None and not self._records.is_tls13
        if content != b"\x01" or protected:
            raise PeerViolation(violations.BAD_CHANGE_CIPHER_SPEC)
        if self._driver.change_cipher_spec(ChangeCipherSpec()):
            self._trace_change_cipher_spec("keys")
            return
        if not hs.change_cipher_specs_allowed:
            raise PeerViolation(violations.BAD_CHANGE_CIPHER_SPEC)
        self._change_cipher_specs += 1
        limit = self._config.limits.max_change_cipher_specs
        if self._change_cipher_specs > limit:
            raise PeerViolation(
                violations.TOO_MANY_CHANGE_CIPHER_SPECS, limit=limit, setting="Limits.max_change_cipher_specs"
            )
        self._trace_change_cipher_spec("compatibility")

    def _trace_change_cipher_spec(self, meaning: str) -> None:
        if self.trace is not None:
            self.trace(t.ChangeCipherSpecEvent("received", "keys" if meaning == "keys" else "compatibility"))

    # Failing

    def _raise_if_failed(self) -> None:
        if self._error is not None:
            raise self._error

    def _fail(self, error: TLSError, *, alert: bool = True) -> None:
        if self._error is not None:
            return
        self._error = self._driver.placed(error)
        if self.trace is not None:
            self.trace(t.Failed(error.as_dict()))
        violation = getattr(error, "violation", None)
        if violation is violations.HTTP_ON_TLS_PORT and self.role == "server":
            # As nginx does: the person who typed http:// gets a sentence and not a blank page.
            self._records.queue_raw(_HTTP_ANSWER % (len(_HTTP_SENTENCE), _HTTP_SENTENCE))
        elif alert and error.alert is not None and not self._closed_by_us:
            self._send_alert(AlertLevel.fatal, error.alert)

    def _send_alert(self, level: AlertLevel, description: AlertDescription) -> None:
        if self.trace is not None:
            write = self._records.write
            epoch = "plaintext" if write is None else write.epoch
            self.trace(t.AlertEvent("sent", level, description, description.name, epoch))
        self._records.queue(ContentType.alert, Alert(level, description).encode())

    @property
    def _epoch_in(self) -> str:
        read = self._records.read
        return "plaintext" if read is None else read.epoch

    def _trace_record(self, direction: Any, kind: int, epoch: str, sequence: int, length: int, raw: bytes) -> None:
        if self.trace is not None:
            self.trace(t.Record(direction, kind, epoch, sequence, length, raw))


_INTERNAL_ERROR = AlertDescription.internal_error


class ClientConnection(_Connection):
    """A client's end of one connection.

    ``server_name`` is the DNS name or address that the server's certificate must be for; it may be left out only where
    nothing is verified. Raises ``Misuse`` for a name that can't be one.
    """

    role = "client"

    def __init__(self, config: ClientConfig, server_name: str | None = None, *, trace: Sink | None = None) -> None:
        if server_name is None and config.verifier is not None:
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
