"""tlscope under a program that imports ``ssl`` itself: its contexts become tlscope's, and nothing else changes."""

from __future__ import annotations

import ssl as std
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .context import SSLContext

if TYPE_CHECKING:
    from ..trace import Sink

__all__ = ["extract_from_ssl", "inject_into_ssl"]

_ORIGINAL: Any = SSLContext.__mro__[SSLContext.__mro__.index(std.SSLContext)]

# Libraries that keep a reference of their own to the class.
_ELSEWHERE = ("urllib3.util.ssl_", "pip._vendor.urllib3.util.ssl_")


class _Standing(type):
    """The class of the class that stands in ``ssl``: contexts from before are contexts still, for whoever asks there."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _ORIGINAL) if cls is _Injected else super().__instancecheck__(instance)


class _Injected(SSLContext, metaclass=_Standing):
    """In place of ``ssl.SSLContext``."""


_Injected.__name__, _Injected.__qualname__ = SSLContext.__name__, SSLContext.__qualname__

_lock = threading.Lock()
_before: dict[str, Any] = {}
"""What stood in each module."""


def inject_into_ssl(*, trace: Callable[[], Sink | None] | None = None) -> None:
    """Make ``ssl.SSLContext`` tlscope's, for every context that is made from now on. Doing it twice does no harm.

    With ``trace`` each of their connections is traced by what it makes; ``tlscope.Trace`` will do. Call it before what uses
    ``ssl`` is imported: a module that took the name ``SSLContext`` out of ``ssl`` keeps what it took.
    """
    with _lock:
        SSLContext.default_trace = None if trace is None else staticmethod(trace)
        for name, module in _modules():
            if module.SSLContext is not _Injected:
                _before[name] = module.SSLContext
                module.SSLContext = _Injected


def extract_from_ssl() -> None:
    """Put back what was there, once for any number of injections; contexts that were made meanwhile go on as they are.

    Where somebody else has put another class there since, that stays.
    """
    with _lock:
        SSLContext.default_trace = None
        for name, module in _modules():
            if module.SSLContext is _Injected:
                # One that was imported meanwhile has never seen anything else.
                module.SSLContext = _before.get(name, _ORIGINAL)
        _before.clear()


def _modules() -> Iterator[tuple[str, Any]]:
    yield "ssl", std
    for name in _ELSEWHERE:
        module: Any = sys.modules.get(name)
        if module is not None and hasattr(module, "SSLContext"):
            yield name, module
