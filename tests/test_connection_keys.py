"""Key updates, the key log, and exporters."""

from __future__ import annotations

import re
from typing import Any

import pytest
from memory import Pair, client_config, server_config
from puppet import Puppet, protection
from scenarios import MUTUAL, PLAIN, recorded

from tlscope import (
    CipherSuite,
    DataReceived,
    KeysUpdated,
    Limits,
    Misuse,
    NamedGroup,
    PeerViolation,
    ProtocolVersion,
    Trace,
)
from tlscope import trace as t
from tlscope.crypto.cipher_suites import SUITES
from tlscope.keys.schedule13 import TrafficSecret
from tlscope.record.protection import InvalidTag
from tlscope.wire.codepoints import ContentType, KeyUpdateRequest
from tlscope.wire.handshake import KeyUpdate

ROLES = ["client", "server"]


def other(role: str) -> str:
    return "server" if role == "client" else "client"


def received(pair: Pair, role: str) -> bytes:
    return b"".join(event.data for event in pair.events[role] if isinstance(event, DataReceived))


def epochs(sink: Trace, direction: str) -> list[str]:
    return [event.epoch for event in sink.of(t.KeyChange) if event.direction == direction]


def talk(pair: Pair, text: bytes) -> None:
    """Data both ways, which must arrive."""
    for role in ROLES:
        before = len(received(pair, other(role)))
        pair.side(role).send_data(text)
        pair.move(role)
        assert received(pair, other(role))[before:] == text


# Key updates


@pytest.mark.parametrize("role", ROLES)
def test_one_side_changes_its_keys(role: str) -> None:
    sinks = {"client": Trace(), "server": Trace()}
    pair = Pair(client_trace=sinks["client"], server_trace=sinks["server"]).done()
    for generation in range(1, 4):
        pair.side(role).update_keys()
        talk(pair, b"under new keys")
        assert epochs(sinks[role], "sent")[-1] == f"application+{generation}"
        assert epochs(sinks[other(role)], "received")[-1] == f"application+{generation}"
        # The other direction keeps its keys.
        assert epochs(sinks[other(role)], "sent")[-1] == "application"
    updates = [event for event in pair.events[other(role)] if isinstance(event, KeysUpdated)]
    assert [event.requested for event in updates] == [False] * 3


@pytest.mark.parametrize("role", ROLES)
def test_one_side_has_the_other_change_its_keys_too(role: str) -> None:
    sinks = {"client": Trace(), "server": Trace()}
    pair = Pair(client_trace=sinks["client"], server_trace=sinks["server"]).done()
    pair.side(role).update_keys(request_peer=True)
    pair.move(role)
    pair.move(other(role))
    for side in ROLES:
        assert epochs(sinks[side], "sent")[-1] == epochs(sinks[side], "received")[-1] == "application+1"
    # The answer asks for nothing, or the two would never end.
    assert [event.requested for event in pair.events[role] if isinstance(event, KeysUpdated)] == [False]
    assert not pair.side(role).has_data_to_send
    talk(pair, b"under new keys")


def test_both_sides_ask_at_the_same_time() -> None:
    # RFC 8446 section 4.6.3: they cross, each answers, and both are two generations on.
    sinks = {"client": Trace(), "server": Trace()}
    pair = Pair(client_trace=sinks["client"], server_trace=sinks["server"]).done()
    flights = {}
    for role in ROLES:
        pair.side(role).update_keys(request_peer=True)
        flights[role] = pair.side(role).data_to_send()
    for role in ROLES:
        pair.give(other(role), flights[role])
    while pair.move("client") | pair.move("server"):
        pass
    assert pair.errors == {}
    for role in ROLES:
        assert epochs(sinks[role], "sent")[-1] == epochs(sinks[role], "received")[-1] == "application+2"
    talk(pair, b"under new keys")


def test_many_requests_in_one_read_have_one_answer() -> None:
    pair = Pair().done()
    for _ in range(5):
        pair.client.update_keys(request_peer=True)
    pair.move("client")
    flight = pair.server.data_to_send()
    assert flight.count(b"\x17\3\3") == 1
    pair.give("client", flight)
    talk(pair, b"under new keys")


def test_a_key_update_ends_its_record() -> None:
    puppet = Puppet(recorded(PLAIN), "server")
    puppet.tell_all()
    update = KeyUpdate(KeyUpdateRequest.update_not_requested).encode()
    puppet.say(update + update)
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.error.code == "message-across-key-change"


