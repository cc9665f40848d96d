"""Sessions with other implementations: resumed in both directions and versions, and early data."""

from __future__ import annotations

from pathlib import Path

import pytest
from loopback import PATIENCE
from native_openssl import NativeOpenSSL
from ours import answer as echo
from peer_inprocess import PythonSSL
from peer_programs import Curl, GnuTLS, Node, OpenSSL
from peers import V12, V13, Peer

from tlscope import MemorySessionStore, NamedGroup, ProtocolVersion, TLSStream, connect

PEERS = [OpenSSL(), NativeOpenSSL(), GnuTLS(), PythonSSL(), Node(), Curl()]
SERVERS = [peer for peer in PEERS if not isinstance(peer, Curl)]
WORD = b"there-and-back\n"
EARLY = b"an early word\n"

versions = pytest.mark.parametrize("version", [V13, V12], ids=lambda version: str(version).replace(" ", ""))
auths = pytest.mark.parametrize("mutual", [False, True], ids=["one-way", "mutual"])


def present(peer: Peer) -> None:
    if reason := peer.absent():
        pytest.skip(reason)


def receive(stream: TLSStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = stream.recv(65536)
        assert piece, "the peer ended early"
        data += piece
    return data


@pytest.mark.parametrize("peer", PEERS, ids=str)
@versions
@auths
def test_their_client_resumes(peer: Peer, version: ProtocolVersion, mutual: bool, settings, serve) -> None:
    present(peer)
    if isinstance(peer, Curl) and version is V12:
        pytest.skip("curl asks for no tickets in TLS 1.2, only for session IDs: see the next test")
    ours = serve(settings.server(version, mutual=mutual))
    answer = peer.resume(settings.peer_client(version, "P-256" if mutual else None), ours.port, WORD)
    assert answer.ok, answer.text
    ours.ended(2)
    # A client that says nothing on its first connection may be faster than that connection's thread here.
    assert sorted(facts.resumed for facts in ours.facts) == [False, True]
    assert [facts.peer is not None for facts in ours.facts] == [mutual, mutual]


@pytest.mark.parametrize("peer", PEERS, ids=str)
def test_their_client_resumes_by_session_id(peer: Peer, settings, serve) -> None:
    present(peer)
    ours = serve(settings.server(V12, tickets=None, session_store=MemorySessionStore()))
    answer = peer.resume(settings.peer_client(V12), ours.port, WORD)
    assert answer.ok, answer.text
    ours.ended(2)
    assert sorted(facts.resumed for facts in ours.facts) == [False, True]


@pytest.mark.parametrize("peer", SERVERS, ids=str)
@versions
@auths
def test_we_resume(peer: Peer, version: ProtocolVersion, mutual: bool, settings) -> None:
    present(peer)
    if mutual and isinstance(peer, PythonSSL):
        pytest.skip("Python's ssl sets no session ID context, without which libssl resumes no client's certificate")
    config = settings.client(version, "P-256" if mutual else None)
    with peer.server(settings.peer_server(version, mutual=mutual)) as running:
        for resumed in (False, True, True):
            with connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10) as stream:
                stream.sendall(WORD)
                assert receive(stream, len(WORD)) == peer.echo(WORD)
                assert stream.facts.resumed is resumed
                assert stream.facts.peer.names.dns == ("localhost",)


