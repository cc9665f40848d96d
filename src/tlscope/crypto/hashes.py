"""Hash functions and the key derivation that stands on them, one row each."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

__all__ = ["SHA256", "SHA384", "SHA512", "Hash", "RunningHmac", "equal"]


class RunningHmac(Protocol):
    """An HMAC on its way: its key is set, and it can be copied, fed and finalized (once)."""

    def copy(self) -> RunningHmac:
        """Another one that has come as far as this one."""

    def update(self, data: bytes) -> None:
        """Append data."""

    def finalize(self) -> bytes:
        """The HMAC."""


@dataclass(frozen=True, slots=True, eq=False)
class Hash:
    """A hash function: its name, and its output's length in bytes."""

    name: str
    length: int
    algorithm: hashes.HashAlgorithm
    keyed: Callable[[bytes], RunningHmac] = field(repr=False)
    """HMAC (RFC 2104) with a key. Setting the key is most of the work, so a copy serves whoever needs it again."""
    extract: Callable[[bytes, bytes], bytes] = field(repr=False)
    """HKDF-Extract (RFC 5869 section 2.2) of a salt and key material."""
    empty: bytes = field(repr=False)
    """The hash of nothing."""
    _blank: Any = field(repr=False)

    def new(self, data: bytes = b"") -> Any:
        """A running hash, with ``update``, ``copy`` and ``digest``."""
        running = self._blank.copy()  # looking a hash up by its name takes longer than hashing a message
        if data:
            running.update(data)
        return running

    def digest(self, data: bytes) -> bytes:
        """The hash of ``data``."""
        result: bytes = self.new(data).digest()
        return result

    def hmac(self, key: bytes, data: bytes) -> bytes:
        """HMAC (RFC 2104)."""
        running = self.keyed(key)
        running.update(data)
        return running.finalize()

    def expand(self, secret: bytes, info: bytes, length: int) -> bytes:
        """HKDF-Expand (RFC 5869 section 2.3) to ``length`` bytes, at most 255 times the hash's."""
        return HKDFExpand(self.algorithm, length, info).derive(secret)

    def __str__(self) -> str:
        return self.name.upper().replace("SHA", "SHA-")


def _hash(name: str, algorithm: hashes.HashAlgorithm) -> Hash:
    def keyed(key: bytes) -> RunningHmac:
        return HMAC(key, algorithm)

    extract, blank = partial(HKDF.extract, algorithm), hashlib.new(name)
    return Hash(name, algorithm.digest_size, algorithm, keyed, extract, blank.digest(), blank)


SHA256 = _hash("sha256", hashes.SHA256())
SHA384 = _hash("sha384", hashes.SHA384())
SHA512 = _hash("sha512", hashes.SHA512())


def equal(ours: bytes, theirs: bytes) -> bool:
    """Whether two byte strings are the same, in time that does not depend on where they differ."""
    return hmac.compare_digest(ours, theirs)
