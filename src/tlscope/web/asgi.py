"""ASGI: the TLS extension in each scope, and the answer to a client that is refused."""

from __future__ import annotations

import ssl as std
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from cryptography import x509

from ..ssl.refusal import Refusal
from .answer import answer, told_why

if TYPE_CHECKING:
    from ..connection import ClientConnection, ServerConnection
    from ..errors import TLSError
    from ..ssl.sockets import SSLObject

__all__ = ["Application", "extended", "tls_extension"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def tls_extension(connection: ClientConnection | ServerConnection) -> dict[str, Any]:
    """The ASGI TLS extension of a server's connection whose handshake is complete.

    Certificates are PEM, the client's name is written as RFC 4514 says, and version and suite are the numbers of the wire.
    ``client_cert_chain`` is what the client sent; it was verified unless ``client_cert_error`` says why not. A client that
    is refused because it has no certificate has a ``client_cert_error`` too: whoever looks at that alone must not take it
    for a verified one.
    """
    facts = connection.facts
    if facts is None:
        raise ValueError("handshake not done yet")
    chain, identity, refusal = facts.peer_chain, facts.identity, facts.refusal
    error = None if refusal is None else told_why(refusal)
    if error is None and chain and facts.peer is None:
        error = "the certificate was not verified"
    return {
        "server_cert": std.DER_cert_to_PEM_cert(identity.chain[0]) if identity is not None and identity.chain else None,
        "client_cert_chain": [std.DER_cert_to_PEM_cert(one) for one in chain],
        "client_cert_name": _subject(chain[0]) if chain else None,
        "client_cert_error": error,
        "tls_version": int(facts.version),
        "cipher_suite": int(facts.cipher_suite),
    }


def _subject(leaf: bytes) -> str | None:
    try:
        return x509.load_der_x509_certificate(leaf).subject.rfc4514_string()
    except ValueError:
        return None  # a refused client may have shown anything


def extended(app: Application, tls: SSLObject) -> Application:
    """``app`` for the requests of one connection: it finds the extension in its scopes.

    A client that is refused gets a 403 instead, unless its context leaves it to the application.
    """
    refusal = tls.client_refusal()
    connection = tls.connection
    assert connection is not None  # noqa: S101 - a refusal, or none, is known of a connection alone
    extension = tls_extension(connection)
    context: Any = tls.context
    answered = refusal is not None and context.refuse_clients_by is not Refusal.APPLICATION

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
        elif refusal is not None and answered:
            await _forbid(refusal, scope, receive, send)
        else:
            # The extension belongs to the connection; what one request's application changes is no other's.
            own = {**extension, "client_cert_chain": [*extension["client_cert_chain"]]}
            scope["extensions"] = {**(scope.get("extensions") or {}), "tls": own}
            await app(scope, receive, send)

    return application


async def _forbid(refusal: TLSError, scope: Scope, receive: Receive, send: Send) -> None:
    texts, body = answer(refusal)
    headers = [(name.lower().encode(), value.encode()) for name, value in texts]
    kind = "http.response"
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            # The server answers the handshake of the websocket with a 403 of its own.
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        kind = "websocket.http.response"
    await send({"type": f"{kind}.start", "status": 403, "headers": headers})
    await send({"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else body})
