"""Handshake messages of TLS 1.3, and the hellos, which TLS 1.2 shares (RFC 8446 section 4).

Each message is a class with the RFC's name and fields, ``encode()`` to the message with its 4-byte header and
``decode(body)`` from the body behind that header, which raises ``DecodeError``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from . import extensions as x
from .codec import DecodeError, IllegalValue, Reader, u8, u16, u16_list, u24, u32, vec8, vec16, vec24
from .codepoints import (
    CertificateCompressionAlgorithm,
    CipherSuite,
    HandshakeType,
    KeyUpdateRequest,
    ProtocolVersion,
    SignatureScheme,
)
from .extensions import Extensions

HELLO_RETRY_REQUEST_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""SHA-256 of "HelloRetryRequest": a ServerHello with this random is one (RFC 8446 section 4.1.3)."""


class HandshakeMessage(Protocol):
    """What all messages have."""

    type: ClassVar[HandshakeType]

    def encode(self) -> bytes:
        """The message with its header."""


def frame(kind: int, body: bytes) -> bytes:
    """A handshake message: its type, the length of its body in three bytes, the body."""
    return kind.to_bytes(1, "big") + len(body).to_bytes(3, "big") + body


@dataclass(slots=True)
class ClientHello:
    """RFC 8446 section 4.1.2. ``extensions`` is None where the message ends before them, as TLS 1.2 allows."""

    type: ClassVar[HandshakeType] = HandshakeType.client_hello

    random: bytes
    cipher_suites: tuple[CipherSuite, ...]
    extensions: Extensions
    session_id: bytes = b""
    legacy_version: ProtocolVersion = ProtocolVersion.TLS1_2
    compression_methods: bytes = b"\0"

    @classmethod
    def decode(cls, body: bytes) -> ClientHello:
        """Read the body; pre_shared_key must come last (section 4.2.11)."""
        reader = Reader(body)
        version = ProtocolVersion.of(reader.u16())
        random = reader.take(32)
        session_id = reader.vec8(0, 32)
        suites = tuple(map(CipherSuite.of, reader.u16s()))
        compression = reader.vec8(1)
        extensions = Extensions.decode(reader.vec16(), x.CLIENT_HELLO_FORMS) if reader.remaining else Extensions()
        reader.end()
        kinds = extensions.types
        if x.PRE_SHARED_KEYS.type in kinds[:-1]:
            raise IllegalValue("pre_shared_key is not its last extension (RFC 8446 section 4.2.11)")
        return cls(random, suites, extensions, session_id, version, compression)

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(
            self.type,
            u16(self.legacy_version)
            + self.random
            + vec8(self.session_id)
            + vec16(u16_list(self.cipher_suites))
            + vec8(self.compression_methods)
            + self.extensions.encode(),
        )


@dataclass(slots=True)
class ServerHello:
    """RFC 8446 section 4.1.3 and RFC 5246 section 7.4.1.3."""

    type: ClassVar[HandshakeType] = HandshakeType.server_hello
    _forms: ClassVar[Mapping[int, x.ExtensionForm[object]]] = x.SERVER_HELLO_FORMS

    random: bytes
    cipher_suite: CipherSuite
    extensions: Extensions
    session_id: bytes = b""
    legacy_version: ProtocolVersion = ProtocolVersion.TLS1_2
    compression_method: int = 0

    @staticmethod
    def decode(body: bytes) -> ServerHello:
        """Read the body, as a ``HelloRetryRequest`` where the random says so."""
        cls = HelloRetryRequest if body[2:34] == HELLO_RETRY_REQUEST_RANDOM else ServerHello
        reader = Reader(body)
        version = ProtocolVersion.of(reader.u16())
        random = reader.take(32)
        session_id = reader.vec8(0, 32)
        suite = CipherSuite.of(reader.u16())
        compression = reader.u8()
        extensions = Extensions.decode(reader.vec16(), cls._forms) if reader.remaining else Extensions()
        reader.end()
        return cls(random, suite, extensions, session_id, version, compression)

    @property
    def version(self) -> ProtocolVersion:
        """The version that the server chose: supported_versions, or legacy_version where it is absent."""
        return self.extensions.get(x.SELECTED_VERSION) or self.legacy_version

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(
            self.type,
            u16(self.legacy_version)
            + self.random
            + vec8(self.session_id)
            + u16(self.cipher_suite)
            + u8(self.compression_method)
            # RFC 5246 section 7.4.1.3: without extensions the list itself may be left out.
            + (self.extensions.encode() if len(self.extensions) else b""),
        )


