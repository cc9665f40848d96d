"""TLS over a connection of asyncio's that began in the open."""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aio_loopback import Reader, Writer, hang_up, run
from certificates import SERVER_NAME, stranger
from loopback import MUTUAL, client_settings, server_settings, tcp_pair

from tlscope import (
    AlertReceived,
    CertificateRejected,
    ClientConfig,
    HandshakeTimeout,
    Identity,
    Misuse,
    PeerViolation,
    ServerConfig,
    TruncatedStream,
    TrustAnchors,
    aio,
)
from tlscope.authority import Authority

Pair = tuple[Reader, Writer]


async def plain_pair() -> tuple[Pair, Pair]:
    """Client and server over TCP, before TLS."""
    left, right = tcp_pair()
    return await asyncio.open_connection(sock=left), await asyncio.open_connection(sock=right)


async def upgraded(**options: Any) -> tuple[Pair, Pair]:
    (client_reader, client_writer), (server_reader, server_writer) = await plain_pair()
    return await asyncio.gather(
        aio.start_tls(client_reader, client_writer, client_settings(), server_name=SERVER_NAME, **options),
        aio.start_tls(server_reader, server_writer, server_settings(**MUTUAL)),
    )


def a_mail_server(seen: list[Any]) -> Callable[[Reader, Writer], Awaitable[None]]:
    """Greets in the open, goes over to TLS when asked, then echoes a line."""

    async def serve(reader: Reader, writer: Writer) -> None:
        writer.write(b"220 hello\r\n")
        assert await reader.readline() == b"STARTTLS\r\n"
        writer.write(b"220 go ahead\r\n")
        try:
            reader, writer = await aio.start_tls(reader, writer, server_settings(**MUTUAL))
        except Exception as error:
            seen.append(error)
            return
        seen.append(writer.get_extra_info("tlscope").peer.names.dns)
        writer.write(await reader.readline())
        await hang_up(writer)

    return serve


