"""Certificates of a trace, in a few words. They were chosen by strangers: whatever they hold, nothing here raises."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from ..trust.distinguished_name import describe_name
from ..trust.names import PeerNames
from .words import printable

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["CertificateSummary", "name_of", "summarize"]


@dataclass(frozen=True, slots=True)
class CertificateSummary:
    """What a person wants to know of a certificate. Everything is empty where it can't be read.

    ``names`` are those of the subjectAltName, or the common name where there are none; dates are in UTC.
    """

    subject: str = ""
    common_name: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None
    key: str = ""
    readable: bool = True

    @property
    def name(self) -> str:
        """The first name."""
        return self.names[0] if self.names else self.subject

    @property
    def authority(self) -> str:
        """What a CA is called."""
        return self.common_name or self.subject

    @property
    def self_signed(self) -> bool:
        """Whether it names itself as its issuer."""
        return bool(self.subject) and self.subject == self.issuer


@lru_cache(maxsize=256)
def summarize(der: bytes) -> CertificateSummary:
    """The summary of a DER certificate."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = PeerNames.of(certificate)
        return CertificateSummary(
            subject=printable(names.subject),
            common_name=printable(names.common_name or ""),
            issuer=printable(certificate.issuer.rfc4514_string()),
            names=tuple(printable(name) for name in names) or _common(names),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            key=_key(certificate),
        )
    except Exception:  # the parser has many ways to say no, and a drawing must not fail for any of them
        return CertificateSummary(readable=False)


def name_of(der: bytes) -> str:
    """A DER Name in words, as CertificateRequest carries them."""
    return printable(describe_name(der))


def _common(names: PeerNames) -> tuple[str, ...]:
    return () if names.common_name is None else (printable(names.common_name),)


def _key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {_CURVES.get(key.curve.name, key.curve.name)}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    if isinstance(key, ed448.Ed448PublicKey):
        return "Ed448"
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}"
    return type(key).__name__.removesuffix("PublicKey")


_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
