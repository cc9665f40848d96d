"""Hypothesis strategies for everything that the wire can carry: each extension form's value, and each message."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tlscope.wire import extensions as x
from tlscope.wire import handshake as m13
from tlscope.wire import handshake12 as m12
from tlscope.wire.codepoints import (
    CertificateCompressionAlgorithm,
    CertificateType,
    CipherSuite,
    ClientCertificateType,
    CodePoint,
    KeyUpdateRequest,
    NamedGroup,
    ProtocolVersion,
    PskKeyExchangeMode,
    SignatureScheme,
)
from tlscope.wire.extensions import Extensions, KeyShareEntry, OfferedPsks, PskIdentity, StatusRequest

u8s = st.integers(0, 0xFF)
u16s = st.integers(0, 0xFFFF)
u32s = st.integers(0, 0xFFFFFFFF)


def octets(least: int = 0, most: int = 40) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=least, max_size=most)


def codes(cls: type[CodePoint], numbers: st.SearchStrategy[int] = u16s) -> st.SearchStrategy[Any]:
    """Code points, half of them known ones."""
    return st.one_of(st.sampled_from(list(cls)), numbers.map(cls.of))


def some(values: st.SearchStrategy[Any], least: int = 1, most: int = 6) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, min_size=least, max_size=most).map(tuple)


nothing = st.just(True)
groups, schemes = codes(NamedGroup), codes(SignatureScheme)
versions = codes(ProtocolVersion)
key_shares = st.builds(KeyShareEntry, groups, octets(1))
host_names = st.text(st.characters(min_codepoint=1, max_codepoint=0x7F), min_size=1, max_size=40)
certificate_types = codes(CertificateType, u8s)


@st.composite
def _offered_psks(draw: st.DrawFn) -> OfferedPsks:
    count = draw(st.integers(1, 3))
    identities = [PskIdentity(draw(octets(1)), draw(u32s)) for _ in range(count)]
    return OfferedPsks(tuple(identities), tuple(draw(octets(32, 64)) for _ in range(count)))


FORMS: dict[str, st.SearchStrategy[Any]] = {
    "SERVER_NAME": host_names,
    "SUPPORTED_GROUPS": some(groups),
    "SIGNATURE_ALGORITHMS": some(schemes),
    "SIGNATURE_ALGORITHMS_CERT": some(schemes),
    "ALPN_OFFER": some(octets(1)),
    "SUPPORTED_VERSIONS": some(versions),
    "KEY_SHARES": some(key_shares, 0),
    "COOKIE": octets(1),
    "PSK_KEY_EXCHANGE_MODES": some(codes(PskKeyExchangeMode, u8s)),
    "PRE_SHARED_KEYS": _offered_psks(),
    "EARLY_DATA": nothing,
    "CERTIFICATE_AUTHORITIES": some(octets(1)),
    "OID_FILTERS": some(st.tuples(octets(1), octets()), 0),
    "POST_HANDSHAKE_AUTH": nothing,
    "STATUS_REQUEST": st.builds(StatusRequest, some(octets(1), 0), octets()),
    "SIGNED_CERTIFICATE_TIMESTAMP_REQUEST": nothing,
    "COMPRESS_CERTIFICATE": some(codes(CertificateCompressionAlgorithm)),
    "CLIENT_CERTIFICATE_TYPES": some(certificate_types),
    "SERVER_CERTIFICATE_TYPES": some(certificate_types),
    "RECORD_SIZE_LIMIT": u16s,
    "MAX_FRAGMENT_LENGTH": u8s,
    "EC_POINT_FORMATS": octets(1),
    "EXTENDED_MASTER_SECRET": nothing,
    "SESSION_TICKET": octets(),
    "RENEGOTIATION_INFO": octets(),
    "PADDING": st.integers(0, 300),
    "SERVER_NAME_ACKNOWLEDGED": nothing,
    "ALPN_CHOICE": octets(1),
    "SELECTED_VERSION": versions,
    "SERVER_KEY_SHARE": key_shares,
    "SELECTED_GROUP": groups,
    "SELECTED_PSK": u16s,
    "CLIENT_CERTIFICATE_TYPE": certificate_types,
    "SERVER_CERTIFICATE_TYPE": certificate_types,
    "SESSION_TICKET_PROMISED": nothing,
    "STATUS_PROMISED": nothing,
    "CERTIFICATE_STATUS": octets(1),
    "SIGNED_CERTIFICATE_TIMESTAMPS": some(octets(1)),
    "MAX_EARLY_DATA_SIZE": u32s,
    "TLS_FLAGS": st.frozensets(st.integers(0, 99), min_size=1),
}
"""A strategy for the value of each extension form, by the form's name in ``tlscope.wire.extensions``."""


