"""Revocation: certificate revocation lists (RFC 5280 section 6.3) and stapled OCSP responses (RFC 6960)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography import x509

if TYPE_CHECKING:
    from .policy import VerificationPolicy
    from .reasons import Reason
    from .verify import VerifiedPeer

__all__ = ["RevocationList", "check_revocation"]


@dataclass(frozen=True, slots=True)
class RevocationList:
    """One CRL."""

    crl: x509.CertificateRevocationList


def check_revocation(
    peer: VerifiedPeer, policy: VerificationPolicy, now: datetime, ocsp_response: bytes | None, whose: str
) -> Reason | None:
    """None yet."""
    return None
