"""The state machines of TLS 1.2 (RFC 5246 section 7.3), written down as tables and held against what connections do."""

from __future__ import annotations

import pytest
from memory import client_config
from puppet12 import CCS, SHAPES, Puppet12, recorded12
from samples import MESSAGES

from tlscope import AlertDescription, AlertReceived, ClientConnection, PeerClosed, PeerViolation, TruncatedStream
from tlscope.wire.codepoints import ContentType
from tlscope.wire.handshake12 import HelloRequest

pytestmark = pytest.mark.usefixtures("steady_encryption")

A = AlertDescription
ROLES = ["client", "server"]

# What is waited for, in order; what comes is the first of each. The last line is the state after the handshake.
_END_OF_CLIENT = [(CCS,), ("Finished",), ("HelloRequest",)]
_END_OF_SERVER = [(CCS,), ("Finished",), ("ClientHello",)]
_DONE_OR_REQUEST = ("ServerHelloDone", "CertificateRequest")
_REQUEST_OR_DONE = ("CertificateRequest", "ServerHelloDone")
_ONE_WAY = [("ClientHello",), ("ClientKeyExchange",), *_END_OF_SERVER]
_MUTUAL = [("ClientHello",), ("Certificate",), ("ClientKeyExchange",), ("CertificateVerify",), *_END_OF_SERVER]
_HELLO = ("ServerHello", "HelloRetryRequest")

PATHS: dict[str, dict[str, list[tuple[str, ...]]]] = {
    "client": {
        "one-way": [_HELLO, ("Certificate",), ("ServerKeyExchange",), _DONE_OR_REQUEST, *_END_OF_CLIENT],
        "mutual": [
            _HELLO,
            ("Certificate",),
            ("ServerKeyExchange",),
            _REQUEST_OR_DONE,
            ("ServerHelloDone",),
            *_END_OF_CLIENT,
        ],
        "requested, none": [
            _HELLO,
            ("Certificate",),
            ("ServerKeyExchange",),
            _REQUEST_OR_DONE,
            ("ServerHelloDone",),
            *_END_OF_CLIENT,
        ],
        "stapled": [
            _HELLO,
            ("Certificate",),
            ("CertificateStatus", "ServerKeyExchange"),
            ("ServerKeyExchange",),
            _DONE_OR_REQUEST,
            *_END_OF_CLIENT,
        ],
        "promised, not stapled": [
            _HELLO,
            ("Certificate",),
            ("ServerKeyExchange", "CertificateStatus"),
            _DONE_OR_REQUEST,
            *_END_OF_CLIENT,
        ],
        "ticket": [
            _HELLO,
            ("Certificate",),
            ("ServerKeyExchange",),
            _DONE_OR_REQUEST,
            ("NewSessionTicket",),
            *_END_OF_CLIENT,
        ],
        "rsa one-way": [_HELLO, ("Certificate",), _DONE_OR_REQUEST, *_END_OF_CLIENT],
        "rsa mutual": [_HELLO, ("Certificate",), _REQUEST_OR_DONE, ("ServerHelloDone",), *_END_OF_CLIENT],
        "rsa stapled": [
            _HELLO,
            ("Certificate",),
            ("CertificateStatus", "ServerHelloDone", "CertificateRequest"),
            _DONE_OR_REQUEST,
            *_END_OF_CLIENT,
        ],
        "resumed by ticket": [_HELLO, ("NewSessionTicket",), *_END_OF_CLIENT],
        "resumed by ID": [_HELLO, *_END_OF_CLIENT],
    },
    "server": {
        "one-way": _ONE_WAY,
        "mutual": _MUTUAL,
        "requested, none": [("ClientHello",), ("Certificate",), ("ClientKeyExchange",), *_END_OF_SERVER],
        "stapled": _ONE_WAY,
        "promised, not stapled": _ONE_WAY,
        "ticket": _ONE_WAY,
        "rsa one-way": _ONE_WAY,
        "rsa mutual": _MUTUAL,
        "rsa stapled": _ONE_WAY,
        "resumed by ticket": [("ClientHello",), *_END_OF_SERVER],
        "resumed by ID": [("ClientHello",), *_END_OF_SERVER],
    },
}

