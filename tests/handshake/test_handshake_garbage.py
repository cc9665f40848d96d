"""Any bytes at any moment: a typed error with its alert, never another exception, never an end without one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import Connection, client_config, server_config
from puppet import CCS, Puppet, plain
from samples import MESSAGES as SAMPLES
from scenarios import EVERYTHING, MUTUAL, PLAIN, recorded
from wire_values import MESSAGES, MESSAGES_12, octets

from tlscope import AlertReceived, ClientConnection, ProtocolVersion, ServerConnection, TLSError, TruncatedStream
from tlscope.wire.codepoints import ContentType
from tlscope.wire.handshake import frame

ROLES = ["client", "server"]
BOTH_VERSIONS = {"min_version": ProtocolVersion.TLS1_2}


def fresh(role: str) -> Connection:
    """A connection that speaks both versions."""
    if role == "client":
        return ClientConnection(client_config(**BOTH_VERSIONS), "localhost")
    return ServerConnection(server_config(**BOTH_VERSIONS))


def settle(connection: Connection, data: bytes) -> None:
    """Give bytes, then the end: it must come out with a typed error, an alert where one is due, and stay as it is."""
    try:
        connection.receive_data(data)
        connection.data_to_send()
        if not connection.closed_by_peer:
            with pytest.raises(TruncatedStream):
                connection.receive_eof()
        return
    except TLSError as error:
        said = connection.data_to_send()
        assert connection.error is error
        if error.alert is not None:
            assert said
        else:
            assert isinstance(error, AlertReceived | TruncatedStream)
        with pytest.raises(type(error)):
            connection.receive_data(b"\x16\3\3\0\0")
        assert connection.data_to_send() == b""
        assert error.step is not None
        assert str(error)
        assert error.as_dict()["code"] == error.code


@pytest.mark.parametrize("role", ROLES)
@settings(max_examples=150)
@given(data=st.binary(max_size=300))
def test_garbage_from_the_start(role: str, data: bytes) -> None:
    connection = fresh(role)
    connection.start()
    settle(connection, data)


@pytest.mark.parametrize("role", ROLES)
@settings(max_examples=100)
@given(records=st.lists(st.tuples(st.integers(19, 25), octets(0, 60)), min_size=1, max_size=6))
def test_records_of_garbage(role: str, records: list[tuple[int, bytes]]) -> None:
    connection = fresh(role)
    connection.start()
    settle(connection, b"".join(plain(kind, content) for kind, content in records))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("combination", [PLAIN, EVERYTHING])
@settings(max_examples=120)
@given(length=st.integers(0, 1600), garbage=st.binary(min_size=1, max_size=120))
def test_garbage_after_any_good_beginning(combination: str, role: str, length: int, garbage: bytes) -> None:
    recording = recorded(combination)
    victim = recording.fresh(role)
    victim.start()
    for sender, flight in recording.flights:
        if sender == role:
            victim.data_to_send()
            continue
        if length >= len(flight):
            victim.receive_data(flight)
            length -= len(flight)
            continue
        settle(victim, flight[:length] + garbage)
        return
    settle(victim, garbage)


CONTENT_TYPES = st.one_of(st.sampled_from(list(ContentType)), st.integers(0, 255))


@pytest.mark.parametrize("role", ROLES)
@settings(max_examples=200)
@given(told=st.integers(0, 12), contents=st.lists(st.tuples(CONTENT_TYPES, octets(0, 80)), min_size=1, max_size=4))
def test_garbage_under_good_keys(role: str, told: int, contents: list[tuple[int, bytes]]) -> None:
    puppet = Puppet(recorded(MUTUAL), role)
    puppet.tell(min(told, len(puppet.honest)))
    for kind, content in contents:
        if puppet.error is None and not puppet.victim.closed_by_peer:
            puppet.say(content, kind)
    check(puppet)


@pytest.mark.parametrize("role", ROLES)
@settings(max_examples=200)
@given(told=st.integers(0, 12), name=st.sampled_from(list(SAMPLES)), body=octets(0, 80))
def test_any_body_in_any_message(role: str, told: int, name: str, body: bytes) -> None:
    puppet = Puppet(recorded(MUTUAL), role)
    puppet.tell(min(told, len(puppet.honest)))
    due = puppet.victim.awaiting
    kind = SAMPLES[name if name in due or told % 3 else due[0]][0]
    puppet.say(frame(kind, body))
    check(puppet)


def of_name(name: str) -> st.SearchStrategy[Any]:
    return MESSAGES[name]


@pytest.mark.parametrize("role", ROLES)
@settings(max_examples=250)
@given(data=st.data())
def test_any_well_formed_message_in_its_place(role: str, data: st.DataObject) -> None:
    """What has the right form may still say anything: this is where flows must check what they read."""
    puppet = Puppet(recorded(EVERYTHING), role)
    puppet.tell(data.draw(st.integers(0, len(puppet.honest))))
    message = data.draw(of_name(data.draw(st.sampled_from(puppet.victim.awaiting))))
    puppet.say(message.encode())
    check(puppet)


@pytest.mark.parametrize("role", ROLES)
@settings(max_examples=250)
@given(data=st.data())
def test_any_well_formed_beginning_in_either_version(role: str, data: st.DataObject) -> None:
    names = ["ServerHello", "HelloRetryRequest"] if role == "client" else ["ClientHello"]
    connection = fresh(role)
    connection.start()
    first = data.draw(of_name(data.draw(st.sampled_from(names)))).encode()
    rest = data.draw(st.lists(st.sampled_from(list(MESSAGES_12)).flatmap(MESSAGES_12.__getitem__), max_size=2))
    settle(connection, b"".join(plain(22, raw) for raw in (first, *(one.encode() for one in rest))))


def check(puppet: Puppet) -> None:
    """The victim is well, or failed with a typed error whose alert the puppet has heard."""
    if puppet.error is None:
        return
    assert isinstance(puppet.error, TLSError)
    assert puppet.alert is puppet.error.alert
    assert puppet.victim.error is puppet.error


@pytest.mark.parametrize("role", ROLES)
@settings(max_examples=100)
@given(data=st.data())
def test_honest_messages_with_some_bytes_changed(role: str, data: st.DataObject) -> None:
    puppet = Puppet(recorded(EVERYTHING), role)
    index = data.draw(st.integers(0, len(puppet.honest) - 1))
    puppet.tell(index)
    changed = bytearray(puppet.honest[index].raw)
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1)):
        changed[place % len(changed)] = value
    if puppet.honest[index].name == CCS:
        puppet.deliver(plain(20, bytes(changed)))
    else:
        puppet.say(bytes(changed))
    check(puppet)
