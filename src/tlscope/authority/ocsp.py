"""OCSP responses (RFC 6960), to be stapled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ..errors import ConfigError
from .issue import Authority, Issued
from .keys import signature_hash

__all__ = ["OCSP_LIFETIME", "make_ocsp_response"]

OCSP_LIFETIME = timedelta(days=7)

_STATUS = {
    "good": ocsp.OCSPCertStatus.GOOD,
    "revoked": ocsp.OCSPCertStatus.REVOKED,
    "unknown": ocsp.OCSPCertStatus.UNKNOWN,
}


def make_ocsp_response(
    authority: Authority,
    certificate: x509.Certificate,
    status: str = "good",
    *,
    responder: Issued | None = None,
    this_update: datetime | None = None,
    next_update: datetime | None = None,
    revoked_at: datetime | None = None,
    why: x509.ReasonFlags | None = None,
) -> bytes:
    """The DER OCSPResponse that says ``good``, ``revoked`` or ``unknown`` of a certificate that the authority issued.

    ``responder`` signs in its stead (section 4.2.2.2). ``this_update`` is an hour ago unless it's given.
    """
    if status not in _STATUS:
        raise ConfigError(f"{status!r} is no OCSP status; there are {', '.join(_STATUS)}", code="ocsp-status")
    begins = this_update or (authority.now or datetime.now(UTC)).replace(microsecond=0) - timedelta(hours=1)
    signer: Any = authority.key if responder is None else responder.key
    signing = authority.certificate if responder is None else responder.certificate
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=certificate,
            issuer=authority.certificate,
            algorithm=hashes.SHA1(),  # noqa: S303  # names the issuer as RFC 5019 section 2.1.1 has it; it signs nothing
            cert_status=_STATUS[status],
            this_update=begins,
            next_update=next_update or begins + OCSP_LIFETIME,
            revocation_time=(revoked_at or begins) if status == "revoked" else None,
            revocation_reason=why,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, signing)
    )
    if responder is not None:
        builder = builder.certificates([responder.certificate])
    return builder.sign(signer, signature_hash(signer)).public_bytes(Encoding.DER)
