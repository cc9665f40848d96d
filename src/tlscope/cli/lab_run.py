"""Run a case of the lab, both sides in this process, and print what each side makes of it.

The two sides talk over a socket on the loopback interface. The exit code is 0 where both explain the failure as they
should; that they fail is the point.

Examples:

    tlscope lab run wrong-host
    tlscope lab run no-client-cert --html lab.html
    tlscope lab run client-cert-not-offered --json
    tlscope lab run all
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from ..errors import TLSError
from ..explain import compare
from ..explain.words import printable
from ..lab import CASES, Case, Outcome, Seen, Workshop, run
from . import options, pictures
from .errors import usage
from .output import Output

__all__ = ["CaseId", "chosen", "document_of", "lab_run", "show_view"]

CaseId = Annotated[str, typer.Argument(metavar="ID|all", help="A case of `tlscope lab list`, or all of them.")]


def lab_run(
    context: typer.Context,
    case: CaseId,
    html: pictures.HtmlFile = None,
    as_json: options.JsonText = False,
) -> None:
    """The command ``tlscope lab run``."""
    output = Output.of(context)
    drawn = pictures.Pictures(html, most=200)
    output.document["cases"] = []
    workshop = Workshop()
    mistakes = []
    try:
        for number, one in enumerate(chosen(case)):
            if number:
                output.say("")
            outcome = run(one, workshop)
            _show(output, outcome)
            for seen, _ in outcome.views:
                if seen.trace is not None:
                    drawn.add(seen.trace, f"{one.id}, as the {seen.role} saw it")
            mistakes += [f"{one.id}: {what}" for what in outcome.mistakes()]
    finally:
        workshop.close()
        drawn.write("The lab")
    if mistakes:
        raise RuntimeError(f"an explanation is wrong: {'; '.join(mistakes)}")


def chosen(id: str) -> tuple[Case, ...]:
    """The cases that an ``ID|all`` names. Raises ``ConfigError``."""
    if id == "all":
        return tuple(CASES.values())
    if id not in CASES:
        near = sorted(name for name in CASES if id in name or name.partition("-")[0] == id.partition("-")[0])[:4]
        hint = f"; there are {', '.join(near)}" if near else ""
        raise usage(f"there is no lab case {printable(id, 60)!r}{hint}; tlscope lab list has them all")
    return (CASES[id],)


def _show(output: Output, outcome: Outcome) -> None:
    case = outcome.case
    output.document["cases"].append(
        {"id": case.id, "title": case.title, "broken": case.broken, "mistakes": outcome.mistakes()}
        | {seen.role: document_of(seen) for seen, _ in outcome.views}
    )
    output.say(Text(f"{case.id}: {case.title}", "bold"))
    for seen, _ in outcome.views:
        output.say("")
        show_view(output, seen)
    comparison = _comparison(outcome)
    if comparison:
        output.say("")
        output.text(f"Both traces together: {comparison}")


def _comparison(outcome: Outcome) -> str:
    sides = outcome.client, outcome.server
    if any(side is None or side.trace is None for side in sides) or not any(side and side.diagnosis for side in sides):
        return ""
    client, server = (side.trace for side in sides if side is not None and side.trace is not None)
    return compare(client, server).sentence


_WHOSE = {"client": "What the client says", "server": "What the server says", "here": "What loading it says"}


def show_view(output: Output, seen: Seen) -> None:
    """Print what one side came to know."""
    output.say(Text(f"{_WHOSE[seen.role]}:", "cyan"))
    for diagnosis in seen.explanations:
        for line in diagnosis.to_text().splitlines():
            output.say(Text(f"{line}", no_wrap=True, overflow="ignore"))
    if not seen.explanations:
        output.text(_without_explanation(seen), indent=2)


def _without_explanation(seen: Seen) -> str:
    if seen.note:
        return seen.note
    if isinstance(seen.error, TLSError):
        return str(seen.error)
    if seen.error is not None:
        return f"the socket failed: {seen.error}"
    return (
        "nothing was wrong" if seen.trace is not None else "nothing: it is no TLS of ours, and nobody told it anything"
    )


def document_of(seen: Seen) -> dict[str, Any]:
    """What one side came to know, as JSON-ready data."""
    return {
        "diagnosis": None if seen.diagnosis is None else seen.diagnosis.as_dict(),
        "remarks": [one.as_dict() for one in seen.remarks],
        "error": None if seen.error is None else str(seen.error),
        "note": seen.note,
    }
