"""A DER Name, as CertificateRequest carries it, in words (RFC 5280 section 4.1.2.4, RFC 4514)."""

from __future__ import annotations

from functools import lru_cache

from .der import DERError, children
from .names import shown

__all__ = ["describe_name"]

_SHORT = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "1.2.840.113549.1.9.1": "emailAddress",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
}

_UTF16 = 0x1E  # BMPString


@lru_cache(maxsize=512)
def describe_name(name: bytes) -> str:
    """The name's parts, the last one first, as RFC 4514 has it; the bytes in hexadecimal where it is no Name."""
    try:
        parts = [_relative(content) for _, content in children(name)]
    except (DERError, UnicodeError, IndexError, ValueError):
        return shown(name.hex())
    return shown(",".join(reversed(parts))) or "an empty name"


def _relative(content: bytes) -> str:
    attributes = []
    # A SET of attributes, mostly of one: the SEQUENCE's tag in front makes it readable by the same function.
    for _, attribute in children(_sequence(content)):
        (_, oid), (tag, value) = children(_sequence(attribute))
        dotted = _dotted(oid)
        text = value.decode("utf-16-be" if tag == _UTF16 else "utf-8", "replace")
        attributes.append(f"{_SHORT.get(dotted, dotted)}={text}")
    return "+".join(attributes)


def _sequence(content: bytes) -> bytes:
    length = len(content)
    size = length.to_bytes(4, "big").lstrip(b"\0")
    return b"\x30" + (bytes((length,)) if length < 0x80 else bytes((0x80 | len(size),)) + size) + content


def _dotted(oid: bytes) -> str:
    arcs, value = [], 0
    for byte in oid:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
