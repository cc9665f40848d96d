"""A diagram as the lines of a ladder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.text import Text

from .frame import Frame, Styled, fit
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
from .phrases import (
    MoreData,
    detail_phrases,
    done_words,
    key_words,
    label_width,
    note_phrases,
    shown_rows,
)
from .words import LIMIT, in_ascii, listed, plural, printable, wrap

__all__ = ["ladder"]

_TONES = {"plain": "", "reason": "dim italic", "faint": FAINT}


def ladder(diagram: Diagram, width: int, glyphs: Glyphs) -> Iterator[Text]:
    """The drawing of a diagram from top to bottom, in lines of ``width`` columns."""
    frame = Frame(width, glyphs)
    if glyphs is ASCII:
        diagram = in_ascii(diagram)
    yield from header(diagram, frame)
    drawing = _Drawing(diagram, frame)
    for row in shown_rows(diagram):
        yield from _DRAWERS[type(row)](drawing, row)
    yield from footer(diagram, frame)
    yield from failure_box(diagram, frame)
    yield from _secrets(diagram, frame)


class _Drawing:
    """One method for each kind of row."""

    def __init__(self, diagram: Diagram, frame: Frame) -> None:
        self.diagram = diagram
        self.frame = frame
        self.glyphs = frame.glyphs
        self.ticket: MessageRow | None = None

    def heading(self, number: int | None) -> Iterator[Text]:
        """The number and the name of a step, near the side that takes it."""
        yield self.frame.line()
        if number is not None:
            step = self.diagram.step(number)
            style = f"bold {side_style(step.sender)}"
            yield self.frame.near(step.sender, [(step.title, style)], (str(number), style))

    def message(self, row: MessageRow) -> Iterator[Text]:
        label = [(" ", ""), (row.name, "bold"), (" ", "")]
        before, self.ticket = self.ticket, row if row.name == "NewSessionTicket" else None
        if before is not None and self.ticket is not None and before.details == row.details:
            # Servers hand out several tickets at once; one explanation is enough.
            yield self.frame.arrow(row.sender, label, protected=row.protected)
            return
        if row.opens:
            yield from self.heading(row.step)
        else:
            yield self.frame.line()
        yield self.frame.arrow(row.sender, label, protected=row.protected)
        yield from self.frame.block(self.details(row.details), row.sender)

    def details(self, details: Sequence[Detail]) -> list[list[Styled]]:
        """The lines under an arrow: labels in one column, values in the next."""
        gap = label_width(details)
        return [
            [(f"{phrase.label:<{gap}}", FAINT), (phrase.text, _TONES[phrase.tone])]
            for phrase in detail_phrases(details, self.frame.inside - 6)
        ]

    def cipher_change(self, row: CipherChange) -> Iterator[Text]:
        if row.switches:
            yield from self.heading(row.step) if row.opens else [self.frame.line()]
            yield self.frame.arrow(row.sender, [(" ChangeCipherSpec ", "bold")], protected=False)
        else:
            label = [(" ChangeCipherSpec, for middleboxes ", FAINT)]
            yield self.frame.arrow(row.sender, label, protected=False, style=FAINT)

    def keys(self, row: KeyLine) -> Iterator[Text]:
        words = key_words(row)
        if not words:
            return
        self.frame.sealed |= set(row.senders)
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
        phrases = note_phrases(row, self.diagram.failure, self.frame.inside - 6, self.glyphs.issued)
        lines: list[list[Styled]] = [
            [(phrase.text, style if phrase.tone == "verdict" else _TONES[phrase.tone])] for phrase in phrases
        ]
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

    def more_data(self, row: MoreData) -> Iterator[Text]:
        more = self.glyphs.more
        yield self.frame.bar([(f"{more} {row.words} {more}", FAINT)], stroke=" ")

    def unreadable(self, row: Unreadable) -> Iterator[Text]:
        yield self.frame.line()
        label, protected = [(f" {row.text} ", BAD)], row.sender in self.frame.sealed
        yield self.frame.arrow(row.sender, label, protected=protected, style=BAD, end=self.glyphs.cut)

    def cut(self, row: Cut) -> Iterator[Text]:
        yield self.frame.line()
        label = [(" the connection ends without close_notify ", BAD)]
        yield self.frame.arrow(row.sender, label, protected=False, style=BAD, end=self.glyphs.cut)

    def done(self, row: Done) -> Iterator[Text]:
        words, time = done_words(self.diagram)
        yield self.frame.line()
        yield self.frame.bar([(f" {words} ", f"bold {SEALED}"), (f"{time} " if time else "", SEALED)])


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


_DRAWERS: dict[type[RowType | MoreData], Callable[[_Drawing, Any], Iterator[Text]]] = {
    MessageRow: _Drawing.message,
    CipherChange: _Drawing.cipher_change,
    KeyLine: _Drawing.keys,
    Note: _Drawing.note,
    AlertRow: _Drawing.alert,
    DataRow: _Drawing.data,
    MoreData: _Drawing.more_data,
    SharedSecret: _Drawing.shared_secret,
    Unreadable: _Drawing.unreadable,
    Cut: _Drawing.cut,
    Done: _Drawing.done,
}
