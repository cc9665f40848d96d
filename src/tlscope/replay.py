"""Against replayed early data: who has seen a ClientHello before? (RFC 8446 section 8.2)"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Protocol

__all__ = ["MemoryReplayGuard", "ReplayGuard"]


class ReplayGuard(Protocol):
    """Remembers hellos. Machines that accept each other's tickets must share one, or take no early data."""

    def is_first(self, name: bytes, now: float, until: float) -> bool:
        """Whether ``name`` was not seen before; it is remembered until a time, in seconds since 1970.

        Of two callers at once only one may be told True. Where it can't tell, it must say False.
        """


class MemoryReplayGuard:
    """A ``ReplayGuard`` for one process. When ``max_names`` are remembered it says False to every new one."""

    def __init__(self, max_names: int = 100_000) -> None:
        self._max_names = max_names
        self._names: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def is_first(self, name: bytes, now: float, until: float) -> bool:
        """Whether ``name`` was not seen before."""
        with self._lock:
            while self._names:
                oldest, ends = next(iter(self._names.items()))
                if ends > now:
                    break
                del self._names[oldest]
            if name in self._names or len(self._names) >= self._max_names:
                return False
            self._names[name] = until
            return True

    def __repr__(self) -> str:
        return f"<MemoryReplayGuard of {len(self._names)} names>"
