"""What an application decides: at once by hooks, later by answers; and hooks that fail."""

from __future__ import annotations

from typing import Any

import pytest
from certificates import (
    client_identity,
    identity,
    root,
    server_identity,
    stranger_identity,
)
from memory import Connection, Pair, client_config, server_config
from puppet import CCS, Puppet, record
from scenarios import MUTUAL, recorded

from tlscope import (
    AlertDescription,
    AlertReceived,
    CertificateRejected,
    ChooseClientIdentity,
    ChooseServerIdentity,
    ClientAuth,
    DataReceived,
    DecisionNeeded,
    HandshakeCompleted,
    Identity,
    Incompatible,
    Misuse,
    NamedGroup,
    ProtocolVersion,
    Sign,
    SignatureScheme,
    TLSError,
    Trace,
    VerifyPeer,
)
from tlscope import trace as t
from tlscope.events import Event

ALL = {
    "client": [VerifyPeer, ChooseClientIdentity, Sign],
    "server": [ChooseServerIdentity, Sign, VerifyPeer],
}
ROLES = ["client", "server"]
MUTUAL_CLIENT: dict[str, Any] = {"identity": client_identity()}
MUTUAL_SERVER: dict[str, Any] = {"client_auth": ClientAuth.REQUIRED}


def mutual(client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, **pair: Any) -> Pair:
    client, server = {**MUTUAL_CLIENT, **(client or {})}, {**MUTUAL_SERVER, **(server or {})}
    return Pair(client_config(**client), server_config(**server), **pair)


def asking(role: str, *kinds: type, **pair: Any) -> Pair:
    """A mutual handshake in which one side is asked about these."""
    ask = {"ask": frozenset(kinds)}
    return mutual(ask if role == "client" else None, ask if role == "server" else None, **pair)


def pending(events: list[Event]) -> Any:
    """The decision that is waited for."""
    assert isinstance(events[-1], DecisionNeeded)
    return events[-1].decision


def answer_all(pair: Pair, role: str) -> list[type]:
    """Answer every decision that is waited for as the configuration would; gives their kinds."""
    asked = []
    while pair.events[role] and isinstance(pair.events[role][-1], DecisionNeeded):
        decision = pair.events[role].pop().decision  # type: ignore[attr-defined]
        asked.append(type(decision))
        assert pair.side(role).awaiting == ()
        assert not pair.side(role).handshake_complete
        # While it is thought about, nothing more happens.
        assert pair.side(role).receive_data(b"") == []
        pair.events[role] += pair.side(role).answer(decision.resolve())
    return asked


# Answers


@pytest.mark.parametrize("role", ROLES)
def test_every_decision_can_be_answered_later(role: str) -> None:
    pair = asking(role, *ALL[role]).start()
    side, asked = pair.side(role), []
    while pair.move("client") | pair.move("server"):
        asked += answer_all(pair, role)
    assert asked == ALL[role]
    assert pair.errors == {}
    assert pair.client.handshake_complete
    assert pair.server.handshake_complete
    with pytest.raises(Misuse):
        side.answer(None)


@pytest.mark.parametrize("role", ROLES)
def test_answers_lead_where_the_configuration_would(role: str) -> None:
    sink = Trace()
    pair = asking(role, *ALL[role], **{f"{role}_trace": sink}).start()
    while pair.move("client") | pair.move("server"):
        answer_all(pair, role)
    # The messages are the recorded ones; how they were cut into records may differ.
    messages = [event.raw for event in sink.of(t.Message) if event.direction == "sent"]
    assert messages == [one.raw for one in recorded(MUTUAL).by(role) if one.name != CCS]


def test_what_comes_while_a_decision_is_awaited_is_kept() -> None:
    """The rest of the flight, in as many reads as it likes, and in small records."""
    pair = mutual({"ask": frozenset({VerifyPeer})}, {"max_fragment": 64}).start()
    pair.move("client")
    flight = pair.server.data_to_send()
    asked = 0
    for start in range(0, len(flight), 50):
        events = pair.client.receive_data(flight[start : start + 50])
        asked += bool(events)
        pair.events["client"] += events
    assert asked >= 1
    decision = pending(pair.events["client"])
    events = pair.client.answer(decision.resolve())
    assert [type(event) for event in events] == [HandshakeCompleted]
    pair.move("client")
    assert pair.server.handshake_complete


