"""Certificate revocation lists (RFC 5280 section 5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..errors import ConfigError
from .issue import Authority
from .keys import signature_hash

__all__ = ["CRL_LIFETIME", "REASONS", "Revocation", "make_crl"]

CRL_LIFETIME = timedelta(days=30)

REASONS: dict[str, x509.ReasonFlags] = {flag.value: flag for flag in x509.ReasonFlags if flag.value != "unspecified"}
"""The reasons for a revocation by the names of RFC 5280 section 5.3.1."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """One certificate taken back: its serial number, when, and why (a name of ``REASONS``, or nothing)."""

    serial: int
    when: datetime
    why: str = ""


def make_crl(
    authority: Authority,
    revoked: Iterable[Revocation | x509.Certificate] = (),
    *,
    number: int | None = 1,
    this_update: datetime | None = None,
    next_update: datetime | None = None,
    extra: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """A CRL in PEM, signed by the authority. Certificates count as revoked at ``this_update`` (default: an hour ago).

    ``number`` None leaves cRLNumber out, against section 5.2.3. Raises ``ConfigError`` for an unknown reason.
    """
    begins = this_update or (authority.now or datetime.now(UTC)).replace(microsecond=0) - timedelta(hours=1)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(begins)
        .next_update(next_update or begins + CRL_LIFETIME)
    )
    for one in revoked:
        entry = Revocation(one.serial_number, begins) if isinstance(one, x509.Certificate) else one
        builder = builder.add_revoked_certificate(_entry(entry))
    key: Any = authority.key
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    for value, critical in extra:
        builder = builder.add_extension(value, critical)
    return builder.sign(key, signature_hash(key)).public_bytes(Encoding.PEM)


def _entry(revocation: Revocation) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(revocation.serial).revocation_date(revocation.when)
    if revocation.why:
        if revocation.why not in REASONS:
            raise ConfigError(f"{revocation.why!r} is no reason; there are {', '.join(REASONS)}", code="crl-reason")
        builder = builder.add_extension(x509.CRLReason(REASONS[revocation.why]), critical=False)
    return builder.build()
