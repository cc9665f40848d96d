"""Certificates and how they were judged, decisions and what was offered, and what went wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .. import trace as t
from ..wire.codec import DecodeError
from ..wire.codepoints import ProtocolVersion
from ..wire.handshake import Certificate as Certificate13
from ..wire.handshake12 import Certificate as Certificate12
from .certificates import CertificateSummary, summarize
from .html_parts import broken, element, items, rfc_links, table, text
from .model import Diagram, MessageRow

if TYPE_CHECKING:
    from .diagnosis import Diagnosis

__all__ = ["certificates", "decisions", "failure"]

MOST_NAMES = 40


# Certificates


def certificates(diagram: Diagram, events: Sequence[t.TraceEvent]) -> str:
    """Each chain that was shown, and each verdict."""
    parts = list(_shown(diagram)) + list(_verdicts(events))
    return "".join(parts) or element("p", "No certificate was shown.")


def _shown(diagram: Diagram) -> Iterator[str]:
    for row in diagram.rows:
        if not isinstance(row, MessageRow) or row.name != "Certificate" or not row.raw:
            continue
        yield element("h5", text(f"What the {row.sender} showed"))
        chain = _chain(row)
        if chain is None:
            yield element("p", "It can't be read.")
        elif not chain:
            yield element("p", text(f"Nothing: the {row.sender} had no certificate that fits, or showed none."))
        else:
            yield element("ol", *(element("li", _card(der)) for der in chain[:12]), class_="chain")


def _chain(row: MessageRow) -> tuple[bytes, ...] | None:
    try:
        if row.version == ProtocolVersion.TLS1_3:
            return Certificate13.decode(row.raw[4:]).chain
        return Certificate12.decode(row.raw[4:]).chain
    except DecodeError:
        return None


def _card(der: bytes) -> str:
    one = summarize(der)
    digest = element("code", hashlib.sha256(der).hexdigest(), class_="raw")
    if not one.readable:
        return element("div", element("h6", "Not an X.509 certificate"), items([("SHA-256", digest)]), class_="card")
    names = ", ".join(one.names[:MOST_NAMES]) + (" …" if len(one.names) > MOST_NAMES else "")
    facts = items(
        (
            ("for", text(names)),
            ("subject", text(one.subject)),
            ("issued by", text("itself" if one.self_signed else one.issuer)),
            ("valid", text(_validity(one))),
            ("key", text(one.key)),
            ("SHA-256", digest),
        )
    )
    return element("div", element("h6", text(one.common_name or one.name)), facts, class_="card")


def _validity(one: CertificateSummary) -> str:
    if one.not_before is None or one.not_after is None:
        return ""
    return f"{one.not_before:%Y-%m-%d %H:%M} to {one.not_after:%Y-%m-%d %H:%M} UTC"


def _verdicts(events: Sequence[t.TraceEvent]) -> Iterator[str]:
    for event in events:
        if isinstance(event, t.CertificatesVerified):
            yield element("h5", text(f"How the {event.purpose}'s certificate was judged"))
            path = [summarize(der) for der in event.chain]
            names = [one.authority if place else one.name for place, one in enumerate(path)]
            if event.anchor and event.anchor not in [one.subject for one in path]:
                names.append(event.anchor)
            yield _verdict(
                event.ok,
                items(
                    (
                        ("verdict", "good" if event.ok else text(event.reason or "refused")),
                        ("asked for", text(event.name)),
                        ("path", text(" ← ".join(names))),
                        ("trusted", text(event.anchor)),
                        ("among", text(event.anchors)),
                    )
                ),
            )
        elif isinstance(event, t.SignatureChecked):
            did = "made by this side" if event.direction == "sent" else "checked by this side"
            yield element("h5", text(f"The proof that {event.subject or 'the other side'} has the key"))
            signed = (("signature", text(f"{event.scheme}, {did}")), ("over", text(event.over)))
            yield _verdict(event.ok, items((*signed, ("verdict", "good" if event.ok else "it does not fit the key"))))


def _verdict(ok: bool, facts: str) -> str:
    return element("div", facts, class_=f"card verdict {'good' if ok else 'refused'}")


# Decisions


def decisions(events: Sequence[t.TraceEvent]) -> str:
    """What was chosen, of what, and why."""
    rows = [_decision(event) for event in events if isinstance(event, t.Choice)]
    if not rows:
        return element("p", "Nothing was decided.")
    return table(
        "What was chosen, and what there was", ("what", "chosen", "why", "offered", "configured", "rule"), rows
    )


def _decision(event: t.Choice) -> Iterator[str]:
    yield text(event.topic.replace("_", " "))
    yield element("strong", broken(event.chosen))
    yield text(event.why)
    yield _options(event.offered, event.chosen)
    yield _options(event.configured, event.chosen)
    yield rfc_links(event.rfc)


def _options(options: tuple[str, ...], chosen: str) -> str:
    shown = [element("mark" if one == chosen else "span", broken(one, 200)) for one in options[:24]]
    if len(options) > 24:
        shown.append(text(f"and {len(options) - 24} more"))
    return element("div", ", ".join(shown), class_="options")


# What went wrong


def failure(diagram: Diagram, explained: Diagnosis | None) -> str:
    """The diagnosis, where there is one, and else what the failure says of itself."""
    found = diagram.failure
    if found is None:
        return ""
    if explained is None:
        facts = items((name, rfc_links(value) if name == "rule" else text(value)) for name, value in found.facts)
        parts = [element("p", text(found.sentence), class_="cause"), facts]
    else:
        parts = list(_diagnosis(explained))
    head = element("h3", text(f"✗ {found.headline[:1].upper()}{found.headline[1:]}"))
    code = element("code", text(found.code if explained is None else explained.id), class_="code")
    return element("section", element("header", head, code), *parts, class_="diagnosis", aria_label="what went wrong")


_WHO = {"client": "on the client: ", "server": "on the server: ", "ca": "at the CA: "}


def _diagnosis(explained: Diagnosis) -> Iterator[str]:
    cause = explained.cause[:1].upper() + explained.cause[1:]
    yield element("p", text(cause if cause.endswith((".", "!", "?")) else f"{cause}."), class_="cause")
    if explained.doubt:
        yield element("p", text(explained.doubt))
    yield items(
        (("where", text(explained.where)), ("judge", text(explained.verdict)), ("rule", rfc_links(explained.rule)))
    )
    if explained.fixes:
        yield element("h4", "What to do")
        yield element("ul", *(element("li", *_fix(fix.who, fix.do, fix.command)) for fix in explained.fixes))
    if explained.evidence:
        yield element("h4", "What was seen")
        yield items((name, text(value)) for name, value in explained.evidence)
    if explained.alternatives:
        yield element("h4", "What else it may be")
        told = (f"{other.cause}. {other.tell}" for other in explained.alternatives)
        yield element("ul", *(element("li", text(one)) for one in told))


def _fix(who: str, do: str, command: str) -> Iterator[str]:
    yield text(_WHO.get(who, "") + do)
    if command:
        yield element("pre", text(command), class_="command")
