"""What is not in the atlas, over real sockets: an explanation may say less, never anything false."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from tlscope import (
    ClientConfig,
    ClientConnection,
    Identity,
    ServerConfig,
    ServerConnection,
    TLSError,
    Trace,
    TrustAnchors,
)
from tlscope.authority import Authority
from tlscope.explain import Diagnosis, diagnose_trace
from tlscope.explain.diagnosis.foreign import foreign_client, foreign_fixes, recognised
from tlscope.io import TLSStream

PATIENCE = 5.0
Act = Callable[[socket.socket], object]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create("Example CA")


@pytest.fixture(scope="module")
def identity(authority: Authority) -> Identity:
    return authority.issue_server("localhost").identity()


@contextlib.contextmanager
def pair(act: Act) -> Iterator[socket.socket]:
    """A socket whose other end a script holds, on a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
        far, _ = listener.accept()
    far.settimeout(PATIENCE)

    def play() -> None:
        with contextlib.closing(far), contextlib.suppress(OSError):
            act(far)

    thread = threading.Thread(target=play)
    thread.start()
    with near:
        yield near
    thread.join(2 * PATIENCE)
    assert not thread.is_alive()


def explained(connection: ClientConnection | ServerConnection, act: Act, patience: float = PATIENCE) -> Diagnosis:
    with pair(act) as sock:
        stream = TLSStream(sock, connection, timeout=patience, handshake_timeout=patience)
        with pytest.raises(TLSError) as caught:
            stream.handshake()
            while stream.recv(100):
                pass
        stream.abort()
    found = caught.value.explain()
    trace = connection.trace
    assert isinstance(trace, Trace)
    assert diagnose_trace(trace) == found, "a trace explains as much as the error itself"
    assert found.cause in str(caught.value)
    assert "{" not in found.to_text()
    return found


def as_client(act: Act, patience: float = PATIENCE) -> Diagnosis:
    config = ClientConfig(trust=TrustAnchors.from_pem(Authority.create("Nobody").pem()))
    return explained(ClientConnection(config, "localhost", trace=Trace()), act, patience)


def as_server(identity: Identity, act: Act, patience: float = PATIENCE) -> Diagnosis:
    return explained(ServerConnection(ServerConfig(identities=[identity]), trace=Trace()), act, patience)


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def alert(level: int, description: int) -> bytes:
    return bytes((21, 3, 3, 0, 2, level, description))


def answering(data: bytes) -> Act:
    def act(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass

    return act


# A client and what is no TLS server

MYSQL = b"\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0abcdefgh\0\xff\xf7"


@pytest.mark.parametrize(
    ("answer", "says", "command"),
    [
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "plain HTTP", ""),
        (b"* OK [CAPABILITY IMAP4rev1] ready.\r\n", "IMAP", "-starttls imap"),
        (b"+OK ready\r\n", "POP3", "-starttls pop3"),
        (b"220 mail.example ESMTP\r\n", "mail and FTP servers", "-starttls smtp"),
        (b"554 no service\r\n", "mail servers", "-starttls smtp"),
        (MYSQL, "MySQL", "-starttls mysql"),
        (b"N", "PostgreSQL", "-starttls postgres"),
        (b"E\0\0\0\x40SFATAL\0", "PostgreSQL", "-starttls postgres"),
        (bytes.fromhex("30240201007820"), "LDAP", "-starttls ldap"),
        (b"<?xml version='1.0'?><stream:stream>", "XMPP", ""),
        (b"\0\0\x12\x04\0\0\0\0\0" + bytes(18), "HTTP/2 without TLS", ""),
        (b"\x05\xff", "SOCKS", ""),
        (b"\x16\xfe\xfd\0\0\0\0\0\0", "DTLS", ""),
        (b"\0\0\0\x0c", "nothing of TLS begins like that", ""),
    ],
)
def test_what_answers_in_place_of_tls_is_named(answer: bytes, says: str, command: str) -> None:
    found = as_client(answering(answer))
    assert (found.id, found.step, found.sender, found.judge) == ("tls-on-http-port", "ServerHello", "server", "us")
    assert says in found.cause
    assert command in found.fixes[0].command


def test_a_byte_of_something_else_and_then_silence() -> None:
    def act(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"N")
        while sock.recv(65536):
            pass

    found = as_client(act, 0.4)
    assert found.id == "tls-on-http-port"
    assert "then stayed silent" in found.cause


def test_a_reset_is_told_from_an_end_and_may_be_of_something_between() -> None:
    found = as_client(lambda sock: (sock.recv(65536), reset(sock)))
    assert (found.id, found.known_by, found.certain) == ("hello-dropped", "silence", False)
    assert "something between" in found.cause
    assert ("ended by", "a reset (TCP RST)") in found.evidence
    assert "reset" not in as_client(answering(b"")).cause


