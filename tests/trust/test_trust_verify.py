"""The verifier: what it accepts, what it gives back, what it remembers, and that nothing but a rejection escapes it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from tlscope.authority import Authority, self_signed
from tlscope.errors import CertificateRejected, ConfigError, Misuse
from tlscope.trust import TrustAnchors, VerificationPolicy, Verifier
from tlscope.trust.memory import Memory

NOW = datetime(2030, 6, 1, 12, tzinfo=UTC)
CA = Authority.create("Example CA", now=NOW)
INTER = CA.issue_intermediate("Example Issuing CA", path_length=0)
SERVER = INTER.issue_server("shop.example", "*.shop.example", "127.0.0.1", "::1")
CLIENT = INTER.issue_client("Ada", "ada@corp.example")


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def verifier(purpose: Any = "server", anchors: TrustAnchors | None = None, **policy: Any) -> Verifier:
    return Verifier(anchors or CA.anchors(), purpose, VerificationPolicy(**policy), clock=lambda: NOW)


# What is accepted


def test_what_a_verified_peer_tells() -> None:
    peer = verifier().verify(SERVER.der(), "shop.example")
    assert peer.path == (*SERVER.der(), der(CA.root))
    assert peer.certificates == (*SERVER.chain, CA.root)
    assert peer.leaf == SERVER.certificate
    assert peer.anchor == CA.root
    assert peer.names.dns == ("shop.example", "*.shop.example")
    assert peer.public_key == SERVER.key.public_key()
    assert not peer.pss_only
    with pytest.raises(AttributeError):
        peer.names = None  # type: ignore[misc,assignment]


@pytest.mark.parametrize(
    "name", ["shop.example", "SHOP.EXAMPLE.", "a.shop.example", "127.0.0.1", "::1", "[::1]", "0:0::1", None]
)
def test_names_that_are_there(name: str | None) -> None:
    assert verifier().verify(SERVER.der(), name)


def test_internationalised_names() -> None:
    leaf = CA.issue_server("münchen.example")
    assert verifier().verify(leaf.der(), "MÜNCHEN.example")
    assert verifier().verify(leaf.der(), "xn--mnchen-3ya.example")


def test_a_name_that_is_none() -> None:
    with pytest.raises(Misuse):
        verifier().verify(SERVER.der(), "my_service")


def test_client() -> None:
    peer = verifier("client").verify(CLIENT.der())
    assert peer.names.email == ("ada@corp.example",)
    assert peer.names.common_name == "Ada"
    assert verifier("client").verify(CA.issue_client("without a subjectAltName").der()).names.dns == ()


def test_no_name_asked_for_needs_no_subject_alternative_name_but_all_the_rest() -> None:
    assert verifier().verify(CA.issue_server("x.test", names=()).der(), None)
    with pytest.raises(CertificateRejected) as caught:
        verifier().verify(CLIENT.der(), None)
    assert caught.value.code == "wrong-purpose-server"


def test_order_and_extras_do_not_matter() -> None:
    stranger = der(Authority.create("Stranger", now=NOW).root)
    leaf, middle = SERVER.der()
    root = der(CA.root)
    for rest in ([middle, root], [root, middle], [stranger, root, middle], [middle, middle]):
        assert verifier().verify([leaf, *rest], "shop.example").path == (leaf, middle, root)


def test_a_cross_signed_intermediate_finds_the_way_that_is_trusted() -> None:
    old, new = Authority.create("Old", now=NOW), Authority.create("New", now=NOW)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Cross")])
    by_old = old.issue_intermediate("Cross", subject=subject)
    by_new = new.issue_intermediate("Cross", key=by_old.key, subject=subject)
    chain = [*by_old.issue_server("shop.example").der(), der(by_new.certificate)]
    for trusted in (old, new):
        peer = verifier(anchors=trusted.anchors()).verify(chain, "shop.example")
        assert peer.anchor == trusted.root


def test_an_intermediate_as_anchor_ends_the_path() -> None:
    anchors = TrustAnchors.from_certificates([INTER.certificate])
    assert verifier(anchors=anchors).verify(SERVER.der()[:1], "shop.example").path == SERVER.der()


# A certificate that is trusted for itself


def test_a_pinned_certificate() -> None:
    leaf = self_signed("dev.test", now=NOW)
    peer = verifier(anchors=leaf.anchors()).verify(leaf.der(), "dev.test")
    assert peer.path == leaf.der()
    assert peer.anchor is peer.leaf


def test_a_pinned_certificate_as_openssl_makes_them() -> None:
    # openssl req -x509: a CA's basicConstraints, no keyUsage, no extendedKeyUsage.
    leaf = self_signed("dev.test", now=NOW, ca=True, key_usage=None, usages=None)
    assert verifier(anchors=leaf.anchors()).verify(leaf.der(), "dev.test")


@pytest.mark.parametrize("kind", ["Ed25519", "ML-DSA-44", "RSA-2048"])
def test_a_pinned_certificate_may_have_any_strong_key(kind: str) -> None:
    leaf = self_signed("dev.test", now=NOW, key=kind)
    assert verifier(anchors=leaf.anchors()).verify(leaf.der(), "dev.test")


@pytest.mark.parametrize(
    ("overrides", "name", "code"),
    [
        ({"not_before": NOW - timedelta(days=2), "not_after": NOW - timedelta(days=1)}, "dev.test", "cert-expired"),
        ({"not_before": NOW + timedelta(days=2)}, "dev.test", "cert-not-yet-valid"),
        ({}, "other.test", "wrong-host"),
        ({"names": ()}, "dev.test", "cn-only"),
        ({"usages": ("clientAuth",)}, "dev.test", "wrong-purpose-server"),
        ({"key_usage": ("key_cert_sign",)}, "dev.test", "wrong-purpose-server"),
        ({"key": "RSA-1024"}, "dev.test", "weak-key"),
    ],
)
def test_a_pinned_certificate_must_still_be_fit(overrides: Any, name: str, code: str) -> None:
    leaf = self_signed("dev.test", now=NOW, **overrides)
    with pytest.raises(CertificateRejected) as caught:
        verifier(anchors=leaf.anchors()).verify(leaf.der(), name)
    assert caught.value.code == code


def test_another_certificate_of_the_pinned_key_is_not_the_pinned_one() -> None:
    leaf = self_signed("dev.test", now=NOW)
    other = self_signed("dev.test", now=NOW, key=leaf.key)
    with pytest.raises(CertificateRejected):
        verifier(anchors=leaf.anchors()).verify(other.der(), "dev.test")


# Clock


@pytest.mark.parametrize(
    "clock", [lambda: NOW, lambda: NOW.replace(tzinfo=None), NOW.timestamp, lambda: int(NOW.timestamp())]
)
def test_clocks(clock: Any) -> None:
    assert Verifier(CA.anchors(), "server", clock=clock).verify(SERVER.der(), "shop.example")


def test_the_clock_is_the_present_by_default() -> None:
    ca = Authority.create()
    assert Verifier(ca.anchors(), "server").verify(ca.issue_server("shop.example").der(), "shop.example")
    assert Verifier(CA.anchors(), "server").verify(SERVER.der(), "shop.example", NOW)


# Memory


def _counting(monkeypatch: pytest.MonkeyPatch, one: Verifier) -> list[int]:
    calls: list[int] = []
    original = one._verify

    def counted(*args: Any) -> Any:
        calls.append(1)
        return original(*args)

    monkeypatch.setattr(one, "_verify", counted)
    return calls


def test_a_chain_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one = verifier()
    calls = _counting(monkeypatch, one)
    first = one.verify(SERVER.der(), "shop.example")
    assert one.verify([bytes(bytearray(part)) for part in SERVER.der()], "shop.example") is first
    assert len(calls) == 1


def test_memory_is_by_name_usage_and_every_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    one = verifier()
    calls = _counting(monkeypatch, one)
    one.verify(SERVER.der(), "shop.example")
    one.verify(SERVER.der(), "a.shop.example")
    one.verify(SERVER.der(), None)
    one.verify((*SERVER.der(), der(CA.root)), "shop.example")
    assert len(calls) == 4
    with pytest.raises(CertificateRejected):
        one.verify(SERVER.der(), "shop.example", key_usage="keyEncipherment")
    with pytest.raises(CertificateRejected):
        one.verify(SERVER.der()[:1], "shop.example")


def test_memory_ends_with_the_first_certificate_of_the_path() -> None:
    one = verifier()
    one.verify(SERVER.der(), "shop.example")
    ends = SERVER.certificate.not_valid_after_utc
    assert one.verify(SERVER.der(), "shop.example", ends)
    for moment, code in (
        (ends + timedelta(seconds=1), "cert-expired"),
        (SERVER.certificate.not_valid_before_utc - timedelta(seconds=1), "cert-not-yet-valid"),
    ):
        with pytest.raises(CertificateRejected) as caught:
            one.verify(SERVER.der(), "shop.example", moment)
        assert caught.value.code == code
    assert one.verify(SERVER.der(), "shop.example")


def test_what_was_refused_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    one = verifier()
    calls = _counting(monkeypatch, one)
    for _ in range(2):
        with pytest.raises(CertificateRejected):
            one.verify(SERVER.der(), "other.example")
    assert len(calls) == 2
    assert len(one._memory) == 0


def test_memory_is_bounded_and_can_be_switched_off() -> None:
    one = verifier(remember=2)
    for name in ("shop.example", "a.shop.example", "b.shop.example", "c.shop.example"):
        one.verify(SERVER.der(), name)
    assert len(one._memory) == 2
    one = verifier(remember=0)
    one.verify(SERVER.der(), "shop.example")
    assert len(one._memory) == 0


def test_memory_forgets_the_oldest() -> None:
    memory: Memory[int] = Memory(2)
    for key in "aba":
        memory.put(key, ord(key))
    memory.put("c", 0)
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == (97, None, 0)


# Policy


@pytest.mark.parametrize(
    "settings",
    [{"max_depth": -1}, {"max_certificates": 0}, {"min_rsa_bits": 512}, {"remember": -1}, {"crl_check": "some"}],
)
def test_settings_that_make_no_sense(settings: Any) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        VerificationPolicy(**settings)


def test_purpose_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="purpose"):
        Verifier(CA.anchors(), "both")  # type: ignore[arg-type]


def test_repr() -> None:
    assert repr(verifier()) == "<Verifier of server certificates, the trusted certificates given (1 certificate)>"


# Nothing but a rejection escapes


@settings(max_examples=400)
@given(data=st.data())
def test_a_mutated_chain_is_refused_and_nothing_else_is_raised(data: st.DataObject) -> None:
    chain = [bytearray(part) for part in SERVER.der()]
    part = chain[data.draw(st.integers(0, len(chain) - 1))]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, 9999)) % len(part)  # how long a signature is varies from run to run
        part[at] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans()):
        del part[data.draw(st.integers(1, 9999)) % len(part) :]
    mutated = [bytes(one) for one in chain]
    for one, name in ((verifier(), "shop.example"), (verifier(), None), (verifier("client"), None)):
        _refuses(one, mutated, name)


def _refuses(one: Verifier, chain: Sequence[bytes], name: str | None) -> None:
    try:
        peer = one.verify(chain, name)
    except CertificateRejected as error:
        assert error.as_dict()["code"]
    else:
        # A change may cancel itself out, and nothing but the bytes that were signed is ever accepted.
        assert peer.path[:-1] == SERVER.der()


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=120), max_size=4))
def test_noise_is_refused(chain: list[bytes]) -> None:
    with pytest.raises(CertificateRejected):
        verifier().verify(chain, "shop.example")


def test_hostile_extensions_are_refused() -> None:
    odd = [
        (x509.ObjectIdentifier("2.5.29.17"), b"\x30\x06\x87\x04\x7f\x00\x00\x01"),
        (x509.ObjectIdentifier("2.5.29.17"), b"\x30\x05\x87\x03\x7f\x00\x00"),
        (x509.ObjectIdentifier("2.5.29.17"), b"\xff"),
        (x509.ObjectIdentifier("2.5.29.37"), b"\x30\x00"),
        (x509.ObjectIdentifier("2.5.29.15"), b"\x05\x00"),
        (x509.ObjectIdentifier("2.5.29.30"), b"\x30\x0a\xa0\x08\x30\x06\x87\x04\x7f\x00\x00\x01"),
        (x509.ObjectIdentifier("1.3.6.1.5.5.7.1.1"), b"\x30\x80"),
        (x509.ObjectIdentifier("1.3.6.1.5.5.7.1.24"), b"\x04\x00"),
    ]
    for oid, value in odd:
        extra = ((x509.UnrecognizedExtension(oid, value), False),)
        bare = {"names": (), "usages": None, "key_usage": None, "extra": extra}
        for one in (CA.issue_server("shop.example", **bare), CA.issue_client("Ada", **bare)):
            for purpose in ("server", "client"):
                _refuses_or_accepts(verifier(purpose), one.der())
        bound = CA.issue_intermediate(
            "Odd", extra=extra, key_usage=None if value == b"\x05\x00" else ("key_cert_sign",)
        )
        _refuses_or_accepts(verifier(), bound.issue_server("shop.example").der())


def _refuses_or_accepts(one: Verifier, chain: Sequence[bytes]) -> None:
    for name in ("shop.example", None):
        try:
            one.verify(chain, name)
        except CertificateRejected as error:
            assert "\n" not in str(error)


def test_a_refusal_takes_bounded_time() -> None:
    # Nine CAs of one name that all signed one another: the walk for a reason must not try every way.
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Maze")])
    maze = [Authority.create("Maze", key=key, subject=subject, now=NOW) for _ in range(9)]
    chain = [maze[0].issue_server("shop.example").der()[0], *(der(one.root) for one in maze)]
    started = time.process_time()
    with pytest.raises(CertificateRejected):
        verifier().verify(chain, "shop.example")
    assert time.process_time() - started < 2
