"""The client's side of the TLS 1.2 handshake, in the order of RFC 5246 section 7.3, figures 1 and 2.

ClientHello                  -------->
                                            ServerHello
                                           Certificate*
                                     CertificateStatus*
                                     ServerKeyExchange*
                                    CertificateRequest*
                             <--------  ServerHelloDone
Certificate*
ClientKeyExchange
CertificateVerify*
[ChangeCipherSpec]
Finished                     -------->
                                      NewSessionTicket*
                                     [ChangeCipherSpec]
                             <--------         Finished
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import violations
from ..crypto.cipher_suites import SUITES, Suite
from ..crypto.groups import GROUPS, InvalidPublicKey
from ..errors import PeerViolation
from ..events import ConnectionFacts
from ..keys.prf12 import MasterSecret12
from ..sessions import Session
from ..wire import extensions as x
from ..wire import handshake12 as tls12
from ..wire.codepoints import ClientCertificateType, ProtocolVersion, SignatureScheme
from ..wire.handshake import Finished, ServerHello
from . import authenticate, negotiate
from .established import Established
from .flow import ChangeCipherSpec, Flow
from .hello import Offer, check_answers, read_alpn
from .keys12 import Keys, check_finished_12, derive_master, read_12, write_12
from .peer import Peer
from .record_size import heed_peer

if TYPE_CHECKING:
    from ..config import ClientConfig
    from ..trust.identity import Identity
    from .driver import Handshake

TLS1_2 = ProtocolVersion.TLS1_2


@dataclass(slots=True)
class Agreed:
    """What the ServerHello settles."""

    suite: Suite
    server_random: bytes = field(repr=False)
    extended: bool
    alpn: str | None
    ticket_promised: bool
    status_promised: bool
    session_id: bytes = field(repr=False)
    timestamps: tuple[bytes, ...] = field(repr=False)


def client_handshake_12(hs: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello) -> Flow[Established]:
    """From the ServerHello to the server's Finished."""
    hs.version = TLS1_2
    hs.records.record_version = 0x0303
    hs.change_cipher_specs_allowed = False
    agreed = read_server_hello(hs, config, offer, hello)
    session = resumed_session(offer, hello, agreed)
    if session is not None:
        return (yield from resume(hs, config, session, agreed))

    certificate = yield from hs.expect(tls12.Certificate)
    staple, following = yield from expect_status(hs, agreed)
    peer = yield from judge_server(hs, config, agreed, certificate, staple)
    exchange: tls12.ServerKeyExchange | None = None
    if agreed.suite.key_exchange == "ECDHE":
        following = following or (yield from hs.expect(tls12.ServerKeyExchange))
        assert isinstance(following, tls12.ServerKeyExchange)  # noqa: S101 - expect() gives nothing else
        exchange, following = following, None
        check_server_key(hs, agreed, peer, exchange)

    request: tls12.CertificateRequest | None = None
    following = following or (yield from hs.expect(tls12.CertificateRequest, tls12.ServerHelloDone))
    if isinstance(following, tls12.CertificateRequest):
        request = following
        yield from hs.expect(tls12.ServerHelloDone)

    identity, refusal, scheme = None, None, None
    if request is not None:
        identity, refusal, scheme = yield from choose_identity(hs, config, request)
        hs.send(tls12.Certificate(() if identity is None else identity.chain))
    premaster = send_client_key(hs, config, offer, agreed, peer, exchange)
    master = derive_master(hs, agreed.suite, premaster, agreed.server_random, extended=agreed.extended)
    if identity is not None and scheme is not None:
        hs.send((yield from authenticate.prove_12(hs, identity, scheme)))

    keys = master.keys()
    write_12(hs, agreed.suite, keys)
    first_finished = master.finished("client", hs.hash_so_far)
    hs.send(Finished(first_finished))

    ticket = yield from expect_ticket(hs, agreed)
    yield from hear_finished(hs, agreed.suite, master, keys)
    facts = ConnectionFacts(
        version=TLS1_2,
        cipher_suite=agreed.suite.name,
        group=None if exchange is None else exchange.group,
        server_name=hs.server_name,
        alpn=agreed.alpn,
        peer=peer.verified,
        peer_chain=peer.chain,
        peer_signature_scheme=None if exchange is None else exchange.algorithm,
        identity=identity,
        identity_refusal=refusal,
        client_certificate_requested=request is not None,
        signed_certificate_timestamps=agreed.timestamps,
        ocsp_response=peer.staple,
    )
    keep_session(hs, config, facts, master, agreed, ticket)
    return Established(facts, master, binds=agreed.extended, tls_unique=first_finished)


