"""The characters that a ladder is drawn with, in Unicode and in plain ASCII, and its colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .model import Side

__all__ = ["ASCII", "BAD", "FAINT", "GOOD", "SEALED", "UNICODE", "Glyphs", "Pipe", "side_style"]

# The sixteen colours that a terminal's owner has chosen, so that a ladder is readable on light and on dark.
SEALED = "green"
GOOD = "green"
BAD = "bold red"
FAINT = "dim"


def side_style(side: Side) -> str:
    """The colour of what one side says."""
    return "cyan" if side == "client" else "magenta"


@dataclass(frozen=True, slots=True)
class Pipe:
    """One kind of line: a rail, where an arrow leaves it to the right and to the left, and the arrow's shaft."""

    rail: str
    leaves_left_rail: str
    leaves_right_rail: str
    shaft: str


class Box(NamedTuple):
    """A box's corners, its horizontal and vertical side, and where a rail leaves its bottom."""

    top_left: str
    top_right: str
    bottom_left: str
    bottom_right: str
    flat: str
    upright: str
    leaves: str


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Everything but letters.

    ``open`` is for what anybody can read on the wire, ``sealed`` for what is encrypted, ``mixed`` for an open arrow that
    leaves a sealed rail.
    """

    open: Pipe
    sealed: Pipe
    mixed: Pipe
    faint: str
    right: str
    left: str
    yes: str
    no: str
    note: str
    dot: str
    more: str
    cut: str
    issued: str
    box: Box
    ends: tuple[str, str]
    """How an open and a sealed rail end."""


UNICODE = Glyphs(
    open=Pipe("│", "├", "┤", "─"),
    sealed=Pipe("║", "╠", "╣", "═"),
    mixed=Pipe("║", "╟", "╢", "─"),
    faint="╌",
    right="▶",
    left="◀",
    yes="✓",
    no="✗",
    note="•",
    dot=" · ",
    more="…",
    cut="✗",
    issued=" ← ",
    box=Box(*"╭╮╰╯─│┬"),
    ends=("╵", "╨"),
)

ASCII = Glyphs(
    open=Pipe("|", "+", "+", "-"),
    sealed=Pipe("#", "#", "#", "="),
    mixed=Pipe("#", "#", "#", "-"),
    faint=".",
    right=">",
    left="<",
    yes="ok",
    no="x",
    note="*",
    dot=", ",
    more="...",
    cut="x",
    issued=" <- ",
    box=Box(*"++++-|+"),
    ends=("'", "#"),
)
