"""From a trace to its diagram: one pass over the events, in the order in which this side saw them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import trace as t
from ..wire.codepoints import AlertLevel, ProtocolVersion
from .carried import carried_by
from .certificates import summarize
from .diagnosis.entry import diagnose_event
from .messages import Known, describe
from .model import (
    AlertRow,
    CipherChange,
    Cut,
    DataRow,
    Detail,
    Diagram,
    Done,
    Failure,
    KeyLine,
    Lifeline,
    MessageRow,
    Note,
    RowType,
    SecretValue,
    SharedSecret,
    Side,
    Unreadable,
    other_side,
)
from .steps import Steps
from .words import printable

if TYPE_CHECKING:
    from ..trace import Trace, TraceEvent

__all__ = ["build"]

_DRAWN_WITH_A_MESSAGE = frozenset(
    (
        "version",
        "cipher_suite",
        "group",
        "alpn",
        "identity",
        "signature_scheme",
        "client_identity",
        "hello_retry_request",
    )
)
"""Topics of choices whose outcome stands in a message, which is where their reason is drawn."""

_LABEL_12 = "CLIENT_RANDOM"
"""What the key log calls the master secret of TLS 1.2 (RFC 9850 section 2.2)."""

_UNREADABLE = {
    "tampered": "a record that its keys do not open",
    "http-on-tls-port": "plain HTTP",
    "old-peer": "a hello of SSL 2",
    "not-tls": "something that is not TLS",
    "record-too-long": "a record that is too long",
    "bad-record-version": "a record of no version of TLS",
    "unexpected-record": "a record of a type that has no place here",
    "unprotected-record": "a record without protection",
    "no-content-type": "a record of padding alone",
    "handshake-too-big": "the start of a message that is too long",
    "early-application-data": "application data, too early",
}
"""What came, by the code of the failure, where nothing that could be read tells."""


def build(trace: Trace, *, client: str = "", server: str = "", peer: Trace | None = None) -> Diagram:
    """The diagram of a trace; see ``Diagram.of``."""
    builder = _passed_over(trace)
    if peer is not None:
        builder.rows = with_verdicts(builder.rows, _passed_over(peer).rows)
    diagram = builder.diagram(printable(client), printable(server))
    return diagram if peer is None else replace(diagram, both_sides=True)


def with_verdicts(rows: list[RowType], of_peer: list[RowType]) -> list[RowType]:
    """The rows of one side with what the other found of the messages that it was sent, each behind its message."""
    found: dict[bytes, list[Note]] = {}
    heard = b""
    for row in of_peer:
        if isinstance(row, MessageRow):
            heard = row.raw
        elif isinstance(row, Note) and row.ok is not None:
            found.setdefault(heard, []).append(row)
    merged: list[RowType] = []
    for row in rows:
        merged.append(row)
        if isinstance(row, MessageRow):
            merged += [replace(note, event=row.event, time=row.time) for note in found.pop(row.raw, ())]
    return merged


def _passed_over(trace: Trace) -> _Builder:
    builder = _Builder(trace.events)
    for index, event in enumerate(trace.events):
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(builder, index, event)
    return builder


class _Builder:
    """The state of the pass."""

    def __init__(self, events: list[TraceEvent]) -> None:
        self.events = events
        self.start = round(events[0].time, 7) if events else 0.0
        self.role: Side = "client"
        self.asked_name = ""
        self.known = Known()
        self.steps = Steps()
        self.rows: list[RowType] = []
        self.encrypted: set[Side] = set()
        self.waiting_key_change: KeyLine | None = None
        self.failure: Failure | None = None
        self.done: Done | None = None
        self.first_message: float | None = None
        self.secrets: list[SecretValue] = []

    # Where things are

    def time(self, event: TraceEvent) -> float:
        """Seconds since the first event, rounded as JSON lines have it, so that both draw the same."""
        return round(round(event.time, 7) - self.start, 7)

    def sender(self, event: Any) -> Side:
        """Who sent what an event is about."""
        return self.role if event.direction == "sent" else other_side(self.role)

    # One method for each kind of event

    def started(self, index: int, event: t.Started) -> None:
        self.role = "server" if event.role == "server" else "client"
        self.asked_name = printable(event.server_name)

    def message(self, index: int, event: t.Message) -> None:
        sender, name = self.sender(event), printable(event.name)
        if self.first_message is None:
            self.first_message = self.time(event)
        if name == "ServerHello" and event.version == ProtocolVersion.TLS1_2:
            self.known.version = ProtocolVersion.TLS1_2
        details = describe(event, sender, self.known)
        step, opens = self.steps.message(name, sender, self.known)
        self.rows.append(
            MessageRow(
                event=index,
                time=self.time(event),
                sender=sender,
                name=name,
                epoch=printable(event.epoch),
                version=int(event.version),
                details=details,
                step=step,
                opens=opens,
                raw=event.raw,
            )
        )

    def change_cipher_spec(self, index: int, event: t.ChangeCipherSpecEvent) -> None:
        sender, switches = self.sender(event), event.meaning == "keys"
        step, opens = self.steps.cipher_change(sender, self.known) if switches else (None, False)
        row = CipherChange(event=index, time=self.time(event), sender=sender, switches=switches, step=step, opens=opens)
        last = self.rows[-1] if self.rows else None
        # Whoever receives one changes keys before it is traced; drawn, the cause comes before the effect.
        if switches and isinstance(last, KeyLine) and last.senders == (sender,):
            self.rows.insert(-1, row)
        else:
            self.rows.append(row)

    def key_change(self, index: int, event: t.KeyChange) -> None:
        sender, epoch = self.sender(event), printable(event.epoch)
        line = KeyLine(
            event=index,
            time=self.time(event),
            senders=(sender,),
            epoch=epoch,
            protection=printable(event.protection),
            first=sender not in self.encrypted,
        )
        self.encrypted.add(sender)
        if not self.known.is_tls13:
            self.rows.append(line)
        elif epoch == "handshake":
            self._join_handshake_keys(line)
        elif epoch == "application":
            # A server may write with these keys before it reads with them; the handshake is over with the second.
            if self.waiting_key_change is None:
                self.waiting_key_change = line
            else:
                self.rows.append(replace(line, senders=("client", "server")))
        else:
            self.rows.append(line)

    def _join_handshake_keys(self, line: KeyLine) -> None:
        for place, row in enumerate(self.rows):
            if isinstance(row, KeyLine) and row.epoch == line.epoch:
                self.rows[place] = replace(row, senders=("client", "server"))
                return
        self.rows.append(line)

    def choice(self, index: int, event: t.Choice) -> None:
        topic, why = printable(event.topic), printable(event.why)
        if topic in _DRAWN_WITH_A_MESSAGE or (topic == "resumption" and event.chosen != "declined"):
            # What the other side chose is no news: the message that says so has just been drawn.
            if not why.startswith("the server "):
                self.known.why[topic] = why
            return
        details = (
            Detail("offered", tuple(map(printable, event.offered))),
            Detail("configured", tuple(map(printable, event.configured))),
        )
        text = f"{topic.replace('_', ' ')}: {printable(event.chosen)}; {why}"
        self._note(index, event, "decision", text, None, *details)

    def verified(self, index: int, event: t.CertificatesVerified) -> None:
        whose: Side = "client" if event.purpose == "client" else "server"
        following = self.events[index + 1] if index + 1 < len(self.events) else None
        reported = isinstance(following, t.Choice) and following.chosen == "reported"
        refused = not event.ok and (reported or isinstance(following, t.Failed))
        anchors = Detail("against", (printable(event.anchors),) if event.anchors else ())
        if event.ok:
            path = [summarize(der) for der in event.chain]
            shown = [one.authority if place else one.name for place, one in enumerate(path)]
            if event.anchor and printable(event.anchor) not in [one.subject for one in path]:
                shown.append(printable(event.anchor))
            who = printable(event.name) or (path[0].name if path else self.known.leaf(whose))
            which = "certificate" if whose in self.known.proven else "certificate known from before"
            text = f"the {which} is good for {who}"
            self._note(index, event, "certificate", text, True, Detail("path", tuple(shown)), anchors)
        elif refused:
            text = f"the {whose}'s certificate is refused"
            self._note(index, event, "certificate", text, False, Detail("because", (printable(event.reason),)), anchors)
        else:
            self._note(index, event, "certificate", f"the certificate is not checked: {printable(event.reason)}", None)

    def signature(self, index: int, event: t.SignatureChecked) -> None:
        if event.direction == "sent":
            return  # the message that carries it says so
        text = f"signature {'checked with' if event.ok else 'does not fit'} the public key in the certificate"
        self._note(index, event, "signature", text, bool(event.ok))

    def _note(self, index: int, event: TraceEvent, kind: str, text: str, ok: bool | None, *details: Detail) -> None:
        kept = tuple(detail for detail in details if detail.items)
        time = self.time(event)
        self.rows.append(Note(event=index, time=time, side=self.role, kind=kind, text=text, ok=ok, details=kept))

    def secret(self, index: int, event: t.Secret) -> None:
        if event.value is not None:
            self.secrets.append(SecretValue(index, printable(event.label), event.value))
        if event.label == _LABEL_12:
            inputs = tuple(map(printable, event.inputs))
            self.rows.append(SharedSecret(event=index, time=self.time(event), name="master secret", inputs=inputs))

    def alert(self, index: int, event: t.AlertEvent) -> None:
        closes = event.description == 0
        self.rows.append(
            AlertRow(
                event=index,
                time=self.time(event),
                sender=self.sender(event),
                name=printable(event.name),
                epoch=printable(event.epoch),
                fatal=event.level == AlertLevel.fatal or (self.known.is_tls13 and not closes),
                closes=closes,
            )
        )

    def data(self, index: int, event: t.Data) -> None:
        sender = self.sender(event)
        last = self.rows[-1] if self.rows else None
        if isinstance(last, DataRow) and last.sender == sender and last.epoch == event.epoch:
            both = last.content is not None and event.content is not None
            content = (last.content or b"") + (event.content or b"") if both else None
            self.rows[-1] = replace(last, length=last.length + event.length, content=content)
            return
        step, opens = self.steps.data(sender, event.epoch)
        self.rows.append(
            DataRow(
                event=index,
                time=self.time(event),
                sender=sender,
                epoch=printable(event.epoch),
                length=event.length,
                content=event.content,
                step=step,
                opens=opens,
            )
        )

    def closed(self, index: int, event: t.Closed) -> None:
        if event.how == "cut":
            self.rows.append(Cut(event=index, time=self.time(event), sender=self.sender(event)))

    def completed(self, index: int, event: t.Completed) -> None:
        facts = {printable(name): printable(value) for name, value in event.facts.items()}
        self.done = Done(event=index, time=self.time(event), facts=facts)
        self.rows.append(self.done)

    def failed(self, index: int, event: t.Failed) -> None:
        error = event.error
        code = printable(error.get("code") or "")
        peer = other_side(self.role)
        unreadable = _UNREADABLE.get(code)
        if unreadable is not None:
            self.rows.append(Unreadable(event=index, time=self.time(event), sender=peer, text=unreadable))
        judge: Side | None = peer if error.get("judge") == "peer" else self.role
        if code in ("truncated", "alert-close-notify"):
            judge = None
        evidence = error.get("evidence")
        # The drawing and the explanation below it name one cause and one step.
        told = diagnose_event(event, self.role)
        self.failure = Failure(
            event=index,
            time=self.time(event),
            code=printable(told.id),
            sentence=printable(told.cause, 1000),
            where=printable(told.where),
            rfc=printable(told.rule),
            judge=judge,
            alert="",
            alert_to=None,
            evidence=evidence if isinstance(evidence, dict) else {},
        )

    # The end

    def diagram(self, client: str, server: str) -> Diagram:
        """What has come together."""
        known, done = self.known, self.done
        sides: tuple[Side, Side] = ("client", "server")
        # A resumed handshake shows no certificates; who the two are was settled in the one before it.
        facts = {} if done is None else done.facts
        fact = facts.get("identity" if self.role == "client" else "peer", "")
        shown = {side: known.leaf(side) if side in known.proven else "" for side in sides}
        names = {
            "client": client or shown["client"] or fact,
            "server": server or known.server_name or self.asked_name or shown["server"],
        }
        lines = [Lifeline(side, names[side], side == self.role) for side in sides]
        seconds = None
        if done is not None and self.first_message is not None:
            seconds = max(0.0, done.time - self.first_message)
        return Diagram(
            role=self.role,
            client=lines[0],
            server=lines[1],
            rows=carried_by(self.events, tuple(self.rows)),
            steps=tuple(self.steps.steps),
            version="" if known.version is None else printable(known.version),
            cipher_suite="" if known.suite is None else printable(known.suite),
            group=known.group,
            alpn=known.alpn,
            mutual={"client", "server"} <= known.proven,
            resumed=known.resumed and (done is None or "resumed" in done.facts),
            psk=known.resumed,
            retried=known.retried,
            seconds=seconds,
            failure=self._told(),
            secrets=tuple(self.secrets),
        )

    def _told(self) -> Failure | None:
        """The failure with the alert that told of it: ours behind it, or the peer's before it."""
        if self.failure is None:
            return None
        for row in self.rows:
            if not isinstance(row, AlertRow) or row.closes:
                continue
            ours = row.sender == self.role
            if (row.event > self.failure.event) == ours:
                return replace(self.failure, alert=row.name, alert_to=other_side(row.sender))
        return self.failure


_HANDLERS: dict[type[TraceEvent], Callable[[_Builder, int, Any], None]] = {
    t.Started: _Builder.started,
    t.Message: _Builder.message,
    t.ChangeCipherSpecEvent: _Builder.change_cipher_spec,
    t.KeyChange: _Builder.key_change,
    t.Choice: _Builder.choice,
    t.CertificatesVerified: _Builder.verified,
    t.SignatureChecked: _Builder.signature,
    t.Secret: _Builder.secret,
    t.AlertEvent: _Builder.alert,
    t.Data: _Builder.data,
    t.Closed: _Builder.closed,
    t.Completed: _Builder.completed,
    t.Failed: _Builder.failed,
}
