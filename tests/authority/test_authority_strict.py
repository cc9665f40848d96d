"""What the authority issues is accepted by OpenSSL in its strict mode, and what it breaks on purpose is not."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from tlscope.authority import Authority, Issued, self_signed

CA = Authority.create("Example CA")
INTER = CA.issue_intermediate("Example Issuing CA", path_length=0)


def _context(purpose: ssl.Purpose, trusted: bytes) -> ssl.SSLContext:
    context = ssl.create_default_context(purpose, cadata=trusted.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT | getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0)
    return context


def _load(context: ssl.SSLContext, issued: Issued, directory: Path) -> None:
    certificate, key = issued.write(directory)
    context.load_cert_chain(certificate, key)


def handshake(
    server: Issued,
    trusted: bytes,
    directory: Path,
    name: str = "localhost",
    client: Issued | None = None,
) -> ssl.SSLObject:
    """A handshake of the standard library with itself, in memory. Raises what the client raises, or the server."""
    ours = _context(ssl.Purpose.SERVER_AUTH, trusted)
    theirs = _context(ssl.Purpose.CLIENT_AUTH, trusted)
    _load(theirs, server, directory)
    if client is not None:
        theirs.verify_mode = ssl.CERT_REQUIRED
        _load(ours, client, directory)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    left = ours.wrap_bio(to_client, to_server, server_hostname=name)
    right = theirs.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        for side in (left, right):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    right.do_handshake()
    return left


@pytest.mark.parametrize("authority", [CA, INTER], ids=["root", "intermediate"])
@pytest.mark.parametrize("name", ["localhost", "a.shop.example", "127.0.0.1", "::1"])
def test_server(authority: Authority, name: str, tmp_path: Path) -> None:
    server = authority.issue_server("localhost", "*.shop.example", "127.0.0.1", "::1")
    assert handshake(server, CA.pem(), tmp_path, name).version()


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "RSA-2048", "RSA-3072", "Ed25519"])
def test_kinds_of_keys(kind: str, tmp_path: Path) -> None:
    assert handshake(CA.issue_server("localhost", key=kind), CA.pem(), tmp_path).version()


@pytest.mark.parametrize("kind", ["P-384", "RSA-2048", "Ed25519"])
def test_kinds_of_authorities(kind: str, tmp_path: Path) -> None:
    root = Authority.create("Other CA", key=kind)
    server = root.issue_intermediate("Other Issuing CA", key=kind).issue_server("localhost")
    assert handshake(server, root.pem(), tmp_path).version()


def test_client(tmp_path: Path) -> None:
    server = CA.issue_server("localhost")
    for client in (CA.issue_client("Ada"), INTER.issue_client("Ada", "ada@corp.example", "spiffe://corp/ada")):
        assert handshake(server, CA.pem(), tmp_path, client=client).version()


def test_self_signed(tmp_path: Path) -> None:
    server = self_signed("localhost", "127.0.0.1")
    assert handshake(server, server.pem(), tmp_path).version()


def test_constrained(tmp_path: Path) -> None:
    root = Authority.create("Bound CA", permitted=["corp.example", "10.0.0.0/8"])
    server = root.issue_server("a.corp.example", "10.1.2.3")
    assert handshake(server, root.pem(), tmp_path, "a.corp.example").version()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"basic_constraints_critical": False}, "Basic Constraints of CA cert not marked critical"),
        ({"key_usage": None}, "CA cert does not include key usage extension"),
        ({"subject_key_identifier": False}, "Missing Subject Key Identifier"),
        ({"authority_key_identifier": False}, "Missing Authority Key Identifier"),
        ({"ca": False}, "invalid CA certificate"),
    ],
)
def test_what_the_reasons_say_that_python_refuses_too_it_does(overrides: Any, words: str, tmp_path: Path) -> None:
    odd = CA.issue_intermediate("Odd CA", **overrides)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        handshake(odd.issue_server("localhost"), CA.pem(), tmp_path)
    assert words.lower() in str(caught.value).lower()


def test_common_names_still_count_for_the_standard_library(tmp_path: Path) -> None:
    assert handshake(CA.issue_server("localhost", names=()), CA.pem(), tmp_path).version()


def test_a_wildcard_below_a_top_level_domain_is_of_no_use(tmp_path: Path) -> None:
    from cryptography import x509

    server = CA.issue_server("x.test", names=(x509.DNSName("*.localhost"),))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(server, CA.pem(), tmp_path, "a.localhost")


def test_over_a_socket(tmp_path: Path) -> None:
    """The same over loopback: what a person would do with the files."""
    import threading

    context = _context(ssl.Purpose.CLIENT_AUTH, CA.pem())
    _load(context, INTER.issue_server("localhost"), tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            connection, _ = listener.accept()
            with context.wrap_socket(connection, server_side=True) as tls:
                tls.sendall(tls.recv(5))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
                _context(ssl.Purpose.SERVER_AUTH, CA.pem()).wrap_socket(plain, server_hostname="localhost") as tls,
            ):
                tls.sendall(b"hello")
                assert tls.recv(5) == b"hello"
        finally:
            thread.join(10)
