"""The pump between a byte stream of anyio's and a connection, for one receiving and one sending task at a time.

Everything that goes out is taken from the connection and handed down under one lock, so that ciphertext leaves in the order
in which it was made. A call that is cut short while it hands something down leaves it unknown how much went out; from then
on nothing more is sent, since a record can't begin in the middle of another, and the peer, who sees no close_notify, knows
that it has not got everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from anyio import (
    BrokenResourceError,
    BusyResourceError,
    CancelScope,
    ClosedResourceError,
    EndOfStream,
    Event,
    Lock,
    ResourceGuard,
    create_task_group,
    current_time,
    get_cancelled_exc_class,
    move_on_after,
)

from .. import events as e
from ..connection import ClientConnection, ServerConnection
from ..errors import TLSError, TruncatedStream, also
from ..io.waiting import LINGER

if TYPE_CHECKING:
    from anyio.abc import AnyByteStream

    from ..handshake.flow import Decision
    from ..trust.verify import VerifiedPeer

__all__ = ["Decide", "Pump", "broken"]

Decide = Callable[["Decision[Any]"], "Any | Awaitable[Any]"]
"""Answers the decisions that a config's ``ask`` names, at once or awaited; what it raises refuses the connection."""

_FLUSH_SECONDS = 30.0
"""How long a peer that reads slowly may take to make room for close_notify."""

_PENDING_LIMIT = 1024 * 1024
"""Bytes of data that are kept, or thrown away, while something else is waited for."""


def broken(error: TLSError) -> Exception:
    """The same error, which is a ``BrokenResourceError`` too."""
    joined: Exception = also(error, BrokenResourceError)
    return joined


