"""tlscope's errors as the standard library's: each is a ``TLSError`` and at once the ``ssl`` error that programs catch.

What programs look at is OpenSSL's: the class, ``errno``, ``library``, ``reason``, ``verify_code``, ``verify_message`` and,
at the beginning of the text, the words that they search for. What follows is tlscope's sentence.
"""

from __future__ import annotations

import ssl as std
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from ..errors import AlertReceived, CertificateRejected, ConfigError, Misuse, TLSError, TruncatedStream
from ..wire.codepoints import AlertDescription

__all__ = ["WantRead", "WantWrite", "ZeroReturn", "as_ssl", "made_as_ssl", "raise_as_ssl"]

T = TypeVar("T")

# X509_V_ERR_*, the numbers that programs compare verify_code with, and OpenSSL's words for them.
_VERIFY: dict[str, tuple[int, str]] = {
    "revocation-unknown": (3, "unable to get certificate CRL"),
    "bad-certificate-signature": (7, "certificate signature failure"),
    "cert-not-yet-valid": (9, "certificate is not yet valid"),
    "cert-expired": (10, "certificate has expired"),
    "client-cert-expired": (10, "certificate has expired"),
    "self-signed": (18, "self-signed certificate"),
    "unknown-ca-root-sent": (19, "self-signed certificate in certificate chain"),
    "unknown-ca": (20, "unable to get local issuer certificate"),
    "client-unknown-ca": (20, "unable to get local issuer certificate"),
    "missing-intermediate": (20, "unable to get local issuer certificate"),
    "client-missing-intermediate": (20, "unable to get local issuer certificate"),
    "revoked": (23, "certificate revoked"),
    "path-length": (25, "path length constraint exceeded"),
    "wrong-purpose-server": (26, "unsuitable certificate purpose"),
    "client-wrong-purpose": (26, "unsuitable certificate purpose"),
    "name-constraint": (47, "permitted subtree violation"),
    "wrong-host": (62, "Hostname mismatch, certificate is not valid for '{asked}'."),
    "cn-only": (62, "Hostname mismatch, certificate is not valid for '{asked}'."),
    "ip-vs-dns": (64, "IP address mismatch, certificate is not valid for '{asked}'."),
    "weak-key": (66, "EE certificate key too weak"),
    "weak-signature": (68, "CA signature digest algorithm too weak"),
    "issuer-not-ca": (79, "invalid CA certificate"),
}
_UNSPECIFIED = (1, "unspecified certificate verification error")

