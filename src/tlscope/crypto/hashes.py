"""Hash functions and the key derivation that stands on them, one row each."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

__all__ = ["SHA256", "SHA384", "SHA512", "Hash", "KeyedHash", "equal"]


class KeyedHash:
    """HMAC (RFC 2104) with its key: setting the key costs as much as two digests, so it is set once for all of them."""

    __slots__ = ("_keyed",)

    def __init__(self, algorithm: hashes.HashAlgorithm, key: bytes) -> None:
        self._keyed = HMAC(key, algorithm)

    def digest(self, data: bytes) -> bytes:
        """HMAC of ``data``."""
        running = self._keyed.copy()
        running.update(data)
        return running.finalize()

    def expand(self, info: bytes, length: int) -> bytes:
        """HKDF-Expand (RFC 5869 section 2.3) with this key as the PRK, to at most 255 times the hash's length."""
        running = self._keyed.copy()
        running.update(info + b"\1")
        output = block = running.finalize()
        counter = 1
        while len(output) < length:
            counter += 1
            block = self.digest(block + info + counter.to_bytes(1, "big"))
            output += block
        return output[:length]

    def __repr__(self) -> str:
        return "<KeyedHash (key redacted)>"


@dataclass(frozen=True, slots=True, eq=False)
class Hash:
    """A hash function: its name, and its output's length in bytes."""

    name: str
    length: int
    algorithm: hashes.HashAlgorithm

    def new(self, data: bytes = b"") -> Any:
        """A running hash, with ``update``, ``copy`` and ``digest``."""
        return hashlib.new(self.name, data)

    def digest(self, data: bytes) -> bytes:
        """The hash of ``data``."""
        return hashlib.new(self.name, data).digest()

    def hmac(self, key: bytes, data: bytes) -> bytes:
        """HMAC (RFC 2104)."""
        return hmac.digest(key, data, self.name)

    def keyed(self, key: bytes) -> KeyedHash:
        """HMAC with a key that serves more than once."""
        return KeyedHash(self.algorithm, key)

    def extract(self, salt: bytes, key_material: bytes) -> bytes:
        """HKDF-Extract (RFC 5869 section 2.2)."""
        return HKDF.extract(self.algorithm, salt, key_material)

    def expand(self, secret: bytes, info: bytes, length: int) -> bytes:
        """HKDF-Expand (RFC 5869 section 2.3) to ``length`` bytes, at most 255 times the hash's."""
        return HKDFExpand(self.algorithm, length, info).derive(secret)

    def __str__(self) -> str:
        return self.name.upper().replace("SHA", "SHA-")


SHA256 = Hash("sha256", 32, hashes.SHA256())
SHA384 = Hash("sha384", 48, hashes.SHA384())
SHA512 = Hash("sha512", 64, hashes.SHA512())


def equal(ours: bytes, theirs: bytes) -> bool:
    """Whether two byte strings are the same, in time that does not depend on where they differ."""
    return hmac.compare_digest(ours, theirs)
