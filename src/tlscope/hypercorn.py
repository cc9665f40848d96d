"""hypercorn over tlscope, with the ASGI TLS extension in every scope: HTTP/1.1, HTTP/2 and websockets.

    import tlscope.hypercorn
    asyncio.run(tlscope.hypercorn.serve(app, config, tls=context))

``config`` is hypercorn's own, without certificates: those are the context's. hypercorn is not one of tlscope's
dependencies: whoever uses this has it. What an application finds, and what becomes of clients that are refused, is as in
``tlscope.uvicorn``.
"""

from __future__ import annotations

import copy
import importlib
from contextvars import ContextVar
from typing import Any

from .errors import ConfigError, Misuse
from .ssl.context import SSLContext
from .ssl.sockets import SSLObject
from .web.asgi import Application, Receive, Scope, Send, extended

__all__ = ["serve"]

_extended: ContextVar[Application] = ContextVar("tlscope.hypercorn")
"""The application as the connection's requests find it, in the task of that connection and all that it starts."""


def _object_class(app: Application) -> type[SSLObject]:
    class Announced(SSLObject):
        """A connection that tells the application of its client, once hypercorn's task for it begins."""

        application: Application

        def do_handshake(self) -> None:
            super().do_handshake()
            # Before asyncio reads the first request, which it does at once.
            self.application = extended(app, self)

        def selected_alpn_protocol(self) -> str | None:
            # hypercorn asks each connection for this, in the connection's own task and before it reads a request.
            _extended.set(self.application)
            return super().selected_alpn_protocol()

    return Announced


def _application(app: Application) -> Application:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        over_tls = _extended.get(None)
        if over_tls is None and scope.get("scheme") in ("https", "wss"):
            raise Misuse("hypercorn says nothing of the request's connection, so nobody knows who the client is")
        await (over_tls or app)(scope, receive, send)

    return application


def _config(config: Any, app: Application, tls: SSLContext) -> Any:
    if config.quic_bind:
        raise ConfigError(
            "quic_bind asks for HTTP/3, whose TLS is QUIC's own; tlscope speaks TLS over TCP: leave it out"
        )
    if config.ssl_enabled or config.ca_certs or config.verify_mode is not None:
        raise ConfigError(
            "certificates are set twice: leave certfile, keyfile, ca_certs and verify_mode to the context"
        )
    tls.set_alpn_protocols(config.alpn_protocols)
    tls.sslobject_class = _object_class(app)
    made = copy.copy(config)
    changes = {"ssl_enabled": True, "create_ssl_context": lambda self: tls}
    made.__class__ = type(type(config).__name__, (type(config),), changes)
    return made


async def serve(app: Any, config: Any = None, *, tls: SSLContext, **settings: Any) -> None:
    """Serve ``app`` as ``hypercorn.asyncio.serve`` does, or ``hypercorn.trio.serve`` where trio runs.

    ``tls`` is a context for this server alone: its application protocols are set by ``config``. ``settings`` are those of
    hypercorn's ``serve``. Raises ``ConfigError`` for a configuration that has certificates of its own or wants HTTP/3, and
    ``ImportError`` without hypercorn.
    """
    made = _config(importlib.import_module("hypercorn.config").Config() if config is None else config, app, tls)
    library = importlib.import_module("hypercorn.asyncio" if _in_asyncio() else "hypercorn.trio")
    await library.serve(_application(app), made, mode="asgi", **settings)


def _in_asyncio() -> bool:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
