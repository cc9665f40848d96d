"""The secrets of a key log (RFC 9850), by the client random of their connection."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["Secrets", "parse_key_log"]

MOST_LINES = 200_000
_LINE = re.compile(r"([A-Z][A-Z0-9_]{0,63}) ([0-9a-fA-F]{64}) ((?:[0-9a-fA-F]{2}){1,255})\s*")

Secrets = dict[bytes, dict[str, bytes]]
"""Client random, then label, then secret."""


def parse_key_log(text: str | Iterable[str], into: Secrets | None = None) -> Secrets:
    """The secrets in the lines of a key log; lines that are none, comments among them, are passed over."""
    found: Secrets = {} if into is None else into
    for number, line in enumerate(text.splitlines() if isinstance(text, str) else text):
        if number >= MOST_LINES:
            break
        match = _LINE.fullmatch(line.strip())
        if match:
            found.setdefault(bytes.fromhex(match[2]), {})[match[1]] = bytes.fromhex(match[3])
    return found
