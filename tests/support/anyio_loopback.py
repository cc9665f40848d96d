"""Streams of anyio's on the loopback interface, on both of its backends."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import anyio.abc
import loopback
from certificates import SERVER_NAME
from loopback import PATIENCE, client_settings, server_settings

from tlscope import ClientConfig, ServerConfig
from tlscope.anyio import TLSListener, TLSStream, connect_tcp

BACKENDS = ["asyncio", "trio"]

Main = Callable[[], Awaitable[Any]]


def run(backend: str, main: Main) -> None:
    """Run to the end, and look for what was left behind."""

    async def watched() -> None:
        with anyio.fail_after(3 * PATIENCE):
            await main()

    anyio.run(watched, backend=backend)
    gc.collect()


async def echo(stream: TLSStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send(data)
        await stream.send_eof()


@contextlib.asynccontextmanager
async def serving(
    handler: Callable[[TLSStream], Any] = echo, config: ServerConfig | None = None, **options: Any
) -> AsyncIterator[int]:
    """A server on a free port."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with (
        TLSListener(listener, config or server_settings(), **options) as server,
        anyio.create_task_group() as group,
    ):
        group.start_soon(server.serve, handler)
        yield server.extra(anyio.abc.SocketAttribute.local_port)
        group.cancel_scope.cancel()


async def dial(port: int, config: ClientConfig | None = None, **options: Any) -> TLSStream:
    return await connect_tcp("127.0.0.1", port, config or client_settings(), server_name=SERVER_NAME, **options)


async def tcp_pair() -> tuple[anyio.abc.SocketStream, anyio.abc.SocketStream]:
    """Two ends of one TCP connection, the client's first."""
    client, server = loopback.tcp_pair()
    return await anyio.abc.SocketStream.from_socket(client), await anyio.abc.SocketStream.from_socket(server)


async def stream_pair(
    client: ClientConfig | None = None, server: ServerConfig | None = None, **options: Any
) -> tuple[TLSStream, TLSStream]:
    """Client and server after their handshake."""
    ours, theirs = await tcp_pair()
    made: list[TLSStream] = []

    async def accept() -> None:
        made.append(await TLSStream.wrap(theirs, server or server_settings(), **options))

    async with anyio.create_task_group() as group:
        group.start_soon(accept)
        left = await TLSStream.wrap(ours, client or client_settings(), server_name=SERVER_NAME, **options)
    return left, made[0]


async def both(*actions: Callable[[], Awaitable[Any]]) -> list[Any]:
    """The results of several calls at once; what they raise is among them."""
    results: list[Any] = [None] * len(actions)

    async def one(index: int, action: Callable[[], Awaitable[Any]]) -> None:
        try:
            results[index] = await action()
        except Exception as error:
            results[index] = error

    async with anyio.create_task_group() as group:
        for index, action in enumerate(actions):
            group.start_soon(one, index, action)
    return results


async def read_all(stream: anyio.abc.ByteReceiveStream) -> bytes:
    return b"".join([data async for data in stream])
