"""A client's certificate after the handshake, with other implementations (RFC 8446 section 4.6.2)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from loopback import PATIENCE
from peer_programs import GnuTLS, OpenSSL
from peers import V13, Peer

from tlscope import (
    AlertDescription,
    AlertReceived,
    CertificateRejected,
    ChooseClientIdentity,
    Misuse,
    TLSStream,
    Trace,
    connect,
)
from tlscope.trace import Message

WORD = b"there-and-back\n"
CLIENTS = [(OpenSSL(), "-enable_pha"), (GnuTLS(), "--post-handshake-auth")]

peers = pytest.mark.parametrize(("peer", "offer"), CLIENTS, ids=lambda value: str(value) if value is not None else "")


def present(peer: Peer) -> Peer:
    if reason := peer.absent():
        pytest.skip(reason)
    return peer


class Asks:
    """A handler that asks after the first word and answers once it knows who it is."""

    def __init__(self) -> None:
        self.learned: list[Any] = []

    def __call__(self, stream: TLSStream) -> None:
        assert stream.facts is not None
        assert stream.peer is None
        word = stream.recv(65536)
        stream.request_client_certificate(wait=True)
        self.learned.append(stream.peer)
        stream.sendall(word)
        while data := stream.recv(65536):
            stream.sendall(data)


class TestTheirClient:
    @peers
    @pytest.mark.parametrize("key", ["P-256", "RSA-2048"])
    def test_shows_its_certificate(self, peer: Peer, offer: str, key: str, settings, serve, credentials) -> None:
        present(peer)
        asks = Asks()
        ours = serve(settings.server(V13, trust=credentials.anchors), asks)
        answer = peer.client(settings.peer_client(V13, key), ours.port, WORD, offer)
        assert answer.ok, answer.text
        assert ours.ended() == [None]
        (peer_found,) = asks.learned
        assert peer_found.names.dns == ("client.example",)

    @peers
    def test_has_none(self, peer: Peer, offer: str, settings, serve, credentials) -> None:
        present(peer)
        asks = Asks()
        ours = serve(settings.server(V13, trust=credentials.anchors), asks)
        answer = peer.client(settings.peer_client(V13), ours.port, WORD, offer)
        assert answer.ok, answer.text
        assert asks.learned == [None]

    @peers
    def test_shows_a_strangers(self, peer: Peer, offer: str, settings, serve, credentials) -> None:
        present(peer)
        asks = Asks()
        # GnuTLS keeps what no named CA has issued to itself.
        config = settings.server(V13, trust=credentials.anchors, send_certificate_authorities=False)
        ours = serve(config, asks)
        answer = peer.client(settings.peer_client(V13, identity=credentials.files("stranger")), ours.port, WORD, offer)
        assert not answer.ok
        error = ours.error()
        assert isinstance(error, CertificateRejected)
        assert error.alert is AlertDescription.unknown_ca
        assert asks.learned == []

    @peers
    def test_that_did_not_offer_it_is_not_asked(self, peer: Peer, offer: str, settings, serve, credentials) -> None:
        present(peer)
        ours = serve(settings.server(V13, trust=credentials.anchors), Asks())
        answer = peer.client(settings.peer_client(V13, "P-256"), ours.port, WORD)
        assert not answer.ok
        error = ours.error()
        assert isinstance(error, Misuse)
        assert error.code == "no-post-handshake-auth"


class TestOpenSSLServer:
    def ask(self, stream: TLSStream, trace: Trace, process: Any) -> None:
        """Have it ask, wait until we have answered, and have it say something."""
        process.wait_for("CIPHER is")
        process.say(b"c\n")
        deadline = time.monotonic() + PATIENCE
        stream.settimeout(0.02)
        while "CertificateRequest" not in [event.name for event in trace.of(Message)]:
            assert time.monotonic() < deadline
            with pytest.raises(TimeoutError):
                stream.recv(1)
        stream.settimeout(PATIENCE)

    @pytest.mark.parametrize("key", ["P-256", "RSA-2048", "Ed25519", None], ids=str)
    def test_asks_us(self, key: str | None, settings) -> None:
        peer = present(OpenSSL())
        trace = Trace()
        config = settings.client(V13, key, post_handshake_auth=True)
        with peer.server(settings.peer_server(V13), None, "-verify_return_error") as running:
            process = running.process
            with connect(
                "127.0.0.1", running.port, config, server_name="localhost", timeout=PATIENCE, trace=trace
            ) as stream:
                assert not stream.facts.client_certificate_requested
                self.ask(stream, trace, process)
                process.say(WORD)
                assert stream.recv(65536) == WORD
                stream.sendall(b"heard it\n")
                assert process.wait_for("heard it"), process.text
            assert ("depth=0 CN = client.example\nverify return:1" in process.text) is (key is not None)
        names = [event.name for event in trace.of(Message)]
        sent = names[names.index("CertificateRequest") + 1 :]
        assert sent[0] == "Certificate"
        assert ("CertificateVerify" in sent) is (key is not None)
        assert "Finished" in sent

    def test_that_does_not_believe_us_says_so(self, settings, credentials) -> None:
        peer = present(OpenSSL())
        stranger = credentials.identity("stranger")
        config = settings.client(V13, post_handshake_auth=True, ask=frozenset({ChooseClientIdentity}))
        with (
            peer.server(settings.peer_server(V13), None, "-verify_return_error") as running,
            connect(
                "127.0.0.1",
                running.port,
                config,
                server_name="localhost",
                timeout=PATIENCE,
                decide=lambda decision: stranger,
            ) as stream,
        ):
            running.process.wait_for("CIPHER is")
            running.process.say(b"c\n")
            with pytest.raises(AlertReceived) as caught:
                stream.recv(1)
        assert caught.value.description is AlertDescription.unknown_ca

    def test_that_must_not_ask_us(self, settings) -> None:
        peer = present(OpenSSL())
        with peer.server(settings.peer_server(V13), None) as running:
            process = running.process
            with connect(
                "127.0.0.1", running.port, settings.client(V13, "P-256"), server_name="localhost", timeout=PATIENCE
            ) as stream:
                process.wait_for("CIPHER is")
                process.say(b"c\n")
                process.wait_for("extension not received|SSL_verify_client_post_handshake")
                process.say(WORD)
                assert stream.recv(65536) == WORD
