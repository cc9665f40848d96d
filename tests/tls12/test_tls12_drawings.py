"""The handshakes that every guide draws, from real ones, numbered as people know them."""

from __future__ import annotations

from typing import Any

import pytest
from certificates import client_identity
from puppet12 import issued, pair12

from tlscope import RSA_KEY_TRANSPORT, ClientAuth, Trace
from tlscope.explain import Diagram, to_text
from tlscope.explain.model import CipherChange, DataRow, Done, KeyLine, MessageRow, Note, SharedSecret

ECDHE: dict[str, Any] = {}
RSA: dict[str, Any] = {"cipher_suites": RSA_KEY_TRANSPORT}

HELLO = (1, "The client says hello", ["ClientHello"])
ONE_WAY_STEPS = {
    "ECDHE": [
        HELLO,
        (
            2,
            "The server answers and shows its certificate",
            ["ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone"],
        ),
        (3, "The client sends its key share", ["ClientKeyExchange", "ChangeCipherSpec", "Finished"]),
        (4, "Encrypted messages", ["Application data", "Application data"]),
    ],
    "RSA": [
        HELLO,
        (2, "The server answers and shows its certificate", ["ServerHello", "Certificate", "ServerHelloDone"]),
        (3, "The client sends the premaster secret", ["ClientKeyExchange", "ChangeCipherSpec", "Finished"]),
        (4, "Encrypted messages", ["Application data", "Application data"]),
    ],
}
MUTUAL_STEPS = {
    "ECDHE": [
        HELLO,
        (2, "The server answers and shows its certificate", ["ServerHello", "Certificate", "ServerKeyExchange"]),
        (3, "The server asks for a certificate", ["CertificateRequest", "ServerHelloDone"]),
        (4, "The client shows its certificate", ["Certificate"]),
        (5, "The client sends its key share", ["ClientKeyExchange"]),
        (
            6,
            "The client proves the certificate is its own",
            ["CertificateVerify", "ChangeCipherSpec", "Finished"],
        ),
        (7, "Encrypted messages", ["Application data", "Application data"]),
    ],
    "RSA": [
        HELLO,
        (2, "The server answers and shows its certificate", ["ServerHello", "Certificate"]),
        (3, "The server asks for a certificate", ["CertificateRequest", "ServerHelloDone"]),
        (4, "The client shows its certificate", ["Certificate"]),
        (5, "The client sends the premaster secret", ["ClientKeyExchange"]),
        (
            6,
            "The client proves the certificate is its own",
            ["CertificateVerify", "ChangeCipherSpec", "Finished"],
        ),
        (7, "Encrypted messages", ["Application data", "Application data"]),
    ],
}
# The server's ChangeCipherSpec and Finished, which close the handshake, belong to the step before.
_LAST_WORDS = ["ChangeCipherSpec", "Finished"]


def drawn(key_exchange: str, role: str, *, mutual: bool, both_sides: bool = False) -> Diagram:
    """One of the four handshakes, a message and its answer, as one side saw them, or both did."""
    both = RSA if key_exchange == "RSA" else ECDHE
    sinks = {"client": Trace(), "server": Trace()}
    client, server = dict(both), {**both, "identities": [issued("RSA-2048")]}
    if mutual:
        client["identity"] = client_identity()
        server["client_auth"] = ClientAuth.REQUIRED
    pair = pair12(client, server, client_trace=sinks["client"], server_trace=sinks["server"]).done()
    for sender in ("client", "server"):
        pair.side(sender).send_data(b"hello")
        pair.move(sender)
    peer = sinks["client" if role == "server" else "server"] if both_sides else None
    return Diagram.of(sinks[role], peer=peer)


