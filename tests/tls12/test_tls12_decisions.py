"""Decisions that the application takes itself, and record sizes, in TLS 1.2."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from certificates import client_identity, server_identity, signing, stranger
from memory import Pair
from puppet12 import issued, pair12

from tlscope import (
    CertificateRejected,
    ChooseClientIdentity,
    ChooseServerIdentity,
    ClientAuth,
    DataReceived,
    DecisionNeeded,
    Identity,
    MemorySessionCache,
    PeerViolation,
    Sign,
    SignatureScheme,
    TicketKeys,
    TrustAnchors,
    VerifyPeer,
)
from tlscope.wire import extensions as x
from tlscope.wire.handshake import ClientHello, ServerHello

EVERYTHING = frozenset({ChooseServerIdentity, ChooseClientIdentity, Sign, VerifyPeer})


def decided(pair: Pair, answer: Any = lambda decision: decision.resolve()) -> list[tuple[str, str]]:
    """Run a pair whose sides ask, answer each question, and give who asked what."""
    asked: list[tuple[str, str]] = []
    pair.start()
    moved = True
    while moved:
        moved = pair.move("client") | pair.move("server")
        for role in ("client", "server"):
            side, events = pair.side(role), pair.events[role]
            while events and isinstance(events[-1], DecisionNeeded) and role not in pair.errors:
                decision = events.pop().decision
                asked.append((role, type(decision).__name__))
                value: Any
                try:
                    value = answer(decision)
                except CertificateRejected as refusal:
                    value = refusal
                pair._watched(role, lambda side=side, value=value, events=events: events.extend(side.answer(value)))
                moved = True
    return asked


def mutual(**more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    client = {"identity": client_identity(), "ask": EVERYTHING, **more}
    return client, {"client_auth": ClientAuth.REQUIRED, "ask": EVERYTHING}


def test_each_side_is_asked_in_order() -> None:
    pair = pair12(*mutual())
    assert decided(pair) == [
        ("server", "ChooseServerIdentity"),
        ("server", "Sign"),
        ("client", "VerifyPeer"),
        ("client", "ChooseClientIdentity"),
        ("client", "Sign"),
        ("server", "VerifyPeer"),
    ]
    assert not pair.errors
    assert pair.client.handshake_complete
    assert pair.server.handshake_complete
    assert pair.server.peer is not None


def test_nothing_moves_while_a_decision_is_awaited() -> None:
    pair = pair12({}, {"ask": {Sign}}).start()
    pair.move("client")
    events = pair.events["server"]
    assert isinstance(events[-1], DecisionNeeded)
    assert not pair.server.handshake_complete
    decision = events[-1].decision
    assert isinstance(decision, Sign)
    assert len(decision.data) == 64 + 4 + 32  # both randoms and the key
    events += pair.server.answer(decision.resolve())
    while pair.move("server") | pair.move("client"):
        pass
    assert pair.client.handshake_complete


def test_a_wrong_signature_is_found_out() -> None:
    pair = pair12({}, {"ask": {Sign}})
    decided(pair, lambda decision: b"\x30\6\2\1\1\2\1\1")
    assert isinstance(pair.errors["client"], PeerViolation)
    assert pair.errors["client"].code == "bad-certificate-verify"


def test_the_application_is_asked_about_a_session_too() -> None:
    cache, keys = MemorySessionCache(), TicketKeys()
    server = {"client_auth": ClientAuth.REQUIRED, "tickets": keys, "ask": frozenset({VerifyPeer})}
    client = {"identity": client_identity(), "sessions": cache}
    resumed_flags: list[bool] = []

    def note(decision: Any) -> Any:
        resumed_flags.append(decision.resumed)
        return decision.resolve()

    decided(pair12(client, server), note)
    pair = pair12(client, server)
    decided(pair, note)
    assert resumed_flags == [False, True]
    assert pair.server.facts is not None
    assert pair.server.facts.resumed

    # Refused for the session, it goes on with a full handshake, in which the application is asked again.
    def refuse_resumption(decision: Any) -> Any:
        if decision.resumed:
            strangers = pair12({"identity": client_identity()}, {"client_auth": ClientAuth.REQUIRED}).server.config
            raise_for(strangers, decision.chain)
        return decision.resolve()

    third = pair12(client, server)
    assert decided(third, refuse_resumption) == [("server", "VerifyPeer")] * 2
    assert third.server.facts is not None
    assert not third.server.facts.resumed


def raise_for(config: Any, chain: Any) -> None:
    config.replace(trust=TrustAnchors.from_certificates([stranger().certificate])).verifier.verify(chain)


def test_a_key_that_lives_elsewhere() -> None:
    elsewhere = Identity.with_signer(server_identity().chain, signing(10), [SignatureScheme.ecdsa_secp256r1_sha256])
    assert pair12({}, {"identities": [elsewhere]}).done().client.handshake_complete


# Record sizes (RFC 8449, RFC 6066 section 4)


def lengths(data: bytes) -> list[int]:
    found = []
    while data:
        length = int.from_bytes(data[3:5], "big")
        found.append(length)
        data = data[5 + length :]
    return found


def test_record_size_limit_holds_for_what_is_protected() -> None:
    # RFC 8449 section 4: in TLS 1.2 it counts the content alone.
    pair = pair12({"record_size_limit": 100}, {"record_size_limit": 200}).done()
    pair.server.send_data(bytes(1000))
    assert max(lengths(pair.server.data_to_send())) == 100 + 24
    pair.client.send_data(bytes(1000))
    sent = pair.client.data_to_send()
    assert max(lengths(sent)) == 200 + 24
    received = [event.data for event in pair.server.receive_data(sent) if isinstance(event, DataReceived)]
    assert b"".join(received) == bytes(1000)


def test_what_is_longer_than_was_allowed_is_refused() -> None:
    pair = pair12({"record_size_limit": 100}, {}).done()
    pair.server._records.max_fragment = 101
    pair.server.send_data(bytes(101))
    pair.move("server")
    assert isinstance(pair.errors["client"], PeerViolation)
    assert pair.errors["client"].code == "record-too-long"


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_max_fragment_length(code: int) -> None:
    def ask(message: Any) -> Any:
        if type(message) is ClientHello:
            return replace(message, extensions=message.extensions.with_(x.MAX_FRAGMENT_LENGTH(code)))
        return message

    seen: list[int | None] = []

    def answer(message: Any) -> Any:
        if type(message) is ServerHello:
            seen.append(message.extensions.get(x.MAX_FRAGMENT_LENGTH))
        return message

    server = {"identities": [issued("RSA-2048")], "rewrite": answer}
    pair = pair12({"rewrite": ask}, server).run()
    assert seen == [code]
    assert max(lengths(pair.sent[1][1])) <= 1 << (8 + code)
