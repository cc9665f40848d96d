"""Resumption in TLS 1.3: tickets, what they are bound to, and why one is declined (RFC 8446 sections 2.2 and 4.6.1)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from certificates import NOW, client_identity, identity, root, server_identity
from memory import Pair, client_config, server_config

from tlscope import (
    AlertReceived,
    CipherSuite,
    ClientAuth,
    ClientConfig,
    MemorySessionCache,
    NamedGroup,
    PeerViolation,
    ServerConfig,
    TicketKeys,
    TicketReceived,
    Trace,
)
from tlscope.trace import Choice
from tlscope.wire import extensions as x
from tlscope.wire.extensions import OfferedPsks
from tlscope.wire.handshake import ClientHello, NewSessionTicket, ServerHello

DAY = 24 * 3600


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def client(**changes: Any) -> ClientConfig:
    return client_config(**{"sessions": MemorySessionCache(), **changes})


def server(**changes: Any) -> ServerConfig:
    return server_config(**{"tickets": TicketKeys(), **changes})


def again(client: ClientConfig, server: ServerConfig) -> tuple[Pair, list[str]]:
    """Another handshake, which may resume; and what the server said of resumption."""
    trace = Trace()
    pair = Pair(client, server, server_trace=trace).done()
    return pair, [event.why for event in trace.of(Choice) if event.topic == "resumption"]


def test_a_session_is_resumed_with_the_peer_it_was_made_with() -> None:
    mine, theirs = client(identity=client_identity()), server(client_auth=ClientAuth.REQUIRED)
    first = Pair(mine, theirs).done()
    assert not first.client.facts.resumed
    assert len([event for event in first.events["client"] if isinstance(event, TicketReceived)]) == 2

    second, _ = again(mine, theirs)
    for facts in (second.client.facts, second.server.facts):
        assert facts.resumed
        assert facts.peer_signature_scheme is not None
    assert second.client.facts.peer.names.dns == ("localhost",)
    assert "client.example" in second.server.facts.peer.names.dns
    assert second.server.facts.identity is theirs.identities[0]
    assert second.client.facts.identity is mine.identities[0]
    assert second.client.export_keying_material("EXPERIMENTAL", 32) == second.server.export_keying_material(
        "EXPERIMENTAL", 32
    )


def test_a_ticket_is_used_once_and_replaced() -> None:
    mine, theirs = client(), server(tickets_per_handshake=1)
    Pair(mine, theirs).done()
    for _ in range(5):
        assert again(mine, theirs)[0].client.facts.resumed
    assert mine.sessions.find("localhost", NOW.timestamp()) is not None
    assert mine.sessions.find("localhost", NOW.timestamp()) is None


def test_the_group_may_change_and_the_suite_may_not() -> None:
    mine, theirs = client(groups=[NamedGroup.x25519, NamedGroup.secp256r1]), server()
    Pair(mine, theirs).done()
    other = theirs.replace(groups=[NamedGroup.secp256r1])
    pair, _ = again(mine, other)
    assert (pair.client.facts.resumed, pair.client.facts.hello_retry_request) == (True, True)

    larger = theirs.replace(cipher_suites=[CipherSuite.TLS_AES_256_GCM_SHA384])
    pair, why = again(mine, larger)
    assert not pair.client.facts.resumed
    assert "this handshake uses TLS_AES_256_GCM_SHA384" in why[0]


def test_another_suite_of_the_same_hash_is_declined_too() -> None:
    mine, theirs = client(), server(cipher_suites=[CipherSuite.TLS_AES_128_GCM_SHA256])
    Pair(mine, theirs).done()
    pair, why = again(mine, theirs.replace(cipher_suites=[CipherSuite.TLS_CHACHA20_POLY1305_SHA256]))
    assert not pair.client.facts.resumed
    assert "it was made with TLS_AES_128_GCM_SHA256" in why[0]


DECLINED: dict[str, tuple[dict[str, Any], str]] = {
    "other keys": ({"tickets": TicketKeys()}, "is not, or no longer, known here"),
    "no tickets": ({"tickets": None}, "hands out no tickets"),
    "other certificate": ({"identities": [identity(root(), "localhost", 77)]}, "is not shown any more"),
    "a client certificate is required now": ({"client_auth": ClientAuth.REQUIRED}, "had shown no certificate"),
}


@pytest.mark.parametrize("case", DECLINED)
def test_a_declined_ticket_means_a_full_handshake_and_a_reason(case: str) -> None:
    changes, reason = DECLINED[case]
    mine, theirs = client(identity=client_identity()), server()
    Pair(mine, theirs).done()
    pair, why = again(mine, theirs.replace(**changes))
    assert not pair.client.facts.resumed
    assert reason in why[0]


def test_a_ticket_ends() -> None:
    clock = Clock()
    mine, theirs = client(clock=clock), server(clock=clock, tickets=TicketKeys(lifetime=100))
    Pair(mine, theirs).done()
    session = mine.sessions.find("localhost", NOW.timestamp())
    assert session.lifetime == 100
    # A client that has lost track of time offers it all the same; the server knows.
    eager = client(sessions=Keeps(session))
    clock.forward(101)
    pair, why = again(eager, theirs)
    assert not pair.client.facts.resumed
    assert "expired" in why[0]


class Keeps:
    """A cache that always gives the same session."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def put(self, server_name: str, session: Any) -> None:
        pass

    def find(self, server_name: str, now: float) -> Any:
        return self.session

    def remove(self, server_name: str, session: Any) -> None:
        pass


