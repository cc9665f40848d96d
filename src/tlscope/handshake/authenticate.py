"""Who is who: choosing certificates, proving the key, judging the peer's (RFC 8446 section 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from .. import trace as t
from .. import violations
from ..config import ClientAuth
from ..errors import CertificateRejected, Incompatible, PeerViolation, Step, TLSError
from ..trust.distinguished_name import describe_name
from ..trust.peer_key import PeerKey, UnreadableCertificate, WrongKeyUsage
from ..wire import extensions as x
from ..wire.codepoints import CertificateType
from ..wire.extensions import Extensions
from ..wire.handshake import Certificate, CertificateEntry, CertificateRequest, CertificateVerify
from . import negotiate
from .certificate_types import judge_raw_key, peer_shows_raw_key
from .flow import ChooseClientIdentity, ChooseServerIdentity, Flow, Sign, VerifyPeer
from .peer import Peer, other
from .situation import Asked, situation_of

if TYPE_CHECKING:
    from ..config import ClientConfig, ServerConfig
    from ..crypto.cipher_suites import Suite
    from ..sessions import Session
    from ..trust.identity import Identity
    from ..trust.verify import VerifiedPeer, Verifier
    from ..violations import Violation
    from ..wire.codepoints import SignatureScheme
    from ..wire.handshake import ClientHello
    from .driver import Handshake

_CONTEXT = {
    "server": b" " * 64 + b"TLS 1.3, server CertificateVerify\0",
    "client": b" " * 64 + b"TLS 1.3, client CertificateVerify\0",
}
"""What stands before the transcript hash in a signature, so that it means nothing elsewhere (section 4.4.3)."""


# Choosing our own


def choose_server_identity(
    hs: Handshake,
    config: ServerConfig,
    hello: ClientHello,
    usable: tuple[SignatureScheme, ...],
    fits: Callable[[Identity], bool] | None = None,
    no_fit: Callable[[], Incompatible] | None = None,
) -> Flow[Identity]:
    """The certificate that the server shows for a ClientHello. Raises ``Incompatible`` or ``PeerViolation``.

    ``fits`` says in TLS 1.2 whether a common cipher suite goes with a certificate, ``no_fit`` why none does.
    """
    ext = hello.extensions
    authorities = ext.get(x.CERTIFICATE_AUTHORITIES) or ()
    cert_schemes = ext.get(x.SIGNATURE_ALGORITHMS_CERT) or ext.get(x.SIGNATURE_ALGORITHMS) or ()

    def choose(decision: ChooseServerIdentity) -> Identity:
        if config.choose_identity is not None:
            chosen = config.choose_identity(decision)
            if chosen is not None:
                hs.note("identity", chosen.label, "the application chose it")
                return chosen
        try:
            best = negotiate.server_identity(config.identities, hs.server_name, usable, cert_schemes, authorities, fits)
        except negotiate.NoFit:
            assert no_fit is not None  # noqa: S101 - it comes with fits
            raise no_fit() from None
        if hs.sink is not None:
            asked = () if hs.server_name is None else (hs.server_name,)
            labels = [one.label for one in config.identities]
            hs.note("identity", best.value.label, best.why, asked, labels, "RFC 8446 section 4.4.2.2")
        return best.value

    able = fits if fits is not None else partial(negotiate.can_sign, usable=usable)
    decision = ChooseServerIdentity(hs.server_name, usable, authorities, ext.get(x.ALPN_OFFER) or (), choose, able)
    if config.require_known_name and hs.server_name is not None:
        known = any(one.serves(hs.server_name) for one in config.identities)
        if not known and config.choose_identity is None:
            served = sorted({name for one in config.identities for name in one.names})
            raise PeerViolation(violations.UNKNOWN_SNI, asked=hs.server_name, served=", ".join(served) or "none")
    hs.shown = yield from hs.decide(decision)
    return hs.shown


def used_server_name(hs: Handshake) -> bool:
    """Whether the name that the client asks for had a part in the choice of the certificate (RFC 6066 section 3)."""
    name, config = hs.server_name, cast("ServerConfig", hs.config)
    if name is None:
        return False
    by_application = config.choose_identity is not None or ChooseServerIdentity in config.ask
    return by_application or any(one.serves(name) for one in config.identities)


def choose_client_identity(
    hs: Handshake,
    config: ClientConfig,
    schemes: tuple[SignatureScheme, ...],
    authorities: tuple[bytes, ...],
    usable: tuple[SignatureScheme, ...],
    *,
    tls13: bool = True,
) -> Flow[tuple[Identity | None, str]]:
    """The certificate that the client shows, None for none, and why."""
    why = "the application decided"

    def choose() -> Identity | None:
        nonlocal why
        chosen = negotiate.client_identity(config.identities, usable, authorities, tls13=tls13)
        why = chosen.why
        return chosen.value

    fits = partial(negotiate.can_sign, usable=usable, tls13=tls13)
    identity = yield from hs.decide(ChooseClientIdentity(schemes, authorities, choose, fits))
    hs.asked, hs.shown = Asked(schemes, authorities, "" if identity is not None else why), identity
    if hs.sink is not None:
        chosen = identity.label if identity is not None else "none"
        labels = [one.label for one in config.identities]
        names = [describe_name(name) for name in authorities]
        hs.note("client_identity", chosen, why, names, labels, "RFC 8446 section 4.4.2.3")
    return identity, why


# Proving our own


def sign(hs: Handshake, identity: Identity, scheme: SignatureScheme, data: bytes, over: str) -> Flow[bytes]:
    """A signature with the identity's key."""
    signature = yield from hs.decide(Sign(identity, scheme, data))
    if hs.sink is not None:
        hs.sink(t.SignatureChecked("sent", scheme.name, identity.label, over))
    return signature


