"""The same model as an SVG picture and as mermaid source."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from observed import CASES, observed
from rich.cells import cell_len

from tlscope import Trace
from tlscope import trace as t
from tlscope.explain import Diagram, to_mermaid, to_svg
from tlscope.explain.canvas import CHARACTER, WIDTH
from tlscope.explain.model import AlertRow, CipherChange, Cut, DataRow, MessageRow, Unreadable

EVERY_VIEW = [(case, role) for case in CASES for role in ("client", "server")]
SVG = "{http://www.w3.org/2000/svg}"
EVIL = (
    'a;b#c </text><script>alert(1)</script> end "q" %%x $$y$$ `z` {w} [v] : --> '
    "\n    Note over C: & \x1b[31m \ud800 \ufffe"
)


def diagram_of(case: str, role: str) -> Diagram:
    return Diagram.of(observed(case).of(role))


def hostile_trace() -> Trace:
    trace = Trace(secrets=True)
    trace(t.Started("client", EVIL))
    trace(t.Message("sent", EVIL, "plaintext", 0x0304, b"\xfe\0\0\0"))
    trace(t.CertificatesVerified(True, "server", EVIL, EVIL, EVIL))
    trace(t.KeyChange("received", "handshake", EVIL))
    trace(t.Choice(EVIL, EVIL, EVIL))
    trace(t.Secret("CLIENT_RANDOM", (EVIL,)))
    trace(t.Data("sent", 3, "application", EVIL.encode("utf-8", "replace")))
    trace(t.AlertEvent("received", 2, 40, EVIL, "plaintext"))
    trace(t.Failed({"code": EVIL, "sentence": EVIL * 5, "judge": "us", "step": EVIL, "rfc": EVIL}))
    return trace


def hostile() -> Diagram:
    return Diagram.of(hostile_trace(), client=EVIL, server=EVIL)


def assert_sound(svg: str) -> ElementTree.Element:
    """Well-formed, inside its own edges, and in need of nothing."""
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    height = float(root.get("height", "0"))
    for text in root.iter(f"{SVG}text"):
        x, y = float(text.get("x", "nan")), float(text.get("y", "nan"))
        classes = (text.get("class") or "").split()
        size = 20 / 13 if "big" in classes else 14 / 13 if "name" in classes else 1
        width = cell_len(text.text or "") * CHARACTER * size
        left = x - width if "end" in classes else x - width / 2 if {"middle", "on"} & set(classes) else x
        assert left >= 0, text.text
        assert left + width <= WIDTH, text.text
        assert 0 < y < height
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *("svg", "title", "desc", "style", "rect", "line", "path", "circle", "text", "g")
    }
    style = root.findtext(f"{SVG}style") or ""
    assert not re.search(r"url\(|@import|://", style)
    for element in root.iter():
        assert not any("://" in value for value in element.attrib.values())
        assert not any(name.startswith("on") or name.endswith("href") for name in element.attrib)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    return root


@pytest.mark.parametrize(("case", "role"), EVERY_VIEW)
def test_the_picture_is_sound_and_has_every_message(case: str, role: str) -> None:
    diagram = diagram_of(case, role)
    root = assert_sound(to_svg(diagram))
    groups = {group.get("data-event"): group for group in root.iter(f"{SVG}g")}
    for row in diagram.rows:
        if isinstance(row, MessageRow):
            texts = [text.text for text in groups[str(row.event)].iter(f"{SVG}text")]
            assert row.name in texts
            if row.opens:
                assert str(row.step) in texts
    said = ElementTree.tostring(root, "unicode", "text")
    assert diagram.title in said
    assert all(step.title in said for step in diagram.steps)
    if diagram.failure is not None:
        assert diagram.failure.headline in said


def test_the_picture_follows_the_viewers_setting_and_can_be_read_aloud() -> None:
    svg = to_svg(diagram_of("mutual", "client"))
    assert "prefers-color-scheme:dark" in svg
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    labels = (root.get("aria-labelledby") or "").split()
    named = {element.get("id"): element.text or "" for element in root.iter() if element.get("id")}
    assert named[labels[0]] == "Mutual TLS 1.3"
    assert "5 The client shows who it is" in named[labels[1]]


def test_two_pictures_on_one_page_have_different_ids() -> None:
    diagram = diagram_of("one-way", "client")
    ids = [
        {element.get("id") for element in ElementTree.fromstring(to_svg(diagram, prefix=prefix)).iter()} - {None}
        for prefix in ("a-", "b-")
    ]
    assert not ids[0] & ids[1]


def test_what_is_encrypted_lies_on_a_tinted_ground() -> None:
    root = ElementTree.fromstring(to_svg(diagram_of("one-way", "client")))
    (ground,) = [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") == "tint"]
    top = float(ground.get("y", "0"))
    for group in root.iter(f"{SVG}g"):
        if group.get("class") != "message":
            continue
        (arrow,) = [line for line in group.iter(f"{SVG}line") if "shaft" in (line.get("class") or "")]
        sealed = "sealed" in (arrow.get("class") or "")
        assert sealed == (float(arrow.get("y1", "0")) > top)
    refused = ElementTree.fromstring(to_svg(diagram_of("no-common-group", "client")))
    assert not [rect for rect in refused.iter(f"{SVG}rect") if rect.get("class") == "tint"]


def test_text_of_strangers_stays_text_in_the_picture() -> None:
    svg = to_svg(hostile())
    assert_sound(svg)
    assert "<script" not in svg
    assert "\x1b" not in svg


STATEMENT = re.compile(
    r"    (?:accTitle: .+|accDescr: .+|participant [CS] as .+|Note (?:over C,S|right of C|left of S): .+"
    r"|[CS](?:->>|-->>|--x|-x|--\))[CS]: .+|rect rgba\(46, 160, 67, 0\.12\)|end)"
)
ENTITY = re.compile(r"#\d+;")


def assert_mermaid(source: str) -> list[str]:
    first, *lines = source.splitlines()
    assert first == "sequenceDiagram"
    assert all(STATEMENT.fullmatch(line) for line in lines), [line for line in lines if not STATEMENT.fullmatch(line)]
    assert lines.count("    end") == sum(line.startswith("    rect") for line in lines) <= 1
    for line in lines:
        if line != "    end":
            text = ENTITY.sub("", line.partition(":")[2] if ":" in line else line).replace("<br/>", " ")
            assert not set(text) & set(';#<>"%$`{}[]\\'), line
            assert not re.search(r"\bend\b", text, re.IGNORECASE), line
    return lines


@pytest.mark.parametrize(("case", "role"), EVERY_VIEW)
def test_mermaid_source_has_one_arrow_for_everything_that_was_sent(case: str, role: str) -> None:
    diagram = diagram_of(case, role)
    lines = assert_mermaid(to_mermaid(diagram))
    arrows = [line for line in lines if re.match(r"    [CS]-", line)]
    lost = [line for line in arrows if re.match(r"    [CS]-x", line)]
    sent = [
        row
        for row in diagram.rows
        if isinstance(row, MessageRow | AlertRow | DataRow) or (isinstance(row, CipherChange) and row.switches)
    ]
    arrived = [line for line in arrows if line not in lost]
    assert [arrow[4] for arrow in arrived] == [row.sender[0].upper() for row in sent]
    assert len(lost) == sum(isinstance(row, Unreadable | Cut) for row in diagram.rows)
    numbers = [int(number) for number in re.findall(r": (\d+)\. ", "\n".join(arrows))]
    assert numbers == list(range(1, len(diagram.steps) + 1))


def test_text_of_strangers_stays_text_in_mermaid() -> None:
    source = to_mermaid(hostile())
    assert_mermaid(source)
    assert "#60;script#62;" in source
    assert "#101;nd" in source
    assert source.count("\n    Note over C:") == 0