# OpenSSL's library, its name for the reason, and its words where they are not that name in small letters.
_REASONS: dict[str, tuple[str, str, str]] = {
    "no-common-cipher": ("SSL", "NO_SHARED_CIPHER", ""),
    "no-common-version": ("SSL", "UNSUPPORTED_PROTOCOL", ""),
    "no-common-group": ("SSL", "NO_SUITABLE_KEY_SHARE", ""),
    "no-common-signature": ("SSL", "NO_SHARED_SIGNATURE_ALGORITHMS", ""),
    "not-tls": ("SSL", "WRONG_VERSION_NUMBER", ""),
    "old-peer": ("SSL", "UNSUPPORTED_PROTOCOL", ""),
    "http-on-tls-port": ("SSL", "HTTP_REQUEST", ""),
    "tampered": ("SSL", "DECRYPTION_FAILED_OR_BAD_RECORD_MAC", ""),
    "record-too-long": ("SSL", "PACKET_LENGTH_TOO_LONG", ""),
    "unexpected-message": ("SSL", "UNEXPECTED_MESSAGE", ""),
    "unoffered-version": ("SSL", "UNSUPPORTED_PROTOCOL", ""),
    "no-client-cert": ("SSL", "PEER_DID_NOT_RETURN_A_CERTIFICATE", ""),
    "no-client-cert-tls12": ("SSL", "PEER_DID_NOT_RETURN_A_CERTIFICATE", ""),
    "no-post-handshake-auth": ("SSL", "EXTENSION_NOT_RECEIVED", ""),
    "not-server": ("SSL", "NOT_SERVER", ""),
    "wrong-version": ("SSL", "WRONG_SSL_VERSION", ""),
    "callback-failed": ("SSL", "CALLBACK_FAILED", ""),
    "closed": ("SSL", "PROTOCOL_IS_SHUTDOWN", ""),
    "other-data": ("SSL", "BAD_WRITE_RETRY", ""),
    "unread-data": ("SSL", "APPLICATION_DATA_AFTER_CLOSE_NOTIFY", ""),
    "truncated": ("SSL", "UNEXPECTED_EOF_WHILE_READING", "EOF occurred in violation of protocol"),
    "no-suites": ("SSL", "NO_CIPHER_MATCH", "No cipher can be selected."),
    "key-mismatch": ("X509", "KEY_VALUES_MISMATCH", ""),
    "file-kind": ("SSL", "PEM_LIB", "PEM lib"),
    "wrong-passphrase": ("SSL", "PEM_LIB", "PEM lib"),
    "encrypted-key": ("SSL", "PEM_LIB", "PEM lib"),
    "no-start-line": ("PEM", "NO_START_LINE", "no start line: cadata does not contain a certificate"),
    "not-enough-data": ("ASN1", "NOT_ENOUGH_DATA", "not enough data: cadata does not contain a certificate"),
}

_SSLV3 = frozenset({10, 20, 30, 40, 41, 42, 43, 44, 45, 46, 47})
_TLSV13 = frozenset({109, 116})
_EXTENSIONS = frozenset({110, 111, 112, 113, 114})
"""Alerts by the document that introduced them, which is in OpenSSL's names."""


class WantRead(TLSError, std.SSLWantReadError):
    """The operation needs more bytes from the peer: come again when there are some."""

    def __init__(self) -> None:
        std.SSLWantReadError.__init__(self, std.SSL_ERROR_WANT_READ, "The operation did not complete (read)")

    # redis-py looks the class up in a dictionary of ssl's own.
    __class__ = property(lambda self: std.SSLWantReadError)
    __str__ = std.SSLWantReadError.__str__
    sentence, code, reason, library = "The operation did not complete (read)", "want-read", None, None  # type: ignore[assignment]
    alert, rfc, step, situation, evidence = None, "", None, None, {}


class WantWrite(TLSError, std.SSLWantWriteError):
    """The operation needs room in the transport: come again, with the same data, when there is some."""

    def __init__(self) -> None:
        std.SSLWantWriteError.__init__(self, std.SSL_ERROR_WANT_WRITE, "The operation did not complete (write)")

    # redis-py looks the class up in a dictionary of ssl's own.
    __class__ = property(lambda self: std.SSLWantWriteError)
    __str__ = std.SSLWantWriteError.__str__
    sentence, code, reason, library = "The operation did not complete (write)", "want-write", None, None  # type: ignore[assignment]
    alert, rfc, step, situation, evidence = None, "", None, None, {}


class ZeroReturn(TLSError, std.SSLZeroReturnError):
    """Both sides have said close_notify, and there is nothing more to read."""

    def __init__(self) -> None:
        std.SSLZeroReturnError.__init__(self, std.SSL_ERROR_ZERO_RETURN, "TLS/SSL connection has been closed (EOF)")

    __str__ = std.SSLZeroReturnError.__str__
    sentence, code, reason, library = "TLS/SSL connection has been closed (EOF)", "closed", None, None  # type: ignore[assignment]
    alert, rfc, step, situation, evidence = None, "", None, None, {}


def _text(self: Any) -> str:
    return f"[{self.library}: {self.reason}] {self.words}: {TLSError.__str__(self)}"


_classes: dict[tuple[type, type], Any] = {}


