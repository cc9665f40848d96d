"""``tlscope.ssl`` has every name that ``ssl`` has, and what makes contexts makes tlscope's."""

from __future__ import annotations

import socket
import ssl as std
import sys
import threading
from pathlib import Path

import pytest
from contexts import Files

import tlscope.ssl as ssl

# What the standard library's own context keeps or does, and tlscope reads or is called by.
KEPT = {
    "check_hostname",
    "keylog_filename",
    "num_tickets",
    "post_handshake_auth",
    "protocol",
    "wrap_bio",
    "wrap_socket",
}


def test_every_name_is_there() -> None:
    assert set(dir(std)) <= set(dir(ssl))
    assert [name for name in dir(std) if not hasattr(ssl, name)] == []
    exported: dict[str, object] = {}
    exec("from tlscope.ssl import *", exported)
    assert {name for name in dir(std) if not name.startswith("_")} <= exported.keys()
    assert exported["SSLContext"] is ssl.SSLContext
    assert ssl.cert_time_to_seconds("Jan  5 09:34:43 2018 GMT") == 1515144883
    assert ssl.RAND_status() and len(ssl.RAND_bytes(4)) == 4


def test_no_method_of_a_context_reaches_openssl() -> None:
    """A setting that a newer Python brings must not be taken and forgotten: it has to get a meaning here, or raise."""
    public = {name for name in dir(std.SSLContext) if not name.startswith("_")}
    ours = {name for cls in ssl.SSLContext.__mro__ if cls.__module__.startswith("tlscope") for name in vars(cls)}
    assert public - ours == KEPT


def test_the_flags_tell_what_tlscope_speaks() -> None:
    assert (ssl.HAS_TLSv1_2, ssl.HAS_TLSv1_3, ssl.HAS_SNI, ssl.HAS_ALPN, ssl.HAS_ECDH, ssl.HAS_PSK) == (True,) * 6
    assert (ssl.HAS_SSLv2, ssl.HAS_SSLv3, ssl.HAS_TLSv1, ssl.HAS_TLSv1_1, ssl.HAS_NPN) == (False,) * 5
    assert "tls-exporter" in ssl.CHANNEL_BINDING_TYPES
    for protocol in (std.PROTOCOL_TLSv1, std.PROTOCOL_TLSv1_1):
        with pytest.raises(std.SSLError, match="RFC 8996"):
            ssl.SSLContext(protocol)


def test_contexts_that_other_modules_make_are_tlscopes(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    context = ssl._create_unverified_context()
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == (std.CERT_NONE, False)
    assert isinstance(ssl._create_default_https_context(), ssl.SSLContext)
    server = ssl._create_stdlib_context(purpose=std.Purpose.CLIENT_AUTH, certfile=files.server_pem)
    assert server.protocol == std.PROTOCOL_TLS_SERVER
    with pytest.raises(ValueError, match="certfile"):
        ssl._create_unverified_context(keyfile=files.server_pem)
    with pytest.raises(TypeError):
        ssl.create_default_context("server")  # type: ignore[arg-type]


def test_default_contexts_are_as_strict_as_the_running_pythons(files: Files) -> None:
    ours, theirs = ssl.create_default_context(cafile=files.ca), std.create_default_context(cafile=files.ca)
    for name in ("verify_flags", "verify_mode", "check_hostname", "options", "minimum_version", "post_handshake_auth"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert bool(ours.verify_flags & std.VERIFY_X509_STRICT) is (sys.version_info >= (3, 13))


def test_the_key_log_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    assert ssl.create_default_context().keylog_filename == str(tmp_path / "keys.log")


@pytest.mark.parametrize("trusted", [False, True])
def test_get_server_certificate(files: Files, trusted: bool) -> None:
    server = std.create_default_context(std.Purpose.CLIENT_AUTH)
    server.load_cert_chain(files.server_pem)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            raw, _ = listener.accept()
            with raw, server.wrap_socket(raw, server_side=True):
                pass

        thread = threading.Thread(target=accept)
        thread.start()
        pem = ssl.get_server_certificate(listener.getsockname(), ca_certs=files.ca if trusted else None, timeout=20)
        thread.join(20)
    assert std.PEM_cert_to_DER_cert(pem) == files.server.der()[0]
