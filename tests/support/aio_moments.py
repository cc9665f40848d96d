"""Streams of asyncio's to which something is done at one moment."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from typing import Any

from aio_loopback import Reader, Writer
from aio_wires import Wire
from moments import Moments, Side, Watched, check_transfer, check_wire, pieces

ACTIONS = ["cancel", "time out", "close", "abort", "cut", "reset"]


class Attempt(ABC):
    """One connection over a wire, one side of which has something done to it at one moment."""

    def __init__(self, role: str, step: int, talk: bool, at: int, action: str, jump: Any) -> None:
        self._loop = asyncio.get_running_loop()
        # Once the task that it is about waits.
        self.moment = Moments(at, lambda: self._loop.call_soon(self._act, action))
        self.wires = dict(zip(("client", "server"), Wire.pair(self.moment, step), strict=True))
        self.sides = {"client": Side(), "server": Side()}
        self.role, self.other = role, "server" if role == "client" else "client"
        self._talk, self._jump = talk, jump
        self._task: Any = None

    @abstractmethod
    async def upgrade(self, role: str, reader: Reader, writer: Writer) -> tuple[Reader, Writer]:
        """The handshake."""

    @abstractmethod
    async def hear(self, role: str, reader: Reader) -> None:
        """Receive all that the other side says."""

    def said_end(self, role: str) -> bool:
        """Whether a side has said close_notify."""
        writer = self.sides[role].stream
        return writer is not None and writer.get_extra_info("tlscope").closed_by_us

    def _act(self, action: str) -> None:
        wire, writer = self.wires[self.role], self.sides[self.role].stream
        if action == "cancel":
            self._task.cancel()
        elif action == "time out":
            self._jump(1000)
        elif action == "close":
            (wire if writer is None else writer).close()
        elif action == "abort":
            (wire if writer is None else writer.transport).abort()
        elif action == "cut":
            self.wires[self.other].lose(None)
        else:
            wire.lose(ConnectionResetError("reset"))

    async def live(self, role: str) -> None:
        side = self.sides[role]
        reader, writer = await self.upgrade(role, *self.wires[role].streams())
        side.stream = writer
        for piece in pieces(role) if self._talk else ():
            side.attempted += piece
            writer.write(piece)
            await writer.drain()
            side.completed += piece
        if writer.can_write_eof():
            writer.write_eof()
        await self.hear(role, reader)
        writer.close()
        await writer.wait_closed()

    async def _live_watched(self) -> None:
        async with asyncio.timeout(500):
            await Watched(self.live(self.role), self.moment)

    async def _run_other(self) -> None:
        side = self.sides[self.other]
        try:
            await self.live(self.other)
        except Exception as error:
            side.error = error
            self.wires[self.other].abort()

    async def run(self, polite: bool) -> None:
        side, wire = self.sides[self.role], self.wires[self.role]
        async with asyncio.timeout(1e6):
            other = self._loop.create_task(self._run_other())
            self._task = self._loop.create_task(self._live_watched())
            try:
                await asyncio.wait([self._task])
                await self._task
            except (Exception, asyncio.CancelledError) as error:
                side.error = error
            if side.stream is None:
                assert wire.is_closing(), "somebody could go on in the open"
            elif polite:
                await self._go_on(side)
            else:
                side.stream.transport.abort()
            await other
            for _ in range(5):
                await asyncio.sleep(0)
        self._check()

    async def _go_on(self, side: Side) -> None:
        """As a program would that takes a time-out for no great matter."""
        more = pieces(self.role)[1]
        with contextlib.suppress(Exception):
            side.attempted += more
            side.stream.write(more)
            await side.stream.drain()
        side.stream.close()
        # asyncio's own wait_closed, cancelled once, is cancelled for ever.
        with contextlib.suppress(Exception, asyncio.CancelledError):
            await side.stream.wait_closed()

    def _check(self) -> None:
        for wire in self.wires.values():
            check_wire(bytes(wire.sent))
        client, server = self.sides["client"], self.sides["server"]
        check_transfer(client, server, said_end=self.said_end("client"))
        check_transfer(server, client, said_end=self.said_end("server"))
        if not self.moment.acted:
            for side in self.sides.values():
                assert side.error is None, repr(side.error)
                assert side.ended
