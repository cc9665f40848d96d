"""A bounded memory of verdicts, shared between threads."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Memory"]

_V = TypeVar("_V")


class Memory(Generic[_V]):
    """Keeps the latest ``size`` values by key; the oldest goes first. A size of 0 keeps nothing."""

    __slots__ = ("_lock", "_size", "_values")

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: dict[Hashable, _V] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> _V | None:
        """The value kept for ``key``, or None."""
        return self._values.get(key)

    def put(self, key: Hashable, value: _V) -> None:
        """Keep a value."""
        if not self._size:
            return
        with self._lock:
            self._values.pop(key, None)
            while len(self._values) >= self._size:
                del self._values[next(iter(self._values))]
            self._values[key] = value

    def __len__(self) -> int:
        return len(self._values)
