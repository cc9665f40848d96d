"""The file formats of captures: pcapng written and read, classic pcap read.

After the IETF drafts draft-ietf-opsawg-pcapng and draft-ietf-opsawg-pcap. A file may be a stranger's: every length is
checked, and what can't be read raises ``CaptureError``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = [
    "LINKTYPE_RAW",
    "CaptureError",
    "CapturedPacket",
    "KeyLogText",
    "interface_block",
    "is_capture",
    "packet_block",
    "read_capture",
    "section_block",
    "secrets_block",
]

LINKTYPE_RAW = 101
"""Packets that begin with their IP header."""

_SECTION, _INTERFACE, _SIMPLE, _ENHANCED, _SECRETS = 0x0A0D0D0A, 1, 3, 6, 10
_MAGIC = 0x1A2B3C4D
_TLS_KEY_LOG = 0x544C534B
_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
}
MOST_BLOCK = 16 * 1024 * 1024
"""Bytes of one block or packet, at most."""


class CaptureError(ValueError):
    """The file is no capture that can be read; the text says why."""


@dataclass(frozen=True, slots=True)
class CapturedPacket:
    """One packet. ``time`` is in seconds since 1970; ``link`` is the LINKTYPE of its first header."""

    time: float
    link: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyLogText:
    """A key log that a capture brings along."""

    text: str = field(repr=False)


# Writing


def _block(kind: int, body: bytes) -> bytes:
    padded = body + bytes(-len(body) % 4)
    length = struct.pack("<I", 12 + len(padded))
    return struct.pack("<I", kind) + length + padded + length


def _options(*options: tuple[int, bytes]) -> bytes:
    told = [struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options]
    return b"".join(told) + bytes(4)


def section_block(application: str) -> bytes:
    """The head of the file."""
    return _block(_SECTION, struct.pack("<IHHq", _MAGIC, 1, 0, -1) + _options((4, application.encode())))


def interface_block(link: int, name: str) -> bytes:
    """Where packets come from; their times are in microseconds."""
    return _block(_INTERFACE, struct.pack("<HHI", link, 0, 0) + _options((2, name.encode()), (9, b"\x06")))


def secrets_block(key_log: str) -> bytes:
    """A Decryption Secrets Block with a TLS key log (RFC 9850), which must come before the packets it is for."""
    text = key_log.encode("ascii")
    return _block(_SECRETS, struct.pack("<II", _TLS_KEY_LOG, len(text)) + text)


def packet_block(time: float, data: bytes, comment: str = "") -> bytes:
    """A packet of the first interface. ``time`` is in seconds since 1970."""
    micros = max(0, round(time * 1_000_000))
    head = struct.pack("<IIIII", 0, micros >> 32, micros & 0xFFFFFFFF, len(data), len(data))
    options = _options((1, comment.encode())) if comment else b""
    return _block(_ENHANCED, head + data + bytes(-len(data) % 4) + options)


# Reading


def is_capture(first: bytes) -> bool:
    """Whether a file that begins with these four bytes or more is a capture."""
    return first[:4] in _PCAP or first[:4] == b"\x0a\x0d\x0d\x0a"


def read_capture(data: bytes) -> Iterator[CapturedPacket | KeyLogText]:
    """The packets of a pcapng or pcap file, in order, and the key logs in it. Raises ``CaptureError``."""
    if data[:4] in _PCAP:
        yield from _read_pcap(data, *_PCAP[data[:4]])
    elif data[:4] == b"\x0a\x0d\x0d\x0a":
        yield from _read_pcapng(data)
    else:
        raise CaptureError("it is no capture: neither pcapng nor pcap begins like this")


def _read_pcap(data: bytes, order: str, ticks: int) -> Iterator[CapturedPacket]:
    if len(data) < 24:
        raise CaptureError("it ends in the middle of its head")
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    position = 24
    while position + 16 <= len(data):
        seconds, fraction, length, _ = struct.unpack_from(order + "IIII", data, position)
        position += 16
        if length > MOST_BLOCK:
            raise CaptureError(f"one of its packets claims {length:,} bytes")
        yield CapturedPacket(seconds + fraction / ticks, link, data[position : position + length])
        position += length


@dataclass(slots=True)
class _Interface:
    link: int
    ticks: float


def _read_pcapng(data: bytes) -> Iterator[CapturedPacket | KeyLogText]:
    order, interfaces, position = "<", list[_Interface](), 0
    while position + 12 <= len(data):
        kind = struct.unpack_from("<I", data, position)[0]
        if kind == _SECTION:
            if len(data) < position + 16:
                raise CaptureError("it ends in the middle of a section's head")
            order = "<" if struct.unpack_from("<I", data, position + 8)[0] == _MAGIC else ">"
            if struct.unpack_from(order + "I", data, position + 8)[0] != _MAGIC:
                raise CaptureError("the byte order of a section can't be told")
            interfaces = []
        kind, length = struct.unpack_from(order + "II", data, position)
        if length < 12 or length % 4 or length > MOST_BLOCK:
            raise CaptureError(f"one of its blocks claims {length:,} bytes")
        if position + length > len(data):
            return  # a capture that was cut short: what is whole was read
        body = data[position + 8 : position + length - 4]
        position += length
        if kind == _INTERFACE and len(body) >= 8:
            interfaces.append(_Interface(struct.unpack_from(order + "H", body)[0], _ticks(body[8:], order)))
        elif kind == _SECRETS and len(body) >= 8:
            what, size = struct.unpack_from(order + "II", body)
            if what == _TLS_KEY_LOG:
                yield KeyLogText(body[8 : 8 + size].decode("ascii", "replace"))
        else:
            yield from _packet(kind, body, order, interfaces)


def _packet(kind: int, body: bytes, order: str, interfaces: list[_Interface]) -> Iterator[CapturedPacket]:
    if kind == _ENHANCED and len(body) >= 20:
        number, high, low, captured, _ = struct.unpack_from(order + "IIIII", body)
        if number < len(interfaces):
            source = interfaces[number]
            yield CapturedPacket((high << 32 | low) / source.ticks, source.link, body[20 : 20 + captured])
    elif kind == _SIMPLE and len(body) >= 4 and interfaces:
        length = struct.unpack_from(order + "I", body)[0]
        yield CapturedPacket(0.0, interfaces[0].link, body[4 : 4 + length])


def _ticks(options: bytes, order: str) -> float:
    """How many units of an interface's times are a second: option if_tsresol, else a million."""
    position = 0
    while position + 4 <= len(options):
        code, length = struct.unpack_from(order + "HH", options, position)
        if code == 0:
            break
        if code == 9 and length == 1 and position + 4 < len(options):
            value = options[position + 4]
            return float(2 ** (value & 0x7F) if value & 0x80 else 10 ** min(value, 30))
        position += 4 + length + -length % 4
    return 1_000_000.0
