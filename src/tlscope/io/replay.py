"""A replay guard that the processes of one machine share, in a file (RFC 8446 section 8.2)."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

__all__ = ["FileReplayGuard"]

_BUSY_SECONDS = 0.5


class FileReplayGuard:
    """A ``ReplayGuard`` in an SQLite file (made with mode 0600): every process that opens the same file shares it.

    Where the file can't be asked in half a second, the answer is False: the early data is not taken, the handshake goes
    on. Safe between threads.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        with self._opened() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS hellos (name BLOB PRIMARY KEY, until REAL) WITHOUT ROWID")
            connection.execute("CREATE INDEX IF NOT EXISTS ends ON hellos (until)")

    def is_first(self, name: bytes, now: float, until: float) -> bool:
        """Whether ``name`` was not seen before by any of the processes; it is remembered until a time."""
        try:
            with self._opened() as connection:
                connection.execute("DELETE FROM hellos WHERE until <= ?", (now,))
                added = connection.execute("INSERT OR IGNORE INTO hellos VALUES (?, ?)", (name, until))
                return added.rowcount == 1
        except sqlite3.Error:
            return False

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        # Opened anew each time: early data is rare, and a connection must outlive neither its thread nor a fork.
        with closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS)) as connection, connection:
            yield connection

    def __repr__(self) -> str:
        return f"<FileReplayGuard {self.path}>"
