"""The rules for a complete path, as pure functions that each give the reason for which it fails, or None.

They serve twice: for what the path builder leaves to its caller, and to find out which rule it was that it saw broken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, PublicKeyAlgorithmOID, SignatureAlgorithmOID

from ..crypto.signatures import describe_key, key_kind, schemes_for
from .anchors import TrustAnchors
from .constraints import first_breach
from .names import PeerNames, ServerName, near_miss
from .oids import oid_name
from .policy import VerificationPolicy
from .reasons import (
    AddressMismatch,
    CommonNameOnly,
    Expired,
    IssuerNotCA,
    Malformed,
    NameConstraint,
    NameMismatch,
    NotRFC5280,
    NotYetValid,
    PathTooLong,
    Place,
    Reason,
    UnsupportedSignature,
    WeakKey,
    WeakSignature,
    WrongPurpose,
)
from .stand_in import NEWER_SIGNATURES

__all__ = ["Case", "Path", "extension", "leaf_fault", "path_fault", "weakly_signed"]

Path = Sequence[x509.Certificate]
"""Certificates from the leaf to a trust anchor."""

_E = TypeVar("_E", bound=x509.ExtensionType)

KEY_USAGES = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
}
"""RFC 5280 section 4.2.1.3's names and the library's."""

_STRONG_SIGNATURES = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
        SignatureAlgorithmOID.RSASSA_PSS,
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
    }
)

_STRONG_HASHES = hashes.SHA256 | hashes.SHA384 | hashes.SHA512

_CA_KEYS = frozenset(
    {"ec:secp256r1", "ec:secp384r1", "ec:secp521r1", "ed25519", "ed448", "mldsa44", "mldsa65", "mldsa87"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One chain to judge and all that it is judged by; ``name`` is None where none is asked for."""

    chain: tuple[bytes, ...]
    certificates: tuple[x509.Certificate, ...]
    names: PeerNames
    leaf_key: Any
    name: ServerName | None
    anchors: TrustAnchors
    whose: str
    policy: VerificationPolicy
    now: datetime
    key_usage: str = "digitalSignature"

    def place(self, certificate: x509.Certificate) -> Place:
        """Where a certificate of a path stands in the chain as sent."""
        try:
            index = self.certificates.index(certificate)
        except ValueError:
            index = None
        return Place(index, len(self.certificates), certificate.subject.rfc4514_string())

    def about(self, certificate: x509.Certificate) -> dict[str, Any]:
        """The arguments that every reason about one certificate takes."""
        return {"whose": self.whose, "place": self.place(certificate)}


def extension(certificate: x509.Certificate, kind: type[_E]) -> x509.Extension[_E] | None:
    """The extension of a kind, or None. Raises ``ValueError`` where the extensions can't be parsed."""
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def weakly_signed(certificate: x509.Certificate) -> bool:
    """Whether the signature on a certificate is made with a hash that can be forged."""
    try:
        return isinstance(certificate.signature_hash_algorithm, hashes.SHA1 | hashes.MD5)
    except UnsupportedAlgorithm:
        return False


def leaf_fault(case: Case, path: Path) -> Reason | None:
    """What the path builder leaves to its caller: the policy's keys, the leaf's purposes, its names read strictly."""
    return _first(case, path, (_issuer_rsa_keys, _leaf_key, _leaf_purposes, _name, _subject_constraints))


def path_fault(case: Case, path: Path) -> Reason | None:
    """The rule that a path breaks, the most telling first; None where none of those known here is broken."""
    return _first(
        case,
        path,
        (
            _readable,
            _dates,
            _issuers,
            _signatures,
            _issuer_keys,
            _leaf_key,
            _lengths,
            _ca_as_leaf,
            _purposes,
            _name,
            _constraints,
        ),
    )


def _first(case: Case, path: Path, rules: Sequence[Callable[[Case, Path], Reason | None]]) -> Reason | None:
    for rule in rules:
        try:
            reason = rule(case, path)
        except Exception as error:  # what a stranger encodes makes cryptography raise more kinds than it documents
            return Malformed(whose=case.whose, detail=f"a certificate of the chain: {error}")
        if reason is not None:
            return reason
    return None


def _readable(case: Case, path: Path) -> Reason | None:
    for certificate in path:
        try:
            extension(certificate, x509.BasicConstraints)
            certificate.public_key()
        except Exception as error:  # see _first
            return Malformed(**case.about(certificate), detail=str(error))
    return None


def _dates(case: Case, path: Path) -> Reason | None:
    for certificate in path:
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if case.now < begins:
            return NotYetValid(**case.about(certificate), not_before=begins, not_after=ends, now=case.now)
        if case.now > ends and int((case.now - ends).total_seconds()) > 0:  # notAfter counts to its second's end
            return Expired(**case.about(certificate), not_before=begins, not_after=ends, now=case.now)
    return None


def _issuers(case: Case, path: Path) -> Reason | None:
    for certificate in path[1:]:
        basic = extension(certificate, x509.BasicConstraints)
        usage = extension(certificate, x509.KeyUsage)
        if basic is None:
            field = "it has no basicConstraints"
        elif not basic.value.ca:
            field = "cA in its basicConstraints is false"
        elif usage is not None and not usage.value.key_cert_sign:
            field = "its keyUsage lacks keyCertSign"
        else:
            continue
        return IssuerNotCA(**case.about(certificate), field=field)
    return None


def _signatures(case: Case, path: Path) -> Reason | None:
    for certificate in path[:-1]:
        algorithm = certificate.signature_algorithm_oid
        strong = algorithm in NEWER_SIGNATURES or (
            algorithm in _STRONG_SIGNATURES and isinstance(certificate.signature_hash_algorithm, _STRONG_HASHES)
        )
        if strong:
            continue
        kind = WeakSignature if weakly_signed(certificate) else UnsupportedSignature
        return kind(**case.about(certificate), algorithm=oid_name(certificate.signature_algorithm_oid))
    return None


