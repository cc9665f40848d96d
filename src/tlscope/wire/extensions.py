"""Extensions: what each looks like, and in which message it may stand (RFC 8446 section 4.2).

An extension's body has a different form in different messages, so a *form* belongs to one extension in one kind of
message. The tables at the end of this file say which forms exist where; an extension without a row in a message's
table is kept as the bytes it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Generic, NamedTuple, TypeVar

from .codec import DecodeError, IllegalValue, Reader, u8, u16, u16_list, u32, vec8, vec16, vec24
from .codepoints import (
    CertificateCompressionAlgorithm,
    CertificateStatusType,
    CertificateType,
    ExtensionType,
    NamedGroup,
    ProtocolVersion,
    PskKeyExchangeMode,
    SignatureScheme,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ExtensionForm(Generic[T]):
    """How one extension's body looks in one kind of message. Calling it with a value makes the extension.

    ``fresh`` says that the body is another one in every handshake, so that there is no use in remembering it; the values
    of others are kept in ``known``.
    """

    type: ExtensionType
    decode: Callable[[Reader], T]
    encode: Callable[[T], bytes]
    fresh: bool = False
    known: dict[bytes, T] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, value: T) -> tuple[int, bytes]:
        """The extension with this value, ready for ``Extensions``."""
        return self.type, self.encode(value)

    def read(self, body: bytes) -> T:
        """The value in a body. Raises ``DecodeError``, also for bytes left over."""
        try:
            reader = Reader(body)
            value = self.decode(reader)
            reader.end()
        except DecodeError as error:
            raise type(error)(f"its extension {self.type} is malformed: {error}") from None
        if not self.fresh and len(body) <= _REMEMBERED_LENGTH:
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            self.known[body] = value
        return value


_HEADER = Struct(">HH")
"""A code point and the length of what follows: the head of an extension, or of a key share."""
_read_header, _header = _HEADER.unpack_from, _HEADER.pack

_REMEMBERED, _REMEMBERED_LENGTH = 64, 64
"""How many values a form remembers, of bodies of how many bytes: most are the same from one connection to the next."""


class Extensions:
    """The extensions of one message, in order, each as it stood on the wire and as the value it means."""

    __slots__ = ("_raw", "_values")

    def __init__(self, items: Iterable[tuple[int, bytes]] = ()) -> None:
        self._raw: dict[int, bytes] = dict(items)
        self._values: dict[int, Any] = {}

    @classmethod
    def decode(cls, body: bytes, forms: Mapping[int, ExtensionForm[Any]]) -> Extensions:
        """The extensions in a vector's body; those with a form are decoded at once, so that a bad one is found here.

        Raises ``DecodeError`` for a malformed one and for one that stands there twice.
        """
        extensions = cls()
        raw, values = extensions._raw, extensions._values
        position, end = 0, len(body)
        while position < end:
            start = position + 4
            if start > end:
                raise DecodeError("it ends in the middle of an extension's header")
            kind, length = _read_header(body, position)
            position = start + length
            if position > end:
                raise DecodeError(f"its extension {ExtensionType.of(kind)} is longer than what is left")
            form = forms.get(kind)
            if kind in raw:
                # Of an extension that has no meaning here, all that can be said is that the list is malformed.
                problem = DecodeError if form is None else IllegalValue
                raise problem(f"the extension {ExtensionType.of(kind)} stands there twice")
            data = raw[kind] = body[start:position]
            if form is not None:
                value = form.known.get(data, form)
                values[kind] = form.read(data) if value is form else value  # the form itself stands for nothing known
        return extensions

    def get(self, form: ExtensionForm[T]) -> T | None:
        """The value of an extension, None where it is absent."""
        kind = form.type
        known: T | None = self._values.get(kind)
        if known is not None:
            return known
        data = self._raw.get(kind)
        if data is None:
            return None
        value = self._values[kind] = form.read(data)
        return value

    @property
    def items(self) -> tuple[tuple[int, bytes], ...]:
        """Types and bodies, in order."""
        return tuple(self._raw.items())

    def __contains__(self, kind: object) -> bool:
        return kind in self._raw

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return iter(self._raw.items())

    def __len__(self) -> int:
        return len(self._raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Extensions) and self.items == other.items

    def __hash__(self) -> int:
        return hash(self.items)

    def __repr__(self) -> str:
        return f"Extensions({', '.join(str(ExtensionType.of(kind)) for kind in self._raw)})"

    @property
    def types(self) -> tuple[int, ...]:
        """The extensions' types, in order."""
        return tuple(self._raw)

    def with_(self, *items: tuple[int, bytes]) -> Extensions:
        """These extensions with ``items`` in place of those of the same types, new ones at the end."""
        return Extensions({**self._raw, **dict(items)}.items())

    def without(self, *kinds: int) -> Extensions:
        """These extensions less those of the given types."""
        return Extensions((kind, data) for kind, data in self._raw.items() if kind not in kinds)

    def encode(self) -> bytes:
        """The vector of extensions behind its two-byte length."""
        body = b"".join([_header(kind, len(data)) + data for kind, data in self._raw.items()])
        return len(body).to_bytes(2, "big") + body


