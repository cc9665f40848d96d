"""OpenSSL as the ``cryptography`` package carries it: much newer than most systems' own, and with ML-KEM.

Only the parts of the binding that pyOpenSSL uses are there; the peer skips itself where they are not.
"""

from __future__ import annotations

import socket
import struct
from functools import cache
from typing import Any

from loopback import PATIENCE
from peer_inprocess import InProcess
from peers import AEADS_13, OPENSSL_12, SERVER_NAME, V13, Peer, Setup, openssl_groups, openssl_suites

from tlscope import CipherSuite, NamedGroup


@cache
def _binding() -> Any:
    from cryptography.hazmat.bindings.openssl.binding import Binding

    return Binding()


class NativeError(OSError):
    """What OpenSSL's error queue said."""


class NativeOpenSSL(InProcess):
    """libssl through the binding, over a blocking socket."""

    name = "openssl-native"
    groups = (
        NamedGroup.X25519MLKEM768,
        NamedGroup.SecP256r1MLKEM768,
        NamedGroup.SecP384r1MLKEM1024,
        *Peer.groups,
    )
    suites = (*AEADS_13, CipherSuite.TLS_AES_128_CCM_SHA256, *OPENSSL_12)

    def absent(self) -> str | None:
        try:
            binding = _binding()
            binding.lib.SSL_get0_group_name  # noqa: B018
        except (ImportError, AttributeError):
            return "this cryptography has no binding to libssl"
        return None

    def context(self, setup: Setup, *, server: bool) -> _Context:
        return _Context(setup, server=server)

    def connect(self, context: _Context, setup: Setup, sock: socket.socket, session: Any = None) -> _Stream:
        stream = _Stream(context, sock, server=False)
        stream.handshake(session)
        return stream

    def accept(self, context: _Context, setup: Setup, sock: socket.socket) -> _Stream:
        stream = _Stream(context, sock, server=True)
        stream.handshake()
        return stream


def _check(result: int, ssl: Any = None) -> int:
    """Raise what OpenSSL's error queue says; 0 is the peer's end."""
    lib, ffi = _binding().lib, _binding().ffi
    if result > 0:
        return result
    kind = lib.SSL_ERROR_SSL if ssl is None else lib.SSL_get_error(ssl, result)
    if kind == lib.SSL_ERROR_ZERO_RETURN:
        return 0
    reason, code = [], lib.ERR_get_error()
    while code:
        text = lib.ERR_reason_error_string(code)
        reason.append(ffi.string(text).decode() if text != ffi.NULL else hex(code))
        code = lib.ERR_get_error()
    raise NativeError(", ".join(reason) or f"error {kind}")