def test_data_behind_the_handshake_waits_for_the_decision_too() -> None:
    pair = mutual(None, {"ask": frozenset({VerifyPeer})}).start()
    pair.move("client")
    pair.move("server")
    pair.client.send_data(b"early bird")
    pair.client.close()
    pair.move("client")
    assert not any(isinstance(event, DataReceived) for event in pair.events["server"])
    events = pair.server.answer(pending(pair.events["server"]).resolve())
    assert [type(event).__name__ for event in events] == ["HandshakeCompleted", "DataReceived", "PeerClosed"]


def test_a_decision_that_waits_is_told_again_with_whatever_comes() -> None:
    pair = mutual(None, {"ask": frozenset({VerifyPeer})}).start()
    pair.move("client")
    pair.move("server")
    pair.client.send_data(b"data")
    flight = pair.client.data_to_send()
    first, second = (pair.server.receive_data(part) for part in (flight[:-10], flight[-10:]))
    assert pending(first) is pending(second)
    assert len(first) == len(second) == 1


def test_nothing_is_said_by_an_answer_that_comes_after_close() -> None:
    pair = asking("client", ChooseClientIdentity).run()
    decision = pending(pair.events["client"])
    pair.client.close()
    assert pair.client.data_to_send()
    assert pair.client.answer(decision.resolve()) == []
    assert pair.client.data_to_send() == b""
    assert not pair.client.handshake_complete


def test_a_verdict_can_be_no() -> None:
    pair = asking("server", VerifyPeer).run()
    decision = pending(pair.events["server"])
    assert isinstance(decision, VerifyPeer)
    assert decision.chain == client_identity().chain
    refusal = TLSError("not today", code="not-authorised", alert=AlertDescription.access_denied)
    with pytest.raises(TLSError) as caught:
        pair.server.answer(refusal)
    assert caught.value is refusal
    assert pair.server.error is refusal
    pair.move("server")
    told = pair.errors["client"]
    assert isinstance(told, AlertReceived)
    assert told.description is AlertDescription.access_denied
    # It stays so.
    with pytest.raises(TLSError) as again:
        pair.server.answer(None)
    assert again.value is refusal
    assert not pair.server.handshake_complete
    assert pair.server.data_to_send() == b""


def test_an_answer_that_is_some_other_exception_is_an_internal_error() -> None:
    pair = asking("client", Sign).run()
    with pytest.raises(ConnectionError):
        pair.client.answer(ConnectionError("the token does not answer"))
    pair.move("client")
    told = pair.errors["server"]
    assert isinstance(told, AlertReceived)
    assert told.description is AlertDescription.internal_error


def test_a_verdict_of_none_accepts_without_a_verdict() -> None:
    pair = mutual(
        {"identity": stranger_identity()}, {"ask": frozenset({VerifyPeer}), "send_certificate_authorities": False}
    ).run()
    decision = pending(pair.events["server"])
    with pytest.raises(CertificateRejected):
        decision.resolve()
    pair.server.answer(None)
    assert pair.server.handshake_complete
    assert pair.server.peer is None
    assert pair.server.facts is not None
    assert pair.server.facts.peer_chain == stranger_identity().chain


def test_a_client_can_choose_to_show_nothing() -> None:
    pair = mutual({"ask": frozenset({ChooseClientIdentity})}, {"client_auth": ClientAuth.REQUESTED}).run()
    decision = pending(pair.events["client"])
    assert isinstance(decision, ChooseClientIdentity)
    assert SignatureScheme.ecdsa_secp256r1_sha256 in decision.signature_schemes
    assert decision.certificate_authorities
    pair.client.answer(None)
    pair.move("client")
    assert pair.server.handshake_complete
    assert pair.client.facts is not None
    assert pair.client.facts.identity is None
    assert pair.client.facts.identity_refusal


def test_a_server_chooses_by_name_later() -> None:
    other = identity(root(), "other.example", 20)
    pair = Pair(
        client_config(),
        server_config(identities=[server_identity(), other], ask=frozenset({ChooseServerIdentity})),
        server_name="other.example",
    ).run()
    decision = pending(pair.events["server"])
    assert isinstance(decision, ChooseServerIdentity)
    assert decision.server_name == "other.example"
    assert decision.resolve() is other
    pair.server.answer(other)
    pair.run()
    assert pair.client.handshake_complete
    assert pair.client.facts is not None
    assert pair.client.facts.peer_chain == other.chain


