"""Stapled OCSP responses: RFC 6066 section 8 demands that one that came be satisfactory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from tlscope.authority import Authority, make_ocsp_response, self_signed
from tlscope.errors import CertificateRejected
from tlscope.trust import VerificationPolicy, VerifiedPeer, Verifier
from tlscope.wire.codepoints import AlertDescription as Alert

NOW = datetime(2030, 6, 1, 12, tzinfo=UTC)
CA = Authority.create("Example CA", now=NOW)
INTER = CA.issue_intermediate("Example Issuing CA")
SERVER = INTER.issue_server("shop.example")
STAPLED = INTER.issue_server("shop.example", must_staple=True)


def respond(status: str = "good", certificate: x509.Certificate = SERVER.certificate, **options: Any) -> bytes:
    return make_ocsp_response(INTER, certificate, status, **options)


def verify(
    response: bytes | None, issued: Any = SERVER, purpose: Any = "server", now: datetime = NOW, **policy: Any
) -> VerifiedPeer:
    one = Verifier(CA.anchors(), purpose, VerificationPolicy(**policy), clock=lambda: now)
    return one.verify(issued.der(), None, ocsp_response=response)


def refused(*args: Any, **options: Any) -> CertificateRejected:
    with pytest.raises(CertificateRejected) as caught:
        verify(*args, **options)
    assert "\n" not in str(caught.value)
    return caught.value


def bad_staple(words: str, *args: Any, **options: Any) -> CertificateRejected:
    error = refused(*args, **options)
    assert (error.code, error.alert) == ("bad-staple", Alert.bad_certificate_status_response)
    assert words in str(error)
    return error


def test_good() -> None:
    assert verify(respond())
    assert verify(None)
    assert verify(respond(certificate=STAPLED.certificate), STAPLED)


def test_must_staple_without_a_staple() -> None:
    bad_staple("no OCSP response was stapled, and the certificate promises one", None, STAPLED)


def test_a_policy_may_demand_a_staple() -> None:
    bad_staple("require_staple demands one", None, require_staple=True)
    assert verify(respond(), require_staple=True)


def test_nothing_is_demanded_of_clients() -> None:
    client = INTER.issue_client("bob", must_staple=True)
    assert verify(None, client, "client", require_staple=True)
    assert refused(respond("revoked", client.certificate), client, "client").code == "revoked"


def test_revoked() -> None:
    response = respond("revoked", revoked_at=NOW - timedelta(days=1), why=x509.ReasonFlags.key_compromise)
    error = refused(response)
    assert (error.code, error.alert) == ("revoked", Alert.certificate_revoked)
    assert error.reason.sentence() == (
        "it was revoked on 2030-05-31 12:00:00 UTC (keyCompromise), says the OCSP response that the peer stapled"
    )


def test_unknown() -> None:
    bad_staple("its CA doesn't know it", respond("unknown"))


def test_stale() -> None:
    begins = NOW - timedelta(days=9)
    error = bad_staple(
        "is stale: the peer must renew it", respond(this_update=begins, next_update=NOW - timedelta(days=2))
    )
    assert "it counts from 2030-05-23 12:00:00 UTC to 2030-05-30 12:00:00 UTC; the local clock says 2030-06-01" in str(
        error
    )
    assert error.evidence["next_update"] == NOW - timedelta(days=2)


def test_not_valid_yet() -> None:
    bad_staple("is not valid yet", respond(this_update=NOW + timedelta(hours=1)))
    assert verify(respond(this_update=NOW + timedelta(minutes=4)))


def test_a_response_that_is_remembered_grows_stale_all_the_same() -> None:
    one = Verifier(CA.anchors(), "server", clock=lambda: NOW)
    response = respond()
    assert one.verify(SERVER.der(), None, ocsp_response=response)
    assert one.verify(SERVER.der(), None, ocsp_response=response)
    with pytest.raises(CertificateRejected, match="stale"):
        one.verify(SERVER.der(), None, NOW + timedelta(days=8), ocsp_response=response)


def test_about_another_certificate() -> None:
    bad_staple("is not about this certificate", respond(certificate=STAPLED.certificate))
    # The same serial number, but of another issuer.
    namesake = CA.issue_server("shop.example", serial=SERVER.certificate.serial_number)
    bad_staple("is not about this certificate", make_ocsp_response(CA, namesake.certificate))


# Who signed it


def test_delegated_responder() -> None:
    assert verify(respond(responder=INTER.issue_ocsp_responder()))


@pytest.mark.parametrize(
    "responder",
    [
        INTER.issue_server("shop.example"),
        CA.issue_ocsp_responder(),
        self_signed("x.test", usages=("OCSPSigning",), now=NOW),
        INTER.issue_ocsp_responder(not_before=NOW - timedelta(hours=1), not_after=NOW - timedelta(minutes=1)),
    ],
    ids=["no OCSPSigning", "another CA's", "self-signed", "expired"],
)
def test_who_may_not_sign(responder: Any) -> None:
    bad_staple("is signed neither by the certificate's issuer nor by", respond(responder=responder))


def test_a_stranger_that_says_it_is_the_issuer() -> None:
    impostor = Authority.create("Example CA", now=NOW).issue_intermediate("Example Issuing CA")
    bad_staple("is signed neither by", _signed_by(impostor, next_update=NOW + timedelta(days=1)))
    assert verify(_signed_by(INTER, next_update=NOW + timedelta(days=1)))


def _signed_by(authority: Authority, next_update: datetime | None) -> bytes:
    """A response about ``SERVER`` by somebody who calls itself the issuer."""
    key: Any = authority.key
    return (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=SERVER.certificate,
            issuer=INTER.certificate,
            algorithm=hashes.SHA256(),
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=NOW,
            next_update=next_update,
            revocation_time=None,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.NAME, authority.certificate)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


@pytest.mark.parametrize("kind", ["RSA-2048", "P-384"])
def test_kinds_of_keys(kind: str) -> None:
    authority = CA.issue_intermediate("Other kind", key=kind)
    leaf = authority.issue_server("shop.example")
    assert verify(make_ocsp_response(authority, leaf.certificate), leaf)


# Form


def test_a_critical_extension() -> None:
    key: Any = INTER.key
    response = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=SERVER.certificate,
            issuer=INTER.certificate,
            algorithm=hashes.SHA256(),
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=NOW,
            next_update=NOW + timedelta(days=1),
            revocation_time=None,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.NAME, INTER.certificate)
        .add_extension(x509.OCSPNonce(b"12345678"), critical=True)
        .sign(key, hashes.SHA256())
    )
    bad_staple("has a critical extension", response.public_bytes(Encoding.DER))


def test_an_error_is_no_answer() -> None:
    error = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(Encoding.DER)
    bad_staple("is an error: try_later", error)


def test_noise() -> None:
    bad_staple("can't be parsed", b"")
    bad_staple("can't be parsed", b"\x30\x03\x0a\x01\x00")


def test_without_an_end() -> None:
    bad_staple("doesn't say until when it counts", _signed_by(INTER, next_update=None))


def test_a_pinned_certificate_has_no_issuer_to_ask() -> None:
    leaf = self_signed("x.test", now=NOW, must_staple=True)
    assert Verifier(leaf.anchors(), "server", clock=lambda: NOW).verify(leaf.der(), "x.test")


@settings(max_examples=200)
@given(data=st.data())
def test_a_mutated_response_is_never_believed(data: st.DataObject) -> None:
    response = bytearray(respond())
    at = data.draw(st.integers(0, 999)) % len(response)  # how long a signature is varies from run to run
    response[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CertificateRejected) as caught:
        verify(bytes(response))
    assert caught.value.code in {"bad-staple", "revoked"}