def extensions(forms: Any) -> st.SearchStrategy[Extensions]:
    """Extensions of a message with these forms: known ones with good values, and unknown ones with any."""
    by_form = {id(getattr(x, name)): values for name, values in FORMS.items()}
    known = st.one_of([by_form[id(form)].map(form) for form in forms.values()])
    unknown = st.tuples(u16s.filter(lambda kind: kind not in forms), octets())
    items = st.lists(st.one_of(known, unknown), max_size=5, unique_by=lambda item: item[0])
    # pre_shared_key must come last (RFC 8446 section 4.2.11).
    return items.map(lambda found: Extensions(sorted(found, key=lambda item: item[0] == x.PRE_SHARED_KEYS.type)))


randoms = octets(32, 32)
server_randoms = randoms.filter(lambda one: one != m13.HELLO_RETRY_REQUEST_RANDOM)
suites = codes(CipherSuite)
entries = st.builds(m13.CertificateEntry, octets(1), extensions(x.CERTIFICATE_ENTRY_FORMS))

MESSAGES: dict[str, st.SearchStrategy[Any]] = {
    "ClientHello": st.builds(
        m13.ClientHello, randoms, some(suites), extensions(x.CLIENT_HELLO_FORMS), octets(0, 32), versions, octets(1, 4)
    ),
    "ServerHello": st.builds(
        m13.ServerHello, server_randoms, suites, extensions(x.SERVER_HELLO_FORMS), octets(0, 32), versions, u8s
    ),
    "HelloRetryRequest": st.builds(
        m13.HelloRetryRequest,
        st.just(m13.HELLO_RETRY_REQUEST_RANDOM),
        suites,
        extensions(x.HELLO_RETRY_REQUEST_FORMS),
        octets(0, 32),
        versions,
        u8s,
    ),
    "EncryptedExtensions": st.builds(m13.EncryptedExtensions, extensions(x.ENCRYPTED_EXTENSIONS_FORMS)),
    "CertificateRequest": st.builds(m13.CertificateRequest, extensions(x.CERTIFICATE_REQUEST_FORMS), octets()),
    "Certificate": st.builds(m13.Certificate, some(entries, 0, 3), octets()),
    "CompressedCertificate": st.builds(
        m13.CompressedCertificate, codes(CertificateCompressionAlgorithm), st.integers(0, 0xFFFFFF), octets(1)
    ),
    "CertificateVerify": st.builds(m13.CertificateVerify, schemes, octets()),
    "Finished": st.builds(m13.Finished, octets()),
    "EndOfEarlyData": st.builds(m13.EndOfEarlyData),
    "NewSessionTicket": st.builds(
        m13.NewSessionTicket, u32s, u32s, octets(), octets(1), extensions(x.NEW_SESSION_TICKET_FORMS)
    ),
    "KeyUpdate": st.builds(m13.KeyUpdate, st.sampled_from(list(KeyUpdateRequest))),
}
"""A strategy for each message of ``tlscope.wire.handshake``, by its class's name."""

MESSAGES_12: dict[str, st.SearchStrategy[Any]] = {
    "HelloRequest": st.builds(m12.HelloRequest),
    "Certificate": st.builds(m12.Certificate, some(octets(1), 0, 3)),
    "CertificateStatus": st.builds(m12.CertificateStatus, octets(1)),
    "ServerKeyExchange": st.builds(m12.ServerKeyExchange, groups, octets(1), schemes, octets()),
    "CertificateRequest": st.builds(
        m12.CertificateRequest, some(codes(ClientCertificateType, u8s)), some(schemes), some(octets(1), 0, 3)
    ),
    "ServerHelloDone": st.builds(m12.ServerHelloDone),
    "ClientKeyExchange": st.builds(m12.ClientKeyExchange, octets()),
    "NewSessionTicket": st.builds(m12.NewSessionTicket, u32s, octets()),
}
"""The same for ``tlscope.wire.handshake12``."""


def message_classes(module: Any) -> dict[str, type[Any]]:
    """The message classes that a module defines, by name."""
    return {
        name: cls
        for name, cls in vars(module).items()
        if isinstance(cls, type)
        and cls.__module__ == module.__name__
        and hasattr(cls, "type")
        # A protocol of what messages have is not a message.
        and hasattr(cls, "decode")
    }