def _joined(ours: type, theirs: type) -> Any:
    known = _classes.get((ours, theirs))
    if known is None:
        known = type(ours.__name__, (ours, theirs), {"__str__": _text, "__module__": __name__, "__doc__": ours.__doc__})
        _classes[ours, theirs] = known
    return known


def made_as_ssl(make: Callable[[], T]) -> T:
    """What ``make`` gives; where a setting or a file is at fault, the error is also ``ssl``'s."""
    try:
        return make()
    except (ConfigError, Misuse) as error:
        raise as_ssl(error) from None


def raise_as_ssl(error: TLSError) -> NoReturn:
    """Raise the same error, of a class that is also ``ssl``'s."""
    new = as_ssl(error)
    # The connection keeps its error. With a traceback that would keep the frames of its callers, and they the connection
    # and its socket, until the garbage collector comes; so would a name for the new one in this frame.
    error.__traceback__ = error.__cause__ = error.__context__ = None
    try:
        raise new from new.__cause__
    finally:
        del new


def as_ssl(error: TLSError) -> Any:
    """The same error, of a class that is also ``ssl``'s: what it was, with ``reason``, ``library`` and the codes."""
    if isinstance(error, std.SSLError):
        return error
    theirs: type[std.SSLError] = std.SSLError
    number: int = std.SSLErrorNumber.SSL_ERROR_SSL
    if isinstance(error, CertificateRejected):
        theirs = std.SSLCertVerificationError
    elif isinstance(error, TruncatedStream):
        theirs, number = std.SSLEOFError, std.SSLErrorNumber.SSL_ERROR_EOF
    elif isinstance(error, AlertReceived) and error.description == AlertDescription.close_notify:
        theirs, number = std.SSLZeroReturnError, std.SSLErrorNumber.SSL_ERROR_ZERO_RETURN
    joined = _joined(type(error), theirs)
    new = joined.__new__(joined)
    new.__dict__.update(error.__dict__)
    new.__cause__, new.__traceback__ = error.__cause__, error.__traceback__
    new.library, new.reason, new.words = _named(error)
    if isinstance(error, CertificateRejected):
        new.verify_code, new.verify_message = _verdict(error)
        new.words = f"certificate verify failed: {new.verify_message.rstrip('.')}"
    OSError.__init__(new, number, _text(new))
    return new


def _named(error: TLSError) -> tuple[str, str, str]:
    """OpenSSL's library and reason where it has one for this, else tlscope's own; and the words that go with it."""
    if isinstance(error, CertificateRejected):
        return "SSL", "CERTIFICATE_VERIFY_FAILED", ""
    if isinstance(error, AlertReceived):
        reason = _alert_reason(error.description)
        return "SSL", reason, reason.lower().replace("_", " ")
    known = _REASONS.get(error.code)
    if known is None:
        words = error.code.replace("-", " ")
        return "TLSCOPE", words.upper().replace(" ", "_"), words
    library, reason, words = known
    return library, reason, words or reason.lower().replace("_", " ")


def _alert_reason(description: AlertDescription) -> str:
    number, name = int(description), description.name.upper().replace("CANCELED", "CANCELLED")
    if number in _SSLV3:
        return f"SSLV3_ALERT_{name}"
    if number in _TLSV13:
        return f"TLSV13_ALERT_{name}"
    return f"TLSV1_{name}" if number in _EXTENSIONS else f"TLSV1_ALERT_{name}"


def _verdict(error: CertificateRejected) -> tuple[int, str]:
    code, message = _VERIFY.get(error.code, _UNSPECIFIED)
    asked = str(error.evidence.get("asked", ""))
    if code in (62, 64):
        # OpenSSL tells the two apart by what was asked for.
        is_address = asked.replace(".", "").isdigit() or ":" in asked
        code, message = _VERIFY["ip-vs-dns" if is_address else "wrong-host"]
    return code, message.format(asked=asked)
