"""Every byte of every flight of TLS 1.2 changed in turn, and the same flights in every split."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import Connection, Pair
from puppet12 import Puppet12, Recording12, recorded12

from tlscope import AlertDescription, PeerViolation, TLSError, TruncatedStream
from tlscope.wire.codepoints import ContentType

pytestmark = pytest.mark.usefixtures("steady_encryption")

A = AlertDescription
ROLES = ["client", "server"]
FEW = ["one-way", "mutual", "rsa mutual", "resumed by ticket"]


def live(shape: str, tamper: object = None) -> Pair:
    """The recorded handshake once more, with somebody in between."""
    recording = recorded12(shape)
    recording.fresh("server")
    client = recording.fresh("client")
    return Pair(client.config, recording.server_config, tamper=tamper)  # type: ignore[arg-type]


def ignored(flight: bytes) -> set[int]:
    """The places that mean nothing: the low byte of an unprotected record's version.

    RFC 5246 appendix E.1 leaves it open in the first flight, and RFC 8446 section 5.1 has everybody ignore it. What is
    protected is authenticated with its header (RFC 5246 section 6.2.3.3).
    """
    found, place, protected = set(), 0, False
    while place < len(flight):
        if not protected:
            found.add(place + 2)
        protected = protected or flight[place] == ContentType.change_cipher_spec
        place += 5 + int.from_bytes(flight[place + 3 : place + 5], "big")
    return found


def flip(index: int, place: int, mask: int, count: list[int], sender: str, data: bytes) -> bytes:
    count[0] += 1
    if count[0] - 1 != index:
        return data
    return data[:place] + bytes((data[place] ^ mask,)) + data[place + 1 :]


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize(("shape", "mask"), [("one-way", 0x01), ("rsa mutual", 0x80), ("resumed by ticket", 0x04)])
def test_a_changed_byte_of_any_flight_ends_it(shape: str, mask: int, part: int) -> None:
    flights = recorded12(shape).flights
    for index, (sender, flight) in enumerate(flights):
        for place in range(part, len(flight), 4):
            pair = live(shape, partial(flip, index, place, mask, [0]))
            pair.run()
            for side in (pair.client, pair.server):
                if side.error is None and not side.handshake_complete:
                    with pytest.raises(TruncatedStream):
                        side.receive_eof()
            where = f"byte {place} of flight {index + 1}, the {sender}'s"
            assert all(isinstance(error, TLSError) for error in pair.errors.values()), where
            if place in ignored(flight):
                assert pair.client.handshake_complete, where
                assert pair.server.handshake_complete, where
                continue
            receiver = pair.server if sender == "client" else pair.client
            # A ticket that was changed is no ticket any more, so a full handshake follows, which the Finished tells of;
            # whoever has to answer first never completes.
            assert not receiver.handshake_complete, where
            if index < len(flights) - 1:
                assert not (pair.client.handshake_complete and pair.server.handshake_complete), where


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("shape", FEW)
def test_every_byte_of_every_message_counts(shape: str, role: str) -> None:
    """Said by the peer itself, in whole records and under the right keys."""
    recording = recorded12(shape)
    for index, one in enumerate(Puppet12(recording, role).honest):
        if one.record != ContentType.handshake:
            continue
        for place in range(0, len(one.raw), 1 if len(one.raw) < 200 else 3):
            puppet = Puppet12(recording, role)
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
            assert puppet.error.alert is not None, where


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("shape", FEW)
def test_one_byte_at_a_time(shape: str, role: str) -> None:
    play(shape, role, [[bytes((byte,)) for byte in flight] for flight in flights_to(shape, role)])


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("shape", ["mutual", "resumed by ID"])
def test_two_reads_split_anywhere(shape: str, role: str) -> None:
    flights = flights_to(shape, role)
    for index, flight in enumerate(flights):
        for place in range(1, len(flight), 3):
            reads = [[one] for one in flights]
            reads[index] = [flight[:place], flight[place:]]
            play(shape, role, reads)


@pytest.mark.parametrize("role", ROLES)
@settings(max_examples=30)
@given(cuts=st.lists(st.integers(1, 1200), max_size=12))
def test_records_cut_anywhere(role: str, cuts: list[int]) -> None:
    """The unprotected messages of a flight as one stream, cut into records at any places."""
    recording = recorded12("mutual")
    puppet = Puppet12(recording, role)
    stream = b""
    while puppet.told < len(puppet.honest):
        one = puppet.honest[puppet.told]
        if one.record == ContentType.handshake and puppet.write is None:
            stream += one.raw
            puppet.told += 1
            if one.name not in ("ServerHelloDone", "CertificateVerify", "ClientHello"):
                continue
        places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
        for start, stop in itertools.pairwise(places):
            puppet.say(stream[start:stop])
            assert puppet.error is None, puppet.error
        if stream:
            stream = b""
            continue
        puppet.tell()
        assert puppet.error is None, puppet.error
    assert puppet.victim.handshake_complete


def flights_to(shape: str, role: str) -> list[bytes]:
    return [data for sender, data in recorded12(shape).flights if sender != role]


def play(shape: str, role: str, reads: list[list[bytes]]) -> Connection:
    """A fresh victim that is given the flights in these reads; it must say what it said in the recording."""
    recording: Recording12 = recorded12(shape)
    victim = recording.fresh(role)
    victim.start()
    said = [victim.data_to_send()] if role == "client" else []
    for flight in reads:
        for read in flight:
            victim.receive_data(read)
        if victim.has_data_to_send:
            said.append(victim.data_to_send())
    assert victim.handshake_complete
    assert said == [data for sender, data in recording.flights if sender == role]
    return victim


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("surplus", [b"\x14", b"\x14\0\0\x0c", bytes(4)])
def test_nothing_may_follow_in_the_record_before_the_keys_change(role: str, surplus: bytes) -> None:
    # The last message before the peer's ChangeCipherSpec, with more behind it in its record.
    puppet = Puppet12(recorded12("mutual"), role)
    puppet.tell_until("ChangeCipherSpec")
    puppet = Puppet12(recorded12("mutual"), role)
    last = next(index for index, one in enumerate(puppet.honest) if one.name == "ChangeCipherSpec") - 1
    puppet.tell(last)
    puppet.deliver(puppet.next_record(lambda raw: raw + surplus))
    while puppet.error is None and puppet.told < len(puppet.honest):
        puppet.tell()
    # Not even a whole HelloRequest, which may come only after it.
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.error.code in {"interleaved-record", "unexpected-message", "excess-handshake-data"}
    assert puppet.alert is A.unexpected_message
    assert not puppet.victim.handshake_complete


@pytest.mark.parametrize("role", ROLES)
def test_nothing_may_follow_finished_in_its_record(role: str) -> None:
    puppet = Puppet12(recorded12("one-way"), role)
    puppet.tell_until("Finished")
    puppet.deliver(puppet.next_record(lambda raw: raw + b"\x18\0\0\1\0"))
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.alert is A.unexpected_message


@pytest.mark.parametrize("role", ROLES)
def test_records_may_not_be_dropped_repeated_or_swapped(role: str) -> None:
    for order in ((1,), (0, 0), (1, 0)):
        puppet = Puppet12(recorded12("one-way"), role)
        puppet.tell_all()
        records = [puppet.seal(data, ContentType.application_data) for data in (b"one", b"two")]
        for index in order:
            if puppet.error is None:
                puppet.deliver(records[index])
        assert isinstance(puppet.error, PeerViolation)
        assert puppet.error.code == "tampered"
        assert puppet.alert is A.bad_record_mac


@pytest.mark.parametrize("role", ROLES)
def test_a_record_may_not_become_another_kind(role: str) -> None:
    # RFC 5246 section 6.2.3.3: type, version and length are authenticated.
    for place, value in ((0, 22), (0, 21), (4, None), (2, 2)):
        puppet = Puppet12(recorded12("one-way"), role)
        puppet.tell_all()
        record = bytearray(puppet.seal(b"data", ContentType.application_data))
        record[place] = record[place] - 1 if value is None else value
        puppet.deliver(bytes(record))
        assert isinstance(puppet.error, PeerViolation)
        assert puppet.alert is (A.protocol_version if place == 2 else A.bad_record_mac)
