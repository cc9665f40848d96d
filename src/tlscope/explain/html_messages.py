"""The panel of a message: its fields as a tree beside its bytes, each leading to the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import trace as t
from .fields import Field, fields_of_alert, fields_of_message
from .fields_about import about_message
from .html_parts import element, items, rfc_links, text
from .model import SEALED, AlertRow, CipherChange, DataRow, Diagram, MessageRow, Note, RowType
from .words import listed, plural, printable

__all__ = ["PANEL_ROWS", "panel", "title_of"]

_SEALED = ("Records that only the two sides can read.", "RFC 8446 section 5.2")

PANEL_ROWS = (MessageRow, AlertRow, CipherChange, DataRow, Note)
"""Rows that have a panel."""

MOST_BYTES = 8192
"""Bytes of a message that are shown."""
MOST_FIELDS = 1500
"""Fields of a message that are shown."""


def title_of(row: RowType) -> str:
    """What a row is called."""
    if isinstance(row, MessageRow):
        return row.name
    if isinstance(row, AlertRow):
        return f"Alert: {row.name}"
    if isinstance(row, CipherChange):
        return "ChangeCipherSpec"
    if isinstance(row, Note):
        return {"certificate": "The certificate", "signature": "The signature"}.get(row.kind, "A decision")
    return "Application data"


def panel(diagram: Diagram, row: RowType, events: Sequence[t.TraceEvent], prefix: str) -> str:
    """The panel of a row, as an ``article``."""
    ident = f"{prefix}panel-{row.event}"
    heading = element("h4", text(title_of(row)), id=f"{ident}-title", tabindex="-1")
    close = element("button", "Close", type="button", class_="close", aria_label="Close")
    steps = element("button", "←", type="button", class_="before", aria_label="The one before") + element(
        "button", "→", type="button", class_="after", aria_label="The next one"
    )
    bar = element("header", heading, element("div", steps, close, class_="buttons"))
    body = element("div", *_content(diagram, row, events, ident), class_="content")
    return element(
        "article",
        bar,
        body,
        class_="panel",
        id=ident,
        data_event=row.event,
        role="region",
        aria_labelledby=f"{ident}-title",
    )


def _content(diagram: Diagram, row: RowType, events: Sequence[t.TraceEvent], ident: str) -> Iterator[str]:
    if isinstance(row, Note):
        yield element("p", text(f"The {row.side}: {row.text}."))
        yield items((detail.label, text(", ".join(detail.items))) for detail in row.details)
        return
    name = row.name if isinstance(row, MessageRow) else title_of(row).partition(":")[0]
    about, rfc = about_message(name) if getattr(row, "epoch", "") != SEALED else _SEALED
    yield element("p", text(about), " ", element("span", rfc_links(rfc), class_="rfc"), class_="about")
    yield element("p", *_travel(diagram, row, events), class_="travel")
    if isinstance(row, MessageRow):
        if row.raw:
            yield _dissected(row.raw, fields_of_message(row.raw, row.version), ident, row.name)
        else:
            sealed = "It was not decrypted: that takes the secrets of its connection, a key log."
            yield element("p", sealed if row.epoch == SEALED else "The trace did not keep its bytes.")
    elif isinstance(row, AlertRow):
        event = events[row.event]
        if isinstance(event, t.AlertEvent):
            raw = bytes((event.level & 0xFF, event.description & 0xFF))
            yield _dissected(raw, fields_of_alert(raw), ident, "the alert")
    elif isinstance(row, DataRow):
        yield from _data(row, ident)


def _travel(diagram: Diagram, row: RowType, events: Sequence[t.TraceEvent]) -> Iterator[str]:
    sender = getattr(row, "sender", "client")
    epoch = getattr(row, "epoch", "plaintext")
    yield text(f"Sent by the {sender}, ")
    keys = "encrypted" if epoch == SEALED else f"encrypted with the {epoch} keys"
    yield "readable by anyone" if epoch == "plaintext" else text(keys)
    if isinstance(row, MessageRow) and row.raw:
        yield text(f", {plural(len(row.raw), 'byte')}")
    elif isinstance(row, DataRow):
        yield text(f", {plural(row.length, 'byte')}")
    if row.records:
        numbers = [str(_number(events, index)) for index in row.records[:6]]
        if len(row.records) > len(numbers):
            numbers.append(f"{len(row.records) - len(numbers)} more")
        yield text(f", in record {listed(numbers)}" if len(numbers) == 1 else f", in records {listed(numbers)}")
    yield "."


def _number(events: Sequence[t.TraceEvent], index: int) -> int:
    """Which record of the connection an event is, counted from 1."""
    return sum(isinstance(event, t.Record) for event in events[: index + 1])


def _data(row: DataRow, ident: str) -> Iterator[str]:
    if row.content is None:
        yield element("p", "What it says was not kept: the trace was made without secrets.")
        return
    shown = row.content[:MOST_BYTES]
    field = Field("content", 0, len(shown), printable(shown.decode("utf-8", "backslashreplace")), *_DATA)
    yield _dissected(row.content, (field,) if shown else (), ident, "the data")


_DATA = ("The bytes that one program sent to the other.", "RFC 8446 section 5.2")


def _dissected(raw: bytes, fields: tuple[Field, ...], ident: str, name: str) -> str:
    """The tree beside the bytes."""
    tree = _Tree(ident)
    branches = tree.branches(fields, 1)
    if not branches:
        return ""
    left = element("ul", branches, role="tree", class_="tree", aria_label=f"the fields of {name}")
    return element("div", left, _bytes(raw, tree.leaves, ident, name), class_="dissection")


class _Tree:
    """Numbers the leaves from left to right, by which fields and bytes find each other."""

    def __init__(self, ident: str) -> None:
        self.ident = ident
        self.leaves: list[Field] = []
        self.count = 0

    def branches(self, fields: tuple[Field, ...], level: int) -> str:
        out = []
        for place, field in enumerate(fields):
            if self.count >= MOST_FIELDS:
                more = element("span", text(f"and {len(fields) - place} more"), class_="row")
                out.append(element("li", more, role="treeitem", aria_level=level, tabindex="-1"))
                break
            out.append(self.branch(field, level))
        return "".join(out)

    def branch(self, field: Field, level: int) -> str:
        self.count += 1
        first = len(self.leaves)
        inner = ""
        if field.fields:
            inner = element("ul", self.branches(field.fields, level + 1), role="group")
        else:
            self.leaves.append(field)
        span = element("span", text(field.name), class_="field")
        value = element("span", text(field.value), class_="value") if field.value else ""
        where = element(
            "span",
            f"{field.start}-{field.end - 1}" if field.end - field.start > 1 else f"{field.start}",
            class_="place",
        )
        about = element(
            "span", text(field.about), " ", element("span", rfc_links(field.rfc), class_="rfc"), class_="note"
        )
        row = element("span", span, value, where, about, class_="row")
        return element(
            "li",
            row,
            inner,
            role="treeitem",
            aria_level=level,
            aria_selected="false",
            aria_expanded=("true" if _opens(field, level) else "false") if field.fields else None,
            data_leaves=f"{first}-{max(first, len(self.leaves) - 1)}",
            data_bytes=f"{field.start}-{field.end}",
            tabindex="0" if self.count == 1 else "-1",
        )


def _opens(field: Field, level: int) -> bool:
    """Whether a field is open at first: the outline is, what is deep inside is not."""
    return field.name in {"body", "extensions", "certificate_list", "CertificateEntry"} or level == 1


def _bytes(raw: bytes, leaves: list[Field], ident: str, name: str) -> str:
    shown = raw[:MOST_BYTES]
    spans = [
        element("span", shown[leaf.start : leaf.end].hex(" "), data_leaf=number, title=leaf.name)
        for number, leaf in enumerate(leaves)
        if leaf.start < len(shown)
    ]
    end = leaves[-1].end if leaves else 0
    if end < len(shown):
        spans.append(shown[end:].hex(" "))
    more = "" if len(raw) <= len(shown) else element("p", text(f"and {plural(len(raw) - len(shown), 'more byte')}"))
    offsets = "".join(
        element(
            "pre", "\n".join(f"{at:04x}" for at in range(0, len(shown), width)), class_=f"by{width}", aria_hidden="true"
        )
        for width in (16, 8)
    )
    dump = element(
        "div",
        " ".join(spans),
        class_="hex",
        tabindex="0",
        role="group",
        aria_label=f"the bytes of {name}, in hexadecimal",
    )
    return element("div", element("div", offsets, dump, class_="dump"), more, class_="bytes")
