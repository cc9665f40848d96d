"""The characters that a ladder is drawn with, in Unicode and in plain ASCII."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ASCII", "UNICODE", "Glyphs", "Pipe"]


@dataclass(frozen=True, slots=True)
class Pipe:
    """One kind of line: a rail, where an arrow leaves it to the right and to the left, and the arrow's shaft."""

    rail: str
    leaves_left_rail: str
    leaves_right_rail: str
    shaft: str


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Everything but letters. ``open`` is for what anybody can read on the wire, ``sealed`` for what is encrypted."""

    open: Pipe
    sealed: Pipe
    right: str
    left: str
    yes: str
    no: str
    note: str
    dot: str
    more: str
    cut: str
    because: str
    box: str
    """Corners and sides of a box: top left, top right, bottom left, bottom right, horizontal, vertical."""


UNICODE = Glyphs(
    open=Pipe("│", "├", "┤", "─"),
    sealed=Pipe("║", "╠", "╣", "═"),
    right="▶",
    left="◀",
    yes="✓",
    no="✗",
    note="•",
    dot=" · ",
    more="…",
    cut="╳",
    because="—",
    box="╭╮╰╯─│",
)

ASCII = Glyphs(
    open=Pipe("|", "+", "+", "-"),
    sealed=Pipe("#", "#", "#", "="),
    right=">",
    left="<",
    yes="+",
    no="x",
    note="*",
    dot=", ",
    more="...",
    cut="X",
    because="-",
    box="++++-|",
)
