"""Certificates for the tests: the same bytes on every run, valid around ``NOW`` and at no real time.

Every key comes from a fixed scalar and signs deterministically (RFC 6979), so whole flights can be compared. A key that
signs at random (RSA-PSS) has no place here.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tlscope import Identity, SignatureScheme, TrustAnchors

NOW = dt.datetime(2031, 5, 4, 12, 0, tzinfo=dt.UTC)
"""When the tests take place."""

SERVER_NAME = "localhost"


def clock() -> dt.datetime:
    """The clock of every configuration here."""
    return NOW


def key(number: int) -> ec.EllipticCurvePrivateKey:
    """One of the fixed P-256 keys."""
    return ec.derive_private_key(0xC0FFEE + number, ec.SECP256R1())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(**wanted: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    names += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in names})


class Maker:
    """A root that issues leaves."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.key = name, key(number)
        public = self.key.public_key()
        self._key_identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        self.certificate = self._sign(
            self._base(name, public, number)
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), True)
            .add_extension(self._key_identifier, False)
        )

    def _base(self, subject: str, public: Any, number: int) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(self.name))
            .public_key(public)
            .serial_number(1000 + number)
            .not_valid_before(NOW - dt.timedelta(days=1))
            .not_valid_after(NOW + dt.timedelta(days=30))
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._key_identifier), False)
        )

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.sign(self.key, hashes.SHA256(), ecdsa_deterministic=True)

    def leaf(
        self, name: str, number: int, *, client: bool = False, public: Any = None, usage: str = "digital_signature"
    ) -> x509.Certificate:
        """A certificate for one DNS name; ``public`` is key ``number`` where it isn't given."""
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        public = key(number).public_key() if public is None else public
        return self._sign(
            self._base(name, public, number)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(_usage(**{usage: True}), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
            .add_extension(x509.ExtendedKeyUsage([purpose]), False)
        )


def signing(number: int) -> Any:
    """A signer (``Identity.with_signer``) with a fixed key whose signatures are the same every time."""
    private = key(number)
    method = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)

    def sign(scheme: SignatureScheme, data: bytes) -> bytes:
        assert scheme == SignatureScheme.ecdsa_secp256r1_sha256
        return private.sign(data, method)

    return sign


def der(certificate: x509.Certificate) -> bytes:
    """A certificate's bytes."""
    return certificate.public_bytes(Encoding.DER)


def identity(maker: Maker, name: str, number: int, *, client: bool = False) -> Identity:
    """A leaf with a signer."""
    leaf = maker.leaf(name, number, client=client)
    return Identity.with_signer([der(leaf)], signing(number), [SignatureScheme.ecdsa_secp256r1_sha256])


@cache
def root() -> Maker:
    """The root that both sides trust."""
    return Maker("Test root", 1)


@cache
def stranger() -> Maker:
    """A root that nobody trusts."""
    return Maker("Unknown root", 2)


@cache
def anchors() -> TrustAnchors:
    """What both sides trust."""
    return TrustAnchors.from_certificates([root().certificate])


@cache
def server_identity() -> Identity:
    """For ``SERVER_NAME``."""
    return identity(root(), SERVER_NAME, 10)


@cache
def client_identity() -> Identity:
    """For a client that the server trusts."""
    return identity(root(), "client.example", 11, client=True)


@cache
def stranger_identity() -> Identity:
    """For a client that the server does not trust."""
    return identity(stranger(), "stranger.example", 12, client=True)
