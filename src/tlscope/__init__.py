"""tlscope: a complete TLS 1.3 and TLS 1.2 that can be seen through.

Everything that a program needs is named here; ``connection.py`` is the place to start reading.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from .config import (
        DEFAULT_CIPHER_SUITES,
        DEFAULT_GROUPS,
        RSA_KEY_TRANSPORT,
        ClientAuth,
        ClientConfig,
        ServerConfig,
    )
    from .connection import ClientConnection, ServerConnection
    from .errors import (
        AlertReceived,
        CertificateRejected,
        ConfigError,
        HandshakeTimeout,
        Incompatible,
        Judge,
        Misuse,
        PeerViolation,
        Situation,
        Step,
        TLSError,
        TruncatedStream,
    )
    from .events import (
        ConnectionFacts,
        DataReceived,
        DecisionNeeded,
        EarlyDataReceived,
        EarlyDataRejected,
        Event,
        HandshakeCompleted,
        KeysUpdated,
        PeerAuthenticated,
        PeerClosed,
        TicketReceived,
    )
    from .external_psk import ExternalPsk
    from .handshake.flow import ChooseClientIdentity, ChooseServerIdentity, Decision, Sign, VerifyPeer
    from .io.blocking import TLSStream, connect
    from .io.keylog import key_log_file
    from .io.server import Server, serve
    from .limits import Limits
    from .replay import MemoryReplayGuard, ReplayGuard
    from .sessions import MemorySessionCache, MemorySessionStore, Session, SessionCache, SessionStore, TicketKeys
    from .ssl.inject import extract_from_ssl, inject_into_ssl
    from .trace import Trace
    from .trust.anchors import TrustAnchors
    from .trust.identity import Identity
    from .trust.policy import VerificationPolicy
    from .trust.raw_key import RawKeyIdentity
    from .trust.verify import VerifiedPeer
    from .wire.codepoints import AlertDescription, CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme

__all__ = [
    "__version__",
    # Settings
    "ClientConfig",
    "ServerConfig",
    "ClientAuth",
    "Identity",
    "RawKeyIdentity",
    "TrustAnchors",
    "VerificationPolicy",
    "Limits",
    "ProtocolVersion",
    "CipherSuite",
    "NamedGroup",
    "SignatureScheme",
    "DEFAULT_CIPHER_SUITES",
    "DEFAULT_GROUPS",
    "RSA_KEY_TRANSPORT",
    # Sessions
    "Session",
    "SessionCache",
    "MemorySessionCache",
    "SessionStore",
    "MemorySessionStore",
    "TicketKeys",
    "ExternalPsk",
    "ReplayGuard",
    "MemoryReplayGuard",
    # Connections without I/O
    "ClientConnection",
    "ServerConnection",
    "ConnectionFacts",
    "VerifiedPeer",
    # Connections over sockets; ``tlscope.aio`` has those over asyncio
    "connect",
    "TLSStream",
    "serve",
    "Server",
    "key_log_file",
    # Events
    "Event",
    "HandshakeCompleted",
    "DataReceived",
    "PeerClosed",
    "TicketReceived",
    "EarlyDataReceived",
    "EarlyDataRejected",
    "PeerAuthenticated",
    "KeysUpdated",
    "DecisionNeeded",
    # Decisions that the application may take
    "Decision",
    "ChooseServerIdentity",
    "ChooseClientIdentity",
    "Sign",
    "VerifyPeer",
    # Errors
    "TLSError",
    "PeerViolation",
    "Incompatible",
    "CertificateRejected",
    "AlertReceived",
    "ConfigError",
    "Misuse",
    "TruncatedStream",
    "HandshakeTimeout",
    "AlertDescription",
    "Judge",
    "Step",
    "Situation",
    # Under programs that use the standard library's ssl
    "inject_into_ssl",
    "extract_from_ssl",
    # Looking
    "Trace",
]

_PLACES = {
    "config": "DEFAULT_CIPHER_SUITES DEFAULT_GROUPS RSA_KEY_TRANSPORT ClientAuth ClientConfig ServerConfig",
    "connection": "ClientConnection ServerConnection",
    "errors": "AlertReceived CertificateRejected ConfigError HandshakeTimeout Incompatible Judge Misuse PeerViolation "
    "Situation Step TLSError TruncatedStream",
    "events": "ConnectionFacts DataReceived DecisionNeeded EarlyDataReceived EarlyDataRejected Event HandshakeCompleted "
    "KeysUpdated PeerAuthenticated PeerClosed TicketReceived",
    "external_psk": "ExternalPsk",
    "handshake.flow": "ChooseClientIdentity ChooseServerIdentity Decision Sign VerifyPeer",
    "io.blocking": "TLSStream connect",
    "io.keylog": "key_log_file",
    "io.server": "Server serve",
    "limits": "Limits",
    "replay": "MemoryReplayGuard ReplayGuard",
    "sessions": "MemorySessionCache MemorySessionStore Session SessionCache SessionStore TicketKeys",
    "ssl.inject": "extract_from_ssl inject_into_ssl",
    "trace": "Trace",
    "trust.anchors": "TrustAnchors",
    "trust.identity": "Identity",
    "trust.policy": "VerificationPolicy",
    "trust.raw_key": "RawKeyIdentity",
    "trust.verify": "VerifiedPeer",
    "wire.codepoints": "AlertDescription CipherSuite NamedGroup ProtocolVersion SignatureScheme",
}
"""Where each name lives. It is imported when it is first asked for: a pytest run that uses no fixture of ``tlscope.testing``
loads this file alone.
"""

if not TYPE_CHECKING:
    _PLACE = {name: module for module, names in _PLACES.items() for name in names.split()}

    def __getattr__(name: str) -> object:
        if name in _PLACE:
            value = globals()[name] = getattr(import_module(f".{_PLACE[name]}", __name__), name)
            return value
        missing = AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name.startswith("_"):
            raise missing
        try:
            return import_module(f".{name}", __name__)  # a room, such as tlscope.ssl
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
            raise missing from None

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
