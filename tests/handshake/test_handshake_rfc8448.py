"""The example handshakes of RFC 8448, byte for byte, each played from both sides.

The side under test is a real connection. It draws the trace's randomness and ephemeral keys; where the trace's own stack
(NSS) chose an extension or a list that tlscope does not send, ``rewrite`` puts it in; where a private key was not
published, or signs at random, the signature is the trace's. Every record that it sends must be the trace's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest
from memory import client_config, server_config
from traces8448 import message, octets, traces

from tlscope import (
    AlertDescription,
    AlertReceived,
    CipherSuite,
    ClientAuth,
    ClientConnection,
    DataReceived,
    HandshakeCompleted,
    Identity,
    NamedGroup,
    PeerClosed,
    ServerConnection,
    SignatureScheme,
    Trace,
    VerifyPeer,
)
from tlscope import trace as t
from tlscope.crypto.groups import GROUPS, Group, KeyPair
from tlscope.events import DecisionNeeded, Event
from tlscope.wire import handshake as m
from tlscope.wire.codepoints import ExtensionType as E
from tlscope.wire.extensions import Extensions

PLAYED = ("simple_1rtt", "hello_retry_request", "client_authentication", "compatibility_mode")

# What the trace's stack put into its messages and tlscope does not say, or says otherwise.
THEIRS = {
    "ClientHello": {
        E.renegotiation_info,
        E.supported_groups,
        E.session_ticket,
        E.signature_algorithms,
        E.psk_key_exchange_modes,
        E.record_size_limit,
        E.padding,
    },
    "EncryptedExtensions": {E.supported_groups, E.record_size_limit, E.server_name},
    "CertificateRequest": {E.signature_algorithms},
}


class Recorded:
    """The randomness of one side of a trace."""

    def __init__(self, drawn: list[bytes], key_pairs: dict[NamedGroup, bytes]) -> None:
        self._drawn, self._key_pairs = drawn, key_pairs

    def bytes(self, length: int) -> bytes:
        return self._drawn.pop(0)

    def key_pair(self, group: Group) -> KeyPair:
        return group.from_private(self._key_pairs.pop(group.name))


def randomness(trace: dict[str, Any], role: str) -> Recorded:
    """What a side of the trace drew, in the order in which tlscope draws it."""
    keys = {NamedGroup.named(one["group"]): octets(one["private"]) for one in trace["keys"][role]}
    if role == "client":
        hello = m.ClientHello.decode(message(trace, "client", "ClientHello")[4:])
        return Recorded([hello.random] + [hello.session_id] * bool(hello.session_id), keys)
    drawn = []
    if any(one["type"] == "HelloRetryRequest" for one in trace["messages"]):
        request = m.ServerHello.decode(message(trace, "server", "HelloRetryRequest")[4:])
        cookie = dict(request.extensions)[E.cookie]
        drawn.append(cookie[2:])
    drawn.append(m.ServerHello.decode(message(trace, "server", "ServerHello")[4:]).random)
    return Recorded(drawn, keys)


def like(trace: dict[str, Any], role: str) -> Callable[[Any], Any]:
    """A ``rewrite`` that gives each message the trace's extensions: in its order, with its stack's own."""
    expected: dict[str, Iterator[bytes]] = {}

    def rewrite(said: Any) -> Any:
        name = type(said).__name__
        if not hasattr(said, "extensions") or name == "NewSessionTicket":
            return said
        if name not in expected:
            hexes = [one["hex"] for one in trace["messages"] if (one["sender"], one["type"]) == (role, name)]
            expected[name] = map(octets, hexes)
        wanted = type(said).decode(next(expected[name])[4:]).extensions
        ours, theirs = dict(said.extensions), THEIRS.get(name, set())
        return replace(
            said, extensions=Extensions((kind, data if kind in theirs else ours[kind]) for kind, data in wanted)
        )

    return rewrite


def identity(trace: dict[str, Any], role: str) -> Identity:
    """A side's certificate, with the signature of the trace."""
    proof = trace["certificate_verify"][role]
    scheme = SignatureScheme.named(proof["algorithm"])

    def sign(wanted: SignatureScheme, data: bytes) -> bytes:
        assert wanted == scheme
        assert data == octets(proof["signed_content"])
        return octets(proof["signature"])

    return Identity.with_signer([octets(trace["certificates"][role])], sign, [scheme])


SUITES = (
    CipherSuite.TLS_AES_128_GCM_SHA256,
    CipherSuite.TLS_CHACHA20_POLY1305_SHA256,
    CipherSuite.TLS_AES_256_GCM_SHA384,
)


def client_of(trace: dict[str, Any], sink: Trace) -> ClientConnection:
    hello = m.ClientHello.decode(message(trace, "client", "ClientHello")[4:])
    config = client_config(
        randomness=randomness(trace, "client"),
        cipher_suites=SUITES,
        groups=(NamedGroup.x25519, NamedGroup.secp256r1),
        key_shares=(NamedGroup.x25519,),
        middlebox_compatibility=bool(hello.session_id),
        identity=identity(trace, "client") if "client" in trace["certificate_verify"] else None,
        # The certificates are self-signed, have keys of 1,024 bits and expired long ago.
        insecure_skip_verification=True,
        rewrite=like(trace, "client"),
    )
    return ClientConnection(config, "server", trace=sink)


