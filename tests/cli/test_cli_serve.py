"""``tlscope serve``: clients of three kinds, hostile ones among them, and its own end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command import PATIENCE, Files, invoke, running, serving, tlscope, too_wide
from loopback import Task

from tlscope import ClientConfig, Trace, TrustAnchors, connect
from tlscope.authority import Store
from tlscope.explain import to_text


def context(files: Files, *, certificate: bool = False) -> ssl.SSLContext:
    found = ssl.create_default_context(cafile=str(files.ca))
    if certificate:
        found.load_cert_chain(files.client, files.client_key)
    return found


@contextmanager
def visit(port: int, settings: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """A connection of the standard library."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain,
        settings.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        yield tls


def ask(settings: ssl.SSLContext, port: int, request: bytes = b"GET / HTTP/1.1\r\n\r\n") -> bytes:
    """What a client of the standard library gets for an answer."""
    with visit(port, settings) as tls:
        tls.sendall(request)
        return b"".join(iter(lambda: tls.recv(65536), b""))


def test_echo_to_many_at_once(files: Files) -> None:
    def talk(number: int) -> None:
        with visit(server.port, context(files)) as tls:
            for turn in range(3):
                text = f"client {number}, turn {turn}".encode()
                tls.sendall(text)
                assert tls.recv(1000) == text

    with serving(*files.as_server) as server:
        for task in [Task(talk, number) for number in range(8)]:
            task.result()
        server.wait_for("#8 ended: ")
    assert server.text.count("handshake complete") == 8
    assert "Stopped after 8 connections." in server.text
    assert not too_wide(server.text)


def test_the_first_line_is_the_address(files: Files) -> None:
    with serving(*files.as_server) as server:
        assert server.lines[0] == f"Listening on 127.0.0.1:{server.port}"
        server.wait_for("Ctrl-C")


def test_a_page_with_the_visitors_handshake(files: Files) -> None:
    with serving(*files.as_server, "--respond", "http", "--client-ca", files.ca) as server:
        head, _, page = ask(context(files, certificate=True), server.port).decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(page.encode())}" in head
    assert "default-src 'none'" in head
    assert "<th>version<td>TLS 1.3" in page
    assert "CN=alice" in page
    assert "CertificateVerify" in page
    assert "handshake complete" in page


def test_the_page_as_text_and_as_json(files: Files) -> None:
    with serving(*files.as_server, "--respond", "http") as server:
        text = ask(context(files), server.port, b"GET /?x HTTP/1.1\r\nAccept: text/plain\r\n\r\n").decode()
        data = ask(context(files), server.port, b"GET / HTTP/1.0\nACCEPT: application/json\n\n").decode()
    assert "version: TLS 1.3" in text
    assert "<" not in text.partition("\r\n\r\n")[2].replace("<-", "")
    assert json.loads(data.partition("\r\n\r\n")[2])["facts"]["server_name"] == "localhost"


def test_curl(files: Files) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    with serving(
        *files.as_server, "--respond", "http", "--client-ca", files.ca, "--client-auth", "requested"
    ) as server:
        for extra in ([], ["--cert", str(files.client), "--key", str(files.client_key)]):
            command = ["curl", "-sS", "--cacert", str(files.ca), *extra, f"https://localhost:{server.port}/"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
            assert done.stderr == ""
            assert ("CN=alice" in done.stdout) is bool(extra)
            assert "Your handshake" in done.stdout


def test_a_hostile_visitor_is_escaped(tmp_path: Path) -> None:
    store = Store.init(tmp_path / "ca")
    made = store.issue("localhost")
    evil = store.authority.issue_client("<script>alert(1)</script>\x1b[2J").write(tmp_path, "evil")
    arguments = ("--identity", made.certificate, "--key", made.key, "--client-ca", store.root)
    with serving(*arguments, "--respond", "http") as server:
        found = ssl.create_default_context(cafile=str(store.root))
        found.load_cert_chain(*evil)
        found.set_alpn_protocols(["<img src=x>", "http/1.1"])
        page = ask(found, server.port, b"GET / HTTP/1.1\r\nX: <b>\r\n\r\n").decode()
        missing = ask(found, server.port, b"GET /<script>\x1b[2J HTTP/1.1\r\n\r\n").decode()
        server.wait_for("#2 ended")
    for text in (page, missing):
        assert "<script>" not in text
        assert "<img" not in text
        assert "\x1b" not in text
    assert "&lt;script&gt;" in page
    assert missing.startswith("HTTP/1.1 404 ")
    assert "\x1b" not in server.text


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"HEAD / HTTP/1.1\r\n\r\n", 200),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"GET /favicon.ico HTTP/1.1\r\n\r\n", 404),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"\xff\xfe\x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
    ],
)
def test_requests_of_all_kinds(files: Files, http_port: int, request_: bytes, status: int) -> None:
    answer = ask(context(files), http_port, request_)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (body == b"") is request_.startswith(b"HEAD")
    assert b"Connection: close" in head