def _issuer_keys(case: Case, path: Path) -> Reason | None:
    """What the path builder, ``stand_in`` and the policy take from an issuer; no policy relaxes the builder."""
    for certificate in path[1:]:
        key = certificate.public_key()
        bits = max(case.policy.min_rsa_bits, 2048)
        pss_only = certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS
        if isinstance(key, rsa.RSAPublicKey):
            fine = key.key_size >= bits and key.key_size % 8 == 0 and not pss_only
        else:
            fine = key_kind(key) in _CA_KEYS
        if not fine:
            needed = f"RSA of {bits} bits or more (a multiple of 8), ECDSA on P-256, P-384 or P-521, EdDSA or ML-DSA,"
            return WeakKey(**case.about(certificate), key=describe_key(key, pss_only=pss_only), needed=needed)
    return None


def _issuer_rsa_keys(case: Case, path: Path) -> Reason | None:
    """``_issuer_keys`` of a path that the builder has accepted, which has seen to the curves."""
    rsa_only = [one for one in path[1:] if one.public_key_algorithm_oid != PublicKeyAlgorithmOID.EC_PUBLIC_KEY]
    return _issuer_keys(case, [path[0], *rsa_only]) if rsa_only else None


def _leaf_key(case: Case, path: Path) -> Reason | None:
    key = case.leaf_key
    bits = case.policy.min_rsa_bits
    if isinstance(key, rsa.RSAPublicKey):
        fine = key.key_size >= bits and key.key_size % 8 == 0
    elif isinstance(key, ec.EllipticCurvePublicKey):
        fine = key.curve.name in case.policy.curves
    else:
        fine = bool(schemes_for(key))
    if fine:
        return None
    curves = ", ".join(sorted(case.policy.curves))
    needed = f"RSA of {bits} bits or more (a multiple of 8), Ed25519, Ed448, ML-DSA, or ECDSA on {curves},"
    return WeakKey(**case.about(path[0]), key=describe_key(key), needed=needed)


def _lengths(case: Case, path: Path) -> Reason | None:
    between = len(path) - 2
    if between > case.policy.max_depth:
        return PathTooLong(**case.about(path[0]), limit=case.policy.max_depth, found=between, by_policy=True)
    below = 0
    for certificate in path[1:]:
        basic = extension(certificate, x509.BasicConstraints)
        limit = None if basic is None else basic.value.path_length
        if limit is not None and below > limit:
            return PathTooLong(**case.about(certificate), limit=limit, found=below)
        if certificate.subject != certificate.issuer:  # section 4.2.1.9 does not count self-issued ones
            below += 1
    return None


def _ca_as_leaf(case: Case, path: Path) -> Reason | None:
    basic = extension(path[0], x509.BasicConstraints)
    if basic is None or not basic.value.ca or len(path) == 1:
        return None
    rule = "it is a CA's certificate (cA in its basicConstraints), and a peer needs one of its own"
    return NotRFC5280(**case.about(path[0]), rule=rule, section="RFC 5280 section 4.2.1.9")


def _purposes(case: Case, path: Path) -> Reason | None:
    server = case.whose == "server"
    needed = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    for certificate in path:
        usages = extension(certificate, x509.ExtendedKeyUsage)
        if usages is None or needed in usages.value:
            continue
        # A leaf must name its use; a CA may leave it open (section 4.2.1.12 lets applications choose).
        if certificate is not path[0] and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages.value:
            continue
        found = tuple(oid_name(oid) for oid in usages.value)
        return WrongPurpose(**case.about(certificate), usages=found, needed="serverAuth" if server else "clientAuth")
    usage = extension(path[0], x509.KeyUsage)
    if usage is not None and not getattr(usage.value, KEY_USAGES[case.key_usage]):
        found = tuple(name for name, field in KEY_USAGES.items() if getattr(usage.value, field))
        return WrongPurpose(**case.about(path[0]), usages=found, needed=case.key_usage, extension="keyUsage")
    return None


def _leaf_purposes(case: Case, path: Path) -> Reason | None:
    """``_purposes`` of a path that the builder has accepted, which has seen to the issuers'."""
    return _purposes(case, path[:1])


def _name(case: Case, path: Path) -> Reason | None:
    """RFC 9525: the name asked for must be one of the subjectAltName's."""
    if case.name is None or case.names.fits(case.name):
        return None
    asked, names, about = case.name.text, case.names, case.about(path[0])
    has_san = extension(path[0], x509.SubjectAlternativeName) is not None
    if not has_san and names.common_name:
        return CommonNameOnly(**about, asked=asked, common_name=names.common_name)
    is_address = case.name.address is not None
    if names.dns and not names.ip and is_address:
        return AddressMismatch(**about, asked=asked, asked_is_address=True, names=names.dns)
    if names.ip and not names.dns and not is_address:
        return AddressMismatch(**about, asked=asked, asked_is_address=False, names=names.ip)
    hint = "" if is_address else near_miss(asked, names.dns)
    return NameMismatch(**about, asked=asked, names=(*names.dns, *names.ip), hint=hint)


def _constraints(case: Case, path: Path, *, subject_names_only: bool = False) -> Reason | None:
    breach = first_breach(path, subject_names_only=subject_names_only)
    if breach is None:
        return None
    return NameConstraint(
        **case.about(path[breach.below]),
        name=breach.name,
        constraint=breach.constraint,
        permitted=breach.permitted,
        authority=path[breach.authority].subject.rfc4514_string(),
    )


def _subject_constraints(case: Case, path: Path) -> Reason | None:
    return _constraints(case, path, subject_names_only=True)
