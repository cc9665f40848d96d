"""What an explanation is: data first, which renders as text of 80 columns and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...errors import Judge
from ..words import printable, wrap

__all__ = ["Alternative", "Diagnosis", "Fix", "paragraphs"]

WIDTH = 80
_COLUMN = 10
"""Where what is said begins, behind the name of its line."""

_WHO = {
    "client": "on the client: ",
    "server": "on the server: ",
    "ca": "at the CA: ",
    "here": "",
    "either": "",
}


@dataclass(frozen=True, slots=True)
class Fix:
    """Something to do: ``who`` has to (``client``, ``server``, ``ca``, ``here``, ``either``), in words, as a command."""

    who: str
    do: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another cause that fits what was seen: its ``id``, what it would be, and how to tell."""

    id: str
    cause: str
    tell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """An explanation of one failure, seen from one side.

    ``id`` is the row of the failure atlas, or the error's own code where the atlas has none. ``step`` is the message at
    which it happened (``loading a file`` for what happens before any), ``sender`` who sent that message, empty where
    none was. ``judge`` found the fault: this side or the peer; ``known_by`` says how this side knows: ``seen``, by an
    ``alert``, or by ``silence``. ``certain`` is false where the cause is the likeliest of those that fit; ``alternatives``
    are the others, likeliest first.
    ``evidence`` are facts by name. ``is_failure`` is false for something worth knowing that failed nothing.
    """

    id: str
    title: str
    cause: str
    step: str
    role: str = ""
    sender: str = ""
    judge: Judge = Judge.US
    known_by: str = "seen"
    alert: str = ""
    certain: bool = True
    evidence: tuple[tuple[str, str], ...] = ()
    rule: str = ""
    fixes: tuple[Fix, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    is_failure: bool = True

    @property
    def direction(self) -> str:
        """Which way the message at hand went: ``server to client``, ``client to server``, or empty."""
        return f"{self.sender} to {_other(self.sender)}" if self.sender else ""

    @property
    def where(self) -> str:
        """The step in words."""
        if not self.sender:
            return self.step
        return f"the {self.sender}'s {self.step} ({self.direction})"

    @property
    def verdict(self) -> str:
        """Who judged, and how this side knows."""
        if not self.role:
            return "this side, before any connection"
        peer = _other(self.role)
        if self.known_by == "alert":
            return f"the {peer}, as its alert {self.alert} tells; it says no more than that"
        if self.known_by == "silence":
            return f"the {peer}, which said nothing"
        told = f", which told the {peer} so with the alert {self.alert}" if self.alert else ""
        return f"this side, the {self.role}, by what it saw{told}"

    @property
    def doubt(self) -> str:
        """What a cause is to be taken with, where it is the likeliest only; empty where it is certain."""
        if self.certain:
            return ""
        if self.known_by == "silence" or self.judge is Judge.US:
            return "What may stand behind it is below." if self.alternatives else ""
        more = "; what fits too is below" if self.alternatives else ""
        return f"The {_other(self.role)} did not say so: this fits best{more}."

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, width: int = WIDTH) -> str:
        """The explanation in lines of at most ``width`` columns, without a newline at the end."""
        lines = paragraphs(f"{self.id}: {_sentence(self.cause)}", width)
        if self.doubt:
            lines += paragraphs(self.doubt, width, indent=2)
        lines += _named("where", self.where, width)
        return "\n".join([*lines, *self._behind(width)])

    def details(self, width: int = WIDTH) -> str:
        """What stands behind the cause, for where that and the step are shown already: judge, evidence, rule, fixes."""
        first = paragraphs(self.doubt, width, indent=2) if self.doubt else []
        return "\n".join([*first, *self._behind(width)])

    def _behind(self, width: int) -> list[str]:
        lines = [*_named("judge", self.verdict, width)]
        label = "evidence"
        for name, value in self.evidence:
            lines += _named(label, f"{name}: {value}", width)
            label = ""
        if self.rule:
            lines += _named("rule", self.rule, width)
        for number, fix in enumerate(self.fixes):
            lines += _named("fix" if number == 0 else "", _WHO.get(fix.who, "") + fix.do, width)
            if fix.command:
                lines.append(" " * (_COLUMN + 2) + fix.command)
        for number, other in enumerate(self.alternatives):
            text = f"{other.id}: {_sentence(other.cause)} {other.tell}"
            lines += _named("or else" if number == 0 else "", text, width)
        return lines

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-ready data."""
        return {
            "id": self.id,
            "title": self.title,
            "cause": self.cause,
            "certain": self.certain,
            "is_failure": self.is_failure,
            "role": self.role,
            "step": self.step,
            "direction": self.direction,
            "judge": self.judge.value,
            "known_by": self.known_by,
            "alert": self.alert,
            "evidence": dict(self.evidence),
            "rule": self.rule,
            "fixes": [{"who": fix.who, "do": fix.do, "command": fix.command} for fix in self.fixes],
            "alternatives": [{"id": other.id, "cause": other.cause, "tell": other.tell} for other in self.alternatives],
        }


def paragraphs(text: str, width: int = WIDTH, indent: int = 0) -> list[str]:
    """``text``, made fit to print, in lines of at most ``width`` columns with the indent."""
    return [" " * indent + line for line in wrap(printable(text, 4000), width - indent)]


def _named(name: str, text: str, width: int) -> Iterator[str]:
    for line in wrap(printable(text, 4000), width - _COLUMN - 2):
        yield f"  {name:<{_COLUMN}}{line}"
        name = ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _other(role: str) -> str:
    return {"client": "server", "server": "client"}.get(role, "peer")
