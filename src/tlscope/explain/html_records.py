"""Records, the keys that protect them, and the key schedule that the keys come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .. import trace as t
from ..wire.codepoints import ContentType
from .html_messages import title_of
from .html_parts import element, items, rfc_links, table, text
from .model import AlertRow, CipherChange, DataRow, Diagram, MessageRow, Side, other_side
from .words import plural, printable

__all__ = ["key_schedule", "records_and_keys"]

MOST_RECORDS = 300
"""Records that are listed."""


def _sender(event: t.Record | t.KeyChange, role: Side) -> Side:
    return role if event.direction == "sent" else other_side(role)


# Records and keys


def records_and_keys(diagram: Diagram, events: Sequence[t.TraceEvent]) -> str:
    """What each key protects, and the list of all records."""
    carried: dict[int, list[str]] = {}
    for row in diagram.rows:
        if isinstance(row, MessageRow | AlertRow | CipherChange | DataRow):
            for index in row.records:
                carried.setdefault(index, []).append(title_of(row))
    records = [(index, event) for index, event in enumerate(events) if isinstance(event, t.Record)]
    if not records:
        return ""
    rows = [
        _record(diagram, number, record, carried.get(index, [])) for number, (index, record) in enumerate(records, 1)
    ]
    more = len(rows) - MOST_RECORDS
    listing = table(
        "Every record, in the order in which this side saw them",
        ("#", "from", "type", "really", "bytes", "keys", "number", "carries"),
        rows[:MOST_RECORDS],
    )
    if more > 0:
        listing += element("p", text(f"and {plural(more, 'more record')}"))
    count = plural(len(records), "record")
    return _keys(diagram, events) + element(
        "details", element("summary", text(f"The {count} one by one" if len(records) > 1 else "The record")), listing
    )


def _record(diagram: Diagram, number: int, record: t.Record, carries: list[str]) -> Iterator[str]:
    sender = _sender(record, diagram.role)
    outer = printable(ContentType.of(record.raw[0])) if record.raw else ""
    inner = printable(ContentType.of(record.content_type))
    yield str(number)
    yield element("span", sender, class_=f"tag from-{sender}")
    yield text(outer or inner)
    yield text(inner if outer and inner != outer else "")
    yield f"{len(record.raw) or record.length:,}"
    yield "none" if record.epoch == "plaintext" else text(record.epoch)
    yield str(record.sequence)
    yield text(", ".join(carries[:6]) + (" …" if len(carries) > 6 else ""))


def _keys(diagram: Diagram, events: Sequence[t.TraceEvent]) -> str:
    cards = []
    for event in events:
        if not isinstance(event, t.KeyChange):
            continue
        sender = _sender(event, diagram.role)
        label = _label(sender, event.epoch, diagram)
        protects = _protects(events, event.direction, event.epoch)
        facts = items(
            (
                ("protect", text(f"what the {sender} sends: {protects}")),
                ("with", text(event.protection)),
                ("made of", element("code", text(label)) if label else ""),
            )
        )
        cards.append(
            element("div", element("h5", text(f"{sender}: {event.epoch} keys")), facts, class_=f"card from-{sender}")
        )
    return element("div", *cards, class_="cards") if cards else element("p", "Nothing was encrypted.")


def _protects(events: Sequence[t.TraceEvent], direction: str, epoch: str) -> str:
    found = [one for one in events if isinstance(one, t.Record) and one.direction == direction and one.epoch == epoch]
    if not found:
        return "no record yet"
    return f"{plural(len(found), 'record')}, {plural(sum(len(one.raw) or one.length for one in found), 'byte')}"


def _label(sender: Side, epoch: str, diagram: Diagram) -> str:
    """The key log's name of the secret that the keys of an epoch come from."""
    if diagram.version == "TLS 1.2":
        return "CLIENT_RANDOM"
    head = sender.upper()
    if epoch in ("early", "handshake"):
        return f"{head}_{epoch.upper()}_TRAFFIC_SECRET"
    return f"{head}_TRAFFIC_SECRET_{epoch.partition('+')[2] or 0}"


# The key schedule

_STAGES = ("early secret", "handshake secret", "master secret")


@dataclass(frozen=True)
class _Told:
    """A secret in words: what it is called, and what it is for."""

    name: str
    use: str


_SECRETS = {
    "CLIENT_EARLY_TRAFFIC_SECRET": _Told("client_early_traffic_secret", "the client's early data"),
    "EARLY_EXPORTER_SECRET": _Told("early_exporter_master_secret", "keys for the application's own use, early"),
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET": _Told("client_handshake_traffic_secret", "the client's part of the handshake"),
    "SERVER_HANDSHAKE_TRAFFIC_SECRET": _Told("server_handshake_traffic_secret", "the server's part of the handshake"),
    "EXPORTER_SECRET": _Told("exporter_master_secret", "keys for the application's own use"),
    "resumption_master_secret": _Told("resumption_master_secret", "the keys of later sessions, through tickets"),
    "CLIENT_RANDOM": _Told("master secret", "both directions' keys, cut from one key block"),
}


