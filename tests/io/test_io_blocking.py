"""Streams over blocking sockets: data, ends, and what happens while someone waits."""

from __future__ import annotations

import hashlib
import socket
import threading
import time

import pytest
from certificates import SERVER_NAME
from loopback import (
    MUTUAL,
    PATIENCE,
    Relay,
    Task,
    client_settings,
    read_all,
    reset,
    server_settings,
    stream_pair,
    tcp_pair,
)

from tlscope import ClientConnection, Misuse, ProtocolVersion, TLSStream, Trace, TruncatedStream, connect
from tlscope.trace import KeyChange

BIG = bytes(range(256)) * 32 * 1024  # 8 MiB


def version_only(version: ProtocolVersion) -> dict[str, ProtocolVersion]:
    return {"min_version": version, "max_version": version}


both_versions = pytest.mark.parametrize("version", [ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3], ids=str)


class TestData:
    @both_versions
    def test_both_sides_read_and_write_at_once(self, version: ProtocolVersion) -> None:
        configs = client_settings(**version_only(version)), server_settings(**version_only(version))
        with stream_pair(*configs) as (client, server):

            def send(stream: TLSStream) -> None:
                stream.sendall(BIG)
                stream.shutdown_write()

            senders = Task(send, client), Task(send, server)
            readers = Task(read_all, client), Task(read_all, server)
            for sender in senders:
                sender.result()
            for reader in readers:
                assert hashlib.sha256(reader.result()).digest() == hashlib.sha256(BIG).digest()
            assert client.facts is not None
            assert client.facts.version is version

    def test_two_writers_do_not_mix_within_one_call(self) -> None:
        with stream_pair() as (client, server):
            writers = [Task(client.sendall, letter * 300_000) for letter in (b"a", b"b", b"c")]
            reading = Task(read_all, server)
            for writer in writers:
                writer.result()
            client.shutdown_write()
            data = reading.result()
        assert len(data) == 900_000
        assert sum(data[i] != data[i - 1] for i in range(1, len(data))) == 2

    def test_recv_gives_what_is_there_up_to_the_size_asked_for(self) -> None:
        with stream_pair() as (client, server):
            client.sendall(b"0123456789")
            client.sendall(b"abcdef")
            client.shutdown_write()
            assert server.recv(0) == b""
            assert server.recv(3) == b"012"
            buffer = bytearray(4)
            assert server.recv_into(buffer) == 4
            assert buffer == b"3456"
            rest = b""
            while piece := server.recv(100):
                rest += piece
            assert rest == b"789abcdef"
            assert server.recv_into(buffer) == 0
            assert server.pending == 0

    def test_pending_is_what_recv_gives_without_waiting(self) -> None:
        with stream_pair() as (client, server):
            client.sendall(b"0123456789")
            assert server.recv(4) == b"0123"
            assert server.pending == 6

    @both_versions
    def test_a_transport_that_delivers_single_bytes(self, version: ProtocolVersion) -> None:
        relay = Relay(step=1)
        configs = client_settings(**version_only(version)), server_settings(**version_only(version), **MUTUAL)
        with stream_pair(*configs, sockets=(relay.client, relay.server)) as (client, server):
            client.sendall(b"question" * 100)
            assert server.recv(1)
            server.sendall(b"answer" * 1000)
            server.shutdown_write()
            assert read_all(client) == b"answer" * 1000
        relay.close()

    def test_a_writer_that_is_stuck_does_not_keep_the_reader_from_reading(self) -> None:
        with stream_pair() as (client, server):
            writing = Task(client.sendall, BIG)
            # The server does not read. It sends, and asks for new keys: an answer that can't go out now either.
            server.update_keys(request_peer=True)
            server.sendall(b"hello")
            assert client.recv(100) == b"hello"
            assert writing.is_alive()
            ending = Task(lambda: (writing.result(), client.shutdown_write()))
            assert read_all(server) == BIG
            ending.result()

    def test_an_answer_that_a_reader_owes_goes_out_while_it_waits(self) -> None:
        """The client only reads. The KeyUpdate that it owes must reach the server all the same."""
        trace = Trace()
        sockets = tcp_pair()
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        with stream_pair(sockets=sockets) as (client, server):
            server.connection.trace = trace
            server.connection._handshake.sink = trace
            reading = Task(read_all, client)
            server.update_keys(request_peer=True)
            server.sendall(b"x")
            server.settimeout(0.05)
            deadline = time.monotonic() + PATIENCE
            while not [event for event in trace.of(KeyChange) if event.direction == "received"]:
                assert time.monotonic() < deadline
                with pytest.raises(TimeoutError):
                    server.recv(1)
            server.shutdown_write()
            assert reading.result() == b"x"


