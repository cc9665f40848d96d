"""The pump between a socket and a connection, for one reading and one writing thread at a time.

Three locks, each with one purpose. ``_engine`` guards the connection and is never held while anything waits. ``_reading``
and ``_sending`` give one thread at a time the socket's two directions; a thread takes what is to be sent out of the
connection only while it holds ``_sending``, so that ciphertext leaves in the order in which it was made. The reader never
waits for ``_sending``: a peer that does not read can't keep this side from reading.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from ..connection import ClientConnection, ServerConnection
from ..errors import Misuse, TLSError, TruncatedStream
from ..events import (
    DataReceived,
    DecisionNeeded,
    EarlyDataReceived,
    EarlyDataRejected,
    Event,
    KeysUpdated,
    PeerAuthenticated,
    PeerClosed,
    TicketReceived,
)
from .waiting import LINGER, READ_SIZE, deadline_in, discard, until_readable, until_writable

if TYPE_CHECKING:
    from ..handshake.flow import Decision
    from ..trust.verify import VerifiedPeer

__all__ = ["Decide", "Pump"]

Decide = Callable[["Decision[Any]"], Any]
"""Answers the decisions that a config's ``ask`` names; what it raises refuses the connection."""


class Pump:
    """What ``TLSStream`` stands on: moves bytes both ways, shakes hands, and sees that last words arrive."""

    def __init__(
        self, sock: socket.socket, connection: ClientConnection | ServerConnection, decide: Decide | None
    ) -> None:
        sock.setblocking(False)
        with suppress(OSError):  # a Unix socket has no such option
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection
        self.early_data = b""
        """What a resuming client sent before the handshake, which anybody can have sent again (RFC 8446 section 8)."""
        self._sock = sock
        self._decide = decide
        self._engine = threading.Lock()
        self._reading = threading.RLock()
        self._sending = threading.RLock()
        self._received: deque[bytes] = deque()
        self._outgoing = memoryview(b"")
        self._unsent = b""
        self._decision: Decision[Any] | None = None
        self._failure: Exception | None = None
        self._asked = 0
        """How often the client was asked for a certificate after the handshake, and what it answered."""
        self._answers: list[VerifiedPeer | None] = []
        self._heard = False
        """Whether the peer has said anything since the handshake."""
        self._ended = False
        """Whether the peer's close_notify has come."""
        self._send_broken = False
        self._closed = False

    # The socket

    def fileno(self) -> int:
        """The socket's file descriptor; what is ``pending`` does not show on it."""
        return self._sock.fileno()

    def getpeername(self) -> Any:
        """The peer's address."""
        return self._sock.getpeername()

    def getsockname(self) -> Any:
        """This side's address."""
        return self._sock.getsockname()

    @property
    def _peer_role(self) -> str:
        return "server" if self.connection.role == "client" else "client"

    def _check_open(self) -> None:
        if self._closed:
            raise Misuse("the stream is closed", code="closed")
        if self._failure is not None:
            raise self._failure

    # The handshake

    def _shake_hands(self, deadline: float | None, seconds: float | None, early_data: bytes = b"") -> None:
        try:
            with self._reading, self._sending:
                self._run(self.connection.start)
                self._send_early(early_data)
                while True:
                    self._check_open()
                    if self._decision is not None:
                        self._take_decision(self._decision)
                        continue
                    if not self._push(deadline):
                        self._time_out(
                            f"the {self._peer_role} took no data of the handshake within {seconds:g} s", seconds
                        )
                    if self.connection.handshake_complete:
                        if not self._unsent:
                            return
                        self.connection.send_data(self._unsent)
                        self._unsent = b""
                        continue
                    if not self._receive(deadline):
                        awaited = " or ".join(self.connection.awaiting) or "answer"
                        self._time_out(f"the {self._peer_role} sent no {awaited} within {seconds:g} s", seconds)
        except BaseException:
            self._closed = True
            self._sock.close()
            raise

    def _send_early(self, data: bytes) -> None:
        """Send it with the ClientHello where a session allows that much, otherwise when the handshake is complete."""
        connection = self.connection
        if isinstance(connection, ClientConnection) and 0 < len(data) <= connection.early_data_room:
            connection.send_early_data(data)
        else:
            self._unsent = data

    def _time_out(self, sentence: str, seconds: float | None) -> NoReturn:
        with self._engine:
            raise self.connection.receive_timeout(sentence, seconds)

    def _take_decision(self, decision: Decision[Any]) -> None:
        self._decision = None
        try:
            answer = decision.resolve() if self._decide is None else self._decide(decision)
        except Exception as refusal:
            answer = refusal
        self._run(partial(self.connection.answer, answer))

    # The connection

    def _run(self, action: Callable[[], list[Event] | None]) -> None:
        """Have the connection do something. What it fails with is kept, and the peer told; the caller raises it in time."""
        try:
            with self._engine:
                events = action()
        except Exception as error:
            with self._engine:
                events = self.connection.events_before_error()
            self._failure = error
        for event in events or ():
            if isinstance(event, DataReceived):
                self._received.append(event.data)
            elif isinstance(event, PeerClosed):
                self._ended = True
            elif isinstance(event, DecisionNeeded):
                self._decision = event.decision
            elif isinstance(event, PeerAuthenticated):
                self._answers.append(event.peer)
            elif isinstance(event, EarlyDataReceived):
                self.early_data += event.data
            elif isinstance(event, EarlyDataRejected):
                self._unsent = event.data
            if isinstance(event, DataReceived | KeysUpdated | PeerClosed | TicketReceived):
                self._heard = True
        if self._failure is not None and (self._outgoing or self.connection.has_data_to_send):
            deadline = deadline_in(LINGER)
            self._send_last(LINGER)
            discard(self._sock, deadline)

    def _receive(self, deadline: float | None) -> bool:
        """Read once and have the connection work on it; False where the time is over. For the holder of ``_reading``."""
        while True:
            waiting_to_send = self._flush()
            problem = None
            try:
                data = self._sock.recv(READ_SIZE)
            except BlockingIOError:
                if not until_readable(self._sock, deadline, or_writable=waiting_to_send):
                    return False
                continue
            except OSError as failed:
                data, problem = b"", failed
            if self._closed:
                raise Misuse("the stream was closed while it was read", code="closed") from problem
            if data:
                self._run(partial(self.connection.receive_data, data))
                self._take_late_decisions()
            else:
                self._hear_end(problem)
            return True

    def _take_late_decisions(self) -> None:
        """What is asked after the handshake: for a client's certificate and its signature, or about them."""
        while self._decision is not None and self.connection.handshake_complete and self._failure is None:
            self._take_decision(self._decision)
        if self.connection.has_data_to_send and self.connection.handshake_complete:
            # The answer, or new keys, shall not wait until this side has something to say.
            self._flush()

    def _hear_end(self, problem: Exception | None) -> None:
        try:
            with self._engine:
                self.connection.receive_eof(reset=isinstance(problem, ConnectionResetError))
        except TLSError as error:
            # A reset is an end without close_notify too.
            error.__cause__ = problem
            self._failure = error

    # Sending

    def _push(self, deadline: float | None) -> bool:
        """Send all that the connection has ready; False where the time is over. For the holder of ``_sending``."""
        while True:
            if not self._outgoing:
                with self._engine:
                    self._outgoing = memoryview(self.connection.data_to_send())
                if not self._outgoing:
                    return True
            try:
                sent = self._sock.send(self._outgoing)
            except BlockingIOError:
                if not until_writable(self._sock, deadline):
                    return False
            except OSError as problem:
                self._send_broken = True
                self._raise_why(problem)
            else:
                self._outgoing = self._outgoing[sent:]

    def _raise_why(self, problem: OSError) -> None:
        """Sending failed: often the peer refused the connection, and its alert can still be read."""
        deadline = deadline_in(LINGER)
        if self._reading.acquire(timeout=LINGER):
            try:
                while self._failure is None and not self._ended and self._receive(deadline):
                    pass
            finally:
                self._reading.release()
        if self._closed:
            raise Misuse("the stream was closed while it was written to", code="closed") from problem
        cut = isinstance(self._failure, TruncatedStream) and self.connection.handshake_complete
        if self._failure is None or cut:
            raise problem
        raise self._failure from problem

    def _flush(self) -> bool:
        """Send what goes without waiting; True where something is left, and no other thread is about to send it."""
        while not self._send_broken and (self._outgoing or self.connection.has_data_to_send):
            # Whoever holds the lock looks once more after it has let go of it.
            if not self._sending.acquire(blocking=False):
                return False
            try:
                if not self._push(0.0):
                    return True
            except (OSError, TLSError):
                return False  # reading tells why
            finally:
                self._sending.release()
        return False

    def _send_last(self, seconds: float) -> None:
        """Send what is left and end this direction, in so many seconds at most."""
        deadline = deadline_in(seconds)
        # Even in no time: a thread that is about to send our last words needs a moment to do so.
        if self._sending.acquire(timeout=max(seconds, 0.05)):
            try:
                with suppress(OSError, TLSError):
                    self._push(deadline)
            finally:
                self._sending.release()
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
