"""What a connection did, step by step, for whoever wants to look.

A connection with a sink hands it one event for each message, record, secret, key change, decision, verdict and alert. The
core reads no clock for this: the sink stamps what it is given. ``Trace`` is the sink that keeps everything; any callable
that takes an event is one too. Secrets are redacted unless the sink asks for them.

Events hold the bytes as they were; what the fields mean is worked out by ``explain`` when someone looks.
"""

from __future__ import annotations

import json
import math
import time as _time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, Protocol, Self, TextIO, TypeVar, get_args, get_origin, get_type_hints

__all__ = [
    "REDACTED",
    "AlertEvent",
    "CertificatesVerified",
    "ChangeCipherSpecEvent",
    "Choice",
    "Closed",
    "Completed",
    "Data",
    "Failed",
    "KeyChange",
    "Message",
    "Record",
    "Secret",
    "SignatureChecked",
    "Sink",
    "Started",
    "Trace",
    "TraceEvent",
]

Direction = Literal["sent", "received"]

REDACTED = "(redacted)"


@dataclass(slots=True, kw_only=True)
class TraceEvent:
    """What all events share. ``time`` is in seconds since the sink's start, stamped by the sink."""

    kind: ClassVar[str] = ""
    time: float = 0.0


@dataclass(slots=True)
class Started(TraceEvent):
    """The connection exists. ``server_name`` is what the client asks for; a server learns it from the ClientHello."""

    kind: ClassVar[str] = "started"
    role: Literal["client", "server"]
    server_name: str = ""


@dataclass(slots=True)
class Record(TraceEvent):
    """One TLS record as it stood on the wire, header included (5 + at most 16,640 bytes; RFC 8446 section 5).

    ``epoch`` names the keys that protect it: ``plaintext``, ``early``, ``handshake``, ``application``; ``content_type`` is
    the true one, inside the protection.
    """

    kind: ClassVar[str] = "record"
    direction: Direction
    content_type: int
    epoch: str
    sequence: int
    length: int
    raw: bytes = field(repr=False)


@dataclass(slots=True)
class Message(TraceEvent):
    """One handshake message with its 4-byte header. ``version`` is the protocol version whose grammar it follows."""

    kind: ClassVar[str] = "message"
    direction: Direction
    name: str
    epoch: str
    version: int
    raw: bytes = field(repr=False)


@dataclass(slots=True)
class ChangeCipherSpecEvent(TraceEvent):
    """A ChangeCipherSpec: in TLS 1.2 it switches keys, in TLS 1.3 it is for middleboxes only (appendix D.4)."""

    kind: ClassVar[str] = "change_cipher_spec"
    direction: Direction
    meaning: Literal["keys", "compatibility"]


@dataclass(slots=True)
class Secret(TraceEvent):
    """A secret was derived. ``label`` is the key log's name of it (RFC 9850) or the RFC's own where it has none.

    ``inputs`` names what it was made of. ``value`` is None for a sink that did not ask for secrets.
    """

    kind: ClassVar[str] = "secret"
    label: str
    inputs: tuple[str, ...] = ()
    client_random: bytes = b""
    value: bytes | None = field(default=None, repr=False)


@dataclass(slots=True)
class KeyChange(TraceEvent):
    """From here on, what goes in ``direction`` is protected with the keys of ``epoch``."""

    kind: ClassVar[str] = "key_change"
    direction: Direction
    epoch: str
    protection: str


@dataclass(slots=True)
class Choice(TraceEvent):
    """A decision: of ``offered`` (the peer's list) and ``configured`` (ours), ``chosen``, because of ``why``.

    ``topic`` is a stable word: ``version``, ``cipher_suite``, ``group``, ``signature_scheme``, ``alpn``, ``identity``,
    ``client_authentication``, ``resumption``, ``hello_retry_request``, ``early_data``, ...
    """

    kind: ClassVar[str] = "choice"
    topic: str
    chosen: str
    why: str
    offered: tuple[str, ...] = ()
    configured: tuple[str, ...] = ()
    rfc: str = ""


@dataclass(slots=True)
class SignatureChecked(TraceEvent):
    """A proof of possession was made (``sent``) or checked (``received``): who signed, with what, over what."""

    kind: ClassVar[str] = "signature"
    direction: Direction
    scheme: str
    subject: str
    over: str
    ok: bool = True


@dataclass(slots=True)
class CertificatesVerified(TraceEvent):
    """The verdict on the peer's chain. ``chain`` is the DER path that was built, leaf first, up to the trust anchor.

    ``purpose`` is ``server`` or ``client``; ``name`` is the name asked for, empty where none was; ``anchor`` is the
    anchor's subject; ``reason`` says why not where ``ok`` is false, or why nothing was checked where it was not.
    """

    kind: ClassVar[str] = "verified"
    ok: bool
    purpose: str
    name: str = ""
    anchor: str = ""
    anchors: str = ""
    chain: tuple[bytes, ...] = field(default=(), repr=False)
    names: tuple[str, ...] = ()
    reason: str = ""


@dataclass(slots=True)
class AlertEvent(TraceEvent):
    """An alert went over the wire."""

    kind: ClassVar[str] = "alert"
    direction: Direction
    level: int
    description: int
    name: str
    epoch: str


@dataclass(slots=True)
class Data(TraceEvent):
    """Application data. ``content`` is None for a sink that did not ask for secrets; ``length`` is in bytes."""

    kind: ClassVar[str] = "data"
    direction: Direction
    length: int
    epoch: str
    content: bytes | None = field(default=None, repr=False)


