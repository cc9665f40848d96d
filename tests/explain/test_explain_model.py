from __future__ import annotations

from typing import TypeVar

import pytest
from observed import ANSWER, CASES, REQUEST, observed

from tlscope import trace as t
from tlscope.explain import Diagram
from tlscope.explain.model import (
    AlertRow,
    CipherChange,
    Cut,
    DataRow,
    Done,
    KeyLine,
    MessageRow,
    Note,
    SharedSecret,
    Unreadable,
)

T = TypeVar("T")

ROLES = ("client", "server")
EVERY_VIEW = [(case, role) for case in CASES for role in ROLES]

HELLOS = ["1 client ClientHello", "2 server ServerHello", "+ server {EncryptedExtensions}"]
SERVER_PROOF = ["server {Certificate}", "+ server {CertificateVerify}", "+ server {Finished}"]
MUTUAL_13 = [
    *HELLOS,
    "3 server {CertificateRequest}",
    f"4 {SERVER_PROOF[0]}",
    *SERVER_PROOF[1:],
    "5 client {Certificate}",
    "+ client {CertificateVerify}",
    "6 client {Finished}",
]
ENDS_12 = ["+ client [ChangeCipherSpec]", "+ client {Finished}", "+ server [ChangeCipherSpec]", "+ server {Finished}"]
SERVER_12 = ["1 client ClientHello", "2 server ServerHello", "+ server Certificate", "+ server ServerKeyExchange"]
SERVER_12_RSA = SERVER_12[:-1]
DONE_12 = "+ server ServerHelloDone"
CLIENT_PROOF_12 = ["4 client Certificate", "5 client ClientKeyExchange", "6 client CertificateVerify", *ENDS_12]

STRUCTURE = {
    "one-way": [*HELLOS, f"3 {SERVER_PROOF[0]}", *SERVER_PROOF[1:], "4 client {Finished}"],
    "mutual": MUTUAL_13,
    "requested, not shown": [*MUTUAL_13[:8], "6 client {Finished}"],
    "retried": [
        "1 client ClientHello",
        "2 server HelloRetryRequest",
        "3 client ClientHello",
        "4 server ServerHello",
        "+ server {EncryptedExtensions}",
        f"5 {SERVER_PROOF[0]}",
        *SERVER_PROOF[1:],
        "6 client {Finished}",
    ],
    "one-way 1.2": [*SERVER_12, DONE_12, "3 client ClientKeyExchange", *ENDS_12],
    "mutual 1.2": [*SERVER_12, "3 server CertificateRequest", DONE_12, *CLIENT_PROOF_12],
    "one-way 1.2 with RSA": [*SERVER_12_RSA, DONE_12, "3 client ClientKeyExchange", *ENDS_12],
    "resumed": [*HELLOS, "3 server {Finished}", "4 client {Finished}", "+ server {NewSessionTicket}"],
    "resumed 1.2": [
        *SERVER_12[:2],
        "+ server NewSessionTicket",
        *ENDS_12[2:],
        "3 client [ChangeCipherSpec]",
        "+ client {Finished}",
    ],
    "mutual 1.2 with RSA": [*SERVER_12_RSA, "3 server CertificateRequest", DONE_12, *CLIENT_PROOF_12],
}
"""Step, sender and message, ``+`` for one that continues a step; in braces what is encrypted, as RFC 8446 writes it."""


def structure(diagram: Diagram) -> list[str]:
    lines = []
    for row in diagram.rows:
        if isinstance(row, MessageRow):
            name = f"{{{row.name}}}" if row.protected else row.name
        elif isinstance(row, CipherChange) and row.switches:
            name = "[ChangeCipherSpec]"
        else:
            continue
        lines.append(f"{row.step if row.opens else '+'} {row.sender} {name}")
    return lines


def diagram_of(case: str, role: str) -> Diagram:
    return Diagram.of(observed(case).of(role))


def rows(diagram: Diagram, cls: type[T]) -> list[T]:
    return [row for row in diagram.rows if isinstance(row, cls)]