# The server's first flight


def read_server_hello(hs: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello) -> Agreed:
    """Check the ServerHello against the offer (RFC 5246 section 7.4.1.3)."""
    answers = hello.extensions
    check_answers("ServerHello", answers, offer.hello.extensions, x.SERVER_HELLO_12_FORMS)
    if hello.compression_method != 0:
        raise PeerViolation(violations.BAD_COMPRESSION_METHOD, received=hello.compression_method)
    suite = SUITES.get(hello.cipher_suite)
    if suite is None or suite.is_tls13 or suite.name not in offer.hello.cipher_suites:
        raise PeerViolation(violations.UNOFFERED_CIPHER_SUITE, received=hello.cipher_suite)
    renegotiation = answers.get(x.RENEGOTIATION_INFO)
    if renegotiation is None and config.require_secure_renegotiation:
        raise PeerViolation(violations.NO_SECURE_RENEGOTIATION)
    if renegotiation:
        raise PeerViolation(violations.BAD_RENEGOTIATION_INFO)
    extended = answers.get(x.EXTENDED_MASTER_SECRET) is not None
    if not extended and config.require_extended_master_secret:
        raise PeerViolation(violations.NO_EXTENDED_MASTER_SECRET)
    if b"\0" not in (formats := answers.get(x.EC_POINT_FORMATS) or b"\0"):
        raise PeerViolation(violations.NO_UNCOMPRESSED_POINTS, formats=formats)
    heed_peer(hs, answers)
    assert hs.transcript is not None  # noqa: S101 - it is closed only after the handshake
    # The client's CertificateVerify signs all messages, with a hash that is not known yet (section 7.4.8).
    hs.transcript.select(suite.hash, keep=True)
    if hs.sink is not None:
        hs.note("version", TLS1_2, "the server chose it", (TLS1_2,), config.versions, "RFC 5246 appendix E.1")
        hs.note("cipher_suite", suite.name, "the server chose it", (suite.name,), config.cipher_suites)
    return Agreed(
        suite,
        hello.random,
        extended,
        read_alpn(hs, config, offer, answers.get(x.ALPN_CHOICE)),
        answers.get(x.SESSION_TICKET_PROMISED) is not None,
        answers.get(x.STATUS_PROMISED) is not None,
        hello.session_id,
        answers.get(x.SIGNED_CERTIFICATE_TIMESTAMPS) or (),
    )


def expect_status(
    hs: Handshake, agreed: Agreed
) -> Flow[tuple[bytes | None, tls12.ServerKeyExchange | tls12.CertificateRequest | tls12.ServerHelloDone | None]]:
    """The OCSP response where one was promised and comes; else the message that came in its place (RFC 6066 section 8)."""
    if not agreed.status_promised:
        return None, None
    message: tls12.CertificateStatus | tls12.ServerKeyExchange | tls12.CertificateRequest | tls12.ServerHelloDone
    if agreed.suite.key_exchange == "ECDHE":
        message = yield from hs.expect(tls12.CertificateStatus, tls12.ServerKeyExchange)
    else:
        message = yield from hs.expect(tls12.CertificateStatus, tls12.CertificateRequest, tls12.ServerHelloDone)
    if isinstance(message, tls12.CertificateStatus):
        return message.response, None
    return None, message


def judge_server(
    hs: Handshake, config: ClientConfig, agreed: Agreed, message: tls12.Certificate, staple: bytes | None
) -> Flow[Peer]:
    """Judge the server's chain, and whether its key fits the cipher suite (RFC 5246 section 7.4.2)."""
    if not message.chain:
        raise PeerViolation(violations.EMPTY_SERVER_CERTIFICATE)
    usage = needed_usage(agreed.suite)
    peer = yield from authenticate.judge(hs, config.verifier, message.chain, staple, key_usage=usage)
    if not authenticate.key_fits_suite(peer.key.kind, agreed.suite):
        raise PeerViolation(violations.CERTIFICATE_DOES_NOT_FIT_SUITE, suite=agreed.suite.name, key=str(peer.key))
    if peer.key.kind.startswith("ec:") and peer.key.kind[3:] not in [group.name for group in config.groups_12]:
        # RFC 8422 section 5.1: supported_groups says which curves this side can check signatures on, too.
        raise PeerViolation(violations.CERTIFICATE_ON_UNOFFERED_CURVE, key=str(peer.key))
    return peer


