"""uvicorn over tlscope, with the ASGI TLS extension: an application sees who its client is.

    import tlscope.uvicorn
    tlscope.uvicorn.run(app, host="0.0.0.0", port=8443, tls=config)

``config`` returns uvicorn's own ``Config`` for those who run the server themselves. uvicorn is not one of tlscope's
dependencies: whoever uses this has it. Each request's scope then has ``scope["extensions"]["tls"]`` with ``server_cert``,
``client_cert_chain``, ``client_cert_name``, ``client_cert_error``, ``tls_version`` and ``cipher_suite``.
"""

from __future__ import annotations

import importlib
import ssl as std
from typing import Any

from cryptography import x509

from .ssl import SSLContext

__all__ = ["config", "run", "tls_extension"]


def tls_extension(connection: Any) -> dict[str, Any]:
    """The ASGI TLS extension of a server's connection whose handshake is complete.

    Certificates are PEM, the client's name is written as RFC 4514 says, and version and suite are the numbers of the wire.
    ``client_cert_chain`` is what the client sent; it was verified unless ``client_cert_error`` says why not.
    """
    facts = connection.facts
    chain = list(facts.peer_chain)
    identity = facts.identity
    name = x509.load_der_x509_certificate(chain[0]).subject.rfc4514_string() if chain else None
    return {
        "server_cert": std.DER_cert_to_PEM_cert(identity.chain[0]) if getattr(identity, "chain", None) else None,
        "client_cert_chain": [std.DER_cert_to_PEM_cert(one) for one in chain],
        "client_cert_name": name,
        "client_cert_error": "the certificate was not verified" if chain and facts.peer is None else None,
        "tls_version": int(facts.version),
        "cipher_suite": int(facts.cipher_suite),
    }


class _Extended:
    """Before a protocol class of uvicorn's: its application finds the extension in the scope."""

    app: Any

    def connection_made(self, transport: Any) -> None:
        tls = transport.get_extra_info("ssl_object")
        connection = getattr(tls, "connection", None)
        if connection is not None and connection.facts is not None:
            self.app = _with_extension(self.app, tls_extension(connection))
        super().connection_made(transport)  # type: ignore[misc]


def _with_extension(app: Any, extension: dict[str, Any]) -> Any:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"] = {**(scope.get("extensions") or {}), "tls": extension}
        await app(scope, receive, send)

    return application


def _extended(protocol: Any) -> Any:
    return type(protocol.__name__, (_Extended, protocol), {}) if isinstance(protocol, type) else protocol


def config(app: Any, *, tls: SSLContext, **settings: Any) -> Any:
    """uvicorn's ``Config`` for serving ``app`` with a context of ``tlscope.ssl``; ``settings`` are uvicorn's own.

    Raises what uvicorn raises for them, and ``ImportError`` without uvicorn.
    """
    uvicorn = importlib.import_module("uvicorn")
    made = uvicorn.Config(app, ssl_context_factory=lambda *_: tls, **settings)
    made.load()
    made.http_protocol_class = _extended(made.http_protocol_class)
    made.ws_protocol_class = _extended(made.ws_protocol_class)
    return made


def run(app: Any, *, tls: SSLContext, **settings: Any) -> None:
    """Serve until the process is told to end, as ``uvicorn.run`` does, in one process."""
    uvicorn = importlib.import_module("uvicorn")
    uvicorn.Server(config(app, tls=tls, **settings)).run()
