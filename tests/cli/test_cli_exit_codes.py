"""Each exit code, provoked; and the sentence that comes with it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command import Files, Result, invoke, tlscope

from tlscope import (
    AlertDescription,
    AlertReceived,
    ClientAuth,
    ClientConfig,
    Identity,
    NamedGroup,
    ProtocolVersion,
    Server,
    ServerConfig,
    TrustAnchors,
)
from tlscope.authority import Authority
from tlscope.cli.errors import EXIT_CODES, ExitCode, report
from tlscope.errors import HandshakeTimeout, Situation
from tlscope.wire.codepoints import AlertLevel


@contextmanager
def server(files: Files, **changes: Any) -> Iterator[str]:
    settings = {"identities": [Identity.from_files(files.server, files.server_key)], **changes}
    with Server(ServerConfig(**settings), lambda stream: None, on_error=lambda *_: None) as running:
        yield f"localhost:{running.address[1]}"


@contextmanager
def plain_server(talk: Callable[[socket.socket], object]) -> Iterator[str]:
    """A server that speaks no TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(20)
                connection.recv(65536)
                talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(20)


def connect(where: str, *arguments: object) -> tuple[Result, dict[str, Any]]:
    """Both forms of output, which must agree."""
    result = invoke("connect", where, *arguments, "--wait", "0.3", "--json")
    document = json.loads(result.stdout)
    assert document["exit_code"] == result.code
    return result, document


def only(text: str) -> str:
    return " ".join(text.split())


