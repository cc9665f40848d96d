"""What a lab case is: two parties, one of them broken, and what each side must come to know."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..config import ClientConfig, ServerConfig
from ..errors import Judge, TLSError
from ..trace import Trace

if TYPE_CHECKING:
    from ..explain.diagnosis import Diagnosis
    from ..io import TLSStream
    from .workshop import Workshop

__all__ = ["Between", "Case", "Expected", "Outcome", "Party", "Plan", "Seen"]

PATIENCE = 5.0
"""Seconds for everything that a case waits for."""

Between = Callable[[str, bytes], bytes]
"""Somebody between the two: takes the sender's role and one record, gives what arrives."""

Script = Callable[[socket.socket], "str | TLSError | None"]
"""A party that is no TLS of ours: it has the socket, and gives what it learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One side. ``config`` may be made anew for each connection; ``script`` takes its place for what is not our TLS.

    ``name`` is whom a client wants to reach; ``talk`` is what it does once connected.
    """

    config: ClientConfig | ServerConfig | Callable[[], ClientConfig | ServerConfig] | None = None
    script: Script | None = None
    name: str = "localhost"
    talk: Callable[[TLSStream, socket.socket], None] | None = None
    handshake_timeout: float = PATIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a case is run: the parties, who stands between, and the clients that connect before the one that matters."""

    client: Party | None = None
    server: Party | None = None
    between: Callable[[], Between] | None = None
    before: tuple[Party, ...] = ()
    load: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What one side must name: the row of the atlas, the message, the judge, and how it knows.

    ``certain`` false: the row is the likeliest, or among the alternatives. ``failure`` false: it is a remark.
    """

    id: str
    step: str
    judge: Judge = Judge.US
    known_by: str = "seen"
    failure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One failure that can be had at will.

    ``row`` is its row in the atlas, ``id`` the row's or a variant's of it. ``broken`` is what is wrong in it: ``server``,
    ``client``, ``between`` the two, ``both`` (each is right for itself), or ``file``. ``client`` and ``server`` are what
    each side must come to know, None where that side is a script, or learns nothing. ``local`` is for files.
    """

    id: str
    row: str
    title: str
    broken: str
    plan: Callable[[Workshop], Plan] = field(repr=False)
    client: Expected | None = None
    server: Expected | None = None
    local: Expected | None = None


@dataclass(slots=True, kw_only=True)
class Seen:
    """What one side came to know."""

    role: str
    error: Exception | None = None
    trace: Trace | None = None
    note: str = ""
    diagnosis: Diagnosis | None = None
    remarks: tuple[Diagnosis, ...] = ()

    @property
    def explanations(self) -> tuple[Diagnosis, ...]:
        """The failure first, then what is worth knowing besides."""
        first = () if self.diagnosis is None else (self.diagnosis,)
        return (*first, *(one for one in self.remarks if not first or one.id != first[0].id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run showed: each side's view; ``local`` for cases without a connection."""

    case: Case
    client: Seen | None = None
    server: Seen | None = None
    local: Seen | None = None

    @property
    def views(self) -> tuple[tuple[Seen, Expected | None], ...]:
        """Each view that there is, with what it must be."""
        pairs = ((self.client, self.case.client), (self.server, self.case.server), (self.local, self.case.local))
        return tuple((seen, expected) for seen, expected in pairs if seen is not None)

    def mistakes(self) -> list[str]:
        """Where an explanation is not what it must be, in words; empty where all is right."""
        return [f"{seen.role}: {what}" for seen, expected in self.views for what in _mistakes(seen, expected)]


def _mistakes(seen: Seen, expected: Expected | None) -> list[str]:
    if expected is None:
        return []
    candidates = [one for one in seen.explanations if one.is_failure is expected.failure]
    if not candidates:
        return [f"nothing was explained, {expected.id} was expected; error: {seen.error!r}"]
    found = next((one for one in candidates if one.id == expected.id), candidates[0])
    wrong = []
    for name in ("id", "step", "judge", "known_by"):
        if getattr(found, name) != getattr(expected, name):
            wrong.append(f"{name} is {getattr(found, name)}, {getattr(expected, name)} was expected")
    return wrong
