"""What may still be said after a TLS 1.3 handshake (RFC 8446 section 4.6): tickets and new keys.

These are flows like the handshake's, without an end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from .. import violations
from ..errors import PeerViolation
from ..events import KeysUpdated, TicketReceived
from ..wire.codepoints import KeyUpdateRequest
from ..wire.handshake import KeyUpdate, NewSessionTicket
from .flow import Flow

if TYPE_CHECKING:
    from .driver import Handshake

_WEEK = 7 * 24 * 3600


def client_connected_13(hs: Handshake) -> Flow[NoReturn]:
    """A client hears tickets and key updates."""
    while True:
        message = yield from hs.expect(NewSessionTicket, KeyUpdate)
        if isinstance(message, KeyUpdate):
            follow_key_update(hs, message)
        else:
            hear_ticket(hs, message)


def server_connected_13(hs: Handshake) -> Flow[NoReturn]:
    """A server hears key updates."""
    while True:
        follow_key_update(hs, (yield from hs.expect(KeyUpdate)))


def hear_ticket(hs: Handshake, message: NewSessionTicket) -> None:
    """Check a ticket and hand it to the application (section 4.6.1)."""
    hs.tickets_received += 1
    limit = hs.config.limits.max_tickets
    if hs.tickets_received > limit:
        raise PeerViolation(violations.TOO_MANY_TICKETS, limit=limit, setting="Limits.max_tickets")
    if message.ticket_lifetime > _WEEK:
        raise PeerViolation(
            violations.BAD_TICKET, problem=f"its lifetime of {message.ticket_lifetime} s is over seven days"
        )
    hs.events.append(TicketReceived(message))


def follow_key_update(hs: Handshake, message: KeyUpdate) -> None:
    """The peer's next records are under its next keys; where it asks, so are ours (section 4.6.3)."""
    hs.key_updates_received += 1
    limit = hs.config.limits.max_key_updates
    if hs.key_updates_received > limit:
        raise PeerViolation(violations.TOO_MANY_KEY_UPDATES, limit=limit, setting="Limits.max_key_updates")
    assert hs.read_secret is not None  # noqa: S101 - the handshake left it
    secret = hs.read_secret.updated()
    hs.read_generation += 1
    label = "CLIENT" if hs.role == "server" else "SERVER"
    hs.reveal(f"{label}_TRAFFIC_SECRET_{hs.read_generation}", secret.secret, "the secret before it")
    hs.read_with_secret(secret, f"application+{hs.read_generation}")
    requested = message.request_update == KeyUpdateRequest.update_requested
    # One answer serves every request that came before it went out.
    if requested and not hs.key_update_queued and hs.may_write:
        update_keys(hs)
    hs.events.append(KeysUpdated(requested))


def update_keys(hs: Handshake, *, request: bool = False) -> None:
    """Send KeyUpdate and change the sending keys (section 4.6.3)."""
    assert hs.write_secret is not None  # noqa: S101 - the handshake left it
    asked = KeyUpdateRequest.update_requested if request else KeyUpdateRequest.update_not_requested
    hs.send(KeyUpdate(asked))
    secret = hs.write_secret.updated()
    hs.write_generation += 1
    label = "CLIENT" if hs.role == "client" else "SERVER"
    hs.reveal(f"{label}_TRAFFIC_SECRET_{hs.write_generation}", secret.secret, "the secret before it")
    hs.write_with_secret(secret, f"application+{hs.write_generation}")
    hs.key_update_queued = True
