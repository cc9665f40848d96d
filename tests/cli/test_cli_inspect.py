"""``tlscope inspect``: files, servers, and whether two sides will accept each other."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from command import Files, invoke, serving, too_wide
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tlscope.authority import Authority

NOW = dt.datetime.now(dt.UTC)


def said(*arguments: object, code: int = 0) -> str:
    result = invoke("inspect", *arguments)
    assert result.code == code, (result.stdout, result.stderr)
    assert not too_wide(result.stdout)
    assert "PRIVATE KEY" not in result.stdout
    return " ".join(result.stdout.split())


def pem(key: Any, passphrase: bytes = b"") -> bytes:
    how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject: str, key: Any, issuer: Any = None, issuer_key: Any = None, **how: Any) -> x509.Certificate:
    """A certificate with just what is asked for: ``names``, ``ca``, ``days`` and ``begins``."""
    begins = how.get("begins", NOW - dt.timedelta(hours=1))
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(subject) if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + dt.timedelta(days=how.get("days", 90)))
    )
    if "names" in how:
        names = x509.SubjectAlternativeName([x509.DNSName(one) for one in how["names"]])
        builder = builder.add_extension(names, critical=False)
    if how.get("ca"):
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if how.get("identified"):
        signer = (issuer_key or key).public_key()
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer)
        builder = builder.add_extension(identifier, critical=False)
    if how.get("server"):
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256())


def written(path: Path, *parts: Any) -> Path:
    path.write_bytes(b"".join(one if isinstance(one, bytes) else one.public_bytes(Encoding.PEM) for one in parts))
    return path


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def chain() -> tuple[list[x509.Certificate], Any]:
    """A leaf, an intermediate and a root, and the leaf's key."""
    keys = [new_key() for _ in range(3)]
    root = certificate("Root", keys[2], ca=True)
    middle = certificate("Middle", keys[1], root, keys[2], ca=True)
    return [certificate("leaf.test", keys[0], middle, keys[1], names=["leaf.test"]), middle, root], keys[0]


# Files


def test_a_certificate_and_its_key(files: Files) -> None:
    text = said(files.server, files.server_key)
    assert "a certificate subject CN=localhost for localhost, 127.0.0.1 and ::1" in text
    assert "good for TLS servers" in text
    assert "belongs to" in text
    assert "✓" in text
    assert "a CA's certificate, a root" in said(files.ca)


def test_a_key_of_another(files: Files) -> None:
    assert "belongs to none of the certificates" in said(files.server, files.client_key)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_pkcs7_bundle_is_unpacked_and_put_in_order(tmp_path: Path, chain: Any, encoding: Encoding) -> None:
    certificates, key = chain
    path = written(tmp_path / "chain.p7b", pkcs7.serialize_certificates(certificates[::-1], encoding))
    text = said(path)
    assert "a PKCS#7 bundle holds 3 certificates and no key" in text
    assert "A chain: leaf.test ← Middle ← Root" in text
    assert "TLS programs do not read it" in text
    assert "belongs to certificate 1" in said(path, written(tmp_path / "key.pem", pem(key)))


def test_what_tls_does_not_read_says_how_to_convert_it(tmp_path: Path) -> None:
    key = new_key().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    text = said(written(tmp_path / "id_ecdsa", key))
    assert "an OpenSSH private key" in text
    assert "ssh-keygen -p -m PKCS8" in text


def test_a_damaged_pkcs7_bundle(tmp_path: Path, chain: Any) -> None:
    whole = pkcs7.serialize_certificates(chain[0], Encoding.DER)
    path = written(tmp_path / "cut.p7b", whole[:40] + bytes(len(whole) - 40))
    result = invoke("inspect", path)
    assert result.code == 2
    assert "PKCS#7 bundle in it can't be read" in " ".join(result.stderr.split())


