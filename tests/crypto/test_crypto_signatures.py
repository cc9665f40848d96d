"""Signature schemes: each signs, verifies, and refuses what was changed; each key makes what it can and no more."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, rsa, x25519
from memory import server_config
from traces8448 import octets, traces

from tlscope import ClientConfig
from tlscope.config import LEGACY_SIGNATURE_SCHEMES
from tlscope.crypto.signatures import (
    SCHEMES,
    InvalidSignature,
    describe_key,
    key_kind,
    schemes_for,
    sign,
    verify,
)
from tlscope.wire.codepoints import SignatureScheme as S


@cache
def private_key(kind: str) -> Any:
    """A key of this kind, made once."""
    makers = {
        "ec:secp256r1": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ec:secp384r1": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ec:secp521r1": lambda: ec.generate_private_key(ec.SECP521R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ed448": ed448.Ed448PrivateKey.generate,
        "mldsa44": mldsa.MLDSA44PrivateKey.generate,
        "mldsa65": mldsa.MLDSA65PrivateKey.generate,
        "mldsa87": mldsa.MLDSA87PrivateKey.generate,
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
    }
    return makers[kind.removesuffix("-pss")]()


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_a_signature_fits_its_key_and_data_alone(scheme: S) -> None:
    key = private_key(SCHEMES[scheme].key_kind)
    signature = sign(key, scheme, b"what is signed")
    verify(key.public_key(), scheme, signature, b"what is signed")
    with pytest.raises(InvalidSignature):
        verify(key.public_key(), scheme, signature, b"something else")
    for changed in (b"", signature[:-1], signature + b"\0"):
        with pytest.raises(InvalidSignature):
            verify(key.public_key(), scheme, changed, b"what is signed")


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_a_changed_signature_is_refused_whichever_byte_it_is(scheme: S) -> None:
    key = private_key(SCHEMES[scheme].key_kind)
    public, signature = key.public_key(), sign(key, scheme, b"what is signed")
    step = max(1, len(signature) // 64)
    for place in {*range(0, len(signature), step), len(signature) - 1}:
        changed = bytearray(signature)
        changed[place] ^= 0x10
        with pytest.raises(InvalidSignature):
            verify(public, scheme, bytes(changed), b"what is signed")


@pytest.mark.parametrize(("one", "two"), [(a, b) for a in SCHEMES for b in SCHEMES if a != b and "rsa" in a.name])
def test_an_rsa_key_signs_for_one_scheme_at_a_time(one: S, two: S) -> None:
    if SCHEMES[one].key_kind[:3] != SCHEMES[two].key_kind[:3]:
        assert SCHEMES[one].key_kind != SCHEMES[two].key_kind
        return
    key = private_key("rsa")
    signature = sign(key, one, b"data")
    one_way, other_way = (
        name.replace("_pss_pss_", "_pss_rsae_").removesuffix("_legacy") for name in (one.name, two.name)
    )
    if one_way == other_way:
        # They differ in the certificate's algorithm identifier alone (RFC 8446 section 4.2.3), or in who may use them.
        verify(key.public_key(), two, signature, b"data")
    else:
        with pytest.raises(InvalidSignature):
            verify(key.public_key(), two, signature, b"data")


def test_the_signatures_of_rfc_8448_verify() -> None:
    for name in ("simple_1rtt", "hello_retry_request", "client_authentication", "compatibility_mode"):
        trace = traces()[name]
        for side, proof in trace["certificate_verify"].items():
            from tlscope.trust.peer_key import PeerKey

            key = PeerKey.from_certificate(octets(trace["certificates"][side]))
            scheme = S.named(proof["algorithm"])
            assert key.can_make(scheme)
            assert key.fits(scheme, octets(proof["signature"]), octets(proof["signed_content"]))
            assert not key.fits(scheme, octets(proof["signature"]), octets(proof["signed_content"]) + b"\0")


@pytest.mark.parametrize(
    ("kind", "schemes"),
    [
        ("ec:secp256r1", {S.ecdsa_secp256r1_sha256}),
        ("ec:secp384r1", {S.ecdsa_secp384r1_sha384}),
        ("ec:secp521r1", {S.ecdsa_secp521r1_sha512}),
        ("ed25519", {S.ed25519}),
        ("ed448", {S.ed448}),
        ("mldsa65", {S.mldsa65}),
        ("rsa", {S.rsa_pss_rsae_sha256, S.rsa_pss_rsae_sha384, S.rsa_pss_rsae_sha512, S.rsa_pkcs1_sha256_legacy}),
    ],
)
def test_a_key_makes_what_tls_1_3_allows(kind: str, schemes: set[S]) -> None:
    key = private_key(kind)
    assert set(schemes_for(key)) == set(schemes_for(key.public_key())) == schemes
    assert key_kind(key) == key_kind(key.public_key()) == kind


def test_a_pss_key_makes_nothing_else() -> None:
    public = private_key("rsa").public_key()
    schemes = {S.rsa_pss_pss_sha256, S.rsa_pss_pss_sha384, S.rsa_pss_pss_sha512}
    assert set(schemes_for(public, pss_only=True)) == schemes
    assert set(schemes_for(public, pss_only=True, tls13=False)) == schemes
    assert key_kind(public, pss_only=True) == "rsa-pss"


def test_tls_1_2_allows_more() -> None:
    # RFC 8446 section 4.2.3: there an ECDSA scheme names no curve, and PKCS #1 v1.5 may sign.
    ecdsa = {S.ecdsa_secp256r1_sha256, S.ecdsa_secp384r1_sha384, S.ecdsa_secp521r1_sha512, S.ecdsa_sha1}
    assert set(schemes_for(private_key("ec:secp384r1"), tls13=False)) == ecdsa
    assert S.rsa_pkcs1_sha256 in schemes_for(private_key("rsa"), tls13=False)


def test_tls_1_2_does_without_what_is_new() -> None:
    assert schemes_for(private_key("mldsa65"), tls13=False) == ()
    assert S.rsa_pkcs1_sha256_legacy not in schemes_for(private_key("rsa"), tls13=False)


def test_a_short_rsa_key_makes_no_long_hash() -> None:
    # RFC 8017 section 9.1.1: 1,024 bits are two too few for SHA-512 with a salt as long.
    trace = traces()["simple_1rtt"]
    from cryptography import x509

    key = x509.load_der_x509_certificate(octets(trace["certificates"]["server"])).public_key()
    assert set(schemes_for(key)) == {S.rsa_pss_rsae_sha256, S.rsa_pss_rsae_sha384, S.rsa_pkcs1_sha256_legacy}


def test_pkcs1_signs_no_handshake_of_tls_1_3() -> None:
    assert {scheme for scheme, row in SCHEMES.items() if not row.in_tls13} == {
        S.rsa_pkcs1_sha256,
        S.rsa_pkcs1_sha384,
        S.rsa_pkcs1_sha512,
        S.rsa_pkcs1_sha1,
        S.ecdsa_sha1,
    }
    assert {scheme for scheme, row in SCHEMES.items() if row.clients_only} == {S.rsa_pkcs1_sha256_legacy}


def test_what_is_old_is_off() -> None:
    for role in (ClientConfig(), server_config()):
        named = {*role.signature_schemes, *role.signing_schemes_12, *role.certificate_signature_schemes}
        assert not named & set(LEGACY_SIGNATURE_SCHEMES)
        assert not any("sha1" in scheme.name for scheme in named)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: private_key("rsa"), "RSA 2048"),
        (lambda: private_key("ec:secp256r1"), "EC secp256r1"),
        (lambda: private_key("ed25519"), "Ed25519"),
        (lambda: private_key("ed448"), "Ed448"),
        (lambda: private_key("mldsa44"), "ML-DSA-44"),
        (lambda: private_key("mldsa65"), "ML-DSA-65"),
        (lambda: private_key("mldsa87"), "ML-DSA-87"),
        (x25519.X25519PrivateKey.generate, "X25519PrivateKey"),
    ],
)
def test_a_key_in_words(make: Any, text: str) -> None:
    assert describe_key(make()) == text


def test_a_pss_key_in_words() -> None:
    assert describe_key(private_key("rsa"), pss_only=True) == "RSA 2048 (PSS only)"


def test_a_key_that_tls_does_not_sign_with() -> None:
    other = dsa.generate_parameters(1024).generate_private_key()
    for key in (other, other.public_key(), x25519.X25519PrivateKey.generate()):
        assert key_kind(key) == ""
        assert schemes_for(key) == ()


def test_a_scheme_that_is_not_spoken_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        sign(private_key("rsa"), S.of(0x0101), b"data")
    with pytest.raises(KeyError):
        verify(private_key("rsa").public_key(), S.of(0x9999), b"", b"data")
