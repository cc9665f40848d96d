"""Sessions that can be resumed: what they hold, and where each side keeps them.

A client keeps sessions in a ``SessionCache``. A server either seals a session into the ticket that the client brings
back (``TicketKeys``), or keeps it and gives the client its name (``SessionStore``). All are bounded and safe between
threads, and none reads a clock: times are seconds since 1970, handed in.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from struct import Struct
from typing import Protocol

from .crypto.cipher_suites import AES_256_GCM, AeadKey, InvalidTag
from .crypto.randomness import SYSTEM_RANDOMNESS, Randomness
from .wire.codec import Reader, vec8, vec16, vec24
from .wire.codepoints import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme

__all__ = [
    "MemorySessionCache",
    "MemorySessionStore",
    "Session",
    "SessionCache",
    "SessionStore",
    "TicketKeys",
    "TicketRejected",
]

MAX_LIFETIME = 7 * 24 * 3600
"""Seconds that a ticket may live (RFC 8446 section 4.6.1)."""


_FIXED = Struct(">HHQQIHHII??")
"""The fields of a session that have a fixed length."""


@dataclass(slots=True, kw_only=True)
class Session:
    """What one handshake leaves for a later one; to be read, not to be changed.

    ``secret`` is the master secret of TLS 1.2 (48 bytes) or a PSK of TLS 1.3 (as long as the suite's hash).
    ``created_at`` is when the full handshake took place that proved who the peer is, ``lifetime`` how many seconds the
    session may be used from ``issued_at``. ``peer_chain`` is judged anew at each resumption, by the clock of that moment.
    """

    version: ProtocolVersion
    cipher_suite: CipherSuite
    secret: bytes = field(repr=False)
    created_at: float
    issued_at: float
    lifetime: int
    server_name: str | None = None
    alpn: str | None = None
    peer_chain: tuple[bytes, ...] = field(default=(), repr=False)
    peer_signature_scheme: SignatureScheme | None = None
    group: NamedGroup | None = None
    age_add: int = field(default=0, repr=False)
    max_early_data: int = 0
    identity: str = field(default="", repr=False)
    """Fingerprint of this side's certificate, or of the external PSK in its place: the session ends with it."""
    extended_master_secret: bool = True
    """Whether a session of TLS 1.2 was made with RFC 7627; one of TLS 1.3 needs no such thing."""
    peer_raw_key: bool = False
    """Whether ``peer_chain`` is one raw public key (RFC 7250)."""
    ticket: bytes = field(default=b"", repr=False)
    session_id: bytes = field(default=b"", repr=False)

    def expires_at(self) -> float:
        """When it ends, in seconds since 1970."""
        return self.issued_at + min(self.lifetime, MAX_LIFETIME)

    def is_fresh(self, now: float) -> bool:
        """Whether it may still be used; one from the future is not."""
        return self.issued_at - 60 <= now < self.expires_at()

    def encode(self) -> bytes:
        """Everything but ``ticket`` and ``session_id``, for a ticket's inside."""
        fixed = _FIXED.pack(
            self.version,
            self.cipher_suite,
            int(self.created_at * 1000),
            int(self.issued_at * 1000),
            self.lifetime,
            self.peer_signature_scheme or 0,
            self.group or 0,
            self.age_add,
            self.max_early_data,
            self.extended_master_secret,
            self.peer_raw_key,
        )
        names = vec16((self.server_name or "").encode()) + vec8((self.alpn or "").encode())
        chain = b"".join([vec24(one) for one in self.peer_chain]) if self.peer_chain else b""
        return b"".join((fixed, vec8(self.secret), names, vec8(self.identity.encode()), vec24(chain)))

    @classmethod
    def decode(cls, data: bytes) -> Session:
        """What ``encode`` wrote. Raises ``DecodeError``."""
        reader = Reader(data)
        fields = reader.unpack(_FIXED)
        version, suite, created_at, issued_at, lifetime, scheme, group, age_add, early, extended, raw = fields
        secret, server_name, alpn, identity = reader.vec8(), reader.vec16(), reader.vec8(), reader.vec8()
        chain = reader.vec24()
        reader.end()
        return cls(
            version=ProtocolVersion.of(version),
            cipher_suite=CipherSuite.of(suite),
            secret=secret,
            created_at=created_at / 1000,
            issued_at=issued_at / 1000,
            lifetime=lifetime,
            server_name=server_name.decode() or None,
            alpn=alpn.decode() or None,
            peer_chain=reader.each(chain, lambda r: r.vec24(1)) if chain else (),
            peer_signature_scheme=SignatureScheme.of(scheme) if scheme else None,
            group=NamedGroup.of(group) if group else None,
            age_add=age_add,
            max_early_data=early,
            identity=identity.decode(),
            extended_master_secret=extended,
            peer_raw_key=raw,
        )

    def with_ticket(self, ticket: bytes) -> Session:
        """The same session, known to the client by this ticket."""
        return replace(self, ticket=ticket)


class SessionCache(Protocol):
    """Where a client keeps sessions, by the name that it asked for."""

    def put(self, server_name: str, session: Session) -> None:
        """Keep one more session."""

    def find(self, server_name: str, now: float) -> Session | None:
        """The newest fresh session. One of TLS 1.3 is given away only once (RFC 8446 appendix C.4)."""

    def remove(self, server_name: str, session: Session) -> None:
        """Forget a session that failed."""


class MemorySessionCache:
    """A ``SessionCache`` in memory: of the ``max_names`` names used last, each the ``per_name`` newest sessions."""

    def __init__(self, max_names: int = 256, per_name: int = 4) -> None:
        self._max_names, self._per_name = max_names, per_name
        self._sessions: OrderedDict[str, list[Session]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, server_name: str, session: Session) -> None:
        """Keep one more session; the oldest goes where there are too many."""
        with self._lock:
            kept = self._sessions.setdefault(server_name, [])
            self._sessions.move_to_end(server_name)
            kept.append(session)
            del kept[: -self._per_name]
            while len(self._sessions) > self._max_names:
                self._sessions.popitem(last=False)

    def find(self, server_name: str, now: float) -> Session | None:
        """The newest fresh session; one of TLS 1.3 is taken out."""
        with self._lock:
            kept = self._sessions.get(server_name)
            while kept:
                session = kept[-1]
                if session.is_fresh(now):
                    if session.version is ProtocolVersion.TLS1_3:
                        kept.pop()
                    self._sessions.move_to_end(server_name)
                    return session
                kept.pop()
            self._sessions.pop(server_name, None)
            return None

    def remove(self, server_name: str, session: Session) -> None:
        """Forget a session that failed."""
        with self._lock:
            kept = self._sessions.get(server_name, [])
            self._sessions[server_name] = [one for one in kept if one is not session]

    def __repr__(self) -> str:
        return f"<MemorySessionCache of {len(self._sessions)} names>"


class SessionStore(Protocol):
    """Where a server keeps sessions, by a name that it made up; several processes may share one."""

    def put(self, name: bytes, session: bytes, expires_at: float) -> None:
        """Keep a session's bytes until a time."""

    def get(self, name: bytes, now: float) -> bytes | None:
        """The session's bytes, None where it is unknown or has expired."""

    def take(self, name: bytes, now: float) -> bytes | None:
        """The same, and it is gone: of two callers at once only one gets it."""


class MemorySessionStore:
    """A ``SessionStore`` in memory that keeps the ``max_sessions`` newest."""

    def __init__(self, max_sessions: int = 4096) -> None:
        self._max_sessions = max_sessions
        self._sessions: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, name: bytes, session: bytes, expires_at: float) -> None:
        """Keep a session's bytes; the oldest goes where there are too many."""
        with self._lock:
            self._sessions[name] = (session, expires_at)
            while len(self._sessions) > self._max_sessions:
                self._sessions.popitem(last=False)

    def get(self, name: bytes, now: float) -> bytes | None:
        """The session's bytes, None where it is unknown or has expired."""
        with self._lock:
            session, expires_at = self._sessions.get(name, (None, 0.0))
        return session if now < expires_at else None

    def take(self, name: bytes, now: float) -> bytes | None:
        """The same, and it is gone."""
        with self._lock:
            session, expires_at = self._sessions.pop(name, (None, 0.0))
        return session if now < expires_at else None

    def __repr__(self) -> str:
        return f"<MemorySessionStore of {len(self._sessions)} sessions>"


