"""Protection: RFC 8448's records byte for byte, and everything that must not open."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traces8448 import octets, traces

from tlscope.crypto.cipher_suites import SUITES, Suite
from tlscope.record.protection import InvalidTag, Protection12, Protection13, UnsupportedRecord
from tlscope.wire.codepoints import CipherSuite, ContentType

SUITE = SUITES[CipherSuite.TLS_AES_128_GCM_SHA256]
OF_13 = [row for row in SUITES.values() if row.is_tls13]
OF_12 = [row for row in SUITES.values() if not row.is_tls13]


def fresh(suite: Suite) -> Protection13:
    return Protection13(suite, bytes(range(suite.aead.key_length)), bytes(range(12)), "application")


def fresh12(suite: Suite) -> Protection12:
    iv = bytes(range(12 - suite.aead.explicit_nonce))
    return Protection12(suite, bytes(range(suite.aead.key_length)), iv, "application")


@pytest.mark.parametrize("trace", [pytest.param(trace, id=name) for name, trace in traces().items()])
def test_the_records_of_rfc_8448(trace: dict[str, Any]) -> None:
    messages = [octets(one["hex"]) for one in trace["messages"]]
    ends: dict[tuple[str, str], tuple[Protection13, Protection13]] = {}
    checked = 0
    for one in trace["records"]:
        if one["epoch"] == "plaintext":
            continue
        name = f"{one['sender']}_{one['epoch']}"
        keys = trace["traffic_keys"][name]
        if name not in ends:
            key, iv = octets(keys["key"]), octets(keys["iv"])
            ends[name] = Protection13(SUITE, key, iv, name), Protection13(SUITE, key, iv, name)
        sealer, opener = ends[name]
        record = octets(one["record"])
        assert sealer.sequence == one["seq"]
        kind, content = opener.open(record[:5], record[5:])
        assert kind == ContentType.named(one["type"])
        if "payload" in one:
            assert content == octets(one["payload"])
        else:
            # A flight's messages, one behind the other.
            assert any(content.startswith(message) for message in messages)
        assert b"".join(sealer.seal(kind, content)) == record
        checked += 1
    assert checked >= 4


@pytest.mark.parametrize("suite", OF_13, ids=lambda row: row.name.name)
@settings(max_examples=30)
@given(
    contents=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    kind=st.integers(1, 255),
    padding=st.integers(0, 300),
)
def test_a_record_survives(suite: Suite, contents: list[bytes], kind: int, padding: int) -> None:
    sealer, opener = fresh(suite), fresh(suite)
    for content in contents:
        record = b"".join(sealer.seal(kind, memoryview(content), padding))
        assert record[:3] == b"\x17\3\3"
        assert int.from_bytes(record[3:5], "big") == len(record) - 5 == len(content) + padding + sealer.overhead
        assert opener.open(record[:5], record[5:]) == (kind, content)
    assert sealer.sequence == opener.sequence == len(contents)


@pytest.mark.parametrize("suite", OF_13, ids=lambda row: row.name.name)
def test_every_changed_byte_is_found(suite: Suite) -> None:
    record = b"".join(fresh(suite).seal(ContentType.application_data, b"attack at dawn", 3))
    for place in range(len(record)):
        changed = bytearray(record)
        changed[place] ^= 0x20
        with pytest.raises(InvalidTag):
            fresh(suite).open(bytes(changed[:5]), bytes(changed[5:]))
    for length in range(5, len(record)):
        with pytest.raises(InvalidTag):
            fresh(suite).open(record[:5], record[5:length])


def test_records_open_in_their_order_alone() -> None:
    sealer, opener = fresh(SUITE), fresh(SUITE)
    first, second = b"".join(sealer.seal(23, b"one")), b"".join(sealer.seal(23, b"two"))
    with pytest.raises(InvalidTag):
        opener.open(second[:5], second[5:])
    assert opener.open(first[:5], first[5:]) == (23, b"one")
    with pytest.raises(InvalidTag):
        opener.open(first[:5], first[5:])
    assert opener.open(second[:5], second[5:]) == (23, b"two")


def test_the_nonce_counts_over_all_of_its_bytes() -> None:
    # RFC 8446 section 5.3: the sequence number, padded to 12 bytes, XOR the IV.
    for sequence in (0, 1, 255, 256, 2**32, 2**64 - 2):
        sealer, opener = fresh(SUITE), fresh(SUITE)
        sealer.sequence = opener.sequence = sequence
        record = b"".join(sealer.seal(23, b"data"))
        assert opener.open(record[:5], record[5:]) == (23, b"data")
        other = fresh(SUITE)
        other.sequence = sequence + 1
        with pytest.raises(InvalidTag):
            other.open(record[:5], record[5:])


@pytest.mark.parametrize("length", [0, 1, 100, 16384])
def test_a_record_of_nothing_but_padding_has_no_type(length: int) -> None:
    sealer = fresh(SUITE)
    # A content of zeros under type 0 is what such a record holds.
    record = b"".join(sealer.seal(0, bytes(length)))
    with pytest.raises(UnsupportedRecord):
        fresh(SUITE).open(record[:5], record[5:])


@pytest.mark.parametrize("zeros", [0, 1, 5])
def test_zeros_at_the_end_of_the_content_are_content(zeros: int) -> None:
    content = b"data" + bytes(zeros)
    for padding in (0, 7):
        record = b"".join(fresh(SUITE).seal(23, content, padding))
        assert fresh(SUITE).open(record[:5], record[5:]) == (23, content)


@pytest.mark.parametrize("suite", OF_12, ids=lambda row: row.name.name)
@settings(max_examples=20)
@given(contents=st.lists(st.binary(max_size=300), min_size=1, max_size=3), kind=st.sampled_from([20, 21, 22, 23]))
def test_a_record_of_tls_1_2_survives(suite: Suite, contents: list[bytes], kind: int) -> None:
    sealer, opener = fresh12(suite), fresh12(suite)
    for content in contents:
        record = b"".join(sealer.seal(kind, content, padding=5))
        assert record[:3] == bytes((kind, 3, 3))
        assert len(record) - 5 == len(content) + sealer.overhead
        assert opener.open(record[:5], record[5:]) == (kind, content)


@pytest.mark.parametrize("suite", OF_12, ids=lambda row: row.name.name)
def test_every_changed_byte_is_found_in_tls_1_2(suite: Suite) -> None:
    record = b"".join(fresh12(suite).seal(ContentType.application_data, b"attack at dawn"))
    # The length is checked by what came before: here it has to fit the fragment.
    for place in (0, 1, 2, *range(5, len(record))):
        changed = bytearray(record)
        changed[place] ^= 0x20
        with pytest.raises(InvalidTag):
            fresh12(suite).open(bytes(changed[:5]), bytes(changed[5:]))
    for length in range(5, len(record)):
        with pytest.raises(InvalidTag):
            fresh12(suite).open(record[:5], record[5:length])


@pytest.mark.parametrize("end", [fresh(SUITE), fresh12(OF_12[0])], ids=["TLS 1.3", "TLS 1.2"])
def test_protection_shows_no_key(end: Protection13 | Protection12) -> None:
    assert repr(end) == f"<{type(end).__name__} application AES-128-GCM #0 (key redacted)>"
    assert end.description == "AES-128-GCM"
    assert end.record_limit == SUITE.aead.record_limit
