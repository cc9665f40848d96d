"""Parties that are no TLS of ours, or TLS written by hand: what they say, and what they learn."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

from ..errors import AlertReceived, Situation, Step, TLSError
from ..wire.codepoints import AlertDescription, AlertLevel, ContentType, ExtensionType, ProtocolVersion
from ..wire.handshake import ClientHello, ServerHello
from .case import Between

__all__ = [
    "close_after_hello",
    "closes_abruptly",
    "corrupt_record",
    "dawdle",
    "downgrade",
    "plain_http_client",
    "plain_server",
    "say_and_listen",
    "stay_silent",
    "tls10_server",
]

_HEADER = 5


def record(kind: int, content: bytes, version: int = 0x0303) -> bytes:
    """One record without protection (RFC 8446 section 5.1)."""
    return bytes((kind,)) + version.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content


def read_all(sock: socket.socket, limit: int = 65536) -> bytes:
    """What comes until the other side ends, or nothing more comes."""
    data = b""
    with contextlib.suppress(OSError):
        while len(data) < limit and (piece := sock.recv(4096)):
            data += piece
    return data


def read_record(sock: socket.socket) -> bytes:
    """One record with its header; what there is of it where the other side ends."""
    data = b""
    with contextlib.suppress(OSError):
        while len(data) < _HEADER or len(data) < _HEADER + int.from_bytes(data[3:5], "big"):
            piece = sock.recv(4096)
            if not piece:
                break
            data += piece
    return data


def heard(data: bytes, role: str, sent: tuple[str, ...], versions: tuple[str, ...]) -> str | TLSError | None:
    """What a script makes of the answer: an alert becomes the error that our own TLS would have raised."""
    if len(data) >= _HEADER + 2 and data[0] == ContentType.alert:
        error = AlertReceived(AlertLevel.of(data[5]), AlertDescription.of(data[6]))
        awaiting = ("ServerHello",) if role == "client" else ("Finished",)
        error.step = Step(role, "handshake", None, awaiting)
        error.situation = Situation(role=role, sent=sent, ours={"versions": versions})
        return error
    first = data.split(b"\n")[0].decode("ascii", "replace").strip()
    return first or None


# Clients


def plain_http_client(sock: socket.socket) -> str | None:
    """A browser that was told http://."""
    sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = read_all(sock).decode("ascii", "replace")
    head, _, body = answer.partition("\r\n\r\n")
    return f"{head.splitlines()[0]}: {body.strip()}" if head else None


def say_and_listen(data: bytes, versions: tuple[str, ...]) -> Callable[[socket.socket], str | TLSError | None]:
    """A client that says these bytes as its hello."""

    def script(sock: socket.socket) -> str | TLSError | None:
        sock.sendall(data)
        return heard(read_record(sock), "client", ("ClientHello",), versions)

    return script


def dawdle(sock: socket.socket) -> str | None:
    """A client that begins a hello and never ends it."""
    sock.sendall(record(ContentType.handshake, b"\x01\x00\x02\x00" + bytes(40))[:20])
    return "the server closed the connection" if not read_all(sock) else None


# Servers


def plain_server(greeting: bytes, *, speaks_first: bool = False) -> Callable[[socket.socket], str | None]:
    """A server of another protocol: it says ``greeting`` first, or answers with it."""

    def script(sock: socket.socket) -> str | None:
        said = b"" if speaks_first else sock.recv(4096)
        sock.sendall(greeting)
        said = said or sock.recv(4096)
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)
        return f"it was sent {said[:3].hex(' ')} ..., the start of a TLS record, which means nothing to it"

    return script


def close_after_hello(sock: socket.socket) -> None:
    """A firewall, or an old server, that does not like the hello."""
    sock.recv(65536)


def stay_silent(sock: socket.socket) -> None:
    """A service that waits for something else."""
    read_all(sock)


def tls10_server(sock: socket.socket) -> str | TLSError | None:
    """A server that speaks TLS 1.0 at most."""
    data = read_record(sock)
    hello = ClientHello.decode(data[9:])
    answer = ServerHello(bytes(32), hello.cipher_suites[-1], hello.extensions.without(*hello.extensions.types))
    answer.legacy_version = ProtocolVersion.TLS1_0
    sock.sendall(record(ContentType.handshake, answer.encode(), 0x0301))
    return heard(read_record(sock), "server", ("ServerHello",), ("TLS 1.0",))


def closes_abruptly(stream: object, sock: socket.socket) -> None:
    """What a server does that says a part and falls over: an end without close_notify."""
    stream.recv(100)  # type: ignore[attr-defined]
    stream.sendall(b"this is only the first ha")  # type: ignore[attr-defined]
    time.sleep(0.05)
    sock.shutdown(socket.SHUT_RDWR)


# Somebody between


def corrupt_record(sender: str, kind: int, number: int = 0) -> Callable[[], Between]:
    """Turns one bit in the last byte of the ``number``-th record of a kind that the sender sends."""

    def make() -> Between:
        count = 0

        def between(role: str, data: bytes) -> bytes:
            nonlocal count
            if role != sender or data[0] != kind:
                return data
            count += 1
            return data if count != number + 1 else data[:-1] + bytes((data[-1] ^ 1,))

        return between

    return make


def downgrade() -> Between:
    """Takes TLS 1.3 out of the ClientHello."""

    def between(role: str, data: bytes) -> bytes:
        if role != "client" or data[0] != ContentType.handshake or data[5] != ClientHello.type:
            return data
        hello = ClientHello.decode(data[9:])
        hello.extensions = hello.extensions.without(ExtensionType.supported_versions)
        return record(ContentType.handshake, hello.encode(), 0x0301)

    return between
