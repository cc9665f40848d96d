"""What of the standard library's flags is otherwise here: they tell what tlscope speaks, whatever OpenSSL does.

``OPENSSL_VERSION`` and its like stay those of the standard library: programs look there for what its module can do.
"""

from __future__ import annotations

from typing import Any

from .facts import CHANNEL_BINDINGS

__all__ = ["FLAGS"]

_SPOKEN = ("TLSv1_2", "TLSv1_3", "SNI", "ALPN", "ECDH", "PSK", "NEVER_CHECK_COMMON_NAME")
_NOT_SPOKEN = ("SSLv2", "SSLv3", "TLSv1", "TLSv1_1", "NPN")

FLAGS: dict[str, Any] = {
    **{f"HAS_{name}": True for name in _SPOKEN},
    **{f"HAS_{name}": False for name in _NOT_SPOKEN},
    "CHANNEL_BINDING_TYPES": list(CHANNEL_BINDINGS),
}