def details(diagram: Diagram, name: str, sender: str) -> dict[str, tuple[str, ...]]:
    for row in diagram.rows:
        if isinstance(row, MessageRow) and (row.name, row.sender) == (name, sender):
            return {detail.label: detail.items for detail in row.details}
    raise AssertionError(f"there is no {name} of the {sender}")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("case", STRUCTURE)
def test_messages_and_their_numbers(case: str, role: str) -> None:
    diagram = diagram_of(case, role)
    assert structure(diagram) == STRUCTURE[case]
    assert [step.number for step in diagram.steps] == list(range(1, len(diagram.steps) + 1))


@pytest.mark.parametrize("case", STRUCTURE)
def test_both_sides_tell_the_same_story(case: str) -> None:
    client, server = (diagram_of(case, role) for role in ROLES)
    assert client.steps == server.steps
    assert (client.client.name, client.server.name) == (server.client.name, server.server.name)
    for fact in ("title", "version", "cipher_suite", "group", "alpn", "mutual", "retried", "resumed"):
        assert getattr(client, fact) == getattr(server, fact), fact

    def said(diagram: Diagram) -> list[object]:
        # Why something was chosen only the side that chose it knows.
        return [
            (row.name, row.sender, row.raw, [(detail.label, detail.items) for detail in row.details])
            for row in rows(diagram, MessageRow)
        ]

    assert said(client) == said(server)


@pytest.mark.parametrize(
    ("case", "title", "name"),
    [
        ("one-way", "One-way TLS 1.3", ""),
        ("mutual", "Mutual TLS 1.3", "client.example"),
        ("requested, not shown", "One-way TLS 1.3", ""),
        ("mutual 1.2 with RSA", "Mutual TLS 1.2", "client.example"),
        ("resumed", "Resumed TLS 1.3", "client.example"),
        ("resumed 1.2", "Resumed TLS 1.2", "client.example"),
        ("unknown-ca", "TLS 1.3, refused", ""),
        ("no-common-group", "TLS, refused", ""),
        ("truncated", "One-way TLS 1.3, cut short", ""),
    ],
)
def test_title_and_names(case: str, title: str, name: str) -> None:
    diagram = diagram_of(case, "client")
    assert diagram.title == title
    assert diagram.client.name == name
    assert diagram.server.name == "localhost"
    assert diagram.client.observed
    assert not diagram.server.observed


def test_what_matters_in_the_messages_of_a_mutual_handshake() -> None:
    diagram = diagram_of("mutual", "client")
    hello = details(diagram, "ClientHello", "client")
    assert hello["asks for"] == ("localhost",)
    assert hello["versions"] == ("TLS 1.3",)
    assert hello["ciphers"][0] == "TLS_AES_128_GCM_SHA256"
    assert hello["groups"] == hello["key shares"] == ("x25519",)
    assert hello["signatures"][0] == "ecdsa_secp256r1_sha256"
    assert hello["ALPN"] == ("h2", "http/1.1")
    answer = details(diagram, "ServerHello", "server")
    assert answer == {"version": ("TLS 1.3",), "cipher": ("TLS_AES_128_GCM_SHA256",), "key share": ("x25519",)}
    assert details(diagram, "EncryptedExtensions", "server") == {"ALPN": ("http/1.1",)}
    assert details(diagram, "CertificateRequest", "server")["issued by"] == ("CN=Test root",)
    shown = details(diagram, "Certificate", "client")
    assert shown["for"] == ("client.example",)
    assert shown["issued by"] == ("CN=Test root",)
    assert shown["key"] == ("EC P-256",)
    proof = details(diagram, "CertificateVerify", "client")
    assert proof["with"] == ("the private key of client.example",)
    assert proof["scheme"] == ("ecdsa_secp256r1_sha256",)


