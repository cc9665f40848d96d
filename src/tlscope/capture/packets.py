"""TCP segments out of captured packets: link layers, IPv4 and IPv6. What is no TCP is nothing here."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from ipaddress import ip_address

__all__ = ["Endpoint", "Segment", "segment_of"]

FIN, SYN, RST, ACK = 1, 2, 4, 16
_TCP, _IPV4, _IPV6 = 6, 0x0800, 0x86DD
_VLAN = {0x8100, 0x88A8, 0x9100}
_SKIPPED = {0, 43, 60, 135}
"""Extension headers of IPv6 that are passed over (RFC 8200 section 4.1)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port."""

    address: bytes
    port: int

    def __str__(self) -> str:
        host = str(ip_address(self.address))
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment (RFC 9293 section 3.1)."""

    source: Endpoint
    target: Endpoint
    sequence: int
    flags: int
    data: bytes = field(repr=False)


def segment_of(link: int, data: bytes) -> Segment | None:
    """The TCP segment in a packet of a link type; None where there is none, or only a piece of one."""
    try:
        kind, packet = _network(link, data)
        if kind == _IPV4 or (kind == 0 and packet[0] >> 4 == 4):
            return _ipv4(packet)
        if kind == _IPV6 or (kind == 0 and packet[0] >> 4 == 6):
            return _ipv6(packet)
    except (IndexError, struct.error):
        pass  # it was cut short
    return None


def _network(link: int, data: bytes) -> tuple[int, bytes]:
    """The EtherType, 0 where the packet itself must tell, and the packet. -1 for anything else."""
    if link == 1:  # Ethernet
        kind, start = struct.unpack_from(">H", data, 12)[0], 14
        while kind in _VLAN:
            kind, start = struct.unpack_from(">H", data, start + 2)[0], start + 4
        return kind, data[start:]
    if link in (0, 108):  # loopback of the BSDs: an address family in four bytes
        return 0, data[4:]
    if link in (12, 14, 101, 228, 229):  # raw IP
        return 0, data
    if link == 113:  # Linux cooked
        return struct.unpack_from(">H", data, 14)[0], data[16:]
    if link == 276:  # Linux cooked, version 2
        return struct.unpack_from(">H", data, 0)[0], data[20:]
    return -1, b""


def _ipv4(packet: bytes) -> Segment | None:
    header = (packet[0] & 15) * 4
    length, _, fragment = struct.unpack_from(">HHH", packet, 2)
    if packet[9] != _TCP or fragment & 0x3FFF or header < 20:
        return None  # fragments of TCP are rare enough, since path MTU discovery, to do without
    # Segmentation that the network card was to do leaves a length of 0.
    return _tcp(packet[12:16], packet[16:20], packet[header : length or len(packet)])


def _ipv6(packet: bytes) -> Segment | None:
    length, kind = struct.unpack_from(">HB", packet, 4)
    end = 40 + length if length else len(packet)
    start = 40
    while kind in _SKIPPED and start < end:
        kind, start = packet[start], start + 8 + packet[start + 1] * 8
    return _tcp(packet[8:24], packet[24:40], packet[start:end]) if kind == _TCP else None


def _tcp(source: bytes, target: bytes, segment: bytes) -> Segment | None:
    sport, tport, sequence, _, offset, flags = struct.unpack_from(">HHIIBB", segment)
    header = (offset >> 4) * 4
    if header < 20 or len(segment) < header:
        return None
    return Segment(Endpoint(source, sport), Endpoint(target, tport), sequence, flags, segment[header:])
