"""How a server refuses a client whose certificate is not good, or that has none: by an alert, or once it is connected."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from ..errors import ConfigError
from .errors import as_ssl

__all__ = ["Refusal", "Refusing"]


class Refusal(StrEnum):
    """Who tells a client that it is refused."""

    ALERT = "alert"
    """The handshake, with an alert, as TLS has it. The person in front of a browser reads an error number."""
    ANSWER = "answer"
    """The server, once the handshake is complete: with a 403 that says why. The application never hears of the client."""
    APPLICATION = "application"
    """The application, which is told who was refused and why, and has to heed it."""


class Refusing:
    """The setting of a context."""

    _refusal = Refusal.ALERT
    _built: dict[Any, Any]

    @property
    def refuse_clients_by(self) -> Refusal:
        """On a server that asks for certificates: ``"alert"``, ``"answer"`` or ``"application"``.

        With the latter two the handshake is completed, and then no application data is read or written before somebody
        has asked ``client_refusal()`` of the socket, as ``tlscope.uvicorn``, ``tlscope.hypercorn`` and ``tlscope.gunicorn``
        do: a server that knows nothing of this refuses such a client as ever, only later. Raises ``ConfigError`` for
        another word.
        """
        return self._refusal

    @refuse_clients_by.setter
    def refuse_clients_by(self, value: str) -> None:
        try:
            self._refusal = Refusal(value)
        except ValueError:
            words = ", ".join(repr(one.value) for one in Refusal)
            raise as_ssl(ConfigError(f"refuse_clients_by is {value!r}; there are {words}")) from None
        self._built = {}
