"""What a handshake leaves behind for the connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..events import ConnectionFacts
    from ..external_psk import ExternalPsk


class Exporter(Protocol):
    """Gives keying material (RFC 8446 section 7.5, RFC 5705)."""

    def export(self, label: bytes, context: bytes | None, length: int) -> bytes:
        """``length`` bytes for a label and a context."""


@dataclass(slots=True)
class Established:
    """The end of a flow that went well."""

    facts: ConnectionFacts
    exporter: Exporter = field(repr=False)
    resumption_master_secret: bytes | None = field(default=None, repr=False)
    """What the PSKs of tickets come from; None where this side neither hands out tickets nor keeps them."""
    peer_raw_key: bool = False
    """Whether what the peer showed, now or when the session began, is a raw public key (RFC 7250)."""
    tickets_wanted: bool = False
    """Whether the client can resume with a ticket and (EC)DHE (RFC 8446 section 4.2.9)."""
    session_created_at: float | None = None
    """When the session began that was resumed; None after a full handshake."""
    external_psk: ExternalPsk | None = field(default=None, repr=False)
    """The external PSK that stands for certificates, now or when the session began."""
    post_handshake_auth: bool = False
    """Whether the client may be asked for a certificate later (RFC 8446 section 4.6.2)."""
    binds: bool = True
    """Whether the keys belong to this handshake alone; without the extended master secret they may not (RFC 7627)."""
    tls_unique: bytes | None = field(default=None, repr=False)
    """The first Finished of a TLS 1.2 handshake (RFC 5929 section 3)."""
