"""The record header, its bounds, and what the first bytes of a stranger may be (RFC 8446 section 5.1)."""

from __future__ import annotations

from struct import Struct

HEADER_LENGTH = 5
HEADER = Struct(">BHH").pack
"""A record's header, from its content type, version and length."""
MAX_PLAINTEXT = 1 << 14
"""Bytes of content in one record, at most."""
MAX_CIPHERTEXT_13 = MAX_PLAINTEXT + 256
"""Bytes of a protected record's fragment in TLS 1.3 (section 5.2)."""
MAX_CIPHERTEXT_12 = MAX_PLAINTEXT + 2048
"""Bytes of a protected record's fragment in TLS 1.2 (RFC 5246 section 6.2.3)."""

_HTTP_METHODS = (b"GET ", b"POST", b"PUT ", b"HEAD", b"DELE", b"OPTI", b"PATC", b"CONN", b"TRAC", b"PRI ")


def recognise(first: bytes) -> str:
    """What a stream that starts with these bytes (at least 5) speaks: ``tls``, ``http-request``, ``http``, ``ssh``,
    ``smtp``, ``sslv2`` or ``unknown``. ``smtp`` stands for every protocol whose server greets with ``220``.
    """
    if 20 <= first[0] <= 23 and first[1] == 3:
        return "tls"
    if first.startswith(_HTTP_METHODS):
        return "http-request"
    if first.startswith(b"HTTP/"):
        return "http"
    if first.startswith(b"SSH-"):
        return "ssh"
    if first.startswith((b"220 ", b"220-")):
        return "smtp"
    # An SSLv2 ClientHello: a two-byte length with the top bit set, then message type 1 (RFC 5246 appendix E.2).
    if first[0] & 0x80 and first[2] == 1:
        return "sslv2"
    return "unknown"
