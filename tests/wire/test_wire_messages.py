"""Handshake messages: each goes out and comes back, and no bytes at all lead to anything but a ``DecodeError``."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_values import MESSAGES, MESSAGES_12, message_classes, octets

from tlscope.wire import extensions as x
from tlscope.wire import handshake as m13
from tlscope.wire import handshake12 as m12
from tlscope.wire.codec import DecodeError, IllegalValue
from tlscope.wire.codepoints import CipherSuite, HandshakeType, KeyUpdateRequest
from tlscope.wire.extensions import Extensions

CASES = [pytest.param(m13, name, values, id=name) for name, values in MESSAGES.items()]
CASES += [pytest.param(m12, name, values, id=f"{name} (TLS 1.2)") for name, values in MESSAGES_12.items()]

# Bodies without a form of their own: the flow knows how long they must be.
ANY_BODY = {"Finished", "ClientKeyExchange"}
# TLS 1.2 lets a hello end before its extensions (RFC 5246 sections 7.4.1.2 and 7.4.1.3).
MAY_END_EARLY = {"ClientHello", "ServerHello", "HelloRetryRequest"}


def decoded(module: ModuleType, name: str, body: bytes) -> Any:
    return getattr(module, name).decode(body)


@pytest.mark.parametrize(("module", "name", "values"), CASES)
@settings(max_examples=40)
@given(data=st.data())
def test_a_message_goes_out_and_comes_back(
    module: ModuleType, name: str, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    message = data.draw(values)
    raw = message.encode()
    assert raw[0] == message.type
    assert int.from_bytes(raw[1:4], "big") == len(raw) - 4
    again = decoded(module, name, raw[4:])
    assert type(again) is type(message)
    assert again == message
    assert again.encode() == raw


@pytest.mark.parametrize(("module", "name", "values"), CASES)
@settings(max_examples=40)
@given(data=st.data())
def test_a_cut_message_is_refused(
    module: ModuleType, name: str, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    message = data.draw(values)
    body = message.encode()[4:]
    for length in range(len(body)):
        if name in ANY_BODY:
            assert decoded(module, name, body[:length]).encode()[4:] == body[:length]
        elif name in MAY_END_EARLY and length == end_without_extensions(message):
            assert len(decoded(module, name, body[:length]).extensions) == 0
        else:
            with pytest.raises(DecodeError):
                decoded(module, name, body[:length])


def end_without_extensions(hello: Any) -> int:
    """Where the body of a hello may end before its extensions."""
    left_out = not len(hello.extensions) and not isinstance(hello, m13.ClientHello)
    return len(hello.encode()) - 4 - (0 if left_out else len(hello.extensions.encode()))


@pytest.mark.parametrize(("module", "name", "values"), [case for case in CASES if case.values[1] not in ANY_BODY])
@settings(max_examples=40)
@given(data=st.data(), surplus=octets(1, 5))
def test_bytes_behind_a_message_are_refused(
    module: ModuleType, name: str, values: st.SearchStrategy[Any], data: st.DataObject, surplus: bytes
) -> None:
    message = data.draw(values)
    body = message.encode()[4:]
    if name in MAY_END_EARLY and not len(message.extensions) and name != "ClientHello":
        body += b"\0\0"  # an empty list that was left out
    with pytest.raises(DecodeError):
        decoded(module, name, body + surplus)


@pytest.mark.parametrize(("module", "name", "values"), CASES)
@settings(max_examples=40)
@given(data=st.data(), place=st.integers(0, 10_000), mask=st.integers(1, 255))
def test_a_damaged_message_is_read_or_refused(
    module: ModuleType, name: str, values: st.SearchStrategy[Any], data: st.DataObject, place: int, mask: int
) -> None:
    body = bytearray(data.draw(values).encode()[4:])
    if body:
        body[place % len(body)] ^= mask
    check_any(module, name, bytes(body))


@pytest.mark.parametrize(("module", "name", "values"), CASES)
@settings(max_examples=40)
@given(body=octets(0, 200))
def test_any_bytes_are_read_or_refused(
    module: ModuleType, name: str, values: st.SearchStrategy[Any], body: bytes
) -> None:
    check_any(module, name, body)


def check_any(module: ModuleType, name: str, body: bytes) -> None:
    try:
        message = decoded(module, name, body)
    except DecodeError:
        return
    written = message.encode()[4:]
    # A hello without extensions may be written with an empty list, or without one.
    assert written == body or (name in MAY_END_EARLY and written.removesuffix(b"\0\0") == body.removesuffix(b"\0\0"))


@pytest.mark.parametrize(("module", "strategies"), [(m13, MESSAGES), (m12, MESSAGES_12)])
def test_every_message_is_tested(module: ModuleType, strategies: dict[str, Any]) -> None:
    assert message_classes(module).keys() == strategies.keys()


def test_a_hello_retry_request_is_known_by_its_random() -> None:
    hello = m13.ServerHello(m13.HELLO_RETRY_REQUEST_RANDOM, CipherSuite.TLS_AES_128_GCM_SHA256, Extensions())
    assert type(m13.ServerHello.decode(hello.encode()[4:])) is m13.HelloRetryRequest
    other = m13.ServerHello(bytes(32), CipherSuite.TLS_AES_128_GCM_SHA256, Extensions())
    assert type(m13.ServerHello.decode(other.encode()[4:])) is m13.ServerHello


def test_a_pre_shared_key_comes_last() -> None:
    psk = x.PRE_SHARED_KEYS(x.OfferedPsks((x.PskIdentity(b"a", 0),), (bytes(32),)))
    suites = (CipherSuite.TLS_AES_128_GCM_SHA256,)
    good = m13.ClientHello(bytes(32), suites, Extensions([x.COOKIE(b"a"), psk])).encode()[4:]
    assert m13.ClientHello.decode(good).extensions.types[-1] == x.PRE_SHARED_KEYS.type
    bad = m13.ClientHello(bytes(32), suites, Extensions([psk, x.COOKIE(b"a")])).encode()[4:]
    with pytest.raises(IllegalValue, match="not its last extension"):
        m13.ClientHello.decode(bad)


@pytest.mark.parametrize("request_update", range(2, 256))
def test_a_key_update_asks_or_does_not(request_update: int) -> None:
    with pytest.raises(IllegalValue):
        m13.KeyUpdate.decode(bytes((request_update,)))


@pytest.mark.parametrize("length", [0, 31, 33, 255])
def test_a_session_id_has_at_most_32_bytes(length: int) -> None:
    hello = m13.ClientHello(
        bytes(32), (CipherSuite.TLS_AES_128_GCM_SHA256,), Extensions(), session_id=bytes(length)
    ).encode()[4:]
    if length <= 32:
        assert m13.ClientHello.decode(hello).session_id == bytes(length)
    else:
        with pytest.raises(DecodeError):
            m13.ClientHello.decode(hello)


def test_the_server_hellos_version_is_the_extensions_where_there_is_one() -> None:
    hello = m13.ServerHello(bytes(32), CipherSuite.TLS_AES_128_GCM_SHA256, Extensions())
    assert hello.version == 0x0303
    hello.extensions = Extensions([x.SELECTED_VERSION(0x0304)])  # type: ignore[arg-type]
    assert hello.version == 0x0304


def test_a_chain_is_the_entries_data() -> None:
    message = m13.Certificate((m13.CertificateEntry(b"leaf"), m13.CertificateEntry(b"issuer")))
    assert message.chain == (b"leaf", b"issuer")


def test_an_empty_certificate_is_refused() -> None:
    entry = m13.CertificateEntry(b"")
    with pytest.raises(DecodeError):
        m13.Certificate.decode(m13.Certificate((entry,)).encode()[4:])
    with pytest.raises(DecodeError):
        m12.Certificate.decode(m12.Certificate((b"",)).encode()[4:])


def test_a_ticket_is_not_shown_in_a_repr() -> None:
    assert "secret" not in repr(m13.NewSessionTicket(1, 2, b"", b"secret"))
    assert "secret" not in repr(m12.NewSessionTicket(1, b"secret"))


def test_only_named_curves_are_read() -> None:
    message = m12.ServerKeyExchange.decode(b"\3\0\x17\1a\4\3\0\0")
    assert message.params == b"\3\0\x17\1a"
    with pytest.raises(DecodeError, match="not a named one"):
        m12.ServerKeyExchange.decode(b"\1\0\x17\1a\4\3\0\0")


def test_a_client_key_exchange_is_read_by_the_flow() -> None:
    assert m12.ClientKeyExchange.ecdhe(b"point").public_key == b"point"
    assert m12.ClientKeyExchange.rsa(b"sealed").encrypted_premaster_secret == b"sealed"
    for body in (b"", b"\0", b"\2a", b"\1ab"):
        with pytest.raises(DecodeError):
            _ = m12.ClientKeyExchange(body).public_key
    for body in (b"", b"\0", b"\0\2a", b"\0\1ab"):
        with pytest.raises(DecodeError):
            _ = m12.ClientKeyExchange(body).encrypted_premaster_secret


def test_messages_have_their_rfcs_numbers() -> None:
    numbers = {name: int(cls.type) for name, cls in message_classes(m13).items()}
    assert numbers == {
        "ClientHello": 1,
        "ServerHello": 2,
        "HelloRetryRequest": 2,
        "NewSessionTicket": 4,
        "EndOfEarlyData": 5,
        "EncryptedExtensions": 8,
        "Certificate": 11,
        "CertificateRequest": 13,
        "CertificateVerify": 15,
        "Finished": 20,
        "KeyUpdate": 24,
        "CompressedCertificate": 25,
    }
    assert m13.KeyUpdate(KeyUpdateRequest.update_requested).encode() == bytes((HandshakeType.key_update, 0, 0, 1, 1))
