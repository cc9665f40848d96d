"""Cursor and length-prefixed vectors: the presentation language of RFC 8446 section 3."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from struct import Struct
from typing import Any, TypeVar

__all__ = ["DecodeError", "IllegalValue", "Reader", "u8", "u16", "u24", "u32", "vec8", "vec16", "vec24"]

T = TypeVar("T")


class DecodeError(ValueError):
    """The bytes are not of the form that the RFC gives the structure; the answer is a decode_error alert."""


class IllegalValue(DecodeError):
    """The bytes have the right form but a value that is out of range; the answer is an illegal_parameter alert."""


class Reader:
    """A cursor over bytes. Each method consumes what it returns and raises ``DecodeError`` where too little is left."""

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._end = len(data)

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return self._end - self._position

    def take(self, length: int) -> bytes:
        """Exactly ``length`` bytes."""
        start = self._position
        stop = start + length
        if stop > self._end:
            raise DecodeError(f"{length} bytes are announced and {self._end - start} are there")
        self._position = stop
        return self._data[start:stop]

    def rest(self) -> bytes:
        """All that is left, possibly nothing."""
        start, self._position = self._position, self._end
        return self._data[start : self._end]

    def unpack(self, fields: Struct) -> tuple[Any, ...]:
        """Fields of fixed lengths, all at once."""
        start = self._position
        stop = start + fields.size
        if stop > self._end:
            raise DecodeError(f"{fields.size} bytes are due and {self._end - start} are there")
        self._position = stop
        return fields.unpack_from(self._data, start)

    def u8(self) -> int:
        """One byte as an integer."""
        position = self._position
        if position >= self._end:
            raise DecodeError("it ends where one more byte is due")
        self._position = position + 1
        return self._data[position]

    def u16(self) -> int:
        """Two bytes, big-endian."""
        data, position = self._data, self._position
        stop = position + 2
        if stop > self._end:
            raise DecodeError(f"2 bytes are due and {self._end - position} are there")
        self._position = stop
        return data[position] << 8 | data[position + 1]

    def u24(self) -> int:
        """Three bytes, big-endian."""
        return int.from_bytes(self.take(3), "big")

    def u32(self) -> int:
        """Four bytes, big-endian."""
        return int.from_bytes(self.take(4), "big")

    def vec8(self, least: int = 0, most: int = 0xFF) -> bytes:
        """A vector with a length of one byte, between ``least`` and ``most`` bytes long."""
        data, position = self._data, self._position
        if position < self._end:
            length = data[position]
            start = position + 1
            stop = start + length
            if stop <= self._end and least <= length <= most:
                self._position = stop
                return data[start:stop]
        raise self._bad_vector(1, least, most)

    def vec16(self, least: int = 0, most: int = 0xFFFF) -> bytes:
        """A vector with a length of two bytes, between ``least`` and ``most`` bytes long."""
        data, position = self._data, self._position
        start = position + 2
        if start <= self._end:
            length = data[position] << 8 | data[position + 1]
            stop = start + length
            if stop <= self._end and least <= length <= most:
                self._position = stop
                return data[start:stop]
        raise self._bad_vector(2, least, most)

    def vec24(self, least: int = 0, most: int = 0xFFFFFF) -> bytes:
        """A vector with a length of three bytes, between ``least`` and ``most`` bytes long."""
        data, position = self._data, self._position
        start = position + 3
        if start <= self._end:
            length = int.from_bytes(data[position:start], "big")
            stop = start + length
            if stop <= self._end and least <= length <= most:
                self._position = stop
                return data[start:stop]
        raise self._bad_vector(3, least, most)

    def _bad_vector(self, width: int, least: int, most: int) -> DecodeError:
        """Why the vector at hand can't be read."""
        start = self._position + width
        if start > self._end:
            return DecodeError(f"a length of {width} bytes is due and {self.remaining} are there")
        length = int.from_bytes(self._data[self._position : start], "big")
        if not least <= length <= most:
            return DecodeError(f"a vector of {length} bytes stands where {least} to {most} are allowed")
        return DecodeError(f"{length} bytes are announced and {self.remaining - width} are there")

    def u16s(self, width: int = 2) -> tuple[int, ...]:
        """A non-empty vector of two-byte integers whose length has ``width`` bytes (1 or 2)."""
        body = self.vec16(2) if width == 2 else self.vec8(2)
        if len(body) % 2:
            raise DecodeError("a list of two-byte values has an odd length")
        return _structs(len(body) // 2).unpack(body)

    def each(self, body: bytes, item: Callable[[Reader], T]) -> tuple[T, ...]:
        """Every item of a vector's body, in order."""
        reader = Reader(body)
        items = []
        while reader.remaining:
            items.append(item(reader))
        return tuple(items)

    def end(self) -> None:
        """Raises ``DecodeError`` where anything is left over."""
        if self._position != self._end:
            raise DecodeError(f"{self._end - self._position} bytes are left over at its end")


_known_structs: dict[int, Struct] = {}


def _structs(count: int) -> Struct:
    found = _known_structs.get(count)
    if found is None:
        found = Struct(f">{count}H")
        if count <= 128:  # a stranger's longer list must not stay in memory
            _known_structs[count] = found
    return found


def u8(value: int) -> bytes:
    """One byte."""
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    """Two bytes, big-endian."""
    return value.to_bytes(2, "big")


def u24(value: int) -> bytes:
    """Three bytes, big-endian."""
    return value.to_bytes(3, "big")


def u32(value: int) -> bytes:
    """Four bytes, big-endian."""
    return value.to_bytes(4, "big")


def vec8(body: bytes) -> bytes:
    """A vector of at most 255 bytes behind its length. Raises ``OverflowError`` for more."""
    return len(body).to_bytes(1, "big") + body


def vec16(body: bytes) -> bytes:
    """A vector of at most 65,535 bytes behind its length. Raises ``OverflowError`` for more."""
    return len(body).to_bytes(2, "big") + body


def vec24(body: bytes) -> bytes:
    """A vector of at most 16,777,215 bytes behind its length. Raises ``OverflowError`` for more."""
    return len(body).to_bytes(3, "big") + body


def u16_list(values: Iterable[int]) -> bytes:
    """Two-byte integers, one behind the other, without a length."""
    return b"".join([value.to_bytes(2, "big") for value in values])
