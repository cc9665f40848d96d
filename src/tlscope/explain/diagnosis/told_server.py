"""A server that was refused: its certificate, or its hello."""

from __future__ import annotations

import dataclasses

from ...errors import Situation
from ..words import listed, printable
from .atlas import ATLAS
from .failure import Failure
from .model import Alternative, Diagnosis
from .own import Fault, Shown, faults, shown
from .rules import broken_rule
from .seen import OLD_VERSIONS, alternatives

__all__ = ["server_certificate", "server_hello"]

_ROWS = {
    "unknown_ca": ("unknown-ca", "missing-intermediate", "self-signed", "unknown-ca-root-sent"),
    "bad_certificate": (
        "wrong-host",
        "ip-vs-dns",
        "missing-sni",
        "cn-only",
        "name-constraint",
        "not-rfc5280",
        "weak-key",
        "weak-signature",
        "issuer-not-ca",
        "path-length",
        "unknown-ca",
    ),
    "certificate_expired": ("cert-expired", "cert-not-yet-valid"),
    "unsupported_certificate": ("wrong-purpose-server", "weak-key"),
    "certificate_revoked": ("revoked",),
    "bad_certificate_status_response": ("bad-staple",),
    "certificate_unknown": ("unknown-ca", "wrong-host", "missing-intermediate", "self-signed", "revoked"),
    "access_denied": ("unknown-ca",),
    "certificate_required": ("unknown-ca",),
}
"""What an alert can mean, likeliest first: clients differ in their words."""

_CERTAIN = {"certificate_revoked", "bad_certificate_status_response"}

MOST = 3
"""Alternatives that are named: who has to look through more has been told nothing."""

_SAYS_WHAT = {"certificate_expired", "unsupported_certificate"}
"""Alerts that name the fault, so that one's own eyes can confirm it."""

_PLAIN = {
    "unknown_ca": "it does not know the CA",
    "bad_certificate": "something in it is wrong, or it is for another name",
    "certificate_expired": "by the client's clock a certificate of the chain is not valid now",
    "unsupported_certificate": "it is of a kind, or for a purpose, that the client does not accept",
    "certificate_revoked": "it was revoked",
    "bad_certificate_status_response": "the stapled OCSP response is missing, or does not count",
    "certificate_unknown": "the client does not tell why",
}


def server_certificate(alert: str, failure: Failure) -> Diagnosis:
    """The client refused the certificate that this server showed."""
    known = failure.known
    rows = _ROWS.get(alert, ("unknown-ca",))
    if not known.shown:
        return _diagnosis(rows[0], f"the client refused our certificate with {alert}", False, (), list(rows[1:]))
    own = shown(known.shown)
    plain = [one for one in faults(known.shown, "server", known.server_name, known.now) if one.id in rows]
    cause = f"the client refused our certificate ({own.subject}, issued by {own.issuer}) with {alert}"
    evidence = [("certificates sent", str(own.count)), ("name asked for", printable(known.server_name or "none", 100))]
    evidence += [("to be seen in it", fault.sentence) for fault in plain]
    if plain:
        id, rest = plain[0].id, plain[0].sentence
    elif alert in ("unknown_ca", "certificate_unknown"):
        id, rest = _trust(own)
    elif known.server_name is None and "missing-sni" in rows:
        id, rest = (
            "missing-sni",
            "it sent no server_name, so it got the default certificate, perhaps not the one it wanted",
        )
    elif "wrong-host" in rows and known.server_name is not None:
        id, rest = (
            "not-rfc5280",
            "the name that it asked for is in it; so something else in it, or in its chain, is wrong",
        )
    else:
        id, rest = rows[0], _PLAIN.get(alert, "it does not tell why")
    cause += f": {rest}"
    certain = alert in _CERTAIN or (bool(plain) and alert in _SAYS_WHAT)
    doubtful = _open_to_doubt(list(rows), own, known.server_name, plain)
    others = [fault.id for fault in plain[1:]] if plain else doubtful
    return _diagnosis(id, cause, certain, tuple(evidence), [row for row in others if row != id][:MOST])


