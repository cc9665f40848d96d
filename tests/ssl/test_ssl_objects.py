"""``SSLContext`` and ``SSLObject`` in memory: settings, facts and failures, against itself and the standard library."""

from __future__ import annotations

import contextlib
import gc
import ssl as std
import weakref
from pathlib import Path
from typing import Any

import pytest
from contexts import Files, Handshake, Sides

import tlscope
import tlscope.ssl as ssl
from tlscope import CertificateRejected, ConfigError, Misuse, NamedGroup, TLSError, Trace
from tlscope.authority import Authority


def test_what_it_is_is_what_everybody_expects(both: Sides, in_memory: Handshake) -> None:
    client, _ = in_memory(both.client(), both.server())
    assert isinstance(both.client(), std.SSLContext)
    assert isinstance(client, std.SSLObject)
    assert isinstance(client, ssl.SSLObject)
    assert client._sslobj.selected_alpn_protocol() is None  # type: ignore[attr-defined]
    assert ssl.CERT_REQUIRED is std.CERT_REQUIRED
    assert ssl.SSLError is std.SSLError
    assert set(std.__dict__) - set(dir(ssl)) - {"__builtins__"} <= set(std.__dict__), "names come by __getattr__"
    assert ssl.OPENSSL_VERSION == std.OPENSSL_VERSION


@pytest.mark.parametrize("mutual", [False, True])
def test_both_sides_say_the_same(sides: Sides, in_memory: Handshake, mutual: bool) -> None:
    client_context, server_context = sides.client(), sides.server(mutual=mutual)
    for context in (client_context, server_context):
        context.set_alpn_protocols(["h2", "http/1.1"])
    client, server = in_memory(client_context, server_context)
    assert client.version() == server.version() == "TLSv1.3"
    assert client.cipher() == server.cipher()
    assert client.selected_alpn_protocol() == server.selected_alpn_protocol() == "h2"
    assert client.compression() is None
    assert (server.getpeercert() is not None) is mutual
    client.write(b"hello")
    assert server.read(100) == b"hello"
    server.write(bytes(100_000))
    received = b""
    while len(received) < 100_000:
        received += client.read(65536)
    assert received == bytes(100_000)


@pytest.mark.parametrize("version", [std.TLSVersion.TLSv1_2, std.TLSVersion.TLSv1_3])
def test_versions_and_channel_bindings(sides: Sides, in_memory: Handshake, version: std.TLSVersion) -> None:
    client_context, server_context = sides.client(), sides.server()
    client_context.maximum_version = client_context.minimum_version = version
    client, server = in_memory(client_context, server_context)
    assert client.version() == version.name.replace("_", ".")
    if version is std.TLSVersion.TLSv1_2:
        binding = client.get_channel_binding("tls-unique")
        assert binding
        assert binding == server.get_channel_binding("tls-unique")


def test_a_certificate_is_described_as_the_standard_library_does(files: Files, in_memory: Handshake) -> None:
    ours = Sides(ssl, std, files)
    theirs = Sides(std, std, files)
    described = [in_memory(side.client(), side.server())[0].getpeercert() for side in (ours, theirs)]
    assert described[0] == described[1]
    binary = [in_memory(side.client(), side.server())[0].getpeercert(True) for side in (ours, theirs)]
    assert binary[0] == binary[1]


def test_the_chains(both: Sides, in_memory: Handshake) -> None:
    client, _ = in_memory(both.client(), both.server())
    assert isinstance(client, ssl.SSLObject)
    leaf = both.files.server.der()[0]
    assert client.get_unverified_chain()[0] == leaf
    assert client.get_verified_chain()[0] == leaf
    assert len(client.get_verified_chain()) == 2


# Failures


def test_a_refused_certificate_is_both_libraries_error(sides: Sides, in_memory: Handshake) -> None:
    if sides.client_module is std:
        pytest.skip("the standard library judges by itself")
    context = sides.client_module.create_default_context(cafile=sides.files.ca)
    with pytest.raises(std.SSLCertVerificationError) as caught:
        in_memory(context, sides.server(), "example.com")
    error: Any = caught.value
    assert isinstance(error, CertificateRejected)
    assert isinstance(error, ValueError)
    assert error.verify_code == 62
    assert "example.com" in error.verify_message
    assert error.reason == "CERTIFICATE_VERIFY_FAILED"
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert "localhost" in str(error)