class TicketRejected(Exception):
    """A ticket can't be used; the reason is for the trace, and a full handshake follows."""


@dataclass(slots=True)
class _Key:
    name: bytes
    aead: AeadKey = field(repr=False)
    since: float


class TicketKeys:
    """Seals sessions into tickets under keys that change every ``rotate_every`` seconds.

    A ticket lives ``lifetime`` seconds, at most seven days; keys are forgotten once the last ticket under them has
    ended. Without a common ``secret`` each process has keys of its own.
    """

    NAME_LENGTH = 16

    def __init__(
        self, *, lifetime: int = 12 * 3600, rotate_every: int = 12 * 3600, randomness: Randomness = SYSTEM_RANDOMNESS
    ) -> None:
        if not 1 <= lifetime <= MAX_LIFETIME:
            raise ValueError(f"a ticket's lifetime is 1 to {MAX_LIFETIME} seconds, not {lifetime}")
        self.lifetime = lifetime
        self._rotate_every = rotate_every
        self._randomness = randomness
        self._keys: list[_Key] = []
        self._lock = threading.Lock()

    def seal(self, session: bytes, now: float) -> bytes:
        """A ticket: the key's name, a nonce (12 bytes), and the session, encrypted and authenticated."""
        key = self._current(now)
        nonce = self._randomness.bytes(12)
        return key.name + nonce + key.aead.encrypt(nonce, session, key.name)

    def open(self, ticket: bytes, now: float) -> bytes:
        """The session in a ticket. Raises ``TicketRejected`` with the reason."""
        name, nonce, sealed = ticket[:16], ticket[16:28], ticket[28:]
        with self._lock:
            for key in self._keys:
                if key.name == name:
                    break
            else:
                raise TicketRejected("it was sealed with a key that is not, or no longer, known here")
        if now >= key.since + self._rotate_every + self.lifetime:
            raise TicketRejected("the key that sealed it has expired")
        try:
            return key.aead.decrypt(nonce, sealed, name)
        except (InvalidTag, ValueError):
            raise TicketRejected("it was changed") from None

    def rotate(self, now: float) -> None:
        """Seal with a fresh key from now on; tickets under the older ones can still be opened until they end."""
        with self._lock:
            self._rotate(now)

    def _current(self, now: float) -> _Key:
        with self._lock:
            if not self._keys or now >= self._keys[-1].since + self._rotate_every or now < self._keys[-1].since - 3600:
                self._rotate(now)
            return self._keys[-1]

    def _rotate(self, now: float) -> None:
        ends = self._rotate_every + self.lifetime
        self._keys = [key for key in self._keys if now < key.since + ends]
        aead = AES_256_GCM.key(self._randomness.bytes(AES_256_GCM.key_length))
        self._keys.append(_Key(self._randomness.bytes(self.NAME_LENGTH), aead, now))

    def __repr__(self) -> str:
        return f"<TicketKeys, {len(self._keys)} keys (redacted)>"