@dataclass(slots=True)
class HelloRetryRequest(ServerHello):
    """RFC 8446 section 4.1.4: on the wire a ServerHello, in the flow another message."""

    _forms: ClassVar[Mapping[int, x.ExtensionForm[object]]] = x.HELLO_RETRY_REQUEST_FORMS


@dataclass(slots=True)
class EncryptedExtensions:
    """RFC 8446 section 4.3.1."""

    type: ClassVar[HandshakeType] = HandshakeType.encrypted_extensions

    extensions: Extensions

    @classmethod
    def decode(cls, body: bytes) -> EncryptedExtensions:
        """Read the body."""
        reader = Reader(body)
        extensions = Extensions.decode(reader.vec16(), x.ENCRYPTED_EXTENSIONS_FORMS)
        reader.end()
        return cls(extensions)

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(self.type, self.extensions.encode())


@dataclass(slots=True)
class CertificateRequest:
    """RFC 8446 section 4.3.2. ``certificate_request_context`` is empty but after the handshake."""

    type: ClassVar[HandshakeType] = HandshakeType.certificate_request

    extensions: Extensions
    certificate_request_context: bytes = b""

    @classmethod
    def decode(cls, body: bytes) -> CertificateRequest:
        """Read the body."""
        reader = Reader(body)
        context = reader.vec8()
        extensions = Extensions.decode(reader.vec16(), x.CERTIFICATE_REQUEST_FORMS)
        reader.end()
        return cls(extensions, context)

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(self.type, vec8(self.certificate_request_context) + self.extensions.encode())


@dataclass(slots=True)
class CertificateEntry:
    """One certificate (DER) or raw public key (SubjectPublicKeyInfo) with its extensions."""

    data: bytes
    extensions: Extensions = field(default_factory=Extensions)

    @classmethod
    def decode(cls, reader: Reader) -> CertificateEntry:
        """Read one entry."""
        return cls(reader.vec24(1), Extensions.decode(reader.vec16(), x.CERTIFICATE_ENTRY_FORMS))

    def encode(self) -> bytes:
        """The entry's bytes."""
        return vec24(self.data) + self.extensions.encode()


@dataclass(slots=True)
class Certificate:
    """RFC 8446 section 4.4.2: the sender's chain, leaf first; empty where a client has none that fits."""

    type: ClassVar[HandshakeType] = HandshakeType.certificate

    certificate_list: tuple[CertificateEntry, ...]
    certificate_request_context: bytes = b""

    @classmethod
    def decode(cls, body: bytes) -> Certificate:
        """Read the body."""
        reader = Reader(body)
        context = reader.vec8()
        entries = reader.each(reader.vec24(), CertificateEntry.decode)
        reader.end()
        return cls(entries, context)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The entries' data, leaf first."""
        return tuple(entry.data for entry in self.certificate_list)

    def encode(self) -> bytes:
        """The message with its header."""
        entries = b"".join([entry.encode() for entry in self.certificate_list])
        return frame(self.type, vec8(self.certificate_request_context) + vec24(entries))