def test_the_refused_side_is_told(sides: Sides, in_memory: Handshake) -> None:
    with pytest.raises(std.SSLError) as caught:
        in_memory(sides.client(certificate=False), sides.server(mutual=True))
    assert isinstance(caught.value, TLSError) is (sides.server_module is ssl)


def test_an_end_in_the_middle_is_an_eof(both: Sides, in_memory: Handshake) -> None:
    incoming, outgoing = std.MemoryBIO(), std.MemoryBIO()
    client = both.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(std.SSLWantReadError):
        client.do_handshake()
    incoming.write_eof()
    with pytest.raises(std.SSLEOFError):
        client.do_handshake()


def test_a_failed_connection_stays_failed(both: Sides, in_memory: Handshake) -> None:
    """Whoever goes on after a cut, as anyio does when it closes, gets the error again and never waits."""
    to_server, to_client = std.MemoryBIO(), std.MemoryBIO()
    client = both.client().wrap_bio(to_client, to_server, server_hostname="localhost")
    server = both.server().wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (client, server):
            with contextlib.suppress(std.SSLWantReadError):
                end.do_handshake()
    to_client.write_eof()
    for action in (lambda: client.read(10), lambda: client.read(10), client.unwrap):
        with pytest.raises(std.SSLEOFError):
            action()


def test_a_failed_connection_is_freed_without_the_garbage_collector(both: Sides, in_memory: Handshake) -> None:
    """As with ``ssl``: a socket that nobody closed must not live on because its connection remembers why it failed."""

    def fail(data: bytes) -> weakref.ref[std.SSLObject]:
        incoming = std.MemoryBIO()
        tls = both.server().wrap_bio(incoming, std.MemoryBIO(), server_side=True)
        incoming.write(data)
        incoming.write_eof()
        said = []
        for _ in range(2):  # a failed connection raises again what it raised before
            try:
                tls.do_handshake()
            except std.SSLError as error:
                said.append(str(error))
        assert len(set(said)) == 1 and len(said) == 2
        return weakref.ref(tls)

    gc.collect()
    gc.disable()
    try:
        kept = [
            data for data in (b"", b"\x16\x03\x01\0\x05\1\0\0\1\0", b"GET / HTTP/1.1\r\n") if fail(data)() is not None
        ]
    finally:
        gc.enable()
    assert kept == []


def test_what_is_wanted_passes_for_the_standard_library_s_own_class(both: Sides) -> None:
    """redis-py tells its errors apart by their exact class, in a dictionary."""
    tls = both.server().wrap_bio(std.MemoryBIO(), std.MemoryBIO(), server_side=True)
    with pytest.raises(std.SSLWantReadError) as caught:
        tls.do_handshake()
    assert caught.value.__class__ is std.SSLWantReadError
    assert isinstance(caught.value, TLSError) and isinstance(caught.value, std.SSLWantReadError)


def test_close_notify_is_an_end_and_a_cut_is_not(sides: Sides, in_memory: Handshake) -> None:
    to_server, to_client = std.MemoryBIO(), std.MemoryBIO()
    client = sides.client().wrap_bio(to_client, to_server, server_hostname="localhost")
    server = sides.server().wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (client, server):
            with contextlib.suppress(std.SSLWantReadError):
                end.do_handshake()
    server.write(b"last words")
    with pytest.raises(std.SSLWantReadError):
        server.unwrap()
    assert client.read(100) == b"last words"
    assert client.read(100) == b""
    client.unwrap()
    server.unwrap()


def test_nothing_to_read_is_said_so(both: Sides, in_memory: Handshake) -> None:
    client, server = in_memory(both.client(), both.server())
    with pytest.raises(std.SSLWantReadError):
        client.read(1)
    buffer = bytearray(3)
    server.write(b"abcdef")
    assert client.read(3, buffer) == 3  # type: ignore[call-overload]
    assert (bytes(buffer), client.pending()) == (b"abc", 3)
    assert client.read(10) == b"def"


# Settings


def test_a_context_may_change_between_connections(both: Sides, in_memory: Handshake) -> None:
    client_context, server_context = both.client(), both.server()
    in_memory(client_context, server_context)
    client_context.set_alpn_protocols(["a"])
    server_context.set_alpn_protocols(["a"])
    assert in_memory(client_context, server_context)[0].selected_alpn_protocol() == "a"
    client_context.check_hostname = False
    in_memory(client_context, server_context, "another.name")
    client_context.verify_mode = std.CERT_NONE
    in_memory(client_context, server_context, None)


