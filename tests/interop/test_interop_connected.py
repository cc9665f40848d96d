"""After the handshake, with other implementations: new keys, odd records, half-closed connections, much data."""

from __future__ import annotations

import hashlib
import socket
import time
from typing import Any

import pytest
from loopback import PATIENCE, Task
from native_openssl import NativeOpenSSL
from peer_inprocess import InProcess, PythonSSL
from peer_programs import GnuTLS, Node, OpenSSL
from peers import V12, V13, Peer

from tlscope import ProtocolVersion, TLSStream, Trace, connect
from tlscope.trace import KeyChange

PEERS = [OpenSSL(), NativeOpenSSL(), GnuTLS(), PythonSSL(), Node()]
WORD = b"there-and-back\n"
KEYS = ["application", "application+1", "application+2", "application+3"]

peers = pytest.mark.parametrize("peer", PEERS, ids=str)
versions = pytest.mark.parametrize("version", [V13, V12], ids=lambda version: str(version).replace(" ", ""))


def present(peer: Peer) -> None:
    if reason := peer.absent():
        pytest.skip(reason)


def epochs(trace: Trace, direction: str) -> list[str]:
    """The keys of the application's data that were in force, one after the other."""
    changes = [event.epoch for event in trace.of(KeyChange) if event.direction == direction]
    return [epoch for epoch in changes if epoch.startswith("application")]


def receive(stream: TLSStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = stream.recv(65536)
        assert piece, "the peer ended early"
        data += piece
    return data


def wait_for_keys(stream: TLSStream, trace: Trace, times: int) -> None:
    """Read until the peer has changed its keys so many times, though it sends no data."""
    deadline = time.monotonic() + PATIENCE
    stream.settimeout(0.02)
    while len(epochs(trace, "received")) <= times:
        assert time.monotonic() < deadline
        with pytest.raises(TimeoutError):
            stream.recv(1)
    stream.settimeout(PATIENCE)


class TestKeyUpdate:
    @peers
    def test_we_ask_their_server(self, peer: Peer, settings) -> None:
        present(peer)
        trace = Trace()
        rounds = 1 if isinstance(peer, OpenSSL) else 3  # its echo sleeps a second for each record without data
        with peer.server(settings.peer_server(V13)) as running:
            config = settings.client(V13)
            with connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10, trace=trace) as stream:
                for round_trip in range(rounds):
                    stream.update_keys(request_peer=round_trip != 1)
                    stream.sendall(WORD)
                    assert receive(stream, len(WORD)) == peer.echo(WORD)
        assert epochs(trace, "sent") == KEYS[: rounds + 1]
        assert epochs(trace, "received") == KEYS[: min(rounds, 2) + 1]

    @pytest.mark.parametrize("peer", [OpenSSL(), NativeOpenSSL(), GnuTLS(), PythonSSL()], ids=str)
    def test_we_ask_their_client(self, peer: Peer, settings, serve) -> None:
        """The peer may take its time with new keys until it has something to say, so it says something again."""
        present(peer)
        trace = Trace()

        def handler(stream: TLSStream) -> None:
            while data := stream.recv(65536):
                stream.update_keys(request_peer=True)
                stream.sendall(data)

        ours = serve(settings.server(V13, trace=lambda: trace), handler)
        setup = settings.peer_client(V13)
        words = [b"the first\n", b"the second\n", b"the third\n"]
        if isinstance(peer, InProcess):
            with socket.create_connection(("127.0.0.1", ours.port), timeout=PATIENCE) as sock:
                stream = peer.connect(peer.context(setup, server=False), setup, sock)
                for word in words:
                    stream.sendall(word)
                    assert stream.recv() == word
                stream.close()
        else:
            with peer.start_client(setup, ours.port) as process:
                for word in words:
                    process.say(word)
                    assert process.wait_for(word.decode()), process.text
                assert process.result() == 0
        assert ours.ended() == [None]
        assert epochs(trace, "sent") == KEYS
        assert epochs(trace, "received")[:3] == KEYS[:3]

    def test_openssl_s_client_asks_us(self, settings, serve) -> None:
        peer = OpenSSL()
        present(peer)
        trace = Trace()
        ours = serve(settings.server(V13, trace=lambda: trace))
        with peer.start_client(settings.peer_client(V13), ours.port) as process:
            process.wait_for("Verify return code: 0")
            for times, (command, word) in enumerate((("K", "first"), ("k", "second"), ("K", "third")), 1):
                process.say(f"{command}\n".encode())
                process.wait_for("KEYUPDATE", times)
                process.say(f"{word}\n".encode())
                assert process.wait_for(word), process.text
            assert process.result() == 0
        assert ours.ended() == [None]
        assert epochs(trace, "received") == KEYS
        assert epochs(trace, "sent") == KEYS[:3]

    def test_openssl_s_server_asks_us(self, settings) -> None:
        peer = OpenSSL()
        present(peer)
        trace = Trace()
        with peer.server(settings.peer_server(V13), mode=None) as running:
            process = running.process
            assert process is not None
            config = settings.client(V13)
            with connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10, trace=trace) as stream:
                process.wait_for("CIPHER is")
                for times, (command, word) in enumerate((("K", b"first\n"), ("k", b"second\n"), ("K", b"third\n")), 1):
                    process.say(f"{command}\n".encode())
                    wait_for_keys(stream, trace, times)
                    process.say(word)
                    assert receive(stream, len(word)) == word
                    stream.sendall(b"heard " + word)
                    assert process.wait_for("heard " + word.decode().strip()), process.text
        assert epochs(trace, "received") == KEYS
        assert epochs(trace, "sent") == KEYS[:3]

    def test_gnutls_cli_asks_us(self, settings, serve) -> None:
        peer = GnuTLS()
        present(peer)
        trace = Trace()
        ours = serve(settings.server(V13, trace=lambda: trace))
        with peer.start_client(settings.peer_client(V13), ours.port, "--inline-commands") as process:
            process.wait_for("Handshake was completed")
            process.say(b"^rekey^\n")
            process.wait_for("(?i)rekey")
            process.say(b"after the first\n")
            assert process.wait_for("after the first"), process.text
            assert process.result() == 0
        assert ours.ended() == [None]
        assert epochs(trace, "received") == KEYS[:2]

    @pytest.mark.parametrize("peer", [NativeOpenSSL(), PythonSSL(), Node()], ids=str)
    def test_keys_that_change_every_few_records(self, peer: Peer, settings, serve) -> None:
        present(peer)
        config = settings.server(V13, key_update_after=2, max_fragment=64)
        ours = serve(config)
        message = b"0123456789abcdef" * 64
        answer = peer.client(settings.peer_client(V13), ours.port, message)
        assert answer.data == message, answer.text