PLACES = [
    pytest.param(shape, role, told, id=f"{role}, {shape}, after {told}")
    for role in ROLES
    for shape in SHAPES
    for told in range(len(PATHS[role][shape]))
]
STRAY = HelloRequest().encode()


def brought(shape: str, role: str, told: int) -> Puppet12:
    """A victim that has been told so much of an honest handshake."""
    puppet = Puppet12(recorded12(shape), role)
    puppet.tell(told)
    assert puppet.error is None, puppet.error
    return puppet


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_step_waits_for_what_the_table_says(shape: str, role: str) -> None:
    puppet = Puppet12(recorded12(shape), role)
    *steps, connected = PATHS[role][shape]
    assert [one.name for one in puppet.honest] == [names[0] for names in steps]
    for names in steps:
        assert sorted(puppet.victim.awaiting) == sorted(names) or set(puppet.victim.awaiting) == {"ChangeCipherSpec"}
        assert not puppet.victim.handshake_complete
        puppet.tell()
        assert puppet.error is None, puppet.error
    assert puppet.victim.handshake_complete
    assert set(puppet.victim.awaiting) == set(connected)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_replay_is_the_recording(shape: str, role: str) -> None:
    # What the victim says under its keys is what it said then: the keys fit, in both directions.
    puppet = brought(shape, role, len(PATHS[role][shape]) - 1)
    said = b"".join(content for kind, content in puppet.heard if kind == ContentType.handshake)
    recorded = b"".join(one.raw for one in recorded12(shape).by(role) if one.name != CCS)
    assert said == recorded


@pytest.mark.parametrize(("shape", "role", "told"), PLACES)
def test_every_message_in_every_wrong_state_is_unexpected(shape: str, role: str, told: int) -> None:
    refused = set()
    for name, raw in MESSAGES.items():
        puppet = brought(shape, role, told)
        if name in puppet.victim.awaiting:
            continue
        complete, heard = puppet.victim.handshake_complete, len(puppet.heard)
        puppet.say(raw)
        assert isinstance(puppet.error, PeerViolation), name
        assert puppet.error.code == "unexpected-message", name
        # The alert and nothing else is the answer, and nothing has changed.
        assert puppet.heard[heard:] == [(ContentType.alert, b"\2\x0a")], name
        assert puppet.victim.handshake_complete == complete
        refused.add(name)
    assert len(refused) >= len(MESSAGES) - 4


@pytest.mark.parametrize(("shape", "role", "told"), PLACES)
def test_a_change_cipher_spec_comes_once_and_in_its_place(shape: str, role: str, told: int) -> None:
    puppet = brought(shape, role, told)
    if puppet.victim.awaiting == ("ChangeCipherSpec",):
        for content in (b"", b"\0", b"\2", b"\1\1"):
            other = brought(shape, role, told)
            other.deliver(b"\x14\3\3\0" + bytes((len(content),)) + content)
            assert isinstance(other.error, PeerViolation)
            assert other.alert is A.unexpected_message
        return
    # Before there are keys; and after, both as it should never be and as the peer itself would say it.
    for data in (b"\x14\3\3\0\1\1", puppet.seal(b"\1", ContentType.change_cipher_spec)):
        other = brought(shape, role, told)
        other.deliver(data)
        assert isinstance(other.error, PeerViolation)
        assert other.error.code in {"bad-change-cipher-spec", "tampered"}
        assert other.alert in {A.unexpected_message, A.bad_record_mac}
        assert other.victim.handshake_complete == puppet.victim.handshake_complete


