"""What a listener learns from the messages that it can read."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..crypto.cipher_suites import Suite
from ..handshake.situation import lists_of
from ..wire import extensions as x
from ..wire.codec import DecodeError
from ..wire.codepoints import HandshakeType, ProtocolVersion
from ..wire.handshake import Certificate as Certificate13
from ..wire.handshake import CertificateRequest as CertificateRequest13
from ..wire.handshake import ClientHello, EncryptedExtensions, HelloRetryRequest, ServerHello
from ..wire.handshake12 import Certificate as Certificate12
from ..wire.handshake12 import CertificateRequest as CertificateRequest12
from ..wire.handshake12 import ServerKeyExchange
from .opening import suite_of

__all__ = ["Heard"]

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


@dataclass(slots=True)
class Heard:
    """Version, suite, names and randoms, as far as the messages so far have told. Malformed ones tell nothing."""

    version: ProtocolVersion = ProtocolVersion.TLS1_3
    suite: Suite | None = None
    answered: bool = False
    client_random: bytes = b""
    server_random: bytes = b""
    server_name: str = ""
    offered: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The lists of the last ClientHello, by the names that a ``Situation`` has for them."""
    asked: tuple[tuple[bytes, ...], tuple[str, ...]] | None = None
    """The CAs and signature schemes of a CertificateRequest, None where none was seen."""
    _facts: dict[str, str] = field(default_factory=dict)
    _shown: dict[str, tuple[bytes, ...]] = field(default_factory=dict)

    @property
    def is_13(self) -> bool:
        """Whether TLS 1.3 is spoken, which is what is assumed until the server has answered."""
        return self.version >= ProtocolVersion.TLS1_3

    def take(self, side: str, raw: bytes) -> str:
        """Learn from a message with its header; gives its name."""
        kind = HandshakeType.of(raw[0])
        name = _NAMES.get(kind, f"message {kind}")
        try:
            if kind == HandshakeType.client_hello:
                self._client_hello(ClientHello.decode(raw[4:]))
            elif kind == HandshakeType.server_hello:
                hello = ServerHello.decode(raw[4:])
                if isinstance(hello, HelloRetryRequest):
                    self._facts["hello_retry_request"] = "yes"
                    return "HelloRetryRequest"
                self._server_hello(hello)
            elif kind == HandshakeType.encrypted_extensions:
                self._protocol(EncryptedExtensions.decode(raw[4:]).extensions)
            elif kind == HandshakeType.certificate:
                chain = Certificate13.decode(raw[4:]).chain if self.is_13 else Certificate12.decode(raw[4:]).chain
                self._shown[side] = chain
            elif kind == HandshakeType.certificate_request:
                self._certificate_request(raw[4:])
            elif kind == HandshakeType.server_key_exchange:
                self._facts["group"] = ServerKeyExchange.decode(raw[4:]).group.name
        except DecodeError:
            pass
        return name

    def _client_hello(self, hello: ClientHello) -> None:
        self.client_random = hello.random
        self.offered = lists_of(hello)
        self.server_name = hello.extensions.get(x.SERVER_NAME) or ""
        # What the client will speak decides its hello's grammar where the server never answers.
        versions = hello.extensions.get(x.SUPPORTED_VERSIONS) or (ProtocolVersion.TLS1_2,)
        self.version = ProtocolVersion.TLS1_3 if ProtocolVersion.TLS1_3 in versions else ProtocolVersion.TLS1_2

    def _server_hello(self, hello: ServerHello) -> None:
        self.answered = True
        self.server_random = hello.random
        self.version = hello.version if hello.version >= ProtocolVersion.TLS1_3 else ProtocolVersion.TLS1_2
        self.suite = suite_of(hello.cipher_suite)
        self._facts["version"] = str(hello.version)
        self._facts["cipher_suite"] = hello.cipher_suite.name
        if self.is_13:
            share = hello.extensions.get(x.SERVER_KEY_SHARE)
            if share is not None:
                self._facts["group"] = share.group.name
            if hello.extensions.get(x.SELECTED_PSK) is not None:
                self._facts["resumed"] = "yes"
        else:
            self._protocol(hello.extensions)

    def _certificate_request(self, body: bytes) -> None:
        if self.is_13:
            extensions = CertificateRequest13.decode(body).extensions
            authorities = extensions.get(x.CERTIFICATE_AUTHORITIES) or ()
            schemes = extensions.get(x.SIGNATURE_ALGORITHMS) or ()
        else:
            request = CertificateRequest12.decode(body)
            authorities, schemes = request.certificate_authorities, request.signature_algorithms
        self.asked = tuple(authorities), tuple(map(str, schemes))

    def _protocol(self, extensions: x.Extensions) -> None:
        chosen = extensions.get(x.ALPN_CHOICE)
        if chosen is not None:
            self._facts["alpn"] = chosen.decode("utf-8", "backslashreplace")

    def shown(self, side: str) -> tuple[bytes, ...] | None:
        """The chain that a side showed, None where none was seen."""
        return self._shown.get(side)

    def facts(self) -> dict[str, str]:
        """What was agreed, by name."""
        return {**self._facts, **({"server_name": self.server_name} if self.server_name else {})}
