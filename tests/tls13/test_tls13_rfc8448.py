"""RFC 8448 section 4, the resumed handshake with 0-RTT data, byte for byte, played from both sides.

The side under test is a real connection with the session of section 3's ticket. What the trace's stack said in
extensions that tlscope does not send is put in by ``rewrite``, before the binder is made.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest
from certificates import NOW, server_identity
from memory import client_config, server_config
from traces8448 import message, octets, traces

from tlscope import (
    CipherSuite,
    ClientConnection,
    DataReceived,
    EarlyDataReceived,
    MemoryReplayGuard,
    NamedGroup,
    PeerClosed,
    ProtocolVersion,
    ServerConnection,
    Session,
    Trace,
    VerifyPeer,
)
from tlscope import trace as t
from tlscope.crypto.groups import Group, KeyPair
from tlscope.events import DecisionNeeded
from tlscope.handshake.psk import Psk, with_psks
from tlscope.keys.transcript import Transcript
from tlscope.sessions import TicketRejected
from tlscope.wire import handshake as m
from tlscope.wire.codepoints import ExtensionType as E
from tlscope.wire.extensions import Extensions

LATER = 0.0065  # the trace's client resumed six milliseconds after it got the ticket


def session(trace: dict[str, Any], identity: str = "") -> Session:
    """The session of section 3's ticket, as either side would have kept it."""
    ticket = traces()["simple_1rtt"]["new_session_ticket"]
    return Session(
        version=ProtocolVersion.TLS1_3,
        cipher_suite=CipherSuite.TLS_AES_128_GCM_SHA256,
        secret=octets(trace["psk"]["psk"]),
        created_at=NOW.timestamp() - LATER,
        issued_at=NOW.timestamp() - LATER,
        lifetime=int(ticket["lifetime"], 16),
        server_name="server",
        age_add=int(ticket["age_add"], 16),
        max_early_data=int(ticket["max_early_data_size"], 16),
        identity=identity,
        ticket=octets(trace["psk"]["identity"]),
    )


class Recorded:
    """The randomness of one side."""

    def __init__(self, random: bytes, private: str) -> None:
        self._random, self._private = random, octets(private)

    def bytes(self, length: int) -> bytes:
        assert length == len(self._random)
        return self._random

    def key_pair(self, group: Group) -> KeyPair:
        return group.from_private(self._private)


def like(wanted: Extensions, ours: Extensions) -> Extensions:
    """The trace's extensions, in its order; the values that tlscope has to find out for itself are its own."""
    own = dict(ours)
    of_ours = {E.server_name, E.supported_versions, E.key_share, E.early_data, E.psk_key_exchange_modes}
    return Extensions((kind, own[kind] if kind in of_ours and kind in own else data) for kind, data in wanted)


class One:
    """A cache with one session in it."""

    def __init__(self, kept: Session) -> None:
        self._kept = kept

    def find(self, server_name: str, now: float) -> Session:
        return self._kept

    def put(self, server_name: str, session: Session) -> None:
        raise AssertionError("the trace's server sends no ticket")

    def remove(self, server_name: str, session: Session) -> None:
        raise AssertionError("the session does not fail")


class Tickets:
    """Opens the trace's ticket."""

    lifetime = 30

    def __init__(self, kept: Session) -> None:
        self._kept = kept

    def open(self, ticket: bytes, now: float) -> bytes:
        if ticket != self._kept.ticket:
            raise TicketRejected("another one")
        return self._kept.encode()


def client(trace: dict[str, Any], sink: Trace) -> ClientConnection:
    raw = message(trace, "client", "ClientHello")
    hello = m.ClientHello.decode(raw[4:])
    kept = session(trace)

    def rewrite(said: Any) -> Any:
        if not isinstance(said, m.ClientHello):
            return said
        said = replace(said, extensions=like(hello.extensions, said.extensions))
        with_psks(said, (Psk.of_session(kept, NOW.timestamp()),), Transcript())
        return said

    config = client_config(
        randomness=Recorded(hello.random, trace["keys"]["client"][0]["private"]),
        cipher_suites=[suite for suite in hello.cipher_suites if suite.name.startswith("TLS_")],
        groups=[NamedGroup.x25519],
        middlebox_compatibility=False,
        insecure_skip_verification=True,
        early_data=True,
        sessions=One(kept),
        rewrite=rewrite,
    )
    return ClientConnection(config, "server", trace=sink)


