"""Handshakes with other implementations: each as client and as server, one-way and mutual, with each kind of key."""

from __future__ import annotations

import pytest
from native_openssl import NativeOpenSSL
from peer_inprocess import PythonSSL
from peer_programs import Curl, GnuTLS, Node, OpenSSL
from peers import V12, V13, Peer

from tlscope import CipherSuite, NamedGroup, ProtocolVersion, connect
from tlscope.crypto.cipher_suites import SUITES
from tlscope.crypto.groups import GROUPS

PEERS = [OpenSSL(), NativeOpenSSL(), GnuTLS(), PythonSSL(), Node(), Curl()]
SERVERS = [peer for peer in PEERS if not isinstance(peer, Curl)]
KEYS = ("P-256", "RSA-2048", "Ed25519")
SCHEMES = {"P-256": "ecdsa_secp256r1_sha256", "RSA-2048": "rsa_pss_rsae_", "Ed25519": "ed25519"}
VERSIONS = [V13, V12]
MESSAGE = b"a message there and back\n"
WORD = b"there-and-back\n"
"""As a message, for curl too, which puts it into a path."""


def present(peer: Peer) -> Peer:
    if reason := peer.absent():
        pytest.skip(reason)
    return peer


clients = pytest.mark.parametrize("peer", PEERS, ids=str)
servers = pytest.mark.parametrize("peer", SERVERS, ids=str)
versions = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: str(version).replace(" ", ""))
auths = pytest.mark.parametrize("mutual", [False, True], ids=["one-way", "mutual"])
keys = pytest.mark.parametrize("key", KEYS)


@clients
@versions
@auths
@keys
def test_their_client(peer: Peer, version: ProtocolVersion, mutual: bool, key: str, settings, serve) -> None:
    present(peer)
    ours = serve(settings.server(version, key, mutual=mutual))
    answer = peer.client(settings.peer_client(version, key if mutual else None), ours.port, WORD)
    assert answer.ok, answer.text
    assert answer.facts["verified"]
    assert ours.ended() == [None]
    (facts,) = ours.facts
    assert facts.version is version
    assert facts.server_name == "localhost"
    assert (facts.peer is not None) is mutual
    if mutual:
        assert facts.peer.names.dns == ("client.example",)
        assert facts.peer_signature_scheme.name.startswith(SCHEMES[key])


@servers
@versions
@auths
@keys
def test_their_server(peer: Peer, version: ProtocolVersion, mutual: bool, key: str, settings) -> None:
    present(peer)
    with peer.server(settings.peer_server(version, key, mutual=mutual)) as running:
        config = settings.client(version, key if mutual else None)
        with connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10) as stream:
            stream.sendall(WORD)
            received = b""
            while len(received) < len(WORD):
                received += stream.recv(65536)
            assert received == peer.echo(WORD)
            facts = stream.facts
            assert facts.version is version
            assert facts.peer.names.dns == ("localhost",)
            assert facts.peer_signature_scheme.name.startswith(SCHEMES[key])
            assert facts.client_certificate_requested is mutual
            assert (facts.identity is not None) is mutual


def talk(peer: Peer, port: int, config) -> object:
    """One message to a peer's server and back; gives the facts."""
    with connect("127.0.0.1", port, config, server_name="localhost", timeout=10) as stream:
        stream.sendall(MESSAGE)
        received = b""
        while len(received) < len(MESSAGE):
            received += stream.recv(65536)
        assert received == peer.echo(MESSAGE)
        return stream.facts


CHOICES = [(peer, group) for peer in PEERS for group in peer.groups if group in GROUPS]


def choice_name(value: object) -> str:
    return value.name if isinstance(value, NamedGroup | CipherSuite) else str(value)


def runs(group: NamedGroup) -> list[tuple[ProtocolVersion, str]]:
    """Versions that have the group, and a key for each: in TLS 1.2 an ECDSA key's curve must be offered as well."""
    return [(V13, "P-256")] if GROUPS[group].is_hybrid else [(V13, "P-256"), (V12, "RSA-2048")]


@pytest.mark.parametrize(("peer", "group"), CHOICES, ids=choice_name)
def test_groups_of_their_client(peer: Peer, group: NamedGroup, settings, serve) -> None:
    present(peer)
    for version, key in runs(group):
        ours = serve(settings.server(version, key, groups=list(GROUPS)))
        answer = peer.client(settings.peer_client(version, groups=(group,)), ours.port, WORD)
        assert answer.ok, answer.text
        assert ours.facts[0].group is group


@pytest.mark.parametrize(("peer", "group"), [choice for choice in CHOICES if choice[0] in SERVERS], ids=choice_name)
def test_groups_of_their_server(peer: Peer, group: NamedGroup, settings) -> None:
    present(peer)
    for version, key in runs(group):
        with peer.server(settings.peer_server(version, key, groups=(group,))) as running:
            facts = talk(peer, running.port, settings.client(version, groups=list(GROUPS), key_shares=[group]))
            assert facts.group is group
            assert not facts.hello_retry_request


SUITE_CHOICES = [(peer, suite) for peer in PEERS for suite in peer.suites if suite in SUITES]


