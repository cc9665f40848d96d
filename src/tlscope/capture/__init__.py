"""From a capture of any two peers to traces: packets, TCP streams, records, and, with their secrets, what was in them.

    packets ─► streams ─► records ─► traces

A capture is a stranger's: everything in it is bounded and nothing is believed.
"""

from __future__ import annotations

from .connections import Captured, Reading, read
from .secrets import Secrets, parse_key_log

__all__ = ["Captured", "Reading", "Secrets", "parse_key_log", "read"]
