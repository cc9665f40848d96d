"""No path leads from the certificate to a trust anchor, or a certificate on it may not stand there."""

from __future__ import annotations

from dataclasses import dataclass

from ...wire.codepoints import AlertDescription as Alert
from ..names import shown
from .base import Reason, count, listed

__all__ = [
    "BadSignature",
    "IssuerNotCA",
    "MissingIntermediate",
    "PathTooLong",
    "SelfSignedLeaf",
    "UnknownIssuer",
    "UntrustedRoot",
    "WrongPurpose",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfSignedLeaf(Reason):
    """It signed itself, and is not a trust anchor."""

    _code = "self-signed"
    _alert = Alert.unknown_ca
    subject: str
    fingerprint: str
    store: str

    def _say(self) -> str:
        return (
            f"it is self-signed ({shown(self.subject)}, SHA-256 {self.fingerprint}) and not in {self.store}: "
            f"add this very certificate there, or have one issued by a CA that is there"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UntrustedRoot(Reason):
    """The chain sent ends in a self-signed root that is not a trust anchor."""

    _code = "unknown-ca-root-sent"
    _alert = Alert.unknown_ca
    root: str
    fingerprint: str
    store: str
    same_name: bool = False

    def _say(self) -> str:
        why = (
            "a CA of the same name but with another key is there, so the CA may have been made anew"
            if self.same_name
            else "it may be a private CA that is to be added, or a proxy that inspects TLS"
        )
        return (
            f"its chain ends in the root {shown(self.root)} (SHA-256 {self.fingerprint}), "
            f"which is not in {self.store}; {why}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownIssuer(Reason):
    """The chain leads to an issuer that is neither sent nor trusted.

    ``sent`` is how many certificates came. ``same_name`` tells that an anchor bears the issuer's name but not its key.
    """

    _code = "unknown-ca"
    _alert = Alert.unknown_ca
    issuer: str
    store: str
    sent: int
    same_name: bool = False

    def _say(self) -> str:
        if self.same_name:
            return (
                f"{self.place} is issued by {shown(self.issuer)}; a CA of that name is in {self.store}, but with "
                f"another key, so it may have been made anew: reissue the certificate, or trust the CA that issued it"
            )
        alone = f" (if that is an intermediate, the {self.whose} should have sent it along)" if self.sent == 1 else ""
        return f"{self.place} is issued by {shown(self.issuer)}, which is not in {self.store}{alone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingIntermediate(Reason):
    """Most likely the peer left out the certificate between its own and the root. ``hint`` says what speaks for it."""

    _code = "missing-intermediate"
    _alert = Alert.unknown_ca
    _rfc = "RFC 8446 section 4.4.2"
    issuer: str
    sent: int
    store: str
    hint: str
    url: str = ""

    def _say(self) -> str:
        issuer = "its issuer" if self.index == 0 or self.place is None else f"the issuer of {self.place.noun}"
        return (
            f"the {self.whose} sent {count(self.sent, 'certificate')}; {issuer}, {shown(self.issuer)}, is not among "
            f"them, nor in {self.store}: probably the {self.whose} has to send an intermediate too ({self.hint})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BadSignature(Reason):
    """The issuer's key did not make the signature on it, although names and key identifiers say so."""

    _code = "bad-certificate-signature"
    _rfc = "RFC 5280 section 6.1.3"
    issuer: str

    def _say(self) -> str:
        return (
            f"the signature on {self.place and self.place.noun} does not verify with the key of its issuer, "
            f"{shown(self.issuer)}: one of the two certificates was changed or damaged"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongPurpose(Reason):
    """Its extendedKeyUsage or keyUsage does not allow this use. ``extension`` is the one of the two."""

    _code = "wrong-purpose-server"
    _alert = Alert.unsupported_certificate
    _rfc = "RFC 8446 section 4.4.2.2"
    usages: tuple[str, ...]
    needed: str
    extension: str = "extendedKeyUsage"

    def _say(self) -> str:
        note = (
            "; public CAs no longer issue it, so take one from a private CA"
            if self.needed == "clientAuth" and "serverAuth" in self.usages
            else ""
        )
        allowed = f"only {listed(self.usages)}" if self.usages else "nothing"
        return f"{self.place} allows {allowed} in its {self.extension}, and {self.needed} is needed{note}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerNotCA(Reason):
    """A certificate that issued another one is no CA's. ``field`` tells which of its fields says so."""

    _code = "issuer-not-ca"
    _rfc = "RFC 5280 section 4.2.1.9"
    field: str

    def _say(self) -> str:
        return f"{self.place} has issued a certificate but may not: {self.field}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathTooLong(Reason):
    """More CAs lie between a CA, or the anchor, and the leaf than are allowed."""

    _code = "path-length"
    _rfc = "RFC 5280 section 4.2.1.9"
    limit: int
    found: int
    by_policy: bool = False

    def _say(self) -> str:
        if self.by_policy:
            found = "1 CA certificate lies" if self.found == 1 else f"{self.found} CA certificates lie"
            return f"{found} between it and its root, and max_depth allows {self.limit}"
        return (
            f"{self.place} allows {count(self.limit, 'CA certificate')} below itself (pathLenConstraint in its "
            f"basicConstraints), and the path has {self.found}"
        )
