"""Signature schemes (RFC 8446 section 4.2.3): what each signs with, and which keys can make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa

from ..wire.codepoints import SignatureScheme as S

__all__ = ["SCHEMES", "InvalidSignature", "Scheme", "describe_key", "key_kind", "schemes_for", "sign", "verify"]


@dataclass(frozen=True, slots=True, eq=False)
class Scheme:
    """One scheme: the kind of key that makes it, how to sign and how to verify.

    ``key_kind`` is as ``key_kind()`` names it. ``in_tls12`` and ``in_tls13`` tell in which version a handshake may be
    signed with it: in TLS 1.3 RSASSA-PKCS1-v1_5 and SHA-1 may stand in certificates only, if anywhere (sections 4.2.3 and
    4.4.3), and what was made for TLS 1.3 is not used before. ``clients_only`` marks what a server may never sign with.
    """

    name: S
    key_kind: str
    sign: Callable[[Any, bytes], bytes] = field(repr=False)
    verify: Callable[[Any, bytes, bytes], None] = field(repr=False)
    in_tls13: bool = True
    min_rsa_bits: int = 0
    in_tls12: bool = True
    clients_only: bool = False


def _ecdsa(name: S, curve: str, algorithm: hashes.HashAlgorithm, *, in_tls13: bool = True) -> Scheme:
    method = ec.ECDSA(algorithm)
    return Scheme(
        name,
        f"ec:{curve}",
        lambda key, data: key.sign(data, method),
        lambda key, signature, data: key.verify(signature, data, method),
        in_tls13,
    )


def _rsa_pss(name: S, kind: str, algorithm: hashes.HashAlgorithm) -> Scheme:
    # The salt is as long as the hash, and so is what MGF1 uses (section 4.2.3).
    scheme = padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)
    return Scheme(
        name,
        kind,
        lambda key, data: key.sign(data, scheme, algorithm),
        lambda key, signature, data: key.verify(signature, data, scheme, algorithm),
        # RFC 8017 section 9.1.1: the encoded message needs two hashes and two bytes of room.
        min_rsa_bits=(2 * algorithm.digest_size + 2) * 8,
    )


def _rsa_pkcs1(name: S, algorithm: hashes.HashAlgorithm, *, legacy: bool = False) -> Scheme:
    """``legacy`` ones are for clients of TLS 1.3 whose key, mostly in a token, can't make PSS signatures."""
    scheme = padding.PKCS1v15()
    return Scheme(
        name,
        "rsa",
        lambda key, data: key.sign(data, scheme, algorithm),
        lambda key, signature, data: key.verify(signature, data, scheme, algorithm),
        in_tls13=legacy,
        in_tls12=not legacy,
        clients_only=legacy,
    )


def _pure(name: S, kind: str, *, in_tls12: bool = True) -> Scheme:
    return Scheme(
        name,
        kind,
        lambda key, data: key.sign(data),
        lambda key, signature, data: key.verify(signature, data),
        in_tls12=in_tls12,
    )


SCHEMES: dict[S, Scheme] = {
    scheme.name: scheme
    for scheme in (
        _ecdsa(S.ecdsa_secp256r1_sha256, "secp256r1", hashes.SHA256()),
        _ecdsa(S.ecdsa_secp384r1_sha384, "secp384r1", hashes.SHA384()),
        _ecdsa(S.ecdsa_secp521r1_sha512, "secp521r1", hashes.SHA512()),
        _pure(S.ed25519, "ed25519"),
        _pure(S.ed448, "ed448"),
        _pure(S.mldsa44, "mldsa44", in_tls12=False),
        _pure(S.mldsa65, "mldsa65", in_tls12=False),
        _pure(S.mldsa87, "mldsa87", in_tls12=False),
        _rsa_pss(S.rsa_pss_rsae_sha256, "rsa", hashes.SHA256()),
        _rsa_pss(S.rsa_pss_rsae_sha384, "rsa", hashes.SHA384()),
        _rsa_pss(S.rsa_pss_rsae_sha512, "rsa", hashes.SHA512()),
        _rsa_pss(S.rsa_pss_pss_sha256, "rsa-pss", hashes.SHA256()),
        _rsa_pss(S.rsa_pss_pss_sha384, "rsa-pss", hashes.SHA384()),
        _rsa_pss(S.rsa_pss_pss_sha512, "rsa-pss", hashes.SHA512()),
        _rsa_pkcs1(S.rsa_pkcs1_sha256, hashes.SHA256()),
        _rsa_pkcs1(S.rsa_pkcs1_sha384, hashes.SHA384()),
        _rsa_pkcs1(S.rsa_pkcs1_sha512, hashes.SHA512()),
        _rsa_pkcs1(S.rsa_pkcs1_sha256_legacy, hashes.SHA256(), legacy=True),
        # Off unless asked for. TLS 1.2 names no curve, so any may stand here.
        _ecdsa(S.ecdsa_sha1, "secp256r1", hashes.SHA1(), in_tls13=False),  # noqa: S303
        _rsa_pkcs1(S.rsa_pkcs1_sha1, hashes.SHA1()),  # noqa: S303
    )
}
"""Every scheme that can be signed with or verified, in order of preference."""

