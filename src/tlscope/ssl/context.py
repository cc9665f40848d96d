"""``SSLContext`` over tlscope's core: certificates, trust, and the connections that are made with them.

It is a true subclass, so that whoever asks ``isinstance`` is content. What can be set is in ``settings.py``, what becomes
of it in ``configs.py``.
"""

from __future__ import annotations

import ssl as std
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from ..connection import ClientConnection, ServerConnection
from ..errors import TLSError
from ..handshake.flow import ChooseServerIdentity
from ..sessions import TicketKeys
from ..trust.identity import Identity
from ..wire.codepoints import AlertDescription
from .callbacks import Observer
from .certificates import describe_certificate
from .channel import Channel
from .configs import client_config, server_config
from .errors import made_as_ssl
from .passwords import checked_password
from .sessions import ExplicitSessions
from .settings import Settings, no_meaning
from .transports import BioTransport, SocketTransport
from .trusted import Trusted, as_path

if TYPE_CHECKING:
    from ..trace import Sink

__all__ = ["SSLContext"]

_STATISTICS = (
    "number",
    "connect",
    "connect_good",
    "connect_renegotiate",
    "accept",
    "accept_good",
    "accept_renegotiate",
    "hits",
    "misses",
    "timeouts",
    "cache_full",
)


class SSLContext(Settings):
    """In place of ``ssl.SSLContext``."""

    default_trace: ClassVar[Callable[[], Sink | None] | None] = None
    """What traces the connections of new contexts, where ``trace_with`` does not say otherwise."""

    _identities: list[Identity]
    _trusted: Trusted
    _trace: Callable[[], Sink | None] | None
    _loaded: list[tuple[str, tuple[Any, ...]]]
    _statistics: dict[str, int]
    _counting: threading.Lock
    sessions: ExplicitSessions
    ticket_keys: TicketKeys

    def __new__(cls, protocol: int | None = None, *args: Any, **kwargs: Any) -> SSLContext:
        """A context for ``PROTOCOL_TLS_CLIENT`` or ``PROTOCOL_TLS_SERVER``; the older protocols can do both.

        ``PROTOCOL_TLSv1`` and ``PROTOCOL_TLSv1_1`` raise ``SSLError``: they are not spoken (RFC 8996).
        """
        if protocol in (getattr(std, "PROTOCOL_TLSv1", None), getattr(std, "PROTOCOL_TLSv1_1", None)):
            raise no_meaning(
                "TLS 1.0 and 1.1 are not spoken (RFC 8996); use PROTOCOL_TLS_CLIENT or PROTOCOL_TLS_SERVER"
            )
        self = super().__new__(cls, protocol)
        self._begin()
        self._identities, self._trusted, self._loaded = [], Trusted(), []
        self._trace = cls.default_trace
        self.sessions, self.ticket_keys = ExplicitSessions(), TicketKeys()
        self._statistics, self._counting = dict.fromkeys(_STATISTICS, 0), threading.Lock()
        return self

    # Certificates

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
        """A certificate chain and its key: paths of files (PEM, DER, PKCS#12), or their contents as ``bytes``.

        ``password`` is text, bytes, or what gives one when it is called. Raises ``FileNotFoundError``, and ``SSLError``
        (``ConfigError`` too) for what can't be used.
        """
        if certfile is None:
            raise TypeError("certfile should be a valid filesystem path, or the certificate's bytes")
        secret = checked_password(password)
        if _is_content(certfile):
            key = keyfile if keyfile is None or _is_content(keyfile) else as_path(keyfile).read_bytes()
            self._add(made_as_ssl(lambda: Identity.from_pem(bytes(certfile), key, secret)))
        else:
            certificate, key_path = as_path(certfile), None if keyfile is None else as_path(keyfile)
            self._add(made_as_ssl(lambda: Identity.from_files(certificate, key_path, secret)))
        self._loaded.append(("load_cert_chain", (certfile, keyfile, password)))

    def load_identity(self, identity: Identity) -> None:
        """A certificate and its key as one of ``Identity``'s ways has made it, with a staple or a signer elsewhere."""
        self._add(identity)
        self._loaded.append(("load_identity", (identity,)))

    def _add(self, identity: Identity) -> None:
        # As with OpenSSL, a second certificate for the same kind of key takes the first one's place.
        self._identities = [one for one in self._identities if one.key_kind != identity.key_kind] + [identity]
        self._built = {}

    # Trust

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """Certificates to trust, and revocation lists, from a file, a directory or memory (PEM text or DER bytes)."""
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        if not (cadata is None or isinstance(cadata, str | bytes | bytearray | memoryview)):
            raise TypeError("cadata should be an ASCII string or a bytes-like object")
        for path in (cafile, capath):
            if isinstance(path, bool):
                raise TypeError("cafile and capath should be valid filesystem paths")
        if cafile is not None:
            self._trusted.load_file(cafile)
        if capath is not None:
            self._trusted.load_directory(capath)
        if cadata is not None:
            self._trusted.load_data(cadata if isinstance(cadata, str) else bytes(cadata))
        self._loaded.append(("load_verify_locations", (cafile, capath, cadata)))
        self._built = {}

    def load_default_certs(self, purpose: Any = std.Purpose.SERVER_AUTH) -> None:
        """The system's trust anchors. Where there are none, nobody is trusted."""
        if not isinstance(purpose, std._ASN1Object):
            raise TypeError(purpose)
        self.set_default_verify_paths()

    def set_default_verify_paths(self) -> None:
        """The system's trust anchors."""
        self._trusted.load_system()
        self._loaded.append(("set_default_verify_paths", ()))
        self._built = {}

    def get_ca_certs(self, binary_form: bool = False) -> Any:
        """The trusted certificates that are CAs', described or as DER."""
        ders = self._trusted.ca_certificates()
        return ders if binary_form else [describe_certificate(der) for der in ders]

    def cert_store_stats(self) -> dict[str, int]:
        """How many certificates and revocation lists have been loaded to judge by."""
        return self._trusted.stats()

    def reload(self) -> None:
        """Read every file again that was loaded into this context: connections from now on use what is in them.

        What was given as bytes, or as an ``Identity``, stays. Raises as the loading did; then nothing has changed.
        """
        fresh = type(self)(self.protocol)
        for load, arguments in self._loaded:
            getattr(fresh, load)(*arguments)
        # All at once, for the threads that make connections meanwhile.
        self._identities, self._trusted = fresh._identities, fresh._trusted
        self._built = {}

    # Looking

    def trace_with(self, factory: Callable[[], Sink | None] | None) -> None:
        """Have each connection traced by what ``factory`` makes; ``tlscope.Trace`` will do."""
        self._trace = factory

    def session_stats(self) -> dict[str, int]:
        """How many connections were begun and completed, and how many of a server's resumed a session (``hits``)."""
        return dict(self._statistics)

    def count(self, server_side: bool, what: str) -> None:
        """Count a connection that was ``begun``, is ``good`` or has ``resumed``."""
        side = "accept" if server_side else "connect"
        with self._counting:
            if what == "resumed":
                self._statistics["hits"] += server_side
            else:
                self._statistics[side if what == "begun" else f"{side}_good"] += 1

    # Connections: the standard library's wrap_socket and wrap_bio come here

    def _wrap_socket(
        self, sock: Any, server_side: bool, server_hostname: Any = None, *, owner: Any = None, session: Any = None
    ) -> Channel:
        name = self._checked_name(server_side, server_hostname)
        return Channel(self, SocketTransport(sock), server_side, name, owner, session)

    def _wrap_bio(
        self,
        incoming: Any,
        outgoing: Any,
        server_side: bool,
        server_hostname: Any = None,
        *,
        owner: Any = None,
        session: Any = None,
    ) -> Channel:
        name = self._checked_name(server_side, server_hostname)
        return Channel(self, BioTransport(incoming, outgoing), server_side, name, owner, session)

    def _checked_name(self, server_side: bool, name: Any) -> str | None:
        if server_side and self.protocol == std.PROTOCOL_TLS_CLIENT:
            raise std.SSLError("Cannot create a server socket with a PROTOCOL_TLS_CLIENT context")
        if not server_side and self.protocol == std.PROTOCOL_TLS_SERVER:
            raise std.SSLError("Cannot create a client socket with a PROTOCOL_TLS_SERVER context")
        if self.check_hostname and not server_side and not name:
            raise ValueError("check_hostname requires server_hostname")
        text = name.decode("ascii") if isinstance(name, bytes) else name
        if text is not None and (not text or text.startswith(".")):
            raise ValueError("server_hostname cannot be an empty string or start with a leading dot.")
        if text is not None and "\0" in text:
            raise TypeError("argument must be encoded string without null bytes")
        return text

    def connection(self, channel: Channel) -> ClientConnection | ServerConnection:
        """tlscope's connection for a channel, by the settings as they are now."""
        sink = None if self._trace is None else self._trace()
        channel.trace = sink
        if self._message_callback is not None:
            sink = Observer(channel, self._message_callback, sink)
        if channel.server_side:
            return ServerConnection(made_as_ssl(lambda: server_config(self)), trace=sink)
        connection: ClientConnection = made_as_ssl(
            lambda: ClientConnection(client_config(self), channel.server_hostname, trace=sink)
        )
        return connection

    # The server's name

    def choose_identity(self, channel: Channel, decision: ChooseServerIdentity) -> Any:
        """The answer to a server's question for its certificate: an identity, or the error to refuse the client with."""
        refusal = self.ask_sni_callback(channel, decision.server_name)
        if refusal is not None:
            return refusal
        chosen = channel.context
        if chosen is self or not chosen._identities:
            return decision.resolve()
        fitting = [
            one for one in chosen._identities if any(scheme in decision.signature_schemes for scheme in one.schemes)
        ]
        return (fitting or chosen._identities)[0]

    def ask_sni_callback(self, channel: Channel, name: str | None) -> TLSError | None:
        """Call it, where there is one; gives the error to refuse the client with, None where it is welcome."""
        if self._sni_callback is None:
            return None
        alert: Any = AlertDescription.handshake_failure
        try:
            answer = self._sni_callback(channel.owner, name, self)
            if answer is None:
                return None
            alert = AlertDescription.internal_error
            if not isinstance(answer, int):
                raise TypeError(f"sni_callback must return None or the number of an alert, not {type(answer).__name__}")
            alert = AlertDescription(answer)
        except Exception as error:
            # As in the standard library: the handshake fails, and the program's hook hears why.
            _report(error, self._sni_callback)
        return TLSError(f"sni_callback refused the name {name!r}", code="callback-failed", alert=alert)


def _report(error: Exception, callback: Any) -> None:
    unraisable: Any = SimpleNamespace(
        exc_type=type(error),
        exc_value=error,
        exc_traceback=error.__traceback__,
        err_msg="Exception ignored in sni_callback",
        object=callback,
    )
    sys.unraisablehook(unraisable)


def _is_content(value: Any) -> bool:
    """Whether these are a file's contents, PEM or DER, and not the path of one."""
    if not isinstance(value, bytes | bytearray | memoryview):
        return False
    data = bytes(value)
    return b"-----BEGIN" in data or (data[:1] == b"\x30" and len(data) > 64)
