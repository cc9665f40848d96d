"""Path validation against C2SP's x509-limbo: chain, time and peer name in, verdict out."""

from __future__ import annotations

import base64
import json
import lzma
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tlscope.errors import TLSError
from tlscope.trust import RevocationList, TrustAnchors, VerificationPolicy, Verifier, stand_in, verify

DATA = Path(__file__).parents[3] / "shared" / "data" / "x509-limbo.json.xz"

NOW = datetime(2026, 1, 1, tzinfo=UTC)

_CABF = "a rule of the CA/Browser Forum for what public CAs may issue, which private CAs don't follow; no RFC has it"

DEVIATIONS = {
    # Refused here, though limbo accepts them: the path builder is stricter, and its verdict stands.
    "crl::issuer-no-keyusage-extension": "a CA without keyUsage breaks RFC 5280 section 4.2.1.3",
    "pathlen::validation-ignores-pathlen-in-leaf": "the leaf is a CA's certificate",
    "rfc5280::ca-as-leaf": "the leaf is a CA's certificate; conflicts with webpki::ca-as-leaf, which is followed",
    "pathlen::self-issued-certs-pathlen": "the path builder counts self-issued certificates",
    "pathlen::max-chain-depth-1-self-issued": "the path builder counts self-issued certificates",
    "rfc5280::nc::permitted-dn-match": "the path builder does not process directoryName constraints, and so refuses them",
    # Accepted here, though limbo refuses them.
    "rfc5280::aki::cross-signed-root-missing-aki": "nobody looks for an anchor's issuer; conflicts with cve::cve-2024-0567",
    "rfc5280::nc::permitted-dns-match-noncritical": "conflicts with webpki::nc::permitted-dns-match-noncritical",
    "webpki::eku::ee-without-eku": "conflicts with rfc5280::eku::ee-without-eku",
    "webpki::aki::root-with-aki-all-fields": _CABF,
    "webpki::cn::ipv4-hex-mismatch": _CABF,
    "webpki::cn::ipv4-leading-zeros-mismatch": _CABF,
    "webpki::cn::ipv6-uppercase-mismatch": _CABF,
    "webpki::cn::ipv6-uncompressed-mismatch": _CABF,
    "webpki::cn::ipv6-non-rfc5952-mismatch": _CABF,
    "webpki::cn::punycode-not-in-san": _CABF,
    "webpki::cn::utf8-vs-punycode-mismatch": _CABF,
    "webpki::cn::not-in-san": _CABF,
    "webpki::cn::case-mismatch": _CABF,
    "webpki::eku::ee-anyeku": _CABF,
    "webpki::eku::root-has-eku": _CABF,
    "webpki::san::public-suffix-multi-label-wildcard-san": "needs the public suffix list",
    "webpki::san::public-suffix-private-namespace-wildcard-san": "needs the public suffix list",
}

