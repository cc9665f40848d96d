"""Protecting records in one direction: seal or open, count, and know when the key is used up (RFC 8446 section 5.2)."""

from __future__ import annotations

from typing import Protocol

from ..crypto.cipher_suites import AeadKey, InvalidTag, Suite
from ..wire.codepoints import ContentType
from ..wire.records import HEADER, MAX_CIPHERTEXT_12, MAX_CIPHERTEXT_13

__all__ = ["Direction", "InvalidTag", "Protection12", "Protection13", "UnsupportedRecord"]

_VERSION, _DATA = 0x0303, int(ContentType.application_data)


class UnsupportedRecord(ValueError):
    """A record opened well and yet has no content type: nothing but padding (section 5.4)."""


class Direction(Protocol):
    """One direction's keys, whichever version made them."""

    epoch: str
    sequence: int
    max_fragment: int
    """Bytes of a protected record's fragment, at most."""
    overhead: int
    """Bytes that protection adds to a record's content, at most, padding not counted."""

    @property
    def record_limit(self) -> int:
        """Records that this key may protect."""

    @property
    def description(self) -> str:
        """The AEAD's name."""

    def seal(self, content_type: int, content: bytes | memoryview, padding: int = 0) -> tuple[bytes, bytes]:
        """A record's header and its fragment: apart, because whoever sends them joins them with others."""

    def open(self, header: bytes, fragment: bytes | memoryview) -> tuple[int, bytes]:
        """Content type and content. Raises ``InvalidTag`` or ``UnsupportedRecord``."""


class _Keyed:
    __slots__ = ("_aead", "_iv", "_suite", "epoch", "overhead", "sequence")

    def __init__(self, suite: Suite, key: bytes, iv: bytes, epoch: str) -> None:
        aead = suite.aead
        self._suite = suite
        self._aead: AeadKey = aead.key(key)
        self._iv = int.from_bytes(iv, "big")
        self.overhead = 1 + aead.tag_length
        self.epoch = epoch
        self.sequence = 0

    @property
    def record_limit(self) -> int:
        """Records that this key may protect before it must be changed (RFC 8446 section 5.5)."""
        return self._suite.aead.record_limit

    @property
    def description(self) -> str:
        """The AEAD's name."""
        return self._suite.aead.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.epoch} {self._suite.aead.name} #{self.sequence} (key redacted)>"


class Protection13(_Keyed):
    """TLS 1.3: the true content type is encrypted behind the content, and padding behind that."""

    __slots__ = ()
    max_fragment = MAX_CIPHERTEXT_13

    def seal(self, content_type: int, content: bytes | memoryview, padding: int = 0) -> tuple[bytes, bytes]:
        """A record's header and fragment, with ``padding`` zero bytes inside (section 5.4)."""
        inner = b"".join((content, content_type.to_bytes(1 + padding, "little")))
        header = HEADER(_DATA, _VERSION, len(content) + padding + self.overhead)
        sequence = self.sequence
        self.sequence = sequence + 1
        return header, self._aead.encrypt((self._iv ^ sequence).to_bytes(12, "big"), inner, header)

    def open(self, header: bytes, fragment: bytes | memoryview) -> tuple[int, bytes]:
        """Content type and content of a record's fragment."""
        sequence = self.sequence
        inner = self._aead.decrypt((self._iv ^ sequence).to_bytes(12, "big"), fragment, header)
        self.sequence = sequence + 1
        kind = inner[-1] if inner else 0
        if not kind:
            inner = inner.rstrip(b"\0")
            if not inner:
                raise UnsupportedRecord
            kind = inner[-1]
        return kind, inner[:-1]


class Protection12(_Keyed):
    """TLS 1.2 with an AEAD (RFC 5246 section 6.2.3.3): GCM and CCM send 8 bytes of the nonce, ChaCha20 none (RFC 7905)."""

    __slots__ = ("_explicit", "_salt")
    max_fragment = MAX_CIPHERTEXT_12

    def __init__(self, suite: Suite, key: bytes, iv: bytes, epoch: str) -> None:
        super().__init__(suite, key, iv, epoch)
        self._explicit = suite.aead.explicit_nonce
        self._salt = iv[:4]
        self.overhead = self._explicit + suite.aead.tag_length

    def seal(self, content_type: int, content: bytes | memoryview, padding: int = 0) -> tuple[bytes, bytes]:
        """A record's header and fragment; TLS 1.2 has no room for padding, so it is left out."""
        length, sequence = len(content), self.sequence
        counter = sequence.to_bytes(8, "big")
        associated = counter + HEADER(content_type, _VERSION, length)
        header = HEADER(content_type, _VERSION, length + self.overhead)
        self.sequence = sequence + 1
        if self._explicit:
            # RFC 5288 section 3: the sequence number may be the explicit part, which makes it unique.
            return header, counter + self._aead.encrypt(self._salt + counter, content, associated)
        return header, self._aead.encrypt((self._iv ^ sequence).to_bytes(12, "big"), content, associated)

    def open(self, header: bytes, fragment: bytes | memoryview) -> tuple[int, bytes]:
        """Content type and content of a record's fragment."""
        length = len(fragment) - self.overhead
        if length < 0:
            raise InvalidTag
        if self._explicit:
            nonce, fragment = b"".join((self._salt, fragment[:8])), fragment[8:]
        else:
            nonce = (self._iv ^ self.sequence).to_bytes(12, "big")
        associated = self.sequence.to_bytes(8, "big") + header[:3] + length.to_bytes(2, "big")
        content = self._aead.decrypt(nonce, fragment, associated)
        self.sequence += 1
        return header[0], content
