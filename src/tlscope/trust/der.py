"""The few bytes of DER that have to be read, or put together, as they stand (X.690).

``cryptography`` parses certificates. Two things it can't give back unchanged: the Names exactly as they were encoded,
which RFC 8446 section 4.2.4 compares and sends as bytes, and the serial number of a certificate that it refuses, or
warns on the process's standard error, to load.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = [
    "DERError",
    "TBSCertificate",
    "bit_string",
    "children",
    "elements",
    "read_serial",
    "read_tbs_certificate",
    "sequence",
    "sequences",
]

_INTEGER = 0x02
_BIT_STRING = 0x03
_SEQUENCE = 0x30
_VERSION = 0xA0


class DERError(ValueError):
    """The bytes are not the DER that was looked for."""


class TBSCertificate(NamedTuple):
    """The fields of RFC 5280 section 4.1.2 that are wanted as bytes, each with its tag."""

    issuer: bytes
    subject: bytes


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """The tag at ``at``, and where its contents start and end. Raises ``DERError`` unless all of them are there."""
    try:
        tag, first = data[at], data[at + 1]
    except IndexError:
        raise DERError("the data ends inside a header") from None
    start = at + 2
    if first < 0x80:
        length = first
    else:
        octets = first & 0x7F
        if not 1 <= octets <= 4:
            raise DERError("a length of no octets or of more than four")
        length = int.from_bytes(data[start : start + octets], "big")
        start += octets
    end = start + length
    if end > len(data):
        raise DERError("the data ends before its stated length")
    return tag, start, end


def sequences(data: bytes) -> list[bytes]:
    """The SEQUENCEs that stand one behind the other, headers included. Raises ``DERError`` where something else does."""
    found = []
    while data:
        tag, _, end = _header(data, 0)
        if tag != _SEQUENCE:
            raise DERError("not a SEQUENCE")
        found.append(data[:end])
        data = data[end:]
    return found


def _inside(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Of each element of the SEQUENCE that ``data`` is: its tag, where it, its contents and what follows it begin."""
    tag, at, end = _header(data, 0)
    if tag != _SEQUENCE or end != len(data):
        raise DERError("not one SEQUENCE")
    while at < end:
        tag, start, stop = _header(data, at)
        if stop > end:
            raise DERError("an element is longer than its SEQUENCE")
        yield tag, at, start, stop
        at = stop


def children(data: bytes) -> list[tuple[int, bytes]]:
    """The tag and contents of each element of the SEQUENCE that ``data`` is. Raises ``DERError`` where it isn't one."""
    return [(tag, data[start:stop]) for tag, _, start, stop in _inside(data)]


def elements(data: bytes) -> list[bytes]:
    """The elements of the SEQUENCE that ``data`` is, each with its tag. Raises ``DERError`` where it isn't one."""
    return [data[at:stop] for _, at, _, stop in _inside(data)]


def sequence(*parts: bytes) -> bytes:
    """The SEQUENCE of these elements."""
    return _element(_SEQUENCE, b"".join(parts))


def bit_string(content: bytes) -> bytes:
    """The BIT STRING of these bytes."""
    return _element(_BIT_STRING, b"\0" + content)


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def read_serial(certificate: bytes) -> bytes:
    """The contents of a DER certificate's serial number. Raises ``DERError``."""
    _, at, _ = _header(certificate, 0)
    _, at, _ = _header(certificate, at)
    tag, start, end = _header(certificate, at)
    if tag == _VERSION:
        tag, start, end = _header(certificate, end)
    if tag != _INTEGER:
        raise DERError("a serial number is an INTEGER")
    return certificate[start:end]


def read_tbs_certificate(certificate: bytes) -> TBSCertificate:
    """The issuer and subject of a DER certificate as bytes. Raises ``DERError``."""
    tag, at, _ = _header(certificate, 0)
    if tag != _SEQUENCE:
        raise DERError("a certificate is a SEQUENCE")
    tag, at, _ = _header(certificate, at)
    if tag != _SEQUENCE:
        raise DERError("a TBSCertificate is a SEQUENCE")
    tag, _, end = _header(certificate, at)
    if tag == _VERSION:
        _, _, end = _header(certificate, end)
    _, _, at = _header(certificate, end)  # signature
    names = []
    for skip_validity in (True, False):
        tag, _, end = _header(certificate, at)
        if tag != _SEQUENCE:
            raise DERError("a Name is a SEQUENCE")
        names.append(certificate[at:end])
        if skip_validity:
            _, _, at = _header(certificate, end)
    return TBSCertificate(*names)
