"""Random sequences of what two peers may do, and may not, against a model of what is allowed.

The model knows what was sent each way, which sides are closed, and what the client may be asked; tlscope must agree with
it after every step, and refuse each step that the model calls illegal with a typed error and an alert that arrives.
"""

from __future__ import annotations

from typing import Any

from certificates import client_identity
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from memory import Pair, client_config, server_config

from tlscope import (
    AlertReceived,
    ClientAuth,
    DataReceived,
    EarlyDataReceived,
    EarlyDataRejected,
    ExternalPsk,
    MemoryReplayGuard,
    MemorySessionCache,
    Misuse,
    NamedGroup,
    PeerAuthenticated,
    PeerClosed,
    PeerViolation,
    TicketKeys,
)
from tlscope.crypto.randomness import SYSTEM_RANDOMNESS
from tlscope.handshake.post_handshake_auth import MAX_OUTSTANDING
from tlscope.wire.codepoints import KeyUpdateRequest
from tlscope.wire.extensions import Extensions
from tlscope.wire.handshake import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    EncryptedExtensions,
    EndOfEarlyData,
    Finished,
    KeyUpdate,
    NewSessionTicket,
)

GROUPS = (
    [NamedGroup.x25519],
    [NamedGroup.secp256r1, NamedGroup.x25519],
    [NamedGroup.X25519MLKEM768, NamedGroup.x25519],
)
ROLES = ("client", "server")
PSK = ExternalPsk(b"device", bytes(range(32)))

# What may never come after the handshake, by who says it. A CertificateRequest depends on what the client offered.
ILLEGAL: dict[str, list[Any]] = {
    "server": [
        EncryptedExtensions(Extensions()),
        Finished(bytes(32)),
        Certificate(()),
        EndOfEarlyData(),
        NewSessionTicket(8 * 24 * 3600, 0, b"", b"too long a life"),
    ],
    "client": [
        Finished(bytes(32)),
        Certificate((), b"unasked"),
        EndOfEarlyData(),
        CertificateRequest(Extensions(), b"x"),
        NewSessionTicket(1, 0, b"", b"not a client's to give"),
        CertificateVerify(0x0403, b""),  # type: ignore[arg-type]
    ],
}


def other(role: str) -> str:
    return "server" if role == "client" else "client"