def test_a_wrong_signature_from_outside_is_found_by_the_peer() -> None:
    pair = asking("server", Sign).run()
    decision = pending(pair.events["server"])
    assert isinstance(decision, Sign)
    assert decision.identity is server_identity()
    pair.server.answer(b"no signature")
    pair.run()
    assert getattr(pair.errors["client"], "code", "") == "bad-certificate-verify"


# Hooks


def test_a_hook_chooses_the_servers_identity() -> None:
    other = identity(root(), "other.example", 20)
    asked = []

    def choose(decision: ChooseServerIdentity) -> Identity | None:
        asked.append(decision.server_name)
        return other if decision.server_name == "other.example" else None

    for name in ("localhost", "other.example"):
        config = server_config(identities=[server_identity()], choose_identity=choose)
        pair = Pair(client_config(), config, server_name=name).done()
        assert pair.server.facts is not None
        assert pair.server.facts.identity is (other if name == "other.example" else server_identity())
    assert asked == ["localhost", "other.example"]


@pytest.mark.parametrize("version", [ProtocolVersion.TLS1_3, ProtocolVersion.TLS1_2], ids=str)
def test_a_server_may_have_no_identity_but_those_that_the_application_chooses(version: ProtocolVersion) -> None:
    only = {"min_version": version, "max_version": version, "groups": (NamedGroup.x25519, NamedGroup.secp256r1)}
    by_hook = server_config(**only, identities=[], choose_identity=lambda decision: server_identity())
    assert Pair(client_config(**only), by_hook).done().server.facts.identity is server_identity()

    by_answer = server_config(**only, identities=[], ask=frozenset({ChooseServerIdentity}))
    pair = Pair(client_config(**only), by_answer).run()
    pair.server.answer(server_identity())
    assert pair.run().server.facts.identity is server_identity()

    nobody = Pair(
        client_config(**only), server_config(**only, identities=[], choose_identity=lambda decision: None)
    ).run()
    assert isinstance(nobody.errors["server"], Incompatible)


@pytest.mark.parametrize("role", ROLES)
def test_on_verified_has_the_last_word(role: str) -> None:
    seen = []

    def refuse(peer: Any) -> None:
        seen.append(peer.names.dns)
        raise TLSError("not on the list", code="not-authorised", alert=AlertDescription.access_denied)

    hook = {"on_verified": refuse}
    pair = mutual(hook if role == "client" else None, hook if role == "server" else None).run()
    assert seen == [("localhost",) if role == "client" else ("client.example",)]
    error = pair.errors[role]
    assert isinstance(error, TLSError)
    assert error.code == "not-authorised"
    told = pair.errors["server" if role == "client" else "client"]
    assert isinstance(told, AlertReceived)
    assert told.description is AlertDescription.access_denied


class Broken(Exception):
    """What an application's hook may raise."""


def broken(*_: Any) -> Any:
    raise Broken


def failing_signer() -> Identity:
    return Identity.with_signer(server_identity().chain, broken, [SignatureScheme.ecdsa_secp256r1_sha256])


# The side whose hook fails, the settings, and whether the other side is there to be told.
HOOKS = {
    "on_verified, client": ("client", {"on_verified": broken}),
    "on_verified, server": ("server", {"on_verified": broken}),
    "key_log, client": ("client", {"key_log": broken}),
    "key_log, server": ("server", {"key_log": broken}),
    "choose_identity": ("server", {"choose_identity": broken}),
    "signer": ("server", {"identities": [failing_signer()]}),
    "client's signer": (
        "client",
        {"identity": Identity.with_signer(client_identity().chain, broken, [SignatureScheme.ecdsa_secp256r1_sha256])},
    ),
    "clock, client": ("client", {"clock": broken}),
    "rewrite, server": ("server", {"rewrite": broken}),
    "record_padding, server": ("server", {"record_padding": broken}),
    "record_padding, client": ("client", {"record_padding": broken}),
}


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_that_fails_is_an_internal_error_to_the_peer(name: str) -> None:
    role, settings = HOOKS[name]
    pair = mutual(settings if role == "client" else None, settings if role == "server" else None).run()
    assert isinstance(pair.errors[role], Broken)
    side: Connection = pair.side(role)
    assert isinstance(side.error, TLSError)
    assert side.error.code == "hook-failed"
    told = pair.errors["server" if role == "client" else "client"]
    assert isinstance(told, AlertReceived)
    assert told.description is AlertDescription.internal_error
    # The application hears of its own fault once; afterwards the connection has failed.
    with pytest.raises(TLSError) as caught:
        side.receive_data(b"x")
    assert caught.value.code == "hook-failed"
    assert not side.handshake_complete


