"""The frame of a ladder: two rails at fixed columns, lines between them, and text that is wrapped by columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells
from rich.text import Text

from .glyphs import Glyphs, Pipe
from .model import Side

__all__ = ["MARGIN", "Frame", "fit", "wrap"]

MARGIN = 4
"""Columns outside of each rail, for numbers and marks."""

Styled = tuple[str, str]
"""Some text and its style."""


def wrap(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` columns, broken between words where that is possible."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and cell_len(line) + 1 + cell_len(word) <= width:
            line = f"{line} {word}"
            continue
        if line:
            lines.append(line)
        *full, line = chop_cells(word, width) or [""]
        lines += full
    return [*lines, line] if line or not lines else lines


def fit(text: str, width: int, more: str) -> str:
    """``text`` in at most ``width`` columns, with ``more`` where something was cut off."""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(more)
    return (chop_cells(text, room)[0] if room > 0 else "") + more


@dataclass(slots=True)
class Frame:
    """Where the rails are, and how each looks at this height."""

    width: int
    glyphs: Glyphs
    sealed: frozenset[Side] = frozenset()

    @property
    def inside(self) -> int:
        """Columns between the rails."""
        return self.width - 2 * MARGIN - 2

    def pipe(self, side: Side) -> Pipe:
        """How the rail of a side looks."""
        return self.glyphs.sealed if side in self.sealed else self.glyphs.open

    def style(self, side: Side) -> str:
        """The style of a rail."""
        return "green" if side in self.sealed else "none"

    def line(
        self,
        content: Iterable[Styled] = (),
        *,
        left: Styled = ("", ""),
        right: Styled = ("", ""),
        rails: tuple[str, str] = ("", ""),
    ) -> Text:
        """One line: ``content`` between the rails, ``left`` and ``right`` in the margins; ``rails`` replace the rails."""
        text = Text(no_wrap=True, overflow="ignore", end="\n")
        mark, style = left
        text.append(f"{mark:>{MARGIN - 2}}  " if mark else " " * MARGIN, style or None)
        text.append(rails[0] or self.pipe("client").rail, self.style("client"))
        room = self.inside
        for part, style in content:
            text.append(part, style or None)
            room -= cell_len(part)
        text.append(" " * room)
        text.append(rails[1] or self.pipe("server").rail, self.style("server"))
        mark, style = right
        if mark:
            text.append(f"  {mark}", style or None)
        return text

    def arrow(self, sender: Side, label: Sequence[Styled], *, protected: bool, style: str, end: str = "") -> Text:
        """An arrow from rail to rail, with a label near its tail and, instead of its head, ``end``."""
        pipe = self.glyphs.sealed if protected else self.glyphs.open
        shaft = style or ("green" if protected else "none")
        taken = sum(cell_len(part) for part, _ in label)
        tail, body = pipe.shaft * 2, self.inside - 2 - taken - 1
        if sender == "client":
            parts = [(tail, shaft), *label, (pipe.shaft * body, shaft), (end or self.glyphs.right, shaft)]
            rails = pipe.leaves_left_rail, ""
        else:
            parts = [(end or self.glyphs.left, shaft), (pipe.shaft * body, shaft), *label, (tail, shaft)]
            rails = "", pipe.leaves_right_rail
        return self.line(parts, rails=rails)

    def block(self, lines: Sequence[Sequence[Styled]], side: Side, indent: int = 4) -> Iterator[Text]:
        """Lines that stand together near one rail, their left edges aligned."""
        widths = [sum(cell_len(part) for part, _ in line) for line in lines]
        before = indent if side == "client" else max(0, self.inside - indent - max(widths, default=0))
        for line in lines:
            yield self.line([(" " * before, ""), *line])
