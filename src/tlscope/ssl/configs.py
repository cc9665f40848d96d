"""From an ``SSLContext``'s settings to tlscope's configuration, made anew only where a setting has changed.

Whoever changes a setting puts an empty dictionary in the place of what was built, after the change. What is built here goes
into the dictionary that was there before the first setting was looked at: so nothing of what was changed meanwhile, such as
a CA that is not trusted any more, is kept.
"""

from __future__ import annotations

import ssl as std
from typing import TYPE_CHECKING, Any

from ..config import ClientAuth, ClientConfig, ServerConfig
from ..errors import ConfigError
from ..handshake.flow import ChooseServerIdentity
from ..io.keylog import key_log_file
from ..trust.anchors import TrustAnchors
from ..trust.identity import Identity
from ..trust.policy import VerificationPolicy
from ..wire.codepoints import ProtocolVersion
from .callbacks import client_psk, server_psk
from .refusal import Refusal
from .settings import LEGACY_SERVER_CONNECT, NATIVE
from .trusted import with_intermediates

if TYPE_CHECKING:
    from .context import SSLContext

__all__ = ["client_config", "server_config"]

_VERSIONS = {
    std.TLSVersion.TLSv1_2: ProtocolVersion.TLS1_2,
    std.TLSVersion.TLSv1_3: ProtocolVersion.TLS1_3,
    std.TLSVersion.MAXIMUM_SUPPORTED: ProtocolVersion.TLS1_3,
}
_KEPT = [
    getattr(NATIVE, name).__get__
    for name in (
        "verify_mode",
        "check_hostname",
        "minimum_version",
        "maximum_version",
        "options",
        "verify_flags",
        "keylog_filename",
        "post_handshake_auth",
        "num_tickets",
    )
]
_TLS_12_ALONE = getattr(std, "PROTOCOL_TLSv1_2", None)


def client_config(context: SSLContext) -> ClientConfig:
    """The configuration of a client's connections. Raises ``ConfigError``."""
    built = context._built
    key = ("client", *_what_may_change(context))
    known: ClientConfig | None = built.get(key)
    if known is None:
        common = _common(context)
        known = built[key] = ClientConfig(
            **{**common, "trust": common["trust"] or TrustAnchors.nobody()},
            identities=_identities(context),
            insecure_skip_verification=context.verify_mode == std.VerifyMode.CERT_NONE,
            check_server_name=bool(context.check_hostname),
            post_handshake_auth=context.post_handshake_auth,
            sessions=context.sessions,
        )
    if context._client_psk is not None:
        return known.replace(external_psks=(client_psk(context._client_psk),))
    return known


def server_config(context: SSLContext) -> ServerConfig:
    """The configuration of a server's connections. Raises ``ConfigError``."""
    built = context._built
    key = ("server", *_what_may_change(context))
    known: ServerConfig | None = built.get(key)
    if known is None:
        common = _common(context)
        modes = {std.CERT_NONE: ClientAuth.NONE, std.CERT_OPTIONAL: ClientAuth.REQUESTED}
        auth = modes.get(context.verify_mode, ClientAuth.REQUIRED)
        if auth is not ClientAuth.NONE:
            common["trust"] = common["trust"] or TrustAnchors.nobody()
        options = context.options
        known = built[key] = ServerConfig(
            **common,
            identities=_identities(context),
            # With post-handshake authentication the certificate is asked for later and not in the handshake.
            client_auth=ClientAuth.NONE if context.post_handshake_auth else auth,
            tickets=None if options & std.Options.OP_NO_TICKET else context.ticket_keys,
            tickets_per_handshake=context.num_tickets,
            client_cipher_order=not options & std.Options.OP_CIPHER_SERVER_PREFERENCE,
            report_refused_clients=context.refuse_clients_by is not Refusal.ALERT,
            ask=frozenset({ChooseServerIdentity} if context._sni_callback is not None else ()),
            find_external_psk=None if context._server_psk is None else server_psk(context._server_psk),
        )
    return known


def _identities(context: SSLContext) -> tuple[Identity, ...]:
    """As OpenSSL does, a certificate that came alone is sent with the intermediates that are trusted here."""
    anchors = context._trusted.anchors
    if anchors is None:
        return tuple(context._identities)
    return tuple(with_intermediates(one, anchors.certificates) for one in context._identities)


def _what_may_change(context: SSLContext) -> tuple[Any, ...]:
    """The settings that the standard library keeps: whoever changes one of them says nothing to us."""
    # As plain numbers: this is asked for each connection, and making enumerations' members of them takes longer.
    return tuple([get(context) for get in _KEPT])


def _common(context: SSLContext) -> dict[str, Any]:
    oldest, newest = _versions(context)
    options = context.options
    return {
        "trust": context._trusted.anchors,
        "min_version": oldest,
        "max_version": newest,
        "cipher_suites": context._suites,
        "groups": context._groups,
        "alpn": context._alpn,
        "verification": _policy(context),
        "key_log": _key_log(context),
        "middlebox_compatibility": bool(options & getattr(std.Options, "OP_ENABLE_MIDDLEBOX_COMPAT", 1)),
        "require_secure_renegotiation": not options & LEGACY_SERVER_CONNECT,
    }


def _versions(context: SSLContext) -> tuple[ProtocolVersion, ProtocolVersion]:
    oldest = _VERSIONS.get(context.minimum_version, ProtocolVersion.TLS1_2)
    newest = _VERSIONS.get(context.maximum_version)
    if newest is None:
        raise ConfigError(
            f"maximum_version is {context.maximum_version.name}, and TLS 1.2 is the oldest version spoken here (RFC 8996)",
            code="old-version",
        )
    if context.options & std.Options.OP_NO_TLSv1_3 or context.protocol == _TLS_12_ALONE:
        newest = ProtocolVersion.TLS1_2
    if context.options & std.Options.OP_NO_TLSv1_2:
        oldest = ProtocolVersion.TLS1_3
    return oldest, newest


def _policy(context: SSLContext) -> VerificationPolicy:
    flags = context.verify_flags
    check: Any = "listed"
    if flags & std.VerifyFlags.VERIFY_CRL_CHECK_LEAF:
        whole = std.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
        check = "chain" if flags & whole == whole else "leaf"
    return VerificationPolicy(
        strict=bool(flags & std.VerifyFlags.VERIFY_X509_STRICT),
        # Without the flags OpenSSL looks at no list.
        crls=context._trusted.crls if check != "listed" else (),
        crl_check=check,
    )


def _key_log(context: SSLContext) -> Any:
    callback = context._key_log_callback
    if not context.keylog_filename:
        return callback
    append = key_log_file(context.keylog_filename)
    if callback is None or append is None:
        return append

    def both(line: str) -> None:
        append(line)
        callback(line)

    return both
