"""Every way to fail.

A flow raises; it never sends an alert by hand. Each error says what happened, at which step of the handshake, who
judged, on what evidence and by which rule, and has a stable ``code`` for machines. The one place that turns an error
into an alert is ``connection.py``, which sends ``error.alert`` where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from .wire.codepoints import AlertDescription, AlertLevel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .explain.diagnosis import Diagnosis
    from .violations import Violation

__all__ = [
    "AlertReceived",
    "CertificateRejected",
    "ConfigError",
    "HandshakeTimeout",
    "Incompatible",
    "Judge",
    "Misuse",
    "PeerViolation",
    "Rejection",
    "Situation",
    "Step",
    "TLSError",
    "TruncatedStream",
    "also",
]


class Judge(StrEnum):
    """Who found the fault: this side by what it saw, or the peer, of whom only an alert is known."""

    US = "us"
    PEER = "peer"


@dataclass(frozen=True, slots=True)
class Step:
    """Where in the handshake an error arose.

    ``awaiting`` are the RFC's names of the messages that were due, ``message`` the one at hand (None where none had
    arrived), ``role`` is ``"client"`` or ``"server"``, ``phase`` is ``"handshake"`` or ``"connected"``.
    """

    role: str
    phase: str
    message: str | None = None
    awaiting: tuple[str, ...] = ()

    def __str__(self) -> str:
        peer = "server" if self.role == "client" else "client"
        if self.message is not None:
            return f"on the {peer}'s {self.message}"
        if self.phase == "connected":
            return "after the handshake"
        if self.awaiting:
            return f"while waiting for the {peer}'s {' or '.join(self.awaiting)}"
        return "before the handshake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a connection knew when it failed: plain facts, gathered only then, from which ``explain`` reasons.

    ``sent`` and ``received`` are the RFC's names of the handshake messages so far, in order. ``server_name`` is what
    server_name said (RFC 6066 section 3), None where it was not sent; ``expected_name`` whom a client wanted to reach.
    ``ours`` and ``theirs`` are the two sides' lists, as far as they were said, by name: ``versions``, ``cipher suites``,
    ``groups``, ``signature schemes``, ``protocols``. ``shown`` is the DER chain that this side showed, None where it was
    not asked for one, empty where it sent an empty list, ``not_shown`` because of what. ``asked_authorities`` are the CAs
    that the server's CertificateRequest named, None where there was none. ``configured`` holds, for each identity that could
    have been shown, its label and its issuers. ``heard_nothing`` is true where not one byte came; ``first_bytes`` are
    up to 64 bytes that came and could not be read; ``warnings`` are the alerts that came and ended nothing.
    ``declined_renegotiation``: the peer asked for it. ``silent_since``: nothing came after the handshake.
    ``observed``: it was gathered by a listener, who does not know what either side was configured with. ``now`` is
    this side's clock in ISO 8601.
    """

    role: str
    phase: str = "handshake"
    version: str = ""
    sent: tuple[str, ...] = ()
    received: tuple[str, ...] = ()
    server_name: str | None = None
    expected_name: str | None = None
    ours: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    theirs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shown: tuple[bytes, ...] | None = None
    not_shown: str = ""
    asked_authorities: tuple[str, ...] | None = None
    asked_schemes: tuple[str, ...] = ()
    configured: tuple[tuple[str, str], ...] = ()
    heard_nothing: bool = False
    first_bytes: bytes = b""
    warnings: tuple[str, ...] = ()
    declined_renegotiation: bool = False
    silent_since: bool = False
    observed: bool = False
    now: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-ready data; what says nothing is left out."""
        return {item.name: _plain(value) for item in fields(self) if (value := getattr(self, item.name)) not in _SILENT}


_SILENT: tuple[Any, ...] = (None, "", False, {}, b"")


class TLSError(Exception):
    """The root of every error that this library raises on purpose.

    ``code`` is stable for machines; ``alert`` is the alert that the peer is sent, None where it gets none; ``rfc`` names
    the rule; ``step`` is where it happened (None before a connection exists); ``evidence`` holds the facts by name;
    ``situation`` is what the connection knew (None before one exists). ``explain()`` says what to do about it.
    """

    judge: Judge = Judge.US

    def __init__(
        self,
        sentence: str,
        *,
        code: str,
        alert: AlertDescription | None = None,
        rfc: str = "",
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.alert = alert
        self.rfc = rfc
        self.evidence: Mapping[str, Any] = evidence or {}
        self.step: Step | None = None
        self.situation: Situation | None = None
        for fact in self.evidence.values():
            if isinstance(fact, BaseException):
                # It is here for what it says. The frames of its traceback would keep the connection that keeps this error.
                fact.__traceback__ = fact.__context__ = None

    def explain(self) -> Diagnosis:
        """What went wrong, where, who says so, why, and what to do: ``print(error.explain())``."""
        # By name: errors are the ground that explanations stand on, and must not stand on them.
        diagnosis: Diagnosis = import_module(f"{__package__}.explain.diagnosis").diagnose(self)
        return diagnosis

    def __str__(self) -> str:
        """The explanation's first sentence and the step, in one line that is good enough for a log."""
        return f"{self._cause()}{self._where()}"

    def _cause(self) -> str:
        if self.step is None:
            return self.sentence  # no connection, so nothing more is known
        try:
            return self.explain().cause
        except Exception:  # an error must always be printable, whatever evidence it was given
            return self.sentence

    def _where(self) -> str:
        return f" ({self.step})" if self.step is not None else ""

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON-ready data: code, sentence, alert, rfc, judge, step and evidence (values as text)."""
        return {
            "code": self.code,
            "sentence": self.sentence,
            "alert": None if self.alert is None else self.alert.name,
            "rfc": self.rfc,
            "judge": self.judge.value,
            "step": None if self.step is None else str(self.step),
            "evidence": {name: _plain(value) for name, value in self.evidence.items()},
        }


class PeerViolation(TLSError):
    """The peer broke a rule of the protocol; ``violation`` is its row in ``violations.py``."""

    def __init__(self, violation: Violation, **evidence: Any) -> None:
        super().__init__(
            violation.sentence.format_map(_Evidence(evidence)),
            code=violation.code,
            alert=violation.alert,
            rfc=violation.rfc,
            evidence=evidence,
        )
        self.violation = violation


class Incompatible(TLSError):
    """Both sides keep the rules but have nothing in common: ``ours`` and ``theirs`` are the two lists."""

    def __init__(
        self,
        what: str,
        ours: Sequence[object],
        theirs: Sequence[object],
        *,
        code: str,
        alert: AlertDescription,
        rfc: str,
    ) -> None:
        super().__init__(
            f"no {what} in common: we accept {_listed(ours)}; the peer offers {_listed(theirs)}",
            code=code,
            alert=alert,
            rfc=rfc,
            evidence={"what": what, "ours": tuple(ours), "theirs": tuple(theirs)},
        )
        self.what = what
        self.ours = tuple(ours)
        self.theirs = tuple(theirs)


class Rejection(Protocol):
    """Why a certificate was rejected; ``trust.reasons`` has one frozen class a reason."""

    @property
    def code(self) -> str:
        """Stable for machines, as in the failure atlas: ``cert-expired``, ``wrong-host``, ..."""

    @property
    def alert(self) -> AlertDescription:
        """What the peer is told (RFC 8446 section 6.2)."""

    @property
    def rfc(self) -> str:
        """The rule that failed."""

    def sentence(self) -> str:
        """What is wrong, with the evidence, in one sentence."""

    def evidence(self) -> Mapping[str, Any]:
        """The facts by name: names, dates, lists."""


class CertificateRejected(TLSError):
    """We refused the peer's certificate chain.

    ``whose`` is ``"server"`` or ``"client"``; ``index`` the place of the certificate at fault in the chain as sent (0 is
    the leaf), None where no single one is; ``chain`` the DER certificates that were sent.
    """

    def __init__(
        self, reason: Rejection, *, whose: str, index: int | None = None, chain: tuple[bytes, ...] = ()
    ) -> None:
        super().__init__(
            f"the {whose}'s certificate is refused: {reason.sentence()}",
            code=reason.code,
            alert=reason.alert,
            rfc=reason.rfc,
            evidence={"whose": whose, "index": index, **reason.evidence()},
        )
        self.reason = reason
        self.whose = whose
        self.index = index
        self.chain = chain


class AlertReceived(TLSError):
    """The peer refused us, or gave up, and said so with an alert."""

    judge = Judge.PEER

    def __init__(
        self,
        level: AlertLevel,
        description: AlertDescription,
        *,
        answer: AlertDescription | None = None,
        rfc: str = "RFC 8446 section 6",
    ) -> None:
        super().__init__(
            f"the peer refused the connection with the alert {description.name}",
            code=f"alert-{description.name.replace('_', '-')}",
            alert=answer,
            rfc=rfc,
            evidence={"level": level, "description": description},
        )
        self.level = level
        self.description = description

    def _where(self) -> str:
        if self.step is None:
            return ""
        told, alert = self.explain(), self.description.name
        said = "" if alert in told.cause else f"alert {alert}, "
        return f" ({said}on the {told.sender}'s {told.step})" if told.sender else f" ({said}{self.step})"


class ConfigError(TLSError):
    """A file, key or setting that can't work, found when it is loaded, with ``path`` where it came from a file."""

    def __init__(self, sentence: str, *, path: str | Path | None = None, code: str = "config", **evidence: Any) -> None:
        super().__init__(
            sentence if path is None else f"{path}: {sentence}",
            code=code,
            evidence={**({} if path is None else {"path": str(path)}), **evidence},
        )
        self.path = None if path is None else str(path)


