"""Reading bytes so that each keeps its place: a scanner that notes what it passes over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .fields_about import about_field

__all__ = ["Field", "Grammar", "Scan", "Shown", "hexadecimal"]

Grammar = Callable[["Scan"], Any]
"""Reads with a scanner; what it gives is nobody's concern."""

Shown = Callable[[bytes], str]
"""How the bytes of a field are told in words."""

_SHOWN_BYTES = 24


def hexadecimal(raw: bytes) -> str:
    """The first bytes in hexadecimal, with how many there are where those are not all."""
    text = raw[:_SHOWN_BYTES].hex()
    return text if len(raw) <= _SHOWN_BYTES else f"{text}… ({len(raw):,} bytes)"


@dataclass(frozen=True, slots=True)
class Field:
    """A field and the bytes it takes: ``start`` up to, not including, ``end``, counted from the message's first.

    ``value`` is what it says, fit to print; ``about`` a sentence on what it is for, ``rfc`` where that stands. A field with
    ``fields`` consists of them: the fields without, from left to right, are the message's bytes, each once.
    """

    name: str
    start: int
    end: int
    value: str
    about: str
    rfc: str
    fields: tuple[Field, ...] = ()

    @property
    def leaves(self) -> tuple[Field, ...]:
        """The fields in it that consist of no others, itself where it has none."""
        if not self.fields:
            return (self,)
        return tuple(leaf for one in self.fields for leaf in one.leaves)


class _Unreadable(Exception):
    """What comes next can't be read."""


class Scan:
    """A cursor over a part of a message that leaves a ``Field`` behind for all it passes.

    ``scope`` is the message or extension that the fields belong to, which tells apart fields of one name.
    """

    __slots__ = ("data", "end", "fields", "position", "scope")

    def __init__(self, data: bytes, start: int, end: int, scope: str) -> None:
        self.data = data
        self.position = start
        self.end = end
        self.scope = scope
        self.fields: list[Field] = []

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return self.end - self.position

    def peek(self, length: int) -> bytes:
        """The next bytes, fewer where there are fewer, without passing over them."""
        return self.data[self.position : min(self.position + length, self.end)]

    def _add(self, name: str, end: int, value: str, fields: tuple[Field, ...] = ()) -> None:
        about, rfc = about_field(self.scope, name)
        self.fields.append(Field(name, self.position, end, value, about, rfc, fields))
        self.position = end

    def take(self, name: str, length: int, show: Shown = hexadecimal) -> bytes:
        """Pass over a field of ``length`` bytes; one of none leaves nothing behind."""
        if length > self.remaining:
            raise _Unreadable
        raw = self.peek(length)
        if length:
            self._add(name, self.position + length, show(raw))
        return raw

    def number(self, name: str, width: int, show: Callable[[int], str] = str) -> int:
        """Pass over an integer of ``width`` bytes, big-endian."""
        return int.from_bytes(self.take(name, width, lambda raw: show(int.from_bytes(raw, "big"))), "big")

    def rest(self, name: str, show: Shown = hexadecimal) -> bytes:
        """Pass over all that is left as one field."""
        return self.take(name, self.remaining, show)

    def node(self, name: str, length: int, inner: Grammar, value: str = "", scope: str = "") -> None:
        """A field of ``length`` bytes, fewer where there are fewer, that consists of others.

        Whatever ``inner`` can't read or leaves over becomes a field of its own.
        """
        end = min(self.position + length, self.end)
        part = Scan(self.data, self.position, end, scope or self.scope)
        part.run(inner)
        self._add(name, end, value, tuple(part.fields))

    def run(self, inner: Grammar) -> None:
        """Read with ``inner``, and see to what it does not read."""
        name = "left over"
        try:
            inner(self)
        except _Unreadable:
            name = "unreadable"
        if self.remaining:
            self.rest(name)

    def vector(self, name: str, width: int, inner: Grammar | None = None, show: Shown | None = None) -> bytes:
        """A field behind its length of ``width`` bytes: of opaque bytes without ``inner``. Gives its body."""
        if self.remaining < width:
            raise _Unreadable
        length = int.from_bytes(self.peek(width), "big")
        body = self.data[self.position + width : min(self.position + width + length, self.end)]
        value = "" if show is None and inner is not None else (show or hexadecimal)(body)
        if len(body) < length:
            value = f"announces {length:,} bytes, and {len(body):,} are there"
        elif not body:
            value = "empty"

        def parts(scan: Scan) -> None:
            scan.number("length", width)
            if inner is None:
                scan.rest("bytes", show or hexadecimal)
            else:
                inner(scan)

        self.node(name, width + length, parts, value)
        return body

    def each(self, inner: Grammar) -> None:
        """``inner`` again and again, until nothing is left."""
        while self.remaining:
            before = self.position
            inner(self)
            if self.position == before:
                raise _Unreadable
