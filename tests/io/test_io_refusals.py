"""Refusals over sockets: the right alert reaches the peer, and the right error whoever asks here."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from certificates import SERVER_NAME, stranger, stranger_identity
from loopback import MUTUAL, PATIENCE, Task, client_settings, read_all, server_settings, stream_pair, tcp_pair

from tlscope import (
    AlertDescription,
    AlertReceived,
    CertificateRejected,
    ClientConfig,
    Misuse,
    PeerViolation,
    ProtocolVersion,
    ServerConfig,
    TLSError,
    TLSStream,
    TruncatedStream,
    TrustAnchors,
    VerifyPeer,
)
from tlscope.wire.codepoints import AlertLevel, ContentType

TLS12 = {"min_version": ProtocolVersion.TLS1_2, "max_version": ProtocolVersion.TLS1_2}


def both(client: ClientConfig, server: ServerConfig, **options: Any) -> tuple[Task, Task]:
    """The two handshakes, each on its thread."""
    ours, theirs = tcp_pair()
    options = {"timeout": PATIENCE, **options}
    return (
        Task(lambda: TLSStream.client(ours, client, SERVER_NAME, **options)),
        Task(lambda: TLSStream.server(theirs, server, **options)),
    )


def check_alert(error: Exception, description: AlertDescription) -> None:
    assert isinstance(error, AlertReceived)
    assert error.description is description


class TestServerRefused:
    @pytest.mark.parametrize("versions", [{}, TLS12], ids=["1.3", "1.2"])
    def test_an_untrusted_server_hears_why(self, versions: dict[str, Any]) -> None:
        trust = TrustAnchors.from_certificates([stranger().certificate])
        client, server = both(client_settings(trust=trust, **versions), server_settings())
        refusal = client.failure()
        assert isinstance(refusal, CertificateRejected)
        assert refusal.alert is AlertDescription.unknown_ca
        check_alert(server.failure(), AlertDescription.unknown_ca)

    def test_the_refusal_takes_no_longer_than_the_peer_needs_to_end(self) -> None:
        start = time.monotonic()
        client, server = both(
            client_settings(trust=TrustAnchors.from_certificates([stranger().certificate])), server_settings()
        )
        client.failure()
        server.failure()
        assert time.monotonic() - start < 0.45

    def test_a_peer_that_does_not_react_delays_the_error_by_half_a_second(self) -> None:
        ours, theirs = tcp_pair()
        with theirs:
            theirs.sendall(b"HTTP/1.1 400 Bad Request\r\n")
            start = time.monotonic()
            with pytest.raises(PeerViolation, match="does not speak TLS"):
                TLSStream.client(ours, client_settings(), SERVER_NAME)
            assert time.monotonic() - start < 3


def say_nothing(stream: TLSStream) -> None:
    """What the server's handler does in these tests."""
    stream.recv(1)


READERS: dict[str, Callable[[TLSStream], object]] = {
    "wait_for_verdict": lambda stream: stream.wait_for_verdict(PATIENCE),
    "recv": lambda stream: stream.recv(1),
    "sendall, until it fails": lambda stream: [stream.sendall(bytes(65536)) for _ in range(1000)],
}


class TestClientRefused:
    """In TLS 1.3 the client's handshake is done before the server has judged its certificate."""

    @pytest.mark.parametrize("action", READERS.values(), ids=READERS)
    def test_without_a_certificate(self, action: Callable[[TLSStream], object]) -> None:
        client, server = both(client_settings(identity=None), server_settings(**MUTUAL))
        with client.result() as stream:
            refusal = server.failure()
            assert isinstance(refusal, PeerViolation)
            assert refusal.code == "no-client-cert"
            with pytest.raises(AlertReceived) as caught:
                action(stream)
            check_alert(caught.value, AlertDescription.certificate_required)
            with pytest.raises(AlertReceived):
                stream.recv(1)

    @pytest.mark.parametrize("action", READERS.values(), ids=READERS)
    def test_with_a_certificate_of_an_unknown_ca(self, action: Callable[[TLSStream], object]) -> None:
        settings = server_settings(**MUTUAL, send_certificate_authorities=False)
        client, server = both(client_settings(identity=stranger_identity()), settings)
        with client.result() as stream:
            refusal = server.failure()
            assert isinstance(refusal, CertificateRejected)
            assert refusal.whose == "client"
            with pytest.raises(AlertReceived) as caught:
                action(stream)
            check_alert(caught.value, AlertDescription.unknown_ca)

    def test_in_tls_1_2_the_handshake_itself_fails(self) -> None:
        client, server = both(client_settings(identity=None, **TLS12), server_settings(**MUTUAL))
        assert isinstance(server.failure(), PeerViolation)
        assert isinstance(client.failure(), AlertReceived)


