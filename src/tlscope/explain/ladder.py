"""A diagram as the lines of a ladder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from .frame import Frame, Styled, fit, wrap
from .glyphs import ASCII, BAD, FAINT, GOOD, SEALED, Glyphs, side_style
from .header import failure_box, footer, header
from .model import (
    AlertRow,
    CipherChange,
    Cut,
    DataRow,
    Detail,
    Diagram,
    Done,
    KeyLine,
    MessageRow,
    Note,
    RowType,
    SharedSecret,
    Unreadable,
)
from .words import LIMIT, in_ascii, listed, milliseconds, plural, printable

__all__ = ["ladder"]

PROSE_WIDTH = 46
"""Columns that a reason takes, at most: short lines keep the other side free."""

MOST_TURNS = 8
"""Rows of application data one after the other that are drawn each; of more, the first and the last."""

_SELF_EVIDENT = "it is the only one"


def ladder(diagram: Diagram, width: int, glyphs: Glyphs) -> Iterator[Text]:
    """The drawing of a diagram from top to bottom, in lines of ``width`` columns."""
    frame = Frame(width, glyphs)
    if glyphs is ASCII:
        diagram = in_ascii(diagram)
    yield from header(diagram, frame)
    drawing = _Drawing(diagram, frame)
    for is_data, group in groupby(diagram.rows, lambda row: isinstance(row, DataRow)):
        rows = list(group)
        few = is_data and len(rows) > MOST_TURNS
        for row in rows[: MOST_TURNS - 2] if few else rows:
            yield from _DRAWERS[type(row)](drawing, row)
        if few:
            yield from drawing.more_data([row for row in rows[MOST_TURNS - 2 : -1] if isinstance(row, DataRow)])
            yield from _DRAWERS[DataRow](drawing, rows[-1])
    yield from footer(diagram, frame)
    yield from failure_box(diagram, frame)
    yield from _secrets(diagram, frame)


class _Drawing:
    """One method for each kind of row."""

    def __init__(self, diagram: Diagram, frame: Frame) -> None:
        self.diagram = diagram
        self.frame = frame
        self.glyphs = frame.glyphs

    def heading(self, number: int | None) -> Iterator[Text]:
        """The number and the name of a step, near the side that takes it."""
        yield self.frame.line()
        if number is not None:
            step = self.diagram.step(number)
            style = f"bold {side_style(step.sender)}"
            yield self.frame.near(step.sender, [(step.title, style)], (str(number), style))

    def message(self, row: MessageRow) -> Iterator[Text]:
        if row.opens:
            yield from self.heading(row.step)
        else:
            yield self.frame.line()
        label = [(" ", ""), (row.name, "bold"), (" ", "")]
        yield self.frame.arrow(row.sender, label, protected=row.protected)
        yield from self.frame.block(self.details(row.details), row.sender)

    def details(self, details: Sequence[Detail]) -> list[list[Styled]]:
        """The lines under an arrow: labels in one column, values in the next."""
        labels = max((cell_len(detail.label) for detail in details), default=0)
        gap = labels + 2 if labels else 0
        room = self.frame.inside - gap - 6
        lines: list[list[Styled]] = []
        for detail in details:
            label = detail.label
            values: list[Styled] = [(line, "") for line in wrap(self.listing(detail.items, room), room)]
            if detail.why and detail.why != _SELF_EVIDENT:
                why = detail.why.removeprefix("it is ")
                values += [(line, "dim italic") for line in wrap(why, min(room, PROSE_WIDTH))]
            for value in values:
                lines.append([(f"{label:<{gap}}", FAINT), value])
                label = ""
        return lines

    def listing(self, items: Sequence[str], room: int) -> str:
        """The items in one line; of a list that is too long only the first, and how many more there are."""
        text = ", ".join(items)
        kept = len(items) - 1
        while kept > 0 and cell_len(text) > room:
            text = f"{', '.join(items[:kept])} and {len(items) - kept} more"
            kept -= 1
        return text

    def cipher_change(self, row: CipherChange) -> Iterator[Text]:
        if row.switches:
            yield from self.heading(row.step) if row.opens else [self.frame.line()]
            yield self.frame.arrow(row.sender, [(" ChangeCipherSpec ", "bold")], protected=False)
        else:
            label = [(" ChangeCipherSpec, for middleboxes ", FAINT)]
            yield self.frame.arrow(row.sender, label, protected=False, style=FAINT)

    def keys(self, row: KeyLine) -> Iterator[Text]:
        if row.epoch == "application" and len(row.senders) == 2:
            return  # drawn with the end of the handshake
        self.frame.sealed |= set(row.senders)
        words = "encrypted from here on" if row.first else "new keys from here on"
        what: list[Styled] = [(f" {words}", f"bold {SEALED}"), (f"{self.glyphs.dot}{row.protection} ", SEALED)]
        if len(row.senders) == 2:
            yield self.frame.line()
            yield self.frame.bar(what)
        else:
            yield self.frame.branch(row.senders[0], what)

    def shared_secret(self, row: SharedSecret) -> Iterator[Text]:
        yield self.frame.line()
        yield self.frame.bar([(f" {row.name} on both sides ", "bold")], style=FAINT, stroke=self.glyphs.faint)
        if row.inputs:
            origin = f" from {listed(row.inputs)} "
            yield self.frame.bar([(origin, FAINT)], stroke=" ")

    def note(self, row: Note) -> Iterator[Text]:
        mark = self.glyphs.note if row.ok is None else self.glyphs.yes if row.ok else self.glyphs.no
        style = GOOD if row.ok else BAD if row.ok is False else ""
        room = self.frame.inside - 6
        lines: list[list[Styled]] = [[(line, style)] for line in wrap(row.text, room)]
        failure = self.diagram.failure
        for detail in row.details:
            if detail.label == "path":
                path = self.glyphs.issued.join(detail.items)
                lines += [[(line, "")] for line in wrap(path, room)]
            elif row.kind != "decision" and not (failure is not None and detail.items[0] in failure.sentence):
                text = f"{detail.label} {self.listing(detail.items, room)}"
                lines += [[(line, FAINT)] for line in wrap(text, room)]
        yield from self.frame.block(lines, row.side, (mark, style))

    def alert(self, row: AlertRow) -> Iterator[Text]:
        style = FAINT if row.closes else BAD
        if not row.closes:
            yield self.frame.line()
        name = row.name if row.closes else f"Alert: {row.name}"
        yield self.frame.arrow(row.sender, [(f" {name} ", style)], protected=row.protected, style=style)

    def data(self, row: DataRow) -> Iterator[Text]:
        if row.opens:
            yield from self.heading(row.step)
        label: list[Styled] = [(" Application data", "bold"), (f"{self.glyphs.dot}{plural(row.length, 'byte')} ", "")]
        yield self.frame.arrow(row.sender, label, protected=row.epoch != "plaintext")
        if row.content:
            text = printable(row.content[:LIMIT].decode("utf-8", "replace"))
            yield self.frame.near(row.sender, [(self.said(text), FAINT)])

    def said(self, text: str) -> str:
        """``text`` in the characters that this drawing may use."""
        return in_ascii(text) if self.glyphs is ASCII else text

    def more_data(self, rows: Sequence[DataRow]) -> Iterator[Text]:
        """What stands for many rows of data in a row."""
        total = sum(row.length for row in rows)
        words = f"{plural(len(rows), 'more turn')}, {plural(total, 'byte')}"
        yield self.frame.bar([(f"{self.glyphs.more} {words} {self.glyphs.more}", FAINT)], stroke=" ")

    def unreadable(self, row: Unreadable) -> Iterator[Text]:
        yield self.frame.line()
        label, protected = [(f" {row.text} ", BAD)], row.sender in self.frame.sealed
        yield self.frame.arrow(row.sender, label, protected=protected, style=BAD, end=self.glyphs.cut)

    def cut(self, row: Cut) -> Iterator[Text]:
        yield self.frame.line()
        label = [(" the connection ends without close_notify ", BAD)]
        yield self.frame.arrow(row.sender, label, protected=False, style=BAD, end=self.glyphs.cut)

    def done(self, row: Done) -> Iterator[Text]:
        words = " handshake complete "
        seconds = self.diagram.seconds
        more = "" if seconds is None else f"in {milliseconds(seconds)} "
        yield self.frame.line()
        yield self.frame.bar([(words, f"bold {SEALED}"), (more, SEALED)])


def _secrets(diagram: Diagram, frame: Frame) -> Iterator[Text]:
    """The secrets that the trace holds, for whoever asked for them."""
    if not diagram.secrets:
        return
    yield Text()
    yield Text("    Secrets of this connection: who has them can read it", "bold")
    for secret in diagram.secrets:
        yield Text(f"    {fit(secret.label, frame.width - 4, frame.glyphs.more)}", FAINT)
        for line in wrap(secret.value.hex(), frame.width - 10):
            yield Text(f"      {line}")


_DRAWERS: dict[type[RowType], Callable[[_Drawing, Any], Iterator[Text]]] = {
    MessageRow: _Drawing.message,
    CipherChange: _Drawing.cipher_change,
    KeyLine: _Drawing.keys,
    Note: _Drawing.note,
    AlertRow: _Drawing.alert,
    DataRow: _Drawing.data,
    SharedSecret: _Drawing.shared_secret,
    Unreadable: _Drawing.unreadable,
    Cut: _Drawing.cut,
    Done: _Drawing.done,
}
