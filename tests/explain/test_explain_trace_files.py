"""A trace may be a stranger's file: what is read from it has the types that its events promise, or it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from observed import CASES, observed

from tlscope import Trace
from tlscope import trace as t
from tlscope.explain import Diagram, to_mermaid, to_svg, to_text


def line(**fields: Any) -> str:
    return json.dumps({"time": 0.1, **fields})


@pytest.mark.parametrize("case", CASES)
def test_every_event_survives_the_round_trip(case: str) -> None:
    trace = observed(case).server
    again = Trace.from_json_lines(trace.to_json_lines())
    assert len(again) == len(trace)
    for ours, theirs in zip(trace, again, strict=True):
        theirs.time = ours.time
        assert ours == theirs
    assert (again.started_at, again.secrets) == (trace.started_at, trace.secrets)


@pytest.mark.parametrize(
    "bad",
    [
        "not JSON",
        "[]",
        "null",
        "[" * 100_000,
        line(),
        line(kind="unheard of"),
        line(kind="started"),
        line(kind="started", role="spy"),
        line(kind="started", role=["client"]),
        line(kind="started", role="client", server_name=7),
        line(kind="started", role="client", time="now"),
        line(kind="started", role="client", time=float("nan")),
        line(kind="started", role="client", time=True),
        line(kind="message", direction="sideways", name="ClientHello", epoch="plaintext", version=771, raw=""),
        line(kind="message", direction="sent", name="ClientHello", epoch="plaintext", version="771", raw=""),
        line(kind="message", direction="sent", name="ClientHello", epoch="plaintext", version=771, raw="0"),
        line(kind="message", direction="sent", name="ClientHello", epoch="plaintext", version=771, raw=[1]),
        line(kind="message", direction="sent", name="ClientHello", epoch="plaintext", version=771, raw="(redacted)"),
        line(kind="data", direction="sent", length=-1, epoch="application", content="(redacted)"),
        line(kind="data", direction="sent", length=True, epoch="application", content="(redacted)"),
        line(kind="data", direction="sent", length=1 << 70, epoch="application", content="(redacted)"),
        line(kind="choice", topic="alpn", chosen="h2", why="", offered="h2"),
        line(kind="choice", topic="alpn", chosen="h2", why="", offered=[["h2"]]),
        line(kind="verified", ok="yes", purpose="server"),
        line(kind="verified", ok=True, purpose="server", chain=["xy"]),
        line(kind="failed", error="it failed"),
        line(kind="completed", facts=[]),
    ],
)
def test_what_is_no_event_is_refused_with_its_line(bad: str) -> None:
    good = line(kind="started", role="client")
    with pytest.raises(ValueError, match=r"^line 2 is not an event of a tlscope trace"):
        Trace.from_json_lines(f"{good}\n{bad}\n")


def test_the_word_redacted_is_only_a_word_where_nothing_can_be_missing() -> None:
    (event,) = Trace.from_json_lines(line(kind="started", role="client", server_name=t.REDACTED))
    assert event == t.Started("client", t.REDACTED, time=0.1)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("00ff"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_a_file_with_any_values_is_drawn_or_refused(data: st.DataObject) -> None:
    lines = observed("mutual").client.to_json_lines().splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(1, len(lines) - 1))
        event = json.loads(lines[place])
        event[data.draw(st.sampled_from(sorted(event)))] = data.draw(VALUES)
        lines[place] = json.dumps(event)
    try:
        trace = Trace.from_json_lines(lines)
    except ValueError:
        return
    diagram = Diagram.of(trace)
    for drawing in (to_text(diagram, color=True), to_svg(diagram), to_mermaid(diagram)):
        assert drawing.endswith("\n")
