"""What stands above a ladder, who talks to whom and what they agreed on, and what stands below it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

from .frame import MARGIN, Frame, fit
from .glyphs import BAD, FAINT, Glyphs, side_style
from .model import Diagram, Lifeline, Side
from .phrases import name_of
from .words import milliseconds, wrap

__all__ = ["failure_box", "footer", "header"]


def header(diagram: Diagram, frame: Frame) -> Iterator[Text]:
    """Two boxes, from which the lifelines hang, and between them what was agreed."""
    glyphs = frame.glyphs
    title = diagram.title
    suite = diagram.cipher_suite
    least = max(cell_len(title), min(cell_len(suite), 24)) + 4
    names = [name_of(line) for line in (diagram.client, diagram.server)]
    most = (frame.width - 2 * (MARGIN - 2) - least) // 2 - 4
    inner = min(most, max(6, *map(cell_len, names)))
    boxes = [
        _box(line, fit(name, inner, glyphs.more), inner, glyphs)
        for line, name in zip((diagram.client, diagram.server), names, strict=True)
    ]
    room = frame.width - 2 * (MARGIN - 2) - 2 * (inner + 4)
    middle = _middle(diagram, room - 2, glyphs)
    for left, right, (words, style) in zip(*boxes, middle, strict=True):
        text = Text(" " * (MARGIN - 2), no_wrap=True, overflow="ignore")
        before = (room - cell_len(words)) // 2
        text.append_text(left)
        text.append(" " * before + words + " " * (room - before - cell_len(words)), style)
        text.append_text(right)
        yield text


def _middle(diagram: Diagram, room: int, glyphs: Glyphs) -> list[tuple[str, str]]:
    """Four lines: the title, the cipher suite in one or two, and group, protocol and time."""
    title_style = BAD if diagram.failure is not None and diagram.seconds is None else "bold"
    lines = [(fit(diagram.title, room, glyphs.more), title_style)]
    suite = diagram.cipher_suite
    if cell_len(suite) > room and "_WITH_" in suite:
        first, _, second = suite.partition("_WITH_")
        lines += [(fit(part, room, glyphs.more), FAINT) for part in (f"{first}_WITH", second)]
    else:
        lines.append((fit(suite, room, glyphs.more), FAINT))
    time = "" if diagram.seconds is None else milliseconds(diagram.seconds)
    facts = [fact for fact in (diagram.group, diagram.alpn, time) if fact]
    while len(facts) > 1 and cell_len(glyphs.dot.join(facts)) > room:
        del facts[-2]
    lines.append((fit(glyphs.dot.join(facts), room, glyphs.more), FAINT))
    return lines + [("", "")] * (4 - len(lines))


def _box(line: Lifeline, name: str, inner: int, glyphs: Glyphs) -> list[Text]:
    box, style, is_client = glyphs.box, side_style(line.side), line.side == "client"

    def row(words: str, words_style: str) -> Text:
        pad = " " * (inner - cell_len(words))
        text = Text(f"{box.upright} ", style)
        text.append(words + pad if is_client else pad + words, words_style)
        text.append(f" {box.upright}", style)
        return text

    # The lifeline leaves two columns from the outer edge of the box.
    floor = [box.flat] * (inner + 2)
    floor[1 if is_client else -2] = box.leaves
    return [
        Text(f"{box.top_left}{box.flat * (inner + 2)}{box.top_right}", style),
        row(line.side.capitalize(), f"bold {style}"),
        row(name, style if line.name else FAINT),
        Text(f"{box.bottom_left}{''.join(floor)}{box.bottom_right}", style),
    ]


def footer(diagram: Diagram, frame: Frame) -> Iterator[Text]:
    """The ends of the lifelines, what the two kinds of arrow mean, and whose view this is."""
    glyphs = frame.glyphs
    sides: tuple[Side, Side] = ("client", "server")
    ends = [glyphs.ends[side in frame.sealed] for side in sides]
    yield frame.line(rails=(ends[0], ends[1]))
    legend = f"{glyphs.open.shaft * 2} anyone can read"
    if frame.sealed:
        legend += f"   {glyphs.sealed.shaft * 2} encrypted"
    seen = diagram.seen_by
    gap = max(2, frame.width - 2 * MARGIN - cell_len(legend) - cell_len(seen))
    yield Text(f"{' ' * MARGIN}{legend}{' ' * gap}{seen}", FAINT, no_wrap=True, overflow="ignore")


def failure_box(diagram: Diagram, frame: Frame) -> Iterator[Text]:
    """Who refused, why, by which rule, and who was told."""
    failure, glyphs = diagram.failure, frame.glyphs
    if failure is None:
        return
    box, indent = glyphs.box, " " * (MARGIN - 2)
    inner = frame.width - 2 * (MARGIN - 2) - 4

    def edge(left: str, before: str, words: str, after: str, right: str) -> Text:
        shaft = box.flat * (inner + 2 - cell_len(before + words + after))
        line = f"{before}{words}{shaft}{after}" if before else f"{shaft}{words}{after}"
        return Text(f"{indent}{left}{line}{right}", BAD, no_wrap=True, overflow="ignore")

    def row(words: str = "", style: str = "", label: str = "") -> Text:
        text = Text(indent, no_wrap=True, overflow="ignore")
        text.append(f"{box.upright} ", BAD)
        text.append(label, FAINT)
        text.append(words + " " * (inner - cell_len(words) - cell_len(label)), style)
        text.append(f" {box.upright}", BAD)
        return text

    yield Text()
    code = fit(failure.code, inner - 4, glyphs.more)
    yield edge(box.top_left, box.flat, f" {glyphs.no} {failure.headline} ", "", box.top_right)
    yield row()
    for line in wrap(failure.sentence, inner):
        yield row(line, "bold")
    yield row()
    for label, value in failure.facts:
        for place, line in enumerate(wrap(value, inner - 8)):
            yield row(line, "", f"{'' if place else label:<8}")
    yield edge(box.bottom_left, "", f" {code} ", box.flat, box.bottom_right)
