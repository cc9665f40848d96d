"""Every byte of every flight changed in turn: nobody completes a handshake whose other side saw something else."""

from __future__ import annotations

from functools import partial

import pytest
from memory import Pair
from puppet import CCS, Puppet
from scenarios import EVERYTHING, FEW, MUTUAL, PLAIN, RETRIED, recorded

from tlscope import AlertDescription, AlertReceived, PeerViolation, TLSError, TruncatedStream
from tlscope import violations as v
from tlscope.wire.codepoints import ContentType

A = AlertDescription
ROLES = ["client", "server"]


def live(combination: str, tamper: object = None) -> Pair:
    """The recorded handshake once more, with somebody in between."""
    recording = recorded(combination)
    for config in (recording.client_config, recording.server_config):
        config.randomness.again()  # type: ignore[attr-defined]
    return Pair(recording.client_config, recording.server_config, tamper=tamper)  # type: ignore[arg-type]


def record_starts(flight: bytes) -> list[int]:
    starts, place = [], 0
    while place < len(flight):
        starts.append(place)
        place += 5 + int.from_bytes(flight[place + 3 : place + 5], "big")
    return starts


def may_change(flight: bytes) -> set[int]:
    """The places whose value means nothing: RFC 8446 section 5.1 has everyone ignore legacy_record_version.

    Its high byte is looked at all the same, because what has another one is not TLS. A protected record's header is
    authenticated (section 5.2), so there not even the low byte may change.
    """
    return {start + 2 for start in record_starts(flight) if flight[start] != ContentType.application_data}


@pytest.mark.parametrize(("combination", "mask"), [(PLAIN, 0x01), (PLAIN, 0x80), (EVERYTHING, 0x04)])
@pytest.mark.parametrize("part", range(4))
def test_a_changed_byte_of_any_flight_ends_it(combination: str, mask: int, part: int) -> None:
    flights = recorded(combination).flights
    for index, (sender, flight) in enumerate(flights):
        for place in range(part, len(flight), 4):
            pair = live(combination, partial(flip, index, place, mask, [0]))
            pair.run()
            for side in (pair.client, pair.server):
                if side.error is None and not side.handshake_complete:
                    with pytest.raises(TruncatedStream):
                        side.receive_eof()
            where = f"byte {place} of flight {index + 1}, the {sender}'s"
            assert all(isinstance(error, TLSError) for error in pair.errors.values()), where
            if place in may_change(flight):
                assert pair.client.handshake_complete, where
                assert pair.server.handshake_complete, where
                continue
            receiver = pair.server if sender == "client" else pair.client
            # The receiver may need the other side's answer to find out, but it never completes.
            assert not receiver.handshake_complete, where
            if sender == "server" or index < len(flights) - 1:
                assert not pair.server.handshake_complete, where


def flip(index: int, place: int, mask: int, count: list[int], sender: str, data: bytes) -> bytes:
    """A ``tamper`` that changes one byte of one flight."""
    count[0] += 1
    if count[0] - 1 != index:
        return data
    return data[:place] + bytes((data[place] ^ mask,)) + data[place + 1 :]


@pytest.mark.parametrize("role", ROLES)
def test_both_sides_know_of_a_changed_record(role: str) -> None:
    """The one that finds out says bad_record_mac, and the other is told."""
    combination = MUTUAL
    flights = recorded(combination).flights
    index = max(index for index, (sender, _) in enumerate(flights) if sender != role)
    flight = flights[index][1]
    for place in (record_starts(flight)[-1] + 5, len(flight) - 17, len(flight) - 1):
        pair = live(combination, partial(flip, index, place, 1, [0])).run()
        finder, told = pair.side(role), pair.side("server" if role == "client" else "client")
        assert isinstance(finder.error, PeerViolation)
        assert finder.error.violation is v.BAD_RECORD_MAC
        assert isinstance(told.error, AlertReceived)
        assert told.error.description is A.bad_record_mac


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("combination", FEW)
def test_a_changed_message_under_good_keys_is_refused(combination: str, role: str) -> None:
    """Every byte of every protected message, put under the protection as it should be: the peer itself is lying."""
    recording = recorded(combination)
    sender = "server" if role == "client" else "client"
    for index, one in enumerate(recording.by(sender)):
        if one.name == CCS or one.epoch == "plaintext":
            continue
        for place in range(len(one.raw)):
            puppet = Puppet(recording, role)
            puppet.tell(index)
            changed = bytearray(one.raw)
            changed[place] ^= 0x01
            puppet.deliver(puppet.next_record(lambda raw, changed=changed: bytes(changed)))
            while puppet.error is None and puppet.told < len(puppet.honest):
                puppet.tell()
            where = f"byte {place} of {one.name}"
            assert not puppet.victim.handshake_complete, where
            if puppet.error is None:
                assert 1 <= place <= 3, where  # a longer message is waited for
                continue
            assert isinstance(puppet.error, TLSError), where
            assert puppet.alert is puppet.error.alert, where
            assert puppet.alert is not None, where


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("combination", FEW)
def test_every_byte_of_finished_counts(combination: str, role: str) -> None:
    for place in range(32):
        puppet = Puppet(recorded(combination), role)
        puppet.tell_until("Finished")
        puppet.deliver(puppet.next_record(lambda raw, place=place: changed_at(raw, 4 + place)))
        assert isinstance(puppet.error, PeerViolation)
        assert puppet.error.violation is v.BAD_FINISHED
        assert puppet.alert is A.decrypt_error
        assert not puppet.victim.handshake_complete


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("length", [0, 1, 31, 33, 48])
def test_a_finished_of_another_length_is_refused(role: str, length: int) -> None:
    puppet = Puppet(recorded(PLAIN), role)
    puppet.tell_until("Finished")
    puppet.deliver(puppet.next_record(lambda raw: b"\x14\0\0" + bytes((length,)) + (raw[4:] + bytes(16))[:length]))
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.error.violation is v.BAD_FINISHED
    assert puppet.alert is A.decrypt_error


