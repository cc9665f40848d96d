"""Both sides' traces at hand: what really happened, and which of the two believes something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...trace import Completed, Started, Trace
from .entry import diagnose_trace
from .model import Diagnosis, paragraphs
from .quiet import remarks

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``client`` and ``server`` are what each side believes (None: that nothing failed); ``judge`` is the side that found
    the fault, empty where neither did; ``wrong`` is the side whose belief is not what happened, empty where both know.
    ``truth`` is the judge's own explanation.
    """

    client: Diagnosis | None
    server: Diagnosis | None
    judge: str
    wrong: str
    sentence: str
    truth: Diagnosis | None

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, width: int = 80) -> str:
        """The comparison in lines of at most ``width`` columns."""
        return "\n".join(paragraphs(self.sentence, width))

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-ready data."""
        return {
            "judge": self.judge,
            "wrong": self.wrong,
            "sentence": self.sentence,
            "client": None if self.client is None else self.client.as_dict(),
            "server": None if self.server is None else self.server.as_dict(),
        }


def compare(client_trace: Trace, server_trace: Trace) -> Comparison:
    """What really happened, by the traces of both sides of one connection. Raises ``ValueError`` for two of one side."""
    for trace, role in ((client_trace, "client"), (server_trace, "server")):
        found = next((event.role for event in trace.events if isinstance(event, Started)), role)
        if found != role:
            raise ValueError(f"the {role}'s trace is that of a {found}")
    client, server = diagnose_trace(client_trace), diagnose_trace(server_trace)
    judge = _judge(client, server)
    truth = {"client": client, "server": server}.get(judge)
    wrong = _wrong(client, server, judge, truth)
    sentence = _sentence(client, server, judge, wrong, client_trace, server_trace)
    return Comparison(client=client, server=server, judge=judge, wrong=wrong, sentence=sentence, truth=truth)


def _judge(client: Diagnosis | None, server: Diagnosis | None) -> str:
    """The side that saw the fault itself; the one that only heard of it did not."""
    for role, belief in (("client", client), ("server", server)):
        if belief is not None and belief.known_by == "seen" and belief.id != "truncated":
            return role
    return ""


_SAYS_MORE = {("client-cert-not-offered", "no-client-cert")}
"""What a refused side may call a fault by another name than the judge, and be right: it knows its own settings."""


def _wrong(client: Diagnosis | None, server: Diagnosis | None, judge: str, truth: Diagnosis | None) -> str:
    if truth is None:
        return ""
    other, belief = ("server", server) if judge == "client" else ("client", client)
    if belief is not None and (belief.id, truth.id) in _SAYS_MORE:
        return ""
    if belief is None or (belief.id != truth.id and belief.known_by != "seen"):
        return other
    return ""


def _worth_knowing(client_trace: Trace, server_trace: Trace) -> str:
    said = [
        f" The {role} remarks ({one.id}): {one.cause}."
        for role, trace in (("client", client_trace), ("server", server_trace))
        for one in remarks(trace)
    ]
    return "".join(said[:2])


def _sentence(
    client: Diagnosis | None, server: Diagnosis | None, judge: str, wrong: str, trace: Trace, server_trace: Trace
) -> str:
    beliefs = {"client": client, "server": server}
    if client is None and server is None:
        return f"Both sides agree that nothing failed.{_worth_knowing(trace, server_trace)}"
    if not judge:
        side = "client" if client is not None else "server"
        told = beliefs[side]
        return (
            f"Neither side found a fault in the other: the {side} saw the connection end ({told.id if told else ''}), so "
            f"something between them, or the program on the other side, ended it."
        )
    other = "server" if judge == "client" else "client"
    truth, belief = beliefs[judge], beliefs[other]
    happened = f"The {judge} refused ({truth.id if truth else ''}): {truth.cause if truth else ''}."
    if belief is None:
        late = " its handshake had ended before" if trace.of(Completed) and other == "client" else ""
        return f"{happened} The {other} believes that nothing failed:{late or ' it was never told'}."
    if belief.id != (truth.id if truth else "") and not wrong:
        return f"{happened} The {other} knows more of its own side ({belief.id}): {belief.cause}."
    if not wrong:
        if not belief.alert:
            return happened
        how = "knows it by" if belief.certain else "takes it for the same, though all that it was told is"
        return f"{happened} The {other} {how} the alert {belief.alert}."
    fits = "is among" if truth and truth.id in {one.id for one in belief.alternatives} else "is not among"
    return (
        f"{happened} The {other}, which knows only the alert {belief.alert or '(none)'}, takes it for {belief.id}; the real "
        f"cause {fits} the others that it names."
    )
