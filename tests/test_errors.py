"""Errors as data: what each says, to people and to machines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tlscope import (
    AlertDescription,
    AlertReceived,
    ConfigError,
    Incompatible,
    Judge,
    Misuse,
    PeerViolation,
    Step,
    TLSError,
    TruncatedStream,
    violations,
)
from tlscope.violations import ROWS, Violation
from tlscope.wire.codepoints import AlertLevel, ContentType

PLACED = Step("client", "handshake", "Certificate", ("CertificateVerify",))


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (PLACED, "on the server's Certificate"),
        (Step("server", "handshake", "Finished"), "on the client's Finished"),
        (
            Step("client", "handshake", None, ("ServerHello", "HelloRetryRequest")),
            "while waiting for the server's ServerHello or HelloRetryRequest",
        ),
        (Step("server", "connected", None, ("KeyUpdate",)), "after the handshake"),
        (Step("server", "handshake"), "before the handshake"),
    ],
)
def test_a_step_reads_like_a_sentence(step: Step, text: str) -> None:
    assert str(step) == text


def samples() -> list[TLSError]:
    return [
        TLSError("something", code="some", alert=AlertDescription.internal_error),
        PeerViolation(violations.RECORD_TOO_LONG, length=20000, limit=16384),
        Incompatible(
            "cipher suite", ["a", "b"], [], code="no-common-cipher", alert=AlertDescription.handshake_failure, rfc="RFC"
        ),
        AlertReceived(AlertLevel.fatal, AlertDescription.unknown_ca),
        ConfigError("is empty", path="/some/file", code="file-kind", found="nothing"),
        Misuse("not now"),
        TruncatedStream(),
    ]


@pytest.mark.parametrize("error", samples(), ids=lambda error: type(error).__name__)
def test_an_error_is_data(error: TLSError) -> None:
    data = json.loads(json.dumps(error.as_dict()))
    assert data["code"] == error.code
    assert data["judge"] == ("peer" if isinstance(error, AlertReceived) else "us")
    assert data["alert"] == (None if error.alert is None else error.alert.name)
    assert data["step"] is None
    assert str(error) == error.sentence == data["sentence"]
    error.step = PLACED
    assert str(error) == f"{error.explain().cause} ({PLACED})" or isinstance(error, AlertReceived)
    assert error.as_dict()["step"] == "on the server's Certificate"


def test_an_alert_is_told_with_its_name_and_what_it_was_about() -> None:
    error = AlertReceived(AlertLevel.fatal, AlertDescription.protocol_version)
    error.step = Step("client", "handshake", None, ("ServerHello",))
    assert str(error).endswith(" (alert protocol_version, on the client's ClientHello)")
    error = AlertReceived(AlertLevel.fatal, AlertDescription.internal_error)
    error.step = PLACED
    assert str(error).count("internal_error") == 1


def test_an_error_can_be_printed_even_where_it_can_not_be_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    error = TruncatedStream()
    error.step = PLACED
    monkeypatch.setattr(TruncatedStream, "explain", lambda self: 1 / 0)
    assert str(error) == f"{error.sentence} (on the server's Certificate)"


def test_what_the_errors_know() -> None:
    _, violation, incompatible, alert, config, misuse, cut = samples()
    assert isinstance(violation, PeerViolation)
    assert violation.violation is ROWS["record-too-long"]
    assert violation.sentence == "a record announces 20000 bytes, at most 16384 are allowed"
    assert isinstance(incompatible, Incompatible)
    assert (incompatible.ours, incompatible.theirs) == (("a", "b"), ())
    assert incompatible.sentence == "no cipher suite in common: we accept a, b; the peer offers nothing"
    assert isinstance(alert, AlertReceived)
    assert alert.judge is Judge.PEER
    assert alert.code == "alert-unknown-ca"
    assert alert.alert is None
    assert isinstance(config, ConfigError)
    assert config.path == "/some/file"
    assert str(config) == "/some/file: is empty"
    assert config.evidence == {"path": "/some/file", "found": "nothing"}
    assert misuse.code == "misuse"
    assert cut.code == "truncated"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (0.5, 0.5),
        ("text", "text"),
        (b"\1\2", "0102"),
        (memoryview(b"\1"), "01"),
        ((1, b"\2"), [1, "02"]),
        ({"a": b"\1"}, {"a": "01"}),
        (ContentType.alert, "alert"),
        (AlertDescription.of(200), "0xc8"),
    ],
)
def test_evidence_becomes_plain_data(value: Any, plain: Any) -> None:
    error = TLSError("x", code="x", evidence={"it": value})
    assert error.as_dict()["evidence"] == {"it": plain}
    json.dumps(error.as_dict())


def test_missing_evidence_stays_visible() -> None:
    error = PeerViolation(violations.RECORD_TOO_LONG, length=1)
    assert "at most <limit> are allowed" in str(error)


def test_two_rows_with_one_code_are_found_at_once() -> None:
    row = ROWS["tampered"]
    with pytest.raises(ValueError, match="two violations are called tampered"):
        violations._row(row.code, row.alert, row.rfc, row.sentence)


def test_every_alert_of_a_row_has_a_name() -> None:
    for row in ROWS.values():
        assert isinstance(row, Violation)
        assert row.alert.is_named
        assert row.alert is not AlertDescription.close_notify
