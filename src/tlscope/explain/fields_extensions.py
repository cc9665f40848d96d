"""The grammar of each extension's body, by the message that it stands in (RFC 8446 section 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..wire.codepoints import (
    CertificateCompressionAlgorithm,
    CertificateStatusType,
    CertificateType,
    ExtensionType,
    NamedGroup,
    ProtocolVersion,
    PskKeyExchangeMode,
    SignatureScheme,
)
from .certificates import name_of
from .fields_scan import Field, Grammar, Scan, Shown, hexadecimal
from .words import plural, printable

__all__ = ["extensions"]

E = ExtensionType


def extensions(scan: Scan, where: str) -> None:
    """The vector of a message's extensions; ``where`` is the message's name."""
    scan.vector("extensions", 2, lambda inner: inner.each(lambda one: _extension(one, where)))


def _extension(scan: Scan, where: str) -> None:
    head = scan.peek(4)
    kind = ExtensionType.of(int.from_bytes(head[:2], "big"))
    length = int.from_bytes(head[2:], "big") if len(head) == 4 else 0
    name = printable(kind)
    grammar = _GRAMMARS.get((where, kind)) or _GRAMMARS.get(("", kind)) or _opaque
    body = scan.peek(4 + length)[4:]

    def parts(inner: Scan) -> None:
        inner.number("extension_type", 2, lambda value: f"{name} ({value})")
        inner.number("length", 2)
        if inner.remaining:
            grammar(inner)

    scan.node(name, 4 + length, parts, _summary(where, kind, body), scope=name)


def _summary(where: str, kind: int, body: bytes) -> str:
    """The value of an extension in a few words: its leaves', where those are few."""
    if not body:
        return "present, with nothing in it"
    part = Scan(body, 0, len(body), "")
    part.run(_GRAMMARS.get((where, ExtensionType.of(kind))) or _GRAMMARS.get(("", ExtensionType.of(kind))) or _opaque)
    told = [value for field in part.fields for value in _told(field)]
    return ", ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")


_SILENT = {"length", "name_type"}
"""Fields that say nothing a summary should repeat."""


def _told(field: Field) -> Iterator[str]:
    if field.value and field.name not in _SILENT:
        yield field.value
    elif not field.value:
        for part in field.fields:
            yield from _told(part)


def _opaque(scan: Scan) -> None:
    scan.rest("extension_data")


def _text(raw: bytes) -> str:
    return printable(raw.decode("utf-8", "backslashreplace")) if raw else "empty"


def _u16(name: str, cls: Any) -> Grammar:
    return lambda scan: scan.number(name, 2, lambda value: printable(cls.of(value)))


def _u8(name: str, cls: Any) -> Grammar:
    return lambda scan: scan.number(name, 1, lambda value: printable(cls.of(value)))


def _listed(name: str, width: int, item: Grammar) -> Grammar:
    return lambda scan: scan.vector(name, width, lambda inner: inner.each(item))


def _vector(name: str, width: int, show: Shown = hexadecimal) -> Grammar:
    return lambda scan: scan.vector(name, width, show=show)


def _number(name: str, width: int, show: Callable[[int], str] = str) -> Grammar:
    return lambda scan: scan.number(name, width, show)


def _server_name(scan: Scan) -> None:
    scan.number("name_type", 1, lambda value: "host_name" if value == 0 else f"0x{value:02x}")
    scan.vector("host_name", 2, show=_text)


def _key_share(scan: Scan) -> None:
    length = 4 + int.from_bytes(scan.peek(4)[2:], "big")
    group = printable(NamedGroup.of(int.from_bytes(scan.peek(2), "big")))

    def entry(inner: Scan) -> None:
        inner.number("group", 2, lambda value: printable(NamedGroup.of(value)))
        inner.vector("key_exchange", 2)

    scan.node("KeyShareEntry", length, entry, group)


def _psk_identity(scan: Scan) -> None:
    length = 2 + int.from_bytes(scan.peek(2), "big") + 4

    def identity(inner: Scan) -> None:
        inner.vector("identity", 2)
        inner.number("obfuscated_ticket_age", 4, lambda value: f"0x{value:08x}")

    scan.node("PskIdentity", length, identity)


def _offered_psks(scan: Scan) -> None:
    scan.vector("identities", 2, lambda inner: inner.each(_psk_identity))
    scan.vector("binders", 2, lambda inner: inner.each(lambda one: one.vector("binder", 1)))


def _status_request(scan: Scan) -> None:
    kind = scan.number("status_type", 1, lambda value: printable(CertificateStatusType.of(value)))
    if kind != CertificateStatusType.ocsp:
        scan.rest("extension_data")
        return
    scan.vector("responder_id_list", 2, lambda inner: inner.each(lambda one: one.vector("responder_id", 2)))
    scan.vector("request_extensions", 2)


