"""Keys from outside instead of certificates, with other implementations (RFC 8446 section 2.2)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from peer_programs import GnuTLS, OpenSSL
from peers import V13, Answer, Peer, Running, Setup

from tlscope import AlertDescription, AlertReceived, CipherSuite, ExternalPsk, NamedGroup, connect

WORD = b"there-and-back\n"
SECRET = bytes(range(32))
PSK = ExternalPsk(b"device-1", SECRET)
IN_PRIORITY = ("+ECDHE-PSK", "+DHE-PSK")

peers = pytest.mark.parametrize("peer", [OpenSSL(), GnuTLS(*IN_PRIORITY)], ids=str)


def present(peer: Peer) -> Peer:
    if reason := peer.absent():
        pytest.skip(reason)
    return peer


def their_client(peer: Peer, setup: Setup, port: int, secret: bytes = SECRET) -> Answer:
    if isinstance(peer, OpenSSL):
        return peer.client(setup, port, WORD, "-psk", secret.hex(), "-psk_identity", "device-1")
    return peer.client(setup, port, WORD, "--pskusername", "device-1", "--pskkey", secret.hex())


@contextlib.contextmanager
def their_server(peer: Peer, setup: Setup, directory: Path) -> Iterator[Running]:
    if isinstance(peer, OpenSSL):
        # It looks at no certificate of its own where it knows the key.
        with peer.server(setup, "-rev", "-psk", SECRET.hex(), "-psk_identity", "device-1") as running:
            yield running
    else:
        passwords = directory / "keys"
        passwords.write_text(f"device-1:{SECRET.hex()}\n")
        with peer.server(setup, "--pskpasswd", str(passwords)) as running:
            yield running


class TestTheirClient:
    @peers
    def test_has_the_key(self, peer: Peer, settings, serve) -> None:
        present(peer)
        ours = serve(settings.server(V13, identities=(), external_psks=[PSK]))
        answer = their_client(peer, settings.peer_client(V13), ours.port)
        assert answer.ok, answer.text
        (facts,) = ours.facts
        assert facts.external_psk == b"device-1"
        assert facts.group is not None
        assert facts.identity is None

    @peers
    def test_has_another_under_the_same_name(self, peer: Peer, settings, serve) -> None:
        present(peer)
        ours = serve(settings.server(V13, identities=(), external_psks=[PSK]))
        answer = their_client(peer, settings.peer_client(V13), ours.port, SECRET[::-1])
        assert not answer.ok
        assert ours.error().code == "bad-binder"

    @peers
    def test_has_a_key_that_we_do_not_know(self, peer: Peer, settings, serve) -> None:
        """Then a certificate will do."""
        present(peer)
        ours = serve(settings.server(V13, external_psks=[ExternalPsk(b"device-2", SECRET)]))
        answer = their_client(peer, settings.peer_client(V13), ours.port)
        assert answer.ok, answer.text
        assert ours.facts[0].external_psk is None
        assert ours.facts[0].identity is not None

    @peers
    def test_comes_again_for_another_group(self, peer: Peer, settings, serve) -> None:
        """The binder is made anew over both hellos and what was between (section 4.2.11.2)."""
        present(peer)
        config = settings.server(V13, identities=(), external_psks=[PSK], groups=[NamedGroup.secp521r1])
        ours = serve(config)
        answer = their_client(peer, settings.peer_client(V13), ours.port)
        assert answer.ok, answer.text
        assert ours.facts[0].external_psk == b"device-1"
        assert ours.facts[0].hello_retry_request

    @peers
    def test_offers_suites_of_another_hash_too(self, peer: Peer, settings, serve) -> None:
        """We prefer SHA-384, which the key does not go with, and have nothing but the key."""
        present(peer)
        suites = (CipherSuite.TLS_AES_256_GCM_SHA384, CipherSuite.TLS_AES_128_GCM_SHA256)
        ours = serve(settings.server(V13, identities=(), external_psks=[PSK], cipher_suites=suites))
        answer = their_client(peer, settings.peer_client(V13), ours.port)
        assert answer.ok, answer.text
        assert ours.facts[0].cipher_suite is CipherSuite.TLS_AES_128_GCM_SHA256


class TestTheirServer:
    @peers
    def test_has_the_key(self, peer: Peer, settings, tmp_path: Path) -> None:
        present(peer)
        with their_server(peer, settings.peer_server(V13), tmp_path) as running:
            config = settings.client(V13, external_psks=[PSK])
            for resumed in (False, True):
                with connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10) as stream:
                    stream.sendall(WORD)
                    assert stream.recv(65536) == peer.echo(WORD)
                    facts = stream.facts
                assert facts.resumed is resumed
                assert facts.external_psk == b"device-1", "a session ends with the key that it began with"
                assert facts.peer is None
                assert facts.group is not None

    @peers
    def test_does_not_know_ours(self, peer: Peer, settings, tmp_path: Path) -> None:
        present(peer)
        with their_server(peer, settings.peer_server(V13), tmp_path) as running:
            config = settings.client(V13, external_psks=[ExternalPsk(b"device-2", SECRET)])
            if isinstance(peer, GnuTLS):
                # It doesn't tell who knows a name from who doesn't: any binder to an unknown one is wrong.
                with pytest.raises(AlertReceived):
                    connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10)
                return
            with connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10) as stream:
                stream.sendall(WORD)
                assert stream.recv(65536) == peer.echo(WORD)
                assert stream.facts.external_psk is None
                assert stream.facts.peer.names.dns == ("localhost",)

    @peers
    def test_has_another_under_the_same_name(self, peer: Peer, settings, tmp_path: Path) -> None:
        present(peer)
        with their_server(peer, settings.peer_server(V13), tmp_path) as running:
            config = settings.client(V13, external_psks=[ExternalPsk(b"device-1", SECRET[::-1])])
            with pytest.raises(AlertReceived) as caught:
                connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10)
            assert caught.value.description is AlertDescription.illegal_parameter
