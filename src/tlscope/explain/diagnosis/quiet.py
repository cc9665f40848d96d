"""What a trace shows that failed nothing, and is worth knowing: a session that was not resumed, early data not taken."""

from __future__ import annotations

from ...trace import Choice, Started, Trace
from .atlas import ATLAS
from .model import Diagnosis
from .told_client import KEY_FIXES

__all__ = ["remarks"]


def remarks(trace: Trace) -> tuple[Diagnosis, ...]:
    """Explanations of what went otherwise than it might have, in the order in which it did."""
    role = next((event.role for event in trace.events if isinstance(event, Started)), "")
    found = []
    for event in trace.of(Choice):
        id = _row_of(event)
        if id:
            found.append(_remark(id, event, role))
    return tuple(found)


def _row_of(event: Choice) -> str:
    if event.topic == "resumption" and event.chosen == "declined":
        return "ticket-rejected"
    if event.topic == "early_data" and event.chosen == "rejected" and "replay" in event.why:
        return "replayed-early-data"
    if event.topic == "client_identity" and event.chosen == "none" and event.configured:
        return "client-cert-not-offered"
    if event.topic == "renegotiation" and event.chosen == "refused":
        return "renegotiation"
    return ""


def _remark(id: str, event: Choice, role: str) -> Diagnosis:
    row = ATLAS[id]
    evidence = [("reason", event.why)]
    step, sender = row.step, row.sender
    if id == "renegotiation":
        step, sender = ("HelloRequest", "server") if role == "client" else ("ClientHello", "client")
    if event.offered:
        evidence.append(("the peer named", ", ".join(event.offered[:8])))
    if event.configured:
        evidence.append(("configured here", ", ".join(event.configured[:8])))
    return Diagnosis(
        id=id,
        title=row.title,
        cause=_CAUSE[id].format(why=event.why),
        step=step,
        role=role,
        sender=sender,
        evidence=tuple(evidence),
        rule=event.rfc or row.rule,
        fixes=KEY_FIXES if id == "client-cert-not-offered" and "signature" in event.why else row.fixes,
        is_failure=False,
    )


_CAUSE = {
    "ticket-rejected": "the session was not resumed, and a full handshake was made instead: {why}",
    "replayed-early-data": "the early data was not taken: {why}",
    "client-cert-not-offered": "an empty list was sent in place of a client certificate: {why}",
    "renegotiation": "the peer's wish to renegotiate was declined: {why}",
}
