"""What is to be in a certificate, down to the mistakes that a laboratory wants made."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
    ObjectIdentifier,
)

from .keys import signature_hash
from .sha1 import sign_with_sha1

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

__all__ = ["CA_LIFETIME", "LEAF_LIFETIME", "CertificateSpec", "build", "name_of"]

LEAF_LIFETIME = timedelta(days=90)
CA_LIFETIME = timedelta(days=3650)
_BACKDATING = timedelta(hours=1)  # for peers whose clocks are slow

USAGES: dict[str, ObjectIdentifier] = {
    "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH,
    "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "OCSPSigning": ExtendedKeyUsageOID.OCSP_SIGNING,
    "emailProtection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "codeSigning": ExtendedKeyUsageOID.CODE_SIGNING,
    "anyExtendedKeyUsage": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}
"""Extended key usages by the names of RFC 5280 section 4.2.1.12."""

_HASHES: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}

_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSpec:
    """A certificate to be. The defaults satisfy ``VERIFY_X509_STRICT``; each field can be set wrong on purpose.

    ``names`` make the subjectAltName. ``lifetime`` counts from ``not_before`` (default: an hour ago); ``not_after``
    overrides it. ``usages`` are names of ``USAGES`` and ``key_usage`` names of ``cryptography``'s ``KeyUsage``; None
    leaves the extension out. ``permitted`` and ``excluded`` are name constraints: ``example.com``, ``192.0.2.0/24``,
    ``@example.com``. ``signature_hash`` is ``sha256``, ..., or ``sha1``. ``extra`` are further extensions, each with its
    criticality. ``issuer_url``, ``crl_url`` and ``ocsp_url`` say where the issuer, its CRL and its OCSP responder are.
    """

    subject: x509.Name
    names: tuple[x509.GeneralName, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None
    lifetime: timedelta = LEAF_LIFETIME
    serial: int | None = None
    issuer: x509.Name | None = None
    ca: bool = False
    path_length: int | None = None
    basic_constraints: bool = True
    basic_constraints_critical: bool = True
    usages: tuple[str, ...] | None = None
    key_usage: tuple[str, ...] | None = ("digital_signature",)
    authority_key_identifier: bool = True
    subject_key_identifier: bool = True
    permitted: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    must_staple: bool = False
    issuer_url: str | None = None
    crl_url: str | None = None
    ocsp_url: str | None = None
    signature_hash: str | None = None
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = ()


def name_of(common_name: str | None, organisation: str | None = None) -> x509.Name:
    """A distinguished name. A common name of more than 64 characters, the most that there may be, is left out."""
    attributes = []
    if organisation:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation[:64]))
    if common_name and len(common_name) <= 64:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(attributes)


def build(
    spec: CertificateSpec,
    public_key: Any,
    issuer_key: CertificateIssuerPrivateKeyTypes,
    issuer: x509.Certificate | None,
    now: datetime | None = None,
) -> x509.Certificate:
    """The certificate for ``public_key``, signed with ``issuer_key``; self-issued where ``issuer`` is None."""
    begins = spec.not_before or (now or datetime.now(UTC)).replace(microsecond=0) - _BACKDATING
    ends = spec.not_after or begins + spec.lifetime
    if spec.not_after is None and issuer is not None:
        # A certificate that outlives its issuer would fail before its own date says so.
        ends = max(min(ends, issuer.not_valid_after_utc), begins)
    issuer_name = spec.issuer if spec.issuer is not None else spec.subject if issuer is None else issuer.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(spec.subject)
        .issuer_name(issuer_name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number() if spec.serial is None else spec.serial)
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    for value, critical in _extensions(spec, public_key, issuer_key, issuer):
        builder = builder.add_extension(value, critical)
    if spec.signature_hash == "sha1":
        return sign_with_sha1(builder.sign(issuer_key, signature_hash(issuer_key)), issuer_key)
    algorithm = signature_hash(issuer_key) if spec.signature_hash is None else _HASHES[spec.signature_hash]
    return builder.sign(issuer_key, algorithm)


def _extensions(
    spec: CertificateSpec,
    public_key: Any,
    issuer_key: CertificateIssuerPrivateKeyTypes,
    issuer: x509.Certificate | None,
) -> Sequence[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    if spec.basic_constraints:
        found.append(
            (x509.BasicConstraints(spec.ca, spec.path_length if spec.ca else None), spec.basic_constraints_critical)
        )
    if spec.key_usage is not None:
        bits = {usage: usage in spec.key_usage for usage in _KEY_USAGES}
        found.append((x509.KeyUsage(**bits, encipher_only=False, decipher_only=False), True))
    if spec.usages is not None:
        found.append((x509.ExtendedKeyUsage([USAGES[usage] for usage in spec.usages]), False))
    if spec.names:
        found.append((x509.SubjectAlternativeName(spec.names), not spec.subject.rdns))
    if spec.subject_key_identifier:
        found.append((x509.SubjectKeyIdentifier.from_public_key(public_key), False))
    if spec.authority_key_identifier:
        found.append((_authority_key_identifier(issuer_key, issuer), False))
    if spec.permitted or spec.excluded:
        permitted, excluded = [_subtree(name) for name in spec.permitted], [_subtree(name) for name in spec.excluded]
        found.append((x509.NameConstraints(permitted or None, excluded or None), True))
    if spec.must_staple:
        found.append((x509.TLSFeature([x509.TLSFeatureType.status_request]), False))
    found += _pointers(spec)
    return [*found, *spec.extra]


def _authority_key_identifier(
    issuer_key: CertificateIssuerPrivateKeyTypes, issuer: x509.Certificate | None
) -> x509.AuthorityKeyIdentifier:
    if issuer is not None:
        # An issuer may have been made without one, or with extensions that nobody can parse.
        with contextlib.suppress(x509.ExtensionNotFound, ValueError, TypeError):
            own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())


def _pointers(spec: CertificateSpec) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    access = [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
        for method, url in (
            (AuthorityInformationAccessOID.OCSP, spec.ocsp_url),
            (AuthorityInformationAccessOID.CA_ISSUERS, spec.issuer_url),
        )
        if url
    ]
    if access:
        found.append((x509.AuthorityInformationAccess(access), False))
    if spec.crl_url:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(spec.crl_url)], None, None, None)
        found.append((x509.CRLDistributionPoints([point]), False))
    return found


def _subtree(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.RFC822Name(name.removeprefix("@")) if "@" in name else x509.DNSName(name)
