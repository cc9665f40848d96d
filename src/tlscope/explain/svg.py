"""The ladder as a picture: one SVG file that follows the viewer's light or dark setting and loads nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.cells import cell_len

from .canvas import CHARACTER, LINE, WIDTH, Canvas
from .frame import fit
from .model import (
    AlertRow,
    CipherChange,
    Cut,
    DataRow,
    Diagram,
    Done,
    KeyLine,
    Lifeline,
    MessageRow,
    Note,
    Row,
    RowType,
    SharedSecret,
    Side,
    Unreadable,
    other_side,
)
from .phrases import (
    MoreData,
    Phrase,
    description,
    detail_phrases,
    done_words,
    key_words,
    label_width,
    name_of,
    note_phrases,
    shown_rows,
)
from .words import LIMIT, listed, milliseconds, plural, printable, wrap

__all__ = ["to_svg"]

RAIL: dict[Side, float] = {"client": 60, "server": WIDTH - 60}
INSIDE = RAIL["server"] - RAIL["client"]
INDENT = 28
"""Pixels between a rail and the text beside it."""
COLUMNS = int((INSIDE - 2 * INDENT) / CHARACTER)
BOX_WIDTH = 240.0
_SIDES: tuple[Side, Side] = ("client", "server")
_TONES = {"plain": "", "reason": "reason", "faint": "faint", "verdict": ""}


def to_svg(diagram: Diagram, *, prefix: str = "") -> str:
    """The picture of a diagram, 960 pixels wide and as high as it needs to be.

    Each message is a group (``g``) with the index of its trace event in ``id`` and ``data-event``; ``prefix`` begins every
    ``id``, for pages with more than one picture.
    """
    picture = _Picture(diagram, prefix)
    picture.header()
    for row in shown_rows(diagram):
        _DRAWERS[type(row)](picture, row)
    picture.footer()
    picture.failure()
    return picture.canvas.picture(picture.y + 24, diagram.title, description(diagram))


class _Picture:
    """One method for each kind of row; ``y`` is how far down the picture has come."""

    def __init__(self, diagram: Diagram, prefix: str) -> None:
        self.diagram = diagram
        self.canvas = Canvas(prefix)
        self.y = 24.0
        self.sealed: set[Side] = set()
        self.turned: dict[Side, float] = {}
        """Where each rail is at the moment."""
        self.tunnel: float | None = None
        """Where both sides' encryption began."""

    # Above and below

    def header(self) -> None:
        d, top = self.diagram, self.y
        for line in (d.client, d.server):
            self.actor(line, top)
        center = WIDTH / 2
        failed = d.failure is not None and d.seconds is None
        self.canvas.text(center, top + 20, d.title, "big", "middle", "bad" if failed else "")
        self.canvas.text(center, top + 42, d.cipher_suite, "faint", "middle")
        time = "" if d.seconds is None else milliseconds(d.seconds)
        facts = " · ".join(filter(None, (d.group, fit(d.alpn, 20, "…"), time)))
        self.canvas.text(center, top + 62, facts, "faint", "middle")
        self.y = top + 66
        self.turned = dict.fromkeys(_SIDES, self.y)
        self.y += 26

    def actor(self, line: Lifeline, top: float) -> None:
        side = line.side
        x = RAIL[side] - 36 if side == "client" else RAIL[side] + 36 - BOX_WIDTH
        self.canvas.box(x, top, BOX_WIDTH, 66, "box", side)
        edge, anchor = (x + 20, "") if side == "client" else (x + BOX_WIDTH - 20, "end")
        self.canvas.text(edge, top + 28, side.capitalize(), "name", side, anchor)
        name = fit(name_of(line), int((BOX_WIDTH - 40) / CHARACTER), "…")
        self.canvas.text(edge, top + 50, name, anchor, "" if line.name else "faint")

    def footer(self) -> None:
        self.y += 12
        self.rails(_SIDES)
        if self.tunnel is not None:
            self.canvas.ground(RAIL["client"], self.tunnel, INSIDE, self.y - self.tunnel, "tint")
        for side in _SIDES:
            self.canvas.line(
                RAIL[side] - 7, self.y, RAIL[side] + 7, self.y, "rail", "sealed" if side in self.sealed else ""
            )
        self.y += 28
        x = RAIL["client"]
        self.canvas.line(x, self.y - 4, x + 28, self.y - 4, "shaft")
        self.canvas.text(x + 38, self.y, "anyone can read", "faint")
        if self.sealed:
            self.canvas.line(x + 190, self.y - 4, x + 218, self.y - 4, "shaft", "sealed")
            self.canvas.text(x + 228, self.y, "encrypted", "faint")
        self.canvas.text(RAIL["server"], self.y, self.diagram.seen_by, "faint", "end")

    def failure(self) -> None:
        failure = self.diagram.failure
        if failure is None:
            return
        x, width = RAIL["client"] - 36, INSIDE + 72
        columns = int((width - 48) / CHARACTER)
        lines = [("", line, "bold") for line in wrap(failure.sentence, columns)] + [("", "", "")]
        for label, value in failure.facts:
            for place, line in enumerate(wrap(value, columns - 8)):
                lines.append(("" if place else label, line, "fact"))
        self.y += 24
        self.canvas.box(x, self.y, width, 62 + LINE * len(lines), "box", "bad")
        self.y += 30
        self.canvas.text(x + 24, self.y, f"✗ {failure.headline}", "name", "bad")
        self.canvas.text(x + width - 24, self.y, fit(failure.code, columns // 2, "…"), "bad", "end")
        self.y += 6
        for label, line, kind in lines:
            self.y += LINE
            self.canvas.text(x + 24, self.y, label, "faint")
            self.canvas.text(x + 24 + (8 * CHARACTER if kind == "fact" else 0), self.y, line, "" if label else kind)
        self.y += 26

    # Parts

    def rails(self, sides: Sequence[Side]) -> None:
        """Draw the rails of some sides down to here, as they have been so far."""
        for side in sides:
            look = "sealed" if side in self.sealed else ""
            self.canvas.line(RAIL[side], self.turned[side], RAIL[side], self.y, "rail", look, below=True)
            self.turned[side] = self.y

    def heading(self, number: int | None) -> None:
        if number is None:
            return
        step = self.diagram.step(number)
        self.y += 38
        self.canvas.disc(RAIL[step.sender], self.y - 5, str(number), step.sender)
        self.beside(step.sender, step.title, "name", step.sender)

    def beside(self, side: Side, text: str, *classes: str) -> None:
        x = RAIL[side] + (INDENT if side == "client" else -INDENT)
        self.canvas.text(x, self.y, fit(text, COLUMNS, "…"), *classes, "" if side == "client" else "end")

    def arrow(self, sender: Side, label: str, look: str = "", *, name: str = "name", lost: bool = False) -> None:
        """A line of text and under it an arrow; ``look`` is ``sealed``, ``bad``, ``dashed`` or nothing."""
        self.y += 26
        self.beside(sender, label, name, look if look == "bad" else "")
        self.y += 10
        direction = 1 if sender == "client" else -1
        start, stop = RAIL[sender] + 3 * direction, RAIL[other_side(sender)] - 3 * direction
        tip = stop - (14 if lost else 10) * direction
        self.canvas.line(start, self.y, tip, self.y, "shaft", look)
        if lost:
            self.canvas.cross(stop - 9 * direction, self.y, look)
        else:
            self.canvas.head(stop, self.y, direction, look)

    def block(self, side: Side, phrases: Sequence[Phrase], gap: int, verdict: str = "") -> None:
        """Lines that stand together beside one rail, their left edges aligned."""
        widest = max((gap + cell_len(phrase.text) for phrase in phrases), default=0)
        x = RAIL["client"] + INDENT if side == "client" else RAIL["server"] - INDENT - widest * CHARACTER
        for phrase in phrases:
            self.y += LINE
            self.canvas.text(x, self.y, phrase.label, "faint")
            tone = verdict if phrase.tone == "verdict" else _TONES[phrase.tone]
            self.canvas.text(x + gap * CHARACTER, self.y, phrase.text, tone)

    def bar(self, text: str, look: str) -> None:
        """A line from rail to rail with words in its middle."""
        self.y += 38
        text = fit(text, COLUMNS - 8, "…")
        width = cell_len(text) * CHARACTER + 32
        middle = self.y - 4.5
        if look == "sealed":
            self.canvas.line(RAIL["client"], middle, (WIDTH - width) / 2, middle, "shaft", look)
            self.canvas.line((WIDTH + width) / 2, middle, RAIL["server"], middle, "shaft", look)
        self.canvas.text(WIDTH / 2, self.y, text, "middle", look, "bold" if look == "sealed" else "")

    def group(self, row: Row, name: str, title: str) -> None:
        self.canvas.open(name, row.event, title)

    # Rows

    def message(self, row: MessageRow) -> None:
        self.group(row, "message", f"{row.name}, sent by the {row.sender}, {'encrypted' if row.protected else 'open'}")
        if row.opens:
            self.heading(row.step)
        else:
            self.y += 6
        self.arrow(row.sender, row.name, "sealed" if row.protected else "")
        self.y += 2
        self.block(row.sender, list(detail_phrases(row.details, COLUMNS)), label_width(row.details))
        self.canvas.close()

    def cipher_change(self, row: CipherChange) -> None:
        self.group(row, "change-cipher-spec", f"ChangeCipherSpec, sent by the {row.sender}")
        if row.opens:
            self.heading(row.step)
        if row.switches:
            self.arrow(row.sender, "ChangeCipherSpec")
        else:
            self.arrow(row.sender, "ChangeCipherSpec, for middleboxes", "dashed", name="faint")
        self.canvas.close()

    def keys(self, row: KeyLine) -> None:
        words = key_words(row)
        if not words:
            return
        if len(row.senders) == 2:
            self.bar(f"{words} · {row.protection}", "sealed")
            self.turn(row.senders, self.y - 4.5)
        else:
            self.turn(row.senders, self.y)
            self.y += LINE + 3
            self.beside(row.senders[0], f"{words} · {row.protection}", "sealed", "bold")

    def turn(self, sides: Sequence[Side], at: float) -> None:
        """From ``at`` on what some sides send is encrypted."""
        here, self.y = self.y, at
        self.rails([side for side in sides if side not in self.sealed])
        self.y = here
        self.sealed |= set(sides)
        if len(self.sealed) == 2 and self.tunnel is None:
            self.tunnel = at

    def shared_secret(self, row: SharedSecret) -> None:
        self.bar(f"{row.name} on both sides", "bold")
        if row.inputs:
            self.y += LINE
            self.canvas.text(WIDTH / 2, self.y, fit(f"from {listed(row.inputs)}", COLUMNS, "…"), "middle", "faint")

    def note(self, row: Note) -> None:
        self.group(row, "note", f"the {row.side}: {row.text}")
        phrases = list(note_phrases(row, self.diagram.failure, COLUMNS, " ← "))
        mark, look = ("•", "plain") if row.ok is None else ("✓", "sealed") if row.ok else ("✗", "bad")
        self.y += 8
        self.canvas.disc(RAIL[row.side], self.y + LINE - 5, mark, look)
        self.block(row.side, phrases, 0, "" if row.ok is None else look)
        self.y += 4
        self.canvas.close()

    def alert(self, row: AlertRow) -> None:
        self.group(row, "alert", f"alert {row.name}, sent by the {row.sender}")
        if row.closes:
            self.arrow(row.sender, row.name, "sealed" if row.protected else "", name="faint")
        else:
            self.arrow(row.sender, f"Alert: {row.name}", "bad")
        self.canvas.close()

    def data(self, row: DataRow) -> None:
        self.group(row, "data", f"application data, sent by the {row.sender}, {plural(row.length, 'byte')}")
        if row.opens:
            self.heading(row.step)
        look = "sealed" if row.epoch != "plaintext" else ""
        self.arrow(row.sender, f"Application data · {plural(row.length, 'byte')}", look)
        if row.content:
            self.y += LINE
            self.beside(row.sender, printable(row.content[:LIMIT].decode("utf-8", "replace")), "faint")
        self.canvas.close()

    def more_data(self, row: MoreData) -> None:
        self.y += 26
        self.canvas.text(WIDTH / 2, self.y, f"… {row.words} …", "middle", "faint")

    def unreadable(self, row: Unreadable) -> None:
        self.arrow(row.sender, row.text, "bad", lost=True)

    def cut(self, row: Cut) -> None:
        self.arrow(row.sender, "the connection ends without close_notify", "bad", lost=True)

    def done(self, row: Done) -> None:
        self.bar(" ".join(filter(None, done_words(self.diagram))), "sealed")


_DRAWERS: dict[type[RowType | MoreData], Callable[[_Picture, Any], None]] = {
    MessageRow: _Picture.message,
    CipherChange: _Picture.cipher_change,
    KeyLine: _Picture.keys,
    Note: _Picture.note,
    AlertRow: _Picture.alert,
    DataRow: _Picture.data,
    MoreData: _Picture.more_data,
    SharedSecret: _Picture.shared_secret,
    Unreadable: _Picture.unreadable,
    Cut: _Picture.cut,
    Done: _Picture.done,
}