@pytest.mark.parametrize(("shape", "role", "told"), PLACES)
def test_no_data_before_the_end(shape: str, role: str, told: int) -> None:
    puppet = brought(shape, role, told)
    puppet.say(b"too early", ContentType.application_data)
    if puppet.victim.handshake_complete:
        assert puppet.error is None
        return
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.error.code == "early-application-data"
    assert puppet.alert is A.unexpected_message


@pytest.mark.parametrize(("shape", "role", "told"), PLACES)
def test_a_fatal_alert_ends_it_and_a_warning_does_not(shape: str, role: str, told: int) -> None:
    puppet = brought(shape, role, told)
    puppet.say(bytes((2, A.handshake_failure)), ContentType.alert)
    assert isinstance(puppet.error, AlertReceived)
    assert puppet.alerts == []
    # RFC 5246 section 7.2.2: what to do after a warning is the receiver's choice; five in a row are too many.
    puppet = brought(shape, role, told)
    for count in range(5):
        assert puppet.error is None, count
        puppet.say(bytes((1, A.user_canceled)), ContentType.alert)
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.error.code == "too-many-warnings"


@pytest.mark.parametrize(("shape", "role", "told"), PLACES)
def test_the_end_in_every_state(shape: str, role: str, told: int) -> None:
    puppet = brought(shape, role, told)
    complete = puppet.victim.handshake_complete
    puppet.say(b"\1\0", ContentType.alert)
    if complete:
        assert isinstance(puppet.events[-1], PeerClosed)
    else:
        assert isinstance(puppet.error, AlertReceived)
    puppet = brought(shape, role, told)
    with pytest.raises(TruncatedStream) as caught:
        puppet.victim.receive_eof()
    assert ("in the middle of the handshake" in repr(caught.value)) == (not complete)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_message_left_out_is_missed(shape: str, role: str) -> None:
    for index in range(len(PATHS[role][shape]) - 1):
        puppet = brought(shape, role, index)
        left_out = puppet.next_record()
        if puppet.write is not None:
            puppet.write.sequence = 0  # as a peer that never sent it would count
        while puppet.error is None and puppet.told < len(puppet.honest):
            puppet.tell()
        assert not puppet.victim.handshake_complete
        if index < len(PATHS[role][shape]) - 2:
            assert isinstance(puppet.error, PeerViolation)
            # Without the ChangeCipherSpec, what is protected is read as if it were not.
            garbled = {A.illegal_parameter} if left_out.startswith(b"\x14") else set()
            assert puppet.error.alert in {A.unexpected_message, A.decrypt_error, A.bad_record_mac} | garbled


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_message_said_twice_is_refused(shape: str, role: str) -> None:
    for index, one in enumerate(Puppet12(recorded12(shape), role).honest):
        if one.name == CCS:
            continue
        puppet = brought(shape, role, index + 1)
        if one.name == "ClientHello" and puppet.victim.handshake_complete:
            continue
        puppet.say(one.raw)
        assert isinstance(puppet.error, PeerViolation), one.name
        assert puppet.alert is A.unexpected_message
    assert index > 0


@pytest.mark.parametrize("shape", ["one-way", "rsa mutual", "ticket", "resumed by ticket", "resumed by ID"])
def test_a_hello_request_in_a_handshake_is_out_of_turn(shape: str) -> None:
    # RFC 5246 section 7.4.1.1 would have it ignored; it says nothing that a handshake needs, whoever put it there.
    steps = len(Puppet12(recorded12(shape), "client").honest)
    for told in range(steps):
        puppet = brought(shape, "client", told)
        puppet.say(STRAY)
        assert isinstance(puppet.error, PeerViolation), told
        assert (puppet.error.code, puppet.alert) == ("unexpected-message", A.unexpected_message)


def test_a_hello_request_before_the_server_hello_is_out_of_turn_for_who_speaks_both_versions() -> None:
    client = ClientConnection(client_config(), "localhost")
    client.start()
    client.data_to_send()
    with pytest.raises(PeerViolation) as caught:
        client.receive_data(b"\x16\3\3\0\4" + STRAY)
    assert caught.value.code == "unexpected-message"


