"""What an ``SSLSocket`` or ``SSLObject`` can be asked about its connection, in the standard library's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..connection import ClientConnection, ServerConnection
from ..crypto.cipher_suites import SUITES
from ..errors import Misuse
from ..sessions import Session
from .certificates import Certificate, describe_certificate
from .ciphers import openssl_name
from .sessions import SSLSession

if TYPE_CHECKING:
    from ..events import ConnectionFacts
    from ..wire.codepoints import CipherSuite
    from .context import SSLContext

__all__ = ["CHANNEL_BINDINGS", "Facts"]

_VERSIONS = {0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}

CHANNEL_BINDINGS = ("tls-unique", "tls-exporter", "tls-server-end-point")
"""The kinds of channel binding (RFC 5929, RFC 9266); which of them there are depends on the version."""


class Facts:
    """What was agreed, and the session."""

    _context: SSLContext
    _connection: ClientConnection | ServerConnection | None
    server_side: bool
    offered: Session | None
    received: Session | None

    @property
    def facts(self) -> ConnectionFacts | None:
        """What the handshake agreed, None until it is complete."""
        return None if self._connection is None else self._connection.facts

    @property
    def context(self) -> SSLContext:
        """The context; a server's ``sni_callback`` may set another, whose certificates are shown then."""
        return self._context

    @context.setter
    def context(self, context: SSLContext) -> None:
        if not hasattr(context, "choose_identity"):
            raise TypeError("The value must be a SSLContext of tlscope.ssl")
        self._context = context

    # Sessions

    @property
    def session(self) -> SSLSession | None:
        """The newest session that the server has offered to resume, or the one that was resumed; None on a server."""
        known = self.received or (self.offered if self.session_reused else None)
        return None if known is None else SSLSession(known, self._context)

    @session.setter
    def session(self, session: SSLSession | Session) -> None:
        if isinstance(session, Session):
            session = SSLSession(session, self._context)
        if not isinstance(session, SSLSession):
            raise TypeError("Value is not a SSLSession.")
        if session.context is not self._context:
            raise ValueError("Session refers to a different SSLContext.")
        if self.server_side:
            raise ValueError("Cannot set session for server-side SSLSocket.")
        if self._connection is not None:
            raise ValueError("Cannot set session after handshake.")
        self.offered = session.session

    @property
    def session_reused(self) -> bool:
        """Whether this connection resumed a session."""
        return self.facts is not None and self.facts.resumed

    # The peer

    def getpeercert(self, binary_form: bool = False) -> Any:
        """The peer's certificate, DER or as ``ssl`` describes one; None without one, empty where it was not verified.

        Of a client that is refused (``refuse_clients_by``) there is no DER either; ``get_unverified_chain`` has what came.
        """
        if self.facts is None:
            raise ValueError("handshake not done yet")
        chain = self.facts.peer_chain
        if not chain or (binary_form and self.facts.refusal is not None):
            return None
        if binary_form:
            return chain[0]
        return describe_certificate(chain[0]) if self.facts.peer is not None else {}

    def verified_chain(self) -> list[bytes]:
        """The chain that was believed, DER, up to the trust anchor; as it was sent where none was judged."""
        if self.facts is None or self.facts.refusal is not None:
            return []
        return self.unverified_chain() if self.facts.peer is None else list(self.facts.peer.path)

    def unverified_chain(self) -> list[bytes]:
        """The chain as the peer sent it, DER, its own certificate first."""
        return [] if self.facts is None else list(self.facts.peer_chain)

    def get_verified_chain(self) -> list[Certificate]:
        """``verified_chain`` as objects, which is what those find who reach into ``_sslobj``."""
        return [Certificate(der) for der in self.verified_chain()]

    def get_unverified_chain(self) -> list[Certificate]:
        """``unverified_chain`` as objects."""
        return [Certificate(der) for der in self.unverified_chain()]

    # What was agreed

    def selected_alpn_protocol(self) -> str | None:
        """The application protocol (RFC 7301)."""
        return None if self.facts is None else self.facts.alpn

    def selected_npn_protocol(self) -> None:
        """NPN was given up for ALPN."""

    def version(self) -> str | None:
        """``TLSv1.2`` or ``TLSv1.3``."""
        return None if self.facts is None else _VERSIONS[int(self.facts.version)]

    def cipher(self) -> tuple[str, str, int] | None:
        """Name, protocol version and secret bits."""
        return None if self.facts is None else _described(self.facts.cipher_suite)

    def shared_ciphers(self) -> list[tuple[str, str, int]] | None:
        """On a server, what both sides could have spoken; None on a client."""
        if self.facts is None or not self.server_side:
            return None
        return [_described(suite) for suite in self.facts.shared_cipher_suites]

    def compression(self) -> None:
        """There is none: it leaks what it compresses."""

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """A channel binding, None before the handshake or where the version has none of this kind."""
        if cb_type not in CHANNEL_BINDINGS:
            raise ValueError(f"{cb_type} channel binding type not implemented")
        if self.facts is None or self._connection is None:
            return None
        try:
            return self._connection.channel_binding(cb_type)
        except Misuse:
            return None


def _described(name: CipherSuite) -> tuple[str, str, int]:
    suite = SUITES[name]
    return openssl_name(name), "TLSv1.3" if suite.is_tls13 else "TLSv1.2", suite.aead.key_length * 8
