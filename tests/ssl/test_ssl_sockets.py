"""``SSLSocket`` over real sockets: blocking, not blocking, with time limits and two threads; and the standard
library's own clients and servers on top, one-way and mutual, against tlscope and against ``ssl``.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import http.server
import select
import socket
import ssl as std
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from contexts import Sides

import tlscope.ssl as ssl

LIMIT = 20.0


@pytest.fixture
def connected() -> Iterator[Callable[..., tuple[Any, Any]]]:
    """A client's and a server's TLS socket, connected over loopback."""
    opened: list[socket.socket] = []

    def connect(client: std.SSLContext, server: std.SSLContext, **options: Any) -> tuple[Any, Any]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            raw = socket.create_connection(listener.getsockname(), timeout=LIMIT)
            theirs, _ = listener.accept()
        theirs.settimeout(LIMIT)
        with ThreadPoolExecutor(1) as pool:
            accepted = pool.submit(server.wrap_socket, theirs, server_side=True)
            ours = client.wrap_socket(raw, server_hostname="localhost", **options)
            ends = ours, accepted.result(LIMIT)
        opened.extend(ends)
        return ends

    yield connect
    for one in opened:
        one.close()


@pytest.mark.parametrize("mutual", [False, True])
def test_data_both_ways(sides: Sides, connected: Any, mutual: bool) -> None:
    client, server = connected(sides.client(), sides.server(mutual=mutual))
    assert isinstance(client, std.SSLSocket)
    client.sendall(b"hello")
    assert server.recv(100) == b"hello"
    server.sendall(b"world")
    buffer = bytearray(10)
    assert client.recv_into(buffer) == 5
    assert (client.version(), client.getpeercert()["subject"]) == ("TLSv1.3", ((("commonName", "localhost"),),))
    assert (server.getpeercert() is not None) is mutual


def test_a_lot_of_data_both_ways_at_once(sides: Sides, connected: Any) -> None:
    """One thread reads while another writes on each socket, and nobody waits for anybody."""
    client, server = connected(sides.client(), sides.server())
    data = bytes(range(256)) * 8192  # 2 MiB

    def receive(sock: Any) -> bytes:
        received = b""
        while len(received) < len(data):
            received += sock.recv(65536)
        return received

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(receive, one) for one in (client, server)]
        jobs += [pool.submit(one.sendall, data) for one in (client, server)]
        results = [job.result(LIMIT) for job in jobs]
    assert results[0] == results[1] == data


def test_nothing_is_read_ahead(both: Sides, connected: Any) -> None:
    """What ``select`` does not show must be in ``pending``: two records are read as two."""
    client, server = connected(both.client(), both.server())
    server.sendall(b"first")
    server.sendall(b"second")
    client.setblocking(False)
    received = []
    for _ in range(10):
        if not client.pending():
            readable, _, _ = select.select([client], [], [], 2)
            if not readable:
                break
        with contextlib.suppress(std.SSLWantReadError):
            received.append(client.recv(100))
        if b"".join(received) == b"firstsecond":
            break
    assert received == [b"first", b"second"]


def test_a_socket_that_does_not_block_says_what_it_wants(both: Sides, connected: Any) -> None:
    client, server = connected(both.client(), both.server())
    client.setblocking(False)
    with pytest.raises(std.SSLWantReadError):
        while True:  # tickets are read on the way
            client.recv(1)
    block = bytes(100_000)
    sent = 0
    with pytest.raises(std.SSLWantWriteError):
        while True:
            sent += client.send(block)
    received = 0
    server.settimeout(0.2)
    with contextlib.suppress(TimeoutError):
        while True:
            received += len(server.recv(65536))
    # The block that was refused has been taken in part: coming again with it sends the rest, and not all of it twice.
    client.setblocking(True)
    sent += client.send(block)
    client.sendall(b"end")
    server.settimeout(LIMIT)
    while received < sent + 3:
        received += len(server.recv(65536))
    assert received == sent + 3


def test_time_limits(both: Sides, connected: Any) -> None:
    client, _ = connected(both.client(), both.server())
    client.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.recv(1)


def test_a_handshake_that_never_comes_is_given_up(both: Sides) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        raw = socket.create_connection(listener.getsockname(), timeout=0.1)
        with pytest.raises(TimeoutError):
            both.client().wrap_socket(raw, server_hostname="localhost")
        raw.close()


def test_unwrap_gives_the_plain_socket_back(sides: Sides, connected: Any) -> None:
    client, server = connected(sides.client(), sides.server())
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(server.unwrap)
        plain = client.unwrap()
        theirs = other.result(LIMIT)
    socket.socket.sendall(plain, b"in the clear")
    assert socket.socket.recv(theirs, 100) == b"in the clear"


def test_an_end_and_a_cut(sides: Sides, connected: Any) -> None:
    client, server = connected(sides.client(), sides.server(), suppress_ragged_eofs=False)
    server.sendall(b"x")
    assert client.recv(10) == b"x"
    socket.socket.shutdown(server, socket.SHUT_RDWR)
    with pytest.raises(std.SSLEOFError):
        client.recv(10)
    client, server = connected(sides.client(), sides.server())
    socket.socket.shutdown(server, socket.SHUT_RDWR)
    assert client.recv(10) == b"", "suppress_ragged_eofs is the default, as it is there"


@pytest.fixture
def web(sides: Sides) -> Iterator[Callable[[bool], int]]:
    """The standard library's web server under TLS; gives its port."""
    running: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = str(self.connection.getpeercert() is not None).encode() * 1000
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    def serve(mutual: bool) -> int:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.socket = sides.server(mutual=mutual).wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        running.append((server, thread))
        return int(server.server_address[1])

    yield serve
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join(LIMIT)


