"""The same interaction as a list, for narrow windows and for whoever can't see the picture."""

from __future__ import annotations

from .html_messages import PANEL_ROWS, title_of
from .html_parts import broken, element, items, text
from .model import (
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
    Unreadable,
)
from .phrases import done_words, key_words
from .words import plural

__all__ = ["ladder"]


def ladder(diagram: Diagram, prefix: str) -> str:
    """Every row of the diagram as an item of a list; what has a panel is a button."""
    rows = [item for row in diagram.rows if (item := _row(diagram, row))]
    return element("ol", *rows, class_="ladder", aria_label="the interaction, step by step")


def _row(diagram: Diagram, row: RowType) -> str:
    if isinstance(row, KeyLine | SharedSecret | Done):
        words = _bar(diagram, row)
        return element("li", text(words), class_="bar") if words else ""
    side = row.side if isinstance(row, Note) else row.sender
    step = getattr(row, "step", None)
    heading = ""
    if getattr(row, "opens", False) and step is not None:
        found = diagram.step(step)
        heading = element("span", text(f"{found.number}  {found.title}"), class_="step")
    body = _body(row, side)
    if isinstance(row, Note):
        mark = "•" if row.ok is None else "✓" if row.ok else "✗"
        kind = "note" + ("" if row.ok is None else " good" if row.ok else " refused")
        return element("li", heading, body.replace("@", mark, 1), class_=f"{kind} from-{side}")
    return element("li", heading, body, class_=f"message from-{side}")


def _bar(diagram: Diagram, row: KeyLine | SharedSecret | Done) -> str:
    if isinstance(row, KeyLine):
        words = key_words(row)
        return f"{words} · {row.protection}" if words else ""
    if isinstance(row, SharedSecret):
        return f"{row.name} on both sides"
    return " ".join(filter(None, done_words(diagram)))


def _body(row: RowType, side: str) -> str:
    if isinstance(row, Note):
        return element("button", f"@ the {side}: ", text(row.text), type="button", data_event=row.event) + _details(row)
    if isinstance(row, Unreadable):
        return element("span", text(row.text), class_="said")
    if isinstance(row, Cut):
        return element("span", "the connection ends without close_notify", class_="said")
    words = title_of(row)
    if isinstance(row, DataRow):
        words = f"Application data, {plural(row.length, 'byte')}"
    elif isinstance(row, CipherChange) and not row.switches:
        words = "ChangeCipherSpec, for middleboxes"
    arrow = "client → server" if side == "client" else "client ← server"
    sealed = getattr(row, "epoch", "plaintext") != "plaintext"
    label = element("span", arrow, class_="way") + element("span", text(words), class_="said")
    lock = element("span", "encrypted" if sealed else "open", class_="lock encrypted" if sealed else "lock")
    if isinstance(row, PANEL_ROWS):
        return element("button", label, lock, type="button", data_event=row.event) + _details(row)
    return label + lock


def _details(row: RowType) -> str:
    details = row.details if isinstance(row, MessageRow | Note) else ()
    told = []
    for detail in details:
        shown = ", ".join(detail.items[:6]) + (f" and {len(detail.items) - 6} more" if len(detail.items) > 6 else "")
        why = element("span", text(detail.why), class_="why") if detail.why else ""
        told.append((detail.label, broken(shown) + (f" {why}" if why else "")))
    return items(told)