def certificate_message(
    identity: Identity, context: bytes = b"", *, staple: bool = False, timestamps: bool = False
) -> Certificate:
    """The Certificate message that shows an identity, with its OCSP response and SCTs where the peer asked for them."""
    entries = [CertificateEntry(der) for der in identity.chain]
    items: list[tuple[int, bytes]] = []
    if staple and identity.ocsp_response is not None:
        items.append(x.CERTIFICATE_STATUS(identity.ocsp_response))
    if timestamps and identity.signed_certificate_timestamps:
        items.append(x.SIGNED_CERTIFICATE_TIMESTAMPS(identity.signed_certificate_timestamps))
    if items:
        entries[0].extensions = Extensions(items)
    return Certificate(tuple(entries), context)


def prove(hs: Handshake, identity: Identity, scheme: SignatureScheme) -> Flow[CertificateVerify]:
    """CertificateVerify over all that was said so far (section 4.4.3)."""
    content = _CONTEXT[hs.role] + hs.hash_so_far
    signature = yield from sign(hs, identity, scheme, content, "the handshake so far")
    return CertificateVerify(scheme, signature)


def prove_12(hs: Handshake, identity: Identity, scheme: SignatureScheme) -> Flow[CertificateVerify]:
    """TLS 1.2's CertificateVerify, over all messages so far themselves (RFC 5246 section 7.4.8)."""
    assert hs.transcript is not None  # noqa: S101 - it is closed only after the handshake
    signature = yield from sign(hs, identity, scheme, hs.transcript.messages, "the handshake so far")
    return CertificateVerify(scheme, signature)


# Judging the peer's


