"""Settings: immutable, checked when they are made, worked out once."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from certificates import anchors, client_identity, server_identity, stranger_identity
from memory import Pair, client_config, server_config

from tlscope import (
    CipherSuite,
    ClientAuth,
    ClientConfig,
    ConfigError,
    Limits,
    NamedGroup,
    ProtocolVersion,
    ServerConfig,
    SignatureScheme,
)
from tlscope.wire.codepoints import ExtensionType as E

TLS1_2, TLS1_3 = ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3
GCM_12 = CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
GCM_13 = CipherSuite.TLS_AES_128_GCM_SHA256

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an old version": ({"min_version": ProtocolVersion.TLS1_1}, "old-version"),
    "an unknown version": ({"max_version": ProtocolVersion.of(0x0305)}, "old-version"),
    "versions the wrong way round": ({"min_version": TLS1_3, "max_version": TLS1_2}, "config"),
    "no suite for the version": ({"min_version": TLS1_3, "cipher_suites": (GCM_12,)}, "no-suites"),
    "no suite": ({"cipher_suites": ()}, "config"),
    "a suite twice": ({"cipher_suites": (GCM_13, GCM_13)}, "config"),
    "an unspoken suite": ({"cipher_suites": (CipherSuite.TLS_RSA_WITH_RC4_128_MD5,)}, "not-spoken"),
    "no group": ({"groups": ()}, "config"),
    "an unspoken group": ({"groups": (NamedGroup.MLKEM512,)}, "not-spoken"),
    "a scheme with MD5": ({"signature_schemes": (SignatureScheme.of(0x0101),)}, "not-spoken"),
    "an unspoken signing scheme": ({"signing_schemes": (SignatureScheme.of(0x0202),)}, "not-spoken"),
    "an empty protocol": ({"alpn": ("",)}, "bad-alpn"),
    "a protocol that is too long": ({"alpn": ("x" * 256,)}, "bad-alpn"),
    "protocols that are too many": ({"alpn": tuple(f"{n:0255}" for n in range(300))}, "bad-alpn"),
    "fragments that are too small": ({"max_fragment": 63}, "config"),
    "fragments that are too large": ({"max_fragment": 16385}, "config"),
    "a record size limit that is too small": ({"record_size_limit": 63}, "config"),
    "a record size limit that is too large": ({"record_size_limit": 16386}, "config"),
    "no records for a key": ({"key_update_after": 0}, "config"),
    "negative padding": ({"record_padding": -1}, "config"),
    "more padding than fits": ({"record_padding": 16385}, "config"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("make", [client_config, server_config], ids=["client", "server"])
def test_what_can_not_work_is_found_when_it_is_set(make: Any, name: str) -> None:
    settings, code = BAD[name]
    with pytest.raises(ConfigError) as caught:
        make(**{"min_version": TLS1_2, **settings})
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    assert caught.value.alert is None


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"identities": ()}, "config"),
        ({"identities": [server_identity()], "client_auth": ClientAuth.REQUIRED}, "no-client-trust"),
        ({"identities": [server_identity()], "client_auth": ClientAuth.REQUESTED}, "no-client-trust"),
    ],
)
def test_a_server_needs_what_it_shows_and_whom_it_trusts(settings: dict[str, Any], code: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ServerConfig(**settings)
    assert caught.value.code == code


def test_a_share_needs_its_group() -> None:
    with pytest.raises(ConfigError, match="key_shares names"):
        client_config(groups=(NamedGroup.x25519,), key_shares=(NamedGroup.secp256r1,))


def test_settings_do_not_change() -> None:
    config = client_config()
    with pytest.raises(FrozenInstanceError):
        config.alpn = ("h2",)  # type: ignore[misc]
    suites = [GCM_13]
    config = client_config(cipher_suites=suites)
    suites.append(GCM_12)
    assert config.cipher_suites == (GCM_13,)


def test_a_copy_with_changes_is_checked_too() -> None:
    config = client_config(alpn=("h2",))
    assert config.replace(alpn=("http/1.1",)).alpn_wire == (b"http/1.1",)
    assert config.alpn_wire == (b"h2",)
    with pytest.raises(ConfigError):
        config.replace(max_fragment=1)


def test_a_copy_shows_no_identity_that_was_taken_away() -> None:
    first, second, third = client_identity(), stranger_identity(), server_identity()
    config = client_config(identity=first, identities=[third])
    assert config.identities == (first, third)
    assert config.replace(alpn=("h2",)).identities == (first, third)
    assert config.replace(identity=second).identities == (second, third)
    assert config.replace(identity=None).identities == (third,)
    assert config.replace(identity=None, identities=()).identities == ()
    assert client_config(identity=first, identities=[first]).identities == (first,)
    pair = Pair(config.replace(identity=None, identities=()), server_config(client_auth=ClientAuth.REQUESTED)).done()
    assert pair.server.facts is not None
    assert pair.server.facts.peer_chain == ()


def test_versions_follow_the_suites() -> None:
    assert client_config(min_version=TLS1_2).versions == (TLS1_3, TLS1_2)
    assert client_config(min_version=TLS1_2, cipher_suites=(GCM_12,)).versions == (TLS1_2,)
    assert client_config(min_version=TLS1_2, cipher_suites=(GCM_13,)).versions == (TLS1_3,)
    assert client_config(min_version=TLS1_2, max_version=TLS1_2).hello_cipher_suites[0] == GCM_12


def test_a_hybrid_is_first_and_comes_with_a_curve_for_everybody_else() -> None:
    config = ClientConfig(trust=anchors())
    assert config.groups[0] is NamedGroup.X25519MLKEM768
    assert config.shared_groups == (NamedGroup.X25519MLKEM768, NamedGroup.x25519)
    assert ServerConfig(identities=[server_identity()]).groups[0] is NamedGroup.X25519MLKEM768
    assert client_config(groups=(NamedGroup.secp384r1, NamedGroup.x25519)).shared_groups == (NamedGroup.secp384r1,)
    assert client_config(groups=(NamedGroup.X25519MLKEM768,)).shared_groups == (NamedGroup.X25519MLKEM768,)


def test_without_settings_two_sides_agree_on_the_best() -> None:
    pair = Pair(
        ClientConfig(trust=anchors(), clock=client_config().clock),
        ServerConfig(identities=[server_identity()], clock=client_config().clock),
    ).done()
    assert pair.client.facts is not None
    assert pair.client.facts.version is TLS1_3
    assert pair.client.facts.group is NamedGroup.X25519MLKEM768
    assert pair.client.facts.cipher_suite is GCM_13
    assert not pair.client.facts.hello_retry_request


def test_what_is_off_by_default_stays_off() -> None:
    for config in (ClientConfig(trust=anchors()), ServerConfig(identities=[server_identity()])):
        names = {suite.name for suite in config.cipher_suites}
        assert not any("CCM" in name or "TLS_RSA" in name or "CBC" in name for name in names)
        assert not any("ffdhe" in group.name for group in config.groups)
        assert config.require_extended_master_secret
    assert ServerConfig(identities=[server_identity()]).client_auth is ClientAuth.NONE
    assert ServerConfig(identities=[server_identity()]).max_early_data == 0


def test_an_empty_list_of_shares_asks_for_a_retry() -> None:
    # RFC 8446 section 4.2.8.
    pair = Pair(client_config(key_shares=()), server_config()).done()
    assert pair.client.facts is not None
    assert pair.client.facts.hello_retry_request


def test_certificates_may_be_signed_with_what_the_handshake_may_not() -> None:
    config = client_config()
    pkcs1 = SignatureScheme.rsa_pkcs1_sha256
    assert pkcs1 in config.certificate_signature_schemes
    assert pkcs1 not in config.signature_schemes_13
    kinds = [kind for kind, _ in config.static_extensions]
    assert E.signature_algorithms_cert in kinds
    assert len(kinds) == len(set(kinds))


def test_client_auth_may_be_spelt() -> None:
    config = server_config(client_auth="required")
    assert config.client_auth is ClientAuth.REQUIRED
    with pytest.raises(ConfigError, match="sometimes"):
        server_config(client_auth="sometimes")


@pytest.mark.parametrize("setting", [16, 256])
def test_padding_fills_blocks(setting: int) -> None:
    padding = client_config(record_padding=setting).padding
    assert padding is not None
    for length in (0, 1, setting - 1, setting, 1000):
        # The content type's byte is part of what is padded.
        assert (length + 1 + padding(length)) % setting == 0
        assert padding(length) < setting
    assert client_config().padding is None


def test_limits_are_whole_numbers() -> None:
    assert Limits().max_certificates == 10
    for value in (0, -1, 1.5, True, "10"):
        with pytest.raises(ConfigError, match="must be a whole number"):
            Limits(max_certificates=value)  # type: ignore[arg-type]


def test_a_client_without_trust_takes_the_systems() -> None:
    verifier = ClientConfig().verifier
    assert verifier is not None
    assert verifier.purpose == "server"
    assert ClientConfig(insecure_skip_verification=True).verifier is None
    assert server_config(trust=None).verifier is None