def fitting(suite: CipherSuite) -> tuple[ProtocolVersion, str]:
    """The version that has this suite, and a key that it can be used with."""
    if "_WITH_" not in suite.name:
        return V13, "P-256"
    return V12, "RSA-2048" if "_RSA_" in suite.name else "P-256"


@pytest.mark.parametrize(("peer", "suite"), SUITE_CHOICES, ids=choice_name)
def test_cipher_suites_of_their_client(peer: Peer, suite: CipherSuite, settings, serve) -> None:
    present(peer)
    version, key = fitting(suite)
    ours = serve(
        settings.server(version, key, cipher_suites=[suite for suite in SUITES if "TLS_RSA_" not in suite.name])
    )
    answer = peer.client(settings.peer_client(version, suites=(suite,)), ours.port, WORD)
    assert answer.ok, answer.text
    assert ours.facts[0].cipher_suite is suite


@pytest.mark.parametrize(
    ("peer", "suite"), [choice for choice in SUITE_CHOICES if choice[0] in SERVERS], ids=choice_name
)
def test_cipher_suites_of_their_server(peer: Peer, suite: CipherSuite, settings) -> None:
    present(peer)
    version, key = fitting(suite)
    suites = [suite for suite in SUITES if "TLS_RSA_" not in suite.name]
    with peer.server(settings.peer_server(version, key, suites=(suite,))) as running:
        assert talk(peer, running.port, settings.client(version, cipher_suites=suites)).cipher_suite is suite


class TestHelloRetryRequest:
    @clients
    @pytest.mark.parametrize("cookie", [False, True], ids=["group", "group-and-cookie"])
    def test_for_another_group(self, peer: Peer, cookie: bool, settings, serve) -> None:
        """The client shares x25519, or what comes first of each kind, and we speak something else alone."""
        present(peer)
        wanted = NamedGroup.secp521r1 if isinstance(peer, GnuTLS) else NamedGroup.secp384r1
        # Python's ssl can name one group only, but without a word it does as OpenSSL does: shares the first, offers all.
        groups = () if isinstance(peer, PythonSSL) else (NamedGroup.x25519, NamedGroup.secp384r1, NamedGroup.secp521r1)
        ours = serve(settings.server(V13, groups=[wanted], hello_retry_cookie=cookie))
        answer = peer.client(settings.peer_client(V13, groups=groups), ours.port, WORD)
        assert answer.ok, answer.text
        assert ours.facts[0].hello_retry_request
        assert ours.facts[0].group is wanted

    # GnuTLS (3.7.9) ends with illegal_parameter where a HelloRetryRequest names no group, which section 4.1.4 allows.
    @pytest.mark.parametrize("peer", [peer for peer in PEERS if not isinstance(peer, GnuTLS)], ids=str)
    def test_for_a_cookie_alone(self, peer: Peer, settings, serve) -> None:
        present(peer)
        ours = serve(settings.server(V13, groups=[NamedGroup.x25519], hello_retry_cookie=True))
        answer = peer.client(settings.peer_client(V13), ours.port, WORD)
        assert answer.ok, answer.text
        assert ours.facts[0].hello_retry_request

    @servers
    def test_asked_by_their_server(self, peer: Peer, settings) -> None:
        present(peer)
        with peer.server(settings.peer_server(V13, groups=(NamedGroup.secp384r1,))) as running:
            groups = [NamedGroup.x25519, NamedGroup.secp384r1]
            facts = talk(peer, running.port, settings.client(V13, groups=groups))
            assert facts.hello_retry_request
            assert facts.group is NamedGroup.secp384r1


class TestALPN:
    @clients
    @versions
    def test_of_their_client(self, peer: Peer, version: ProtocolVersion, settings, serve) -> None:
        present(peer)
        ours = serve(settings.server(version, alpn=["http/1.1"]))
        offered = ("http/1.1",) if isinstance(peer, Curl) else ("h2", "http/1.1")
        answer = peer.client(settings.peer_client(version, alpn=offered), ours.port, WORD)
        assert answer.ok, answer.text
        assert answer.facts["alpn"] == "http/1.1"
        assert ours.facts[0].alpn == "http/1.1"

    @servers
    @versions
    def test_of_their_server(self, peer: Peer, version: ProtocolVersion, settings) -> None:
        present(peer)
        with peer.server(settings.peer_server(version, alpn=("http/1.1",))) as running:
            facts = talk(peer, running.port, settings.client(version, alpn=["h2", "http/1.1"]))
            assert facts.alpn == "http/1.1"


class TestExporter:
    @versions
    def test_both_sides_export_the_same(self, version: ProtocolVersion, settings, serve) -> None:
        peer = present(NativeOpenSSL())
        ours = serve(settings.server(version))
        answer = peer.client(settings.peer_client(version), ours.port, WORD)
        assert answer.ok, answer.text
        assert [answer.facts["exported"]] == ours.exported
        with peer.server(settings.peer_server(version)) as running:
            with connect(
                "127.0.0.1", running.port, settings.client(version), server_name="localhost", timeout=10
            ) as stream:
                exported = stream.connection.export_keying_material("EXPERIMENTAL interop", 32, b"context")
                stream.sendall(MESSAGE)
                assert stream.recv(65536) == MESSAGE
            assert running.sessions[0]["exported"] == exported
