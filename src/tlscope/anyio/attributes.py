"""What a stream tells of itself: anyio's attributes of TLS, and those of tlscope's connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from anyio import TypedAttributeSet, typed_attribute
from anyio.streams.tls import TLSAttribute

from ..connection import ServerConnection
from ..ssl.certificates import describe_certificate
from ..ssl.ciphers import describe_suite
from ..wire.codepoints import ProtocolVersion

if TYPE_CHECKING:
    from ..connection import ClientConnection
    from ..events import ConnectionFacts
    from ..trace import Sink
    from ..trust.verify import VerifiedPeer
    from ..wire.codepoints import CipherSuite

__all__ = ["ConnectionAttribute", "attributes_of"]


class ConnectionAttribute(TypedAttributeSet):
    """What tlscope knows of a connection, for ``stream.extra(...)``."""

    connection: ClientConnection | ServerConnection = typed_attribute()
    """The connection below, to look at; driving it is the stream's."""
    facts: ConnectionFacts = typed_attribute()
    """What the handshake agreed."""
    peer: VerifiedPeer | None = typed_attribute()
    """The verified peer; None where it showed no certificate, or none was judged."""
    trace: Sink | None = typed_attribute()
    """The sink of the connection's events, None where nobody looks."""
    early_data: bytes = typed_attribute()
    """What a resuming client sent before the handshake, which anybody can have sent again (RFC 8446 section 8)."""


def attributes_of(
    connection: ClientConnection | ServerConnection, *, standard_compatible: bool, early_data: Callable[[], bytes]
) -> Mapping[Any, Callable[[], Any]]:
    """anyio's attributes in the form in which it has them, and tlscope's, of a connection whose handshake is complete.

    There is no ``ssl_object``: no object of the standard library's does the work. ``channel_binding_tls_unique`` is there
    in TLS 1.2 alone, since TLS 1.3 has another (RFC 9266): ``connection.channel_binding("tls-exporter")``.
    """
    facts = connection.facts
    assert facts is not None  # noqa: S101 - a stream is handed out after the handshake
    server_side = isinstance(connection, ServerConnection)
    # Of a client that is refused (report_refused_clients), facts alone has what it showed.
    leaf = facts.peer_chain[0] if facts.peer_chain and facts.refusal is None else None

    def described(code: CipherSuite) -> tuple[str, str, int]:
        suite = describe_suite(code)
        return suite["name"], suite["protocol"], suite["strength_bits"]

    def version() -> str:
        return "TLSv1.3" if facts.version is ProtocolVersion.TLS1_3 else "TLSv1.2"

    attributes: dict[Any, Callable[[], Any]] = {
        TLSAttribute.alpn_protocol: lambda: facts.alpn,
        TLSAttribute.cipher: lambda: described(facts.cipher_suite),
        TLSAttribute.peer_certificate: lambda: _described(leaf, verified=facts.peer is not None),
        TLSAttribute.peer_certificate_binary: lambda: leaf,
        TLSAttribute.server_side: lambda: server_side,
        TLSAttribute.shared_ciphers: lambda: list(map(described, facts.shared_cipher_suites)) if server_side else None,
        TLSAttribute.standard_compatible: lambda: standard_compatible,
        TLSAttribute.tls_version: version,
        ConnectionAttribute.connection: lambda: connection,
        ConnectionAttribute.facts: lambda: connection.facts,
        ConnectionAttribute.peer: lambda: connection.peer,
        ConnectionAttribute.trace: lambda: connection.trace,
        ConnectionAttribute.early_data: early_data,
    }
    if facts.version is ProtocolVersion.TLS1_2:
        attributes[TLSAttribute.channel_binding_tls_unique] = lambda: connection.channel_binding("tls-unique")
    return attributes


def _described(leaf: bytes | None, *, verified: bool) -> dict[str, Any] | None:
    # As the standard library has it: of a certificate that nobody verified, nothing is said.
    if leaf is None:
        return None
    return describe_certificate(leaf) if verified else {}
