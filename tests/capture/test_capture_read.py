"""Captures read back: the same diagram as the trace's, however the packets came; hostile ones lead to nothing worse."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import pytest
from captured import ANSWER, FLOWS, REQUEST, talk
from hypothesis import given, settings
from hypothesis import strategies as st
from observed import _MUTUAL, _OLD, observe, observed

from tlscope import Trace
from tlscope import trace as t
from tlscope.capture import parse_key_log, read
from tlscope.capture.packets import segment_of
from tlscope.explain import Diagram, diagnose_trace, to_html, to_text
from tlscope.explain.model import SEALED, MessageRow
from tlscope.explain.pcapng import key_log_of, to_pcapng
from tlscope.explain.pcapng_blocks import (
    CapturedPacket,
    CaptureError,
    interface_block,
    packet_block,
    read_capture,
    section_block,
)


def said(trace: Trace) -> list[tuple[str, str, bytes]]:
    """The messages of a trace: who, what, and the bytes."""
    return [(row.sender, row.name, row.raw) for row in Diagram.of(trace).rows if isinstance(row, MessageRow)]


def packets_of(trace: Trace) -> list[CapturedPacket]:
    return [one for one in read_capture(to_pcapng(trace)) if isinstance(one, CapturedPacket)]


def rewritten(packets: list[CapturedPacket], link: int = 101, head: bytes = b"") -> bytes:
    blocks = [packet_block(one.time, head + one.data) for one in packets]
    return section_block("test") + interface_block(link, "any") + b"".join(blocks)


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("flow", FLOWS)
def test_what_was_captured_is_what_was_traced(flow: str, role: str) -> None:
    trace = talk(flow, role)
    reading = read(to_pcapng(trace))
    assert (reading.others, reading.full, len(reading.connections)) == (0, False, 1)
    found = reading.connections[0]
    assert (found.client, found.server) == ("192.0.2.1:49152", "192.0.2.2:443")
    assert (found.decrypted, found.sealed, found.holes) == (True, False, False)
    assert sorted(said(found.trace)) == sorted(said(trace))
    assert [one.content for one in found.trace.of(t.Data)] == [REQUEST, ANSWER]
    ours, theirs = Diagram.of(found.trace), Diagram.of(trace)
    assert (ours.title, ours.cipher_suite, ours.group) == (theirs.title, theirs.cipher_suite, theirs.group)
    assert len(found.trace.of(t.Closed)) == 2
    assert diagnose_trace(found.trace) is None
    assert all(secret.value is None for secret in found.trace.of(t.Secret))


@pytest.mark.parametrize("case", ["early data", "early data refused", "resumed"])
@pytest.mark.parametrize("role", ["client", "server"])
def test_early_data_is_opened_with_its_own_keys(case: str, role: str) -> None:
    trace = observed(case).of(role)
    found = read(to_pcapng(trace)).connections[0]
    if case == "early data refused" and role == "server":
        assert found.decrypted  # the server could not read the early data itself; a key log of the client's could
        return
    assert (found.decrypted, found.sealed) == (True, False)
    assert Diagram.of(found.trace).psk


def test_keys_that_change_are_followed() -> None:
    from memory import Pair, client_config, server_config

    trace = Trace(secrets=True)
    pair = Pair(client_config(), server_config(), client_trace=trace).done()
    pair.client.update_keys(request_peer=True)
    pair.client.send_data(REQUEST)
    pair.move("client")
    pair.server.send_data(ANSWER)
    pair.move("server")
    found = read(to_pcapng(trace)).connections[0]
    assert not found.sealed
    assert [one.content for one in found.trace.of(t.Data)] == [REQUEST, ANSWER]
    assert [row.name for row in Diagram.of(found.trace).rows if isinstance(row, MessageRow)].count("KeyUpdate") == 2


def test_secrets_may_come_in_a_key_log() -> None:
    secret = talk("mutual 1.3", "client")
    log = "# a comment\n" + key_log_of(secret.of(t.Secret)) + "nonsense\n"
    bare = rewritten(packets_of(secret))
    assert read(bare).connections[0].sealed
    assert not read(bare, log).connections[0].sealed
    assert not read(bare, log.replace("\n", "\r\n")).connections[0].sealed


@pytest.mark.parametrize("flow", FLOWS)
def test_without_secrets_it_shows_what_anyone_can_read(flow: str) -> None:
    found = read(rewritten(packets_of(talk(flow, "client")))).connections[0]
    assert (found.decrypted, found.sealed) == (False, True)
    names = [name for _, name, _ in said(found.trace)]
    assert names[:2] == ["ClientHello", "ServerHello"]
    assert ("Certificate" in names) == ("1.2" in flow)
    diagram = Diagram.of(found.trace)
    assert diagram.title.endswith("as far as it can be read")
    assert any(isinstance(row, MessageRow) and row.epoch == SEALED for row in diagram.rows)
    assert diagnose_trace(found.trace) is None
    assert "not decrypted" in to_html(found.trace)
    assert "kept" not in to_text(found.trace)


def test_a_capture_of_other_peers() -> None:
    data = Path(__file__).parents[1] / "data"
    reading = read((data / "openssl.pcap").read_bytes(), (data / "openssl.keys").read_text())
    titles = [Diagram.of(one.trace).title for one in reading.connections]
    assert titles == ["Mutual TLS 1.3", "Mutual TLS 1.2", "TLS 1.2, as far as it can be read"]
    for one in reading.connections[:2]:
        content = b"".join(data.content or b"" for data in one.trace.of(t.Data))
        assert content.startswith(b"GET / HTTP/1.0")
        assert b"HTTP/1.0 200 ok" in content
        assert (one.sealed, one.holes, one.obstacle) == (False, False, "")
    assert reading.connections[2].obstacle == (
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA is not among those that are decrypted here."
    )


def test_wrong_secrets_open_nothing() -> None:
    secret = talk("one-way 1.3", "client")
    log = key_log_of(secret.of(t.Secret))
    wrong = "\n".join(line[:-4] + ("0000" if line[-4:] != "0000" else "1111") for line in log.splitlines())
    found = read(rewritten(packets_of(secret)), wrong).connections[0]
    assert (found.decrypted, found.sealed) == (False, True)
    assert "do not open" in found.obstacle


@pytest.mark.parametrize(
    ("case", "role", "id"),
    [("no-common-version", "client", "no-common-version"), ("no-common-alpn", "client", "no-common-alpn")],
)
def test_a_refusal_is_explained_as_the_refused_side_would(case: str, role: str, id: str) -> None:
    found = read(to_pcapng(observed(case).of("server"))).connections[0]
    diagnosis = diagnose_trace(found.trace)
    assert diagnosis is not None
    assert (diagnosis.role, diagnosis.known_by) == (role, "alert")
    assert Diagram.of(found.trace).failure is not None


def test_the_servers_side_is_taken_where_the_client_refused() -> None:
    from certificates import stranger

    from tlscope import TrustAnchors

    trust = TrustAnchors.from_certificates([stranger().certificate])
    trace = observe({"trust": trust}, secrets=True).client
    found = read(to_pcapng(trace)).connections[0]
    diagnosis = diagnose_trace(found.trace)
    assert found.decrypted
    assert diagnosis is not None
    assert (diagnosis.role, diagnosis.alert) == ("server", "unknown_ca")


def opening_of(trace: Trace) -> tuple[list[CapturedPacket], CapturedPacket, CapturedPacket]:
    """The first packets of a connection: those without data, the ClientHello and the answer to it."""
    packets = packets_of(trace)
    data = [one for one in packets if (segment := segment_of(one.link, one.data)) and segment.data]
    return [one for one in packets if one not in data][:3], data[0], data[1]


def reset_by(packet: CapturedPacket) -> CapturedPacket:
    """The packet's sender resets the connection."""
    data = bytearray(packet.data)
    data[33] = 0x14
    return CapturedPacket(packet.time, 101, bytes(data))