def test_what_the_codes_are() -> None:
    assert {int(code): text.partition(":")[0] for code, text in EXIT_CODES.items()} == {
        0: "all went well",
        1: "a defect of tlscope itself",
        2: "the command line, a file or a setting can't work",
        3: "the network",
        4: "we refused the peer",
        5: "the peer refused us, and said so with an alert",
        6: "nothing in common",
        130: "ended by Ctrl-C (serve",
        141: "whoever read the output went away",
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "missing argument"),
        (["localhost", "--nonsense"], "no such option: --nonsense"),
        (["localhost", "--tls", "1.1"], "RFC 8996"),
        (["localhost", "--groups", "P-257"], "is no group"),
        (["localhost", "--wait", "soon"], "--wait"),
        (["localhost", "--wait", "nan"], "--wait takes seconds"),
        (["https://localhost/"], "leave the rest away"),
        (["local host"], "is no host"),
        (["exa_mple.org"], "underscore"),
        (["localhost", "--key", "x"], "give the certificate with --identity"),
        (["localhost", "--trust", "nowhere.pem"], "there is no such file"),
        (["localhost", "--trust", "."], "this is a directory"),
        (["localhost", "--identity", "nowhere.pem"], "there is no such file"),
        (["localhost", "--trace", "nowhere/trace"], "the trace can't be written"),
        (["localhost", "--keylog", "nowhere/keys"], "the key log can't be written"),
    ],
)
def test_2_the_command_line_or_a_file(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("connect", *arguments)
    assert result.code == 2
    assert says in only(result.stderr)
    assert result.stderr.startswith("tlscope connect: ")
    assert result.stdout == ""


def test_2_a_bad_file_says_what_it_is(files: Files, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n")
    for arguments, says in (
        (["--trust", bad], "is not base64"),
        (["--trust", files.server_key], "this is a private key"),
        (["--identity", files.server, "--key", files.client_key], "don't belong together"),
    ):
        result, document = connect("localhost:1", *arguments)
        assert result.code == 2
        assert says in document["error"]["sentence"]
        assert says.split()[0] in result.stderr


def test_2_an_encrypted_key_without_a_terminal(tmp_path: Path) -> None:
    issued = Authority.create().issue_client("alice")
    (tmp_path / "alice.pem").write_bytes(issued.pem() + issued.key_pem("wonderland"))
    result, document = connect("localhost:1", "--identity", tmp_path / "alice.pem")
    assert (result.code, document["error"]["code"]) == (2, "encrypted-key")


def test_2_no_trust_store(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = tlscope(
        "connect", "localhost:1", SSL_CERT_FILE=str(tmp_path / "none"), SSL_CERT_DIR=str(tmp_path / "empty")
    )
    assert result.code == 2
    assert "there is no system trust store" in only(result.stderr)


def test_3_nobody_listens(files: Files) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result, document = connect(f"127.0.0.1:{port}", *files.trust)
    assert (result.code, document["error"]["code"]) == (3, "connection-refused")
    assert f"could not connect to 127.0.0.1:{port}: connection refused." in only(result.stderr)
    assert "Nothing listens there" in only(result.stderr)
    assert "steps" not in document or document["steps"] == []


def test_3_no_such_host(files: Files) -> None:
    result, document = connect("no-such-host.invalid", *files.trust)
    assert result.code == 3
    assert document["error"]["code"] in ("no-such-host", "network")


def test_3_the_connection_is_cut_in_the_handshake(files: Files) -> None:
    with plain_server(lambda connection: None) as where:
        result, document = connect(where, *files.trust)
    assert (result.code, document["error"]["code"]) == (3, "truncated")
    assert "closed the connection after the ClientHello" in only(result.stderr)
    assert document["steps"][0]["messages"][0]["name"] == "ClientHello"


def test_4_an_untrusted_certificate(files: Files, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(Authority.create().pem())
    with server(files) as where:
        result, document = connect(where, "--trust", other)
    assert (result.code, document["error"]["code"]) == (4, "unknown-ca")
    assert document["error"]["alert"] == "unknown_ca"
    assert "--trust FILE" in only(result.stderr)


def test_4_another_name(files: Files) -> None:
    with server(files) as where:
        result, document = connect(where, *files.trust, "--server-name", "example.org")
    assert (result.code, document["error"]["code"]) == (4, "wrong-host")
    assert document["error"]["step"] == "on the server's Certificate"


def test_4_something_that_is_not_tls(files: Files) -> None:
    with plain_server(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as where:
        result, _ = connect(where, *files.trust)
    assert result.code == 4
    assert "does not speak TLS" in only(result.stderr)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_5_a_certificate_is_required(files: Files, version: str) -> None:
    settings = {"trust": TrustAnchors.from_file(files.ca), "client_auth": ClientAuth.REQUIRED}
    with server(files, **settings) as where:
        result, document = connect(where, *files.trust, "--tls", version)
    assert result.code == 5
    assert document["error"]["judge"] == "peer"
    assert "show one with --identity FILE" in only(result.stderr)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_5_the_certificate_is_refused(files: Files, tmp_path: Path, version: str) -> None:
    stranger = Authority.create().issue_client("mallory").write(tmp_path)
    settings = {
        "trust": TrustAnchors.from_file(files.ca),
        "client_auth": ClientAuth.REQUIRED,
        "send_certificate_authorities": False,
    }
    with server(files, **settings) as where:
        result, document = connect(
            where, *files.trust, "--identity", stranger[0], "--key", stranger[1], "--tls", version
        )
    assert (result.code, document["error"]["code"]) == (5, "alert-unknown-ca")
    assert document["error"]["judge"] == "peer"


@pytest.mark.parametrize(
    ("theirs", "ours", "code"),
    [
        ({"min_version": ProtocolVersion.TLS1_3}, ["--tls", "1.2"], "alert-protocol-version"),
        ({"alpn": ["h2"]}, ["--alpn", "http/1.1"], "alert-no-application-protocol"),
        ({"groups": [NamedGroup.x448]}, ["--groups", "x25519", "--tls", "1.3"], "alert-handshake-failure"),
    ],
)
def test_6_nothing_in_common(files: Files, theirs: dict[str, Any], ours: list[str], code: str) -> None:
    with server(files, **theirs) as where:
        result, document = connect(where, *files.trust, *ours)
    assert (result.code, document["error"]["code"]) == (6, code)


def test_6_where_we_find_it_out_ourselves() -> None:
    def old(connection: socket.socket) -> None:
        hello = b"\x03\x01" + bytes(32) + b"\0" + b"\xc0\x13" + b"\0"
        body = b"\x02" + len(hello).to_bytes(3, "big") + hello
        connection.sendall(b"\x16\x03\x01" + len(body).to_bytes(2, "big") + body)

    with plain_server(old) as where:
        result, document = connect(where, "--insecure")
    assert result.code == 6
    assert "TLS 1.0" in document["error"]["sentence"]


def test_a_failure_draws_what_happened_up_to_it(files: Files) -> None:
    with server(files) as where:
        result = invoke("connect", where, *files.trust, "--server-name", "example.org")
    assert result.code == 4
    assert "ClientHello" in result.stderr
    assert "alert" in result.stderr.lower()


def test_handshake_failure_means_a_missing_certificate_to_one_who_was_asked_for_it() -> None:
    alert = AlertReceived(AlertLevel.fatal, AlertDescription.handshake_failure)
    assert report(alert).code is ExitCode.NOTHING_IN_COMMON
    alert.situation = Situation(role="client", asked_authorities=(), shown=())
    assert report(alert).code is ExitCode.REFUSED_BY_PEER
    assert "--identity" in report(alert).advice


def test_3_a_server_that_says_nothing() -> None:
    error = HandshakeTimeout("the server sent no ServerHello within 10 s", seconds=10)
    assert report(error).code is ExitCode.NETWORK
    assert "may not speak TLS" in report(error).advice


def test_an_unforeseen_error_is_one_sentence() -> None:
    found = report(ZeroDivisionError("division by zero"))
    assert found.code is ExitCode.DEFECT
    assert "ZeroDivisionError: division by zero" in found.what
    assert "report it" in found.advice
    assert report(ValueError()).what.endswith("ValueError")


def test_errors_of_files_and_of_sockets_are_told_apart(tmp_path: Path) -> None:
    assert report(PermissionError(13, "Permission denied", str(tmp_path))).code is ExitCode.USAGE
    assert report(ConnectionResetError(104, "Connection reset by peer")).code is ExitCode.NETWORK
    assert report(KeyboardInterrupt()).code is ExitCode.INTERRUPTED
    assert report(BrokenPipeError()).code is ExitCode.PIPE_CLOSED


def test_settings_that_cannot_be_are_usage() -> None:
    with pytest.raises(Exception, match="empty") as caught:
        ClientConfig(groups=())
    assert report(caught.value).code is ExitCode.USAGE