def needed_usage(suite: Suite) -> str:
    """The bit of keyUsage for what the server's key does under a suite (RFC 5246 section 7.4.2)."""
    return "digitalSignature" if suite.key_exchange == "ECDHE" else "keyEncipherment"


def check_server_key(hs: Handshake, agreed: Agreed, peer: Peer, message: tls12.ServerKeyExchange) -> None:
    """The server's ephemeral key must be of an offered group and signed by the certificate's key (RFC 8422 5.4)."""
    if message.group not in hs.config.groups_12:
        raise PeerViolation(violations.UNOFFERED_GROUP, received=message.group)
    authenticate.check_scheme(hs, peer.key, message.algorithm, tls13=False)
    content = hs.client_random + agreed.server_random + message.params
    authenticate.check_signature(
        hs, peer, message.algorithm, message.signature, content, "ServerKeyExchange", "both randoms and its key"
    )
    if hs.sink is not None:
        hs.note("group", message.group, "the server chose it", (message.group,), hs.config.groups_12)


# The client's flight


def choose_identity(
    hs: Handshake, config: ClientConfig, request: tls12.CertificateRequest
) -> Flow[tuple[Identity | None, str | None, SignatureScheme | None]]:
    """The certificate to show, the reason where there is none, and the scheme to prove its key with (7.4.6)."""
    types = request.certificate_types
    usable = tuple(one for one in config.signing_schemes_12 if one in request.signature_algorithms)
    fitting = tuple(
        scheme
        for scheme in usable
        if (ClientCertificateType.rsa_sign if scheme.name.startswith("rsa") else ClientCertificateType.ecdsa_sign)
        in types
    )
    identity, why = yield from authenticate.choose_client_identity(
        hs, config, request.signature_algorithms, request.certificate_authorities, fitting, tls13=False
    )
    if identity is None:
        return None, why, None
    scheme = negotiate.signature_scheme_12(request.signature_algorithms, identity, fitting)
    if hs.sink is not None:
        hs.note("signature_scheme", scheme.value, scheme.why, request.signature_algorithms, identity.schemes_12)
    return identity, None, scheme.value


def send_client_key(
    hs: Handshake,
    config: ClientConfig,
    offer: Offer,
    agreed: Agreed,
    peer: Peer,
    exchange: tls12.ServerKeyExchange | None,
) -> bytes:
    """Send ClientKeyExchange; gives the premaster secret (RFC 5246 section 7.4.7, RFC 8422 section 5.7)."""
    if exchange is None:
        # The version in it is the one that was offered, which shows a server that the hello was tampered with.
        premaster = offer.hello.legacy_version.to_bytes(2, "big") + config.randomness.bytes(46)
        try:
            encrypted = peer.key.encrypt_premaster_secret(premaster)
        except ValueError as problem:
            raise PeerViolation(violations.BAD_PUBLIC_KEY, problem=problem) from None
        hs.note(
            "key_exchange",
            "RSA key transport",
            "the cipher suite says so; there is no forward secrecy: who gets the server's key can read all of this later",
            rfc="RFC 5246 section 7.4.7.1",
        )
        hs.send(tls12.ClientKeyExchange.rsa(encrypted))
        return premaster
    pair = config.randomness.key_pair(GROUPS[exchange.group])
    try:
        premaster = pair.shared_secret(exchange.public_key)
    except InvalidPublicKey as problem:
        raise PeerViolation(violations.BAD_KEY_SHARE, group=exchange.group, problem=problem) from None
    hs.send(tls12.ClientKeyExchange.ecdhe(pair.public_key))
    return premaster


# The server's last flight


def expect_ticket(hs: Handshake, agreed: Agreed) -> Flow[tls12.NewSessionTicket | None]:
    """NewSessionTicket where it was promised (RFC 5077 section 3.3)."""
    if not agreed.ticket_promised:
        return None
    return (yield from hs.expect(tls12.NewSessionTicket))


