"""Streams over asyncio: data and flow control."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import Any

import pytest
from aio_loopback import BIG, Reader, Writer, dial, echo, hang_up, run, serving, version_only
from certificates import SERVER_NAME
from loopback import MUTUAL, PATIENCE, Relay, Task, client_settings, read_all, server_settings

from tlscope import ClientConnection, ProtocolVersion, ServerConnection, TLSStream, Trace, aio, connect


class TestData:
    @pytest.mark.parametrize("version", [ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3], ids=str)
    def test_both_directions_at_once(self, version: ProtocolVersion) -> None:
        async def main() -> None:
            async with serving(config=server_settings(**version_only(version), **MUTUAL)) as port:
                reader, writer = await dial(port, client_settings(**version_only(version)))

                async def send() -> None:
                    for start in range(0, len(BIG), 100_000):
                        writer.write(BIG[start : start + 100_000])
                        await writer.drain()
                    writer.write_eof()

                sending = asyncio.create_task(send())
                data = await reader.read()
                await sending
                assert hashlib.sha256(data).digest() == hashlib.sha256(BIG).digest()
                await hang_up(writer)

        run(main())

    def test_reader_and_writer_are_asyncio_s_own(self) -> None:
        async def main() -> None:
            async with serving(config=server_settings(alpn=["h2"])) as port:
                trace = Trace()
                reader, writer = await dial(port, client_settings(alpn=["h2"]), trace=trace)
                assert isinstance(reader, asyncio.StreamReader)
                assert type(writer) is asyncio.StreamWriter
                assert isinstance(writer.transport, asyncio.Transport)
                connection = writer.get_extra_info("tlscope")
                assert isinstance(connection, ClientConnection)
                assert connection.alpn == "h2"
                assert connection.trace is trace
                assert len(trace) > 10
                assert writer.get_extra_info("peername")[1] == port
                assert writer.get_extra_info("ssl_object") is None
                assert writer.can_write_eof()
                assert repr(writer.transport) == "<TLSTransport client open>"
                await hang_up(writer)
                assert repr(writer.transport) == "<TLSTransport client closing>"

        run(main())

    def test_lines(self) -> None:
        async def main() -> None:
            async with serving() as port:
                reader, writer = await dial(port)
                writer.writelines([b"one\n", b"two\n", b"thr"])
                writer.write(b"")
                assert await reader.readline() == b"one\n"
                assert await reader.readuntil(b"\n") == b"two\n"
                assert await reader.readexactly(3) == b"thr"
                writer.write(b"last")
                writer.write_eof()
                assert [line async for line in reader] == [b"last"]
                with pytest.raises(asyncio.IncompleteReadError):
                    await reader.readexactly(1)
                await hang_up(writer)

        run(main())

    def test_a_transport_that_delivers_single_bytes(self) -> None:
        relay = Relay(step=1)
        accepting = Task(lambda: TLSStream.server(relay.server, server_settings(**MUTUAL), timeout=PATIENCE))

        async def main() -> None:
            reader, writer = await aio.open_connection(
                config=client_settings(), server_name=SERVER_NAME, sock=relay.client
            )
            server = await asyncio.to_thread(accepting.result)
            writer.write(b"question")
            assert await asyncio.to_thread(server.recv, 1) == b"q"
            server.sendall(b"answer" * 500)
            server.shutdown_write()
            assert await reader.read() == b"answer" * 500
            writer.close()
            assert await asyncio.to_thread(read_all, server) == b"uestion"
            server.close()
            await writer.wait_closed()

        run(main())
        relay.close()

    def test_a_blocking_client_and_an_asyncio_server(self) -> None:
        def client(port: int) -> bytes:
            with connect("127.0.0.1", port, client_settings(), server_name=SERVER_NAME, timeout=PATIENCE) as stream:
                sending = Task(lambda: (stream.sendall(BIG), stream.shutdown_write()))
                data = read_all(stream)
                sending.result()
            return data

        async def main() -> None:
            async with serving() as port:
                assert await asyncio.to_thread(client, port) == BIG

        run(main())

    def test_many_clients_at_once(self) -> None:
        async def ask(port: int, number: int) -> None:
            reader, writer = await dial(port)
            writer.write(bytes([number]) * 10_000)
            writer.write_eof()
            assert await reader.read() == bytes([number]) * 10_000
            await hang_up(writer)

        async def main() -> None:
            async with serving(config=server_settings(**MUTUAL)) as port:
                await asyncio.gather(*(ask(port, number) for number in range(30)))

        run(main())

    def test_a_protocol_instead_of_a_reader_and_writer(self) -> None:
        class Collect(asyncio.Protocol):
            def __init__(self) -> None:
                self.calls: list[Any] = []
                self.lost = asyncio.get_running_loop().create_future()

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.calls.append("made")
                transport.write(b"hello")  # type: ignore[attr-defined]

            def data_received(self, data: bytes) -> None:
                self.calls.append(data)

            def eof_received(self) -> None:
                self.calls.append("eof")

            def connection_lost(self, exc: Exception | None) -> None:
                self.lost.set_result(exc)

        async def once(reader: Reader, writer: Writer) -> None:
            writer.write(await reader.readexactly(5))
            writer.close()
            await writer.wait_closed()

        async def main() -> None:
            async with serving(once) as port:
                transport, protocol = await aio.create_connection(
                    Collect, "127.0.0.1", port, client_settings(), server_name=SERVER_NAME
                )
                assert isinstance(protocol, Collect)
                assert transport.get_protocol() is protocol
                assert await protocol.lost is None
                assert protocol.calls == ["made", b"hello", "eof"]
                assert transport.is_closing()

        run(main())


class TestFlowControl:
    def test_a_peer_that_does_not_read_holds_up_drain(self) -> None:
        gate = asyncio.Event()

        async def late(reader: Reader, writer: Writer) -> None:
            await gate.wait()
            await echo(reader, writer)

        async def main() -> None:
            async with serving(late, limit=4096) as port:
                reader, writer = await dial(port, limit=4096)
                low, high = writer.transport.get_write_buffer_limits()  # type: ignore[attr-defined]
                sent = 0
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.3):
                        while sent < 256 << 20:
                            writer.write(bytes(65536))
                            sent += 65536
                            await writer.drain()
                assert sent < 256 << 20
                size = writer.transport.get_write_buffer_size()
                assert low < high < size < high + 2 * 65536
                gate.set()
                reading = asyncio.create_task(reader.read())
                await writer.drain()
                writer.write_eof()
                assert len(await reading) == sent
                await hang_up(writer)

        run(main())

    def test_a_reader_that_is_full_keeps_the_socket_from_being_read(self) -> None:
        async def flood(reader: Reader, writer: Writer) -> None:
            with contextlib.suppress(ConnectionError):
                for _ in range(4096):
                    writer.write(bytes(65536))
                    await writer.drain()
            await hang_up(writer)

        async def main() -> None:
            async with serving(flood) as port:
                reader, writer = await dial(port, limit=8192)
                await asyncio.sleep(0.2)
                assert not writer.transport.is_reading()  # type: ignore[attr-defined]
                # One read of the transport below is all that may lie beyond twice the limit.
                assert len(reader._buffer) <= 2 * 8192 + 256 * 1024  # type: ignore[attr-defined]
                assert len(await reader.readexactly(10 << 20)) == 10 << 20
                writer.transport.abort()

        run(main())


def test_the_server_s_side_is_a_server_connection() -> None:
    seen: list[Any] = []

    async def look(reader: Reader, writer: Writer) -> None:
        seen.append(writer.get_extra_info("tlscope"))
        await hang_up(writer)

    async def main() -> None:
        async with serving(look, server_settings(**MUTUAL)) as port:
            reader, writer = await dial(port)
            assert await reader.read() == b""
            await hang_up(writer)

    run(main())
    (connection,) = seen
    assert isinstance(connection, ServerConnection)
    assert connection.peer is not None
    assert connection.peer.names.dns == ("client.example",)
