"""Why a connection failed, in words: ``error.explain()``, ``diagnose(trace)``, and ``compare`` for the traces of both sides.

An explanation claims what is known, by its evidence, and no more: where several causes fit what was seen, it says so, names
the likeliest first, and how to tell them apart.
"""

from __future__ import annotations

from .atlas import ATLAS, Row
from .compare import Comparison, compare
from .entry import diagnose, diagnose_trace
from .model import Alternative, Diagnosis, Fix
from .quiet import remarks

__all__ = [
    "ATLAS",
    "Alternative",
    "Comparison",
    "Diagnosis",
    "Fix",
    "Row",
    "compare",
    "diagnose",
    "diagnose_trace",
    "remarks",
]
