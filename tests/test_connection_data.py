"""A connection after its handshake: data both ways, ends, padding, fragments, and what is no TLS at all."""

from __future__ import annotations

import gc
import tracemalloc
from array import array
from typing import Any

import pytest
from certificates import client_identity
from memory import Pair, client_config, server_config
from puppet import Puppet
from scenarios import MUTUAL, PLAIN, RETRIED, recorded

from tlscope import (
    AlertDescription,
    AlertReceived,
    CipherSuite,
    ClientAuth,
    ClientConfig,
    ClientConnection,
    DataReceived,
    HandshakeCompleted,
    Misuse,
    NamedGroup,
    PeerClosed,
    PeerViolation,
    ServerConnection,
    SignatureScheme,
    TLSError,
    Trace,
    TruncatedStream,
)
from tlscope import trace as t
from tlscope.crypto.cipher_suites import SUITES
from tlscope.sessions import TicketKeys
from tlscope.wire.codepoints import ContentType

ROLES = ["client", "server"]


def other(role: str) -> str:
    return "server" if role == "client" else "client"


def received(pair: Pair, role: str) -> bytes:
    return b"".join(event.data for event in pair.events[role] if isinstance(event, DataReceived))


def records_in(flight: bytes) -> list[int]:
    """The lengths of the records' fragments."""
    lengths = []
    while flight:
        length = int.from_bytes(flight[3:5], "big")
        lengths.append(length)
        flight = flight[5 + length :]
    return lengths


# Data


