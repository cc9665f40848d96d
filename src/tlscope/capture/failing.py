"""What went wrong in a captured connection, as the side that was refused would have kept it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .. import trace as t
from .. import violations
from ..errors import AlertReceived, PeerViolation, Situation, Step, TLSError, TruncatedStream
from ..trust.distinguished_name import describe_name
from ..wire.codepoints import AlertDescription, AlertLevel, ProtocolVersion
from ..wire.records import recognise

if TYPE_CHECKING:
    from ..explain.model import Side
    from .hearing import Heard

__all__ = ["Fatal", "Lost", "failed", "other"]

Fatal = tuple["Side", AlertLevel, AlertDescription, float]
"""An alert that ended the connection: who sent it, what, when."""

Lost = tuple["Side", float, bool]
"""An end without close_notify: whose, when, and whether it was a reset."""


def other(side: Side) -> Side:
    """The side across."""
    return "server" if side == "client" else "client"


def failed(
    heard: Heard, role: Side, said: dict[Side, list[str]], first: bytes | None, began: float, **how: Any
) -> t.Failed | None:
    """The failure as ``role`` met it, None where there was none.

    ``first`` are bytes of its peer's that no record begins with, None where not one byte came. ``how`` has ``fatal``,
    ``lost``, ``completed`` and ``warnings``.
    """
    error, time = _error(first or b"", how["fatal"], how["lost"])
    if error is None:
        return None
    phase = "connected" if how["completed"] else "handshake"
    awaiting = () if phase == "connected" or role == "server" or said[other(role)] else ("ServerHello",)
    error.step = Step(role, phase, None, awaiting)
    asked, shown = heard.asked, heard.shown(role)
    situation = Situation(
        role=role,
        phase=phase,
        version=str(ProtocolVersion.of(heard.version)) if heard.answered else "",
        sent=tuple(said[role]),
        received=tuple(said[other(role)]),
        server_name=heard.server_name or None,
        ours=heard.offered if role == "client" else {},
        theirs=heard.offered if role == "server" else {},
        shown=() if shown is None and role == "client" and asked is not None else shown,
        asked_authorities=None if asked is None else tuple(describe_name(one) for one in asked[0][:50]),
        asked_schemes=() if asked is None else asked[1],
        heard_nothing=first is None and not said[other(role)] and how["fatal"] is None,
        first_bytes=first or b"",
        warnings=tuple(how["warnings"]),
        observed=True,
        now=_moment(time),
    )
    told: dict[str, Any] = {**error.as_dict(), "kind": type(error).__name__, "situation": situation.as_dict()}
    told["place"] = {"message": None, "awaiting": list(awaiting), "phase": phase}
    event = t.Failed(told)
    event.time = max(0.0, time - began)
    return event


def _moment(time: float) -> str:
    try:
        return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):  # a capture may claim any time
        return ""


def _error(first: bytes, fatal: Fatal | None, lost: Lost | None) -> tuple[TLSError | None, float]:
    if fatal is not None:
        return AlertReceived(fatal[1], fatal[2]), fatal[3]
    if lost is None:
        return None, 0.0
    speaks = recognise(first) if len(first) >= 5 else "tls"
    if speaks not in ("tls", "sslv2"):
        problem = f"its first bytes are {first[:5].hex(' ')}"
        return PeerViolation(violations.NOT_TLS, problem=problem, speaks=speaks, first=first[:5]), lost[1]
    return TruncatedStream(reset=lost[2]), lost[1]
