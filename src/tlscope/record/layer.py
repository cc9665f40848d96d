"""The record layer: bytes to records and back, under whatever keys are in force (RFC 8446 section 5).

It knows keys and bounds and no handshake. ``feed`` takes what came from the transport, ``next_record`` gives one record's
content at a time, because each may change the keys for the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from .. import violations
from ..errors import PeerViolation
from ..wire.codepoints import ContentType
from ..wire.records import HEADER, HEADER_LENGTH, MAX_PLAINTEXT, recognise
from .protection import Direction, InvalidTag, UnsupportedRecord

__all__ = ["RecordLayer"]

_CCS, _ALERT, _HANDSHAKE, _DATA = 20, 21, 22, 23

_LONG = 2048
"""Bytes from which on a view costs less than a copy."""

_PROTECTED = b"\x17\x03\x03"
"""What the header of every protected record of TLS 1.3 begins with, and in TLS 1.2 of one with application data."""

OnRecord = Callable[[str, int, str, int, int, bytes], None]
"""Called with direction, content type, epoch, sequence number, length of the content and the record as on the wire."""


class RecordLayer:
    """Both directions of one connection."""

    __slots__ = (
        "_handshake",
        "_out",
        "_pending",
        "_position",
        "_seen_first",
        "_sequence_in",
        "_sequence_out",
        "_source",
        "inside_message",
        "is_tls13",
        "max_fragment",
        "on_record",
        "padding",
        "read",
        "receive_limit",
        "record_version",
        "skip_budget",
        "write",
    )

    def __init__(self) -> None:
        self.read: Direction | None = None
        self.write: Direction | None = None
        self.is_tls13 = False
        """Whether TLS 1.3 is agreed: then, beside protected records, only a bare ChangeCipherSpec may come."""
        self.max_fragment = MAX_PLAINTEXT
        self.receive_limit = MAX_PLAINTEXT
        """Bytes inside a protected record that the peer was told to stay under (RFC 8449), padding included."""
        self.padding: Callable[[int], int] | None = None
        """From a record's content length to the number of padding bytes (section 5.4)."""
        self.record_version = 0x0301
        """What unprotected records claim; 0x0301 until a version is agreed (section 5.1)."""
        self.skip_budget = 0
        """Bytes of records that may fail to open and are then passed over: early data that was refused (section 4.2.10)."""
        self.inside_message = False
        """Whether a handshake message has begun and not ended: nothing may come between, not even what is passed over."""
        self.on_record: OnRecord | None = None
        self._source: bytes = b""
        self._position = 0
        self._pending = bytearray()
        self._out: list[bytes] = []
        self._handshake: list[bytes] = []
        self._seen_first = False
        self._sequence_in = 0
        self._sequence_out = 0

    # What comes in

    def feed(self, data: bytes) -> None:
        """Take bytes from the transport; what ``next_record`` has not given yet comes first."""
        if not self._pending:
            if self._position < len(self._source):
                data = self._source[self._position :] + data
            self._source, self._position = data, 0
            return
        self._pending += data
        if len(self._pending) >= HEADER_LENGTH:
            needed = HEADER_LENGTH + int.from_bytes(self._pending[3:5], "big")
            if len(self._pending) < needed and self._seen_first:
                return
        self._source, self._position = bytes(self._pending), 0
        self._pending = bytearray()

    @property
    def buffered(self) -> int:
        """Bytes of an unfinished record."""
        return len(self._pending) + len(self._source) - self._position

    @property
    def heard_nothing(self) -> bool:
        """Whether not one byte has come."""
        return not (self._seen_first or self.buffered)

    @property
    def unread(self) -> bytes:
        """The first 64 bytes of what has come and could not be read."""
        return bytes(self._pending[:64]) or self._source[self._position : self._position + 64]

    def next_record(self) -> tuple[int, bytes] | None:
        """The next record's true content type and content, or None where no whole record is there.

        Raises ``PeerViolation`` for a record that is too long, can't be opened, or must not be unprotected.
        """
        while True:
            source, start = self._source, self._position
            body = start + HEADER_LENGTH
            if body > len(source):
                if start < len(source):
                    self._keep_rest()
                else:
                    self._source, self._position = b"", 0
                return None
            header = source[start:body]
            length = header[3] << 8 | header[4]
            read = self.read
            if read is None or length > read.max_fragment or not header.startswith(_PROTECTED):
                self._check_header(header, header[0], length)
            stop = body + length
            if stop > len(source):
                self._keep_rest()
                return None
            self._position = stop
            # A long fragment that is to be opened need not be copied before.
            long = length > _LONG and read is not None
            record = self._open(header, header[0], memoryview(source)[body:stop] if long else source[body:stop])
            if record is not None:
                return record

    def _keep_rest(self) -> None:
        if self._position < len(self._source):
            self._pending = bytearray(self._source[self._position :])
        self._source, self._position = b"", 0

    def _check_header(self, header: bytes, kind: int, length: int) -> None:
        if not self._seen_first:
            speaks = recognise(header)
            if speaks == "http-request":
                raise PeerViolation(violations.HTTP_ON_TLS_PORT, first=header)
            if speaks == "sslv2":
                raise PeerViolation(violations.SSLV2_HELLO, first=header)
            if speaks != "tls":
                raise PeerViolation(violations.NOT_TLS, problem=_describe(speaks, header), speaks=speaks, first=header)
            self._seen_first = True
        elif header[1] != 3:
            raise PeerViolation(violations.BAD_RECORD_VERSION, received=header[1:3].hex())
        elif not _CCS <= kind <= _DATA:
            raise PeerViolation(
                violations.UNEXPECTED_RECORD, received=ContentType(kind), when="which TLS does not have"
            )
        read = self.read
        unprotected = read is None or (self.is_tls13 and kind != _DATA)
        if not unprotected and header[2] != 3:
            # Both versions write 0x0303 once they have keys. RFC 8446 section 5.1 lets it be ignored; Go and BoringSSL
            # don't either, and no peer writes anything else.
            raise PeerViolation(violations.BAD_RECORD_VERSION, received=header[1:3].hex())
        limit = MAX_PLAINTEXT if unprotected or read is None else read.max_fragment
        # While refused early data is passed over, its records may be longer than an unprotected one (section 4.2.10).
        if length > limit + (256 if self.skip_budget else 0):
            raise PeerViolation(violations.RECORD_TOO_LONG, length=length, limit=limit)

    def _open(self, header: bytes, kind: int, fragment: bytes | memoryview) -> tuple[int, bytes] | None:
        read, inside, limit = self.read, len(fragment), MAX_PLAINTEXT
        if read is None:
            if kind == _DATA and self.skip_budget and not self.inside_message:
                self._skip(len(fragment))
                return None
            sequence, epoch, content = self._sequence_in, "plaintext", bytes(fragment)
            self._sequence_in += 1
        elif self.is_tls13 and kind != _DATA:
            # Section 5: a ChangeCipherSpec for middleboxes stays unprotected. Section 6.2: so does the alert of a peer
            # that failed before it had keys, which only the first record under the handshake keys can be.
            if kind != _CCS and not (kind == _ALERT and read.epoch == "handshake" and read.sequence == 0):
                self._refuse_unprotected(read, header, kind, fragment)
            sequence, epoch, content = 0, "plaintext", bytes(fragment)
        else:
            sequence, epoch = read.sequence, read.epoch
            try:
                kind, content = read.open(header, fragment)
            except InvalidTag:
                if self.skip_budget:
                    self._skip(len(fragment))
                    return None
                raise PeerViolation(violations.BAD_RECORD_MAC, sequence=sequence, epoch=epoch) from None
            except UnsupportedRecord:
                raise PeerViolation(violations.NO_CONTENT_TYPE) from None
            self.skip_budget = 0
            if kind == _CCS and self.is_tls13:
                raise PeerViolation(violations.BAD_CHANGE_CIPHER_SPEC)
            inside -= read.overhead
            limit = self.receive_limit
        # Section 5.4: what is inside counts with its padding.
        if inside > limit:
            raise PeerViolation(violations.RECORD_TOO_LONG, length=inside, limit=limit)
        if self.on_record is not None:
            self.on_record("received", kind, epoch, sequence, len(content), b"".join((header, fragment)))
        return kind, content

    def _refuse_unprotected(self, read: Direction, header: bytes, kind: int, fragment: bytes | memoryview) -> NoReturn:
        """A record that is not of the one type that protected records claim: unprotected, or with a false label."""
        try:
            read.open(header, fragment)
        except (InvalidTag, UnsupportedRecord):
            raise PeerViolation(violations.UNPROTECTED_RECORD, received=ContentType(kind)) from None
        raise PeerViolation(violations.FALSE_OUTER_TYPE, received=ContentType(kind))

    def _skip(self, length: int) -> None:
        self.skip_budget -= length
        if self.skip_budget < 0:
            raise PeerViolation(violations.TOO_MUCH_SKIPPED_EARLY_DATA)

    # What goes out

    def queue(self, kind: int, content: bytes | memoryview) -> None:
        """Queue content as one or more records; an empty content is one empty record."""
        if self._handshake:
            self.flush_handshake()
        if len(content) <= self.max_fragment:
            self._seal(kind, content)
        else:
            self._seal_pieces(kind, content)

    def _seal_pieces(self, kind: int, content: bytes | memoryview) -> None:
        size = self.max_fragment
        with memoryview(content) as view:
            for start in range(0, len(content), size):
                self._seal(kind, view[start : start + size])

    def queue_handshake(self, message: bytes) -> None:
        """Queue a handshake message; those of one flight share records until the keys change."""
        self._handshake.append(message)

    def flush_handshake(self) -> None:
        """Put the handshake messages that wait into records."""
        waiting = self._handshake
        if waiting:
            flight = waiting[0] if len(waiting) == 1 else b"".join(waiting)
            waiting.clear()
            self.queue(_HANDSHAKE, flight)

    def queue_unprotected(self, kind: int, content: bytes) -> None:
        """Queue one record without protection: a ChangeCipherSpec of TLS 1.3."""
        if self._handshake:
            self.flush_handshake()
        self._emit_plain(kind, content)

    def queue_raw(self, data: bytes) -> None:
        """Queue bytes that are no record at all: the answer to a peer that does not speak TLS."""
        self._handshake.clear()
        self._out.append(data)

    def take(self) -> bytes:
        """Everything queued, as bytes for the transport; the queue is empty afterwards."""
        if self._handshake:
            self.flush_handshake()
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return data

    @property
    def has_output(self) -> bool:
        """Whether ``take`` would give anything."""
        return bool(self._out or self._handshake)

    def change_write(self, protection: Direction) -> None:
        """From here on, what goes out is under these keys."""
        if self._handshake:
            self.flush_handshake()
        self.write = protection

    def _seal(self, kind: int, content: bytes | memoryview) -> None:
        write = self.write
        if write is None:
            self._emit_plain(kind, content)
            return
        padding = 0
        if self.padding is not None:
            # Section 5.4: content, type and padding together have at most 2^14 + 1 bytes.
            padding = max(0, min(self.padding(len(content)), MAX_PLAINTEXT - len(content)))
        record = write.seal(kind, content, padding)
        self._out += record
        if self.on_record is not None:
            self.on_record("sent", kind, write.epoch, write.sequence - 1, len(content), b"".join(record))

    def _emit_plain(self, kind: int, content: bytes | memoryview) -> None:
        length = len(content)
        record = b"".join((HEADER(kind, self.record_version, length), content))
        self._out.append(record)
        if self.on_record is not None:
            self.on_record("sent", kind, "plaintext", self._sequence_out, length, record)
        self._sequence_out += 1


def _describe(speaks: str, first: bytes) -> str:
    return {
        "http": "it answered in plain HTTP",
        "ssh": "it speaks SSH",
        "smtp": "it greets in plain text, as mail and FTP servers do before STARTTLS",
    }.get(speaks, f"its first bytes are {first.hex(' ')}")
