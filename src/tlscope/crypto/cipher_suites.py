"""Cipher suites: the AEAD that protects records and the hash that derives keys (RFC 8446 appendix B.4, RFC 5246)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from ..wire.codepoints import CipherSuite as C
from .hashes import SHA256, SHA384, Hash

__all__ = ["SUITES", "Aead", "AeadKey", "InvalidTag", "Suite"]


class AeadKey(Protocol):
    """An AEAD with its key (RFC 5116)."""

    def encrypt(self, nonce: bytes, data: Any, associated_data: Any) -> bytes:
        """Ciphertext and tag."""

    def decrypt(self, nonce: bytes, data: Any, associated_data: Any) -> bytes:
        """The plaintext. Raises ``InvalidTag``."""


@dataclass(frozen=True, slots=True, eq=False)
class Aead:
    """An AEAD algorithm. Nonces have 12 bytes.

    ``record_limit`` is how many records one key may protect before it must be changed (RFC 8446 section 5.5, rounded
    down); ``explicit_nonce`` is how many bytes of the nonce TLS 1.2 sends with each record (RFC 5288, RFC 7905).
    """

    name: str
    key_length: int
    tag_length: int
    record_limit: int
    explicit_nonce: int
    key: Callable[[bytes], AeadKey] = field(repr=False)


AES_128_GCM = Aead("AES-128-GCM", 16, 16, 1 << 24, 8, AESGCM)
AES_256_GCM = Aead("AES-256-GCM", 32, 16, 1 << 24, 8, AESGCM)
# ChaCha20-Poly1305's limit lies beyond the sequence number's; this one only keeps keys from growing old.
CHACHA20_POLY1305 = Aead("ChaCha20-Poly1305", 32, 16, 1 << 36, 0, ChaCha20Poly1305)
AES_128_CCM = Aead("AES-128-CCM", 16, 16, 1 << 23, 8, AESCCM)
AES_256_CCM = Aead("AES-256-CCM", 32, 16, 1 << 23, 8, AESCCM)
AES_128_CCM_8 = Aead("AES-128-CCM-8", 16, 8, 1 << 23, 8, lambda key: AESCCM(key, tag_length=8))


@dataclass(frozen=True, slots=True, eq=False)
class Suite:
    """One cipher suite. In TLS 1.3 ``key_exchange`` and ``authentication`` are empty: they are negotiated apart.

    In TLS 1.2 ``key_exchange`` is ``ECDHE`` or ``RSA`` and ``authentication`` is ``ECDSA`` (EdDSA keys too) or ``RSA``.
    """

    name: C
    aead: Aead
    hash: Hash
    key_exchange: str = ""
    authentication: str = ""

    @property
    def is_tls13(self) -> bool:
        """Whether it is a suite of TLS 1.3; all others are of TLS 1.2."""
        return not self.key_exchange


SUITES: dict[C, Suite] = {
    suite.name: suite
    for suite in (
        Suite(C.TLS_AES_128_GCM_SHA256, AES_128_GCM, SHA256),
        Suite(C.TLS_AES_256_GCM_SHA384, AES_256_GCM, SHA384),
        Suite(C.TLS_CHACHA20_POLY1305_SHA256, CHACHA20_POLY1305, SHA256),
        Suite(C.TLS_AES_128_CCM_SHA256, AES_128_CCM, SHA256),
        Suite(C.TLS_AES_128_CCM_8_SHA256, AES_128_CCM_8, SHA256),
        Suite(C.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, AES_128_GCM, SHA256, "ECDHE", "ECDSA"),
        Suite(C.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, AES_128_GCM, SHA256, "ECDHE", "RSA"),
        Suite(C.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, AES_256_GCM, SHA384, "ECDHE", "ECDSA"),
        Suite(C.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, AES_256_GCM, SHA384, "ECDHE", "RSA"),
        Suite(C.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, CHACHA20_POLY1305, SHA256, "ECDHE", "ECDSA"),
        Suite(C.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, CHACHA20_POLY1305, SHA256, "ECDHE", "RSA"),
        Suite(C.TLS_ECDHE_ECDSA_WITH_AES_128_CCM, AES_128_CCM, SHA256, "ECDHE", "ECDSA"),
        Suite(C.TLS_ECDHE_ECDSA_WITH_AES_256_CCM, AES_256_CCM, SHA256, "ECDHE", "ECDSA"),
        Suite(C.TLS_RSA_WITH_AES_128_GCM_SHA256, AES_128_GCM, SHA256, "RSA", "RSA"),
        Suite(C.TLS_RSA_WITH_AES_256_GCM_SHA384, AES_256_GCM, SHA384, "RSA", "RSA"),
    )
}
"""Every suite that can be spoken, by its code point."""
