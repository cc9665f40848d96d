"""Sessions of TLS 1.2 on the server: found by ticket or session ID, judged, and handed out again (RFC 5077)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from .. import violations
from ..config import ClientAuth
from ..errors import CertificateRejected, PeerViolation
from ..keys.prf12 import MasterSecret12
from ..sessions import MAX_LIFETIME, Session, TicketRejected
from ..wire import extensions as x
from ..wire import handshake12 as tls12
from ..wire.codec import DecodeError
from ..wire.codepoints import ProtocolVersion
from ..wire.handshake import ClientHello
from . import authenticate
from .flow import Flow

if TYPE_CHECKING:
    from ..config import ServerConfig
    from ..events import ConnectionFacts
    from ..trust.identity import Identity
    from ..trust.verify import VerifiedPeer
    from .driver import Handshake

TLS1_2 = ProtocolVersion.TLS1_2
_RFC = "RFC 5246 section 7.3"


class Resumable(NamedTuple):
    """A session that may be resumed: with which of our certificates it was made, and who the client is."""

    session: Session
    identity: Identity
    peer: VerifiedPeer | None
    renew: bool


def find_session(hs: Handshake, config: ServerConfig, hello: ClientHello, *, extended: bool) -> Flow[Resumable | None]:
    """The session that the client asks to resume; None for a full handshake, with the reason in the trace.

    A ticket that can't be used is no error. Only a hello that takes the extended master secret back is (RFC 7627
    section 5.3).
    """
    now = config.clock().timestamp()
    ticket = hello.extensions.get(x.SESSION_TICKET)
    try:
        if ticket and config.tickets is not None:
            sealed = config.tickets.open(ticket, now)
        elif hello.session_id and config.session_store is not None:
            stored = config.session_store.get(hello.session_id, now)
            if stored is None and x.SUPPORTED_VERSIONS.type in hello.extensions:
                return None  # a client of TLS 1.3 makes up a session ID that means nothing (RFC 8446 appendix D.4)
            if stored is None:
                raise TicketRejected("its session ID is not, or no longer, known here")
            sealed = stored
            # RFC 5246 section 7.2.2: a session whose resumption fails is over.
            hs.forget_session = partial(config.session_store.take, hello.session_id, now)
        else:
            return None
        session = decode_session(sealed)
        if session.version is TLS1_2 and session.extended_master_secret and not extended:
            raise PeerViolation(violations.CHANGED_EXTENDED_MASTER_SECRET)
        if extended and not session.extended_master_secret:
            raise TicketRejected("it was made without the extended master secret, which the client offers now")
        identity = _check(hs, config, hello, session, now)
        peer = yield from judge_again(hs, config, session)
    except TicketRejected as reason:
        hs.note("resumption", "declined", f"the session can't be resumed: {reason}", rfc=_RFC)
        return None
    hs.note("resumption", "resumed", "the session is known and fits", rfc=_RFC)
    return Resumable(session, identity, peer, bool(config.tickets is not None and ticket is not None))


def decode_session(data: bytes) -> Session:
    """The session in a ticket. Raises ``TicketRejected``."""
    try:
        return Session.decode(data)
    except (DecodeError, UnicodeError, ValueError):
        raise TicketRejected("it holds no session of this version of tlscope") from None


def _check(hs: Handshake, config: ServerConfig, hello: ClientHello, session: Session, now: float) -> Identity:
    """What must still hold for a session. Raises ``TicketRejected``."""
    if session.version is not TLS1_2:
        raise TicketRejected(f"it is of {session.version}")
    if not session.is_fresh(now):
        raise TicketRejected("it has expired")
    if session.cipher_suite not in hello.cipher_suites or session.cipher_suite not in config.suites_12:
        raise TicketRejected(f"its cipher suite {session.cipher_suite} is not offered, or not allowed any more")
    if session.server_name != hs.server_name:
        raise TicketRejected(f"it was made for {session.server_name or 'no name'}")
    identity = next((one for one in config.identities if one.fingerprint == session.identity), None)
    if identity is None:
        raise TicketRejected("it was made with a certificate that is not shown any more")
    return identity


def judge_again(hs: Handshake, config: ServerConfig, session: Session) -> Flow[VerifiedPeer | None]:
    """The client of a session, its certificate judged anew. Raises ``TicketRejected``."""
    if not session.peer_chain:
        if config.client_auth is ClientAuth.REQUIRED:
            raise TicketRejected("the client had shown no certificate, which is required now")
        return None
    if not session.peer_raw_key and config.believes_raw_keys_alone:
        raise TicketRejected("the client had shown a certificate, and raw keys alone are believed here")
    try:
        peer = yield from authenticate.judge(hs, config.verifier, session.peer_chain, session=session)
    except CertificateRejected as rejection:
        raise TicketRejected(f"the client's certificate is not good any more: {rejection.reason.sentence()}") from None
    return peer.verified


def _session(
    config: ServerConfig,
    facts: ConnectionFacts,
    master: MasterSecret12,
    lifetime: int,
    created_at: float | None,
    *,
    extended: bool,
) -> Session:
    now = config.clock().timestamp()
    created = now if created_at is None else created_at
    return Session(
        version=TLS1_2,
        cipher_suite=facts.cipher_suite,
        secret=master.secret,
        created_at=created,
        issued_at=now,
        # However often it is renewed, a session ends a week after the full handshake (RFC 8446 section 4.6.1).
        lifetime=max(0, min(lifetime, int(created + MAX_LIFETIME - now))),
        server_name=facts.server_name,
        alpn=facts.alpn,
        peer_chain=facts.peer_chain,
        peer_signature_scheme=facts.peer_signature_scheme,
        group=facts.group,
        identity=facts.identity.fingerprint if facts.identity is not None else "",
        extended_master_secret=extended,
    )


def new_ticket(
    config: ServerConfig,
    facts: ConnectionFacts,
    master: MasterSecret12,
    created_at: float | None = None,
    *,
    extended: bool = True,
) -> tls12.NewSessionTicket:
    """A ticket with the session sealed in it; an empty one where it would not fit (RFC 5077 section 3.3), and for a client
    that is refused, which has nothing to come back to.
    """
    assert config.tickets is not None  # noqa: S101 - none is promised otherwise
    session = _session(config, facts, master, config.tickets.lifetime, created_at, extended=extended)
    ticket = config.tickets.seal(session.encode(), session.issued_at)
    if len(ticket) > 0xFFFF or not session.lifetime or facts.refusal is not None:
        return tls12.NewSessionTicket(0, b"")
    return tls12.NewSessionTicket(session.lifetime, ticket)


def new_session_id(
    config: ServerConfig, facts: ConnectionFacts, master: MasterSecret12, name: bytes, *, extended: bool = True
) -> None:
    """Keep the session under the session ID that the ServerHello named."""
    assert config.session_store is not None  # noqa: S101 - none is named otherwise
    session = _session(config, facts, master, 3600, None, extended=extended)
    config.session_store.put(name, session.encode(), session.expires_at())
