"""The sheet that a picture is drawn on: SVG elements, their style in light and dark, and text of known width.

Text stands in a monospaced font, so that its width can be told without measuring: ``CHARACTER`` pixels a column.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["CHARACTER", "LINE", "WIDTH", "Canvas"]

WIDTH = 960
"""Pixels from edge to edge."""
CHARACTER = 7.83
"""Pixels of a column at 13 pixels of font size, in the widest of the fonts named below."""
LINE = 20
"""Pixels from one line of text to the next."""

_STYLE = """
svg{--paper:#ffffff;--ink:#1f2328;--faint:#656d76;--line:#8c959f;--client:#0b7285;--server:#86329c;--sealed:#1a7f37;
--tint:#1a7f3712;--bad:#cf222e;--badtint:#cf222e10;color-scheme:light dark}
@media (prefers-color-scheme:dark){svg{--paper:#0d1117;--ink:#e6edf3;--faint:#8d96a0;--line:#6e7681;--client:#56d4dd;
--server:#dd9bf0;--sealed:#3fb950;--tint:#3fb95014;--bad:#ff7b72;--badtint:#ff7b7214}}
text{font:13px ui-monospace,'SF Mono',Menlo,'DejaVu Sans Mono','Liberation Mono',Consolas,monospace;fill:var(--ink);
white-space:pre}
.paper{fill:var(--paper)}.faint{fill:var(--faint)}.reason{fill:var(--faint);font-style:italic}.bold{font-weight:600}
.big{font-size:20px;font-weight:600}.name{font-size:14px;font-weight:600}.middle{text-anchor:middle}.end{text-anchor:end}
.client{fill:var(--client)}.server{fill:var(--server)}.sealed{fill:var(--sealed)}.bad{fill:var(--bad)}
.on{fill:var(--paper);font-weight:600;text-anchor:middle}
.box{fill:var(--paper);stroke-width:1.5}.box.client{stroke:var(--client)}.box.server{stroke:var(--server)}
.box.bad{fill:var(--badtint);stroke:var(--bad)}.tint{fill:var(--tint)}
.rail,.shaft{stroke:var(--line);stroke-width:1.5;fill:none}.rail.sealed,.shaft.sealed{stroke:var(--sealed);fill:none}
.rail.sealed{stroke-width:4}.shaft.bad{stroke:var(--bad);fill:none}.shaft.dashed{stroke-dasharray:3 4}
.head{fill:var(--line)}.head.sealed{fill:var(--sealed)}.head.bad{fill:var(--bad)}
.disc{stroke:none}.disc.sealed{fill:var(--sealed)}.disc.plain{fill:var(--faint)}
""".strip()


class Canvas:
    """Collects elements; ``below`` is drawn first, under everything else. ``prefix`` begins every ``id``."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.elements: list[str] = []
        self.below: list[str] = []

    def text(self, x: float, y: float, text: str, *classes: str) -> None:
        """One line of text with its baseline at ``y``."""
        if text:
            self.elements.append(f'<text x="{x:g}" y="{y:g}"{_classes(classes)}>{escape(text)}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, *classes: str, below: bool = False) -> None:
        """A straight line."""
        (self.below if below else self.elements).append(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"{_classes(classes)}/>'
        )

    def head(self, x: float, y: float, direction: int, *classes: str) -> None:
        """The head of an arrow with its tip at ``x``; it points to the right for 1, to the left for -1."""
        back = x - 11 * direction
        path = f"M{x:g} {y:g}L{back:g} {y - 5:g}L{back:g} {y + 5:g}Z"
        self.elements.append(f'<path d="{path}"{_classes(("head", *classes))}/>')

    def cross(self, x: float, y: float, *classes: str) -> None:
        """What an arrow that does not arrive ends in."""
        path = f"M{x - 5:g} {y - 5:g}l10 10m0 -10l-10 10"
        self.elements.append(f'<path d="{path}"{_classes(("shaft", *classes))}/>')

    def disc(self, x: float, y: float, text: str, *classes: str) -> None:
        """A filled circle with a few characters in it."""
        self.elements.append(f'<circle cx="{x:g}" cy="{y:g}" r="12"{_classes(("disc", *classes))}/>')
        self.text(x, y + 4.5, text, "on")

    def box(self, x: float, y: float, width: float, height: float, *classes: str) -> None:
        """A rectangle with round corners."""
        size = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
        self.elements.append(f'<rect {size} rx="8"{_classes(classes)}/>')

    def ground(self, x: float, y: float, width: float, height: float, *classes: str) -> None:
        """A rectangle under everything."""
        size = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
        self.below.insert(0, f"<rect {size}{_classes(classes)}/>")

    def open(self, name: str, event: int, title: str) -> None:
        """Begin a group; ``name`` is its class, ``event`` the index of its event in the trace."""
        ids = f'id="{self.prefix}event-{event}" data-event="{event}"'
        self.elements.append(f'<g class="{name}" {ids}><title>{escape(title)}</title>')

    def close(self) -> None:
        """End a group."""
        self.elements.append("</g>")

    def picture(self, height: float, title: str, description: str) -> str:
        """The whole picture as an SVG document that needs nothing else."""
        name, long = f"{self.prefix}title", f"{self.prefix}description"
        return "\n".join(
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" '
                f'height="{height:g}" role="img" aria-labelledby="{name} {long}">',
                f'<title id="{name}">{escape(title)}</title>',
                f'<desc id="{long}">{escape(description)}</desc>',
                f"<style>{_STYLE}</style>",
                f'<rect class="paper" width="{WIDTH}" height="{height:g}"/>',
                *self.below,
                *self.elements,
                "</svg>",
                "",
            )
        )


def _classes(classes: Iterable[str]) -> str:
    joined = " ".join(filter(None, classes))
    return f' class="{joined}"' if joined else ""
