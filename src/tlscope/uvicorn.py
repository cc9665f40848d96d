"""uvicorn over tlscope, with the ASGI TLS extension: an application sees who its client is.

    import tlscope.uvicorn
    tlscope.uvicorn.run(app, host="0.0.0.0", port=8443, tls=context)

``config`` returns uvicorn's own ``Config`` for those who run the server themselves. uvicorn is not one of tlscope's
dependencies: whoever uses this has it. Each request's scope then has ``scope["extensions"]["tls"]`` with ``server_cert``,
``client_cert_chain``, ``client_cert_name``, ``client_cert_error``, ``tls_version`` and ``cipher_suite``.

A client whose certificate is refused, or missing, is turned away in the handshake; with
``context.refuse_clients_by = "answer"`` it gets a 403 with the reason, with ``"application"`` the application decides.
"""

from __future__ import annotations

import importlib
from typing import Any

from .errors import ConfigError
from .ssl.context import SSLContext
from .ssl.sockets import SSLObject
from .web.asgi import extended, tls_extension

__all__ = ["config", "run", "tls_extension"]


class _Extended:
    """Before a protocol class of uvicorn's: its application finds the extension in the scope."""

    app: Any

    def connection_made(self, transport: Any) -> None:
        tls = transport.get_extra_info("ssl_object")
        if isinstance(tls, SSLObject):
            self.app = extended(self.app, tls)
        super().connection_made(transport)  # type: ignore[misc]


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
    """Serve until the process is told to end, as ``uvicorn.run`` does, in one process.

    Raises ``ConfigError`` where more than one is asked for: a context can't be handed to another process.
    """
    if settings.get("reload") or (settings.get("workers") or 1) != 1:
        raise ConfigError("workers and reload start further processes, and a context can't be handed to another one")
    uvicorn = importlib.import_module("uvicorn")
    uvicorn.Server(config(app, tls=tls, **settings)).run()
