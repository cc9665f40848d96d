"""OCSP responses that a peer staples to its certificate (RFC 6960, RFC 6066 section 8, RFC 7633)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from .memory import Memory
from .reasons import BadStaple, Place, Reason, Revoked

__all__ = ["Staples", "promises_staple"]

_CLOCK_SKEW = timedelta(minutes=5)
_MAX_RESPONSES = 64
_MAX_SIGNERS = 4


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a response that is to be believed says of one certificate."""

    status: ocsp.OCSPCertStatus
    this_update: datetime
    next_update: datetime
    revoked_at: datetime | None
    why: str


class _Unsatisfactory(Exception):
    """The response is not to be believed; the text says why."""


def promises_staple(leaf: x509.Certificate) -> bool:
    """Whether a certificate says that it always comes with a stapled response (TLS Feature, RFC 7633)."""
    try:
        feature = leaf.extensions.get_extension_for_class(x509.TLSFeature).value
    except x509.ExtensionNotFound:
        return False
    return x509.TLSFeatureType.status_request in feature


class Staples:
    """The check of stapled responses. Remembers up to ``remember`` that were found to be well signed."""

    def __init__(self, remember: int) -> None:
        self._memory: Memory[_Answer] = Memory(remember)

    def fault(
        self,
        path: Sequence[x509.Certificate],
        ders: Sequence[bytes],
        response: bytes | None,
        now: datetime,
        whose: str,
        *,
        needed: str,
    ) -> Reason | None:
        """Why what was stapled, or not, is refused. ``needed`` says why a response must be there; empty if it needn't."""
        about: dict[str, Any] = {"whose": whose, "place": Place(0, len(ders), path[0].subject.rfc4514_string())}
        if response is None:
            problem = f"no OCSP response was stapled, and {needed}"
            return BadStaple(**about, problem=problem, section="RFC 7633 section 4.3.3") if needed else None
        try:
            answer = self._answer(path, ders[0], response, now)
        except _Unsatisfactory as problem:
            return BadStaple(**about, problem=f"the stapled OCSP response {problem}")
        dates: dict[str, Any] = {"this_update": answer.this_update, "next_update": answer.next_update, "now": now}
        if answer.this_update > now + _CLOCK_SKEW:
            return BadStaple(**about, problem="the stapled OCSP response is not valid yet", **dates)
        if answer.next_update < now:
            return BadStaple(**about, problem="the stapled OCSP response is stale: the peer must renew it", **dates)
        if answer.status is ocsp.OCSPCertStatus.REVOKED:
            when, source = answer.revoked_at or answer.this_update, "the OCSP response that the peer stapled"
            return Revoked(**about, source=source, when=when, serial=path[0].serial_number, why=answer.why)
        if answer.status is not ocsp.OCSPCertStatus.GOOD:
            return BadStaple(**about, problem="the stapled OCSP response says that its CA doesn't know it", **dates)
        return None

    def _answer(self, path: Sequence[x509.Certificate], leaf: bytes, response: bytes, now: datetime) -> _Answer:
        known = self._memory.get((leaf, response))
        if known is None:
            try:
                known = _read(path[0], path[1], response, now)
            except _Unsatisfactory:
                raise
            except Exception as error:  # what a stranger encodes makes cryptography raise more kinds than it documents
                raise _Unsatisfactory(f"can't be parsed: {error}") from None
            self._memory.put((leaf, response), known)
        return known


def _read(leaf: x509.Certificate, issuer: x509.Certificate, data: bytes, now: datetime) -> _Answer:
    """The answer about ``leaf`` in a response, if ``issuer`` or its delegate has signed it (section 3.2)."""
    response = ocsp.load_der_ocsp_response(data)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise _Unsatisfactory(f"is an error: {response.response_status.name.lower()}")
    if any(extension.critical for extension in response.extensions):
        raise _Unsatisfactory("has a critical extension that is not understood")
    single = _about(response, leaf, issuer)
    if isinstance(response.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
        raise _Unsatisfactory(f"is signed with {response.signature_hash_algorithm.name}, which can be forged")
    if not any(_has_signed(signer, response) for signer in _signers(response, issuer, now)):
        raise _Unsatisfactory("is signed neither by the certificate's issuer nor by a responder that it appointed")
    if single.next_update_utc is None:
        raise _Unsatisfactory("doesn't say until when it counts (nextUpdate)")
    reason = single.revocation_reason
    why = "" if reason is None or reason is x509.ReasonFlags.unspecified else reason.value
    return _Answer(
        single.certificate_status, single.this_update_utc, single.next_update_utc, single.revocation_time_utc, why
    )


def _about(response: ocsp.OCSPResponse, leaf: x509.Certificate, issuer: x509.Certificate) -> ocsp.OCSPSingleResponse:
    """The single response whose CertID is the leaf's (section 4.1.1)."""
    for count, single in enumerate(response.responses):
        if count == _MAX_RESPONSES:
            break
        if single.serial_number != leaf.serial_number:
            continue
        wanted = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, single.hash_algorithm).build()
        if (single.issuer_name_hash, single.issuer_key_hash) == (wanted.issuer_name_hash, wanted.issuer_key_hash):
            return single
    raise _Unsatisfactory("is not about this certificate")


def _signers(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> list[x509.Certificate]:
    """Who may sign: the issuer, or one whom the issuer itself has certified for OCSPSigning (section 4.2.2.2)."""
    delegates = []
    for candidate in response.certificates[:_MAX_SIGNERS]:
        try:
            usages = candidate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            candidate.verify_directly_issued_by(issuer)
        except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
            continue
        current = candidate.not_valid_before_utc <= now <= candidate.not_valid_after_utc
        if current and ExtendedKeyUsageOID.OCSP_SIGNING in usages:
            delegates.append(candidate)
    return [issuer, *delegates]


def _has_signed(signer: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    key: Any = signer.public_key()
    algorithm: Any = response.signature_hash_algorithm
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
        else:
            key.verify(response.signature, response.tbs_response_bytes)
    except (InvalidSignature, TypeError, ValueError, AttributeError):
        return False
    return True
