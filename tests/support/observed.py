"""Handshakes that took place in memory, each seen from both sides, for whatever draws and explains them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from certificates import NOW, anchors, client_identity, stranger, stranger_identity
from memory import Pair, client_config, server_config

from tlscope import (
    RSA_KEY_TRANSPORT,
    CipherSuite,
    ClientAuth,
    NamedGroup,
    ProtocolVersion,
    TLSError,
    Trace,
    TrustAnchors,
)
from tlscope.authority import Authority
from tlscope.sessions import MemorySessionCache, TicketKeys
from tlscope.trace import TraceEvent

TLS1_2, TLS1_3 = ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3

REQUEST = b"How is the weather?"
ANSWER = b"Fine, thank you."


class SteadyTrace(Trace):
    """A trace in which every event comes a tenth of a millisecond after the one before it."""

    def __call__(self, event: TraceEvent) -> None:
        super().__call__(event)
        event.time = 0.0001 * len(self.events)


@dataclass(frozen=True)
class Observed:
    """Both sides' traces of one connection."""

    client: Trace
    server: Trace

    def of(self, role: str) -> Trace:
        return self.client if role == "client" else self.server


def observe(
    client: dict[str, Any] | None = None,
    server: dict[str, Any] | None = None,
    *,
    tamper: Callable[[str, bytes], bytes] | None = None,
    secrets: bool = False,
    cut: bool = False,
    name: str = "localhost",
) -> Observed:
    """A handshake, a message and its answer, and close_notify both ways, as far as it gets."""
    traces = SteadyTrace(secrets=secrets), SteadyTrace(secrets=secrets)
    pair = Pair(
        client_config(**(client or {})),
        server_config(**(server or {})),
        server_name=name,
        client_trace=traces[0],
        server_trace=traces[1],
        tamper=tamper,
    ).run()
    for error in pair.errors.values():
        if not isinstance(error, TLSError):
            raise error
    if not pair.errors:
        pair.client.send_data(REQUEST)
        pair.move("client")
        pair.server.send_data(ANSWER)
        pair.move("server")
        for role in ("client", "server"):
            if cut:
                pair._watched(role, pair.side(role).receive_eof)
            else:
                pair.side(role).close()
                pair.move(role)
    return Observed(*traces)


def again(
    client: dict[str, Any], server: dict[str, Any], early: bytes = b"", changed: dict[str, Any] | None = None
) -> Observed:
    """A second handshake, which resumes the session of a first one, with early data where there is some.

    ``changed`` is what the server's operator changes in between.
    """
    both = client_config(sessions=MemorySessionCache(), **client), server_config(tickets=TicketKeys(), **server)
    first = Pair(*both).done()
    first.server.send_data(ANSWER)
    first.move("server")
    traces = SteadyTrace(secrets=True), SteadyTrace(secrets=True)
    second = Pair(both[0], both[1].replace(**(changed or {})), client_trace=traces[0], server_trace=traces[1]).start()
    if early:
        second.client.send_early_data(early)
    second.done()
    second.client.send_data(REQUEST)
    second.move("client")
    return Observed(*traces)


def flip(role: str, flight: int) -> Callable[[str, bytes], bytes]:
    """Changes the last byte of a side's flight of this number, counted from 1."""
    seen = 0

    def tamper(sender: str, data: bytes) -> bytes:
        nonlocal seen
        seen += sender == role
        return data[:-1] + bytes((data[-1] ^ 1,)) if sender == role and seen == flight else data

    return tamper


@cache
def _rsa_authority() -> Authority:
    return Authority.create("RSA root", now=NOW - dt.timedelta(days=1))


@cache
def _rsa_server() -> Any:
    return _rsa_authority().issue_server("localhost", key="RSA-2048").identity()


def _rsa(**server: Any) -> Observed:
    both = {"min_version": TLS1_2, "max_version": TLS1_2, "cipher_suites": RSA_KEY_TRANSPORT}
    trust = TrustAnchors.from_certificates([_rsa_authority().root])
    mutual = {"identity": client_identity()} if server else {}
    return observe({**both, **mutual, "trust": trust}, {**both, "identities": [_rsa_server()], **server})


_MUTUAL = {"client_auth": ClientAuth.REQUIRED, "trust": anchors()}
# The curve of the certificate's key must be among the groups (RFC 8422 section 5.3).
_OLD = {"min_version": TLS1_2, "max_version": TLS1_2, "groups": (NamedGroup.x25519, NamedGroup.secp256r1)}
_WIDE = (NamedGroup.x25519, NamedGroup.secp384r1)
_STRANGERS = TrustAnchors.from_certificates([stranger().certificate])

CASES: dict[str, Callable[[], Observed]] = {
    "one-way": observe,
    "mutual": lambda: observe(
        {"identity": client_identity(), "alpn": ("h2", "http/1.1")}, {**_MUTUAL, "alpn": ("http/1.1",)}
    ),
    "retried": lambda: observe(
        {"groups": _WIDE, "key_shares": _WIDE[:1]}, {"groups": _WIDE[1:], "hello_retry_cookie": True}
    ),
    "requested, not shown": lambda: observe({}, {**_MUTUAL, "client_auth": ClientAuth.REQUESTED}),
    "unverified": lambda: observe({"insecure_skip_verification": True}),
    "with secrets": lambda: observe(secrets=True),
    "unknown-ca": lambda: observe({"trust": _STRANGERS}),
    "wrong-host": lambda: observe(name="example.org"),
    "no-client-cert": lambda: observe({}, _MUTUAL),
    "client-cert-not-offered": lambda: observe({"identity": stranger_identity()}, _MUTUAL),
    "client-unknown-ca": lambda: observe(
        {"identity": stranger_identity()}, {**_MUTUAL, "send_certificate_authorities": False}
    ),
    "no-common-group": lambda: observe({"groups": _WIDE[:1]}, {"groups": _WIDE[1:]}),
    "no-common-cipher": lambda: observe(
        {"cipher_suites": (CipherSuite.TLS_AES_128_GCM_SHA256,)},
        {"cipher_suites": (CipherSuite.TLS_AES_256_GCM_SHA384,)},
    ),
    "no-common-version": lambda: observe(_OLD),
    "no-common-alpn": lambda: observe({"alpn": ("h2",)}, {"alpn": ("http/1.1",)}),
    "tampered": lambda: observe(tamper=flip("server", 1)),
    "http": lambda: observe(tamper=lambda role, data: b"GET / HTTP/1.1\r\n\r\n" if role == "client" else data),
    "truncated": lambda: observe(cut=True),
    "one-way 1.2": lambda: observe(_OLD, _OLD),
    "mutual 1.2": lambda: observe({**_OLD, "identity": client_identity()}, {**_OLD, **_MUTUAL}),
    "one-way 1.2 with RSA": _rsa,
    "mutual 1.2 with RSA": lambda: _rsa(**_MUTUAL),
    "resumed": lambda: again({"identity": client_identity()}, _MUTUAL),
    "resumed 1.2": lambda: again({**_OLD, "identity": client_identity()}, {**_OLD, **_MUTUAL}),
    "early data": lambda: again({"early_data": True}, {"max_early_data": 1000}, REQUEST),
    "early data refused": lambda: again({"early_data": True}, {"max_early_data": 1000}, REQUEST, {"max_early_data": 0}),
    "no-client-cert 1.2": lambda: observe(_OLD, {**_OLD, **_MUTUAL}),
}
"""Every kind of handshake by what it is, failed ones by the code of their failure."""


@cache
def observed(case: str) -> Observed:
    """One of ``CASES``, run once."""
    return CASES[case]()