# What the reason must be where a row of the failure atlas is meant.
CODES = {
    "crl::revoked-certificate-with-crl": "revoked",
    "crl::crlnumber-missing": "bad-crl",
    "crl::crlnumber-critical": "bad-crl",
    "crl::issuer-missing-crlsign": "revocation-unknown",
    "cve::cve-2025-61727": "name-constraint",
    "cve::cve-2025-61727-nc-permits-variant": "name-constraint",
    "pathlen::intermediate-violates-pathlen-0": "path-length",
    "pathlen::intermediate-pathlen-too-long": "path-length",
    "pathlen::max-chain-depth-0-exhausted": "path-length",
    "pathlen::max-chain-depth-1-exhausted": "path-length",
    "pathological::pathological-chain-same-subject-same-key": "too-many-certificates",
    "rfc5280::aki::critical-aki": "not-rfc5280",
    "rfc5280::aki::leaf-missing-aki": "not-rfc5280",
    "rfc5280::aki::intermediate-missing-aki": "not-rfc5280",
    "rfc5280::ski::critical-ski": "not-rfc5280",
    "rfc5280::ski::root-missing-ski": "not-rfc5280",
    "rfc5280::ski::intermediate-missing-ski": "not-rfc5280",
    "rfc5280::eku::ee-wrong-eku": "wrong-purpose-server",
    "rfc5280::eku::ee-eku-empty": "malformed-certificate",
    "rfc5280::nc::excluded-dns-match": "name-constraint",
    "rfc5280::nc::permitted-dns-mismatch": "wrong-host",
    "rfc5280::nc::permitted-ip-mismatch": "name-constraint",
    "rfc5280::nc::excluded-ipv4-match": "name-constraint",
    "rfc5280::nc::excluded-ipv6-match": "name-constraint",
    "rfc5280::nc::restrictive-permits-in-intermediates-widens": "name-constraint",
    "rfc5280::nc::nc-permits-email-literal-asterisk-rejects-user": "name-constraint",
    "rfc5280::nc::not-allowed-in-ee-critical": "not-rfc5280",
    "rfc5280::pc::ica-noncritical-pc": "not-rfc5280",
    "rfc5280::san::malformed": "malformed-certificate",
    "rfc5280::san::noncritical-with-empty-subject": "not-rfc5280",
    "rfc5280::san::underscore-dns": "server-name",
    "rfc5280::san::ip-in-dns": "ip-vs-dns",
    "rfc5280::serial::too-long": "not-rfc5280",
    "rfc5280::serial::zero": "not-rfc5280",
    "rfc5280::serial::negative": "not-rfc5280",
    "rfc5280::validity::expired-root": "cert-expired",
    "rfc5280::validity::expired-intermediate": "cert-expired",
    "rfc5280::validity::expired-leaf": "cert-expired",
    "rfc5280::validity::not-yet-valid-1-second": "cert-not-yet-valid",
    "rfc5280::ee-empty-issuer": "not-rfc5280",
    "rfc5280::unknown-critical-extension-ee": "not-rfc5280",
    "rfc5280::unknown-critical-extension-root": "not-rfc5280",
    "rfc5280::unknown-critical-extension-intermediate": "not-rfc5280",
    "rfc5280::chain-untrusted-root": "unknown-ca-root-sent",
    "rfc5280::intermediate-ca-without-ca-bit": "issuer-not-ca",
    "rfc5280::root-missing-basic-constraints": "issuer-not-ca",
    "rfc5280::root-non-critical-basic-constraints": "not-rfc5280",
    "rfc5280::root-inconsistent-ca-extensions": "issuer-not-ca",
    "rfc5280::leaf-ku-keycertsign": "not-rfc5280",
    "rfc5280::duplicate-extensions": "malformed-certificate",
    "webpki::aki::root-with-aki-ski-mismatch": "not-rfc5280",
    "webpki::cryptographydotio-chain-missing-intermediate": "missing-intermediate",
    "webpki::san::mismatch-domain-san": "wrong-host",
    "webpki::san::public-suffix-wildcard-san": "wrong-host",
    "webpki::san::wildcard-match-across-labels-san": "wrong-host",
    "webpki::san::no-san": "cn-only",
    "webpki::san::san-critical-with-nonempty-subject": "not-rfc5280",
    "webpki::forbidden-p192-root": "weak-key",
    "webpki::forbidden-p192-leaf": "weak-key",
    "webpki::forbidden-dsa-leaf": "weak-key",
    "webpki::forbidden-weak-rsa-key-in-root": "weak-key",
    "webpki::forbidden-weak-rsa-in-leaf": "weak-key",
    "webpki::forbidden-rsa-not-divisible-by-8-in-root": "weak-key",
    "webpki::forbidden-rsa-key-not-divisible-by-8-in-leaf": "weak-key",
    "webpki::v1-cert": "not-rfc5280",
    "webpki::ca-as-leaf": "not-rfc5280",
}


LOOSE = {
    "crl::issuer-no-keyusage-extension",
    "rfc5280::aki::critical-aki",
    "rfc5280::aki::leaf-missing-aki",
    "rfc5280::aki::intermediate-missing-aki",
    "rfc5280::ski::critical-ski",
    "rfc5280::ski::root-missing-ski",
    "rfc5280::ski::intermediate-missing-ski",
    "rfc5280::root-non-critical-basic-constraints",
    "rfc5280::leaf-ku-keycertsign",
    "webpki::aki::root-with-aki-missing-keyidentifier",
    "webpki::aki::root-with-aki-ski-mismatch",
}
"""What is refused for its form alone, and accepted without the strict mode. Nothing else may be."""