@pytest.mark.parametrize("role", ROLES)
def test_every_byte_of_a_signature_counts(role: str) -> None:
    length = next(len(one.raw) for one in Puppet(recorded(MUTUAL), role).honest if one.name == "CertificateVerify")
    for place in range(8, length):
        puppet = Puppet(recorded(MUTUAL), role)
        puppet.tell_until("CertificateVerify")
        puppet.deliver(puppet.next_record(lambda raw, place=place: changed_at(raw, place)))
        assert isinstance(puppet.error, PeerViolation)
        assert puppet.error.violation is v.BAD_CERTIFICATE_VERIFY
        assert puppet.alert is A.decrypt_error
        assert not puppet.victim.handshake_complete


@pytest.mark.parametrize("role", ROLES)
def test_the_others_signature_and_finished_are_not_ones_own(role: str) -> None:
    """Reflection: what a side said itself proves nothing when it comes back."""
    recording = recorded(MUTUAL)
    for name in ("CertificateVerify", "Finished"):
        own = next(one.raw for one in recording.by(role) if one.name == name)
        puppet = Puppet(recording, role)
        puppet.tell_until(name)
        puppet.deliver(puppet.next_record(lambda raw, own=own: own))
        assert isinstance(puppet.error, PeerViolation)
        assert puppet.alert is A.decrypt_error


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("combination", [MUTUAL, RETRIED])
def test_a_message_left_out_is_missed(combination: str, role: str) -> None:
    recording = recorded(combination)
    honest = recording.by("server" if role == "client" else "client")
    for index, one in enumerate(honest):
        if one.name == CCS:
            continue
        puppet = Puppet(recording, role)
        puppet.tell(index)
        puppet.next_record()
        if puppet.write is not None:
            puppet.write.sequence -= puppet.write.sequence > 0
        while puppet.error is None and puppet.told < len(puppet.honest):
            puppet.tell()
        assert not puppet.victim.handshake_complete
        assert puppet.error is not None or one is honest[-1]


@pytest.mark.parametrize("role", ROLES)
def test_a_message_said_twice_is_refused(role: str) -> None:
    recording = recorded(MUTUAL)
    for index, one in enumerate(recording.by("server" if role == "client" else "client")):
        if one.name in (CCS, "Finished"):
            continue
        puppet = Puppet(recording, role)
        puppet.tell(index)
        write = puppet.write
        puppet.tell()
        if one.name in ("ServerHello", "ClientHello"):
            puppet.write = write  # once more in plain text
        puppet.say(one.raw)
        assert isinstance(puppet.error, PeerViolation), one.name
        # What is said once more in plain text, with the keys agreed, does not open.
        plain = one.name == "ServerHello" or (one.name == "ClientHello" and puppet.victim._records.read is not None)
        assert puppet.alert is (A.bad_record_mac if plain else A.unexpected_message)


def changed_at(raw: bytes, place: int) -> bytes:
    return raw[:place] + bytes((raw[place] ^ 0x40,)) + raw[place + 1 :]


@pytest.mark.parametrize("role", ROLES)
def test_a_changed_record_of_data_ends_the_connection(role: str) -> None:
    puppet = Puppet(recorded(PLAIN), role)
    puppet.tell_all()
    puppet.say(b"first", ContentType.application_data)
    record = puppet.seal(b"second", ContentType.application_data)
    puppet.deliver(changed_at(record, 9))
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.error.evidence == {"sequence": 1, "epoch": "application"}
    assert puppet.alert is A.bad_record_mac
    with pytest.raises(PeerViolation):
        puppet.victim.receive_data(record)


@pytest.mark.parametrize("role", ROLES)
def test_records_may_not_be_dropped_repeated_or_swapped(role: str) -> None:
    for order in ((1,), (0, 0), (1, 0)):
        puppet = Puppet(recorded(PLAIN), role)
        puppet.tell_all()
        records = [puppet.seal(data, ContentType.application_data) for data in (b"one", b"two")]
        for index in order:
            if puppet.error is None:
                puppet.deliver(records[index])
        assert isinstance(puppet.error, PeerViolation)
        assert puppet.alert is A.bad_record_mac