class TestVerdict:
    def test_data_is_a_verdict(self) -> None:
        with stream_pair(None, server_settings(**MUTUAL)) as (client, server):
            server.sendall(b"welcome")
            assert client.wait_for_verdict(PATIENCE)
            assert client.recv(100) == b"welcome"

    def test_silence_is_none(self) -> None:
        with stream_pair(None, server_settings(**MUTUAL, tickets=None)) as (client, _):
            start = time.monotonic()
            assert not client.wait_for_verdict(0.1)
            assert time.monotonic() - start < 3

    def test_a_close_is_a_verdict(self) -> None:
        with stream_pair(None, server_settings(**MUTUAL)) as (client, server):
            server.shutdown_write()
            assert client.wait_for_verdict(PATIENCE)
            assert client.recv(1) == b""

    def test_a_cut_is_no_verdict(self) -> None:
        with stream_pair(None, server_settings(**MUTUAL)) as (client, server):
            server._sock.shutdown(socket.SHUT_WR)
            with pytest.raises(TruncatedStream):
                while not client.wait_for_verdict(PATIENCE) or client.recv(1):
                    pass

    def test_where_no_certificate_was_asked_for_there_is_nothing_to_wait_for(self) -> None:
        with stream_pair() as (client, _):
            assert client.wait_for_verdict(0)

    def test_in_tls_1_2_the_handshake_is_the_verdict(self) -> None:
        with stream_pair(client_settings(**TLS12), server_settings(**MUTUAL)) as (client, _):
            assert client.wait_for_verdict(0)


class TestAlertsOnTheWay:
    def test_data_that_came_before_an_alert_is_read_first(self) -> None:
        with stream_pair() as (client, server):
            connection = server.connection
            connection.send_data(b"last words")
            connection._send_alert(AlertLevel.fatal, AlertDescription.internal_error)
            server._sock.sendall(connection.data_to_send())
            assert client.recv(5) == b"last "
            assert client.recv(100) == b"words"
            for _ in range(2):
                with pytest.raises(AlertReceived) as caught:
                    client.recv(100)
                check_alert(caught.value, AlertDescription.internal_error)
            with pytest.raises(AlertReceived):
                client.sendall(b"x")

    def test_a_damaged_record_is_answered_with_an_alert_and_what_came_before_it_is_read(self) -> None:
        with stream_pair() as (client, server):
            connection = server.connection
            connection.send_data(b"good")
            connection._records.queue(ContentType.application_data, b"damaged")
            data = bytearray(connection.data_to_send())
            data[-1] ^= 1
            server._sock.sendall(data)
            hearing = Task(server.recv, 1)
            assert client.recv(100) == b"good"
            with pytest.raises(PeerViolation) as caught:
                client.recv(100)
            assert caught.value.alert is AlertDescription.bad_record_mac
            check_alert(hearing.failure(), AlertDescription.bad_record_mac)

    def test_an_alert_arrives_though_the_writer_is_stuck(self) -> None:
        """The reader fails while the writer waits for a peer that reads nothing: both end, and neither waits for long."""
        with stream_pair() as (client, server):
            writing = Task(client.sendall, bytes(64 << 20))
            time.sleep(0.05)
            server._sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
            start = time.monotonic()
            with pytest.raises(PeerViolation):
                client.recv(1)
            assert isinstance(writing.failure(), TLSError)
            assert time.monotonic() - start < 5

    def test_plain_http_gets_a_sentence(self) -> None:
        ours, theirs = tcp_pair()
        accepting = Task(lambda: TLSStream.server(theirs, server_settings()))
        with ours:
            ours.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while data := ours.recv(4096):
                answer += data
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"Use https://" in answer
        assert isinstance(accepting.failure(), PeerViolation)


class TestDecisions:
    def test_the_application_decides(self) -> None:
        seen: list[VerifyPeer] = []

        def decide(decision: Any) -> Any:
            seen.append(decision)
            return decision.resolve()

        ours, theirs = tcp_pair()
        accepting = Task(lambda: TLSStream.server(theirs, server_settings(), timeout=PATIENCE))
        settings = client_settings(ask=frozenset({VerifyPeer}))
        with TLSStream.client(ours, settings, SERVER_NAME, decide=decide) as client, accepting.result() as server:
            assert [type(decision) for decision in seen] == [VerifyPeer]
            assert client.peer is not None
            server.sendall(b"x")
            assert client.recv(1) == b"x"
            client.shutdown_write()

    def test_without_a_hook_the_configuration_decides(self) -> None:
        with stream_pair(client_settings(ask=frozenset({VerifyPeer}))) as (client, _):
            assert client.peer is not None

    def test_what_the_hook_raises_refuses_and_the_peer_hears_it(self) -> None:
        trust = TrustAnchors.from_certificates([stranger().certificate])
        client, server = both(client_settings(trust=trust, ask=frozenset({VerifyPeer})), server_settings())
        assert isinstance(client.failure(), CertificateRejected)
        check_alert(server.failure(), AlertDescription.unknown_ca)

    def test_a_hook_that_breaks_is_this_side_s_fault(self) -> None:
        def broken(decision: Any) -> Any:
            raise LookupError("the application's own")

        ours, theirs = tcp_pair()
        accepting = Task(lambda: TLSStream.server(theirs, server_settings()))
        with pytest.raises(LookupError, match="the application's own"):
            TLSStream.client(ours, client_settings(ask=frozenset({VerifyPeer})), SERVER_NAME, decide=broken)
        check_alert(accepting.failure(), AlertDescription.internal_error)


def test_nothing_can_be_sent_to_a_peer_that_is_gone() -> None:
    with stream_pair() as (client, server):
        server.close()
        with pytest.raises(OSError, match=r"(?i)broken pipe|reset"):
            for _ in range(1000):
                client.sendall(bytes(65536))


def test_a_stream_s_handler_reads_to_the_end() -> None:
    with stream_pair() as (client, server):
        client.close()
        assert read_all(server) == b""
        with pytest.raises(Misuse):
            client.recv(1)
