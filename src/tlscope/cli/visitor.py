"""The page that shows a visitor's own handshake. All in it comes from strangers, so all in it is escaped."""

from __future__ import annotations

import html
import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from ..explain import Diagram, to_text
from ..explain.words import printable
from .http import Request, Response, error, page
from .recorder import Recorder, steps_of

if TYPE_CHECKING:
    from ..events import ConnectionFacts

__all__ = ["facts_shown", "visitor"]


def visitor(request: Request, facts: ConnectionFacts, recorder: Recorder, address: str) -> Response:
    """The page, or, for a client that accepts no HTML, the same as text or JSON."""
    if request.target.partition("?")[0] != "/":
        return error(HTTPStatus.NOT_FOUND, "There is one page here, and it is at /.")
    diagram = Diagram.of(recorder, client=address)
    shown = [("address", address), *facts_shown(facts)]
    accept = request.accept
    if "html" not in accept and "json" in accept:
        return _plain(
            json.dumps({"facts": facts.as_dict(), "steps": steps_of(diagram)}, indent=2) + "\n", "application/json"
        )
    drawing = to_text(diagram)
    if "html" not in accept and "text/plain" in accept:
        return _plain(
            "".join(f"{name}: {value}\n" for name, value in shown) + "\n" + drawing, "text/plain; charset=utf-8"
        )
    rows = "".join(f"<tr><th>{html.escape(name)}<td>{html.escape(value)}\n" for name, value in shown)
    return page("Your handshake", f"<table>\n{rows}</table>\n<pre>{html.escape(drawing)}</pre>")


def facts_shown(facts: ConnectionFacts) -> list[tuple[str, str]]:
    """What was agreed, in words for people; nothing in it is left unprintable."""
    peer = facts.peer
    if peer is not None:
        certificate = ", ".join(printable(name) for name in (*peer.names, peer.names.subject) if name)
    else:
        certificate = "none shown" if facts.client_certificate_requested else "not asked for"
    rows = [
        ("version", str(facts.version)),
        ("cipher suite", facts.cipher_suite.name),
        ("group", "" if facts.group is None else facts.group.name),
        ("server name", facts.server_name or ""),
        ("protocol", facts.alpn or ""),
        ("certificate", certificate),
    ]
    return [(name, printable(value, 400)) for name, value in rows if value]


def _plain(text: str, content_type: str) -> Response:
    data = text.encode()
    return Response(HTTPStatus.OK, content_type, len(data), (data,))
