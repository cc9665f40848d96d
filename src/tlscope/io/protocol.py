"""TLS as a layer of asyncio: a protocol to the transport below, a transport to the protocol above.

Bytes go through the connection as they come. Flow control passes through in both directions: ``drain`` above waits for the
socket below, and a reader that is full keeps the socket from being read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from ..connection import ClientConnection, ServerConnection
from ..errors import Misuse, TLSError
from ..events import (
    DataReceived,
    DecisionNeeded,
    EarlyDataReceived,
    EarlyDataRejected,
    Event,
    HandshakeCompleted,
    PeerAuthenticated,
    PeerClosed,
)
from .transport import TLSTransport
from .waiting import LINGER, READ_SIZE, awaited

if TYPE_CHECKING:
    from ..handshake.flow import Decision
    from ..trust.verify import VerifiedPeer

__all__ = ["Decide", "TLSProtocol"]

_FLUSH_SECONDS = 30.0
"""How long after ``close`` a slow peer may take to accept what was written before."""

_DISCARD_LIMIT = 1024 * 1024
"""Bytes that a peer may still send once this side is through with it."""

Decide = Callable[["Decision[Any]"], "Any | Awaitable[Any]"]
"""Answers the decisions that a config's ``ask`` names, at once or awaited; what it raises refuses the connection."""

OnResult = Callable[["TLSProtocol", "Exception | None"], None]


