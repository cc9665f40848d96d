"""Whose names a program speaks: those of the module that its configuration comes from."""

from __future__ import annotations

import sys
from typing import Any

from ..errors import ConfigError, TLSError, TruncatedStream, also
from ..events import ConnectionFacts
from ..wire.codepoints import ProtocolVersion
from . import names

__all__ = ["Vocabulary"]


_TELLING = ("TLSVersion", "TLSError", "WantReadError")
"""By which a module is known to be one of the PEP's."""


class Vocabulary:
    """tlscope's answers in the enumerations and errors of the module whose configuration a context was made with."""

    def __init__(self, configuration: object) -> None:
        modules = [sys.modules.get(kind.__module__) for kind in type(configuration).__mro__]
        # A configuration's class may be derived from the module's, in a module that has none of the names.
        self._theirs = next((one for one in modules if all(hasattr(one, name) for name in _TELLING)), names)

    def _name(self, name: str) -> Any:
        return getattr(self._theirs, name, None) or getattr(names, name)

    def error(self, error: TLSError) -> TLSError:
        """The same error, as what the PEP calls it."""
        name = "TLSError"
        if isinstance(error, TruncatedStream):
            name = "RaggedEOF"
        elif isinstance(error, ConfigError):
            name = "ConfigurationError"
        elif isinstance(error, names.WantReadError | names.WantWriteError):
            name = type(error).__name__
        named: TLSError = also(error, self._name(name))
        return named

    def want_read(self, sentence: str = "nothing has come from the peer") -> TLSError:
        """More is needed from the peer."""
        return self.error(names.WantReadError(sentence))

    def want_accept(self) -> TLSError:
        """No client waits; a ``BlockingIOError`` too, as of any listening socket."""
        error: TLSError = also(self.want_read("no client waits to be accepted"), BlockingIOError)
        return error

    def want_write(self) -> TLSError:
        """What is to be sent has to go out first."""
        return self.error(names.WantWriteError())

    def cipher(self, facts: ConnectionFacts | None) -> Any:
        """The cipher suite, or its number where the module has no name for it; None before the handshake."""
        if facts is None:
            return None
        return _member(self._name("CipherSuite"), int(facts.cipher_suite))

    def protocol(self, facts: ConnectionFacts | None) -> Any:
        """The application protocol, or its bytes where the module has no name for it; None where there is none."""
        if facts is None or facts.alpn is None:
            return None
        return _member(self._name("NextProtocol"), facts.alpn.encode())

    def version(self, facts: ConnectionFacts | None) -> Any:
        """The version of TLS; None before the handshake."""
        if facts is None:
            return None
        versions = self._name("TLSVersion")
        return versions.TLSv1_3 if facts.version is ProtocolVersion.TLS1_3 else versions.TLSv1_2


def _member(kind: Any, value: Any) -> Any:
    try:
        return kind(value)
    except ValueError:
        return value