class Misuse(TLSError):
    """The application called something at a time, or with a value, that makes no sense."""

    def __init__(self, sentence: str, *, code: str = "misuse") -> None:
        super().__init__(sentence, code=code)


class TruncatedStream(TLSError):
    """The transport ended without close_notify: what has arrived may not be all that was sent (RFC 8446 section 6.1)."""

    def __init__(
        self, sentence: str = "the connection was cut: it ended without close_notify", *, reset: bool = False
    ) -> None:
        """``reset`` says that the transport was reset, as TCP's RST does, where it is known."""
        evidence = {"ended_by": "a reset (TCP RST)"} if reset else None
        super().__init__(sentence, code="truncated", rfc="RFC 8446 section 6.1", evidence=evidence)


class HandshakeTimeout(TLSError, TimeoutError):
    """The peer did not do its part of the handshake in the time allowed, ``seconds``, which is I/O's to measure."""

    def __init__(self, sentence: str, *, seconds: float | None = None) -> None:
        super().__init__(
            sentence,
            code="handshake-too-slow",
            evidence={"seconds": seconds, "setting": "handshake_timeout"},
        )
        self.seconds = seconds

    def _where(self) -> str:
        return ""  # the sentence names the message that was waited for


def also(error: TLSError, theirs: Any) -> Any:
    """The same error, of a class that is ``theirs`` too: for programs that look for that one."""
    if isinstance(error, theirs):
        return error
    ours: Any = type(error)
    joined = _joined(ours, theirs)
    new = joined.__new__(joined)
    new.args = error.args
    new.__dict__.update(error.__dict__)
    new.__cause__, new.__traceback__ = error.__cause__, error.__traceback__
    return new


@cache
def _joined(ours: Any, theirs: Any) -> Any:
    return type(ours.__name__, (ours, theirs), {"__module__": ours.__module__, "__doc__": ours.__doc__})


class _Evidence(dict[str, Any]):
    """Formats evidence for a sentence: a missing name stays visible instead of hiding the error behind a KeyError."""

    def __init__(self, evidence: Mapping[str, Any]) -> None:
        super().__init__({name: _plain(value) for name, value in evidence.items()})

    def __missing__(self, name: str) -> str:
        return f"<{name}>"


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if type(value) in (int, float, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return str(value)


def _listed(items: Sequence[object]) -> str:
    return ", ".join(str(item) for item in items) if items else "nothing"
