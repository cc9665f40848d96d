"""What a program could lose, or keep, without a word: data in full sockets, data at the end, settings of a moment ago."""

from __future__ import annotations

import contextlib
import socket
import ssl as std
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from contexts import NAME, Handshake, Sides

import tlscope.ssl as ssl
from tlscope import Misuse, PeerViolation
from tlscope.authority import Authority
from tlscope.ssl import configs

LIMIT = 20.0

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    one, other = socket.socketpair()
    one.settimeout(LIMIT)
    other.settimeout(LIMIT)
    with one, other:
        yield one, other


def fill(sock: socket.socket) -> int:
    """Send until nothing more goes; gives how many bytes have gone."""
    sent = 0
    while True:
        try:
            sent += sock.send(bytes(4096))
        except BlockingIOError:
            return sent


def drain(sock: socket.socket, length: int) -> None:
    while length:
        length -= len(sock.recv(min(length, 65536)))


def test_a_handshake_goes_on_when_a_full_socket_has_room_again(both: Sides, ends: Ends) -> None:
    raw, theirs = ends
    theirs.setblocking(False)
    junk = fill(theirs)
    to_client, from_client = std.MemoryBIO(), std.MemoryBIO()
    client = std.create_default_context(cafile=both.files.ca).wrap_bio(to_client, from_client, server_hostname=NAME)
    with pytest.raises(std.SSLWantReadError):
        client.do_handshake()
    raw.sendall(from_client.read())
    with both.server().wrap_socket(theirs, server_side=True, do_handshake_on_connect=False) as server:
        with pytest.raises(ssl.SSLWantWriteError):
            server.do_handshake()
        drain(raw, junk)
        with pytest.raises(ssl.SSLWantReadError):
            server.do_handshake()
        while not from_client.pending:
            to_client.write(raw.recv(65536))
            with contextlib.suppress(std.SSLWantReadError):
                client.do_handshake()
        raw.sendall(from_client.read())
        server.do_handshake()
        assert server.version() == client.version() == "TLSv1.3"


@pytest.fixture
def connected(both: Sides, ends: Ends) -> Iterator[tuple[Any, Any]]:
    """A client's and a server's TLS socket."""
    ours, theirs = ends
    accepted: list[Any] = []
    server = both.server()
    thread = threading.Thread(target=lambda: accepted.append(server.wrap_socket(theirs, server_side=True)))
    thread.start()
    client = both.client().wrap_socket(ours, server_hostname=NAME)
    thread.join(LIMIT)
    with client, accepted[0]:
        yield client, accepted[0]


