"""The state machines of RFC 8446 appendix A, written down as a table and held against what connections do.

Whatever is an edge must be waited for in its state, whatever is none must be refused there, and over all combinations
of features every edge must have been taken.
"""

from __future__ import annotations

import pytest
from memory import Pair, client_config, server_config
from puppet import CCS, Puppet
from samples import MESSAGES
from scenarios import COMBINATIONS, FEW, recorded

from tlscope import (
    AlertDescription,
    AlertReceived,
    NamedGroup,
    PeerClosed,
    PeerViolation,
    Trace,
    TruncatedStream,
)
from tlscope import trace as t
from tlscope.crypto.groups import GROUPS
from tlscope.crypto.randomness import SYSTEM_RANDOMNESS
from tlscope.sessions import MemorySessionCache, TicketKeys
from tlscope.wire.codepoints import ContentType
from tlscope.wire.handshake import Certificate

# From a state, by the message that is received, to the next. An empty Certificate goes a way of its own.
EDGES: dict[str, dict[str, dict[str, str]]] = {
    # Appendix A.1. WAIT_SH is told apart by whether the server has asked for another hello already.
    "client": {
        "WAIT_SH": {"HelloRetryRequest": "WAIT_SH again", "ServerHello": "WAIT_EE"},
        "WAIT_SH again": {"ServerHello": "WAIT_EE"},
        "WAIT_EE": {"EncryptedExtensions": "WAIT_CERT_CR"},
        "WAIT_CERT_CR": {"CertificateRequest": "WAIT_CERT", "Certificate": "WAIT_CV"},
        "WAIT_CERT": {"Certificate": "WAIT_CV"},
        "WAIT_CV": {"CertificateVerify": "WAIT_FINISHED"},
        "WAIT_FINISHED": {"Finished": "CONNECTED"},
        "CONNECTED": {"NewSessionTicket": "CONNECTED", "KeyUpdate": "CONNECTED"},
    },
    # Appendix A.2. What the server does between two messages has no state here: nothing can be received there.
    "server": {
        "START": {"ClientHello": "WAIT_FLIGHT2"},
        "START again": {"ClientHello": "WAIT_FLIGHT2"},
        "WAIT_CERT": {"Certificate": "WAIT_CV", "empty Certificate": "WAIT_FINISHED"},
        "WAIT_CV": {"CertificateVerify": "WAIT_FINISHED"},
        "WAIT_FINISHED": {"Finished": "CONNECTED"},
        "CONNECTED": {"KeyUpdate": "CONNECTED"},
    },
}
FIRST = {"client": "WAIT_SH", "server": "START"}

ROLES = ["client", "server"]


def follow(role: str, state: str, message: str, raw: bytes, combination: str) -> str:
    """The next state."""
    if message == "Certificate" and role == "server" and not Certificate.decode(raw[4:]).certificate_list:
        message = "empty Certificate"
    following = EDGES[role][state][message]
    if following == "WAIT_FLIGHT2":
        # What the server does there depends on what it wants: another hello, a certificate, or the end.
        authentication, retry, *_ = combination.split("; ")
        if retry != "first hello" and state == "START":
            return "START again"
        return "WAIT_FINISHED" if authentication == "one-way" else "WAIT_CERT"
    return following


def due(role: str, state: str) -> set[str]:
    """The names of the messages that may be received in a state."""
    return {name.removeprefix("empty ") for name in EDGES[role][state]}


def path(role: str, combination: str) -> list[tuple[str, str]]:
    """The states that one side goes through, each with the message that it receives there."""
    recording = recorded(combination)
    state, steps = FIRST[role], []
    for one in recording.by("server" if role == "client" else "client"):
        if one.name != CCS:
            following = follow(role, state, one.name, one.raw, combination)
            empty = one.name == "Certificate" and following == "WAIT_FINISHED"
            steps.append((state, "empty Certificate" if empty else one.name))
            state = following
    assert state == "CONNECTED"
    return steps


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("combination", COMBINATIONS)
def test_every_step_is_an_edge_and_waits_for_all_edges(combination: str, role: str) -> None:
    puppet = Puppet(recorded(combination), role)
    state = FIRST[role]
    for one in puppet.honest:
        assert set(puppet.victim.awaiting) == due(role, state)
        puppet.tell()
        assert puppet.error is None
        if one.name != CCS:
            state = follow(role, state, one.name, one.raw, combination)
    assert state == "CONNECTED"
    assert set(puppet.victim.awaiting) == due(role, state)
    assert puppet.victim.handshake_complete


