"""Open integers with their IANA names.

Every registry of TLS is open: a peer may send a value that was registered after this file was written, or that was
never registered at all (RFC 8701 makes sure that some do). So a code point is an ``int`` that knows its name when it has
one, and an unknown value survives a round trip unchanged.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Self

__all__ = [
    "AlertDescription",
    "AlertLevel",
    "CertificateCompressionAlgorithm",
    "CertificateStatusType",
    "CertificateType",
    "CipherSuite",
    "ClientCertificateType",
    "CodePoint",
    "ContentType",
    "ExtensionType",
    "HandshakeType",
    "KeyUpdateRequest",
    "NamedGroup",
    "OctetCodePoint",
    "ProtocolVersion",
    "PskKeyExchangeMode",
    "SignatureScheme",
    "is_grease",
]


def is_grease(value: int) -> bool:
    """Whether a 16-bit value is one of the sixteen reserved by RFC 8701 section 2 (0x0a0a, 0x1a1a, ... 0xfafa)."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


class CodePoint(IntEnum):
    """An integer of a TLS registry, named where this library knows it and kept as it is where not.

    Equality and hash are the integer's, so a code point may be looked up wherever its number may.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self:
        if not isinstance(value, int):
            raise ValueError(f"{value!r} is not a {cls.__name__}")
        unnamed = int.__new__(cls, value)
        unnamed._name_, unnamed._value_ = cls._describe(value), value
        return unnamed

    @staticmethod
    def _describe(value: int) -> str:
        return f"GREASE(0x{value:04x})" if is_grease(value) else f"0x{value:04x}"

    @classmethod
    def of(cls, value: int) -> Self:
        """``cls(value)`` by way of a dictionary: what decoders of long lists call."""
        member: Any = cls._value2member_map_.get(value)
        return cls(value) if member is None else member

    @classmethod
    def named(cls, name: str) -> Self:
        """The code point of this name, in any case and with ``-`` for ``_``. Raises ``KeyError`` where there is none."""
        wanted = name.replace("-", "_").lower()
        for known, member in cls.__members__.items():
            if known.lower() == wanted:
                return member
        raise KeyError(name)

    @property
    def is_named(self) -> bool:
        """Whether this library knows the value by name."""
        return int(self) in type(self)._value2member_map_

    def __str__(self) -> str:
        name: str = self._name_  # what ``name`` gives, without the detour by which an enumeration protects it
        return name

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}" if self.is_named else f"{type(self).__name__}({self.name})"

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return type(self), (int(self),)


class OctetCodePoint(CodePoint):
    """A code point of one byte: an unnamed value prints with two hexadecimal digits, and GREASE has no place in it."""

    @staticmethod
    def _describe(value: int) -> str:
        return f"0x{value:02x}"


class ProtocolVersion(CodePoint):
    """RFC 8446 section 4.1.2 and its forebears."""

    SSL2 = 0x0002
    SSL3 = 0x0300
    TLS1_0 = 0x0301
    TLS1_1 = 0x0302
    TLS1_2 = 0x0303
    TLS1_3 = 0x0304

    def __str__(self) -> str:
        return _SPOKEN_VERSIONS.get(self, self._name_)


_SPOKEN_VERSIONS = {
    0x0002: "SSL 2.0",
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
}


class ContentType(OctetCodePoint):
    """RFC 8446 section 5.1."""

    invalid = 0
    change_cipher_spec = 20
    alert = 21
    handshake = 22
    application_data = 23


class HandshakeType(OctetCodePoint):
    """RFC 8446 section 4, RFC 5246 section 7.4 and their extensions."""

    hello_request = 0
    client_hello = 1
    server_hello = 2
    new_session_ticket = 4
    end_of_early_data = 5
    encrypted_extensions = 8
    certificate = 11
    server_key_exchange = 12
    certificate_request = 13
    server_hello_done = 14
    certificate_verify = 15
    client_key_exchange = 16
    finished = 20
    certificate_status = 22
    key_update = 24
    compressed_certificate = 25
    message_hash = 254


class AlertLevel(OctetCodePoint):
    """RFC 8446 section 6."""

    warning = 1
    fatal = 2


class AlertDescription(OctetCodePoint):
    """RFC 8446 section 6 and RFC 5246 section 7.2."""

    close_notify = 0
    unexpected_message = 10
    bad_record_mac = 20
    decryption_failed = 21
    record_overflow = 22
    decompression_failure = 30
    handshake_failure = 40
    no_certificate = 41
    bad_certificate = 42
    unsupported_certificate = 43
    certificate_revoked = 44
    certificate_expired = 45
    certificate_unknown = 46
    illegal_parameter = 47
    unknown_ca = 48
    access_denied = 49
    decode_error = 50
    decrypt_error = 51
    export_restriction = 60
    protocol_version = 70
    insufficient_security = 71
    internal_error = 80
    inappropriate_fallback = 86
    user_canceled = 90
    no_renegotiation = 100
    missing_extension = 109
    unsupported_extension = 110
    certificate_unobtainable = 111
    unrecognized_name = 112
    bad_certificate_status_response = 113
    bad_certificate_hash_value = 114
    unknown_psk_identity = 115
    certificate_required = 116
    general_error = 117
    no_application_protocol = 120
    ech_required = 121


class ExtensionType(CodePoint):
    """RFC 8446 section 4.2 and the registry of TLS ExtensionType values."""

    server_name = 0
    max_fragment_length = 1
    status_request = 5
    supported_groups = 10
    ec_point_formats = 11
    signature_algorithms = 13
    use_srtp = 14
    heartbeat = 15
    application_layer_protocol_negotiation = 16
    signed_certificate_timestamp = 18
    client_certificate_type = 19
    server_certificate_type = 20
    padding = 21
    encrypt_then_mac = 22
    extended_master_secret = 23
    compress_certificate = 27
    record_size_limit = 28
    delegated_credential = 34
    session_ticket = 35
    pre_shared_key = 41
    early_data = 42
    supported_versions = 43
    cookie = 44
    psk_key_exchange_modes = 45
    certificate_authorities = 47
    oid_filters = 48
    post_handshake_auth = 49
    signature_algorithms_cert = 50
    key_share = 51
    quic_transport_parameters = 57
    tls_flags = 62
    encrypted_client_hello = 0xFE0D
    renegotiation_info = 0xFF01


class CipherSuite(CodePoint):
    """RFC 8446 appendix B.4 and the registry of TLS cipher suites: what is spoken, and what old peers are known by."""

    TLS_AES_128_GCM_SHA256 = 0x1301
    TLS_AES_256_GCM_SHA384 = 0x1302
    TLS_CHACHA20_POLY1305_SHA256 = 0x1303
    TLS_AES_128_CCM_SHA256 = 0x1304
    TLS_AES_128_CCM_8_SHA256 = 0x1305

    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 = 0xC02B
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 = 0xC02C
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 = 0xC02F
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 = 0xC030
    TLS_ECDHE_ECDSA_WITH_AES_128_CCM = 0xC0AC
    TLS_ECDHE_ECDSA_WITH_AES_256_CCM = 0xC0AD
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 = 0xCCA8
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 = 0xCCA9
    TLS_RSA_WITH_AES_128_GCM_SHA256 = 0x009C
    TLS_RSA_WITH_AES_256_GCM_SHA384 = 0x009D

    TLS_EMPTY_RENEGOTIATION_INFO_SCSV = 0x00FF
    TLS_FALLBACK_SCSV = 0x5600

    # Never spoken here; named so that a peer that offers nothing better can be told what it offered.
    TLS_RSA_WITH_RC4_128_MD5 = 0x0004
    TLS_RSA_WITH_RC4_128_SHA = 0x0005
    TLS_RSA_WITH_3DES_EDE_CBC_SHA = 0x000A
    TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA = 0x0016
    TLS_RSA_WITH_AES_128_CBC_SHA = 0x002F
    TLS_DHE_RSA_WITH_AES_128_CBC_SHA = 0x0033
    TLS_RSA_WITH_AES_256_CBC_SHA = 0x0035
    TLS_DHE_RSA_WITH_AES_256_CBC_SHA = 0x0039
    TLS_RSA_WITH_AES_128_CBC_SHA256 = 0x003C
    TLS_RSA_WITH_AES_256_CBC_SHA256 = 0x003D
    TLS_DHE_RSA_WITH_AES_128_CBC_SHA256 = 0x0067
    TLS_DHE_RSA_WITH_AES_256_CBC_SHA256 = 0x006B
    TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 = 0x009E
    TLS_DHE_RSA_WITH_AES_256_GCM_SHA384 = 0x009F
    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA = 0xC009
    TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA = 0xC00A
    TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA = 0xC012
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA = 0xC013
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA = 0xC014
    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 = 0xC023
    TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384 = 0xC024
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 = 0xC027
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 = 0xC028
    TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256 = 0xCCAA


class NamedGroup(CodePoint):
    """RFC 8446 section 4.2.7, RFC 8422 section 5.1.1, RFC 7919 and the hybrid groups."""

    secp224r1 = 0x0015
    secp256k1 = 0x0016
    secp256r1 = 0x0017
    secp384r1 = 0x0018
    secp521r1 = 0x0019
    brainpoolP256r1 = 0x001A
    brainpoolP384r1 = 0x001B
    brainpoolP512r1 = 0x001C
    x25519 = 0x001D
    x448 = 0x001E
    ffdhe2048 = 0x0100
    ffdhe3072 = 0x0101
    ffdhe4096 = 0x0102
    ffdhe6144 = 0x0103
    ffdhe8192 = 0x0104
    MLKEM512 = 0x0200
    MLKEM768 = 0x0201
    MLKEM1024 = 0x0202
    SecP256r1MLKEM768 = 0x11EB
    X25519MLKEM768 = 0x11EC
    SecP384r1MLKEM1024 = 0x11ED


class SignatureScheme(CodePoint):
    """RFC 8446 section 4.2.3."""

    rsa_pkcs1_sha1 = 0x0201
    ecdsa_sha1 = 0x0203
    rsa_pkcs1_sha256 = 0x0401
    ecdsa_secp256r1_sha256 = 0x0403
    rsa_pkcs1_sha256_legacy = 0x0420
    rsa_pkcs1_sha384 = 0x0501
    ecdsa_secp384r1_sha384 = 0x0503
    rsa_pkcs1_sha512 = 0x0601
    ecdsa_secp521r1_sha512 = 0x0603
    rsa_pss_rsae_sha256 = 0x0804
    rsa_pss_rsae_sha384 = 0x0805
    rsa_pss_rsae_sha512 = 0x0806
    ed25519 = 0x0807
    ed448 = 0x0808
    rsa_pss_pss_sha256 = 0x0809
    rsa_pss_pss_sha384 = 0x080A
    rsa_pss_pss_sha512 = 0x080B
    mldsa44 = 0x0904
    mldsa65 = 0x0905
    mldsa87 = 0x0906


class PskKeyExchangeMode(OctetCodePoint):
    """RFC 8446 section 4.2.9."""

    psk_ke = 0
    psk_dhe_ke = 1


class KeyUpdateRequest(OctetCodePoint):
    """RFC 8446 section 4.6.3."""

    update_not_requested = 0
    update_requested = 1


class CertificateType(OctetCodePoint):
    """RFC 8446 section 4.4.2 and RFC 7250."""

    X509 = 0
    RawPublicKey = 2


class CertificateStatusType(OctetCodePoint):
    """RFC 6066 section 8."""

    ocsp = 1


class CertificateCompressionAlgorithm(CodePoint):
    """RFC 8879 section 7.3."""

    zlib = 1
    brotli = 2
    zstd = 3


class ClientCertificateType(OctetCodePoint):
    """RFC 5246 section 7.4.4 and RFC 8422 section 5.5."""

    rsa_sign = 1
    dss_sign = 2
    rsa_fixed_dh = 3
    dss_fixed_dh = 4
    ecdsa_sign = 64
