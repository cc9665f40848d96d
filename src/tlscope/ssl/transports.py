"""Where a channel's ciphertext comes from and goes: a socket, or two ``MemoryBIO``s."""

from __future__ import annotations

import errno
import socket
import ssl as std
import weakref
from typing import Protocol

from .errors import want_read, want_write

__all__ = ["BioTransport", "SocketTransport", "Transport"]


class Transport(Protocol):
    """Where ciphertext comes from and goes."""

    def receive(self) -> bytes:
        """Some bytes, ``b""`` at the end. Raises ``SSLWantReadError`` where there are none now."""

    def send(self, data: bytes) -> None:
        """Take bytes. Raises ``SSLWantWriteError`` where not all of them could go; the rest is kept."""

    def flush(self) -> None:
        """Send what was kept. Raises ``SSLWantWriteError`` where some of it still can't go."""


class BioTransport:
    """Two ``MemoryBIO``s, as asyncio, uvloop and anyio drive them."""

    def __init__(self, incoming: std.MemoryBIO, outgoing: std.MemoryBIO) -> None:
        self._incoming, self._outgoing = incoming, outgoing

    def receive(self) -> bytes:
        """All that has come."""
        data = self._incoming.read()
        if not data and not self._incoming.eof:
            raise want_read()
        return data

    def send(self, data: bytes) -> None:
        """A ``MemoryBIO`` takes everything."""
        self._outgoing.write(data)

    def flush(self) -> None:
        """Nothing is ever kept."""


class SocketTransport:
    """A socket. It never reads beyond a record: whoever waits with ``select`` would never hear of what was read ahead."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = weakref.ref(sock)  # it is the SSLSocket that stands before this
        self._header = b""
        self._missing = 5
        self._kept = b""

    @property
    def sock(self) -> socket.socket:
        """The socket itself."""
        sock = self._socket()
        if sock is None:
            raise OSError(errno.EBADF, "the socket is gone")
        return sock

    def receive(self) -> bytes:
        """What is left of the record that is under way, or a part of that."""
        try:
            data = socket.socket.recv(self.sock, self._missing)
        except BlockingIOError:
            raise want_read() from None
        except TimeoutError:
            raise TimeoutError("The read operation timed out") from None
        self._missing -= len(data)
        if len(self._header) < 5:
            self._header += data
            if len(self._header) == 5:
                self._missing = int.from_bytes(self._header[3:], "big")
        if self._missing == 0:
            self._header, self._missing = b"", 5
        return data

    def send(self, data: bytes) -> None:
        """All of it, as far as the socket's timeout allows."""
        self._kept += data
        self.flush()

    def flush(self) -> None:
        """Send what was kept."""
        view = memoryview(self._kept)
        sent = 0
        sock = self.sock
        try:
            while sent < len(view):
                sent += socket.socket.send(sock, view[sent:])
        except BlockingIOError:
            raise want_write() from None
        except TimeoutError:
            raise TimeoutError("The write operation timed out") from None
        finally:
            self._kept = bytes(view[sent:])
