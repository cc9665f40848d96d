"""Lab cases: two sides that have nothing in common, and proofs that don't hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..config import ClientConfig, ServerConfig
from ..crypto.signatures import sign
from ..errors import Judge
from ..trust.identity import Identity
from ..wire.codepoints import CipherSuite, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme
from ..wire.handshake import ClientHello
from .case import Case, Expected, Party, Plan
from .workshop import HOST, Workshop

__all__ = ["CASES"]

Settings = Callable[[Workshop], dict[str, Any]]
Configs = Callable[[Workshop], tuple[ClientConfig, ServerConfig]]

S = CipherSuite


def _refused_hello(
    id: str,
    title: str,
    configs: Configs,
    *,
    told: str = "",
    row: str = "",
    broken: str = "both",
    name: str = HOST,
) -> Case:
    """A case whose server refuses the ClientHello; ``told`` is what the client takes it for."""

    def plan(shop: Workshop) -> Plan:
        client, server = configs(shop)
        return Plan(client=Party(config=client, name=name), server=Party(config=server))

    row = row or id
    return Case(
        id=id,
        row=row,
        title=title,
        broken=broken,
        plan=plan,
        client=Expected(told or row, "ClientHello", Judge.PEER, "alert"),
        server=Expected(row, "ClientHello"),
    )


def _foreign_key(shop: Workshop, chain: Identity) -> Identity:
    """A chain with a signer whose key is another one."""
    other = shop.stranger.issue_server(HOST)
    scheme = SignatureScheme.ecdsa_secp256r1_sha256
    return Identity.with_signer(chain.chain, lambda _, data: sign(other.key, scheme, data), [scheme])


def _bad_server_proof(shop: Workshop) -> Plan:
    return Plan(
        client=Party(config=shop.client_config()),
        server=Party(config=shop.server_config(_foreign_key(shop, shop.server.identity()))),
    )


def _bad_client_proof(shop: Workshop) -> Plan:
    identity = _foreign_key(shop, shop.client.identity())
    return Plan(client=Party(config=shop.client_config(identity=identity)), server=Party(config=shop.mutual_config()))


def _without_name(message: Any) -> Any:
    if isinstance(message, ClientHello):
        message.extensions = message.extensions.without(ExtensionType.server_name)
    return message


def _no_sni(shop: Workshop) -> Plan:
    default = shop.authority.issue_server("default.example").identity()
    return Plan(
        client=Party(config=shop.client_config(rewrite=_without_name)),
        server=Party(config=shop.server_config(default, shop.server.identity())),
    )


def _versions(shop: Workshop) -> tuple[ClientConfig, ServerConfig]:
    return (
        shop.client_config(max_version=ProtocolVersion.TLS1_2),
        shop.server_config(min_version=ProtocolVersion.TLS1_3),
    )


def _ciphers(shop: Workshop) -> tuple[ClientConfig, ServerConfig]:
    return (
        shop.client_config(cipher_suites=[S.TLS_CHACHA20_POLY1305_SHA256]),
        shop.server_config(cipher_suites=[S.TLS_AES_256_GCM_SHA384]),
    )


def _ciphers_for_other_keys(shop: Workshop) -> tuple[ClientConfig, ServerConfig]:
    return (
        shop.client_config(cipher_suites=[S.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]),
        shop.server_config(max_version=ProtocolVersion.TLS1_2),
    )


def _groups(shop: Workshop) -> tuple[ClientConfig, ServerConfig]:
    return shop.client_config(groups=[NamedGroup.x25519]), shop.server_config(groups=[NamedGroup.secp384r1])


def _signatures(shop: Workshop) -> tuple[ClientConfig, ServerConfig]:
    rare = shop.authority.issue_server(HOST, key="Ed448").identity()
    schemes = [SignatureScheme.ecdsa_secp256r1_sha256, SignatureScheme.rsa_pss_rsae_sha256]
    return shop.client_config(signature_schemes=schemes), shop.server_config(rare)


def _names(shop: Workshop) -> tuple[ClientConfig, ServerConfig]:
    return shop.client_config(), shop.server_config(require_known_name=True)


def _protocols(shop: Workshop) -> tuple[ClientConfig, ServerConfig]:
    return shop.client_config(alpn=["h2"]), shop.server_config(alpn=["http/1.1"])


CASES = (
    Case(
        id="bad-certificate-verify",
        row="bad-certificate-verify",
        title="the server signs with a key that is not its certificate's",
        broken="server",
        plan=_bad_server_proof,
        client=Expected("bad-certificate-verify", "CertificateVerify"),
        server=Expected("bad-certificate-verify", "CertificateVerify", Judge.PEER, "alert"),
    ),
    Case(
        id="bad-certificate-verify-client",
        row="bad-certificate-verify",
        title="the client signs with a key that is not its certificate's",
        broken="client",
        plan=_bad_client_proof,
        client=Expected("bad-certificate-verify", "CertificateVerify", Judge.PEER, "alert"),
        server=Expected("bad-certificate-verify", "CertificateVerify"),
    ),
    _refused_hello("no-common-version", "the client speaks TLS 1.2, the server TLS 1.3", _versions),
    _refused_hello("no-common-cipher", "no cipher suite in common", _ciphers),
    _refused_hello(
        "no-common-cipher-key",
        "in TLS 1.2, the client's suites want an RSA certificate and the server has an ECDSA one",
        _ciphers_for_other_keys,
        row="no-common-cipher",
    ),
    _refused_hello("no-common-group", "no key-exchange group in common", _groups, told="no-common-cipher"),
    _refused_hello(
        "no-common-signature",
        "the server's key is Ed448, and the client can check ECDSA and RSA only",
        _signatures,
    ),
    _refused_hello(
        "unknown-sni", "the client asks for a name that the server does not serve", _names, name="other.example"
    ),
    Case(
        id="missing-sni",
        row="missing-sni",
        title="the client sends no server_name, and the server shows its default certificate",
        broken="client",
        plan=_no_sni,
        client=Expected("missing-sni", "Certificate"),
        server=Expected("missing-sni", "Certificate", Judge.PEER, "alert"),
    ),
    _refused_hello("no-common-alpn", "the client speaks h2, the server http/1.1", _protocols),
)
