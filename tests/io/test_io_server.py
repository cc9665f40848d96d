"""The threaded server: many clients, bad clients, bad handlers, and its end."""

from __future__ import annotations

import logging
import socket
import threading
import time
from typing import Any

import pytest
from certificates import SERVER_NAME
from loopback import MUTUAL, PATIENCE, Task, client_settings, read_all, server_settings

from tlscope import (
    AlertReceived,
    HandshakeTimeout,
    Misuse,
    PeerViolation,
    Server,
    TLSStream,
    TruncatedStream,
    connect,
    serve,
)


def echo(stream: TLSStream) -> None:
    while data := stream.recv(65536):
        stream.sendall(data)


def ask(server: Server, question: bytes = b"hello") -> bytes:
    with connect(*server.address, client_settings(), server_name=SERVER_NAME, timeout=PATIENCE) as client:
        client.sendall(question)
        client.shutdown_write()
        return read_all(client)


def until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


def our_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("tlscope-")]


def test_many_clients_at_once() -> None:
    with serve(server_settings(**MUTUAL), echo, timeout=PATIENCE) as server:
        tasks = [Task(ask, server, bytes([number]) * 50_000) for number in range(20)]
        for number, task in enumerate(tasks):
            assert task.result() == bytes([number]) * 50_000
    assert not our_threads()


def test_it_knows_its_address_and_frees_it() -> None:
    with Server(server_settings(), echo) as server:
        host, port = server.address
        assert host == "127.0.0.1"
        assert ask(server) == b"hello"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port))
    with Server(server_settings(), echo, port=port) as server:
        assert ask(server) == b"hello"


def test_an_address_that_is_taken() -> None:
    with Server(server_settings(), echo) as server, pytest.raises(OSError, match=r"(?i)in use"):
        Server(server_settings(), echo, port=server.address[1])


