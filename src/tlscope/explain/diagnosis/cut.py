"""Explanations of an end without a word: a cut connection, a silence."""

from __future__ import annotations

import dataclasses

from ...errors import Judge
from ..words import listed, printable
from .atlas import ATLAS
from .failure import Failure
from .model import Alternative, Diagnosis, Fix
from .seen import alternatives, of_row

__all__ = ["cut", "timed_out"]


def cut(failure: Failure) -> Diagnosis:
    """The transport ended without close_notify."""
    known = failure.known
    if failure.phase == "connected":
        return _cut_later(failure)
    if known.role == "client" and known.heard_nothing:
        return _dropped(failure, "the server closed the connection after the ClientHello, without a word")
    if known.role == "server" and known.heard_nothing:
        return Diagnosis(
            id="no-hello",
            title="the client connected and left",
            cause="the client connected, said nothing and left: a health check or a port scan, mostly",
            step="ClientHello",
            role="server",
            sender="client",
            judge=Judge.PEER,
            known_by="silence",
            rule="RFC 8446 section 6.1",
            fixes=(Fix("client", "if it is a health check: let it make a handshake, or leave it as it is"),),
        )
    awaited = " or ".join(failure.awaiting) or "next message"
    found = of_row(
        "truncated",
        failure,
        f"the {failure.peer} ended the connection where its {awaited} was due, and did not say why",
        step=failure.awaiting[0] if failure.awaiting else "handshake",
        sender=failure.peer,
        judge=Judge.PEER,
        known_by="silence",
        certain=False,
        evidence=_so_far(failure),
    )
    return dataclasses.replace(found, alternatives=_silent_refusals(failure))


def _cut_later(failure: Failure) -> Diagnosis:
    found = of_row("truncated", failure, failure.sentence, sender=failure.peer, evidence=_so_far(failure))
    others = _refused_client(failure)
    if others:
        found = dataclasses.replace(found, certain=False, alternatives=others)
    return found


def _silent_refusals(failure: Failure) -> tuple[Alternative, ...]:
    if failure.role == "server" and "Certificate" in failure.known.sent:
        return (
            Alternative(
                "unknown-ca",
                "the client did not accept our certificate, and hung up without an alert",
                "Node does so, and programs that verify by themselves; the client's log tells.",
            ),
            Alternative("wrong-host", ATLAS["wrong-host"].title, "Compare the name asked for with its names."),
        )
    return (
        *_refused_client(failure),
        Alternative("handshake-too-slow", f"the {failure.peer}'s time was over", "Its log tells."),
    )


def _refused_client(failure: Failure) -> tuple[Alternative, ...]:
    """What a client must think of that was asked for a certificate, where the server hangs up."""
    known = failure.known
    if known.role != "client" or known.asked_authorities is None:
        return ()
    tell = "Node and others hang up like this, without an alert; the server's log tells."
    if known.shown:
        return (Alternative("client-unknown-ca", "the server did not take your certificate", tell),)
    row = "client-cert-not-offered" if known.configured else "no-client-cert"
    return (Alternative(row, "the server wanted a certificate, and you sent an empty list", tell),)


def timed_out(failure: Failure) -> Diagnosis:
    """I/O's time for the handshake was over."""
    known = failure.known
    if known.role == "client" and known.heard_nothing and "ClientHello" in known.sent:
        return _dropped(failure, f"{failure.sentence}: it stayed silent after the ClientHello")
    seconds = failure.fact("seconds")
    limit = f", which is the setting handshake_timeout ({seconds} s)" if seconds else ""
    step = failure.awaiting[0] if failure.awaiting else "ClientHello"
    ours = {} if known.role == "server" else {"fixes": _SLOW_SERVER}
    return of_row(
        "handshake-too-slow",
        failure,
        f"{failure.sentence}{limit}",
        step=step,
        sender=failure.peer,
        evidence=(("limit", f"{seconds} s"), ("setting", "handshake_timeout"), *_so_far(failure)),
        **ours,
    )


_SLOW_SERVER = (
    Fix("server", "see what delays it: its log, a slow key, too many connections"),
    Fix("client", "or wait longer: handshake_timeout (seconds)"),
)


def _dropped(failure: Failure, cause: str) -> Diagnosis:
    ours = failure.known.ours
    evidence = [("name asked for", printable(failure.known.server_name or "none", 100))]
    evidence += [
        (f"we offered: {topic}", listed(ours[topic][:8])) for topic in ("versions", "key shares") if ours.get(topic)
    ]
    return of_row(
        "hello-dropped",
        failure,
        f"{cause}; why can't be known from here, only tried out",
        judge=Judge.PEER,
        known_by="silence",
        certain=False,
        evidence=tuple(evidence),
        alternatives=alternatives("hello-dropped"),
    )


_SAID = ("versions", "key shares")


def _so_far(failure: Failure) -> tuple[tuple[str, str], ...]:
    known = failure.known
    return tuple(
        (name, ", ".join(messages))
        for name, messages in (("we had sent", known.sent), ("it had sent", known.received))
        if messages
    )
