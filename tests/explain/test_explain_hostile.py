"""Whoever is on the other end chooses text; whoever sends a trace file chooses everything."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import strategies as st
from observed import CASES, observed
from rich.cells import cell_len

from tlscope import Trace
from tlscope import trace as t
from tlscope.explain import Diagram, to_text
from tlscope.explain.certificates import name_of, summarize
from tlscope.explain.words import LIMIT, listed, milliseconds, plural, printable
from tlscope.wire import extensions as x
from tlscope.wire.codepoints import CipherSuite, NamedGroup
from tlscope.wire.extensions import Extensions
from tlscope.wire.handshake import Certificate, CertificateEntry, ClientHello, EncryptedExtensions

SGR = re.compile(r"\x1b\[[0-9;]*m")
EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\n\u202egnp.exe\u2066[bold red]hi[/]"
ATTACKS = (
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;https://evil.example/\x07click\x1b]8;;\x07",
    "line\nbreak\rreturn\x08\x08\x7f",
    "\u202eright to left\u2069",
    "\u200b\u200d\ufeff",
    "Z" + "\u0363\u0367" * 200 + "algo",
    "\ud800",
    "[bold red]markup[/bold red] [link=https://evil.example]x[/link] :skull:",
    "日本語" * 80,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "a" * 5000,
    "",
)


def assert_harmless(trace: Trace) -> None:
    for width in (60, 80, 120):
        for ascii_only in (False, True):
            text = to_text(trace, width, ascii=ascii_only)
            for line in text.splitlines():
                assert line.isprintable(), line
                assert cell_len(line) <= width, line
            assert "\u202e" not in text
            assert not ascii_only or text.isascii()
    # In colour the only escape sequences are those of colour, and they are ours: without them it is the same text.
    coloured = SGR.sub("", to_text(trace, color=True))
    assert "\x1b" not in coloured
    assert [line.rstrip() for line in coloured.splitlines()] == to_text(trace).splitlines()


def certificate(name: str) -> bytes:
    key = ec.derive_private_key(0xBAD, ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime(2031, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 7, start, start + dt.timedelta(days=30))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_names_of_strangers_in_real_messages() -> None:
    ascii_evil = EVIL.encode("ascii", "ignore").decode()
    hello = ClientHello(
        bytes(32),
        (CipherSuite.TLS_AES_128_GCM_SHA256,),
        Extensions(
            [
                x.SERVER_NAME(ascii_evil),
                x.ALPN_OFFER((EVIL.encode(), b"\xff\xfe")),
                x.SUPPORTED_GROUPS((NamedGroup(0xEEEE), NamedGroup(0x1A1A), NamedGroup.x25519)),
            ]
        ),
    )
    leaf = certificate(EVIL[:60])
    chain = Certificate(tuple(CertificateEntry(der) for der in (leaf, b"\x30\x03junk", leaf)))
    trace = Trace()
    trace(t.Started("server"))
    trace(t.Message("received", "ClientHello", "plaintext", 0x0304, hello.encode()))
    extensions = EncryptedExtensions(Extensions([x.ALPN_CHOICE(EVIL.encode())]))
    trace(t.Message("sent", "EncryptedExtensions", "handshake", 0x0304, extensions.encode()))
    trace(t.Message("received", "Certificate", "handshake", 0x0304, chain.encode()))
    trace(t.CertificatesVerified(False, "client", reason=EVIL, anchors=EVIL, chain=(leaf,)))
    trace(t.Failed({"code": EVIL, "sentence": EVIL, "rfc": EVIL, "step": EVIL, "judge": "us", "evidence": {}}))
    assert_harmless(trace)
    text = to_text(trace)
    assert "\\x1b]0;owned\\x07" in text
    assert "[bold red]hi[/]" in text, "markup is text here"
    assert "0x1a1a" not in text.lower()
    assert "GREASE" not in text


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_text_of_a_trace_file_is_made_harmless(attack: str) -> None:
    trace = Trace()
    trace(t.Started("client", attack))
    trace(t.Message("sent", attack or "x", attack, 0x0304, b"\xfe\0\0\0"))
    trace(t.KeyChange("received", "handshake", attack))
    trace(t.KeyChange("sent", attack, attack))
    trace(t.Choice(attack, attack, attack, (attack,) * 3, (attack,), attack))
    trace(t.Choice("client_identity", attack, attack))
    trace(t.SignatureChecked("received", attack, attack, attack, ok=False))
    trace(t.CertificatesVerified(True, attack, attack, attack, attack, (), (attack,), attack))
    trace(t.CertificatesVerified(False, "server", reason=attack))
    trace(t.Secret("CLIENT_RANDOM", (attack, attack), value=b"\0" * 48))
    trace(t.Secret(attack, (attack,), value=b"\0" * 48))
    trace(t.AlertEvent("received", 2, 40, attack, attack))
    trace(t.Data("sent", 3, "application", attack.encode("utf-8", "replace")))
    trace(t.Data("received", 3, "application", b"\xff\x00\x1b"))
    trace(t.Completed({"peer": attack, attack: attack}))
    trace(t.Failed({"code": attack, "sentence": attack * 3, "judge": attack, "alert": attack, "step": attack}))
    assert_harmless(trace)


@pytest.mark.parametrize("attack", ATTACKS)
def test_given_names_are_made_harmless_too(attack: str) -> None:
    trace = observed("one-way").client
    diagram = Diagram.of(trace, client=attack, server=attack)
    for line in to_text(diagram).splitlines():
        assert line.isprintable()
        assert cell_len(line) <= 80


DAMAGED = [case for case in CASES if "RSA" not in case and "secrets" not in case]


@given(st.data())
def test_damaged_messages_are_drawn_and_nothing_is_raised(data: st.DataObject) -> None:
    case, role = data.draw(st.sampled_from(DAMAGED)), data.draw(st.sampled_from(("client", "server")))
    trace = Trace.from_json_lines(observed(case).of(role).to_json_lines())
    for event in trace.of(t.Message):
        if data.draw(st.booleans()):
            raw = bytearray(event.raw)
            place = data.draw(st.integers(0, len(raw)))
            raw[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
            event.raw = bytes(raw)
    for event in trace.of(t.CertificatesVerified):
        event.chain = tuple(data.draw(st.lists(st.binary(max_size=40), max_size=3)))
    for line in to_text(trace).splitlines():
        assert line.isprintable()
        assert cell_len(line) <= 80


@given(st.lists(st.integers(0, 80), max_size=40, unique=True), st.randoms(use_true_random=False))
def test_events_in_any_order_or_missing_are_drawn(missing: list[int], random: object) -> None:
    trace = Trace.from_json_lines(observed("mutual").server.to_json_lines())
    trace.events = [event for number, event in enumerate(trace.events) if number not in missing]
    random.shuffle(trace.events)  # type: ignore[attr-defined]
    for line in to_text(trace).splitlines():
        assert line.isprintable()
        assert cell_len(line) <= 80


@given(st.text())
@example(EVIL)
@example("e\u0301")
@example("\u1100\u1161\u11a8")
def test_printable_is_printable_and_bounded(text: str) -> None:
    clean = printable(text)
    assert clean.isprintable()
    assert len(clean) <= LIMIT
    assert not any(unicodedata.bidirectional(character) in ("RLO", "LRO", "RLE", "LRE") for character in clean)
    if text.isascii() and text.isprintable() and len(text) <= LIMIT:
        assert clean == text


def test_marks_are_kept_while_they_are_few() -> None:
    assert printable("q\u0323\u0307") == "q\u0323\u0307"
    assert printable("q\u0323\u0307\u0308") == "q\u0323\u0307\\u0308"
    assert printable("a\ufe0f") == "a\\ufe0f"


def test_certificates_that_are_none() -> None:
    for der in (b"", b"\x30", b"\x30\x82\xff\xff", b"x" * 100):
        assert not summarize(der).readable
    assert name_of(b"\xff\xff") == "ffff"


def test_a_certificate_in_words() -> None:
    summary = summarize(certificate("root.example"))
    assert summary.names == ("root.example",)
    assert (summary.name, summary.authority, summary.key) == ("root.example", "root.example", "EC P-256")
    assert summary.self_signed
    assert summary.not_after is not None
    assert f"{summary.not_after:%Y-%m-%d}" == "2031-01-31"


def test_numbers_and_lists_in_words() -> None:
    assert [plural(count, "byte") for count in (0, 1, 2, 16384)] == ["0 bytes", "1 byte", "2 bytes", "16,384 bytes"]
    assert [milliseconds(time) for time in (0.00123, 0.0123, 3.21)] == ["1.2 ms", "12 ms", "3.2 s"]
    assert [listed(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "nothing",
        "a",
        "a and b",
        "a, b and c",
    ]
