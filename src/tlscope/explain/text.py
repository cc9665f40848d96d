"""The ladder diagram as text: two lifelines, and between them what went over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ..trace import Trace
from .glyphs import ASCII, UNICODE
from .ladder import ladder
from .model import Diagram

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType, RenderResult
    from rich.measure import Measurement

__all__ = ["LEAST_WIDTH", "draw", "to_text"]

LEAST_WIDTH = 60
"""Columns below which no ladder is drawn; a narrower terminal wraps it."""


def draw(source: Trace | Diagram, *, width: int | None = 80, ascii: bool | None = None) -> RenderableType:
    """The ladder for a ``rich`` console.

    ``width`` is in columns, at least 60 and else no more than the console has; None fills the console.
    ``ascii`` draws with ASCII alone; None does so where the console can't do better.
    """
    return _Drawing(_diagram(source), width, ascii)


def to_text(source: Trace | Diagram, width: int = 80, color: bool = False, *, ascii: bool = False) -> str:
    """The ladder as a string that ends in a newline; with ``color`` it holds ANSI escape sequences."""
    lines = _lines(_diagram(source), width, ascii)
    if not color:
        return "".join(f"{line.plain.rstrip()}\n" for line in lines)
    console = Console(
        file=StringIO(), width=max(width, LEAST_WIDTH), force_terminal=True, color_system="standard", no_color=False
    )
    for line in lines:
        line.rstrip()
        console.print(line, crop=False, overflow="ignore", no_wrap=True, highlight=False)
    out: StringIO = console.file  # type: ignore[assignment]
    return out.getvalue()


class _Drawing:
    """What ``draw`` gives: lines that fit, once the console says how wide it is."""

    def __init__(self, diagram: Diagram, width: int | None, ascii: bool | None) -> None:
        self.diagram = diagram
        self.width = width
        self.ascii = ascii

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width if self.width is None else min(self.width, options.max_width)
        ascii_only = options.ascii_only if self.ascii is None else self.ascii
        yield from _lines(self.diagram, width, ascii_only)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        width = max(LEAST_WIDTH, min(self.width or options.max_width, options.max_width))
        return Measurement(width, width)


def _lines(diagram: Diagram, width: int, ascii_only: bool) -> Iterator[Text]:
    return ladder(diagram, max(width, LEAST_WIDTH), ASCII if ascii_only else UNICODE)


def _diagram(source: Trace | Diagram) -> Diagram:
    return source if isinstance(source, Diagram) else Diagram.of(source)