@pytest.mark.parametrize("sender", ROLES)
@pytest.mark.parametrize("length", [1, 16384, 16385, 100_000])
def test_data_arrives(sender: str, length: int) -> None:
    pair = Pair().done()
    data = bytes(range(256)) * (length // 256 + 1)
    pair.side(sender).send_data(data[:length])
    pair.move(sender)
    assert received(pair, other(sender)) == data[:length]
    assert len(records_in(pair.sent[-1][1])) == -(-length // 16384)


@pytest.mark.parametrize(
    "data", [bytearray(b"data"), memoryview(b"data"), memoryview(b"d.a.t.a.")[::2], array("H", [0x6164, 0x6174])]
)
def test_any_kind_of_buffer_is_sent(data: Any) -> None:
    pair = Pair().done()
    pair.client.send_data(data)
    pair.move("client")
    assert received(pair, "server") == b"data"


def test_sending_nothing_sends_nothing() -> None:
    pair = Pair().done()
    pair.client.send_data(b"")
    assert not pair.client.has_data_to_send
    assert pair.client.data_to_send() == b""


def test_several_records_in_one_read_are_several_events() -> None:
    pair = Pair().done()
    for part in (b"one", b"two", b"three"):
        pair.client.send_data(part)
    pair.client.close()
    pair.move("client")
    kinds = pair.events["server"][-4:]
    assert [event.data for event in kinds[:3] if isinstance(event, DataReceived)] == [b"one", b"two", b"three"]
    assert isinstance(kinds[3], PeerClosed)


def test_data_may_come_with_the_clients_finished() -> None:
    pair = Pair().start()
    pair.move("client")
    pair.move("server")
    pair.client.send_data(b"GET / HTTP/1.1")
    pair.move("client")
    assert [type(event) for event in pair.events["server"]] == [HandshakeCompleted, DataReceived]


@pytest.mark.parametrize("suite", [suite for suite, row in SUITES.items() if row.is_tls13], ids=lambda s: s.name)
def test_every_suite_carries_data(suite: CipherSuite) -> None:
    pair = Pair(client_config(cipher_suites=(suite,)), server_config(cipher_suites=(suite,))).done()
    assert pair.server.facts is not None
    assert pair.server.facts.cipher_suite is suite
    for role in ROLES:
        pair.side(role).send_data(b"from the " + role.encode())
        pair.move(role)
        assert received(pair, other(role)) == b"from the " + role.encode()


def test_empty_records_are_no_events() -> None:
    puppet = Puppet(recorded(PLAIN), "server")
    puppet.tell_all()
    puppet.events.clear()
    puppet.say(b"", ContentType.application_data)
    assert puppet.events == []
    puppet.say(b"data", ContentType.application_data)
    assert [type(event) for event in puppet.events] == [DataReceived]


@pytest.mark.parametrize("role", ROLES)
def test_what_resets_the_count_of_empty_records_and_warnings_is_data(role: str) -> None:
    puppet = Puppet(recorded(PLAIN), role)
    puppet.tell_all()
    limits = puppet.victim.config.limits
    for _ in range(3):
        for _ in range(limits.max_empty_records):
            puppet.say(b"", ContentType.application_data)
        for _ in range(limits.max_warning_alerts):
            puppet.say(bytes((1, AlertDescription.user_canceled)), ContentType.alert)
        puppet.say(b"data", ContentType.application_data)
    assert puppet.error is None


def test_what_arrived_before_an_error_is_not_lost() -> None:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell_all()
    good = puppet.seal(b"good", ContentType.application_data)
    bad = bytearray(puppet.seal(b"bad", ContentType.application_data))
    bad[-1] ^= 1
    puppet.deliver(good + bytes(bad))
    assert isinstance(puppet.error, PeerViolation)
    assert [event.data for event in puppet.victim.events_before_error() if isinstance(event, DataReceived)] == [b"good"]
    assert puppet.victim.events_before_error() == []


# Ends


@pytest.mark.parametrize("first", ROLES)
def test_one_side_closes_and_still_hears_the_other(first: str) -> None:
    pair = Pair().done()
    pair.side(first).send_data(b"last words")
    pair.side(first).close()
    pair.move(first)
    second = other(first)
    assert received(pair, second) == b"last words"
    assert isinstance(pair.events[second][-1], PeerClosed)
    assert pair.side(second).closed_by_peer
    assert not pair.side(second).closed_by_us
    # Half-closed (RFC 8446 section 6.1): the other side goes on.
    pair.side(second).send_data(b"an answer")
    pair.side(second).close()
    pair.move(second)
    assert received(pair, first) == b"an answer"
    assert isinstance(pair.events[first][-1], PeerClosed)
    assert pair.errors == {}
    for role in ROLES:
        pair.side(role).receive_eof()
        assert pair.side(role).error is None


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_sent_after_close(role: str) -> None:
    pair = Pair().done()
    side = pair.side(role)
    side.close()
    side.close()
    with pytest.raises(Misuse) as caught:
        side.send_data(b"more")
    assert caught.value.code == "closed"
    with pytest.raises(Misuse):
        side.update_keys()
    assert records_in(side.data_to_send()) == [2 + 17]
    # Misuse is the application's fault and ends nothing.
    assert side.error is None


@pytest.mark.parametrize("role", ROLES)
def test_data_after_the_peers_close_is_ignored(role: str) -> None:
    puppet = Puppet(recorded(PLAIN), role)
    puppet.tell_all()
    puppet.events.clear()
    puppet.deliver(
        puppet.seal(b"\1\0", ContentType.alert) + puppet.seal(b"too late", ContentType.application_data) + b"garbage"
    )
    assert [type(event) for event in puppet.events] == [PeerClosed]
    puppet.deliver(b"more garbage")
    assert puppet.error is None
    assert [type(event) for event in puppet.events] == [PeerClosed]


@pytest.mark.parametrize("role", ROLES)
def test_a_cut_is_no_end(role: str) -> None:
    pair = Pair().done()
    side = pair.side(role)
    with pytest.raises(TruncatedStream) as caught:
        side.receive_eof()
    assert caught.value.code == "truncated"
    assert side.data_to_send() == b""
    with pytest.raises(TruncatedStream):
        side.receive_data(b"x")
    with pytest.raises(TruncatedStream):
        side.send_data(b"x")
    side.receive_eof()  # said once


@pytest.mark.parametrize("complete", [False, True])
def test_a_cut_and_a_time_out_are_in_the_trace(complete: bool) -> None:
    for role in ROLES:
        sink = Trace()
        traces: dict[str, Any] = {f"{role}_trace": sink}
        pair = Pair(**traces).start()
        if complete:
            pair.done()
        with pytest.raises(TruncatedStream):
            pair.side(role).receive_eof()
        assert sink.of(t.Closed)[-1].how == "cut"
        assert sink.of(t.Failed)[-1].error["code"] == "truncated"


def test_the_handshakes_time_is_the_transports_to_measure() -> None:
    client = ClientConnection(client_config(), "localhost")
    client.start()
    error = client.receive_timeout("the server did not answer in 5 s", 5.0)
    assert error.code == "handshake-too-slow"
    assert isinstance(error, TimeoutError)
    assert error.step is not None
    assert error.step.awaiting == ("ServerHello", "HelloRetryRequest")
    assert client.error is error
    with pytest.raises(TimeoutError):
        client.receive_data(b"x")


@pytest.mark.parametrize("role", ROLES)
def test_an_application_gives_up_with_an_alert_of_its_own(role: str) -> None:
    pair = Pair().done()
    side = pair.side(role)
    side.abort(AlertDescription.access_denied)
    side.abort()  # it is said once
    with pytest.raises(TLSError) as caught:
        side.send_data(b"x")
    assert caught.value.code == "aborted"
    pair.move(role)
    told = pair.errors[other(role)]
    assert isinstance(told, AlertReceived)
    assert told.description is AlertDescription.access_denied


def test_a_request_for_a_key_change_after_close_is_not_answered() -> None:
    pair = Pair().done()
    pair.client.close()
    pair.client.data_to_send()
    pair.server.update_keys(request_peer=True)
    pair.server.send_data(b"still here")
    pair.move("server")
    assert received(pair, "client") == b"still here"
    assert pair.client.data_to_send() == b""


@pytest.mark.parametrize(("role", "moves"), [("client", 0), ("client", 1), ("server", 1), ("server", 2)])
def test_closing_in_the_handshake_says_nothing_behind_close_notify(role: str, moves: int) -> None:
    client = client_config(identity=client_identity())
    pair = Pair(client, server_config(client_auth=ClientAuth.REQUIRED)).start()
    for number in range(moves):
        pair.move(ROLES[number % 2])
    side = pair.side(role)
    assert not side.handshake_complete
    before = side.data_to_send()
    side.close()
    goodbye = side.data_to_send()
    assert len(records_in(goodbye)) == 1
    # What still comes is passed over, and answered with nothing.
    peer = pair.side(other(role))
    try:
        peer.receive_data(before + goodbye)
    except AlertReceived as error:
        assert error.description is AlertDescription.close_notify
    assert side.receive_data(peer.data_to_send()) == []
    assert side.data_to_send() == b""
    assert not side.handshake_complete
    assert side.error is None


def test_a_server_may_speak_first_and_close_before_the_clients_finished() -> None:
    pair = Pair(client_config(), server_config(tickets=TicketKeys())).start()
    pair.move("client")
    pair.server.send_data(b"busy, come back later")
    pair.server.close()
    pair.move("server")
    assert received(pair, "client") == b"busy, come back later"
    assert pair.client.closed_by_peer
    # The client may still say something, and no ticket follows the server's close_notify.
    pair.client.send_data(b"all right")
    pair.client.close()
    pair.move("client")
    assert received(pair, "server") == b"all right"
    assert pair.server.data_to_send() == b""
    assert pair.errors == {}


def test_a_server_that_asks_for_a_certificate_does_not_speak_first() -> None:
    pair = Pair(client_config(identity=client_identity()), server_config(client_auth=ClientAuth.REQUIRED)).start()
    pair.move("client")
    with pytest.raises(Misuse):
        pair.server.send_data(b"to whom?")


def test_a_server_that_closes_before_anybody_spoke_says_nothing() -> None:
    server = ServerConnection(server_config())
    server.close()
    assert server.data_to_send() == b""
    assert server.receive_data(b"\x16\3\1\0\1\1") == []


# Misuse


def test_calls_at_the_wrong_time_are_misuse() -> None:
    client = ClientConnection(client_config(), "localhost")
    for call in (
        lambda: client.send_data(b"x"),
        client.update_keys,
        lambda: client.export_keying_material("EXPERIMENTAL x", 32),
        lambda: client.answer(None),
    ):
        with pytest.raises(Misuse):
            call()
    assert client.error is None
    assert client.facts is None
    assert client.peer is None
    assert client.alpn is None


def test_a_client_that_verifies_needs_a_name() -> None:
    with pytest.raises(Misuse) as caught:
        ClientConnection(client_config())
    assert caught.value.code == "no-server-name"
    with pytest.raises(Misuse):
        ClientConnection(client_config(), "no name at all")
    ClientConnection(client_config(insecure_skip_verification=True))


def test_starting_twice_says_hello_once() -> None:
    client = ClientConnection(client_config(), "localhost")
    client.start()
    client.start()
    assert len(records_in(client.data_to_send())) == 1


# What it knows afterwards


def test_facts_are_the_same_on_both_sides() -> None:
    client = client_config(
        identity=client_identity(),
        alpn=("h2", "http/1.1"),
        groups=(NamedGroup.x25519, NamedGroup.secp384r1),
        key_shares=(NamedGroup.x25519,),
    )
    server = server_config(client_auth=ClientAuth.REQUIRED, alpn=("http/1.1",), groups=(NamedGroup.secp384r1,))
    pair = Pair(client, server).done()
    ours, theirs = pair.client.facts, pair.server.facts
    assert ours is not None
    assert theirs is not None
    for name in ("version", "cipher_suite", "group", "server_name", "alpn", "hello_retry_request", "resumed"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.hello_retry_request
    assert ours.client_certificate_requested
    assert theirs.client_certificate_requested
    assert ours.group is NamedGroup.secp384r1
    assert pair.client.alpn == pair.server.alpn == "http/1.1"
    assert ours.peer_chain == server.identities[0].chain
    assert theirs.peer_chain == client_identity().chain
    assert pair.server.peer is not None
    assert pair.server.peer.names.dns == ("client.example",)
    assert ours.peer_signature_scheme is theirs.peer_signature_scheme is SignatureScheme.ecdsa_secp256r1_sha256
    assert pair.server.server_name == "localhost"
    assert ours.identity is client_identity()
    assert ours.as_dict()["hello_retry_request"] == "yes"


def test_a_client_remembers_why_it_showed_nothing() -> None:
    pair = Pair(client_config(), server_config(client_auth=ClientAuth.REQUESTED)).done()
    assert pair.client.facts is not None
    assert pair.client.facts.identity_refusal == "no client certificate is configured"
    assert pair.server.facts is not None
    assert pair.server.peer is None


# Padding and fragments


@pytest.mark.parametrize("block", [16, 256, 4096])
def test_padding_hides_how_long_the_data_is(block: int) -> None:
    pair = Pair(client_config(record_padding=block), server_config()).done()
    lengths = set()
    for length in (1, 7, block - 1):
        pair.client.send_data(bytes(length))
        flight = pair.client.data_to_send()
        lengths.update(records_in(flight))
        pair.give("server", flight)
    assert lengths == {block + 16}
    assert received(pair, "server") == bytes(1 + 7 + block - 1)


def test_padding_covers_the_handshake_too() -> None:
    pair = Pair(client_config(), server_config(record_padding=1024)).done()
    protected = records_in(pair.sent[1][1])[-1]
    assert (protected - 16) % 1024 == 0


def test_a_function_decides_on_padding() -> None:
    asked = []

    def padding(length: int) -> int:
        asked.append(length)
        return 100

    pair = Pair(client_config(record_padding=padding), server_config()).done()
    pair.client.send_data(b"12345")
    assert records_in(pair.client.data_to_send()) == [5 + 1 + 100 + 16]
    assert asked[-1] == 5


def test_a_full_record_has_no_room_for_padding() -> None:
    pair = Pair(client_config(record_padding=1000), server_config()).done()
    pair.client.send_data(bytes(16384))
    flight = pair.client.data_to_send()
    assert records_in(flight) == [16384 + 1 + 16]
    pair.give("server", flight)
    assert len(received(pair, "server")) == 16384


@pytest.mark.parametrize("size", [64, 100, 16384])
def test_no_record_holds_more_than_max_fragment(size: int) -> None:
    pair = Pair(client_config(max_fragment=size), server_config(max_fragment=size)).done()
    for role in ROLES:
        pair.side(role).send_data(bytes(40_000))
        pair.move(role)
        assert len(received(pair, other(role))) == 40_000
    for _, flight in pair.sent:
        assert max(records_in(flight)) <= size + 17


# Peers that speak something else


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("method", [b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"CONNECT"])
def test_plain_http_is_answered_in_plain_http(method: bytes, size: int) -> None:
    server = ServerConnection(server_config())
    request = method + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with pytest.raises(PeerViolation) as caught:
        for start in range(0, len(request), size):
            server.receive_data(request[start : start + size])
    assert caught.value.code == "http-on-tls-port"
    answer = server.data_to_send()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"https://" in body


def test_a_client_answers_http_with_no_http() -> None:
    client = ClientConnection(client_config(), "localhost")
    client.start()
    client.data_to_send()
    with pytest.raises(PeerViolation) as caught:
        client.receive_data(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert caught.value.code == "not-tls"
    assert caught.value.evidence["speaks"] == "http"
    assert b"HTTP" not in client.data_to_send()


def test_an_sslv2_hello_gets_the_alert_of_a_version_that_is_too_old() -> None:
    server = ServerConnection(server_config())
    with pytest.raises(PeerViolation) as caught:
        server.receive_data(bytes.fromhex("802e0103010015000000100100800200800300800400800500800600400700c0"))
    assert caught.value.code == "old-peer"
    assert server.data_to_send() == b"\x15\3\1\0\2\2" + bytes((AlertDescription.protocol_version,))


# The trace


@pytest.mark.parametrize("combination", [PLAIN, MUTUAL, RETRIED])
def test_a_trace_has_every_record_and_message_of_both_directions(combination: str) -> None:
    recording = recorded(combination)
    for role in ROLES:
        config: Any = recording.client_config if role == "client" else recording.server_config
        config.randomness.again()
        sink = Trace()
        side = ClientConnection(config, "localhost", trace=sink) if role == "client" else None
        side = side or ServerConnection(config, trace=sink)
        side.start()
        for sender, flight in recording.flights:
            if sender == role:
                assert side.data_to_send() == flight
            else:
                side.receive_data(flight)
        for direction in ("sent", "received"):
            sender = role if direction == "sent" else other(role)
            on_wire = b"".join(flight for one, flight in recording.flights if one == sender)
            assert b"".join(event.raw for event in sink.of(t.Record) if event.direction == direction) == on_wire
            messages = [event.raw for event in sink.of(t.Message) if event.direction == direction]
            assert messages == [one.raw for one in recording.by(sender) if one.record == ContentType.handshake]
        assert Trace.from_json_lines(sink.to_json_lines()).to_json_lines().count("\n") == len(sink) + 1
        assert len(sink.of(t.Completed)) == 1


def test_tracing_changes_nothing() -> None:
    quiet, traced = Pair().done(), Pair(client_trace=Trace(), server_trace=Trace(secrets=True)).done()
    assert quiet.sent == traced.sent


def test_a_configuration_makes_the_sinks_of_its_connections() -> None:
    made: list[Trace] = []

    def sink() -> Trace:
        made.append(Trace())
        return made[-1]

    config = client_config(trace=sink)
    for _ in range(2):
        assert ClientConnection(config, "localhost").trace is made[-1]
    assert len(made) == 2


# Memory


def test_an_idle_connection_takes_little_memory() -> None:
    """State per idle connection of at most 20 KiB, handshake and some data behind it, settings as they come."""
    client, server = (
        ClientConfig(trust=client_config().trust, clock=client_config().clock, identity=client_identity()),
        server_config(client_auth=ClientAuth.REQUIRED),
    )
    count = 20

    def connect() -> Pair:
        pair = Pair(client, server).done()
        for role in ROLES:
            pair.side(role).send_data(bytes(50_000))
            pair.move(role)
        pair.sent.clear()
        pair.events.clear()
        return pair

    connect()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        pairs = [connect() for _ in range(count)]
        gc.collect()
        each = (tracemalloc.get_traced_memory()[0] - before) / (2 * count)
    finally:
        tracemalloc.stop()
    assert len(pairs) == count
    assert each <= 20 * 1024, f"{each:.0f} bytes a connection"
