"""The settings of an ``SSLContext``: what each means here, and for those that mean nothing, what to use instead.

Where the standard library's own context keeps a value, it is kept there; a value is refused when it is set, never in the
middle of a handshake.
"""

from __future__ import annotations

import os
import ssl as std
from collections.abc import Callable, Iterable
from typing import Any

from ..config import DEFAULT_CIPHER_SUITES, DEFAULT_GROUPS
from ..errors import Misuse
from ..wire.codepoints import CipherSuite, NamedGroup
from .callbacks import MessageCallback
from .ciphers import chosen_suites, describe_suite, group_named, suites_13_named
from .errors import as_ssl, made_as_ssl
from .refusal import Refusing

__all__ = ["NATIVE", "Settings", "no_meaning"]

NATIVE: Any = std.SSLContext.__mro__[1]
"""The class below the standard library's: its properties are reached through this, because the standard library reaches
them through the global name SSLContext, which is tlscope's class once ``inject_into_ssl`` was called."""

_CRLS = std.VerifyFlags.VERIFY_CRL_CHECK_LEAF | std.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
_CLIENT, _SERVER = std.PROTOCOL_TLS_CLIENT, std.PROTOCOL_TLS_SERVER

LEGACY_SERVER_CONNECT = 0x4
"""OpenSSL's SSL_OP_LEGACY_SERVER_CONNECT, which the standard library has a name for since 3.12."""

# What is so here whether it is asked for or not: old versions, compression and renegotiation are not spoken, keys are
# fresh for each connection, and an end without close_notify is what SSLSocket's suppress_ragged_eofs is about.
_ALWAYS_SO = (
    std.SSLContext(_CLIENT).options
    | std.OP_ALL
    | std.OP_NO_SSLv2
    | std.OP_NO_SSLv3
    | std.OP_NO_TLSv1
    | std.OP_NO_TLSv1_1
    | std.OP_NO_COMPRESSION
    | std.OP_NO_RENEGOTIATION
    | std.OP_SINGLE_DH_USE
    | std.OP_SINGLE_ECDH_USE
    | getattr(std, "OP_IGNORE_UNEXPECTED_EOF", 0)
)
_HEEDED = (
    std.OP_NO_TLSv1_2
    | std.OP_NO_TLSv1_3
    | std.OP_NO_TICKET
    | std.OP_CIPHER_SERVER_PREFERENCE
    | getattr(std, "OP_ENABLE_MIDDLEBOX_COMPAT", 0)
    | LEGACY_SERVER_CONNECT
)
_UNKNOWN_OPTIONS = {
    0x8: "OP_ENABLE_KTLS: records are sealed here, not in the kernel; leave it out",
    0x40000: "OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION: tlscope never renegotiates; for TLS 1.2 servers without RFC 5746, "
    "set OP_LEGACY_SERVER_CONNECT",
}


def no_meaning(setting: str) -> Any:
    """The error, to be raised, for a setting that has no meaning here; ``setting`` names it and says what to use instead."""
    return as_ssl(Misuse(setting, code="no-meaning"))


