"""Open integers: a known value has its name, an unknown one survives."""

from __future__ import annotations

import copy
import pickle

import pytest

from tlscope.wire import codepoints
from tlscope.wire.codepoints import (
    AlertDescription,
    CipherSuite,
    CodePoint,
    ExtensionType,
    HandshakeType,
    NamedGroup,
    OctetCodePoint,
    ProtocolVersion,
    SignatureScheme,
    is_grease,
)

REGISTRIES = [
    cls
    for cls in (getattr(codepoints, name) for name in codepoints.__all__)
    if isinstance(cls, type) and issubclass(cls, CodePoint) and cls not in (CodePoint, OctetCodePoint)
]


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda cls: cls.__name__)
def test_every_value_of_a_registry_survives(registry: type[CodePoint]) -> None:
    for number in range(0x100 if issubclass(registry, OctetCodePoint) else 0x10000):
        value = registry.of(number)
        assert type(value) is registry
        assert value == number
        assert int(value) == number


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda cls: cls.__name__)
def test_a_value_is_found_by_its_name(registry: type[CodePoint]) -> None:
    for value in registry:
        assert registry.named(value.name) is value
        assert registry.named(value.name.upper().replace("_", "-")) is value
        assert value.is_named
        assert registry.of(int(value)) is value
    with pytest.raises(KeyError):
        registry.named("no such name")


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda cls: cls.__name__)
def test_an_unknown_value_behaves_like_a_known_one(registry: type[CodePoint]) -> None:
    number = next(n for n in range(0x100) if n not in {int(value) for value in registry})
    one, two = registry.of(number), registry(number)
    assert not one.is_named
    assert one == two == number
    assert len({one, two, number}) == 1
    assert {one: "found"}[number] == "found"
    assert str(one) == one.name
    assert f"{number:02x}" in repr(one)
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one
    assert type(pickle.loads(pickle.dumps(one))) is registry


def test_what_is_no_number_is_no_code_point() -> None:
    with pytest.raises(ValueError, match="is not a NamedGroup"):
        NamedGroup("x25519")  # type: ignore[arg-type]


def test_an_unknown_value_leaves_no_trace_in_its_registry() -> None:
    # Else a stranger could fill the memory with names.
    before = len(CipherSuite.__members__), len(CipherSuite._value2member_map_)
    for number in range(0x10000):
        CipherSuite.of(number)
    assert (len(CipherSuite.__members__), len(CipherSuite._value2member_map_)) == before


def test_grease_is_what_rfc_8701_reserves() -> None:
    assert [n for n in range(0x10000) if is_grease(n)] == [0x0A0A + 0x1010 * step for step in range(16)]
    assert str(ExtensionType.of(0x3A3A)) == "GREASE(0x3a3a)"
    assert repr(ExtensionType.of(0x3A3A)) == "ExtensionType(GREASE(0x3a3a))"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ProtocolVersion.SSL2, "SSL 2.0"),
        (ProtocolVersion.SSL3, "SSL 3.0"),
        (ProtocolVersion.TLS1_0, "TLS 1.0"),
        (ProtocolVersion.TLS1_3, "TLS 1.3"),
        (ProtocolVersion.of(0x0305), "0x0305"),
        (HandshakeType.of(99), "0x63"),
        (SignatureScheme.of(0x0202), "0x0202"),
        (NamedGroup.x25519, "x25519"),
    ],
)
def test_a_value_prints_as_people_know_it(value: CodePoint, text: str) -> None:
    assert str(value) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [
        # RFC 8446 appendix B, RFC 8422, RFC 7301, RFC 8879, RFC 5746, draft-ietf-tls-ecdhe-mlkem.
        (CipherSuite.TLS_AES_128_GCM_SHA256, 0x1301),
        (CipherSuite.TLS_AES_256_GCM_SHA384, 0x1302),
        (CipherSuite.TLS_CHACHA20_POLY1305_SHA256, 0x1303),
        (CipherSuite.TLS_AES_128_CCM_SHA256, 0x1304),
        (CipherSuite.TLS_AES_128_CCM_8_SHA256, 0x1305),
        (NamedGroup.secp256r1, 23),
        (NamedGroup.x25519, 29),
        (NamedGroup.X25519MLKEM768, 4588),
        (SignatureScheme.ecdsa_secp256r1_sha256, 0x0403),
        (SignatureScheme.rsa_pss_rsae_sha256, 0x0804),
        (SignatureScheme.ed25519, 0x0807),
        (ExtensionType.key_share, 51),
        (ExtensionType.supported_versions, 43),
        (ExtensionType.renegotiation_info, 0xFF01),
        (HandshakeType.message_hash, 254),
        (AlertDescription.missing_extension, 109),
        (AlertDescription.certificate_required, 116),
    ],
)
def test_numbers_are_the_registries(value: CodePoint, number: int) -> None:
    assert int(value) == number