def _status(scan: Scan) -> None:
    scan.number("status_type", 1, lambda value: printable(CertificateStatusType.of(value)))
    scan.vector("response", 3)


def _oid_filter(scan: Scan) -> None:
    scan.vector("certificate_extension_oid", 1)
    scan.vector("certificate_extension_values", 2)


def _padding(scan: Scan) -> None:
    scan.rest("bytes of zero", lambda raw: plural(len(raw), "byte"))


def _ech(scan: Scan) -> None:
    kind = scan.number("type", 1, lambda value: {0: "outer", 1: "inner"}.get(value, f"0x{value:02x}"))
    if kind != 0:
        scan.rest("extension_data")
        return
    scan.number("kdf_id", 2, lambda value: f"0x{value:04x}")
    scan.number("aead_id", 2, lambda value: f"0x{value:04x}")
    scan.number("config_id", 1)
    scan.vector("enc", 2)
    scan.vector("payload", 2)


def _bits(raw: bytes) -> list[str]:
    return [str(8 * place + bit) for place, byte in enumerate(raw) for bit in range(8) if byte >> bit & 1]


_SCHEMES = _listed("supported_signature_algorithms", 2, _u16("signature_scheme", SignatureScheme))
_LENGTHS = {1: "512 bytes", 2: "1,024 bytes", 3: "2,048 bytes", 4: "4,096 bytes"}
_POINTS = {0: "uncompressed", 1: "ansiX962_compressed_prime", 2: "ansiX962_compressed_char2"}


def _of(table: dict[int, str]) -> Callable[[int], str]:
    return lambda value: table.get(value, f"0x{value:02x}")


def _names(show: Shown) -> Grammar:
    return _listed("authorities", 2, lambda one: one.vector("distinguished_name", 2, show=show))


_GRAMMARS: dict[tuple[str, ExtensionType], Grammar] = {
    ("", E.server_name): _listed("server_name_list", 2, _server_name),
    ("", E.max_fragment_length): _number("max_fragment_length", 1, _of(_LENGTHS)),
    ("", E.status_request): _status_request,
    ("Certificate", E.status_request): _status,
    ("", E.supported_groups): _listed("named_group_list", 2, _u16("named_group", NamedGroup)),
    ("", E.ec_point_formats): _listed("ec_point_format_list", 1, _number("ec_point_format", 1, _of(_POINTS))),
    ("", E.signature_algorithms): _SCHEMES,
    ("", E.signature_algorithms_cert): _SCHEMES,
    ("", E.delegated_credential): _SCHEMES,
    ("", E.application_layer_protocol_negotiation): _listed(
        "protocol_name_list", 2, lambda one: one.vector("protocol_name", 1, show=_text)
    ),
    ("", E.signed_certificate_timestamp): _listed("sct_list", 2, lambda one: one.vector("serialized_sct", 2)),
    ("ClientHello", E.client_certificate_type): _listed(
        "certificate_types", 1, _u8("certificate_type", CertificateType)
    ),
    ("ClientHello", E.server_certificate_type): _listed(
        "certificate_types", 1, _u8("certificate_type", CertificateType)
    ),
    ("", E.client_certificate_type): _u8("certificate_type", CertificateType),
    ("", E.server_certificate_type): _u8("certificate_type", CertificateType),
    ("", E.padding): _padding,
    ("", E.compress_certificate): _listed("algorithms", 1, _u16("algorithm", CertificateCompressionAlgorithm)),
    ("", E.record_size_limit): _number("record_size_limit", 2, lambda value: f"{value:,} bytes"),
    ("", E.session_ticket): lambda scan: scan.rest("ticket"),
    ("ClientHello", E.pre_shared_key): _offered_psks,
    ("ServerHello", E.pre_shared_key): _number("selected_identity", 2),
    ("NewSessionTicket", E.early_data): _number("max_early_data_size", 4, lambda value: f"{value:,} bytes"),
    ("ClientHello", E.supported_versions): _listed("versions", 1, _u16("version", ProtocolVersion)),
    ("", E.supported_versions): _u16("selected_version", ProtocolVersion),
    ("", E.cookie): _vector("cookie", 2),
    ("", E.psk_key_exchange_modes): _listed("ke_modes", 1, _u8("ke_mode", PskKeyExchangeMode)),
    ("", E.certificate_authorities): _names(name_of),
    ("", E.oid_filters): _listed("filters", 2, _oid_filter),
    ("ClientHello", E.key_share): _listed("client_shares", 2, _key_share),
    ("ServerHello", E.key_share): _key_share,
    ("HelloRetryRequest", E.key_share): _u16("selected_group", NamedGroup),
    ("", E.encrypted_client_hello): _ech,
    ("", E.tls_flags): _vector("flags", 1, lambda raw: ", ".join(_bits(raw)) or "none"),
    ("", E.renegotiation_info): _vector("renegotiated_connection", 1),
}
"""By message and extension; an empty message stands for all others."""