@pytest.mark.parametrize("role", ROLES)
def test_every_edge_is_taken_by_some_combination(role: str) -> None:
    taken = {step for combination in COMBINATIONS for step in path(role, combination)}
    all_edges = {(state, message) for state, edges in EDGES[role].items() for message in edges}
    assert all_edges - taken == {("CONNECTED", message) for message in EDGES[role]["CONNECTED"]}
    assert taken <= all_edges


@pytest.mark.parametrize("role", ROLES)
def test_a_few_combinations_visit_every_state(role: str) -> None:
    visited = {state for combination in FEW for state, _ in path(role, combination)} | {"CONNECTED"}
    assert visited == EDGES[role].keys()


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("retried", [False, True], ids=["first hello", "retried"])
def test_the_way_is_the_same_with_every_group(group: NamedGroup, retried: bool) -> None:
    other = NamedGroup.x25519 if group is not NamedGroup.x25519 else NamedGroup.secp256r1
    sinks = Trace(), Trace()
    seeded = {} if "ffdhe" not in group.name else {"randomness": SYSTEM_RANDOMNESS}
    client = client_config(**seeded, groups=(other, group), key_shares=(other if retried else group,))
    pair = Pair(client, server_config(**seeded, groups=(group,)), client_trace=sinks[0], server_trace=sinks[1]).done()
    assert pair.client.facts is not None
    assert pair.client.facts.group is group
    assert pair.client.facts.hello_retry_request == retried
    heard = [[event.name for event in sink.of(t.Message) if event.direction == "received"] for sink in sinks]
    first = ["HelloRetryRequest"] if retried else []
    assert heard[0] == [*first, "ServerHello", "EncryptedExtensions", "Certificate", "CertificateVerify", "Finished"]
    assert heard[1] == ["ClientHello"] * (1 + retried) + ["Finished"]


def versions_of(flights: list[tuple[str, bytes]]) -> list[tuple[str, int, int]]:
    """Who sent each record, its type and the version that it claims."""
    found = []
    for sender, flight in flights:
        while flight:
            found.append((sender, flight[0], int.from_bytes(flight[1:3], "big")))
            flight = flight[5 + int.from_bytes(flight[3:5], "big") :]
    return found


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_only_the_first_hello_claims_another_version(combination: str) -> None:
    # RFC 8446 section 5.1: 0x0301 for the sake of old servers, and 0x0303 ever after.
    versions = versions_of(recorded(combination).flights)
    assert versions[0] == ("client", ContentType.handshake, 0x0301)
    assert {version for _, _, version in versions[1:]} == {0x0303}


def test_early_data_claims_the_version_that_it_should() -> None:
    client = client_config(sessions=MemorySessionCache(), early_data=True)
    server = server_config(tickets=TicketKeys(), max_early_data=100)
    Pair(client, server).done()
    pair = Pair(client, server).start()
    pair.client.send_early_data(b"early")
    versions = versions_of([("client", pair.client.data_to_send())])
    assert versions == [
        ("client", ContentType.handshake, 0x0301),
        ("client", ContentType.change_cipher_spec, 0x0303),
        ("client", ContentType.application_data, 0x0303),
    ]


def places(combination: str, role: str) -> range:
    """How many things of the other side may have been said when something else comes."""
    return range(len(recorded(combination).by("server" if role == "client" else "client")) + 1)


WRONG = [
    pytest.param(combination, role, told, id=f"{role}, {combination}, after {told}")
    for combination in FEW
    for role in ROLES
    for told in places(combination, role)
]


@pytest.mark.parametrize(("combination", "role", "told"), WRONG)
def test_every_message_in_every_wrong_state_is_unexpected(combination: str, role: str, told: int) -> None:
    refused = set()
    for name, raw in MESSAGES.items():
        puppet = Puppet(recorded(combination), role)
        puppet.tell(told)
        if name in puppet.victim.awaiting:
            continue
        complete, heard = puppet.victim.handshake_complete, len(puppet.heard)
        puppet.say(raw)
        assert isinstance(puppet.error, PeerViolation), name
        assert puppet.error.alert is AlertDescription.unexpected_message, name
        # A message is refused by its type, before it is read: a HelloRetryRequest has ServerHello's.
        assert puppet.error.evidence.get("received", name) in {name, name.replace("HelloRetryRequest", "ServerHello")}
        # The alert and nothing else is the answer, and nothing has changed.
        assert puppet.heard[heard:] == [(ContentType.alert, b"\2\x0a")], name
        assert puppet.victim.handshake_complete == complete
        refused.add(name)
    puppet = Puppet(recorded(combination), role)
    puppet.tell(told)
    assert refused == MESSAGES.keys() - set(puppet.victim.awaiting)


