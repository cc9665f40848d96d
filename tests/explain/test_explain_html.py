"""The report: one page, whole by itself, that says what happened and obeys nobody."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from observed import CASES, observed
from test_explain_pictures import EVIL, hostile_trace

from tlscope import Trace
from tlscope import trace as t
from tlscope.explain import Diagram, Reported, to_html
from tlscope.explain.model import MessageRow

EVERY_VIEW = [(case, role) for case in CASES for role in ("client", "server")]
VOID = {"meta", "link", "br", "hr", "line", "path", "circle", "rect", "wbr"}


class Page(HTMLParser):
    """Checks that elements nest, and collects ids, texts and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text += data

    def all(self, name: str, value: str | None = None) -> list[dict[str, str | None]]:
        return [attrs for _, attrs in self.elements if name in attrs and value in (None, attrs[name])]


def assert_sound(html: str) -> Page:
    page = Page(html)
    idents = [attrs["id"] for attrs in page.all("id")]
    assert len(idents) == len(set(idents))
    for reference in ("aria-controls", "aria-labelledby"):
        for attrs in page.all(reference):
            assert set((attrs[reference] or "").split()) <= set(idents)
    # Nothing is loaded, and no script but the page's own could run.
    for tag, attrs in page.elements:
        assert not {"src", "srcset", "background", "action", "onclick", "onload", "onerror", "style"} & set(attrs), tag
        if tag == "link":
            assert attrs["href"] == "data:,"
        elif tag == "a":
            assert re.match(r"#|https://www\.rfc-editor\.org/rfc/rfc\d+", attrs["href"] or "")
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not {"iframe", "img", "object", "embed", "base", "form", "input", "use", "image"} & {
        tag for tag, _ in page.elements
    }
    assert "@import" not in html
    assert "url(" not in html
    return page


@pytest.mark.parametrize(("case", "role"), EVERY_VIEW)
def test_every_handshake_makes_a_sound_page(case: str, role: str) -> None:
    trace = observed(case).of(role)
    page = assert_sound(to_html(trace))
    for row in Diagram.of(trace).rows:
        if isinstance(row, MessageRow):
            assert page.all("id", f"h1-panel-{row.event}")
            assert len(page.all("data-event", str(row.event))) >= 2


def test_only_its_own_script_runs() -> None:
    html = to_html(observed("one-way").client)
    policy = next(one for one in Page(html).all("http-equiv", "Content-Security-Policy"))["content"] or ""
    script = re.search(r"<script>(.*)</script>", html, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy
    assert "connect-src" not in policy


@pytest.mark.parametrize("case", ["mutual", "mutual 1.2", "retried", "early data"])
def test_each_leaf_has_its_bytes(case: str) -> None:
    trace = observed(case).client
    html = to_html(trace)
    for row in Diagram.of(trace).rows:
        if not isinstance(row, MessageRow):
            continue
        panel = re.search(rf'<article class="panel" id="h1-panel-{row.event}".*?</article>', html, re.DOTALL)
        assert panel is not None
        spans = re.findall(r'<span data-leaf="(\d+)"[^>]*>([0-9a-f ]+)</span>', panel[0])
        assert [int(number) for number, _ in spans] == list(range(len(spans)))
        assert bytes.fromhex("".join(text for _, text in spans)) == row.raw
        branches = re.findall(r'data-leaves="(\d+)-(\d+)" data-bytes="(\d+)-(\d+)"', panel[0])
        assert branches
        for first, last, start, end in branches:
            covered = bytes.fromhex("".join(text for _, text in spans[int(first) : int(last) + 1]))
            assert covered == row.raw[int(start) : int(end)]


def test_what_it_tells() -> None:
    page = assert_sound(to_html(observed("mutual").client))
    for words in (
        "What was said",
        "Keys and what they protect",
        "Where the keys come from",
        "server_handshake_traffic_secret",
        "(EC)DHE: x25519",
        "How the server's certificate was judged",
        "CN=Test root",
        "client identity",
        "a CA that the server named issued it",
        "The client begins",
        "RFC 8446 section 4.1.2",
    ):
        assert words in page.text


def test_a_failure_is_explained_on_top() -> None:
    text = assert_sound(to_html(observed("no-client-cert").server)).text
    assert text.index("The server refused the client") < text.index("What was said")
    assert "tlscope connect HOST --identity FILE --key FILE" in text


def test_secrets_are_in_it_only_on_request() -> None:
    secret = to_html(observed("with secrets").client)
    values = [event.value.hex() for event in observed("with secrets").client.of(t.Secret) if event.value is not None]
    assert values
    assert all(value in secret for value in values)
    assert "whoever has it can decrypt" in secret
    plain = to_html(observed("one-way").client)
    assert "whoever has it can decrypt" not in plain
    assert "its value" not in plain


def test_several_handshakes_stand_in_one_page() -> None:
    page = assert_sound(
        to_html(
            Reported(observed("one-way").client, "First"),
            Reported(observed("mutual 1.2").server, "Second"),
            title="Both",
        )
    )
    assert page.all("id", "h1")
    assert page.all("id", "h2")
    assert page.all("href", "#h2")
    assert "First" in page.text
    assert assert_sound(to_html()).text.strip().startswith("No handshake")


def test_whatever_a_stranger_chose_is_text() -> None:
    html = to_html(Reported(hostile_trace(), EVIL, EVIL, EVIL), title=EVIL)
    assert_sound(html)
    assert "<script>alert(1)" not in html
    assert "\x1b" not in html


def test_a_message_without_end_is_cut() -> None:
    trace = Trace()
    trace(t.Started("server"))
    hello = b"\x03\x03" + bytes(32) + b"\0" + (60000).to_bytes(2, "big") + b"\x13\x01" * 30000 + b"\x01\0"
    trace(t.Message("received", "ClientHello", "plaintext", 0x0304, b"\x01" + len(hello).to_bytes(3, "big") + hello))
    html = to_html(trace)
    assert len(html) < 2_000_000
    assert "more bytes" in assert_sound(html).text


def test_doubt_is_told_and_no_more_is_promised_than_there_is() -> None:
    page = to_html(observed("unknown-ca").of("server"))
    assert "The client did not say so: this fits best; what fits too is below." in page
    assert "What else it may be" in page
    certain = to_html(observed("unknown-ca").of("client"))
    assert "did not say so" not in certain


def test_long_names_may_go_on_behind_an_underscore() -> None:
    page = to_html(observed("one-way 1.2").of("client"))
    assert "<strong>TLS_<wbr>ECDHE_<wbr>" in page