class Pump:
    """What ``TLSStream`` stands on: moves bytes both ways, shakes hands, and sees that last words arrive."""

    def __init__(
        self,
        transport_stream: AnyByteStream,
        connection: ClientConnection | ServerConnection,
        standard_compatible: bool,
        decide: Decide | None,
    ) -> None:
        self.transport_stream = transport_stream
        """The stream below."""
        self.connection = connection
        """The connection, to look at; it is not safe to drive it from elsewhere."""
        self.standard_compatible = standard_compatible
        self._decide = decide
        self._receiving = ResourceGuard("receiving from")
        self._writing = ResourceGuard("sending to")
        self._sending = Lock(fast_acquire=True)
        self._received: deque[bytes] = deque()
        self._early_data = b""
        self._unsent = b""
        self._decision: Decision[Any] | None = None
        self._asked = 0
        """How often the client was asked for a certificate after the handshake, and what it answered."""
        self._answers: list[VerifiedPeer | None] = []
        self._failure: Exception | None = None
        self._ended = False
        """Whether the peer has ended its side: with close_notify, or as an end that is taken for one."""
        self._over = Event()
        """Set once nothing more will come from the peer."""
        self._torn = False
        """Whether something that was to be sent may have gone out in part."""
        self._closed = False

    # The handshake

    async def _shake_hands(self, early_data: bytes) -> None:
        connection = self.connection
        self._run(connection.start)
        if isinstance(connection, ClientConnection) and 0 < len(early_data) <= connection.early_data_room:
            connection.send_early_data(early_data)
        else:
            self._unsent = early_data
        while not connection.handshake_complete:
            self._raise_failure()
            await self._hear()
        self._raise_failure()
        if self._unsent:
            connection.send_data(self._unsent)
        with suppress(BrokenResourceError, OSError):  # receiving tells why
            await self._push()

    async def _take_decision(self, decision: Decision[Any]) -> None:
        try:
            answer = decision.resolve() if self._decide is None else self._decide(decision)
            if isawaitable(answer):
                answer = await answer
        except Exception as refusal:
            answer = refusal
        self._decision = None
        self._run(partial(self.connection.answer, answer))

    # Receiving

    async def _hear(self) -> None:
        """Let the connection go one step on: a decision, or something from the peer. For the holder of ``_receiving``."""
        if self._decision is not None:
            await self._take_decision(self._decision)
        else:
            await self._reply()
            # From the end of this wait to the connection there is no other: a call that is cancelled loses nothing.
            data, problem = await self._read()
            if data:
                self._run(partial(self.connection.receive_data, data))
            else:
                self._hear_end(problem)
        if self._failure is not None and self.connection.has_data_to_send:
            await self._say_last_words()

    async def _read(self) -> tuple[bytes, Exception | None]:
        try:
            return await self.transport_stream.receive(), None
        except EndOfStream:
            return b"", None
        except (BrokenResourceError, OSError) as problem:
            return b"", problem

    def _hear_end(self, problem: Exception | None) -> None:
        try:
            reset = problem is not None and isinstance(problem.__cause__, ConnectionResetError)
            self.connection.receive_eof(reset=reset)
        except TLSError as error:
            # A reset is an end without close_notify too.
            error.__cause__ = problem
            if isinstance(error, TruncatedStream) and self.connection.handshake_complete and problem is None:
                self._ended = not self.standard_compatible
            self._fail(error)
        self._over.set()

    def _run(self, action: Callable[[], list[e.Event] | None]) -> None:
        """Have the connection do something. What it fails with is kept, and raised when its turn comes."""
        try:
            events = action()
        except Exception as error:
            events = self.connection.events_before_error()
            self._fail(error)
        for event in events or ():
            if isinstance(event, e.DataReceived):
                self._received.append(event.data)
            elif isinstance(event, e.PeerClosed):
                self._ended = True
                self._over.set()
            elif isinstance(event, e.DecisionNeeded):
                self._decision = event.decision
            elif isinstance(event, e.PeerAuthenticated):
                self._answers.append(event.peer)
            elif isinstance(event, e.EarlyDataReceived):
                self._early_data += event.data
            elif isinstance(event, e.EarlyDataRejected):
                self._unsent = event.data

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = broken(error) if isinstance(error, TLSError) else error
            self._over.set()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _too_much(self) -> bool:
        return sum(map(len, self._received)) > _PENDING_LIMIT

    # Sending

    async def _push(self) -> None:
        """Hand down all that the connection has ready. For the holder of ``_sending``, or where nobody else can be."""
        while self.connection.has_data_to_send:
            self._torn = True
            await self.transport_stream.send(self.connection.data_to_send())
            self._torn = False

    async def _push_or_say_why(self) -> None:
        """The same, and where it fails, raise why: often the peer refused, and its alert can still be read."""
        try:
            await self._push()
        except (BrokenResourceError, OSError) as problem:
            with move_on_after(LINGER):
                await self._read_why()
            if self._failure is None:
                self._hear_end(problem)
            if self._failure is not None:
                raise self._failure from problem
            raise

    async def _read_why(self) -> None:
        try:
            with self._receiving:
                while self._failure is None and not self._ended and not self._too_much():
                    data, problem = await self._read()
                    if data:
                        self._run(partial(self.connection.receive_data, data))
                    else:
                        self._hear_end(problem)
        except BusyResourceError:
            await self._over.wait()  # another task receives, and comes upon it
        except ClosedResourceError:
            pass

    async def _reply(self) -> None:
        """Before this side waits for the peer, send what the peer may wait for: the handshake's messages, or new keys.

        Where a sender is at work, it takes that along. A caller who is cancelled gives it a moment more, since what is cut
        short breaks the stream. Where it fails, receiving tells why.
        """
        if not self.connection.has_data_to_send or self._sending.locked() or self._torn:
            return
        done, scope = Event(), CancelScope(shield=True)

        async def push() -> None:
            with scope, suppress(BrokenResourceError, ClosedResourceError, OSError):
                async with self._sending:
                    await self._push()
            done.set()

        async with create_task_group() as group:
            group.start_soon(push)
            try:
                await done.wait()
            except get_cancelled_exc_class():
                scope.deadline = current_time() + LINGER
                raise

    # The end

    async def _say_last_words(self) -> None:
        """See that the alert arrives. A socket that is closed with something unread sends a reset, which may overtake it."""
        with move_on_after(LINGER, shield=True), suppress(BrokenResourceError, ClosedResourceError, OSError):
            async with self._sending:
                if not self._torn:
                    await self._push()
            await self._await_end()

    async def _say_goodbye(self) -> None:
        with suppress(BrokenResourceError, ClosedResourceError, OSError):
            # A task that sends and can't get rid of it keeps close_notify from going out; who closes now gives it up.
            with move_on_after(LINGER if self._sending.locked() else _FLUSH_SECONDS):
                async with self._sending:
                    if not self._torn:
                        self.connection.close()
                        await self._push()
            if not self._torn and self.standard_compatible:
                with move_on_after(LINGER):
                    try:
                        with self._receiving:
                            await self._await_end()
                    except BusyResourceError:
                        await self._over.wait()  # another task receives, and comes upon it

    async def _await_end(self) -> None:
        """Let the peer end as well, and throw away what it still sends."""
        with suppress(NotImplementedError):
            await self.transport_stream.send_eof()
        left = _PENDING_LIMIT
        while not self._ended and left > 0:
            data, _ = await self._read()
            if not data:
                break
            left -= len(data)
            if self._failure is None:
                self._run(partial(self.connection.receive_data, data))
