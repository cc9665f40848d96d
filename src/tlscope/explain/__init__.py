"""From the trace of a connection to a drawing of it: nothing is drawn that was not seen."""

from __future__ import annotations

from .model import Diagram
from .text import draw, to_text

__all__ = ["Diagram", "draw", "to_text"]
