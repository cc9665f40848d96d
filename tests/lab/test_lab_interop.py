"""The same failures with other implementations on the other side: the step and the judge are still named right."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from peer_inprocess import PythonSSL
from peer_programs import Curl, GnuTLS, Node, OpenSSL
from peers import V12, V13, Peer, Setup

from tlscope import ChooseClientIdentity, ClientConfig, Judge, TLSError, connect
from tlscope.authority import Issued
from tlscope.explain import Diagnosis
from tlscope.lab import CASES, LabServer, Plan, Seen, Workshop

pytestmark = pytest.mark.interop

CLIENTS = [OpenSSL(), GnuTLS(), PythonSSL(), Node(), Curl()]
SERVERS = [OpenSSL(), GnuTLS(), PythonSSL(), Node()]
PATIENCE = 10.0

# Cases in which a client must refuse the server, and its certificate is to blame.
CERTIFICATES = [
    "cert-expired",
    "cert-expired-intermediate",
    "cert-not-yet-valid",
    "wrong-host",
    "self-signed",
    "unknown-ca-root-sent",
    "unknown-ca",
    "missing-intermediate",
    "wrong-purpose-server",
    "issuer-not-ca",
    "path-length",
    "name-constraint",
]

# What others let through, each for a reason that the atlas names.
LENIENT = {
    ("gnutls", "wrong-purpose-server"): "gnutls-cli does not look at the purpose by default",
}


def present(peer: Peer) -> None:
    if reason := peer.absent():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    shop = Workshop()
    shop.file("ca.pem", shop.authority.pem())
    yield shop
    shop.close()


@pytest.fixture
def lab(workshop: Workshop) -> Iterator[Callable[[str], tuple[LabServer, Callable[[], Seen]]]]:
    """Starts a case's server; gives it, and a wait for what it came to know of its first client."""
    started = []

    def start(id: str) -> tuple[LabServer, Callable[[], Seen]]:
        seen: list[Seen] = []
        news = threading.Event()

        def told(_: Any, one: Seen) -> None:
            seen.append(one)
            news.set()

        server = LabServer(CASES[id], workshop, on_seen=told).start()
        started.append(server)

        def wait() -> Seen:
            assert news.wait(PATIENCE), "the server learned nothing"
            return seen[0]

        return server, wait

    yield start
    for server in started:
        server.close()


def named(diagnosis: Diagnosis) -> set[str]:
    return {diagnosis.id, *(other.id for other in diagnosis.alternatives)}


@pytest.mark.parametrize("peer", CLIENTS, ids=str)
@pytest.mark.parametrize("id", CERTIFICATES)
def test_their_client_refuses_our_server(peer: Peer, id: str, lab, workshop: Workshop) -> None:
    present(peer)
    if (peer.name, id) in LENIENT:
        pytest.skip(LENIENT[peer.name, id])
    server, wait = lab(id)
    answer = peer.client(Setup(V13, workshop.directory / "ca.pem"), server.address[1], b"hello\n")
    assert not answer.ok
    diagnosis = wait().diagnosis
    if diagnosis is None:
        # It compares names when the handshake is over, and then ends the connection in good form.
        assert (peer.name, id) == ("curl", "wrong-host")
        return
    assert diagnosis.judge is Judge.PEER
    if diagnosis.known_by == "silence":
        # It hangs up without an alert; nobody can know more than that.
        assert isinstance(peer, Node | Curl | GnuTLS)
        assert (diagnosis.step, diagnosis.certain) == ("Finished", False)
        return
    assert (diagnosis.step, diagnosis.sender) == ("Certificate", "server")
    if diagnosis.certain:
        assert diagnosis.id == CASES[id].row
    else:
        assert CASES[id].row in named(diagnosis), diagnosis


@pytest.mark.parametrize("peer", CLIENTS, ids=str)
@pytest.mark.parametrize("id", ["no-client-cert", "no-client-cert-tls12"])
def test_their_client_has_no_certificate(peer: Peer, id: str, lab, workshop: Workshop) -> None:
    present(peer)
    server, wait = lab(id)
    version = V12 if id.endswith("tls12") else V13
    peer.client(Setup(version, workshop.directory / "ca.pem"), server.address[1], b"hello\n")
    diagnosis = wait().diagnosis
    assert diagnosis is not None
    assert (diagnosis.id, diagnosis.step, diagnosis.judge) == ("no-client-cert", "Certificate", Judge.US)


@pytest.mark.parametrize("peer", CLIENTS, ids=str)
@pytest.mark.parametrize(
    "id", ["client-unknown-ca", "client-cert-expired", "client-wrong-purpose", "client-missing-intermediate"]
)
def test_their_client_shows_a_bad_certificate(peer: Peer, id: str, lab, workshop: Workshop) -> None:
    present(peer)
    files = shown_by(workshop, id)
    server, wait = lab(id)
    peer.client(Setup(V13, workshop.directory / "ca.pem", files), server.address[1], b"hello\n")
    diagnosis = wait().diagnosis
    assert diagnosis is not None
    assert (diagnosis.judge, diagnosis.step) == (Judge.US, "Certificate")
    # Some keep a certificate to themselves that fits nothing the server asked for, as they should.
    assert diagnosis.id in (CASES[id].row, "no-client-cert")