@pytest.mark.parametrize("body", [b"\0", bytes(300)])
def test_a_hello_request_with_a_body_is_refused(body: bytes) -> None:
    puppet = brought("one-way", "client", 2)
    puppet.say(b"\0" + len(body).to_bytes(3, "big") + body)
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.alert is A.unexpected_message


@pytest.mark.parametrize("told", range(4))
def test_a_client_certificate_needs_its_proof(told: int) -> None:
    """Certificate and ClientKeyExchange without CertificateVerify: refused, whatever comes instead."""
    instead = [
        (b"\1", ContentType.change_cipher_spec),
        (MESSAGES["Finished"], ContentType.handshake),
        (MESSAGES["ClientKeyExchange"], ContentType.handshake),
        (b"data", ContentType.application_data),
    ][told]
    for shape in ("mutual", "rsa mutual"):
        puppet = brought(shape, "server", 3)
        assert puppet.victim.awaiting == ("CertificateVerify",)
        puppet.deliver(bytes((instead[1], 3, 3)) + len(instead[0]).to_bytes(2, "big") + instead[0])
        assert isinstance(puppet.error, PeerViolation)
        assert puppet.alert is A.unexpected_message
        assert not puppet.victim.handshake_complete
        assert puppet.victim.peer is None


def test_a_proof_without_a_certificate_is_refused() -> None:
    puppet = brought("requested, none", "server", 3)
    puppet.say(MESSAGES["CertificateVerify"])
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.alert is A.unexpected_message


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_finished_under_the_wrong_keys(shape: str, role: str) -> None:
    """Unprotected, under the other side's keys, or under those of another handshake: none is opened."""
    count = len(PATHS[role][shape]) - 2
    for wrong in ("plain", "reflected", "another"):
        puppet = brought(shape, role, count)
        finished = puppet.honest[puppet.told].raw
        if wrong == "plain":
            puppet.deliver(b"\x16\3\3" + len(finished).to_bytes(2, "big") + finished)
        else:
            other = "requested, none" if shape != "requested, none" else "one-way"
            source = recorded12(shape if wrong == "reflected" else other)
            puppet.write = source.keys(role if wrong == "reflected" else puppet.role, "application")
            puppet.say(finished)
        assert isinstance(puppet.error, PeerViolation)
        assert puppet.error.code == "tampered"
        assert puppet.alert is A.bad_record_mac
        assert not puppet.victim.handshake_complete


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_finished_must_fit(shape: str, role: str) -> None:
    count = len(PATHS[role][shape]) - 2
    own = next(one.raw for one in recorded12(shape).by(role) if one.name == "Finished")
    finished = Puppet12(recorded12(shape), role).honest[count].raw
    changed = [finished[: 4 + place] + bytes((finished[4 + place] ^ 1,)) + finished[5 + place :] for place in range(12)]
    lengths = [b"\x14\0\0" + bytes((length,)) + (finished[4:] + bytes(20))[:length] for length in (0, 1, 11, 13, 32)]
    for raw in (own, *changed, *lengths):
        puppet = brought(shape, role, count)
        puppet.say(raw)
        assert isinstance(puppet.error, PeerViolation)
        assert puppet.error.code == "bad-finished"
        assert puppet.alert is A.decrypt_error
        assert not puppet.victim.handshake_complete


@pytest.mark.parametrize("role", ROLES)
def test_a_client_that_takes_both_versions_is_as_strict(role: str) -> None:
    # A ChangeCipherSpec may stand before the ServerHello, for TLS 1.3's sake, but not once TLS 1.2 is agreed.
    puppet = brought("one-way", role, 1)
    puppet.deliver(b"\x14\3\3\0\1\1")
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.error.code == "bad-change-cipher-spec"
