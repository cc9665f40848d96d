"""A whole capture file: each of its TLS connections as a trace."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..explain.model import Side
from ..explain.pcapng_blocks import KeyLogText, read_capture
from ..trace import Trace
from ..wire.records import recognise
from .packets import Endpoint, segment_of
from .replay import Replay
from .secrets import Secrets, parse_key_log
from .streams import Connections, TcpConnection

__all__ = ["Captured", "Reading", "read"]

MOST_TRACES = 200


@dataclass(frozen=True, slots=True)
class Captured:
    """One TLS connection of a capture. ``decrypted`` is true where secrets opened what was encrypted.

    ``holes`` is true where packets are missing.
    """

    client: str
    server: str
    trace: Trace
    decrypted: bool
    sealed: bool
    """Whether something stayed encrypted."""
    holes: bool
    obstacle: str = ""
    """Why it stayed so, as a sentence."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in a capture: TLS connections, and how many others that are none; ``full`` where there was more."""

    connections: list[Captured] = field(default_factory=list)
    others: int = 0
    packets: int = 0
    full: bool = False


def read(data: bytes, key_log: str = "") -> Reading:
    """The TLS connections in a pcapng or pcap file, decrypted with the secrets in it and in ``key_log``.

    Raises ``CaptureError`` for a file that is none.
    """
    secrets, tcp, packets = parse_key_log(key_log), Connections(), 0
    for item in read_capture(data):
        if isinstance(item, KeyLogText):
            parse_key_log(item.text, secrets)
            continue
        packets += 1
        segment = segment_of(item.link, item.data)
        if segment is not None:
            tcp.take(item.time, segment)
    found: list[Captured] = []
    others = 0
    for connection in tcp.found:
        client = _client_of(connection)
        if client is None:
            others += any(chunk.data for chunk in connection.chunks)
        elif len(found) < MOST_TRACES:
            found.append(_replayed(connection, client, secrets))
    return Reading(found, others, packets, tcp.full or len(found) >= MOST_TRACES)


def _replayed(connection: TcpConnection, client: int, secrets: Secrets) -> Captured:
    replay = Replay(secrets)
    for chunk in connection.chunks:
        side: Side = "client" if chunk.side == client else "server"
        if chunk.data:
            replay.feed(side, chunk.data, chunk.time)
        else:
            replay.end(side, chunk.time, reset=chunk.reset)
    ends: tuple[Endpoint, ...] = connection.ends
    trace = replay.finish()
    names = str(ends[client]), str(ends[1 - client])
    return Captured(*names, trace, replay.decrypted, replay.sealed, connection.holes, replay.obstacle)


def _client_of(connection: TcpConnection) -> int | None:
    """Which end is the TLS client, by the first handshake message of each; None where nobody speaks TLS."""
    firsts: dict[int, bytes] = {}
    for chunk in connection.chunks:
        first = firsts.get(chunk.side, b"")
        if len(first) < 6:
            firsts[chunk.side] = first + chunk.data[:6]
    for side, first in firsts.items():
        if len(first) >= 6 and recognise(first) == "tls" and first[0] == 22 and first[5] in (1, 2):
            return side if first[5] == 1 else 1 - side
    return None