class TestEnds:
    @both_versions
    def test_half_close(self, version: ProtocolVersion) -> None:
        configs = client_settings(**version_only(version)), server_settings(**version_only(version))
        with stream_pair(*configs) as (client, server):
            client.sendall(b"all that I have to say")
            client.shutdown_write()
            with pytest.raises(Misuse, match="closed for sending"):
                client.sendall(b"more")
            assert read_all(server) == b"all that I have to say"
            server.sendall(b"understood")
            server.close()
            assert read_all(client) == b"understood"
            assert client.recv(1) == b""

    def test_a_cut_is_no_end(self) -> None:
        with stream_pair() as (client, server):
            server.sendall(b"half of")
            server._sock.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b"half of"
            for _ in range(2):
                with pytest.raises(TruncatedStream, match="without close_notify"):
                    client.recv(100)

    def test_a_reset_is_a_cut(self) -> None:
        with stream_pair() as (client, server):
            reset(server._sock)
            with pytest.raises(TruncatedStream) as caught:
                client.recv(100)
            assert isinstance(caught.value.__cause__, ConnectionResetError)

    def test_close_does_not_destroy_what_was_sent(self) -> None:
        """With something unread, a bare close would send a reset, which may overtake the last data."""
        with stream_pair() as (client, server):
            server.sendall(b"never read by the client" * 1000)
            client.sendall(BIG[:100_000])
            closing = Task(client.close)
            assert read_all(server) == BIG[:100_000]
            server.close()
            closing.result()

    def test_close_waits_half_a_second_at_most(self) -> None:
        with stream_pair() as (client, _):
            start = time.monotonic()
            client.close()
            assert 0.3 < time.monotonic() - start < 3

    def test_close_is_instant_after_the_peer_has_ended(self) -> None:
        with stream_pair() as (client, server):
            server.shutdown_write()
            assert client.recv(1) == b""
            start = time.monotonic()
            client.close()
            assert time.monotonic() - start < 0.3

    def test_close_in_another_thread_ends_the_wait(self) -> None:
        with stream_pair() as (client, _):
            reading = Task(client.recv, 1)
            writing = Task(client.sendall, BIG * 4)
            time.sleep(0.1)
            client.close()
            assert isinstance(reading.failure(), Misuse)
            assert isinstance(writing.failure(), Misuse)
            with pytest.raises(Misuse, match="closed"):
                client.recv(1)
            with pytest.raises(Misuse, match="closed"):
                client.sendall(b"x")
            client.close()

    def test_abort_waits_for_nobody(self) -> None:
        with stream_pair() as (client, server):
            reading = Task(client.recv, 1)
            time.sleep(0.05)
            start = time.monotonic()
            client.abort()
            assert isinstance(reading.failure(), Misuse)
            assert time.monotonic() - start < 0.3
            assert server.recv(1) == b""

    def test_repr_tells_the_state(self) -> None:
        with stream_pair() as (client, server):
            assert repr(client) == "<TLSStream client connected>"
            assert repr(server) == "<TLSStream server connected>"
        assert repr(client) == "<TLSStream client closed>"


