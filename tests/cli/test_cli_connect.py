"""``tlscope connect``: the diagram on stderr, data on stdout, and what else can be asked of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command import PATIENCE, Files, running, tlscope

from tlscope import ClientAuth, Identity, Server, ServerConfig, TLSStream, Trace, TrustAnchors
from tlscope.authority import Authority
from tlscope.explain import to_text

QUICK = ("--wait", "0.3")


def echo(stream: TLSStream) -> None:
    while data := stream.recv(65536):
        stream.sendall(data)


def say(text: bytes) -> Callable[[TLSStream], None]:
    return lambda stream: stream.sendall(text)


@contextmanager
def server(files: Files, handler: Callable[[TLSStream], object] = echo, **changes: Any) -> Iterator[int]:
    """A server with the test's certificate; gives its port."""
    settings = {"identities": [Identity.from_files(files.server, files.server_key)], **changes}
    with Server(ServerConfig(**settings), handler, timeout=PATIENCE, on_error=lambda *_: None) as running:
        yield running.address[1]


def mutual(files: Files) -> dict[str, Any]:
    return {"trust": TrustAnchors.from_file(files.ca), "client_auth": ClientAuth.REQUIRED}


def test_stdout_carries_data_only(files: Files) -> None:
    data = os.urandom(300_000)
    with server(files) as port:
        result = tlscope("connect", f"localhost:{port}", *files.trust, *QUICK, stdin=data)
    assert result.code == 0
    assert result.raw == data
    assert "ClientHello" in result.stderr
    assert "handshake complete" in result.stderr
    assert "localhost, 127.0.0.1, ::1" in result.stderr


def test_a_text_to_send(files: Files) -> None:
    with server(files) as port:
        result = tlscope("connect", f"localhost:{port}", *files.trust, *QUICK, "--send", r"ping\r\n", stdin=b"not this")
    assert result.raw == b"ping\r\n"


def test_what_a_server_says_first(files: Files) -> None:
    with server(files, say(b"220 ready\r\n")) as port:
        result = tlscope("connect", f"localhost:{port}", *files.trust)
    assert (result.code, result.raw) == (0, b"220 ready\r\n")


def test_an_answer_that_takes_its_time_is_waited_for(files: Files) -> None:
    def slowly(stream: TLSStream) -> None:
        stream.recv(100)
        threading.Event().wait(1.2)
        stream.sendall(b"at last")

    with server(files, slowly) as port:
        result = tlscope("connect", f"localhost:{port}", *files.trust, "--send", "hello")
    assert result.raw == b"at last"


def test_the_end_of_the_input_reaches_the_server(files: Files) -> None:
    def count(stream: TLSStream) -> None:
        total = 0
        while data := stream.recv(65536):
            total += len(data)
        stream.sendall(str(total).encode())

    with server(files, count) as port:
        result = tlscope("connect", f"localhost:{port}", *files.trust, *QUICK, stdin=b"x" * 100_000)
    assert (result.code, result.raw) == (0, b"100000")


def test_mutual(files: Files) -> None:
    with server(files, **mutual(files)) as port:
        result = tlscope("connect", f"localhost:{port}", *files.trust, *files.as_client, *QUICK, "--send", "hi")
    assert (result.code, result.raw) == (0, b"hi")
    assert "Mutual TLS 1.3" in result.stderr


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_one_version_only(files: Files, version: str) -> None:
    with server(files) as port:
        result = tlscope("connect", f"localhost:{port}", *files.trust, *QUICK, "--tls", version, "--json")
    assert json.loads(result.stdout)["facts"]["version"] == f"TLS {version}"


def test_settings_reach_the_handshake(files: Files) -> None:
    with server(files, alpn=["http/1.1"]) as port:
        result = tlscope(
            *("connect", f"127.0.0.1:{port}", *files.trust, "--server-name", "LocalHost."),
            *("--groups", "P-384,x25519", "--alpn", "h2,http/1.1", "--json", *QUICK),
        )
    facts = json.loads(result.stdout)["facts"]
    assert facts["server_name"] == "localhost"
    assert facts["group"] == "secp384r1"
    assert facts["alpn"] == "http/1.1"


