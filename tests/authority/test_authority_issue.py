"""What the authority issues: dates, extensions, names, keys."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from hypothesis import given
from hypothesis import strategies as st

from tlscope.authority import Authority, CertificateSpec, Issued, Revocation, make_crl, make_ocsp_response, self_signed
from tlscope.authority.keys import KEY_KINDS, make_key
from tlscope.authority.naming import general_name
from tlscope.authority.spec import name_of
from tlscope.errors import ConfigError
from tlscope.trust import Identity, Verifier

NOW = datetime(2030, 6, 1, 12, tzinfo=UTC)
CA = Authority.create("Example CA", now=NOW)


def extension(certificate: x509.Certificate, kind: Any) -> Any:
    return certificate.extensions.get_extension_for_class(kind)


def refused(code: str, call: Any, *args: Any, **options: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        call(*args, **options)
    assert caught.value.code == code, caught.value
    assert "\n" not in str(caught.value)
    return caught.value


# The root


def test_root() -> None:
    root = CA.root
    assert root.subject.rfc4514_string() == "CN=Example CA,O=Example CA"
    basic = extension(root, x509.BasicConstraints)
    assert basic.critical
    assert basic.value == x509.BasicConstraints(True, None)
    usage = extension(root, x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert usage.value.crl_sign
    own = extension(root, x509.SubjectKeyIdentifier).value.digest
    assert extension(root, x509.AuthorityKeyIdentifier).value.key_identifier == own
    assert root.not_valid_before_utc == NOW - timedelta(hours=1)
    assert root.not_valid_after_utc - root.not_valid_before_utc == timedelta(days=3650)
    assert CA.certificate is CA.root
    assert CA.chain == ()
    assert "Example CA" in CA.name


def test_two_roots_are_never_of_one_name() -> None:
    first, second = Authority.create(), Authority.create()
    assert first.root.subject != second.root.subject
    assert first.name.startswith("CN=tlscope local CA ")


def test_intermediate() -> None:
    middle = CA.issue_intermediate("Issuing CA", path_length=0)
    leaf = middle.issue_server("shop.example")
    assert middle.certificate.subject.rfc4514_string() == "CN=Issuing CA,O=Example CA"
    assert leaf.chain == (leaf.certificate, middle.certificate)
    assert middle.root == CA.root
    assert middle.pem() == CA.pem()
    assert Verifier(middle.anchors(), "server").verify(leaf.der(), "shop.example", NOW)


def test_an_expired_authority_issues_nothing() -> None:
    old = Authority.create("Old CA", now=NOW - timedelta(days=4000))
    expired = Authority(old.certificate, old.key, root=old.root, now=NOW)
    assert "this CA expired on 2029-06-" in str(refused("ca-expired", expired.issue_server, "x.test"))
    assert expired.issue_server("x.test", not_before=NOW - timedelta(days=3000))


# Leaves


def test_server() -> None:
    issued = CA.issue_server("Shop.example", "*.shop.example", "127.0.0.1", "[::1]", "shop.example")
    leaf = issued.certificate
    assert list(extension(leaf, x509.SubjectAlternativeName).value) == [
        x509.DNSName("shop.example"),
        x509.DNSName("*.shop.example"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    assert not extension(leaf, x509.SubjectAlternativeName).critical
    assert leaf.subject.rfc4514_string() == "CN=shop.example"
    assert list(extension(leaf, x509.ExtendedKeyUsage).value) == [x509.ExtendedKeyUsageOID.SERVER_AUTH]
    assert extension(leaf, x509.KeyUsage).value.digital_signature
    assert not extension(leaf, x509.BasicConstraints).value.ca
    assert leaf.not_valid_before_utc == NOW - timedelta(hours=1)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=90)
    assert 0 < leaf.serial_number < 2**159
    assert isinstance(issued.key, ec.EllipticCurvePrivateKey)


def test_client() -> None:
    issued = CA.issue_client("Ada Lovelace", "ada@corp.example", "spiffe://corp/ada")
    leaf = issued.certificate
    assert leaf.subject.rfc4514_string() == "CN=Ada Lovelace"
    assert list(extension(leaf, x509.ExtendedKeyUsage).value) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert list(extension(leaf, x509.SubjectAlternativeName).value) == [
        x509.RFC822Name("ada@corp.example"),
        x509.UniformResourceIdentifier("spiffe://corp/ada"),
    ]
    by_email = CA.issue_client("ada@corp.example")
    assert by_email.identity().names.email == ("ada@corp.example",)
    assert CA.issue_client("spiffe://corp/ada").identity().names.uri == ("spiffe://corp/ada",)
    assert list(CA.issue_client("bob").identity().names) == []


def test_serial_numbers_differ() -> None:
    assert len({CA.issue_client("bob").certificate.serial_number for _ in range(20)}) == 20


def test_nothing_outlives_its_issuer() -> None:
    short = CA.issue_intermediate("Short CA", lifetime=timedelta(days=5))
    assert short.issue_server("x.test").certificate.not_valid_after_utc == short.certificate.not_valid_after_utc
    late = NOW + timedelta(days=99)
    assert short.issue_server("x.test", not_after=late).certificate.not_valid_after_utc == late


def test_a_long_name_has_no_room_in_the_subject() -> None:
    long = "a" * 63 + ".example"
    leaf = CA.issue_server(long)
    assert leaf.certificate.subject == x509.Name([])
    assert extension(leaf.certificate, x509.SubjectAlternativeName).critical  # RFC 5280 section 4.1.2.6
    assert Verifier(CA.anchors(), "server").verify(leaf.der(), long, NOW)


def test_self_signed() -> None:
    issued = self_signed("shop.example", "127.0.0.1", now=NOW)
    assert issued.certificate.issuer == issued.certificate.subject
    issued.certificate.verify_directly_issued_by(issued.certificate)
    assert issued.chain == (issued.certificate,)
    assert Verifier(issued.anchors(), "server").verify(issued.der(), "127.0.0.1", NOW)


def test_every_field_can_be_overridden() -> None:
    leaf = CA.issue_server(
        "shop.example",
        serial=7,
        issuer=name_of("Somebody else"),
        must_staple=True,
        issuer_url="http://ca.example/ca.der",
        ocsp_url="http://ca.example/ocsp",
        crl_url="http://ca.example/ca.crl",
        signature_hash="sha512",
        usages=("serverAuth", "clientAuth"),
        key_usage=("digital_signature", "key_agreement"),
        basic_constraints=False,
        authority_key_identifier=False,
        subject_key_identifier=False,
    ).certificate
    assert leaf.serial_number == 7
    assert leaf.issuer.rfc4514_string() == "CN=Somebody else"
    assert leaf.signature_hash_algorithm is not None
    assert leaf.signature_hash_algorithm.name == "sha512"
    assert list(extension(leaf, x509.TLSFeature).value) == [x509.TLSFeatureType.status_request]
    assert {one.access_location.value for one in extension(leaf, x509.AuthorityInformationAccess).value} == {
        "http://ca.example/ca.der",
        "http://ca.example/ocsp",
    }
    assert extension(leaf, x509.CRLDistributionPoints).value[0].full_name[0].value == "http://ca.example/ca.crl"
    for kind in (x509.BasicConstraints, x509.AuthorityKeyIdentifier, x509.SubjectKeyIdentifier):
        with pytest.raises(x509.ExtensionNotFound):
            extension(leaf, kind)


def test_a_spec_of_ones_own() -> None:
    spec = CertificateSpec(subject=name_of("bare", "Org"), key_usage=None)
    issued = CA.issue(spec, ed25519.Ed25519PrivateKey.generate())
    assert issued.certificate.subject.rfc4514_string() == "CN=bare,O=Org"
    assert isinstance(issued.key, ed25519.Ed25519PrivateKey)


@pytest.mark.parametrize("kind", ["P-256", "RSA-2048"])
def test_sha1_on_purpose(kind: str) -> None:
    root = Authority.create("SHA-1 CA", key=kind, now=NOW)
    leaf = root.issue_server("x.test", signature_hash="sha1").certificate
    assert leaf.signature_hash_algorithm is not None
    assert leaf.signature_hash_algorithm.name == "sha1"
    again = root.issue_server("x.test").certificate
    assert len(leaf.extensions) == len(again.extensions)


def test_sha1_with_a_key_that_has_none() -> None:
    refused("key-kind", self_signed, "x.test", key="Ed25519", signature_hash="sha1")


# Keys


@pytest.mark.parametrize("kind", KEY_KINDS)
def test_kinds_of_keys(kind: str) -> None:
    for spelling in (kind, kind.lower(), kind.replace("-", ""), kind.replace("-", "_")):
        if "RSA" not in kind or spelling == kind:
            assert make_key(spelling)


def test_no_such_kind() -> None:
    error = refused("key-kind", make_key, "dsa")
    assert "there are P-256, P-384" in str(error)
    assert "RSA-1024" not in str(error)


def test_weak_kinds_for_the_laboratory() -> None:
    key = make_key("rsa1024")
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 1024


# Names


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("localhost", x509.DNSName, "localhost"),
        (" shop.example. ", x509.DNSName, "shop.example"),
        ("*.Shop.example", x509.DNSName, "*.shop.example"),
        ("münchen.example", x509.DNSName, "xn--mnchen-3ya.example"),
        ("*.münchen.example", x509.DNSName, "*.xn--mnchen-3ya.example"),
        ("10.0.0.1", x509.IPAddress, ipaddress.ip_address("10.0.0.1")),
        ("[fe80::1]", x509.IPAddress, ipaddress.ip_address("fe80::1")),
        ("ada@corp.example", x509.RFC822Name, "ada@corp.example"),
        ("spiffe://corp/ada", x509.UniformResourceIdentifier, "spiffe://corp/ada"),
        ("urn:uuid:1234", x509.UniformResourceIdentifier, "urn:uuid:1234"),
    ],
)
def test_kinds_of_names(name: str, kind: Any, value: Any) -> None:
    found = general_name(name)
    assert type(found) is kind
    assert found.value == value


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "it is empty"),
        ("my_service", "underscore"),
        ("localhost:8443", "without a port"),
        ("https://shop.example/", "this is a web address"),
        ("*.localhost", "a wildcard directly below localhost"),
        ("*.com", "a wildcard directly below com"),
        ("*", "letters, digits and inner hyphens"),
        ("a.*.example", "letters, digits and inner hyphens"),
        ("ada@", "no email address"),
        ("ada @corp.example", "no email address"),
        ("256.0.0.1", "ends in a number"),
        ("a/b", "letters, digits and inner hyphens"),
    ],
)
def test_names_that_are_refused(name: str, words: str) -> None:
    assert words in str(refused("server-name", CA.issue_server, name))


def test_no_name_at_all() -> None:
    refused("server-name", CA.issue_server)
    refused("server-name", self_signed)
    refused("server-name", CA.issue_client, " ")


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        name = general_name(text)
    except ConfigError:
        return
    assert x509.SubjectAlternativeName([name])


# What is issued


def test_pem_and_key() -> None:
    issued = CA.issue_intermediate("Issuing CA").issue_server("shop.example")
    assert x509.load_pem_x509_certificates(issued.pem()) == list(issued.chain)
    assert Identity.from_pem(issued.pem(), issued.key_pem("secret"), "secret").chain == issued.der()
    load_pem_private_key(issued.key_pem(), None)
    bundle = pkcs12.load_pkcs12(issued.pkcs12("secret", "shop"), b"secret")
    assert bundle.cert is not None
    assert bundle.cert.friendly_name == b"shop"
    assert len(bundle.additional_certs) == 1
    assert "key" not in repr(issued)


def test_written_files(tmp_path: Path) -> None:
    issued: Issued = CA.issue_server("*.shop.example")
    certificate, key = issued.write(tmp_path)
    assert certificate == tmp_path / "_wildcard.shop.example.pem"
    assert key == tmp_path / "_wildcard.shop.example-key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert Identity.from_files(certificate, key).chain == issued.der()
    assert CA.issue_client("Ada Lovelace").write(tmp_path)[0].name == "Ada_Lovelace.pem"
    assert CA.issue_server("::1").write(tmp_path, "own")[0].name == "own.pem"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_weak_certificate_can_still_be_used_as_an_identity() -> None:
    assert CA.issue_server("x.test", key="RSA-1024").identity().schemes


# Lists and responses


def test_a_list() -> None:
    entry = Revocation(99, NOW, "cessationOfOperation")
    crl = x509.load_pem_x509_crl(make_crl(CA, [entry, CA.issue_client("bob").certificate], number=3))
    assert crl.is_signature_valid(CA.root.public_key())  # type: ignore[arg-type]
    assert len(crl) == 2
    assert crl.next_update_utc is not None
    assert crl.next_update_utc - crl.last_update_utc == timedelta(days=30)
    refused("crl-reason", make_crl, CA, [Revocation(1, NOW, "boredom")])


def test_no_such_status() -> None:
    refused("ocsp-status", make_ocsp_response, CA, CA.issue_client("bob").certificate, "fine")
