"""What the path builder demands of certificates' extensions (RFC 5280 section 4.2), strictly or as OpenSSL does unasked."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy

from .anchors import TrustAnchors
from .forms import broken_authority_key

__all__ = ["ca_policy", "ee_policy"]


def ca_policy(
    anchors: TrustAnchors, purpose: x509.ObjectIdentifier | None = None, *, strict: bool = True
) -> ExtensionPolicy:
    """The library's rules for CA certificates and what OpenSSL's strict mode adds to them; without ``strict``, what is
    left where a rule of form gives a certificate no meaning.

    ``purpose`` is demanded of an extendedKeyUsage where the library's own rule is not in force.
    """

    def check_authority_key(
        _: Policy, certificate: x509.Certificate, identifier: x509.AuthorityKeyIdentifier | None
    ) -> None:
        if broken_authority_key(certificate, identifier, is_anchor=certificate in anchors):
            raise ValueError("authorityKeyIdentifier")

    # Certificate policies are not processed, so a CA that constrains them asks for what it can't get.
    policy = ExtensionPolicy.webpki_defaults_ca().require_not_present(x509.PolicyConstraints)
    if strict:
        policy = policy.require_present(x509.SubjectKeyIdentifier, Criticality.NON_CRITICAL, None).may_be_present(
            x509.AuthorityKeyIdentifier, Criticality.NON_CRITICAL, check_authority_key
        )
    else:
        policy = (
            policy.may_be_present(x509.SubjectKeyIdentifier, Criticality.AGNOSTIC, None)
            .may_be_present(x509.AuthorityKeyIdentifier, Criticality.AGNOSTIC, None)
            .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _check_is_ca)
            .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _check_signs_certificates)
        )
    if purpose is None:
        return policy

    def check_usage(_: Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
        if usage is not None and purpose not in usage and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE not in usage:
            raise ValueError("required EKU not found")

    return policy.may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, check_usage)


def _check_is_ca(_: Policy, __: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    # How long a path may be below it is looked at when there is one: ``rules.path_fault``.
    if not constraints.ca:
        raise ValueError("basicConstraints.cA must be asserted")


def _check_signs_certificates(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("keyUsage.keyCertSign must be asserted")


def ee_policy(purpose: x509.ObjectIdentifier | None = None, *, strict: bool = True) -> ExtensionPolicy:
    """The library's rules for leaves; where no name is looked for, a subjectAltName is not needed either."""
    policy = ExtensionPolicy.webpki_defaults_ee()
    if not strict:
        policy = (
            policy.may_be_present(x509.SubjectKeyIdentifier, Criticality.AGNOSTIC, None)
            .may_be_present(x509.AuthorityKeyIdentifier, Criticality.AGNOSTIC, None)
            .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, None)
        )
    if purpose is None:
        return policy
    return policy.may_be_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None).may_be_present(
        x509.ExtendedKeyUsage, Criticality.NON_CRITICAL, None
    )
