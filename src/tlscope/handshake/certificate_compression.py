"""Certificate compression (RFC 8879): a Certificate message on a diet, in either direction.

What a peer sends is expanded no further than it announced, and that no further than the limit on handshake messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import compression, violations
from ..errors import PeerViolation
from ..wire.codepoints import CertificateCompressionAlgorithm as Algorithm
from ..wire.handshake import Certificate, CompressedCertificate

if TYPE_CHECKING:
    from .driver import Handshake

__all__ = ["compress", "decompress"]


def compress(
    hs: Handshake, message: Certificate, offered: Sequence[Algorithm] | None
) -> Certificate | CompressedCertificate:
    """The message compressed with our first algorithm that the peer offers; itself where there is none, or no gain."""
    if not offered or not message.certificate_list:
        return message
    for algorithm in hs.config.certificate_compression:
        if algorithm in offered:
            body = message.encode()[4:]
            small = compression.compress(algorithm, body)
            if len(small) >= len(body):
                break
            hs.note("certificate_compression", algorithm, f"{len(body)} bytes become {len(small)}", offered)
            return CompressedCertificate(algorithm, len(body), small)
    return message


def decompress(hs: Handshake, message: CompressedCertificate) -> Certificate:
    """The Certificate inside. Raises ``PeerViolation`` for an algorithm not offered, or a length that does not hold."""
    if message.algorithm not in hs.config.certificate_compression:
        raise PeerViolation(violations.UNOFFERED_COMPRESSION, received=message.algorithm)
    bound, limit = message.uncompressed_length, hs.config.limits.max_handshake_message
    if bound > limit:
        raise PeerViolation(
            violations.BAD_COMPRESSED_CERTIFICATE,
            problem=f"it announces {bound} bytes; Limits.max_handshake_message allows {limit}",
        )
    try:
        body = compression.expand(message.algorithm, message.compressed_certificate_message, bound)
    except compression.Corrupt as problem:
        raise PeerViolation(violations.BAD_COMPRESSED_CERTIFICATE, problem=problem) from None
    if len(body) != bound:
        more = "more than" if len(body) > bound else f"{len(body)} and not"
        raise PeerViolation(
            violations.BAD_COMPRESSED_CERTIFICATE, problem=f"it expands to {more} the {bound} bytes announced"
        )
    return Certificate.decode(body)
