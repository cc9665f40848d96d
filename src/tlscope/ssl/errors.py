"""tlscope's errors as the standard library's: each is a ``TLSError`` and at once the ``ssl`` error that programs catch."""

from __future__ import annotations

import ssl as std
from typing import Any, NoReturn

from ..errors import CertificateRejected, TLSError, TruncatedStream

__all__ = ["raise_as_ssl", "want_read", "want_write"]

# X509_V_ERR_*, the numbers that programs compare verify_code with.
_VERIFY_CODES = {
    "cert-not-yet-valid": 9,
    "cert-expired": 10,
    "client-cert-expired": 10,
    "self-signed": 18,
    "unknown-ca-root-sent": 19,
    "unknown-ca": 20,
    "client-unknown-ca": 20,
    "missing-intermediate": 20,
    "client-missing-intermediate": 20,
    "revoked": 23,
    "issuer-not-ca": 24,
    "path-length": 25,
    "wrong-purpose-server": 26,
    "client-wrong-purpose": 26,
    "name-constraint": 47,
    "wrong-host": 62,
    "cn-only": 62,
    "ip-vs-dns": 64,
    "weak-key": 66,
    "weak-signature": 68,
}
_X509_V_ERR_UNSPECIFIED = 1


def want_read() -> std.SSLWantReadError:
    """The operation needs more bytes from the peer."""
    return std.SSLWantReadError(std.SSLErrorNumber.SSL_ERROR_WANT_READ, "The operation did not complete (read)")


def want_write() -> std.SSLWantWriteError:
    """The operation needs room in the transport."""
    return std.SSLWantWriteError(std.SSLErrorNumber.SSL_ERROR_WANT_WRITE, "The operation did not complete (write)")


def _text(self: Any) -> str:
    return f"[{self.library}: {self.reason}] {TLSError.__str__(self)}"


_classes: dict[tuple[type, type], Any] = {}


def _joined(ours: type, theirs: type) -> Any:
    known = _classes.get((ours, theirs))
    if known is None:
        known = type(ours.__name__, (ours, theirs), {"__str__": _text, "__module__": __name__})
        _classes[ours, theirs] = known
    return known


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
    joined = _joined(type(error), theirs)
    new = joined.__new__(joined)
    OSError.__init__(new, number, error.sentence)
    new.__dict__.update(error.__dict__)
    new.__cause__, new.__traceback__ = error.__cause__, error.__traceback__
    new.library = "TLSCOPE"
    new.reason = error.code.upper().replace("-", "_")
    if isinstance(error, CertificateRejected):
        # Programs look for this word in the text.
        new.reason = "CERTIFICATE_VERIFY_FAILED"
        new.verify_code = _VERIFY_CODES.get(error.code, _X509_V_ERR_UNSPECIFIED)
        new.verify_message = error.reason.sentence()
    return new
