"""``SSLSocket`` and ``SSLObject``: the standard library's own, over a ``Channel``, with a window to look in."""

from __future__ import annotations

import ssl as std
from typing import TYPE_CHECKING, Any, cast

from .channel import Channel

if TYPE_CHECKING:
    from ..connection import ClientConnection, ServerConnection
    from ..errors import TLSError
    from ..events import ConnectionFacts

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
        return None if self.connection is None else cast(Channel, self._sslobj).trace

    @property
    def _facts(self) -> ConnectionFacts | None:
        return None if self._sslobj is None else cast(Channel, self._sslobj).facts

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
        """The chain that was believed, DER, from the peer's certificate to the trust anchor.

        Where nothing was verified it is the chain as it was sent.
        """
        return [] if self._sslobj is None else cast(Channel, self._sslobj).verified_chain()

    def get_unverified_chain(self) -> list[bytes]:
        """The whole chain as the peer sent it, DER."""
        return [] if self._sslobj is None else cast(Channel, self._sslobj).unverified_chain()

    @property
    def ocsp_response(self) -> bytes | None:
        """The OCSP response that the server stapled, DER (RFC 6066 section 8); judged where the certificate was.

        None without one, on a server, and before the handshake.
        """
        return None if self._facts is None else self._facts.ocsp_response

    def group(self) -> str | None:
        """The key-exchange group's name, such as ``X25519MLKEM768``; None before the handshake or without (EC)DHE."""
        return None if self._facts is None or self._facts.group is None else self._facts.group.name


class SSLSocket(_Window, std.SSLSocket):
    """In place of ``ssl.SSLSocket``."""


class SSLObject(_Window, std.SSLObject):
    """In place of ``ssl.SSLObject``."""
