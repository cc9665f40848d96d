"""The key schedule of TLS 1.3 (RFC 8446 section 7.1), one class a stage, each holding only its own secret.

    0 or PSK  ─► EarlySecret ─► HandshakeSecret ─► MasterSecret
                                     ▲ (EC)DHE          ▲ 0

A stage is left by asking it for the next one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ..crypto.cipher_suites import Suite
from ..crypto.hashes import Hash, RunningHmac

__all__ = [
    "EarlySecret",
    "ExporterSecret",
    "HandshakeSecret",
    "MasterSecret",
    "TrafficKeys",
    "TrafficSecret",
    "expand_label",
]


def _info(length: int, label: bytes, context_length: int) -> bytes:
    """An HkdfLabel (section 7.1) up to where its context stands."""
    full = b"tls13 " + label
    return b"%b%c%b%c" % (length.to_bytes(2, "big"), len(full), full, context_length)


_Infos = dict[int, bytes]
"""An HkdfLabel less its context, by the hash's length."""


def _infos(label: bytes, *, context: bool = True) -> _Infos:
    """For as many bytes as the hash has; with a transcript hash as its context, or with none."""
    return {length: _info(length, label, length if context else 0) for length in (32, 48, 64)}


_DERIVED, _FINISHED = _infos(b"derived"), _infos(b"finished", context=False)
_BINDERS = {label: _infos(label) for label in (b"res binder", b"ext binder", b"imp binder")}
_CLIENT_EARLY, _EARLY_EXPORTER = _infos(b"c e traffic"), _infos(b"e exp master")
_CLIENT_HANDSHAKE, _SERVER_HANDSHAKE = _infos(b"c hs traffic"), _infos(b"s hs traffic")
_CLIENT_APPLICATION, _SERVER_APPLICATION = _infos(b"c ap traffic"), _infos(b"s ap traffic")
_EXPORTER, _RESUMPTION = _infos(b"exp master"), _infos(b"res master")
_UPDATE = _infos(b"traffic upd", context=False)
# With the byte that HKDF-Expand puts behind its first block's info (RFC 5869 section 2.3).
_KEYS = {length: _info(length, b"key", 0) + b"\1" for length in (16, 32)}
_IV = _info(12, b"iv", 0) + b"\1"


def expand_label(hash: Hash, secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """HKDF-Expand-Label (section 7.1) to ``length`` bytes."""
    info = _info(length, label, len(context)) + context
    if length > hash.length:
        return hash.expand(secret, info, length)
    return hash.hmac(secret, info + b"\1")[:length]


@lru_cache(maxsize=8)
def _early_without_psk(hash: Hash) -> bytes:
    return hash.extract(bytes(hash.length), bytes(hash.length))


@lru_cache(maxsize=8)
def _derived_without_psk(hash: Hash) -> bytes:
    return expand_label(hash, _early_without_psk(hash), b"derived", hash.empty, hash.length)


class _Stage:
    __slots__ = ("_hash", "_keyed", "_secret")

    def __init__(self, hash: Hash, secret: bytes) -> None:
        self._hash = hash
        self._secret = secret
        self._keyed: RunningHmac | None = hash.keyed(secret)

    def _derive(self, label: _Infos, transcript_hash: bytes) -> bytes:
        """Derive-Secret (section 7.1), whose messages are hashed already."""
        # As long as the hash, it is HKDF-Expand's first block.
        keyed, hash = self._keyed, self._hash
        running = hash.keyed(self._secret) if keyed is None else keyed.copy()
        running.update(label[hash.length] + transcript_hash + b"\1")
        return running.finalize()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} (redacted)>"


class TrafficKeys(NamedTuple):
    """The key and the IV of one direction (section 7.3)."""

    key: bytes
    iv: bytes

    def __repr__(self) -> str:
        return "<TrafficKeys (redacted)>"


class TrafficSecret(_Stage):
    """A secret from which one direction's keys come; ``suite`` is the cipher suite that it serves.

    One that is ``lasting`` stays with the connection, where it may never be needed again, so it does not stay keyed.
    """

    __slots__ = ("suite",)

    def __init__(self, suite: Suite, secret: bytes, *, lasting: bool = True) -> None:
        self.suite = suite
        self._hash = suite.hash
        self._secret = secret
        self._keyed = None if lasting else suite.hash.keyed(secret)

    @property
    def secret(self) -> bytes:
        """The secret itself, for the key log."""
        return self._secret

    def keys(self) -> TrafficKeys:
        """Key and IV (section 7.3)."""
        return TrafficKeys(*self.key_and_iv())

    def key_and_iv(self) -> tuple[bytes, bytes]:
        """The same for who uses them at once and shows them to nobody."""
        # Neither is longer than the hash, so each is cut from HKDF-Expand's first block.
        keyed = self._keyed
        for_key = self._hash.keyed(self._secret) if keyed is None else keyed.copy()
        for_iv, length = for_key.copy(), self.suite.aead.key_length
        for_key.update(_KEYS[length])
        for_iv.update(_IV)
        return for_key.finalize()[:length], for_iv.finalize()[:12]

    def updated(self) -> TrafficSecret:
        """application_traffic_secret_N+1 (section 7.2)."""
        return TrafficSecret(self.suite, self._derive(_UPDATE, b""))

    def finished(self, transcript_hash: bytes) -> bytes:
        """verify_data of the Finished that this secret's sender sends (section 4.4.4)."""
        running = self._hash.keyed(self._derive(_FINISHED, b""))
        running.update(transcript_hash)
        return running.finalize()


