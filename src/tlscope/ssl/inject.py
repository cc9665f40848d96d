"""tlscope under a program that imports ``ssl`` itself: its contexts become tlscope's, and nothing else changes."""

from __future__ import annotations

import ssl as std
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .context import SSLContext

if TYPE_CHECKING:
    from ..trace import Sink

__all__ = ["extract_from_ssl", "inject_into_ssl"]

_ORIGINAL = std.SSLContext

# Libraries that keep a reference of their own to the class.
_ELSEWHERE = ("urllib3.util.ssl_", "pip._vendor.urllib3.util.ssl_")


def inject_into_ssl(*, trace: Callable[[], Sink | None] | None = None) -> None:
    """Make ``ssl.SSLContext`` tlscope's, for every context that is made from now on. Doing it twice does no harm.

    With ``trace`` each of their connections is traced by what it makes; ``tlscope.Trace`` will do.
    """
    SSLContext.default_trace = None if trace is None else staticmethod(trace)
    _set(SSLContext)


def extract_from_ssl() -> None:
    """Take it back; contexts that were made meanwhile go on as they are."""
    SSLContext.default_trace = None
    _set(_ORIGINAL)


def _set(cls: Any) -> None:
    std.SSLContext = cls  # type: ignore[misc]
    for name in _ELSEWHERE:
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "SSLContext"):
            module.SSLContext = cls  # type: ignore[attr-defined]
