"""Identities: what loads, and what is said of a file that doesn't."""

from __future__ import annotations

import os
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)

from tlscope.authority import Authority, Issued, make_crl, self_signed
from tlscope.crypto.signatures import verify
from tlscope.errors import ConfigError
from tlscope.trust import Identity
from tlscope.wire.codepoints import SignatureScheme as S

NOW = datetime(2030, 6, 1, 12, tzinfo=UTC)
PASSWORD = b"open sesame"


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority.create("Example CA", now=NOW)


@pytest.fixture(scope="module")
def issued(ca: Authority) -> Issued:
    return ca.issue_intermediate("Example Issuing CA").issue_server(
        "shop.example", "*.shop.example", "127.0.0.1", "::1"
    )


def write(tmp_path: Path, name: str, data: bytes | str) -> Path:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def traditional(issued: Issued, password: bytes | None = None) -> bytes:
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    return issued.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, encryption)  # type: ignore[union-attr]


def refused(code: str, load: Any, *args: Any, **options: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(*args, **options)
    assert caught.value.code == code, caught.value
    assert "\n" not in str(caught.value)
    return caught.value


# What loads


def test_everything_about_an_identity(issued: Issued) -> None:
    identity = Identity.from_pem(issued.pem(), issued.key_pem())
    assert identity.chain == issued.der()
    assert identity.leaf == issued.certificate == identity.certificates[0]
    assert identity.schemes == (S.ecdsa_secp256r1_sha256,)
    assert identity.names.dns == ("shop.example", "*.shop.example")
    assert identity.names.ip == ("127.0.0.1", "::1")
    assert identity.names.common_name == "shop.example"
    assert identity.names.subject == "CN=shop.example"
    assert identity.label == "shop.example"
    assert identity.ocsp_response is None
    assert identity.fingerprint == issued.certificate.fingerprint(hashes.SHA256()).hex()
    assert identity.issuers == {one.issuer.public_bytes() for one in issued.chain}


def test_signing(issued: Issued) -> None:
    identity = issued.identity()
    signature = identity.sign(S.ecdsa_secp256r1_sha256, b"data")
    verify(identity.leaf.public_key(), S.ecdsa_secp256r1_sha256, signature, b"data")


def test_stapling_makes_another_identity(issued: Issued) -> None:
    identity = issued.identity()
    stapled = identity.with_ocsp_response(b"response")
    assert (identity.ocsp_response, stapled.ocsp_response) == (None, b"response")
    assert stapled.chain == identity.chain


def test_it_is_immutable_shows_no_key_and_is_not_pickled(issued: Issued) -> None:
    identity = issued.identity()
    with pytest.raises(AttributeError):
        identity.chain = ()  # type: ignore[misc]
    assert repr(identity) == "<Identity 'shop.example', 2 certificates, EC secp256r1>"
    with pytest.raises(TypeError, match="private key"):
        pickle.dumps(identity)
    assert identity != issued.identity()


@pytest.mark.parametrize(
    ("name", "serves"),
    [
        ("shop.example", True),
        ("SHOP.example", True),
        ("shop.example.", True),
        ("a.shop.example", True),
        ("a.b.shop.example", False),
        ("example", False),
        ("127.0.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("0:0:0:0:0:0:0:1", True),
        ("127.0.0.2", False),
        ("not a name", False),
        ("", False),
    ],
)
def test_serves(issued: Issued, name: str, serves: bool) -> None:
    assert issued.identity().serves(name) is serves


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "RSA-2048", "Ed25519", "Ed448", "ML-DSA-44"])
def test_every_kind_of_key(ca: Authority, kind: str) -> None:
    made = ca.issue_server("shop.example", key=kind)
    identity = Identity.from_pem(made.pem(), made.key_pem())
    for scheme in identity.schemes:
        verify(identity.leaf.public_key(), scheme, identity.sign(scheme, b"data"), b"data")


