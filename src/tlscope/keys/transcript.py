"""The transcript: a hash over every handshake message, in order (RFC 8446 section 4.4.1)."""

from __future__ import annotations

from typing import Any

from ..crypto.hashes import Hash
from ..wire.codepoints import HandshakeType

__all__ = ["Transcript"]


class Transcript:
    """Messages are kept as bytes until the cipher suite names the hash, and hashed as they come from then on."""

    __slots__ = ("_hash", "_keep", "_pending", "_running")

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._keep = False
        self._hash: Hash | None = None
        self._running: Any = None

    def add(self, message: bytes) -> None:
        """Append one message, header included."""
        running = self._running
        if running is None or self._keep:
            self._pending.append(message)
        if running is not None:
            running.update(message)

    def select(self, hash: Hash, *, keep: bool = False) -> None:
        """The hash is known: from now on ``digest`` works.

        ``keep`` keeps the messages too: in TLS 1.2 a CertificateVerify signs them with a hash of its own choice.
        """
        if self._hash is None:
            self._hash = hash
            self._running = hash.new(b"".join(self._pending))
            self._keep = keep
            if not keep:
                self._pending.clear()
        elif self._hash is not hash:
            raise ValueError("the transcript's hash can't change")

    def digest(self) -> bytes:
        """The hash of all messages so far."""
        result: bytes = self._running.digest()  # what runs is not ended by it
        return result

    def digest_with(self, hash: Hash, partial: bytes) -> bytes:
        """The hash of all messages so far and ``partial``, which is not appended: what PSK binders cover."""
        if self._running is None:
            return hash.digest(b"".join(self._pending) + partial)
        running = self._running.copy()
        running.update(partial)
        result: bytes = running.digest()
        return result

    @property
    def messages(self) -> bytes:
        """All messages so far, one behind the other; only where they are kept."""
        return b"".join(self._pending)

    def fork(self) -> Transcript:
        """A copy that goes its own way: post-handshake authentication hashes on from the handshake's end."""
        copy, running = Transcript.__new__(Transcript), self._running
        copy._hash, copy._keep, copy._pending = self._hash, self._keep, self._pending[:]
        copy._running = None if running is None else running.copy()
        return copy

    def replace_with_message_hash(self) -> None:
        """Put message_hash in place of ClientHello1: what a HelloRetryRequest does (section 4.4.1)."""
        digest = self.digest()
        header = bytes((HandshakeType.message_hash, 0, 0, len(digest)))
        assert self._hash is not None  # noqa: S101 - digest() has just worked
        self._running = self._hash.new(header + digest)