def test_what_could_not_be_sent_is_to_be_written_again_and_nothing_shorter(connected: tuple[Any, Any]) -> None:
    """To take something else for it would lose that, and say that it was sent."""
    client, server = connected
    server.setblocking(False)
    data = bytes(range(256)) * 64
    sent = 0
    with pytest.raises(ssl.SSLWantWriteError):
        while True:
            sent += server.send(data)
    with pytest.raises(ssl.SSLError, match=r"BAD_WRITE_RETRY.*16384 bytes wait") as caught:
        server.send(b"something else")
    assert isinstance(caught.value, Misuse)
    left = sent + len(data)
    client.setblocking(False)
    received = bytearray()
    while len(received) < left:
        try:
            received += client.recv(65536)
        except ssl.SSLWantReadError:
            if sent < left:
                sent += server.send(data)
    assert bytes(received) == data * (left // len(data))


def test_what_send_did_not_tell_of_is_not_sent(connected: tuple[Any, Any]) -> None:
    """A program may go on with something else than the rest of what it had."""
    client, server = connected
    server.setblocking(False)
    first, second = b"1" * (1 << 24), b"2" * (1 << 17)
    sent = server.send(first)
    assert 0 < sent < len(first)
    received, then = bytearray(), 0
    client.setblocking(False)
    while len(received) < sent + len(second):
        with contextlib.suppress(ssl.SSLWantReadError):
            received += client.recv(1 << 16)
        if then < len(second):
            with contextlib.suppress(ssl.SSLWantWriteError):
                then += server.send(memoryview(second)[then:])
    assert received == first[:sent] + second


@pytest.mark.parametrize("read", [0, 3])
def test_unwrap_does_not_throw_away_what_nobody_has_read(connected: tuple[Any, Any], read: int) -> None:
    client, server = connected
    client.sendall(b"important")
    if read:
        assert server.recv(read) == b"imp"
    with pytest.raises(ssl.SSLError, match="APPLICATION_DATA_AFTER_CLOSE_NOTIFY"):
        server.unwrap()
    assert server.recv(100) == b"important"[read:]
    assert client.recv(100) == b"", "close_notify has gone out"
    thread = threading.Thread(target=client.unwrap)
    thread.start()
    assert isinstance(server.unwrap(), socket.socket)
    thread.join(LIMIT)


def test_unwrap_in_memory_keeps_what_comes_meanwhile_within_bounds(both: Sides, in_memory: Handshake) -> None:
    client, server = in_memory(both.client(), both.server())
    client.write(b"important")
    with pytest.raises(ssl.SSLWantReadError):
        server.unwrap()
    assert server.read(100) == b"important", "an object stays what it was, so nothing is lost"
    with pytest.raises(ssl.SSLError, match="APPLICATION_DATA_AFTER_CLOSE_NOTIFY"):
        for _ in range(40):
            client.write(bytes(65536))
            with pytest.raises(ssl.SSLWantReadError):
                server.unwrap()


def test_sni_callback_changes_the_certificate_and_not_who_has_to_show_one(both: Sides, in_memory: Handshake) -> None:
    other: Any = ssl.SSLContext(std.PROTOCOL_TLS_SERVER)
    other.load_identity(both.files.server.identity())
    client_context, server_context = both.client(certificate=False), both.server(mutual=True)
    client_context.post_handshake_auth = server_context.post_handshake_auth = True
    server_context.sni_callback = lambda sock, name, context: setattr(sock, "context", other)
    client, server = in_memory(client_context, server_context)
    server.verify_client_post_handshake()
    with pytest.raises(ssl.SSLWantReadError):
        client.read(1)
    with pytest.raises(PeerViolation, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        server.read(1)


@pytest.mark.parametrize("module", [std, ssl])
def test_every_certificate_may_be_sni_callbacks(both: Sides, in_memory: Handshake, module: Any) -> None:
    front, back = module.SSLContext(std.PROTOCOL_TLS_SERVER), module.SSLContext(std.PROTOCOL_TLS_SERVER)
    back.load_cert_chain(both.files.server_pem)
    front.sni_callback = lambda sock, name, context: setattr(sock, "context", back)
    client, _ = in_memory(both.client(), front)
    assert client.getpeercert(True) == both.files.server.der()[0]


def test_what_is_changed_while_a_connection_is_made_holds_for_the_next(
    both: Sides, in_memory: Handshake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread reads the settings, another takes a CA away: what the first one made must not stay."""
    context: Any = both.client()
    common = configs._common
    stranger = Authority.create()

    def looked_at_too_early(one: Any) -> dict[str, Any]:
        settings = common(one)
        monkeypatch.setattr(configs, "_common", common)
        context.load_verify_locations(cadata=stranger.pem().decode())
        return settings

    monkeypatch.setattr(configs, "_common", looked_at_too_early)
    in_memory(context, both.server())
    server: Any = ssl.SSLContext(std.PROTOCOL_TLS_SERVER)
    server.load_identity(stranger.issue_server(NAME).identity())
    assert in_memory(context, server)[0].version() == "TLSv1.3"


@pytest.mark.parametrize("module", [std, ssl])
def test_what_a_client_said_before_it_went_away_can_be_read(both: Sides, ends: Ends, module: Any) -> None:
    """It does not want the tickets, which can't be sent any more: that is no failure of the handshake."""
    raw, theirs = ends
    to_client, from_client = std.MemoryBIO(), std.MemoryBIO()
    client = std.create_default_context(cafile=both.files.ca).wrap_bio(to_client, from_client, server_hostname=NAME)
    context = module.create_default_context(std.Purpose.CLIENT_AUTH)
    context.load_cert_chain(both.files.server_pem)
    theirs.setblocking(False)
    with context.wrap_socket(theirs, server_side=True, do_handshake_on_connect=False) as server:
        for _ in range(2):
            with contextlib.suppress(std.SSLWantReadError):
                client.do_handshake()
            if from_client.pending and client.version() is None:
                raw.sendall(from_client.read())
                with pytest.raises(std.SSLWantReadError):
                    server.do_handshake()
                to_client.write(raw.recv(65536))
        assert client.version() == "TLSv1.3"
        client.write(b"fire and forget")
        raw.sendall(from_client.read())
        raw.close()
        server.do_handshake()
        assert server.recv(100) == b"fire and forget"
        assert server.recv(100) == b""