def test_files_in_every_form(issued: Issued, tmp_path: Path) -> None:
    key_der = issued.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    certificate = write(tmp_path, "cert.pem", issued.pem())
    keys = {
        "key.pem": issued.key_pem(),
        "traditional.pem": traditional(issued),
        "parameters.pem": b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        + traditional(issued),
        "crlf.pem": issued.key_pem().replace(b"\n", b"\r\n"),
        "bom.pem": b"\xef\xbb\xbf" + issued.key_pem(),
        "comment.pem": b"Bag Attributes\n    friendlyName: x\n" + issued.key_pem(),
        "key.der": key_der,
    }
    for name, data in keys.items():
        assert Identity.from_files(certificate, write(tmp_path, name, data)).chain == issued.der(), name
    both = write(tmp_path, "both.pem", issued.key_pem() + issued.pem())
    assert Identity.from_files(both).chain == issued.der()
    leaf = write(tmp_path, "leaf.der", issued.der()[0])
    assert Identity.from_files(str(leaf), tmp_path / "key.der").chain == issued.der()[:1]
    assert Identity.from_der(issued.der(), key_der).chain == issued.der()
    assert Identity.from_pem(issued.pem().decode(), issued.key_pem().decode()).chain == issued.der()
    assert Identity.from_certificates(issued.chain, issued.key).chain == issued.der()  # type: ignore[arg-type]


@pytest.mark.parametrize("password", [PASSWORD, PASSWORD.decode(), lambda: PASSWORD, lambda: PASSWORD.decode()])
def test_passphrases(issued: Issued, tmp_path: Path, password: Any) -> None:
    certificate = write(tmp_path, "cert.pem", issued.pem())
    for name, data in {"pkcs8.pem": issued.key_pem(PASSWORD), "traditional.pem": traditional(issued, PASSWORD)}.items():
        assert Identity.from_files(certificate, write(tmp_path, name, data), password).schemes


def test_a_passphrase_is_asked_for_only_where_it_is_needed(issued: Issued) -> None:
    def ask() -> bytes:
        raise AssertionError("nobody needed to be asked")

    assert Identity.from_pem(issued.pem(), issued.key_pem(), ask)
    assert Identity.from_pem(issued.pem(), issued.key_pem(), "not needed")


def test_pkcs12(issued: Issued, ca: Authority, tmp_path: Path) -> None:
    # In no order: PKCS#12 keeps the certificates of the chain as a set.
    bundle = pkcs12.serialize_key_and_certificates(
        b"x",
        issued.key,  # type: ignore[arg-type]
        issued.certificate,
        [ca.root, *issued.chain[1:]],
        BestAvailableEncryption(PASSWORD),
    )
    path = write(tmp_path, "id.whatever", bundle)
    for identity in (Identity.from_files(path, password=PASSWORD), Identity.from_pkcs12(bundle, PASSWORD)):
        assert identity.certificates == (*issued.chain, ca.root)
    assert Identity.from_pkcs12(issued.pkcs12("x"), "x").chain == issued.der()


@pytest.mark.parametrize("password", [None, b""])
def test_pkcs12_without_a_passphrase(issued: Issued, password: bytes | None) -> None:
    bundle = pkcs12.serialize_key_and_certificates(b"x", issued.key, issued.certificate, None, NoEncryption())  # type: ignore[arg-type]
    assert Identity.from_pkcs12(bundle, password).chain == issued.der()[:1]


def test_a_signer_elsewhere(issued: Issued) -> None:
    asked: list[tuple[S, bytes]] = []

    def signer(scheme: S, data: bytes) -> bytes:
        asked.append((scheme, data))
        return b"signature"

    identity = Identity.with_signer(issued.der(), signer, [S.ecdsa_secp256r1_sha256])
    assert identity.sign(S.ecdsa_secp256r1_sha256, b"data") == b"signature"
    assert asked == [(S.ecdsa_secp256r1_sha256, b"data")]
    assert identity.key is None
    assert "external signer" in repr(identity)
    refused("config", Identity.with_signer, issued.der(), signer, [])
    refused("config", Identity.with_signer, [], signer, [S.ed25519])


# Certificate and key


def test_key_mismatch_shows_both_keys(issued: Issued, ca: Authority, tmp_path: Path) -> None:
    certificate = write(tmp_path, "cert.pem", issued.pem())
    key = write(tmp_path, "key.pem", ca.issue_server("other.example", key="RSA-2048").key_pem())
    error = refused("key-mismatch", Identity.from_files, certificate, key)
    assert str(error).startswith(f"{certificate}: this certificate and the private key in {key} don't belong together")
    assert error.evidence["certificate"].startswith("EC secp256r1 ")
    assert error.evidence["key"].startswith("RSA 2048 ")
    assert error.path == str(certificate)


def test_leaf_not_first(issued: Issued, ca: Authority) -> None:
    pems = [one.public_bytes(Encoding.PEM) for one in issued.chain]
    error = refused("pem-order", Identity.from_pem, b"".join(reversed(pems)), issued.key_pem())
    assert "certificate 2 is the one that fits the key" in str(error)
    assert "certificate 1 is CN=Example Issuing CA,O=Example CA" in str(error)
    assert error.evidence["position"] == 2