def said(diagram: Diagram) -> list[tuple[int, str, list[str]]]:
    found: dict[int, list[str]] = {step.number: [] for step in diagram.steps}
    for row in diagram.rows:
        if isinstance(row, MessageRow | CipherChange | DataRow) and row.step is not None:
            name = {CipherChange: "ChangeCipherSpec", DataRow: "Application data"}.get(type(row)) or row.name  # type: ignore[union-attr]
            found[row.step].append(name)
    return [(step.number, step.title, found[step.number]) for step in diagram.steps]


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("mutual", [False, True], ids=["one-way", "mutual"])
@pytest.mark.parametrize("key_exchange", ["ECDHE", "RSA"])
def test_the_steps_are_those_of_the_guides(key_exchange: str, mutual: bool, role: str) -> None:
    diagram = drawn(key_exchange, role, mutual=mutual)
    steps = [
        (number, title, names + (_LAST_WORDS if names[-1] == "Finished" else []))
        for number, title, names in (MUTUAL_STEPS if mutual else ONE_WAY_STEPS)[key_exchange]
    ]
    assert said(diagram) == steps
    assert diagram.title == ("Mutual TLS 1.2" if mutual else "One-way TLS 1.2")


@pytest.mark.parametrize("mutual", [False, True], ids=["one-way", "mutual"])
@pytest.mark.parametrize("key_exchange", ["ECDHE", "RSA"])
def test_what_each_step_shows(key_exchange: str, mutual: bool) -> None:
    diagram = drawn(key_exchange, "client", mutual=mutual)
    details = {
        row.name: {one.label: one.items for one in row.details} for row in diagram.rows if isinstance(row, MessageRow)
    }
    assert {"versions", "ciphers"} <= details["ClientHello"].keys()
    assert {"version", "cipher"} <= details["ServerHello"].keys()
    notes = {row.kind: row for row in diagram.rows if isinstance(row, Note) and row.ok}
    assert "good for localhost" in notes["certificate"].text
    master = next(row for row in diagram.rows if isinstance(row, SharedSecret))
    assert (master.name, master.inputs[0]) == ("master secret", "premaster secret")
    if key_exchange == "RSA":
        assert "premaster secret" in str(details["ClientKeyExchange"])
        assert "ServerKeyExchange" not in details
    else:
        assert "x25519" in str(details["ClientKeyExchange"])
        assert "private key of localhost" in str(details["ServerKeyExchange"])
    assert ("CertificateVerify" in details) == mutual
    # Nothing is encrypted before both have the master secret, and everything after the second change of keys is.
    kinds = [type(row) for row in diagram.rows]
    assert kinds.index(SharedSecret) < kinds.index(KeyLine) < kinds.index(Done) < kinds.index(DataRow)


def test_the_server_checks_the_clients_proof_with_the_key_in_its_certificate() -> None:
    diagram = drawn("RSA", "server", mutual=True)
    rows = list(diagram.rows)
    proof = next(index for index, row in enumerate(rows) if getattr(row, "name", "") == "CertificateVerify")
    verdict = rows[proof + 1]
    assert isinstance(verdict, Note)
    assert verdict.ok
    assert "public key in the certificate" in verdict.text
    shown = next(index for index, row in enumerate(rows) if isinstance(row, Note) and row.kind == "certificate")
    assert shown < proof


@pytest.mark.parametrize("role", ["client", "server"])
def test_each_verdict_stands_behind_its_message_where_both_sides_are_drawn(role: str) -> None:
    diagram = drawn("ECDHE", role, mutual=True, both_sides=True)
    verdicts, last = [], ""
    for row in diagram.rows:
        if isinstance(row, MessageRow):
            last = f"{row.sender}: {row.name}"
        elif isinstance(row, Note) and row.ok is not None:
            verdicts.append((last, row.side, row.kind, row.ok))
    assert verdicts == [
        ("server: Certificate", "client", "certificate", True),
        ("server: ServerKeyExchange", "client", "signature", True),
        ("client: Certificate", "server", "certificate", True),
        ("client: CertificateVerify", "server", "signature", True),
    ]
    assert "as both sides saw it" in to_text(diagram)
    assert said(diagram) == said(drawn("ECDHE", role, mutual=True))


@pytest.mark.parametrize("mutual", [False, True], ids=["one-way", "mutual"])
@pytest.mark.parametrize("key_exchange", ["ECDHE", "RSA"])
def test_the_text_has_the_numbers(key_exchange: str, mutual: bool) -> None:
    diagram = drawn(key_exchange, "client", mutual=mutual)
    text = to_text(diagram)
    places = [text.index(step.title) for step in diagram.steps]
    assert places == sorted(places)
