"""Why the path builder found no path: a walk over the chain that gives the refusal its reason.

The verdict is not for this module to change. It looks for the likeliest reason and claims no more than the bytes show:
whether an issuer is missing because the peer forgot it or because nobody here trusts it can't always be known, and the
reasons say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from .forms import broken_form, hopeless_form
from .names import shown
from .reasons import (
    BadSignature,
    Malformed,
    MissingIntermediate,
    PathTooLong,
    Reason,
    Refused,
    SelfSignedLeaf,
    UnknownIssuer,
    UntrustedRoot,
)
from .rules import Case, extension, path_fault, weakly_signed

__all__ = ["diagnose", "signed_paths"]

_MAX_SIGNATURES = 20
_MAX_PATHS = 8


def diagnose(case: Case, refusal: str) -> Reason:
    """The reason for which a chain was refused with the words ``refusal``."""
    walk = _Walk(case)
    try:
        if (hopeless := hopeless_form(case)) is not None:
            return hopeless
        paths = list(walk.complete_paths())
        for path in paths:
            if (reason := path_fault(case, path) or broken_form(case, path)) is not None:
                return reason
        if not paths and (reason := walk.dead_end()) is not None:
            return reason
    except Exception as error:  # what a stranger encodes makes cryptography raise more kinds than it documents
        return Malformed(whose=case.whose, place=None, detail=f"a certificate of the chain: {error}")
    words = _plain(refusal)
    if "max depth" in words:
        found = len(case.certificates) - 1
        return PathTooLong(**case.about(case.certificates[0]), limit=case.policy.max_depth, found=found, by_policy=True)
    return Refused(whose=case.whose, detail=words)


def signed_paths(case: Case) -> list[list[x509.Certificate]]:
    """Paths from the leaf to an anchor in which each certificate's signature was verified; the rest is not looked at.

    A chain that can't be read has none.
    """
    try:
        return list(_Walk(case, verified_only=True).complete_paths())
    except Exception:  # see diagnose
        return []


def _plain(refusal: str) -> str:
    words = re.sub(r"^validation failed: (candidates exhausted: )?", "", refusal)
    # The library goes on with how it holds what it found, which says nothing to anybody else.
    return shown(re.sub(r"(: AlgorithmIdentifier \{| \(encountered processing ).*", "", words, flags=re.DOTALL))


@dataclass(slots=True)
class _Walk:
    """A search upwards from the leaf, by names and signatures alone, in bounded time.

    To say what is wrong with a chain, a signature that is weak or of an unknown kind is taken for what it claims to be;
    with ``verified_only``, for a path that is to be believed, only one that was verified leads on.
    """

    case: Case
    verified_only: bool = False
    signatures: int = 0
    longest: list[x509.Certificate] = field(default_factory=list)

    def complete_paths(self) -> Iterator[list[x509.Certificate]]:
        """Up to ``_MAX_PATHS`` paths from the leaf to an anchor. Keeps the longest path that led nowhere."""
        yield from islice(self._extend([self.case.certificates[0]]), _MAX_PATHS)

    def _extend(self, path: list[x509.Certificate]) -> Iterator[list[x509.Certificate]]:
        top = path[-1]
        issuers = [one for one in self._candidates(top) if one not in path and self._signed(top, one)]
        for issuer in issuers:
            if issuer in self.case.anchors:
                yield [*path, issuer]
            elif len(path) <= len(self.case.certificates):
                yield from self._extend([*path, issuer])
        if not issuers and len(path) > len(self.longest):
            self.longest = path

    def _candidates(self, certificate: x509.Certificate) -> list[x509.Certificate]:
        issuer = certificate.issuer
        anchors = list(self.case.anchors.by_subject.get(issuer, ()))
        return anchors + [one for one in self.case.certificates if one.subject == issuer and one not in anchors]

    def _signed(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        if self.signatures >= _MAX_SIGNATURES:
            return False
        self.signatures += 1
        if weakly_signed(certificate) and not self.verified_only:
            return _key_named(certificate, issuer) is not False  # such a signature is neither believed nor verified
        try:
            certificate.verify_directly_issued_by(issuer)
        except (InvalidSignature, TypeError, ValueError):
            return False
        except UnsupportedAlgorithm:
            return not self.verified_only and _key_named(certificate, issuer) is True
        return True

    def dead_end(self) -> Reason | None:
        """Why the longest path ends where it does."""
        case, path = self.case, self.longest or [self.case.certificates[0]]
        top, about = path[-1], case.about(path[-1])
        impostors = [one for one in self._candidates(top) if one not in path]
        same_name = any(one in case.anchors for one in impostors)
        if top.issuer == top.subject and self._signed(top, top):
            fingerprint = top.fingerprint(SHA256()).hex(":")
            subject, store = top.subject.rfc4514_string(), case.anchors.source
            if top is path[0]:
                return SelfSignedLeaf(**about, subject=subject, fingerprint=fingerprint, store=store)
            return UntrustedRoot(**about, root=subject, fingerprint=fingerprint, store=store, same_name=same_name)
        issuer = top.issuer.rfc4514_string()
        for one in impostors:
            named = _key_named(top, one)
            if named or (named is None and one not in case.anchors):
                return BadSignature(**about, issuer=issuer)
        sent, store = len(case.certificates), case.anchors.source
        if not same_name and (hint := self._speaks_for_missing(path)) is not None:
            words, url = hint
            return MissingIntermediate(**about, issuer=issuer, sent=sent, store=store, hint=words, url=url)
        return UnknownIssuer(**about, issuer=issuer, sent=sent, store=store, same_name=same_name)

    def _speaks_for_missing(self, path: list[x509.Certificate]) -> tuple[str, str] | None:
        """What makes it likely that the issuer of the last certificate is an intermediate of a root that is trusted."""
        top = path[-1]
        organisation = _organisation(top.issuer)
        if organisation and any(_organisation(anchor.subject) == organisation for anchor in self.case.anchors):
            return f"a root of the same organisation, {shown(organisation)}, is trusted", ""
        # A root is left out as a rule, so two linked certificates look complete; a leaf alone that says where its
        # issuer can be fetched does not.
        if len(path) == 1 and (url := _issuer_url(top)):
            return f"the certificate says where to fetch it: {shown(url)}", url
        return None


def _key_named(certificate: x509.Certificate, issuer: x509.Certificate) -> bool | None:
    """Whether the certificate names this issuer's key as its issuer's; None where the two don't say."""
    authority = extension(certificate, x509.AuthorityKeyIdentifier)
    subject = extension(issuer, x509.SubjectKeyIdentifier)
    if authority is None or subject is None or authority.value.key_identifier is None:
        return None
    return authority.value.key_identifier == subject.value.digest


def _organisation(name: x509.Name) -> str:
    values = name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(values[0].value).strip() if values else ""


def _issuer_url(certificate: x509.Certificate) -> str:
    access = extension(certificate, x509.AuthorityInformationAccess)
    for description in access.value if access is not None else ():
        location = description.access_location
        if description.access_method == AuthorityInformationAccessOID.CA_ISSUERS and isinstance(
            location, x509.UniformResourceIdentifier
        ):
            return location.value
    return ""