def _cases() -> list[dict[str, Any]]:
    if not DATA.exists():
        return []
    with lzma.open(DATA) as stream:
        cases: list[dict[str, Any]] = json.load(stream)["testcases"]
    return cases


CASES = _cases()


def _der(pem: str) -> bytes:
    return base64.b64decode("".join(pem.strip().splitlines()[1:-1]))


def _judge(case: dict[str, Any], **options: Any) -> TLSError | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor's serial number of zero
            anchors = TrustAnchors.from_pem("".join(case["trusted_certs"]))
        depth = {} if case["max_chain_depth"] is None else {"max_depth": case["max_chain_depth"]}
        crls = tuple(RevocationList.from_pem(crl) for crl in case["crls"])
        policy = VerificationPolicy(crls=crls, **depth, **options)
        when = case["validation_time"]
        name = case["expected_peer_name"]
        Verifier(anchors, case["validation_kind"].lower(), policy).verify(
            [_der(pem) for pem in (case["peer_certificate"], *case["untrusted_intermediates"])],
            None if name is None else name["value"],
            NOW if when is None else datetime.fromisoformat(when),
        )
    except TLSError as error:
        return error
    return None


@pytest.mark.skipif(not CASES, reason="x509-limbo is not there (../shared/data/x509-limbo.json.xz)")
def test_every_case_is_there_and_every_deviation_is_one() -> None:
    ids = {case["id"] for case in CASES}
    assert len(CASES) == 194
    assert set(DEVIATIONS) <= ids
    assert set(CODES) <= ids


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_verdict(case: dict[str, Any]) -> None:
    error = _judge(case)
    verdict = "SUCCESS" if error is None else "FAILURE"
    if case["id"] in DEVIATIONS:
        assert verdict != case["expected_result"], "no deviation any more: strike it off the list"
    else:
        assert verdict == case["expected_result"], error
    if error is not None:
        assert error.code == CODES.get(case["id"], error.code), error
        assert "\n" not in str(error)
        assert "{" not in str(error), "how the path builder holds things is nobody's business"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_without_the_strict_mode_only_rules_of_form_are_left_out(case: dict[str, Any]) -> None:
    error = _judge(case, strict=False)
    if case["id"] in LOOSE:
        assert error is None
    else:
        assert (error is None) == (_judge(case) is None), error


class _Everything(frozenset[Any]):
    def __contains__(self, _: object) -> bool:
        return True


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "loose"])
@pytest.mark.parametrize("part", range(4))
def test_a_copy_of_the_path_gets_the_verdict_of_the_path(
    part: int, strict: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths signed with EdDSA or ML-DSA are judged by way of a copy: so judged, no case may fare otherwise."""
    cases = CASES[part::4]
    directly = [_judge(case, strict=strict) for case in cases]

    class _OnlyCopies(verify._Builder):
        def build(self, certificates: Any, name: Any, now: Any) -> Any:
            if _OnlyCopies.originals.isdisjoint(certificates):
                return super().build(certificates, name, now)
            raise ValueError("it would not look at them")

        originals: frozenset[Any] = frozenset()

    def judge(case: dict[str, Any]) -> TLSError | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chain = (case["peer_certificate"], *case["untrusted_intermediates"])
            _OnlyCopies.originals = frozenset(_loaded(chain))
        return _judge(case, strict=strict)

    monkeypatch.setattr(verify, "_Builder", _OnlyCopies)
    monkeypatch.setattr(verify, "NEWER_SIGNATURES", _Everything())
    monkeypatch.setattr(stand_in, "NEWER_SIGNATURES", _Everything())
    for case, before in zip(cases, directly, strict=True):
        after = judge(case)
        assert (before is None) == (after is None), (case["id"], before, after)


def _loaded(pems: Iterable[str]) -> Iterator[x509.Certificate]:
    for pem in pems:
        with suppress(ValueError):
            yield x509.load_der_x509_certificate(_der(pem))
