"""A failure as an explanation takes it: the same whether it comes from an error or out of a trace."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
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
        told = _mapping(error.get("situation"))
        values = {}
        for name in Situation.__dataclass_fields__.keys() & told.keys():
            with suppress(ValueError, TypeError, AttributeError, IndexError):  # the trace may be a stranger's file
                values[name] = _again(name, told[name])
        situation = Situation(**{"role": role, **values}) if values or role else None
        return cls._of(error, str(error.get("kind", "")), _mapping(error.get("place")), situation)

    @classmethod
    def _of(cls, error: Mapping[str, Any], kind: str, place: Mapping[str, Any], situation: Situation | None) -> Failure:
        return cls(
            kind=kind,
            code=str(error.get("code", "")),
            sentence=str(error.get("sentence", "")),
            alert=str(error.get("alert") or ""),
            rfc=str(error.get("rfc", "")),
            judge=str(error.get("judge", "us")),
            evidence=_mapping(error.get("evidence")),
            message=None if place.get("message") is None else str(place["message"]),
            awaiting=_texts(place.get("awaiting") or ()),
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

    @property
    def our(self) -> str:
        """Whose something is: ``our``, or of what a listener saw, ``the client's`` or ``the server's``."""
        return f"the {self.role}'s" if self.known.observed else "our"

    @property
    def ours(self) -> str:
        """The same behind what is owned."""
        return f"the {self.role}'s" if self.known.observed else "ours"

    @property
    def your(self) -> str:
        """The same where a client's owner is spoken to."""
        return "the client's" if self.known.observed else "your"

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


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def _again(name: str, value: Any) -> Any:
    """What JSON made of a field of a situation, as it was. Raises what Python does for what is not of its kind."""
    if value is None:
        return getattr(_EMPTY, name)
    if name == "first_bytes":
        return bytes.fromhex(value)
    if name == "shown":
        return tuple(bytes.fromhex(one) for one in value)
    if name == "configured":
        return tuple((str(one[0]), str(one[1])) for one in value)
    if name in ("ours", "theirs"):
        return {str(topic): _texts(items) for topic, items in _mapping(value).items()}
    if isinstance(getattr(_EMPTY, name), bool):
        return value is True
    if isinstance(getattr(_EMPTY, name), tuple) or name == "asked_authorities":
        return _texts(value)
    return str(value)


_EMPTY = Situation(role="")