def test_weak_own_key(ca: Authority) -> None:
    weak = ca.issue_server("shop.example", key="RSA-1024")
    error = refused("weak-key", Identity.from_pem, weak.pem(), weak.key_pem())
    assert "its RSA key has 1024 bits, and peers demand 2048 or more" in str(error)
    assert Identity.from_pem(weak.pem(), weak.key_pem(), min_rsa_bits=1024).schemes


def test_key_that_tls_cannot_sign_with() -> None:
    made = self_signed("shop.example", key=ec.generate_private_key(ec.SECP256K1()), now=NOW)
    error = refused("weak-key", Identity.from_pem, made.pem(), made.key_pem())
    assert "EC secp256k1, which TLS 1.3 can't sign with" in str(error)


def test_key_that_cannot_sign_at_all(issued: Issued) -> None:
    key = x25519.X25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    refused("key-mismatch", Identity.from_pem, issued.pem(), pem)


# Passphrases


@pytest.mark.parametrize("form", ["pkcs8", "traditional", "der", "pkcs12"])
def test_encrypted_and_wrong(issued: Issued, tmp_path: Path, form: str) -> None:
    certificate = write(tmp_path, "cert.pem", issued.pem())
    key = write(
        tmp_path,
        "key",
        {
            "pkcs8": issued.key_pem(PASSWORD),
            "traditional": traditional(issued, PASSWORD),
            "der": issued.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD)),
            "pkcs12": issued.pkcs12(PASSWORD),
        }[form],
    )
    files = (key,) if form == "pkcs12" else (certificate, key)
    what = "PKCS#12 file" if form == "pkcs12" else "private key"
    error = refused("encrypted-key", Identity.from_files, *files)
    assert str(error).startswith(f"{key}: the {what} is encrypted and no passphrase was given")
    error = refused("wrong-passphrase", Identity.from_files, *files, password="wrong")
    assert str(error) == f"{key}: the passphrase given does not open the {what}"
    assert Identity.from_files(*files, password=PASSWORD)


# Files that are something else


def _csr(key: Any) -> x509.CertificateSigningRequest:
    return x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())


def _wrong_certificates(issued: Issued, ca: Authority) -> dict[str, tuple[bytes, str]]:
    key: Any = issued.key
    csr = _csr(key)
    public = key.public_key()
    crl = make_crl(ca)
    dsa_key = dsa.generate_private_key(1024)
    bundle = pkcs7.serialize_certificates(list(issued.chain), Encoding.PEM)
    return {
        "empty": (b"", "this is empty, and a certificate"),
        "blank": (b" \n\n", "this is empty"),
        "key": (issued.key_pem(), "this is a private key"),
        "csr": (csr.public_bytes(Encoding.PEM), "this is a certificate signing request (CSR)"),
        "csr-der": (csr.public_bytes(Encoding.DER), "this is a certificate signing request (CSR)"),
        "crl": (crl, "this is a certificate revocation list (CRL)"),
        "crl-der": (x509.load_pem_x509_crl(crl).public_bytes(Encoding.DER), "this is a certificate revocation list"),
        "public": (public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "this is a public key"),
        "public-der": (public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), "this is a public key"),
        "ssh-private": (
            key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
            "this is an OpenSSH private key",
        ),
        "ssh-public": (public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH), "this is an OpenSSH public key"),
        "dsa": (
            dsa_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
            "this is a DSA private key",
        ),
        "pkcs7": (bundle, "this is a PKCS#7 bundle"),
        "pkcs7-der": (
            pkcs7.serialize_certificates(list(issued.chain), Encoding.DER),
            "this is a PKCS#7 bundle",
        ),
        "html": (b"<!DOCTYPE html><html>Sign in</html>", "this is an HTML page"),
        "utf16": (
            ("\ufeff" + issued.pem().decode()).encode("utf-16-le"),
            "this is text in UTF-16",
        ),
        "jks": (b"\xfe\xed\xfe\xed\x00\x00\x00\x02", "this is a Java key store"),
        "trusted": (
            issued.pem().replace(b" CERTIFICATE", b" TRUSTED CERTIFICATE"),
            "this is a certificate in OpenSSL's own format",
        ),
        "garbage": (b"\x00\x01\x02 nothing at all", "this is neither PEM nor DER"),
        "cut": (issued.pem()[:200], "has no line -----END CERTIFICATE-----: part of it is missing"),
        "nested": (issued.pem()[:200] + b"\n" + issued.pem(), "has no line -----END CERTIFICATE-----"),
        "damaged": (issued.pem().replace(b"MII", b"M!!", 1), "is not base64: it was damaged"),
        "nonsense": (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "certificate 1 in it can't be parsed",
        ),
        "pgp": (
            b"-----BEGIN PGP PUBLIC KEY BLOCK-----\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n",
            "this is an OpenPGP key",
        ),
        "other": (b"-----BEGIN WIDGET-----\nAAAA\n-----END WIDGET-----\n", "this is a PEM block called WIDGET"),
    }


