"""TCP streams out of segments, in order and each byte once, however they came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .packets import FIN, RST, SYN, Endpoint, Segment

__all__ = ["Chunk", "Connections", "TcpConnection"]

MOST_CONNECTIONS = 2000
MOST_BYTES = 64 * 1024 * 1024
"""Bytes of all connections together that are kept."""
MOST_WAITING = 4 * 1024 * 1024
"""Bytes of one direction that wait for a segment before them."""
_WINDOW = 1 << 31


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that came from a side, or its end: then ``data`` is empty. ``side`` is 0 for who is thought to have begun."""

    side: int
    time: float
    data: bytes = field(repr=False)
    reset: bool = False


@dataclass(slots=True)
class _Direction:
    next: int | None = None
    waiting: dict[int, tuple[float, bytes]] = field(default_factory=dict)
    size: int = 0
    end: int | None = None
    ended: bool = False


@dataclass(slots=True)
class TcpConnection:
    """One connection: ``ends`` are who began it, as far as can be told, and the other; ``chunks`` what was said, in order.

    ``holes`` is true where segments are missing, behind which nothing of that direction is known.
    """

    ends: tuple[Endpoint, Endpoint]
    chunks: list[Chunk] = field(default_factory=list)
    directions: tuple[_Direction, _Direction] = field(default_factory=lambda: (_Direction(), _Direction()))

    @property
    def holes(self) -> bool:
        """Whether something is missing."""
        return any(direction.waiting for direction in self.directions)

    @property
    def over(self) -> bool:
        """Whether both sides have ended."""
        return all(direction.ended for direction in self.directions)

    def take(self, side: int, time: float, segment: Segment) -> int:
        """Put a segment in its place; gives how many bytes more are kept."""
        direction = self.directions[side]
        sequence, data, before = segment.sequence, segment.data, direction.size
        if segment.flags & SYN:
            sequence += 1
            direction.next = sequence % (1 << 32)
        if direction.next is None:
            direction.next = sequence % (1 << 32)  # the capture began in the middle
        ahead = (sequence - direction.next) % (1 << 32)
        if ahead >= _WINDOW:  # some or all of it came before
            data, ahead = data[(1 << 32) - ahead :], 0
        kept = 0
        if data and direction.size + len(data) <= MOST_WAITING:
            place = (direction.next + ahead) % (1 << 32)
            known = direction.waiting.get(place)
            if known is None or len(known[1]) < len(data):
                direction.size += len(data) - (0 if known is None else len(known[1]))
                direction.waiting[place] = time, data
        if segment.flags & FIN:
            direction.end = (sequence + len(segment.data)) % (1 << 32)
        for chunk in self._ready(side, direction):
            self.chunks.append(chunk)
            kept += len(chunk.data)
        if (segment.flags & RST or direction.end == direction.next) and not direction.ended:
            direction.ended = True
            self.chunks.append(Chunk(side, time, b"", bool(segment.flags & RST)))
        return kept + max(0, direction.size - before)

    def _ready(self, side: int, direction: _Direction) -> Iterator[Chunk]:
        while direction.waiting and direction.next is not None:
            place = direction.next
            found = direction.waiting.pop(place, None)
            if found is None:
                # A segment sent again in other pieces begins before what is due and reaches behind it.
                for start, (_, data) in direction.waiting.items():
                    behind = (place - start) % (1 << 32)
                    if behind < len(data):
                        break
                else:
                    return
                time, whole = direction.waiting.pop(start)
                direction.size -= behind
                found = time, whole[behind:]
            time, data = found
            direction.size -= len(data)
            direction.next = (place + len(data)) % (1 << 32)
            yield Chunk(side, time, data)


class Connections:
    """All the connections of a capture, in the order in which they began."""

    def __init__(self) -> None:
        self.found: list[TcpConnection] = []
        self.full = False
        """Whether there was more than is kept."""
        self._open: dict[frozenset[Endpoint], TcpConnection] = {}
        self._room = MOST_BYTES

    def take(self, time: float, segment: Segment) -> None:
        """The next segment."""
        ends = frozenset((segment.source, segment.target))
        connection = self._open.get(ends)
        begins = segment.flags & (SYN | 16) == SYN
        if connection is None or (begins and connection.over):
            if segment.flags & RST or len(self.found) >= MOST_CONNECTIONS:
                self.full = self.full or not segment.flags & RST
                return
            answers = bool(segment.flags & SYN) and not begins
            pair = (segment.target, segment.source) if answers else (segment.source, segment.target)
            connection = self._open[ends] = TcpConnection(pair)
            self.found.append(connection)
        if self._room < len(segment.data):
            self.full = True
            return
        side = 0 if segment.source == connection.ends[0] else 1
        self._room -= connection.take(side, time, segment)