class EarlySecret(_Stage):
    """From the PSK, or from zeros."""

    __slots__ = ()

    def __init__(self, hash: Hash, psk: bytes | None = None) -> None:
        self._hash = hash
        self._secret = _early_without_psk(hash) if psk is None else hash.extract(bytes(hash.length), psk)
        self._keyed = None if psk is None else hash.keyed(self._secret)

    def binder(self, label: bytes, transcript_hash: bytes) -> bytes:
        """A PSK binder (section 4.2.11.2). ``label`` is ``res binder``, ``ext binder`` or ``imp binder``."""
        hash = self._hash
        binder_key = self._derive(_BINDERS[label], hash.empty)
        return hash.hmac(hash.hmac(binder_key, _FINISHED[hash.length] + b"\1"), transcript_hash)

    def client_early_traffic(self, suite: Suite, transcript_hash: bytes) -> TrafficSecret:
        """client_early_traffic_secret, over ClientHello."""
        return TrafficSecret(suite, self._derive(_CLIENT_EARLY, transcript_hash))

    def early_exporter(self, transcript_hash: bytes) -> ExporterSecret:
        """early_exporter_master_secret, over ClientHello."""
        return ExporterSecret(self._hash, self._derive(_EARLY_EXPORTER, transcript_hash))

    def handshake(self, suite: Suite, shared_secret: bytes | None) -> HandshakeSecret:
        """The next stage, with the (EC)DHE secret, or None in a PSK-only handshake."""
        material = bytes(self._hash.length) if shared_secret is None else shared_secret
        # Without a PSK the salt is the same in every handshake.
        hash = self._hash
        salt = _derived_without_psk(hash) if self._keyed is None else self._derive(_DERIVED, hash.empty)
        return HandshakeSecret(suite, hash.extract(salt, material))


class HandshakeSecret(_Stage):
    """From the early secret and the (EC)DHE shared secret."""

    __slots__ = ("_suite",)

    def __init__(self, suite: Suite, secret: bytes) -> None:
        self._suite, self._hash = suite, suite.hash
        self._secret = secret
        self._keyed = suite.hash.keyed(secret)

    def client_traffic(self, transcript_hash: bytes) -> TrafficSecret:
        """client_handshake_traffic_secret, over ClientHello...ServerHello."""
        return TrafficSecret(self._suite, self._derive(_CLIENT_HANDSHAKE, transcript_hash), lasting=False)

    def server_traffic(self, transcript_hash: bytes) -> TrafficSecret:
        """server_handshake_traffic_secret, over ClientHello...ServerHello."""
        return TrafficSecret(self._suite, self._derive(_SERVER_HANDSHAKE, transcript_hash), lasting=False)

    def master(self) -> MasterSecret:
        """The next stage."""
        salt = self._derive(_DERIVED, self._hash.empty)
        return MasterSecret(self._suite, self._hash.extract(salt, bytes(self._hash.length)))


class MasterSecret(_Stage):
    """From the handshake secret."""

    __slots__ = ("_suite",)

    def __init__(self, suite: Suite, secret: bytes) -> None:
        self._suite, self._hash = suite, suite.hash
        self._secret = secret
        self._keyed = suite.hash.keyed(secret)

    def client_traffic(self, transcript_hash: bytes) -> TrafficSecret:
        """client_application_traffic_secret_0, over ClientHello...server Finished."""
        return TrafficSecret(self._suite, self._derive(_CLIENT_APPLICATION, transcript_hash))

    def server_traffic(self, transcript_hash: bytes) -> TrafficSecret:
        """server_application_traffic_secret_0, over ClientHello...server Finished."""
        return TrafficSecret(self._suite, self._derive(_SERVER_APPLICATION, transcript_hash))

    def exporter(self, transcript_hash: bytes) -> ExporterSecret:
        """exporter_master_secret, over ClientHello...server Finished."""
        return ExporterSecret(self._hash, self._derive(_EXPORTER, transcript_hash))

    def resumption(self, transcript_hash: bytes) -> bytes:
        """resumption_master_secret, over ClientHello...client Finished."""
        return self._derive(_RESUMPTION, transcript_hash)


def resumption_psk(hash: Hash, resumption_master_secret: bytes, ticket_nonce: bytes) -> bytes:
    """The PSK that belongs to a ticket (section 4.6.1)."""
    return expand_label(hash, resumption_master_secret, b"resumption", ticket_nonce, hash.length)


class ExporterSecret(_Stage):
    """What exporters start from (section 7.5)."""

    __slots__ = ()

    def __init__(self, hash: Hash, secret: bytes) -> None:
        self._hash = hash
        self._secret = secret
        self._keyed = None

    @property
    def secret(self) -> bytes:
        """The secret itself, for the key log."""
        return self._secret

    def export(self, label: bytes, context: bytes | None, length: int) -> bytes:
        """``length`` bytes of keying material (at most 255 hashes); no context is an empty one (section 7.5)."""
        hash = self._hash
        secret = expand_label(hash, self._secret, label, hash.empty, hash.length)
        return expand_label(hash, secret, b"exporter", hash.digest(context or b""), length)