class Conversation(RuleBasedStateMachine):
    """Two peers, their configurations, and one connection after another."""

    @initialize(
        group=st.sampled_from(GROUPS),
        server_group=st.sampled_from(GROUPS),
        auth=st.sampled_from(list(ClientAuth)),
        late=st.booleans(),
        early=st.booleans(),
        external=st.booleans(),
        compatibility=st.booleans(),
        cookie=st.booleans(),
        shows=st.booleans(),
        record_size=st.sampled_from([None, 64, 1000]),
    )
    def begin(
        self,
        group: Any,
        server_group: Any,
        auth: ClientAuth,
        late: bool,
        early: bool,
        external: bool,
        compatibility: bool,
        cookie: bool,
        shows: bool,
        record_size: int | None,
    ) -> None:
        shows = shows or auth is ClientAuth.REQUIRED
        psks = [PSK] if external else []
        both = {"randomness": SYSTEM_RANDOMNESS, "middlebox_compatibility": compatibility, "external_psks": psks}
        self.client = client_config(
            groups=list(dict.fromkeys([*group, *server_group])),
            identity=client_identity() if shows else None,
            post_handshake_auth=late,
            early_data=early,
            record_size_limit=record_size,
            sessions=MemorySessionCache(),
            **both,
        )
        self.server = server_config(
            groups=server_group,
            client_auth=auth,
            max_early_data=500 if early else 0,
            hello_retry_cookie=cookie,
            tickets=TicketKeys(),
            replay_guard=MemoryReplayGuard(),
            **both,
        )
        self.late = late
        self.shows = shows
        self.connect(b"")

    @rule(early=st.binary(max_size=40))
    def connect(self, early: bytes) -> None:
        """A new connection, resumed where a ticket is left, with early data where it may be sent."""
        pair = self.pair = Pair(self.client, self.server).start()
        if early and pair.client.early_data_room:
            pair.client.send_early_data(early)
        else:
            early = b""
        pair.run()
        assert not pair.errors
        taken = b"".join(event.data for event in pair.events["server"] if isinstance(event, EarlyDataReceived))
        given_back = [event.data for event in pair.events["client"] if isinstance(event, EarlyDataRejected)]
        facts = pair.client.facts
        assert facts is not None
        assert taken == (early if facts.early_data == "accepted" else b"")
        if early and facts.early_data == "rejected":
            assert given_back == [early]
        if self.server.client_auth is ClientAuth.REQUIRED and facts.external_psk is None:
            assert pair.server.peer is not None, "a client that must show who it is has done so, now or before"
        self.sent = {"client": b"", "server": b""}
        self.closed = {"client": False, "server": False}
        self.asked = self.answered = 0

    def received(self, role: str) -> bytes:
        return b"".join(event.data for event in self.pair.events[role] if isinstance(event, DataReceived))

    @rule(role=st.sampled_from(ROLES), data=st.binary(min_size=1, max_size=3000))
    def say(self, role: str, data: bytes) -> None:
        if self.closed[role]:
            try:
                self.pair.side(role).send_data(data)
            except Misuse:
                return
            raise AssertionError("a closed side could speak")
        self.pair.side(role).send_data(data)
        self.sent[role] += data

    @rule(role=st.sampled_from(ROLES))
    def move(self, role: str) -> None:
        self.pair.move(role)

    @rule(role=st.sampled_from(ROLES), request=st.booleans())
    def change_keys(self, role: str, request: bool) -> None:
        if not self.closed[role]:
            self.pair.side(role).update_keys(request_peer=request)

    @rule()
    def ask_for_a_certificate(self) -> None:
        allowed = self.late and not self.closed["server"] and self.asked - self.answered < MAX_OUTSTANDING
        try:
            self.pair.server.request_client_certificate()
        except Misuse:
            assert not allowed
        else:
            assert allowed
            self.asked += 1

    @rule(role=st.sampled_from(ROLES))
    def close(self, role: str) -> None:
        self.pair.side(role).close()
        self.closed[role] = True

    @precondition(lambda self: not any(self.closed.values()))
    @rule(role=st.sampled_from(ROLES), number=st.integers(0, 5))
    def break_a_rule(self, role: str, number: int) -> None:
        """One illegal message: the other side refuses it, says so, and a new connection is made."""
        self.settle()
        messages = list(ILLEGAL[role])
        if role == "server" and not self.late:
            messages.append(CertificateRequest(Extensions(), b"unwanted"))
        self.pair.side(role)._handshake.send(messages[number % len(messages)], beside=True)
        self.settle()
        error = self.pair.errors[other(role)]
        assert isinstance(error, PeerViolation)
        told = self.pair.errors[role]
        assert isinstance(told, AlertReceived)
        assert told.description == error.alert
        self.connect(b"")

    @precondition(lambda self: not any(self.closed.values()))
    @rule(role=st.sampled_from(ROLES))
    def forge_a_key_update(self, role: str) -> None:
        """A KeyUpdate without the new keys behind it: the next record can't be opened."""
        self.settle()
        self.pair.side(role)._handshake.send(KeyUpdate(KeyUpdateRequest.update_not_requested), beside=True)
        self.pair.side(role).send_data(b"under the old keys")
        self.settle()
        assert self.pair.errors[other(role)].code == "tampered"  # type: ignore[attr-defined]
        self.connect(b"")

    def settle(self) -> None:
        while self.pair.move("client") | self.pair.move("server"):
            pass
        self.answered = sum(isinstance(event, PeerAuthenticated) for event in self.pair.events["server"])

    @invariant()
    def what_arrives_is_what_was_sent(self) -> None:
        if not hasattr(self, "pair"):
            return
        assert not self.pair.errors
        for role in ROLES:
            assert self.sent[other(role)].startswith(self.received(role))
            ended = any(isinstance(event, PeerClosed) for event in self.pair.events[role])
            assert not ended or (self.closed[other(role)] and self.received(role) == self.sent[other(role)])
        self.answered = sum(isinstance(event, PeerAuthenticated) for event in self.pair.events["server"])
        for event in self.pair.events["server"]:
            if isinstance(event, PeerAuthenticated):
                assert (event.peer is not None) is self.shows

    def teardown(self) -> None:
        """Whatever was queued arrives in the end."""
        if hasattr(self, "pair"):
            self.settle()
            assert not self.pair.errors
            for role in ROLES:
                assert self.received(role) == self.sent[other(role)]


Conversation.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestConversation = Conversation.TestCase
