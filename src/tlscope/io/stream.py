"""A TLS connection over a blocking socket, with the manners of a socket."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Self, TypedDict, Unpack

from ..config import ClientConfig, ServerConfig
from ..connection import ClientConnection, ServerConnection
from ..errors import Misuse, TLSError
from ..wire.codepoints import ProtocolVersion
from .file import open_file
from .pump import Decide, Pump
from .waiting import LINGER, deadline_in, discard

if TYPE_CHECKING:
    from ..events import ConnectionFacts
    from ..trace import Sink
    from ..trust.verify import VerifiedPeer

__all__ = ["StreamOptions", "TLSStream"]

_PENDING_LIMIT = 1024 * 1024
"""Bytes of data that are kept for ``recv`` while something else is waited for."""

_CHUNK = 64 * 1024
"""Bytes of application data that are encrypted at a time: buffers over 128 KiB cost page faults."""


class StreamOptions(TypedDict, total=False):
    """What every way to make a stream takes: seconds for each call and for the handshake, and who takes decisions."""

    timeout: float | None
    handshake_timeout: float | None
    decide: Decide | None


class TLSStream(Pump):
    """One TLS connection over a connected socket, which it owns; ``connect``, ``client`` and ``server`` make them.

    One thread may read while another writes. A call that waits raises ``TimeoutError`` once ``timeout`` seconds are over,
    and ``TLSError`` where the connection fails. After a ``TimeoutError`` from ``sendall`` it is unknown how much was sent:
    close the stream then. ``connection`` is the connection below, to look at; it is not safe to drive it from elsewhere.
    """

    def __init__(
        self,
        sock: socket.socket,
        connection: ClientConnection | ServerConnection,
        *,
        timeout: float | None = None,
        handshake_timeout: float | None = 10.0,
        decide: Decide | None = None,
    ) -> None:
        super().__init__(sock, connection, decide)
        self._timeout = timeout
        self._handshake_timeout = handshake_timeout

    @classmethod
    def client(
        cls,
        sock: socket.socket,
        config: ClientConfig,
        server_name: str | None,
        *,
        trace: Sink | None = None,
        **options: Unpack[StreamOptions],
    ) -> Self:
        """Shake hands as a client over a connected socket, which is closed where that fails."""
        return cls(sock, ClientConnection(config, server_name, trace=trace), **options).handshake()

    @classmethod
    def server(
        cls, sock: socket.socket, config: ServerConfig, *, trace: Sink | None = None, **options: Unpack[StreamOptions]
    ) -> Self:
        """Shake hands as a server over an accepted socket, which is closed where that fails."""
        return cls(sock, ServerConnection(config, trace=trace), **options).handshake()

    def handshake(self) -> Self:
        """Shake hands within ``handshake_timeout`` seconds; the socket is closed where that fails."""
        self._shake_hands(deadline_in(self._handshake_timeout), self._handshake_timeout)
        return self

    def settimeout(self, timeout: float | None) -> None:
        """Seconds that each call may wait from now on; None for ever."""
        self._timeout = timeout

    # What it knows

    @property
    def facts(self) -> ConnectionFacts | None:
        """What the handshake agreed."""
        return self.connection.facts

    @property
    def peer(self) -> VerifiedPeer | None:
        """The verified peer; None where it showed no certificate, or none was judged."""
        return self.connection.peer

    @property
    def alpn(self) -> str | None:
        """The application protocol that was agreed (RFC 7301)."""
        return self.connection.alpn

    @property
    def trace(self) -> Sink | None:
        """The sink of the connection's events, None where nobody looks."""
        return self.connection.trace

    # Data

    @property
    def pending(self) -> int:
        """Bytes that ``recv`` gives without waiting; ``select`` does not know of them."""
        return sum(map(len, self._received))

    def recv(self, size: int) -> bytes:
        """At least one and at most ``size`` bytes; ``b""`` once the peer has said with close_notify that it is done.

        Raises ``TruncatedStream`` where the connection ends without that, ``AlertReceived`` where the peer gives up. Data
        that arrived before that comes first.
        """
        with self._reading:
            deadline = deadline_in(self._timeout)
            while not self._received and not self._ended and size > 0:
                self._check_open()
                if not self._receive(deadline):
                    raise TimeoutError(f"no data came from the {self._peer_role} within {self._timeout} s")
            taken, left = [], size
            while left > 0 and self._received:
                piece = self._received.popleft()
                if len(piece) > left:
                    self._received.appendleft(piece[left:])
                    piece = piece[:left]
                taken.append(piece)
                left -= len(piece)
            return taken[0] if len(taken) == 1 else b"".join(taken)

    def recv_into(self, buffer: bytearray | memoryview) -> int:
        """``recv`` into a buffer; gives the number of bytes, 0 at the end."""
        with memoryview(buffer).cast("B") as view:
            data = self.recv(len(view))
            view[: len(data)] = data
        return len(data)

    def sendall(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything; returns when the operating system has taken the last byte.

        Where sending fails because the peer refused the connection, its alert is raised and not the broken pipe.
        """
        with self._sending, memoryview(data).cast("B") as view:
            deadline = deadline_in(self._timeout)
            for start in range(0, len(view), _CHUNK):
                self._check_open()
                with self._engine:
                    self.connection.send_data(view[start : start + _CHUNK])
                self._push_within(deadline)
        self._flush()

    def update_keys(self, *, request_peer: bool = False) -> None:
        """Change the keys for what is sent from now on, and with ``request_peer`` have the peer do the same (TLS 1.3)."""
        with self._sending:
            self._check_open()
            with self._engine:
                self.connection.update_keys(request_peer=request_peer)
            self._push_within(deadline_in(self._timeout))
        self._flush()

    def wait_for_verdict(self, timeout: float) -> bool:
        """Wait until the server is known to have let this client in; False where it said nothing for ``timeout`` seconds.

        A TLS 1.3 client is done before the server has judged its certificate, so a refusal arrives later, where a program
        may not look for it. Anything that the server says settles it: data, a ticket, its close. Raises ``AlertReceived``
        where it is a refusal. Where the server asked for no certificate there is nothing to wait for.
        """
        facts = self.facts
        if facts is None:
            raise Misuse("the handshake has not been made yet", code="not-connected")
        if facts.version is not ProtocolVersion.TLS1_3 or not facts.client_certificate_requested:
            return True
        with self._reading:
            deadline = deadline_in(timeout)
            while not self._heard:
                self._check_open()
                if not self._receive(deadline):
                    return False
        return True

    def request_client_certificate(self, *, wait: bool = True) -> VerifiedPeer | None:
        """Ask a connected client for its certificate (RFC 8446 section 4.6.2), on a server, in TLS 1.3.

        Gives who the client is, as ``peer`` does from then on, or None for an empty answer. Data that comes before the
        answer is kept for ``recv``, 1 MiB at most. Without ``wait`` it gives None at once, and ``recv`` will come upon the
        answer. Raises ``Misuse`` where the client did not offer that or ``trust`` is not set, ``CertificateRejected``
        for a certificate that is refused, ``TimeoutError`` where no answer comes.
        """
        if not isinstance(self.connection, ServerConnection):
            raise Misuse("only a server can ask for a client's certificate")
        with self._sending:
            self._check_open()
            with self._engine:
                self.connection.request_client_certificate()
                self._asked += 1
                number = self._asked
            self._push_within(deadline_in(self._timeout))
        self._flush()
        return self._wait_for_answer(number) if wait else None

    def _wait_for_answer(self, number: int) -> VerifiedPeer | None:
        with self._reading:
            deadline = deadline_in(self._timeout)
            while len(self._answers) < number:
                self._check_open()
                if self._ended:
                    raise TLSError(
                        "the client ended the connection instead of answering the request for a certificate",
                        code="no-answer",
                    )
                if self.pending > _PENDING_LIMIT:
                    raise TLSError(
                        f"the client sent {self.pending} bytes of data and no answer to the request for its certificate",
                        code="no-answer",
                    )
                if not self._receive(deadline):
                    raise TimeoutError(f"the client sent no certificate within {self._timeout} s")
            return self._answers[number - 1]

    def _push_within(self, deadline: float | None) -> None:
        if not self._push(deadline):
            raise TimeoutError(f"the {self._peer_role} took no more data within {self._timeout} s")

    def makefile(
        self,
        mode: str = "r",
        buffering: int = -1,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """The stream as a file, as ``socket.makefile`` makes it: modes ``r``, ``w``, ``rw``, each with ``b`` for bytes.

        Closing the file flushes it and leaves the stream open; once the stream is closed, the file can't be used. What
        the file has in its buffer ``recv`` does not see. After a ``TimeoutError`` it can't be read any more.
        """
        return open_file(self, mode, buffering, encoding, errors, newline)

    # The end

    def shutdown_write(self) -> None:
        """Tell the peer with close_notify that nothing more will be sent; what it still sends can be read."""
        with self._sending:
            self._check_open()
            with self._engine:
                self.connection.close()
            self._push_within(deadline_in(self._timeout))
        self._flush()

    def close(self) -> None:
        """Say close_notify and close the socket, having waited half a second at most for the peer to end as well.

        Another thread's ``recv`` or ``sendall`` then raises ``Misuse``.
        """
        if not self._closed:
            self._closed = True
            deadline = deadline_in(LINGER)
            with self._engine:
                self.connection.close()
            self._send_last(LINGER)
            if not self._ended and self._failure is None and self._reading.acquire(blocking=False):
                discard(self._sock, deadline)
                self._reading.release()
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes a thread that still waits
        self._sock.close()

    def abort(self) -> None:
        """End the connection now, from any thread: close_notify goes out only where there is room for it.

        Another thread's ``recv`` or ``sendall`` then raises ``Misuse``. ``close`` is still to be called.
        """
        self._closed = True
        with self._engine:
            self.connection.close()
        self._send_last(0)
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "connected" if self.connection.handshake_complete else "not connected"
        return f"<TLSStream {self.connection.role} {state}>"
