"""The certificate, or the list of them, is not made as it must be."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...wire.codepoints import AlertDescription as Alert
from ..names import shown
from .base import Reason, count

__all__ = [
    "EmptyChain",
    "Malformed",
    "NotRFC5280",
    "Refused",
    "TooManyCertificates",
    "UnsupportedSignature",
    "WeakKey",
    "WeakSignature",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakKey(Reason):
    """A key that is too weak, or of a kind that is not accepted."""

    _code = "weak-key"
    _rfc = "RFC 5280 section 4.1.2.7"
    key: str
    needed: str

    def _say(self) -> str:
        return f"{self.place} has the key {self.key}, and {self.needed} is needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakSignature(Reason):
    """A signature with MD5 or SHA-1."""

    _code = "weak-signature"
    _rfc = "RFC 8446 section 4.4.2.4"
    algorithm: str

    def _say(self) -> str:
        return (
            f"{self.place} is signed with {self.algorithm}, which can be forged; "
            f"SHA-256 or better is needed: have it issued again"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsupportedSignature(Reason):
    """A CA's signature of a kind that chains are not verified with here, or that the settings do not allow."""

    _code = "unsupported-signature"
    _alert = Alert.unsupported_certificate
    _rfc = "RFC 8446 section 4.2.3"
    algorithm: str
    by_setting: bool = False

    def _say(self) -> str:
        if self.by_setting:
            return f"{self.place} is signed with {self.algorithm}, which certificate_signature_schemes does not name"
        return (
            f"{self.place} is signed with {self.algorithm}, which chains are not verified with here; "
            f"a CA needs an RSA key, or one for ECDSA on P-256, P-384 or P-521, for EdDSA or for ML-DSA"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRFC5280(Reason):
    """It breaks a rule of form. ``strict``: Python's ``ssl`` refuses it too (VERIFY_X509_STRICT, since 3.13)."""

    _code = "not-rfc5280"
    rule: str
    strict: bool = False

    def _say(self) -> str:
        also = "; Python's ssl refuses it too, since 3.13" if self.strict else ""
        return f"{self.place or 'the chain'} breaks a rule of {self.rfc}: {self.rule}{also}"


def _plain(detail: str) -> str:
    """The library's words, without how it holds its error: what is wrong, and in which field."""
    found = re.search(r"ParseError \{ kind: (\w+)", detail)
    if found is None:
        return detail
    fields = re.search(r"location: \[(.*?)\]", detail)
    where = "" if fields is None else f" in {fields[1].replace(chr(34), '')}"
    return f"{detail[: found.start()]}{found[1]}{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed(Reason):
    """It can't be parsed."""

    _code = "malformed-certificate"
    _rfc = "RFC 5280 section 4.1"
    detail: str

    def _say(self) -> str:
        return f"{self.place or 'the chain'} can't be read: {shown(_plain(self.detail))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Reason):
    """The path builder gave words that none of the other reasons fits."""

    _code = "certificate-refused"
    _alert = Alert.certificate_unknown
    detail: str

    def _say(self) -> str:
        return f"no path from it to a trusted certificate is acceptable: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyChain(Reason):
    """No certificate was sent."""

    _code = "empty-chain"
    _alert = Alert.decode_error
    _rfc = "RFC 8446 section 4.4.2.4"

    def _say(self) -> str:
        return f"the {self.whose} sent an empty list of certificates"


@dataclass(frozen=True, slots=True, kw_only=True)
class TooManyCertificates(Reason):
    """More certificates were sent than are looked at."""

    _code = "too-many-certificates"
    _rfc = "RFC 8446 section 4.4.2"
    sent: int
    limit: int

    def _say(self) -> str:
        return f"the {self.whose} sent {count(self.sent, 'certificate')}, and max_certificates allows {self.limit}"
