"""A server that was refused: its certificate, or its hello."""

from __future__ import annotations

import dataclasses

from ...errors import Situation
from ..words import listed, printable
from .atlas import ATLAS
from .failure import Failure
from .model import Alternative, Diagnosis
from .own import Shown, faults, shown
from .rules import broken_rule
from .seen import OLD_VERSIONS, alternatives

__all__ = ["server_certificate", "server_hello"]

_ROWS = {
    "unknown_ca": ("unknown-ca", "missing-intermediate", "self-signed", "unknown-ca-root-sent"),
    "bad_certificate": (
        "wrong-host",
        "ip-vs-dns",
        "missing-sni",
        "unknown-ca",
        "self-signed",
        "unknown-ca-root-sent",
        "missing-intermediate",
        "not-rfc5280",
        "name-constraint",
        "path-length",
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

MOST = 4
"""Alternatives that are named: who has to look through more has been told nothing."""

_SAYS_WHAT = {"certificate_expired", "unsupported_certificate"}
"""Alerts that name the fault, so that one's own eyes can confirm it."""

_PLAIN = {
    "unknown_ca": "it does not know the CA",
    "certificate_expired": "by the client's clock a certificate of the chain is not valid now",
    "unsupported_certificate": "it is of a kind, or for a purpose, that the client does not accept",
    "certificate_revoked": "it was revoked",
    "bad_certificate_status_response": "the stapled OCSP response is missing, or does not count",
    "certificate_unknown": "the client does not tell why",
}


def server_certificate(alert: str, failure: Failure) -> Diagnosis:
    """The client refused the certificate that this server showed."""
    known = failure.known
    rows = list(_ROWS.get(alert, ("unknown-ca",)))
    own = shown(known.shown or (b"",))
    # Clients choose their alerts freely, so what is plain to see counts for more, unless the alert leaves no doubt.
    seen = faults(known.shown or (), "server", known.server_name, known.now)
    plain = [fault for fault in seen if _explains(fault.id, alert, rows)]
    plain.sort(key=lambda fault: fault.id not in rows)
    evidence = [("certificates sent", str(own.count)), ("name asked for", printable(known.server_name or "none", 100))]
    evidence += [("to be seen in it", fault.sentence) for fault in seen]
    id, rest = (
        (plain[0].id, plain[0].sentence)
        if plain
        else _unseen(alert, own, known.server_name, only_one=len(known.configured) == 1)
    )
    cause = f"the client refused {failure.our} certificate ({own.subject}, issued by {own.issuer}) with {alert}: {rest}"
    certain = alert in _CERTAIN or (bool(plain) and alert in _SAYS_WHAT)
    others = [fault.id for fault in plain[1:]] if plain else _open_to_doubt(rows, own, known.server_name)
    return _diagnosis(id, cause, certain, tuple(evidence), [row for row in others if row != id][:MOST])


def _explains(id: str, alert: str, rows: list[str]) -> bool:
    """Whether a fault is one that clients send this alert for."""
    if alert in ("bad_certificate", "certificate_unknown"):
        return True
    return id in rows or (alert == "unknown_ca" and id in ("issuer-not-ca", "path-length", "not-rfc5280"))


def _unseen(alert: str, own: Shown, asked: str | None, *, only_one: bool) -> tuple[str, str]:
    """The likeliest row and why, where nothing is plainly wrong with the chain."""
    if alert in ("unknown_ca", "certificate_unknown") or (
        alert == "bad_certificate" and (own.self_signed or own.ends_in_root)
    ):
        id, why = _trust(own)
        return id, why if alert == "unknown_ca" else f"most likely {why}"
    if alert != "bad_certificate":
        return _ROWS.get(alert, ("unknown-ca",))[0], _PLAIN.get(alert, "it does not tell why")
    if asked is None and only_one:
        return "ip-vs-dns", (
            "it sent no server_name, as clients do that connect by address, and what it asked for may not be among the "
            f"names, {listed(tuple(printable(one, 60) for one in own.names[:6])) or 'none'}"
        )
    if asked is None:
        return "missing-sni", "it sent no server_name, so it got the default certificate, perhaps not the one it wanted"
    return "alert-bad-certificate", "nothing wrong is to be seen in it from here, so only the client can tell why"


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


def _open_to_doubt(rows: list[str], own: Shown, asked: str | None) -> list[str]:
    """Those rows that one's own eyes have not ruled out."""
    ruled_out = {"cn-only", "weak-key", "weak-signature", "issuer-not-ca", "wrong-purpose-server"}
    if not own.self_signed:
        ruled_out.add("self-signed")
    if not own.ends_in_root:
        ruled_out.add("unknown-ca-root-sent")
    if own.count > 1 or own.self_signed:
        ruled_out.add("missing-intermediate")
    if asked is not None:
        ruled_out |= {"missing-sni", "ip-vs-dns"}
    return [row for row in rows if row not in ruled_out]


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
            f"the client refused {failure.our} ServerHello of TLS 1.2 although this server can do TLS 1.3: most likely its "
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