class TestRecords:
    @peers
    @versions
    def test_small_records(self, peer: Peer, version: ProtocolVersion, settings) -> None:
        present(peer)
        message = b"0123456789" * 100 + b"\n"
        with peer.server(settings.peer_server(version)) as running:
            config = settings.client(version, max_fragment=64)
            with connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10) as stream:
                stream.sendall(message)
                assert receive(stream, len(message)) == peer.echo(message)

    @peers
    def test_padded_records(self, peer: Peer, settings, serve) -> None:
        present(peer)
        ours = serve(settings.server(V13, record_padding=4096))
        answer = peer.client(settings.peer_client(V13), ours.port, WORD)
        assert answer.ok, answer.text
        with peer.server(settings.peer_server(V13)) as running:
            config = settings.client(V13, record_padding=lambda length: 1000)
            with connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10) as stream:
                stream.sendall(WORD)
                assert receive(stream, len(WORD)) == peer.echo(WORD)

    @pytest.mark.parametrize("peer", [NativeOpenSSL(), GnuTLS(), PythonSSL(), Node()], ids=str)
    @versions
    def test_much_data_both_ways_at_once(self, peer: Peer, version: ProtocolVersion, settings) -> None:
        present(peer)
        data = b"".join(b"%07d\n" % number for number in range(1 << 18))  # 2 MiB in lines, as gnutls-serv wants it
        with peer.server(settings.peer_server(version)) as running:
            config = settings.client(version)
            with connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10) as stream:
                sending = Task(stream.sendall, data)
                received = receive(stream, len(data))
                sending.result()
        assert hashlib.sha256(received).digest() == hashlib.sha256(data).digest()


class TestHalfClose:
    """One side says that it is done, and the other answers all the same (RFC 8446 section 6.1)."""

    @pytest.mark.parametrize("peer", [NativeOpenSSL(), PythonSSL(), Node()], ids=str)
    @versions
    def test_of_ours(self, peer: Peer, version: ProtocolVersion, settings) -> None:
        present(peer)
        with peer.server(settings.peer_server(version, half_close=True)) as running:
            config = settings.client(version)
            with connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10) as stream:
                stream.sendall(WORD)
                stream.shutdown_write()
                received = b""
                while piece := stream.recv(65536):
                    received += piece
                assert received == WORD

    @pytest.mark.parametrize("peer", [NativeOpenSSL(), Node()], ids=str)
    @versions
    def test_of_theirs(self, peer: Peer, version: ProtocolVersion, settings, serve) -> None:
        present(peer)

        def handler(stream: TLSStream) -> None:
            received = b""
            while piece := stream.recv(65536):
                received += piece
            stream.sendall(received)

        ours = serve(settings.server(version), handler)
        answer = peer.client(settings.peer_client(version, half_close=True), ours.port, WORD)
        assert answer.data == WORD, answer.text
        assert ours.ended() == [None]


@pytest.mark.parametrize("peer", [OpenSSL(), NativeOpenSSL(), PythonSSL(), Node()], ids=str)
@versions
def test_the_verdict_on_a_client_certificate_that_is_good(peer: Peer, version: ProtocolVersion, settings) -> None:
    """A server of these sends tickets as soon as it has let the client in, so there is something to hear."""
    present(peer)
    with peer.server(settings.peer_server(version, mutual=True)) as running:
        config: Any = settings.client(version, "P-256")
        with connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10) as stream:
            assert stream.wait_for_verdict(PATIENCE)
            stream.sendall(WORD)
            assert receive(stream, len(WORD)) == peer.echo(WORD)