@pytest.fixture(scope="module")
def http_port(files: Files):  # type: ignore[no-untyped-def]
    with serving(*files.as_server, "--respond", "http") as server:
        yield server.port


def test_client_certificates(files: Files) -> None:
    with serving(*files.as_server, "--client-ca", files.ca) as server:
        server.wait_for("must show a certificate issued by CN=tlscope")
        refused = tlscope("connect", f"localhost:{server.port}", *files.trust, "--send", "x", "--wait", "0.3")
        let_in = tlscope(
            "connect", f"localhost:{server.port}", *files.trust, *files.as_client, "--send", "x", "--wait", "0.3"
        )
        server.wait_for("#2 ended")
    assert (refused.code, let_in.code) == (5, 0)
    assert let_in.raw == b"x"
    assert "no-client-cert" in server.text
    assert "--client-auth requested would let it in" in server.text.replace("\n", " ")


def test_without_an_identity(files: Files) -> None:
    with serving() as server:
        server.wait_for("self-signed")
        fingerprint = server.wait_for("SHA-256").split()[-1]
        with connect("127.0.0.1", server.port, ClientConfig(insecure_skip_verification=True)) as stream:
            assert stream.facts is not None
            trust = TrustAnchors.from_der(stream.facts.peer_chain[0])
        # It stands up to verification by whoever trusts it.
        with connect("localhost", server.port, ClientConfig(trust=trust)) as stream:
            assert stream.peer is not None
    assert len(fingerprint) == 64


def test_failures_are_drawn_and_explained(files: Files) -> None:
    with serving(*files.as_server) as server:
        with pytest.raises(ssl.SSLCertVerificationError), socket.create_connection(("127.0.0.1", server.port)) as plain:
            ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
        server.wait_for("#1 ended")
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert plain.recv(1000).startswith(b"HTTP/1.1 400 ")
        server.wait_for("#2 ended")
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE):
            pass
        server.wait_for("#3 ended")
    first, second, third = (" ".join(part.split()) for part in server.text.split("ended: ")[:3])
    assert "where the server's Certificate (server to client)" in first
    assert "judge the client, as its alert unknown_ca tells" in first
    assert "The client did not say so: this fits best" in first
    assert "fix on the client: trust that CA" in first
    assert "judge this side, the server, by what it saw" in second
    assert "https://" in second
    assert "the client connected, said nothing and left" in third
    # A command to copy stands on one line, however wide.
    assert all(line.lstrip().startswith(("tlscope ", "curl ")) for line in too_wide(server.text))


def test_what_fails_after_the_handshake_is_explained_too(files: Files) -> None:
    with serving(*files.as_server) as server, visit(server.port, context(files)) as tls:
        tls.sendall(b"x")
        tls.recv(1)
        with socket.socket(fileno=os.dup(tls.fileno())) as beneath:
            beneath.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        server.wait_for("#1 ended")
    text = " ".join(server.text.split())
    assert "tampered: record 1 under the application keys can't be opened" in text
    assert "where the client's record (client to server)" in text
    assert "judge this side, the server, by what it saw" in text