@dataclass(slots=True)
class CompressedCertificate:
    """RFC 8879 section 4: a Certificate's body, compressed."""

    type: ClassVar[HandshakeType] = HandshakeType.compressed_certificate

    algorithm: CertificateCompressionAlgorithm
    uncompressed_length: int
    compressed_certificate_message: bytes

    @classmethod
    def decode(cls, body: bytes) -> CompressedCertificate:
        """Read the body."""
        reader = Reader(body)
        message = cls(CertificateCompressionAlgorithm.of(reader.u16()), reader.u24(), reader.vec24(1))
        reader.end()
        return message

    def encode(self) -> bytes:
        """The message with its header."""
        body = u16(self.algorithm) + u24(self.uncompressed_length) + vec24(self.compressed_certificate_message)
        return frame(self.type, body)


@dataclass(slots=True)
class CertificateVerify:
    """RFC 8446 section 4.4.3 and RFC 5246 section 7.4.8: proof that the sender has the certificate's private key."""

    type: ClassVar[HandshakeType] = HandshakeType.certificate_verify

    algorithm: SignatureScheme
    signature: bytes

    @classmethod
    def decode(cls, body: bytes) -> CertificateVerify:
        """Read the body."""
        reader = Reader(body)
        message = cls(SignatureScheme.of(reader.u16()), reader.vec16())
        reader.end()
        return message

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(self.type, u16(self.algorithm) + vec16(self.signature))


@dataclass(slots=True)
class Finished:
    """RFC 8446 section 4.4.4 (as long as the hash) and RFC 5246 section 7.4.9 (12 bytes)."""

    type: ClassVar[HandshakeType] = HandshakeType.finished

    verify_data: bytes

    @classmethod
    def decode(cls, body: bytes) -> Finished:
        """Read the body; its length is for the flow to judge, which knows the hash."""
        return cls(body)

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(self.type, self.verify_data)


@dataclass(slots=True)
class EndOfEarlyData:
    """RFC 8446 section 4.5."""

    type: ClassVar[HandshakeType] = HandshakeType.end_of_early_data

    @classmethod
    def decode(cls, body: bytes) -> EndOfEarlyData:
        """Read the body, which is empty."""
        if body:
            raise DecodeError(f"its body has {len(body)} bytes and must be empty")
        return cls()

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(self.type, b"")


@dataclass(slots=True)
class NewSessionTicket:
    """RFC 8446 section 4.6.1. ``ticket_lifetime`` is in seconds; ``ticket_age_add`` is 32 random bits."""

    type: ClassVar[HandshakeType] = HandshakeType.new_session_ticket

    ticket_lifetime: int
    ticket_age_add: int
    ticket_nonce: bytes
    ticket: bytes = field(repr=False)
    extensions: Extensions = field(default_factory=Extensions)

    @classmethod
    def decode(cls, body: bytes) -> NewSessionTicket:
        """Read the body."""
        reader = Reader(body)
        lifetime, age_add, nonce, ticket = reader.u32(), reader.u32(), reader.vec8(), reader.vec16(1)
        extensions = Extensions.decode(reader.vec16(), x.NEW_SESSION_TICKET_FORMS)
        reader.end()
        return cls(lifetime, age_add, nonce, ticket, extensions)

    def encode(self) -> bytes:
        """The message with its header."""
        body = u32(self.ticket_lifetime) + u32(self.ticket_age_add) + vec8(self.ticket_nonce) + vec16(self.ticket)
        return frame(self.type, body + self.extensions.encode())


@dataclass(slots=True)
class KeyUpdate:
    """RFC 8446 section 4.6.3."""

    type: ClassVar[HandshakeType] = HandshakeType.key_update

    request_update: KeyUpdateRequest

    @classmethod
    def decode(cls, body: bytes) -> KeyUpdate:
        """Read the body; a request other than 0 and 1 is illegal."""
        if len(body) != 1:
            raise DecodeError(f"its body has {len(body)} bytes and must have one")
        if body[0] > 1:
            raise IllegalValue(f"request_update is {body[0]}, neither 0 nor 1")
        return cls(KeyUpdateRequest(body[0]))

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(self.type, u8(self.request_update))
