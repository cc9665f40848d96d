"""The BoringSSL runner's flags for a shim, parsed before anything costly is imported.

A flag that is not in the table, or has a value that can't be served, raises ``Unimplemented``: the runner then counts the
case as one that this shim does not play (exit code 89).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Credential", "Flags", "Unimplemented", "parse"]


class Unimplemented(Exception):
    """The case needs something that this shim does not do."""


# What a flag does to its value: set it, or add to a list. A flag with no converter takes no argument.
_SWITCHES = (
    "-allow-unknown-alpn-protos",
    "-check-close-notify",
    "-decline-alpn",
    "-decline-ocsp-callback",
    "-enable-early-data",
    "-enable-grease",
    "-enable-ocsp-stapling",
    "-enable-signed-cert-timestamps",
    "-expect-accept-early-data",
    "-expect-extended-master-secret",
    "-expect-hrr",
    "-expect-no-hrr",
    "-expect-no-offer-early-data",
    "-expect-no-secure-renegotiation",
    "-expect-no-peer-cert",
    "-expect-no-server-name",
    "-expect-no-session",
    "-expect-no-session-id",
    "-expect-reject-early-data",
    "-expect-secure-renegotiation",
    "-expect-session-id",
    "-expect-session-miss",
    "-expect-ticket-renewal",
    "-expect-ticket-supports-early-data",
    "-expect-verify-result",
    "-export-traffic-secrets",
    "-fail-cert-callback",
    "-fail-ocsp-callback",
    "-fallback-scsv",
    "-ipv6",
    "-is-handshaker-supported",
    "-key-update",
    "-key-update-before-read",
    "-no-key-shares",
    "-no-legacy-server-connect",
    "-no-server-name-ack",
    "-no-ticket",
    "-no-tls1",
    "-no-tls11",
    "-no-tls12",
    "-no-tls13",
    "-read-with-unfinished-write",
    "-reject-alpn",
    "-renegotiate-ignore",
    "-require-any-client-certificate",
    "-reverify-on-resume",
    "-select-empty-alpn",
    "-send-alert",
    "-server",
    "-server-preference",
    "-shim-shuts-down",
    "-shim-writes-first",
    "-skip-ticket",
    "-tls-unique",
    "-use-custom-verify-callback",
    "-use-export-context",
    "-use-ocsp-callback",
    "-verify-fail",
    "-verify-peer",
)

# What has no meaning for a stack without callbacks and I/O of its own: it behaves the same with and without.
_IGNORED = (
    "-async",
    "-forbid-renegotiation-after-handshake",
    "-handshake-twice",
    "-handshaker-resume",
    "-implicit-handshake",
    "-install-ddos-callback",
    "-no-op-extra-handshake",
    "-peek-then-read",
    "-permute-extensions",
    "-set-ocsp-in-callback",
    "-use-early-callback",
    "-use-exporter-between-reads",
    "-use-old-client-cert-callback",
    "-use-ticket-aead-callback",
)
POLICIES = ("-fips-202205", "-wpa-202304", "-cnsa-202407", "-cnsa1-202603", "-cnsa2-202603")
"""Names of lists that somebody has published; each stands for a handful of settings."""

# By -early-write-after-message, early data may be written up to then; here it always is written at once.
_IGNORED_VALUES = (
    "-early-write-after-message",
    "-handshaker-path",
    "-private-key-delay-ms",
    "-trust-cert",
    "-write-settings",
)

_VALUES: dict[str, Callable[[bytes], Any]] = {
    "-advertise-alpn": bytes,
    "-cipher": bytes.decode,
    "-expect-advertised-alpn": bytes,
    "-expect-alpn": bytes,
    "-expect-certificate-types": base64.b64decode,
    "-expect-cipher": int,
    "-expect-cipher-aes": int,
    "-expect-cipher-no-aes": int,
    "-expect-client-ca-list": bytes.decode,
    "-expect-curve-id": int,
    "-expect-early-data-reason": bytes.decode,
    "-expect-msg-callback": bytes.decode,
    "-expect-ocsp-response": base64.b64decode,
    "-expect-peer-cert-file": os.fsdecode,
    "-expect-peer-certificate-type": int,
    "-expect-peer-rpk-sha256": base64.b64decode,
    "-expect-peer-signature-algorithm": int,
    "-expect-selected-credential": int,
    "-expect-server-name": bytes.decode,
    "-expect-signed-cert-timestamps": base64.b64decode,
    "-expect-ticket-age-skew": int,
    "-expect-version": int,
    "-export-context": bytes,
    "-export-keying-material": int,
    "-export-label": bytes,
    "-host-name": bytes.decode,
    "-max-cert-list": int,
    "-max-send-fragment": int,
    "-max-version": int,
    "-min-version": int,
    "-port": int,
    "-read-size": int,
    "-repeat-shim-initial-write": int,
    "-resume-count": int,
    "-resumption-delay": int,
    "-select-alpn": bytes,
    "-shim-id": int,
    "-shim-initial-write": bytes,
    "-ticket-key": base64.b64decode,
    "-use-client-ca-list": bytes.decode,
}
_LISTS: dict[str, Callable[[bytes], Any]] = {
    "-accepted-peer-cert-types": int,
    "-available-client-cert-types": int,
    "-curves": int,
    "-expect-peer-verify-pref": int,
    "-key-shares": int,
    "-verify-prefs": int,
}
_CREDENTIAL: dict[str, Callable[[bytes], Any] | None] = {
    "-cert-file": os.fsdecode,
    "-key-file": os.fsdecode,
    "-must-match-issuer": None,
    "-ocsp-response": base64.b64decode,
    "-psk-importer-context": base64.b64decode,
    "-psk-importer-identity": base64.b64decode,
    "-psk-importer-key": base64.b64decode,
    "-psk-importer-sha256": None,
    "-psk-importer-sha384": None,
    "-signed-cert-timestamps": base64.b64decode,
    "-signing-prefs": int,
}

_DEFAULTS = {"repeat_shim_initial_write": 1, "shim_initial_write": b"hello"}


_KINDS = {"-new-x509-credential": "x509", "-new-psk-credential": "psk", "-new-rpk-credential": "rpk"}


class Credential:
    """A certificate chain and a key, a PSK, or a raw key; the flags that belong to it apply to the one named last."""

    def __init__(self, kind: str = "x509") -> None:
        self.kind = kind
        self.cert_file = ""
        self.key_file = ""
        self.must_match_issuer = False
        self.ocsp_response = b""
        self.psk_importer_context = b""
        self.psk_importer_identity = b""
        self.psk_importer_key = b""
        self.psk_importer_sha256 = False
        self.psk_importer_sha384 = False
        self.signed_cert_timestamps = b""
        self.signing_prefs: list[int] = []


class Flags:
    """The flags of one connection, by name with ``_`` for ``-``; False, None or an empty list where not given."""

    def __init__(self) -> None:
        self.credentials = [Credential()]
        """The default credential first, which may be empty, then those that were introduced by a flag."""
        self.policy = ""
        self.shown: Any = None
        """The certificates of the credentials, once they are loaded."""
        for name in _SWITCHES:
            setattr(self, _attribute(name), False)
        for name in _VALUES:
            setattr(self, _attribute(name), _DEFAULTS.get(_attribute(name)))
        for name in _LISTS:
            setattr(self, _attribute(name), [])

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"no flag is called {name}")

    def apply(self, name: str, value: bytes | None) -> None:
        """Take one flag with its value as it was given."""
        if name in _KINDS:
            self.credentials.append(Credential(_KINDS[name]))
        elif name in POLICIES:
            self.policy = name
        elif name in _SWITCHES:
            setattr(self, _attribute(name), True)
        elif value is not None and name in _VALUES:
            setattr(self, _attribute(name), _VALUES[name](value))
        elif value is not None and name in _LISTS:
            getattr(self, _attribute(name)).append(_LISTS[name](value))
        elif name in _CREDENTIAL:
            credential, convert = self.credentials[-1], _CREDENTIAL[name]
            converted = True if convert is None or value is None else convert(value)
            if name == "-signing-prefs":
                credential.signing_prefs.append(converted)
            else:
                setattr(credential, _attribute(name), converted)


def parse(argv: Sequence[str]) -> tuple[Flags, Flags, Flags]:
    """The flags of the first connection, of those that resume, and of one carried on after refused early data.

    Raises ``Unimplemented``.
    """
    first, resumed, retried = Flags(), Flags(), Flags()
    arguments = iter(argv)
    for argument in arguments:
        name = argument
        to: tuple[Flags, ...] = (first, resumed, retried)
        if name.startswith("-on-shim-"):
            name = name[len("-on-shim") :]
        for prefix, one in (("-on-initial-", first), ("-on-resume-", resumed), ("-on-retry-", retried)):
            if name.startswith(prefix):
                name, to = name[len(prefix) - 1 :], (one,)
        if name in _IGNORED:
            continue
        value = None
        if _takes_value(name):
            value = next(arguments, None)
            if value is None:
                raise Unimplemented(f"{name} without a value")
        if name in _IGNORED_VALUES:
            continue
        for one in to:
            one.apply(name, None if value is None else os.fsencode(value))
    return first, resumed, retried


def _attribute(name: str) -> str:
    return name[1:].replace("-", "_")


def _takes_value(name: str) -> bool:
    if name in _SWITCHES or name in POLICIES or name in _KINDS:
        return False
    if name in _CREDENTIAL:
        return _CREDENTIAL[name] is not None
    if name in _VALUES or name in _LISTS or name in _IGNORED_VALUES:
        return True
    raise Unimplemented(name)