class TestUpgrade:
    def test_a_client_and_a_server_of_asyncio_s_go_over_to_tls(self) -> None:
        seen: list[Any] = []

        async def main() -> None:
            server = await asyncio.start_server(a_mail_server(seen), "127.0.0.1", 0)
            async with server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                assert await reader.readline() == b"220 hello\r\n"
                writer.write(b"STARTTLS\r\n")
                assert await reader.readline() == b"220 go ahead\r\n"
                secured, answer = await aio.start_tls(reader, writer, client_settings(), server_name=SERVER_NAME)
                answer.write(b"in private\r\n")
                assert await secured.readline() == b"in private\r\n"
                assert answer.get_extra_info("tlscope").facts.server_name == SERVER_NAME
                assert await secured.read() == b""
                await hang_up(answer)

        run(main())
        assert seen == [("client.example",)]

    @pytest.mark.interop
    @pytest.mark.parametrize("ours", ["client", "server"])
    def test_a_peer_on_the_standard_library(self, ours: str, tmp_path: Path) -> None:
        authority = Authority.create()
        issued = authority.issue_server(SERVER_NAME)
        (tmp_path / "server.pem").write_bytes(issued.pem() + issued.key_pem())

        async def main() -> None:
            client, server = await plain_pair()
            theirs = ssl.create_default_context(cadata=authority.pem().decode())
            if ours == "client":
                theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                theirs.load_cert_chain(tmp_path / "server.pem")
                server[1]._protocol._client_connected_cb = print  # type: ignore[attr-defined]
                config: Any = ClientConfig(trust=TrustAnchors.from_pem(authority.pem()))
                pair, _ = await asyncio.gather(
                    aio.start_tls(*client, config, server_name=SERVER_NAME), server[1].start_tls(theirs)
                )
                other = server
            else:
                config = ServerConfig(identities=[Identity.from_files(tmp_path / "server.pem")])
                pair, _ = await asyncio.gather(
                    aio.start_tls(*server, config), client[1].start_tls(theirs, server_hostname=SERVER_NAME)
                )
                other = client
            for (_, writer), (reader, _) in ((pair, other), (other, pair)):
                writer.write(b"line\n")
                assert await reader.readline() == b"line\n"
            await asyncio.gather(hang_up(pair[1]), hang_up(other[1]))

        run(main())

    def test_what_was_put_before_the_handshake_is_never_taken_for_data(self) -> None:
        """An attacker in between adds a command in the open; it must not seem to be the client's (CVE-2011-0411)."""

        async def main() -> None:
            (client_reader, client_writer), (server_reader, server_writer) = await plain_pair()
            client_writer.write(b"RCPT TO:<attacker>\r\n")
            await client_writer.drain()
            while not server_reader._buffer:  # type: ignore[attr-defined]
                await asyncio.sleep(0.001)
            results = await asyncio.gather(
                aio.start_tls(client_reader, client_writer, client_settings(), server_name=SERVER_NAME),
                aio.start_tls(server_reader, server_writer, server_settings()),
                return_exceptions=True,
            )
            assert isinstance(results[1], PeerViolation)
            assert isinstance(results[0], AlertReceived | TruncatedStream | PeerViolation)

        run(main())

    def test_a_client_hello_that_has_arrived_already_belongs_to_the_handshake(self) -> None:
        async def main() -> None:
            (client_reader, client_writer), (server_reader, server_writer) = await plain_pair()
            dialling = asyncio.create_task(
                aio.start_tls(client_reader, client_writer, client_settings(), server_name=SERVER_NAME)
            )
            while not server_reader._buffer:  # type: ignore[attr-defined]
                await asyncio.sleep(0.001)
            reader, writer = await aio.start_tls(server_reader, server_writer, server_settings())
            _, answer = await dialling
            answer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            await asyncio.gather(hang_up(writer), hang_up(answer))

        run(main())

    def test_a_reader_that_was_full_reads_on(self) -> None:
        async def main() -> None:
            left, right = tcp_pair()
            client_reader, client_writer = await asyncio.open_connection(sock=left)
            server_reader, server_writer = await asyncio.open_connection(sock=right, limit=8)
            dialling = asyncio.create_task(
                aio.start_tls(client_reader, client_writer, client_settings(), server_name=SERVER_NAME)
            )
            while server_writer.transport.is_reading():  # type: ignore[attr-defined]
                await asyncio.sleep(0.001)
            _, writer = await aio.start_tls(server_reader, server_writer, server_settings())
            _, answer = await dialling
            await asyncio.gather(hang_up(writer), hang_up(answer))

        run(main())

    def test_tls_in_tls(self) -> None:
        async def main() -> None:
            outer_client, outer_server = await upgraded()
            outer = outer_client[1].get_extra_info("tlscope")
            inner_client, inner_server = await asyncio.gather(
                aio.start_tls(*outer_client, client_settings(), server_name=SERVER_NAME),
                aio.start_tls(*outer_server, server_settings()),
            )
            inner_client[1].write(b"twice" * 50_000)
            inner_client[1].write_eof()
            assert await inner_server[0].read() == b"twice" * 50_000
            inner = inner_client[1].get_extra_info("tlscope")
            assert inner.facts.server_name == SERVER_NAME
            assert inner is not outer
            await asyncio.gather(hang_up(inner_client[1]), hang_up(inner_server[1]))

        run(main())

    def test_what_can_t_be_early_data_is_sent_first(self) -> None:
        async def main() -> None:
            (client_reader, client_writer), server = await plain_pair()
            client, (reader, writer) = await asyncio.gather(
                aio.start_tls(
                    client_reader, client_writer, client_settings(), server_name=SERVER_NAME, early_data=b"first"
                ),
                aio.start_tls(*server, server_settings()),
            )
            assert await reader.readexactly(5) == b"first"
            await asyncio.gather(hang_up(client[1]), hang_up(writer))

        run(main())