def test_who_ended_it_is_the_other_side_of_who_is_told() -> None:
    begun, hello, answer = opening_of(talk("one-way 1.2", "client"))
    found = read(rewritten([*begun, hello, answer, reset_by(begun[0])])).connections[0]
    diagnosis = diagnose_trace(found.trace)
    assert diagnosis is not None
    assert (diagnosis.id, diagnosis.role, diagnosis.sender) == ("truncated", "server", "client")
    assert "the client, or something between that spoke for it, reset" in diagnosis.cause


def test_a_server_that_spoke_something_else() -> None:
    begun, hello, answer = opening_of(talk("one-way 1.2", "client"))
    payload = segment_of(answer.link, answer.data)
    assert payload is not None
    said = b"HTTP/1.0 400 Bad Request\r\n".ljust(len(payload.data), b" ")
    other = CapturedPacket(answer.time, 101, answer.data.replace(payload.data, said))
    found = read(rewritten([*begun, hello, other, reset_by(answer)])).connections[0]
    diagnosis = diagnose_trace(found.trace)
    assert diagnosis is not None
    assert diagnosis.id == "tls-on-http-port"
    assert "plain HTTP" in diagnosis.cause


@pytest.mark.parametrize("old", [{}, _OLD], ids=["1.3", "1.2"])
def test_a_listener_does_not_know_why_no_certificate_was_shown(old: dict[str, Any]) -> None:
    found = read(to_pcapng(observe(old, {**old, **_MUTUAL}, secrets=True).server)).connections[0]
    diagnosis = diagnose_trace(found.trace)
    assert diagnosis is not None
    assert (diagnosis.id, diagnosis.role) == ("no-client-cert", "client")
    assert "asked for a certificate from CN=Test root and sent an empty list" in diagnosis.cause
    assert [other.id for other in diagnosis.alternatives] == ["client-cert-not-offered"]
    assert not {"you", "your", "we", "our"} & set(diagnosis.cause.split())


