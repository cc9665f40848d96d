"""The record layer: bytes to records in any split, its bounds, and records out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlscope import violations
from tlscope.crypto.cipher_suites import SUITES
from tlscope.errors import PeerViolation
from tlscope.record.layer import RecordLayer
from tlscope.record.protection import Protection13
from tlscope.record.reassembly import Reassembly
from tlscope.violations import Violation
from tlscope.wire.codepoints import CipherSuite, ContentType

SUITE = SUITES[CipherSuite.TLS_AES_128_GCM_SHA256]


def keys(epoch: str = "handshake") -> Protection13:
    return Protection13(SUITE, bytes(16), bytes(12), epoch)


def plain(kind: int, content: bytes, version: int = 0x0303) -> bytes:
    return bytes((kind,)) + version.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content


def protected_layer(epoch: str = "handshake") -> RecordLayer:
    layer = RecordLayer()
    layer.feed(plain(22, b"hello"))
    assert layer.next_record() == (22, b"hello")
    assert layer.next_record() is None
    layer.is_tls13, layer.read = True, keys(epoch)
    return layer


def all_of(layer: RecordLayer) -> list[tuple[int, bytes]]:
    return list(iter(layer.next_record, None))


def refused(violation: Violation, action: Callable[[], object]) -> PeerViolation:
    with pytest.raises(PeerViolation) as caught:
        action()
    assert caught.value.violation is violation
    return caught.value


RECORDS = st.lists(st.tuples(st.sampled_from([20, 21, 22, 23]), st.binary(max_size=50)), min_size=1, max_size=5)


@settings(max_examples=60)
@given(records=RECORDS, cuts=st.lists(st.integers(0, 300), max_size=6))
def test_records_come_out_of_any_split(records: list[tuple[int, bytes]], cuts: list[int]) -> None:
    stream = b"".join(plain(kind, content) for kind, content in records)
    layer, found = RecordLayer(), []
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for start, stop in pairwise(places):
        layer.feed(stream[start:stop])
        found += all_of(layer)
    assert found == records
    assert layer.buffered == 0


@settings(max_examples=30)
@given(records=RECORDS.map(lambda records: [(kind, content) for kind, content in records if kind != 20]))
def test_protected_records_come_one_byte_at_a_time(records: list[tuple[int, bytes]]) -> None:
    layer, sealer, found = protected_layer(), keys(), []
    for kind, content in records:
        for byte in b"".join(sealer.seal(kind, content)):
            layer.feed(bytes((byte,)))
            found += all_of(layer)
    assert found == records


def test_what_was_not_taken_yet_is_kept_when_more_comes() -> None:
    layer = RecordLayer()
    layer.feed(plain(22, b"one") + plain(22, b"two") + plain(22, b"three")[:4])
    assert layer.next_record() == (22, b"one")
    layer.feed(plain(22, b"three")[4:] + plain(22, b"four"))
    assert all_of(layer) == [(22, b"two"), (22, b"three"), (22, b"four")]


def test_an_unfinished_record_is_counted() -> None:
    layer = RecordLayer()
    layer.feed(plain(22, b"hello")[:7])
    assert layer.next_record() is None
    assert layer.buffered == 7


def test_keys_may_change_between_two_records_of_one_read() -> None:
    layer = protected_layer()
    layer.feed(b"".join(keys().seal(22, b"one")) + b"".join(keys("application").seal(23, b"two")))
    assert layer.next_record() == (22, b"one")
    layer.read = keys("application")
    assert layer.next_record() == (23, b"two")


# Bounds


@pytest.mark.parametrize("extra", [1, 1000])
def test_a_plain_record_that_announces_too_much_is_refused_at_once(extra: int) -> None:
    layer = RecordLayer()
    layer.feed(plain(22, b"")[:3] + (2**14).to_bytes(2, "big"))
    assert layer.next_record() is None
    layer = RecordLayer()
    layer.feed(plain(22, b"")[:3] + (2**14 + extra).to_bytes(2, "big"))
    error = refused(violations.RECORD_TOO_LONG, layer.next_record)
    assert error.evidence == {"length": 2**14 + extra, "limit": 2**14}


def test_a_protected_record_that_announces_too_much_is_refused_at_once() -> None:
    layer = protected_layer()
    layer.feed(b"\x17\3\3" + (2**14 + 256).to_bytes(2, "big"))
    assert layer.next_record() is None
    layer = protected_layer()
    layer.feed(b"\x17\3\3" + (2**14 + 257).to_bytes(2, "big"))
    refused(violations.RECORD_TOO_LONG, layer.next_record)


def test_a_protected_record_with_too_much_inside_is_refused() -> None:
    layer = protected_layer()
    layer.feed(b"".join(keys().seal(23, bytes(2**14))))
    assert layer.next_record() == (23, bytes(2**14))
    layer = protected_layer()
    layer.feed(b"".join(keys().seal(23, b"x" * (2**14 + 1))))
    refused(violations.RECORD_TOO_LONG, layer.next_record)


def test_padding_counts_towards_the_bound() -> None:
    # RFC 8446 section 5.4: content, type and padding have at most 2^14 + 1 bytes.
    layer = protected_layer()
    layer.feed(b"".join(keys().seal(23, b"x" * 100, 2**14 - 100)))
    assert layer.next_record() == (23, b"x" * 100)
    layer = protected_layer()
    layer.feed(b"".join(keys().seal(23, b"x" * 100, 2**14 - 99)))
    refused(violations.RECORD_TOO_LONG, layer.next_record)
    layer = protected_layer()
    layer.feed(b"".join(keys().seal(23, b"", 2**14 + 100)))
    refused(violations.RECORD_TOO_LONG, layer.next_record)


# What may come when


@pytest.mark.parametrize(
    ("first", "violation"),
    [
        (b"GET / HTTP/1.1\r\n", violations.HTTP_ON_TLS_PORT),
        (b"HTTP/1.1 400 Bad Request\r\n", violations.NOT_TLS),
        (b"SSH-2.0-OpenSSH\r\n", violations.NOT_TLS),
        (b"220 mail.example ESMTP\r\n", violations.NOT_TLS),
        (b"\x80\x2e\1\3\1", violations.SSLV2_HELLO),
        (b"\x16\2\0\0\5", violations.NOT_TLS),
        (b"\x18\3\1\0\5", violations.NOT_TLS),
        (b"\0\0\0\0\0\0", violations.NOT_TLS),
    ],
)
def test_what_is_not_tls_is_said_to_be_so(first: bytes, violation: Violation) -> None:
    for size in (1, len(first)):
        layer = RecordLayer()

        def feed(layer: RecordLayer = layer, size: int = size) -> None:
            for start in range(0, len(first), size):
                layer.feed(first[start : start + size])
                layer.next_record()

        error = refused(violation, feed)
        assert error.evidence["first"] == first[:5]


def test_later_records_must_claim_a_version_and_a_type_of_tls() -> None:
    layer = protected_layer()
    layer.feed(b"\x17\2\3\0\0")
    refused(violations.BAD_RECORD_VERSION, layer.next_record)
    for kind in (0, 19, 24, 255):
        layer = protected_layer()
        layer.feed(bytes((kind, 3, 3, 0, 0)))
        refused(violations.UNEXPECTED_RECORD, layer.next_record)


@pytest.mark.parametrize("kind", [21, 22])
def test_nothing_unprotected_comes_under_keys(kind: int) -> None:
    layer = protected_layer("application")
    layer.feed(plain(kind, b"\2\x28"))
    refused(violations.UNPROTECTED_RECORD, layer.next_record)


def test_only_the_first_record_under_the_handshake_keys_may_be_an_alert_without_them() -> None:
    layer = protected_layer("handshake")
    layer.feed(plain(21, b"\2\x28"))
    assert layer.next_record() == (21, b"\2\x28")
    layer = protected_layer("handshake")
    layer.feed(b"".join(keys().seal(22, b"first")) + plain(21, b"\2\x28"))
    assert layer.next_record() == (22, b"first")
    refused(violations.UNPROTECTED_RECORD, layer.next_record)


def test_a_change_cipher_spec_stays_plain_in_tls_1_3() -> None:
    layer = protected_layer("application")
    layer.feed(plain(20, b"\1") + b"".join(keys().seal(23, b"data")))
    assert all_of(layer) == [(20, b"\1"), (23, b"data")]


def test_a_protected_change_cipher_spec_is_refused() -> None:
    # RFC 8446 section 5: one that is protected is as unexpected as any other.
    layer = protected_layer()
    layer.feed(b"".join(keys().seal(20, b"\1")))
    refused(violations.BAD_CHANGE_CIPHER_SPEC, layer.next_record)


def test_a_record_that_does_not_open_is_refused() -> None:
    layer = protected_layer()
    good = b"".join(keys().seal(22, b"one"))
    layer.feed(good)
    assert layer.next_record() == (22, b"one")
    layer.feed(good)
    error = refused(violations.BAD_RECORD_MAC, layer.next_record)
    assert error.evidence == {"sequence": 1, "epoch": "handshake"}


def test_a_record_without_a_type_is_refused() -> None:
    layer = protected_layer()
    layer.feed(b"".join(keys().seal(0, b"")))
    refused(violations.NO_CONTENT_TYPE, layer.next_record)


def test_refused_early_data_is_passed_over_up_to_its_budget() -> None:
    # RFC 8446 section 4.2.10.
    other = Protection13(SUITE, b"\1" * 16, bytes(12), "early")
    layer = protected_layer()
    layer.skip_budget = 200
    layer.feed(
        b"".join(other.seal(23, bytes(50))) + b"".join(other.seal(23, bytes(50))) + b"".join(keys().seal(22, b"end"))
    )
    assert layer.next_record() == (22, b"end")
    assert layer.skip_budget == 0
    layer = protected_layer()
    layer.skip_budget = 100
    layer.feed(b"".join(other.seal(23, bytes(50))) * 2)
    refused(violations.TOO_MUCH_SKIPPED_EARLY_DATA, layer.next_record)


def test_early_data_before_a_second_hello_is_passed_over() -> None:
    layer = RecordLayer()
    layer.feed(plain(22, b"hello"))
    assert layer.next_record() == (22, b"hello")
    layer.skip_budget = 20_000
    layer.feed(plain(23, bytes(2**14 + 256)) + plain(22, b"second"))
    assert layer.next_record() == (22, b"second")
    # The longer records are the early data's alone.
    layer.skip_budget = 20_000
    layer.feed(plain(22, bytes(2**14 + 1)))
    refused(violations.RECORD_TOO_LONG, layer.next_record)


# Out


def test_content_is_cut_into_records() -> None:
    layer = RecordLayer()
    layer.max_fragment = 100
    layer.queue(23, b"x" * 250)
    reader = RecordLayer()
    reader.feed(layer.take())
    assert [len(content) for _, content in all_of(reader)] == [100, 100, 50]
    assert not layer.has_output
    assert layer.take() == b""


def test_an_empty_content_is_an_empty_record() -> None:
    layer = RecordLayer()
    layer.queue(23, b"")
    assert layer.take() == b"\x17\3\1\0\0"


def test_the_messages_of_a_flight_share_records_until_the_keys_change() -> None:
    layer = RecordLayer()
    layer.queue_handshake(b"one")
    layer.queue_handshake(b"two")
    layer.change_write(keys())
    layer.queue_handshake(b"three")
    layer.queue_handshake(b"four")
    assert layer.has_output
    reader = RecordLayer()
    reader.feed(layer.take())
    assert reader.next_record() == (22, b"onetwo")
    reader.is_tls13, reader.read = True, keys()
    assert all_of(reader) == [(22, b"threefour")]


def test_what_is_queued_keeps_its_order() -> None:
    layer = RecordLayer()
    layer.queue_handshake(b"message")
    layer.queue_unprotected(20, b"\1")
    layer.queue_handshake(b"another")
    layer.queue(21, b"\1\0")
    reader = RecordLayer()
    reader.feed(layer.take())
    assert all_of(reader) == [(22, b"message"), (20, b"\1"), (22, b"another"), (21, b"\1\0")]


def test_plain_records_claim_the_version_that_they_should() -> None:
    layer = RecordLayer()
    layer.queue(22, b"a")
    assert layer.take()[1:3] == b"\3\1"
    layer.record_version = 0x0303
    layer.queue(22, b"a")
    assert layer.take()[1:3] == b"\3\3"


@pytest.mark.parametrize("wish", [-5, 0, 10, 2**14, 10**9])
def test_padding_stays_within_a_record(wish: int) -> None:
    layer, reader = RecordLayer(), protected_layer()
    layer.write = keys()
    layer.padding = lambda length: wish
    layer.queue(23, bytes(16000))
    record = layer.take()
    assert len(record) == 5 + 16 + 1 + 16000 + max(0, min(wish, 2**14 - 16000))
    reader.feed(record)
    assert reader.next_record() == (23, bytes(16000))


def test_raw_bytes_take_the_place_of_a_flight() -> None:
    layer = RecordLayer()
    layer.queue_handshake(b"never said")
    layer.queue_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert layer.take() == b"HTTP/1.1 400 Bad Request\r\n\r\n"


def test_every_record_is_shown_to_who_wants_to_see_it() -> None:
    seen: list[tuple[str, int, str, int, int]] = []
    layer, reader = RecordLayer(), protected_layer()
    for one in (layer, reader):
        one.on_record = lambda *event: seen.append(event[:5])
    layer.queue(22, b"plain")
    layer.take()
    layer.write = keys()
    layer.queue(22, b"sealed")
    reader.feed(layer.take())
    assert reader.next_record() == (22, b"sealed")
    assert seen == [
        ("sent", ContentType.handshake, "plaintext", 0, 5),
        ("sent", ContentType.handshake, "handshake", 0, 6),
        ("received", ContentType.handshake, "handshake", 0, 6),
    ]


# Messages out of records


def message(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + len(body).to_bytes(3, "big") + body


@settings(max_examples=60)
@given(bodies=st.lists(st.binary(max_size=30), min_size=1, max_size=4), cuts=st.lists(st.integers(1, 150), max_size=8))
def test_messages_come_out_of_any_split(bodies: list[bytes], cuts: list[int]) -> None:
    messages = [message(11, body) for body in bodies]
    stream = b"".join(messages)
    reassembly, found = Reassembly(1000, 10_000), []
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for start, stop in pairwise(places):
        reassembly.feed(stream[start:stop])
        found += list(iter(reassembly.next_message, None))
    assert found == messages
    assert reassembly.pending == 0


def test_a_message_that_announces_too_much_is_refused_before_it_has_come() -> None:
    reassembly = Reassembly(100, 10_000)
    reassembly.feed(b"\x0b\0\0\x64")
    assert reassembly.next_message() is None
    reassembly = Reassembly(100, 10_000)
    reassembly.feed(b"\x0b\0\0\x65")
    error = refused(violations.MESSAGE_TOO_LONG, reassembly.next_message)
    assert "Limits.max_handshake_message" in str(error)


def test_the_sum_of_all_messages_is_bounded_until_the_peer_is_known() -> None:
    reassembly = Reassembly(100, 150)
    reassembly.feed(message(11, bytes(96)))
    assert reassembly.next_message() is not None
    refused(violations.HANDSHAKE_TOO_LONG, lambda: reassembly.feed(bytes(51)))
    reassembly = Reassembly(100, 150)
    reassembly.relax()
    for _ in range(5):
        reassembly.feed(message(11, bytes(96)))
        assert reassembly.next_message() is not None
