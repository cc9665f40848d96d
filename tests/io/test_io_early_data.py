"""Sessions and early data over sockets (RFC 8446 sections 2.2, 2.3 and 8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from certificates import SERVER_NAME
from loopback import PATIENCE, client_settings, read_all, server_settings

from tlscope import Server, TLSStream, aio, connect

WORDS = b"GET / HTTP/1.1\r\n\r\n"


class Heard:
    """A server's handler that keeps what came, and how, and answers."""

    def __init__(self) -> None:
        self.early: list[bytes] = []
        self.late: list[bytes] = []
        self.resumed: list[bool] = []

    def note(self, connection: Any, early: bytes, late: bytes) -> None:
        self.resumed.append(connection.facts.resumed)
        self.early.append(early)
        self.late.append(late)

    def __call__(self, stream: TLSStream) -> None:
        stream.sendall(b"answer")
        self.note(stream.connection, stream.early_data, read_all(stream))

    async def async_(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"answer")
        self.note(writer.get_extra_info("tlscope"), writer.get_extra_info("early_data"), await reader.read())
        writer.close()


def blocking(server_config: Any, client_config: Any, times: int) -> tuple[Heard, list[str]]:
    """So many connections, one after the other, each with the words as early data; what became of them each time."""
    heard, fate = Heard(), []
    with Server(server_config, heard, timeout=PATIENCE) as server:
        for _ in range(times):
            options: dict[str, Any] = {"server_name": SERVER_NAME, "timeout": PATIENCE, "early_data": WORDS}
            with connect(*server.address, client_config, **options) as client:
                assert client.recv(6) == b"answer"
                assert client.facts is not None
                fate.append(client.facts.early_data)
                client.sendall(b"more")
                client.shutdown_write()
                assert read_all(client) == b""
    return heard, fate


def over_asyncio(server_config: Any, client_config: Any, times: int) -> tuple[Heard, list[str]]:
    heard, fate = Heard(), []

    async def main() -> None:
        server = await aio.start_server(heard.async_, server_config)
        port = server.sockets[0].getsockname()[1]
        for _ in range(times):
            reader, writer = await aio.open_connection(
                "127.0.0.1", port, client_config, server_name=SERVER_NAME, early_data=WORDS
            )
            assert await reader.readexactly(6) == b"answer"
            fate.append(writer.get_extra_info("tlscope").facts.early_data)
            writer.write(b"more")
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
        server.close()
        await server.wait_closed()

    asyncio.run(main())
    return heard, fate


runners = pytest.mark.parametrize("run", [blocking, over_asyncio])


@runners
def test_it_is_sent_early_as_soon_as_there_is_a_session(run: Any) -> None:
    heard, fate = run(server_settings(max_early_data=1000), client_settings(early_data=True), 3)
    assert fate == ["", "accepted", "accepted"]
    assert heard.resumed == [False, True, True]
    assert heard.early == [b"", WORDS, WORDS]
    assert heard.late == [WORDS + b"more", b"more", b"more"]


@runners
def test_without_leave_of_the_client_s_settings_it_is_sent_late(run: Any) -> None:
    heard, fate = run(server_settings(max_early_data=1000), client_settings(), 2)
    assert fate == ["", ""]
    assert heard.resumed == [False, True]
    assert heard.late == [WORDS + b"more"] * 2


@runners
def test_more_than_the_server_takes_is_sent_late(run: Any) -> None:
    heard, _ = run(server_settings(max_early_data=len(WORDS) - 1), client_settings(early_data=True), 2)
    assert heard.resumed == [False, True]
    assert heard.early == [b"", b""]
    assert heard.late == [WORDS + b"more"] * 2


@runners
def test_what_the_server_rejects_is_sent_again(run: Any) -> None:
    """The second server has the first one's ticket keys but takes no early data."""
    first = server_settings(max_early_data=1000)
    client = client_settings(early_data=True)
    run(first, client, 1)
    heard, fate = run(first.replace(max_early_data=0), client, 1)
    assert fate == ["rejected"]
    assert heard.resumed == [True]
    assert heard.early == [b""]
    assert heard.late == [WORDS + b"more"]