def server_of(trace: dict[str, Any], sink: Trace) -> ServerConnection:
    mutual = "client" in trace["certificate_verify"]
    config = server_config(
        randomness=randomness(trace, "server"),
        cipher_suites=SUITES,
        groups=(NamedGroup.named(trace["group"]),),
        hello_retry_cookie=trace["name"] == "hello_retry_request",
        middlebox_compatibility="middlebox" in trace["name"] or "compat" in trace["name"],
        identities=[identity(trace, "server")],
        client_auth=ClientAuth.REQUIRED if mutual else ClientAuth.NONE,
        ask=frozenset({VerifyPeer}),
        rewrite=like(trace, "server"),
    )
    return ServerConnection(config, trace=sink)


class Play:
    """One side of a trace, as a real connection."""

    def __init__(self, name: str, role: str) -> None:
        self.trace, self.role = traces()[name], role
        self.sink = Trace(secrets=True)
        self.side: Any = (client_of if role == "client" else server_of)(self.trace, self.sink)
        self.events: list[Event] = []
        self.side.start()

    def run(self) -> None:
        """Play the records in order: what is the other side's is given, what is ours must come out."""
        for sender, records in groupby(self.trace["records"], key=lambda one: one["sender"]):
            flight = list(records)
            data = b"".join(octets(one["record"]) for one in flight)
            if sender == self.role:
                for one in flight:
                    self.say(one)
                assert self.side.data_to_send() == data
            else:
                self.hear(data)

    def say(self, record: dict[str, Any]) -> None:
        """Do what leads to a record behind the handshake; the handshake's own come by themselves."""
        if record["type"] == "alert":
            self.side.close()
        elif record["type"] == "application_data":
            self.side.send_data(octets(record["payload"]))
        elif record.get("messages") == ["NewSessionTicket"]:
            # Which ticket a server makes is its own affair: this one's bytes are put in.
            raw = message(self.trace, "server", "NewSessionTicket")
            self.side._handshake.send(m.NewSessionTicket.decode(raw[4:]))

    def hear(self, data: bytes) -> None:
        events = self.side.receive_data(data)
        while events and isinstance(events[-1], DecisionNeeded):
            assert isinstance(events[-1].decision, VerifyPeer)
            assert events[-1].decision.chain == (octets(self.trace["certificates"]["client"]),)
            events += self.side.answer(None)
        self.events += events


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("name", PLAYED)
def test_a_trace_is_played_byte_for_byte(name: str, role: str) -> None:
    play = Play(name, role)
    play.run()
    assert play.side.handshake_complete
    assert play.side.closed_by_peer
    assert play.side.closed_by_us
    kinds = [type(event) for event in play.events if not isinstance(event, DecisionNeeded)]
    assert kinds[0] is HandshakeCompleted
    assert kinds[-1] is PeerClosed
    other = "server" if role == "client" else "client"
    theirs = [
        one["payload"] for one in play.trace["records"] if one["type"] == "application_data" and one["sender"] == other
    ]
    assert [event.data.hex() for event in play.events if isinstance(event, DataReceived)] == theirs


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("name", PLAYED)
def test_the_secrets_are_the_traces(name: str, role: str) -> None:
    play = Play(name, role)
    play.run()
    expected = play.trace["secrets"]
    revealed = {event.label: event.value.hex() for event in play.sink.of(t.Secret) if event.value is not None}
    for label, name in {
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET": "client_handshake_traffic",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET": "server_handshake_traffic",
        "CLIENT_TRAFFIC_SECRET_0": "client_application_traffic",
        "SERVER_TRAFFIC_SECRET_0": "server_application_traffic",
        "EXPORTER_SECRET": "exporter_master",
        "resumption_master_secret": "resumption_master",
    }.items():
        assert revealed[label] == expected[name], label


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("name", PLAYED)
def test_the_messages_are_the_traces(name: str, role: str) -> None:
    play = Play(name, role)
    play.run()
    names = [(event.direction == "sent") == (role == "client") for event in play.sink.of(t.Message)]
    assert [("client" if ours else "server") for ours in names] == [one["sender"] for one in play.trace["messages"]]
    assert [event.raw.hex() for event in play.sink.of(t.Message)] == [one["hex"] for one in play.trace["messages"]]


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("name", PLAYED)
def test_a_trace_with_one_changed_byte_is_refused(name: str, role: str) -> None:
    play = Play(name, role)
    if role == "client":
        play.side.data_to_send()
    records = [one for one in play.trace["records"] if one["sender"] != role and one["epoch"] == "handshake"]
    changed = bytearray(octets(records[-1]["record"]))
    changed[-1] ^= 1
    with pytest.raises(Exception, match="can't be opened") as caught:
        for one in play.trace["records"]:
            if one is records[-1]:
                play.hear(bytes(changed))
            elif one["sender"] != role:
                play.hear(octets(one["record"]))
    assert caught.value.alert is AlertDescription.bad_record_mac  # type: ignore[attr-defined]
    assert not play.side.handshake_complete
    assert not isinstance(play.side.error, AlertReceived)


def test_the_ephemeral_keys_are_the_traces() -> None:
    for name in PLAYED:
        trace = traces()[name]
        for role in ("client", "server"):
            for one in trace["keys"][role]:
                pair = GROUPS[NamedGroup.named(one["group"])].from_private(octets(one["private"]))
                assert pair.public_key.hex() == one["public"]
