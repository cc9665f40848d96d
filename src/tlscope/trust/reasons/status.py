"""The certificate was good once, or is good no longer: dates, revocation, the application."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ...wire.codepoints import AlertDescription as Alert
from .base import Reason, date, listed, span

__all__ = ["BadStaple", "Expired", "NotYetValid", "RejectedByApplication", "RevocationUnknown", "Revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired(Reason):
    """Its validity has ended."""

    _code = "cert-expired"
    _alert = Alert.certificate_expired
    _rfc = "RFC 5280 section 4.1.2.5"
    not_before: datetime
    not_after: datetime
    now: datetime

    def _say(self) -> str:
        return (
            f"{self.place} expired on {date(self.not_after)}, {span(self.now - self.not_after)} ago "
            f"(it was valid from {date(self.not_before)}; the local clock says {date(self.now)})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NotYetValid(Reason):
    """Its validity has not begun."""

    _code = "cert-not-yet-valid"
    _alert = Alert.certificate_expired
    _rfc = "RFC 5280 section 4.1.2.5"
    not_before: datetime
    not_after: datetime
    now: datetime

    def _say(self) -> str:
        return (
            f"{self.place} is not valid before {date(self.not_before)}, which is {span(self.not_before - self.now)} "
            f"ahead of the local clock ({date(self.now)}); if that date has passed, the clock here is slow"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked(Reason):
    """Its CA has taken it back. ``source`` is where that was read."""

    _code = "revoked"
    _alert = Alert.certificate_revoked
    _rfc = "RFC 5280 section 6.3"
    source: str
    when: datetime
    serial: int
    why: str = ""

    def _say(self) -> str:
        why = f" ({self.why})" if self.why else ""
        return f"{self.place} was revoked on {date(self.when)}{why}, says {self.source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationUnknown(Reason):
    """Revocation lists are required and none that can be used covers this certificate."""

    _code = "revocation-unknown"
    _alert = Alert.certificate_unknown
    _rfc = "RFC 5280 section 6.3.3"
    issuer: str
    detail: str

    def _say(self) -> str:
        return f"whether {self.place and self.place.noun} was revoked can't be told: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BadStaple(Reason):
    """The stapled OCSP response is missing though required, stale, or not to be believed."""

    _code = "bad-staple"
    _alert = Alert.bad_certificate_status_response
    _rfc = "RFC 6960 section 3.2"
    problem: str
    this_update: datetime | None = None
    next_update: datetime | None = None
    now: datetime | None = None

    def _say(self) -> str:
        dates = ""
        if self.this_update is not None and self.now is not None:
            until = "without an end" if self.next_update is None else f"to {date(self.next_update)}"
            dates = f" (it counts from {date(self.this_update)} {until}; the local clock says {date(self.now)})"
        return f"{self.problem}{dates}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedByApplication(Reason):
    """The chain is valid, and the application's own rule says no. ``rule`` is that rule in words."""

    _code = "client-not-authorised"
    _alert = Alert.access_denied
    _rfc = "RFC 8446 section 6.2"
    rule: str
    names: tuple[str, ...] = ()

    def _say(self) -> str:
        found = f" (it names {listed(self.names)})" if self.names else ""
        return f"it is valid, but {self.rule}{found}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownRawKey(Reason):
    """A raw public key that nobody has said to trust (RFC 7250)."""

    _code = "unknown-raw-key"
    _alert = Alert.bad_certificate
    _rfc = "RFC 7250 section 6"
    fingerprint: str

    def _say(self) -> str:
        return f"its raw public key, SHA-256 {self.fingerprint}, is not among the trusted ones"
