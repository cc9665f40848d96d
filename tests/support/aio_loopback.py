"""Streams over asyncio on the loopback interface, under a loop that forgives nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from certificates import SERVER_NAME
from loopback import PATIENCE, client_settings, server_settings

from tlscope import AlertReceived, ClientConfig, PeerViolation, ProtocolVersion, ServerConfig, TruncatedStream, aio

BIG = bytes(range(256)) * 16 * 1024  # 4 MiB
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Handler = Callable[[Reader, Writer], Awaitable[None]]


def run(main: Coroutine[Any, Any, Any], *, faults: list[dict[str, Any]] | None = None) -> None:
    """Run to the end; nothing may be left to the loop's exception handler, or open, unless ``faults`` takes it."""
    found: list[dict[str, Any]] = [] if faults is None else faults

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: found.append(context))
        async with asyncio.timeout(3 * PATIENCE):
            await main

    asyncio.run(watched())
    gc.collect()
    if faults is None:
        assert found == []


async def echo(reader: Reader, writer: Writer) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(handler: Handler = echo, config: ServerConfig | None = None, **options: Any) -> AsyncIterator[int]:
    """A server on a free port."""
    server = await aio.start_server(handler, config or server_settings(), **options)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def dial(port: int, config: ClientConfig | None = None, **options: Any) -> tuple[Reader, Writer]:
    return await aio.open_connection("127.0.0.1", port, config or client_settings(), server_name=SERVER_NAME, **options)


async def hang_up(writer: Writer) -> None:
    writer.close()
    with contextlib.suppress(OSError, AlertReceived, TruncatedStream, PeerViolation):
        await writer.wait_closed()


def version_only(version: ProtocolVersion) -> dict[str, Any]:
    return {"min_version": version, "max_version": version}
