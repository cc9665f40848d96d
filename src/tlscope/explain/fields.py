"""What the bytes of a handshake message mean: a tree of its fields, worked out when someone looks.

The tree is read from the bytes as they stood on the wire, which a stranger may have chosen: what is malformed is shown as
far as it can be read, and nothing here raises.
"""

from __future__ import annotations

from ..wire.codepoints import AlertDescription, AlertLevel, ContentType, HandshakeType
from .fields_messages import body_of, name_of_message
from .fields_scan import Field, Grammar, Scan
from .words import printable

__all__ = ["Field", "fields_of_alert", "fields_of_message", "fields_of_record"]


def fields_of_message(raw: bytes, version: int) -> tuple[Field, ...]:
    """The fields of a handshake message with its 4-byte header, by the grammar of ``version`` (0x0303 or 0x0304)."""
    name, body = name_of_message(raw, version), body_of(raw, version)

    def message(scan: Scan) -> None:
        scan.number("msg_type", 1, lambda value: printable(HandshakeType.of(value)))
        scan.number("length", 3)
        if scan.remaining:
            scan.node("body", scan.remaining, body, name)

    return _scanned(raw, message, name)


def fields_of_record(raw: bytes, *, protected: bool) -> tuple[Field, ...]:
    """The fields of a record as it stood on the wire, header included."""

    def record(scan: Scan) -> None:
        scan.number("type", 1, lambda value: printable(ContentType.of(value)))
        scan.take("legacy_record_version", 2)
        scan.number("length", 2)
        scan.rest("encrypted_record" if protected else "fragment")

    return _scanned(raw, record, "record")


def fields_of_alert(raw: bytes) -> tuple[Field, ...]:
    """The two fields of an alert."""

    def alert(scan: Scan) -> None:
        scan.number("level", 1, lambda value: printable(AlertLevel.of(value)))
        scan.number("description", 1, lambda value: printable(AlertDescription.of(value)))

    return _scanned(raw, alert, "alert")


def _scanned(raw: bytes, grammar: Grammar, scope: str) -> tuple[Field, ...]:
    scan = Scan(raw, 0, len(raw), scope)
    scan.run(grammar)
    return tuple(scan.fields)
