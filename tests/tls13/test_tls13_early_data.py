"""Early data: offered, accepted, rejected, replayed (RFC 8446 sections 2.3, 4.2.10 and 8)."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from certificates import NOW
from memory import Pair, client_config, server_config

from tlscope import (
    ClientConfig,
    EarlyDataReceived,
    EarlyDataRejected,
    MemoryReplayGuard,
    MemorySessionCache,
    Misuse,
    NamedGroup,
    ServerConfig,
    TicketKeys,
    TLSError,
    Trace,
)
from tlscope.crypto.groups import GROUPS
from tlscope.crypto.randomness import SYSTEM_RANDOMNESS
from tlscope.events import DataReceived, HandshakeCompleted
from tlscope.io import FileReplayGuard
from tlscope.trace import Choice

LIMIT = 1000


def client(**changes: Any) -> ClientConfig:
    settings = {"sessions": MemorySessionCache(), "early_data": True, "randomness": SYSTEM_RANDOMNESS}
    return client_config(**{**settings, **changes})


def server(**changes: Any) -> ServerConfig:
    settings = {"tickets": TicketKeys(), "max_early_data": LIMIT, "replay_guard": MemoryReplayGuard()}
    return server_config(**{**settings, "randomness": SYSTEM_RANDOMNESS, **changes})


def ready(mine: ClientConfig, theirs: ServerConfig, **options: Any) -> Pair:
    """A pair after a first handshake, the client's hello not yet moved."""
    Pair(mine, theirs).done()
    return Pair(mine, theirs, **options).start()


def early(pair: Pair) -> bytes:
    return b"".join(event.data for event in pair.events["server"] if isinstance(event, EarlyDataReceived))


def why_not(trace: Trace) -> str:
    return next(event.why for event in trace.of(Choice) if (event.topic, event.chosen) == ("early_data", "rejected"))


def test_accepted_early_data_comes_before_the_handshake_is_complete_and_apart() -> None:
    pair = ready(client(), server())
    assert pair.client.early_data_room == LIMIT
    pair.client.send_early_data(b"early ")
    pair.client.send_early_data(b"bird")
    pair.move("client")
    assert early(pair) == b"early bird"
    assert not pair.server.handshake_complete
    pair.server.send_data(b"the worm")  # nobody else is to be authenticated, so the answer need not wait
    pair.run()
    assert not pair.errors
    kinds = [type(event) for event in pair.events["client"]]
    assert kinds.index(HandshakeCompleted) < kinds.index(DataReceived)
    assert (pair.client.facts.early_data, pair.server.facts.early_data) == ("accepted", "accepted")
    assert pair.client.early_data_room == 0
    with pytest.raises(Misuse):
        pair.client.send_early_data(b"too late")


def test_a_server_that_did_not_ask_never_sees_it() -> None:
    mine, theirs = client(), server()
    Pair(mine, theirs).done()
    trace = Trace()
    pair = Pair(mine, theirs.replace(max_early_data=0), server_trace=trace).start()
    pair.client.send_early_data(b"GET / HTTP/1.1")
    pair.run()
    assert not pair.errors
    assert early(pair) == b""
    assert not [event for event in pair.events["server"] if isinstance(event, DataReceived)]
    given_back = [event.data for event in pair.events["client"] if isinstance(event, EarlyDataRejected)]
    assert given_back == [b"GET / HTTP/1.1"]
    assert (pair.client.facts.early_data, pair.client.facts.resumed) == ("rejected", True)
    assert why_not(trace) == "this server takes none"


def test_it_is_off_by_default() -> None:
    assert ServerConfig(identities=server().identities).max_early_data == 0
    assert not ClientConfig(trust=client().trust).early_data
    pair = ready(client(early_data=False), server())
    assert pair.client.early_data_room == 0
    with pytest.raises(Misuse):
        pair.client.send_early_data(b"x")


def test_a_first_handshake_has_none() -> None:
    pair = Pair(client(), server()).start()
    with pytest.raises(Misuse):
        pair.client.send_early_data(b"x")
    assert not pair.run().errors