def test_ipv6() -> None:
    try:
        server = Server(server_settings(), echo, "::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with server:
        assert ask(server) == b"hello"


def test_a_client_that_stalls_holds_up_nobody() -> None:
    errors: list[tuple[Exception, Any]] = []
    with Server(
        server_settings(), echo, handshake_timeout=0.3, on_error=lambda error, address: errors.append((error, address))
    ) as server:
        stalled = [socket.create_connection(server.address) for _ in range(3)]
        assert ask(server) == b"hello"
        until(lambda: len(errors) == 3)
        assert {type(error) for error, _ in errors} == {HandshakeTimeout}
        assert {address for _, address in errors} == {sock.getsockname() for sock in stalled}
        for sock in stalled:
            sock.close()


def test_no_more_connections_than_allowed_at_a_time() -> None:
    at_work, most, gate = [0], [0], threading.Event()
    lock = threading.Lock()

    def handler(stream: TLSStream) -> None:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        gate.wait(PATIENCE)
        with lock:
            at_work[0] -= 1
        echo(stream)

    with Server(server_settings(), handler, max_connections=2, timeout=PATIENCE) as server:
        tasks = [Task(ask, server) for _ in range(6)]
        until(lambda: at_work[0] == 2)
        gate.set()
        assert [task.result() for task in tasks] == [b"hello"] * 6
        assert most[0] == 2


class Broken(Exception):
    pass


def test_what_a_handler_raises_is_reported_and_ends_one_connection_only() -> None:
    errors: list[Exception] = []

    def handler(stream: TLSStream) -> None:
        data = stream.recv(100)
        if data == b"bad":
            raise Broken
        stream.sendall(data)

    with Server(server_settings(), handler, on_error=lambda error, _: errors.append(error)) as server:
        assert ask(server, b"bad") == b""
        assert ask(server, b"good") == b"good"
        assert [type(error) for error in errors] == [Broken]


def test_a_refused_client_is_reported_with_what_was_wrong() -> None:
    errors: list[Exception] = []
    with Server(server_settings(**MUTUAL), echo, on_error=lambda error, _: errors.append(error)) as server:
        client = connect(*server.address, client_settings(identity=None), server_name=SERVER_NAME, timeout=PATIENCE)
        with client, pytest.raises(AlertReceived):
            client.recv(1)
        until(lambda: errors)
        assert isinstance(errors[0], PeerViolation)
        assert ask(server) == b"hello"


def test_the_hooks_see_each_connection() -> None:
    begun: list[Any] = []
    ended: list[Any] = []
    with Server(
        server_settings(),
        echo,
        on_handshake=lambda stream: begun.append(stream.facts),
        on_end=lambda stream, address, error: ended.append((stream.facts, error)),
        on_error=lambda error, address: None,
    ) as server:
        ask(server)
        with socket.create_connection(server.address) as sock:
            sock.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
            read_to_end(sock)
        until(lambda: len(ended) == 2)
    assert len(begun) == 1
    assert begun[0].server_name == SERVER_NAME
    assert (begun[0], None) in ended
    assert {type(error) for _, error in ended} == {type(None), PeerViolation}


def read_to_end(sock: socket.socket) -> None:
    while sock.recv(4096):
        pass


def test_hooks_that_break_break_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(*args: Any) -> None:
        raise Broken

    with Server(server_settings(), echo, on_error=broken, on_end=broken) as server:
        with socket.create_connection(server.address) as sock:
            sock.sendall(b"nonsense nonsense")
            read_to_end(sock)
        assert ask(server) == b"hello"
        until(lambda: {"on_error failed", "on_end failed"} <= {record.getMessage() for record in caplog.records})


def test_without_a_hook_faults_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tlscope.io")

    def handler(stream: TLSStream) -> None:
        raise Broken

    with Server(server_settings(), handler) as server:
        with socket.create_connection(server.address) as sock:
            sock.sendall(b"nonsense nonsense")
            read_to_end(sock)
        until(lambda: caplog.records)
        ask(server)
        until(lambda: len(caplog.records) == 2)
    client_fault, our_fault = caplog.records
    assert client_fault.levelno == logging.INFO
    assert client_fault.exc_info is None
    assert "does not speak TLS" in client_fault.getMessage()
    assert our_fault.levelno == logging.ERROR
    assert our_fault.exc_info is not None


def test_close_ends_connections_and_waits_for_handlers() -> None:
    entered: list[TLSStream] = []
    finished: list[Exception] = []

    def handler(stream: TLSStream) -> None:
        entered.append(stream)
        try:
            stream.recv(1)
        except Misuse as error:
            time.sleep(0.1)
            finished.append(error)
            raise

    server = Server(server_settings(tickets=None), handler).start()
    clients = [connect(*server.address, client_settings(), server_name=SERVER_NAME) for _ in range(3)]
    with socket.create_connection(server.address) as silent:
        # A client is done with its handshake before its server is.
        until(lambda: len(server._streams) == 4 and len(entered) == 3)
        server.close()
        assert len(finished) == 3
        assert not our_threads()
        assert silent.recv(1) == b""
    for client in clients:
        assert client.recv(1) == b""
        client.close()
    server.close()
    with pytest.raises(Misuse):
        server.start()


def test_a_handler_may_close_the_server() -> None:
    done = threading.Event()

    def handler(stream: TLSStream) -> None:
        server.close()
        done.set()

    server = Server(server_settings(), handler).start()
    with connect(*server.address, client_settings(), server_name=SERVER_NAME, timeout=PATIENCE):
        assert done.wait(PATIENCE)
    until(lambda: not our_threads())


def test_close_without_a_start() -> None:
    server = Server(server_settings(), echo)
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address)


def test_a_client_that_is_cut_off_is_no_clean_end_for_the_handler() -> None:
    errors: list[Exception] = []
    with Server(server_settings(), echo, on_error=lambda error, _: errors.append(error)) as server:
        client = connect(*server.address, client_settings(), server_name=SERVER_NAME)
        client._sock.close()
        until(lambda: errors)
        assert isinstance(errors[0], TruncatedStream)
        client.close()