class TLSProtocol(asyncio.Protocol):
    """One connection between the transport below and the application's protocol above.

    ``make_application`` makes the application's protocol once the handshake is complete. ``on_result`` is told how the
    handshake went: with None, or with the error, then after the alert had its time to arrive.
    """

    def __init__(
        self,
        connection: ClientConnection | ServerConnection,
        make_application: Callable[[], asyncio.BaseProtocol],
        on_result: OnResult,
        *,
        handshake_timeout: float | None = None,
        decide: Decide | None = None,
        early_data: bytes = b"",
    ) -> None:
        self.connection = connection
        self.early_data = b""
        """What a resuming client sent before the handshake, which anybody can have sent again (RFC 8446 section 8)."""
        self._unsent = early_data
        self.transport = TLSTransport(self)
        self.application: Any = None
        self.raw: Any = None
        """The transport below."""
        self.closing = False
        """Whether this side is through with the connection: nothing more goes up or comes down."""
        self._loop = asyncio.get_running_loop()
        self._make_application = make_application
        self._on_result: OnResult | None = on_result
        self._handshake_timeout = handshake_timeout
        self._decide = decide
        self._deciding: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.failure: Exception | None = None
        """What the connection failed with."""
        self._requests: deque[asyncio.Future[VerifiedPeer | None]] = deque()
        self._write_paused = False
        self._discarded = 0

    # What the transport below tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self.raw = transport
        if self._handshake_timeout is not None:
            self._timer = self._loop.call_later(self._handshake_timeout, self._handshake_time_over)
        self._run(self.connection.start)
        connection = self.connection
        if isinstance(connection, ClientConnection) and 0 < len(self._unsent) <= connection.early_data_room:
            connection.send_early_data(self._unsent)
            self._unsent = b""
            self.flush()

    def data_received(self, data: bytes) -> None:
        """Have the connection work on what came."""
        if self.closing:
            self._discarded += len(data)
            if self._discarded > _DISCARD_LIMIT:
                self.raw.abort()
        if self.connection.error is None:
            self._run(partial(self.connection.receive_data, data))

    def eof_received(self) -> bool:
        """The peer's end of the transport has ended; True leaves ours open for what is still to be written."""
        if not self.closing:
            try:
                self.connection.receive_eof()
            except TLSError as error:
                self._fail(error)
        return not self.closing

    def pause_writing(self) -> None:
        """Pass on that too much waits to be written."""
        self._write_paused = True
        if self.application is not None:
            self.application.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that there is room again."""
        self._write_paused = False
        if self.application is not None:
            self.application.resume_writing()

    def connection_lost(self, problem: Exception | None) -> None:
        """The transport below is gone: tell the application, and why where nobody wanted it."""
        if not self.closing:
            self._read_last_words()
        if not self.closing:
            try:
                self.connection.receive_eof(reset=isinstance(problem, ConnectionResetError))
            except TLSError as error:
                error.__cause__ = problem
                self.failure = error
            else:
                self.failure = problem
        self.closing = True
        self._stop_waiting()
        self._tell(self.failure)
        self._end_requests()
        application, self.application = self.application, None
        if application is not None:
            application.connection_lost(self.failure)

    # What the transport above asks for

    def flush(self) -> None:
        """Write what the connection has to say."""
        if self.connection.has_data_to_send:
            self.raw.write(self.connection.data_to_send())

    def request_client_certificate(self) -> asyncio.Future[VerifiedPeer | None]:
        """Ask a connected client for its certificate."""
        if not isinstance(self.connection, ServerConnection):
            raise Misuse("only a server can ask for a client's certificate")
        self.connection.request_client_certificate()
        self.flush()
        request: asyncio.Future[VerifiedPeer | None] = self._loop.create_future()
        # Whoever does not look at the answer learns of a failure by reading, not by a warning.
        request.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._requests.append(request)
        return request

    def close(self) -> None:
        """Say close_notify, let go out what was written, and give the peer half a second to end as well."""
        if not self.closing:
            self.closing = True
            self.connection.close()
            self.flush()
            self._end()

    def abort(self) -> None:
        """End it now."""
        self.closing = True
        self._stop_waiting()
        if self.raw is not None:
            self.raw.abort()

    # Inside

    def _run(self, action: Callable[[], list[Event] | None]) -> None:
        """Have the connection do something, send what it has to say, and pass on what happened."""
        failure = None
        try:
            events = action() or []
        except Exception as error:
            failure, events = error, self.connection.events_before_error()
        self.flush()
        for event in events:
            if not self.closing:
                self._pass_on(event)
        if not self.closing and failure is not None:
            self._fail(failure)
        elif self.closing and (failure is not None or self.connection.closed_by_peer):
            self.raw.close()  # nothing is left to wait for

    def _pass_on(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            self.application.data_received(event.data)
        elif isinstance(event, PeerAuthenticated):
            request = self._requests.popleft()
            if not request.done():
                request.set_result(event.peer)
        elif isinstance(event, EarlyDataReceived):
            self.early_data += event.data
        elif isinstance(event, EarlyDataRejected):
            self._unsent = event.data
        elif isinstance(event, HandshakeCompleted):
            self._stop_waiting()
            self.connection.send_data(self._unsent)
            self.flush()
            self.application = self._make_application()
            self._tell(None)
            self.application.connection_made(self.transport)
            if self._write_paused:
                self.application.pause_writing()
        elif isinstance(event, PeerClosed):
            if not self.application.eof_received():
                self.close()
        elif isinstance(event, DecisionNeeded):
            self._take_decision(event.decision)

    def _fail(self, error: Exception) -> None:
        """The connection has failed; where an alert went out, see that it arrives before the transport is closed."""
        self.closing = True
        self.failure = error
        self._end_requests()
        if isinstance(error, TLSError) and error.alert is None:
            self._stop_waiting()
            self.raw.close()
        else:
            self._end()

    def _end(self) -> None:
        # A socket that is closed with something unread sends a reset, which may overtake the alert or the last data.
        self._stop_waiting()
        if self.connection.closed_by_peer:
            self.raw.close()
        else:
            if self.raw.can_write_eof():
                self.raw.write_eof()
            self.raw.resume_reading()
        self._timer = self._loop.call_later(LINGER, self._linger_over, self._loop.time() + _FLUSH_SECONDS)

    def _linger_over(self, last: float) -> None:
        if not self.raw.get_write_buffer_size():
            self.raw.close()
        elif self._loop.time() >= last:
            self.raw.abort()
        else:
            self._timer = self._loop.call_later(LINGER, self._linger_over, last)

    def _handshake_time_over(self) -> None:
        self.failure = self.connection.receive_timeout(self.awaited(self._handshake_timeout), self._handshake_timeout)
        self.abort()

    def awaited(self, seconds: float | None) -> str:
        """The sentence that says for what this side waited in vain."""
        return awaited(self.connection, seconds)

    def _read_last_words(self) -> None:
        # Writing fails where the peer has refused the connection; its alert may still lie in the socket, unread.
        if any(self.raw.get_extra_info(name) is not None for name in ("tlscope", "sslcontext")):
            return  # TLS in TLS: what lies in the socket is the outer connection's
        with suppress(OSError, AttributeError, TypeError), self.raw.get_extra_info("socket").dup() as sock:
            sock.setblocking(False)
            while not self.closing and (data := sock.recv(READ_SIZE)):
                self._run(partial(self.connection.receive_data, data))

    def _take_decision(self, decision: Decision[Any]) -> None:
        try:
            answer = decision.resolve() if self._decide is None else self._decide(decision)
        except Exception as refusal:
            answer = refusal
        if isawaitable(answer):
            self.raw.pause_reading()
            self._deciding = asyncio.ensure_future(self._answer_later(answer))
        else:
            self._run(partial(self.connection.answer, answer))

    async def _answer_later(self, awaitable: Awaitable[Any]) -> None:
        try:
            answer = await awaitable
        except Exception as refusal:
            answer = refusal
        self._deciding = None
        self.raw.resume_reading()
        if not self.closing:
            self._run(partial(self.connection.answer, answer))

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._deciding is not None:
            self._deciding.cancel()
        self._timer = self._deciding = None

    def _end_requests(self) -> None:
        error = self.failure or TLSError(
            "the connection ended before the client answered the request for its certificate", code="no-answer"
        )
        while self._requests:
            request = self._requests.popleft()
            if not request.done():
                request.set_exception(error)

    def _tell(self, result: Exception | None) -> None:
        on_result, self._on_result = self._on_result, None
        if on_result is not None:
            on_result(self, result)
