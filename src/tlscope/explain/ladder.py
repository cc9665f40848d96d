"""A diagram as the lines of a ladder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from .frame import MARGIN, Frame, Styled, fit, wrap
from .glyphs import ASCII, Glyphs
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
    Side,
    Unreadable,
)
from .words import plural

__all__ = ["Ladder"]

NUMBER = "bold"
NAME = "bold"
SEALED = "green"
LABEL = "dim"
GOOD = "green"
BAD = "bold red"


class Ladder:
    """Draws one diagram at one width."""

    def __init__(self, diagram: Diagram, width: int, glyphs: Glyphs) -> None:
        self.diagram = diagram
        self.glyphs = glyphs
        self.frame = Frame(width, glyphs)
        self.width = width

    def lines(self) -> Iterator[Text]:
        """The drawing from top to bottom."""
        yield from self.header()
        for row in self.diagram.rows:
            draw: Callable[[Any], Iterator[Text]] | None = self._drawers.get(type(row))
            if draw is not None:
                yield from draw(self, row)
        yield self.frame.line()
        yield from self.failure()

    # Above and below

    def header(self) -> Iterator[Text]:
        d = self.diagram
        facts = [fact for fact in (d.cipher_suite, d.group, d.alpn) if fact]
        time = "" if d.seconds is None else f"{d.seconds * 1000:.1f} ms"
        indent = " " * MARGIN
        title = Text(indent)
        title.append(d.title, "bold")
        title.append(" " * max(1, self.width - 2 * MARGIN - cell_len(d.title) - len(time)))
        title.append(time, "dim")
        yield title
        yield Text(indent + self.glyphs.dot.join(facts), "dim")
        yield Text()
        for left, right, style in (
            ("Client", "Server", "bold"),
            (self.say(d.client.name), self.say(d.server.name), "cyan"),
        ):
            room = self.width - 2 * MARGIN
            left = fit(left, room // 2 - 1, self.glyphs.more)
            right = fit(right, room // 2 - 1, self.glyphs.more)
            yield Text(indent + left + " " * (room - cell_len(left) - cell_len(right)) + right, style)
        yield self.frame.line()

    def failure(self) -> Iterator[Text]:
        f = self.diagram.failure
        if f is None:
            return
        yield Text(f"    FAILED {f.code}: {f.sentence}")

    # Rows

    def message(self, row: MessageRow) -> Iterator[Text]:
        number = f" {row.step} " if row.opens else ""
        label: list[Styled] = [(" ", ""), (row.name, NAME), (" ", "")]
        if row.opens and row.step is not None:
            yield self.frame.line()
            title = self.diagram.step(row.step).title
            yield self.frame.line([(f"  {title}", "bold cyan")], left=(str(row.step), "bold cyan"))
        yield self.frame.arrow(row.sender, label, protected=row.protected, style="")
        yield from self.details(row.details, row.sender)

    def details(self, details: Sequence[Detail], side: Side) -> Iterator[Text]:
        if not details:
            return
        room = self.frame.inside - 8
        labels = max(len(detail.label) for detail in details)
        values = room - labels - 2
        block: list[list[Styled]] = []
        for detail in details:
            for place, line in enumerate(self.value(detail, values)):
                label = detail.label if place == 0 else ""
                block.append([(f"{label:<{labels}}  ", LABEL), (line, "")])
        yield from self.frame.block(block, side)

    def value(self, detail: Detail, width: int) -> list[str]:
        """The lines of a value; a long list is cut to what fits in one line."""
        items = [self.say(item) for item in detail.items]
        text = ", ".join(items)
        if len(items) > 1 and cell_len(text) > width:
            for kept in range(len(items) - 1, 0, -1):
                text = f"{', '.join(items[:kept])} and {len(items) - kept} more"
                if cell_len(text) <= width:
                    break
        if detail.why:
            text += f" ({self.say(detail.why)})"
        return wrap(text, width)

    def say(self, text: str) -> str:
        """``text`` in characters that may be drawn."""
        if self.glyphs is ASCII:
            return text.replace("…", "...").encode("ascii", "backslashreplace").decode("ascii")
        return text

    def keys(self, row: KeyLine) -> Iterator[Text]:
        self.frame.sealed |= set(row.senders)
        what = f" encrypted from here: {row.protection}, {row.epoch} keys "
        pad = self.frame.inside - cell_len(what)
        shaft = self.glyphs.sealed.shaft
        yield self.frame.line()
        yield self.frame.line(
            [(shaft * (pad // 2) + what + shaft * (pad - pad // 2), SEALED)],
            rails=(self.glyphs.sealed.leaves_left_rail, self.glyphs.sealed.leaves_right_rail),
        )

    def cipher_change(self, row: CipherChange) -> Iterator[Text]:
        yield self.frame.arrow(row.sender, [(" ChangeCipherSpec ", "dim")], protected=False, style="dim")

    def note(self, row: Note) -> Iterator[Text]:
        mark = self.glyphs.note if row.ok is None else self.glyphs.yes if row.ok else self.glyphs.no
        style = GOOD if row.ok else BAD if row.ok is False else ""
        text = f"{mark} {row.text}"
        lines: list[list[Styled]] = [[(line, style)] for line in wrap(self.say(text), self.frame.inside - 8)]
        for detail in row.details:
            lines += [
                [(f"  {detail.label}  ", LABEL), (line, "")] for line in self.value(detail, self.frame.inside - 24)
            ]
        yield from self.frame.block(lines, row.side, indent=1)

    def alert(self, row: AlertRow) -> Iterator[Text]:
        style = "dim" if row.closes else BAD
        yield self.frame.line()
        yield self.frame.arrow(row.sender, [(f" alert {row.name} ", style)], protected=row.protected, style=style)

    def data(self, row: DataRow) -> Iterator[Text]:
        if row.opens and row.step is not None:
            yield self.frame.line()
            title = self.diagram.step(row.step).title
            yield self.frame.line([(f"  {title}", "bold cyan")], left=(str(row.step), "bold cyan"))
        yield self.frame.arrow(row.sender, [(f" {plural(row.length, 'byte')} ", "")], protected=True, style="")

    def unreadable(self, row: Unreadable) -> Iterator[Text]:
        yield self.frame.arrow(row.sender, [(f" {row.text} ", BAD)], protected=False, style=BAD, end=self.glyphs.cut)

    def cut(self, row: Cut) -> Iterator[Text]:
        yield self.frame.arrow(row.sender, [(" connection cut ", BAD)], protected=False, style=BAD, end=self.glyphs.cut)

    def done(self, row: Done) -> Iterator[Text]:
        yield self.frame.line([("  handshake complete", GOOD)], left=(self.glyphs.yes, GOOD))

    _drawers: dict[type[RowType], Any] = {
        MessageRow: message,
        KeyLine: keys,
        CipherChange: cipher_change,
        Note: note,
        AlertRow: alert,
        DataRow: data,
        Unreadable: unreadable,
        Cut: cut,
        Done: done,
    }