class TestTime:
    def test_recv_gives_up_and_can_be_called_again(self) -> None:
        with stream_pair() as (client, server):
            client.settimeout(0.05)
            with pytest.raises(TimeoutError, match=r"no data came from the server within 0\.05 s"):
                client.recv(1)
            server.sendall(b"x")
            client.settimeout(PATIENCE)
            assert client.recv(1) == b"x"

    def test_sendall_gives_up_on_a_peer_that_does_not_read(self) -> None:
        with stream_pair() as (client, _):
            client.settimeout(0.1)
            with pytest.raises(TimeoutError, match=r"the server took no more data within 0\.1 s"):
                client.sendall(BIG * 2)

    def test_a_server_that_says_nothing(self) -> None:
        ours, theirs = tcp_pair()
        with (
            theirs,
            pytest.raises(TimeoutError, match=r"the server sent no ServerHello or HelloRetryRequest within 0\.1 s"),
        ):
            TLSStream.client(ours, client_settings(), SERVER_NAME, handshake_timeout=0.1)
        assert ours.fileno() == -1

    def test_a_client_that_says_nothing(self) -> None:
        ours, theirs = tcp_pair()
        with ours, pytest.raises(TimeoutError, match=r"the client sent no ClientHello within 0\.1 s"):
            TLSStream.server(theirs, server_settings(), handshake_timeout=0.1)

    def test_a_peer_that_trickles_does_not_prolong_the_handshake(self) -> None:
        ours, theirs = tcp_pair()
        stop = threading.Event()

        def trickle() -> None:
            ours.sendall(b"\x16\x03\x01\x10\x00\x01\x00\x0f\xfc")
            while not stop.wait(0.02):
                ours.sendall(b"\0")

        trickling = Task(trickle)
        start = time.monotonic()
        with pytest.raises(TimeoutError, match="ClientHello"):
            TLSStream.server(theirs, server_settings(), handshake_timeout=0.3)
        assert time.monotonic() - start < 3
        stop.set()
        trickling.join(PATIENCE)
        ours.close()

    def test_connecting_is_part_of_the_handshake_s_time(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError, match="ServerHello"):
            connect("127.0.0.1", silent.getsockname()[1], client_settings(), handshake_timeout=0.1)


class TestConnect:
    def test_the_name_is_the_host_unless_given(self) -> None:
        def accept(listener: socket.socket) -> TLSStream:
            return TLSStream.server(listener.accept()[0], server_settings(alpn=["h2"]))

        with socket.create_server(("127.0.0.1", 0)) as listener:
            for host, server_name in (("localhost", None), ("127.0.0.1", SERVER_NAME)):
                accepting = Task(accept, listener)
                trace = Trace()
                port = listener.getsockname()[1]
                config = client_settings(alpn=["h2", "http/1.1"])
                with connect(host, port, config, server_name=server_name, trace=trace) as client:
                    assert client.facts is not None
                    assert client.facts.server_name == SERVER_NAME
                    assert client.alpn == "h2"
                    assert client.trace is trace
                    assert len(trace) > 10
                    assert client.peer is not None
                    assert client.peer.names.dns == (SERVER_NAME,)
                    assert client.getpeername()[1] == port
                    accepting.result().close()

    def test_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            connect("127.0.0.1", port, client_settings())

    def test_a_handshake_twice_is_one(self) -> None:
        with stream_pair() as (client, server):
            assert client.handshake() is client
            server.sendall(b"x")
            assert client.recv(1) == b"x"

    def test_nothing_before_the_handshake(self) -> None:
        ours, theirs = tcp_pair()
        with theirs, TLSStream(ours, ClientConnection(client_settings(), SERVER_NAME)) as client:
            assert repr(client) == "<TLSStream client not connected>"
            with pytest.raises(Misuse):
                client.sendall(b"x")
            with pytest.raises(Misuse):
                client.wait_for_verdict(1)


def test_configs_are_shared_by_streams() -> None:
    client, server = client_settings(), server_settings()
    for _ in range(3):
        with stream_pair(client, server) as (left, right):
            left.sendall(b"x")
            assert right.recv(1) == b"x"