def test_what_comes_under_the_old_keys_after_a_key_update_is_refused() -> None:
    puppet = Puppet(recorded(PLAIN), "server")
    puppet.tell_all()
    puppet.say(KeyUpdate(KeyUpdateRequest.update_not_requested).encode())
    assert puppet.error is None
    puppet.say(b"data", ContentType.application_data)
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.error.code == "tampered"
    assert puppet.error.evidence["epoch"] == "application+1"


@pytest.mark.parametrize("after", [1, 2, 7])
def test_keys_change_by_themselves_after_so_many_records(after: int) -> None:
    sink = Trace()
    limits = Limits(max_key_updates=1000)
    pair = Pair(client_config(key_update_after=after), server_config(limits=limits), client_trace=sink).done()
    data = bytes(16384) * 15
    pair.client.send_data(data)
    pair.move("client")
    assert received(pair, "server") == data
    counts: dict[str, int] = {}
    for event in sink.of(t.Record):
        if event.direction == "sent" and event.epoch.startswith("application"):
            counts[event.epoch] = counts.get(event.epoch, 0) + 1
    # Each key protects its share of data and the KeyUpdate that ends it.
    assert set(list(counts.values())[:-1]) == {after + 1}
    assert len(counts) == -(-15 // after)
    talk(pair, b"and on")


@pytest.mark.parametrize("role", ROLES)
def test_keys_change_before_their_aead_allows_no_more(role: str) -> None:
    pair = Pair().done()
    write, read = pair.side(role)._records.write, pair.side(other(role))._records.read
    assert write is not None
    assert read is not None
    write.sequence = read.sequence = write.record_limit - 2
    pair.side(role).send_data(bytes(16384) * 5)
    pair.move(role)
    assert received(pair, other(role)) == bytes(16384) * 5
    assert [type(event) for event in pair.events[other(role)]].count(KeysUpdated) == 1
    after = pair.side(role)._records.write
    assert after is not write
    assert after is not None
    assert after.sequence == 3


def test_limits_on_key_updates_start_anew_with_data() -> None:
    pair = Pair(client_config(), server_config(limits=Limits(max_key_updates=3))).done()
    for _ in range(5):
        for _ in range(3):
            pair.client.update_keys()
        pair.client.send_data(b"data")
        pair.move("client")
    assert pair.errors == {}


def test_tls_1_2_has_no_key_update() -> None:
    old: dict[str, Any] = {
        "min_version": ProtocolVersion.TLS1_2,
        "max_version": ProtocolVersion.TLS1_2,
        "groups": (NamedGroup.secp256r1,),
    }
    pair = Pair(client_config(**old), server_config(**old)).done()
    with pytest.raises(Misuse) as caught:
        pair.client.update_keys()
    assert caught.value.code == "no-key-update"


# The key log


def logged(**settings: Any) -> tuple[Pair, dict[str, list[str]]]:
    lines: dict[str, list[str]] = {"client": [], "server": []}
    pair = Pair(
        client_config(key_log=lines["client"].append, **settings),
        server_config(key_log=lines["server"].append, **settings),
    )
    return pair.done(), lines


LABELS = {
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
    "EXPORTER_SECRET",
}


@pytest.mark.parametrize("suite", [CipherSuite.TLS_AES_128_GCM_SHA256, CipherSuite.TLS_AES_256_GCM_SHA384])
def test_the_key_log_has_all_lines_on_both_sides(suite: CipherSuite) -> None:
    pair, lines = logged(cipher_suites=(suite,))
    assert set(lines["client"]) == set(lines["server"])
    random = pair.client._handshake.client_random
    for line in lines["client"]:
        label, client_random, secret = line.split(" ")
        assert bytes.fromhex(client_random) == random
        assert re.fullmatch(f"[0-9a-f]{{{2 * SUITES[suite].hash.length}}}", secret)
        assert label in LABELS
    assert {line.split(" ")[0] for line in lines["client"]} == LABELS
    assert len(lines["client"]) == len(LABELS)


def read_along(pair: Pair, lines: list[str]) -> dict[str, bytes]:
    """Decrypt both directions with nothing but the key log, as Wireshark does; gives each side's data."""
    secrets = {label: bytes.fromhex(secret) for label, _, secret in (line.split(" ") for line in lines)}
    assert pair.client.facts is not None
    suite = pair.client.facts.cipher_suite
    data = {}
    for role in ROLES:
        side = role.upper()
        waiting = [f"{side}_HANDSHAKE_TRAFFIC_SECRET", f"{side}_TRAFFIC_SECRET_0"]
        stream = b"".join(flight for sender, flight in pair.sent if sender == role)
        end, contents, updates = None, [], 0
        while stream:
            length = 5 + int.from_bytes(stream[3:5], "big")
            record, stream = stream[:length], stream[length:]
            if record[0] != ContentType.application_data:
                continue
            while True:
                try:
                    assert end is not None
                    kind, content = end.open(record[:5], record[5:])
                    break
                except (InvalidTag, AssertionError):
                    end = protection(suite, secrets[waiting.pop(0)])
            if kind == ContentType.application_data:
                contents.append(content)
            elif kind == ContentType.handshake and content[0] == 24:
                updates += 1
                waiting.append(f"{side}_TRAFFIC_SECRET_{updates}")
        data[role] = b"".join(contents)
    return data


def test_the_key_log_decrypts_what_was_said() -> None:
    pair, lines = logged()
    talk(pair, b"attack at dawn")
    for side in ROLES:
        assert read_along(pair, lines[side]) == {"client": b"attack at dawn", "server": b"attack at dawn"}


def test_the_key_log_follows_key_updates() -> None:
    pair, lines = logged()
    talk(pair, b"attack ")
    pair.client.update_keys(request_peer=True)
    pair.move("client")
    pair.move("server")
    talk(pair, b"at dawn")
    for side in ROLES:
        labels = [line.split(" ")[0] for line in lines[side]]
        assert {"CLIENT_TRAFFIC_SECRET_1", "SERVER_TRAFFIC_SECRET_1"} <= set(labels)
        assert read_along(pair, lines[side]) == {"client": b"attack at dawn", "server": b"attack at dawn"}
    assert set(lines["client"]) == set(lines["server"])
    # The next secret is made from the one before (RFC 8446 section 7.2).
    secrets = {label: bytes.fromhex(secret) for label, _, secret in (line.split(" ") for line in lines["client"])}
    assert pair.client.facts is not None
    first = TrafficSecret(SUITES[pair.client.facts.cipher_suite], secrets["CLIENT_TRAFFIC_SECRET_0"])
    assert first.updated().secret == secrets["CLIENT_TRAFFIC_SECRET_1"]


# Exporters


@pytest.mark.parametrize("combination", [PLAIN, MUTUAL])
def test_both_sides_export_the_same(combination: str) -> None:
    pair = recorded(combination).pair
    assert pair is not None
    for label, context, length in (
        ("EXPERIMENTAL a", None, 32),
        ("EXPERIMENTAL a", b"context", 32),
        (b"EXPERIMENTAL b", b"", 1),
        ("EXPERIMENTAL a", None, 8160),
    ):
        ours = pair.client.export_keying_material(label, length, context)
        assert len(ours) == length
        assert ours == pair.server.export_keying_material(label, length, context)
    material = pair.client.export_keying_material("EXPERIMENTAL a", 32)
    # In TLS 1.3 no context is an empty one (RFC 8446 section 7.5).
    assert material == pair.client.export_keying_material("EXPERIMENTAL a", 32, b"")
    assert material != pair.client.export_keying_material("EXPERIMENTAL a", 32, b"x")
    assert material != pair.client.export_keying_material("EXPERIMENTAL b", 32)


def test_two_connections_export_different_things() -> None:
    one, two = (
        Pair().done(),
        Pair(client_config(groups=(NamedGroup.secp256r1,)), server_config(groups=(NamedGroup.secp256r1,))),
    )
    two.done()
    label = "EXPERIMENTAL a"
    assert one.client.export_keying_material(label, 32) != two.client.export_keying_material(label, 32)


def test_an_exporter_does_not_change_with_the_keys() -> None:
    pair = Pair().done()
    before = pair.client.export_keying_material("EXPERIMENTAL a", 32)
    pair.client.update_keys(request_peer=True)
    pair.move("client")
    pair.move("server")
    assert pair.client.export_keying_material("EXPERIMENTAL a", 32) == before
    assert pair.server.export_keying_material("EXPERIMENTAL a", 32) == before


@pytest.mark.parametrize(("label", "length"), [("x" * 250, 32), ("x", 0), ("x", -1), ("x", 8161)])
def test_what_can_not_be_exported_is_misuse(label: str, length: int) -> None:
    pair = Pair().done()
    with pytest.raises(Misuse):
        pair.client.export_keying_material(label, length)
    assert len(pair.client.export_keying_material("x" * 249, 1)) == 1
