"""Handshake messages out of records: several in one, or one over several, in any split (RFC 8446 section 5.1)."""

from __future__ import annotations

from .. import violations
from ..errors import PeerViolation
from ..wire.codepoints import HandshakeType

__all__ = ["Reassembly"]


class Reassembly:
    """Collects the contents of handshake records and gives whole messages, header included.

    ``max_message`` and ``max_total`` bound one message and, until ``relax`` is called, all of them, in bytes.
    """

    __slots__ = ("_buffer", "_longest", "_max_total", "_position", "_total", "pending")

    def __init__(self, max_message: int, max_total: int) -> None:
        self._buffer: bytes | bytearray = b""
        self._position = 0
        self._longest = 4 + max_message
        self._max_total: int | None = max_total
        self._total = 0
        self.pending = 0
        """Bytes that are there and belong to no message yet given."""

    @property
    def in_handshake(self) -> bool:
        """Whether ``relax`` has not been called yet."""
        return self._max_total is not None

    def relax(self) -> None:
        """The peer is authenticated as far as it will be: no bound on the sum from now on, still one on each message."""
        self._max_total = None

    def feed(self, content: bytes) -> None:
        """Take a handshake record's content."""
        if not self.pending:
            self._buffer, self._position = content, 0
        else:
            if isinstance(self._buffer, bytearray):
                del self._buffer[: self._position]
            else:  # a message over many records must not be copied once for each
                self._buffer = bytearray(self._buffer[self._position :])
            self._position = 0
            self._buffer += content
        self.pending += len(content)
        self._total += len(content)
        if self._max_total is not None and self._total > self._max_total:
            raise PeerViolation(
                violations.HANDSHAKE_TOO_LONG, limit=self._max_total, setting="Limits.max_handshake_bytes"
            )

    def next_message(self) -> bytes | None:
        """The next whole message, or None. Raises ``PeerViolation`` as soon as a header announces too much."""
        pending = self.pending
        if pending < 4:
            return None
        buffer, start = self._buffer, self._position
        length = 4 + int.from_bytes(buffer[start + 1 : start + 4], "big")
        if length > self._longest:
            raise PeerViolation(
                violations.MESSAGE_TOO_LONG,
                message=HandshakeType.of(buffer[start]),
                length=length - 4,
                limit=self._longest - 4,
                setting="Limits.max_handshake_message",
            )
        if pending < length:
            return None
        self.pending = pending - length
        self._position = stop = start + length
        message = buffer[start:stop]
        return message if isinstance(message, bytes) else bytes(message)
