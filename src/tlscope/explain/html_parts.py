"""Pieces of HTML. Whatever a stranger chose passes through ``text`` or an attribute's escape, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from .words import printable

__all__ = ["broken", "element", "items", "rfc_links", "table", "text"]

_VOID = {"br", "hr"}
_RFC = re.compile(r"RFC (\d{3,5})(?: (section|appendix) ([0-9A-Z](?:[0-9A-Za-z.]*[0-9A-Za-z])?))?")


def text(value: object, limit: int = 4000) -> str:
    """A text, made fit to print and escaped."""
    return escape(printable(value, limit))


def broken(value: object, limit: int = 4000) -> str:
    """The same for a text with long names, which may go on in the next line behind an underscore."""
    return text(value, limit).replace("_", "_<wbr>")


def element(tag: str, *content: str, **attributes: object) -> str:
    """An element around content that is HTML already.

    An attribute that is None or False is left out, one that is True has no value; ``class_`` and ``data_x`` are written
    ``class`` and ``data-x``.
    """
    told = []
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.rstrip("_").replace("_", "-")
        told.append(f" {name}" if value is True else f' {name}="{text(value)}"')
    head = f"<{tag}{''.join(told)}>"
    return head if tag in _VOID else f"{head}{''.join(content)}</{tag}>"


def rfc_links(where: str) -> str:
    """Where something stands, each RFC a link to it."""
    out, end = [], 0
    for match in _RFC.finditer(where):
        number, kind, section = match.groups()
        anchor = f"#{kind}-{section}" if kind else ""
        out.append(text(where[end : match.start()]) if where[end : match.start()] else "")
        out.append(
            element(
                "a",
                text(match[0]),
                href=f"https://www.rfc-editor.org/rfc/rfc{number}{anchor}",
                target="_blank",
                rel="noopener noreferrer",
            )
        )
        end = match.end()
    return "".join(out) + (text(where[end:]) if where[end:] else "")


def items(pairs: Iterable[tuple[str, str]], **attributes: object) -> str:
    """Names and what they stand for, which is HTML already; those that stand for nothing are left out."""
    parts = [element("div", element("dt", text(name)), element("dd", value)) for name, value in pairs if value]
    return element("dl", *parts, **attributes) if parts else ""


def table(caption: str, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table that scrolls by itself where the page is narrow; cells are HTML already."""
    heads = list(heads)
    head = element("tr", *(element("th", text(one), scope="col") for one in heads))
    body = [
        element("tr", *(element("td", cell, data_head=name) for name, cell in zip(heads, row, strict=True)))
        for row in rows
    ]
    inner = element("caption", text(caption)) + element("thead", head) + element("tbody", *body)
    return element("div", element("table", inner), class_="wide", role="region", aria_label=caption, tabindex="0")
