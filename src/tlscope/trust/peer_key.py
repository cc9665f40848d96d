"""The public key in a peer's certificate, ready to check a signature of the handshake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography import x509

from ..crypto import signatures
from ..crypto.key_transport import rsa_encrypt
from ..wire.codepoints import SignatureScheme
from .identity import RSASSA_PSS
from .rules import KEY_USAGES

if TYPE_CHECKING:
    from .verify import VerifiedPeer

__all__ = ["PeerKey", "UnreadableCertificate", "WrongKeyUsage"]


class UnreadableCertificate(ValueError):
    """What the peer calls a certificate is none."""


class WrongKeyUsage(ValueError):
    """The certificate's keyUsage does not let its key do what it is needed for."""


class PeerKey:
    """A certificate's public key: which schemes it can make, and whether a signature fits."""

    __slots__ = ("_key", "_pss_only", "kind")

    def __init__(self, key: Any, *, pss_only: bool = False) -> None:
        self._key = key
        self._pss_only = pss_only
        self.kind = signatures.key_kind(key, pss_only=pss_only)
        """As ``crypto.signatures.key_kind`` names it: ``ec:secp256r1``, ``rsa``, ``rsa-pss``, ``ed25519``, ..."""
        if not self.kind:
            raise ValueError(f"no signature scheme of TLS uses a key of type {type(key).__name__}")

    @classmethod
    def from_certificate(cls, certificate: x509.Certificate | bytes, key_usage: str = "") -> PeerKey:
        """The key of a certificate, parsed or DER, that nobody verifies.

        ``key_usage`` is the bit that a keyUsage must have, if there is one. Raises ``ValueError`` for a key that can't
        be used: ``UnreadableCertificate`` where the certificate is at fault, ``WrongKeyUsage`` where the bit is missing.
        """
        try:
            if isinstance(certificate, bytes):
                certificate = x509.load_der_x509_certificate(certificate)
            pss_only = certificate.public_key_algorithm_oid == RSASSA_PSS
            extensions = certificate.extensions if key_usage else ()
        except Exception as problem:  # unknown algorithms have errors of their own, all mean the same here
            raise UnreadableCertificate(str(problem) or type(problem).__name__) from problem
        try:
            key = certificate.public_key()
        except Exception as problem:
            raise ValueError(str(problem) or type(problem).__name__) from problem
        for extension in extensions:
            if isinstance(extension.value, x509.KeyUsage) and not getattr(extension.value, KEY_USAGES[key_usage]):
                raise WrongKeyUsage(key_usage)
        return cls(key, pss_only=pss_only)

    @classmethod
    def of(cls, peer: VerifiedPeer) -> PeerKey:
        """The key of a peer whose chain was accepted. Raises ``ValueError`` for one that TLS has no signatures for."""
        return cls(peer.public_key, pss_only=peer.pss_only)

    def __str__(self) -> str:
        return signatures.describe_key(self._key, pss_only=self._pss_only)

    def can_make(self, scheme: SignatureScheme, *, tls13: bool = True) -> bool:
        """Whether a key of this kind makes signatures of this scheme."""
        row = signatures.SCHEMES.get(scheme)
        if row is not None and tls13:
            return row.in_tls13 and row.key_kind == self.kind
        return scheme in signatures.schemes_for(self._key, pss_only=self._pss_only, tls13=tls13)

    def fits(self, scheme: SignatureScheme, signature: bytes, data: bytes) -> bool:
        """Whether ``signature`` over ``data`` was made with this key's private half."""
        try:
            signatures.verify(self._key, scheme, signature, data)
        except (signatures.InvalidSignature, ValueError):
            return False
        return True

    def encrypt_premaster_secret(self, secret: bytes) -> bytes:
        """RSAES-PKCS1-v1_5 to this key (RFC 5246 section 7.4.7.1). Raises ``ValueError`` for a key that is not RSA."""
        return rsa_encrypt(self._key, secret)
