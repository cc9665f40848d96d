"""``SSLContext`` over tlscope's core: the standard library's settings, and what tlscope makes of them.

It is a true subclass, so that whoever asks ``isinstance`` is content, and inherits the settings that are only kept
(``verify_mode``, ``check_hostname``, ``options``, the versions). A setting that has no meaning here raises.
"""

from __future__ import annotations

import os
import ssl as std
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..config import DEFAULT_CIPHER_SUITES, DEFAULT_GROUPS, ClientAuth, ClientConfig, ServerConfig
from ..connection import ClientConnection, ServerConnection
from ..crypto.cipher_suites import SUITES
from ..errors import ConfigError, Misuse
from ..io.keylog import key_log_file
from ..sessions import MemorySessionCache, Session
from ..trust.anchors import TrustAnchors
from ..trust.identity import Identity
from ..wire.codepoints import CipherSuite, NamedGroup, ProtocolVersion
from .certificates import describe_certificate, split_der
from .channel import Channel
from .ciphers import describe_suite, group_named
from .errors import as_ssl
from .refusal import Refusal, Refusing
from .transports import BioTransport, SocketTransport

if TYPE_CHECKING:
    from ..trace import Sink

__all__ = ["SSLContext"]

# The class below the standard library's: its properties are reached through this, because the standard library reaches
# them through the global name SSLContext, which is this module's class once ``inject_into_ssl`` was called.
_NATIVE: Any = std.SSLContext.__mro__[1]
_VERSIONS = {
    std.TLSVersion.TLSv1_2: ProtocolVersion.TLS1_2,
    std.TLSVersion.TLSv1_3: ProtocolVersion.TLS1_3,
    std.TLSVersion.MAXIMUM_SUPPORTED: ProtocolVersion.TLS1_3,
}


