from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from observed import CASES, observed
from rich.cells import cell_len
from rich.console import Console

from tlscope import Trace
from tlscope import trace as t
from tlscope.explain import Diagram, draw, to_text

ROLES = ("client", "server")
EVERY_VIEW = [(case, role) for case in CASES for role in ROLES]
SGR = re.compile(r"\x1b\[[0-9;]*m")
GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", ["mutual-client", "no-client-cert-client"])
def test_the_drawing_itself(name: str) -> None:
    case, _, role = name.rpartition("-")
    assert to_text(observed(case).of(role)) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(("case", "role"), EVERY_VIEW)
def test_no_line_is_too_wide_or_holds_anything_unprintable(case: str, role: str) -> None:
    diagram = Diagram.of(observed(case).of(role))
    for width in range(60, 121):
        text = to_text(diagram, width)
        assert text.endswith("\n")
        for line in text.splitlines():
            assert cell_len(line) <= width, (width, line)
            assert line.isprintable(), line


@pytest.mark.parametrize("width", [60, 80, 97, 120])
def test_the_rails_are_straight_and_the_width_is_used(width: int) -> None:
    lines = to_text(observed("mutual").client, width).splitlines()
    ladder = lines[4:-1]
    assert all(line[4] in "│├║╠╟╨" for line in ladder)
    assert all(line[width - 5] in "│┤║╣╢╨" for line in ladder)
    assert {len(line) for line in lines[:4]} == {width - 2}


@pytest.mark.parametrize(("case", "role"), EVERY_VIEW)
def test_a_trace_read_back_from_json_lines_draws_the_same(case: str, role: str) -> None:
    trace = observed(case).of(role)
    again = Trace.from_json_lines(trace.to_json_lines())
    assert to_text(again, color=True) == to_text(trace, color=True)


@pytest.mark.parametrize(("case", "role"), EVERY_VIEW)
def test_ascii_alone(case: str, role: str) -> None:
    text = to_text(observed(case).of(role), ascii=True)
    assert text.isascii()
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize(("case", "role"), EVERY_VIEW)
def test_colour_changes_no_letter(case: str, role: str) -> None:
    trace = observed(case).of(role)
    coloured = to_text(trace, color=True)
    assert SGR.search(coloured)
    plain = [line.rstrip() for line in SGR.sub("", coloured).splitlines()]
    assert plain == to_text(trace).splitlines()


def test_colour_when_asked_for_is_not_taken_away_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b[32m" in to_text(observed("one-way").client, color=True)


def shown(**settings: object) -> str:
    out = io.StringIO()
    options: dict[str, object] = {"file": out, "width": 100, "force_terminal": True, "legacy_windows": False}
    console = Console(**{**options, **settings})  # type: ignore[arg-type]
    console.print(draw(observed("mutual").client, width=settings.pop("drawn", 80)))  # type: ignore[arg-type]
    return out.getvalue()


def test_no_color_leaves_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    codes = {code for found in SGR.findall(shown()) for code in found[2:-1].split(";")}
    assert codes <= {"0", "1", "2", "3"}, "bold, dim and italic are no colours"


def test_a_console_that_knows_no_colour_gets_plain_text() -> None:
    out = shown(force_terminal=False)
    assert "\x1b" not in out
    assert [line.rstrip() for line in out.splitlines()] == to_text(observed("mutual").client).splitlines()


def test_the_drawing_fills_the_console_when_asked_to() -> None:
    out = io.StringIO()
    Console(file=out, width=101).print(draw(observed("mutual").client, width=None))
    assert [line.rstrip() for line in out.getvalue().splitlines()] == to_text(
        observed("mutual").client, 101
    ).splitlines()


def test_a_console_without_unicode_gets_ascii() -> None:
    class Plain(io.StringIO):
        encoding = "ascii"

    out = Plain()
    Console(file=out, width=80).print(draw(observed("mutual").client))
    assert out.getvalue().isascii()
    assert "ClientHello" in out.getvalue()


def test_less_than_the_least_width_draws_at_the_least_width() -> None:
    assert to_text(observed("mutual").client, 20) == to_text(observed("mutual").client, 60)


def test_where_encryption_begins_can_be_seen_without_colour() -> None:
    lines = to_text(observed("one-way").client).splitlines()
    begins = next(number for number, line in enumerate(lines) if "encrypted from here on" in line)
    done = next(number for number, line in enumerate(lines) if "handshake complete" in line)
    assert all(line[4] in "│├" for line in lines[4 : begins - 1])
    assert all(line[4] in "║╠╟" for line in lines[begins:done])
    assert all("──" not in line for line in lines[begins + 1 : done])


def test_the_time_it_took_stands_in_the_title_and_at_the_end() -> None:
    text = to_text(observed("one-way").client)
    seconds = Diagram.of(observed("one-way").client).seconds
    assert seconds is not None
    assert text.count(f"{seconds * 1000:.1f} ms") == 2


def test_verdicts_stand_on_the_rail_of_the_side_that_judged() -> None:
    client = to_text(observed("mutual").client).splitlines()
    server = to_text(observed("mutual").server).splitlines()
    assert sum(line.startswith(" ✓  ║") for line in client) == 2
    assert sum(line.endswith("║  ✓") for line in server) == 2


def test_a_refusal_is_boxed_with_its_reason_rule_and_alert() -> None:
    text = to_text(observed("unknown-ca").client)
    assert "✗ the client refused the server" in text
    assert "alert   unknown_ca, sent to the server" in text
    assert "RFC 5280" in text
    assert text.rstrip().endswith("unknown-ca ─╯")


def test_secrets_are_printed_only_where_the_trace_holds_them() -> None:
    trace = observed("with secrets").client
    text = to_text(trace)
    for event in trace.of(t.Secret):
        assert event.value is not None
        assert event.value.hex() in text
    assert "How is the weather?" in text
    assert "SECRET" not in to_text(observed("one-way").client)


def test_a_long_conversation_is_cut_in_the_middle() -> None:
    trace = Trace.from_json_lines(observed("one-way").client.to_json_lines())
    place = next(number for number, event in enumerate(trace.events) if isinstance(event, t.Data))
    talk: list[t.TraceEvent] = [
        t.Data("sent" if turn % 2 else "received", 1000 + turn, "application", time=1.0) for turn in range(1, 101)
    ]
    trace.events[place : place + 1] = talk
    text = to_text(trace)
    assert text.count("Application data") == 8 - 1
    assert "93 more turns" in text
    assert len(Diagram.of(trace).rows) > 100


def test_a_key_update_is_seen_with_its_new_keys() -> None:
    from memory import Pair

    trace = Trace()
    pair = Pair(client_trace=trace).done()
    pair.client.update_keys(request_peer=True)
    pair.move("client")
    pair.move("server")
    text = to_text(trace)
    assert text.count("KeyUpdate") == 2
    assert text.count("new keys from here on") == 2


def test_a_narrower_console_gets_a_narrower_drawing() -> None:
    out = io.StringIO()
    Console(file=out, width=70).print(draw(observed("mutual").client))
    assert [line.rstrip() for line in out.getvalue().splitlines()] == to_text(
        observed("mutual").client, 70
    ).splitlines()
