"""The same flights in every split: over reads, over records, and several messages in one record."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import Connection, Pair, client_config, server_config
from puppet import CCS, Puppet, Said, plain
from scenarios import EVERYTHING, FEW, MUTUAL, PLAIN, RETRIED, recorded
from scenarios import settings as settings_of

from tlscope import AlertDescription, AlertReceived, PeerViolation
from tlscope.wire.codepoints import ContentType

ROLES = ["client", "server"]


def flights_to(combination: str, role: str) -> list[bytes]:
    """What the other side sends, flight by flight."""
    return [data for sender, data in recorded(combination).flights if sender != role]


def play(combination: str, role: str, reads: list[list[bytes]]) -> Connection:
    """A fresh victim that is given the flights in these reads; it must say what it said in the recording."""
    recording = recorded(combination)
    victim = recording.fresh(role)
    victim.start()
    expected = [data for sender, data in recording.flights if sender == role]
    said = []
    if role == "client":
        said.append(victim.data_to_send())
    for flight in reads:
        for read in flight:
            victim.receive_data(read)
        if victim.has_data_to_send:
            said.append(victim.data_to_send())
    assert victim.handshake_complete
    assert said == expected
    return victim


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("combination", FEW)
def test_one_byte_at_a_time(combination: str, role: str) -> None:
    play(combination, role, [[bytes((byte,)) for byte in flight] for flight in flights_to(combination, role)])


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("combination", [PLAIN, EVERYTHING])
def test_all_in_two_reads_split_anywhere(combination: str, role: str) -> None:
    flights = flights_to(combination, role)
    for index, flight in enumerate(flights):
        for place in range(1, len(flight)):
            reads = [[one] for one in flights]
            reads[index] = [flight[:place], flight[place:]]
            play(combination, role, reads)


@pytest.mark.parametrize("role", ROLES)
@settings(max_examples=60)
@given(cuts=st.lists(st.integers(1, 1000), max_size=20))
def test_any_number_of_reads(role: str, cuts: list[int]) -> None:
    reads = []
    for flight in flights_to(EVERYTHING, role):
        places = sorted({0, len(flight), *(cut for cut in cuts if cut < len(flight))})
        reads.append([flight[start:stop] for start, stop in pairwise(places)])
    play(EVERYTHING, role, reads)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_buffer(kind: type) -> None:
    play(PLAIN, "client", [[kind(flight)] for flight in flights_to(PLAIN, "client")])


# Over records


def runs(combination: str, role: str) -> list[list[Said]]:
    """The other side's messages, those together that may share a record: the same keys, in one flight."""
    found: list[list[Said]] = []
    for one in recorded(combination).by("server" if role == "client" else "client"):
        together = found and found[-1][-1].epoch == one.epoch != "plaintext"
        if together:
            found[-1].append(one)
        else:
            found.append([one])
    return found


def say_in_pieces(puppet: Puppet, run: list[Said], places: list[int]) -> None:
    """Say a run of messages as one stream that is cut into records at these places."""
    stream = b"".join(one.raw for one in run)
    for start, stop in pairwise([0, *places, len(stream)]):
        puppet.say(stream[start:stop])
        assert puppet.error is None, puppet.error
    puppet.told += len(run)
    for one in run:
        puppet._follow(one)


def tell_run(puppet: Puppet, run: list[Said]) -> None:
    if run[0].name == CCS:
        puppet.tell()
    else:
        say_in_pieces(puppet, run, [])


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("combination", [MUTUAL, RETRIED])
def test_messages_cut_over_two_records_anywhere(combination: str, role: str) -> None:
    all_runs = runs(combination, role)
    for index, run in enumerate(all_runs):
        if run[0].name == CCS:
            continue
        for place in range(1, sum(len(one.raw) for one in run)):
            puppet = Puppet(recorded(combination), role)
            for before in all_runs[:index]:
                tell_run(puppet, before)
            say_in_pieces(puppet, run, [place])
            for after in all_runs[index + 1 :]:
                tell_run(puppet, after)
            assert puppet.victim.handshake_complete


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("combination", FEW)
def test_messages_one_byte_a_record(combination: str, role: str) -> None:
    puppet = Puppet(recorded(combination), role)
    for run in runs(combination, role):
        if run[0].name == CCS:
            puppet.tell()
        else:
            say_in_pieces(puppet, run, list(range(1, sum(len(one.raw) for one in run))))
    assert puppet.victim.handshake_complete


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("combination", FEW)
def test_every_message_in_a_record_of_its_own(combination: str, role: str) -> None:
    puppet = Puppet(recorded(combination), role)
    puppet.tell_all()
    assert puppet.error is None
    assert puppet.victim.handshake_complete


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("combination", FEW)
def test_what_is_sent_in_small_fragments_is_understood(combination: str, role: str) -> None:
    # ``max_fragment`` cuts this side's own flights, protected ones too.
    client, server = settings_of(combination)
    (client if role == "client" else server)["max_fragment"] = 64
    pair = Pair(client_config(**client), server_config(**server)).done()
    lengths = []
    for sender, flight in pair.sent:
        while sender == role and flight:
            length = int.from_bytes(flight[3:5], "big")
            lengths.append(length)
            flight = flight[5 + length :]
    assert max(lengths) == 64 + 17 or (role == "client" and max(lengths) >= 64)
    client.pop("max_fragment", None)
    server.pop("max_fragment", None)


