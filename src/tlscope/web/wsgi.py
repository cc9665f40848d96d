"""WSGI: mod_ssl's variables in each environ, from the connection alone, and the answer to a client that is refused."""

from __future__ import annotations

import ssl as std
from collections.abc import Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

from ..ssl.refusal import Refusal
from .answer import REASON, answer
from .variables import tls_variables

if TYPE_CHECKING:
    from ..errors import TLSError
    from ..ssl.sockets import SSLSocket

__all__ = ["Application", "Client", "told"]

Environ = MutableMapping[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]

# What proxies that end TLS themselves say of a client, in its headers. TLS ends here: whoever sends one of these says it of
# himself (RFC 9440 section 4).
_FORWARDED = (
    "HTTP_SSL_",
    "HTTP_X_SSL_",
    "HTTP_CLIENT_CERT",
    "HTTP_X_CLIENT_CERT",
    "HTTP_X_CLIENT_VERIFY",
    "HTTP_X_CLIENT_DN",
    "HTTP_X_FORWARDED_CLIENT_CERT",
    "HTTP_X_FORWARDED_TLS_CLIENT_CERT",
    "HTTP_X_FORWARDED_SSL_CLIENT",
    "HTTP_X_TLS_CLIENT",
    "HTTP_X_ARR_CLIENTCERT",
    "HTTP_X_AMZN_MTLS_",
)


class Client:
    """What one connection tells of its client; asked for once, however many requests come over it."""

    def __init__(self, tls: SSLSocket) -> None:
        """Of a connection whose handshake is complete; from here on it may be read from."""
        self.refusal: TLSError | None = tls.client_refusal()
        connection = tls.connection
        assert connection is not None  # noqa: S101 - a refusal, or none, is known of a connection alone
        context: Any = tls.context
        self.answered = self.refusal is not None and context.refuse_clients_by is not Refusal.APPLICATION
        self.variables = tls_variables(connection)
        self.unverified = tls.get_unverified_chain() if self.refusal is not None else []


def told(app: Application, client_of: Callable[[Environ], Client | None]) -> Application:
    """``app``, whose environ tells of the client; ``client_of`` finds it, None for a request that came without TLS.

    ``SSL_*`` and ``HTTPS`` are the connection's, whatever was there before, and headers by which a proxy would say the same
    are taken out. Where refusing is left to the application, ``tlscope.unverified_chain`` holds what a refused client
    showed (PEM); it proves nothing.
    """

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        for name in [name for name in environ if name == "HTTPS" or name.startswith(("SSL_", *_FORWARDED))]:
            del environ[name]
        client = client_of(environ)
        if client is None:
            return app(environ, start_response)
        if client.refusal is not None and client.answered:
            headers, body = answer(client.refusal)
            start_response(f"403 {REASON}", headers)
            return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]
        environ.update(client.variables)
        if client.refusal is not None:
            environ["tlscope.unverified_chain"] = [std.DER_cert_to_PEM_cert(one) for one in client.unverified]
        return app(environ, start_response)

    return application
