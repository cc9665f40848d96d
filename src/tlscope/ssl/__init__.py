"""In place of the standard library's ``ssl``: the same names over tlscope's core.

    import tlscope.ssl as ssl

What this does not define is the standard library's: constants, ``MemoryBIO``, the errors, which tlscope's are subclasses
of. ``inject_into_ssl`` puts tlscope under a program that imports ``ssl`` itself, ``extract_from_ssl`` takes it away again.
"""

from __future__ import annotations

import ssl as _std
from ssl import *  # noqa: F403
from typing import Any

from .context import SSLContext
from .defaults import create_default_context, create_unverified_context, get_server_certificate
from .flags import FLAGS
from .inject import extract_from_ssl, inject_into_ssl
from .sessions import SSLSession  # type: ignore[assignment]
from .sockets import SSLObject, SSLSocket

__all__ = [
    "SSLContext",
    "SSLObject",
    "SSLSession",
    "SSLSocket",
    "create_default_context",
    "extract_from_ssl",
    "get_server_certificate",
    "inject_into_ssl",
]
__all__ += [name for name in dir(_std) if not name.startswith("_") and name not in __all__]

SSLContext.sslsocket_class = SSLSocket
SSLContext.sslobject_class = SSLObject

globals().update(FLAGS)

_create_unverified_context = _create_stdlib_context = create_unverified_context
_create_default_https_context = create_default_context
del create_unverified_context


def __getattr__(name: str) -> Any:
    return getattr(_std, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_std)})