def hear_finished(hs: Handshake, suite: Suite, master: MasterSecret12, keys: Keys) -> Flow[bytes]:
    """The server's ChangeCipherSpec and Finished; gives its verify_data."""
    yield from hs.expect(ChangeCipherSpec)
    read_12(hs, suite, keys)
    finished = yield from hs.expect(Finished)
    return check_finished_12(hs, master, "server", finished)


# Resumption


def resumed_session(offer: Offer, hello: ServerHello, agreed: Agreed) -> Session | None:
    """The session that the server agrees to resume, by echoing the session ID that came with the ticket, or named it.

    Raises ``PeerViolation`` for an echo where nothing could be resumed, and for a resumption that changes the session
    (RFC 5246 section 7.4.1.3, RFC 5077 section 3.4, RFC 7627 section 5.3).
    """
    if not hello.session_id or hello.session_id != offer.hello.session_id:
        return None
    session = offer.session
    if session is None or session.version != TLS1_2:
        raise PeerViolation(violations.BAD_SESSION_ID_ECHO)
    if session.cipher_suite != agreed.suite.name:
        raise PeerViolation(violations.RESUMED_WITH_OTHER_PARAMETERS, field="cipher suite")
    if agreed.extended is not session.extended_master_secret:
        raise PeerViolation(violations.CHANGED_EXTENDED_MASTER_SECRET)
    return session


def resume(hs: Handshake, config: ClientConfig, session: Session, agreed: Agreed) -> Flow[Established]:
    """The abbreviated handshake of RFC 5246 figure 2."""
    hs.note("resumption", "resumed", "the server knows the session", rfc="RFC 5246 section 7.3")
    usage = needed_usage(agreed.suite)
    peer = yield from authenticate.judge(hs, config.verifier, session.peer_chain, key_usage=usage, session=session)
    master = MasterSecret12(agreed.suite, session.secret, hs.client_random, agreed.server_random)
    hs.reveal("CLIENT_RANDOM", master.secret, "the session")
    keys = master.keys()
    ticket = yield from expect_ticket(hs, agreed)
    first_finished = yield from hear_finished(hs, agreed.suite, master, keys)
    write_12(hs, agreed.suite, keys)
    hs.send(Finished(master.finished("client", hs.hash_so_far)))
    facts = ConnectionFacts(
        version=TLS1_2,
        cipher_suite=agreed.suite.name,
        group=session.group,
        server_name=hs.server_name,
        alpn=agreed.alpn,
        peer=peer.verified,
        peer_chain=peer.chain,
        peer_signature_scheme=session.peer_signature_scheme,
        identity=next((one for one in config.identities if one.fingerprint == session.identity), None),
        resumed=True,
    )
    keep_session(hs, config, facts, master, agreed, ticket, created_at=session.created_at)
    return Established(facts, master, binds=agreed.extended, tls_unique=first_finished)


def keep_session(
    hs: Handshake,
    config: ClientConfig,
    facts: ConnectionFacts,
    master: MasterSecret12,
    agreed: Agreed,
    ticket: tls12.NewSessionTicket | None,
    created_at: float | None = None,
) -> None:
    """Put the session into the cache, under its new ticket or its ID.

    One without the extended master secret should not be resumed (RFC 7627 section 5.4); where the setting does without
    that, it is.
    """
    named = ticket.ticket if ticket is not None else b""
    if config.sessions is None or hs.server_name is None:
        return
    if not named and not (agreed.session_id and not facts.resumed):
        return
    now = config.clock().timestamp()
    lifetime = ticket.ticket_lifetime_hint if ticket is not None and ticket.ticket_lifetime_hint else 3600
    session = Session(
        version=TLS1_2,
        cipher_suite=agreed.suite.name,
        secret=master.secret,
        created_at=now if created_at is None else created_at,
        issued_at=now,
        lifetime=lifetime,
        server_name=hs.server_name,
        alpn=facts.alpn,
        peer_chain=facts.peer_chain,
        peer_signature_scheme=facts.peer_signature_scheme,
        group=facts.group,
        identity=facts.identity.fingerprint if facts.identity is not None else "",
        extended_master_secret=agreed.extended,
        ticket=named,
        session_id=b"" if named else agreed.session_id,
    )
    config.sessions.put(hs.server_name, session)
