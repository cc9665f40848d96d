"""Sessions as the standard library hands them about: got from a connection, given to another one by the application.

tlscope's own configuration resumes by itself; programs written for ``ssl`` do not expect that, and say ``session=...``.
"""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

from ..sessions import Session

if TYPE_CHECKING:
    from .channel import Channel

__all__ = ["ExplicitSessions", "SSLSession"]


class SSLSession:
    """What a client may resume with the same context: in place of ``ssl.SSLSession``, which can't be made outside of it."""

    def __init__(self, session: Session, context: Any) -> None:
        self.session, self.context = session, context

    @property
    def id(self) -> bytes:
        """A name for it: the session ID, or where a ticket stands for one, 32 bytes made of the session's secret."""
        known = self.session.session_id
        return known or hashlib.sha256(b"tlscope session" + self.session.secret).digest()

    @property
    def time(self) -> int:
        """When it was handed out, in seconds since 1970."""
        return int(self.session.issued_at)

    @property
    def timeout(self) -> int:
        """How many seconds from then on it may be used."""
        return self.session.lifetime

    @property
    def ticket_lifetime_hint(self) -> int:
        """The same, where it is a ticket; else 0."""
        return self.session.lifetime if self.session.ticket else 0

    @property
    def has_ticket(self) -> bool:
        """Whether the client keeps it as a ticket (RFC 5077, RFC 8446 section 4.6.1)."""
        return bool(self.session.ticket)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SSLSession) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)


class ExplicitSessions:
    """A ``SessionCache`` that resumes with what the connection at hand was given, and hands it what is received."""

    def __init__(self) -> None:
        self._at_hand = threading.local()

    def attend(self, channel: Channel | None) -> None:
        """From here on this thread works for that connection; None ends it."""
        self._at_hand.channel = channel

    def put(self, server_name: str, session: Session) -> None:
        """The server offers to resume this session."""
        channel: Channel | None = getattr(self._at_hand, "channel", None)
        if channel is not None:
            channel.received = session

    def find(self, server_name: str, now: float) -> Session | None:
        """What the application wants to resume with, while it is fresh."""
        channel: Channel | None = getattr(self._at_hand, "channel", None)
        offered = None if channel is None else channel.offered
        return offered if offered is not None and offered.is_fresh(now) else None

    def remove(self, server_name: str, session: Session) -> None:
        """It failed; whether it is tried again is the application's to say."""
