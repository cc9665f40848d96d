"""What an application needs to know of a connection, returned by ``receive_data`` in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import TLSError
    from .trust.identity import Identity
    from .trust.verify import VerifiedPeer
    from .wire.codepoints import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme

__all__ = [
    "ConnectionFacts",
    "DataReceived",
    "DecisionNeeded",
    "EarlyDataReceived",
    "EarlyDataRejected",
    "Event",
    "HandshakeCompleted",
    "KeysUpdated",
    "PeerAuthenticated",
    "PeerClosed",
    "TicketReceived",
]


@dataclass(slots=True, kw_only=True)
class ConnectionFacts:
    """What a handshake agreed; to be read, not to be changed.

    ``peer`` is the verdict on the peer's certificate, None where it sent none or was not verified; ``peer_chain`` is the
    chain as it was sent (DER, leaf first). ``group`` is None where no (EC)DHE took place. ``client_certificate_requested``
    tells whether the server asked, ``identity`` what this side showed, ``identity_refusal`` why a client showed nothing.
    """

    version: ProtocolVersion
    cipher_suite: CipherSuite
    group: NamedGroup | None = None
    server_name: str | None = None
    alpn: str | None = None
    peer: VerifiedPeer | None = None
    peer_chain: tuple[bytes, ...] = field(default=(), repr=False)
    peer_signature_scheme: SignatureScheme | None = None
    identity: Identity | None = None
    identity_refusal: str | None = None
    client_certificate_requested: bool = False
    refusal: TLSError | None = None
    """On a server with ``report_refused_clients``, why the client is refused: its certificate, or that it has none. ``peer``
    is None then, and ``peer_chain`` is no proof of anything."""
    hello_retry_request: bool = False
    resumed: bool = False
    signed_certificate_timestamps: tuple[bytes, ...] = field(default=(), repr=False)
    """The SCTs that the server handed out for its certificate, as they came (RFC 6962)."""
    ocsp_response: bytes | None = field(default=None, repr=False)
    """The OCSP response that the server stapled (DER, RFC 6066 section 8); where it was verified, it was judged."""
    shared_cipher_suites: tuple[CipherSuite, ...] = field(default=(), repr=False)
    """On a server, the suites that both sides had, in its own order."""
    external_psk: bytes | None = None
    """The identity of the external PSK that took the place of certificates, in this handshake or when the session began."""
    early_data: str = ""
    """What became of early data: ``accepted``, ``rejected``, or empty where there was none."""

    def as_dict(self) -> dict[str, str]:
        """The facts by name, as text."""
        facts = {
            "version": str(self.version),
            "cipher_suite": self.cipher_suite.name,
            "group": self.group.name if self.group is not None else "",
            "server_name": self.server_name or "",
            "alpn": self.alpn or "",
            "peer": str(self.peer.names) if self.peer is not None else "",
            "peer_signature_scheme": self.peer_signature_scheme.name if self.peer_signature_scheme else "",
            "identity": self.identity.label if self.identity is not None else "",
            "identity_refusal": self.identity_refusal or "",
            "client_certificate_requested": "yes" if self.client_certificate_requested else "",
            "refusal": self.refusal.code if self.refusal is not None else "",
            "hello_retry_request": "yes" if self.hello_retry_request else "",
            "resumed": "yes" if self.resumed else "",
            "external_psk": self.external_psk.decode("utf-8", "backslashreplace") if self.external_psk else "",
            "early_data": self.early_data,
        }
        return {name: value for name, value in facts.items() if value}


class Event:
    """What all events share: nothing but their type."""

    __slots__ = ()


@dataclass(slots=True)
class HandshakeCompleted(Event):
    """Both sides have the same keys, and whoever had to prove who it is has."""

    facts: ConnectionFacts


@dataclass(slots=True)
class DataReceived(Event):
    """Application data, decrypted and authenticated; never empty."""

    data: bytes = field(repr=False)


@dataclass(slots=True)
class EarlyDataReceived(Event):
    """Early data, on a server that asked for it: it may be a replay, and has no forward secrecy (RFC 8446 section 8)."""

    data: bytes = field(repr=False)


@dataclass(slots=True)
class EarlyDataRejected(Event):
    """The server did not take the early data: ``data`` is all of it, to be sent again if that is wise."""

    data: bytes = field(repr=False)


@dataclass(slots=True)
class PeerAuthenticated(Event):
    """The client has answered a request for its certificate after the handshake; ``peer`` is None for an empty answer."""

    peer: VerifiedPeer | None


@dataclass(slots=True)
class PeerClosed(Event):
    """The peer's close_notify: it will send nothing more. What this side sends still reaches it (RFC 8446 section 6.1)."""


@dataclass(slots=True)
class TicketReceived(Event):
    """The server offers to resume this session later."""

    ticket: Any = field(repr=False)


@dataclass(slots=True)
class KeysUpdated(Event):
    """The peer changed its sending keys (RFC 8446 section 4.6.3)."""

    requested: bool
    """Whether it asked this side to do the same, which has been done."""


@dataclass(slots=True)
class DecisionNeeded(Event):
    """The handshake waits for ``connection.answer(value)``; ``decision`` says of what kind and has a ``resolve()``."""

    decision: Any
