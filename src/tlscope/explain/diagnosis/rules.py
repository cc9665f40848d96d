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


def broken_rule(alert: str, failure: Failure) -> Diagnosis:
    """The peer says that what this side sent breaks a rule."""
    peer, last = failure.peer, last_said(failure)
    others = (
        Alternative(
            "handshake-too-big",
            ATLAS["handshake-too-big"].title,
            f"Some say so with this alert. This side's largest message is in its trace; the {peer}'s limit can't be known.",
        ),
        Alternative("tampered", "something between changed a message", "Compare both sides' traces byte for byte."),
    )
    return Diagnosis(
        id=f"alert-{alert.replace('_', '-')}",
        title=f"the peer says that a rule was broken ({alert})",
        cause=f"the {peer} says that our {last}, or what came before it, breaks a rule of the protocol ({alert}); which "
        f"one, the alert does not tell",
        step=last,
        sender=failure.role,
        certain=False,
        rule="RFC 8446 section 6.2",
        fixes=(
            Fix(peer, "see its log: it knows which rule"),
            Fix("either", "keep this side's trace, which has each byte"),
        ),
        alternatives=others,
    )
