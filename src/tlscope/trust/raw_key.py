"""Raw public keys instead of certificates (RFC 7250): trusted because they are known, not because of who signed them."""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from ..crypto.signatures import key_kind, schemes_for
from ..errors import ConfigError
from .identity import Identity
from .names import PeerNames
from .peer_key import PeerKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from ..wire.codepoints import SignatureScheme

__all__ = ["RawKeyIdentity", "key_fingerprint", "read_raw_key"]


def key_fingerprint(public_key: bytes) -> str:
    """SHA-256 of a SubjectPublicKeyInfo in hexadecimal."""
    return sha256(public_key).hexdigest()


def read_raw_key(public_key: bytes) -> PeerKey:
    """The key in a DER SubjectPublicKeyInfo. Raises ``ValueError`` for one that can't be read or used."""
    try:
        key = load_der_public_key(public_key)
    except Exception as problem:  # unknown algorithms have errors of their own, all mean the same here
        raise ValueError(str(problem) or type(problem).__name__) from problem
    return PeerKey(key)


class RawKeyIdentity(Identity):
    """An identity that is a key pair and nothing else: its ``chain`` is one SubjectPublicKeyInfo (DER)."""

    @classmethod
    def from_key(cls, key: PrivateKeyTypes) -> RawKeyIdentity:
        """From a private key that ``cryptography`` has loaded. Raises ``ConfigError`` for a kind that TLS has no use for."""
        schemes = schemes_for(key)
        if not schemes:
            raise ConfigError(f"no signature scheme of TLS uses a key of type {type(key).__name__}", code="key-kind")
        public: Any = key.public_key()
        info: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        label = f"raw public key {key_fingerprint(info)[:16]}"
        return cls((info,), (), key, schemes, PeerNames(), frozenset(), label)

    @property
    def public_key(self) -> bytes:
        """The SubjectPublicKeyInfo (DER): what the peer must have in ``trusted_raw_keys``."""
        return self.chain[0]

    def serves(self, server_name: str) -> bool:
        """A raw key has no names, so it serves whoever knows it."""
        return True

    @cached_property
    def key_kind(self) -> str:
        """As for any identity."""
        return key_kind(self.key)

    @cached_property
    def schemes_12(self) -> tuple[SignatureScheme, ...]:
        """None: raw keys are for TLS 1.3 here."""
        return ()

    @cached_property
    def chain_schemes(self) -> frozenset[SignatureScheme]:
        """None: nobody signed it."""
        return frozenset()

    @cached_property
    def may_decrypt(self) -> bool:
        """Never: raw keys are for TLS 1.3 here."""
        return False

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo in hexadecimal."""
        return key_fingerprint(self.public_key)

    def __repr__(self) -> str:
        return f"<RawKeyIdentity {self.fingerprint[:16]}, {self.key_kind}>"
