"""A byte stream of anyio's that is a TLS connection over another byte stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from anyio import CancelScope, ClosedResourceError, EndOfStream, aclose_forcefully, current_time
from anyio.abc import AnyByteStream, ByteStream
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

from ..config import ClientConfig, ServerConfig
from ..connection import ClientConnection, ServerConnection, make_connection
from ..errors import Misuse, TLSError, also
from ..io.waiting import awaited
from .attributes import attributes_of
from .pump import Decide, Pump, broken

if TYPE_CHECKING:
    from ..trace import Sink
    from ..trust.verify import VerifiedPeer

__all__ = ["TLSStream"]

_CHUNK = 64 * 1024
"""Bytes of application data that are encrypted at a time: buffers over 128 KiB cost page faults."""


class TLSStream(Pump, ByteStream):
    """One TLS connection over another byte stream, which it owns; ``wrap`` makes it.

    Errors are tlscope's, and at once anyio's: what breaks the stream is a ``TLSError`` and a ``BrokenResourceError``. As of
    any stream of anyio's, an end is ``EndOfStream``, a call on a closed stream ``ClosedResourceError``, and a second task
    that does the same thing at the same time gets a ``BusyResourceError``.

    With ``standard_compatible`` a stream that ends without close_notify was cut: a ``TruncatedStream``, which is a
    ``BrokenResourceError`` too. Without it that is an ``EndOfStream`` like any other, for protocols that tell by themselves
    whether something is missing, and ``aclose`` waits for no answer to the close_notify that it sends.
    """

    def __init__(
        self,
        transport_stream: AnyByteStream,
        connection: ClientConnection | ServerConnection,
        *,
        standard_compatible: bool = True,
        decide: Decide | None = None,
    ) -> None:
        super().__init__(transport_stream, connection, standard_compatible, decide)

    @classmethod
    async def wrap(
        cls,
        transport_stream: AnyByteStream,
        config: ClientConfig | ServerConfig | None = None,
        *,
        server_name: str | None = None,
        standard_compatible: bool = True,
        handshake_timeout: float | None = 10.0,
        trace: Sink | None = None,
        decide: Decide | None = None,
        early_data: bytes = b"",
    ) -> Self:
        """Shake hands over a stream that is connected; it is closed where that fails, so nobody goes on in the open.

        A ``ServerConfig`` makes this the server's side, anything else the client's, and ``server_name`` is whom the
        certificate must be for. ``handshake_timeout`` is in seconds. ``early_data`` is the first thing to send: before the
        handshake where a session and ``config.early_data`` allow it, so it must do no harm when it arrives twice; else after
        it. Raises ``TLSError``, among them ``HandshakeTimeout``; ``Misuse``, where it can't begin, leaves the stream open.
        """
        connection = make_connection(config, server_name, trace)
        stream = cls(transport_stream, connection, standard_compatible=standard_compatible, decide=decide)
        return await stream.handshake(handshake_timeout, early_data)

    async def handshake(
        self, handshake_timeout: float | None = 10.0, early_data: bytes = b"", *, since: float | None = None
    ) -> Self:
        """What ``wrap`` does, for a stream made with a connection of one's own; time runs from ``since``, or from now."""
        time = CancelScope()
        if handshake_timeout is not None:
            time.deadline = (current_time() if since is None else since) + handshake_timeout
        try:
            with time:
                await self._shake_hands(early_data)
            if time.cancelled_caught:
                error = self.connection.receive_timeout(awaited(self.connection, handshake_timeout), handshake_timeout)
                raise broken(error)
        except BaseException:
            self._closed = True
            await aclose_forcefully(self.transport_stream)
            raise
        return self

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """At least one and at most ``max_bytes`` bytes; what arrived before an end or a failure comes first.

        A call that is cancelled loses nothing: the next one gives what it would have given.
        """
        if max_bytes < 1:
            raise ValueError("max_bytes must be a positive integer")
        with self._receiving:
            if self._received:
                await checkpoint()  # where there is nothing to wait for, others get their turn
            while not self._received:
                self._check_open()
                if self._ended:
                    raise EndOfStream
                self._raise_failure()
                await self._hear()
            self._check_open()
            piece = self._received.popleft()
            if len(piece) > max_bytes:
                self._received.appendleft(piece[max_bytes:])
                piece = piece[:max_bytes]
            return piece

    async def send(self, item: bytes | bytearray | memoryview) -> None:
        """Send everything; returns when the stream below has taken the last byte.

        A call that is cancelled while it sends leaves it unknown how much went out: nothing more can be sent then, and the
        peer gets no close_notify. Where sending fails because the peer refused the connection, its alert is raised.
        """
        with self._writing, memoryview(item).cast("B") as view:
            for start in range(0, max(len(view), 1), _CHUNK):
                await self._send(partial(self.connection.send_data, view[start : start + _CHUNK]))

    async def send_eof(self) -> None:
        """Tell the peer with close_notify that nothing more will be sent; what it still sends can be received.

        In TLS 1.2 the peer may end its own side at once when it is told that (RFC 5246 section 7.2.1).
        """
        with self._writing:
            if not self.connection.closed_by_us:
                await self._send(self.connection.close)

    async def update_keys(self, *, request_peer: bool = False) -> None:
        """Change the keys for what is sent from now on, and with ``request_peer`` have the peer do the same (TLS 1.3)."""
        with self._writing:
            await self._send(partial(self.connection.update_keys, request_peer=request_peer))

    async def _send(self, action: Callable[[], None]) -> None:
        async with self._sending:
            await checkpoint_if_cancelled()  # the last moment in which nothing has been done
            self._check_writable()
            action()
            await self._push_or_say_why()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedResourceError

    def _check_writable(self) -> None:
        self._check_open()
        self._raise_failure()
        if self._torn:
            error = Misuse(
                "a call that sent something was cut short, and how much of it went out is unknown: nothing more can be sent",
                code="send-cut-short",
            )
            raise broken(error)
        if self.connection.closed_by_us:
            raise also(Misuse("nothing can be sent after send_eof", code="closed"), ClosedResourceError)

    async def request_client_certificate(self) -> VerifiedPeer | None:
        """Ask a connected client for its certificate (RFC 8446 section 4.6.2), on a server, in TLS 1.3; reads the answer.

        Gives who the client is, as ``connection.peer`` does from then on, or None for an empty answer. Data that comes
        before it is kept for ``receive``, 1 MiB at most; no other task may receive meanwhile. Raises ``Misuse`` where the
        client did not offer that or ``trust`` is not set, ``CertificateRejected`` for a certificate that is refused.
        """
        connection = self.connection
        if not isinstance(connection, ServerConnection):
            raise Misuse("only a server can ask for a client's certificate")
        with self._receiving:
            with self._writing:
                await self._send(connection.request_client_certificate)
            self._asked += 1
            number = self._asked
            while len(self._answers) < number:
                self._check_open()
                self._raise_failure()
                if self._ended or self._too_much():
                    did = "ended the connection" if self._ended else "sent more than 1 MiB of data"
                    raise broken(
                        TLSError(f"the client {did} instead of answering for its certificate", code="no-answer")
                    )
                await self._hear()
            return self._answers[number - 1]

    async def aclose(self) -> None:
        """Say close_notify and close the stream below, having waited half a second at most for the peer to end as well.

        Cancelled, it closes at once, without close_notify where that has not gone out. A task that still receives or sends
        then gets a ``ClosedResourceError``.
        """
        if not self._closed:
            self._closed = True
            try:
                if self._failure is None and not self._torn:
                    await self._say_goodbye()
            except BaseException:
                await aclose_forcefully(self.transport_stream)
                raise
        await self.transport_stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """anyio's ``TLSAttribute``, our ``ConnectionAttribute``, and whatever the stream below has."""
        ours = attributes_of(
            self.connection, standard_compatible=self.standard_compatible, early_data=lambda: self._early_data
        )
        return {**self.transport_stream.extra_attributes, **ours}

    def __repr__(self) -> str:
        state = "closed" if self._closed else "connected" if self.connection.handshake_complete else "not connected"
        return f"<TLSStream {self.connection.role} {state}>"
