"""Chains signed with EdDSA and ML-DSA: accepted as those of other keys are, and refused for the same reasons."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tlscope import ClientAuth, ClientConfig, ClientConnection, ServerConfig, ServerConnection
from tlscope.authority import Authority, Issued
from tlscope.authority.crl import make_crl
from tlscope.errors import CertificateRejected
from tlscope.trust import RevocationList, TrustAnchors, VerificationPolicy, Verifier
from tlscope.trust.der import DERError, bit_string, elements, sequence
from tlscope.trust.stand_in import stand_ins

NOW = datetime(2030, 6, 1, 12, tzinfo=UTC)
HOST = "shop.example"
KINDS = ["Ed25519", "Ed448", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"]


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def verify(
    ca: Authority | TrustAnchors, chain: Issued | tuple[bytes, ...], name: str | None = HOST, **options: Any
) -> Any:
    anchors = ca.anchors() if isinstance(ca, Authority) else ca
    purpose, policy = options.pop("purpose", "server"), VerificationPolicy(**options)
    ders = chain.der() if isinstance(chain, Issued) else chain
    return Verifier(anchors, purpose, policy, clock=lambda: NOW).verify(ders, name)


def code(*args: Any, **options: Any) -> str:
    with pytest.raises(CertificateRejected) as caught:
        verify(*args, **options)
    assert "\n" not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("kind", KINDS)
def test_a_root_and_an_intermediate_of_each_kind(kind: str) -> None:
    ca = Authority.create("Example CA", key=kind, now=NOW)
    middle = ca.issue_intermediate("Issuing CA", key=kind, path_length=0)
    for issuer in (ca, middle):
        server, client = issuer.issue_server(HOST), issuer.issue_client("Ada", key="Ed25519")
        peer = verify(ca, server)
        assert peer.path == (*server.der(), der(ca.root))
        assert peer.certificates == (*server.chain, ca.root)
        assert peer.public_key == server.key.public_key()
        assert verify(ca, client, None, purpose="client").path == (*client.der(), der(ca.root))


@pytest.mark.parametrize(
    "kinds",
    [("P-256", "Ed25519"), ("Ed25519", "P-256"), ("RSA-2048", "Ed448"), ("ML-DSA-65", "RSA-2048")],
    ids="-".join,
)
def test_kinds_that_are_mixed(kinds: tuple[str, str]) -> None:
    ca = Authority.create("Example CA", key=kinds[0], now=NOW)
    middle = ca.issue_intermediate("Issuing CA", key=kinds[1])
    leaf = middle.issue_server(HOST)
    assert verify(ca, leaf).path == (*leaf.der(), der(ca.root))
    assert verify(TrustAnchors.from_certificates([middle.certificate]), leaf).anchor == middle.certificate


FAULTS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = {
    # what the CA is, what the intermediate is, what the leaf is; the code
    "fine": ({}, {}, {}, ""),
    "expired": ({}, {}, {"not_before": NOW - timedelta(9), "not_after": NOW - timedelta(1)}, "cert-expired"),
    "issuer of tomorrow": ({}, {"not_before": NOW + timedelta(1)}, {}, "cert-not-yet-valid"),
    "root of tomorrow": ({"not_before": NOW + timedelta(1)}, {}, {}, "cert-not-yet-valid"),
    "no CA": ({}, {"ca": False}, {}, "issuer-not-ca"),
    "no keyCertSign": ({}, {"key_usage": ("crl_sign",)}, {}, "issuer-not-ca"),
    "too long": ({"path_length": 0}, {}, {}, "path-length"),
    "for clients": ({}, {}, {"usages": ("clientAuth",)}, "wrong-purpose-server"),
    "CA for clients": ({}, {"usages": ("clientAuth",)}, {}, "wrong-purpose-server"),
    "other names": ({"permitted": ("corp.example",)}, {}, {}, "name-constraint"),
    "this name excluded": ({"excluded": (HOST,)}, {}, {}, "name-constraint"),
    "weak leaf": ({}, {}, {"key": "RSA-1024"}, "weak-key"),
    "critical": ({}, {}, {"extra": ((x509.OCSPNoCheck(), True),)}, "not-rfc5280"),
    "policies": ({}, {"extra": ((x509.PolicyConstraints(0, None), True),)}, {}, "not-rfc5280"),
    "no basicConstraints": ({}, {"basic_constraints": False}, {}, "issuer-not-ca"),
    "CA as leaf": ({}, {}, {"ca": True}, "not-rfc5280"),
    # What is left out without the strict mode, and what it leaves alone then.
    "no key identifier": ({}, {"subject_key_identifier": False}, {}, "form"),
    "no keyUsage": ({}, {"key_usage": None}, {}, "form"),
    "basicConstraints not critical": ({"basic_constraints_critical": False}, {}, {}, "form"),
    "leaf may sign certificates": ({}, {}, {"key_usage": ("digital_signature", "key_cert_sign")}, "form"),
    "too long, not critical": ({"path_length": 0, "basic_constraints_critical": False}, {}, {}, "path-length"),
    "no CA, not critical": ({}, {"ca": False, "basic_constraints_critical": False}, {}, "issuer-not-ca"),
    "a leaf that may not sign": ({}, {}, {"key_usage": ("key_encipherment",)}, "wrong-purpose-server"),
}


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "loose"])
@pytest.mark.parametrize("kind", ["P-256", "Ed25519", "ML-DSA-44"])
@pytest.mark.parametrize("fault", FAULTS)
def test_the_same_faults_are_found(kind: str, fault: str, strict: bool) -> None:
    root, middle, leaf, expected = FAULTS[fault]
    ca = Authority.create("Example CA", key=kind, now=NOW, **root)
    issued = ca.issue_intermediate("Issuing CA", key=kind, **middle).issue_server(HOST, **leaf)
    if not expected or (expected == "form" and not strict):
        assert verify(ca, issued, strict=strict)
    else:
        assert code(ca, issued, strict=strict) == ("not-rfc5280" if expected == "form" else expected)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "loose"])
@pytest.mark.parametrize("kind", ["P-256", "Ed25519"])
def test_an_intermediate_for_servers_alone_vouches_for_no_client(kind: str, strict: bool) -> None:
    ca = Authority.create("Example CA", key=kind, now=NOW)
    middle = ca.issue_intermediate("Issuing CA", key=kind, usages=("serverAuth",))
    assert code(ca, middle.issue_client("Ada"), None, purpose="client", strict=strict) == "client-wrong-purpose"
    assert verify(ca, middle.issue_server(HOST), None, strict=strict)
    other = ca.issue_intermediate("Issuing CA", key=kind, usages=("clientAuth",))
    assert code(ca, other.issue_server(HOST), None, strict=strict) == "wrong-purpose-server"


def test_another_name_and_a_limit_of_ones_own() -> None:
    ca = Authority.create("Example CA", key="Ed25519", now=NOW)
    leaf = ca.issue_intermediate("Issuing CA", key="Ed25519").issue_server(HOST)
    assert code(ca, leaf, "other.example") == "wrong-host"
    assert code(ca, leaf, max_depth=0) == "path-length"


@pytest.mark.parametrize("kind", ["Ed25519", "ML-DSA-44"])
def test_a_signature_that_is_not_the_issuers(kind: str) -> None:
    ca = Authority.create("Example CA", key=kind, now=NOW)
    leaf = ca.issue_server(HOST)
    forged = bytearray(leaf.der()[0])
    forged[-1] ^= 1
    assert code(ca, (bytes(forged),)) == "bad-certificate-signature"
    stranger = Authority.create("Example CA", key=kind, now=NOW)  # the same name, and a key of its own
    assert code(ca, stranger.issue_server(HOST)) == "unknown-ca"
    assert code(ca, (*stranger.issue_server(HOST).der(), der(stranger.root))) == "unknown-ca-root-sent"


def test_a_signature_under_another_algorithms_name() -> None:
    ca = Authority.create("Example CA", key="Ed25519", now=NOW)
    tbs, _, proof = elements(ca.issue_server(HOST).der()[0])
    for other in ("300506032b6571", "300a06082a8648ce3d040302"):  # ed448, ecdsa-with-SHA256
        assert code(ca, (sequence(tbs, bytes.fromhex(other), proof),)) == "bad-certificate-signature"


def test_an_issuers_key_in_an_encoding_that_is_not_accepted() -> None:
    """The path builder refuses a curve that is spelled out; beside an Ed25519 key it is no better."""
    ca = Authority.create("Example CA", key="Ed25519", now=NOW)
    middle = ca.issue_intermediate("Issuing CA", key="P-256")
    leaf = middle.issue_server(HOST)
    key = middle.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    class Spelled:
        """A certificate that says something else about its key than it is."""

        tbs_certificate_bytes = middle.certificate.tbs_certificate_bytes

        def public_key(self) -> Any:
            return ec.generate_private_key(ec.SECP256R1()).public_key()

    assert key in middle.certificate.tbs_certificate_bytes
    path: Any = [leaf.certificate, Spelled(), ca.root]
    with pytest.raises(ValueError, match="encoded in a way"):
        stand_ins(path)


def test_a_key_for_pss_alone_issues_nothing() -> None:
    """The path builder takes none (RFC 4055 section 1.2), and says so in words of its own workings."""
    ca = Authority.create("Example CA", key="RSA-2048", now=NOW)
    version, serial, signature, issuer, validity, subject, key, *rest = elements(ca.root.tbs_certificate_bytes)
    pss_key = sequence(bytes.fromhex("300b06092a864886f70d01010a"), elements(key)[1])
    tbs = sequence(version, serial, signature, issuer, validity, subject, pss_key, *rest)
    proof = bit_string(ca.key.sign(tbs, padding.PKCS1v15(), hashes.SHA256()))
    root = x509.load_der_x509_certificate(sequence(tbs, signature, proof))
    with pytest.raises(CertificateRejected, match=r"has the key RSA 2048 \(PSS only\), and RSA of 2048") as caught:
        verify(TrustAnchors.from_certificates([root]), ca.issue_server(HOST))
    assert caught.value.code == "weak-key"


def test_the_copies_lead_up_to_each_other_and_to_nothing_else() -> None:
    ca = Authority.create("Example CA", key="Ed25519", now=NOW)
    middle = ca.issue_intermediate("Issuing CA", key="Ed448")
    leaf = middle.issue_server(HOST)
    first, second, third = copies = stand_ins([*leaf.chain, ca.root])
    first.verify_directly_issued_by(second)
    second.verify_directly_issued_by(third)
    assert len({one.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for one in copies}) == 3
    for copy, original in zip(copies, (*leaf.chain, ca.root), strict=True):
        assert (copy.subject, copy.issuer, copy.serial_number) == (
            original.subject,
            original.issuer,
            original.serial_number,
        )
        assert list(copy.extensions) == list(original.extensions)
        assert (copy.not_valid_before_utc, copy.not_valid_after_utc) == (
            original.not_valid_before_utc,
            original.not_valid_after_utc,
        )
    assert first.public_key() == leaf.key.public_key()


def test_elements_of_no_sequence() -> None:
    with pytest.raises(DERError):
        elements(b"\x02\x01\x00")


@pytest.mark.parametrize("kind", ["Ed25519", "ML-DSA-44"])
def test_a_mutual_handshake_below_such_a_root(kind: str) -> None:
    ca = Authority.create("Example CA", key=kind)
    client = ClientConnection(ClientConfig(trust=ca.anchors(), identity=ca.issue_client("Ada").identity()), "localhost")
    server = ServerConnection(
        ServerConfig(
            identities=[ca.issue_server("localhost").identity()], trust=ca.anchors(), client_auth=ClientAuth.REQUIRED
        )
    )
    client.start()
    for _ in range(3):
        server.receive_data(client.data_to_send())
        client.receive_data(server.data_to_send())
    assert server.peer is not None
    assert server.peer.names.common_name == "Ada"


def test_revocation_below_such_a_root() -> None:
    ca = Authority.create("Example CA", key="Ed25519", now=NOW)
    leaf = ca.issue_server(HOST)
    crl = RevocationList.from_pem(make_crl(ca, [leaf.certificate]))
    assert code(ca, leaf, crls=(crl,)) == "revoked"
    assert verify(ca, ca.issue_server(HOST), crls=(crl,))


@pytest.mark.parametrize(
    "hash_name", ["2a0304", "608648016503040207", "2b0e03021a"], ids=["unknown", "SHA3-224", "SHA-1"]
)
def test_a_signature_that_can_t_be_verified_is_none(hash_name: str) -> None:
    """RSASSA-PSS with a hash that is not known (RFC 4055): whom it claims to be by says nothing."""
    ca = Authority.create("Example CA", key="Ed25519", now=NOW)
    middle = ca.issue_intermediate("Issuing CA", key="RSA-2048")
    leaf, above = middle.issue_server(HOST).der()

    def element(tag: int, *parts: bytes) -> bytes:
        return bytes((tag, len(b"".join(parts)))) + b"".join(parts)

    digest = sequence(element(6, bytes.fromhex(hash_name)))
    mask = sequence(bytes.fromhex("06092a864886f70d010108"), digest)
    lengths = element(0xA0, digest), element(0xA1, mask), element(0xA2, b"\2\1\x20")
    algorithm = sequence(bytes.fromhex("06092a864886f70d01010a"), sequence(*lengths))
    fields = elements(elements(leaf)[0])
    fields[2] = algorithm
    forged = sequence(sequence(*fields), algorithm, bit_string(bytes(256)))
    with pytest.raises(CertificateRejected):
        verify(ca, (forged, above))
