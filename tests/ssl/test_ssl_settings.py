"""Each setting of an ``SSLContext`` means what it says, or raises and says what to use instead; none is silently ignored."""

from __future__ import annotations

import contextlib
import datetime
import ssl as std
import sys
from pathlib import Path
from typing import Any

import pytest
from contexts import Files, Handshake, Sides
from cryptography.hazmat.primitives.serialization import Encoding

import tlscope.ssl as ssl
from tlscope import ConfigError, Misuse
from tlscope.authority import Authority, make_crl, make_ocsp_response

OP_ENABLE_KTLS = 0x8
_PEM = Encoding.PEM


@pytest.fixture
def old_ca(tmp_path: Path) -> tuple[Path, Path]:
    """A CA as old home-made ones are, and a server's certificate of it: its basicConstraints is not critical."""
    authority = Authority.create(basic_constraints_critical=False)
    server = authority.issue_server("localhost")
    ca, pem = tmp_path / "old-ca.pem", tmp_path / "old-server.pem"
    ca.write_bytes(authority.pem())
    pem.write_bytes(server.pem() + server.key_pem())
    return ca, pem


def server_of(path: Path | str) -> ssl.SSLContext:
    context = ssl.SSLContext(std.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


# Verification


def test_strictness_is_a_flag(old_ca: tuple[Path, Path], in_memory: Handshake) -> None:
    ca, pem = old_ca
    client = ssl.SSLContext(std.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(ca)
    in_memory(client, server_of(pem))
    client.verify_flags |= std.VERIFY_X509_STRICT
    with pytest.raises(std.SSLCertVerificationError, match="basicConstraints is not critical"):
        in_memory(client, server_of(pem))
    client.verify_flags &= ~std.VERIFY_X509_STRICT
    in_memory(client, server_of(pem))


@pytest.mark.parametrize("fault", ["no-ca", "no-cert-sign", "length", "purpose", "expired", "host", "weak-key"])
def test_without_strictness_what_gives_certificates_their_meaning_is_held(
    fault: str, tmp_path: Path, in_memory: Handshake
) -> None:
    spec: dict[str, Any] = {
        "no-ca": {"ca": False},
        "no-cert-sign": {"key_usage": ("digital_signature",)},
        "length": {"path_length": 0},
    }.get(fault, {})
    authority = Authority.create(basic_constraints_critical=False, **spec)
    issuer = authority.issue_intermediate("between") if fault == "length" else authority
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=9)
    leaf: dict[str, Any] = {
        "purpose": {"usages": ("clientAuth",)},
        "expired": {"not_before": past, "lifetime": datetime.timedelta(days=1)},
        "weak-key": {"key": "P-256"},
    }.get(fault, {})
    if fault == "weak-key":
        leaf = {"signature_hash": "sha1"}
    server = issuer.issue_server("other.example" if fault == "host" else "localhost", **leaf)
    (tmp_path / "ca.pem").write_bytes(authority.pem())
    (tmp_path / "server.pem").write_bytes(server.pem() + server.key_pem())
    client = ssl.SSLContext(std.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(tmp_path / "ca.pem")
    with pytest.raises(std.SSLCertVerificationError):
        in_memory(client, server_of(tmp_path / "server.pem"))


def test_revocation_lists(files: Files, in_memory: Handshake, tmp_path: Path) -> None:
    """They come as certificates do, and are looked at where a flag says so."""
    crl = tmp_path / "crl.pem"
    crl.write_bytes(make_crl(files.authority, []))
    client = ssl.create_default_context(cafile=files.ca)
    client.verify_flags |= std.VERIFY_CRL_CHECK_LEAF
    with pytest.raises(std.SSLCertVerificationError) as caught:
        in_memory(client, server_of(files.server_pem))
    assert caught.value.verify_code == 3
    client.load_verify_locations(crl)
    assert client.cert_store_stats() == {"x509": 1, "crl": 1, "x509_ca": 1}
    in_memory(client, server_of(files.server_pem))
    crl.write_bytes(make_crl(files.authority, [files.server.certificate]))
    client.reload()
    with pytest.raises(std.SSLCertVerificationError) as caught:
        in_memory(client, server_of(files.server_pem))
    assert caught.value.verify_code == 23


def test_nobody_is_trusted_where_nothing_was_loaded(files: Files, in_memory: Handshake, tmp_path: Path) -> None:
    with pytest.raises(std.SSLCertVerificationError) as caught:
        in_memory(ssl.SSLContext(std.PROTOCOL_TLS_CLIENT), server_of(files.server_pem))
    assert caught.value.verify_code in (18, 20)
    client = ssl.SSLContext(std.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(capath=tmp_path)
    with pytest.raises(std.SSLCertVerificationError):
        in_memory(client, server_of(files.server_pem))


def test_a_system_without_a_store(files: Files, in_memory: Handshake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that goes on to load its own CA must not fail before it comes to that."""
    monkeypatch.setenv("SSL_CERT_FILE", str(files.directory / "nothing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(files.directory / "nothing"))
    context = ssl.create_default_context()
    context.load_verify_locations(files.ca)
    in_memory(context, server_of(files.server_pem))


def test_the_staple_and_the_chain_as_objects(files: Files, in_memory: Handshake) -> None:
    response = make_ocsp_response(files.authority, files.server.certificate)
    server = ssl.SSLContext(std.PROTOCOL_TLS_SERVER)
    server.load_identity(files.server.identity().with_ocsp_response(response))
    client: Any
    for version in (std.TLSVersion.TLSv1_2, std.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=files.ca)
        context.maximum_version = version
        client, _ = in_memory(context, server)
        assert client.ocsp_response == response
    leaf, root = client._sslobj.get_verified_chain()
    assert std.PEM_cert_to_DER_cert(leaf.public_bytes(1)) == leaf.public_bytes(2) == files.server.der()[0]
    assert leaf.get_info()["subject"] == ((("commonName", "localhost"),),)
    assert "CN=localhost" in repr(leaf) and leaf != root
    assert client.group() == "X25519MLKEM768"


def test_a_chain_is_completed_with_intermediates_that_are_trusted(in_memory: Handshake, tmp_path: Path) -> None:
    root = Authority.create()
    between = root.issue_intermediate("between")
    leaf = between.issue_server("localhost")
    (tmp_path / "leaf.pem").write_bytes(leaf.certificate.public_bytes(_PEM) + leaf.key_pem())
    (tmp_path / "known.pem").write_bytes(root.pem() + between.certificate.public_bytes(_PEM))
    server = server_of(tmp_path / "leaf.pem")
    server.load_verify_locations(tmp_path / "known.pem")
    client = ssl.create_default_context(cadata=root.certificate.public_bytes(_PEM).decode())
    tls, _ = in_memory(client, server)
    assert len(tls.get_unverified_chain()) == 2


# What is refused when it is set


@pytest.mark.parametrize(
    ("setting", "instead"),
    [
        (lambda context: context.load_dh_params("params.pem"), "set_groups"),
        (lambda context: setattr(context, "options", context.options | OP_ENABLE_KTLS), "OP_ENABLE_KTLS"),
        (lambda context: setattr(context, "options", context.options | 0x40000), "OP_LEGACY_SERVER_CONNECT"),
        (lambda context: setattr(context, "options", context.options | 1 << 60), "option bits"),
        (lambda context: setattr(context, "verify_flags", std.VERIFY_ALLOW_PROXY_CERTS), "proxy"),
        (lambda context: setattr(context, "hostname_checks_common_name", True), "subjectAltName"),
        (lambda context: context.set_ciphers("DEFAULT:@SECLEVEL=0"), "@SECLEVEL=0"),
    ],
)
def test_what_means_nothing_here_raises(both: Sides, setting: Any, instead: str) -> None:
    with pytest.raises(std.SSLError, match=instead) as caught:
        setting(both.client())
    assert isinstance(caught.value, Misuse)


@pytest.mark.parametrize("value", ["abc", None, 1.5])
def test_options_are_a_number(both: Sides, value: Any) -> None:
    with pytest.raises(TypeError):
        both.client().options = value


def test_what_is_always_so_is_taken(both: Sides, in_memory: Handshake) -> None:
    context = both.client()
    context.options |= std.OP_ALL | std.OP_NO_COMPRESSION | std.OP_NO_RENEGOTIATION | std.OP_SINGLE_ECDH_USE
    with pytest.warns(DeprecationWarning):
        context.options |= std.OP_NO_TLSv1 | std.OP_NO_TLSv1_1
    context.options |= std.OP_NO_SSLv2
    context.verify_flags |= std.VERIFY_X509_TRUSTED_FIRST | getattr(std, "VERIFY_X509_PARTIAL_CHAIN", 0)
    context.hostname_checks_common_name = False
    in_memory(context, both.server())


def test_ciphers_that_tlscope_speaks(both: Sides, in_memory: Handshake) -> None:
    client: Any = both.client()
    client.maximum_version = std.TLSVersion.TLSv1_2
    names = [one["name"] for one in client.get_ciphers()]
    client.set_ciphers("ALL:@SECLEVEL=2")
    assert not any(one["name"].startswith("AES") for one in client.get_ciphers()), "no key exchange without secrecy"
    client.set_ciphers("AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    assert "AES128-GCM-SHA256" in [one["name"] for one in client.get_ciphers()]
    assert in_memory(client, both.server())[0].cipher() == ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2", 256)
    for nothing in ("AES128-SHA", "PSK", "3DES"):
        with pytest.raises(std.SSLError, match="No cipher can be selected"):
            client.set_ciphers(nothing)
    with pytest.raises(std.SSLError) as caught:
        client.set_ciphers("AES128-SHA256")
    assert isinstance(caught.value, ConfigError) and "ECDHE-ECDSA-AES128-GCM-SHA256" in str(caught.value)
    assert {"ECDHE-RSA-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256"} <= set(names)


def test_ciphersuites_of_tls_13(both: Sides, in_memory: Handshake) -> None:
    client: Any = both.client()
    client.set_ciphersuites("TLS_CHACHA20_POLY1305_SHA256")
    assert in_memory(client, both.server())[0].cipher() == ("TLS_CHACHA20_POLY1305_SHA256", "TLSv1.3", 256)
    with pytest.raises(std.SSLError, match="TLS_AES_128_GCM_SHA256"):
        client.set_ciphersuites("TLS_AES_128_GCM_SHA256:TLS_NONE")


def test_whose_order_of_ciphers_counts(both: Sides, in_memory: Handshake) -> None:
    client, server = both.client(), both.server()
    assert isinstance(client, ssl.SSLContext) and isinstance(server, ssl.SSLContext)
    client.set_ciphersuites("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256")
    assert in_memory(client, server)[0].cipher()[0] == "TLS_AES_128_GCM_SHA256"  # type: ignore[index]
    shared = in_memory(client, server)[1].shared_ciphers()
    assert shared is not None and {"TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"} <= {
        one[0] for one in shared
    }
    server.options &= ~std.OP_CIPHER_SERVER_PREFERENCE
    assert in_memory(client, server)[0].cipher()[0] == "TLS_CHACHA20_POLY1305_SHA256"  # type: ignore[index]


def test_tickets(both: Sides, in_memory: Handshake) -> None:
    for setting in ("num_tickets", "options"):
        client, server = both.client(), both.server()
        if setting == "num_tickets":
            server.num_tickets = 0
        else:
            server.options |= std.OP_NO_TICKET
        a, b = in_memory(client, server)
        b.write(b"x")
        a.read(1)
        assert a.session is None


def test_a_renewed_context_still_opens_its_tickets(both: Sides, in_memory: Handshake) -> None:
    client, server = both.client(), both.server()
    a, b = in_memory(client, server)
    b.write(b"x")
    a.read(1)
    server.set_alpn_protocols(["h2"])
    assert in_memory(client, server, session=a.session)[0].session_reused


# Certificates from memory


def test_certificates_as_bytes(files: Files, in_memory: Handshake) -> None:
    client = ssl.create_default_context(cadata=files.authority.pem().decode())
    issued = files.server
    for arguments in (
        (issued.pem(), issued.key_pem()),
        (issued.pem() + issued.key_pem(),),
        (issued.pem(), issued.key_pem("secret"), "secret"),
        (issued.pkcs12("secret"), None, lambda: b"secret"),
    ):
        server = ssl.SSLContext(std.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(*arguments)
        in_memory(client, server)
        server.reload()
        in_memory(client, server)
    with pytest.raises(FileNotFoundError):
        ssl.SSLContext(std.PROTOCOL_TLS_SERVER).load_cert_chain(b"nothing.pem")


def test_a_reload_that_fails_changes_nothing(files: Files, in_memory: Handshake, tmp_path: Path) -> None:
    path = tmp_path / "server.pem"
    path.write_bytes(files.server.pem() + files.server.key_pem())
    server, client = server_of(path), ssl.create_default_context(cafile=files.ca)
    path.write_bytes(b"half of a fi")
    with pytest.raises(std.SSLError):
        server.reload()
    in_memory(client, server)


# Callbacks


def test_message_and_key_log_callbacks(both: Sides, in_memory: Handshake) -> None:
    context: Any = both.client()
    seen: list[Any] = []
    lines: list[str] = []
    context.message_callback = lambda *arguments: seen.append(arguments)
    context.key_log_callback = lines.append
    assert context._msg_callback is context.message_callback
    client, server = in_memory(context, both.server())
    names = [(direction, getattr(kind, "name", kind)) for _, direction, _, _, kind, _ in seen]
    assert ("write", "CLIENT_HELLO") in names and ("read", "SERVER_HELLO") in names and ("read", "CERTIFICATE") in names
    assert all(connection is client for connection, *_ in seen)
    assert any(line.startswith("CLIENT_TRAFFIC_SECRET_0 ") for line in lines)
    before = len(seen)
    server.write(b"data")
    client.read(10)
    assert all(content != b"data" for *_, content in seen[before:])
    with pytest.raises(TypeError):
        context.message_callback = "print"


def test_what_a_message_callback_raises_comes_after_the_operation(both: Sides, in_memory: Handshake) -> None:
    context: Any = both.server()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    context.message_callback = fail
    to_server, to_client = std.MemoryBIO(), std.MemoryBIO()
    client = both.client().wrap_bio(to_client, to_server, server_hostname="localhost")
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for end in (client, server):
            with contextlib.suppress(std.SSLWantReadError, ZeroDivisionError):
                end.do_handshake()
    assert client.version() == server.version() == "TLSv1.3"


def test_pre_shared_keys(in_memory: Handshake) -> None:
    client, server = ssl.SSLContext(std.PROTOCOL_TLS_CLIENT), ssl.SSLContext(std.PROTOCOL_TLS_SERVER)
    client.check_hostname, client.verify_mode = False, std.CERT_NONE
    secret, asked = b"0123456789abcdef", []

    def find(identity: str | None) -> bytes:
        asked.append(identity)
        return secret if identity == "me" else b""

    client.set_psk_client_callback(lambda hint: ("me", secret))
    server.set_psk_server_callback(find)
    a, b = in_memory(client, server, None)
    assert set(asked) == {"me"}
    assert a.connection.facts.external_psk == b.connection.facts.external_psk == b"me"  # type: ignore[attr-defined]
    client.set_psk_client_callback(lambda hint: ("you", secret))
    with pytest.raises(std.SSLError):
        in_memory(client, server, None)
    with pytest.raises(std.SSLError, match="identity_hint"):
        server.set_psk_server_callback(find, "a hint")
    with pytest.raises(std.SSLError, match="Cannot add PSK client callback"):
        server.set_psk_client_callback(lambda hint: ("me", secret))
    with pytest.raises(std.SSLError, match="Cannot add PSK server callback"):
        client.set_psk_server_callback(find)


@pytest.mark.parametrize("answer", [int(std.ALERT_DESCRIPTION_ACCESS_DENIED), "no number", ZeroDivisionError])
def test_an_sni_callback_refuses(
    both: Sides, in_memory: Handshake, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)

    def refuse(*_: object) -> Any:
        if isinstance(answer, type):
            raise answer
        return answer

    server = both.server()
    server.sni_callback = refuse
    to_server, to_client = std.MemoryBIO(), std.MemoryBIO()
    client = both.client().wrap_bio(to_client, to_server, server_hostname="localhost")
    with pytest.raises(std.SSLWantReadError):
        client.do_handshake()
    with pytest.raises(std.SSLError) as caught:
        server.wrap_bio(to_server, to_client, server_side=True).do_handshake()
    assert caught.value.reason == "CALLBACK_FAILED"
    with pytest.raises(std.SSLError) as told:
        client.do_handshake()
    expected = {"no number": "TLSV1_ALERT_INTERNAL_ERROR", ZeroDivisionError: "SSLV3_ALERT_HANDSHAKE_FAILURE"}
    assert told.value.reason == expected.get(answer, "TLSV1_ALERT_ACCESS_DENIED")
    assert len(said) == (0 if isinstance(answer, int) else 1)


def test_an_sni_callback_is_asked_at_a_resumption_too(both: Sides, in_memory: Handshake) -> None:
    client, server, asked = both.client(), both.server(), []

    def note(sock: Any, name: str | None, context: Any) -> int | None:
        asked.append(name)
        return None if len(asked) < 3 else int(std.ALERT_DESCRIPTION_ACCESS_DENIED)

    server.sni_callback = note
    a, b = in_memory(client, server)
    b.write(b"x")
    a.read(1)
    assert in_memory(client, server, session=a.session)[0].session_reused
    assert asked == ["localhost"] * 2
    with pytest.raises(std.SSLError):
        in_memory(client, server, session=a.session)


def test_a_client_that_shows_nothing_when_asked_later_is_refused(both: Sides, in_memory: Handshake) -> None:
    client_context, server_context = both.client(certificate=False), both.server(mutual=True)
    client_context.post_handshake_auth = server_context.post_handshake_auth = True
    client, server = in_memory(client_context, server_context)
    with pytest.raises(std.SSLError, match="not server"):
        client.verify_client_post_handshake()
    server.verify_client_post_handshake()
    with pytest.raises(std.SSLWantReadError):
        client.read(1)
    with pytest.raises(std.SSLError) as caught:
        server.read(1)
    assert caught.value.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    with pytest.raises(std.SSLError) as told:
        client.read(1)
    assert told.value.reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED"


def test_the_wrong_kind_of_context_is_said_at_once(both: Sides) -> None:
    bios = std.MemoryBIO(), std.MemoryBIO()
    with pytest.raises(std.SSLError, match="server socket"):
        both.client().wrap_bio(*bios, server_side=True)
    with pytest.raises(std.SSLError, match="client socket"):
        both.server().wrap_bio(*bios, server_hostname="localhost")
    with pytest.raises(ValueError, match="check_hostname requires server_hostname"):
        both.client().wrap_bio(*bios)
