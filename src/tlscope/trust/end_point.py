"""The hash of a server's certificate that tls-server-end-point is (RFC 5929 section 4.1)."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from ..crypto.hashes import SHA256, SHA384, SHA512

__all__ = ["server_end_point"]

_HASHES = {"sha384": SHA384, "sha512": SHA512}


def server_end_point(certificate: bytes) -> bytes:
    """The hash of the DER certificate: the signature's own, SHA-256 for MD5, SHA-1 and signatures without one."""
    try:
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except UnsupportedAlgorithm:
        algorithm = None
    hash = SHA256 if algorithm is None else _HASHES.get(algorithm.name, SHA256)
    return hash.digest(certificate)
