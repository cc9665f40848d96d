"""The shim for the BoringSSL runner: against a small runner of our own, and where there is one, under the real one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tlscope import (
    ClientConfig,
    ClientConnection,
    DataReceived,
    HandshakeCompleted,
    PeerClosed,
    ProtocolVersion,
    ServerConfig,
    ServerConnection,
    TLSError,
)
from tlscope.authority import Authority

Connection = ClientConnection | ServerConnection

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PLAIN_CORE = ROOT.parent / "shared" / "data" / "bogo-plain-core.txt"
RUNNER = os.environ.get("TLSCOPE_BOGO_RUNNER", "")
SHIM = [sys.executable, "-IS", str(HERE / "bogo_shim.py")]

sys.path.insert(0, str(HERE))

import bogo_flags  # noqa: E402
from bogo_shim import warm_address  # noqa: E402


def reachable(owner: int) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        return link.connect_ex(warm_address(owner)) == 0


def wait_until_reachable(owner: int, *, expected: bool = True) -> None:
    end = time.monotonic() + 30
    while reachable(owner) is not expected:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module", autouse=True)
def warm() -> Iterator[subprocess.Popen[bytes]]:
    """A warm process that this process owns, so that the cases are quick."""
    command = [sys.executable, str(HERE / "bogo_case.py"), "--serve", str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        wait_until_reachable(os.getpid())
        yield process
        process.terminate()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


class Runner:
    """Calls the shim, and is the peer of its connections."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(30)
        self.facts: list[Any] = []
        self.errors: list[TLSError] = []

    def run(self, *flags: str, peers: list[Connection], command: list[str] = SHIM) -> subprocess.CompletedProcess[str]:
        port = self.listener.getsockname()[1]
        with ThreadPoolExecutor(1) as pool, self.listener:
            other_side = pool.submit(lambda: [self._serve(peer) for peer in peers])
            result = subprocess.run(
                [*command, "-port", str(port), "-shim-id", "7", *flags],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            other_side.result(60)
        return result

    def _serve(self, tls: Connection) -> None:
        link, _ = self.listener.accept()
        link.settimeout(30)
        with link:
            assert link.recv(8, socket.MSG_WAITALL) == (7).to_bytes(8, "little")
            tls.start()
            try:
                self._talk(link, tls)
            except TLSError as error:
                self.errors.append(error)
                link.sendall(tls.data_to_send())

    def _talk(self, link: socket.socket, tls: Connection) -> None:
        received = b""
        while True:
            link.sendall(tls.data_to_send())
            data = link.recv(65536)
            if not data:
                tls.receive_eof()
                return
            for event in tls.receive_data(data):
                if isinstance(event, HandshakeCompleted):
                    self.facts.append(event.facts)
                    tls.send_data(b"hello")
                elif isinstance(event, DataReceived):
                    received += event.data
                    if len(received) == 5:
                        assert received == bytes(value ^ 0xFF for value in b"hello")
                        tls.close()
                elif isinstance(event, PeerClosed):
                    return


@pytest.fixture
def runner() -> Runner:
    return Runner()


def servers(authority: Authority, count: int = 1, **settings: Any) -> list[Connection]:
    config = ServerConfig(identities=[authority.issue_server("localhost").identity()], **settings)
    return [ServerConnection(config) for _ in range(count)]


def clients(authority: Authority, **settings: Any) -> list[Connection]:
    return [ClientConnection(ClientConfig(trust=authority.anchors(), **settings), "localhost")]


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> tuple[str, ...]:
    """Flags that name a certificate and its key."""
    chain, key = authority.issue_server("localhost").write(tmp_path)
    return "-cert-file", str(chain), "-key-file", str(key)


class TestCalls:
    def test_split_handshakes_are_not_supported_and_a_warm_process_is_left_behind(self) -> None:
        script = "import os, subprocess, sys; print(os.getpid(), flush=True); subprocess.run(sys.argv[1:]); input()"
        command = [sys.executable, "-c", script, *SHIM, "-is-handshaker-supported"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout is not None
            assert int(owner.stdout.readline()) == owner.pid
            assert owner.stdout.readline() == "No\n"
            wait_until_reachable(owner.pid)
            owner.communicate("\n", timeout=30)
        wait_until_reachable(owner.pid, expected=False)

    @pytest.mark.parametrize("command", [SHIM, [sys.executable, str(HERE / "bogo_case.py")]], ids=["warm", "cold"])
    @pytest.mark.parametrize("flags", [["-no-such-flag"], ["-port"], ["-curves", "65000", "-port", "1"]])
    def test_what_is_not_implemented_ends_with_89(self, command: list[str], flags: list[str]) -> None:
        assert subprocess.run([*command, *flags], timeout=60, check=False).returncode == 89

    @pytest.mark.parametrize("command", [SHIM, [sys.executable, str(HERE / "bogo_case.py")]], ids=["warm", "cold"])
    def test_where_nobody_listens(self, command: list[str], tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        result = subprocess.run(
            [*command, "-port", str(port)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert result.returncode == 1
        assert result.stderr.startswith(":no-connection: ")
        assert result.stderr.count("\n") == 1

    def test_an_unknown_flag_is_found_before_anything_is_imported(self) -> None:
        # Its parent is a shell, for which there is no warm process.
        script = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
        command = [sys.executable, "-c", script, sys.executable, "-IS", "-X", "importtime", str(HERE / "bogo_shim.py")]
        result = subprocess.run([*command, "-no-such-flag"], capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 89
        assert "bogo_flags" in result.stderr
        assert "tlscope" not in result.stderr.replace(str(HERE), "")
        assert "cryptography" not in result.stderr


class TestCases:
    @pytest.mark.parametrize("version", ["TLS1_2", "TLS1_3"])
    def test_a_client(self, runner: Runner, authority: Authority, version: str) -> None:
        number = ProtocolVersion[version]
        peers = servers(authority, max_version=number)
        result = runner.run("-expect-version", str(int(number)), "-host-name", "localhost", peers=peers)
        assert (result.returncode, result.stderr) == (0, "")
        assert runner.facts[0].server_name == "localhost"

    def test_a_client_by_itself(self, runner: Runner, authority: Authority) -> None:
        command = [sys.executable, str(HERE / "bogo_case.py")]
        result = runner.run("-expect-version", "772", peers=servers(authority), command=command)
        assert (result.returncode, result.stderr) == (0, "")

    def test_a_server(self, runner: Runner, authority: Authority, files: tuple[str, ...]) -> None:
        peers = clients(authority, alpn=["foo", "bar"])
        result = runner.run("-server", *files, "-select-alpn", "bar", peers=peers)
        assert (result.returncode, result.stderr) == (0, "")
        assert runner.facts[0].alpn == "bar"

    def test_a_resumed_session(self, runner: Runner, authority: Authority) -> None:
        result = runner.run("-resume-count", "1", peers=servers(authority, 2))
        assert (result.returncode, result.stderr) == (0, "")
        assert [facts.resumed for facts in runner.facts] == [False, True]

    def test_an_expectation_that_is_not_met(self, runner: Runner, authority: Authority) -> None:
        result = runner.run("-expect-version", "771", peers=servers(authority))
        assert result.returncode == 1
        assert "the version is" in result.stderr

    def test_the_reason_for_a_failure(self, runner: Runner, authority: Authority, files: tuple[str, ...]) -> None:
        peers = clients(authority, max_version=ProtocolVersion.TLS1_2)
        result = runner.run("-server", *files, "-min-version", "772", peers=peers)
        assert result.returncode == 1
        assert result.stderr.startswith(":no-common-version: ")
        assert runner.errors


class TestFlags:
    def test_flags_of_one_connection_alone(self) -> None:
        first, resumed, retried = bogo_flags.parse(
            ["-server", "-on-initial-expect-version", "771", "-on-resume-expect-version", "772"]
        )
        assert (first.server, resumed.server, retried.server) == (True, True, True)
        assert (first.expect_version, resumed.expect_version, retried.expect_version) == (771, 772, None)

    def test_lists(self) -> None:
        assert bogo_flags.parse(["-curves", "29", "-curves", "23"])[0].curves == [29, 23]

    @pytest.mark.parametrize("argv", [["-no-such-flag"], ["-on-resume-no-such-flag"], ["-curves"]])
    def test_unknown(self, argv: list[str]) -> None:
        with pytest.raises(bogo_flags.Unimplemented):
            bogo_flags.parse(argv)


class TestConfiguration:
    config: dict[str, Any] = json.loads((HERE / "bogo_config.json").read_text())

    def test_every_pattern_has_a_reason(self) -> None:
        assert set(self.config) == {"DisabledTests", "ErrorMap", "HalfRTTTickets"}
        assert all(len(reason.split()) >= 3 for reason in self.config["DisabledTests"].values())

    def test_errors_are_mapped_to_codes_that_exist(self) -> None:
        places = [*(ROOT / "src").rglob("*.py"), *HERE.glob("bogo_*.py")]
        sources = "\n".join(path.read_text() for path in places)
        for theirs, ours in self.config["ErrorMap"].items():
            assert ours, theirs
            for code in ours:
                known = code.strip(":")
                assert f'"{known}"' in sources or f":{known}:" in sources or known.startswith("alert-"), code


@pytest.mark.slow
@pytest.mark.skipif(not RUNNER, reason="TLSCOPE_BOGO_RUNNER does not name the BoringSSL runner's binary")
@pytest.mark.skipif(not PLAIN_CORE.exists(), reason="the list of the plain core's cases is not here")
def test_the_plain_core_under_the_runner(tmp_path: Path) -> None:
    shim, config, output = HERE / "bogo_shim.py", HERE / "bogo_config.json", tmp_path / "results.json"
    names = PLAIN_CORE.read_text().split()
    command = [RUNNER, "-pipe", "-num-workers", "2", "-allow-unimplemented", "-shim-path", str(shim)]
    command += ["-shim-config", str(config), "-test", ";".join(names), "-json-output", str(output)]
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(command, env={**os.environ, "PATH": search}, capture_output=True, text=True, check=False)
    results = json.loads(output.read_text())["tests"]
    failed = [name for name, one in results.items() if one["actual"] not in ("PASS", "SKIP")]
    assert not failed, result.stdout[-4000:]
    passed = {name for name, one in results.items() if one["actual"] == "PASS"}
    # Five are to end in a CBC suite, and one in TLS 1.1.
    assert sorted(set(names) - passed) == [
        "CipherNegotiation-1",
        "CipherNegotiation-3",
        "CipherNegotiation-4",
        "CipherNegotiation-8",
        "ConflictingVersionNegotiation",
        "Resume-Server-CipherNotPreferred",
    ]
