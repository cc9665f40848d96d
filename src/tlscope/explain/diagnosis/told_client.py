"""A client that was refused: its hello, or its certificate."""

from __future__ import annotations

from typing import Any

from ...errors import Situation
from ..words import listed, printable
from .atlas import ATLAS
from .failure import Failure
from .model import Alternative, Diagnosis, Fix
from .own import faults, shown
from .seen import OLD_VERSIONS, alternatives

__all__ = ["KEY_FIXES", "client_certificate", "hello_refused"]

_BY_ALERT = {
    "unknown_ca": "client-unknown-ca",
    "certificate_expired": "client-cert-expired",
    "unsupported_certificate": "client-wrong-purpose",
    "access_denied": "client-not-authorised",
    "certificate_revoked": "revoked",
}


def client_certificate(alert: str, failure: Failure) -> Diagnosis:
    """The server refused what this client answered to its CertificateRequest."""
    if not failure.known.shown:
        return _nothing_shown(alert, failure)
    known = failure.known
    own = shown(known.shown or ())
    plain = faults(known.shown or (), "client", None, known.now)
    what = f"{failure.your} certificate ({own.subject}, issued by {own.issuer})"
    id = _BY_ALERT.get(alert, "")
    cause = f"the server refused {what} with {alert}"
    changes: dict[str, Any] = {"certain": alert == "certificate_revoked"}
    # Servers choose their alerts freely, so what is plain to see counts for more, unless the alert leaves no doubt.
    vague = alert not in _BY_ALERT
    fitting = [fault for fault in plain if fault.id == id or vague]
    if fitting:
        changes["certain"] = fitting[0].id == id  # the alert says so, and so do one's own eyes
        id = fitting[0].id
        cause += f": {fitting[0].sentence}"
    elif alert == "unknown_ca" and own.self_signed:
        cause += ": it is self-signed, and the server does not trust this very certificate"
    elif alert == "unknown_ca":
        cause += f": it does not trust {own.top_issuer}, or misses a certificate on the way to its root"
        cause += _named(known, own.top_issuer)
    elif alert == "access_denied":
        cause += (
            ": by RFC 8446 that means that the certificate is valid and its holder may not enter; some servers say so of "
            "any certificate that they do not take"
        )
    elif alert == "certificate_expired":
        cause += ": by the server's clock it is not valid now; by this one it is"
    elif alert == "unsupported_certificate":
        cause += ": of a kind, or for a purpose, that it does not accept"
    elif alert == "certificate_revoked":
        cause += ": its CA has taken it back"
    else:
        cause += ", which does not tell what is wrong with it"
    if not id:
        id = "client-unknown-ca"
    evidence = (("certificates sent", str(own.count)), *(("to be seen in it", fault.sentence) for fault in plain))
    others = () if fitting else _other_rows(id, alert, own.count, own.self_signed)
    return Diagnosis(
        id=id,
        title=ATLAS[id].title,
        cause=cause,
        step="Certificate",
        sender="client",
        evidence=evidence,
        alternatives=() if changes["certain"] else others,
        **changes,
    )


def _other_rows(id: str, alert: str, count: int, self_signed: bool) -> tuple[Alternative, ...]:
    """Causes that fit the alert too, and that one's own eyes have not ruled out."""
    rows = ["client-unknown-ca"]
    if count == 1 and not self_signed:
        rows.append("client-missing-intermediate")
    if alert != "unknown_ca":
        rows.append("client-not-authorised")
    return alternatives(id, *rows, only=rows)


def _named(known: Situation, issuer: str) -> str:
    named = known.asked_authorities or ()
    if not named:
        return "; it did not say which CAs it trusts"
    if issuer in named:
        return "; it named a CA of that very name, so that may have been made anew, with another key"
    return f"; it named {listed(tuple(printable(one, 100) for one in named[:5]))}"


def _nothing_shown(alert: str, failure: Failure) -> Diagnosis:
    """The client answered with an empty list."""
    known = failure.known
    named = known.asked_authorities or ()
    wanted = (
        f"a certificate from {listed(tuple(printable(one, 100) for one in named[:5]), 'or')}"
        if named
        else ("a certificate, of no CA in particular")
    )
    certain = alert in ("certificate_required",)
    others: tuple[Alternative, ...] = ()
    if known.observed:
        id = "no-client-cert"
        cause = f"the client was asked for {wanted} and sent an empty list; why, what went over the wire does not tell"
        tell = "Its own trace, or its settings, tell whether it has one."
        others = (Alternative("client-cert-not-offered", ATLAS["client-cert-not-offered"].title, tell),)
    elif known.configured:
        id = "client-cert-not-offered"
        cause = f"you were asked for {wanted}; you sent none, because {_because(known, named)}"
    else:
        id = "no-client-cert"
        cause = f"you were asked for {wanted}; you sent an empty list, because none is configured"
    if not certain:
        cause += f"; the server's {alert} most likely means that"
    fixes = KEY_FIXES if known.configured and "signature" in known.not_shown else ()
    return Diagnosis(
        id=id,
        title=ATLAS[id].title,
        cause=cause,
        step="Certificate",
        sender="client",
        certain=certain,
        fixes=fixes,
        alternatives=others,
    )


