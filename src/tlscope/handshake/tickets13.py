"""Tickets of TLS 1.3: a server hands them out, a client keeps them (RFC 8446 section 4.6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import violations
from ..crypto.cipher_suites import SUITES
from ..errors import PeerViolation
from ..events import TicketReceived
from ..keys.schedule13 import resumption_psk
from ..sessions import MAX_LIFETIME, Session
from ..wire import extensions as x
from ..wire.codepoints import ProtocolVersion
from ..wire.handshake import NewSessionTicket
from .established import Established
from .grease import server_extensions
from .hello import check_place

if TYPE_CHECKING:
    from ..config import ClientConfig, ServerConfig, _Config
    from .driver import Handshake

TLS1_3 = ProtocolVersion.TLS1_3


def _session(
    config: _Config,
    established: Established,
    nonce: bytes,
    lifetime: int,
    *,
    age_add: int,
    max_early_data: int,
    ticket: bytes = b"",
) -> Session:
    facts, secret = established.facts, established.resumption_master_secret
    assert secret is not None  # noqa: S101 - it was derived for whoever deals in tickets
    now = config.clock().timestamp()
    bound_to = established.external_psk if established.external_psk is not None else facts.identity
    hash = SUITES[facts.cipher_suite].hash
    created = established.session_created_at if established.session_created_at is not None else now
    return Session(
        version=TLS1_3,
        cipher_suite=facts.cipher_suite,
        secret=resumption_psk(hash, secret, nonce),
        created_at=created,
        issued_at=now,
        # However often it is renewed, a session ends a week after the full handshake (section 4.6.1).
        lifetime=max(0, min(lifetime, int(created + MAX_LIFETIME - now))),
        server_name=facts.server_name,
        alpn=facts.alpn,
        peer_chain=facts.peer_chain,
        peer_signature_scheme=facts.peer_signature_scheme,
        group=facts.group,
        identity="" if bound_to is None else bound_to.fingerprint,
        age_add=age_add,
        max_early_data=max_early_data,
        peer_raw_key=established.peer_raw_key,
        ticket=ticket,
    )


def send_tickets(hs: Handshake, config: ServerConfig, established: Established) -> None:
    """After a handshake: two tickets for a new session, one for a resumed one that used one up."""
    if config.tickets is None or not established.tickets_wanted or not hs.may_write:
        return
    wanted = config.tickets_per_handshake
    for number in range(min(wanted, 1) if established.facts.resumed else wanted):
        send_ticket(hs, config, established, number)


def send_ticket(hs: Handshake, config: ServerConfig, established: Established, number: int) -> None:
    """One ticket, with a PSK of its own by its nonce."""
    assert config.tickets is not None  # noqa: S101 - checked by the callers
    nonce = number.to_bytes(2, "big")
    session = _session(
        config,
        established,
        nonce,
        config.tickets.lifetime,
        age_add=int.from_bytes(config.randomness.bytes(4), "big"),
        max_early_data=config.max_early_data,
    )
    ticket = config.tickets.seal(session.encode(), session.issued_at)
    if len(ticket) > 0xFFFF or not session.lifetime:
        return  # a client's chain of such a size, or a session at its end, is not resumed
    items = [x.MAX_EARLY_DATA_SIZE(config.max_early_data)] if config.max_early_data else []
    extensions = server_extensions(config, *items)
    hs.send(NewSessionTicket(session.lifetime, session.age_add, nonce, ticket, extensions), beside=True)


def hear_ticket(hs: Handshake, config: ClientConfig, established: Established, message: NewSessionTicket) -> None:
    """Check a ticket, keep it, and tell the application."""
    hs.tickets_received += 1
    limit = config.limits.max_tickets
    if hs.tickets_received > limit:
        raise PeerViolation(violations.TOO_MANY_TICKETS, limit=limit, setting="Limits.max_tickets")
    if message.ticket_lifetime > MAX_LIFETIME:
        raise PeerViolation(
            violations.BAD_TICKET, problem=f"its lifetime of {message.ticket_lifetime} s is over seven days"
        )
    check_place("NewSessionTicket", message.extensions, x.NEW_SESSION_TICKET_FORMS)
    if message.ticket_lifetime == 0 or config.sessions is None or hs.server_name is None:
        return  # section 4.6.1: a lifetime of zero says to discard it at once
    session = _session(
        config,
        established,
        message.ticket_nonce,
        message.ticket_lifetime,
        age_add=message.ticket_age_add,
        max_early_data=message.extensions.get(x.MAX_EARLY_DATA_SIZE) or 0,
        ticket=message.ticket,
    )
    config.sessions.put(hs.server_name, session)
    hs.events.append(TicketReceived(session))