def judge(
    hs: Handshake,
    verifier: Verifier | None,
    chain: tuple[bytes, ...],
    ocsp_response: bytes | None = None,
    key_usage: str = "digitalSignature",
    *,
    session: Session | None = None,
    report: bool = False,
) -> Flow[Peer]:
    """The verdict on a chain, and its leaf's key. Raises ``CertificateRejected`` or ``PeerViolation``.

    ``session`` is the one in which the chain was shown, where that is resumed now.
    With ``report`` a rejection is not raised: the peer has it as its ``refusal``, and is not verified.
    """
    whose, resumed = other(hs.role), session is not None
    limit = hs.config.limits.max_certificates
    if len(chain) > limit:
        raise PeerViolation(violations.CHAIN_TOO_LONG, count=len(chain), limit=limit, setting="Limits.max_certificates")
    if peer_shows_raw_key(hs) if session is None else session.peer_raw_key:
        return (yield from judge_raw_key(hs, chain, resumed=resumed))
    if hs.config.believes_raw_keys_alone:
        # Nothing here could judge a certificate, and none was asked for: what can't be judged is not believed.
        raise PeerViolation(violations.UNOFFERED_CERTIFICATE_TYPE, received=CertificateType.X509)
    name = hs.server_name if hs.role == "client" and hs.config.check_server_name else None

    def verify() -> VerifiedPeer | None:
        if verifier is None:
            return None
        schemes = hs.config.certificate_schemes
        return verifier.verify(
            chain, name, ocsp_response=ocsp_response, key_usage=key_usage, resumed=resumed, schemes=schemes
        )

    refusal: CertificateRejected | None = None
    try:
        decision = VerifyPeer(chain, name, verify, ocsp_response=ocsp_response, resumed=resumed)
        verified = yield from hs.decide(decision)
        if verified is not None and hs.config.on_verified is not None:
            hs.config.on_verified(verified)
    except TLSError as problem:
        if not isinstance(problem, CertificateRejected):
            raise
        _trace_verdict(hs, verifier, whose, name, None, chain, reason=problem.reason.sentence())
        if not report:
            raise
        # Whatever was believed before on_verified had its word is so no longer.
        refusal, verified = problem, None
    key = _leaf_key(verified, chain[0], key_usage)
    if refusal is not None:
        report_refusal(hs, refusal)
        return Peer(chain, None, key, refusal=refusal)
    _trace_verdict(hs, verifier, whose, name, verified, chain)
    return Peer(chain, verified, key, staple=ocsp_response)


def judge_empty_list(hs: Handshake, config: ServerConfig, violation: Violation) -> TLSError | None:
    """A client showed nothing: why it is refused where that is reported, None where it need not show anything.

    Raises ``PeerViolation`` where a certificate is required and no more is to be said.
    """
    if config.client_auth is not ClientAuth.REQUIRED:
        hs.note("client_authentication", "none", "the client sent an empty list, which is allowed here")
        return None
    missing = PeerViolation(violation)
    if not config.report_refused_clients:
        raise missing
    return report_refusal(hs, missing)


def report_refusal(hs: Handshake, refusal: TLSError) -> TLSError:
    """A client is refused and the handshake goes on (``ServerConfig.report_refused_clients``): note why, and where."""
    refusal.step = Step(hs.role, "handshake", "Certificate")
    refusal.situation = situation_of(hs, hs.records, refusal)
    # The connection's facts keep it; a traceback would keep the frames that it went through.
    refusal.__traceback__ = refusal.__context__ = None
    hs.note("client_authentication", "reported", "the client is refused, which the application is left to tell it")
    return refusal


def _leaf_key(verified: VerifiedPeer | None, leaf: bytes, key_usage: str) -> PeerKey:
    try:
        return PeerKey.of(verified) if verified is not None else PeerKey.from_certificate(leaf, key_usage)
    except UnreadableCertificate as problem:
        raise PeerViolation(violations.UNREADABLE_CERTIFICATE, problem=problem) from None
    except WrongKeyUsage:
        raise PeerViolation(violations.KEY_USAGE, needed=key_usage) from None
    except ValueError as problem:
        raise PeerViolation(violations.BAD_PUBLIC_KEY, problem=problem) from None