def test_renewal_does_not_make_a_session_live_forever() -> None:
    clock = Clock()
    mine, theirs = client(clock=clock), server(clock=clock, tickets=TicketKeys(lifetime=6 * DAY))
    Pair(mine, theirs).done()
    clock.forward(5 * DAY)
    assert again(mine, theirs)[0].client.facts.resumed
    session = mine.sessions.find("localhost", clock.now.timestamp())
    assert session.lifetime <= 2 * DAY  # seven days after the full handshake it is over


def test_an_expired_client_certificate_is_not_resumed() -> None:
    clock = Clock()
    mine = client(clock=clock, identity=client_identity())
    theirs = server(clock=clock, client_auth=ClientAuth.REQUESTED, tickets=TicketKeys(lifetime=6 * DAY))
    Pair(mine, theirs).done()
    after = client_identity().leaf.not_valid_after_utc + timedelta(seconds=1)
    judged = theirs.replace(clock=lambda: after, tickets=theirs.tickets)
    trace = Trace()
    session = mine.sessions.find("localhost", NOW.timestamp())
    stretched = Keeps(session)
    Pair(mine.replace(sessions=stretched), judged, server_trace=trace).run()
    assert [event.chosen for event in trace.of(Choice) if event.topic == "resumption"] == ["declined"]


