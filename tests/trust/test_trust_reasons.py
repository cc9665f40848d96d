"""Each reason for a rejection, provoked by a certificate that deserves it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.hazmat.primitives.serialization import Encoding

from tlscope.authority import Authority, CertificateSpec, Issued, self_signed
from tlscope.authority.spec import name_of
from tlscope.errors import CertificateRejected, Rejection
from tlscope.trust import TrustAnchors, VerificationPolicy, VerifiedPeer, Verifier, reasons
from tlscope.wire.codepoints import AlertDescription as Alert

NOW = datetime(2030, 6, 1, 12, tzinfo=UTC)
HOST = "shop.example"


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority.create("Example CA", now=NOW)


@pytest.fixture(scope="module")
def inter(ca: Authority) -> Authority:
    return ca.issue_intermediate("Example Issuing CA", path_length=0)


def verify(
    ca: Authority | TrustAnchors,
    chain: Issued | tuple[bytes, ...],
    name: str | None = HOST,
    *,
    purpose: Any = "server",
    now: datetime = NOW,
    **policy: Any,
) -> VerifiedPeer:
    anchors = ca.anchors() if isinstance(ca, Authority) else ca
    ders = chain.der() if isinstance(chain, Issued) else chain
    return Verifier(anchors, purpose, VerificationPolicy(**policy), clock=lambda: now).verify(ders, name)


def refused(*args: Any, **options: Any) -> CertificateRejected:
    with pytest.raises(CertificateRejected) as caught:
        verify(*args, **options)
    error = caught.value
    assert error.chain is not None
    assert "\n" not in error.sentence
    assert str(error).startswith(f"the {error.whose}'s certificate is refused: ")
    as_dict = error.as_dict()
    assert as_dict["alert"] == error.reason.alert.name
    return error


def reason(kind: type[Any], error: CertificateRejected, code: str, alert: Alert, index: int | None = 0) -> Any:
    found = error.reason
    assert isinstance(found, kind), found
    assert (error.code, error.alert, error.index) == (code, alert, index)
    assert found.rfc.startswith("RFC ")
    rejection: Rejection = found
    assert rejection.sentence() in str(error)
    return found


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


# Dates


def test_expired_leaf(ca: Authority) -> None:
    leaf = ca.issue_server(HOST, not_before=NOW - timedelta(days=100), not_after=NOW - timedelta(days=3, hours=1))
    error = refused(ca, leaf)
    found = reason(reasons.Expired, error, "cert-expired", Alert.certificate_expired)
    assert found.sentence() == (
        "it expired on 2030-05-29 11:00:00 UTC, 3 days ago (it was valid from 2030-02-21 12:00:00 UTC; "
        "the local clock says 2030-06-01 12:00:00 UTC)"
    )
    assert error.evidence["not_after"] == NOW - timedelta(days=3, hours=1)
    assert error.evidence["certificate"] == f"CN={HOST}"


def test_expired_intermediate_is_named(ca: Authority) -> None:
    old = ca.issue_intermediate("Old CA", not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=1))
    error = refused(ca, old.issue_server(HOST, not_before=NOW - timedelta(hours=1), not_after=NOW + timedelta(days=1)))
    found = reason(reasons.Expired, error, "cert-expired", Alert.certificate_expired, 1)
    assert found.sentence().startswith("certificate 2 of 2, CN=Old CA,O=Example CA, expired on 2030-05-31")


def test_expired_anchor_is_named() -> None:
    old = Authority.create("Old root", not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=1), now=NOW)
    leaf = old.issue(
        CertificateSpec(
            subject=name_of(HOST),
            names=(x509.DNSName(HOST),),
            not_before=NOW - timedelta(hours=1),
            not_after=NOW + timedelta(days=1),
        )
    )
    error = refused(old, leaf)
    reason(reasons.Expired, error, "cert-expired", Alert.certificate_expired, None)
    assert "the trusted certificate CN=Old root,O=Old root expired" in str(error)


def test_not_yet_valid(ca: Authority) -> None:
    error = refused(ca, ca.issue_server(HOST, not_before=NOW + timedelta(minutes=90)))
    found = reason(reasons.NotYetValid, error, "cert-not-yet-valid", Alert.certificate_expired)
    assert "1 hour ahead of the local clock (2030-06-01 12:00:00 UTC); if that date has passed" in found.sentence()


def test_dates_of_a_client(ca: Authority) -> None:
    leaf = ca.issue_client("bob", not_before=NOW - timedelta(days=2), not_after=NOW - timedelta(seconds=1))
    error = refused(ca, leaf, None, purpose="client")
    reason(reasons.Expired, error, "client-cert-expired", Alert.certificate_expired)
    assert "1 second ago" in str(error)


# Names


@pytest.mark.parametrize(
    ("names", "asked", "hint"),
    [
        (("other.example",), "shop.test", ""),
        (("www.shop.example",), "shop.example", "www.shop.example is there, but the name with www"),
        (("shop.example",), "www.shop.example", "shop.example is there, but the name with www"),
        (("*.shop.example",), "shop.example", "the wildcard *.shop.example does not cover shop.example itself"),
        (("*.example.org",), "a.b.example.org", "covers one label, and a.b.example.org has more below example.org"),
        (("shop.exmaple",), "shop.example", "shop.exmaple is there, which differs in a few letters"),
    ],
)
def test_wrong_host(ca: Authority, names: tuple[str, ...], asked: str, hint: str) -> None:
    error = refused(ca, ca.issue_server(*names), asked)
    found = reason(reasons.NameMismatch, error, "wrong-host", Alert.bad_certificate)
    assert found.names == names
    assert found.asked == asked
    assert hint in found.sentence()
    assert bool(hint) == bool(found.hint)


def test_many_names_are_counted_not_listed(ca: Authority) -> None:
    error = refused(ca, ca.issue_server(*(f"h{number}.test" for number in range(50))))
    assert "h0.test, h1.test, h2.test, h3.test, h4.test, h5.test and 44 more, not for shop.example" in str(error)
    assert len(error.evidence["names"]) == 50


def test_wildcard_below_a_top_level_domain(ca: Authority) -> None:
    leaf = ca.issue_server("x.test", names=(x509.DNSName("*.example"),))
    found = reason(reasons.NameMismatch, refused(ca, leaf), "wrong-host", Alert.bad_certificate)
    assert "too wide" in found.hint


def test_partial_wildcard(ca: Authority) -> None:
    leaf = ca.issue_server("x.test", names=(x509.DNSName("sh*.example"),))
    found = reason(reasons.NameMismatch, refused(ca, leaf), "wrong-host", Alert.bad_certificate)
    assert "not a whole left-most label" in found.hint


def test_common_name_only(ca: Authority) -> None:
    found = reason(
        reasons.CommonNameOnly, refused(ca, ca.issue_server(HOST, names=())), "cn-only", Alert.bad_certificate
    )
    assert found.common_name == HOST
    assert "reissue it with shop.example as a subjectAltName" in found.sentence()


def test_no_name_at_all(ca: Authority) -> None:
    leaf = ca.issue_server(HOST, names=(x509.RFC822Name("a@b.example"),))
    found = reason(reasons.NameMismatch, refused(ca, leaf), "wrong-host", Alert.bad_certificate)
    assert found.sentence() == "it names no host, so it is not for shop.example"


@pytest.mark.parametrize(
    ("names", "asked", "words"),
    [
        (
            (x509.DNSName("localhost"),),
            "127.0.0.1",
            "it holds DNS names only (localhost), and the IP address 127.0.0.1",
        ),
        ((x509.DNSName("127.0.0.1"),), "127.0.0.1", "it holds 127.0.0.1 as a DNS name"),
        ((x509.DNSName("localhost"),), "::1", "reissue it with IP:::1"),
    ],
)
def test_address_asked_for_and_dns_names_there(
    ca: Authority, names: tuple[x509.GeneralName, ...], asked: str, words: str
) -> None:
    error = refused(ca, ca.issue_server("x.test", names=names), asked)
    found = reason(reasons.AddressMismatch, error, "ip-vs-dns", Alert.bad_certificate)
    assert words in found.sentence()


def test_dns_name_asked_for_and_addresses_there(ca: Authority) -> None:
    error = refused(ca, ca.issue_server("127.0.0.1", "::1"), "localhost")
    found = reason(reasons.AddressMismatch, error, "ip-vs-dns", Alert.bad_certificate)
    assert "it holds IP addresses only (127.0.0.1 and ::1), and the DNS name localhost" in found.sentence()


def test_another_address(ca: Authority) -> None:
    error = refused(ca, ca.issue_server("127.0.0.1"), "127.0.0.2")
    reason(reasons.NameMismatch, error, "wrong-host", Alert.bad_certificate)


# Name constraints


@pytest.mark.parametrize(
    ("constraints", "names", "words"),
    [
        ({"permitted": ("corp.example",)}, (HOST,), "may issue only for corp.example"),
        ({"excluded": ("example",)}, (HOST,), "may not issue for example"),
        ({"permitted": ("example", "10.0.0.0/8")}, (HOST, "192.0.2.1"), "may issue only for 10.0.0.0/8"),
        ({"permitted": ("example", "b.example")}, (HOST, "other.test"), "may issue only for example and b.example"),
    ],
)
def test_name_constraint(ca: Authority, constraints: Any, names: tuple[str, ...], words: str) -> None:
    bound = ca.issue_intermediate("Bound CA", **constraints)
    error = refused(ca, bound.issue_server(*names))
    found = reason(reasons.NameConstraint, error, "name-constraint", Alert.bad_certificate)
    assert words in found.sentence()
    assert "CN=Bound CA" in found.authority


def test_constraint_of_the_anchor() -> None:
    root = Authority.create("Bound root", permitted=["corp.example"], now=NOW)
    reason(reasons.NameConstraint, refused(root, root.issue_server(HOST)), "name-constraint", Alert.bad_certificate)
    assert verify(root, root.issue_server("a.corp.example"), "a.corp.example")


def test_a_common_name_does_not_slip_past_a_constraint() -> None:
    root = Authority.create("Bound root", permitted=["corp.example"], now=NOW)
    error = refused(root, root.issue_client("admin.other.example"), None, purpose="client")
    found = reason(reasons.NameConstraint, error, "name-constraint", Alert.bad_certificate)
    assert found.name == "admin.other.example"
    assert verify(root, root.issue_client("admin.corp.example"), None, purpose="client")
    assert verify(root, root.issue_client("Ada Lovelace"), None, purpose="client")


def test_an_email_in_the_subject_does_not_slip_past_a_constraint() -> None:
    root = Authority.create("Bound root", permitted=["@corp.example"], now=NOW)

    def subject(email: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.EMAIL_ADDRESS, email)])

    leaf = root.issue_client("eve", subject=subject("eve@other.example"))
    reason(
        reasons.NameConstraint,
        refused(root, leaf, None, purpose="client"),
        "name-constraint",
        Alert.bad_certificate,
    )
    assert verify(root, root.issue_client("ada", subject=subject("ada@corp.example")), None, purpose="client")


# Trust


def test_self_signed(ca: Authority) -> None:
    leaf = self_signed(HOST, now=NOW)
    error = refused(ca, leaf)
    found = reason(reasons.SelfSignedLeaf, error, "self-signed", Alert.unknown_ca)
    assert "add this very certificate there, or have one issued by a CA that is there" in found.sentence()
    assert "the trusted certificates given (1 certificate)" in found.sentence()
    assert verify(leaf.anchors(), leaf).anchor == leaf.certificate


def test_untrusted_root_sent(ca: Authority) -> None:
    other = Authority.create("Other CA", now=NOW)
    chain = (*other.issue_server(HOST).der(), der(other.root))
    error = refused(ca, chain)
    found = reason(reasons.UntrustedRoot, error, "unknown-ca-root-sent", Alert.unknown_ca, 1)
    assert found.root == "CN=Other CA,O=Other CA"
    assert len(found.fingerprint) == 32 * 3 - 1
    assert "a proxy that inspects TLS" in found.sentence()
    assert not found.same_name


def test_untrusted_root_of_a_trusted_name(ca: Authority) -> None:
    again = Authority.create("Example CA", now=NOW)
    found = refused(ca, (*again.issue_server(HOST).der(), der(again.root))).reason
    assert isinstance(found, reasons.UntrustedRoot)
    assert found.same_name
    assert "made anew" in found.sentence()


def test_unknown_issuer(ca: Authority) -> None:
    other = Authority.create("Other CA", now=NOW)
    error = refused(ca, other.issue_server(HOST))
    found = reason(reasons.UnknownIssuer, error, "unknown-ca", Alert.unknown_ca)
    assert "issued by CN=Other CA,O=Other CA, which is not in the trusted certificates given" in found.sentence()
    assert "if that is an intermediate" in found.sentence()  # one certificate came: it can't be known


def test_unknown_issuer_of_a_trusted_name(ca: Authority) -> None:
    again = Authority.create("Example CA", now=NOW)
    found = reason(reasons.UnknownIssuer, refused(ca, again.issue_server(HOST)), "unknown-ca", Alert.unknown_ca)
    assert found.same_name
    assert "with another key" in found.sentence()


def test_unknown_issuer_above_an_intermediate(ca: Authority) -> None:
    other = Authority.create("Other CA", now=NOW)
    chain = other.issue_intermediate("Other Issuing CA").issue_server(HOST)
    found = reason(reasons.UnknownIssuer, refused(ca, chain), "unknown-ca", Alert.unknown_ca, 1)
    assert found.issuer == "CN=Other CA,O=Other CA"
    assert "if that is an intermediate" not in found.sentence()


def test_missing_intermediate_of_a_trusted_organisation(ca: Authority, inter: Authority) -> None:
    error = refused(ca, inter.issue_server(HOST).der()[:1])
    found = reason(reasons.MissingIntermediate, error, "missing-intermediate", Alert.unknown_ca)
    assert found.sent == 1
    assert (
        "the server sent 1 certificate; its issuer, CN=Example Issuing CA,O=Example CA, is not among them"
        in found.sentence()
    )
    assert "a root of the same organisation, Example CA, is trusted" in found.hint


def test_missing_intermediate_that_can_be_fetched(ca: Authority) -> None:
    other = Authority.create("Other CA", now=NOW).issue_intermediate("R1")
    leaf = other.issue_server(HOST, issuer_url="http://ca.example/r1.der")
    found = reason(reasons.MissingIntermediate, refused(ca, leaf.der()[:1]), "missing-intermediate", Alert.unknown_ca)
    assert found.url == "http://ca.example/r1.der"


def test_missing_intermediate_in_a_wrong_chain_file(ca: Authority, inter: Authority) -> None:
    stray = ca.issue_intermediate("Another Issuing CA")
    error = refused(ca, (inter.issue_server(HOST).der()[0], der(stray.certificate)))
    found = reason(reasons.MissingIntermediate, error, "missing-intermediate", Alert.unknown_ca)
    assert "the server sent 2 certificates; its issuer" in found.sentence()


@pytest.mark.parametrize(("short", "code"), [(True, "client-missing-intermediate"), (False, "client-unknown-ca")])
def test_codes_of_clients(ca: Authority, inter: Authority, short: bool, code: str) -> None:
    if short:
        error = refused(ca, inter.issue_client("bob").der()[:1], None, purpose="client")
        assert "the client sent 1 certificate" in str(error)
    else:
        error = refused(ca, Authority.create("Other CA", now=NOW).issue_client("bob"), None, purpose="client")
    assert error.code == code
    assert error.whose == "client"


def test_root_sent_by_a_client(ca: Authority) -> None:
    other = Authority.create("Other CA", now=NOW)
    error = refused(ca, (*other.issue_client("bob").der(), der(other.root)), None, purpose="client")
    assert error.code == "client-unknown-ca"


def test_bad_signature(ca: Authority, inter: Authority) -> None:
    chain = list(inter.issue_server(HOST).der())
    chain[0] = chain[0].replace(b"shop.example", b"shup.example")
    error = refused(ca, tuple(chain), "shup.example")
    reason(reasons.BadSignature, error, "bad-certificate-signature", Alert.bad_certificate)
    assert "does not verify with the key of its issuer" in str(error)


# Purpose


def test_wrong_purpose_of_a_server(ca: Authority) -> None:
    error = refused(ca, ca.issue_server(HOST, usages=("clientAuth", "emailProtection")))
    found = reason(reasons.WrongPurpose, error, "wrong-purpose-server", Alert.unsupported_certificate)
    assert found.sentence() == (
        "it allows only clientAuth and emailProtection in its extendedKeyUsage, and serverAuth is needed"
    )


def test_wrong_purpose_of_a_client(ca: Authority) -> None:
    error = refused(ca, ca.issue_server(HOST), None, purpose="client")
    found = reason(reasons.WrongPurpose, error, "client-wrong-purpose", Alert.unsupported_certificate)
    assert "public CAs no longer issue it" in found.sentence()


def test_any_purpose_is_not_the_one_needed(ca: Authority) -> None:
    error = refused(ca, ca.issue_server(HOST, usages=("anyExtendedKeyUsage",)))
    reason(reasons.WrongPurpose, error, "wrong-purpose-server", Alert.unsupported_certificate)


@pytest.mark.parametrize("purpose", ["server", "client"])
def test_no_extended_key_usage_serves_every_purpose(ca: Authority, purpose: str) -> None:
    assert verify(ca, ca.issue_server(HOST, usages=None), purpose=purpose)


def test_purpose_of_an_intermediate(ca: Authority) -> None:
    mail = ca.issue_intermediate("Mail CA", usages=("emailProtection",))
    for name in (HOST, None):
        error = refused(ca, mail.issue_server(HOST), name)
        reason(reasons.WrongPurpose, error, "wrong-purpose-server", Alert.unsupported_certificate, 1)


def test_purpose_of_the_anchor() -> None:
    root = Authority.create("Client CA", usages=("clientAuth",), now=NOW)
    for name in (HOST, None):
        error = refused(root, root.issue_server(HOST), name)
        reason(reasons.WrongPurpose, error, "wrong-purpose-server", Alert.unsupported_certificate, None)
    open_root = Authority.create("Open CA", usages=("anyExtendedKeyUsage",), now=NOW)
    assert verify(open_root, open_root.issue_server(HOST), None)


def test_key_usage(ca: Authority) -> None:
    leaf = ca.issue_server(HOST, key_usage=("key_encipherment",))
    found = reason(reasons.WrongPurpose, refused(ca, leaf), "wrong-purpose-server", Alert.unsupported_certificate)
    assert found.extension == "keyUsage"
    assert "only keyEncipherment in its keyUsage, and digitalSignature is needed" in found.sentence()
    # TLS 1.2 with RSA key transport asks for the other bit.
    verifier = Verifier(ca.anchors(), "server", clock=lambda: NOW)
    assert verifier.verify(leaf.der(), HOST, key_usage="keyEncipherment")


# Issuers


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        ({"ca": False}, "cA in its basicConstraints is false"),
        ({"basic_constraints": False}, "it has no basicConstraints"),
        ({"key_usage": ("digital_signature", "crl_sign")}, "its keyUsage lacks keyCertSign"),
    ],
)
def test_issuer_not_ca(ca: Authority, overrides: Any, field: str) -> None:
    fake = ca.issue_intermediate("No CA", **overrides)
    found = reason(reasons.IssuerNotCA, refused(ca, fake.issue_server(HOST)), "issuer-not-ca", Alert.bad_certificate, 1)
    assert found.field == field


def test_path_length(ca: Authority, inter: Authority) -> None:
    too_deep = inter.issue_intermediate("One too many")
    error = refused(ca, too_deep.issue_server(HOST))
    found = reason(reasons.PathTooLong, error, "path-length", Alert.bad_certificate, 2)
    assert (found.limit, found.found) == (0, 1)
    assert "allows 0 CA certificates below itself" in found.sentence()


def test_depth_of_the_policy(ca: Authority, inter: Authority) -> None:
    assert verify(ca, inter.issue_server(HOST), max_depth=1)
    error = refused(ca, inter.issue_server(HOST), max_depth=0)
    found = reason(reasons.PathTooLong, error, "path-length", Alert.bad_certificate)
    assert found.by_policy
    assert found.sentence() == "1 CA certificate lies between it and its root, and max_depth allows 0"


# Strength


def test_weak_key(ca: Authority) -> None:
    leaf = ca.issue_server(HOST, key="RSA-1024")
    found = reason(reasons.WeakKey, refused(ca, leaf), "weak-key", Alert.bad_certificate)
    assert found.key == "RSA 1024"
    assert "RSA of 2048 bits or more" in found.sentence()
    assert verify(ca, leaf, min_rsa_bits=1024)


def test_weak_curve(ca: Authority) -> None:
    error = refused(ca, ca.issue_server(HOST, key=ec.generate_private_key(ec.SECP256K1())))
    found = reason(reasons.WeakKey, error, "weak-key", Alert.bad_certificate)
    assert found.key == "EC secp256k1"


def test_curves_of_the_policy(ca: Authority) -> None:
    leaf = ca.issue_server(HOST, key="P-384")
    assert verify(ca, leaf)
    reason(
        reasons.WeakKey,
        refused(ca, leaf, curves=frozenset({"secp256r1"})),
        "weak-key",
        Alert.bad_certificate,
    )


def test_weak_key_of_an_issuer() -> None:
    root = Authority.create("Weak root", key="RSA-1024", now=NOW)
    reason(reasons.WeakKey, refused(root, root.issue_server(HOST)), "weak-key", Alert.bad_certificate, None)


def test_key_strength_of_the_policy_holds_for_issuers() -> None:
    root = Authority.create("RSA root", key="RSA-2048", now=NOW)
    leaf = root.issue_server(HOST)
    assert verify(root, leaf)
    error = refused(root, leaf, min_rsa_bits=3072)
    reason(reasons.WeakKey, error, "weak-key", Alert.bad_certificate, None)


@pytest.mark.parametrize("kind", ["Ed25519", "Ed448", "ML-DSA-44", "RSA-3072", "P-521"])
def test_strong_keys_of_leaves(ca: Authority, kind: str) -> None:
    leaf = ca.issue_server(HOST, key=kind)
    assert verify(ca, leaf).public_key == leaf.key.public_key()


def test_weak_signature(ca: Authority) -> None:
    error = refused(ca, ca.issue_server(HOST, signature_hash="sha1"))
    found = reason(reasons.WeakSignature, error, "weak-signature", Alert.bad_certificate)
    assert found.algorithm == "ecdsa-with-SHA1"


def test_signature_that_is_not_verified_here(ca: Authority) -> None:
    key = dsa.generate_private_key(2048)
    made: dict[str, Any] = {"now": NOW, "signature_hash": "sha256"}
    root = self_signed("dsa.example", key=key, ca=True, key_usage=("key_cert_sign",), **made)
    leaf = Authority(root.certificate, key, root=root.certificate, now=NOW).issue_server(HOST, signature_hash="sha256")
    error = refused(root.anchors(), leaf)
    found = reason(reasons.UnsupportedSignature, error, "unsupported-signature", Alert.unsupported_certificate)
    assert "is signed with dsa-with-sha256, which chains are not verified with here" in found.sentence()


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("invalid version", "invalid version"),
        ("error parsing: ParseError { kind: InvalidTag }", "error parsing: InvalidTag"),
        (
            'error parsing: ParseError { kind: ShortData { needed: 1 }, location: ["A::b", "C::d"] }',
            "error parsing: ShortData in A::b, C::d",
        ),
    ],
)
def test_what_the_library_says_of_bytes_that_it_cant_read(detail: str, said: str) -> None:
    assert reasons.Malformed(whose="server", place=None, detail=detail).sentence() == f"the chain can't be read: {said}"


# Form


@pytest.mark.parametrize(
    ("overrides", "rule"),
    [
        ({"authority_key_identifier": False}, "it has no authorityKeyIdentifier"),
        ({"subject": x509.Name([]), "names": ()}, ""),
        ({"ca": True}, "it is a CA's certificate"),
        ({"permitted": ("example",)}, "it has nameConstraints"),
        ({"extra": ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),)}, "1.2.3.4"),
    ],
)
def test_form_of_a_leaf(ca: Authority, overrides: Any, rule: str) -> None:
    error = refused(ca, ca.issue_server(HOST, **overrides))
    if not rule:
        assert error.code == "wrong-host"
        return
    found = reason(reasons.NotRFC5280, error, "not-rfc5280", Alert.bad_certificate)
    assert rule in found.rule
    assert found.rfc.startswith("RFC 5280 section 4.")
    assert found.rfc in found.sentence()


@pytest.mark.parametrize(
    ("overrides", "rule"),
    [
        ({"basic_constraints_critical": False}, "its basicConstraints is not critical"),
        ({"key_usage": None}, "it has no keyUsage"),
        ({"subject_key_identifier": False}, "it has no subjectKeyIdentifier"),
        ({"authority_key_identifier": False}, "it has no authorityKeyIdentifier"),
        ({"extra": ((x509.PolicyConstraints(0, None), True),)}, "policyConstraints"),
    ],
)
def test_form_of_an_issuer(ca: Authority, overrides: Any, rule: str) -> None:
    odd = ca.issue_intermediate("Odd CA", **overrides)
    found = reason(reasons.NotRFC5280, refused(ca, odd.issue_server(HOST)), "not-rfc5280", Alert.bad_certificate, 1)
    assert rule in found.rule
    if "policy" not in rule:
        assert "Python's ssl refuses it too, since 3.13" in found.sentence()


def test_malformed(ca: Authority) -> None:
    good = ca.issue_server(HOST).der()[0]
    for index, chain in ((0, (b"no certificate",)), (0, (good[:-1],)), (1, (good, b"\x30\x80")), (0, (b"",))):
        error = refused(ca, chain)
        reason(reasons.Malformed, error, "malformed-certificate", Alert.bad_certificate, index)


def test_serial_number_that_the_parser_would_warn_about(ca: Authority) -> None:
    good = ca.issue_server(HOST, serial=1).der()[0]
    zero = good.replace(b"\x02\x01\x01\x30", b"\x02\x01\x00\x30", 1)
    error = refused(ca, (zero,))
    found = reason(reasons.NotRFC5280, error, "not-rfc5280", Alert.bad_certificate)
    assert "serial number is not positive" in found.rule


# The list


def test_empty_chain(ca: Authority) -> None:
    error = refused(ca, ())
    assert error.code == "empty-chain"
    assert error.alert is Alert.decode_error  # RFC 8446 section 4.4.2.4
    error = refused(ca, (), None, purpose="client")
    assert error.code == "no-client-cert"
    assert error.alert is Alert.certificate_required


def test_too_many_certificates_are_not_even_parsed(ca: Authority) -> None:
    chain = (ca.issue_server(HOST).der()[0], *([b"not parsed"] * 10))
    error = refused(ca, chain)
    found = reason(reasons.TooManyCertificates, error, "too-many-certificates", Alert.bad_certificate, None)
    assert found.sentence() == "the server sent 11 certificates, and max_certificates allows 10"


# Said by others


def test_rejection_by_the_application() -> None:
    found = reasons.RejectedByApplication(whose="client", rule="only admins may enter", names=("bob@corp.example",))
    assert found.code == "client-not-authorised"
    assert found.alert is Alert.access_denied
    assert found.sentence() == "it is valid, but only admins may enter (it names bob@corp.example)"


def test_what_a_certificate_says_cannot_steer_a_terminal(ca: Authority) -> None:
    subject = name_of("evil\x1b[2J\nname")
    error = refused(ca, ca.issue_server(HOST, subject=subject, names=()))
    assert "\x1b" not in str(error)
    assert "\\x1b[2J\\n" in str(error)


def test_reasons_are_frozen_and_every_one_is_a_rejection() -> None:
    kinds = [getattr(reasons, name) for name in reasons.__all__ if name not in ("Place", "Reason")]
    assert len(kinds) > 20
    for kind in kinds:
        assert issubclass(kind, reasons.Reason)
        assert kind.__doc__
    place = reasons.Place(0, 1, "CN=x")
    with pytest.raises(AttributeError):
        place.index = 3  # type: ignore[misc]
    assert replace(place, index=1).noun == "certificate 2 of 1, CN=x"
