"""What stands behind an ``SSLSocket`` or ``SSLObject``: tlscope's connection with the methods of OpenSSL's.

The standard library's two classes are thin: everything they do goes to an object in ``_sslobj``. This is that object.
"""

from __future__ import annotations

import ssl as std
import threading
import weakref
from typing import TYPE_CHECKING, Any

from ..connection import ClientConnection, ServerConnection
from ..crypto.cipher_suites import SUITES
from ..errors import Misuse, TLSError, TruncatedStream
from ..events import DataReceived, EarlyDataReceived, Event, PeerClosed, TicketReceived
from ..sessions import Session
from ..wire.codepoints import AlertDescription
from .certificates import describe_certificate
from .ciphers import openssl_name
from .errors import as_ssl, raise_as_ssl
from .transports import Transport

if TYPE_CHECKING:
    from .context import SSLContext

__all__ = ["Channel"]

_VERSIONS = {0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}


class Channel:
    """One connection, for one reader and one writer thread at a time.

    ``_engine`` guards the connection, ``_sending`` the order of what goes out. Neither is held while a reader waits for
    bytes; a reader that finds a writer busy leaves what it has to say to that one.
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
        # As with OpenSSL's: who holds the channel must not wait for the garbage collector because the channel knows it.
        self._owner = None if owner is None else weakref.ref(owner)
        self.server_side = server_side
        self.server_hostname = server_hostname
        self._transport = transport
        self._engine, self._sending, self._reading = threading.RLock(), threading.Lock(), threading.Lock()
        self._inbox: list[bytes] = []
        self._accepted = 0
        self._ended = False
        self._admitted = False
        self._received: Session | None = None
        self._offered = session
        self._connection: ClientConnection | ServerConnection | None = None

    @property
    def owner(self) -> Any:
        """The ``SSLSocket`` or ``SSLObject`` that this stands behind."""
        return None if self._owner is None else self._owner()

    @property
    def connection(self) -> ClientConnection | ServerConnection:
        """tlscope's own connection; made when it is first needed, from the context as it is then."""
        if self._connection is None:
            self._connection = self._context.connection(self, self._offered)
        return self._connection

    # The handshake and the data

    def do_handshake(self) -> None:
        """Go on until the handshake is complete."""
        with self._engine:
            self._guard(self.connection.start)
        self._push()
        while not self.connection.handshake_complete:
            self._pull()

    def read(self, length: int = 1024, buffer: Any = None) -> Any:
        """Up to ``length`` bytes, or into ``buffer``, which gives their number; nothing at the peer's close_notify."""
        if buffer is not None:
            with memoryview(buffer) as view:
                length = min(length, view.nbytes) if length > 0 else view.nbytes
        if length == 0:
            return 0 if buffer is not None else b""
        while not self._inbox and not self._ended:
            if not self.connection.handshake_complete:
                self.do_handshake()
                continue
            with self._reading:
                if not self._inbox and not self._ended:
                    self._pull()
        if not self._admitted:
            self._admit()
        data = self._take(length)
        if buffer is None:
            return data
        with memoryview(buffer) as view:
            view.cast("B")[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int:
        """Encrypt and send; gives how many bytes of ``data`` were taken, which is all of them.

        Where the transport is full, ``SSLWantWriteError`` says so, and the caller comes again with the same data: it is
        not encrypted a second time.
        """
        if not self.connection.handshake_complete:
            self.do_handshake()
        if not self._admitted:
            self._admit()
        with self._sending:
            self._transport.flush()
            if self._accepted:
                taken, self._accepted = self._accepted, 0
                return taken
            with memoryview(data) as view, self._engine:
                taken = view.nbytes
                self._guard(lambda: self.connection.send_data(view))
                out = self.connection.data_to_send()
            self._accepted = taken
            self._transport.send(out)
            self._accepted = 0
        self._push()
        return taken

    def shutdown(self) -> Any:
        """Say close_notify and wait for the peer's; gives the socket, where there is one (RFC 8446 section 6.1)."""
        with self._engine:
            self.connection.close()
        self._push()
        while not self._ended:
            self._pull()
        return getattr(self._transport, "sock", None)

    def pending(self) -> int:
        """Bytes that can be read without waiting."""
        return sum(map(len, self._inbox))

    def _admit(self) -> None:
        """Nothing of a refused client's gets to whoever has not asked whether it is one (``refuse_clients_by``)."""
        refusal = None if self._facts is None else self._facts.refusal
        if refusal is not None:
            with self._engine:
                self.connection.abort(refusal.alert or AlertDescription.access_denied)
            self._push()
            raise_as_ssl(refusal)
        self._admitted = self._facts is not None

    def client_refusal(self) -> Any:
        """On a server, why the client is refused, None where it is not; whoever has asked may exchange data with it.

        Raises ``ValueError`` before the handshake is done.
        """
        if self._facts is None:
            raise ValueError("handshake not done yet")
        self._admitted = True
        return None if self._facts.refusal is None else as_ssl(self._facts.refusal)

    def _take(self, length: int) -> bytes:
        with self._engine:
            if not self._inbox:
                return b""
            first = self._inbox[0]
            if len(first) <= length:
                return self._inbox.pop(0)
            self._inbox[0] = first[length:]
            return first[:length]

    def _pull(self) -> None:
        if self.connection.error is not None:
            # It has failed before: there is nothing to wait for, and the reason is still the reason.
            raise_as_ssl(self.connection.error)
        data = self._transport.receive()
        with self._engine:
            try:
                if data:
                    self._hear(self.connection.receive_data(data))
                else:
                    self.connection.receive_eof()
            except TLSError as error:
                self._fail(error)
        self._push()

    def _push(self) -> None:
        # A writer that is at it sends what is queued meanwhile when it has done; waiting for it could wait forever.
        if not self._sending.acquire(blocking=False):
            return
        try:
            with self._engine:
                out = self.connection.data_to_send()
            if out:
                self._transport.send(out)
        finally:
            self._sending.release()

    def _hear(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, DataReceived | EarlyDataReceived):
                self._inbox.append(event.data)
            elif isinstance(event, PeerClosed):
                self._ended = True
            elif isinstance(event, TicketReceived):
                self._received = event.ticket

    def _guard(self, action: Any) -> None:
        try:
            action()
        except TLSError as error:
            self._fail(error)

    def _fail(self, error: TLSError) -> None:
        """Send the alert that is owed, as well as it goes, and raise."""
        if not isinstance(error, TruncatedStream):
            try:
                out = self.connection.data_to_send()
                if out:
                    self._transport.send(out)
            except OSError:
                pass  # the error that is raised says more
        raise_as_ssl(error)

    # What was agreed

    @property
    def _facts(self) -> Any:
        return None if self._connection is None else self._connection.facts

    @property
    def context(self) -> SSLContext:
        """The context; a server's ``sni_callback`` may set another, whose certificates are shown then."""
        return self._context

    @context.setter
    def context(self, context: SSLContext) -> None:
        self._context = context

    @property
    def session(self) -> Session | None:
        """The newest session that the server has offered to resume."""
        return self._received

    @property
    def session_reused(self) -> bool:
        """Whether this connection resumed a session."""
        return self._facts is not None and self._facts.resumed

    def getpeercert(self, binary_form: bool = False) -> Any:
        """The peer's certificate, DER or as ``ssl`` describes one; None without one, empty where it was not verified.

        Of a client that is refused (``refuse_clients_by``) there is no DER either; ``get_unverified_chain`` has what came.
        """
        if self._facts is None:
            raise ValueError("handshake not done yet")
        chain = self._facts.peer_chain
        if not chain or (binary_form and self._facts.refusal is not None):
            return None
        if binary_form:
            return chain[0]
        return describe_certificate(chain[0]) if self._facts.peer is not None else {}

    def get_verified_chain(self) -> list[bytes]:
        """The chain that was believed, DER, from the peer's certificate to the trust anchor."""
        return list(self._facts.peer.path) if self._facts is not None and self._facts.peer is not None else []

    def get_unverified_chain(self) -> list[bytes]:
        """The chain as the peer sent it, DER."""
        return list(self._facts.peer_chain) if self._facts is not None else []

    def selected_alpn_protocol(self) -> str | None:
        """The application protocol (RFC 7301)."""
        return None if self._facts is None else self._facts.alpn

    def selected_npn_protocol(self) -> None:
        """NPN was given up for ALPN."""

    def cipher(self) -> tuple[str, str, int] | None:
        """Name, protocol version and secret bits."""
        if self._facts is None:
            return None
        suite = SUITES[self._facts.cipher_suite]
        return openssl_name(suite.name), self.version() or "", suite.aead.key_length * 8

    def shared_ciphers(self) -> list[tuple[str, str, int]] | None:
        """On a server, what both sides could have spoken; None on a client."""
        cipher = self.cipher()
        return [cipher] if self.server_side and cipher is not None else None

    def compression(self) -> None:
        """There is none: it leaks what it compresses."""

    def version(self) -> str | None:
        """``TLSv1.2`` or ``TLSv1.3``."""
        return None if self._facts is None else _VERSIONS[int(self._facts.version)]

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """A channel binding, None before the handshake or where the version has none of this kind."""
        if cb_type not in ("tls-unique", "tls-exporter", "tls-server-end-point"):
            raise ValueError(f"{cb_type} channel binding type not implemented")
        if self._facts is None:
            return None
        try:
            return self.connection.channel_binding(cb_type)
        except Misuse:
            return None

    def verify_client_post_handshake(self) -> None:
        """Ask the client for its certificate now (RFC 8446 section 4.6.2)."""
        connection = self.connection
        if not isinstance(connection, ServerConnection):
            raise std.SSLError("a client can't ask for a certificate")
        with self._engine:
            self._guard(connection.request_client_certificate)
        self._push()
