"""The signature scheme that a certificate is signed with, in TLS's terms (RFC 8446 section 4.2.3)."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import SignatureAlgorithmOID as OID

from ..wire.codepoints import SignatureScheme as S

__all__ = ["as_signed", "certificate_scheme"]

_SCHEMES = {
    OID.ECDSA_WITH_SHA256: S.ecdsa_secp256r1_sha256,
    OID.ECDSA_WITH_SHA384: S.ecdsa_secp384r1_sha384,
    OID.ECDSA_WITH_SHA512: S.ecdsa_secp521r1_sha512,
    OID.ECDSA_WITH_SHA1: S.ecdsa_sha1,
    OID.RSA_WITH_SHA256: S.rsa_pkcs1_sha256,
    OID.RSA_WITH_SHA384: S.rsa_pkcs1_sha384,
    OID.RSA_WITH_SHA512: S.rsa_pkcs1_sha512,
    OID.RSA_WITH_SHA1: S.rsa_pkcs1_sha1,
    OID.ED25519: S.ed25519,
    OID.ED448: S.ed448,
    OID.ML_DSA_44: S.mldsa44,
    OID.ML_DSA_65: S.mldsa65,
    OID.ML_DSA_87: S.mldsa87,
}

_PSS = {"sha256": S.rsa_pss_rsae_sha256, "sha384": S.rsa_pss_rsae_sha384, "sha512": S.rsa_pss_rsae_sha512}


def certificate_scheme(certificate: x509.Certificate) -> S | None:
    """The scheme of a certificate's own signature; None where TLS has no code point for it.

    A signature does not tell its key's curve, so an ECDSA one is named by its hash, as in TLS 1.2.
    """
    known = _SCHEMES.get(certificate.signature_algorithm_oid)
    if known is None and certificate.signature_algorithm_oid == OID.RSASSA_PSS:
        try:
            algorithm = certificate.signature_hash_algorithm
        except UnsupportedAlgorithm:
            return None
        return None if algorithm is None else _PSS.get(algorithm.name)
    return known


_AS_SIGNED = {
    S.rsa_pss_pss_sha256: S.rsa_pss_rsae_sha256,
    S.rsa_pss_pss_sha384: S.rsa_pss_rsae_sha384,
    S.rsa_pss_pss_sha512: S.rsa_pss_rsae_sha512,
}


def as_signed(scheme: S) -> S:
    """What ``certificate_scheme`` calls a scheme: a PSS signature does not tell what its key is called, either."""
    return _AS_SIGNED.get(scheme, scheme)