def key_schedule(diagram: Diagram, events: Sequence[t.TraceEvent]) -> str:
    """The secrets, each with what it was made of; a secret's value only where the trace holds it."""
    secrets = [event for event in events if isinstance(event, t.Secret)]
    if not secrets:
        return element("p", "No secret was derived.")
    if any(event.label == "CLIENT_RANDOM" for event in secrets):
        return _schedule_12([event for event in secrets if event.label == "CLIENT_RANDOM"])
    return _schedule_13(diagram, secrets)


def _schedule_13(diagram: Diagram, secrets: list[t.Secret]) -> str:
    stages = []
    for number, stage in enumerate(_STAGES):
        derived = [event for event in secrets if event.inputs and event.inputs[0] == stage]
        if not derived and not any(event.inputs and event.inputs[0] in _STAGES[number:] for event in secrets):
            break
        known = {
            "early secret": "the PSK, a key from before" if diagram.psk else "0, because there is no PSK",
            "handshake secret": f"(EC)DHE: {diagram.group}, the secret that both key shares make"
            if diagram.group
            else "0, because there is no key exchange",
            "master secret": "0",
        }[stage]
        chips = _chip(known) + (_chip("salt: Derive-Secret of the secret above") if number else _chip("salt: 0"))
        inputs = element("div", chips, element("span", "HKDF-Extract ↓", class_="how"), class_="inputs")
        box = element("div", element("strong", stage.capitalize()), class_="secret stage")
        leaves = element("ul", *(_derived(event, secrets) for event in derived), class_="derived") if derived else ""
        stages.append(element("li", inputs, box, leaves))
    later = [event for event in secrets if event.inputs and event.inputs[0] not in _STAGES and not _follows(event)]
    rest = element("ul", *(_derived(event, []) for event in later), class_="derived") if later else ""
    picture = element("ol", *stages, class_="schedule", aria_label="the key schedule")
    where = element("p", "Each secret is made by HKDF from those above it. ", rfc_links("RFC 8446 section 7.1"))
    return where + picture + rest


def _follows(event: t.Secret) -> bool:
    return event.inputs == ("the secret before it",)


def _derived(event: t.Secret, secrets: list[t.Secret]) -> str:
    head, _, generation = event.label.rpartition("_")
    side = "client" if event.label.startswith("CLIENT") else "server" if event.label.startswith("SERVER") else ""
    told = _SECRETS.get(event.label)
    if told is None and head.endswith("TRAFFIC_SECRET") and generation.isdigit():
        told = _Told(f"{side}_application_traffic_secret_{generation}", f"the {side}'s application data")
    name = told.name if told else printable(event.label)
    use = element("span", text(f"for {told.use}"), class_="use") if told else ""
    chips = "".join(_chip(one) for one in event.inputs[1:])
    how = element("div", chips, element("span", "Derive-Secret →", class_="how"), class_="inputs") if chips else ""
    box = element(
        "div", element("code", text(name)), use, _value(event), class_=f"secret {f'of-{side}' if side else ''}"
    )
    after = [one for one in secrets if _follows(one) and _generation(one) == _generation(event, 1) is not None]
    inner = element("ul", *(_derived(one, secrets) for one in after), class_="derived") if after else ""
    return element("li", how, element("div", box, inner))


def _generation(event: t.Secret, step: int = 0) -> tuple[str, int] | None:
    head, _, digits = event.label.rpartition("_")
    if not head.endswith("TRAFFIC_SECRET") or not (digits.isdigit() and len(digits) < 9):
        return None
    return head, int(digits) + step


def _schedule_12(secrets: list[t.Secret]) -> str:
    stages = []
    for event in secrets:
        chips = "".join(map(_chip, event.inputs))
        inputs = element("div", chips, element("span", "PRF ↓", class_="how"), class_="inputs")
        box = element("div", element("strong", "Master secret"), _value(event), class_="secret stage")
        block = element(
            "div", element("code", "key_block"), element("span", "both directions' keys", class_="use"), class_="secret"
        )
        how = element(
            "div", _chip("server random, client random"), element("span", "PRF →", class_="how"), class_="inputs"
        )
        stages.append(
            element("li", inputs, box, element("ul", element("li", how, element("div", block)), class_="derived"))
        )
    where = element(
        "p", "One secret, from which the PRF makes every key. ", rfc_links("RFC 5246 section 8.1; RFC 7627")
    )
    return where + element("ol", *stages, class_="schedule", aria_label="the key schedule")


def _chip(words: str) -> str:
    return element("span", text(words.replace("..", " … ")), class_="chip")


def _value(event: t.Secret) -> str:
    if event.value is None:
        return ""
    return element("details", element("summary", "its value"), element("code", event.value[:64].hex(), class_="raw"))
