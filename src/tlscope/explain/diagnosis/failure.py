"""A failure as an explanation takes it: the same whether it comes from an error or out of a trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import Situation, TLSError

__all__ = ["Failure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """``evidence`` holds plain data: texts, numbers, lists of texts."""

    kind: str
    code: str
    sentence: str
    alert: str
    rfc: str
    judge: str
    evidence: Mapping[str, Any]
    message: str | None = None
    awaiting: tuple[str, ...] = ()
    phase: str = "handshake"
    situation: Situation | None = None
    known: Situation = field(default_factory=lambda: Situation(role=""))

    @classmethod
    def of_error(cls, error: TLSError) -> Failure:
        """From an error at hand."""
        step = error.step
        place: dict[str, Any] = {}
        if step is not None:
            place = {"message": step.message, "awaiting": step.awaiting, "phase": step.phase}
        situation = error.situation
        if situation is None and step is not None:
            situation = Situation(role=step.role, phase=step.phase)
        return cls._of(error.as_dict(), type(error).__name__, place, situation)

    @classmethod
    def of_event(cls, error: Mapping[str, Any], role: str = "") -> Failure:
        """From the ``error`` of a trace's ``Failed`` event."""
        told = error.get("situation") or {}
        names = Situation.__dataclass_fields__
        values = {name: _again(name, value) for name, value in told.items() if name in names}
        situation = Situation(**{"role": role, **values}) if values or role else None
        return cls._of(error, str(error.get("kind", "")), error.get("place") or {}, situation)

    @classmethod
    def _of(cls, error: Mapping[str, Any], kind: str, place: Mapping[str, Any], situation: Situation | None) -> Failure:
        return cls(
            kind=kind,
            code=str(error.get("code", "")),
            sentence=str(error.get("sentence", "")),
            alert=str(error.get("alert") or ""),
            rfc=str(error.get("rfc", "")),
            judge=str(error.get("judge", "us")),
            evidence=dict(error.get("evidence") or {}),
            message=place.get("message"),
            awaiting=tuple(place.get("awaiting") or ()),
            phase=str(place.get("phase", "handshake")),
            situation=situation,
            known=situation if situation is not None else Situation(role=""),
        )

    @property
    def role(self) -> str:
        """``client`` or ``server``; empty for what happened before a connection."""
        return self.known.role

    @property
    def peer(self) -> str:
        """The role across."""
        return {"client": "server", "server": "client"}.get(self.role, "peer")

    def fact(self, name: str) -> str:
        """One piece of evidence as text, a list with commas; empty where there is none."""
        value = self.evidence.get(name)
        if isinstance(value, list | tuple):
            return ", ".join(map(str, value))
        return "" if value is None else str(value)

    def facts(self, name: str) -> tuple[str, ...]:
        """One piece of evidence that is a list."""
        value = self.evidence.get(name)
        return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def _again(name: str, value: Any) -> Any:
    """What JSON made of a field of a situation, as it was."""
    if name == "first_bytes":
        return bytes.fromhex(value)
    if name == "shown":
        return tuple(bytes.fromhex(one) for one in value)
    if name == "configured":
        return tuple((str(one[0]), str(one[1])) for one in value)
    if isinstance(value, list):
        return tuple(map(str, value))
    if isinstance(value, dict):
        return {str(topic): tuple(map(str, items)) for topic, items in value.items()}
    return value
