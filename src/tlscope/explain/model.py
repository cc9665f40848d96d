"""The diagram of one connection as data: what every drawing of it, as text or picture, is made from.

A diagram is a list of rows between two lifelines, in the order in which this side saw them. Each row knows the trace
event it came from, so that a drawing can show the bytes behind it. All text in it is fit to print.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ..trace import Trace

__all__ = [
    "AlertRow",
    "CipherChange",
    "Cut",
    "DataRow",
    "Detail",
    "Diagram",
    "Done",
    "Failure",
    "KeyLine",
    "Lifeline",
    "MessageRow",
    "Note",
    "Row",
    "RowType",
    "SEALED",
    "SecretValue",
    "SharedSecret",
    "Side",
    "Step",
    "Unreadable",
    "other_side",
]

Side = Literal["client", "server"]

SEALED = "sealed"
"""The epoch of what a listener could not decrypt."""


def other_side(side: Side) -> Side:
    """The side across."""
    return "server" if side == "client" else "client"


@dataclass(frozen=True, slots=True)
class Lifeline:
    """One side. ``name`` is who it is, as far as known; ``observed`` is true for the side that kept the trace."""

    side: Side
    name: str = ""
    observed: bool = False


@dataclass(frozen=True, slots=True)
class Detail:
    """One thing that matters in a message: a label and one value or a list of them, with the reason for a choice.

    A drawing that is short of room may cut a list and say how many there are.
    """

    label: str
    items: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What all rows share: the index of the event in ``Trace.events``, and its time in seconds since the first event.

    ``records`` are the indices of the record events that carried it, for what went over the wire.
    """

    event: int
    time: float
    records: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow(Row):
    """A handshake message. ``name`` is the RFC's; ``epoch`` names the keys that protect it.

    ``step`` is the number of its step, None after the handshake; ``opens`` is true for the first row of a step.
    ``raw`` is the message with its header.
    """

    sender: Side
    name: str
    epoch: str
    version: int
    details: tuple[Detail, ...] = ()
    step: int | None = None
    opens: bool = False
    raw: bytes = field(default=b"", repr=False)

    @property
    def protected(self) -> bool:
        """Whether it travels encrypted."""
        return self.epoch != "plaintext"


@dataclass(frozen=True, slots=True, kw_only=True)
class CipherChange(Row):
    """A ChangeCipherSpec. ``switches`` tells TLS 1.2's, which changes keys, from TLS 1.3's, which means nothing."""

    sender: Side
    switches: bool
    step: int | None = None
    opens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLine(Row):
    """From here on what ``senders`` send is protected with new keys."""

    senders: tuple[Side, ...]
    epoch: str
    protection: str
    first: bool
    """Whether encryption begins here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Row):
    """What one side found or decided by itself. ``ok`` is None where it is no verdict.

    ``kind``: ``certificate``, ``signature``, ``decision``, ``secret``.
    """

    side: Side
    kind: str
    text: str
    ok: bool | None = None
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow(Row):
    """An alert; ``fatal`` says whether it ends the connection, ``closes`` that it is close_notify."""

    sender: Side
    name: str
    epoch: str
    fatal: bool
    closes: bool

    @property
    def protected(self) -> bool:
        """Whether it travels encrypted."""
        return self.epoch != "plaintext"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRow(Row):
    """Application data sent in one go: ``length`` bytes; ``content`` is None where the trace does not hold it."""

    sender: Side
    epoch: str
    length: int
    content: bytes | None = field(default=None, repr=False)
    step: int | None = None
    opens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable(Row):
    """Something came from ``sender`` that could not be read as the next message."""

    sender: Side
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut(Row):
    """The transport ended without a goodbye from ``sender``."""

    sender: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSecret(Row):
    """Both sides can now compute the same secret, ``name``, from ``inputs``."""

    name: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Row):
    """The handshake is complete on the observed side; ``facts`` are what was agreed, by name."""

    facts: dict[str, str]


RowType = MessageRow | CipherChange | KeyLine | Note | AlertRow | DataRow | SharedSecret | Unreadable | Cut | Done


@dataclass(frozen=True, slots=True)
class Step:
    """A numbered step, as people count them, which may take several messages."""

    number: int
    title: str
    sender: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How the connection failed, as the observed side knows it.

    ``judge`` is the side that refused, None where nobody did (the connection was cut, say). ``alert_to`` is the side that
    was told by the alert ``alert``.
    """

    event: int
    time: float
    code: str
    sentence: str
    where: str
    rfc: str
    judge: Side | None
    alert: str
    alert_to: Side | None
    evidence: dict[str, Any]

    @property
    def headline(self) -> str:
        """Who refused whom."""
        if self.judge is None:
            return "the connection was cut short"
        return f"the {self.judge} refused the {other_side(self.judge)}"

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """Where it happened, by which rule, and who was told, each with its label."""
        told = f"{self.alert}, sent to the {self.alert_to}" if self.alert and self.alert_to else ""
        facts = (("where", self.where), ("rule", self.rfc), ("alert", told))
        return tuple((label, value) for label, value in facts if value)


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A secret that the trace holds, by the key log's name of it."""

    event: int
    label: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """One connection, ready to draw. ``seconds`` is how long the handshake took, None where it did not end well."""

    role: Side
    client: Lifeline
    server: Lifeline
    rows: tuple[RowType, ...]
    steps: tuple[Step, ...]
    version: str = ""
    cipher_suite: str = ""
    group: str = ""
    alpn: str = ""
    mutual: bool = False
    """Whether both sides showed a certificate."""
    resumed: bool = False
    psk: bool = False
    """Whether a key from before was accepted: a session's, or one that both sides were given."""
    retried: bool = False
    seconds: float | None = None
    failure: Failure | None = None
    secrets: tuple[SecretValue, ...] = ()
    both_sides: bool = False
    """Whether what the other side found is drawn, too."""

    @classmethod
    def of(cls, trace: Trace, *, client: str = "", server: str = "", peer: Trace | None = None) -> Diagram:
        """The diagram of a trace; ``client`` and ``server`` name the two sides where the trace does not know better.

        ``peer`` is what the other side saw of the same connection: its verdicts on certificates and signatures are drawn
        behind the messages that they are of.
        """
        from .build import build

        return build(trace, client=client, server=server, peer=peer)

    @property
    def seen_by(self) -> str:
        """Whose view is drawn, in words."""
        return "as both sides saw it" if self.both_sides else f"as the {self.role} saw it"

    @property
    def title(self) -> str:
        """What kind of handshake it was, such as ``Mutual TLS 1.3``."""
        words = self.version or "TLS"
        if self.seconds is not None:
            words = f"{self._kind} {words}"
        if self.failure is not None:
            return f"{words}, {'cut short' if self.failure.judge is None else 'refused'}"
        if self.seconds is None:
            sealed = any(isinstance(row, MessageRow) and row.epoch == SEALED for row in self.rows)
            words += ", as far as it can be read" if sealed else ", unfinished"
        return words

    @property
    def _kind(self) -> str:
        if self.resumed:
            return "Resumed"
        if self.psk:
            return "Pre-shared-key"
        return "Mutual" if self.mutual else "One-way"

    def lifeline(self, side: Side) -> Lifeline:
        """The lifeline of a side."""
        return self.client if side == "client" else self.server

    def step(self, number: int) -> Step:
        """The step of a number. Raises ``KeyError``."""
        for step in self.steps:
            if step.number == number:
                return step
        raise KeyError(number)
