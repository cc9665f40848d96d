"""The failure atlas as a page: every row, and what both sides say about it, taken from runs of the lab."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from ..explain.diagnosis import ATLAS, Diagnosis, Row
from .case import Case, Outcome, Seen
from .cases import CASES
from .run import run
from .workshop import Workshop

__all__ = ["failures"]

_INTRODUCTION = """\
# How TLS fails

Made by `make docs` from runs of the lab: every text below was printed by `tlscope lab run ID`, with dates, fingerprints
and paths left out. `tlscope lab serve ID` puts the broken server of a case on a port, `tlscope lab client ID HOST:PORT`
sends its broken client to one; [testing.md](testing.md) has both for pytest.

In a program, `error.explain()` gives the same as data: `print(error.explain())`, `error.explain().as_dict()`.

How to read an explanation:

- The first sentence is the cause, behind the id of the row. Where the side that speaks was refused and was not told why,
  a line says so, and the other causes that fit stand at the end, the likeliest first.
- `where` is the message at which it happened, and which way that went.
- `judge` is who found the fault, and how this side knows: it saw it itself, it was told by an alert, or by nobody.
"""

_JUDGE = {
    "client": "The client finds it, {on} {step}.",
    "server": "The server finds it, {on} {step}.",
    "either": "Either side can find it.",
    "local": "Found when the file is loaded, before any connection.",
}

_SCRUBBED = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d( UTC|Z|\+00:00)?"), "YYYY-MM-DD hh:mm:ss UTC"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "YYYY-MM-DD"),
    (re.compile(r"(?:[0-9a-f]{2}:){8,}[0-9a-f]{2}"), "0a:1b:2c:..."),
    (re.compile(r"(?:[0-9a-f]{2}:){7}[0-9a-f]{2}"), "0a:1b:2c:3d:4e:5f:6a:7b"),
    (re.compile(r"\b\d{5}\b"), "NNNNN"),
    (re.compile(r"/\S*tlscope-lab-[^/\s]*/"), "/path/to/"),
)


def failures() -> str:
    """The text of docs/failures.md. Runs every case, which takes a second or two."""
    workshop = Workshop()
    try:
        outcomes = {case.id: run(case, workshop) for case in CASES.values()}
    finally:
        workshop.close()
    parts = [_INTRODUCTION, *_contents()]
    for row in ATLAS.values():
        parts += _section(row, [outcomes[case.id] for case in CASES.values() if case.row == row.id])
    return "\n".join(parts).rstrip() + "\n"


def _contents() -> Iterator[str]:
    yield "| row | failure |"
    yield "|---|---|"
    for row in ATLAS.values():
        yield f"| [`{row.id}`](#{row.id}) | {row.title} |"
    yield ""


def _section(row: Row, outcomes: list[Outcome]) -> Iterator[str]:
    yield f"## {row.id}"
    yield ""
    yield f"{row.title[:1].upper()}{row.title[1:]}. {_JUDGE[row.judge].format(step=row.step, on=_on(row))} Rule: {row.rule}."
    yield ""
    yield row.meaning
    yield ""
    for outcome in outcomes:
        yield from _run(outcome.case, outcome)


def _on(row: Row) -> str:
    return "after its own" if row.sender == row.judge else f"on the {row.sender}'s"


def _run(case: Case, outcome: Outcome) -> Iterator[str]:
    yield f"**`{case.id}`**: {case.title}"
    yield ""
    for seen, _ in outcome.views:
        yield from _view(seen)


_WHO = {"client": "The client says:", "server": "The server says:", "here": "Loading it says:"}


def _view(seen: Seen) -> Iterator[str]:
    if seen.explanations:
        yield f"{_WHO[seen.role]}"
        yield ""
        yield "```text"
        for one in seen.explanations:
            yield _scrubbed(one).to_text()
        yield "```"
        yield ""
    elif seen.note:
        yield f"The {seen.role} learns: {_scrub(seen.note)}"
        yield ""


def _scrubbed(diagnosis: Diagnosis) -> Diagnosis:
    evidence = tuple((name, _scrub(value)) for name, value in diagnosis.evidence)
    fixes = tuple(dataclasses.replace(one, command=_scrub(one.command)) for one in diagnosis.fixes)
    return dataclasses.replace(diagnosis, cause=_scrub(diagnosis.cause), evidence=evidence, fixes=fixes)


def _scrub(text: str) -> str:
    for pattern, instead in _SCRUBBED:
        text = pattern.sub(instead, text)
    return text