@pytest.mark.parametrize(("combination", "role", "told"), WRONG)
def test_application_data_in_the_handshake_is_unexpected(combination: str, role: str, told: int) -> None:
    puppet = Puppet(recorded(combination), role)
    puppet.tell(told)
    complete = puppet.victim.handshake_complete
    puppet.say(b"too early", ContentType.application_data)
    if complete:
        assert puppet.error is None
    else:
        assert isinstance(puppet.error, PeerViolation)
        assert puppet.error.code == "early-application-data"
        assert puppet.alert is AlertDescription.unexpected_message


@pytest.mark.parametrize(("combination", "role", "told"), WRONG)
def test_records_of_no_known_type_are_unexpected(combination: str, role: str, told: int) -> None:
    for kind in (1, 19, 20, 24, 99, 255):
        puppet = Puppet(recorded(combination), role)
        puppet.tell(told)
        if puppet.write is None and kind == ContentType.change_cipher_spec:
            continue
        puppet.say(b"anything", kind)
        assert isinstance(puppet.error, PeerViolation), kind
        assert puppet.alert is AlertDescription.unexpected_message, kind


@pytest.mark.parametrize(("combination", "role", "told"), WRONG)
def test_a_change_cipher_spec_is_passed_over_in_the_handshake_alone(combination: str, role: str, told: int) -> None:
    # RFC 8446 section 5: from the first ClientHello on, until the peer's Finished.
    puppet = Puppet(recorded(combination), role)
    puppet.tell(told)
    open_to_it = not puppet.victim.handshake_complete and (role == "client" or told > 0)
    puppet.deliver(b"\x14\3\3\0\1\1")
    if open_to_it:
        assert puppet.error is None
        puppet.tell_all()
        assert puppet.error is None
        assert puppet.victim.handshake_complete
    else:
        assert isinstance(puppet.error, PeerViolation)
        assert puppet.error.code in {"bad-change-cipher-spec", "unexpected-message"}
        assert puppet.alert is AlertDescription.unexpected_message


@pytest.mark.parametrize(("combination", "role", "told"), WRONG)
def test_a_change_cipher_spec_is_one_byte_and_that_is_1(combination: str, role: str, told: int) -> None:
    for content in (b"", b"\0", b"\2", b"\1\1"):
        puppet = Puppet(recorded(combination), role)
        puppet.tell(told)
        puppet.deliver(b"\x14\3\3\0" + bytes((len(content),)) + content)
        assert isinstance(puppet.error, PeerViolation)
        assert puppet.alert is AlertDescription.unexpected_message


@pytest.mark.parametrize(("combination", "role", "told"), WRONG)
def test_an_alert_ends_it_in_every_state(combination: str, role: str, told: int) -> None:
    puppet = Puppet(recorded(combination), role)
    puppet.tell(told)
    puppet.say(bytes((2, AlertDescription.handshake_failure)), ContentType.alert)
    assert isinstance(puppet.error, AlertReceived)
    assert puppet.error.description is AlertDescription.handshake_failure
    assert puppet.error.level == 2
    assert puppet.alerts == []  # an alert is never answered with one
    puppet = Puppet(recorded(combination), role)
    puppet.tell(told)
    complete = puppet.victim.handshake_complete
    puppet.say(b"\1\0", ContentType.alert)
    if complete:
        assert isinstance(puppet.events[-1], PeerClosed)
    else:
        assert isinstance(puppet.error, AlertReceived)
        assert puppet.error.description is AlertDescription.close_notify


@pytest.mark.parametrize(("combination", "role", "told"), WRONG)
def test_a_warning_ends_it_once_tls_1_3_is_agreed(combination: str, role: str, told: int) -> None:
    puppet = Puppet(recorded(combination), role)
    puppet.tell(told)
    agreed = puppet.victim._records.is_tls13
    puppet.say(bytes((1, AlertDescription.unrecognized_name)), ContentType.alert)
    if not agreed:
        # It may be a server of TLS 1.2, which has warnings (RFC 5246 section 7.2.2).
        assert puppet.error is None
        return
    assert isinstance(puppet.error, AlertReceived)
    assert puppet.error.description is AlertDescription.unrecognized_name
    # Whoever takes this for a warning may go on talking, and learns that there is nobody to talk to.
    assert puppet.alert is AlertDescription.decode_error


@pytest.mark.parametrize(("combination", "role", "told"), WRONG)
def test_the_end_of_the_transport_is_a_cut_in_every_state(combination: str, role: str, told: int) -> None:
    puppet = Puppet(recorded(combination), role)
    puppet.tell(told)
    with pytest.raises(TruncatedStream) as caught:
        puppet.victim.receive_eof()
    assert ("in the middle of the handshake" in repr(caught.value)) == (not puppet.victim.handshake_complete)
    assert caught.value.step is not None
    assert caught.value.step.role == role
    assert puppet.victim.data_to_send() == b""
