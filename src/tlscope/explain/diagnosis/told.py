"""Explanations of an alert: the peer refused, and what is known is the alert, the step, and what this side itself said."""

from __future__ import annotations

import dataclasses
from typing import Any

from ...errors import Judge, Situation
from ..words import listed, printable
from .atlas import ATLAS
from .failure import Failure
from .model import Alternative, Diagnosis, Fix
from .rules import broken_rule, last_said
from .seen import alternatives, fixes
from .told_client import client_certificate, hello_refused
from .told_server import server_certificate, server_hello

__all__ = ["told"]

_CERTIFICATE_ALERTS = {
    "bad_certificate",
    "unsupported_certificate",
    "certificate_revoked",
    "certificate_expired",
    "certificate_unknown",
    "unknown_ca",
    "access_denied",
    "certificate_required",
    "bad_certificate_status_response",
}

_THOUGHT_OUT = {*_CERTIFICATE_ALERTS, "handshake_failure", "protocol_version"}
"""Alerts for which the other causes that fit have been looked at one by one: no more of them does."""

_BROKEN_RULE = {
    "unexpected_message",
    "illegal_parameter",
    "decode_error",
    "missing_extension",
    "unsupported_extension",
    "record_overflow",
    "decompression_failure",
}


def told(failure: Failure) -> Diagnosis:
    """The best that can be known from an alert."""
    alert = failure.code.removeprefix("alert-").replace("-", "_")
    found = _guess(alert, failure)
    row = ATLAS.get(found.id)
    evidence = (*found.evidence, *_said(failure.known))
    if failure.awaiting and failure.phase == "handshake":
        evidence += (("it came", f"while waiting for {' or '.join(failure.awaiting)}"),)
    elif failure.phase == "connected":
        evidence += (("it came", "after this side's handshake had ended"),)
    return dataclasses.replace(
        found,
        role=failure.role,
        judge=Judge.PEER,
        known_by="alert",
        alert=alert,
        title=found.title or (row.title if row is not None else f"the peer sent the alert {alert}"),
        rule=found.rule or (row.rule if row is not None else failure.rfc),
        fixes=found.fixes or (fixes(found.id, failure, found.sender) if row is not None else ()),
        alternatives=found.alternatives or (() if found.certain or alert in _THOUGHT_OUT else alternatives(found.id)),
        evidence=evidence,
    )


def _guess(alert: str, failure: Failure) -> Diagnosis:
    known = failure.known
    if known.role == "server" and not known.sent and not known.received:
        return _unasked(alert, failure)
    if alert == "close_notify":
        return _closed(failure)
    if failure.phase == "connected" and alert not in (*_CERTIFICATE_ALERTS, *_REFUSES_EMPTY):
        return _either(alert, failure)
    if known.role == "client":
        if known.shown is not None and (alert in _CERTIFICATE_ALERTS or alert in _REFUSES_EMPTY):
            return client_certificate(alert, failure)
        if alert in _HELLO_ALERTS or (alert == "handshake_failure" and _only_hello(known)):
            return hello_refused(alert, failure)
    elif known.role == "server":
        if alert in _CERTIFICATE_ALERTS and known.shown:
            return server_certificate(alert, failure)
        if (
            "ServerHello" in known.sent
            and failure.phase == "handshake"
            and alert
            in (
                "handshake_failure",
                "protocol_version",
                "insufficient_security",
                "illegal_parameter",
            )
        ):
            return server_hello(alert, failure)
    return _either(alert, failure)


_REFUSES_EMPTY = {"handshake_failure", "decode_error"}
_HELLO_ALERTS = {
    "protocol_version",
    "insufficient_security",
    "no_application_protocol",
    "unrecognized_name",
    "inappropriate_fallback",
}


def _only_hello(known: Situation) -> bool:
    return set(known.sent) <= {"ClientHello"}


def _either(alert: str, failure: Failure) -> Diagnosis:
    """What either side may be told."""
    known, peer, last = failure.known, failure.peer, last_said(failure)
    if alert == "decrypt_error":
        return _proof(failure)
    if alert in ("bad_record_mac", "decryption_failed_RESERVED"):
        return _plain(
            "tampered",
            f"the {peer} could not open a record of {failure.ours}: it was changed in transit, or the two sides "
            f"have different keys",
            "record",
            failure,
        )
    if known.declined_renegotiation and alert in ("handshake_failure", "no_renegotiation"):
        cause = f"the {peer} asked for renegotiation, was declined, and ended the connection with {alert}"
        return _plain("renegotiation", cause, "ClientHello" if peer == "client" else "HelloRequest", failure, by=peer)
    if alert == "no_renegotiation":
        return _plain("renegotiation", f"the {peer} declines to renegotiate", last, failure)
    if alert in _BROKEN_RULE:
        return broken_rule(alert, failure)
    words = _WORDS.get(alert, f"the {peer} ended the connection with the alert {alert}").format(peer=peer)
    return Diagnosis(
        id=f"alert-{alert.replace('_', '-')}",
        title=f"the peer sent the alert {alert}",
        cause=words,
        step=last,
        sender=failure.role,
        certain=True,
        fixes=(Fix(peer, "see its log: it knows why, and this side can't"),),
    )


