"""What a drawing says, whatever it is drawn with: the lines under a message, the words of a verdict, a cut in a talk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.cells import cell_len

from .model import DataRow, Detail, Diagram, Failure, KeyLine, Lifeline, Note, RowType
from .words import milliseconds, plural, wrap

__all__ = [
    "MoreData",
    "Phrase",
    "description",
    "detail_phrases",
    "done_words",
    "key_words",
    "label_width",
    "listing",
    "name_of",
    "note_phrases",
    "shown_rows",
]

PROSE_WIDTH = 46
"""Columns that a reason takes, at most: short lines keep the other side free."""

MOST_TURNS = 8
"""Rows of application data one after the other that are drawn each; of more, the first and the last."""

_SELF_EVIDENT = "it is the only one"
_NAMELESS = {"client": "anonymous", "server": "unknown"}


@dataclass(frozen=True, slots=True)
class Phrase:
    """One line: a label, empty but on the first line of its value, and a part of the value.

    ``tone`` is ``plain``, ``reason`` (why something was chosen), ``verdict`` or ``faint``.
    """

    label: str
    text: str
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class MoreData:
    """Stands for rows of application data that are not drawn."""

    turns: int
    length: int

    @property
    def words(self) -> str:
        """How much there was."""
        return f"{plural(self.turns, 'more turn')}, {plural(self.length, 'byte')}"


def listing(items: Sequence[str], room: int) -> str:
    """The items in one line; of a list that is too long only the first, and how many more there are."""
    text = ", ".join(items)
    kept = len(items) - 1
    while kept > 0 and cell_len(text) > room:
        text = f"{', '.join(items[:kept])} and {len(items) - kept} more"
        kept -= 1
    return text


def name_of(line: Lifeline) -> str:
    """The name to write at a lifeline."""
    return line.name or _NAMELESS[line.side]


def description(diagram: Diagram) -> str:
    """The diagram in a sentence or two, for those who can't see it."""
    steps = ", ".join(f"{step.number} {step.title}" for step in diagram.steps)
    failure = "" if diagram.failure is None else f". Failed: {diagram.failure.sentence}"
    return f"{steps or 'Nothing was said'}{failure}"


def detail_phrases(details: Sequence[Detail], width: int) -> Iterator[Phrase]:
    """The lines under a message, in ``width`` columns with the labels."""
    room = width - label_width(details)
    for detail in details:
        label = detail.label
        for line in wrap(listing(detail.items, room), room):
            yield Phrase(label, line)
            label = ""
        if detail.why and detail.why != _SELF_EVIDENT:
            for line in wrap(detail.why.removeprefix("it is "), min(room, PROSE_WIDTH)):
                yield Phrase("", line, "reason")


def label_width(details: Sequence[Detail]) -> int:
    """Columns of the labels, with two for the gap behind them; none where no detail has one."""
    widest = max((cell_len(detail.label) for detail in details), default=0)
    return widest + 2 if widest else 0


def note_phrases(row: Note, failure: Failure | None, width: int, issued: str) -> Iterator[Phrase]:
    """The lines of a note; ``issued`` stands between a certificate and its issuer.

    What the failure's own box says is not said twice.
    """
    for line in wrap(row.text, width):
        yield Phrase("", line, "verdict")
    for detail in row.details:
        if detail.label == "path":
            for line in wrap(issued.join(detail.items), width):
                yield Phrase("", line)
        elif row.kind != "decision" and not (failure is not None and detail.items[0] in failure.sentence):
            for line in wrap(f"{detail.label} {listing(detail.items, width)}", width):
                yield Phrase("", line, "faint")


def key_words(row: KeyLine) -> str:
    """What begins at a change of keys; empty for one that is drawn with the end of the handshake."""
    if row.epoch == "application" and len(row.senders) == 2:
        return ""
    if row.epoch == "early":
        return "early data, under the session's key"
    return "encrypted from here on" if row.first else "new keys from here on"


def done_words(diagram: Diagram) -> tuple[str, str]:
    """That the handshake is complete, and how long it took."""
    return "handshake complete", "" if diagram.seconds is None else f"in {milliseconds(diagram.seconds)}"


def shown_rows(diagram: Diagram) -> Iterator[RowType | MoreData]:
    """The rows, with the middle of a long talk left out."""
    for is_data, group in groupby(diagram.rows, lambda row: isinstance(row, DataRow)):
        rows = list(group)
        if not is_data or len(rows) <= MOST_TURNS:
            yield from rows
            continue
        first, left_out = rows[: MOST_TURNS - 2], rows[MOST_TURNS - 2 : -1]
        yield from first
        yield MoreData(len(left_out), sum(row.length for row in left_out if isinstance(row, DataRow)))
        yield rows[-1]