def test_a_cut_connection_is_told_from_an_end() -> None:
    trace = talk("one-way 1.3", "client")
    packets = packets_of(trace)
    kept = [one for one in packets if (segment := segment_of(one.link, one.data)) and not segment.data][:3]
    hello = next(one for one in packets if (segment := segment_of(one.link, one.data)) and segment.data)
    kept.append(hello)
    reset = bytearray(packets[1].data)
    reset[33] = 0x14  # the server resets the connection
    kept.append(CapturedPacket(hello.time, 101, bytes(reset)))
    found = read(rewritten(kept)).connections[0]
    failure = Diagram.of(found.trace).failure
    assert failure is not None
    assert failure.code == "hello-dropped"
    assert failure.judge is None


LINKS = {
    "Ethernet": (1, bytes(12) + b"\x08\x00"),
    "Ethernet with a VLAN": (1, bytes(12) + b"\x81\x00\x00\x05\x08\x00"),
    "Linux cooked": (113, bytes(14) + b"\x08\x00"),
    "Linux cooked 2": (276, b"\x08\x00" + bytes(18)),
    "loopback": (0, b"\x02\x00\x00\x00"),
    "loopback of OpenBSD": (108, b"\x00\x00\x00\x02"),
    "raw": (228, b""),
}


@pytest.mark.parametrize("name", LINKS)
def test_any_link_layer(name: str) -> None:
    trace = talk("one-way 1.3", "client")
    link, head = LINKS[name]
    found = read(rewritten(packets_of(trace), link, head), key_log_of(trace.of(t.Secret))).connections
    assert [one.sealed for one in found] == [False]


def test_ipv6() -> None:
    trace = talk("one-way 1.3", "client")
    moved = []
    for one in packets_of(trace):
        tcp = one.data[20:]
        ends = [bytes(12) + one.data[12:16], bytes(12) + one.data[16:20]]
        options = b"\x06\x00" + bytes(6)
        head = struct.pack(">IHBB", 6 << 28, len(tcp) + 8, 0, 64) + ends[0] + ends[1] + options
        moved.append(CapturedPacket(one.time, 101, head + tcp))
    found = read(rewritten(moved), key_log_of(trace.of(t.Secret))).connections[0]
    assert not found.sealed
    assert found.client.startswith("[")


@pytest.mark.parametrize("seed", range(4))
def test_segments_out_of_order_twice_and_overlapping(seed: int) -> None:
    trace = talk("mutual 1.3", "client")
    chance = random.Random(seed)
    packets = packets_of(trace)
    opening, rest = packets[:3], packets[3:]
    doubled = [one for one in rest for _ in range(chance.choice((1, 1, 2)))]
    shuffled = [
        one for _, one in sorted(enumerate(doubled), key=lambda item: item[0] + chance.uniform(0, 3))
    ]  # each a little out of its place
    found = read(rewritten(opening + shuffled), key_log_of(trace.of(t.Secret))).connections[0]
    assert not found.holes
    everything = {(side, name) for side, name, _ in said(trace)}
    assert {("client", "ClientHello"), ("server", "ServerHello")} <= {
        (side, name) for side, name, _ in said(found.trace)
    }
    assert {(side, name) for side, name, _ in said(found.trace)} <= everything | {
        (side, name) for side, name, raw in said(found.trace) if not raw
    }


def test_a_missing_packet_is_said() -> None:
    packets = packets_of(talk("one-way 1.3", "client"))
    largest = max(packets, key=lambda one: len(one.data))
    found = read(rewritten([one for one in packets if one is not largest])).connections[0]
    assert found.holes


def test_other_connections_are_counted() -> None:
    packets = packets_of(talk("one-way 1.3", "client"))
    other = bytearray(packets[3].data)
    other[20:22] = b"\x30\x39"
    other[40:] = b"G" * len(other[40:])
    reading = read(rewritten([CapturedPacket(0.0, 101, bytes(other)), *packets]))
    assert (len(reading.connections), reading.others) == (1, 1)


@settings(max_examples=60)
@given(data=st.data())
def test_no_bytes_lead_anywhere_else(data: st.DataObject) -> None:
    capture = bytearray(to_pcapng(observed("with secrets").client))
    for _ in range(data.draw(st.integers(1, 12))):
        capture[data.draw(st.integers(0, len(capture) - 1))] = data.draw(st.integers(0, 255))
    try:
        reading = read(bytes(capture[: data.draw(st.integers(0, len(capture)))]))
    except CaptureError:
        return
    for one in reading.connections:
        to_text(one.trace)
        to_html(one.trace)
        diagnose_trace(one.trace)


def test_key_logs_are_read_line_by_line() -> None:
    random_, secret = "ab" * 32, "cd" * 48
    found = parse_key_log(
        f"# x\nCLIENT_RANDOM {random_} {secret}\nclient_random {random_} {secret}\nX {random_} zz\n\n"
    )
    assert found == {bytes.fromhex(random_): {"CLIENT_RANDOM": bytes.fromhex(secret)}}
