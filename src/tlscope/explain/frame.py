"""The frame of a ladder: two rails at fixed columns, and lines between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells
from rich.text import Text

from .glyphs import SEALED, Glyphs
from .model import Side
from .words import wrap

__all__ = ["MARGIN", "Frame", "Styled", "columns", "fit", "wrap"]

MARGIN = 4
"""Columns outside of each rail, for numbers and marks."""

Styled = tuple[str, str]
"""Some text and its style."""


def columns(parts: Iterable[Styled]) -> int:
    """How many columns some pieces of text take."""
    return sum(cell_len(part) for part, _ in parts)


def fit(text: str, width: int, more: str) -> str:
    """``text`` in at most ``width`` columns, with ``more`` where something was cut off."""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(more)
    return (chop_cells(text, room)[0] if room > 0 else "") + more


@dataclass(slots=True)
class Frame:
    """Where the rails are, and how each looks at this height: sealed for the sides in ``sealed``."""

    width: int
    glyphs: Glyphs
    sealed: frozenset[Side] = frozenset()

    @property
    def inside(self) -> int:
        """Columns between the rails."""
        return self.width - 2 * MARGIN - 2

    def rail(self, side: Side) -> str:
        """How the rail of a side looks."""
        return (self.glyphs.sealed if side in self.sealed else self.glyphs.open).rail

    def rail_style(self, side: Side) -> str:
        """The style of a rail."""
        return SEALED if side in self.sealed else ""

    def clip(self, content: Sequence[Styled], room: int) -> Sequence[Styled]:
        """``content`` as it is where it fits; else what fits of it."""
        if columns(content) <= room:
            return content
        return [(fit("".join(part for part, _ in content), room, self.glyphs.more), content[0][1])]

    def line(
        self,
        content: Iterable[Styled] = (),
        *,
        left: Styled = ("", ""),
        right: Styled = ("", ""),
        rails: tuple[str, str] = ("", ""),
    ) -> Text:
        """One line: ``content`` between the rails, ``left`` and ``right`` in the margins; ``rails`` replace the rails."""
        text = Text(no_wrap=True, overflow="ignore")
        mark, style = left
        text.append(f"{mark:>{MARGIN - 2}}  " if mark else " " * MARGIN, style)
        text.append(rails[0] or self.rail("client"), self.rail_style("client"))
        room = self.inside
        for part, style in content:
            text.append(part, style)
            room -= cell_len(part)
        text.append(" " * room)
        text.append(rails[1] or self.rail("server"), self.rail_style("server"))
        mark, style = right
        if mark:
            text.append(f"  {mark}", style)
        return text

    def near(self, side: Side, content: Sequence[Styled], mark: Styled = ("", ""), indent: int = 3) -> Text:
        """A line whose content stands near one rail, with a mark in the margin beside it."""
        content = self.clip(content, self.inside - indent)
        if side == "client":
            return self.line([(" " * indent, ""), *content], left=mark)
        return self.line([(" " * (self.inside - indent - columns(content)), ""), *content], right=mark)

    def arrow(self, sender: Side, label: Sequence[Styled], *, protected: bool, style: str = "", end: str = "") -> Text:
        """An arrow from rail to rail, with a label near its tail and, instead of its head, ``end``.

        ``style`` is for the whole shaft; a faint one is drawn with a faint shaft.
        """
        glyphs, label = self.glyphs, self.clip(label, self.inside - 4)
        pipe = glyphs.sealed if protected else glyphs.mixed if sender in self.sealed else glyphs.open
        shaft = style or (SEALED if protected else "")
        stroke = glyphs.faint if style == "dim" and not protected else pipe.shaft
        tail = stroke * 2
        body = stroke * (self.inside - len(tail) - columns(label) - 1)
        if sender == "client":
            parts = [(tail, shaft), *label, (body, shaft), (end or glyphs.right, shaft)]
            return self.line(parts, rails=(pipe.leaves_left_rail, ""))
        parts = [(end or glyphs.left, shaft), (body, shaft), *label, (tail, shaft)]
        return self.line(parts, rails=("", pipe.leaves_right_rail))

    def block(self, lines: Sequence[Sequence[Styled]], side: Side, mark: Styled = ("", "")) -> Iterator[Text]:
        """Lines that stand together near one rail, their left edges aligned; ``mark`` is beside the first."""
        widest = max(map(columns, lines), default=0)
        for line in lines:
            yield self.near(side, [*line, (" " * (widest - columns(line)), "")], mark)
            mark = ("", "")

    def bar(self, content: Sequence[Styled], style: str = SEALED, stroke: str = "") -> Text:
        """A line from rail to rail with something in its middle; with a ``stroke`` of its own it leaves the rails alone."""
        pipe, content = self.glyphs.sealed, self.clip(content, self.inside - 4)
        room, shaft = self.inside - columns(content), stroke or pipe.shaft
        parts = [(shaft * (room // 2), style), *content, (shaft * (room - room // 2), style)]
        return self.line(parts, rails=("", "") if stroke else (pipe.leaves_left_rail, pipe.leaves_right_rail))

    def branch(self, side: Side, content: Sequence[Styled]) -> Text:
        """A short line from one rail, with something at its end."""
        pipe, content = self.glyphs.sealed, self.clip(content, self.inside - 4)
        shaft = (pipe.shaft * 2, SEALED)
        if side == "client":
            return self.line([shaft, *content], rails=(pipe.leaves_left_rail, ""))
        before = (" " * (self.inside - 2 - columns(content)), "")
        return self.line([before, *content, shaft], rails=("", pipe.leaves_right_rail))
