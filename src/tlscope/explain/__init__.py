"""From the trace of a connection to a drawing of it: nothing is drawn that was not seen."""

from __future__ import annotations

from .diagnosis import Comparison, Diagnosis, compare, diagnose, diagnose_trace, remarks
from .html import Reported, to_html
from .mermaid import to_mermaid
from .model import Diagram
from .svg import to_svg
from .text import draw, to_text

__all__ = [
    "Comparison",
    "Diagnosis",
    "compare",
    "diagnose",
    "diagnose_trace",
    "remarks",
    "Diagram",
    "Reported",
    "draw",
    "to_html",
    "to_mermaid",
    "to_svg",
    "to_text",
]