def _each_byte_of_a_ticket(ticket: bytes) -> list[bytes]:
    step = max(1, len(ticket) // 40)
    return [ticket[:at] + bytes((ticket[at] ^ 1,)) + ticket[at + 1 :] for at in range(0, len(ticket), step)]


def test_a_changed_ticket_is_only_unknown() -> None:
    mine, theirs = client(), server()
    Pair(mine, theirs).done()
    session = mine.sessions.find("localhost", NOW.timestamp())
    for ticket in (*_each_byte_of_a_ticket(session.ticket), session.ticket[:-1], b"x"):
        pair, why = again(client(sessions=Keeps(session.with_ticket(ticket))), theirs)
        assert not pair.client.facts.resumed
        assert why


def rewriting_hello(change: Callable[[ClientHello], None]) -> Callable[[Any], Any]:
    """A ``rewrite`` hook that changes ClientHellos."""

    def rewrite(message: Any) -> Any:
        if isinstance(message, ClientHello):
            change(message)
        return message

    return rewrite


def _flip_binder(hello: ClientHello) -> None:
    psks = hello.extensions.get(x.PRE_SHARED_KEYS)
    if psks is not None:
        binder = psks.binders[0]
        bad = OfferedPsks(psks.identities, (bytes((binder[0] ^ 1,)) + binder[1:],))
        hello.extensions = hello.extensions.with_(x.PRE_SHARED_KEYS(bad))


def _drop_modes(hello: ClientHello) -> None:
    hello.extensions = hello.extensions.without(x.PSK_KEY_EXCHANGE_MODES.type)


def _change_random(hello: ClientHello) -> None:
    hello.random = bytes(32)


@pytest.mark.parametrize(
    ("change", "code", "alert"),
    [
        (_flip_binder, "bad-binder", "decrypt_error"),
        (_change_random, "bad-binder", "decrypt_error"),
        (_drop_modes, "missing-extension", "missing_extension"),
    ],
)
def test_a_hello_that_its_binder_does_not_cover_is_refused(change: Any, code: str, alert: str) -> None:
    mine, theirs = client(), server()
    Pair(mine, theirs).done()
    pair = Pair(mine.replace(rewrite=rewriting_hello(change)), theirs).run()
    error = pair.errors["server"]
    assert isinstance(error, PeerViolation)
    assert error.code == code
    told = pair.errors["client"]
    assert isinstance(told, AlertReceived)
    assert told.description.name == alert


def _answer(change: Callable[[ServerHello], None]) -> Callable[[Any], Any]:
    def rewrite(message: Any) -> Any:
        if type(message) is ServerHello:
            change(message)
        return message

    return rewrite


def test_a_choice_of_a_psk_that_was_not_offered_is_refused() -> None:
    def choose(hello: ServerHello) -> None:
        hello.extensions = hello.extensions.with_(x.SELECTED_PSK(3))

    mine, theirs = client(), server()
    Pair(mine, theirs).done()
    pair = Pair(mine, theirs.replace(rewrite=_answer(choose))).run()
    assert pair.errors["client"].code == "bad-selected-psk"
    # With no PSK offered at all the answer is one to nothing.
    pair = Pair(client(), theirs.replace(rewrite=_answer(choose))).run()
    assert pair.errors["client"].code == "unsolicited-extension"


@pytest.mark.parametrize(
    ("lifetime", "kept"), [(0, False), (1, True), (7 * DAY, True)], ids=["zero", "a second", "a week"]
)
def test_a_tickets_lifetime_is_heeded(lifetime: int, kept: bool) -> None:
    pair = Pair(mine := client(), server(tickets=None)).done()
    ticket = NewSessionTicket(lifetime, 5, b"\0", b"ticket")
    pair.server._handshake.send(ticket, beside=True)
    pair.move("server")
    assert (mine.sessions.find("localhost", NOW.timestamp()) is not None) is kept
    assert not pair.errors


def test_a_ticket_of_more_than_a_week_is_refused() -> None:
    pair = Pair(client(), server(tickets=None)).done()
    pair.server._handshake.send(NewSessionTicket(7 * DAY + 1, 5, b"\0", b"ticket"), beside=True)
    pair.move("server")
    assert pair.errors["client"].code == "bad-ticket"


def test_one_client_does_not_resume_the_session_of_another_identity() -> None:
    mine, theirs = client(identity=client_identity()), server(client_auth=ClientAuth.REQUIRED)
    Pair(mine, theirs).done()
    somebody = mine.replace(identity=identity(root(), "other.example", 78, client=True), identities=())
    pair, _ = again(somebody, theirs)
    assert not pair.client.facts.resumed
    assert "other.example" in pair.server.facts.peer.names.dns


def test_a_session_is_bound_to_the_name_it_was_made_for() -> None:
    both = [server_identity(), identity(root(), "www.example", 79)]
    mine, theirs = client(), server(identities=both)
    Pair(mine, theirs).done()
    session = mine.sessions.find("localhost", NOW.timestamp())
    trace = Trace()
    pair = Pair(client(sessions=Keeps(session)), theirs, server_name="www.example", server_trace=trace).done()
    assert not pair.client.facts.resumed
    assert "it was made for localhost" in next(event.why for event in trace.of(Choice) if event.topic == "resumption")
