"""Refusals between us and other implementations: the right alert arrives, and each side knows what was wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest
from native_openssl import NativeOpenSSL
from peer_inprocess import PythonSSL
from peer_programs import Curl, GnuTLS, Node, OpenSSL
from peers import V12, V13, Peer, Running

from tlscope import (
    AlertDescription,
    AlertReceived,
    CertificateRejected,
    ChooseClientIdentity,
    PeerViolation,
    ProtocolVersion,
    TLSError,
    TruncatedStream,
    connect,
)

PEERS = [OpenSSL(), NativeOpenSSL(), GnuTLS(), PythonSSL(), Node(), Curl()]
SERVERS = [peer for peer in PEERS if not isinstance(peer, Curl)]
WORD = b"there-and-back\n"
A = AlertDescription

# How the peers name an alert that they were sent.
HEARD = {
    A.certificate_required: r"(?i)alert.certificate.required|\[116\]",
    A.handshake_failure: r"(?i)alert.handshake.failure|\[40\]",
    A.unknown_ca: r"(?i)alert.unknown.ca|\[48\]|A TLS fatal alert has been received",
}

clients = pytest.mark.parametrize("peer", PEERS, ids=str)
servers = pytest.mark.parametrize("peer", SERVERS, ids=str)
versions = pytest.mark.parametrize("version", [V13, V12], ids=lambda version: str(version).replace(" ", ""))


def present(peer: Peer) -> None:
    if reason := peer.absent():
        pytest.skip(reason)


def no_certificate(version: ProtocolVersion) -> AlertDescription:
    """TLS 1.3 has an alert of its own for it (RFC 8446 section 6.2); TLS 1.2 has not (RFC 5246 section 7.4.6)."""
    return A.certificate_required if version is V13 else A.handshake_failure


def heard(running: Running, description: AlertDescription) -> bool:
    """Whether a peer's server learned of an alert."""
    if running.process is None:
        return any(re.search(HEARD[description], str(error)) for error in running.errors)
    return running.process.wait_for(HEARD[description]) is not None


@clients
@versions
def test_their_client_does_not_trust_our_server(
    peer: Peer, version: ProtocolVersion, credentials, settings, serve
) -> None:
    present(peer)
    ours = serve(settings.server(version))
    answer = peer.client(settings.peer_client(version, ca=credentials.other_ca), ours.port, WORD)
    assert not answer.ok
    error = ours.error()
    if isinstance(peer, Node):
        # It verifies by itself when libssl is done, and then hangs up without a word.
        assert isinstance(error, TruncatedStream)
        return
    assert isinstance(error, AlertReceived)
    assert error.description is (A.bad_certificate if isinstance(peer, GnuTLS) else A.unknown_ca)


@clients
@versions
def test_their_client_has_no_certificate(peer: Peer, version: ProtocolVersion, settings, serve) -> None:
    present(peer)
    ours = serve(settings.server(version, mutual=True))
    answer = peer.client(settings.peer_client(version), ours.port, WORD)
    assert not answer.ok
    error = ours.error()
    assert isinstance(error, PeerViolation)
    assert error.code == ("no-client-cert" if version is V13 else "no-client-cert-tls12")
    assert re.search(HEARD[no_certificate(version)], answer.text), answer.text


@clients
@versions
def test_their_client_s_certificate_is_of_an_unknown_ca(
    peer: Peer, version: ProtocolVersion, credentials, settings, serve
) -> None:
    present(peer)
    ours = serve(settings.server(version, mutual=True, send_certificate_authorities=False))
    answer = peer.client(settings.peer_client(version, identity=credentials.files("stranger")), ours.port, WORD)
    assert not answer.ok
    error = ours.error()
    assert isinstance(error, CertificateRejected)
    assert error.whose == "client"
    assert error.alert is A.unknown_ca
    assert re.search(HEARD[A.unknown_ca], answer.text), answer.text


@servers
@versions
def test_we_do_not_trust_their_server(peer: Peer, version: ProtocolVersion, credentials, settings) -> None:
    present(peer)
    with peer.server(settings.peer_server(version)) as running:
        config = settings.client(version, trust=credentials.other_anchors)
        with pytest.raises(CertificateRejected) as caught:
            connect("127.0.0.1", running.port, config, server_name="localhost")
        assert caught.value.whose == "server"
        assert caught.value.alert is A.unknown_ca
        if running.process is not None:
            assert heard(running, A.unknown_ca)
    assert heard(running, A.unknown_ca)