def test_a_hook_that_fails_later_ends_the_connection_too() -> None:
    working = True

    def padding(length: int) -> int:
        if not working:
            raise Broken
        return 0

    pair = Pair(client_config(record_padding=padding), server_config()).done()
    working = False
    with pytest.raises(Broken):
        pair.client.send_data(b"never sent")
    pair.move("client")
    told = pair.errors["server"]
    assert isinstance(told, AlertReceived)
    assert told.description is AlertDescription.internal_error
    with pytest.raises(TLSError):
        pair.client.send_data(b"nor this")


def test_a_hook_that_fails_at_the_end_is_told_too() -> None:
    working = True

    def padding(length: int) -> int:
        if not working:
            raise Broken
        return 0

    pair = Pair(client_config(record_padding=padding), server_config()).done()
    working = False
    with pytest.raises(Broken):
        pair.client.close()
    pair.move("client")
    told = pair.errors["server"]
    assert isinstance(told, AlertReceived)
    assert told.description is AlertDescription.internal_error


def test_a_key_log_that_fails_at_a_key_update_ends_the_connection() -> None:
    lines: list[str] = []

    def log(line: str) -> None:
        if "SECRET_1" in line:
            raise Broken
        lines.append(line)

    pair = Pair(client_config(key_log=log), server_config()).done()
    with pytest.raises(Broken):
        pair.client.update_keys()
    pair.move("client")
    told = pair.errors["server"]
    assert isinstance(told, AlertReceived)
    assert told.description is AlertDescription.internal_error


# Messages that have no place in a transcript


def test_the_answer_to_a_late_request_stands_together() -> None:
    """RFC 8446 section 4.6.2: nothing comes between Certificate, CertificateVerify and Finished, whatever is said
    while the signature is made elsewhere."""
    client = {"post_handshake_auth": True, "ask": frozenset({Sign}), "identity": client_identity()}
    pair = Pair(client_config(**client), server_config()).done()
    pair.server.request_client_certificate()
    pair.move("server")
    decision = pending(pair.events["client"])
    pair.client.update_keys()
    pair.client.send_data(b"I am thinking")
    pair.move("client")
    assert pair.errors == {}
    pair.client.answer(decision.resolve())
    pair.client.send_data(b"here you are")
    pair.move("client")
    assert pair.errors == {}
    names = [type(event).__name__ for event in pair.events["server"]]
    assert names[-4:] == ["KeysUpdated", "DataReceived", "PeerAuthenticated", "DataReceived"]


def test_the_answer_to_a_late_request_is_not_sent_after_close() -> None:
    client = {"post_handshake_auth": True, "ask": frozenset({Sign}), "identity": client_identity()}
    pair = Pair(client_config(**client), server_config()).done()
    pair.server.request_client_certificate()
    pair.move("server")
    decision = pending(pair.events["client"])
    pair.client.close()
    pair.move("client")
    pair.client.answer(decision.resolve())
    assert pair.client.data_to_send() == b""
    assert pair.errors == {}


def test_a_request_after_close_is_not_answered() -> None:
    pair = Pair(client_config(post_handshake_auth=True, identity=client_identity()), server_config()).done()
    pair.client.close()
    pair.client.data_to_send()
    pair.server.request_client_certificate()
    pair.move("server")
    assert pair.client.data_to_send() == b""
    assert pair.errors == {}


def test_a_key_update_and_a_second_request_while_an_answer_comes() -> None:
    pair = Pair(client_config(post_handshake_auth=True, identity=client_identity()), server_config()).done()
    pair.server.request_client_certificate()
    pair.move("server")
    answer = pair.client.data_to_send()
    # One record holds the whole answer: cut it into its messages by sending them one at a time.
    pair.server.update_keys()
    pair.server.request_client_certificate()
    pair.give("server", answer)
    pair.move("server")
    pair.move("client")
    assert pair.errors == {}
    assert [type(event).__name__ for event in pair.events["server"]].count("PeerAuthenticated") == 2


def test_a_recording_with_decisions_is_the_same() -> None:
    # What ``Puppet`` replays does not depend on who decides.
    assert record(MUTUAL_CLIENT, MUTUAL_SERVER).flights == recorded(MUTUAL).flights
    assert Puppet(recorded(MUTUAL), "client").victim.error is None
