"""Streams over asyncio: refusals, and peers that keep one waiting."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import pytest
from aio_loopback import Reader, Writer, dial, hang_up, run, serving
from certificates import SERVER_NAME, stranger
from loopback import MUTUAL, Task, client_settings, server_settings, tcp_pair

from tlscope import (
    AlertDescription,
    AlertReceived,
    CertificateRejected,
    HandshakeTimeout,
    PeerViolation,
    TLSStream,
    TruncatedStream,
    TrustAnchors,
    VerifyPeer,
    aio,
)
from tlscope.wire.codepoints import AlertLevel


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
                with pytest.raises(TruncatedStream, match="closed the connection after the ClientHello"):
                    await dial(server.sockets[0].getsockname()[1])

        run(main())