def _trust(own: Shown) -> tuple[str, str]:
    if own.self_signed:
        return "self-signed", "it is self-signed, and the client does not trust this very certificate"
    if own.ends_in_root:
        return "unknown-ca-root-sent", f"the client does not trust the root of its chain, {own.top_issuer}"
    if own.count == 1:
        return "unknown-ca", (
            f"the client does not trust {own.top_issuer}, or that is an intermediate and should have been sent along: one "
            f"certificate was sent"
        )
    return "unknown-ca", f"the client does not trust {own.top_issuer}, to which the chain leads"


def _diagnosis(
    id: str,
    cause: str,
    certain: bool,
    evidence: tuple[tuple[str, str], ...],
    others: list[str],
) -> Diagnosis:
    return Diagnosis(
        id=id,
        title=ATLAS[id].title if id in ATLAS else "the client refused the certificate",
        cause=cause,
        step="Certificate",
        sender="server",
        certain=certain,
        evidence=evidence,
        alternatives=() if certain else alternatives(id, *others, only=others),
    )


def _open_to_doubt(rows: list[str], own: Shown, asked: str | None, plain: list[Fault]) -> list[str]:
    """Those rows that one's own eyes have not ruled out; what they have found comes first."""
    found = [fault.id for fault in plain]
    ruled_out = {"cn-only", "weak-key", "weak-signature", "issuer-not-ca", "wrong-purpose-server"}
    if not own.self_signed:
        ruled_out.add("self-signed")
    if not own.ends_in_root:
        ruled_out.add("unknown-ca-root-sent")
    if own.count > 1 or own.self_signed:
        ruled_out.add("missing-intermediate")
    if asked is not None:
        ruled_out |= {"missing-sni", "ip-vs-dns"}
    return [*found, *(row for row in rows if row not in ruled_out and row not in found)]


def server_hello(alert: str, failure: Failure) -> Diagnosis:
    """The client refused what this server chose, or said in its first flight."""
    known = failure.known
    chosen = known.version or "the version"
    best = next(iter(known.ours.get("versions", ())), "")
    if alert == "protocol_version":
        if best in OLD_VERSIONS:
            return _hello("old-peer", f"the client does not accept {best}, which this server chose, and nobody should")
        cause = f"the client does not accept {chosen}, which this server chose: it offered more than it speaks"
        return _hello("no-common-version", cause, False, known, ("versions",))
    if alert == "illegal_parameter":
        if chosen != "TLS 1.2" or best != "TLS 1.3":
            return broken_rule(alert, failure)
        cause = (
            "the client refused our ServerHello of TLS 1.2 although this server can do TLS 1.3: most likely its "
            "ClientHello was changed on the way"
        )
        tell = "The client's log tells which."
        other = Alternative("alert-illegal-parameter", "a field of our flight breaks a rule", tell)
        return dataclasses.replace(_hello("downgraded", cause, False, known, ("versions",)), alternatives=(other,))
    if chosen != "TLS 1.2":
        cause = f"the client refused what this server chose with {alert}"
        return _hello("no-common-cipher", cause, False, known, ("cipher suites", "groups", "signature schemes"))
    cause = (
        f"the client refused what this server answered with {alert}; in {chosen} that can be renegotiation_info or the "
        f"extended master secret, which it demands, or a choice that it does not accept"
    )
    found = _hello("renegotiation", cause, False, known, ("cipher suites", "signature schemes"))
    others = ("no-common-cipher", "no-common-signature")
    return dataclasses.replace(found, alternatives=alternatives("renegotiation", *others, only=others))


def _hello(
    id: str, cause: str, certain: bool = True, known: Situation | None = None, topics: tuple[str, ...] = ()
) -> Diagnosis:
    theirs = {} if known is None else known.theirs
    return Diagnosis(
        id=id,
        title=ATLAS[id].title,
        cause=cause,
        step="ServerHello",
        sender="server",
        certain=certain,
        evidence=tuple(
            (f"the client offered: {topic}", listed(theirs[topic][:8])) for topic in topics if theirs.get(topic)
        ),
    )