def test_reasons_stand_with_the_choices_of_the_side_that_made_them() -> None:
    def why(role: str, name: str, sender: str, label: str) -> str:
        for row in rows(diagram_of("mutual", role), MessageRow):
            if (row.name, row.sender) == (name, sender):
                return next(detail.why for detail in row.details if detail.label == label)
        raise AssertionError(name)

    assert why("server", "ServerHello", "server", "version") == "it is the newest that both sides speak"
    assert why("server", "EncryptedExtensions", "server", "ALPN").startswith("it is the first of the server's list")
    assert why("client", "Certificate", "client", "for") == "a CA that the server named issued it"
    assert why("client", "ServerHello", "server", "version") == ""
    assert why("server", "Certificate", "client", "for") == ""


def test_why_the_client_shows_no_certificate() -> None:
    for case, reason in (
        ("no-client-cert", "no client certificate is configured"),
        ("client-cert-not-offered", "no configured certificate was issued by a CA that the server named"),
    ):
        empty = [row for row in rows(diagram_of(case, "client"), MessageRow) if row.name == "Certificate"][-1]
        (detail,) = empty.details
        assert (detail.items, detail.why) == (("an empty list",), reason)
        unexplained = [row for row in rows(diagram_of(case, "server"), MessageRow) if row.name == "Certificate"][-1]
        assert unexplained.details[0].why == ""


@pytest.mark.parametrize(("role", "who"), [("client", "localhost"), ("server", "client.example")])
def test_what_was_verified_against_what(role: str, who: str) -> None:
    certificate, signature = rows(diagram_of("mutual", role), Note)
    assert certificate.side == signature.side == role
    assert (certificate.kind, certificate.ok) == ("certificate", True)
    assert who in certificate.text
    facts = {detail.label: detail.items for detail in certificate.details}
    assert facts["path"] == (who, "Test root")
    assert "1 certificate" in facts["against"][0]
    assert (signature.kind, signature.ok) == ("signature", True)


def test_a_certificate_that_nobody_checks_is_not_called_good() -> None:
    note = rows(diagram_of("unverified", "client"), Note)[0]
    assert note.ok is None
    assert "not checked" in note.text


@pytest.mark.parametrize("role", ROLES)
def test_encryption_begins_once_in_tls13(role: str) -> None:
    diagram = diagram_of("one-way", role)
    handshake, application = rows(diagram, KeyLine)
    assert handshake.first
    assert handshake.senders == application.senders == ("client", "server")
    assert not application.first
    before = diagram.rows[: diagram.rows.index(handshake)]
    assert [row.name for row in before if isinstance(row, MessageRow)] == ["ClientHello", "ServerHello"]
    assert isinstance(diagram.rows[diagram.rows.index(application) + 1], Done)


@pytest.mark.parametrize("role", ROLES)
def test_encryption_begins_with_each_sides_change_cipher_spec_in_tls12(role: str) -> None:
    diagram = diagram_of("one-way 1.2", role)
    lines = rows(diagram, KeyLine)
    assert [(line.senders, line.first) for line in lines] == [(("client",), True), (("server",), True)]
    for line in lines:
        change = diagram.rows[diagram.rows.index(line) - 1]
        assert isinstance(change, CipherChange)
        assert (change.sender,) == line.senders
    (secret,) = rows(diagram, SharedSecret)
    assert secret.inputs == ("premaster secret", "ClientHello..ClientKeyExchange")


def test_the_classic_key_exchange_says_who_can_read_the_premaster_secret() -> None:
    diagram = diagram_of("mutual 1.2 with RSA", "client")
    exchange = details(diagram, "ClientKeyExchange", "client")
    assert exchange["holds"] == ("the premaster secret, encrypted, 256 bytes",)
    assert exchange["readable by"] == ("the private key of localhost alone",)
    assert [step.title for step in diagram.steps][2:6] == [
        "The server asks for a certificate",
        "The client shows its certificate",
        "The client sends the premaster secret",
        "The client proves the certificate is its own",
    ]
    assert diagram.group == ""


