"""Text that others chose, made fit to print.

A trace holds what strangers sent: names in certificates, protocols, server names. A terminal obeys what it is shown, so
nothing of that reaches a drawing as it came.
"""

from __future__ import annotations

import unicodedata
from dataclasses import fields, is_dataclass, replace
from typing import Any

from rich.cells import cell_len, chop_cells

__all__ = ["LIMIT", "in_ascii", "listed", "milliseconds", "plural", "printable", "wrap"]

LIMIT = 200
"""Characters of one value that a drawing shows, at most."""

_MARKS_IN_A_ROW = 2


def printable(text: object, limit: int = LIMIT) -> str:
    """``text`` without anything that a terminal would obey or that changes the direction of writing, cut at ``limit``.

    What can't be printed is shown as the escape a programmer would write. Marks that are drawn over the letter before
    them are kept while they are few, as languages need them; towers of them are not a name.
    """
    raw = text if isinstance(text, str) else str(text)
    out: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", raw[: limit + 1]):
        category = unicodedata.category(character)
        if category in ("Mn", "Me"):
            marks += 1
            selector = "\ufe00" <= character <= "\ufe0f" or character >= "\U000e0100"
            plain = marks <= _MARKS_IN_A_ROW and bool(out) and not selector
        else:
            marks = 0
            plain = character.isprintable()
        out.append(character if plain else character.encode("unicode_escape").decode("ascii"))
    clean = "".join(out)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def plural(count: int, noun: str) -> str:
    """``1 byte``, ``2 bytes``, ``16,384 bytes``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(items: tuple[str, ...] | list[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``; ``nothing`` for none."""
    if not items:
        return "nothing"
    if len(items) == 1:
        return items[0]
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def milliseconds(seconds: float) -> str:
    """A time as people read it: ``2.8 ms``, ``45 ms``, ``3.2 s``."""
    thousandths = seconds * 1000
    if thousandths < 10:
        return f"{thousandths:.1f} ms"
    return f"{thousandths:.0f} ms" if thousandths < 1000 else f"{seconds:.1f} s"


def in_ascii(value: Any) -> Any:
    """A text in ASCII alone; of data classes, tuples and dictionaries the same with every text in them."""
    if isinstance(value, str):
        return value.replace("…", "...").encode("ascii", "backslashreplace").decode("ascii")
    if isinstance(value, tuple):
        return tuple(map(in_ascii, value))
    if isinstance(value, dict):
        return {in_ascii(name): in_ascii(item) for name, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{item.name: in_ascii(getattr(value, item.name)) for item in fields(value)})
    return value


def wrap(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` columns, broken between words where that is possible."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and cell_len(line) + 1 + cell_len(word) <= width:
            line = f"{line} {word}"
            continue
        if line:
            lines.append(line)
        *full, line = chop_cells(word, width) or [""]
        lines += full
    return [*lines, line] if line or not lines else lines