@servers
@versions
def test_their_server_is_another_host(peer: Peer, version: ProtocolVersion, settings) -> None:
    present(peer)
    with peer.server(settings.peer_server(version)) as running, pytest.raises(CertificateRejected) as caught:
        connect("127.0.0.1", running.port, settings.client(version), server_name="example.org")
    assert caught.value.code == "wrong-host"


def be_refused(port: int, config: Any, decide: Any = None) -> TLSError:
    """Connect to a server that will refuse us; gives what we learn, at the latest from waiting for its verdict."""
    with (
        pytest.raises(TLSError) as caught,
        connect("127.0.0.1", port, config, server_name="localhost", timeout=10, decide=decide) as stream,
    ):
        stream.wait_for_verdict(10)
        # In TLS 1.2, or where the peer judges when libssl is done, only what follows shows it.
        stream.recv(1)
    return caught.value


@servers
@versions
def test_their_server_requires_a_certificate_and_we_have_none(peer: Peer, version: ProtocolVersion, settings) -> None:
    present(peer)
    with peer.server(settings.peer_server(version, mutual=True)) as running:
        error = be_refused(running.port, settings.client(version))
    assert isinstance(error, AlertReceived)
    if isinstance(peer, GnuTLS) and version is V12:
        assert error.description is A.decode_error  # as GnuTLS does
    else:
        assert error.description is no_certificate(version)


@servers
@versions
def test_their_server_does_not_trust_our_certificate(
    peer: Peer, version: ProtocolVersion, credentials, settings
) -> None:
    """The server names its CAs, so that a client would keep a stranger's certificate to itself; this one insists."""
    present(peer)
    stranger = credentials.identity("stranger")
    config = settings.client(version, ask=frozenset({ChooseClientIdentity}))
    with peer.server(settings.peer_server(version, mutual=True)) as running:
        error = be_refused(running.port, config, decide=lambda decision: stranger)
    if isinstance(peer, Node):
        assert isinstance(error, TruncatedStream)  # it hangs up, as above
    else:
        assert isinstance(error, AlertReceived)
        assert error.description is (A.access_denied if isinstance(peer, GnuTLS) else A.unknown_ca)


@servers
@versions
def test_a_certificate_of_another_ca_is_not_shown(peer: Peer, version: ProtocolVersion, credentials, settings) -> None:
    """Where the server says which CAs it trusts, a certificate of another is not shown, and the error says why."""
    present(peer)
    if isinstance(peer, NativeOpenSSL | PythonSSL):
        pytest.skip(f"{peer} trusts CAs without naming them")
    config = settings.client(version, identity=credentials.identity("stranger"))
    with peer.server(settings.peer_server(version, mutual=True)) as running:
        error = be_refused(running.port, config)
    assert isinstance(error, AlertReceived)


@pytest.mark.parametrize("peer", [OpenSSL(), NativeOpenSSL(), GnuTLS(), PythonSSL(), Node()], ids=str)
def test_no_version_in_common(peer: Peer, settings, serve) -> None:
    present(peer)
    ours = serve(settings.server(V13))
    answer = peer.client(settings.peer_client(V12), ours.port, WORD)
    assert not answer.ok
    assert re.search(r"(?i)protocol.version|\[70\]", answer.text), answer.text
    assert ours.error().alert is A.protocol_version
    with peer.server(settings.peer_server(V12)) as running, pytest.raises(TLSError) as caught:
        connect("127.0.0.1", running.port, settings.client(V13), server_name="localhost")
    assert isinstance(caught.value, AlertReceived | PeerViolation)


@pytest.mark.parametrize("peer", [OpenSSL(), NativeOpenSSL(), GnuTLS(), Node()], ids=str)
@versions
def test_no_cipher_suite_in_common(peer: Peer, version: ProtocolVersion, settings, serve) -> None:
    present(peer)
    ours_have, they_have = peer.suites[0], peer.suites[1]
    if version is V12:
        old = [suite for suite in peer.suites if "ECDSA_WITH" in suite.name]
        ours_have, they_have = old[0], old[1]
    ours = serve(settings.server(version, cipher_suites=[ours_have]))
    answer = peer.client(settings.peer_client(version, suites=(they_have,)), ours.port, WORD)
    assert not answer.ok
    assert re.search(HEARD[A.handshake_failure], answer.text), answer.text
    assert ours.error().alert is A.handshake_failure
    config = settings.client(version, cipher_suites=[ours_have])
    with (
        peer.server(settings.peer_server(version, suites=(they_have,))) as running,
        pytest.raises(AlertReceived) as caught,
    ):
        connect("127.0.0.1", running.port, config, server_name="localhost")
    assert caught.value.description is A.handshake_failure
