"""An explanation for everything that can go wrong: none raises, none claims what can't be known."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from certificates import client_identity, server_identity
from hypothesis import given
from hypothesis import strategies as st
from memory import Pair, client_config, server_config

from tlscope import (
    AlertDescription,
    AlertReceived,
    CertificateRejected,
    ClientAuth,
    ConfigError,
    HandshakeTimeout,
    Incompatible,
    Judge,
    Misuse,
    PeerViolation,
    Situation,
    Step,
    TLSError,
    Trace,
    TruncatedStream,
)
from tlscope.errors import Rejection
from tlscope.explain import Diagnosis, compare, diagnose_trace
from tlscope.explain.diagnosis import ATLAS
from tlscope.trace import Failed, Started
from tlscope.trust import reasons
from tlscope.violations import ROWS
from tlscope.wire.codepoints import AlertLevel

A = AlertDescription
ALERTS = [one for one in (AlertDescription.of(number) for number in range(256)) if one.is_named]
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def check(diagnosis: Diagnosis) -> Diagnosis:
    """What holds for each."""
    text = diagnosis.to_text()
    assert diagnosis.cause
    assert diagnosis.step
    assert not any(ord(character) < 32 and character != "\n" for character in text)
    commands = {fix.command for fix in diagnosis.fixes}
    assert all(len(line) <= 80 for line in text.splitlines() if line.strip() not in commands)
    assert json.loads(json.dumps(diagnosis.as_dict()))["id"] == diagnosis.id
    assert diagnosis.id not in {other.id for other in diagnosis.alternatives}
    assert not (
        diagnosis.certain and diagnosis.known_by == "silence" and diagnosis.id in ("hello-dropped", "truncated")
    )
    return diagnosis


def placed(error: TLSError, role: str = "client", message: str | None = None, **facts: Any) -> TLSError:
    phase = facts.get("phase", "handshake")
    error.step = Step(role, phase, message, () if message else ("ServerHello",))
    error.situation = Situation(role=role, **facts)
    return error


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.code)
@pytest.mark.parametrize("role", ["client", "server"])
def test_every_violation_is_explained(row, role: str) -> None:
    diagnosis = check(placed(PeerViolation(row), role, "Finished").explain())
    assert diagnosis.judge is Judge.US
    assert diagnosis.known_by == "seen"
    assert diagnosis.rule


def test_every_reason_for_a_rejection_is_explained() -> None:
    place = reasons.Place(0, 1, "CN=x")
    examples: list[Rejection] = [
        reasons.Expired(place=place, not_before=NOW, not_after=NOW, now=NOW),
        reasons.Malformed(place=place, detail="\x1b[31m"),
        reasons.Refused(place=place, detail="why"),
        reasons.RevocationUnknown(place=place, issuer="CN=a", detail="no list"),
        reasons.BadSignature(place=place, issuer="CN=a"),
        reasons.TooManyCertificates(sent=20, limit=10),
        reasons.EmptyChain(),
        reasons.UnsupportedSignature(place=place, algorithm="ed25519"),
    ]
    for whose in ("server", "client"):
        role = "client" if whose == "server" else "server"
        for reason in examples:
            diagnosis = check(placed(CertificateRejected(reason, whose=whose), role, "Certificate").explain())
            assert (diagnosis.step, diagnosis.sender) == ("Certificate", whose)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
@pytest.mark.parametrize("role", ["client", "server"])
def test_every_alert_is_explained_and_ascribed_to_the_peer(alert: AlertDescription, role: str) -> None:
    for facts in (
        {},
        {"sent": ("ClientHello",)},
        {"sent": ("ClientHello", "Certificate"), "shown": (), "asked_authorities": ("CN=a",)},
        {"sent": ("ClientHello", "Certificate", "CertificateVerify"), "shown": (b"no certificate",)},
        {"phase": "connected", "sent": ("ServerHello", "Certificate"), "shown": server_identity().chain},
    ):
        diagnosis = check(placed(AlertReceived(AlertLevel.fatal, alert), role, **facts).explain())
        assert diagnosis.judge is Judge.PEER
        assert diagnosis.known_by == "alert"
        assert diagnosis.alert == alert.name
        assert "sslv3" not in diagnosis.to_text()


def test_an_error_from_before_any_connection_is_explained() -> None:
    for error in (
        ConfigError("this is empty", path="x.pem", code="file-kind"),
        ConfigError("max_version is below"),
        Misuse("not connected"),
        TLSError("something", code="hook-failed"),
        TruncatedStream(),
        HandshakeTimeout("the server sent nothing within 1 s", seconds=1),
        AlertReceived(AlertLevel.fatal, A.unknown_ca),
        Incompatible("thing", ["a"], ["b"], code="no-common-group", alert=A.handshake_failure, rfc="RFC 8446"),
    ):
        assert error.situation is None
        check(error.explain())


texts = st.text(max_size=30)
names = st.lists(st.sampled_from(["ClientHello", "ServerHello", "Certificate", "Finished", "CertificateVerify"]))
chains = st.sampled_from([None, (), (b"",), (b"\x30\x00",), server_identity().chain, client_identity().chain * 3])


@given(
    alert=st.sampled_from(ALERTS),
    role=st.sampled_from(["client", "server"]),
    phase=st.sampled_from(["handshake", "connected"]),
    version=st.sampled_from(["", "TLS 1.2", "TLS 1.3"]),
    sent=names,
    received=names,
    server_name=st.none() | texts,
    shown=chains,
    not_shown=texts,
    asked=st.none() | st.lists(texts, max_size=3),
    configured=st.lists(st.tuples(texts, texts), max_size=3),
    lists=st.dictionaries(st.sampled_from(["versions", "groups", "cipher suites"]), st.lists(texts).map(tuple)),
    heard_nothing=st.booleans(),
    first=st.binary(max_size=64),
    now=st.sampled_from(["", "nonsense", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00"]),
)
def test_whatever_the_situation_nothing_raises_and_the_trace_says_the_same(
    alert, role, phase, version, sent, received, server_name, shown, not_shown, asked, configured, lists, heard_nothing,
    first, now,
) -> None:  # fmt: skip
    situation = Situation(
        role=role,
        phase=phase,
        version=version,
        sent=tuple(sent),
        received=tuple(received),
        server_name=server_name,
        ours=lists,
        theirs=lists,
        shown=shown,
        not_shown=not_shown,
        asked_authorities=None if asked is None else tuple(asked),
        configured=tuple(configured),
        heard_nothing=heard_nothing,
        first_bytes=first,
        now=now,
    )
    for error in (AlertReceived(AlertLevel.fatal, alert), TruncatedStream(), HandshakeTimeout("it took too long")):
        error.step = Step(role, phase, None, ("Finished",))
        error.situation = situation
        check(error.explain())


def test_a_trace_that_was_written_and_read_back_explains_as_much() -> None:
    traces = {"client": Trace(), "server": Trace()}
    pair = Pair(
        client_config(),
        server_config(client_auth=ClientAuth.REQUIRED),
        client_trace=traces["client"],
        server_trace=traces["server"],
    ).run()
    for role, trace in traces.items():
        again = Trace.from_json_lines(trace.to_json_lines())
        error = pair.errors[role]
        assert isinstance(error, TLSError)
        assert diagnose_trace(again) == error.explain()
    comparison = compare(traces["client"], traces["server"])
    assert (comparison.judge, comparison.wrong) == ("server", "")
    assert "no-client-cert" in comparison.to_text()
    with pytest.raises(ValueError, match="the client's trace is that of a server"):
        compare(traces["server"], traces["client"])


def test_where_nothing_failed_there_is_nothing_to_explain() -> None:
    traces = Trace(), Trace()
    Pair(client_trace=traces[0], server_trace=traces[1]).done()
    assert diagnose_trace(traces[0]) is None
    comparison = compare(*traces)
    assert (comparison.judge, comparison.wrong, comparison.truth) == ("", "", None)
    assert "nothing failed" in comparison.sentence
    assert comparison.as_dict()["client"] is None


def test_one_side_that_believes_all_is_well_is_told() -> None:
    """The client's handshake is over, and the server's refusal never reached it."""
    traces = Trace(), Trace()
    pair = Pair(
        client_config(), server_config(client_auth=ClientAuth.REQUIRED), client_trace=traces[0], server_trace=traces[1]
    )
    pair.start()
    for sender in ("client", "server", "client"):
        pair.move(sender)
    comparison = compare(*traces)
    assert (comparison.judge, comparison.wrong) == ("server", "client")
    assert "believes that nothing failed" in comparison.sentence


def test_strangers_text_does_not_reach_a_terminal_as_it_came() -> None:
    error = PeerViolation(ROWS["unknown-sni"], asked="\x1b[2Jevil", served="\u202egood")
    text = placed(error, "server", "ClientHello").explain().to_text()
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_first_sentence_is_fit_for_a_log_line() -> None:
    error = placed(PeerViolation(ROWS["tampered"], sequence=3, epoch="handshake"))
    assert "\n" not in str(error)
    assert str(error).startswith("record 3 under the handshake keys can't be opened")
    assert error.explain().cause.startswith(error.sentence)


@pytest.mark.parametrize("row", ATLAS.values(), ids=lambda row: row.id)
def test_rows_are_whole(row) -> None:
    assert row.rule.startswith("RFC")
    assert row.meaning.endswith(".")
    assert row.fixes
    assert {other for other, _ in row.others} <= set(ATLAS)
    for fix in row.fixes:
        assert fix.who in ("client", "server", "ca", "either", "here")
        assert not fix.do.endswith(".")


def alert_in(description: A, role: str, **facts: Any) -> Diagnosis:
    return check(placed(AlertReceived(AlertLevel.fatal, description), role, **facts).explain())


def test_a_proof_is_not_doubted_that_was_never_given() -> None:
    """With a pre-shared key nobody signs."""
    found = alert_in(A.decrypt_error, "server", sent=("ServerHello", "EncryptedExtensions", "Finished"))
    assert found.id == "alert-decrypt-error"
    assert "CertificateVerify" not in found.to_text()


def test_a_renegotiation_that_was_declined_is_remembered() -> None:
    facts = {"version": "TLS 1.2", "phase": "connected", "sent": ("ServerHello", "Finished")}
    found = alert_in(A.handshake_failure, "server", declined_renegotiation=True, **facts)
    assert (found.id, found.step, found.sender) == ("renegotiation", "ClientHello", "client")
    # Nothing that was agreed is in doubt once it was agreed.
    later = alert_in(A.handshake_failure, "server", **facts)
    assert later.id == "alert-handshake-failure"
    assert later.step != "ServerHello"


def test_a_stranger_s_trace_may_hold_anything() -> None:
    base = placed(TruncatedStream(), "client", sent=("ClientHello",))
    told = {**base.as_dict(), "kind": "TruncatedStream", "place": [1], "situation": {"role": "client", "sent": 7}}
    for name in Situation.__dataclass_fields__:
        for value in (7, "text", [1, [2]], {"a": 1}, None, True, ["zz"]):
            told["situation"] = {"role": "client", name: value}
            told["evidence"] = value
            trace = Trace()
            trace.events = [Started("client", ""), Failed(dict(told))]
            assert diagnose_trace(trace) is not None


def test_one_version_is_not_spoken_of_as_several() -> None:
    one = alert_in(A.protocol_version, "client", sent=("ClientHello",), ours={"versions": ("TLS 1.3",)})
    assert "speaks no TLS 1.3, the only version offered" in one.cause
    two = alert_in(A.no_application_protocol, "client", sent=("ClientHello",), ours={"protocols": ("h2", "h3")})
    assert "speaks none of h2 and h3, the protocols offered" in two.cause
