"""What stands behind an ``SSLSocket`` or ``SSLObject``: tlscope's connection with the methods of OpenSSL's.

The standard library's two classes are thin: everything they do goes to an object in ``_sslobj``. This is that object; what
it can be asked is in ``facts.py``, how it moves bytes is here.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from ..connection import ClientConnection, ServerConnection
from ..errors import Misuse, PeerViolation, TLSError, TruncatedStream
from ..events import (
    DataReceived,
    DecisionNeeded,
    EarlyDataReceived,
    Event,
    HandshakeCompleted,
    PeerAuthenticated,
    PeerClosed,
)
from ..violations import NO_CLIENT_CERTIFICATE
from ..wire.codepoints import AlertDescription, ProtocolVersion
from .errors import ZeroReturn, as_ssl, raise_as_ssl
from .facts import Facts
from .transports import Transport

if TYPE_CHECKING:
    from ..sessions import Session
    from ..trace import Sink
    from .context import SSLContext

__all__ = ["Channel"]

_BLOCK = 1 << 16
"""Bytes that are sealed and sent at a time: four records."""

_UNREAD_LIMIT = 1024 * 1024
"""Bytes that are kept for ``read`` while ``shutdown`` waits for the peer's end."""


class Channel(Facts):
    """One connection, for one reader and one writer thread at a time.

    ``_engine`` guards the connection, ``_sending`` the order of what goes out, ``_reading`` that of what comes in. The
    engine is never held while a thread waits for the transport; a reader that finds a writer busy leaves what it has to say
    to that one, so that neither waits for the other where the peer does not read.
    """

    def __init__(
        self,
        context: SSLContext,
        transport: Transport,
        server_side: bool,
        server_hostname: str | None,
        owner: Any,
        session: Any,
    ) -> None:
        self._context = context
        self._owner = None if owner is None else weakref.ref(owner)
        self.server_side = server_side
        self.server_hostname = server_hostname
        self._transport = transport
        self._engine, self._sending, self._reading = threading.RLock(), threading.Lock(), threading.Lock()
        self._inbox: deque[bytes] = deque()
        self._accepted = 0
        self._begun = self._complete = self._ended = self._admitted = False
        self._named = self._certificate_required = False
        self._connection: ClientConnection | ServerConnection | None = None
        self.offered: Session | None = None
        self.received: Session | None = None
        self.delayed: Exception | None = None
        self.trace: Sink | None = None
        if session is not None:
            self.session = session

    @property
    def owner(self) -> Any:
        """The ``SSLSocket`` or ``SSLObject``, as long as there is one."""
        return None if self._owner is None else self._owner()

    @property
    def connection(self) -> ClientConnection | ServerConnection:
        """tlscope's own connection; made when it is first needed, from the context as it is then."""
        if self._connection is None:
            self._connection = self._context.connection(self)
            # sni_callback may change the context, which changes the certificate that is shown and nothing else.
            self._certificate_required = self._context.requires_certificate
        return self._connection

    # The handshake and the data

    def do_handshake(self) -> None:
        """Go on until the handshake is complete."""
        connection = self.connection
        with self._engine:
            if not self._begun:
                self._begun = True
                self._context.count(self.server_side, "begun")
                self._act(connection.start)
        self._push()
        with self._reading:
            while not connection.handshake_complete:
                try:
                    self._pull(connection)
                except ConnectionError:
                    # A client may say what it has to say and go away: it needs no tickets, and what it said can be read.
                    if self.version() != "TLSv1.3" or not self.server_side:
                        raise
        self._complete = True
        self._raise_delayed()

    def read(self, length: int = 1024, buffer: Any = None) -> Any:
        """Up to ``length`` bytes, or into ``buffer``, which gives their number; nothing at the peer's close_notify."""
        if buffer is not None:
            room = memoryview(buffer).nbytes
            length = min(length, room) if length > 0 else room
        elif length < 0:
            raise ValueError("size should not be negative")
        if length == 0:
            return 0 if buffer is not None else b""
        if not self._complete:
            self.do_handshake()
        if not self._admitted:
            self._admit()
        data = self._next(length)
        if self.delayed is not None:
            self._raise_delayed()
        if buffer is None:
            return data
        with memoryview(buffer) as view:
            view.cast("B")[: len(data)] = data
        return len(data)

    def _next(self, length: int) -> bytes:
        """The next bytes that came, waiting for them; nothing at the end."""
        inbox, connection = self._inbox, self.connection
        with self._reading:
            while not inbox:
                if self._ended:
                    if connection.closed_by_us:
                        raise ZeroReturn  # as OpenSSL tells apart who has closed first
                    return b""
                self._pull(connection)
            first = inbox.popleft()
            if len(first) > length:
                inbox.appendleft(first[length:])
                return first[:length]
            return first

    def write(self, data: Any) -> int:
        """Encrypt and send; gives how many bytes of ``data`` were taken: all, or 64 KiB where the transport may get full.

        Where it is full, ``SSLWantWriteError`` says so, and the caller comes again with the same data: what has been
        encrypted of it is not encrypted a second time. Raises ``SSLError`` for less, which can't be the same.
        """
        if not self._complete:
            self.do_handshake()
        connection = self.connection
        if not self._admitted:
            self._admit()
        taken = len(data) if type(data) is bytes else memoryview(data).nbytes
        with self._sending:
            if taken < self._accepted:
                # To say that it was sent would lose it.
                waiting = f"{self._accepted} bytes wait to be sent: write the same data again, not other data"
                raise as_ssl(Misuse(waiting, code="other-data"))
            self._transport.flush()
            if self._accepted:
                taken, self._accepted = self._accepted, 0
                return taken
            if taken > _BLOCK and self._transport.waits:
                self._write_blocks(data)
            else:
                if taken > _BLOCK:
                    # What is sealed beyond what the caller is told of would go out even where other data comes next.
                    data, taken = _beginning(data), _BLOCK
                out = self._sealed(data)
                self._accepted = taken
                self._transport.send(out)
                self._accepted = 0
        if connection.has_data_to_send:
            self._push()
        if self.delayed is not None:
            self._raise_delayed()
        return taken

    def _write_blocks(self, data: Any) -> None:
        """Block by block: sealing all of it first would go through memory that no processor's cache holds."""
        with memoryview(data) as whole, whole.cast("B") as view:
            for start in range(0, len(view), _BLOCK):
                self._transport.send(self._sealed(view[start : start + _BLOCK]))

    def _sealed(self, data: Any) -> bytes:
        connection = self.connection
        with self._engine:
            try:
                connection.send_data(data)
            except TLSError as error:
                self._fail(error)
            return connection.data_to_send()

    def shutdown(self) -> Any:
        """Say close_notify and wait for the peer's; gives the socket, where there is one (RFC 8446 section 6.1).

        Raises ``SSLError`` where the peer has sent data that nobody has read, and that would be lost with the socket, or
        more of it than is kept.
        """
        connection = self.connection
        if not connection.handshake_complete and connection.error is None:
            raise as_ssl(
                Misuse("the handshake is not complete, so there is nothing to shut down", code="not-connected")
            )
        with self._engine:
            connection.close()
        self._push()
        sock = self._transport.plain()
        limit = _UNREAD_LIMIT if sock is None else 0
        with self._reading:
            while self.pending() <= limit:
                if self._ended:
                    return sock
                self._pull(connection)
        unread = "the peer has sent data that nobody has read: read until there is no more, then shut down"
        raise as_ssl(Misuse(unread, code="unread-data"))

    def pending(self) -> int:
        """Bytes that can be read without waiting."""
        return sum(map(len, self._inbox))

    def verify_client_post_handshake(self) -> None:
        """Ask the client for its certificate now (RFC 8446 section 4.6.2)."""
        connection = self.connection
        if not isinstance(connection, ServerConnection):
            raise as_ssl(Misuse("a client can't ask for a certificate", code="not-server"))
        if connection.facts is not None and connection.facts.version is not ProtocolVersion.TLS1_3:
            raise as_ssl(Misuse("TLS 1.2 has no authentication after the handshake", code="wrong-version"))
        with self._engine:
            self._act(connection.request_client_certificate)
        self._push()

    # Clients that are refused once they are connected

    def _admit(self) -> None:
        """Nothing of a refused client's gets to whoever has not asked whether it is one (``refuse_clients_by``)."""
        refusal = None if self.facts is None else self.facts.refusal
        if refusal is not None:
            with self._engine:
                self.connection.abort(refusal.alert or AlertDescription.access_denied)
            self._push()
            raise_as_ssl(refusal)
        self._admitted = self.facts is not None

    def client_refusal(self) -> Any:
        """On a server, why the client is refused, None where it is not; whoever has asked may exchange data with it.

        Raises ``ValueError`` before the handshake is done.
        """
        if self.facts is None:
            raise ValueError("handshake not done yet")
        self._admitted = True
        return None if self.facts.refusal is None else as_ssl(self.facts.refusal)

    # How it goes

    def _pull(self, connection: ClientConnection | ServerConnection) -> None:
        """Take what comes next from the transport; the caller is the one reader."""
        if connection.error is not None:
            # It has failed before: there is nothing to wait for, and the reason is still the reason.
            raise_as_ssl(connection.error)
        data = self._transport.receive()
        with self._engine:
            if data:
                self._act(connection.receive_data, data)
            else:
                self._act(connection.receive_eof)
        if connection.has_data_to_send:
            self._push()

    def _push(self) -> None:
        # A writer that is at it sends what is queued meanwhile when it has done; waiting for it could wait forever.
        connection, transport = self.connection, self._transport
        while (connection.has_data_to_send or transport.keeps) and self._sending.acquire(blocking=False):
            try:
                with self._engine:
                    out = connection.data_to_send()
                transport.send(out)
            finally:
                self._sending.release()

    def _act(self, action: Any, *arguments: Any) -> None:
        """Have the connection do something and hear what came of it; the engine is held."""
        sessions = None if self.server_side else self._context.sessions
        if sessions is not None:
            sessions.attend(self)
        try:
            events = action(*arguments)
            while events:
                events = self._hear(events)
        except TLSError as error:
            self._hear(self.connection.events_before_error())
            self._fail(error)
        finally:
            if sessions is not None:
                sessions.attend(None)

    def _hear(self, events: list[Event]) -> list[Event] | None:
        """Take events in; gives those that follow the answer to a decision."""
        for event in events:
            kind = type(event)
            if kind is DataReceived or kind is EarlyDataReceived:
                self._inbox.append(event.data)  # type: ignore[attr-defined]
            elif kind is PeerClosed:
                self._ended = True
            elif isinstance(event, HandshakeCompleted):
                self._completed(event)
            elif isinstance(event, DecisionNeeded):
                self._named = True
                return self.connection.answer(self._context.choose_identity(self, event.decision))
            elif isinstance(event, PeerAuthenticated) and event.peer is None and self._certificate_required:
                self._fail(self._give_up(PeerViolation(NO_CLIENT_CERTIFICATE)))
        return None

    def _completed(self, event: HandshakeCompleted) -> None:
        self._context.count(self.server_side, "good")
        if event.facts.resumed:
            self._context.count(self.server_side, "resumed")
        if self.server_side and not self._named:
            # A session needs no certificate, so nobody has asked sni_callback yet, who may refuse the name.
            self._named = True
            refusal = self._context.ask_sni_callback(self, event.facts.server_name)
            if refusal is not None:
                self._fail(self._give_up(refusal))

    def _give_up(self, error: TLSError) -> TLSError:
        self.connection.abort(error.alert or AlertDescription.internal_error)
        return error

    def _fail(self, error: TLSError) -> None:
        """Send the alert that is owed, as well as it goes, and raise."""
        owed = self._connection is not None and not isinstance(error, TruncatedStream)
        # Nobody may be held up by it: what a busy writer leaves is lost with the connection.
        if owed and self._sending.acquire(blocking=False):
            try:
                out = self.connection.data_to_send()
                if out:
                    self._transport.send(out)
            except OSError:
                pass  # the error that is raised says more
            finally:
                self._sending.release()
        raise_as_ssl(error)

    def _raise_delayed(self) -> None:
        error, self.delayed = self.delayed, None
        if error is not None:
            raise error


def _beginning(data: Any) -> bytes:
    with memoryview(data) as whole, whole.cast("B") as view:
        return bytes(view[:_BLOCK])
