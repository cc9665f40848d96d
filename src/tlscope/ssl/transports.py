"""Where an ``SSLObject``'s and an ``SSLSocket``'s ciphertext comes from and goes: two ``MemoryBIO``s, or a socket."""

from __future__ import annotations

import socket
import ssl as std
import weakref
from typing import Protocol

from .errors import WantRead, WantWrite

__all__ = ["BioTransport", "SocketTransport", "Transport"]

_HEADER = 5
_LONGEST = (1 << 14) + 256
"""Bytes of a protected record behind its header (RFC 5246 section 6.2.3 allows more, for compression)."""


class Transport(Protocol):
    """Where ciphertext comes from and goes."""

    def receive(self) -> bytes:
        """Some bytes, ``b""`` at the end. Raises ``SSLWantReadError`` where there are none now."""

    @property
    def keeps(self) -> bool:
        """Whether something waits to be sent that could not go yet."""

    @property
    def waits(self) -> bool:
        """Whether ``send`` never gives up for want of room."""

    def send(self, data: bytes) -> None:
        """Take bytes. Raises ``SSLWantWriteError`` where not all of them could go; the rest is kept."""

    def flush(self) -> None:
        """Send what was kept. Raises ``SSLWantWriteError`` where some of it still can't go."""

    def plain(self) -> socket.socket | None:
        """The socket, where there is one."""


class BioTransport:
    """Two ``MemoryBIO``s, as asyncio, uvloop and anyio drive them."""

    def __init__(self, incoming: std.MemoryBIO, outgoing: std.MemoryBIO) -> None:
        self._incoming, self._outgoing = incoming, outgoing

    def receive(self) -> bytes:
        """All that has come."""
        data = self._incoming.read()
        if not data and not self._incoming.eof:
            raise WantRead
        return data

    keeps, waits = False, True

    def send(self, data: bytes) -> None:
        """A ``MemoryBIO`` takes everything."""
        self._outgoing.write(data)

    def flush(self) -> None:
        """Nothing is ever kept."""

    def plain(self) -> None:
        """There is no socket."""


class SocketTransport:
    """A socket. It never reads beyond a record: whoever waits with ``select`` would never hear of what was read ahead."""

    def __init__(self, sock: socket.socket) -> None:
        # The socket owns what owns this: a strong reference would keep a forgotten socket open until the next collection.
        self._sock = weakref.ref(sock)
        self._part = b""
        self._missing = _HEADER
        self._kept = b""

    def plain(self) -> socket.socket:
        """The socket. Raises ``OSError`` where it is gone."""
        sock = self._sock()
        if sock is None:
            raise OSError("the socket is gone")
        return sock

    def receive(self) -> bytes:
        """The next record, or what came of it before the end."""
        sock = self.plain()
        while True:
            try:
                data = socket.socket.recv(sock, self._missing)
            except BlockingIOError:
                raise WantRead from None
            except TimeoutError:
                raise TimeoutError("The read operation timed out") from None
            part = self._part + data
            self._missing -= len(data)
            if data and self._missing:
                self._part = part
                continue
            self._part = b""
            if len(part) == _HEADER and data:
                self._missing = length = int.from_bytes(part[3:], "big")
                # What is no record is handed on at once: waiting for the rest of it could wait for good.
                if length and part[1] == 3 and 20 <= part[0] <= 23 and length <= _LONGEST:
                    self._part = part
                    continue
            if not self._missing:
                self._missing = _HEADER
            return part

    @property
    def keeps(self) -> bool:
        """Whether something waits to be sent that could not go yet."""
        return bool(self._kept)

    @property
    def waits(self) -> bool:
        """Whether ``send`` never gives up for want of room."""
        return self.plain().gettimeout() is None

    def send(self, data: bytes) -> None:
        """All of it, as far as the socket's timeout allows."""
        self._kept = self._kept + data if self._kept else data
        self.flush()

    def flush(self) -> None:
        """Send what was kept."""
        if not self._kept:
            return
        sock, sent, view = self.plain(), 0, memoryview(self._kept)
        try:
            while sent < len(view):
                sent += socket.socket.send(sock, view[sent:])
        except BlockingIOError:
            raise WantWrite from None
        except TimeoutError:
            raise TimeoutError("The write operation timed out") from None
        finally:
            self._kept = bytes(view[sent:])
