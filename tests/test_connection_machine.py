"""Two ends in any order of doings: what is sent arrives whole and in order, whatever else is done in between."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from memory import Pair, client_config, server_config

from tlscope import CipherSuite, DataReceived, PeerClosed

ROLES = st.sampled_from(["client", "server"])


def other(role: str) -> str:
    return "server" if role == "client" else "client"


class Conversation(RuleBasedStateMachine):
    """Sends, key updates, closes, and deliveries of any part of what is on its way."""

    @initialize(
        suite=st.sampled_from([CipherSuite.TLS_AES_128_GCM_SHA256, CipherSuite.TLS_CHACHA20_POLY1305_SHA256]),
        padding=st.sampled_from([0, 16, 1000]),
        fragment=st.sampled_from([64, 1000, 16384]),
        update_after=st.sampled_from([None, 1, 3]),
    )
    def begin(self, suite: CipherSuite, padding: int, fragment: int, update_after: int | None) -> None:
        both: dict[str, Any] = {"cipher_suites": (suite,)}
        client = client_config(**both, record_padding=padding, key_update_after=update_after)
        self.pair = Pair(client, server_config(**both, max_fragment=fragment)).done()
        self.sent = {"client": b"", "server": b""}
        self.on_the_way = {"client": b"", "server": b""}

    def collect(self, role: str) -> None:
        self.on_the_way[role] += self.pair.side(role).data_to_send()

    @rule(role=ROLES, data=st.binary(min_size=1, max_size=3000))
    def send(self, role: str, data: bytes) -> None:
        if not self.pair.side(role).closed_by_us:
            self.pair.side(role).send_data(data)
            self.sent[role] += data

    @rule(role=ROLES, request=st.booleans())
    def update_keys(self, role: str, request: bool) -> None:
        if not self.pair.side(role).closed_by_us:
            self.pair.side(role).update_keys(request_peer=request)

    @rule(role=ROLES, length=st.integers(1, 5000))
    def deliver(self, role: str, length: int) -> None:
        self.collect(role)
        part, self.on_the_way[role] = self.on_the_way[role][:length], self.on_the_way[role][length:]
        self.pair.give(other(role), part)

    @precondition(lambda self: all(len(data) > 2000 for data in self.sent.values()))
    @rule(role=ROLES)
    def close(self, role: str) -> None:
        self.pair.side(role).close()

    @invariant()
    def nothing_has_failed(self) -> None:
        if hasattr(self, "pair"):
            assert self.pair.errors == {}

    @invariant()
    def what_arrived_is_the_beginning_of_what_was_sent(self) -> None:
        if hasattr(self, "pair"):
            for role in ("client", "server"):
                assert self.sent[role].startswith(self.received(other(role)))

    def received(self, role: str) -> bytes:
        return b"".join(event.data for event in self.pair.events[role] if isinstance(event, DataReceived))

    def teardown(self) -> None:
        if not hasattr(self, "pair"):
            return
        for _ in range(4):
            for role in ("client", "server"):
                self.deliver(role, 10**9)
        for role in ("client", "server"):
            self.pair.side(role).close()
            self.deliver(role, 10**9)
        self.nothing_has_failed()
        for role in ("client", "server"):
            assert self.received(other(role)) == self.sent[role]
            assert [type(event) for event in self.pair.events[role]].count(PeerClosed) == 1


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=40, stateful_step_count=30)
