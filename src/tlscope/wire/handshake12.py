"""Handshake messages that are TLS 1.2's own, or look different there (RFC 5246 section 7.4).

The hellos, CertificateVerify and Finished are those of ``handshake.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from .codec import DecodeError, Reader, u8, u16, u16_list, u32, vec8, vec16, vec24
from .codepoints import (
    CertificateStatusType,
    ClientCertificateType,
    HandshakeType,
    NamedGroup,
    SignatureScheme,
)
from .handshake import frame

NAMED_CURVE = 3
"""ECCurveType named_curve, the only one there still is (RFC 8422 section 5.4)."""


def _nothing_in(body: bytes) -> None:
    if body:
        raise DecodeError(f"its body has {len(body)} bytes and must be empty")


@dataclass(slots=True)
class HelloRequest:
    """RFC 5246 section 7.4.1.1: a server's wish to renegotiate. Not part of the transcript."""

    type: ClassVar[HandshakeType] = HandshakeType.hello_request

    @classmethod
    def decode(cls, body: bytes) -> HelloRequest:
        """Read the body, which is empty."""
        _nothing_in(body)
        return cls()

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(self.type, b"")


@dataclass(slots=True)
class Certificate:
    """RFC 5246 section 7.4.2: the sender's chain (DER), leaf first."""

    type: ClassVar[HandshakeType] = HandshakeType.certificate

    chain: tuple[bytes, ...]

    @classmethod
    def decode(cls, body: bytes) -> Certificate:
        """Read the body."""
        reader = Reader(body)
        chain = reader.each(reader.vec24(), lambda r: r.vec24(1))
        reader.end()
        return cls(chain)

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(self.type, vec24(b"".join([vec24(one) for one in self.chain])))


@dataclass(slots=True)
class CertificateStatus:
    """RFC 6066 section 8: the stapled OCSP response (DER)."""

    type: ClassVar[HandshakeType] = HandshakeType.certificate_status

    response: bytes

    @classmethod
    def decode(cls, body: bytes) -> CertificateStatus:
        """Read the body."""
        reader = Reader(body)
        if reader.u8() != CertificateStatusType.ocsp:
            raise DecodeError("the certificate status is not an OCSP response")
        response = reader.vec24(1)
        reader.end()
        return cls(response)

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(self.type, u8(CertificateStatusType.ocsp) + vec24(self.response))


@dataclass(slots=True)
class ServerKeyExchange:
    """RFC 8422 section 5.4: the server's ephemeral key, signed together with both randoms."""

    type: ClassVar[HandshakeType] = HandshakeType.server_key_exchange

    group: NamedGroup
    public_key: bytes
    algorithm: SignatureScheme
    signature: bytes

    @classmethod
    def decode(cls, body: bytes) -> ServerKeyExchange:
        """Read the body; curves that are spelt out instead of named are refused."""
        reader = Reader(body)
        if reader.u8() != NAMED_CURVE:
            raise DecodeError("the curve is not a named one (RFC 8422 section 5.4)")
        message = cls(NamedGroup.of(reader.u16()), reader.vec8(1), SignatureScheme.of(reader.u16()), reader.vec16())
        reader.end()
        return message

    @property
    def params(self) -> bytes:
        """ServerECDHParams: what is signed behind client_random and server_random."""
        return u8(NAMED_CURVE) + u16(self.group) + vec8(self.public_key)

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(self.type, self.params + u16(self.algorithm) + vec16(self.signature))


@dataclass(slots=True)
class CertificateRequest:
    """RFC 5246 section 7.4.4."""

    type: ClassVar[HandshakeType] = HandshakeType.certificate_request

    certificate_types: tuple[ClientCertificateType, ...]
    signature_algorithms: tuple[SignatureScheme, ...]
    certificate_authorities: tuple[bytes, ...] = ()

    @classmethod
    def decode(cls, body: bytes) -> CertificateRequest:
        """Read the body."""
        reader = Reader(body)
        types = tuple(map(ClientCertificateType.of, reader.vec8(1)))
        schemes = tuple(map(SignatureScheme.of, reader.u16s()))
        names = reader.each(reader.vec16(), lambda r: r.vec16(1))
        reader.end()
        return cls(types, schemes, names)

    def encode(self) -> bytes:
        """The message with its header."""
        names = b"".join([vec16(name) for name in self.certificate_authorities])
        body = vec8(bytes(self.certificate_types)) + vec16(u16_list(self.signature_algorithms)) + vec16(names)
        return frame(self.type, body)


@dataclass(slots=True)
class ServerHelloDone:
    """RFC 5246 section 7.4.5."""

    type: ClassVar[HandshakeType] = HandshakeType.server_hello_done

    @classmethod
    def decode(cls, body: bytes) -> ServerHelloDone:
        """Read the body, which is empty."""
        _nothing_in(body)
        return cls()

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(self.type, b"")


@dataclass(slots=True)
class ClientKeyExchange:
    """RFC 5246 section 7.4.7: what it holds depends on the key exchange, so the body is kept for the flow to read.

    With ECDHE it is the client's public key behind a one-byte length (RFC 8422 section 5.7), with RSA the encrypted
    premaster secret behind a two-byte length (RFC 5246 section 7.4.7.1).
    """

    type: ClassVar[HandshakeType] = HandshakeType.client_key_exchange

    body: bytes

    @classmethod
    def decode(cls, body: bytes) -> ClientKeyExchange:
        """Read the body."""
        return cls(body)

    @classmethod
    def ecdhe(cls, public_key: bytes) -> ClientKeyExchange:
        """With an ephemeral public key."""
        return cls(vec8(public_key))

    @classmethod
    def rsa(cls, encrypted_premaster_secret: bytes) -> ClientKeyExchange:
        """With a premaster secret encrypted to the key of the server's certificate."""
        return cls(vec16(encrypted_premaster_secret))

    @property
    def public_key(self) -> bytes:
        """The client's ephemeral public key. Raises ``DecodeError``."""
        reader = Reader(self.body)
        key = reader.vec8(1)
        reader.end()
        return key

    @property
    def encrypted_premaster_secret(self) -> bytes:
        """The encrypted premaster secret. Raises ``DecodeError``."""
        reader = Reader(self.body)
        secret = reader.vec16()
        reader.end()
        return secret

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(self.type, self.body)


@dataclass(slots=True)
class NewSessionTicket:
    """RFC 5077 section 3.3. ``ticket_lifetime_hint`` is in seconds; an empty ticket takes the promise back."""

    type: ClassVar[HandshakeType] = HandshakeType.new_session_ticket

    ticket_lifetime_hint: int
    ticket: bytes = field(repr=False)

    @classmethod
    def decode(cls, body: bytes) -> NewSessionTicket:
        """Read the body."""
        reader = Reader(body)
        message = cls(reader.u32(), reader.vec16())
        reader.end()
        return message

    def encode(self) -> bytes:
        """The message with its header."""
        return frame(self.type, u32(self.ticket_lifetime_hint) + vec16(self.ticket))