KINDS = (
    *("empty", "blank", "key", "csr", "csr-der", "crl", "crl-der", "public", "public-der", "ssh-private", "ssh-public"),
    *("dsa", "pkcs7", "pkcs7-der", "html", "utf16", "jks", "trusted", "garbage", "cut", "damaged", "nonsense", "pgp"),
    "other",
    "nested",
)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_certificate(issued: Issued, ca: Authority, tmp_path: Path, kind: str) -> None:
    wrong = _wrong_certificates(issued, ca)
    assert set(wrong) == set(KINDS)
    data, words = wrong[kind]
    path = write(tmp_path, "cert.pem", data)
    error = refused("file-kind", Identity.from_files, path, write(tmp_path, "key.pem", issued.key_pem()))
    assert str(error).startswith(f"{path}: ")
    assert words in str(error)
    assert error.path == str(path)
    if kind not in ("cut", "nested", "damaged", "nonsense"):
        assert "a certificate (PEM, DER or PKCS#12) is wanted" in str(error)
        assert error.evidence["found"]


@pytest.mark.parametrize("kind", ["empty", "csr", "public", "ssh-private", "dsa", "utf16", "cut", "garbage"])
def test_what_is_no_key(issued: Issued, ca: Authority, tmp_path: Path, kind: str) -> None:
    data, _ = _wrong_certificates(issued, ca)[kind]
    certificate, key = write(tmp_path, "cert.pem", issued.pem()), write(tmp_path, "key.pem", data)
    error = refused("file-kind", Identity.from_files, certificate, key)
    assert str(error).startswith(f"{key}: ")


def test_a_certificate_where_a_key_should_be(issued: Issued, tmp_path: Path) -> None:
    certificate = write(tmp_path, "cert.pem", issued.pem())
    error = refused("file-kind", Identity.from_files, certificate, certificate)
    assert "this is a certificate, and a private key is wanted; certificate and key may have changed places" in str(
        error
    )


def test_a_pkcs12_file_where_a_key_should_be(issued: Issued, tmp_path: Path) -> None:
    certificate = write(tmp_path, "cert.pem", issued.pem())
    error = refused("file-kind", Identity.from_files, certificate, write(tmp_path, "id.p12", issued.pkcs12("x")))
    assert "this is a PKCS#12 file, and a private key is wanted; it holds certificate and key together" in str(error)


def test_a_certificate_without_a_key(issued: Issued) -> None:
    error = refused("file-kind", Identity.from_pem, issued.pem())
    assert "a certificate in it but no private key" in str(error)


def test_a_pkcs12_file_without_a_key(issued: Issued) -> None:
    bundle = pkcs12.serialize_key_and_certificates(None, None, issued.certificate, None, NoEncryption())
    assert "holds no private key" in str(refused("file-kind", Identity.from_pkcs12, bundle))
    refused("file-kind", Identity.from_pkcs12, b"nothing of the kind")


def test_files_that_cannot_be_read(issued: Issued, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    assert "there is no such file" in str(refused("file-kind", Identity.from_files, missing))
    assert "this is a directory" in str(refused("file-kind", Identity.from_files, tmp_path))
    refused("file-kind", Identity.from_files, "nul\0byte")
    if os.geteuid() != 0:
        closed = write(tmp_path, "closed.pem", issued.pem())
        closed.chmod(0)
        assert "may not be read by this user" in str(refused("file-kind", Identity.from_files, closed))


def test_a_file_without_end(tmp_path: Path) -> None:
    huge = tmp_path / "huge.pem"
    with huge.open("wb") as stream:
        stream.truncate(17 * 2**20)
    assert "longer than 16 MiB" in str(refused("file-kind", Identity.from_files, huge))


def test_a_damaged_key(issued: Issued) -> None:
    broken = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    assert "can't be read" in str(refused("file-kind", Identity.from_pem, issued.pem(), broken))
