"""Why a certificate is rejected: one frozen class a reason, with its evidence, its sentence and its alert.

Sentences continue "the server's certificate is refused:". The ``code`` is the reason's row in the failure atlas; where
a row has a twin for client certificates, ``whose`` decides between them. Alerts are those of RFC 8446 section 6.2.
"""

from __future__ import annotations

from .base import Place, Reason
from .form import (
    EmptyChain,
    Malformed,
    NotRFC5280,
    Refused,
    TooManyCertificates,
    UnsupportedSignature,
    WeakKey,
    WeakSignature,
)
from .naming import AddressMismatch, CommonNameOnly, NameConstraint, NameMismatch
from .path import (
    BadSignature,
    IssuerNotCA,
    MissingIntermediate,
    PathTooLong,
    SelfSignedLeaf,
    UnknownIssuer,
    UntrustedRoot,
    WrongPurpose,
)
from .status import BadStaple, Expired, NotYetValid, RejectedByApplication, RevocationUnknown, Revoked, UnknownRawKey

__all__ = [
    "AddressMismatch",
    "BadSignature",
    "BadStaple",
    "CommonNameOnly",
    "EmptyChain",
    "Expired",
    "IssuerNotCA",
    "Malformed",
    "MissingIntermediate",
    "NameConstraint",
    "NameMismatch",
    "NotRFC5280",
    "NotYetValid",
    "PathTooLong",
    "Place",
    "Reason",
    "Refused",
    "RejectedByApplication",
    "RevocationUnknown",
    "Revoked",
    "SelfSignedLeaf",
    "TooManyCertificates",
    "UnknownIssuer",
    "UnknownRawKey",
    "UnsupportedSignature",
    "UntrustedRoot",
    "WeakKey",
    "WeakSignature",
    "WrongPurpose",
]