_WORDS = {
    "certificate_required": "the {peer} demands a certificate, before it could have been shown one (certificate_required)",
    "bad_certificate_hash_value": "the {peer} fetched a certificate whose hash is another one (bad_certificate_hash_value)",
    "internal_error": "the {peer} failed for a reason of its own, which it does not tell (internal_error)",
    "user_canceled": "the {peer} was told by its user to stop (user_canceled)",
    "handshake_failure": "the {peer} found no acceptable set of parameters (handshake_failure), and does not say which",
    "unknown_psk_identity": "the {peer} demands a pre-shared key, and no key that it knows was offered "
    "(unknown_psk_identity)",
}


def _plain(id: str, cause: str, step: str, failure: Failure, *, by: str = "", **changes: Any) -> Diagnosis:
    return Diagnosis(id=id, title=ATLAS[id].title, cause=cause, step=step, sender=by or failure.role, **changes)


def _unasked(alert: str, failure: Failure) -> Diagnosis:
    """An alert where nothing had been said yet: it can't be about anything of this side's."""
    return Diagnosis(
        id=f"alert-{alert.replace('_', '-')}",
        title="the client sent an alert in place of a ClientHello",
        cause=f"the client sent the alert {alert} in place of a ClientHello, before this side had said anything",
        step="ClientHello",
        sender="client",
        fixes=(
            Fix("client", "see its log: it knows why; a client that can't make its hello (no group, no key) does so"),
        ),
    )


def _proof(failure: Failure) -> Diagnosis:
    known, peer = failure.known, failure.peer
    signed = next((one for one in ("CertificateVerify", "ServerKeyExchange") if one in known.sent), None)
    if signed is None:
        return Diagnosis(
            id="alert-decrypt-error",
            title=f"the {peer} could not verify a proof",
            cause=f"the {peer} could not verify {failure.our} Finished, or the binder of a pre-shared key: the two sides "
            f"have different keys, or have seen different handshakes",
            step=last_said(failure),
            sender=failure.role,
            certain=False,
            fixes=(
                Fix(
                    "either",
                    "where a pre-shared key is configured: compare its name and its secret on both sides; servers that "
                    "don't tell which names they know answer an unknown one so",
                ),
            ),
            alternatives=(Alternative("tampered", "something between changed the handshake", "Compare both traces."),),
        )
    cause = (
        f"the {peer} could not verify the signature in {failure.our} {signed or 'CertificateVerify'}: most likely the key "
        f"that signed is not that of the certificate shown"
    )
    return _plain("bad-certificate-verify", cause, signed or "CertificateVerify", failure, certain=False)


def _closed(failure: Failure) -> Diagnosis:
    peer, last, warned = failure.peer, last_said(failure), failure.known.warnings
    said = " and without a reason" + (f"; before, it had warned with {listed(warned[-3:])}" if warned else "")
    if "user_canceled" in warned:
        said = ": it was told by its user to stop (user_canceled)"
    id = "hello-dropped" if failure.role == "client" and _only_hello(failure.known) else "closed-in-handshake"
    return Diagnosis(
        id=id,
        title="the peer closed the connection in the middle of the handshake",
        cause=f"the {peer} closed the connection in the middle of the handshake, in good form{said}",
        step=last,
        sender=failure.role,
        certain=id != "hello-dropped",
        fixes=() if id == "hello-dropped" else (Fix(peer, "see its log: it knows why, and this side can't"),),
    )


def _said(known: Situation) -> tuple[tuple[str, str], ...]:
    found = []
    if known.asked_authorities:
        found.append(("CAs it named", listed(tuple(printable(one, 100) for one in known.asked_authorities[:8]))))
    for label, issuer in known.configured if known.role == "client" and known.asked_authorities is not None else ():
        found.append(("configured here", f"{printable(label, 80)}, issued by {printable(issuer, 100)}"))
    if known.sent:
        who = f"the {known.role}" if known.observed else "we"
        found.append((f"{who} had sent", ", ".join(known.sent)))
    return tuple(found)
