"""An alert that says a rule of the protocol was broken, without saying which."""

from __future__ import annotations

from .atlas import ATLAS
from .failure import Failure
from .model import Alternative, Diagnosis, Fix

__all__ = ["broken_rule", "last_said"]


def last_said(failure: Failure) -> str:
    """The last handshake message that this side sent."""
    sent = failure.known.sent
    return sent[-1] if sent else "first record"


_MEANS = {
    "unexpected_message": "came where another message was due",
    "illegal_parameter": "has a field with a value that may not stand there",
    "decode_error": "can't be parsed, or has a wrong length",
    "missing_extension": "lacks an extension that must be there",
    "unsupported_extension": "has an extension that may not stand there",
    "record_overflow": "came in a record that is too long",
    "decompression_failure": "can't be decompressed",
}
"""What the alerts mean by RFC 8446 section 6.2."""

_OF_LIMITS = {"illegal_parameter", "decode_error", "record_overflow"}
"""Those that are sent for what is merely larger than the peer allows."""


def broken_rule(alert: str, failure: Failure) -> Diagnosis:
    """The peer says that what this side sent breaks a rule."""
    peer, last = failure.peer, last_said(failure)
    others = [
        Alternative("tampered", "something between changed a message", "Compare both sides' traces byte for byte.")
    ]
    if alert in _OF_LIMITS:
        told = f"Some say so with this alert. Our largest message is in the trace; the {peer}'s limit can't be known."
        others.insert(0, Alternative("handshake-too-big", ATLAS["handshake-too-big"].title, told))
    if alert == "missing_extension" and failure.role == "client" and failure.known.server_name is None:
        told = "No server_name was sent; a server may demand one and say so with this alert (RFC 8446 section 9.2)."
        others.insert(0, Alternative("missing-sni", "the server demands a server_name", told))
    return Diagnosis(
        id=f"alert-{alert.replace('_', '-')}",
        title=f"the peer says that a rule was broken ({alert})",
        cause=f"the {peer} says that {failure.our} {last}, or what came before it, {_MEANS.get(alert, 'breaks a rule')} "
        f"({alert}); more the alert does not tell",
        step=last,
        sender=failure.role,
        certain=False,
        rule="RFC 8446 section 6.2",
        fixes=(
            Fix(peer, "see its log: it knows which rule"),
            Fix("either", "keep this side's trace, which has each byte"),
        ),
        alternatives=tuple(others),
    )