@pytest.mark.parametrize(
    ("case", "role", "code", "judge", "alert", "told"),
    [
        ("unknown-ca", "client", "unknown-ca", "client", "unknown_ca", "server"),
        ("unknown-ca", "server", "unknown-ca", "client", "unknown_ca", "server"),
        ("wrong-host", "client", "wrong-host", "client", "bad_certificate", "server"),
        ("no-client-cert", "client", "no-client-cert", "server", "certificate_required", "client"),
        ("no-client-cert", "server", "no-client-cert", "server", "certificate_required", "client"),
        ("client-unknown-ca", "server", "client-unknown-ca", "server", "unknown_ca", "client"),
        ("no-common-group", "server", "no-common-group", "server", "handshake_failure", "client"),
        ("no-common-cipher", "client", "no-common-cipher", "server", "handshake_failure", "client"),
        ("no-common-version", "server", "no-common-version", "server", "protocol_version", "client"),
        ("no-common-alpn", "server", "no-common-alpn", "server", "no_application_protocol", "client"),
        ("tampered", "client", "tampered", "client", "bad_record_mac", "server"),
        ("tampered", "server", "tampered", "client", "bad_record_mac", "server"),
        ("no-client-cert 1.2", "server", "no-client-cert", "server", "handshake_failure", "client"),
    ],
)
def test_who_refused_whom_and_who_was_told(case: str, role: str, code: str, judge: str, alert: str, told: str) -> None:
    diagram = diagram_of(case, role)
    failure = diagram.failure
    assert failure is not None
    assert (failure.code, failure.judge, failure.alert, failure.alert_to) == (code, judge, alert, told)
    assert failure.headline == f"the {judge} refused the {told}"
    last = diagram.rows[-1]
    assert isinstance(last, AlertRow)
    assert (last.name, last.fatal, last.sender) == (alert, True, judge)


def test_a_refused_certificate_has_its_reason_on_the_rail_of_the_judge() -> None:
    note = rows(diagram_of("client-unknown-ca", "server"), Note)[-1]
    assert (note.side, note.kind, note.ok) == ("server", "certificate", False)
    assert note.details[0].label == "because"
    assert "Unknown root" in note.details[0].items[0]


def test_what_could_not_be_read_is_drawn_too() -> None:
    (row,) = rows(diagram_of("tampered", "client"), Unreadable)
    assert (row.sender, row.text) == ("server", "a record that its keys do not open")
    (row,) = rows(diagram_of("http", "server"), Unreadable)
    assert (row.sender, row.text) == ("client", "plain HTTP")


@pytest.mark.parametrize("role", ROLES)
def test_a_cut_is_nobodys_refusal(role: str) -> None:
    diagram = diagram_of("truncated", role)
    assert isinstance(diagram.rows[-1], Cut)
    assert diagram.failure is not None
    assert diagram.failure.judge is None
    assert diagram.failure.headline == "the connection was cut short"


@pytest.mark.parametrize("role", ROLES)
def test_data_and_goodbyes(role: str) -> None:
    diagram = diagram_of("with secrets", role)
    request, answer = rows(diagram, DataRow)
    assert (request.sender, request.content, request.opens) == ("client", REQUEST, True)
    assert (answer.sender, answer.content, answer.opens) == ("server", ANSWER, False)
    goodbyes = rows(diagram, AlertRow)
    assert [(row.sender, row.closes, row.fatal) for row in goodbyes] == [
        ("client", True, False),
        ("server", True, False),
    ]
    assert rows(diagram_of("one-way", role), DataRow)[0].content is None


@pytest.mark.parametrize(("role", "who"), [("client", "localhost"), ("server", "client.example")])
def test_a_resumed_handshake_says_that_the_certificate_was_known_from_before(role: str, who: str) -> None:
    (note,) = rows(diagram_of("resumed", role), Note)
    assert note.text == f"the certificate known from before is good for {who}"
    assert note.ok


