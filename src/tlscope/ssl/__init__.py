"""In place of the standard library's ``ssl``: the same names over tlscope's core.

    import tlscope.ssl as ssl

Everything else is the standard library's: constants, ``MemoryBIO``, the errors. ``inject_into_ssl`` puts tlscope under a
program that imports ``ssl`` itself, ``extract_from_ssl`` takes it away again.
"""

from __future__ import annotations

import ssl as _std
from ssl import *  # noqa: F403
from typing import Any

from .context import SSLContext
from .inject import extract_from_ssl, inject_into_ssl
from .sockets import SSLObject, SSLSocket

__all__ = [name for name in dir(_std) if not name.startswith("_")]
__all__ += ["extract_from_ssl", "inject_into_ssl"]

SSLContext.sslsocket_class = SSLSocket
SSLContext.sslobject_class = SSLObject


def create_default_context(  # type: ignore[no-redef]
    purpose: Any = _std.Purpose.SERVER_AUTH, *, cafile: Any = None, capath: Any = None, cadata: Any = None
) -> SSLContext:
    """A context with the standard library's defaults: for a client it verifies certificate and name.

    Raises ``TypeError`` for a purpose that is none, ``FileNotFoundError`` and ``SSLError`` as the loading does.
    """
    if not isinstance(purpose, _std._ASN1Object):
        raise TypeError(purpose)
    client = purpose == _std.Purpose.SERVER_AUTH
    context = SSLContext(_std.PROTOCOL_TLS_CLIENT if client else _std.PROTOCOL_TLS_SERVER)
    if client:
        context.verify_mode = _std.CERT_REQUIRED
        context.check_hostname = True
    if cafile or capath or cadata:
        context.load_verify_locations(cafile, capath, cadata)
    elif client:
        context.load_default_certs()
    return context


def __getattr__(name: str) -> Any:
    return getattr(_std, name)
