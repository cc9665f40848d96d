"""Waiting on a socket that never blocks by itself: for readiness, until a deadline, and for the end of what a peer sends."""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..connection import ClientConnection, ServerConnection

__all__ = ["LINGER", "READ_SIZE", "awaited", "deadline_in", "discard", "until_readable", "until_writable"]

READ_SIZE = 64 * 1024
"""Bytes asked of the transport at a time: four whole records."""

LINGER = 0.5
"""Seconds that a last message is given to arrive, and the peer to end its side, before the socket is closed."""

_DISCARD_LIMIT = 256 * 1024
"""Bytes of a peer's remaining data that are read and thrown away."""


def awaited(connection: ClientConnection | ServerConnection, seconds: float | None) -> str:
    """The sentence that says for what this side of a handshake waited in vain."""
    peer = "server" if connection.role == "client" else "client"
    return f"the {peer} sent no {' or '.join(connection.awaiting) or 'answer'} within {seconds} s"


def deadline_in(seconds: float | None) -> float | None:
    """The moment that is ``seconds`` away on the monotonic clock; None for never."""
    return None if seconds is None else time.monotonic() + seconds


def until_readable(sock: socket.socket, deadline: float | None, *, or_writable: bool = False) -> bool:
    """Wait for something to read, or with ``or_writable`` also for room to write; False where the time is over."""
    return _wait(sock, select.POLLIN | (select.POLLOUT if or_writable else 0), deadline)


def until_writable(sock: socket.socket, deadline: float | None) -> bool:
    """Wait for room to write; False where the time is over."""
    return _wait(sock, select.POLLOUT, deadline)


def _wait(sock: socket.socket, events: int, deadline: float | None) -> bool:
    poller = select.poll()
    try:
        poller.register(sock, events)
    except ValueError:  # closed by another thread: the next call on the socket says so
        return True
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if poller.poll(None if left is None else max(0.0, left * 1000)):
            return True
        if left is not None and left <= 0:
            return False


def discard(sock: socket.socket, deadline: float | None) -> None:
    """Read and throw away what the peer still sends, until it ends, the time is over or it was too much.

    A socket that is closed with something unread sends a reset, and a reset makes the peer's kernel throw away what the
    peer has not read yet: the alert or the last data that were just sent to it.
    """
    room = _DISCARD_LIMIT
    while room > 0:
        try:
            data = sock.recv(READ_SIZE)
        except BlockingIOError:
            if not until_readable(sock, deadline):
                return
            continue
        except OSError:
            return
        if not data:
            return
        room -= len(data)