class Settings(Refusing, std.SSLContext):
    """What can be set on a context but for certificates and trust."""

    _alpn: tuple[str, ...]
    _groups: tuple[NamedGroup, ...]
    _suites: tuple[CipherSuite, ...]
    _sni_callback: Any
    _message_callback: MessageCallback | None
    _key_log_callback: Callable[[str], None] | None
    _client_psk: Any
    _server_psk: Any
    _built: dict[Any, Any]

    def _begin(self) -> None:
        """The defaults."""
        self._alpn, self._groups, self._suites = (), DEFAULT_GROUPS, DEFAULT_CIPHER_SUITES
        self._sni_callback = self._message_callback = self._key_log_callback = None
        self._client_psk = self._server_psk = None
        self._built = {}

    # Versions, options, flags and modes: the standard library keeps them

    @property
    def minimum_version(self) -> std.TLSVersion:
        """The oldest version to speak; one older than TLS 1.2 means TLS 1.2."""
        return std.TLSVersion(NATIVE.minimum_version.__get__(self))

    @minimum_version.setter
    def minimum_version(self, value: int) -> None:
        NATIVE.minimum_version.__set__(self, value)

    @property
    def maximum_version(self) -> std.TLSVersion:
        """The newest version to speak. With one older than TLS 1.2 no connection can be made: it raises, and says so."""
        return std.TLSVersion(NATIVE.maximum_version.__get__(self))

    @maximum_version.setter
    def maximum_version(self, value: int) -> None:
        NATIVE.maximum_version.__set__(self, value)

    @property
    def options(self) -> std.Options:
        """``OP_NO_TLSv1_2``, ``OP_NO_TLSv1_3``, ``OP_NO_TICKET``, ``OP_CIPHER_SERVER_PREFERENCE``,
        ``OP_ENABLE_MIDDLEBOX_COMPAT`` and ``OP_LEGACY_SERVER_CONNECT`` are heeded, here and when they are taken away.

        ``OP_ALL``, ``OP_NO_*`` of older versions, of compression and of renegotiation, and ``OP_SINGLE_*`` are always so.
        Others raise ``SSLError``, which is ``Misuse`` too.
        """
        return std.Options(NATIVE.options.__get__(self))

    @options.setter
    def options(self, value: int) -> None:
        # What is no number, or does not fit into OpenSSL's, is the standard library's to complain of.
        strange = int(value) & ~int(_ALWAYS_SO | _HEEDED) if isinstance(value, int) else 0
        if 0 < strange < 1 << 64:
            known = [text for bit, text in _UNKNOWN_OPTIONS.items() if strange & bit]
            raise no_meaning("; ".join(known) or f"the option bits 0x{strange:x} have no meaning here; leave them out")
        NATIVE.options.__set__(self, value)

    @property
    def verify_flags(self) -> std.VerifyFlags:
        """``VERIFY_X509_STRICT`` and ``VERIFY_CRL_CHECK_*`` are heeded; ``load_verify_locations`` takes revocation lists.

        ``VERIFY_X509_TRUSTED_FIRST`` and ``VERIFY_X509_PARTIAL_CHAIN`` are always so: a chain ends where it meets trust.
        """
        return std.VerifyFlags(NATIVE.verify_flags.__get__(self))

    @verify_flags.setter
    def verify_flags(self, value: int) -> None:
        if isinstance(value, int) and value & std.VerifyFlags.VERIFY_ALLOW_PROXY_CERTS:
            raise no_meaning("proxy certificates (RFC 3820) are not accepted; have the CA issue one for the proxy")
        NATIVE.verify_flags.__set__(self, value)

    @property
    def verify_mode(self) -> std.VerifyMode:
        """``CERT_NONE``, ``CERT_OPTIONAL`` or ``CERT_REQUIRED``."""
        return std.VerifyMode(NATIVE.verify_mode.__get__(self))

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        NATIVE.verify_mode.__set__(self, value)

    @property
    def requires_certificate(self) -> bool:
        """Whether the peer has to show a certificate."""
        return self.verify_mode == std.VerifyMode.CERT_REQUIRED

    @property
    def hostname_checks_common_name(self) -> bool:
        """Never: a name counts where it stands in the subjectAltName (RFC 9525 section 2). Setting it to true raises."""
        return False

    @hostname_checks_common_name.setter
    def hostname_checks_common_name(self, value: bool) -> None:
        if value:
            raise no_meaning("common names are not looked at (RFC 9525); reissue the certificate with a subjectAltName")

    @property
    def security_level(self) -> int:  # type: ignore[override]
        """2, as OpenSSL counts: 112 bits; RSA keys have 2,048 bits or more, and SHA-1 signs nothing."""
        return 2

    # Algorithms and protocols

    def set_ciphers(self, cipherlist: str, /) -> None:
        """TLS 1.2's cipher suites in OpenSSL's notation; those of TLS 1.3 stay, as there.

        Of a list, those that tlscope speaks are taken: AEAD with ECDHE, and RSA key exchange where the list names it
        outright. Raises ``SSLError`` where none is left, and for a security level (``@SECLEVEL``) other than 2.
        """
        self._suites = made_as_ssl(lambda: chosen_suites(self, cipherlist, self._suites))
        self._built = {}

    def set_ciphersuites(self, ciphersuites: str, /) -> None:
        """TLS 1.3's cipher suites by name, with colons between, in order of preference. Raises ``SSLError``."""
        self._suites = made_as_ssl(lambda: suites_13_named(ciphersuites, self._suites))
        self._built = {}

    def get_ciphers(self) -> Any:
        """The cipher suites, each as a dictionary with name, protocol and bits."""
        return [describe_suite(suite) for suite in self._suites]

    def set_groups(self, groups: str | Iterable[str | NamedGroup], /) -> None:
        """Key-exchange groups in order of preference, by OpenSSL's or the registry's names (``X25519:P-256``)."""
        names = groups.split(":") if isinstance(groups, str) else list(groups)
        self._groups = tuple(one if isinstance(one, NamedGroup) else group_named(one) for one in names)
        self._built = {}

    def get_groups(self) -> list[str]:
        """The names of the key-exchange groups, in order of preference."""
        return [group.name for group in self._groups]

    def set_ecdh_curve(self, name: str | bytes, /) -> None:
        """The one group to use. Raises ``ValueError`` for a name that is none."""
        if not isinstance(name, str | bytes):
            raise TypeError(f"a curve's name is text, not {type(name).__name__}")
        self.set_groups([os.fsdecode(name)])

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Application protocols in order of preference (RFC 7301)."""
        protocols = []
        for one in alpn_protocols:
            if not 1 <= len(one.encode("ascii")) <= 255:
                raise std.SSLError("ALPN protocols must be 1 to 255 bytes long")
            protocols.append(one)
        self._alpn = tuple(protocols)
        self._built = {}

    def set_npn_protocols(self, npn_protocols: Any) -> None:
        """NPN was given up for ALPN."""
        raise NotImplementedError("NPN was given up for ALPN: use set_alpn_protocols")

    def load_dh_params(self, path: Any, /) -> None:
        """There are no Diffie-Hellman parameters to choose: groups have names (RFC 7919)."""
        raise no_meaning("tlscope has no custom Diffie-Hellman parameters; name groups with set_groups")

    # Callbacks

    @property
    def sni_callback(self) -> Any:
        """Called on a server with the socket, the name asked for (None without one) and this context.

        It may set the socket's context, whose certificates are shown then. What it returns is None, or the number of the
        alert to refuse the client with.
        """
        return self._sni_callback

    @sni_callback.setter
    def sni_callback(self, callback: Any) -> None:
        if self.protocol == _CLIENT:
            raise ValueError("sni_callback cannot be set on TLS_CLIENT context")
        if callback is not None and not callable(callback):
            raise TypeError("not a callable object")
        self._sni_callback = callback
        self._built = {}

    def set_servername_callback(self, server_name_callback: Any) -> None:
        """The older name of ``sni_callback``."""
        self.sni_callback = server_name_callback

    @property
    def message_callback(self) -> MessageCallback | None:
        """Called with ``(conn, direction, version, content_type, msg_type, data)`` for each message and record header.

        The arguments are those of the standard library's private ``_msg_callback``: ``direction`` is ``read`` or
        ``write``; application data is not reported. For more than that, ``trace_with``.
        """
        return self._message_callback

    @message_callback.setter
    def message_callback(self, callback: MessageCallback | None) -> None:
        if callback is not None and not callable(callback):
            raise TypeError(f"{callback} is not callable.")
        self._message_callback = callback

    _msg_callback = message_callback

    @property
    def key_log_callback(self) -> Callable[[str], None] | None:
        """Called with each line of the key log (RFC 9850), besides what ``keylog_filename`` says."""
        return self._key_log_callback

    @key_log_callback.setter
    def key_log_callback(self, callback: Callable[[str], None] | None) -> None:
        if callback is not None and not callable(callback):
            raise TypeError(f"{callback} is not callable.")
        self._key_log_callback = callback
        self._built = {}

    def set_psk_client_callback(self, callback: Callable[[str | None], tuple[str | None, bytes]] | None) -> None:
        """Called before each handshake for the identity and the secret (16 bytes or more) of a PSK, in TLS 1.3.

        Its argument, the server's hint, is always None there. None takes the callback away.
        """
        if self.protocol == _SERVER:
            raise std.SSLError("Cannot add PSK client callback to a PROTOCOL_TLS_SERVER context")
        self._client_psk = _callable_or_none(callback)

    def set_psk_server_callback(
        self, callback: Callable[[str | None], bytes] | None, identity_hint: str | None = None
    ) -> None:
        """Called with the identity that a client offers, for its secret (16 bytes or more); none for ``b""``.

        TLS 1.3 has no hint to give, so ``identity_hint`` raises.
        """
        if self.protocol == _CLIENT:
            raise std.SSLError("Cannot add PSK server callback to a PROTOCOL_TLS_CLIENT context")
        if identity_hint is not None:
            raise no_meaning("TLS 1.3 has no PSK identity hint (RFC 8446 section 4.2.11); leave identity_hint out")
        self._server_psk = _callable_or_none(callback)
        self._built = {}


def _callable_or_none(callback: Any) -> Any:
    if callback is not None and not callable(callback):
        raise TypeError("callback must be callable or None")
    return callback
