"""Whether a peer's chain is to be believed (RFC 5280 section 6, RFC 9525).

``cryptography.x509.verification`` builds and judges the path, and what it refuses stays refused. This adds what it
leaves to the caller: bounds, the strength of the leaf's own key, RFC 9525's stricter reading of names and purposes,
revocation, certificates that are trusted for themselves, CAs with newer kinds of keys (``stand_in.py``); and says of
each refusal which certificate is at fault.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NoReturn

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, VerificationError

from ..errors import CertificateRejected
from ..wire.codepoints import SignatureScheme
from .anchors import TrustAnchors
from .certificate_scheme import certificate_scheme
from .der import read_serial
from .diagnose import diagnose, signed_paths
from .extension_rules import ca_policy, ee_policy
from .identity import RSASSA_PSS
from .memory import Memory
from .names import PeerNames, ServerName, parse_server_name
from .oids import oid_name
from .policy import VerificationPolicy
from .reasons import EmptyChain, Malformed, NotRFC5280, Place, Reason, TooManyCertificates, UnsupportedSignature
from .revocation import RevocationLists
from .rules import Case, leaf_fault, path_fault
from .stand_in import NEWER_SIGNATURES, has_newer_signature, stand_ins
from .staple import Staples, promises_staple

__all__ = ["Clock", "Purpose", "VerifiedPeer", "Verifier"]

Purpose = Literal["server", "client"]

Clock = Callable[[], "datetime | float"]
"""Gives the present as an aware ``datetime`` or as seconds since 1970."""

_REFUSALS = (VerificationError, ValueError, TypeError)
"""What the path builder raises."""

_PURPOSES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedPeer:
    """A peer whose chain was accepted.

    ``path`` is DER from the leaf to the trust anchor, as the path builder found it: not always the chain as sent.
    ``names`` are for authorisation; ``public_key`` is the leaf's, ``pss_only`` whether it makes PSS signatures alone.
    """

    path: tuple[bytes, ...] = field(repr=False)
    certificates: tuple[x509.Certificate, ...] = field(repr=False)
    names: PeerNames
    public_key: Any = field(repr=False)
    pss_only: bool = field(default=False, repr=False)

    @property
    def leaf(self) -> x509.Certificate:
        """The peer's own certificate."""
        return self.certificates[0]

    @property
    def anchor(self) -> x509.Certificate:
        """The trust anchor that the path ends in: the leaf itself where that is trusted directly."""
        return self.certificates[-1]


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A verdict and how long it stands: the path counts from ``begins`` to ``ends``."""

    peer: VerifiedPeer
    chain: tuple[x509.Certificate, ...]
    begins: datetime
    ends: datetime
    promises_staple: bool
    signed_with: tuple[SignatureScheme | None, ...]
    """How each certificate of the path but the anchor is signed."""


class Verifier:
    """Verifies chains of one purpose against one set of anchors. Immutable but for its memory; safe between threads.

    ``purpose`` is whose certificates are verified: ``server`` needs serverAuth and a name, ``client`` clientAuth. A
    certificate without extendedKeyUsage serves either (RFC 5280 section 4.2.1.12); anyExtendedKeyUsage does not stand
    in for the one needed. A leaf that is byte for byte an anchor is trusted for itself: no path is built and no
    revocation asked, but dates, name, purpose and key strength are checked as for any other.
    """

    def __init__(
        self,
        anchors: TrustAnchors,
        purpose: Purpose,
        policy: VerificationPolicy | None = None,
        clock: Clock = time.time,
    ) -> None:
        if purpose not in _PURPOSES:
            raise ValueError(f"purpose must be 'server' or 'client', not {purpose!r}")
        self.anchors = anchors
        self.purpose: Purpose = purpose
        self.policy = policy if policy is not None else VerificationPolicy()
        self._clock = clock
        # The path builder takes no empty store.
        self._builder = _Builder(anchors, purpose, self.policy) if len(anchors) else None
        self._memory: Memory[_Accepted] = Memory(self.policy.remember)
        self._lists = RevocationLists(self.policy.crls, self.policy.crl_check)
        self._staples = Staples(self.policy.remember)

    def verify(
        self,
        chain: Sequence[bytes],
        server_name: str | None = None,
        now: datetime | float | None = None,
        *,
        ocsp_response: bytes | None = None,
        key_usage: str = "digitalSignature",
        resumed: bool = False,
        schemes: Container[SignatureScheme] | None = None,
    ) -> VerifiedPeer:
        """Verify a chain of DER certificates as the peer sent it, leaf first; the others may stand in any order.

        ``server_name`` is the DNS name or address that was asked for; None checks no name, as for clients. ``now``
        replaces the clock. ``ocsp_response`` is the DER that the peer stapled. ``key_usage`` is the bit that a leaf's
        keyUsage must have, if it has one: ``keyEncipherment`` in TLS 1.2 with RSA key transport. ``resumed`` says that the
        chain was shown when a session began: nothing is stapled at its resumption, so no response is demanded then.
        ``schemes`` are those that certificates may be signed with, as ``certificate_scheme`` names them; None: all known.

        Raises ``CertificateRejected``; ``Misuse`` where ``server_name`` is no name at all.
        """
        moment = _moment(self._clock() if now is None else now)
        key = (server_name, key_usage, *chain)
        known = self._memory.get(key)
        if known is None or not known.begins <= moment <= known.ends:
            known = self._verify(tuple(chain), server_name, moment, key_usage)
            self._memory.put(key, known)
        peer = known.peer
        if schemes is not None:
            for certificate, scheme in zip(peer.certificates, known.signed_with, strict=False):
                if scheme not in schemes:
                    self._reject(_not_allowed(known, certificate, self.purpose), tuple(chain))
        if len(peer.path) > 1 and (reason := self._revoked(known, moment, ocsp_response, resumed)) is not None:
            self._reject(reason, tuple(chain))
        return peer

    def _revoked(self, known: _Accepted, now: datetime, ocsp_response: bytes | None, resumed: bool) -> Reason | None:
        peer, needed = known.peer, ""
        if self.purpose == "server" and ocsp_response is None and not resumed:
            if known.promises_staple:
                needed = "the certificate promises one (TLS Feature, must-staple)"
            elif self.policy.require_staple:
                needed = "require_staple demands one"
        reason = self._lists.fault(peer.certificates, known.chain, now, self.purpose)
        if reason is not None or (ocsp_response is None and not needed):
            return reason
        return self._staples.fault(peer.certificates, peer.path, ocsp_response, now, self.purpose, needed=needed)

    def _verify(self, chain: tuple[bytes, ...], server_name: str | None, now: datetime, key_usage: str) -> _Accepted:
        if not chain:
            self._reject(EmptyChain(whose=self.purpose), chain)
        if len(chain) > self.policy.max_certificates:
            limit = self.policy.max_certificates
            self._reject(TooManyCertificates(whose=self.purpose, sent=len(chain), limit=limit), chain)
        name = None if server_name is None else parse_server_name(server_name)
        certificates = self._parse(chain)
        names, public_key = self._read_leaf(certificates[0], chain)
        case = Case(
            chain=chain,
            certificates=tuple(certificates),
            names=names,
            leaf_key=public_key,
            name=name,
            anchors=self.anchors,
            whose=self.purpose,
            policy=self.policy,
            now=now,
            key_usage=key_usage,
        )
        path = [certificates[0]] if chain[0] in self.anchors else self._build(certificates, name, case)
        # Without strict the builder leaves more of the rules to be looked at here.
        judged = path_fault if len(path) == 1 or not self.policy.strict else leaf_fault
        reason = judged(case, path)
        if reason is not None:
            self._reject(reason, chain)
        ders = dict(zip(certificates, chain, strict=True))
        peer = VerifiedPeer(
            path=tuple(ders.get(one) or self.anchors.der(one) for one in path),
            certificates=tuple(path),
            names=names,
            public_key=public_key,
            pss_only=path[0].public_key_algorithm_oid == RSASSA_PSS,
        )
        return _Accepted(
            peer,
            case.certificates,
            begins=max(one.not_valid_before_utc for one in path),
            ends=min(one.not_valid_after_utc for one in path),
            promises_staple=promises_staple(path[0]),
            signed_with=tuple(certificate_scheme(one) for one in path[:-1]),
        )

    def _build(
        self, certificates: list[x509.Certificate], name: ServerName | None, case: Case
    ) -> list[x509.Certificate]:
        if self._builder is None:
            self._reject(diagnose(case, "nobody is trusted"), case.chain)
        try:
            return self._builder.build(certificates, name, case.now)
        except _REFUSALS as error:
            path, refusal = self._newer_path(case, str(error))
        if path is None:
            self._reject(diagnose(case, refusal), case.chain)
        return path

    def _newer_path(self, case: Case, refusal: str) -> tuple[list[x509.Certificate] | None, str]:
        """A path signed with newer keys, judged by way of its copy; where there is none, the words of the refusal."""
        if not any(one.signature_algorithm_oid in NEWER_SIGNATURES for one in case.certificates):
            return None, refusal
        for path in signed_paths(case):
            if not has_newer_signature(path) or path_fault(case, path) is not None:
                continue
            try:
                copies = stand_ins(path)
                anchor = TrustAnchors.from_certificates(copies[-1:])
                _Builder(anchor, self.purpose, self.policy).build(copies[:-1], case.name, case.now)
            except _REFUSALS as error:
                refusal = str(error)
            else:
                return path, ""
        return None, refusal

    def _parse(self, chain: tuple[bytes, ...]) -> list[x509.Certificate]:
        certificates = []
        for index, der in enumerate(chain):
            place = Place(index, len(chain), "which can't be read")
            try:
                serial = read_serial(der)
                # cryptography would write a warning about it to this process's standard error.
                if not serial or serial[0] >= 0x80 or not any(serial):
                    rule, section = "its serial number is not positive", "RFC 5280 section 4.1.2.2"
                    self._reject(NotRFC5280(whose=self.purpose, place=place, rule=rule, section=section), chain)
                certificates.append(x509.load_der_x509_certificate(der))
            except CertificateRejected:
                raise
            except Exception as error:  # see _read_leaf
                self._reject(Malformed(whose=self.purpose, place=place, detail=str(error)), chain)
        return certificates

    def _read_leaf(self, leaf: x509.Certificate, chain: tuple[bytes, ...]) -> tuple[PeerNames, Any]:
        try:
            return PeerNames.of(leaf), leaf.public_key()
        except Exception as error:  # what a stranger encodes makes cryptography raise more kinds than it documents
            place = Place(0, len(chain), "")
            self._reject(Malformed(whose=self.purpose, place=place, detail=str(error)), chain)

    def _reject(self, reason: Reason, chain: tuple[bytes, ...]) -> NoReturn:
        raise CertificateRejected(reason, whose=self.purpose, index=reason.index, chain=chain)

    def __repr__(self) -> str:
        return f"<Verifier of {self.purpose} certificates, {self.anchors.source}>"


class _Builder:
    """The library's path builder for one purpose, with what is asked of certificates beyond its own rules."""

    def __init__(self, anchors: TrustAnchors, purpose: Purpose, policy: VerificationPolicy) -> None:
        base = PolicyBuilder().store(anchors.store).max_chain_depth(policy.max_depth)
        self._purpose = purpose
        needed, strict = _PURPOSES[purpose], policy.strict
        self._named = base.extension_policies(
            ca_policy=ca_policy(anchors, strict=strict), ee_policy=ee_policy(strict=strict)
        )
        self._unnamed = base.extension_policies(
            ca_policy=ca_policy(anchors, needed, strict=strict), ee_policy=ee_policy(needed, strict=strict)
        )

    def build(
        self, certificates: Sequence[x509.Certificate], name: ServerName | None, now: datetime
    ) -> list[x509.Certificate]:
        """The path from the first certificate to an anchor. Raises one of ``_REFUSALS``."""
        leaf, others = certificates[0], list(certificates[1:])
        if self._purpose == "server" and name is not None:
            return self._named.time(now).build_server_verifier(name.subject).verify(leaf, others)
        return self._unnamed.time(now).build_client_verifier().verify(leaf, others).chain


def _not_allowed(known: _Accepted, certificate: x509.Certificate, whose: str) -> Reason:
    index = known.chain.index(certificate) if certificate in known.chain else None
    place = Place(index, len(known.chain), certificate.subject.rfc4514_string())
    algorithm = oid_name(certificate.signature_algorithm_oid)
    return UnsupportedSignature(whose=whose, place=place, algorithm=algorithm, by_setting=True)


def _moment(now: datetime | float) -> datetime:
    if isinstance(now, datetime):
        if now.tzinfo is UTC:
            return now
        return now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)
    return datetime.fromtimestamp(now, UTC)
