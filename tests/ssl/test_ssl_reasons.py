"""Errors have the class, numbers, reason and words that programs written for ``ssl`` look for, and tlscope's explanation."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl as std
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from contexts import Files, Handshake, Sides

import tlscope.ssl as ssl
from tlscope import AlertDescription, AlertReceived, TLSError
from tlscope.authority import Authority
from tlscope.ssl.errors import as_ssl
from tlscope.wire.codepoints import AlertLevel


def test_waiting_is_an_error_of_both(both: Sides) -> None:
    tls = both.client().wrap_bio(std.MemoryBIO(), std.MemoryBIO(), server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError) as caught:
        tls.do_handshake()
    assert isinstance(caught.value, TLSError)
    assert caught.value.errno == std.SSL_ERROR_WANT_READ
    assert "did not complete (read)" in str(caught.value)
    assert caught.value.as_dict()["code"] == "want-read"


def _expired(authority: Authority) -> Any:
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=30)
    return authority.issue_server("localhost", not_before=past, lifetime=datetime.timedelta(days=1))


@pytest.mark.parametrize("case", ["expired", "unknown", "host", "address"])
def test_verify_codes_are_openssls(files: Files, in_memory: Handshake, case: str) -> None:
    """Word for word what the standard library says of the same certificate."""
    stranger = Authority.create()
    issued = {
        "expired": lambda: _expired(files.authority),
        "unknown": lambda: stranger.issue_server("localhost"),
    }.get(case, lambda: files.server)()
    name = {"host": "wrong.example", "address": "127.0.0.9"}.get(case, "localhost")
    said = []
    for module in (ssl, std):
        server = std.SSLContext(std.PROTOCOL_TLS_SERVER)
        path = files.directory / f"{case}.pem"
        path.write_bytes(issued.pem() + issued.key_pem())
        server.load_cert_chain(path)
        client = module.create_default_context(cafile=files.ca)
        with pytest.raises(std.SSLCertVerificationError) as caught:
            in_memory(client, server, name)
        error: Any = caught.value
        assert str(error).startswith("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: ")
        assert "certificate verify failed" in repr(error)
        said.append((error.verify_code, error.verify_message, error.reason, error.library, error.errno))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        (AlertDescription.handshake_failure, "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        (AlertDescription.unknown_ca, "TLSV1_ALERT_UNKNOWN_CA"),
        (AlertDescription.certificate_required, "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
        (AlertDescription.unrecognized_name, "TLSV1_UNRECOGNIZED_NAME"),
        (AlertDescription.no_application_protocol, "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"),
        (AlertDescription.user_canceled, "TLSV1_ALERT_USER_CANCELLED"),
    ],
)
def test_alerts_have_openssls_names(description: AlertDescription, reason: str) -> None:
    error = as_ssl(AlertReceived(AlertLevel.fatal, description))
    assert (error.library, error.reason) == ("SSL", reason)
    assert str(error).startswith(f"[SSL: {reason}] {reason.lower().replace('_', ' ')}: ")


def test_a_close_in_the_handshake_is_a_zero_return() -> None:
    error = as_ssl(AlertReceived(AlertLevel.warning, AlertDescription.close_notify))
    assert isinstance(error, std.SSLZeroReturnError) and isinstance(error, AlertReceived)


def test_a_cut_has_openssls_words(both: Sides) -> None:
    incoming = std.MemoryBIO()
    tls = both.client().wrap_bio(incoming, std.MemoryBIO(), server_hostname="localhost")
    incoming.write_eof()
    with pytest.raises(std.SSLEOFError, match="EOF occurred in violation of protocol") as caught:
        tls.do_handshake()
    assert caught.value.errno == std.SSL_ERROR_EOF
    assert isinstance(caught.value, TLSError)


def test_a_peer_that_speaks_no_tls(both: Sides) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def answer() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(1000)
                sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                sock.recv(1000)

        answered = pool.submit(answer)
        raw = socket.create_connection(listener.getsockname(), timeout=20)
        with raw, pytest.raises(std.SSLError) as caught:
            both.client().wrap_socket(raw, server_hostname="localhost")
        answered.result(20)
    assert caught.value.reason == "WRONG_VERSION_NUMBER"
    assert "wrong version number" in str(caught.value)


def test_reading_on_after_both_have_closed(both: Sides, in_memory: Handshake) -> None:
    """Whoever closed first gets SSLZeroReturnError at the end, whoever did not, nothing: as OpenSSL has it."""
    to_server, to_client = std.MemoryBIO(), std.MemoryBIO()
    client = both.client().wrap_bio(to_client, to_server, server_hostname="localhost")
    server = both.server().wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for end in (client, server):
            with contextlib.suppress(std.SSLWantReadError):
                end.do_handshake()
    with pytest.raises(std.SSLWantReadError):
        client.unwrap()
    assert server.read(10) == b""
    server.unwrap()
    with pytest.raises(std.SSLZeroReturnError) as caught:
        client.read(10)
    assert isinstance(caught.value, TLSError)


def test_an_error_explains_itself(files: Files, in_memory: Handshake) -> None:
    client, server = ssl.create_default_context(cafile=files.ca), ssl.SSLContext(std.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.server_pem)
    with pytest.raises(std.SSLCertVerificationError) as caught:
        in_memory(client, server, "wrong.example")
    error: Any = caught.value
    assert error.explain().id == "wrong-host"
