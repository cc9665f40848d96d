"""A trace as a capture that Wireshark opens, decrypted: records in TCP segments, and the secrets beside them.

No packet was captured, so none of this needs a right to: the records are those of the trace, the packets around them are
made up, with addresses that RFC 5737 keeps for documentation.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from ..trace import Closed, Record, Secret, Started, Trace
from .pcapng_blocks import LINKTYPE_RAW, interface_block, packet_block, secrets_block, section_block

__all__ = ["key_log_of", "to_pcapng"]

CLIENT, SERVER = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
FIRST_PORT, SERVER_PORT = 49152, 443
_SEGMENT = 1400
_FIN, _SYN, _PSH, _ACK = 1, 2, 8, 16

_KEY_LOG_LABEL = re.compile(
    r"CLIENT_RANDOM|(CLIENT|SERVER)_HANDSHAKE_TRAFFIC_SECRET|(CLIENT|SERVER)_TRAFFIC_SECRET_0"
    r"|CLIENT_EARLY_TRAFFIC_SECRET|(EARLY_)?EXPORTER_SECRET"
)


def key_log_of(secrets: Iterable[Secret]) -> str:
    """The key log (RFC 9850) of secrets with values: what decrypts a capture of their connections."""
    lines = [
        f"{one.label} {one.client_random.hex()} {one.value.hex()}\n"
        for one in secrets
        if one.value is not None and len(one.client_random) == 32 and _KEY_LOG_LABEL.fullmatch(one.label)
    ]
    return "".join(lines)


def to_pcapng(*traces: Trace, key_log: str = "") -> bytes:
    """A pcapng file with the connections of some traces, the secrets that they hold and those of ``key_log``.

    A trace holds secrets where its sink asked for them (``Trace(secrets=True)``); without any the file opens encrypted.
    Each connection has a client port of its own, from 49152 on; the server's is 443.
    """
    secrets = "".join(key_log_of(trace.of(Secret)) for trace in traces) + key_log
    blocks = [section_block("tlscope"), interface_block(LINKTYPE_RAW, "tlscope")]
    if secrets:
        blocks.append(secrets_block(secrets))
    for number, trace in enumerate(traces):
        blocks += _connection(trace, FIRST_PORT + number % 16384)
    return b"".join(blocks)


def _connection(trace: Trace, port: int) -> Iterator[bytes]:
    role = next((event.role for event in trace.of(Started)), "client")
    wire = _Wire(port)
    start = trace.started_at
    first = trace.events[0].time if trace.events else 0.0
    yield from wire.open(start + first)
    for event in trace.events:
        if isinstance(event, Record):
            if not event.raw:
                break  # the trace kept no more bytes, and a stream with a hole can't be read behind it
            from_client = (event.direction == "sent") == (role == "client")
            yield from wire.send(start + event.time, from_client, event.raw)
        elif isinstance(event, Closed):
            yield wire.end(start + event.time, (event.direction == "sent") == (role == "client"))


class _Wire:
    """Both ends of a TCP connection that never lost a segment."""

    def __init__(self, port: int) -> None:
        self.ends = ((CLIENT, port), (SERVER, SERVER_PORT))
        self.sequence = [0x10000000, 0x20000000]
        self.number = [1, 1]

    def packet(self, time: float, sender: int, flags: int, data: bytes = b"") -> bytes:
        """The next segment of a side, 0 for the client."""
        (source, sport), (target, tport) = self.ends[sender], self.ends[1 - sender]
        acknowledged = self.sequence[1 - sender] if flags & _ACK else 0
        head = struct.pack(
            ">HHIIBBHHH", sport, tport, self.sequence[sender] % 2**32, acknowledged % 2**32, 5 << 4, flags, 65535, 0, 0
        )
        pseudo = source.packed + target.packed + struct.pack(">BBH", 0, 6, len(head) + len(data))
        checksum = _checksum(pseudo + head + data)
        segment = head[:16] + checksum.to_bytes(2, "big") + head[18:] + data
        length = 20 + len(segment)
        ip = struct.pack(">BBHHHBBH", 0x45, 0, length, self.number[sender] & 0xFFFF, 0x4000, 64, 6, 0)
        ip += source.packed + target.packed
        ip = ip[:10] + _checksum(ip).to_bytes(2, "big") + ip[12:]
        self.number[sender] += 1
        self.sequence[sender] += len(data) + bool(flags & (_SYN | _FIN))
        return packet_block(time, ip + segment)

    def open(self, time: float) -> Iterator[bytes]:
        yield self.packet(time, 0, _SYN)
        yield self.packet(time, 1, _SYN | _ACK)
        yield self.packet(time, 0, _ACK)

    def send(self, time: float, from_client: bool, data: bytes) -> Iterator[bytes]:
        sender = 0 if from_client else 1
        for start in range(0, len(data), _SEGMENT):
            yield self.packet(time, sender, _PSH | _ACK, data[start : start + _SEGMENT])
        yield self.packet(time, 1 - sender, _ACK)

    def end(self, time: float, from_client: bool) -> bytes:
        return self.packet(time, 0 if from_client else 1, _FIN | _ACK)


def _checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
