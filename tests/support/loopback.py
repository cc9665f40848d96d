"""Streams over real sockets on the loopback interface, and networks that behave badly."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

from certificates import SERVER_NAME, anchors, client_identity, clock, server_identity

from tlscope import ClientAuth, ClientConfig, ServerConfig, TLSStream

PATIENCE = 30.0
"""Seconds after which a test that waits has failed."""


def client_settings(**changes: Any) -> ClientConfig:
    """A client of the test's certificates that shows one where it is asked."""
    return ClientConfig(**{"trust": anchors(), "identity": client_identity(), "clock": clock, **changes})


def server_settings(**changes: Any) -> ServerConfig:
    """A server with the test's certificate that asks for none."""
    return ServerConfig(**{"trust": anchors(), "identities": [server_identity()], "clock": clock, **changes})


MUTUAL = {"client_auth": ClientAuth.REQUIRED}


class Task(threading.Thread):
    """A thread whose result, or error, is waited for."""

    def __init__(self, action: Callable[..., Any], *args: Any) -> None:
        super().__init__(daemon=True)
        self._action, self._args = action, args
        self._value: Any = None
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self._value = self._action(*self._args)
        except Exception as error:
            self.error = error

    def result(self) -> Any:
        self.join(PATIENCE)
        assert not self.is_alive(), f"{self._action} did not come to an end"
        if self.error is not None:
            raise self.error
        return self._value

    def failure(self) -> Exception:
        """The error that it must have ended with."""
        self.join(PATIENCE)
        assert not self.is_alive(), f"{self._action} did not come to an end"
        assert self.error is not None, f"{self._action} did not fail"
        return self.error


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of one TCP connection, the client's first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    return client, server


@contextlib.contextmanager
def stream_pair(
    client: ClientConfig | None = None,
    server: ServerConfig | None = None,
    sockets: tuple[socket.socket, socket.socket] | None = None,
    **options: Any,
) -> Iterator[tuple[TLSStream, TLSStream]]:
    """Client and server after their handshake, both with a patience of ``PATIENCE``."""
    ours, theirs = sockets or tcp_pair()
    options = {"timeout": PATIENCE, **options}
    accepting = Task(lambda: TLSStream.server(theirs, server or server_settings(), **options))
    left = TLSStream.client(ours, client or client_settings(), SERVER_NAME, **options)
    right: TLSStream = accepting.result()
    try:
        yield left, right
    finally:
        # Both at once: each waits a moment for the other's end.
        closing = Task(right.close)
        left.close()
        closing.result()


def read_all(stream: TLSStream, size: int = 65536) -> bytes:
    """Everything up to the peer's close_notify."""
    pieces = []
    while piece := stream.recv(size):
        pieces.append(piece)
    return b"".join(pieces)


class Relay:
    """A connection through which bytes trickle: ``step`` at a time, each delivered on its own. Gives two sockets."""

    def __init__(self, step: int = 1) -> None:
        self._step = step
        self.client, inner_client = socket.socketpair()
        inner_server, self.server = socket.socketpair()
        self._inner = (inner_client, inner_server)
        self._tasks = [Task(self._copy, *self._inner), Task(self._copy, *reversed(self._inner))]

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                for start in range(0, len(data), self._step):
                    target.sendall(data[start : start + self._step])
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for sock in self._inner:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for task in self._tasks:
            task.result()
        for sock in (*self._inner, self.client, self.server):
            sock.close()


def reset(sock: socket.socket) -> None:
    """Close with a TCP reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
