"""What all reasons share: which certificate, the code, the alert, and how facts are put into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, ClassVar

from ...wire.codepoints import AlertDescription as Alert
from ..names import shown

__all__ = ["Place", "Reason", "count", "date", "listed", "span"]

_CLIENT_CODES = {
    "empty-chain": "no-client-cert",
    "cert-expired": "client-cert-expired",
    "unknown-ca": "client-unknown-ca",
    "unknown-ca-root-sent": "client-unknown-ca",
    "missing-intermediate": "client-missing-intermediate",
    "wrong-purpose-server": "client-wrong-purpose",
}


_NOT_EVIDENCE = frozenset({"whose", "place", "section"})


@dataclass(frozen=True, slots=True)
class Place:
    """Which certificate: ``index`` in the chain as sent (0 is the leaf) of ``total``; None for a trust anchor."""

    index: int | None
    total: int
    subject: str

    def __str__(self) -> str:
        name = shown(self.subject) or "without a subject"
        if self.index is None:
            return f"the trusted certificate {name}"
        return "it" if self.index == 0 else f"certificate {self.index + 1} of {self.total}, {name},"

    @property
    def noun(self) -> str:
        """The same without a pronoun's or an apposition's comma, to stand after a preposition."""
        return "it" if self.index == 0 else str(self).rstrip(",")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What all reasons share; satisfies ``errors.Rejection``.

    ``whose`` certificate it is: ``server`` or ``client``; ``place`` which one of the chain; ``section`` a rule more
    exact than the class's own.
    """

    _code: ClassVar[str] = ""
    _alert: ClassVar[Alert] = Alert.bad_certificate
    _rfc: ClassVar[str] = "RFC 5280 section 6.1"

    whose: str = "server"
    place: Place | None = None
    section: str = ""

    @property
    def code(self) -> str:
        """Stable for machines: the row of the failure atlas."""
        return _CLIENT_CODES.get(self._code, self._code) if self.whose == "client" else self._code

    @property
    def alert(self) -> Alert:
        """What the peer is told."""
        return Alert.certificate_required if self.code == "no-client-cert" else self._alert

    @property
    def rfc(self) -> str:
        """The rule that failed."""
        return self.section or self._rfc

    @property
    def index(self) -> int | None:
        """The place in the chain as sent of the certificate at fault; None for an anchor or where no single one is."""
        return None if self.place is None else self.place.index

    def sentence(self) -> str:
        """What is wrong, with the evidence, in one sentence."""
        return self._say()

    def _say(self) -> str:
        raise NotImplementedError

    def evidence(self) -> Mapping[str, Any]:
        """The facts by name."""
        facts = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _NOT_EVIDENCE}
        if self.place is not None:
            facts["certificate"] = self.place.subject
        return facts


def date(moment: datetime) -> str:
    """A moment to the second."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def span(length: timedelta) -> str:
    """A length of time in its largest unit."""
    seconds = int(abs(length).total_seconds())
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return count(seconds // size, unit)
    return count(seconds, "second")


def count(number: int, noun: str) -> str:
    """A number and its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(names: tuple[str, ...], limit: int = 6) -> str:
    """Names with commas and an "and", the rest counted."""
    clean = [shown(name, 100) for name in names[:limit]]
    if len(names) > limit:
        return f"{', '.join(clean)} and {len(names) - limit} more"
    return clean[0] if len(clean) == 1 else f"{', '.join(clean[:-1])} and {clean[-1]}"