_KINDS: tuple[tuple[type, type, str], ...] = (
    (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey, "ec"),
    (rsa.RSAPublicKey, rsa.RSAPrivateKey, "rsa"),
    (ed25519.Ed25519PublicKey, ed25519.Ed25519PrivateKey, "ed25519"),
    (ed448.Ed448PublicKey, ed448.Ed448PrivateKey, "ed448"),
    (mldsa.MLDSA44PublicKey, mldsa.MLDSA44PrivateKey, "mldsa44"),
    (mldsa.MLDSA65PublicKey, mldsa.MLDSA65PrivateKey, "mldsa65"),
    (mldsa.MLDSA87PublicKey, mldsa.MLDSA87PrivateKey, "mldsa87"),
)


_families: dict[type, str] = {}


def _family(cls: type) -> str:
    """The kind of the keys of a class, less the curve; ``""`` for none."""
    found = _families.get(cls)
    if found is None:
        found = next((kind for public, private, kind in _KINDS if issubclass(cls, (public, private))), "")
        _families[cls] = found
    return found


def key_kind(key: Any, *, pss_only: bool = False) -> str:
    """What kind a public or private key is: ``ec:secp256r1``, ``rsa``, ``ed25519``, ``mldsa44``, ...; ``""`` for none.

    ``pss_only`` says that the certificate names the key id-RSASSA-PSS (RFC 4055 section 1.2): its kind is ``rsa-pss``.
    The key object can't tell.
    """
    family = _family(type(key))
    if family == "ec":
        return f"ec:{key.curve.name}"
    return "rsa-pss" if family == "rsa" and pss_only else family


def describe_key(key: Any, *, pss_only: bool = False) -> str:
    """A key in words for people: ``RSA 2048``, ``EC secp256r1``, ``Ed25519``."""
    kind = key_kind(key, pss_only=pss_only)
    if kind.startswith("rsa"):
        return f"RSA {key.key_size}" + (" (PSS only)" if pss_only else "")
    if kind.startswith("ec:"):
        return f"EC {kind[3:]}"
    names = {"ed25519": "Ed25519", "ed448": "Ed448", "mldsa44": "ML-DSA-44", "mldsa65": "ML-DSA-65"}
    return names.get(kind, "ML-DSA-87" if kind else type(key).__name__)


def schemes_for(key: Any, *, pss_only: bool = False, tls13: bool = True) -> tuple[S, ...]:
    """The schemes that a public or private key can make, in order of preference.

    ``tls13`` leaves out what may only sign certificates there. In TLS 1.2 an ECDSA scheme does not name a curve
    (RFC 8446 section 4.2.3), so without ``tls13`` an EC key can make every one of them, and what is new in TLS 1.3 is
    left out.
    """
    kind = key_kind(key, pss_only=pss_only)
    return _schemes_of(kind, key.key_size if kind.startswith("rsa") else 0, tls13)


@lru_cache(maxsize=128)
def _schemes_of(kind: str, bits: int, tls13: bool) -> tuple[S, ...]:
    return tuple(
        scheme.name
        for scheme in SCHEMES.values()
        if (scheme.key_kind == kind or (not tls13 and kind[:3] == "ec:" == scheme.key_kind[:3]))
        and (scheme.in_tls13 if tls13 else scheme.in_tls12)
        and (not scheme.min_rsa_bits or scheme.min_rsa_bits <= bits)
    )


def sign(key: Any, scheme: S, data: bytes) -> bytes:
    """A signature over ``data``. Raises ``KeyError`` for a scheme that is not in the table."""
    return SCHEMES[scheme].sign(key, data)


def verify(key: Any, scheme: S, signature: bytes, data: bytes) -> None:
    """Raises ``InvalidSignature`` where the signature does not fit."""
    SCHEMES[scheme].verify(key, signature, data)
