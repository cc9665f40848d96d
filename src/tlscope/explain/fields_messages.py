"""The grammar of each handshake message, field by field (RFC 8446 section 4 and RFC 5246 section 7.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..wire.codepoints import (
    CertificateCompressionAlgorithm,
    CertificateStatusType,
    CipherSuite,
    ClientCertificateType,
    HandshakeType,
    KeyUpdateRequest,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)
from ..wire.handshake import HELLO_RETRY_REQUEST_RANDOM
from .certificates import name_of, summarize
from .fields_extensions import extensions
from .fields_scan import Grammar, Scan
from .words import plural, printable

__all__ = ["body_of", "name_of_message"]

_NAMES = {
    HandshakeType.hello_request: "HelloRequest",
    HandshakeType.client_hello: "ClientHello",
    HandshakeType.server_hello: "ServerHello",
    HandshakeType.new_session_ticket: "NewSessionTicket",
    HandshakeType.end_of_early_data: "EndOfEarlyData",
    HandshakeType.encrypted_extensions: "EncryptedExtensions",
    HandshakeType.certificate: "Certificate",
    HandshakeType.server_key_exchange: "ServerKeyExchange",
    HandshakeType.certificate_request: "CertificateRequest",
    HandshakeType.server_hello_done: "ServerHelloDone",
    HandshakeType.certificate_verify: "CertificateVerify",
    HandshakeType.client_key_exchange: "ClientKeyExchange",
    HandshakeType.finished: "Finished",
    HandshakeType.certificate_status: "CertificateStatus",
    HandshakeType.key_update: "KeyUpdate",
    HandshakeType.compressed_certificate: "CompressedCertificate",
}


def name_of_message(raw: bytes, version: int) -> str:
    """What a message is called, by its type and, for a HelloRetryRequest, its random."""
    kind = HandshakeType.of(raw[0]) if raw else None
    if kind == HandshakeType.server_hello and raw[6:38] == HELLO_RETRY_REQUEST_RANDOM:
        return "HelloRetryRequest"
    return "message" if kind is None else _NAMES.get(kind, f"message {kind}")


def body_of(raw: bytes, version: int) -> Grammar:
    """The grammar of a message's body."""
    name = name_of_message(raw, version)
    if version == ProtocolVersion.TLS1_3 and name in _BODIES_13:
        return _BODIES_13[name]
    return _BODIES.get(name, _opaque)


def certificate_words(der: bytes) -> str:
    """A certificate in a line."""
    one = summarize(der)
    if not one.readable:
        return f"{plural(len(der), 'byte')} that are no X.509 certificate"
    until = "" if one.not_after is None else f", until {one.not_after:%Y-%m-%d}"
    return f"{one.subject or one.name} ({one.key}{until}), issued by {one.issuer}"


def _version(value: int) -> str:
    return f"0x{value:04x} ({printable(ProtocolVersion.of(value))})"


def _code(cls: Any) -> Callable[[int], str]:
    return lambda value: printable(cls.of(value))


def _opaque(scan: Scan) -> None:
    scan.rest("bytes")


def _nothing(scan: Scan) -> None:
    """An empty body."""


def _compression(raw: bytes) -> str:
    return ", ".join("null" if method == 0 else f"0x{method:02x}" for method in raw[:16])


def _client_hello(scan: Scan) -> None:
    scan.number("legacy_version", 2, _version)
    scan.take("random", 32)
    scan.vector("legacy_session_id", 1)
    scan.vector("cipher_suites", 2, lambda s: s.each(lambda one: one.number("cipher_suite", 2, _code(CipherSuite))))
    scan.vector("legacy_compression_methods", 1, show=_compression)
    if scan.remaining:
        extensions(scan, "ClientHello")


def _server_hello(where: str) -> Grammar:
    def body(scan: Scan) -> None:
        scan.number("legacy_version", 2, _version)
        scan.take("random", 32)
        scan.vector("legacy_session_id_echo", 1)
        scan.number("cipher_suite", 2, _code(CipherSuite))
        scan.take("legacy_compression_method", 1, _compression)
        if scan.remaining:
            extensions(scan, where)

    return body


def _encrypted_extensions(scan: Scan) -> None:
    extensions(scan, "EncryptedExtensions")


def _certificate_request_13(scan: Scan) -> None:
    scan.vector("certificate_request_context", 1)
    extensions(scan, "CertificateRequest")