def test_without_check_hostname_the_chain_is_still_verified(both: Sides, in_memory: Handshake, tmp_path: Path) -> None:
    context = both.client()
    context.check_hostname = False
    in_memory(context, both.server(), None)
    stranger = Authority.create().issue_server("localhost")
    (tmp_path / "stranger.pem").write_bytes(stranger.pem() + stranger.key_pem())
    server = both.server_module.create_default_context(std.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "stranger.pem")
    with pytest.raises(std.SSLCertVerificationError):
        in_memory(context, server, None)


def test_certificates_from_memory_and_pkcs12(files: Files, in_memory: Handshake, tmp_path: Path) -> None:
    context = ssl.SSLContext(std.PROTOCOL_TLS_SERVER)
    (tmp_path / "server.p12").write_bytes(files.server.pkcs12("secret"))
    context.load_cert_chain(tmp_path / "server.p12", password="secret")
    client = ssl.create_default_context(cadata=files.authority.pem().decode())
    in_memory(client, context)
    again = ssl.create_default_context(cadata=files.authority.certificate.public_bytes(_DER))
    assert again.get_ca_certs(binary_form=True) == client.get_ca_certs(binary_form=True)
    assert again.cert_store_stats()["x509"] == 1
    other = ssl.SSLContext(std.PROTOCOL_TLS_SERVER)
    other.load_identity(files.server.identity())
    in_memory(client, other)


from cryptography.hazmat.primitives.serialization import Encoding  # noqa: E402

_DER = Encoding.DER


def test_files_that_are_not_there_or_wrong(files: Files, tmp_path: Path) -> None:
    context = ssl.SSLContext(std.PROTOCOL_TLS_CLIENT)
    with pytest.raises(FileNotFoundError):
        context.load_cert_chain(tmp_path / "nothing.pem")
    with pytest.raises(FileNotFoundError):
        context.load_verify_locations(tmp_path / "nothing.pem")
    (tmp_path / "empty.pem").write_bytes(b"")
    with pytest.raises(std.SSLError) as caught:
        context.load_cert_chain(tmp_path / "empty.pem")
    assert isinstance(caught.value, ConfigError)
    with pytest.raises(std.SSLError, match="key"):
        context.load_cert_chain(files.server_pem, files.client_pem)
    with pytest.raises(TypeError):
        context.load_verify_locations()


def test_reload_reads_the_files_again(files: Files, in_memory: Handshake, tmp_path: Path) -> None:
    path = tmp_path / "server.pem"
    path.write_bytes(files.server.pem() + files.server.key_pem())
    server = ssl.SSLContext(std.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    client = ssl.create_default_context(cafile=files.ca)
    before = in_memory(client, server)[0].getpeercert(True)
    renewed = files.authority.issue_server("localhost")
    path.write_bytes(renewed.pem() + renewed.key_pem())
    assert in_memory(client, server)[0].getpeercert(True) == before
    server.reload()
    assert in_memory(client, server)[0].getpeercert(True) == renewed.der()[0]


def test_ciphers_and_groups(both: Sides, in_memory: Handshake) -> None:
    client, server = both.client(), both.server()
    assert isinstance(client, ssl.SSLContext)
    client.set_ciphers("ECDHE+CHACHA20")
    client.maximum_version = std.TLSVersion.TLSv1_2
    assert in_memory(client, server)[0].cipher() == ("ECDHE-ECDSA-CHACHA20-POLY1305", "TLSv1.2", 256)
    names = [one["name"] for one in client.get_ciphers()]
    assert "TLS_AES_128_GCM_SHA256" in names
    with pytest.raises(std.SSLError):
        client.set_ciphers("NO-SUCH-CIPHER")
    client.maximum_version = std.TLSVersion.TLSv1_3
    client.set_groups("P-384:X25519")
    assert in_memory(client, server)[0].connection.facts.group == NamedGroup.secp384r1  # type: ignore[attr-defined]
    client.set_ecdh_curve("prime256v1")
    assert in_memory(client, server)[0].connection.facts.group == NamedGroup.secp256r1  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="unknown"):
        client.set_ecdh_curve("no-such-curve")


