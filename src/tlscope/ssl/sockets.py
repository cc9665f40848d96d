"""``SSLSocket`` and ``SSLObject``: the standard library's own, over a ``Channel``, with a window to look in."""

from __future__ import annotations

import ssl as std
from typing import TYPE_CHECKING, Any, cast

from .channel import Channel

if TYPE_CHECKING:
    from ..connection import ClientConnection, ServerConnection
    from ..errors import TLSError

__all__ = ["SSLObject", "SSLSocket"]


class _Window:
    """What the standard library's classes lack."""

    _sslobj: Any

    @property
    def connection(self) -> ClientConnection | ServerConnection | None:
        """tlscope's own connection; None once it was given up."""
        return cast(Channel, self._sslobj).connection if self._sslobj is not None else None

    @property
    def handshake(self) -> Any:
        """The connection's trace, where the context has one made (``SSLContext.trace_with``)."""
        connection = self.connection
        return None if connection is None else connection.trace

    def client_refusal(self) -> TLSError | None:
        """On a server, why the client is refused, None where it is not.

        With ``refuse_clients_by`` set, data flows only after this was asked, and whoever asks has to heed the answer.
        Raises ``ValueError`` before the handshake is done.
        """
        if self._sslobj is None:
            raise ValueError("the connection is closed")
        refusal: TLSError | None = cast(Channel, self._sslobj).client_refusal()
        return refusal

    def get_verified_chain(self) -> list[bytes]:
        """The chain that was believed, DER, from the peer's certificate to the trust anchor."""
        return [] if self._sslobj is None else cast(Channel, self._sslobj).get_verified_chain()

    def get_unverified_chain(self) -> list[bytes]:
        """The chain as the peer sent it, DER."""
        return [] if self._sslobj is None else cast(Channel, self._sslobj).get_unverified_chain()


class SSLSocket(_Window, std.SSLSocket):
    """In place of ``ssl.SSLSocket``."""


class SSLObject(_Window, std.SSLObject):
    """In place of ``ssl.SSLObject``."""