@pytest.mark.parametrize("mutual", [False, True])
def test_http_client_and_server(sides: Sides, web: Any, mutual: bool) -> None:
    port = web(mutual)
    client = http.client.HTTPSConnection("localhost", port, context=sides.client(), timeout=LIMIT)
    try:
        for _ in range(3):
            client.request("GET", "/")
            assert client.getresponse().read() == str(mutual).encode() * 1000
    finally:
        client.close()
    with urllib.request.urlopen(f"https://localhost:{port}/", context=sides.client(), timeout=LIMIT) as response:
        assert response.status == 200


@pytest.mark.parametrize("mutual", [False, True])
def test_asyncio_streams(sides: Sides, mutual: bool) -> None:
    data = bytes(range(256)) * 2000

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while block := await reader.read(65536):
            writer.write(block)
            await writer.drain()
        writer.close()

    async def talk() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=sides.server(mutual=mutual))
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("localhost", port, ssl=sides.client())
        writer.write(data)
        assert await reader.readexactly(len(data)) == data
        assert writer.get_extra_info("peercert")["subject"] == ((("commonName", "localhost"),),)
        assert writer.get_extra_info("cipher")[1] == "TLSv1.3"
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        server.close()

    asyncio.run(asyncio.wait_for(talk(), LIMIT))


@pytest.mark.skipif(not hasattr(asyncio.StreamWriter, "start_tls"), reason="Python has it since 3.11")
def test_asyncio_start_tls(sides: Sides) -> None:
    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"GO\n")
        await writer.start_tls(sides.server())
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def talk() -> None:
        server = await asyncio.start_server(upgrade, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"GO\n"
        await writer.start_tls(sides.client(), server_hostname="localhost")
        writer.write(b"under cover\n")
        assert await reader.readline() == b"under cover\n"
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        server.close()

    asyncio.run(asyncio.wait_for(talk(), LIMIT))


def test_refusals_reach_the_libraries(sides: Sides, web: Any) -> None:
    port = web(True)
    client = http.client.HTTPSConnection("localhost", port, context=sides.client(certificate=False), timeout=LIMIT)
    try:
        with pytest.raises((std.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            client.request("GET", "/")
            client.getresponse()
    finally:
        client.close()
    untrusting = sides.client_module.create_default_context()
    with pytest.raises(urllib.error.URLError) as caught:
        urllib.request.urlopen(f"https://localhost:{port}/", context=untrusting, timeout=LIMIT)
    assert isinstance(caught.value.reason, std.SSLCertVerificationError)
    if sides.client_module is ssl:
        assert "tlscope local CA" in str(caught.value), "the explanation is in the library's own error"