def test_a_warning_before_the_end_is_not_forgotten() -> None:
    found = as_client(answering(alert(1, 112)))
    assert [other.id for other in found.alternatives] == ["unknown-sni"]
    assert "unrecognized_name" in found.cause
    assert "user_canceled" in as_client(answering(alert(1, 90) + alert(1, 0))).cause


@pytest.mark.parametrize(
    ("description", "id", "words"),
    [
        (80, "alert-internal-error", "for a reason of its own"),
        (49, "alert-access-denied", "access_denied"),
        (50, "alert-decode-error", "can't be parsed"),
        (70, "old-peer", "neither TLS 1.3 nor TLS 1.2"),
        (86, "no-common-version", "although TLS 1.3 was offered"),
        (109, "alert-missing-extension", "lacks an extension"),
        (115, "alert-unknown-psk-identity", "no key that it knows was offered"),
        (116, "alert-certificate-required", "before it could have been shown one"),
        (200, "alert-0xc8", "0xc8"),
    ],
)
def test_an_alert_instead_of_a_server_hello(description: int, id: str, words: str) -> None:
    found = as_client(answering(alert(2, description)))
    assert (found.id, found.known_by, found.step, found.sender) == (id, "alert", "ClientHello", "client")
    assert words in found.cause
    assert found.fixes


# A server and what is no TLS client


@pytest.mark.parametrize(
    ("opening", "says"),
    [
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "PROXY protocol"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12), "PROXY protocol"),
        (b"SSH-2.0-OpenSSH_9\r\n", "SSH client"),
        (bytes.fromhex("0000000804d2162f"), "PostgreSQL"),
        (b"\x10\x10\0\4MQTT\x04\x02", "MQTT"),
        (b"EHLO me\r\n", "mail client"),
        (b"abcdefgh", '"abcdefgh"'),
    ],
)
def test_who_speaks_something_else_to_a_tls_server(identity: Identity, opening: bytes, says: str) -> None:
    found = as_server(identity, lambda sock: (sock.sendall(opening), sock.recv(100)))
    assert (found.id, found.step, found.sender, found.judge) == ("not-tls", "ClientHello", "client", "us")
    assert says in found.cause
    assert found.fixes


def test_a_health_check_may_say_a_little(identity: Identity) -> None:
    assert as_server(identity, lambda sock: sock.sendall(b"\n")).id == "no-hello"
    assert as_server(identity, lambda sock: None).id == "no-hello"


@pytest.mark.parametrize("description", [0, 20, 40, 48, 51, 70, 80, 199])
def test_an_alert_before_anything_was_said_is_about_nothing_of_ours(identity: Identity, description: int) -> None:
    found = as_server(identity, lambda sock: (sock.sendall(alert(2 if description else 1, description)), sock.recv(9)))
    assert (found.step, found.sender, found.judge) == ("ClientHello", "client", "peer")
    assert "our" not in found.cause.split()
    assert "in place of a ClientHello" in found.cause


def hello(maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = maximum
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


def test_a_client_that_hangs_up_where_our_certificate_came(identity: Identity, authority: Authority) -> None:
    def act(sock: socket.socket) -> None:
        sock.sendall(hello())
        sock.recv(65536)

    found = as_server(identity, act)
    assert (found.id, found.certain) == ("truncated", False)
    assert [other.id for other in found.alternatives] == ["unknown-ca", "wrong-host"]
    # Where a fault is plain to see in the certificate, it is that which is named.
    other = authority.issue_server("other.example").identity()
    assert [other.id for other in as_server(other, act).alternatives] == ["wrong-host"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
def test_a_client_that_hangs_up_right_after_the_handshake(
    identity: Identity, authority: Authority, version: ssl.TLSVersion
) -> None:
    """As Node does in TLS 1.2, which judges certificates when all is done."""

    def act(sock: socket.socket) -> None:
        context = ssl.create_default_context(cadata=authority.pem().decode())
        context.maximum_version = version
        tls = context.wrap_socket(sock.dup(), server_hostname="localhost")
        tls.close()

    found = as_server(identity, act)
    assert found.id == "truncated"
    assert "right after the handshake" in found.cause
    assert "unknown-ca" in [other.id for other in found.alternatives]


def test_recognising_never_fails_on_anything_short() -> None:
    for length in range(12):
        for byte in range(256):
            data = bytes([byte]) * length
            assert foreign_fixes(data)
            assert foreign_client(data)[1]
            assert recognised(data) is None or recognised(data).says