def test_an_ipv6_address(files: Files) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    identity = Identity.from_files(files.server, files.server_key)
    with Server(ServerConfig(identities=[identity]), echo, "::1") as running:
        result = tlscope("connect", f"[::1]:{running.address[1]}", *files.trust, *QUICK, "--send", "six")
    assert (result.code, result.raw) == (0, b"six")


def test_json(files: Files) -> None:
    with server(files, say(b"caf\xc3\xa9\xff")) as port:
        result = tlscope("connect", f"localhost:{port}", *files.trust, "--json", "--send", "x", *QUICK)
    document = json.loads(result.stdout)
    assert document["exit_code"] == 0
    assert document["host"] == "localhost"
    assert document["answer"] == {"bytes": 6, "text": "café\ufffd"}
    assert document["chain"][0]["names"] == ["localhost", "127.0.0.1", "::1"]
    assert document["steps"][0]["messages"][0]["name"] == "ClientHello"
    assert "error" not in document
    assert result.stderr == ""


def test_a_trace_reads_back_and_draws(files: Files, tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    with server(files) as port:
        result = tlscope(
            "connect", f"localhost:{port}", *files.trust, *QUICK, "--send", "secret words", "--trace", file
        )
    trace = Trace.from_json_lines(file.read_text())
    drawing = to_text(trace)
    assert "ClientHello" in drawing
    assert "12 bytes" in drawing
    assert result.stderr.splitlines()[5] in drawing.splitlines()
    assert "secret words" not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_a_trace_of_a_failure_is_kept_too(files: Files, tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    with server(files) as port:
        result = tlscope("connect", f"localhost:{port}", "--trust", files.client, "--trace", file)
    assert result.code == 4
    assert "failed" in {event.kind for event in Trace.from_json_lines(file.read_text())}


def test_a_key_log(files: Files, tmp_path: Path) -> None:
    file = tmp_path / "keys.log"
    with server(files) as port:
        tlscope("connect", f"localhost:{port}", *files.trust, *QUICK, "--keylog", file)
        by_option = file.read_text()
        tlscope("connect", f"localhost:{port}", *files.trust, *QUICK, SSLKEYLOGFILE=str(file))
    lines = [line.split() for line in by_option.splitlines()]
    assert {line[0] for line in lines} >= {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0"}
    assert all(len(bytes.fromhex(line[1])) == 32 for line in lines)
    assert len(file.read_text().splitlines()) == 2 * len(lines)
    assert file.stat().st_mode & 0o077 == 0


def test_insecure_says_so(files: Files) -> None:
    with server(files) as port:
        result = tlscope("connect", f"localhost:{port}", "--insecure", *QUICK, "--send", "hi")
    assert (result.code, result.raw) == (0, b"hi")
    assert "Nobody vouches for this server" in result.stderr


def test_a_certificate_with_hostile_names_does_no_harm(tmp_path: Path) -> None:
    authority = Authority.create("Evil \x1b[2J\u202e CA [bold]x[/bold]")
    issued = authority.issue_client("\x1b]0;owned\x07[red]")
    config = ServerConfig(identities=[issued.identity()])
    with Server(config, echo, on_error=lambda *_: None) as running:
        for arguments in ([], ["--json"]):
            result = tlscope("connect", f"localhost:{running.address[1]}", "--insecure", *QUICK, *arguments)
            assert result.code == 0
            for forbidden in ("\x1b", "\x07", "\u202e"):
                assert forbidden not in result.stderr + result.stdout
    assert "[red]" in tlscope_certificate_line(result.stdout)


def tlscope_certificate_line(document: str) -> str:
    return str(json.loads(document)["chain"][0])


def test_the_reader_of_the_output_goes_away(files: Files) -> None:
    def flood(stream: TLSStream) -> None:
        while True:
            stream.sendall(b"x" * 65536)

    with server(files, flood) as port, running("connect", f"localhost:{port}", *files.trust) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10) == b"x" * 10
        process.stdout.close()
        stderr = process.stderr.read()
        process.wait(PATIENCE)
    assert process.returncode == 141
    assert b"Traceback" not in stderr
    assert b"tlscope connect:" not in stderr


def test_ctrl_c(files: Files) -> None:
    with server(files) as port, running("connect", f"localhost:{port}", *files.trust) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"ping")
        process.stdin.flush()
        assert process.stdout.read(4) == b"ping"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert b"Traceback" not in stderr
