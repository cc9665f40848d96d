"""PEP 748's socket: it connects or listens, shakes hands as a part of that, and from then on never blocks."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..connection import ClientConnection, ServerConnection
from ..errors import Misuse, TLSError
from ..io.stream import TLSStream
from ..io.waiting import deadline_in
from .vocabulary import Vocabulary

__all__ = ["HANDSHAKE_SECONDS", "TLSSocket"]

HANDSHAKE_SECONDS = 10.0
"""How long connecting may take, and a handshake."""

_PENDING_LIMIT = 1024 * 1024
"""Bytes of data that are kept for ``recv`` while a close waits for the peer's."""


class _Stream(TLSStream):
    """A stream whose calls come back at once."""

    _accepted = 0
    """Bytes of the last ``send_now`` that are encrypted and have not gone out altogether."""

    def send_now(self, data: Any) -> int | None:
        """Encrypt and send; None where the socket is full: come again with the same data, which is encrypted once.

        Raises ``Misuse`` for less, which can't be the same: to say that it was sent would lose it.
        """
        with self._sending, memoryview(data).cast("B") as view:
            self._check_open()
            if len(view) < self._accepted:
                raise Misuse(f"{self._accepted} bytes wait to be sent: send the same data again, not other data")
            if not self._accepted:
                with self._engine:
                    part = view[:65536]
                    self.connection.send_data(part)
                    self._accepted = len(part)
            if not self._push(deadline_in(0)):
                return None
            taken, self._accepted = self._accepted, 0
            return taken

    def end_now(self, *, wait: bool) -> bool | None:
        """Say close_notify; True once the peer has said it too, None where the socket is full. Raises as ``recv`` does."""
        with self._sending:
            self._check_open()
            with self._engine:
                self.connection.close()
            if not self._push(deadline_in(0)):
                return None
        with self._reading:
            while wait and not self._ended and self._failure is None:
                # What nobody reads is kept up to a bound; a peer that has more to say is not waited for.
                if self.pending > _PENDING_LIMIT or not self._receive(deadline_in(0)):
                    return False
        return True


class TLSSocket:
    """One connection, or a server's place to wait for them; ``connect`` of a context makes it.

    ``recv`` raises ``WantReadError`` where nothing has come, ``send`` ``WantWriteError`` where the peer takes nothing; the
    latter is to be called again with the same data. ``fileno`` is for ``select``.
    """

    def __init__(
        self,
        context: Any,
        words: Vocabulary,
        *,
        listener: socket.socket | None = None,
        connected: tuple[socket.socket, ClientConnection | ServerConnection] | None = None,
    ) -> None:
        self._context, self._words = context, words
        self._listener = listener
        self._stream: _Stream | None = None
        if connected is not None:
            with self._speaking():
                stream = _Stream(*connected, timeout=0.0, handshake_timeout=HANDSHAKE_SECONDS)
                self._stream = stream.handshake()

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except TLSError as error:
            raise self._words.error(error) from error.__cause__

    @property
    def _connected(self) -> _Stream:
        if self._stream is None:
            raise self._words.error(Misuse("this socket listens: accept() gives those that are connected"))
        return self._stream

    # Data

    def recv(self, bufsize: int) -> bytes:
        """At least one and at most ``bufsize`` bytes; empty once the peer has said that this is all.

        Raises ``WantReadError`` where nothing has come, ``RaggedEOF`` where the connection was cut.
        """
        with self._speaking():
            try:
                return self._connected.recv(bufsize)
            except TimeoutError:
                raise self._words.want_read() from None

    def send(self, bytes: bytes) -> int:
        """Send data; gives how many bytes of it were taken, at most 64 KiB. Raises ``WantWriteError`` where it can't."""
        with self._speaking():
            taken = self._connected.send_now(bytes)
        if taken is None:
            raise self._words.want_write()
        return taken

    def close(self, force: bool = False) -> None:
        """Say close_notify, and close once the peer has said it too, or with ``force`` at once.

        Raises ``WantReadError`` until the peer has said it, ``WantWriteError`` where close_notify does not go out: the
        socket stays open then, and what the peer still sends can be received.
        """
        if self._listener is not None:
            self._listener.close()
        if self._stream is None:
            return
        done: bool | None = True
        if self._stream.fileno() >= 0:
            try:
                done = self._stream.end_now(wait=not force)
            except (TLSError, OSError):
                done = True  # it has ended, if not well: there is nothing to say any more
        if done is None:
            raise self._words.want_write()
        if not done:
            raise self._words.want_read()
        self._stream.abort()
        self._stream.close()

    # Servers

    def listen(self, backlog: int) -> None:
        """Let so many clients wait to be accepted."""
        if self._listener is None:
            raise self._words.error(Misuse("only a server's socket listens"))
        self._listener.listen(backlog)

    def accept(self) -> tuple[TLSSocket, Any]:
        """A client that has connected, and its address, once its handshake is complete; it has ten seconds for that.

        Raises ``WantReadError``, which is a ``BlockingIOError`` too, where no client waits; ``TLSError`` where its handshake
        fails, after which others can be accepted.
        """
        if self._listener is None:
            raise self._words.error(Misuse("only a server's socket accepts"))
        try:
            below, address = self._listener.accept()
        except BlockingIOError:
            raise self._words.want_accept() from None
        return TLSSocket(self._context, self._words, connected=(below, self._context.new_connection())), address

    # What it knows

    def _below(self) -> Any:
        return self._listener if self._stream is None else self._stream

    def getsockname(self) -> Any:
        """This side's address."""
        return self._below().getsockname()

    def getpeername(self) -> Any:
        """The peer's address."""
        return self._connected.getpeername()

    def fileno(self) -> int:
        """The file descriptor, for ``select``."""
        descriptor: int = self._below().fileno()
        return descriptor

    @property
    def context(self) -> Any:
        """The context that made it."""
        return self._context

    @property
    def connection(self) -> ClientConnection | ServerConnection:
        """tlscope's connection, with its ``facts`` and its trace; to look at."""
        return self._connected.connection

    @property
    def _facts(self) -> Any:
        return None if self._stream is None or self._stream.fileno() < 0 else self._stream.facts

    @property
    def negotiated_tls_version(self) -> Any:
        """The version of TLS; None where there is no connection."""
        return self._words.version(self._facts)

    def cipher(self) -> Any:
        """The cipher suite; None where there is no connection."""
        return self._words.cipher(self._facts)

    def negotiated_protocol(self) -> Any:
        """The application protocol (RFC 7301); None where none was agreed."""
        return self._words.protocol(self._facts)

    def getpeercert(self) -> bytes | None:
        """The peer's certificate in DER; None where it showed none."""
        chain: tuple[bytes, ...] = self._facts.peer_chain if self._facts is not None else ()
        return chain[0] if chain else None
