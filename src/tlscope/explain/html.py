"""The report: one page that shows each handshake of a trace, needs no network, and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from .diagnosis import diagnose_trace
from .html_ladder import ladder
from .html_messages import PANEL_ROWS, panel
from .html_parts import element, items, text
from .html_records import key_schedule, records_and_keys
from .html_verdicts import certificates, decisions, failure
from .model import Diagram
from .svg import to_svg
from .words import milliseconds, plural

if TYPE_CHECKING:
    from ..trace import Trace

__all__ = ["Reported", "to_html"]

MOST_PANELS = 400
"""Messages of one handshake that have their bytes in the page."""


@dataclass(frozen=True)
class Reported:
    """One handshake of a report. ``title`` stands above it.

    ``client`` and ``server`` name the two sides where the trace does not know better.
    """

    trace: Trace
    title: str = ""
    client: str = ""
    server: str = ""


def to_html(*handshakes: Reported | Trace, title: str = "") -> str:
    """The report of some handshakes as one HTML page, which loads nothing and sends nothing.

    It holds what the traces hold: secrets and application data only where they were asked for.
    """
    reported = [one if isinstance(one, Reported) else Reported(one) for one in handshakes]
    diagrams = [Diagram.of(one.trace, client=one.client, server=one.server) for one in reported]
    title = title or _title(diagrams)
    sections = [
        _section(one, diagram, number) for number, (one, diagram) in enumerate(zip(reported, diagrams, strict=True), 1)
    ]
    heading = element("header", element("h1", text(title)), *_contents(reported, diagrams), class_="top")
    secret = any(diagram.secrets for diagram in diagrams)
    warning = (
        element(
            "p", "This page holds the secrets of its connections: whoever has it can decrypt them.", class_="warning"
        )
        if secret
        else ""
    )
    return _page(title, heading + warning + element("main", *sections) + _FOOTER)


_FOOTER = element("footer", element("p", "Drawn by tlscope from what happened; nothing on this page was made up."))


def _title(diagrams: Sequence[Diagram]) -> str:
    if len(diagrams) == 1:
        return f"{diagrams[0].title}: {diagrams[0].client.name or 'client'} and {diagrams[0].server.name or 'server'}"
    return plural(len(diagrams), "handshake") if diagrams else "No handshake"


def _contents(reported: Sequence[Reported], diagrams: Sequence[Diagram]) -> Iterator[str]:
    if len(reported) < 2:
        return
    links = [
        element("li", element("a", text(one.title or diagram.title), href=f"#h{number}"))
        for number, (one, diagram) in enumerate(zip(reported, diagrams, strict=True), 1)
    ]
    yield element("nav", element("ol", *links), aria_label="handshakes")


def _section(one: Reported, diagram: Diagram, number: int) -> str:
    prefix, events = f"h{number}-", one.trace.events
    rows = [row for row in diagram.rows if isinstance(row, PANEL_ROWS)]
    panels = [panel(diagram, row, events, prefix) for row in rows[:MOST_PANELS]]
    picture = _picture(diagram, prefix)
    hint = element("p", "Choose a message to see its fields and its bytes.", class_="hint")
    parts = [
        element("h2", text(one.title or diagram.title), class_=None if one.title or number > 1 else "alone"),
        failure(diagram, diagnose_trace(one.trace)),
        _facts(diagram),
        _part(
            "What was said",
            hint,
            picture,
            ladder(diagram, prefix),
            element("div", *panels, class_="panels"),
            open_=True,
        ),
        _part("Keys and what they protect", records_and_keys(diagram, events)),
        _part("Where the keys come from", key_schedule(diagram, events)),
        _part("Certificates", certificates(diagram, events)),
        _part("Decisions", decisions(events)),
    ]
    return element("section", *parts, class_="handshake", id=f"h{number}")


def _part(title: str, *content: str, open_: bool = False) -> str:
    if not any(content):
        return ""
    return element("section", element("h3", title), *content, class_="part interaction" if open_ else "part")


def _facts(diagram: Diagram) -> str:
    facts = (
        ("version", text(diagram.version)),
        ("cipher suite", text(diagram.cipher_suite)),
        ("group", text(diagram.group)),
        ("protocol", text(diagram.alpn)),
        ("took", "" if diagram.seconds is None else text(milliseconds(diagram.seconds))),
        ("seen by", text(f"the {diagram.role}")),
    )
    return items(facts, class_="facts")


def _picture(diagram: Diagram, prefix: str) -> str:
    # As one image its parts would not exist for a screen reader; here they are buttons.
    svg = to_svg(diagram, prefix=prefix).replace('role="img"', 'role="group"', 1)
    return element("div", re.sub(r"^<\?xml[^>]*\?>", "", svg), class_="picture")


@cache
def _asset(name: str) -> str:
    return (files(__package__) / "page" / name).read_text("utf-8")


def _page(title: str, body: str) -> str:
    script = _asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = (
        element("meta", charset="utf-8").removesuffix("</meta>")
        + element("meta", http_equiv="Content-Security-Policy", content=policy).removesuffix("</meta>")
        + element("meta", name="viewport", content="width=device-width, initial-scale=1").removesuffix("</meta>")
        + element("meta", name="color-scheme", content="light dark").removesuffix("</meta>")
        + element("meta", name="referrer", content="no-referrer").removesuffix("</meta>")
        + '<link rel="icon" href="data:,">'
        + element("title", text(title))
        + f"<style>{_asset('report.css')}</style>"
    )
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}\n<script>{script}</script></body></html>\n'
    )