class TestEarlyData:
    @auths
    def test_of_openssl_s_client(self, mutual: bool, settings, serve, tmp_path: Path) -> None:
        peer = OpenSSL()
        present(peer)
        early: list[bytes] = []

        def handler(stream: TLSStream) -> None:
            early.append(stream.early_data)
            stream.sendall(stream.recv(65536))
            stream.recv(1)

        (tmp_path / "early").write_bytes(EARLY)
        ours = serve(settings.server(V13, mutual=mutual, max_early_data=1000), handler)
        setup = settings.peer_client(V13, "P-256" if mutual else None)
        answer = peer.resume(setup, ours.port, WORD, "-early_data", str(tmp_path / "early"))
        assert answer.ok, answer.text
        assert "Early data was accepted" in answer.text
        assert ours.facts[1].early_data == "accepted"
        assert [facts.peer is not None for facts in ours.facts] == [mutual, mutual]
        assert early == [b"", EARLY]

    def test_of_openssl_s_client_that_we_reject(self, settings, serve, tmp_path: Path) -> None:
        """A HelloRetryRequest rejects it (RFC 8446 section 4.2.10); the session is resumed all the same."""
        peer = OpenSSL()
        present(peer)
        (tmp_path / "early").write_bytes(EARLY)
        ours = serve(settings.server(V13, max_early_data=1000, groups=[NamedGroup.secp521r1]))
        answer = peer.resume(settings.peer_client(V13), ours.port, WORD, "-early_data", str(tmp_path / "early"))
        assert answer.ok, answer.text
        assert "Early data was rejected" in answer.text
        assert ours.facts[1].early_data == "rejected"
        assert ours.facts[1].resumed
        assert ours.facts[1].hello_retry_request

    def test_of_gnutls_cli(self, settings, serve, tmp_path: Path) -> None:
        peer = GnuTLS()
        present(peer)
        early: list[bytes] = []

        def handler(stream: TLSStream) -> None:
            early.append(stream.early_data)
            echo(stream)

        (tmp_path / "early").write_bytes(EARLY)
        ours = serve(settings.server(V13, max_early_data=1000), handler)
        resumed = peer.resume(settings.peer_client(V13), ours.port, WORD, "--earlydata", str(tmp_path / "early"))
        assert resumed.ok, resumed.text
        ours.ended(2)
        assert sorted(early) == [b"", EARLY]
        assert sorted(facts.early_data for facts in ours.facts) == ["", "accepted"]

    def test_to_gnutls_serv(self, settings) -> None:
        peer = GnuTLS()
        present(peer)
        config = settings.client(V13, early_data=True)
        with peer.server(settings.peer_server(V13), "--earlydata", "--maxearlydata", "1000") as running:
            for fate in ("", "accepted"):
                options = {"server_name": "localhost", "timeout": PATIENCE, "early_data": EARLY}
                with connect("127.0.0.1", running.port, config, **options) as stream:
                    assert stream.facts.early_data == fate
                    stream.sendall(WORD)
                    # It echoes what comes after the handshake.
                    expected = WORD if fate else EARLY + WORD
                    assert receive(stream, len(expected)) == expected

    def test_more_than_openssl_s_server_takes_goes_late(self, settings) -> None:
        peer = OpenSSL()
        present(peer)
        config = settings.client(V13, early_data=True)
        with peer.server(settings.peer_server(V13), None, "-early_data", "-max_early_data", "5") as running:
            process = running.process
            assert process is not None
            for times in (1, 2):
                options = {"server_name": "localhost", "timeout": PATIENCE, "early_data": EARLY}
                with connect("127.0.0.1", running.port, config, **options) as stream:
                    assert process.wait_for(EARLY.decode().strip(), times), process.text
                    assert stream.facts.resumed is (times == 2)
                    process.say(WORD)
                    assert receive(stream, len(WORD)) == WORD
        assert "No early data received" in process.text
        assert "Early data received" not in process.text

    @auths
    def test_to_openssl_s_server(self, mutual: bool, settings) -> None:
        peer = OpenSSL()
        present(peer)
        config = settings.client(V13, "P-256" if mutual else None, early_data=True)
        with peer.server(settings.peer_server(V13, mutual=mutual), None, "-early_data") as running:
            process = running.process
            assert process is not None
            for times, fate in enumerate(("", "accepted"), 1):
                options = {"server_name": "localhost", "timeout": PATIENCE, "early_data": EARLY}
                with connect("127.0.0.1", running.port, config, **options) as stream:
                    assert stream.facts.early_data == fate
                    assert process.wait_for(EARLY.decode().strip(), times), process.text
                    process.say(WORD)
                    assert receive(stream, len(WORD)) == WORD
        assert "Early data received" in process.text

    def test_that_openssl_s_server_rejects_is_sent_again(self, settings) -> None:
        """Another server knows nothing of the session, and skips what it can't read (RFC 8446 section 4.2.10)."""
        peer = OpenSSL()
        present(peer)
        config = settings.client(V13, early_data=True)
        options = {"server_name": "localhost", "timeout": PATIENCE, "early_data": EARLY}
        with peer.server(settings.peer_server(V13), None, "-early_data") as running:
            process = running.process
            assert process is not None
            with connect("127.0.0.1", running.port, config, **options) as stream:
                assert process.wait_for(EARLY.decode().strip()), process.text
                process.say(WORD)
                assert receive(stream, len(WORD)) == WORD
        with peer.server(settings.peer_server(V13), None) as running:
            process = running.process
            assert process is not None
            with connect("127.0.0.1", running.port, config, **options) as stream:
                assert not stream.facts.resumed
                assert stream.facts.early_data == "rejected"
                assert process.wait_for(EARLY.decode().strip()), process.text