def test_der_and_pkcs12(tmp_path: Path, chain: Any) -> None:
    certificates, key = chain
    (tmp_path / "leaf.der").write_bytes(certificates[0].public_bytes(Encoding.DER))
    assert "leaf.test" in said(tmp_path / "leaf.der")
    store = pkcs12.serialize_key_and_certificates(b"x", key, certificates[0], certificates[1:], NoEncryption())
    (tmp_path / "all.p12").write_bytes(store)
    text = said(tmp_path / "all.p12")
    assert "a PKCS#12 file holds a private key and 3 certificates" in text
    assert "✓ the key in" in text


def test_requests_and_revocation_lists(tmp_path: Path) -> None:
    key = new_key()
    request = x509.CertificateSigningRequestBuilder().subject_name(name("wanted.test")).sign(key, hashes.SHA256())
    text = said(written(tmp_path / "a.csr", request))
    assert "a certificate signing request (CSR)" in text
    assert "no subjectAltName" in text
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name("CA"))
        .last_update(NOW - dt.timedelta(days=9))
        .next_update(NOW - dt.timedelta(days=2))
        .sign(key, hashes.SHA256())
    )
    text = said(written(tmp_path / "a.crl", crl))
    assert "a certificate revocation list (CRL) issued by CN=CA" in text
    assert "revokes 0 certificates" in text
    assert "out of date" in text


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"names": ["a.test"], "begins": NOW - dt.timedelta(days=100)}, "it expired 10 days ago"),
        ({"names": ["a.test"], "begins": NOW + dt.timedelta(days=3, hours=1)}, "it is not valid yet, but in 3 days"),
        ({"names": ["a.test"], "days": 5}, "it expires in 4 days"),
        ({}, "it has no subjectAltName"),
    ],
)
def test_faults_of_a_certificate(how: dict[str, Any], words: str, tmp_path: Path) -> None:
    assert words in said(written(tmp_path / "a.pem", certificate("a.test", new_key(), **how)))


def test_a_chain_in_order(tmp_path: Path, chain: Any) -> None:
    certificates, _ = chain
    text = said(written(tmp_path / "chain.pem", *certificates[:2]))
    assert "A chain: leaf.test ← Middle" in text
    assert "!" not in text
    assert "the root is in it" in said(written(tmp_path / "whole.pem", *certificates))


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ((1, 0), "the leaf must come first"),
        ((0, 2), "its issuer, CN=Middle, is not in the file: a gap"),
        ((0, 2, 1), "its issuer is certificate 3"),
        ((0, 0, 1), "certificate 2 is there twice"),
    ],
)
def test_a_chain_with_faults(order: tuple[int, ...], words: str, tmp_path: Path, chain: Any) -> None:
    assert words in said(written(tmp_path / "chain.pem", *(chain[0][place] for place in order)))


def test_an_issuer_of_the_same_name_with_another_key(tmp_path: Path, chain: Any) -> None:
    other = certificate("Middle", new_key(), ca=True)
    assert "has the name of certificate 1's issuer, but another key" in said(
        written(tmp_path / "chain.pem", chain[0][0], other)
    )


def test_what_is_something_else(tmp_path: Path) -> None:
    page = tmp_path / "a.pem"
    page.write_text("<!doctype html><p>Sign in")
    result = invoke("inspect", page)
    assert result.code == 2
    assert "an HTML page" in result.stderr
    assert invoke("inspect", tmp_path / "missing.pem").code == 2
    page.write_bytes(pem(new_key(), b"secret"))
    assert "the key is encrypted" in said(page)


def test_json_of_files(files: Files) -> None:
    document = json.loads(invoke("inspect", files.server, files.client_key, "--json").stdout)
    assert document["files"][0]["items"][0]["kind"] == "a certificate"
    assert document["files"][0]["items"][0]["facts"]["subject"] == "CN=localhost"
    assert [one["fits"] for one in document["keys"]] == [False]


# Servers


