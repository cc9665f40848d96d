"""Which records carried what: messages and data are streams that records cut into pieces (RFC 8446 section 5.1)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import trace as t
from ..wire.codepoints import ContentType
from .model import AlertRow, CipherChange, DataRow, MessageRow, RowType

if TYPE_CHECKING:
    from ..trace import TraceEvent

__all__ = ["carried_by"]

_Stream = tuple[str, int]


def carried_by(events: list[TraceEvent], rows: tuple[RowType, ...]) -> tuple[RowType, ...]:
    """The rows with the indices of the record events that carried them, as far as the trace tells."""
    records: dict[_Stream, list[tuple[int, int, int]]] = defaultdict(list)
    ends: dict[_Stream, int] = defaultdict(int)
    for index, event in enumerate(events):
        if isinstance(event, t.Record):
            stream = event.direction, int(event.content_type)
            records[stream].append((index, ends[stream], ends[stream] + event.length))
            ends[stream] += event.length

    positions: dict[_Stream, int] = defaultdict(int)
    firsts: dict[_Stream, int] = defaultdict(int)
    placed = []
    for row in rows:
        kind = _KINDS.get(type(row))
        if kind is None:
            placed.append(row)
            continue
        stream = events[row.event].direction, int(kind)  # type: ignore[attr-defined]
        if isinstance(row, MessageRow) and not row.raw:
            records[stream].clear()  # its length is lost, and with it every place behind it
        start = positions[stream]
        stop = positions[stream] = start + _length(row)
        found = []
        known = records[stream]
        place = firsts[stream]
        while place < len(known) and known[place][1] < stop:
            index, _, last = known[place]
            if last > start:
                found.append(index)
            if last > stop:
                break
            place += 1
        firsts[stream] = place
        placed.append(replace(row, records=tuple(found)))
    return tuple(placed)


_KINDS: dict[type[RowType], ContentType] = {
    MessageRow: ContentType.handshake,
    AlertRow: ContentType.alert,
    DataRow: ContentType.application_data,
    CipherChange: ContentType.change_cipher_spec,
}


def _length(row: RowType) -> int:
    if isinstance(row, MessageRow):
        return len(row.raw)
    if isinstance(row, DataRow):
        return row.length
    return 2 if isinstance(row, AlertRow) else 1
