"""TLS over asyncio: ``open_connection`` and ``start_server`` as asyncio's own, with its reader and writer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..config import ClientConfig, ServerConfig
from ..connection import ClientConnection, ServerConnection
from ..errors import TLSError
from .outcome import Outcome
from .protocol import Decide, TLSProtocol
from .reader import TLSStreamProtocol, TLSStreamReader
from .transport import TLSTransport

if TYPE_CHECKING:
    from ..trace import Sink

__all__ = ["TLSStreamReader", "create_connection", "open_connection", "start_server"]

_log = logging.getLogger("tlscope.io")

_LIMIT = 64 * 1024

ClientConnected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], "Awaitable[None] | None"]
OnError = Callable[[Exception, Any], object]


async def open_connection(
    host: str | None = None,
    port: int | None = None,
    config: ClientConfig | None = None,
    *,
    server_name: str | None = None,
    handshake_timeout: float | None = 10.0,
    limit: int = _LIMIT,
    trace: Sink | None = None,
    decide: Decide | None = None,
    early_data: bytes = b"",
    **options: Any,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a TLS server and shake hands; gives asyncio's reader and writer.

    ``server_name`` is whom the certificate must be for, ``host`` where it is not given. ``handshake_timeout`` bounds
    connecting and the handshake together, in seconds. ``limit`` is the reader's, in bytes; ``options``, such as ``sock``,
    go to ``loop.create_connection``. ``writer.get_extra_info("tlscope")`` is the connection, with its ``facts``.
    ``early_data`` is the first thing to send: before the handshake where a session and ``config.early_data`` allow it, so
    it must do no harm when it arrives twice; else after it. Raises ``TLSError``, ``TimeoutError``, or another ``OSError``
    where the host can't be reached.
    """
    loop = asyncio.get_running_loop()
    reader = TLSStreamReader(limit=limit, loop=loop)
    application = TLSStreamProtocol(reader)
    transport, _ = await create_connection(
        lambda: application,
        host,
        port,
        config,
        server_name=server_name,
        handshake_timeout=handshake_timeout,
        trace=trace,
        decide=decide,
        early_data=early_data,
        **options,
    )
    return reader, asyncio.StreamWriter(transport, application, reader, loop)


async def create_connection(
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    host: str | None,
    port: int | None,
    config: ClientConfig | None = None,
    *,
    server_name: str | None = None,
    handshake_timeout: float | None = 10.0,
    trace: Sink | None = None,
    decide: Decide | None = None,
    early_data: bytes = b"",
    **options: Any,
) -> tuple[TLSTransport, asyncio.BaseProtocol]:
    """``open_connection`` for a protocol instead of a reader and writer; it is made when the handshake is complete."""
    loop = asyncio.get_running_loop()
    connection = ClientConnection(config or ClientConfig(), host if server_name is None else server_name, trace=trace)
    outcome = Outcome(handshake_timeout)
    protocol = TLSProtocol(connection, protocol_factory, outcome.tell, decide=decide, early_data=early_data)
    options = {"host": host, "port": port, **options}
    connecting = loop.create_connection(lambda: protocol, **options)
    await outcome.wait(protocol, connecting, f"{host} port {port}")
    return protocol.transport, protocol.application


async def start_server(
    client_connected_cb: ClientConnected,
    config: ServerConfig,
    host: str | None = "127.0.0.1",
    port: int | None = 0,
    *,
    handshake_timeout: float | None = 10.0,
    limit: int = _LIMIT,
    on_error: OnError | None = None,
    decide: Decide | None = None,
    **options: Any,
) -> asyncio.Server:
    """``client_connected_cb(reader, writer)`` is called, or awaited, for each client once its handshake is complete.

    A client has ``handshake_timeout`` seconds for that. ``on_error(error, peername)`` is told of each handshake that failed
    and of what the callback raised; without it a client's fault is logged in one line (logger ``tlscope.io``), and a fault
    of the callback goes to the loop's exception handler. ``options`` go to ``loop.create_server``.
    """
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def tell(error: Exception, peername: Any) -> None:
        if on_error is not None:
            on_error(error, peername)
        elif isinstance(error, TLSError | OSError):
            _log.info("connection from %s: %s", peername, error)
        else:
            loop.call_exception_handler({"message": "the handler of a TLS connection failed", "exception": error})

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            result = client_connected_cb(reader, writer)
            if result is not None:
                await result
        except Exception as error:
            writer.close()
            tell(error, writer.get_extra_info("peername"))

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = loop.create_task(handle(reader, writer))
        tasks.add(task)
        task.add_done_callback(partial(ended, writer))

    def ended(writer: asyncio.StreamWriter, task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        if task.cancelled():  # perhaps before it began, and then nothing in it could see to the connection
            writer.transport.abort()

    def on_result(protocol: TLSProtocol, error: Exception | None) -> None:
        if error is not None:
            tell(error, protocol.raw.get_extra_info("peername"))

    def make_application() -> asyncio.BaseProtocol:
        return TLSStreamProtocol(TLSStreamReader(limit=limit, loop=loop), connected)

    def make_protocol() -> TLSProtocol:
        connection = ServerConnection(config)
        return TLSProtocol(connection, make_application, on_result, handshake_timeout=handshake_timeout, decide=decide)

    return await loop.create_server(make_protocol, host, port, **options)