class _Context:
    def __init__(self, setup: Setup, *, server: bool) -> None:
        lib, ffi = _binding().lib, _binding().ffi
        method = lib.TLS_server_method() if server else lib.TLS_client_method()
        self.pointer = context = ffi.gc(lib.SSL_CTX_new(method), lib.SSL_CTX_free)
        version = lib.TLS1_3_VERSION if setup.version is V13 else lib.TLS1_2_VERSION
        lib.SSL_CTX_set_min_proto_version(context, version)
        lib.SSL_CTX_set_max_proto_version(context, version)
        _check(lib.SSL_CTX_load_verify_locations(context, bytes(setup.ca), ffi.NULL))
        if setup.identity is not None:
            certificate, key = map(bytes, setup.identity)
            _check(lib.SSL_CTX_use_certificate_chain_file(context, certificate))
            _check(lib.SSL_CTX_use_PrivateKey_file(context, key, lib.SSL_FILETYPE_PEM))
        if setup.groups:
            _check(lib.SSL_CTX_set1_curves_list(context, openssl_groups(setup).encode()))
        new, old = openssl_suites(setup)
        if new:
            _check(lib.SSL_CTX_set_ciphersuites(context, new.encode()))
        if old:
            _check(lib.SSL_CTX_set_cipher_list(context, old.encode()))
        if not server or setup.ask:
            mode = lib.SSL_VERIFY_PEER | (lib.SSL_VERIFY_FAIL_IF_NO_PEER_CERT if server else 0)
            lib.SSL_CTX_set_verify(context, mode, ffi.NULL)
        if server:
            # Without a name for it, libssl resumes no session in which it saw a client's certificate.
            lib.SSL_CTX_set_session_id_context(context, b"interop", 7)
        self._alpn(setup, server)

    def _alpn(self, setup: Setup, server: bool) -> None:
        lib, ffi = _binding().lib, _binding().ffi
        wire = b"".join(bytes([len(name)]) + name.encode() for name in setup.alpn)
        if not wire:
            return
        if not server:
            lib.SSL_CTX_set_alpn_protos(self.pointer, wire, len(wire))
            return
        self._first = ffi.new("unsigned char[]", setup.alpn[0].encode())

        def select(ssl: Any, out: Any, length: Any, offered: Any, size: int, arg: Any) -> int:
            out[0], length[0] = self._first, len(setup.alpn[0])
            return int(lib.SSL_TLSEXT_ERR_OK)

        signature = "int(SSL *, unsigned char **, unsigned char *, unsigned char *, unsigned int, void *)"
        self._select = ffi.callback(signature, select)
        lib.SSL_CTX_set_alpn_select_cb(self.pointer, self._select, ffi.NULL)


class _Stream:
    def __init__(self, context: _Context, sock: socket.socket, *, server: bool) -> None:
        self._lib, self._ffi = lib, ffi = _binding().lib, _binding().ffi
        self._context = context
        sock.settimeout(None)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", int(PATIENCE), 0))
        self._ssl = ffi.gc(lib.SSL_new(context.pointer), lib.SSL_free)
        _check(lib.SSL_set_fd(self._ssl, sock.fileno()))
        if server:
            lib.SSL_set_accept_state(self._ssl)
        else:
            lib.SSL_set_connect_state(self._ssl)
            lib.SSL_set_tlsext_host_name(self._ssl, SERVER_NAME.encode())

    def handshake(self, session: Any = None) -> None:
        if session is not None:
            _check(self._lib.SSL_set_session(self._ssl, session))
        _check(self._lib.SSL_do_handshake(self._ssl), self._ssl)

    def session(self) -> Any:
        return self._ffi.gc(self._lib.SSL_get1_session(self._ssl), self._lib.SSL_SESSION_free)

    def facts(self) -> dict[str, Any]:
        lib, ffi = self._lib, self._ffi
        name, length = ffi.new("unsigned char **"), ffi.new("unsigned int *")
        lib.SSL_get0_alpn_selected(self._ssl, name, length)
        secret = ffi.new("unsigned char[32]")
        label = b"EXPERIMENTAL interop"
        _check(lib.SSL_export_keying_material(self._ssl, secret, 32, label, len(label), b"context", 7, 1))
        return {
            "version": ffi.string(lib.SSL_get_version(self._ssl)).decode(),
            "group": ffi.string(lib.SSL_get0_group_name(self._ssl)).decode(),
            "alpn": bytes(ffi.buffer(name[0], length[0])).decode() if length[0] else None,
            "verified": lib.SSL_get_verify_result(self._ssl) == 0,
            "resumed": bool(lib.SSL_session_reused(self._ssl)),
            "exported": bytes(ffi.buffer(secret)),
        }

    def sendall(self, data: bytes) -> None:
        if data:
            _check(self._lib.SSL_write(self._ssl, data, len(data)), self._ssl)

    def recv(self) -> bytes:
        buffer = self._ffi.new("char[]", 65536)
        count = _check(self._lib.SSL_read(self._ssl, buffer, 65536), self._ssl)
        return bytes(self._ffi.buffer(buffer, count)) if count else b""

    def end(self) -> None:
        """Say close_notify, and go on reading."""
        self._lib.SSL_shutdown(self._ssl)

    def close(self) -> None:
        self._lib.SSL_shutdown(self._ssl)
