"""The transport that an application's protocol sees."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..trust.verify import VerifiedPeer
    from .protocol import TLSProtocol

__all__ = ["TLSTransport"]

_CHUNK = 64 * 1024
"""Bytes of application data that are encrypted at a time: buffers over 128 KiB cost page faults."""


class TLSTransport(asyncio.Transport):
    """What goes in here comes out encrypted below; the manners are those of any asyncio transport."""

    def __init__(self, protocol: TLSProtocol) -> None:
        super().__init__()
        self._tls = protocol
        self.dropped = False
        """Whether something was written when the connection was closed already."""

    @property
    def failure(self) -> Exception | None:
        """What the connection failed with."""
        return self._tls.failure

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``tlscope`` is the connection, ``early_data`` what a client sent before the handshake, all else is from below."""
        if name == "early_data":
            return self._tls.early_data
        return self._tls.connection if name == "tlscope" else self._tls.raw.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send data. Raises ``RuntimeError`` after ``write_eof``. Once it closes, data is dropped, and ``drain`` says so."""
        if self._tls.closing:
            self.dropped = True
            return
        if self._tls.connection.closed_by_us:
            raise RuntimeError("nothing can be written after write_eof()")
        with memoryview(data).cast("B") as view:
            for start in range(0, len(view), _CHUNK):
                self._tls.connection.send_data(view[start : start + _CHUNK])
                self._tls.flush()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(list_of_data))

    def request_client_certificate(self) -> asyncio.Future[VerifiedPeer | None]:
        """Ask a connected client for its certificate (RFC 8446 section 4.6.2), on a server, in TLS 1.3.

        The future gives who the client is, as ``connection.peer`` does from then on, or None for an empty answer; it fails
        with what the connection fails with. The answer comes behind what the client has sent before: a reader that is full
        must be read for it to arrive. Raises ``Misuse`` where the client did not offer that, or ``trust`` is not set.
        """
        return self._tls.request_client_certificate()

    def can_write_eof(self) -> bool:
        """True: close_notify ends one direction and leaves the other."""
        return True

    def write_eof(self) -> None:
        """Say close_notify: nothing more will be written; what the peer still sends can be read."""
        if not self._tls.closing:
            self._tls.connection.close()
            self._tls.flush()

    def close(self) -> None:
        """Send what was written, say close_notify, and close once the peer has ended or had half a second to."""
        self._tls.close()

    def abort(self) -> None:
        """Close now."""
        self._tls.abort()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._tls.closing or self._tls.raw.is_closing()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Change the application's protocol."""
        self._tls.application = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The application's protocol."""
        application: asyncio.BaseProtocol = self._tls.application
        return application

    def pause_reading(self) -> None:
        """Read no more from the socket until ``resume_reading``."""
        self._tls.raw.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._tls.raw.resume_reading()

    def is_reading(self) -> bool:
        """Whether the socket is being read."""
        reading: bool = self._tls.raw.is_reading()
        return reading

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """At how many encrypted bytes in wait ``drain`` begins to wait, and at how many it stops."""
        self._tls.raw.set_write_buffer_limits(high, low)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The two limits: low and high."""
        limits: tuple[int, int] = self._tls.raw.get_write_buffer_limits()
        return limits

    def get_write_buffer_size(self) -> int:
        """Encrypted bytes in wait."""
        size: int = self._tls.raw.get_write_buffer_size()
        return size

    def __repr__(self) -> str:
        return f"<TLSTransport {self._tls.connection.role} {'closing' if self.is_closing() else 'open'}>"
