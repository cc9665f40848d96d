"""The key log in a file, for Wireshark and its like (RFC 9850)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import ConfigError

__all__ = ["key_log_file"]


def key_log_file(path: str | os.PathLike[str] | None = None) -> Callable[[str], None] | None:
    """A ``key_log`` for a config that appends each line to a file, made readable for its owner alone (mode 0600).

    Without ``path`` the file is the one that the environment variable SSLKEYLOGFILE names; None where it names none. Whoever
    has the file can read every connection that is logged in it. The callable is safe for any number of threads, and lines of
    several processes don't mix. Raises ``ConfigError`` where the file can't be written.
    """
    name = os.environ.get("SSLKEYLOGFILE") if path is None else path
    if not name:
        return None
    file = Path(name)
    lock = threading.Lock()

    def append(line: str) -> None:
        with lock:
            # Opened anew each time, so that a log that was moved away or removed is simply begun again.
            descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, f"{line}\n".encode() if line else b"")
            finally:
                os.close(descriptor)

    try:
        append("")
    except OSError as problem:
        raise ConfigError(f"the key log can't be written: {problem.strerror}", path=file, code="key-log") from None
    return append
