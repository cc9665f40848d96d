"""What may still be said after a TLS 1.2 handshake: a wish to renegotiate, which is refused (RFC 5246 section 7.2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from .. import violations
from ..errors import PeerViolation
from ..wire.codepoints import AlertDescription
from ..wire.handshake import ClientHello
from ..wire.handshake12 import HelloRequest
from .flow import Flow

if TYPE_CHECKING:
    from .driver import Handshake


def client_connected_12(hs: Handshake) -> Flow[NoReturn]:
    """A client hears HelloRequest."""
    while True:
        yield from hs.expect(HelloRequest)
        refuse_renegotiation(hs)


def server_connected_12(hs: Handshake) -> Flow[NoReturn]:
    """A server hears another ClientHello."""
    while True:
        yield from hs.expect(ClientHello)
        refuse_renegotiation(hs)


def refuse_renegotiation(hs: Handshake) -> None:
    """Answer with the warning no_renegotiation, so often and no oftener."""
    hs.renegotiations_refused += 1
    limit = hs.config.limits.max_warning_alerts
    if hs.renegotiations_refused > limit:
        raise PeerViolation(violations.TOO_MANY_RENEGOTIATIONS, limit=limit, setting="Limits.max_warning_alerts")
    hs.note("renegotiation", "refused", "tlscope never renegotiates", rfc="RFC 5246 section 7.2.2")
    if hs.may_write:
        hs.warn(AlertDescription.no_renegotiation)