def test_early_data_is_a_step_of_its_own_under_a_key_of_its_own() -> None:
    diagram = diagram_of("early data", "client")
    assert [step.title for step in diagram.steps][:3] == [
        "The client says hello",
        "The client sends early data",
        "The server answers, and both have keys",
    ]
    early, late = rows(diagram, DataRow)
    assert (early.epoch, early.step, early.opens) == ("early", 2, True)
    assert late.epoch == "application"
    line = rows(diagram, KeyLine)[0]
    assert (line.senders, line.epoch) == (("client",), "early")
    assert details(diagram, "EncryptedExtensions", "server") == {"early data": ("accepted",)}
    titles = [step.title for step in diagram_of("early data", "server").steps]
    assert titles.index("The client sends early data") < titles.index("The client ends its early data")


def test_early_data_that_was_refused_is_known_by_the_server_to_be() -> None:
    server = diagram_of("early data refused", "server")
    assert any("rejected" in note.text for note in rows(server, Note))
    assert [row.epoch for row in rows(server, DataRow)] == ["application"]
    assert [row.epoch for row in rows(diagram_of("early data refused", "client"), DataRow)] == ["early", "application"]


def test_secrets_are_there_only_where_the_trace_has_them() -> None:
    assert diagram_of("one-way", "client").secrets == ()
    labels = [secret.label for secret in diagram_of("with secrets", "client").secrets]
    assert labels[:2] == ["SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_HANDSHAKE_TRAFFIC_SECRET"]
    assert all(secret.value.hex() not in repr(secret) for secret in diagram_of("with secrets", "client").secrets)


def test_the_time_is_from_the_first_message_to_the_end_of_the_handshake() -> None:
    trace = observed("one-way").client
    diagram = Diagram.of(trace)
    first = next(event.time for event in trace if isinstance(event, t.Message))
    last = next(event.time for event in trace if isinstance(event, t.Completed))
    assert diagram.seconds == pytest.approx(last - first)
    assert diagram_of("unknown-ca", "client").seconds is None


@pytest.mark.parametrize(("case", "role"), EVERY_VIEW)
def test_every_row_knows_its_event_and_its_records(case: str, role: str) -> None:
    trace = observed(case).of(role)
    for row in Diagram.of(trace).rows:
        event = trace.events[row.event]
        if not isinstance(row, MessageRow | AlertRow | DataRow | CipherChange):
            assert row.records == ()
            continue
        carriers = [trace.events[index] for index in row.records]
        assert carriers, f"nothing carried {row}"
        for carrier in carriers:
            assert isinstance(carrier, t.Record)
            assert carrier.direction == event.direction  # type: ignore[attr-defined]
        if isinstance(row, MessageRow):
            assert isinstance(event, t.Message)
            assert row.raw == event.raw
            if not row.protected:
                assert row.raw in b"".join(carrier.raw[5:] for carrier in carriers if isinstance(carrier, t.Record))


def test_messages_that_were_not_kept_have_no_records_and_say_so() -> None:
    trace = observed("one-way").client
    short = t.Trace.from_json_lines(trace.to_json_lines())
    for event in short.events:
        if isinstance(event, t.Message) and event.name == "Certificate":
            event.raw = b""
    messages = {row.name: row for row in rows(Diagram.of(short), MessageRow)}
    assert messages["Certificate"].details[0].items == ("its bytes were not kept",)
    assert messages["Certificate"].records == ()
    assert messages["ServerHello"].records


def test_names_can_be_given() -> None:
    trace = observed("one-way").client
    diagram = Diagram.of(trace, client="192.0.2.7:40000", server="localhost:8443")
    assert (diagram.client.name, diagram.server.name) == ("192.0.2.7:40000", "localhost:8443")


def test_an_empty_trace_is_a_diagram_of_nothing() -> None:
    diagram = Diagram.of(t.Trace())
    assert diagram.rows == ()
    assert diagram.title == "TLS, unfinished"


def test_a_step_is_found_by_its_number() -> None:
    diagram = diagram_of("one-way", "client")
    assert diagram.step(1).title == "The client says hello"
    with pytest.raises(KeyError):
        diagram.step(99)
