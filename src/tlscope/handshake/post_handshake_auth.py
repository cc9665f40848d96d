"""A client's certificate after the handshake (RFC 8446 section 4.6.2), both sides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import violations
from ..config import ClientAuth
from ..errors import Misuse, PeerViolation
from ..events import PeerAuthenticated
from ..keys.transcript import Transcript
from ..wire import extensions as x
from ..wire.handshake import Certificate, CertificateRequest, CertificateVerify, CompressedCertificate, Finished
from . import authenticate
from .certificate_compression import decompress
from .client13 import check_finished, show_certificate
from .flow import Flow
from .grease import server_extensions
from .hello import check_answers, check_place

if TYPE_CHECKING:
    from ..config import ClientConfig, ServerConfig
    from ..trust.verify import VerifiedPeer
    from ..wire.codepoints import SignatureScheme
    from .driver import Handshake

MAX_OUTSTANDING = 4
"""Requests that a server may have unanswered at a time."""


@dataclass(slots=True)
class PostHandshakeAuth:
    """What both sides keep for it: the handshake's transcript, and on the server the requests not yet answered."""

    transcript: Transcript
    outstanding: dict[bytes, CertificateRequest] = field(default_factory=dict)
    raw: dict[bytes, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LatePeer:
    """What a client showed after the handshake; without a certificate ``chain`` is empty."""

    verified: VerifiedPeer | None
    chain: tuple[bytes, ...]
    scheme: SignatureScheme | None


def request_certificate(hs: Handshake, config: ServerConfig) -> None:
    """Ask a connected client for its certificate. Raises ``Misuse`` where it did not say that it may be asked."""
    auth = hs.post_handshake
    if auth is None or config.verifier is None:
        raise Misuse(
            "the client can't be asked for a certificate now: it did not offer post_handshake_auth, or trust is not set",
            code="no-post-handshake-auth",
        )
    if len(auth.outstanding) >= MAX_OUTSTANDING:
        raise Misuse(f"{MAX_OUTSTANDING} requests for a certificate are unanswered", code="no-post-handshake-auth")
    context = config.randomness.bytes(16)
    request = CertificateRequest(server_extensions(config, *config.request_extensions), context)
    sent = hs.send(request, beside=True)
    auth.outstanding[context] = sent
    auth.raw[context] = sent.encode()


def answer_request(hs: Handshake, config: ClientConfig, request: CertificateRequest) -> Flow[None]:
    """Certificate*, CertificateVerify* and Finished, over the handshake and the request (section 4.4)."""
    if not hs.may_write:
        return  # nothing may follow this side's close_notify (section 6.1)
    auth = hs.post_handshake
    if auth is None or not request.certificate_request_context:
        raise PeerViolation(violations.BAD_REQUEST_CONTEXT)
    check_place("CertificateRequest", request.extensions, x.CERTIFICATE_REQUEST_FORMS)
    hs.transcript = auth.transcript.fork()
    hs.transcript.add(hs.message)
    answer: list[bytes] = []
    hs.held = answer
    try:
        yield from show_certificate(hs, config, request)
        assert hs.write_secret is not None  # noqa: S101 - the handshake left it
        hs.send(Finished(hs.write_secret.finished(hs.hash_so_far)))
    finally:
        hs.transcript = hs.held = None
    if hs.may_write:
        for raw in answer:
            hs.records.queue_handshake(raw)


def hear_answer(hs: Handshake, config: ServerConfig, message: Certificate | CompressedCertificate) -> Flow[None]:
    """The client's answer to one of the requests; an empty one is refused where certificates are required."""
    if isinstance(message, CompressedCertificate):
        message = decompress(hs, message)
    auth = hs.post_handshake
    assert auth is not None  # noqa: S101 - no Certificate is expected otherwise
    request = auth.outstanding.pop(message.certificate_request_context, None)
    if request is None:
        raise PeerViolation(violations.BAD_REQUEST_CONTEXT)
    transcript = auth.transcript.fork()
    transcript.add(auth.raw.pop(message.certificate_request_context))
    transcript.add(hs.message)
    hs.transcript = transcript
    verified: VerifiedPeer | None = None
    scheme: SignatureScheme | None = None
    try:
        for entry in message.certificate_list:
            check_answers("Certificate", entry.extensions, (), x.CERTIFICATE_ENTRY_FORMS)
        if message.certificate_list:
            peer = yield from authenticate.judge(hs, config.verifier, message.chain)
            verify = yield from hs.expect(CertificateVerify)
            authenticate.check_proof(hs, peer, verify)
            verified, scheme = peer.verified, verify.algorithm
        elif config.client_auth is ClientAuth.REQUIRED:
            raise PeerViolation(violations.NO_CLIENT_CERTIFICATE)
        finished = yield from hs.expect(Finished)
        assert hs.read_secret is not None  # noqa: S101 - the handshake left it
        check_finished(hs.read_secret, hs.before.digest(), finished)
    finally:
        hs.transcript = None
    hs.late_peer = LatePeer(verified, message.chain, scheme)
    hs.events.append(PeerAuthenticated(verified))
