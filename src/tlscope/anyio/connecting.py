"""Ways to a stream: to a server over TCP, from a listener, and as one of anyio's connectables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import (
    AnyByteStream,
    AnyByteStreamConnectable,
    ByteStreamConnectable,
    Listener,
    SocketAttribute,
    TaskGroup,
)
from anyio.streams.tls import TLSAttribute

from ..config import ClientConfig, ServerConfig
from ..connection import make_connection
from ..errors import TLSError
from .pump import Decide
from .stream import TLSStream

if TYPE_CHECKING:
    from ..trace import Sink

__all__ = ["OnError", "TLSConnectable", "TLSListener", "connect_tcp"]

_log = logging.getLogger("tlscope.io")

OnError = Callable[[Exception, Any], object]


async def connect_tcp(
    remote_host: str,
    remote_port: int,
    config: ClientConfig | None = None,
    *,
    server_name: str | None = None,
    standard_compatible: bool = True,
    handshake_timeout: float | None = 10.0,
    trace: Sink | None = None,
    decide: Decide | None = None,
    early_data: bytes = b"",
    **options: Any,
) -> TLSStream:
    """Connect to a TLS server and shake hands.

    ``server_name`` is whom the certificate must be for, ``remote_host`` where it is not given. ``handshake_timeout`` bounds
    connecting and the handshake together, in seconds. ``options``, such as ``local_host``, go to ``anyio.connect_tcp``; the
    others are those of ``TLSStream.wrap``. Raises ``TLSError``, ``TimeoutError``, or another ``OSError`` where the host
    can't be reached.
    """
    connection = make_connection(config or ClientConfig(), remote_host if server_name is None else server_name, trace)
    began = anyio.current_time()
    with anyio.move_on_after(handshake_timeout) as time:
        below = await anyio.connect_tcp(remote_host, remote_port, **options)
    if time.cancelled_caught:
        raise TimeoutError(f"{remote_host} port {remote_port} could not be reached within {handshake_timeout} s")
    stream = TLSStream(below, connection, standard_compatible=standard_compatible, decide=decide)
    return await stream.handshake(handshake_timeout, early_data, since=began)


@dataclass(eq=False)
class TLSListener(Listener[TLSStream]):
    """Shakes hands with each client of another listener, and hands on those with whom that worked.

    A client has ``handshake_timeout`` seconds for that. ``on_error(error, peername)`` is told of each handshake that failed;
    without it that is logged in one line (logger ``tlscope.io``). ``standard_compatible`` and ``decide`` are those of
    ``TLSStream.wrap``; ``config.trace`` makes a sink for each connection.
    """

    listener: Listener[Any]
    config: ServerConfig
    standard_compatible: bool = True
    handshake_timeout: float | None = 10.0
    on_error: OnError | None = None
    decide: Decide | None = None

    async def serve(self, handler: Callable[[TLSStream], Any], task_group: TaskGroup | None = None) -> None:
        """Call ``handler(stream)`` for each client once its handshake is complete, each in a task of its own.

        As with anyio's listeners the handler closes the stream, and what it raises goes to the task group.
        """

        @wraps(handler)
        async def shake_hands(below: AnyByteStream) -> None:
            peername = below.extra(SocketAttribute.remote_address, None)  # noqa: S610 - not Django's
            try:
                stream = await TLSStream.wrap(
                    below,
                    self.config,
                    standard_compatible=self.standard_compatible,
                    handshake_timeout=self.handshake_timeout,
                    decide=self.decide,
                )
            except Exception as error:
                await anyio.aclose_forcefully(below)
                if self.on_error is not None:
                    self.on_error(error, peername)
                elif isinstance(error, TLSError | OSError):
                    _log.info("connection from %s: %s", peername, error)
                else:
                    raise
            else:
                await handler(stream)

        await self.listener.serve(shake_hands, task_group)

    async def aclose(self) -> None:
        """Close the listener below; streams that it gave stay open."""
        await self.listener.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """The listener's own, and ``TLSAttribute.standard_compatible``."""
        return {**self.listener.extra_attributes, TLSAttribute.standard_compatible: lambda: self.standard_compatible}


class TLSConnectable(ByteStreamConnectable):
    """A way to connect with TLS on top: ``connect`` connects ``connectable``, then shakes hands.

    ``server_name`` is whom the certificate must be for; the others are those of ``TLSStream.wrap``.
    """

    def __init__(
        self,
        connectable: AnyByteStreamConnectable,
        config: ClientConfig | None = None,
        *,
        server_name: str | None = None,
        standard_compatible: bool = True,
        handshake_timeout: float | None = 10.0,
        decide: Decide | None = None,
    ) -> None:
        self.connectable = connectable
        self.config = config or ClientConfig()
        self.server_name = server_name
        self.standard_compatible = standard_compatible
        self.handshake_timeout = handshake_timeout
        self.decide = decide

    async def connect(self) -> TLSStream:
        """A new stream. Raises what ``TLSStream.wrap`` raises, and what connecting does."""
        connection = make_connection(self.config, self.server_name, None)
        below = await self.connectable.connect()
        stream = TLSStream(below, connection, standard_compatible=self.standard_compatible, decide=self.decide)
        return await stream.handshake(self.handshake_timeout)
