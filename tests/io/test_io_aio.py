"""Streams over asyncio: data, flow control, ends, refusals, and tasks that are cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
from certificates import SERVER_NAME, stranger
from loopback import MUTUAL, PATIENCE, Relay, Task, client_settings, read_all, reset, server_settings, tcp_pair

from tlscope import (
    AlertDescription,
    AlertReceived,
    CertificateRejected,
    ClientConfig,
    ClientConnection,
    HandshakeTimeout,
    PeerViolation,
    ProtocolVersion,
    ServerConfig,
    ServerConnection,
    TLSStream,
    Trace,
    TruncatedStream,
    TrustAnchors,
    VerifyPeer,
    aio,
    connect,
)
from tlscope.wire.codepoints import AlertLevel

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
        async def deaf(reader: Reader, writer: Writer) -> None:
            await asyncio.sleep(PATIENCE)

        async def main() -> None:
            loop = asyncio.get_running_loop()
            async with serving(deaf) as port:
                _, writer = await dial(port)
                start = loop.time()
                await hang_up(writer)
                assert 0.3 < loop.time() - start < 3

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
                assert await reader.read() == b""
                while not errors:
                    await asyncio.sleep(0.005)
                assert isinstance(errors[0], TruncatedStream)

        run(main())

    def test_a_server_that_closes_lets_its_connections_end(self) -> None:
        async def main() -> None:
            async with serving() as port:
                reader, writer = await dial(port)
            writer.write(b"still here")
            assert await reader.readexactly(10) == b"still here"
            with pytest.raises(ConnectionRefusedError):
                await dial(port)
            await hang_up(writer)

        run(main())


class TestRefusals:
    def test_the_client_refuses_the_server(self) -> None:
        errors: list[tuple[Exception, Any]] = []

        async def main() -> None:
            loop = asyncio.get_running_loop()
            async with serving(on_error=lambda *args: errors.append(args)) as port:
                start = loop.time()
                with pytest.raises(CertificateRejected):
                    await dial(port, client_settings(trust=TrustAnchors.from_certificates([stranger().certificate])))
                assert loop.time() - start < 0.45
                while not errors:
                    await asyncio.sleep(0.005)
                error, peername = errors[0]
                assert isinstance(error, AlertReceived)
                assert error.description is AlertDescription.unknown_ca
                assert peername[0] == "127.0.0.1"

        run(main())

    def test_the_server_refuses_the_client(self) -> None:
        errors: list[Exception] = []

        async def main() -> None:
            config = server_settings(**MUTUAL)
            async with serving(config=config, on_error=lambda error, _: errors.append(error)) as port:
                reader, writer = await dial(port, client_settings(identity=None))
                with pytest.raises(AlertReceived) as caught:
                    await reader.read(1)
                assert caught.value.description is AlertDescription.certificate_required
                with pytest.raises(AlertReceived):
                    await writer.drain()
                writer.close()
                with pytest.raises(AlertReceived):
                    await writer.wait_closed()
                while not errors:
                    await asyncio.sleep(0.005)
                assert isinstance(errors[0], PeerViolation)

        run(main())

    def test_a_write_that_fails_finds_the_alert_that_explains_it(self) -> None:
        """The alert lies in the socket, unread; the next write meets a reset."""
        ours, theirs = tcp_pair()
        accepting = Task(lambda: TLSStream.server(theirs, server_settings(tickets=None)))

        async def main() -> None:
            _, writer = await aio.open_connection(config=client_settings(), server_name=SERVER_NAME, sock=ours)
            server = await asyncio.to_thread(accepting.result)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            server.connection._send_alert(AlertLevel.fatal, AlertDescription.access_denied)
            server._sock.sendall(server.connection.data_to_send())
            server._sock.close()
            with pytest.raises(AlertReceived) as caught:
                for _ in range(1000):
                    writer.write(bytes(65536))
                    await writer.drain()
                    await asyncio.sleep(0.001)
            assert caught.value.description is AlertDescription.access_denied
            await hang_up(writer)

        run(main())

    def test_without_a_hook_a_client_s_fault_is_one_line(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "tlscope.io")

        async def main() -> None:
            async with serving() as port:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET / HTTP/1.1\r\n\r\n")
                assert b"Use https://" in await reader.read()
                writer.close()
                while not caplog.records:
                    await asyncio.sleep(0.005)

        run(main())
        (record,) = caplog.records
        assert record.levelno == logging.INFO
        assert record.exc_info is None

    def test_what_a_handler_raises_ends_its_connection_and_is_reported(self) -> None:
        async def broken(reader: Reader, writer: Writer) -> None:
            raise LookupError("a fault of the application")

        async def main(**options: Any) -> None:
            async with serving(broken, **options) as port:
                reader, writer = await dial(port)
                assert await reader.read() == b""
                await hang_up(writer)

        errors: list[Exception] = []
        run(main(on_error=lambda error, _: errors.append(error)))
        assert [type(error) for error in errors] == [LookupError]
        faults: list[dict[str, Any]] = []
        run(main(), faults=faults)
        assert [type(fault["exception"]) for fault in faults] == [LookupError]

    def test_a_callback_need_not_be_a_coroutine(self) -> None:
        def plain(reader: Reader, writer: Writer) -> None:
            writer.write(b"hello")
            writer.close()

        async def main() -> None:
            async with serving(plain) as port:  # type: ignore[arg-type]
                reader, writer = await dial(port)
                assert await reader.read() == b"hello"
                await hang_up(writer)

        run(main())

    def test_decisions_can_be_awaited(self) -> None:
        async def decide(decision: Any) -> Any:
            await asyncio.sleep(0.02)
            return decision.resolve()

        async def main() -> None:
            asking = frozenset({VerifyPeer})
            config = server_settings(**MUTUAL, ask=asking)
            errors: list[Exception] = []
            async with serving(config=config, decide=decide, on_error=lambda error, _: errors.append(error)) as port:
                for options in ({"decide": decide}, {"decide": lambda decision: decision.resolve()}, {}):
                    reader, writer = await dial(port, client_settings(ask=asking), **options)
                    writer.write(b"x")
                    assert await reader.readexactly(1) == b"x"
                    await hang_up(writer)
                trust = TrustAnchors.from_certificates([stranger().certificate])
                for options in ({"decide": decide}, {}):
                    with pytest.raises(CertificateRejected):
                        await dial(port, client_settings(ask=asking, trust=trust), **options)
                while len(errors) < 2:
                    await asyncio.sleep(0.005)
                assert {type(error) for error in errors} == {AlertReceived}

        run(main())


class TestTime:
    def test_a_server_that_says_nothing(self) -> None:
        async def main() -> None:
            with socket.create_server(("127.0.0.1", 0)) as silent:
                port = silent.getsockname()[1]
                with pytest.raises(
                    TimeoutError, match=r"the server sent no ServerHello or HelloRetryRequest within 0\.1"
                ):
                    await dial(port, handshake_timeout=0.1)

        run(main())

    def test_a_client_that_says_nothing_holds_up_nobody(self) -> None:
        errors: list[Exception] = []

        async def main() -> None:
            async with serving(handshake_timeout=0.2, on_error=lambda error, _: errors.append(error)) as port:
                silent, silent_writer = await asyncio.open_connection("127.0.0.1", port)
                reader, writer = await dial(port)
                writer.write(b"x")
                assert await reader.readexactly(1) == b"x"
                await hang_up(writer)
                assert await silent.read() == b""
                silent_writer.close()
                assert [type(error) for error in errors] == [HandshakeTimeout]
                assert "the client sent no ClientHello within 0.2 s" in str(errors[0])

        run(main())

    def test_nobody_listens(self) -> None:
        async def main() -> None:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                port = listener.getsockname()[1]
            with pytest.raises(ConnectionRefusedError):
                await dial(port)

        run(main())

    def test_a_server_that_hangs_up_in_the_handshake(self) -> None:
        async def main() -> None:
            async def hang_up_at_once(reader: Reader, writer: Writer) -> None:
                await reader.read(1)
                writer.close()

            server = await asyncio.start_server(hang_up_at_once, "127.0.0.1", 0)
            async with server:
                with pytest.raises(TruncatedStream, match="in the middle of the handshake"):
                    await dial(server.sockets[0].getsockname()[1])

        run(main())


async def steps(task: asyncio.Task[Any], count: int) -> None:
    """Let the loop go round so many times, or until the task is done."""
    for _ in range(count):
        if task.done():
            return
        await asyncio.sleep(0)


class TestCancellation:
    def test_open_connection_cancelled_at_every_await(self) -> None:
        """After each cancellation nothing is left open, nothing is logged as lost, and the server serves on."""
        completed = 0

        async def main() -> None:
            nonlocal completed
            async with serving(on_error=lambda error, _: None) as port:
                for count in range(400):
                    task = asyncio.create_task(dial(port))
                    await steps(task, count)
                    if task.done():
                        await hang_up(task.result()[1])
                        completed += 1
                        if completed == 3:
                            break
                        continue
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                reader, writer = await dial(port)
                writer.write(b"x")
                assert await reader.readexactly(1) == b"x"
                await hang_up(writer)

        run(main())
        assert completed == 3

    def test_a_refusal_cancelled_at_every_await(self) -> None:
        refused = 0

        async def main() -> None:
            nonlocal refused
            config = client_settings(trust=TrustAnchors.from_certificates([stranger().certificate]))
            async with serving(on_error=lambda error, _: None) as port:
                for count in range(400):
                    task = asyncio.create_task(dial(port, config))
                    await steps(task, count)
                    task.cancel()
                    with pytest.raises((asyncio.CancelledError, CertificateRejected)) as caught:
                        await task
                    refused += isinstance(caught.value, CertificateRejected)
                    if refused == 3:
                        break

        run(main())
        assert refused == 3

    def test_reads_drains_and_closes_can_be_cancelled(self) -> None:
        async def main() -> None:
            async with serving() as port:
                reader, writer = await dial(port)
                for pending in (reader.read(1), reader.readexactly(2), reader.readline(), reader.read()):
                    task = asyncio.create_task(pending)
                    await asyncio.sleep(0.005)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                writer.write(b"still whole\n")
                assert await reader.readline() == b"still whole\n"
                writer.close()
                task = asyncio.create_task(writer.wait_closed())
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await writer.wait_closed()

        run(main())

    def test_a_decision_that_is_cancelled_with_its_connection(self) -> None:
        async def forever(decision: Any) -> Any:
            await asyncio.sleep(PATIENCE * 10)

        async def main() -> None:
            async with serving(on_error=lambda error, _: None) as port:
                with pytest.raises(TimeoutError):
                    await dial(
                        port, client_settings(ask=frozenset({VerifyPeer})), handshake_timeout=0.1, decide=forever
                    )

        run(main())

    def test_a_loop_that_ends_with_connections_open_complains_of_nothing(self) -> None:
        async def main() -> None:
            server = await aio.start_server(echo, server_settings())
            _, writer = await dial(server.sockets[0].getsockname()[1])
            writer.close()
            server.close()

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
