"""What each library that stands on ``ssl`` has taught: rules whose breach made one of them hang or fail."""

from __future__ import annotations

import select
import socket
import ssl as std
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from contexts import Files, Sides

import tlscope.ssl as ssl

LIMIT = 20.0


@pytest.fixture
def pair(both: Sides) -> Iterator[tuple[Any, Any]]:
    """A connected client and server, both tlscope's, whose tickets have been read."""
    server_context = both.server()
    server_context.num_tickets = 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        raw = socket.create_connection(listener.getsockname(), timeout=LIMIT)
        theirs, _ = listener.accept()
    theirs.settimeout(LIMIT)
    with ThreadPoolExecutor(1) as pool:
        accepted = pool.submit(server_context.wrap_socket, theirs, server_side=True)
        client = both.client().wrap_socket(raw, server_hostname="localhost")
        server = accepted.result(LIMIT)
    yield client, server
    client.close()
    server.close()


def test_what_select_does_not_show_is_pending(pair: tuple[Any, Any]) -> None:
    """tornado hung: a record that was read ahead is in no buffer that the kernel knows of."""
    client, server = pair
    client.setblocking(False)
    for count in (1, 5):
        for number in range(count):
            server.sendall(bytes((number,)) * 100)
        for number in range(count):
            assert select.select([client], [], [], LIMIT)[0]
            assert client.recv(30) == bytes((number,)) * 30
            assert client.pending() == 70
            assert client.recv(1000) == bytes((number,)) * 70
            assert client.pending() == 0
    assert select.select([client], [], [], 0)[0] == []


def test_a_record_that_comes_in_pieces_is_read_when_it_is_whole(pair: tuple[Any, Any]) -> None:
    client, server = pair
    client.setblocking(False)
    server._sslobj.connection.send_data(b"x" * 1000)
    record = server._sslobj.connection.data_to_send()
    for start in range(0, len(record), 100):
        with pytest.raises(std.SSLWantReadError):
            client.recv(1)
        socket.socket.sendall(server, record[start : start + 100])
        assert select.select([client], [], [], LIMIT)[0]
    assert client.recv(2000) == b"x" * 1000


def test_one_thread_reads_while_another_writes(pair: tuple[Any, Any]) -> None:
    """websockets' client: a thread sits in recv all the time, and that must not keep anybody from sending."""
    client, server = pair
    received: list[bytes] = []

    def read() -> None:
        while data := client.recv(100):
            received.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(20):
        client.sendall(bytes((number,)))
        assert server.recv(10) == bytes((number,))
        server.sendall(bytes((number,)))
    server.sendall(b"end")
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(server.unwrap)
        reader.join(LIMIT)
        assert not reader.is_alive()
        client.unwrap()
        other.result(LIMIT)
    assert b"".join(received) == bytes(range(20)) + b"end"


def test_a_peer_that_does_not_read_stops_the_writer_alone(pair: tuple[Any, Any]) -> None:
    """The reader has something to say, an answer to a KeyUpdate; it must not wait for the writer that waits for the peer."""
    client, server = pair
    block = bytes(1 << 16)
    stuck, sent = threading.Event(), 0

    def write() -> None:
        nonlocal sent
        client.settimeout(LIMIT)
        while not stuck.is_set():
            sent += client.send(block)
        client.sendall(b"last")

    writer = threading.Thread(target=write)
    writer.start()
    before = -1
    while sent != before:
        before = sent
        writer.join(0.3)
    # The server does not read, and sends: data before and behind a request to change keys.
    server.sendall(b"one")
    server.connection.update_keys(request_peer=True)
    server.sendall(b"two")
    assert client.recv(10) + client.recv(10) == b"onetwo"
    assert writer.is_alive()
    # Once it reads, all of it is there and under the right keys.
    stuck.set()
    received, data = 0, b""
    while not data.endswith(b"last"):
        data = server.recv(1 << 16)
        received += len(data)
    writer.join(LIMIT)
    assert received == sent + 4


def test_wrap_bio_in_a_worker_thread_with_positional_arguments(files: Files) -> None:
    """anyio calls it so, with the name as IDNA's bytes."""
    context = ssl.create_default_context(cafile=files.ca)
    incoming, outgoing = std.MemoryBIO(), std.MemoryBIO()
    with ThreadPoolExecutor(1) as pool:
        tls = pool.submit(context.wrap_bio, incoming, outgoing, False, "bücher.example".encode("idna"), None).result()
    assert tls.server_hostname == "xn--bcher-kva.example"
    with pytest.raises(std.SSLWantReadError):
        tls.do_handshake()
    assert b"xn--bcher-kva.example" in outgoing.read()


def test_a_shared_context_is_changed_between_connections_of_many_threads(both: Sides) -> None:
    """urllib3 sets check_hostname and verify_mode on contexts that it shares; what a connection has begun with stays."""
    client_context, server_context = both.client(), both.server()

    def handshake(name: str) -> bool:
        to_server, to_client = std.MemoryBIO(), std.MemoryBIO()
        a = client_context.wrap_bio(to_client, to_server, server_hostname=name)
        b = server_context.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(4):
            for end in (a, b):
                try:
                    end.do_handshake()
                except std.SSLWantReadError:
                    pass
                except std.SSLError:
                    return False
        return a.version() is not None

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(handshake, ["localhost"] * 20))
        assert not any(pool.map(handshake, ["other.example"] * 4))
        client_context.check_hostname = False
        assert all(pool.map(handshake, ["other.example"] * 8))
        client_context.check_hostname = True
        assert not any(pool.map(handshake, ["other.example"] * 4))


def test_a_long_write_to_a_full_socket_is_taken_in_part(pair: tuple[Any, Any]) -> None:
    """As with OpenSSL: ``send`` tells how much went, nothing is kept beyond a block, and what comes is what was sent."""
    client, server = pair
    client.setblocking(False)
    data = bytes(range(256)) * (1 << 16)  # 16 MiB
    sent = client.send(data)
    assert 0 < sent < len(data)
    assert len(client._sslobj._transport._kept) <= (1 << 16) + 1024
    received = bytearray()
    while sent < len(data):
        received += server.recv(1 << 16)
        try:
            sent += client.send(memoryview(data)[sent:])
        except std.SSLWantWriteError:
            continue
    client.setblocking(True)
    client.sendall(b"end")
    while len(received) < len(data) + 3:
        received += server.recv(1 << 16)
    assert received == data + b"end"


def test_a_long_write_with_a_time_limit(pair: tuple[Any, Any]) -> None:
    client, _ = pair
    client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.sendall(bytes(1 << 25))