def shown_by(workshop: Workshop, id: str) -> tuple[Path, Path]:
    """The client's identity of a case, in files."""
    plan: Plan = CASES[id].plan(workshop)
    assert plan.client is not None
    assert isinstance(plan.client.config, ClientConfig)
    identity = plan.client.config.identities[0]
    key: Any = identity.key
    issued = Issued(identity.leaf, key, identity.certificates)
    return issued.write(workshop.directory, id)


@pytest.mark.parametrize("peer", SERVERS, ids=str)
@pytest.mark.parametrize("id", CERTIFICATES)
def test_we_refuse_their_server(peer: Peer, id: str, workshop: Workshop) -> None:
    """Our own verdict is the same, whoever shows the certificate."""
    present(peer)
    files = served_by(workshop, id)
    config = ClientConfig(trust=workshop.authority.anchors(), min_version=V13)
    with peer.server(Setup(V13, workshop.directory / "ca.pem", files)) as running, pytest.raises(TLSError) as caught:
        connect("127.0.0.1", running.port, config, server_name="localhost")
    diagnosis = caught.value.explain()
    assert (diagnosis.id, diagnosis.step, diagnosis.judge) == (CASES[id].row, "Certificate", Judge.US)
    assert diagnosis.direction == "server to client"


def served_by(workshop: Workshop, id: str) -> tuple[Path, Path]:
    plan: Plan = CASES[id].plan(workshop)
    assert plan.server is not None
    config: Any = plan.server.config
    identity = config.identities[0]
    key: Any = identity.key
    return Issued(identity.leaf, key, identity.certificates).write(workshop.directory, f"server-{id}")


def refused_by(peer: Peer, workshop: Workshop, version: Any, config: ClientConfig, decide: Any = None) -> Diagnosis:
    """What we learn from a server of theirs that demands a good certificate."""
    files = workshop.server.write(workshop.directory, "good-server")
    setup = Setup(version, workshop.directory / "ca.pem", files, ask=True)
    with peer.server(setup) as running, pytest.raises(TLSError) as caught:
        config = dataclasses.replace(config, min_version=version, max_version=version)
        with connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10, decide=decide) as stream:
            stream.wait_for_verdict(10)
            stream.recv(1)
    return caught.value.explain()


versions = pytest.mark.parametrize("version", [V13, V12], ids=["1.3", "1.2"])


@pytest.mark.parametrize("peer", SERVERS, ids=str)
@versions
def test_their_server_demands_a_certificate_and_we_have_none(peer: Peer, version, workshop: Workshop) -> None:
    present(peer)
    diagnosis = refused_by(peer, workshop, version, workshop.client_config())
    assert diagnosis.judge is Judge.PEER
    assert (diagnosis.id, diagnosis.step, diagnosis.sender) == ("no-client-cert", "Certificate", "client")
    assert "you were asked for a certificate" in diagnosis.cause


@pytest.mark.parametrize("peer", [OpenSSL(), GnuTLS(), Node()], ids=str)
@versions
def test_our_certificate_is_of_a_ca_that_their_server_did_not_name(peer: Peer, version, workshop: Workshop) -> None:
    """The two days: asked, configured, and nothing sent."""
    present(peer)
    stranger = workshop.stranger.issue_client("alice").identity()
    diagnosis = refused_by(peer, workshop, version, workshop.client_config(identity=stranger))
    assert (diagnosis.id, diagnosis.step, diagnosis.sender) == ("client-cert-not-offered", "Certificate", "client")
    assert "Example CA" in diagnosis.cause
    assert "your identity was issued by CN=Other CA" in diagnosis.cause


@pytest.mark.parametrize("peer", SERVERS, ids=str)
@versions
def test_their_server_does_not_trust_our_certificate(peer: Peer, version, workshop: Workshop) -> None:
    present(peer)
    stranger = workshop.stranger.issue_client("alice").identity()
    config = workshop.client_config(ask=frozenset({ChooseClientIdentity}))
    diagnosis = refused_by(peer, workshop, version, config, decide=lambda decision: stranger)
    assert diagnosis.judge is Judge.PEER if diagnosis.known_by != "seen" else isinstance(peer, Node)
    assert "client-unknown-ca" in named(diagnosis)
    assert not diagnosis.certain


def test_pythons_own_words_for_the_same_are_what_the_atlas_replaces(lab, workshop: Workshop) -> None:
    """Python's ssl says the same of a missing intermediate and of an unknown CA; we do not."""
    texts = set()
    for id in ("missing-intermediate", "unknown-ca"):
        server, _ = lab(id)
        context = ssl.create_default_context(cafile=str(workshop.directory / "ca.pem"))
        with pytest.raises(ssl.SSLError) as caught:
            context.wrap_socket(socket.create_connection(server.address), server_hostname="localhost")
        texts.add(caught.value.verify_message)  # type: ignore[attr-defined]
    assert len(texts) == 1
    rows = set()
    for id in ("missing-intermediate", "unknown-ca"):
        server, _ = lab(id)
        with pytest.raises(TLSError) as refused:
            connect(*server.address, workshop.client_config(), server_name="localhost")
        rows.add(refused.value.explain().id)
    assert len(rows) == 2
