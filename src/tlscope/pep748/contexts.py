"""PEP 748's contexts, which make sockets and buffers of a configuration, and the object that a program is handed."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ..connection import ClientConnection, ServerConnection
from ..errors import TLSError
from .buffer import TLSBuffer
from .settings import client_config, server_config, validate_config
from .sockets import HANDSHAKE_SECONDS, TLSSocket
from .vocabulary import Vocabulary

__all__ = [
    "TLSCOPE_BACKEND",
    "TLSCOPE_IMPLEMENTATION",
    "Backend",
    "ClientContext",
    "ServerContext",
    "TLSImplementation",
    "implementation",
]

Client = TypeVar("Client")
Server = TypeVar("Server")


class _Context:
    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration
        self._words = Vocabulary(configuration)
        try:
            self._config: Any = self._load(configuration)
        except TLSError as error:
            raise self._words.error(error) from error.__cause__

    @staticmethod
    def _load(configuration: Any) -> Any:
        raise NotImplementedError

    @property
    def configuration(self) -> Any:
        """The configuration that it was made with."""
        return self._configuration

    @property
    def config(self) -> Any:
        """The same as tlscope's own ``ClientConfig`` or ``ServerConfig``."""
        return self._config


class ClientContext(_Context):
    """Makes a client's connections. What the configuration names is loaded here, and ``ConfigurationError`` raised here."""

    _load = staticmethod(client_config)

    def new_connection(self, server_hostname: str | None) -> ClientConnection:
        """A connection of tlscope's own to the host of this name."""
        try:
            return ClientConnection(self._config, server_hostname)
        except TLSError as error:
            raise self._words.error(error) from None

    def connect(self, address: tuple[str | None, int]) -> TLSSocket:
        """Connect and shake hands; each may take ten seconds. The server's certificate must be for the address's host.

        Raises ``TLSError``, or an ``OSError`` where the host can't be reached.
        """
        host, port = address[0] or "localhost", address[1]
        connection = self.new_connection(host)
        below = socket.create_connection((host, port), timeout=HANDSHAKE_SECONDS)
        return TLSSocket(self, self._words, connected=(below, connection))

    def create_buffer(self, server_hostname: str) -> TLSBuffer:
        """A connection in memory; the server's certificate must be for ``server_hostname``."""
        return TLSBuffer(self.new_connection(server_hostname), self, self._words)


class ServerContext(_Context):
    """Makes a server's connections. What the configuration names is loaded here, and ``ConfigurationError`` raised here."""

    _load = staticmethod(server_config)

    def new_connection(self) -> ServerConnection:
        """A connection of tlscope's own."""
        return ServerConnection(self._config)

    def connect(self, address: tuple[str | None, int]) -> TLSSocket:
        """A socket bound to ``address``, for ``listen`` and ``accept``."""
        host, port = address[0], address[1]
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listener = socket.create_server((host or "", port), family=family)
        listener.setblocking(False)
        return TLSSocket(self, self._words, listener=listener)

    def create_buffer(self) -> TLSBuffer:
        """A connection in memory."""
        return TLSBuffer(self.new_connection(), self, self._words)


class TLSImplementation(Generic[Client, Server]):
    """What a program is handed to choose an implementation of TLS by."""

    __slots__ = ("_client_context", "_server_context", "_validate_config")

    def __init__(
        self, client_context: type[Client], server_context: type[Server], validate_config: Callable[[Any], None]
    ) -> None:
        self._client_context, self._server_context = client_context, server_context
        self._validate_config = validate_config

    @property
    def client_context(self) -> type[Client]:
        """The class of a client's contexts."""
        return self._client_context

    @property
    def server_context(self) -> type[Server]:
        """The class of a server's contexts."""
        return self._server_context

    @property
    def validate_config(self) -> Callable[[Any], None]:
        """Raises ``ConfigurationError`` where a configuration asks for what this implementation has not."""
        return self._validate_config


Backend = TLSImplementation
"""What the reference package called it first."""

TLSCOPE_IMPLEMENTATION = TLSImplementation(ClientContext, ServerContext, validate_config)
"""tlscope."""

TLSCOPE_BACKEND = TLSCOPE_IMPLEMENTATION


def implementation(names: Any = None) -> Any:
    """``TLSCOPE_IMPLEMENTATION``, or the same as an object of a module's own ``TLSImplementation`` or ``Backend``."""
    if names is None:
        return TLSCOPE_IMPLEMENTATION
    kind = getattr(names, "TLSImplementation", None) or getattr(names, "Backend", None)
    if kind is None:
        raise TypeError(f"{getattr(names, '__name__', names)!r} has neither a TLSImplementation nor a Backend")
    return kind(client_context=ClientContext, server_context=ServerContext, validate_config=validate_config)
