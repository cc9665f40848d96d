"""Keys that both sides were given beforehand, by hand or by another protocol (RFC 8446 section 2.2, RFC 9258)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .crypto.hashes import SHA256, SHA384, Hash
from .errors import ConfigError
from .wire.codec import u8, u16, vec16

__all__ = ["ExternalPsk"]

_HASHES = {"sha256": SHA256, "sha384": SHA384}
_KDF_IDS = ((SHA256, 0x0001), (SHA384, 0x0002))  # RFC 9258 section 10, HKDF_SHA256 and HKDF_SHA384
_TLS13 = 0x0304


@dataclass(frozen=True, slots=True)
class ExternalPsk:
    """A pre-shared key from outside: a name (1 to 65,535 bytes) and a secret of at least 16 bytes.

    As it is, it goes with the cipher suites of one ``hash`` (``sha256`` or ``sha384``) and should serve TLS 1.3 alone.
    ``imported`` runs it through RFC 9258's importer first: then it goes with every suite, and is bound to TLS 1.3 and to
    ``context``. Raises ``ConfigError`` where something does not fit.
    """

    identity: bytes
    secret: bytes = field(repr=False)
    hash: str = "sha256"
    imported: bool = False
    context: bytes = b""

    def __post_init__(self) -> None:
        if self.hash not in _HASHES:
            raise ConfigError(f"a PSK's hash is sha256 or sha384, not {self.hash!r}", code="psk")
        if not 1 <= len(self.identity) <= 0xFF00:
            raise ConfigError("a PSK's identity has 1 to 65,280 bytes", code="psk")
        if len(self.secret) < 16:
            raise ConfigError(f"a PSK of {len(self.secret)} bytes can be guessed; at least 16 are needed", code="psk")
        if self.context and not self.imported:
            raise ConfigError("only an imported PSK has a context (RFC 9258)", code="psk")

    @property
    def fingerprint(self) -> str:
        """Tells this key from every other, so that a session that began with it ends with it; to be kept like the key."""
        parts = vec16(self.identity) + vec16(self.context) + u8(self.imported) + vec16(self.secret)
        return f"psk:{_HASHES[self.hash].digest(parts).hex()}"

    def identity_for(self, hash: Hash) -> bytes:
        """What it is called on the wire where the cipher suite has this hash."""
        if not self.imported:
            return self.identity
        kdf = next(kdf for target, kdf in _KDF_IDS if target is hash)
        # RFC 9258 section 3.1: ImportedIdentity is external_identity, context, target_protocol and target_kdf.
        return vec16(self.identity) + vec16(self.context) + u16(_TLS13) + u16(kdf)

    def variants(self) -> Iterable[tuple[bytes, bytes, Hash]]:
        """Identity, secret and hash of each PSK that this one gives on the wire."""
        if not self.imported:
            yield self.identity, self.secret, _HASHES[self.hash]
            return
        own = _HASHES[self.hash]
        for target, _ in _KDF_IDS:
            identity = self.identity_for(target)
            yield identity, _import(own, self.secret, identity, target.length), target


def _import(hash: Hash, secret: bytes, identity: bytes, length: int) -> bytes:
    """ipskx of RFC 9258 section 5.1."""
    epskx = hash.extract(bytes(hash.length), secret)
    digest = hash.digest(identity)
    label = b"tls13 derived psk"
    info = length.to_bytes(2, "big") + bytes((len(label),)) + label + bytes((len(digest),)) + digest
    return hash.expand(epskx, info, length)
