"""PEP 748's channel in memory: bytes from the network in, bytes for the network out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from ..connection import ClientConnection, ServerConnection
from ..errors import TLSError
from ..events import DataReceived, Event, PeerClosed
from .vocabulary import Vocabulary

__all__ = ["TLSBuffer"]

_ROOM = 1024 * 1024
"""Bytes that are kept in either direction."""


class TLSBuffer:
    """One connection without I/O; ``ClientContext.create_buffer`` and ``ServerContext.create_buffer`` make it."""

    def __init__(self, connection: ClientConnection | ServerConnection, context: Any, words: Vocabulary) -> None:
        self._connection, self._context, self._words = connection, context, words
        self._incoming, self._outgoing = bytearray(), bytearray()
        self._received: deque[bytes] = deque()
        self._failure: TLSError | None = None
        self._ended = self._eof = False

    # The network's side

    def process_incoming(self, data_from_network: bytes) -> None:
        """Take bytes from the network. Raises ``WantReadError``, and takes nothing, where 1 MiB waits to be read."""
        if len(self._incoming) + sum(map(len, self._received)) + len(data_from_network) > _ROOM:
            raise self._words.want_read("the buffer is full: read() what has come first")
        self._incoming += data_from_network

    def process_eof(self) -> None:
        """The network has ended, which the PEP has no word for; without close_notify ``read`` then raises ``RaggedEOF``."""
        self._eof = True

    def incoming_bytes_buffered(self) -> int:
        """Bytes from the network that have not been worked on."""
        return len(self._incoming)

    def process_outgoing(self, amount_bytes_for_network: int) -> bytes:
        """The next bytes for the network, so many at most."""
        data = bytes(self._outgoing[:amount_bytes_for_network])
        del self._outgoing[: len(data)]
        return data

    def outgoing_bytes_buffered(self) -> int:
        """Bytes that wait to be sent."""
        return len(self._outgoing)

    # The application's side

    def do_handshake(self) -> None:
        """Go on with the handshake. Raises ``WantReadError`` until it is complete; ``TLSError`` where it fails.

        After either there may be something to send: ``process_outgoing``.
        """
        self._run(self._connection.start)
        self._process()
        if self._failure is not None:
            raise self._failure
        if not self._connection.handshake_complete:
            raise self._words.want_read()

    def read(self, amt: int, buffer: Any = None) -> Any:
        """At most ``amt`` bytes, or with a ``buffer`` their number; empty once the peer has said that this is all.

        Raises ``WantReadError`` where nothing has come, ``RaggedEOF`` where the network ended without close_notify. Data
        that came before a failure comes first.
        """
        if not self._connection.handshake_complete:
            self.do_handshake()
        self._process()
        if not self._received and not self._ended:
            raise self._failure or self._words.want_read()
        if buffer is not None:
            with memoryview(buffer).cast("B") as view:
                data = self._take(min(amt, len(view)))
                view[: len(data)] = data
            return len(data)
        return self._take(amt)

    def _take(self, amount: int) -> bytes:
        if not self._received:
            return b""
        piece = self._received.popleft()
        if len(piece) > amount:
            self._received.appendleft(piece[amount:])
            piece = piece[:amount]
        return piece

    def write(self, buf: Any) -> int:
        """Encrypt data; gives how many bytes were taken. Raises ``WantWriteError`` where 1 MiB waits to be sent.

        Before the handshake is complete that goes on first, with its ``WantReadError``: nothing is ever sent in the open.
        """
        if not self._connection.handshake_complete:
            self.do_handshake()
        self._process()
        if self._failure is not None:
            raise self._failure
        with memoryview(buf).cast("B") as view:
            room = _ROOM - len(self._outgoing)
            if room <= 0 and len(view):
                raise self._words.want_write()
            taken = view[:room]
            try:
                self._connection.send_data(taken)
            except TLSError as error:
                raise self._words.error(error) from None
            self._outgoing += self._connection.data_to_send()
            return len(taken)

    def shutdown(self) -> None:
        """Say close_notify. Raises ``WantReadError`` until the peer has said it too; what it sent before can be read."""
        self._connection.close()
        self._outgoing += self._connection.data_to_send()
        self._process()
        if self._failure is not None:
            raise self._failure
        if not self._ended:
            raise self._words.want_read()

    # What it knows

    @property
    def context(self) -> Any:
        """The context that made it."""
        return self._context

    @property
    def connection(self) -> ClientConnection | ServerConnection:
        """tlscope's connection, with its ``facts`` and its trace; to look at."""
        return self._connection

    @property
    def negotiated_tls_version(self) -> Any:
        """The version of TLS; None before the handshake."""
        return self._words.version(self._connection.facts)

    def cipher(self) -> Any:
        """The cipher suite; None before the handshake."""
        return self._words.cipher(self._connection.facts)

    def negotiated_protocol(self) -> Any:
        """The application protocol (RFC 7301); None where none was agreed."""
        return self._words.protocol(self._connection.facts)

    def getpeercert(self) -> bytes | None:
        """The peer's certificate in DER; None where it showed none."""
        facts = self._connection.facts
        return facts.peer_chain[0] if facts is not None and facts.peer_chain else None

    # Inside

    def _process(self) -> None:
        if self._incoming and self._failure is None:
            data = bytes(self._incoming)
            self._incoming.clear()
            self._run(partial(self._connection.receive_data, data))
        if self._eof and self._failure is None:
            self._run(self._connection.receive_eof)

    def _run(self, action: Callable[[], list[Event] | None]) -> None:
        try:
            events = action()
        except TLSError as error:
            events = self._connection.events_before_error()
            if self._failure is None:
                self._failure = self._words.error(error)
        self._outgoing += self._connection.data_to_send()
        for event in events or ():
            if isinstance(event, DataReceived):
                self._received.append(event.data)
            elif isinstance(event, PeerClosed):
                self._ended = True
