"""Going to the n-th moment of something and doing it harm there, on a clock that does not run, over wires that are watched.

A moment is each time that the code under test suspends, and each thing that happens on a wire. Everything is in one thread
and in memory, so the n-th moment is the same one on every run.
"""

from __future__ import annotations

import asyncio
import gc
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio
import trio
import trio.testing

from tlscope import PeerViolation

MARK = b"in private only "
"""What plaintext is made of; 16 bytes."""


class Moments:
    """Counts them, and acts once, at the one asked for; 0 for never."""

    def __init__(self, at: int = 0, act: Callable[[], object] = lambda: None) -> None:
        self.count = 0
        self._at, self._act = at, act

    def __call__(self) -> None:
        self.count += 1
        if self.count == self._at:
            self._act()

    @property
    def acted(self) -> bool:
        return 0 < self._at <= self.count


class Watched:
    """A coroutine, each of whose suspensions is a moment."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], moment: Moments) -> None:
        self._coroutine, self._moment = coroutine, moment

    def __await__(self) -> Generator[Any, Any, Any]:
        give: Callable[..., Any] = self._coroutine.send
        value: Any = None
        while True:
            try:
                wanted = give(value)
            except StopIteration as done:
                return done.value
            self._moment()
            try:
                value, give = (yield wanted), self._coroutine.send
            except BaseException as thrown:
                value, give = thrown, self._coroutine.throw


@dataclass
class Side:
    """What one side did and saw."""

    attempted: bytearray = field(default_factory=bytearray)
    """What it asked to be sent."""
    completed: bytearray = field(default_factory=bytearray)
    """Of that, what it believes to be sent."""
    received: bytearray = field(default_factory=bytearray)
    ended: bool = False
    """Whether it was told that the peer has sent everything."""
    error: BaseException | None = None
    stream: Any = None


def pieces(side: str) -> list[bytes]:
    """What a side says: a word, then something of many records, then a word; no two 16 bytes of the sides are the same."""
    mark = MARK.replace(b"only ", side.encode()[:5].ljust(5))
    return [mark, mark * 5000, mark]


def check_wire(sent: bytes) -> None:
    """What went out is TLS records, the last one possibly cut, and shows nothing of what was said."""
    at = 0
    while at + 5 <= len(sent):
        kind, major, minor = sent[at : at + 3]
        length = int.from_bytes(sent[at + 3 : at + 5], "big")
        assert kind in (20, 21, 22, 23), sent[at : at + 40]
        assert (major, minor) in ((3, 1), (3, 3))
        assert length <= (1 << 14) + 256
        at += 5 + length
    assert MARK[:10] not in sent


def check_transfer(sender: Side, receiver: Side, *, said_end: bool) -> None:
    """Nothing is lost without an error: who was told that this is all has all, and who has not was told that.

    Whatever is done to one side, the other never has to think that it broke a rule: half a record is followed by nothing.
    """
    assert sender.attempted.startswith(receiver.received)
    if receiver.ended:
        assert said_end
        assert len(receiver.received) >= len(sender.completed)
    else:
        assert receiver.error is not None
        assert not isinstance(receiver.error, PeerViolation)


class _Selector(selectors.DefaultSelector):
    """Where there is nothing to do until some moment, it is that moment."""

    loop: InstantLoop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits for somebody else")
        if not ready and timeout:
            self.loop.now += timeout
        return ready


class InstantLoop(asyncio.SelectorEventLoop):
    """A loop of asyncio's whose clock goes on only where everybody waits for it."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        self.faults: list[dict[str, Any]] = []
        self.set_exception_handler(lambda loop, context: self.faults.append(context))

    def time(self) -> float:
        return self.now


def run(backend: str, main: Callable[[Callable[[float], None]], Awaitable[None]]) -> None:
    """Run ``main(jump)``, where ``jump(seconds)`` puts the clock on; look for what was left behind."""
    loops: list[InstantLoop] = []
    clocks: list[trio.testing.MockClock] = []

    def jump(seconds: float) -> None:
        if loops:
            loops[0].now += seconds
        else:
            clocks[0].jump(seconds)

    if backend == "asyncio":

        def make_loop() -> InstantLoop:
            loops.append(InstantLoop())
            return loops[0]

        anyio.run(main, jump, backend="asyncio", backend_options={"loop_factory": make_loop})
        gc.collect()
        assert loops[0].faults == [], loops[0].faults
    else:
        trio._core._run._r.seed(0)  # type: ignore[attr-defined]  # the order of its tasks is the same on every run
        clocks.append(trio.testing.MockClock(autojump_threshold=0))
        anyio.run(main, jump, backend="trio", backend_options={"clock": clocks[0]})
        gc.collect()


class Attempt(Protocol):
    """Something that goes on while harm is done to it at one moment."""

    moment: Moments

    async def run(self, polite: bool) -> None:
        """All of it; the side that was hit then closes its stream as one should, or not."""


def at_every_moment(backend: str, make: Callable[[int, Callable[[float], None]], Attempt]) -> int:
    """Make attempts until one ends before its moment has come; every other one is polite. Gives the number of moments."""
    found = 0

    async def main(jump: Callable[[float], None]) -> None:
        nonlocal found
        while True:
            attempt = make(found + 1, jump)
            try:
                await attempt.run(polite=found % 2 == 0)
            except BaseException as error:
                error.add_note(f"at moment {found + 1}, politely: {found % 2 == 0}")
                raise
            if not attempt.moment.acted:
                return
            found += 1

    run(backend, main)
    return found
