"""Certificates signed with SHA-1, which ``cryptography`` rightly no longer makes: for showing that they are refused."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from ..errors import ConfigError
from ..trust.der import bit_string, elements, sequence

__all__ = ["sign_with_sha1"]

_ECDSA_WITH_SHA1 = bytes.fromhex("300906072a8648ce3d0401")  # RFC 3279 section 2.2.3
_SHA1_WITH_RSA = bytes.fromhex("300d06092a864886f70d0101050500")  # RFC 3279 section 2.2.1


def sign_with_sha1(certificate: x509.Certificate, key: Any) -> x509.Certificate:
    """The same certificate with its signature made again, by ``key`` and with SHA-1. Raises ``ConfigError``."""
    try:
        if isinstance(key, ec.EllipticCurvePrivateKey):
            algorithm = _ECDSA_WITH_SHA1
            body = _with_algorithm(certificate.tbs_certificate_bytes, algorithm)
            signature = key.sign(body, ec.ECDSA(hashes.SHA1()))  # noqa: S303
        else:
            algorithm = _SHA1_WITH_RSA
            body = _with_algorithm(certificate.tbs_certificate_bytes, algorithm)
            signature = key.sign(body, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    except Exception as error:  # keys of other kinds, and an OpenSSL that is built to refuse
        raise ConfigError(f"no SHA-1 signature can be made with this key: {error}", code="key-kind") from None
    return x509.load_der_x509_certificate(sequence(body, algorithm, bit_string(signature)))


def _with_algorithm(tbs: bytes, algorithm: bytes) -> bytes:
    """A TBSCertificate with another ``signature`` field: the third, after version and serial (RFC 5280 section 4.1)."""
    fields = elements(tbs)
    return sequence(*fields[:2], algorithm, *fields[3:])