def test_settings_without_a_meaning_raise(both: Sides) -> None:
    context = both.client()
    with pytest.raises(Misuse):
        context.load_dh_params("params.pem")
    with pytest.raises(NotImplementedError):
        context.set_npn_protocols(["h2"])


def test_old_versions_are_clamped_below_and_refused_above(both: Sides, in_memory: Handshake) -> None:
    context = both.client()
    context.minimum_version = std.TLSVersion.MINIMUM_SUPPORTED
    in_memory(context, both.server())
    with pytest.warns(DeprecationWarning):
        context.options |= std.OP_NO_TLSv1_3
    assert in_memory(context, both.server())[0].version() == "TLSv1.2"


def test_sni_callback_changes_the_certificate(both: Sides, in_memory: Handshake) -> None:
    other = both.files.authority.issue_server("other.example")
    alternative = ssl.SSLContext(std.PROTOCOL_TLS_SERVER)
    alternative.load_identity(other.identity())
    seen: list[Any] = []

    def choose(sock: Any, name: str | None, context: Any) -> None:
        seen.append(name)
        if name == "other.example":
            sock.context = alternative

    server = both.server()
    server.sni_callback = choose
    client, _ = in_memory(both.client(), server, "other.example")
    assert client.getpeercert(True) == other.der()[0]
    client, _ = in_memory(both.client(), server)
    assert client.getpeercert(True) == both.files.server.der()[0]
    assert seen == ["other.example", "localhost"]


def test_sessions_are_resumed(both: Sides, in_memory: Handshake) -> None:
    client_context, server_context = both.client(), both.server()
    first, server = in_memory(client_context, server_context)
    server.write(b"x")
    assert first.read(1) == b"x"
    assert first.session is not None
    second, _ = in_memory(client_context, server_context, session=first.session)
    assert second.session_reused
    third, _ = in_memory(client_context, server_context)
    assert not third.session_reused, "programs say so when they want it, as with ssl"
    with pytest.raises(ValueError, match="different SSLContext"):
        in_memory(both.client(), server_context, session=first.session)
    with pytest.raises(ValueError, match="after handshake"):
        third.session = first.session
    with pytest.raises(TypeError):
        in_memory(client_context, server_context, session=object())
    assert server_context.session_stats()["hits"] == 1
    assert client_context.session_stats()["connect_good"] == 3


def test_key_log_and_trace(both: Sides, in_memory: Handshake, tmp_path: Path) -> None:
    context = both.client()
    assert isinstance(context, ssl.SSLContext)
    context.keylog_filename = str(tmp_path / "keys.log")
    context.trace_with(Trace)
    client, _ = in_memory(context, both.server())
    assert "CLIENT_TRAFFIC_SECRET_0 " in (tmp_path / "keys.log").read_text()
    assert isinstance(client, ssl.SSLObject)
    assert "ServerHello" in str(client.handshake.events)


def test_post_handshake_authentication(both: Sides, in_memory: Handshake) -> None:
    client_context, server_context = both.client(), both.server(mutual=True)
    client_context.post_handshake_auth = server_context.post_handshake_auth = True
    client, server = in_memory(client_context, server_context)
    assert server.getpeercert() is None
    server.verify_client_post_handshake()
    with pytest.raises(std.SSLWantReadError):
        client.read(1)
    with pytest.raises(std.SSLWantReadError):
        server.read(1)
    assert server.getpeercert()["subject"] == ((("commonName", "alice@example.test"),),)


def test_inject_and_extract(files: Files, in_memory: Handshake) -> None:
    original = std.SSLContext
    tlscope.inject_into_ssl()
    try:
        tlscope.inject_into_ssl()
        context = std.create_default_context(cafile=files.ca)
        assert isinstance(context, ssl.SSLContext)
        context.minimum_version = std.TLSVersion.TLSv1_3
        with pytest.warns(DeprecationWarning):
            context.options |= std.OP_NO_TLSv1_2
        context.verify_flags |= std.VerifyFlags.VERIFY_X509_STRICT
        assert context.minimum_version is std.TLSVersion.TLSv1_3
        server = std.create_default_context(std.Purpose.CLIENT_AUTH)
        server.load_cert_chain(files.server_pem)
        client, _ = in_memory(context, server)
        assert isinstance(client, ssl.SSLObject)
    finally:
        tlscope.extract_from_ssl()
    assert std.SSLContext is original
    assert not isinstance(std.create_default_context(cafile=files.ca), ssl.SSLContext)
