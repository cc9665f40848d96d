"""Finite-field groups (RFC 7919): Diffie-Hellman modulo a safe prime, for peers that have no curve.

``cryptography`` has deprecated them and says so once to whoever configures one; they are in no default.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.utils import CryptographyDeprecationWarning

with warnings.catch_warnings():
    # These groups are off unless asked for; whoever asks needs no warning on standard error at each handshake.
    warnings.simplefilter("ignore", CryptographyDeprecationWarning)
    from cryptography.hazmat.primitives.asymmetric.dh import DHParameterNumbers, DHPrivateNumbers, DHPublicNumbers

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import dh

__all__ = ["LENGTHS", "exchange", "from_private", "generate", "prime", "public_bytes"]

# RFC 7919 appendix A: the prime of b bits is 2^b - 2^(b-64) + (floor(2^(b-130) * e) + X) * 2^64 - 1, with these X.
_X = {2048: 560316, 3072: 2625351}
LENGTHS = {bits: bits // 8 for bits in _X}
"""Bytes in a public key and in a shared secret, by the prime's bits."""


@lru_cache(maxsize=4)
def prime(bits: int) -> int:
    """The prime of ffdhe2048 or ffdhe3072."""
    return (1 << bits) - (1 << (bits - 64)) + ((_e_times_power_of_two(bits - 130) + _X[bits]) << 64) - 1


def _e_times_power_of_two(power: int) -> int:
    """floor(2^power * e), from the series of 1/k! with 64 bits to spare."""
    term = total = 1 << (power + 64)
    k = 1
    while term:
        term //= k
        total += term
        k += 1
    return total >> 64


@lru_cache(maxsize=4)
def _parameters(bits: int) -> dh.DHParameters:
    return DHParameterNumbers(prime(bits), 2).parameters()


def generate(bits: int) -> dh.DHPrivateKey:
    """A fresh private key."""
    return _parameters(bits).generate_private_key()


def from_private(data: bytes, bits: int) -> dh.DHPrivateKey:
    """The private key with this big-endian exponent, for known-answer tests."""
    x = int.from_bytes(data, "big")
    numbers = DHPublicNumbers(pow(2, x, prime(bits)), DHParameterNumbers(prime(bits), 2))
    return DHPrivateNumbers(x, numbers).private_key()


def public_bytes(key: dh.DHPrivateKey, bits: int) -> bytes:
    """The public key as RFC 8446 section 4.2.8.1 sends it: big-endian, as long as the prime."""
    return key.public_key().public_numbers().y.to_bytes(LENGTHS[bits], "big")


def exchange(key: dh.DHPrivateKey, peer: bytes, bits: int) -> bytes:
    """The shared secret, as long as the prime (section 7.4.1). Raises ``ValueError`` for a key out of range."""
    y = int.from_bytes(peer, "big")
    if not 1 < y < prime(bits) - 1:
        raise ValueError("it is not between 1 and p - 1")
    numbers = DHPublicNumbers(y, DHParameterNumbers(prime(bits), 2))
    return key.exchange(numbers.public_key()).rjust(LENGTHS[bits], b"\0")
