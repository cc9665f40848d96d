"""Explanations of what this side found itself."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Sequence

from ...errors import Judge
from ..words import listed, printable
from .atlas import ATLAS
from .failure import Failure
from .foreign import first_words, foreign_client, foreign_fixes, recognised
from .model import Alternative, Diagnosis, Fix

__all__ = ["OLD_VERSIONS", "alternatives", "fixes", "of_row", "seen"]

_SAME_ROW = {
    "no-client-cert-tls12": "no-client-cert",
    "handshake-too-long": "handshake-too-big",
    "chain-too-long": "handshake-too-big",
    "too-many-renegotiations": "renegotiation",
    "bad-renegotiation-info": "renegotiation",
}
"""Codes of which several are one row."""

OLD_VERSIONS = frozenset({"SSLv2", "SSL 2.0", "SSL 3.0", "TLS 1.0", "TLS 1.1"})
"""Versions that are no longer spoken, by the names that traces use."""

_CLIENTS_ROW = {"self-signed": "client-unknown-ca", "cert-not-yet-valid": "client-cert-expired"}
"""What is a row of its own for servers and for clients is not."""

_OPEN = {
    "unknown-ca",
    "missing-intermediate",
    "client-unknown-ca",
    "client-missing-intermediate",
    "wrong-host",
    "ip-vs-dns",
    "no-client-cert",
    "bad-certificate-verify",
    "tampered",
}
"""Rows that leave something open even to the side that found the fault."""

_FACTS = {
    "ours": "we accept",
    "theirs": "the peer offers",
    "asked": "asked for",
    "names": "names in it",
    "certificate": "certificate",
    "not_before": "valid from",
    "not_after": "valid until",
    "now": "local clock",
    "issuer": "its issuer",
    "store": "trust store read",
    "sent": "certificates sent",
    "root": "root",
    "fingerprint": "SHA-256",
    "usages": "usages found",
    "needed": "needed",
    "constraint": "constraint",
    "name": "name",
    "authority": "its CA",
    "key": "key",
    "algorithm": "signed with",
    "rule": "rule that failed",
    "source": "known from",
    "when": "revoked on",
    "this_update": "thisUpdate",
    "next_update": "nextUpdate",
    "served": "names served",
    "limit": "limit",
    "setting": "setting",
    "length": "length",
    "count": "count",
    "seconds": "time allowed (s)",
    "sequence": "record number",
    "epoch": "under the keys of",
    "speaks": "it speaks",
    "best": "best common version",
    "received": "received",
    "expected": "due",
    "path": "file",
    "found": "found",
    "wanted": "wanted",
    "held": "key held",
    "position": "the leaf is number",
    "first": "first in the file",
    "field": "field",
    "problem": "problem",
}
"""Evidence that is shown, by its name in the error, in the order in which it is read."""


_OF_FILES = {"first", "position", "path", "found", "wanted", "held"}

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d+)?\+00:00")


def _as_read(value: str) -> str:
    return _MOMENT.sub(r"\1 UTC", value).rstrip(", ")


def seen(failure: Failure) -> Diagnosis:
    """The explanation of a fault that this side found."""
    id = _row_of(failure)
    row = ATLAS.get(id)
    step, sender = _place(failure)
    found = Diagnosis(
        id=id,
        title=failure.code.replace("-", " ") if row is None else row.title,
        cause=_cause(failure, id),
        step=step,
        role=failure.role,
        sender=sender,
        judge=Judge.US,
        known_by="seen",
        alert="" if id == "http-on-tls-port" else failure.alert,  # it was answered in its own words
        evidence=_evidence(failure, id),
        rule=failure.rfc or ("" if row is None else row.rule),
    )
    if row is None:
        return dataclasses.replace(found, fixes=_without_row(failure))
    known_for_sure = failure.code == "self-signed" or failure.fact("same_name") == "True"
    others = alternatives(id) if id in _OPEN and not known_for_sure else ()
    if failure.known.server_name is not None:
        others = tuple(one for one in others if one.id != "missing-sni")
    todo = foreign_fixes(failure.known.first_bytes) if id == "tls-on-http-port" else fixes(id, failure, sender)
    return dataclasses.replace(found, fixes=todo, alternatives=others)


def _without_row(failure: Failure) -> tuple[Fix, ...]:
    """What to do about a fault that has no row of its own: mostly a rule of the protocol that the peer broke."""
    if failure.code == "not-tls":
        return foreign_client(failure.known.first_bytes)[1]
    if failure.code == "inappropriate-fallback":
        return (
            Fix(
                "client",
                "find out why its first try, in a newer version, failed: that is the fault, this only its echo",
            ),
            Fix("either", "look between the two: something that drops newer hellos provokes such a step back"),
        )
    general = _NOTHING_IN_COMMON if failure.code.startswith("no-common") else _GENERAL
    return general if failure.role else ()


_GENERAL = (
    Fix(
        "either",
        "one of the two sides has a fault, or something between changed what was said: keep the traces of both",
    ),
)


_NOTHING_IN_COMMON = (Fix("either", "give both sides something in common: what this one accepts is above"),)


def of_row(id: str, failure: Failure, cause: str, **changes: object) -> Diagnosis:
    """An explanation that follows a row of the atlas; ``changes`` are fields of ``Diagnosis``."""
    row = ATLAS[id]
    found = Diagnosis(
        id=id,
        title=row.title,
        cause=cause,
        step=row.step,
        role=failure.role,
        sender=row.sender,
        rule=row.rule,
        fixes=fixes(id, failure),
        alternatives=alternatives(id),
    )
    return dataclasses.replace(found, **changes)  # type: ignore[arg-type]


def fixes(id: str, failure: Failure, sender: str = "") -> tuple[Fix, ...]:
    """The row's fixes with this failure's evidence in them; ``sender`` is whose message it is, where the row may differ."""
    asked = failure.fact("asked") or failure.known.expected_name or failure.known.server_name or "NAME"
    values = _Values(asked=printable(asked, 100))
    if failure.fact("path"):
        values["path"] = shlex.quote(printable(failure.fact("path"), 400))
    row = ATLAS[id]
    found = tuple(Fix(one.who, one.do.format_map(values), one.command.format_map(values)) for one in row.fixes)
    if row.step == "Certificate" and row.sender == "server" and sender == "client":
        return tuple(Fix(_SWAPPED.get(one.who, one.who), one.do, _for_client(one.command)) for one in found)
    return found


_SWAPPED = {"client": "server", "server": "client"}


def _for_client(command: str) -> str:
    if command.startswith("tlscope ca issue"):
        return "tlscope ca issue DIR NAME --client"
    return "" if command.startswith(("tlscope connect", "openssl s_client")) else command


def alternatives(id: str, *ids: str, only: Sequence[str] | None = None) -> tuple[Alternative, ...]:
    """The row's other causes, then those of ``ids``, none twice; of the row's own those in ``only``, where that is given."""
    found: dict[str, Alternative] = {}
    for other, tell in ATLAS[id].others if id in ATLAS else ():
        if only is None or other in only:
            found[other] = Alternative(other, ATLAS[other].title, tell)
    for other in ids:
        found.setdefault(other, Alternative(other, ATLAS[other].title, _first_sentence(ATLAS[other].meaning)))
    return tuple(one for one in found.values() if one.id != id)


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".") + "."


class _Values(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return name.upper()


def _row_of(failure: Failure) -> str:
    code = failure.code
    if code == "no-common-version" and _all_old(failure.facts("theirs")):
        return "old-peer"
    if code == "unoffered-version" and failure.fact("received") in OLD_VERSIONS:
        return "old-peer"
    if code == "not-tls" and failure.role == "client":
        return "tls-on-http-port"
    asks_anew = failure.fact("received") in ("ClientHello", "HelloRequest")
    if code == "unexpected-message" and failure.phase == "connected" and asks_anew:
        return "renegotiation"
    if code == "wrong-host" and failure.role == "client" and failure.situation is not None and _sent_no_name(failure):
        return "missing-sni"
    if failure.fact("whose") == "client" and code in _CLIENTS_ROW:
        return _CLIENTS_ROW[code]
    return _SAME_ROW.get(code, code)


def _sent_no_name(failure: Failure) -> bool:
    known = failure.known
    return known.server_name is None and bool(known.expected_name) and "ClientHello" in known.sent


def _all_old(versions: tuple[str, ...]) -> bool:
    return bool(versions) and all(version in OLD_VERSIONS for version in versions)


def _place(failure: Failure) -> tuple[str, str]:
    """The message at hand and who sent it."""
    if not failure.role:
        return ATLAS[failure.code].step if failure.code in ATLAS else "before any connection", ""
    if failure.kind == "CertificateRejected":
        return "Certificate", failure.peer
    if failure.message is not None:
        return failure.message, failure.peer
    if failure.code in ("tampered", "record-too-long", "unprotected-record"):
        return "record", failure.peer
    if failure.awaiting:
        return failure.awaiting[0], failure.peer
    return "record", failure.peer


def _cause(failure: Failure, id: str) -> str:
    known = failure.known
    if id == "missing-sni":
        return f"no server_name was sent, so the server showed its default certificate: {failure.sentence}"
    if id == "old-peer" and failure.code == "no-common-version":
        spoken = failure.facts("theirs")[-1]
        return f"the {failure.peer} speaks at most {spoken}, which is no longer spoken: {failure.sentence}"
    if id == "tls-on-http-port":
        service = recognised(known.first_bytes)
        said = f"it {service.says}" if service is not None else failure.fact("problem")
        return f"the {failure.peer} does not speak TLS: {said}; its first words: {first_words(known.first_bytes)}"
    if id == "not-tls":
        who = foreign_client(known.first_bytes)[0]
        guess = f"; it looks like this: {who}" if who else ""
        return f"the {failure.peer} does not speak TLS; its first words: {first_words(known.first_bytes)}{guess}"
    if id == "no-common-cipher" and failure.fact("what").startswith("cipher suite for the kind of key"):
        kinds = listed(tuple(one.replace("ec:", "EC ") for one in failure.facts("ours")), "or")
        offered = listed(failure.facts("theirs")[:8])
        return f"no cipher suite fits the kind of key in the server's certificate, {kinds}: the client offers {offered}"
    if id == "http-on-tls-port":
        return f"{failure.sentence}: {first_words(known.first_bytes)}; it was answered so, with status 400"
    if failure.code == "no-client-cert" or id == "no-client-cert":
        return f"{failure.sentence}: its Certificate message was empty"
    if id == "bad-certificate-verify":
        return f"{failure.sentence} ({failure.fact('key')}): key and certificate don't belong together"
    return failure.sentence


def _evidence(failure: Failure, id: str) -> tuple[tuple[str, str], ...]:
    about_file = failure.kind == "ConfigError"
    found = [
        (label, printable(_as_read(value), 400))
        for name, label in _FACTS.items()
        if (value := failure.fact(name)) and (about_file or name not in _OF_FILES)
    ]
    if failure.kind in ("CertificateRejected", "ConfigError") or id.startswith("no-common"):
        found = [(label, value) for label, value in found if label not in ("problem",)]
    known = failure.known
    if id == "no-client-cert" and known.role == "server":
        named = listed(known.asked_authorities[:8]) if known.asked_authorities else "no CA in particular"
        found.append(("asked for one from", named))
        found.append(("client's messages", ", ".join(known.received)))
    if id in ("wrong-host", "ip-vs-dns", "missing-sni", "cn-only") and known.role == "client":
        found.append(("server_name sent", known.server_name or "none"))
    if known.first_bytes and failure.code in ("not-tls", "http-on-tls-port", "old-peer"):
        found.append(("first bytes", known.first_bytes[:24].hex(" ")))
    if not found and known.received:
        found.append(("the peer had sent", ", ".join(known.received)))
    return tuple(found)
