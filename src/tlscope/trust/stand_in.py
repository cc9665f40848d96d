"""Paths that are signed with EdDSA or ML-DSA, of which the path builder knows neither.

The builder takes RSA and the NIST curves alone, as public CAs do. A CA of one's own may have an Ed25519 key all the same.
So where every signature of a path is good and the builder would not look at it, the builder is shown a copy of the path:
the same certificates, but for the CAs' keys and the signatures, which are made anew with keys that it takes. Each has a
key of its own, so the copies lead up to each other exactly as the originals do. All that the builder checks (dates, names,
constraints, purposes, lengths, extensions) is so judged by the builder, and only keys and signatures are judged here.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import SignatureAlgorithmOID

from .der import bit_string, elements, sequence

__all__ = ["NEWER_SIGNATURES", "has_newer_signature", "stand_ins"]

NEWER_SIGNATURES = frozenset(
    {
        SignatureAlgorithmOID.ED25519,
        SignatureAlgorithmOID.ED448,
        SignatureAlgorithmOID.ML_DSA_44,
        SignatureAlgorithmOID.ML_DSA_65,
        SignatureAlgorithmOID.ML_DSA_87,
    }
)
"""RFC 8410 and RFC 9881: what chains may be signed with and the path builder does not take."""

_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")  # RFC 5758 section 3.2


def has_newer_signature(path: Sequence[x509.Certificate]) -> bool:
    """Whether a path, from the leaf to its anchor, needs a copy: the anchor's own signature says nothing."""
    return any(one.signature_algorithm_oid in NEWER_SIGNATURES for one in path[:-1])


def stand_ins(path: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The copy of a path whose signatures were found good, from the leaf to its anchor. Raises ``ValueError``."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in path[1:]]
    copies = []
    for height, certificate in enumerate(path):
        # An anchor's own signature is not looked at; that of the key above it is not at hand.
        signer = keys[min(height, len(keys) - 1)]
        own = keys[height - 1].public_key() if height else None
        copies.append(_copy(certificate, own, signer))
    return copies


def _copy(
    certificate: x509.Certificate, public_key: ec.EllipticCurvePublicKey | None, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """The certificate signed anew, with another subjectPublicKeyInfo where one is given (RFC 5280 section 4.1)."""
    fields = elements(certificate.tbs_certificate_bytes)
    # [0] version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo: the builder takes version 3
    # alone, and without its tag the rest stands one to the left.
    signature = 2 if fields[0][0] == 0xA0 else 1
    fields[signature] = _ECDSA_WITH_SHA256
    if public_key is not None:
        ordinary = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if fields[signature + 4] != ordinary:
            # A curve spelled out (RFC 5480 section 2.1.1), or a key for PSS alone: the builder would not take it either.
            raise ValueError("an issuer's key is encoded in a way that is not accepted")
        fields[signature + 4] = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    content = sequence(*fields)
    proof = bit_string(signer.sign(content, ec.ECDSA(SHA256())))
    return x509.load_der_x509_certificate(sequence(content, _ECDSA_WITH_SHA256, proof))