def _trace_verdict(
    hs: Handshake,
    verifier: Verifier | None,
    whose: str,
    name: str | None,
    verified: VerifiedPeer | None,
    chain: tuple[bytes, ...],
    reason: str = "",
) -> None:
    if hs.sink is None:
        return
    hs.sink(
        t.CertificatesVerified(
            ok=verified is not None,
            purpose=whose,
            name=name or "",
            anchor=verified.anchor.subject.rfc4514_string() if verified is not None else "",
            anchors=verifier.anchors.source if verifier is not None else "",
            chain=verified.path if verified is not None else chain,
            names=tuple(verified.names) if verified is not None else (),
            reason=reason or ("" if verified is not None else "verification is switched off"),
        )
    )


def check_scheme(hs: Handshake, key: PeerKey, scheme: SignatureScheme, *, tls13: bool = True) -> None:
    """Raises ``PeerViolation`` for a scheme that this side did not offer or that the key can't make."""
    if scheme not in (hs.config.signature_schemes_13 if tls13 else hs.config.signature_schemes):
        raise PeerViolation(violations.UNOFFERED_SIGNATURE_SCHEME, received=scheme)
    if not key.can_make(scheme, tls13=tls13):
        raise PeerViolation(violations.SCHEME_DOES_NOT_FIT_KEY, received=scheme, key=str(key))


def check_signature(
    hs: Handshake, peer: Peer, scheme: SignatureScheme, signature: bytes, content: bytes, message: str, over: str
) -> None:
    """Raises ``PeerViolation`` where a signature does not fit the key of the peer's certificate."""
    fits = peer.key.fits(scheme, signature, content)
    if hs.sink is not None:
        subject = str(peer.verified.names) if peer.verified is not None else f"the {other(hs.role)}'s certificate"
        hs.sink(t.SignatureChecked("received", scheme.name, subject, over, fits))
    if not fits:
        raise PeerViolation(violations.BAD_CERTIFICATE_VERIFY, message=message, scheme=scheme, key=str(peer.key))


def check_proof(hs: Handshake, peer: Peer, message: CertificateVerify) -> None:
    """Check the CertificateVerify at hand against the transcript before it (section 4.4.3)."""
    check_scheme(hs, peer.key, message.algorithm)
    content = _CONTEXT[other(hs.role)] + hs.before.digest()
    check_signature(
        hs, peer, message.algorithm, message.signature, content, "CertificateVerify", "the handshake so far"
    )


def check_proof_12(hs: Handshake, peer: Peer, message: CertificateVerify) -> None:
    """Check TLS 1.2's CertificateVerify against the messages before it (RFC 5246 section 7.4.8)."""
    check_scheme(hs, peer.key, message.algorithm, tls13=False)
    content = hs.before.messages
    check_signature(
        hs, peer, message.algorithm, message.signature, content, "CertificateVerify", "the handshake so far"
    )


def key_fits_suite(kind: str, suite: Suite) -> bool:
    """Whether a certificate with this kind of key goes with a TLS 1.2 suite (RFC 5246 section 7.4.2, RFC 8422 2.1).

    EdDSA certificates go with the ECDSA suites (RFC 8422 section 5.3); a key for PSS alone can't decrypt.
    """
    if suite.key_exchange == "RSA":
        return kind == "rsa"
    if suite.authentication == "RSA":
        return kind in ("rsa", "rsa-pss")
    return kind.startswith("ec:") or kind in ("ed25519", "ed448")


def usable_schemes(request: CertificateRequest, config: Any) -> tuple[SignatureScheme, ...]:
    """The schemes of a CertificateRequest that this side has too. Raises ``PeerViolation`` where it names none."""
    offered = request.extensions.get(x.SIGNATURE_ALGORITHMS)
    if offered is None:
        raise PeerViolation(
            violations.MISSING_EXTENSION, message="CertificateRequest", extension="signature_algorithms"
        )
    return tuple(filter(offered.__contains__, config.signing_schemes_13))