class KeyShareEntry(NamedTuple):
    """A public key of one group (RFC 8446 section 4.2.8)."""

    group: NamedGroup
    key_exchange: bytes

    @classmethod
    def decode(cls, reader: Reader) -> KeyShareEntry:
        """Read one entry."""
        return cls(NamedGroup.of(reader.u16()), reader.vec16(1))

    def encode(self) -> bytes:
        """The entry's bytes."""
        return _header(self.group, len(self.key_exchange)) + self.key_exchange


class PskIdentity(NamedTuple):
    """A name for a pre-shared key, with the ticket's age in milliseconds, obfuscated (RFC 8446 section 4.2.11)."""

    identity: bytes
    obfuscated_ticket_age: int


class OfferedPsks(NamedTuple):
    """The client's pre_shared_key: identities and, in the same order, their binders.

    A binder has 32 to 255 bytes; a shorter one is wrong as any other is when it is checked, and where a server goes back
    to TLS 1.2 it is not.
    """

    identities: tuple[PskIdentity, ...]
    binders: tuple[bytes, ...]

    @classmethod
    def decode(cls, reader: Reader) -> OfferedPsks:
        """Read both lists."""
        identities = reader.each(reader.vec16(7), lambda r: PskIdentity(r.vec16(1), r.u32()))
        binders = reader.each(reader.vec16(2), lambda r: r.vec8(1))
        if len(binders) != len(identities):
            raise IllegalValue(f"{len(identities)} identities come with {len(binders)} binders")
        return cls(identities, binders)

    def encode(self) -> bytes:
        """The extension's body; the binders' list is its last ``binders_length`` bytes."""
        identities = b"".join([vec16(one.identity) + u32(one.obfuscated_ticket_age) for one in self.identities])
        return vec16(identities) + vec16(b"".join([vec8(binder) for binder in self.binders]))

    @property
    def binders_length(self) -> int:
        """Bytes of the list of binders with its length: what the binders don't cover (section 4.2.11.2)."""
        return 2 + sum(1 + len(binder) for binder in self.binders)


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """A wish for an OCSP response (RFC 6066 section 8): responders and request extensions, both DER, mostly empty."""

    responder_ids: tuple[bytes, ...] = ()
    request_extensions: bytes = b""


def _empty(reader: Reader) -> bool:
    reader.end()
    return True


def _nothing(_: bool) -> bytes:
    return b""


def _server_name(reader: Reader) -> str:
    """RFC 6066 section 3: one host_name, in A-labels, no trailing dot; other name types were never defined."""
    names = reader.each(reader.vec16(1), lambda r: (r.u8(), r.vec16(1)))
    if len(names) != 1 or names[0][0] != 0:
        raise DecodeError("it holds something else than one host_name")
    raw = names[0][1]
    if not raw.isascii() or b"\0" in raw:
        raise DecodeError("the host_name has bytes outside of ASCII, or a NUL")
    return raw.decode("ascii")


def _status_request(reader: Reader) -> StatusRequest | None:
    if reader.u8() != CertificateStatusType.ocsp:
        reader.rest()  # a type that nobody knows is not an error
        return None
    responders = reader.each(reader.vec16(), lambda r: r.vec16(1))
    return StatusRequest(responders, reader.vec16())


def _write_status_request(value: StatusRequest | None) -> bytes:
    if value is None:
        raise ValueError("a status_request of an unknown type can't be written")
    responders = b"".join([vec16(one) for one in value.responder_ids])
    return u8(CertificateStatusType.ocsp) + vec16(responders) + vec16(value.request_extensions)


def _certificate_status(reader: Reader) -> bytes:
    if reader.u8() != CertificateStatusType.ocsp:
        raise DecodeError("the certificate status is not an OCSP response")
    return reader.vec24(1)


def _alpn_list(reader: Reader) -> tuple[bytes, ...]:
    return reader.each(reader.vec16(2), lambda r: r.vec8(1))


