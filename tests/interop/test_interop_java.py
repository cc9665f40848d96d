"""Java's TLS, an implementation with no code in common with the others: mutual, in both directions, with resumption."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from peers import V12, V13, Process

from tlscope import ClientAuth, ClientConfig, ProtocolVersion, ServerConfig, TrustAnchors, connect
from tlscope.authority import Authority, Issued

pytestmark = pytest.mark.slow  # each run starts a Java machine

cases = pytest.mark.parametrize(
    ("version", "key"),
    [(V13, "P-256"), (V13, "RSA-2048"), (V13, "Ed25519"), (V12, "P-256"), (V12, "RSA-2048")],
    ids=lambda value: str(value).replace(" ", ""),
)
SOURCE = Path(__file__).with_name("JavaPeer.java")


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("javac") is None or shutil.which("java") is None:
        pytest.skip("javac and java are not installed")
    directory = tmp_path_factory.mktemp("classes")
    subprocess.run(["javac", "-d", str(directory), str(SOURCE)], check=True)
    return directory


class Java:
    """Both sides' certificates, and how to start the program."""

    def __init__(self, classes: Path, directory: Path, version: ProtocolVersion, key: str) -> None:
        self._classes, self._directory = classes, directory
        self._version = "TLSv1.3" if version is V13 else "TLSv1.2"
        authority = Authority.create("Java interop")
        self.trust: TrustAnchors = authority.anchors()
        self.server = authority.issue_server("localhost", "127.0.0.1", key=key)
        self.client = authority.issue_client("client.example", "client.example", key=key)
        (directory / "ca.pem").write_bytes(authority.pem())

    def start(self, role: str, issued: Issued, *more: str) -> Process:
        (self._directory / "identity.p12").write_bytes(issued.pkcs12("password"))
        files = [str(self._directory / "identity.p12"), str(self._directory / "ca.pem")]
        return Process("java", "-cp", str(self._classes), "JavaPeer", role, *files, self._version, *more)


@cases
def test_java_as_the_client(version: ProtocolVersion, key: str, classes: Path, tmp_path: Path, serve) -> None:
    java = Java(classes, tmp_path, version, key)
    config = ServerConfig(
        identities=[java.server.identity()],
        trust=java.trust,
        client_auth=ClientAuth.REQUIRED,
        min_version=version,
        max_version=version,
    )
    ours = serve(config)
    with java.start("client", java.client, str(ours.port)) as process:
        assert process.result() == 0
        assert process.text.split() == ["GOT", "hello"] * 3
    assert ours.ended(3) == [None, None, None]
    assert [facts.resumed for facts in ours.facts] == [False, True, True]
    assert {facts.peer.names.dns for facts in ours.facts} == {("client.example",)}


@cases
def test_java_as_the_server(version: ProtocolVersion, key: str, classes: Path, tmp_path: Path) -> None:
    java = Java(classes, tmp_path, version, key)
    config = ClientConfig(trust=java.trust, identity=java.client.identity(), min_version=version, max_version=version)
    with java.start("server", java.server) as process:
        match = process.wait_for(r"LISTENING (\d+)")
        assert match is not None, process.text
        for times, resumed in enumerate((False, True, True), 1):
            with connect("127.0.0.1", int(match[1]), config, server_name="localhost", timeout=10) as stream:
                for _ in range(2):
                    if version is V13:
                        stream.update_keys(request_peer=True)
                    stream.sendall(b"hello")
                    assert stream.recv(5) == b"hello"
                assert stream.facts.resumed is resumed
            assert process.wait_for("ENDED", times), process.text
        assert "ERROR" not in process.text