class TestTheOldPair:
    def test_nothing_can_be_written_or_read_with_it(self) -> None:
        async def main() -> None:
            plain, other = await plain_pair()
            (_, writer), (reader, answer) = await asyncio.gather(
                aio.start_tls(*plain, client_settings(), server_name=SERVER_NAME),
                aio.start_tls(*other, server_settings()),
            )
            for attempt in (
                lambda: plain[1].write(b"in the open"),
                lambda: plain[1].writelines([b"in", b"the open"]),
                plain[1].write_eof,
            ):
                with pytest.raises(Misuse, match="went over to TLS") as caught:
                    attempt()
                assert caught.value.code == "spent"
            with pytest.raises(Misuse, match="went over to TLS"):
                await plain[0].read(1)
            with pytest.raises(Misuse, match="went over to TLS"):
                await plain[1].drain()
            assert plain[1].is_closing()
            writer.write(b"private")
            assert await reader.readexactly(7) == b"private"
            await asyncio.gather(hang_up(writer), hang_up(answer))
            await plain[1].wait_closed()

        run(main())

    def test_thrown_away_it_leaves_the_connection_alone(self) -> None:
        async def main() -> None:
            (_, writer), (reader, answer) = await upgraded()
            gc.collect()
            writer.write(b"private")
            assert await reader.readexactly(7) == b"private"
            await asyncio.gather(hang_up(writer), hang_up(answer))

        run(main())

    def test_closing_it_closes_the_connection_with_close_notify(self) -> None:
        async def main() -> None:
            plain, other = await plain_pair()
            _, (reader, answer) = await asyncio.gather(
                aio.start_tls(*plain, client_settings(), server_name=SERVER_NAME),
                aio.start_tls(*other, server_settings()),
            )
            plain[1].close()
            assert await reader.read() == b""
            await hang_up(answer)
            await plain[1].wait_closed()

        run(main())


class TestRefusals:
    def test_a_handshake_that_fails_closes_the_connection(self) -> None:
        """A program that goes on as if nothing had happened can't send its secrets in the open."""

        async def main() -> None:
            plain, other = await plain_pair()
            config = client_settings(trust=TrustAnchors.from_certificates([stranger().certificate]))
            results = await asyncio.gather(
                aio.start_tls(*plain, config, server_name=SERVER_NAME),
                aio.start_tls(*other, server_settings()),
                return_exceptions=True,
            )
            assert isinstance(results[0], CertificateRejected)
            assert isinstance(results[1], AlertReceived)
            with pytest.raises(Misuse):
                plain[1].write(b"PASS secret")
            await asyncio.gather(hang_up(plain[1]), hang_up(other[1]))

        run(main())

    def test_a_peer_that_is_silent(self) -> None:
        async def main() -> None:
            plain, other = await plain_pair()
            with pytest.raises(HandshakeTimeout, match="the server sent no ServerHello"):
                await aio.start_tls(*plain, client_settings(), server_name=SERVER_NAME, handshake_timeout=0.05)
            other[1].close()
            await asyncio.gather(hang_up(plain[1]), hang_up(other[1]))

        run(main())

    def test_a_peer_that_had_ended(self) -> None:
        async def main() -> None:
            plain, other = await plain_pair()
            other[1].write_eof()
            assert await plain[0].read() == b""
            with pytest.raises(TruncatedStream, match="closed the connection after the ClientHello"):
                await aio.start_tls(*plain, client_settings(), server_name=SERVER_NAME)
            await asyncio.gather(hang_up(plain[1]), hang_up(other[1]))

        run(main())

    def test_what_can_t_begin_leaves_the_connection_as_it_was(self) -> None:
        async def main() -> None:
            plain, other = await plain_pair()
            with pytest.raises(Misuse, match="without server_name"):
                await aio.start_tls(*plain, client_settings())
            with pytest.raises(Misuse, match="a server has none"):
                await aio.start_tls(*plain, server_settings(), server_name=SERVER_NAME)
            reading = asyncio.create_task(plain[0].read(1))
            await asyncio.sleep(0)
            with pytest.raises(Misuse, match="another task reads"):
                await aio.start_tls(*plain, client_settings(), server_name=SERVER_NAME)
            other[1].write(b"x")
            assert await reading == b"x"
            plain[1].close()
            with pytest.raises(ConnectionResetError):
                await aio.start_tls(*plain, client_settings(), server_name=SERVER_NAME)
            await asyncio.gather(hang_up(plain[1]), hang_up(other[1]))

        run(main())
