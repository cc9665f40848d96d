"""The diagram as a mermaid sequence diagram, for pages that draw those by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from .model import (
    AlertRow,
    CipherChange,
    Cut,
    DataRow,
    Diagram,
    Done,
    KeyLine,
    MessageRow,
    Note,
    RowType,
    SharedSecret,
    Side,
    Unreadable,
    other_side,
)
from .phrases import (
    MoreData,
    Phrase,
    description,
    detail_phrases,
    done_words,
    key_words,
    name_of,
    note_phrases,
    shown_rows,
)
from .words import listed, plural, wrap

__all__ = ["to_mermaid"]

WIDTH = 56
"""Columns of a note, before its text is wrapped."""

_ID = {"client": "C", "server": "S"}
_HARMLESS = re.compile(r"[^\w .,:/()=+'@?!·←✓✗•…-]|\bend\b", re.IGNORECASE)


def to_mermaid(diagram: Diagram) -> str:
    """The source of a ``sequenceDiagram``, which ends in a newline. Text of strangers is spelt so that it stays text."""
    lines = [
        "sequenceDiagram",
        f"    accTitle: {_spelt(diagram.title)}",
        f"    accDescr: {_spelt(description(diagram))}",
    ]
    for line in (diagram.client, diagram.server):
        lines.append(f"    participant {_ID[line.side]} as {line.side.capitalize()}<br/>{_wrapped(name_of(line))}")
    facts = [fact for fact in (diagram.title, diagram.cipher_suite, diagram.group, diagram.alpn) if fact]
    lines.append(f"    Note over C,S: {_spelt(' · '.join(facts))}")
    drawing = _Drawing(diagram)
    for row in shown_rows(diagram):
        lines += [f"    {line}" for line in _DRAWERS[type(row)](drawing, row)]
    if drawing.shaded:
        lines.append("    end")
    lines += [f"    {line}" for line in _failure(diagram)]
    return "\n".join(lines) + "\n"


def _spelt(text: str) -> str:
    """``text`` with every character that mermaid might read as something else as an entity, ``end`` included."""

    def entity(found: re.Match[str]) -> str:
        word = found.group()
        return f"#{ord(word[0])};{word[1:]}"

    return _HARMLESS.sub(entity, text)


def _wrapped(text: str) -> str:
    return "<br/>".join(map(_spelt, wrap(text, WIDTH)))


def _phrased(phrases: Iterator[Phrase]) -> str:
    return "<br/>".join(_spelt(f"{phrase.label}: {phrase.text}" if phrase.label else phrase.text) for phrase in phrases)


def _beside(side: Side, text: str) -> str:
    return f"Note {'right' if side == 'client' else 'left'} of {_ID[side]}: {text}"


def _over(text: str) -> str:
    return f"Note over C,S: {text}"


class _Drawing:
    """One method for each kind of row."""

    def __init__(self, diagram: Diagram) -> None:
        self.diagram = diagram
        self.sealed: set[Side] = set()
        self.shaded = False

    def arrow(self, sender: Side, text: str, head: str) -> str:
        return f"{_ID[sender]}{head}{_ID[other_side(sender)]}: {_spelt(text)}"

    def numbered(self, number: int | None, opens: bool, text: str) -> str:
        return f"{number}. {text}" if opens and number is not None else text

    def message(self, row: MessageRow) -> Iterator[str]:
        # Mermaid's dotted arrows are for answers elsewhere; here they are for what goes encrypted.
        yield self.arrow(row.sender, self.numbered(row.step, row.opens, row.name), "-->>" if row.protected else "->>")
        text = _phrased(detail_phrases(row.details, WIDTH))
        if text:
            yield _beside(row.sender, text)

    def cipher_change(self, row: CipherChange) -> Iterator[str]:
        if row.switches:
            yield self.arrow(row.sender, self.numbered(row.step, row.opens, "ChangeCipherSpec"), "->>")

    def keys(self, row: KeyLine) -> Iterator[str]:
        words = key_words(row)
        if words:
            text = _spelt(f"{words} · {row.protection}")
            yield _over(text) if len(row.senders) == 2 else _beside(row.senders[0], text)
        self.sealed |= set(row.senders)
        if len(self.sealed) == 2 and not self.shaded:
            self.shaded = True
            yield "rect rgba(46, 160, 67, 0.12)"

    def shared_secret(self, row: SharedSecret) -> Iterator[str]:
        yield _over(_wrapped(f"{row.name} on both sides, from {listed(row.inputs)}"))

    def note(self, row: Note) -> Iterator[str]:
        mark = "•" if row.ok is None else "✓" if row.ok else "✗"
        yield _beside(row.side, f"{mark} {_phrased(note_phrases(row, self.diagram.failure, WIDTH, ' ← '))}")

    def alert(self, row: AlertRow) -> Iterator[str]:
        yield self.arrow(row.sender, row.name if row.closes else f"Alert: {row.name}", "--)" if row.closes else "--x")

    def data(self, row: DataRow) -> Iterator[str]:
        text = f"Application data, {plural(row.length, 'byte')}"
        yield self.arrow(row.sender, self.numbered(row.step, row.opens, text), "-->>")

    def more_data(self, row: MoreData) -> Iterator[str]:
        yield _over(f"… {_spelt(row.words)} …")

    def unreadable(self, row: Unreadable) -> Iterator[str]:
        yield self.arrow(row.sender, row.text, "-x")

    def cut(self, row: Cut) -> Iterator[str]:
        yield self.arrow(row.sender, "the connection ends without close_notify", "-x")

    def done(self, row: Done) -> Iterator[str]:
        yield _over(_spelt(" ".join(filter(None, done_words(self.diagram)))))


def _failure(diagram: Diagram) -> Iterator[str]:
    failure = diagram.failure
    if failure is not None:
        facts = [f"✗ {failure.headline}", failure.sentence, *(f"{label}: {value}" for label, value in failure.facts)]
        yield _over("<br/>".join(map(_wrapped, facts)))


_DRAWERS: dict[type[RowType | MoreData], Callable[[_Drawing, Any], Iterator[str]]] = {
    MessageRow: _Drawing.message,
    CipherChange: _Drawing.cipher_change,
    KeyLine: _Drawing.keys,
    Note: _Drawing.note,
    AlertRow: _Drawing.alert,
    DataRow: _Drawing.data,
    MoreData: _Drawing.more_data,
    SharedSecret: _Drawing.shared_secret,
    Unreadable: _Drawing.unreadable,
    Cut: _Drawing.cut,
    Done: _Drawing.done,
}
