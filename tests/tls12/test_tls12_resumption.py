"""Sessions of TLS 1.2 by ticket and by session ID: what is resumed, what is not and why, and what must still hold."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from certificates import NOW, SERVER_NAME, client_identity, server_identity
from memory import Pair, Seeded
from puppet12 import both_anchors, issued, names, notes, pair12, rsa_authority
from test_tls12_features import response

from tlscope import (
    RSA_KEY_TRANSPORT,
    AlertDescription,
    AlertReceived,
    CertificateRejected,
    CipherSuite,
    ClientAuth,
    MemorySessionCache,
    MemorySessionStore,
    Misuse,
    PeerViolation,
    ProtocolVersion,
    Session,
    TicketKeys,
    Trace,
    VerificationPolicy,
)
from tlscope import trace as t
from tlscope.wire import extensions as x
from tlscope.wire.handshake import ClientHello, ServerHello
from tlscope.wire.handshake12 import NewSessionTicket

A = AlertDescription
FULL = ["ClientHello", "ClientKeyExchange", "Finished"]
SHORT = ["ClientHello", "Finished"]
WAYS = ["ticket", "session ID"]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        self.now += dt.timedelta(**amount)


class Friends:
    """A client and a server that meet again and again. The first meeting takes place at once."""

    def __init__(self, way: str = "ticket", client: Any = None, server: Any = None) -> None:
        self.clock = Clock()
        self.cache = MemorySessionCache()
        keeps: dict[str, Any] = {"session_store": MemorySessionStore()}
        if way == "ticket":
            keeps = {"tickets": TicketKeys(randomness=Seeded("keys"))}
        self.client = {"sessions": self.cache, "clock": self.clock, **(client or {})}
        self.server = {**keeps, "clock": self.clock, **(server or {})}
        self.count = 0
        self.traces = Trace(), Trace()
        self.first = self.meet().done()
        assert names(self.traces[0], "sent")[-3:] != SHORT

    def meet(self, client: Any = None, server: Any = None, **more: Any) -> Pair:
        """One more handshake, not run yet, with some settings changed."""
        self.count += 1
        self.traces = Trace(), Trace()
        return pair12(
            {**self.client, "randomness": Seeded(f"client {self.count}"), **(client or {})},
            {**self.server, "randomness": Seeded(f"server {self.count}"), **(server or {})},
            client_trace=self.traces[0],
            server_trace=self.traces[1],
            **more,
        )

    @property
    def reason(self) -> str:
        """Why the server did not resume."""
        declined = [one for one in notes(self.traces[1], "resumption") if one.chosen == "declined"]
        return declined[-1].why if declined else ""

    @property
    def session(self) -> Session | None:
        return self.cache.find(SERVER_NAME, self.clock().timestamp())


def resumed(pair: Pair) -> bool:
    """Whether both ends say so, after a handshake that went well."""
    pair.done()
    client, server = pair.client.facts, pair.server.facts
    assert client is not None
    assert server is not None
    assert client.resumed == server.resumed
    return client.resumed


def hello_of(change: Any, cls: type = ClientHello) -> Any:
    return lambda message: change(message) if type(message) is cls else message


def without(message: Any, *kinds: int) -> Any:
    return replace(message, extensions=message.extensions.without(*kinds))


@pytest.mark.parametrize("way", WAYS)
def test_the_short_handshake(way: str) -> None:
    friends = Friends(way)
    pair = friends.meet()
    assert resumed(pair)
    assert names(friends.traces[0], "sent") == SHORT
    extra = ["NewSessionTicket"] if way == "ticket" else []
    assert names(friends.traces[0], "received") == ["ServerHello", *extra, "Finished"]
    for first, again in (
        (friends.first.client.facts, pair.client.facts),
        (friends.first.server.facts, pair.server.facts),
    ):
        assert first is not None
        assert again is not None
        for name in ("version", "cipher_suite", "group", "server_name", "peer_chain", "peer_signature_scheme"):
            assert getattr(first, name) == getattr(again, name), name
    # New randoms, new keys, and the same master secret.
    labels = [one for one in friends.traces[0].of(t.Secret) if one.label == "CLIENT_RANDOM"]
    assert len(labels) == 1
    assert pair.client.export_keying_material(b"EXPERIMENTAL x", 32) != friends.first.client.export_keying_material(
        b"EXPERIMENTAL x", 32
    )
    # RFC 5929 section 3: the first Finished, which is the server's here.
    finished = next(one for one in friends.traces[0].of(t.Message) if one.name == "Finished")
    assert finished.direction == "received"
    for kind in ("tls-unique", "tls-server-end-point", "tls-exporter"):
        assert pair.client.channel_binding(kind) == pair.server.channel_binding(kind)
    assert pair.client.channel_binding("tls-unique") == finished.raw[4:]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("suite", ["RSA", "ChaCha"])
def test_other_suites(way: str, suite: str) -> None:
    suites = RSA_KEY_TRANSPORT if suite == "RSA" else (CipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,)
    both: dict[str, Any] = {"cipher_suites": suites}
    assert resumed(Friends(way, both, {**both, "identities": [issued("RSA-2048")]}).meet())


@pytest.mark.parametrize("way", WAYS)
def test_again_and_again(way: str) -> None:
    friends = Friends(way)
    for _ in range(5):
        friends.clock.forward(minutes=5)
        assert resumed(friends.meet())


def test_a_renewed_ticket_does_not_outlive_the_week() -> None:
    friends = Friends(server={"tickets": TicketKeys(lifetime=3 * 24 * 3600)})
    for _ in range(3):
        friends.clock.forward(days=2)
        assert resumed(friends.meet())
    assert friends.session is not None
    assert friends.session.created_at == NOW.timestamp()
    assert friends.session.lifetime <= 24 * 3600
    friends.clock.forward(days=1)
    assert not resumed(friends.meet())


def test_a_session_id_is_forgotten_in_an_hour() -> None:
    friends = Friends("session ID")
    friends.clock.forward(minutes=59)
    assert resumed(friends.meet())
    friends.clock.forward(minutes=2)
    assert not resumed(friends.meet())


def test_who_gets_a_ticket_needs_no_session_id() -> None:
    store = MemorySessionStore()
    friends = Friends(server={"session_store": store})
    assert "0 sessions" in repr(store)
    assert friends.session is not None
    assert friends.session.ticket
    assert not friends.session.session_id
    without_tickets = friends.meet({"rewrite": hello_of(lambda hello: without(hello, x.SESSION_TICKET.type))})
    assert not resumed(without_tickets)
    assert "1 sessions" in repr(store)


def test_the_echo_tells_that_a_ticket_was_taken() -> None:
    # RFC 5077 section 3.4: also from a client that sends no session ID of its own accord.
    friends = Friends(client={"middlebox_compatibility": False})
    assert resumed(friends.meet())
    hello = next(one for one in friends.traces[0].of(t.Message) if one.name == "ClientHello")
    echo = next(one for one in friends.traces[0].of(t.Message) if one.name == "ServerHello")
    assert ClientHello.decode(hello.raw[4:]).session_id == ServerHello.decode(echo.raw[4:]).session_id != b""


@pytest.mark.parametrize("way", WAYS)
def test_a_session_ends_where_its_resumption_fails(way: str) -> None:
    # RFC 5246 section 7.2.2. What a server has sealed into a ticket it can't take back.
    friends = Friends(way)
    session = friends.session
    assert session is not None
    cache = MemorySessionCache()
    cache.put(SERVER_NAME, replace(session, secret=bytes(48)))
    failed = friends.meet({"sessions": cache}).run()
    assert isinstance(failed.errors["client"], PeerViolation)
    assert isinstance(failed.errors["server"], AlertReceived)
    assert cache.find(SERVER_NAME, NOW.timestamp()) is None
    assert resumed(friends.meet()) is (way == "ticket")


# Not resumed, and the reason


def test_an_unknown_session_id() -> None:
    friends = Friends("session ID")
    assert not resumed(friends.meet(server={"session_store": MemorySessionStore()}))
    assert "session ID is not, or no longer, known here" in friends.reason
    # A client of both versions makes up a session ID for middleboxes, which nobody needs to wonder about.
    both = {"max_version": ProtocolVersion.TLS1_3, "sessions": MemorySessionCache()}
    assert not resumed(friends.meet(both))
    assert friends.reason == ""


def test_an_expired_ticket_is_not_even_offered() -> None:
    friends = Friends()
    friends.clock.forward(hours=13)
    assert friends.session is None
    assert not resumed(friends.meet())
    assert friends.reason == ""


def spoilt(friends: Friends, ticket: bytes) -> Pair:
    assert friends.session is not None
    cache = MemorySessionCache()
    cache.put(SERVER_NAME, replace(friends.session, ticket=ticket))
    return friends.meet({"sessions": cache})


def test_an_expired_ticket_that_is_offered_all_the_same() -> None:
    friends = Friends()
    session = friends.session
    assert session is not None
    friends.clock.forward(hours=13)
    cache = MemorySessionCache()
    cache.put(SERVER_NAME, replace(session, issued_at=friends.clock().timestamp()))
    assert not resumed(friends.meet({"sessions": cache}))
    assert "expired" in friends.reason


def test_a_foreign_ticket() -> None:
    friends = Friends()
    assert not resumed(friends.meet(server={"tickets": TicketKeys()}))
    assert "not, or no longer, known here" in friends.reason
    assert names(friends.traces[0], "received")[-2:] == ["NewSessionTicket", "Finished"]


@pytest.mark.parametrize("place", [0, 15, 16, 27, 28, 60, -1])
def test_a_damaged_ticket(place: int) -> None:
    friends = Friends()
    assert friends.session is not None
    ticket = bytearray(friends.session.ticket)
    ticket[place] ^= 1
    assert not resumed(spoilt(friends, bytes(ticket)))
    name_was_changed = place in range(16)
    assert ("known here" if name_was_changed else "it was changed") in friends.reason


@pytest.mark.parametrize("length", [1, 15, 16, 17, 28, 29, 43, 44])
def test_a_ticket_cut_short(length: int) -> None:
    friends = Friends()
    assert friends.session is not None
    assert not resumed(spoilt(friends, friends.session.ticket[:length]))
    assert friends.reason


def test_a_ticket_with_something_else_in_it() -> None:
    friends = Friends()
    for inside in (b"", b"anything", bytes(200)):
        keys = friends.server["tickets"]
        assert not resumed(spoilt(friends, keys.seal(inside, NOW.timestamp())))
        assert friends.reason


def test_a_server_without_tickets_ignores_one() -> None:
    friends = Friends()
    assert not resumed(friends.meet(server={"tickets": None}))
    assert "NewSessionTicket" not in names(friends.traces[0], "received")


def test_a_ticket_of_tls_1_3_is_no_session_of_tls_1_2() -> None:
    friends = Friends()
    assert friends.session is not None
    keys = friends.server["tickets"]
    inside = replace(friends.session, version=ProtocolVersion.TLS1_3, server_name=SERVER_NAME).encode()
    assert not resumed(spoilt(friends, keys.seal(inside, NOW.timestamp())))
    assert "TLS 1.3" in friends.reason


@pytest.mark.parametrize("way", WAYS)
def test_bound_to_the_cipher_suite(way: str) -> None:
    friends = Friends(way)
    other = {"cipher_suites": [CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]}
    assert not resumed(friends.meet(server=other))
    assert "is not offered, or not allowed any more" in friends.reason
    assert not resumed(Friends(way).meet(client=other))


@pytest.mark.parametrize("way", WAYS)
def test_bound_to_the_server_name(way: str) -> None:
    both_names = rsa_authority().issue_server(SERVER_NAME, "other.example").identity()
    friends = Friends(way, server={"identities": [both_names]})
    assert friends.session is not None
    friends.cache.put("other.example", friends.session)
    assert not resumed(friends.meet(server_name="other.example"))
    assert friends.reason == f"the session can't be resumed: it was made for {SERVER_NAME}"


@pytest.mark.parametrize("way", WAYS)
def test_bound_to_the_servers_certificate(way: str) -> None:
    friends = Friends(way)
    assert not resumed(friends.meet(server={"identities": [issued("P-256")]}))
    assert "certificate that is not shown any more" in friends.reason


@pytest.mark.parametrize("way", WAYS)
def test_bound_to_the_clients_certificate(way: str) -> None:
    mutual = {"client_auth": ClientAuth.REQUIRED}
    friends = Friends(way, {"identity": client_identity()}, mutual)
    again = friends.meet()
    assert resumed(again)
    assert again.server.peer is not None
    assert again.server.peer.names == friends.first.server.peer.names  # type: ignore[union-attr]
    assert again.client.facts is not None
    assert again.client.facts.identity is not None
    # The session belongs to that certificate: who has another one, or none, does not offer it.
    session = friends.session
    assert session is not None
    for identity in (None, rsa_authority().issue_client("somebody else").identity()):
        cache = MemorySessionCache()
        cache.put(SERVER_NAME, session)
        pair = friends.meet({"identity": identity, "sessions": cache}, {"client_auth": ClientAuth.REQUESTED})
        assert not resumed(pair)
        assert pair.server.peer is None


@pytest.mark.parametrize("way", WAYS)
def test_a_session_without_a_client_certificate_is_not_enough_where_one_is_required(way: str) -> None:
    friends = Friends(way)
    pair = friends.meet({"identity": client_identity()}, {"client_auth": ClientAuth.REQUIRED})
    assert not resumed(pair)
    assert "had shown no certificate, which is required now" in friends.reason
    assert pair.server.peer is not None


@pytest.mark.parametrize("way", WAYS)
def test_the_clients_certificate_is_judged_again(way: str) -> None:
    short = rsa_authority().issue_client("brief.example", lifetime=dt.timedelta(minutes=90)).identity()
    friends = Friends(way, {"identity": short}, {"client_auth": ClientAuth.REQUIRED, "trust": both_anchors()})
    friends.clock.forward(minutes=10)
    assert resumed(friends.meet())
    friends.clock.forward(minutes=30)
    pair = friends.meet().run()
    assert "the client's certificate is not good any more" in friends.reason
    assert "expired" in friends.reason
    # And in the full handshake that follows it is refused for itself.
    assert isinstance(pair.errors["server"], CertificateRejected)
    assert pair.errors["server"].alert is A.certificate_expired


def test_the_applications_last_word_counts_again() -> None:
    friends = Friends(client={"identity": client_identity()}, server={"client_auth": ClientAuth.REQUIRED})

    def refuse(_: Any) -> None:
        raise ValueError("not any more")

    pair = friends.meet(server={"on_verified": refuse}).run()
    assert isinstance(pair.errors["server"], ValueError)
    assert not pair.client.handshake_complete


@pytest.mark.parametrize("way", WAYS)
def test_the_servers_certificate_is_judged_again(way: str) -> None:
    """What fails is forgotten, so that the next handshake is a full one and can go well."""
    old = rsa_authority().issue_server(SERVER_NAME, lifetime=dt.timedelta(minutes=90)).identity()
    friends = Friends(way, server={"identities": [old]})
    friends.clock.forward(minutes=31)
    pair = friends.meet().run()
    assert isinstance(pair.errors["client"], CertificateRejected)
    assert pair.errors["client"].alert is A.certificate_expired
    assert friends.session is None
    assert not resumed(friends.meet(server={"identities": [issued("P-256")]}))
    assert resumed(friends.meet(server={"identities": [issued("P-256")]}))


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_stapled_to_a_resumption_and_nothing_is_demanded(way: str) -> None:
    stapled = issued("RSA-2048").with_ocsp_response(response())
    strict = {"verification": VerificationPolicy(require_staple=True)}
    friends = Friends(way, strict, {"identities": [stapled]})
    assert resumed(friends.meet())
    assert "CertificateStatus" not in names(friends.traces[0], "received")


# The extended master secret (RFC 7627 section 5.3)

LENIENT = {"require_extended_master_secret": False}


def no_ems(message: Any) -> Any:
    if isinstance(message, ClientHello | ServerHello):
        return without(message, x.EXTENDED_MASTER_SECRET.type)
    return message


@pytest.mark.parametrize("lenient", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_a_session_with_it_is_not_resumed_without_it_by_a_server(way: str, lenient: bool) -> None:
    settings = LENIENT if lenient else {}
    friends = Friends(way, settings, settings)
    pair = friends.meet({"rewrite": no_ems}).run()
    error = pair.errors["server"]
    assert isinstance(error, PeerViolation)
    assert error.code == ("changed-extended-master-secret" if lenient else "no-extended-master-secret")
    assert isinstance(pair.errors["client"], AlertReceived)
    assert pair.errors["client"].description is A.handshake_failure
    assert friends.session is None


@pytest.mark.parametrize("lenient", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_a_session_with_it_is_not_resumed_without_it_by_a_client(way: str, lenient: bool) -> None:
    friends = Friends(way, LENIENT if lenient else {})
    pair = friends.meet(server={"rewrite": no_ems}).run()
    error = pair.errors["client"]
    assert isinstance(error, PeerViolation)
    assert error.code == ("changed-extended-master-secret" if lenient else "no-extended-master-secret")
    assert isinstance(pair.errors["server"], AlertReceived)
    assert pair.errors["server"].description is A.handshake_failure


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("then", ["still without", "now with it"])
def test_a_session_without_it_is_resumed_without_it_alone(way: str, then: str) -> None:
    # RFC 7627 sections 5.3 and 5.4: only where the setting does without it, and where both sides still do.
    friends = Friends(way, {**LENIENT, "rewrite": no_ems}, LENIENT)
    assert friends.session is not None
    assert not friends.session.extended_master_secret
    pair = friends.meet() if then == "still without" else friends.meet({"rewrite": None})
    assert resumed(pair) is (then == "still without")


@pytest.mark.parametrize("way", WAYS)
def test_a_session_without_it_is_forgotten_where_it_is_required(way: str) -> None:
    friends = Friends(way, {**LENIENT, "rewrite": no_ems}, LENIENT)
    assert not resumed(friends.meet({"rewrite": None, "require_extended_master_secret": True}))


@pytest.mark.parametrize("way", WAYS)
def test_a_session_without_it_is_not_resumed_with_it_by_a_client(way: str) -> None:
    friends = Friends(way, LENIENT)
    assert friends.session is not None
    cache = MemorySessionCache()
    cache.put(SERVER_NAME, replace(friends.session, extended_master_secret=False))
    pair = friends.meet({"sessions": cache}).run()
    assert isinstance(pair.errors["client"], PeerViolation)
    assert pair.errors["client"].code == "changed-extended-master-secret"
    assert isinstance(pair.errors["server"], AlertReceived)


@pytest.mark.parametrize("way", WAYS)
def test_a_resumption_without_it_exports_nothing(way: str) -> None:
    friends = Friends(way, {**LENIENT, "rewrite": no_ems}, LENIENT)
    pair = friends.meet()
    assert resumed(pair)
    for side in (pair.client, pair.server):
        for kind in ("tls-unique", "tls-exporter"):
            with pytest.raises(Misuse) as caught:
                side.channel_binding(kind)
            assert caught.value.code == "no-extended-master-secret"


def test_an_echo_where_there_was_nothing_to_resume() -> None:
    # RFC 8446 appendix D.4: the session ID that a client makes up for middleboxes is no session.
    said: list[bytes] = []

    def heard(message: Any) -> Any:
        said.append(message.session_id)
        return message

    both = {"max_version": ProtocolVersion.TLS1_3, "rewrite": hello_of(heard)}
    change = hello_of(lambda hello: replace(hello, session_id=said[0]), ServerHello)
    pair = pair12(both, {"rewrite": change}).run()
    assert len(said[0]) == 32
    assert isinstance(pair.errors["client"], PeerViolation)
    assert pair.errors["client"].code == "bad-session-id-echo"


# What a lying server may not do


def test_resumed_with_another_suite() -> None:
    friends = Friends()
    other = CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
    change = hello_of(lambda hello: replace(hello, cipher_suite=other), ServerHello)
    pair = friends.meet(server={"rewrite": change}).run()
    assert isinstance(pair.errors["client"], PeerViolation)
    assert pair.errors["client"].code == "resumed-with-other-parameters"
    assert friends.session is None


def test_a_promised_ticket_may_be_empty() -> None:
    # RFC 5077 section 3.3: the server thought better of it; what the client had goes on being good.
    friends = Friends()
    before = friends.session
    empty = hello_of(lambda ticket: NewSessionTicket(0, b""), NewSessionTicket)
    assert resumed(friends.meet(server={"rewrite": empty}))
    assert friends.session == before
    assert resumed(friends.meet())


@pytest.mark.parametrize("hint", [0, 60, 0xFFFFFFFF])
def test_the_lifetime_hint_is_bounded(hint: int) -> None:
    change = hello_of(lambda ticket: replace(ticket, ticket_lifetime_hint=hint), NewSessionTicket)
    friends = Friends(server={"rewrite": change})
    assert friends.session is not None
    lifetime = friends.session.expires_at() - NOW.timestamp()
    # RFC 5077 section 3.3: 0 says nothing; more than a week is never believed.
    assert lifetime == {0: 3600, 60: 60, 0xFFFFFFFF: 7 * 24 * 3600}[hint]


def test_a_ticket_tells_nothing_and_fits_nobody_else() -> None:
    friends = Friends(client={"identity": client_identity()}, server={"client_auth": ClientAuth.REQUIRED})
    session = friends.session
    assert session is not None
    assert session.secret not in session.ticket
    assert client_identity().chain[0] not in session.ticket
    assert server_identity().fingerprint.encode() not in session.ticket
    # Whoever steals the ticket lacks the master secret, and gets no further than the server's Finished.
    cache = MemorySessionCache()
    cache.put(SERVER_NAME, replace(session, secret=bytes(48)))
    pair = friends.meet({"sessions": cache}).run()
    assert isinstance(pair.errors["client"], PeerViolation)
    assert not pair.server.handshake_complete
    assert pair.server.peer is None
