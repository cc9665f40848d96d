"""The rules of form of RFC 5280 section 4 that make a path fail: which one a certificate breaks, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from .oids import oid_name
from .reasons import NotRFC5280
from .rules import Case, Path, extension

__all__ = ["broken_authority_key", "broken_form", "hopeless_form"]


class _Breach(NamedTuple):
    rule: str
    section: str
    strict: bool = False  # OpenSSL's X509_V_FLAG_X509_STRICT refuses it too


_KNOWN_CRITICAL: Sequence[type[x509.ExtensionType]] = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.SubjectAlternativeName,
    x509.NameConstraints,
)


def broken_form(case: Case, path: Path) -> NotRFC5280 | None:
    """The first rule of form that a certificate of the path breaks, from the leaf up; None where none known is."""
    for height, certificate in enumerate(path):
        for breach in _breaches(certificate, is_issuer=height > 0, is_anchor=height == len(path) - 1):
            if breach.strict and not case.policy.strict:
                continue
            section = f"RFC 5280 section {breach.section}"
            return NotRFC5280(**case.about(certificate), rule=breach.rule, section=section, strict=breach.strict)
    return None


def hopeless_form(case: Case) -> NotRFC5280 | None:
    """What is wrong with the form of the leaf that makes every other question idle."""
    leaf = case.certificates[0]
    breach = next(_basics(leaf), None)
    if breach is None or (breach.strict and not case.policy.strict):
        return None
    section = f"RFC 5280 section {breach.section}"
    return NotRFC5280(**case.about(leaf), rule=breach.rule, section=section, strict=breach.strict)


def broken_authority_key(
    certificate: x509.Certificate, identifier: x509.AuthorityKeyIdentifier | None, *, is_anchor: bool
) -> str:
    """What is wrong with the authorityKeyIdentifier that a certificate has, or lacks; nothing where all is well.

    Every certificate names its issuer's key but one that signed itself, which may name its own (section 4.2.1.1). An
    anchor without one is let pass: nobody looks for its issuer.
    """
    if identifier is not None and identifier.key_identifier is None:
        return "its authorityKeyIdentifier holds no keyIdentifier"
    if identifier is None:
        issued_itself = certificate.subject == certificate.issuer
        return "" if is_anchor or issued_itself else "it has no authorityKeyIdentifier"
    if not is_anchor:
        return ""
    own = extension(certificate, x509.SubjectKeyIdentifier)
    if own is None or own.value.digest == identifier.key_identifier:
        return ""
    try:
        # An anchor may name another CA's key that signed it; one that signed itself has no other key to name.
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return ""
    return "it signed itself, but its authorityKeyIdentifier names another key than its own"


def _breaches(certificate: x509.Certificate, *, is_issuer: bool, is_anchor: bool) -> Iterator[_Breach]:
    yield from _basics(certificate)
    if certificate.serial_number.bit_length() > 159:
        yield _Breach("its serial number is longer than 20 octets", "4.1.2.2")
    yield from _key_identifiers(certificate, is_issuer=is_issuer, is_anchor=is_anchor)
    yield from (_of_issuer if is_issuer else _of_leaf)(certificate)
    for one in certificate.extensions:
        if one.critical and not isinstance(one.value, tuple(_KNOWN_CRITICAL)):
            name = oid_name(one.oid)
            yield _Breach(f"its extension {name} is critical, and this is not understood or not allowed", "4.2")


def _basics(certificate: x509.Certificate) -> Iterator[_Breach]:
    if certificate.version is not x509.Version.v3:
        yield _Breach("it is an X.509 certificate of version 1, and version 3 is needed", "4.1.2.1")
    if not certificate.issuer.rdns:
        yield _Breach("its issuer is empty", "4.1.2.4", strict=True)


def _key_identifiers(certificate: x509.Certificate, *, is_issuer: bool, is_anchor: bool) -> Iterator[_Breach]:
    authority = extension(certificate, x509.AuthorityKeyIdentifier)
    subject = extension(certificate, x509.SubjectKeyIdentifier)
    identifier = None if authority is None else authority.value
    if broken := broken_authority_key(certificate, identifier, is_anchor=is_anchor):
        yield _Breach(broken, "4.2.1.1", strict=authority is None)
    if authority is not None and authority.critical:
        yield _Breach("its authorityKeyIdentifier is critical", "4.2.1.1", strict=True)
    if subject is not None and subject.critical:
        yield _Breach("its subjectKeyIdentifier is critical", "4.2.1.2", strict=True)
    if is_issuer and subject is None:
        yield _Breach("it has no subjectKeyIdentifier, which a CA's must have", "4.2.1.2", strict=True)


def _of_issuer(certificate: x509.Certificate) -> Iterator[_Breach]:
    basic = extension(certificate, x509.BasicConstraints)
    if basic is not None and not basic.critical:
        yield _Breach("its basicConstraints is not critical, which a CA's must be", "4.2.1.9", strict=True)
    if extension(certificate, x509.KeyUsage) is None:
        yield _Breach("it has no keyUsage, which a CA's must have", "4.2.1.3", strict=True)
    constraints = extension(certificate, x509.NameConstraints)
    if constraints is not None and not (constraints.value.permitted_subtrees or constraints.value.excluded_subtrees):
        yield _Breach("its nameConstraints is empty", "4.2.1.10")
    if extension(certificate, x509.PolicyConstraints) is not None:
        yield _Breach("it constrains certificate policies (policyConstraints), which are not processed", "4.2.1.11")


def _of_leaf(certificate: x509.Certificate) -> Iterator[_Breach]:
    usage = extension(certificate, x509.KeyUsage)
    if usage is not None and usage.value.key_cert_sign:
        yield _Breach("its keyUsage has keyCertSign, and it is no CA's", "4.2.1.3", strict=True)
    if extension(certificate, x509.NameConstraints) is not None:
        yield _Breach("it has nameConstraints, which only a CA's may have", "4.2.1.10")
    names = extension(certificate, x509.SubjectAlternativeName)
    if names is not None and names.critical and certificate.subject.rdns:
        yield _Breach("its subjectAltName is critical although it has a subject", "4.2.1.6")
    if names is not None and not names.critical and not certificate.subject.rdns:
        yield _Breach("its subjectAltName must be critical, since it has no subject", "4.2.1.6", strict=True)
