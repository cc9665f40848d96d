"""gunicorn over tlscope: a WSGI application finds its client's certificate in the environ, as under Apache's mod_ssl.

    gunicorn --worker-class tlscope.gunicorn.ThreadTLSWorker --certfile server.pem --keyfile server-key.pem \\
        --ca-certs ca.pem --cert-reqs 2 program:application

``SyncTLSWorker`` and ``ThreadTLSWorker`` are gunicorn's own, over tlscope. Their applications find ``SSL_CLIENT_VERIFY``,
``SSL_CLIENT_S_DN``, ``SSL_CLIENT_CERT`` and the rest of mod_ssl's variables; no header of a request can set one of them.
gunicorn is not one of tlscope's dependencies: whoever uses this has it.

What else there is to set is set in gunicorn's hook, in its configuration file:

    def ssl_context(config, default_ssl_context_factory):
        context = default_ssl_context_factory()
        context.refuse_clients_by = "answer"  # a 403 that says why, in place of an alert
        return context
"""

from __future__ import annotations

import importlib
import ssl as std
from typing import Any

from .errors import ConfigError
from .ssl import extract_from_ssl, inject_into_ssl
from .ssl.context import SSLContext
from .ssl.sockets import SSLSocket
from .web.wsgi import Client, told

__all__ = ["SyncTLSWorker", "ThreadTLSWorker"]

_sync: Any = importlib.import_module("gunicorn.workers.sync")
_threads: Any = importlib.import_module("gunicorn.workers.gthread")


class _Socket(SSLSocket):
    """A connection that is asked who its client is before the first byte of a request is read."""

    client: Client | None = None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        if self.client is None and self._sslobj is not None:
            self.do_handshake()
            self.client = Client(self)
        return super().recv(buflen, flags)


def _client_of(environ: Any) -> Client | None:
    connection = environ.get("gunicorn.socket")
    return connection.client if isinstance(connection, _Socket) else None


def _context(settings: Any) -> SSLContext:
    """The context that gunicorn's settings and hook describe, of tlscope's."""
    already = issubclass(std.SSLContext, SSLContext)
    if not already:
        inject_into_ssl()
    try:
        context = importlib.import_module("gunicorn.sock").ssl_context(settings)
    finally:
        if not already:
            extract_from_ssl()
    if not isinstance(context, SSLContext):
        raise ConfigError("the hook ssl_context gave a context that is not tlscope's: make it with tlscope.ssl")
    context.sslsocket_class = _Socket
    return context


class _Worker:
    """Before a worker of gunicorn's: it makes one context, and tells its application of the client."""

    cfg: Any
    wsgi: Any

    def init_process(self) -> None:
        if self.cfg.is_ssl:
            # gunicorn makes a context for each connection, and reads the files again each time.
            context = _context(self.cfg)
            self.cfg.set("ssl_context", lambda config, default_ssl_context_factory: context)
        super().init_process()  # type: ignore[misc]

    def load_wsgi(self) -> None:
        super().load_wsgi()  # type: ignore[misc]
        self.wsgi = told(self.wsgi, _client_of)


class SyncTLSWorker(_Worker, _sync.SyncWorker):  # type: ignore[misc]
    """One request at a time in each process; gunicorn's ``threads`` means nothing to it."""


class ThreadTLSWorker(_Worker, _threads.ThreadWorker):  # type: ignore[misc]
    """Requests in threads, connections kept alive between them."""
