"""Streams over asyncio: clean ends, cuts, and what is left in between."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from aio_loopback import BIG, Reader, Writer, dial, echo, hang_up, run, serving
from certificates import SERVER_NAME
from loopback import Task, client_settings, reset, server_settings, tcp_pair

from tlscope import Misuse, TLSStream, TruncatedStream, aio


class TestEnds:
    def test_half_close(self) -> None:
        async def main() -> None:
            async with serving() as port:
                reader, writer = await dial(port)
                writer.write(b"x" * 100_000)
                writer.write_eof()
                with pytest.raises(RuntimeError, match="write_eof"):
                    writer.write(b"more")
                assert await reader.read() == b"x" * 100_000
                assert reader.at_eof()
                await hang_up(writer)

        run(main())

    def test_the_server_ends_first_and_still_hears_the_client(self) -> None:
        heard: list[bytes] = []

        async def handler(reader: Reader, writer: Writer) -> None:
            writer.write(b"that is all")
            writer.write_eof()
            heard.append(await reader.read())
            await hang_up(writer)

        async def main() -> None:
            async with serving(handler) as port:
                reader, writer = await dial(port)
                assert await reader.read() == b"that is all"
                writer.write(b"well then")
                await hang_up(writer)
                while not heard:
                    await asyncio.sleep(0.005)
                assert heard == [b"well then"]

        run(main())

    @pytest.mark.parametrize("how", ["cut", "reset"])
    def test_a_cut_is_no_end_and_what_came_before_it_is_read_first(self, how: str) -> None:
        ours, theirs = tcp_pair()
        accepting = Task(lambda: TLSStream.server(theirs, server_settings(tickets=None)))

        async def main() -> None:
            reader, writer = await aio.open_connection(config=client_settings(), server_name=SERVER_NAME, sock=ours)
            server = await asyncio.to_thread(accepting.result)
            server.sendall(b"Content-Length: 9\n123456")
            await asyncio.sleep(0.05)
            if how == "cut":
                server._sock.close()
            else:
                reset(server._sock)
            await asyncio.sleep(0.05)
            assert isinstance(reader.exception(), TruncatedStream)
            assert await reader.readline() == b"Content-Length: 9\n"
            assert await reader.readexactly(3) == b"123"
            with pytest.raises(TruncatedStream) as caught:
                await reader.readexactly(9)
            assert isinstance(caught.value.__cause__, asyncio.IncompleteReadError)
            with pytest.raises(TruncatedStream):
                await reader.read()
            with pytest.raises(TruncatedStream):
                await reader.readline()
            assert await reader.read(0) == b""
            with pytest.raises(TruncatedStream):
                await writer.drain()
            writer.close()
            with pytest.raises(TruncatedStream):
                await writer.wait_closed()

        run(main())

    def test_close_gives_the_peer_half_a_second_to_end(self) -> None:
        gate = asyncio.Event()

        async def deaf(reader: Reader, writer: Writer) -> None:
            await gate.wait()
            await hang_up(writer)

        async def main() -> None:
            loop = asyncio.get_running_loop()
            async with serving(deaf) as port:
                _, writer = await dial(port)
                start = loop.time()
                await hang_up(writer)
                assert 0.3 < loop.time() - start < 3
                gate.set()

        run(main())

    def test_close_delivers_what_was_written_before(self) -> None:
        heard: list[bytes] = []

        async def slow(reader: Reader, writer: Writer) -> None:
            await asyncio.sleep(0.8)  # longer than the client lingers for an end
            heard.append(await reader.read())
            await hang_up(writer)

        async def main() -> None:
            async with serving(slow) as port:
                _, writer = await dial(port)
                writer.write(BIG * 4)
                await hang_up(writer)
                while not heard:
                    await asyncio.sleep(0.01)
                assert len(heard[0]) == len(BIG) * 4

        run(main())

    def test_a_peer_that_floods_does_not_keep_a_closed_connection_open(self) -> None:
        async def flood(reader: Reader, writer: Writer) -> None:
            with contextlib.suppress(ConnectionError, TruncatedStream):
                while True:
                    writer.write(bytes(65536))
                    await writer.drain()
            writer.transport.abort()

        async def main() -> None:
            loop = asyncio.get_running_loop()
            async with serving(flood) as port:
                _, writer = await dial(port)
                start = loop.time()
                await hang_up(writer)
                assert loop.time() - start < 3

        run(main())

    def test_abort_is_instant_and_the_peer_sees_a_cut(self) -> None:
        errors: list[Exception] = []

        async def main() -> None:
            async with serving(on_error=lambda error, _: errors.append(error)) as port:
                reader, writer = await dial(port)
                writer.transport.abort()
                writer.write(b"dropped")
                assert writer.is_closing()
                await writer.wait_closed()
                with pytest.raises(Misuse, match="closed while it was read"):
                    await reader.read()
                with pytest.raises(Misuse):
                    await writer.drain()
                while not errors:
                    await asyncio.sleep(0.005)
                assert isinstance(errors[0], TruncatedStream)

        run(main())

    def test_who_reads_while_another_task_closes_does_not_take_that_for_the_end(self) -> None:
        seen = asyncio.Event()

        async def stubborn(reader: Reader, writer: Writer) -> None:
            writer.write(await reader.readexactly(10))
            await seen.wait()
            await hang_up(writer)

        async def main() -> None:
            async with serving(stubborn) as port:
                reader, writer = await dial(port)
                writer.write(b"half of it")
                reading = asyncio.create_task(reader.read())
                await asyncio.sleep(0.05)
                writer.close()
                with pytest.raises(Misuse, match="closed while it was read"):
                    await reading
                writer.write(b"lost")
                with pytest.raises(Misuse, match="closed"):
                    await writer.drain()
                await writer.wait_closed()
                seen.set()  # from Python 3.12 on the server waits for its handlers

        run(main())

    def test_a_handler_that_is_cancelled_before_it_begins_leaves_no_connection_open(self) -> None:
        def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
            task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **options)
            if coro.__qualname__ == "start_server.<locals>.handle":
                task.cancel()
            return task

        async def main() -> None:
            asyncio.get_running_loop().set_task_factory(factory)
            async with serving() as port:
                reader, writer = await dial(port)
                with pytest.raises((TruncatedStream, OSError)):
                    assert await reader.read() == b"something"
                writer.close()
                with contextlib.suppress(OSError, TruncatedStream):
                    await writer.wait_closed()

        run(main())

    def test_a_server_that_closes_lets_its_connections_end(self) -> None:
        async def main() -> None:
            server = await aio.start_server(echo, server_settings())
            port = server.sockets[0].getsockname()[1]
            reader, writer = await dial(port)
            server.close()
            writer.write(b"still here")
            assert await reader.readexactly(10) == b"still here"
            with pytest.raises(ConnectionRefusedError):
                await dial(port)
            await hang_up(writer)
            await server.wait_closed()

        run(main())
