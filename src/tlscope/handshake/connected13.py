"""What may still be said after a TLS 1.3 handshake (RFC 8446 section 4.6): tickets, new keys, a late certificate.

These are flows like the handshake's, without an end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from .. import violations
from ..errors import PeerViolation
from ..events import KeysUpdated
from ..wire.codepoints import KeyUpdateRequest
from ..wire.handshake import Certificate, CertificateRequest, CompressedCertificate, KeyUpdate, NewSessionTicket
from .established import Established
from .flow import Flow
from .post_handshake_auth import answer_request, hear_answer
from .tickets13 import hear_ticket, send_tickets

if TYPE_CHECKING:
    from ..config import ClientConfig, ServerConfig
    from .driver import Handshake


def client_connected_13(hs: Handshake, config: ClientConfig, established: Established) -> Flow[NoReturn]:
    """A client hears tickets, key updates and, where it said so, requests for its certificate."""
    while True:
        message: NewSessionTicket | KeyUpdate | CertificateRequest
        if config.post_handshake_auth:
            message = yield from hs.expect(NewSessionTicket, KeyUpdate, CertificateRequest)
        else:
            message = yield from hs.expect(NewSessionTicket, KeyUpdate)
        if isinstance(message, KeyUpdate):
            follow_key_update(hs, message)
        elif isinstance(message, NewSessionTicket):
            hear_ticket(hs, config, established, message)
        else:
            yield from answer_request(hs, config, message)


def server_connected_13(hs: Handshake, config: ServerConfig, established: Established) -> Flow[NoReturn]:
    """A server hands out tickets, and hears key updates and the answers to its requests for a certificate."""
    send_tickets(hs, config, established)
    while True:
        message: KeyUpdate | Certificate | CompressedCertificate
        if hs.post_handshake is None:
            message = yield from hs.expect(KeyUpdate)
        elif config.certificate_compression:
            message = yield from hs.expect(KeyUpdate, Certificate, CompressedCertificate)
        else:
            message = yield from hs.expect(KeyUpdate, Certificate)
        if isinstance(message, KeyUpdate):
            follow_key_update(hs, message)
        else:
            yield from hear_answer(hs, config, message)


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
    secret = hs.write_secret.updated()
    hs.write_generation += 1
    label = "CLIENT" if hs.role == "client" else "SERVER"
    # Before the message: where the key log fails, the alert must still go out under keys that the peer has.
    hs.reveal(f"{label}_TRAFFIC_SECRET_{hs.write_generation}", secret.secret, "the secret before it")
    hs.send(KeyUpdate(asked), beside=True)
    hs.write_with_secret(secret, f"application+{hs.write_generation}")
    hs.key_update_queued = True