def test_json_lines(files: Files) -> None:
    with running("serve", "--listen", "127.0.0.1:0", *files.as_server, "--json") as process:
        assert process.stdout is not None
        listening = json.loads(process.stdout.readline())
        assert listening["event"] == "listening"
        assert listening["certificate"]["names"] == ["localhost", "127.0.0.1", "::1"]
        invoke("connect", f"localhost:{listening['port']}", *files.trust, "--json")
        invoke("connect", f"localhost:{listening['port']}", "--trust", files.client, "--json")
        found = [json.loads(process.stdout.readline()) for _ in range(4)]
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout, stderr) == (0, b"", b"")
    assert [(line["event"], line["connection"]) for line in found] == [
        ("handshake", 1),
        ("end", 1),
        ("handshake", 2),
        ("end", 2),
    ]
    assert found[0]["facts"]["version"] == "TLS 1.3"
    assert found[0]["steps"][0]["messages"][0]["name"] == "ClientHello"
    assert found[1]["error"] is None
    assert found[3]["error"]["judge"] == "peer"
    for line in found[2:]:
        diagnosis = line["diagnosis"]
        assert (diagnosis["id"], diagnosis["judge"], diagnosis["alert"]) == ("unknown-ca", "peer", "unknown_ca")
        assert (diagnosis["step"], diagnosis["direction"]) == ("Certificate", "server to client")
        assert diagnosis["fixes"][0]["do"].startswith("trust that CA")
    assert found[1]["diagnosis"] is None


def test_traces_and_keys(files: Files, tmp_path: Path) -> None:
    trace, keys = tmp_path / "trace.jsonl", tmp_path / "keys.log"
    with serving(*files.as_server, "--trace", trace, "--keylog", keys) as server:
        for number in (1, 2):
            invoke("connect", f"localhost:{server.port}", *files.trust, "--json")
            server.wait_for(f"#{number} ended")
    connections = trace.read_text().split('{"kind": "trace"')[1:]
    assert len(connections) == 2
    for text in connections:
        assert "as the server saw it" in to_text(Trace.from_json_lines('{"kind": "trace"' + text))
    assert "CLIENT_TRAFFIC_SECRET_0" in keys.read_text()


def test_a_talkative_client_does_not_fill_the_memory(files: Files, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    with serving(*files.as_server, "--trace", trace) as server:
        config = ClientConfig(trust=TrustAnchors.from_file(files.ca))
        with connect("localhost", server.port, config, timeout=PATIENCE) as stream:
            for _ in range(3000):
                stream.sendall(b"x")
                stream.recv(1)
        server.wait_for("#1 ended: 3,000 bytes echoed")
    assert trace.read_text().count("\n") < 4200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_while_clients_are_there(files: Files, number: signal.Signals) -> None:
    config = ClientConfig(trust=TrustAnchors.from_file(files.ca))
    with serving(*files.as_server) as server, connect("localhost", server.port, config) as stream:
        stream.sendall(b"hi")
        assert stream.recv(10) == b"hi"
        assert server.stop(number) == 0
        assert stream.recv(10) == b""
    assert "Stopped after 1 connection." in server.text


def test_nobody_reads_its_output(files: Files) -> None:
    with running("serve", "--listen", "127.0.0.1:0", *files.as_server) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        port = process.stdout.readline().rstrip().rpartition(b":")[2]
        while not process.stdout.readline().lstrip().startswith(b"stop"):
            pass
        process.stdout.close()
        invoke("connect", f"localhost:{port.decode()}", *files.trust, "--json")
        assert process.wait(PATIENCE) == 141
        assert process.stderr.read() == b""


def test_an_address_that_is_taken(files: Files) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = invoke("serve", "--listen", f"127.0.0.1:{taken.getsockname()[1]}", *files.as_server)
    assert result.code == 3
    assert "address already in use" in result.stderr
    assert "0 for any free one" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--listen", "192.0.2.1:1"], 3, "could not listen on 192.0.2.1:1"),
        (["--listen", "no-such-host.invalid:1"], 3, "could not listen on no-such-host.invalid:1"),
        (["--listen", "127.0.0.1:x"], 2, "a port is a number"),
        (["--respond", "nowhere"], 2, "--respond takes echo, http or a directory"),
        (["--client-auth", "required"], 2, "--client-ca FILE"),
        (["--client-auth", "maybe"], 2, "there are none, requested and required"),
        (["--identity", "nowhere.pem"], 2, "there is no such file"),
        (["--key", "key.pem"], 2, "give the certificate with --identity"),
        (["--client-ca", "nowhere.pem"], 2, "there is no such file"),
        (["--tls", "3"], 2, "give 1.2 or 1.3"),
        (["--trace", "no/where"], 2, "the trace can't be written"),
        (["extra"], 2, "unexpected extra argument"),
    ],
)
def test_refusals(arguments: list[str], code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("serve", *arguments)
    assert result.code == code
    assert says in " ".join(result.stderr.split())
    assert result.stdout == ""
