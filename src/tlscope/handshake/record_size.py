"""How long records may be: record_size_limit (RFC 8449), and max_fragment_length from those who still send it (RFC 6066).

A limit counts, in TLS 1.3, the content type's byte and the padding too, which is why one is taken off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import violations
from ..errors import PeerViolation
from ..wire import extensions as x
from ..wire.codepoints import ProtocolVersion
from ..wire.extensions import Extensions
from ..wire.records import MAX_PLAINTEXT

if TYPE_CHECKING:
    from .driver import Handshake

__all__ = ["answer_items", "heed_peer"]

_LEAST = 64


def answer_items(hs: Handshake, hello: Extensions) -> list[tuple[int, bytes]]:
    """The server's answer to whichever of the two extensions the client sent; both sides' limits hold from here on."""
    limit = heed_peer(hs, hello)
    if limit is not None:
        ours = hs.config.record_size_limit or MAX_PLAINTEXT + (hs.version is ProtocolVersion.TLS1_3)
        _receive_at_most(hs, ours)
        return [x.RECORD_SIZE_LIMIT(ours)]
    code = hello.get(x.MAX_FRAGMENT_LENGTH)
    if code is None:
        return []
    if not 1 <= code <= 4:
        raise PeerViolation(violations.BAD_RECORD_SIZE_LIMIT, problem=f"max_fragment_length has the value {code}")
    length = 1 << (8 + code)
    hs.records.max_fragment = min(hs.records.max_fragment, length)
    hs.records.receive_limit = length
    hs.note("max_fragment_length", length, "the client asks for it", rfc="RFC 6066 section 4")
    return [x.MAX_FRAGMENT_LENGTH(code)]


def heed_peer(hs: Handshake, extensions: Extensions) -> int | None:
    """Send no longer records than the peer's record_size_limit allows; gives it, None where it said nothing."""
    limit = extensions.get(x.RECORD_SIZE_LIMIT)
    if limit is None:
        return None
    if limit < _LEAST:
        raise PeerViolation(violations.BAD_RECORD_SIZE_LIMIT, problem=f"it is {limit}, and at least 64 is allowed")
    tls13 = hs.version is ProtocolVersion.TLS1_3
    hs.records.max_fragment = min(hs.records.max_fragment, limit - tls13)
    hs.note("record_size_limit", limit, "the peer takes no longer records", rfc="RFC 8449 section 4")
    if hs.role == "client" and hs.config.record_size_limit is not None:
        _receive_at_most(hs, hs.config.record_size_limit)
    return limit


def _receive_at_most(hs: Handshake, limit: int) -> None:
    hs.records.receive_limit = min(MAX_PLAINTEXT, limit - (hs.version is ProtocolVersion.TLS1_3))