@dataclass(slots=True)
class Completed(TraceEvent):
    """The handshake ended well; ``facts`` are what was agreed, by name."""

    kind: ClassVar[str] = "completed"
    facts: dict[str, str]


@dataclass(slots=True)
class Failed(TraceEvent):
    """The connection failed; ``error`` is ``TLSError.as_dict()``."""

    kind: ClassVar[str] = "failed"
    error: dict[str, Any]


@dataclass(slots=True)
class Closed(TraceEvent):
    """One direction ended: ``how`` is ``close_notify`` or ``cut``."""

    kind: ClassVar[str] = "closed"
    direction: Direction
    how: Literal["close_notify", "cut"]


_E = TypeVar("_E", bound=TraceEvent)


class Sink(Protocol):
    """Whatever takes events. One with a true attribute ``secrets`` is given secrets and application data too."""

    def __call__(self, event: TraceEvent, /) -> None:
        """Take one event; raising here ends the connection, so don't."""


def _subclasses(cls: type[TraceEvent]) -> Iterator[type[TraceEvent]]:
    for sub in cls.__subclasses__():
        # A slots dataclass is made twice; only the second, which has its slots, is the real one.
        if "__slots__" in vars(sub):
            yield sub


class Trace:
    """A sink that keeps every event, in memory and in order; as a callable class it is its own factory for a config.

    ``secrets`` asks for secrets and application data. ``max_bytes`` (default 16 MiB) bounds what is kept of records and
    messages: past it events still come, but with empty ``raw``, so a long connection can be traced without end.
    """

    def __init__(self, *, secrets: bool = False, max_bytes: int = 16 * 1024 * 1024) -> None:
        self.secrets = secrets
        self.events: list[TraceEvent] = []
        self.started_at = _time.time()
        self._start = _time.perf_counter()
        self._room = max_bytes

    def __call__(self, event: TraceEvent) -> None:
        """Stamp the event and keep it."""
        event.time = _time.perf_counter() - self._start
        if isinstance(event, (Record, Message)):
            self._room -= len(event.raw)
            if self._room < 0:
                event.raw = b""
        self.events.append(event)

    def __iter__(self) -> Iterator[TraceEvent]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)

    def __repr__(self) -> str:
        return f"<Trace of {len(self.events)} events>"

    def of(self, cls: type[_E]) -> list[_E]:
        """The events of one class, in order."""
        return [event for event in self.events if isinstance(event, cls)]

    def to_json_lines(self) -> str:
        """One JSON object a line: first a header (``kind`` ``trace``), then the events. Bytes are hexadecimal."""
        header = {"kind": "trace", "format": 1, "started_at": self.started_at, "secrets": self.secrets}
        lines = [json.dumps(header)]
        lines += [json.dumps(event_to_json(event)) for event in self.events]
        return "\n".join(lines) + "\n"

    def write(self, file: TextIO) -> None:
        """Write ``to_json_lines()`` to an open text file."""
        file.write(self.to_json_lines())

    @classmethod
    def from_json_lines(cls, lines: str | Iterable[str]) -> Self:
        """Read back what ``to_json_lines`` wrote. Raises ``ValueError`` for anything else."""
        trace = cls()
        for number, line in enumerate(lines.splitlines() if isinstance(lines, str) else lines, 1):
            if not line.strip():
                continue
            try:
                data = json.loads(line)
                if data.get("kind") == "trace":
                    trace.started_at, trace.secrets = float(data["started_at"]), bool(data["secrets"])
                else:
                    trace.events.append(event_from_json(data))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
                raise ValueError(f"line {number} is not an event of a tlscope trace: {problem}") from problem
        return trace


def event_to_json(event: TraceEvent) -> dict[str, Any]:
    """An event as JSON-ready data; bytes become hexadecimal, a redacted secret ``"(redacted)"``."""
    data: dict[str, Any] = {"kind": event.kind, "time": round(event.time, 7)}
    for item in fields(event):
        if item.name == "time":
            continue
        value = getattr(event, item.name)
        if isinstance(value, bytes):
            value = value.hex()
        elif isinstance(value, tuple):
            value = [entry.hex() if isinstance(entry, bytes) else entry for entry in value]
        elif value is None:
            value = REDACTED
        elif isinstance(value, int) and type(value) is not bool:
            value = int(value)
        data[item.name] = value
    return data


def event_from_json(data: dict[str, Any]) -> TraceEvent:
    """The event that ``event_to_json`` wrote. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else."""
    cls = {sub.kind: sub for sub in _subclasses(TraceEvent)}[data["kind"]]
    hints = get_type_hints(cls)
    return cls(**{item.name: _read(data[item.name], hints[item.name]) for item in fields(cls) if item.name in data})


def _read(value: Any, hint: Any) -> Any:
    """A field's value: a trace may be a stranger's file, and whoever draws it relies on the types of its events."""
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if kind is Literal:
        fits = value in parts
    elif kind is tuple:
        fits = isinstance(value, list)
    elif kind is bytes or bytes in parts:
        fits = isinstance(value, str)
    elif kind is float:
        fits = type(value) in (int, float) and math.isfinite(value)
    elif kind is int:
        fits = type(value) is int and 0 <= value < 1 << 64
    else:
        fits = type(value) is kind
    if not fits:
        raise TypeError(f"{str(value)[:60]!r} is not of type {hint}")
    if kind is tuple:
        return tuple(_read(entry, parts[0]) for entry in value)
    if type(None) in parts and value == REDACTED:
        return None
    return bytes.fromhex(value) if kind is bytes or bytes in parts else value