def test_a_hello_retry_request_ends_it() -> None:
    mine = client(groups=[NamedGroup.x25519, NamedGroup.secp256r1])
    theirs, trace = server(), Trace()
    Pair(mine, theirs).done()
    pair = Pair(mine, theirs.replace(groups=[NamedGroup.secp256r1]), server_trace=trace).start()
    pair.client.send_early_data(b"lost " * 100)
    pair.run()
    assert not pair.errors
    assert (early(pair), pair.client.facts.early_data) == (b"", "rejected")
    assert pair.client.facts.resumed
    assert "HelloRetryRequest" in why_not(trace)


def test_more_than_the_ticket_allows_is_refused_on_both_sides() -> None:
    pair = ready(client(), server())
    with pytest.raises(Misuse, match="1000 bytes"):
        pair.client.send_early_data(bytes(LIMIT + 1))
    pair.client._handshake.early_data.limit = LIMIT + 1  # a client that does not care
    pair.client.send_early_data(bytes(LIMIT + 1))
    pair.run()
    assert pair.errors["server"].code == "too-much-early-data"


def test_refused_early_data_is_passed_over_up_to_a_limit() -> None:
    theirs = server()
    for length, passes in ((10_000, True), (20_000, False)):
        mine = client()
        Pair(mine, theirs.replace(max_early_data=50_000)).done()
        pair = Pair(mine, theirs.replace(max_early_data=0)).start()
        pair.client.send_early_data(bytes(length))
        pair.run()
        assert pair.server.handshake_complete is passes
        if not passes:
            assert pair.errors["server"].code == "too-much-skipped-early-data"


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another protocol": ({"alpn": ["b", "a"]}, {"alpn": ["b"]}, "another application protocol"),
    "another suite": ({}, {"cipher_suites": ["chacha"]}, "no ticket was accepted"),
    "an unknown ticket": ({}, {"tickets": TicketKeys()}, "no ticket was accepted"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_early_data_is_bound_to(case: str) -> None:
    at_client, at_server, reason = REFUSED[case]
    if at_server.get("cipher_suites") == ["chacha"]:
        from tlscope import CipherSuite

        at_server = {"cipher_suites": [CipherSuite.TLS_CHACHA20_POLY1305_SHA256]}
    mine, theirs, trace = client(alpn=["a", "b"]), server(alpn=["a", "b"]), Trace()
    Pair(mine, theirs).done()
    pair = Pair(mine.replace(**at_client), theirs.replace(**at_server), server_trace=trace).start()
    pair.client.send_early_data(b"x")
    pair.run()
    assert not pair.errors
    assert early(pair) == b""
    assert reason in why_not(trace)


def test_a_replayed_flight_is_not_taken_twice() -> None:
    theirs = server()
    pair = ready(client(), theirs)
    pair.client.send_early_data(b"pay 10")
    flight = pair.client.data_to_send()
    pair.give("server", flight)
    assert early(pair) == b"pay 10"

    trace = Trace()
    replay = Pair(client(), theirs, server_trace=trace)
    replay.give("server", flight)
    assert early(replay) == b""
    assert "replay" in why_not(trace)


def test_an_old_flight_is_not_fresh() -> None:
    mine, theirs, trace = client(), server(replay_guard=MemoryReplayGuard()), Trace()
    pair = ready(mine, theirs)
    pair.client.send_early_data(b"pay 10")
    late = theirs.replace(clock=lambda: NOW + timedelta(seconds=60))
    replay = Pair(client(), late, server_trace=trace)
    replay.give("server", pair.client.data_to_send())
    assert early(replay) == b""
    assert "ticket age" in why_not(trace)


@pytest.mark.parametrize("make", [lambda path: MemoryReplayGuard(), FileReplayGuard], ids=["memory", "file"])
def test_a_guard_knows_what_it_has_seen(make: Any, tmp_path: Path) -> None:
    guard = make(tmp_path / "hellos")
    assert guard.is_first(b"a", 0, 10)
    assert not guard.is_first(b"a", 5, 10)
    assert guard.is_first(b"b", 5, 15)
    assert guard.is_first(b"a", 11, 20), "what is over may come again; the ticket's age forbids it"


def test_a_full_guard_takes_nothing_more() -> None:
    guard = MemoryReplayGuard(max_names=2)
    assert [guard.is_first(name, 0, 10) for name in (b"a", b"b", b"c")] == [True, True, False]
    assert guard.is_first(b"c", 11, 20)


def test_a_guard_file_is_private_and_a_broken_one_says_no(tmp_path: Path) -> None:
    path = tmp_path / "hellos"
    guard = FileReplayGuard(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"this is no database" * 100)
    assert not guard.is_first(b"a", 0, 10)


OTHER_PROCESS = """
import sys
from tlscope.io import FileReplayGuard
print(FileReplayGuard(sys.argv[1]).is_first(bytes.fromhex(sys.argv[2]), 0, 10))
"""


def test_two_processes_share_a_guard(tmp_path: Path) -> None:
    path = tmp_path / "hellos"
    theirs = server(replay_guard=(guard := FileReplayGuard(path)))
    pair = ready(client(), theirs)
    pair.client.send_early_data(b"pay 10")
    flight = pair.client.data_to_send()
    pair.give("server", flight)
    assert early(pair) == b"pay 10"

    binder = _binder(flight)
    command = [sys.executable, "-c", OTHER_PROCESS, str(path)]
    seen = subprocess.run([*command, binder.hex()], capture_output=True, text=True, check=True, timeout=60)
    assert seen.stdout.strip() == "False", "another process knows the hello that this one has taken"
    new = subprocess.run([*command, "00" * 32], capture_output=True, text=True, check=True, timeout=60)
    assert new.stdout.strip() == "True"
    assert not guard.is_first(bytes(32), 0, 10), "and the other way round"


def _binder(flight: bytes) -> bytes:
    from tlscope.wire import extensions as x
    from tlscope.wire.handshake import ClientHello

    length = int.from_bytes(flight[3:5], "big")
    psks = ClientHello.decode(flight[9 : 5 + length]).extensions.get(x.PRE_SHARED_KEYS)
    assert psks is not None
    return psks.binders[0]


def test_application_data_instead_of_end_of_early_data_is_counted_not_trusted() -> None:
    """What comes under the early keys is early data whatever the client calls it, and only up to the limit."""
    pair = ready(client(), server())
    for _ in range(10):
        pair.client.send_early_data(bytes(LIMIT // 10))
    pair.move("client")
    assert len(early(pair)) == LIMIT
    assert not pair.run().errors


def test_early_exporters_agree() -> None:
    pair = ready(client(), server())
    pair.client.send_early_data(b"x")
    pair.run()
    ends = [side._handshake.early_exporter for side in (pair.client, pair.server)]
    assert all(ends)
    assert ends[0].export(b"EXPERIMENTAL", b"", 32) == ends[1].export(b"EXPERIMENTAL", b"", 32)


def test_every_group_can_be_spoken_after_early_data() -> None:
    for group in (NamedGroup.X25519MLKEM768, NamedGroup.secp384r1):
        assert group in GROUPS
        pair = ready(client(groups=[group]), server(groups=[group]))
        pair.client.send_early_data(b"x")
        assert not pair.run().errors
        assert pair.client.facts.early_data == "accepted"


def test_errors_are_typed_whatever_follows_the_hello() -> None:
    for junk in (bytes(30), b"\x17\x03\x03\x00\x10" + bytes(16), b"\x16\x03\x03\x00\x04\x01\x00\x00\x00"):
        pair = ready(client(), server())
        pair.client.send_early_data(b"x")
        pair.give("server", pair.client.data_to_send())
        pair.give("server", junk)
        assert all(isinstance(error, TLSError) for error in pair.errors.values())
