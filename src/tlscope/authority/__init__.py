"""The local certificate authority: it knows certificates, not TLS."""

from __future__ import annotations

from .crl import Revocation, make_crl
from .issue import Authority, Issued, self_signed
from .ocsp import make_ocsp_response
from .spec import CertificateSpec
from .store import IssuedFiles, Store

__all__ = [
    "Authority",
    "CertificateSpec",
    "Issued",
    "IssuedFiles",
    "Revocation",
    "Store",
    "make_crl",
    "make_ocsp_response",
    "self_signed",
]
