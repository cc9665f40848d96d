"""Two ends of a stream of anyio's in memory, with everything that goes over it on record."""

from __future__ import annotations

import anyio
import anyio.abc
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled
from moments import Moments

_ROOM = 1 << 20
"""Bytes that lie on the wire at most before a sender waits."""


class Wire(anyio.abc.ByteStream):
    """One end; what is sent goes out in parts of ``step`` bytes, and whoever is cancelled between them has sent some."""

    def __init__(self, moment: Moments, step: int) -> None:
        self.sent = bytearray()
        self.closed = False
        self.peer: Wire = self
        self._moment, self._step = moment, step
        self._inbox = bytearray()
        self._ended = self._reset = False
        self._news = anyio.Event()

    @classmethod
    def pair(cls, moment: Moments, step: int) -> tuple[Wire, Wire]:
        left, right = cls(moment, step), cls(moment, step)
        left.peer, right.peer = right, left
        return left, right

    async def receive(self, max_bytes: int = 65536) -> bytes:
        self._moment()
        if self._inbox:
            await checkpoint()
        while not self._inbox:
            self._check()
            if self._ended:
                await checkpoint()
                raise anyio.EndOfStream
            await self._news.wait()
        self._check()
        size = min(max_bytes, self._step)
        data = bytes(self._inbox[:size])
        del self._inbox[:size]
        self.peer._tell()
        return data

    async def send(self, item: bytes) -> None:
        await checkpoint_if_cancelled()
        for start in range(0, len(item), self._step):
            self._moment()
            self._check()
            while len(self.peer._inbox) >= _ROOM:
                await self._news.wait()
                self._check()
            part = item[start : start + self._step]
            self.sent += part
            if not self.peer.closed:
                self.peer._inbox += part
                self.peer._tell()
            await checkpoint()

    async def send_eof(self) -> None:
        self._moment()
        self._check()
        self.peer._ended = True
        self.peer._tell()

    async def aclose(self) -> None:
        self._moment()
        self.close()
        await checkpoint()

    def close(self) -> None:
        self.closed = self.peer._ended = True
        self._tell()
        self.peer._tell()

    def reset(self) -> None:
        """As if the network had lost the connection."""
        for end in (self, self.peer):
            end._reset = True
            end._inbox.clear()
            end._tell()

    def _check(self) -> None:
        if self.closed:
            raise anyio.ClosedResourceError
        if self._reset:
            raise anyio.BrokenResourceError

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()