def server(trace: dict[str, Any], sink: Trace) -> ServerConnection:
    random = m.ServerHello.decode(message(trace, "server", "ServerHello")[4:]).random
    wanted = {
        "EncryptedExtensions": m.EncryptedExtensions.decode(message(trace, "server", "EncryptedExtensions")[4:]),
        "ServerHello": m.ServerHello.decode(message(trace, "server", "ServerHello")[4:]),
    }

    def rewrite(said: Any) -> Any:
        name = type(said).__name__
        if name not in wanted:
            return said
        kinds = [kind for kind, _ in wanted[name].extensions]
        if name == "ServerHello":
            own = dict(said.extensions)
            return replace(said, extensions=Extensions((kind, own[kind]) for kind in kinds))
        return replace(said, extensions=like(wanted[name].extensions, said.extensions))

    config = server_config(
        randomness=Recorded(random, trace["keys"]["server"][0]["private"]),
        groups=[NamedGroup.x25519],
        cipher_suites=[CipherSuite.TLS_AES_128_GCM_SHA256],
        tickets=Tickets(session(trace, server_identity().fingerprint)),
        tickets_per_handshake=0,
        middlebox_compatibility=False,
        max_early_data=1024,
        replay_guard=MemoryReplayGuard(),
        ask=frozenset({VerifyPeer}),
        rewrite=rewrite,
    )
    return ServerConnection(config, trace=sink)


class Play:
    """One side of the trace, as a real connection."""

    def __init__(self, role: str) -> None:
        self.trace, self.role = traces()["resumed_0rtt"], role
        self.sink = Trace(secrets=True)
        self.side: Any = (client if role == "client" else server)(self.trace, self.sink)
        self.events: list[Any] = []
        self.side.start()

    def run(self) -> None:
        for sender, records in groupby(self.trace["records"], key=lambda one: one["sender"]):
            flight = list(records)
            data = b"".join(octets(one["record"]) for one in flight)
            if sender == self.role:
                for one in flight:
                    self.say(one)
                assert self.side.data_to_send() == data
            else:
                self.events += [one for one in self.side.receive_data(data) if not isinstance(one, DecisionNeeded)]

    def say(self, record: dict[str, Any]) -> None:
        if record["type"] == "alert":
            self.side.close()
        elif record["epoch"] == "early" and record["type"] == "application_data":
            self.side.send_early_data(octets(record["payload"]))
        elif record["type"] == "application_data":
            self.side.send_data(octets(record["payload"]))


@pytest.mark.parametrize("role", ["client", "server"])
def test_the_trace_is_played_byte_for_byte(role: str) -> None:
    play = Play(role)
    play.run()
    facts = play.side.facts
    assert (facts.resumed, facts.early_data) == (True, "accepted")
    assert isinstance(play.events[-1], PeerClosed)
    early = [one.data for one in play.events if isinstance(one, EarlyDataReceived)]
    assert early == ([octets("414243444546")] if role == "server" else [])
    assert [one.data for one in play.events if isinstance(one, DataReceived)] == [bytes(range(50))]


@pytest.mark.parametrize("role", ["client", "server"])
def test_the_secrets_are_the_traces(role: str) -> None:
    play = Play(role)
    play.run()
    expected = play.trace["secrets"]
    revealed = {event.label: event.value.hex() for event in play.sink.of(t.Secret) if event.value is not None}
    for label, name in {
        "CLIENT_EARLY_TRAFFIC_SECRET": "client_early_traffic",
        "EARLY_EXPORTER_SECRET": "early_exporter_master",
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET": "client_handshake_traffic",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET": "server_handshake_traffic",
        "CLIENT_TRAFFIC_SECRET_0": "client_application_traffic",
        "SERVER_TRAFFIC_SECRET_0": "server_application_traffic",
        "EXPORTER_SECRET": "exporter_master",
        "resumption_master_secret": "resumption_master",
    }.items():
        assert revealed[label] == expected[name], label