# What may not share a record


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("combination", FEW)
def test_nothing_may_follow_in_the_record_before_a_key_change(combination: str, role: str) -> None:
    # RFC 8446 section 5.1: messages don't span a key change. After these names the peer's keys change.
    recording = recorded(combination)
    honest = [one for one in recording.by("server" if role == "client" else "client") if one.name != CCS]
    before_change = [
        index
        for index, one in enumerate(honest)
        if one.name in ("ServerHello", "Finished") or (one.name == "ClientHello" and honest[index + 1].name != one.name)
    ]
    assert len(before_change) == 2
    for index in before_change:
        following = honest[index + 1].raw if index + 1 < len(honest) else b"\x18\0\0\1\0"
        for surplus in (following[:1], following[:4], following):
            puppet = Puppet(recording, role)
            while puppet.honest[puppet.told] is not honest[index]:
                puppet.tell()
            heard = len(puppet.heard)
            puppet.deliver(puppet.next_record(lambda raw, surplus=surplus: raw + surplus))
            assert isinstance(puppet.error, PeerViolation), (honest[index].name, surplus)
            assert puppet.error.code in {"message-across-key-change", "excess-handshake-data"}
            assert puppet.alert is AlertDescription.unexpected_message
            assert not puppet.victim.handshake_complete
            if role == "client":
                # Nothing but the alert, and the ChangeCipherSpec of compatibility mode, which the keys come behind.
                assert [kind for kind, _ in puppet.heard[heard:] if kind == ContentType.handshake] == []


@pytest.mark.parametrize("kind", [ContentType.alert, ContentType.application_data, ContentType.change_cipher_spec])
def test_no_other_record_stands_between_the_parts_of_a_message(kind: ContentType) -> None:
    puppet = Puppet(recorded(MUTUAL), "server")
    puppet.tell_until("Certificate")
    certificate = puppet.honest[puppet.told].raw
    puppet.say(certificate[:100])
    if kind == ContentType.change_cipher_spec:
        puppet.deliver(plain(kind, b"\1"))
    else:
        puppet.say(b"\1\x5a", kind)
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.error.code == "interleaved-record"
    assert puppet.alert is AlertDescription.unexpected_message


def test_a_peer_that_gives_up_in_the_middle_of_a_message_is_heard() -> None:
    """What it says tells more than that it should not say it there (RFC 8446 section 5.1)."""
    puppet = Puppet(recorded(MUTUAL), "server")
    puppet.tell_until("Certificate")
    puppet.say(puppet.honest[puppet.told].raw[:100])
    puppet.say(b"\2\x50", ContentType.alert)
    assert isinstance(puppet.error, AlertReceived)
    assert puppet.error.description is AlertDescription.internal_error


@pytest.mark.parametrize("role", ROLES)
def test_an_empty_handshake_record_is_refused(role: str) -> None:
    recording = recorded(MUTUAL)
    for told in range(len(recording.by("server" if role == "client" else "client")) + 1):
        puppet = Puppet(recording, role)
        puppet.tell(told)
        puppet.say(b"")
        assert isinstance(puppet.error, PeerViolation)
        assert puppet.error.code == "empty-handshake-record"
        assert puppet.alert is AlertDescription.unexpected_message


@pytest.mark.parametrize("role", ROLES)
def test_an_empty_protected_alert_is_refused(role: str) -> None:
    # RFC 8446 section 5.4: unexpected_message, as for an empty handshake record.
    puppet = Puppet(recorded(MUTUAL), role)
    puppet.tell_all()
    puppet.say(b"", ContentType.alert)
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.alert is AlertDescription.unexpected_message


@pytest.mark.parametrize("content", [b"\2", b"\2\x28\2", b"\1\0\1\0"])
def test_an_alert_is_whole_and_alone(content: bytes) -> None:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell_all()
    puppet.say(content, ContentType.alert)
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.error.code == "malformed-alert"
    assert puppet.alert is AlertDescription.decode_error
