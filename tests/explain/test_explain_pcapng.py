"""A trace as a capture: packets that are right to the checksum, and what tshark makes of them."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from captured import FLOWS, talk
from observed import observed

from tlscope import Trace
from tlscope import trace as t
from tlscope.capture.packets import segment_of
from tlscope.explain.pcapng import key_log_of, to_pcapng
from tlscope.explain.pcapng_blocks import (
    CapturedPacket,
    CaptureError,
    KeyLogText,
    interface_block,
    is_capture,
    packet_block,
    read_capture,
    section_block,
)

TSHARK = shutil.which("tshark")


def tshark(path: Path, *arguments: str) -> list[str]:
    assert TSHARK is not None
    command = [TSHARK, "-r", str(path), "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.interop
@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("flow", FLOWS)
def test_tshark_opens_it_decrypted(flow: str, role: str, tmp_path: Path) -> None:
    path = tmp_path / "capture.pcapng"
    path.write_bytes(to_pcapng(talk(flow, role)))
    fields = ("-T", "fields", "-e", "http.request.uri", "-e", "http.response.code")
    assert tshark(path, "-Y", "http", *fields) == ["/secret\t", "\t200"]
    names = set(" ".join(tshark(path, "-T", "fields", "-e", "tls.handshake.type")).replace(",", " ").split())
    assert {"1", "2", "11", "20"} <= names
    assert ("13" in names) == flow.startswith("mutual")
    bad = "tcp.analysis.flags || _ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0"
    assert tshark(path, "-Y", bad) == []


@pytest.mark.interop
@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
def test_without_secrets_it_opens_encrypted(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcapng"
    path.write_bytes(to_pcapng(observed("mutual").client))
    assert tshark(path, "-Y", "http || tls.handshake.type == 20") == []
    assert len(tshark(path, "-Y", "tls.handshake.type == 1")) == 1


def test_the_packets_carry_the_records_and_nothing_else() -> None:
    trace = talk("mutual 1.3", "client")
    found = [item for item in read_capture(to_pcapng(trace)) if isinstance(item, CapturedPacket)]
    streams: dict[int, bytes] = {}
    for packet in found:
        segment = segment_of(packet.link, packet.data)
        assert segment is not None
        streams[segment.source.port] = streams.get(segment.source.port, b"") + segment.data
    for direction, port in (("sent", 49152), ("received", 443)):
        assert streams[port] == b"".join(one.raw for one in trace.of(t.Record) if one.direction == direction)
    assert [packet.time for packet in found] == sorted(packet.time for packet in found)
    assert found[0].time == pytest.approx(trace.started_at, abs=60)


def test_the_key_log_comes_first_and_holds_what_is_logged() -> None:
    trace = talk("one-way 1.3", "client")
    items = list(read_capture(to_pcapng(trace)))
    assert isinstance(items[0], KeyLogText)
    labels = {line.split()[0] for line in items[0].text.splitlines()}
    assert labels == {
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
    }
    assert not any(isinstance(item, KeyLogText) for item in read_capture(to_pcapng(observed("mutual").client)))
    assert key_log_of([t.Secret("CLIENT_RANDOM", (), b"short", bytes(48))]) == ""


def test_each_connection_has_a_port_of_its_own() -> None:
    trace = observed("one-way").client
    items = [one for one in read_capture(to_pcapng(trace, trace)) if isinstance(one, CapturedPacket)]
    segments = [segment_of(one.link, one.data) for one in items]
    assert {one.source.port for one in segments if one is not None} == {49152, 49153, 443}


def test_a_trace_that_ran_out_of_room_ends_there() -> None:
    trace = Trace(max_bytes=300)
    for _ in range(3):
        trace(t.Record("sent", 22, "plaintext", 0, 195, b"\x16\x03\x01\x00\xc3" + bytes(195)))
    packets = [one for one in read_capture(to_pcapng(trace)) if isinstance(one, CapturedPacket)]
    assert sum(len(one.data) > 40 for one in packets) == 1


def test_classic_pcap_is_read_in_either_byte_order() -> None:
    for order, magic in (("<", 0xA1B2C3D4), (">", 0xA1B2C3D4), ("<", 0xA1B23C4D)):
        head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 101)
        ticks = 500_000_000 if magic == 0xA1B23C4D else 500_000
        body = struct.pack(order + "IIII", 100, ticks, 3, 3) + b"abc"
        assert is_capture(head)
        assert list(read_capture(head + body)) == [CapturedPacket(100.5, 101, b"abc")]


def test_a_comment_and_a_nanosecond_interface() -> None:
    packet = packet_block(1.5, b"xy", "a comment")
    plain = section_block("x") + interface_block(1, "y") + packet
    assert list(read_capture(plain)) == [CapturedPacket(1.5, 1, b"xy")]
    nanos = plain.replace(b"\x09\x00\x01\x00\x06", b"\x09\x00\x01\x00\x09", 1)
    assert next(iter(read_capture(nanos))) == CapturedPacket(0.0015, 1, b"xy")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\xd4\xc3\xb2\xa1",
        b"\xd4\xc3\xb2\xa1" + bytes(20) + struct.pack("<IIII", 0, 0, 1 << 31, 1 << 31),
        b"\x0a\x0d\x0d\x0a" + bytes(20),
        section_block("x") + struct.pack("<III", 6, 8, 8),
        section_block("x") + struct.pack("<III", 6, 1 << 30, 0),
    ],
)
def test_what_is_no_capture_is_refused(data: bytes) -> None:
    with pytest.raises(CaptureError):
        list(read_capture(data))


def test_a_capture_that_was_cut_is_read_as_far_as_it_goes() -> None:
    whole = to_pcapng(observed("one-way").client)
    count = len(list(read_capture(whole)))
    assert len(list(read_capture(whole[:-5]))) == count - 1
