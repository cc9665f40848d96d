"""Two ends of a transport of asyncio's in memory, with everything that goes over it on record."""

from __future__ import annotations

import asyncio
from typing import Any

from moments import Moments

_HIGH = 64 * 1024
_ROOM = 1 << 20
"""Bytes that lie on the wire at most before a writer waits."""


class Wire(asyncio.Transport):
    """One end, as a socket's transport; what is written goes out in parts of ``step`` bytes, one each time round."""

    _start_tls_compatible = True

    def __init__(self, moment: Moments, step: int) -> None:
        super().__init__()
        self.sent = bytearray()
        self.peer: Wire = self
        self._loop = asyncio.get_running_loop()
        self._moment, self._step = moment, step
        self._protocol: Any = None
        self._outbox, self._inbox = bytearray(), bytearray()
        self._paused = self._writing_paused = self._closing = self._lost = False
        self._eof_written = self._eof_due = self._eof_told = False
        self._flowing = self._delivering = False

    @classmethod
    def pair(cls, moment: Moments, step: int) -> tuple[Wire, Wire]:
        left, right = cls(moment, step), cls(moment, step)
        left.peer, right.peer = right, left
        return left, right

    def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """asyncio's reader and writer on this end, before TLS."""
        reader = asyncio.StreamReader(loop=self._loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=self._loop)
        self.set_protocol(protocol)
        protocol.connection_made(self)
        return reader, asyncio.StreamWriter(self, protocol, reader, self._loop)

    # What a transport offers

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def write(self, data: Any) -> None:
        self._moment()
        if self._closing or self._lost:
            return
        assert not self._eof_written
        self._outbox += data
        self._flow_soon()
        if len(self._outbox) > _HIGH and not self._writing_paused:
            self._writing_paused = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._moment()
        self._eof_written = True
        self._flow_soon()

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._moment()
        self._closing = True
        self._flow_soon()

    def abort(self) -> None:
        self._moment()
        self.lose(None)

    def lose(self, problem: Exception | None) -> None:
        """The connection is gone, with what had not gone out; the peer gets to know it as an end, or as this problem."""
        if not self._lost:
            self._force_close(problem)
            if problem is not None:
                self.peer.lose(problem)

    def _force_close(self, problem: Exception | None) -> None:
        """What asyncio's own layer of TLS calls where it has failed."""
        if not self._lost:
            self._closing = self._lost = True
            self._outbox.clear()
            self._loop.call_soon(self._protocol.connection_lost, problem)
            self._end_peer()

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self._deliver_soon()

    def is_reading(self) -> bool:
        return not self._paused and not self._closing

    def get_write_buffer_size(self) -> int:
        return len(self._outbox)

    # The wire

    def _flow_soon(self) -> None:
        if not self._flowing:
            self._flowing = True
            self._loop.call_soon(self._flow)

    def _flow(self) -> None:
        self._flowing = False
        if self._lost:
            return
        self._moment()
        if self._outbox and len(self.peer._inbox) < _ROOM:
            part = bytes(self._outbox[: self._step])
            del self._outbox[: self._step]
            self.sent += part
            if not self.peer._closing:
                self.peer._inbox += part
                self.peer._deliver_soon()
        if self._writing_paused and len(self._outbox) <= _HIGH // 4:
            self._writing_paused = False
            self._protocol.resume_writing()
        if self._outbox:
            if len(self.peer._inbox) < _ROOM:
                self._flow_soon()
        elif self._closing:
            self.lose(None)
        elif self._eof_written:
            self._end_peer()

    def _end_peer(self) -> None:
        self.peer._eof_due = True
        self.peer._deliver_soon()

    def _deliver_soon(self) -> None:
        if not self._delivering:
            self._delivering = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._delivering = False
        if self._closing or self._lost or self._paused:
            return
        self._moment()
        if self._inbox:
            part = bytes(self._inbox[: self._step])
            del self._inbox[: self._step]
            self.peer._flow_soon()
            self._hand_over(part)
            self._deliver_soon()
        elif self._eof_due and not self._eof_told:
            self._eof_told = True
            if not self._protocol.eof_received():
                self.close()

    def _hand_over(self, part: bytes) -> None:
        if not isinstance(self._protocol, asyncio.BufferedProtocol):
            self._protocol.data_received(part)
            return
        while part:
            buffer = self._protocol.get_buffer(len(part))
            size = min(len(buffer), len(part))
            buffer[:size] = part[:size]
            self._protocol.buffer_updated(size)
            part = part[size:]
