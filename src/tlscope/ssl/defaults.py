"""The standard library's functions that make contexts, over tlscope's ``SSLContext``; they do as the running Python's do."""

from __future__ import annotations

import os
import socket
import ssl as std
import sys
from typing import Any

from .context import SSLContext

__all__ = ["create_default_context", "create_unverified_context", "get_server_certificate"]

_STRICT_SINCE = (3, 13)


def create_default_context(
    purpose: Any = std.Purpose.SERVER_AUTH, *, cafile: Any = None, capath: Any = None, cadata: Any = None
) -> SSLContext:
    """A context with the standard library's defaults: for a client it verifies certificate and name.

    Raises ``TypeError`` and ``ValueError`` for a purpose that is none, ``FileNotFoundError`` and ``SSLError`` as the loading
    does.
    """
    context = SSLContext(_protocol(purpose))
    if purpose == std.Purpose.SERVER_AUTH:
        context.verify_mode = std.CERT_REQUIRED
        context.check_hostname = True
    if sys.version_info >= _STRICT_SINCE:
        context.verify_flags |= std.VERIFY_X509_PARTIAL_CHAIN | std.VERIFY_X509_STRICT
    return _finished(context, purpose, cafile, capath, cadata)


def create_unverified_context(
    protocol: Any = None,
    *,
    cert_reqs: Any = std.CERT_NONE,
    check_hostname: bool = False,
    purpose: Any = std.Purpose.SERVER_AUTH,
    certfile: Any = None,
    keyfile: Any = None,
    cafile: Any = None,
    capath: Any = None,
    cadata: Any = None,
) -> SSLContext:
    """What the standard library's other modules make where nobody gives them a context: nothing is verified."""
    known = _protocol(purpose)
    context = SSLContext(known if protocol is None else protocol)
    context.check_hostname = check_hostname
    if cert_reqs is not None:
        context.verify_mode = cert_reqs
    if check_hostname:
        context.check_hostname = True
    if keyfile and not certfile:
        raise ValueError("certfile must be specified")
    if certfile or keyfile:
        context.load_cert_chain(certfile, keyfile)
    return _finished(context, purpose, cafile, capath, cadata)


def _protocol(purpose: Any) -> int:
    if not isinstance(purpose, std._ASN1Object):
        raise TypeError(purpose)
    if purpose == std.Purpose.SERVER_AUTH:
        return std.PROTOCOL_TLS_CLIENT
    if purpose == std.Purpose.CLIENT_AUTH:
        return std.PROTOCOL_TLS_SERVER
    raise ValueError(purpose)


def _finished(context: SSLContext, purpose: Any, cafile: Any, capath: Any, cadata: Any) -> SSLContext:
    if cafile or capath or cadata:
        context.load_verify_locations(cafile, capath, cadata)
    elif context.verify_mode != std.CERT_NONE:
        context.load_default_certs(purpose)
    key_log = os.environ.get("SSLKEYLOGFILE")
    if key_log and not sys.flags.ignore_environment:
        context.keylog_filename = key_log
    return context


def get_server_certificate(
    addr: tuple[str, int],
    ssl_version: int = std.PROTOCOL_TLS_CLIENT,
    ca_certs: Any = None,
    timeout: Any = None,
) -> str:
    """The certificate of the server at an address, PEM; verified against ``ca_certs`` where those are given.

    ``timeout`` is in seconds. Raises ``OSError``, of which ``SSLError`` is one.
    """
    host, _ = addr
    cert_reqs = std.CERT_NONE if ca_certs is None else std.CERT_REQUIRED
    context = create_unverified_context(ssl_version, cert_reqs=cert_reqs, cafile=ca_certs)
    limit = {} if timeout is None else {"timeout": timeout}
    with (
        socket.create_connection(addr, **limit) as sock,
        context.wrap_socket(sock, server_hostname=host) as tls,
    ):
        der = tls.getpeercert(True)
    return std.DER_cert_to_PEM_cert(der or b"")
