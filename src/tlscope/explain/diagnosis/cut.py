"""Explanations of an end without a word: a cut connection, a silence."""

from __future__ import annotations

import dataclasses

from ...errors import Judge, Situation
from ..words import listed, printable
from .atlas import ATLAS
from .failure import Failure
from .foreign import first_words, short_answer
from .model import Alternative, Diagnosis, Fix
from .own import faults
from .seen import alternatives, of_row

__all__ = ["cut", "timed_out"]


def cut(failure: Failure) -> Diagnosis:
    """The transport ended without close_notify."""
    known = failure.known
    if failure.phase == "connected":
        return _cut_later(failure)
    how = _how(failure)
    foreign = short_answer(failure, how)
    if foreign is not None:
        return foreign
    if known.role == "client" and known.heard_nothing:
        return _dropped(failure, f"{_who(failure)} {how} after the ClientHello, without a word")
    if known.role == "server" and (known.heard_nothing or _no_hello(known)):
        said = "said nothing" if known.heard_nothing else f"sent {first_words(known.first_bytes)}, which begins no TLS,"
        return Diagnosis(
            id="no-hello",
            title="the client connected and left",
            cause=f"the client connected, {said} and left: a health check or a port scan, mostly",
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
        f"{_who(failure)} {how} where its {awaited} was due, and did not say why{_warned(known)}",
        step=failure.awaiting[0] if failure.awaiting else "handshake",
        sender=failure.peer,
        judge=Judge.PEER,
        known_by="silence",
        certain=False,
        evidence=_so_far(failure),
    )
    return dataclasses.replace(found, alternatives=_silent_refusals(failure))


def _cut_later(failure: Failure) -> Diagnosis:
    known = failure.known
    cause = "the connection was reset" if failure.fact("ended_by") else failure.sentence
    others: tuple[Alternative, ...] = ()
    if known.silent_since:
        cause = f"{_who(failure)} {_how(failure)} right after the handshake, before it had sent anything"
        if known.role == "client" and known.asked_authorities is not None:
            sent = "the one that you sent may not be to its liking" if known.shown else "you sent none"
            cause += f"; it had asked for a certificate, and {sent}"
        others = _refused_client(failure) if known.role == "client" else _refused_server(failure)
    found = of_row("truncated", failure, cause, sender=failure.peer, evidence=_so_far(failure))
    if others:
        found = dataclasses.replace(found, certain=False, alternatives=others)
    return found


def _no_hello(known: Situation) -> bool:
    return not known.received and bool(known.first_bytes) and not 20 <= known.first_bytes[0] <= 23


def _how(failure: Failure) -> str:
    return "reset the connection" if failure.fact("ended_by") else "closed the connection"


def _who(failure: Failure) -> str:
    """A reset can come from anything on the way."""
    between = ", or something between that spoke for it," if failure.fact("ended_by") else ""
    return f"the {failure.peer}{between}"


def _warned(known: Situation) -> str:
    return f"; before, it had warned with {listed(known.warnings[-3:])}" if known.warnings else ""


def _silent_refusals(failure: Failure) -> tuple[Alternative, ...]:
    if failure.role == "client" and "unrecognized_name" in failure.known.warnings:
        tell = "It warned so: ask for a name that it serves."
        return (Alternative("unknown-sni", ATLAS["unknown-sni"].title, tell),)
    if failure.role == "server" and "Certificate" in failure.known.sent:
        return _refused_server(failure)
    return (
        *_refused_client(failure),
        Alternative("handshake-too-slow", f"the {failure.peer}'s time was over", "Its log tells."),
    )


def _refused_server(failure: Failure) -> tuple[Alternative, ...]:
    """What a server must think of that showed its certificate, where the client hangs up."""
    known = failure.known
    plain = faults(known.shown or (), "server", known.server_name, known.now)[:3]
    tell = "Node does so, and programs that verify by themselves; the client's log tells."
    seen = [
        Alternative(one.id, f"the client did not accept {failure.our} certificate: {one.sentence}", tell)
        for one in plain
    ]
    if seen:
        return tuple(seen)
    return (
        Alternative(
            "unknown-ca", f"the client did not accept {failure.our} certificate, and hung up without an alert", tell
        ),
        Alternative("wrong-host", ATLAS["wrong-host"].title, "Compare the name asked for with its names."),
    )


def _refused_client(failure: Failure) -> tuple[Alternative, ...]:
    """What a client must think of that was asked for a certificate, where the server hangs up."""
    known = failure.known
    if known.role != "client" or known.asked_authorities is None:
        return ()
    tell = "Node and others hang up like this, without an alert; the server's log tells."
    if known.shown:
        return (Alternative("client-unknown-ca", f"the server did not take {failure.your} certificate", tell),)
    row = "client-cert-not-offered" if known.configured else "no-client-cert"
    return (Alternative(row, "the server wanted a certificate, and got an empty list", tell),)


def timed_out(failure: Failure) -> Diagnosis:
    """I/O's time for the handshake was over."""
    known = failure.known
    foreign = short_answer(failure, "then stayed silent")
    if foreign is not None:
        return foreign
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
    if failure.fact("ended_by"):
        evidence.append(("ended by", failure.fact("ended_by")))
    evidence += [
        (f"{'the client' if failure.known.observed else 'we'} offered: {topic}", listed(ours[topic][:8]))
        for topic in ("versions", "key shares")
        if ours.get(topic)
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
    unread = (known.first_bytes[:24].hex(" "),) if known.first_bytes and not known.received else ()
    told = (
        ("we had sent", known.sent),
        ("it had sent", known.received),
        ("it had warned", known.warnings[-3:]),
        ("first bytes of it", unread),
        ("ended by", (failure.fact("ended_by"),) if failure.fact("ended_by") else ()),
    )
    return tuple((name, ", ".join(messages)) for name, messages in told if messages)
