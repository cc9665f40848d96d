"""The key derivation of TLS 1.2 (RFC 5246 sections 5, 6.3 and 8.1; RFC 7627)."""

from __future__ import annotations

from ..crypto.cipher_suites import Suite
from ..crypto.hashes import Hash, RunningHmac

__all__ = ["VERIFY_DATA_LENGTH", "ConnectionKeys", "MasterSecret12", "prf"]

VERIFY_DATA_LENGTH = 12
"""Bytes in the verify_data of a Finished (RFC 5246 section 7.4.9)."""


def prf(hash: Hash, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """PRF(secret, label, seed) to ``length`` bytes: P_hash with the cipher suite's hash (RFC 5246 section 5)."""
    return _p_hash(hash.keyed(secret), label + seed, length)


def _p_hash(keyed: RunningHmac, seed: bytes, length: int) -> bytes:
    output, a = b"", seed
    while len(output) < length:
        running = keyed.copy()
        running.update(a)
        a = running.finalize()
        running = keyed.copy()
        running.update(a + seed)
        output += running.finalize()
    return output[:length]


class ConnectionKeys:
    """What the key block is cut into: each direction's key and the part of its nonces that is not sent."""

    __slots__ = ("client_iv", "client_key", "server_iv", "server_key")

    def __init__(self, block: bytes, key_length: int, iv_length: int) -> None:
        self.client_key, block = block[:key_length], block[key_length:]
        self.server_key, block = block[:key_length], block[key_length:]
        self.client_iv, self.server_iv = block[:iv_length], block[iv_length : 2 * iv_length]

    def __repr__(self) -> str:
        return "<ConnectionKeys (redacted)>"


class MasterSecret12:
    """The master secret of 48 bytes, and all that comes from it."""

    __slots__ = ("_keyed", "_randoms", "_reversed", "_secret", "_suite")

    def __init__(self, suite: Suite, secret: bytes, client_random: bytes, server_random: bytes) -> None:
        self._suite = suite
        self._secret = secret
        self._keyed = suite.hash.keyed(secret)
        self._randoms = client_random + server_random
        self._reversed = server_random + client_random

    @classmethod
    def extended(
        cls, suite: Suite, premaster: bytes, session_hash: bytes, client_random: bytes, server_random: bytes
    ) -> MasterSecret12:
        """Bound to the whole handshake up to ClientKeyExchange (RFC 7627 section 4)."""
        secret = prf(suite.hash, premaster, b"extended master secret", session_hash, 48)
        return cls(suite, secret, client_random, server_random)

    @classmethod
    def plain(cls, suite: Suite, premaster: bytes, client_random: bytes, server_random: bytes) -> MasterSecret12:
        """Bound to the two randoms alone (RFC 5246 section 8.1)."""
        secret = prf(suite.hash, premaster, b"master secret", client_random + server_random, 48)
        return cls(suite, secret, client_random, server_random)

    @property
    def secret(self) -> bytes:
        """The secret itself, for the key log and for sessions."""
        return self._secret

    def keys(self) -> ConnectionKeys:
        """The key block, cut up (RFC 5246 section 6.3)."""
        aead = self._suite.aead
        iv_length = 12 - aead.explicit_nonce
        block = _p_hash(self._keyed, b"key expansion" + self._reversed, 2 * (aead.key_length + iv_length))
        return ConnectionKeys(block, aead.key_length, iv_length)

    def finished(self, sender: str, transcript_hash: bytes) -> bytes:
        """verify_data of the Finished of ``client`` or ``server`` (RFC 5246 section 7.4.9)."""
        return _p_hash(self._keyed, sender.encode() + b" finished" + transcript_hash, VERIFY_DATA_LENGTH)

    def export(self, label: bytes, context: bytes | None, length: int) -> bytes:
        """Keying material (RFC 5705 section 4); no context and an empty one are not the same here."""
        seed = self._randoms
        if context is not None:
            seed += len(context).to_bytes(2, "big") + context
        return _p_hash(self._keyed, label + seed, length)

    def __repr__(self) -> str:
        return "<MasterSecret12 (redacted)>"