KEY_FIXES = (
    Fix(
        "client",
        "use a certificate with a key of a kind that the server accepts",
        "tlscope ca issue DIR NAME --client --key-type RSA-2048",
    ),
    Fix("server", "or have it accept more kinds: leave signature_schemes at its default"),
)
"""Where a client's key can't sign as the server wants."""


def _because(known: Situation, named: tuple[str, ...]) -> str:
    issuers = listed(tuple(dict.fromkeys(printable(issuer, 100) for _, issuer in known.configured)))
    whose = "your identity was" if len(known.configured) == 1 else "your identities were"
    if named and "CA" in known.not_shown:
        return f"{whose} issued by {issuers}"
    if "signature" in known.not_shown:
        schemes = listed(known.asked_schemes[:8], "or")
        return f"the server accepts signatures by {schemes} only, which your key can't make"
    return known.not_shown or "the application decided so"


def hello_refused(alert: str, failure: Failure) -> Diagnosis:
    """The server refused the ClientHello."""
    known = failure.known
    ours = known.ours
    id, cause, certain = _HELLO.get(alert, ("no-common-cipher", "", False))
    rows = ["no-common-cipher", "no-common-group", "no-common-signature", "unknown-sni", "no-common-version"]
    versions = ours.get("versions", ())
    if id == "no-common-version" and versions and all(one in OLD_VERSIONS for one in versions):
        id = "old-peer"
        cause = f"the server refuses {versions[-1]}, the newest version that was offered, which is no longer spoken"
    elif alert == "protocol_version" and {"TLS 1.3", "TLS 1.2"} <= set(versions):
        id, certain = "old-peer", False
        cause = (
            "the server speaks neither TLS 1.3 nor TLS 1.2, the versions offered: an old one that speaks TLS 1.1 at most, "
            "or something between that answered for it; which version it speaks, it does not tell"
        )
    elif alert == "inappropriate_fallback" and "TLS 1.3" in versions:
        cause = (
            "the server takes the hello for a needless step back to an older version (inappropriate_fallback), although "
            "TLS 1.3 was offered: something between the two may have changed it"
        )
        certain = False
    elif not certain and "ServerHello" in known.received and known.version == "TLS 1.3":
        id, cause, rows = "no-common-signature", _AFTER_SERVER_HELLO, ["unknown-sni"]
    cause = cause.format(
        name=printable(known.server_name or "no name", 100),
        none_of_versions=_none_of(versions, "version"),
        none_of_protocols=_none_of(ours.get("protocols", ()), "protocol"),
        **{topic.replace(" ", "_"): listed(ours.get(topic, ())[:8]) for topic in _ALL},
    )
    topics = _TOPICS.get(id, ())
    who = "the client" if known.observed else "we"
    return Diagnosis(
        id=id,
        title=ATLAS[id].title,
        cause=cause,
        step="ClientHello",
        sender="client",
        certain=certain,
        evidence=tuple((f"{who} offered: {one}", listed(ours[one][:12])) for one in topics if ours.get(one)),
        alternatives=() if certain or id == "old-peer" else alternatives(id, *rows, only=rows),
    )


def _none_of(offered: tuple[str, ...], what: str) -> str:
    if len(offered) == 1:
        return f"no {printable(offered[0], 60)}, the only {what} offered"
    return f"none of {listed(offered[:8])}, the {what}s offered"


# Suite and group are chosen in ServerHello: what fails behind it is something else.
_AFTER_SERVER_HELLO = (
    "the server had chosen version, suite and group and then found no certificate to show: none whose key can make a "
    "signature that was offered, or none for the name"
)

_ALL = ("versions", "cipher suites", "groups", "signature schemes", "protocols")
_TOPICS = {
    "no-common-version": ("versions",),
    "no-common-cipher": ("cipher suites", "groups", "signature schemes"),
    "no-common-alpn": ("protocols",),
    "no-common-signature": ("signature schemes",),
    "old-peer": ("versions",),
}
_HELLO = {
    "protocol_version": (
        "no-common-version",
        "the server speaks {none_of_versions}; which it speaks, it does not tell",
        True,
    ),
    "inappropriate_fallback": (
        "no-common-version",
        "the server can do better than {versions}, and refuses a needless step back (inappropriate_fallback)",
        True,
    ),
    "insufficient_security": (
        "no-common-cipher",
        "the server wants stronger algorithms than were offered; which, it does not tell",
        False,
    ),
    "handshake_failure": (
        "no-common-cipher",
        "the server found nothing in common with what was offered: no cipher suite, or no group, or no signature scheme "
        "that its certificate's key can make; which of them, handshake_failure does not tell",
        False,
    ),
    "no_application_protocol": ("no-common-alpn", "the server speaks {none_of_protocols}", True),
    "unrecognized_name": ("unknown-sni", "the server has nothing under the name {name}", True),
}
