"""What certificates may be signed with (RFC 8446 section 4.2.3): what is offered is what is accepted, on both sides."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tlscope import (
    CertificateRejected,
    ClientAuth,
    ClientConfig,
    ClientConnection,
    ConfigError,
    MemorySessionCache,
    ProtocolVersion,
    ServerConfig,
    ServerConnection,
    SignatureScheme,
    TrustAnchors,
)
from tlscope.authority import Authority
from tlscope.trust.certificate_scheme import as_signed
from tlscope.wire.codepoints import AlertDescription

ECDSA, EDDSA = SignatureScheme.ecdsa_secp256r1_sha256, SignatureScheme.ed25519
versions = pytest.mark.parametrize(
    "version", [ProtocolVersion.TLS1_3, ProtocolVersion.TLS1_2], ids=lambda one: one.name
)


@cache
def authority(kind: str) -> Authority:
    return Authority.create(f"{kind} CA", key=kind)


def pair(version: ProtocolVersion, client: dict[str, Any], server: dict[str, Any], kind: str = "P-256") -> Any:
    ca = authority(kind)
    both: dict[str, Any] = {"min_version": version, "max_version": version, "trust": ca.anchors()}
    identities = [ca.issue_server("localhost").identity()]
    return (
        ClientConnection(ClientConfig(**both, **client), "localhost"),
        ServerConnection(ServerConfig(**both, **{"identities": identities, **server})),
    )


def meet(ends: tuple[Any, Any]) -> None:
    client, server = ends
    client.start()
    for _ in range(3):
        server.receive_data(client.data_to_send())
        client.receive_data(server.data_to_send())


@versions
def test_a_servers_chain(version: ProtocolVersion) -> None:
    client, server = pair(version, {"certificate_signature_schemes": [EDDSA]}, {})
    with pytest.raises(CertificateRejected, match="certificate_signature_schemes does not name") as caught:
        meet((client, server))
    assert caught.value.code == "unsupported-signature"
    assert caught.value.alert is AlertDescription.unsupported_certificate
    assert caught.value.index == 0
    meet(pair(version, {"certificate_signature_schemes": [ECDSA]}, {}))


@versions
def test_a_clients_chain(version: ProtocolVersion) -> None:
    shown = {"identity": authority("P-256").issue_client("Ada").identity()}
    asks = {"client_auth": ClientAuth.REQUIRED}
    ends = pair(version, shown, {**asks, "certificate_signature_schemes": [EDDSA]})
    with pytest.raises(CertificateRejected, match="certificate_signature_schemes does not name"):
        meet(ends)
    meet(pair(version, shown, {**asks, "certificate_signature_schemes": [ECDSA]}))


@versions
def test_an_anchors_own_signature_does_not_count(version: ProtocolVersion) -> None:
    leaf = authority("P-256").issue_server("localhost")
    pinned = TrustAnchors.from_certificates([leaf.certificate])
    both: dict[str, Any] = {"min_version": version, "max_version": version}
    config = ClientConfig(**both, trust=pinned, certificate_signature_schemes=[EDDSA])
    meet((ClientConnection(config, "localhost"), ServerConnection(ServerConfig(**both, identities=[leaf.identity()]))))


@versions
def test_a_session_whose_chain_is_not_allowed_any_more(version: ProtocolVersion) -> None:
    sessions = MemorySessionCache()
    config: dict[str, Any] = {"sessions": sessions}
    client, server = pair(version, config, {})
    meet((client, server))
    narrower = ClientConnection(client._config.replace(certificate_signature_schemes=[EDDSA]), "localhost")
    with pytest.raises(CertificateRejected, match="certificate_signature_schemes does not name"):
        meet((narrower, ServerConnection(server._config)))


@pytest.mark.parametrize("kinds", [("P-256", "Ed25519"), ("Ed25519", "P-256")], ids="-".join)
@versions
def test_of_two_chains_the_one_that_the_client_takes(version: ProtocolVersion, kinds: tuple[str, str]) -> None:
    identities = [authority(kind).issue_server("localhost").identity() for kind in kinds]
    for kind, scheme in (("P-256", ECDSA), ("Ed25519", EDDSA)):
        ends = pair(version, {"certificate_signature_schemes": [scheme]}, {"identities": identities}, kind)
        meet(ends)
        assert ends[0].peer.anchor == authority(kind).root


@pytest.mark.parametrize("kind", ["Ed25519", "Ed448", "ML-DSA-44"])
def test_what_is_verified_is_offered(kind: str) -> None:
    meet(pair(ProtocolVersion.TLS1_3, {}, {}, kind))


def test_settings_that_make_no_sense() -> None:
    for schemes in ([], [ECDSA, ECDSA], [SignatureScheme(0x0203 + 0x4000)]):
        with pytest.raises(ConfigError, match="certificate_signature_schemes"):
            ClientConfig(certificate_signature_schemes=schemes)


def test_a_pss_signature_is_named_by_its_hash() -> None:
    assert as_signed(SignatureScheme.rsa_pss_pss_sha384) is SignatureScheme.rsa_pss_rsae_sha384
    assert as_signed(ECDSA) is ECDSA
