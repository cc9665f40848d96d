"""NSS, which Firefox speaks: its tools as client and server, one-way and mutual, fresh and resumed."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import own_network
import pytest
from loopback import PATIENCE
from peers import V12, V13, Process

from tlscope import ClientAuth, ClientConfig, MemorySessionCache, ProtocolVersion, ServerConfig, connect
from tlscope.authority import Authority

REQUEST = b"GET /there-and-back HTTP/1.0\r\n\r\n"

cases = pytest.mark.parametrize(
    ("version", "key", "mutual"),
    [(V13, "P-256", True), (V13, "RSA-2048", False), (V12, "RSA-2048", True), (V12, "P-256", False)],
    ids=["1.3-ecdsa-mutual", "1.3-rsa", "1.2-rsa-mutual", "1.2-ecdsa"],
)


class NSS:
    """A database of NSS with a server's and a client's certificate in it, and what goes with them here."""

    def __init__(self, directory: Path, key: str) -> None:
        authority = Authority.create("NSS interop")
        self.trust = authority.anchors()
        self.server = authority.issue_server("localhost", "127.0.0.1", key=key)
        self.client = authority.issue_client("client.example", "client.example", key=key)
        self.database = f"sql:{directory}"
        self._directory = directory
        (directory / "ca.pem").write_bytes(authority.pem())
        self._run("certutil", "-N", "--empty-password")
        self._run("certutil", "-A", "-t", "CT,CT,", "-n", "authority", "-i", str(directory / "ca.pem"))
        for name, issued in (("server", self.server), ("client", self.client)):
            (directory / f"{name}.p12").write_bytes(issued.pkcs12("password", name))
            self._run("pk12util", "-i", str(directory / f"{name}.p12"), "-W", "password", "-K", "")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([program, "-d", self.database, *arguments], check=True, capture_output=True, timeout=PATIENCE)

    def range(self, version: ProtocolVersion) -> str:
        name = "tls1.3" if version is V13 else "tls1.2"
        return f"{name}:{name}"


@pytest.fixture(autouse=True)
def tools() -> None:
    for program in ("tstclnt", "selfserv", "certutil", "pk12util"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


@cases
def test_nss_as_the_client(version: ProtocolVersion, key: str, mutual: bool, tmp_path: Path, serve) -> None:
    nss = NSS(tmp_path, key)
    config = ServerConfig(
        identities=[nss.server.identity()],
        trust=nss.trust if mutual else None,
        client_auth=ClientAuth.REQUIRED if mutual else ClientAuth.NONE,
        min_version=version,
        max_version=version,
    )
    ours = serve(config)
    (tmp_path / "request").write_bytes(REQUEST)
    shown = ["-n", "client"] if mutual else []
    options = ["-d", nss.database, "-h", "127.0.0.1", "-p", str(ours.port), "-a", "localhost", "-V", nss.range(version)]
    with Process("tstclnt", *options, "-A", str(tmp_path / "request"), *shown) as process:
        assert process.wait_for("there-and-back\n") is not None, process.text
        assert process.result() == 0
    assert ours.ended() == [None]
    (facts,) = ours.facts
    assert facts.version is version
    assert (facts.peer is not None) is mutual


@cases
def test_nss_as_the_server(version: ProtocolVersion, key: str, mutual: bool, tmp_path: Path) -> None:
    if reason := own_network.absent():
        pytest.skip(f"selfserv is not started: {reason}")
    nss = NSS(tmp_path, key)
    asks = ["-r", "-r"] if mutual else []
    config = ClientConfig(
        trust=nss.trust,
        identity=nss.client.identity() if mutual else None,
        min_version=version,
        max_version=version,
        sessions=MemorySessionCache(),
    )
    options = ["-d", nss.database, "-p", "4433", "-n", "server", "-u", "-v", "-V", nss.range(version), *asks]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        program = own_network.command(listener, 4433, "selfserv", *options)
        with Process(*program, pass_fds=(listener.fileno(),)) as process:
            assert process.wait_for("About to call accept") is not None, process.text
            for resumed in (False, True):
                address = ("127.0.0.1", listener.getsockname()[1])
                with connect(*address, config, server_name="localhost", timeout=PATIENCE) as stream:
                    stream.sendall(REQUEST)
                    assert stream.recv(65536).startswith(b"HTTP/1.0 200"), process.text
                    while stream.recv(65536):
                        pass
                    assert stream.facts is not None
                    assert (stream.facts.version, stream.facts.resumed) == (version, resumed)
                    assert stream.facts.client_certificate_requested is (mutual and not resumed)
