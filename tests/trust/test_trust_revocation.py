"""Revocation lists: which count, what they cover, and what is refused when they don't."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tlscope.authority import Authority, Issued, Revocation, make_crl, self_signed
from tlscope.errors import CertificateRejected, ConfigError
from tlscope.trust import RevocationList, VerificationPolicy, VerifiedPeer, Verifier, read_revocation_lists
from tlscope.wire.codepoints import AlertDescription as Alert

NOW = datetime(2030, 6, 1, 12, tzinfo=UTC)
CA = Authority.create("Example CA", now=NOW)
INTER = CA.issue_intermediate("Example Issuing CA")
GOOD = INTER.issue_server("good.example")
BAD = INTER.issue_server("bad.example")


def listed(authority: Authority, *revoked: Any, **options: Any) -> RevocationList:
    return RevocationList.from_pem(make_crl(authority, revoked, **options))


def verify(
    issued: Issued, *lists: RevocationList, check: Any = "listed", purpose: Any = "server", now: datetime = NOW
) -> VerifiedPeer:
    policy = VerificationPolicy(crls=lists, crl_check=check)
    return Verifier(CA.anchors(), purpose, policy, clock=lambda: now).verify(issued.der())


def refused(*args: Any, **options: Any) -> CertificateRejected:
    with pytest.raises(CertificateRejected) as caught:
        verify(*args, **options)
    assert "\n" not in str(caught.value)
    return caught.value


def test_revoked() -> None:
    entry = Revocation(BAD.certificate.serial_number, NOW - timedelta(days=2), "keyCompromise")
    crl = listed(INTER, entry)
    error = refused(BAD, crl)
    assert (error.code, error.alert, error.index) == ("revoked", Alert.certificate_revoked, 0)
    assert error.reason.sentence() == (
        "it was revoked on 2030-05-30 12:00:00 UTC (keyCompromise), says the revocation list of "
        "CN=Example Issuing CA,O=Example CA (the CRL given)"
    )
    assert error.evidence["serial"] == BAD.certificate.serial_number
    assert verify(GOOD, crl)


def test_revoked_intermediate() -> None:
    error = refused(GOOD, listed(CA, INTER.certificate))
    assert (error.code, error.index) == ("revoked", 1)
    assert "certificate 2 of 2, CN=Example Issuing CA,O=Example CA, was revoked on" in str(error)


def test_revoked_client() -> None:
    client = INTER.issue_client("bob")
    error = refused(client, listed(INTER, client.certificate), purpose="client")
    assert (error.code, error.whose) == ("revoked", "client")


def test_a_verdict_that_is_remembered_is_still_looked_up() -> None:
    one = Verifier(CA.anchors(), "server", VerificationPolicy(crls=(listed(INTER),)), clock=lambda: NOW)
    assert one.verify(GOOD.der())
    late = NOW + timedelta(days=40)
    with pytest.raises(CertificateRejected) as caught:
        one.verify(GOOD.der(), now=late)
    assert caught.value.code == "revocation-unknown"


def test_removed_from_the_list_again() -> None:
    entry = Revocation(BAD.certificate.serial_number, NOW, "removeFromCRL")
    assert verify(BAD, listed(INTER, entry))


@pytest.mark.parametrize(
    ("shift", "words"), [(timedelta(days=40), "to 2030-07-01"), (-timedelta(hours=2), "counts from")]
)
def test_a_list_that_is_not_current(shift: timedelta, words: str) -> None:
    # The certificates' validity must not be what fails.
    old = Authority.create("Old root", now=NOW, not_before=NOW - timedelta(days=9))
    leaf = old.issue_server("x.test", not_before=NOW - timedelta(days=1), not_after=NOW + timedelta(days=80))
    policy = VerificationPolicy(crls=(listed(old),))
    with pytest.raises(CertificateRejected) as caught:
        Verifier(old.anchors(), "server", policy).verify(leaf.der(), "x.test", NOW + shift)
    error = caught.value
    assert (error.code, error.alert) == ("revocation-unknown", Alert.certificate_unknown)
    assert words in str(error)
    assert "get a current one" in str(error)


def test_the_latest_list_of_an_issuer_counts() -> None:
    older = listed(INTER, BAD.certificate, this_update=NOW - timedelta(days=2))
    newer = listed(INTER, this_update=NOW - timedelta(days=1), number=2)
    for lists in ((older, newer), (newer, older)):
        assert verify(BAD, *lists)


def test_a_list_by_another_key_of_the_same_name_is_none() -> None:
    impostor = Authority.create("Example CA", now=NOW).issue_intermediate("Example Issuing CA")
    forged = listed(impostor, GOOD.certificate)
    assert verify(GOOD, forged)
    assert refused(GOOD, forged, check="leaf").code == "revocation-unknown"


def test_coverage() -> None:
    assert verify(GOOD)
    error = refused(GOOD, check="leaf")
    assert error.code == "revocation-unknown"
    assert "there is no revocation list of its issuer, CN=Example Issuing CA,O=Example CA" in str(error)
    assert verify(GOOD, listed(INTER), check="leaf")
    error = refused(GOOD, listed(INTER), check="chain")
    assert (error.code, error.index) == ("revocation-unknown", 1)
    assert verify(GOOD, listed(INTER), listed(CA), check="chain")
    assert verify(GOOD, listed(CA), check="listed")


def test_an_issuer_that_may_not_sign_lists() -> None:
    mute = CA.issue_intermediate("Mute CA", key_usage=("key_cert_sign",))
    error = refused(mute.issue_server("x.test"), listed(mute))
    assert "lacks cRLSign" in str(error)


def test_a_pinned_certificate_has_no_issuer_to_ask() -> None:
    leaf = self_signed("x.test", now=NOW)
    policy = VerificationPolicy(crl_check="chain")
    assert Verifier(leaf.anchors(), "server", policy, clock=lambda: NOW).verify(leaf.der(), "x.test")


# Loading


def test_files(tmp_path: Path) -> None:
    pem = tmp_path / "crl.pem"
    pem.write_bytes(make_crl(INTER, [BAD.certificate]))
    der = tmp_path / "crl.der"
    der.write_bytes(x509.load_pem_x509_crl(pem.read_bytes()).public_bytes(Encoding.DER))
    both = tmp_path / "both.pem"
    both.write_bytes(pem.read_bytes() + make_crl(CA))
    assert RevocationList.from_file(pem).source == str(pem)
    assert len(RevocationList.from_file(der).crl) == 1
    assert len(RevocationList.from_der(der.read_bytes()).crl) == 1
    assert [one.crl.issuer for one in read_revocation_lists(both)] == [INTER.certificate.subject, CA.root.subject]
    with pytest.raises(ConfigError, match="there are 2 revocation lists in it"):
        RevocationList.from_file(both)
    assert repr(RevocationList.from_pem(pem.read_bytes().decode())) == (
        "<RevocationList of CN=Example Issuing CA,O=Example CA, 1 certificates, the CRL given>"
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "this is empty"),
        (CA.pem(), "this is a certificate, and a certificate revocation list"),
        (CA.key_pem(), "this is a private key"),
        (b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "can't be parsed"),
    ],
)
def test_files_that_are_something_else(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "crl.pem"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=words) as caught:
        RevocationList.from_file(path)
    assert caught.value.code == "file-kind"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"number": None}, "it has no cRLNumber"),
        ({"extra": [(x509.DeltaCRLIndicator(1), False)]}, "it lists changes only"),
        ({"extra": [(x509.DeltaCRLIndicator(1), True)]}, "deltaCRLIndicator is critical"),
        (
            {
                "extra": [
                    (x509.IssuingDistributionPoint(None, None, False, True, None, False, False), False),
                ]
            },
            "it is only a part of a list",
        ),
        ({"extra": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b""), True)]}, "1.2.3 is critical"),
    ],
)
def test_lists_that_cannot_be_relied_on(options: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        listed(CA, **options)
    assert caught.value.code == "bad-crl"