class SSLContext(Refusing, std.SSLContext):
    """In place of ``ssl.SSLContext``."""

    def __new__(cls, protocol: int | None = None, *args: Any, **kwargs: Any) -> SSLContext:
        """A context for ``PROTOCOL_TLS_CLIENT`` or ``PROTOCOL_TLS_SERVER``; the older protocols can do both."""
        self = super().__new__(cls, protocol)
        self._identities = []
        self._anchors = []
        self._alpn = ()
        self._groups = DEFAULT_GROUPS
        self._suites = DEFAULT_CIPHER_SUITES
        self._trace = cls.default_trace
        self._sni_callback = None
        self._reload = []
        self._built = {}
        return self

    default_trace: ClassVar[Callable[[], Sink | None] | None] = None
    """What traces the connections of new contexts, where ``trace_with`` does not say otherwise."""

    _identities: list[Identity]
    _anchors: list[TrustAnchors]
    _alpn: tuple[str, ...]
    _groups: tuple[NamedGroup, ...]
    _suites: tuple[CipherSuite, ...]
    _trace: Callable[[], Sink | None] | None
    _sni_callback: Any
    _reload: list[tuple[Callable[..., None], tuple[Any, ...]]]
    _built: dict[Any, Any]

    # Certificates and trust

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
        """A certificate chain and its key, from files (PEM, DER, PKCS#12)."""
        paths = [None if one is None else Path(os.fsdecode(one)) for one in (certfile, keyfile)]
        for path in paths:
            if path is not None and not path.exists():
                raise FileNotFoundError(2, "No such file or directory", str(path))
        self.load_identity(_as_ssl(lambda: Identity.from_files(paths[0] or "", paths[1], password)))
        self._reload.append((self.load_cert_chain, (certfile, keyfile, password)))

    def load_identity(self, identity: Identity) -> None:
        """A certificate and its key that are in memory already, in any of ``Identity``'s ways."""
        # As with OpenSSL, a second certificate for the same kind of key takes the first one's place.
        self._identities = [one for one in self._identities if one.key_kind != identity.key_kind] + [identity]
        self._built.clear()

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """Certificates to trust, from a file, a directory or memory (PEM text or DER bytes)."""
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        for path in (cafile, capath):
            if path is not None and not Path(os.fsdecode(path)).exists():
                raise FileNotFoundError(2, "No such file or directory", os.fsdecode(path))
        if cafile is not None:
            self._trust(lambda: TrustAnchors.from_file(os.fsdecode(cafile)))
        if capath is not None:
            self._trust(lambda: TrustAnchors.from_directory(os.fsdecode(capath)))
        if cadata is not None:
            pem = isinstance(cadata, str)
            self._trust(
                lambda: TrustAnchors.from_pem(cadata) if pem else TrustAnchors.from_der(split_der(bytes(cadata)))
            )
        self._reload.append((self.load_verify_locations, (cafile, capath, cadata)))

    def load_default_certs(self, purpose: Any = std.Purpose.SERVER_AUTH) -> None:
        """The system's trust anchors."""
        self._trust(TrustAnchors.system)

    def set_default_verify_paths(self) -> None:
        """The system's trust anchors."""
        self._trust(TrustAnchors.system)

    def reload(self) -> None:
        """Read every file again that was loaded into this context: connections from now on use what is in them."""
        again, self._reload = self._reload, []
        self._identities, self._anchors = [], []
        self._built.clear()
        for load, arguments in again:
            load(*arguments)

    def _trust(self, load: Callable[[], TrustAnchors]) -> None:
        self._anchors.append(_as_ssl(load))
        self._built.clear()

    def get_ca_certs(self, binary_form: bool = False) -> Any:
        """The trusted certificates."""
        anchors = self._all_anchors()
        ders = [] if anchors is None else [anchors.der(one) for one in anchors]
        return ders if binary_form else [describe_certificate(der) for der in ders]

    def cert_store_stats(self) -> dict[str, int]:
        """How many certificates are trusted."""
        anchors = self._all_anchors()
        count = 0 if anchors is None else len(anchors)
        return {"x509": count, "crl": 0, "x509_ca": count}

    def _all_anchors(self) -> TrustAnchors | None:
        if not self._anchors:
            return None
        joined = self._anchors[0]
        for more in self._anchors[1:]:
            joined = joined + more
        return joined

    # Algorithms and protocols

    def set_ciphers(self, cipherlist: str, /) -> None:
        """TLS 1.2's cipher suites in OpenSSL's notation; those of TLS 1.3 stay, as there."""
        _NATIVE.set_ciphers(self, cipherlist)
        named = {CipherSuite(one["id"] & 0xFFFF) for one in _NATIVE.get_ciphers(self)}
        older = tuple(suite for suite in SUITES if suite in named and not SUITES[suite].is_tls13)
        self._suites = tuple(suite for suite in DEFAULT_CIPHER_SUITES if SUITES[suite].is_tls13) + older
        self._built.clear()

    def get_ciphers(self) -> Any:
        """The cipher suites, each as a dictionary with name, protocol and bits."""
        return [describe_suite(suite) for suite in self._suites]

    def set_groups(self, groups: str | Iterable[str | NamedGroup], /) -> None:
        """Key-exchange groups in order of preference, by OpenSSL's or the registry's names (``X25519:P-256``)."""
        names = groups.split(":") if isinstance(groups, str) else list(groups)
        self._groups = tuple(one if isinstance(one, NamedGroup) else group_named(one) for one in names)
        self._built.clear()

    def set_ecdh_curve(self, name: str, /) -> None:
        """The one group to use."""
        self.set_groups([name])

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Application protocols in order of preference (RFC 7301)."""
        protocols = []
        for one in alpn_protocols:
            if not 1 <= len(one.encode("ascii")) <= 255:
                raise std.SSLError("ALPN protocols must be 1 to 255 bytes long")
            protocols.append(one)
        self._alpn = tuple(protocols)
        self._built.clear()

    def set_npn_protocols(self, npn_protocols: Any) -> None:
        """NPN was given up for ALPN."""
        raise NotImplementedError("NPN was given up for ALPN: use set_alpn_protocols")

    def load_dh_params(self, path: Any, /) -> None:
        """There are no Diffie-Hellman parameters to choose: groups have names (RFC 7919)."""
        raise Misuse("tlscope has no custom Diffie-Hellman parameters; name groups with set_groups", code="no-meaning")

    def trace_with(self, factory: Callable[[], Sink | None] | None) -> None:
        """Have each connection traced by what ``factory`` makes; ``tlscope.Trace`` will do."""
        self._trace = factory
        self._built.clear()

    @property
    def sni_callback(self) -> Any:
        """Called on a server with the socket, the name asked for and this context; it may set the socket's context."""
        return self._sni_callback

    @sni_callback.setter
    def sni_callback(self, callback: Any) -> None:
        if callback is not None and not callable(callback):
            raise TypeError("not a callable object")
        self._sni_callback = callback

    def set_servername_callback(self, server_name_callback: Any) -> None:
        """The older name of ``sni_callback``."""
        self.sni_callback = server_name_callback

    # Settings that the standard library keeps; see _NATIVE

    @property
    def minimum_version(self) -> std.TLSVersion:
        """The oldest version to speak; one older than TLS 1.2 means TLS 1.2."""
        return std.TLSVersion(_NATIVE.minimum_version.__get__(self))

    @minimum_version.setter
    def minimum_version(self, value: int) -> None:
        _NATIVE.minimum_version.__set__(self, value)

    @property
    def maximum_version(self) -> std.TLSVersion:
        """The newest version to speak."""
        return std.TLSVersion(_NATIVE.maximum_version.__get__(self))

    @maximum_version.setter
    def maximum_version(self, value: int) -> None:
        _NATIVE.maximum_version.__set__(self, value)

    @property
    def options(self) -> std.Options:
        """``OP_NO_TLSv1_2``, ``OP_NO_TLSv1_3`` and ``OP_NO_TICKET`` have a meaning here."""
        return std.Options(_NATIVE.options.__get__(self))

    @options.setter
    def options(self, value: int) -> None:
        _NATIVE.options.__set__(self, value)

    @property
    def verify_flags(self) -> std.VerifyFlags:
        """Kept; ``VERIFY_X509_STRICT`` is always in force."""
        return std.VerifyFlags(_NATIVE.verify_flags.__get__(self))

    @verify_flags.setter
    def verify_flags(self, value: int) -> None:
        if value & (std.VerifyFlags.VERIFY_CRL_CHECK_LEAF | std.VerifyFlags.VERIFY_CRL_CHECK_CHAIN):
            raise Misuse(
                "revocation lists are set with VerificationPolicy(crls=...), not with verify_flags", code="no-meaning"
            )
        _NATIVE.verify_flags.__set__(self, value)

    @property
    def verify_mode(self) -> std.VerifyMode:
        """``CERT_NONE``, ``CERT_OPTIONAL`` or ``CERT_REQUIRED``."""
        return std.VerifyMode(_NATIVE.verify_mode.__get__(self))

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        _NATIVE.verify_mode.__set__(self, value)

    # Connections: the standard library's wrap_socket and wrap_bio come here

    def _wrap_socket(
        self, sock: Any, server_side: bool, server_hostname: Any = None, *, owner: Any = None, session: Any = None
    ) -> Channel:
        return Channel(self, SocketTransport(sock), server_side, _hostname(server_hostname), owner, session)

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
        return Channel(self, BioTransport(incoming, outgoing), server_side, _hostname(server_hostname), owner, session)

    def connection(self, channel: Channel, session: Any) -> ClientConnection | ServerConnection:
        """tlscope's connection for a channel, by the settings as they are now."""
        if channel.server_side:
            return ServerConnection(_as_ssl(lambda: self._server_config(channel)))
        config: ClientConfig = _as_ssl(self._client_config)
        if isinstance(session, Session):
            cache = MemorySessionCache()
            cache.put(channel.server_hostname or "", session)
            config = config.replace(sessions=cache)
        connection: ClientConnection = _as_ssl(lambda: ClientConnection(config, channel.server_hostname))
        return connection

    def _common(self) -> dict[str, Any]:
        oldest = _VERSIONS.get(self.minimum_version, ProtocolVersion.TLS1_2)
        newest = _VERSIONS.get(self.maximum_version)
        if newest is None:
            raise ConfigError(
                f"maximum_version is {self.maximum_version.name}; TLS 1.2 is the oldest version spoken here"
            )
        if self.options & std.Options.OP_NO_TLSv1_3:
            newest = ProtocolVersion.TLS1_2
        if self.options & std.Options.OP_NO_TLSv1_2:
            oldest = ProtocolVersion.TLS1_3
        return {
            "trust": self._all_anchors(),
            "min_version": oldest,
            "max_version": newest,
            "cipher_suites": self._suites,
            "groups": self._groups,
            "alpn": self._alpn,
            "key_log": key_log_file(self.keylog_filename) if self.keylog_filename else None,
            "trace": self._trace,
        }

    def _settings(self) -> tuple[Any, ...]:
        return (
            self.verify_mode,
            self.check_hostname,
            self.minimum_version,
            self.maximum_version,
            self.options,
            self.keylog_filename,
            self.post_handshake_auth,
            self._tickets(),
        )

    def _tickets(self) -> int:
        count: int = getattr(self, "num_tickets", 2)
        return count

    def _client_config(self) -> ClientConfig:
        key = ("client", *self._settings())
        known: ClientConfig | None = self._built.get(key)
        if known is None:
            common = self._common()
            if common["trust"] is None:
                common["trust"] = TrustAnchors.from_certificates([])
            known = self._built[key] = ClientConfig(
                **common,
                identities=tuple(self._identities),
                insecure_skip_verification=self.verify_mode == std.VerifyMode.CERT_NONE,
                check_server_name=bool(self.check_hostname),
                post_handshake_auth=self.post_handshake_auth,
            )
        return known

    def _server_config(self, channel: Channel) -> ServerConfig:
        key = ("server", *self._settings())
        known: ServerConfig | None = self._built.get(key)
        if known is None:
            common = self._common()
            modes = {std.CERT_NONE: ClientAuth.NONE, std.CERT_OPTIONAL: ClientAuth.REQUESTED}
            auth = modes.get(self.verify_mode, ClientAuth.REQUIRED)
            # With post-handshake authentication the certificate is asked for later and not in the handshake.
            if self.post_handshake_auth:
                auth = ClientAuth.NONE
            if auth is not ClientAuth.NONE and common["trust"] is None:
                common["trust"] = TrustAnchors.from_certificates([])
            known = self._built[key] = ServerConfig(
                **common,
                identities=tuple(self._identities),
                client_auth=auth,
                report_refused_clients=self.refuse_clients_by is not Refusal.ALERT,
                tickets_per_handshake=0 if self.options & std.Options.OP_NO_TICKET else self._tickets(),
            )
        if self._sni_callback is None:
            return known
        return known.replace(choose_identity=lambda decision: self._ask_for_identity(channel, decision))

    def _ask_for_identity(self, channel: Channel, decision: Any) -> Identity | None:
        owner = channel.owner
        refusal = self._sni_callback(owner, decision.server_name, self)
        if refusal is not None:
            raise Misuse(f"sni_callback refused the name {decision.server_name!r}", code="unknown-sni")
        chosen = channel.context
        if chosen is self:
            return None
        for one in chosen._identities:
            if any(scheme in decision.signature_schemes for scheme in one.schemes):
                return one
        return None


def _hostname(name: Any) -> str | None:
    return name.decode("ascii") if isinstance(name, bytes) else name


def _as_ssl(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except (ConfigError, Misuse) as error:
        raise as_ssl(error) from None