def _alpn_choice(reader: Reader) -> bytes:
    names = _alpn_list(reader)
    if len(names) != 1:
        raise DecodeError("the choice of a protocol has more than one name (RFC 7301 section 3.1)")
    return names[0]


def _key_shares(reader: Reader) -> tuple[KeyShareEntry, ...]:
    return reader.each(reader.vec16(), KeyShareEntry.decode)


def _distinguished_names(reader: Reader) -> tuple[bytes, ...]:
    return reader.each(reader.vec16(3), lambda r: r.vec16(1))


def _flags(reader: Reader) -> frozenset[int]:
    """Numbers of the bits that are set, counted from the lowest of the first byte; no byte more than that takes."""
    body = reader.vec8(1)
    if not body[-1]:
        raise IllegalValue("its last byte is zero, which must be left out")
    return frozenset(8 * place + bit for place, byte in enumerate(body) for bit in range(8) if byte >> bit & 1)


def _write_flags(flags: frozenset[int]) -> bytes:
    body = bytearray(max(flags) // 8 + 1)
    for flag in flags:
        body[flag // 8] |= 1 << flag % 8
    return vec8(bytes(body))


def _padding(reader: Reader) -> int:
    body = reader.rest()
    if body.strip(b"\0"):
        raise IllegalValue("its bytes are not all zero (RFC 7685 section 3)")
    return len(body)


def _u16_codes(cls: Any, width: int = 2) -> tuple[Callable[[Reader], Any], Callable[[Any], bytes]]:
    of, vector = cls.of, vec16 if width == 2 else vec8
    return lambda reader: tuple(map(of, reader.u16s(width))), lambda values: vector(u16_list(values))


def _u8_codes(cls: Any) -> tuple[Callable[[Reader], Any], Callable[[Any], bytes]]:
    of = cls.of
    return lambda reader: tuple(map(of, reader.vec8(1))), lambda values: vec8(bytes(values))


E_ = ExtensionType

# In ClientHello; some in CertificateRequest too.
SERVER_NAME: ExtensionForm[str] = ExtensionForm(
    E_.server_name, _server_name, lambda name: vec16(u8(0) + vec16(name.encode("ascii")))
)
SUPPORTED_GROUPS: ExtensionForm[tuple[NamedGroup, ...]] = ExtensionForm(E_.supported_groups, *_u16_codes(NamedGroup))
SIGNATURE_ALGORITHMS: ExtensionForm[tuple[SignatureScheme, ...]] = ExtensionForm(
    E_.signature_algorithms, *_u16_codes(SignatureScheme)
)
SIGNATURE_ALGORITHMS_CERT: ExtensionForm[tuple[SignatureScheme, ...]] = ExtensionForm(
    E_.signature_algorithms_cert, *_u16_codes(SignatureScheme)
)
ALPN_OFFER: ExtensionForm[tuple[bytes, ...]] = ExtensionForm(
    E_.application_layer_protocol_negotiation,
    _alpn_list,
    lambda names: vec16(b"".join([vec8(name) for name in names])),
)
SUPPORTED_VERSIONS: ExtensionForm[tuple[ProtocolVersion, ...]] = ExtensionForm(
    E_.supported_versions, *_u16_codes(ProtocolVersion, 1)
)
KEY_SHARES: ExtensionForm[tuple[KeyShareEntry, ...]] = ExtensionForm(
    E_.key_share, _key_shares, lambda shares: vec16(b"".join([share.encode() for share in shares])), fresh=True
)
COOKIE: ExtensionForm[bytes] = ExtensionForm(E_.cookie, lambda r: r.vec16(1), vec16, fresh=True)
PSK_KEY_EXCHANGE_MODES: ExtensionForm[tuple[PskKeyExchangeMode, ...]] = ExtensionForm(
    E_.psk_key_exchange_modes, *_u8_codes(PskKeyExchangeMode)
)
PRE_SHARED_KEYS: ExtensionForm[OfferedPsks] = ExtensionForm(
    E_.pre_shared_key, OfferedPsks.decode, OfferedPsks.encode, fresh=True
)
EARLY_DATA: ExtensionForm[bool] = ExtensionForm(E_.early_data, _empty, _nothing)
CERTIFICATE_AUTHORITIES: ExtensionForm[tuple[bytes, ...]] = ExtensionForm(
    E_.certificate_authorities,
    _distinguished_names,
    lambda names: vec16(b"".join([vec16(name) for name in names])),
)
OID_FILTERS: ExtensionForm[tuple[tuple[bytes, bytes], ...]] = ExtensionForm(
    E_.oid_filters,
    lambda r: r.each(r.vec16(), lambda one: (one.vec8(1), one.vec16())),
    lambda filters: vec16(b"".join([vec8(oid) + vec16(values) for oid, values in filters])),
)
POST_HANDSHAKE_AUTH: ExtensionForm[bool] = ExtensionForm(E_.post_handshake_auth, _empty, _nothing)
STATUS_REQUEST: ExtensionForm[StatusRequest | None] = ExtensionForm(
    E_.status_request, _status_request, _write_status_request
)
SIGNED_CERTIFICATE_TIMESTAMP_REQUEST: ExtensionForm[bool] = ExtensionForm(
    E_.signed_certificate_timestamp, _empty, _nothing
)
COMPRESS_CERTIFICATE: ExtensionForm[tuple[CertificateCompressionAlgorithm, ...]] = ExtensionForm(
    E_.compress_certificate, *_u16_codes(CertificateCompressionAlgorithm, 1)
)
CLIENT_CERTIFICATE_TYPES: ExtensionForm[tuple[CertificateType, ...]] = ExtensionForm(
    E_.client_certificate_type, *_u8_codes(CertificateType)
)
SERVER_CERTIFICATE_TYPES: ExtensionForm[tuple[CertificateType, ...]] = ExtensionForm(
    E_.server_certificate_type, *_u8_codes(CertificateType)
)
RECORD_SIZE_LIMIT: ExtensionForm[int] = ExtensionForm(E_.record_size_limit, Reader.u16, u16)
MAX_FRAGMENT_LENGTH: ExtensionForm[int] = ExtensionForm(E_.max_fragment_length, Reader.u8, u8)
EC_POINT_FORMATS: ExtensionForm[bytes] = ExtensionForm(E_.ec_point_formats, lambda r: r.vec8(1), vec8)
EXTENDED_MASTER_SECRET: ExtensionForm[bool] = ExtensionForm(E_.extended_master_secret, _empty, _nothing)
SESSION_TICKET: ExtensionForm[bytes] = ExtensionForm(E_.session_ticket, Reader.rest, bytes)
RENEGOTIATION_INFO: ExtensionForm[bytes] = ExtensionForm(E_.renegotiation_info, Reader.vec8, vec8)
PADDING: ExtensionForm[int] = ExtensionForm(E_.padding, _padding, bytes)

# In the server's answers.
SERVER_NAME_ACKNOWLEDGED: ExtensionForm[bool] = ExtensionForm(E_.server_name, _empty, _nothing)
ALPN_CHOICE: ExtensionForm[bytes] = ExtensionForm(
    E_.application_layer_protocol_negotiation, _alpn_choice, lambda name: vec16(vec8(name))
)
SELECTED_VERSION: ExtensionForm[ProtocolVersion] = ExtensionForm(
    E_.supported_versions, lambda r: ProtocolVersion.of(r.u16()), u16
)
SERVER_KEY_SHARE: ExtensionForm[KeyShareEntry] = ExtensionForm(
    E_.key_share, KeyShareEntry.decode, KeyShareEntry.encode, fresh=True
)
SELECTED_GROUP: ExtensionForm[NamedGroup] = ExtensionForm(E_.key_share, lambda r: NamedGroup.of(r.u16()), u16)
SELECTED_PSK: ExtensionForm[int] = ExtensionForm(E_.pre_shared_key, Reader.u16, u16)
CLIENT_CERTIFICATE_TYPE: ExtensionForm[CertificateType] = ExtensionForm(
    E_.client_certificate_type, lambda r: CertificateType.of(r.u8()), u8
)
SERVER_CERTIFICATE_TYPE: ExtensionForm[CertificateType] = ExtensionForm(
    E_.server_certificate_type, lambda r: CertificateType.of(r.u8()), u8
)
SESSION_TICKET_PROMISED: ExtensionForm[bool] = ExtensionForm(E_.session_ticket, _empty, _nothing)
STATUS_PROMISED: ExtensionForm[bool] = ExtensionForm(E_.status_request, _empty, _nothing)

# In the entries of a Certificate, and in NewSessionTicket.
CERTIFICATE_STATUS: ExtensionForm[bytes] = ExtensionForm(
    E_.status_request, _certificate_status, lambda response: u8(CertificateStatusType.ocsp) + vec24(response)
)
SIGNED_CERTIFICATE_TIMESTAMPS: ExtensionForm[tuple[bytes, ...]] = ExtensionForm(
    E_.signed_certificate_timestamp,
    lambda r: r.each(r.vec16(1), lambda one: one.vec16(1)),
    lambda entries: vec16(b"".join([vec16(one) for one in entries])),
)
MAX_EARLY_DATA_SIZE: ExtensionForm[int] = ExtensionForm(E_.early_data, Reader.u32, u32)

TLS_FLAGS: ExtensionForm[frozenset[int]] = ExtensionForm(E_.tls_flags, _flags, _write_flags)


def _table(*forms: ExtensionForm[Any]) -> Mapping[int, ExtensionForm[Any]]:
    return {int(form.type): form for form in forms}


CLIENT_HELLO_FORMS = _table(
    SERVER_NAME,
    MAX_FRAGMENT_LENGTH,
    STATUS_REQUEST,
    SUPPORTED_GROUPS,
    EC_POINT_FORMATS,
    SIGNATURE_ALGORITHMS,
    ALPN_OFFER,
    SIGNED_CERTIFICATE_TIMESTAMP_REQUEST,
    CLIENT_CERTIFICATE_TYPES,
    SERVER_CERTIFICATE_TYPES,
    PADDING,
    EXTENDED_MASTER_SECRET,
    COMPRESS_CERTIFICATE,
    RECORD_SIZE_LIMIT,
    SESSION_TICKET,
    PRE_SHARED_KEYS,
    EARLY_DATA,
    SUPPORTED_VERSIONS,
    COOKIE,
    PSK_KEY_EXCHANGE_MODES,
    CERTIFICATE_AUTHORITIES,
    POST_HANDSHAKE_AUTH,
    SIGNATURE_ALGORITHMS_CERT,
    KEY_SHARES,
    RENEGOTIATION_INFO,
)
"""RFC 8446 section 4.2's table, column CH, and what TLS 1.2 adds."""

SERVER_HELLO_13_FORMS = _table(SELECTED_VERSION, SERVER_KEY_SHARE, SELECTED_PSK)
"""RFC 8446 section 4.1.3: in TLS 1.3 a ServerHello holds these and nothing else."""

SERVER_HELLO_12_FORMS = _table(
    SERVER_NAME_ACKNOWLEDGED,
    MAX_FRAGMENT_LENGTH,
    STATUS_PROMISED,
    SUPPORTED_GROUPS,
    EC_POINT_FORMATS,
    ALPN_CHOICE,
    SIGNED_CERTIFICATE_TIMESTAMPS,
    EXTENDED_MASTER_SECRET,
    RECORD_SIZE_LIMIT,
    SESSION_TICKET_PROMISED,
    RENEGOTIATION_INFO,
)
"""What may stand in a ServerHello of TLS 1.2. RFC 8422 section 5.2 has no supported_groups there, and some servers do."""

SERVER_HELLO_FORMS = {**SERVER_HELLO_12_FORMS, **SERVER_HELLO_13_FORMS}

HELLO_RETRY_REQUEST_FORMS = _table(SELECTED_VERSION, SELECTED_GROUP, COOKIE)
"""RFC 8446 section 4.1.4."""

ENCRYPTED_EXTENSIONS_FORMS = _table(
    SERVER_NAME_ACKNOWLEDGED,
    MAX_FRAGMENT_LENGTH,
    SUPPORTED_GROUPS,
    ALPN_CHOICE,
    CLIENT_CERTIFICATE_TYPE,
    SERVER_CERTIFICATE_TYPE,
    RECORD_SIZE_LIMIT,
    EARLY_DATA,
)
"""RFC 8446 section 4.2's table, column EE."""

CERTIFICATE_REQUEST_FORMS = _table(
    SIGNATURE_ALGORITHMS,
    SIGNATURE_ALGORITHMS_CERT,
    CERTIFICATE_AUTHORITIES,
    OID_FILTERS,
    SIGNED_CERTIFICATE_TIMESTAMP_REQUEST,
    COMPRESS_CERTIFICATE,
    STATUS_PROMISED,
)
"""RFC 8446 section 4.2's table, column CR. A status_request is empty there (section 4.4.2.1)."""

CERTIFICATE_ENTRY_FORMS = _table(CERTIFICATE_STATUS, SIGNED_CERTIFICATE_TIMESTAMPS)
"""RFC 8446 section 4.2's table, column CT."""

NEW_SESSION_TICKET_FORMS = _table(MAX_EARLY_DATA_SIZE, TLS_FLAGS)
"""RFC 8446 section 4.6.1, and the flags of draft-ietf-tls-tlsflags, none of which means anything here yet."""