def test_a_server_is_looked_at_and_judged(files: Files) -> None:
    with serving(*files.as_server) as server:
        where = f"localhost:{server.port}"
        text = said(where, *files.trust)
        assert "What the server shows: 1 certificate" in text
        assert "✓ a client that asks for localhost accepts it" in text
        refused = invoke("inspect", where)
        assert refused.code == 4
        assert "issued by CN=" in " ".join(refused.stdout.split())
        document = json.loads(invoke("inspect", where, *files.trust, "--json", "--server-name", "other.test").stdout)
        assert document["diagnosis"]["id"] == "wrong-host"
        assert document["chain"][0]["facts"]["subject"] == "CN=localhost"


def test_a_server_that_is_not_there() -> None:
    assert invoke("inspect", "127.0.0.1:1").code == 3


# Pre-flights


def test_two_that_accept_each_other(files: Files) -> None:
    text = said(
        *("--server", f"{files.server},{files.server_key}", "--server", files.ca),
        *("--client", files.ca, "--client", files.client, "--client", files.client_key),
    )
    assert "✓ TLS 1.3: they accept each other" in text
    assert "✓ TLS 1.2: they accept each other" in text


def test_a_client_without_the_certificate_that_is_demanded(files: Files) -> None:
    sides = ("--server", f"{files.server},{files.server_key},{files.ca}", "--client", files.ca)
    text = said(*sides, code=4)
    assert "✗ TLS 1.3: the server refuses" in text
    assert text.count("no-client-cert:") == 1
    assert "would accept the server" not in text
    document = json.loads(invoke("inspect", *sides, "--json").stdout)
    assert document["accepted"] is False
    assert [one["judge"] for one in document["attempts"]] == ["server", "server"]


def test_a_client_that_trusts_another_ca(files: Files, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(Authority.create("Other CA").root.public_bytes(Encoding.PEM))
    text = said("--server", f"{files.server},{files.server_key}", "--client", other, code=4)
    assert "✗ TLS 1.3: the client refuses" in text
    assert "would accept the server" not in text


def test_another_name(files: Files) -> None:
    sides = ("--server", f"{files.server},{files.server_key}", "--client", files.ca, "--server-name", "other.test")
    assert "wrong-host" in said(*sides, code=4)


def test_a_common_name_alone_is_remarked_on(tmp_path: Path) -> None:
    root_key, key = new_key(), new_key()
    root = certificate("Root", root_key, ca=True)
    leaf = certificate("old.test", key, root, root_key, server=True)
    written(tmp_path / "ca.pem", root)
    written(tmp_path / "leaf.pem", leaf, pem(key))
    text = said("--server", tmp_path / "leaf.pem", "--client", tmp_path / "ca.pem", code=4)
    assert "only the common name old.test" in text
    assert "still take a common name" in text
    # What Python says is no guess: it is asked.
    assert "Python 3.12 and older, like OpenSSL by itself, would accept the server" in text
    assert "Python 3.13 and newer (VERIFY_X509_STRICT) would accept" not in text


def test_a_short_rsa_key_is_remarked_on(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)
    leaf = certificate("weak.test", key, names=["weak.test"])
    written(tmp_path / "leaf.pem", leaf, pem(key))
    result = invoke("inspect", "--server", tmp_path / "leaf.pem", "--client", written(tmp_path / "ca.pem", leaf))
    assert result.code == 4
    assert "the server's RSA key has 1024 bits" in " ".join(result.stdout.split())


def test_a_key_that_does_not_fit_is_found_when_it_is_loaded(files: Files) -> None:
    result = invoke("inspect", "--server", f"{files.server},{files.client_key}", "--client", files.ca)
    assert result.code == 2
    assert "don't belong together" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--server", "{server}"),
        ("--server", "{server}", "--client", "{ca}"),
        ("--server", "{key},{other}", "--client", "{ca}"),
        ("--server", "{server},{key}", "--client", "{ca}", "example.org"),
    ],
)
def test_a_command_line_that_makes_no_sense(arguments: tuple[str, ...], files: Files) -> None:
    names = {"server": files.server, "key": files.server_key, "ca": files.ca, "other": files.client_key}
    assert invoke("inspect", *[one.format(**names) for one in arguments]).code == 2
