"""A TLS server with a thread for each connection."""

from __future__ import annotations

import logging
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from ..config import ServerConfig
from ..connection import ServerConnection
from ..errors import Misuse, TLSError
from .stream import TLSStream

__all__ = ["Server", "serve"]

_log = logging.getLogger("tlscope.io")

_JOIN_SECONDS = 5.0
"""How long ``close`` waits for handlers to return."""


class Server:
    """Accepts connections and gives each to ``handler(stream)`` on a thread of its own; a context manager.

    At most ``max_connections`` are served at a time, handshakes included; further clients wait in the operating system's
    queue of ``backlog``. A client has ``handshake_timeout`` seconds for its handshake and holds up nobody else meanwhile.
    ``timeout`` is each stream's. The stream is closed when the handler returns.

    ``on_handshake(stream)`` is called before the handler. ``on_error(error, address)`` is told of each handshake that
    failed and of what a handler raised; without it both are logged (logger ``tlscope.io``), a client's fault in one line.
    ``on_end(stream, address, error)`` is told of each connection that is over, and what it failed with, if it did.
    Raises ``OSError`` where the address can't be had. Port 0 takes any free one: see ``address``.
    """

    def __init__(
        self,
        config: ServerConfig,
        handler: Callable[[TLSStream], object],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        backlog: int = 128,
        max_connections: int = 128,
        timeout: float | None = None,
        handshake_timeout: float | None = 10.0,
        on_handshake: Callable[[TLSStream], object] | None = None,
        on_error: Callable[[Exception, Any], object] | None = None,
        on_end: Callable[[TLSStream, Any, Exception | None], object] | None = None,
    ) -> None:
        self.config = config
        self._handler = handler
        self._timeout = timeout
        self._handshake_timeout = handshake_timeout
        self._on_handshake = on_handshake
        self._on_error = on_error or _log_error
        self._on_end = on_end
        self._slots = threading.BoundedSemaphore(max_connections)
        self._lock = threading.Lock()
        self._streams: dict[threading.Thread, TLSStream] = {}
        self._closing = False
        self._acceptor: threading.Thread | None = None
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=backlog)
        self._listener.setblocking(False)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        """Host and port that it listens on."""
        self._wake_receiver, self._wake_sender = socket.socketpair()

    def start(self) -> Self:
        """Begin to accept, on a thread of its own."""
        with self._lock:
            if self._closing:
                raise Misuse("the server is closed", code="closed")
            if self._acceptor is None:
                self._acceptor = threading.Thread(target=self._accept_all, name="tlscope-accept", daemon=True)
                self._acceptor.start()
        return self

    def close(self) -> None:
        """Stop accepting, end the connections that are left and wait, 5 s at most, for their handlers to return."""
        with self._lock:
            closing, self._closing = self._closing, True
            acceptor = self._acceptor
        if closing:
            return
        self._wake_sender.send(b"\0")
        with suppress(ValueError):
            self._slots.release()  # the acceptor may be waiting for one
        if acceptor is not None:
            acceptor.join()
        for sock in (self._listener, self._wake_receiver, self._wake_sender):
            sock.close()
        with self._lock:
            left = dict(self._streams)
        for stream in left.values():
            stream.abort()
        for thread in left:
            if thread is not threading.current_thread():
                thread.join(_JOIN_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # Inside

    def _accept_all(self) -> None:
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        poller.register(self._wake_receiver, select.POLLIN)
        while True:
            self._slots.acquire()
            poller.poll()
            if self._closing:
                return
            try:
                sock, address = self._listener.accept()
            except OSError as problem:
                self._slots.release()
                if not isinstance(problem, BlockingIOError | ConnectionError):
                    # Out of file descriptors, mostly: some will come free.
                    self._tell(problem, None)
                    select.select([self._wake_receiver], [], [], 0.1)
                continue
            self._begin(sock, address)

    def _begin(self, sock: socket.socket, address: Any) -> None:
        connection = ServerConnection(self.config)
        stream = TLSStream(sock, connection, timeout=self._timeout, handshake_timeout=self._handshake_timeout)
        thread = threading.Thread(target=self._serve, args=(stream, address), name="tlscope-serve", daemon=True)
        with self._lock:
            self._streams[thread] = stream
        try:
            thread.start()
        except RuntimeError as problem:  # no thread to be had
            self._forget(thread, stream)
            self._tell(problem, address)

    def _serve(self, stream: TLSStream, address: Any) -> None:
        failure: Exception | None = None
        try:
            with stream:
                stream.handshake()
                if self._on_handshake is not None:
                    self._on_handshake(stream)
                self._handler(stream)
        except Exception as error:
            failure = error
            if not self._closing:
                self._tell(error, address)
        finally:
            self._end(stream, address, failure)
            self._forget(threading.current_thread(), stream)

    def _end(self, stream: TLSStream, address: Any, failure: Exception | None) -> None:
        try:
            if self._on_end is not None:
                self._on_end(stream, address, failure)
        except Exception:
            _log.exception("on_end failed")

    def _forget(self, thread: threading.Thread, stream: TLSStream) -> None:
        with self._lock:
            self._streams.pop(thread, None)
        stream.close()
        with suppress(ValueError):
            self._slots.release()

    def _tell(self, error: Exception, address: Any) -> None:
        try:
            self._on_error(error, address)
        except Exception:
            _log.exception("on_error failed")


def serve(
    config: ServerConfig, handler: Callable[[TLSStream], object], host: str = "127.0.0.1", port: int = 0, **options: Any
) -> Server:
    """A ``Server`` that has been started; ``options`` are the server's."""
    return Server(config, handler, host, port, **options).start()


def _log_error(error: Exception, address: Any) -> None:
    where = "" if address is None else f" {address[0]} port {address[1]}"
    if isinstance(error, TLSError | OSError):
        _log.info("connection from%s: %s", where, error)
    else:
        _log.error("the handler of the connection from%s failed", where, exc_info=error)
