"""``tlscope explain``, and the files that demo, connect and serve draw."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from captured import FLOWS, talk
from command import Files, invoke, serving, too_wide

from tlscope import Trace
from tlscope import trace as t
from tlscope.explain.pcapng import key_log_of, to_pcapng

TSHARK = shutil.which("tshark")


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "capture.pcapng"
    path.write_bytes(to_pcapng(talk("mutual 1.3", "client")))
    return path


def test_a_trace_is_drawn_again(tmp_path: Path) -> None:
    trace, page = tmp_path / "demo.jsonl", tmp_path / "page.html"
    shown = invoke("demo", "--trace", trace).stdout
    result = invoke("explain", trace, "--html", page)
    assert result.code == 0
    assert not too_wide(result.stdout)
    for line in ("Connection 1", "Connection 2", "One-way TLS 1.3", "Mutual TLS 1.3", "Hello, is this line private?"):
        assert line in result.stdout
    diagrams = [line for line in shown.splitlines() if "│" in line or "║" in line]
    missing = [line for line in diagrams if line not in result.stdout]
    # The demo's ladder has the server's verdicts too, which the trace, the client's, does not hold.
    assert len(missing) == 4
    assert "the certificate is good for alice@example.test" in missing[0]
    assert "signature checked with the public key" in missing[3]
    assert 'id="h2"' in page.read_text()


def test_a_failure_is_explained(tmp_path: Path, files: Files) -> None:
    trace = tmp_path / "refused.jsonl"
    with serving(*("--identity", files.server, "--key", files.server_key), "--client-ca", files.ca) as server:
        invoke("connect", f"localhost:{server.port}", *files.trust, "--trace", trace, "--send", "x")
    result = invoke("explain", trace)
    assert result.code == 0
    assert "no-client-cert" in result.stdout
    assert not too_wide(result.stdout)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_capture_is_drawn_with_its_secrets(flow: str, tmp_path: Path) -> None:
    path, again = tmp_path / "capture.pcapng", tmp_path / "again.pcapng"
    path.write_bytes(to_pcapng(talk(flow, "server")))
    result = invoke("explain", path, "--pcapng", again, "--svg", tmp_path / "x.svg", "--mermaid", tmp_path / "x.mmd")
    assert result.code == 0
    assert "GET /secret HTTP/1.1" in result.stdout
    assert (tmp_path / "x.svg").read_text().startswith("<svg")
    assert (tmp_path / "x.mmd").read_text().startswith("sequenceDiagram")
    assert "GET /secret" not in invoke("explain", again).stdout  # the key log belongs to the file that had it


def test_a_capture_takes_a_key_log(tmp_path: Path) -> None:
    trace = talk("one-way 1.2", "client")
    log, path = tmp_path / "keys.log", tmp_path / "capture.pcapng"
    log.write_text(key_log_of(trace.of(t.Secret)))
    for event in trace.of(t.Secret):
        event.value = None
    path.write_bytes(to_pcapng(trace))
    sealed = invoke("explain", path)
    assert sealed.code == 0
    assert "--keylog" in sealed.stdout
    assert "GET /secret" not in sealed.stdout
    opened = invoke("explain", path, "--keylog", log)
    assert "GET /secret HTTP/1.1" in opened.stdout
    assert "--keylog" not in opened.stdout


def test_json(capture: Path) -> None:
    document = json.loads(invoke("explain", capture, "--json").stdout)
    (connection,) = document["connections"]
    assert connection["title"] == "Mutual TLS 1.3"
    assert connection["diagnosis"] is None
    assert connection["facts"]["version"] == "TLS 1.3"
    assert document["exit_code"] == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "neither a trace of tlscope nor a capture"),
        (b"hello\n", "neither a trace of tlscope nor a capture"),
        (b'{"kind": "trace", "format": 1, "started_at": 0, "secrets": false}\nnonsense\n', "connection 1"),
        (b"\x0a\x0d\x0d\x0a", "no TLS connection in it"),
        (to_pcapng(), "no TLS connection in it"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_a_line(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    result = invoke("explain", path)
    assert result.code == 2
    assert words in " ".join(result.stderr.split())
    assert invoke("explain", tmp_path / "missing").code == 2


def test_a_trace_takes_no_key_log(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text(Trace().to_json_lines())
    assert invoke("explain", path, "--keylog", path).code == 2


# What demo, connect and serve write


def test_demo_writes_everything(tmp_path: Path) -> None:
    names = {option: tmp_path / f"demo.{option}" for option in ("html", "svg", "mermaid", "pcapng", "trace")}
    result = invoke("demo", *[part for option, path in names.items() for part in (f"--{option}", path)])
    assert result.code == 0
    assert "TLS, seen through" in names["html"].read_text()
    assert (tmp_path / "demo-2.svg").exists()
    assert (tmp_path / "demo-2.mermaid").exists()
    assert names["pcapng"].stat().st_mode & 0o777 == 0o600
    assert "Hello, is this line private?" in invoke("explain", names["pcapng"]).stdout
    # The capture has the secrets; nothing else has.
    secrets = [line.split()[2] for line in _key_log(names["pcapng"])]
    assert len(secrets) >= 8
    for path in tmp_path.iterdir():
        if path.suffix != ".pcapng":
            assert not any(secret in path.read_text() for secret in secrets)


def _key_log(path: Path) -> list[str]:
    from tlscope.explain.pcapng_blocks import KeyLogText, read_capture

    found = [item for item in read_capture(path.read_bytes()) if isinstance(item, KeyLogText)]
    return found[0].text.splitlines()


@pytest.mark.interop
@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_tshark_reads_the_request_in_what_connect_wrote(tls: str, tmp_path: Path, files: Files) -> None:
    path = tmp_path / "visit.pcapng"
    with serving(*files.as_server, "--client-ca", files.ca, "--respond", "http") as server:
        result = invoke(
            *("connect", f"localhost:{server.port}", *files.trust, *files.as_client, "--tls", tls, "--pcapng", path),
            *("--send", r"GET /seen HTTP/1.0\r\n\r\n", "--wait", 5),
        )
    assert result.code == 0
    command = [str(TSHARK), "-r", str(path), "-Y", "http.request", "-T", "fields", "-e", "http.request.uri"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60).stdout == "/seen\n"


def test_serve_draws_its_visitors_when_it_ends(tmp_path: Path, files: Files) -> None:
    page, capture = tmp_path / "visitors.html", tmp_path / "visitors.pcapng"
    with serving(*files.as_server, "--html", page, "--pcapng", capture) as server:
        for _ in range(2):
            assert invoke("connect", f"localhost:{server.port}", *files.trust, "--send", "hello").code == 0
        server.wait_for("#2 ended")
    assert 'id="h2"' in page.read_text()
    assert invoke("explain", capture).stdout.count("handshake complete") == 2


@pytest.mark.parametrize("option", ["--html", "--svg", "--mermaid", "--pcapng"])
def test_a_file_that_cant_be_written_is_found_first(option: str, tmp_path: Path) -> None:
    result = invoke("demo", option, tmp_path / "missing" / "file")
    assert result.code == 2
    assert "can't be written" in result.stderr
    assert result.stdout == ""