def _certificate_request_12(scan: Scan) -> None:
    scan.vector(
        "certificate_types",
        1,
        lambda s: s.each(
            lambda one: one.number("certificate_type", 1, lambda v: printable(ClientCertificateType.of(v)))
        ),
    )
    scan.vector(
        "supported_signature_algorithms",
        2,
        lambda s: s.each(lambda one: one.number("signature_scheme", 2, _code(SignatureScheme))),
    )
    scan.vector(
        "certificate_authorities", 2, lambda s: s.each(lambda one: one.vector("distinguished_name", 2, show=name_of))
    )


def _certificate_13(scan: Scan) -> None:
    def entry(s: Scan) -> None:
        s.vector("cert_data", 3, show=certificate_words)
        extensions(s, "Certificate")

    scan.vector("certificate_request_context", 1)
    scan.vector("certificate_list", 3, lambda s: s.each(lambda one: _entry(one, entry)))


def _entry(scan: Scan, grammar: Grammar) -> None:
    """A CertificateEntry takes what its two vectors announce."""
    data = int.from_bytes(scan.peek(3), "big")
    start = scan.peek(3 + data + 2)
    if len(start) < 3 + data + 2:
        grammar(scan)  # which stops where it can't go on
        return
    length = len(start) + int.from_bytes(start[-2:], "big")
    scan.node("CertificateEntry", length, grammar, certificate_words(start[3:-2]))


def _certificate_12(scan: Scan) -> None:
    scan.vector(
        "certificate_list", 3, lambda s: s.each(lambda one: one.vector("certificate", 3, show=certificate_words))
    )


def _certificate_status(scan: Scan) -> None:
    scan.number("status_type", 1, lambda value: printable(CertificateStatusType.of(value)))
    scan.vector("response", 3)


def _compressed_certificate(scan: Scan) -> None:
    scan.number("algorithm", 2, _code(CertificateCompressionAlgorithm))
    scan.number("uncompressed_length", 3)
    scan.vector("compressed_certificate_message", 3)


def _certificate_verify(scan: Scan) -> None:
    scan.number("algorithm", 2, _code(SignatureScheme))
    scan.vector("signature", 2)


def _finished(scan: Scan) -> None:
    scan.rest("verify_data")


def _ticket_13(scan: Scan) -> None:
    scan.number("ticket_lifetime", 4, lambda seconds: f"{seconds:,} seconds")
    scan.number("ticket_age_add", 4, lambda value: f"0x{value:08x}")
    scan.vector("ticket_nonce", 1)
    scan.vector("ticket", 2)
    extensions(scan, "NewSessionTicket")


def _ticket_12(scan: Scan) -> None:
    scan.number("ticket_lifetime_hint", 4, lambda seconds: f"{seconds:,} seconds")
    scan.vector("ticket", 2)


def _key_update(scan: Scan) -> None:
    scan.number("request_update", 1, lambda value: printable(KeyUpdateRequest.of(value)))


def _server_key_exchange(scan: Scan) -> None:
    kind = scan.number("curve_type", 1, lambda value: "named_curve" if value == 3 else f"0x{value:02x}")
    if kind != 3:
        scan.rest("bytes")
        return
    scan.number("named_curve", 2, _code(NamedGroup))
    scan.vector("public_key", 1)
    scan.number("algorithm", 2, _code(SignatureScheme))
    scan.vector("signature", 2)


def _client_key_exchange(scan: Scan) -> None:
    """ECDHE's key stands behind a length of one byte, RSA's encrypted secret behind one of two."""
    if scan.remaining and scan.peek(1)[0] == scan.remaining - 1:
        scan.vector("ecdh_Yc", 1)
    elif int.from_bytes(scan.peek(2), "big") == scan.remaining - 2:
        scan.vector("encrypted_pre_master_secret", 2)
    else:
        scan.rest("bytes")


_BODIES: dict[str, Grammar] = {
    "HelloRequest": _nothing,
    "ClientHello": _client_hello,
    "ServerHello": _server_hello("ServerHello"),
    "HelloRetryRequest": _server_hello("HelloRetryRequest"),
    "EncryptedExtensions": _encrypted_extensions,
    "Certificate": _certificate_12,
    "CertificateRequest": _certificate_request_12,
    "CertificateStatus": _certificate_status,
    "CompressedCertificate": _compressed_certificate,
    "CertificateVerify": _certificate_verify,
    "Finished": _finished,
    "EndOfEarlyData": _nothing,
    "ServerKeyExchange": _server_key_exchange,
    "ServerHelloDone": _nothing,
    "ClientKeyExchange": _client_key_exchange,
    "NewSessionTicket": _ticket_12,
    "KeyUpdate": _key_update,
}

_BODIES_13: dict[str, Grammar] = {
    "Certificate": _certificate_13,
    "CertificateRequest": _certificate_request_13,
    "NewSessionTicket": _ticket_13,
}
"""Those of TLS 1.3 that have another form there."""
