"""The fields of a message: each byte in one leaf, each leaf told about."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observed import CASES, observed
from wire_values import MESSAGES, MESSAGES_12

from tlscope.explain.fields import Field, fields_of_alert, fields_of_message, fields_of_record
from tlscope.explain.fields_about import MESSAGES as ABOUT_MESSAGES
from tlscope.explain.fields_about import about_field
from tlscope.trace import Message
from tlscope.wire import extensions as x
from tlscope.wire import handshake as m13
from tlscope.wire import handshake12 as m12
from tlscope.wire.codepoints import ExtensionType, HandshakeType

MALFORMED = {"left over", "unreadable"}
KINDS = [pytest.param(m13, 0x0304, values, id=name) for name, values in MESSAGES.items()]
KINDS += [pytest.param(m12, 0x0303, values, id=f"{name} (TLS 1.2)") for name, values in MESSAGES_12.items()]


def leaves(fields: tuple[Field, ...]) -> list[Field]:
    return [leaf for one in fields for leaf in one.leaves]


def every(fields: tuple[Field, ...]) -> list[Field]:
    return [found for one in fields for found in (one, *every(one.fields))]


def out_of_place(field: Field, raw: bytes) -> bool:
    """Whether a field is an extension that may not stand in its message (RFC 8446 section 4.2)."""
    kinds = [part for part in field.fields if part.name == "extension_type"]
    name = "HelloRetryRequest" if raw[6:38] == m13.HELLO_RETRY_REQUEST_RANDOM else HandshakeType.of(raw[0]).name
    return bool(kinds) and int.from_bytes(raw[kinds[0].start : kinds[0].end], "big") not in FORMS.get(name, {})


FORMS = {
    "client_hello": x.CLIENT_HELLO_FORMS,
    "server_hello": x.SERVER_HELLO_FORMS,
    "HelloRetryRequest": x.HELLO_RETRY_REQUEST_FORMS,
    "encrypted_extensions": x.ENCRYPTED_EXTENSIONS_FORMS,
    "certificate_request": x.CERTIFICATE_REQUEST_FORMS,
    "certificate": x.CERTIFICATE_ENTRY_FORMS,
    "new_session_ticket": x.NEW_SESSION_TICKET_FORMS,
}


def assert_tiled(raw: bytes, fields: tuple[Field, ...]) -> None:
    end = 0
    for leaf in leaves(fields):
        assert leaf.start == end
        assert leaf.end > leaf.start
        end = leaf.end
    assert end == len(raw)
    for one in every(fields):
        if one.fields:
            assert (one.fields[0].start, one.fields[-1].end) == (one.start, one.end)


@pytest.mark.parametrize(("module", "version", "values"), KINDS)
@settings(max_examples=40)
@given(data=st.data())
def test_the_leaves_are_the_messages_bytes_each_once(
    module: ModuleType, version: int, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    raw = data.draw(values).encode()
    fields = fields_of_message(raw, version)
    assert_tiled(raw, fields)
    for one in every(fields):
        # An extension that has no place in the message has no form there, and may hold anything.
        if one.name in MALFORMED:
            assert any(out_of_place(other, raw) for other in every(fields) if other.start <= one.start < other.end)
    for one in every(fields):
        assert one.about.endswith("."), one.name
        assert one.rfc.startswith("RFC "), one.name
        assert one.name.isprintable()
        assert one.value.isprintable()


@settings(max_examples=300)
@given(kind=st.integers(0, 30), body=st.binary(max_size=120), version=st.sampled_from([0x0303, 0x0304, 0]))
def test_whatever_the_bytes_are_they_are_tiled(kind: int, body: bytes, version: int) -> None:
    raw = bytes([kind]) + len(body).to_bytes(3, "big") + body
    assert_tiled(raw, fields_of_message(raw, version))


@pytest.mark.parametrize(("module", "version", "values"), KINDS)
@settings(max_examples=15)
@given(data=st.data())
def test_a_cut_or_changed_message_is_tiled(
    module: ModuleType, version: int, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    raw = data.draw(values).encode()
    place = data.draw(st.integers(0, len(raw) - 1))
    assert_tiled(raw[:place], fields_of_message(raw[:place], version))
    changed = raw[:place] + bytes([raw[place] ^ data.draw(st.integers(1, 255))]) + raw[place + 1 :]
    assert_tiled(changed, fields_of_message(changed, version))


@pytest.mark.parametrize("case", CASES)
def test_what_took_place_is_understood_to_the_last_byte(case: str) -> None:
    for event in observed(case).client.of(Message):
        fields = fields_of_message(event.raw, event.version)
        assert_tiled(event.raw, fields)
        assert not MALFORMED & {leaf.name for leaf in leaves(fields)}
        assert event.name in ABOUT_MESSAGES


def test_the_fields_say_what_is_in_them() -> None:
    hello = observed("mutual").client.of(Message)[0]
    found = {one.name: one for one in every(fields_of_message(hello.raw, hello.version))}
    assert found["server_name"].value == "localhost"
    assert hello.raw[found["server_name"].end - 9 : found["server_name"].end] == b"localhost"
    assert found["application_layer_protocol_negotiation"].value == "h2, http/1.1"
    assert found["key_share"].value == "x25519"
    assert found["random"].end - found["random"].start == 32
    assert found["msg_type"].value == "client_hello"


def test_a_hello_that_is_too_short_shows_where_it_ends() -> None:
    raw = bytes.fromhex("010000060303aabbccdd")
    assert [leaf.name for leaf in leaves(fields_of_message(raw, 0x0304))][-2:] == ["legacy_version", "unreadable"]


def test_a_vector_that_announces_too_much_says_so() -> None:
    raw = bytes.fromhex("0f000006 0403 00ff aabb".replace(" ", ""))
    signature = next(one for one in every(fields_of_message(raw, 0x0304)) if one.name == "signature")
    assert signature.value == "announces 255 bytes, and 2 are there"


@pytest.mark.parametrize("kind", list(ExtensionType))
def test_every_extension_has_a_sentence_of_its_own(kind: ExtensionType) -> None:
    about, rfc = about_field(kind.name, kind.name)
    assert "does not know" not in about
    assert rfc.startswith("RFC ")


def test_an_unknown_extension_is_kept_apart_from_grease() -> None:
    assert "does not know" in about_field("0x1234", "0x1234")[0]
    assert about_field("GREASE(0x0a0a)", "GREASE(0x0a0a)")[1] == "RFC 8701"


def test_records_and_alerts_have_fields_too() -> None:
    record = bytes.fromhex("1703030003aabbcc")
    assert [one.name for one in fields_of_record(record, protected=True)][-1] == "encrypted_record"
    assert [one.value for one in fields_of_alert(b"\x02\x28")] == ["fatal", "handshake_failure"]
    assert_tiled(record, fields_of_record(record, protected=False))
