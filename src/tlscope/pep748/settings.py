"""From a configuration of the PEP's to one of tlscope's. Any object with the PEP's attributes will do."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from ..config import DEFAULT_CIPHER_SUITES, ClientAuth, ClientConfig, ServerConfig
from ..crypto.cipher_suites import SUITES
from ..errors import ConfigError, TLSError
from ..trust.anchors import TrustAnchors
from ..trust.files import Source, load_certificates, read_blocks, read_file
from ..trust.identity import Identity
from ..wire.codepoints import CipherSuite, ProtocolVersion
from .vocabulary import Vocabulary

__all__ = ["client_config", "server_config", "validate_config"]

_LOWEST = {
    "MINIMUM_SUPPORTED": ProtocolVersion.TLS1_2,
    "TLSv1_2": ProtocolVersion.TLS1_2,
    "TLSv1_3": ProtocolVersion.TLS1_3,
}
_HIGHEST = {
    "TLSv1_2": ProtocolVersion.TLS1_2,
    "TLSv1_3": ProtocolVersion.TLS1_3,
    "MAXIMUM_SUPPORTED": ProtocolVersion.TLS1_3,
}
_SHARED = ("ciphers", "inner_protocols", "lowest_supported_version", "highest_supported_version", "trust_store")


def validate_config(configuration: Any) -> None:
    """Raise ``ConfigurationError`` where a configuration asks for what tlscope has not; nothing is read or parsed.

    That is what identifiers name, in a store that there is not, and whatever would leave a certificate or a name unverified.
    """
    try:
        _validate(configuration)
    except TLSError as error:
        raise Vocabulary(configuration).error(error) from None


def _validate(configuration: Any) -> None:
    if hasattr(configuration, "disable_verification") or hasattr(configuration, "disable_hostname_check"):
        raise ConfigError(
            "tlscope does not leave a certificate or a name unverified: put the server's certificate, or the one that "
            "issued it, into the trust store, with TrustStore.from_buffer or TrustStore.from_file",
            code="insecure",
        )
    missing = [name for name in ("certificate_chain", *_SHARED) if not hasattr(configuration, name)]
    if missing:
        raise ConfigError(
            f"this is no configuration of PEP 748: it has no {', '.join(missing)}", code="not-a-configuration"
        )
    chains = configuration.certificate_chain
    if hasattr(chains, "leaf"):
        chains = [chains]
    for chain in chains or ():
        for one in (*chain.leaf, *chain.chain):
            if one is not None:
                _check_stored(one, "certificates and keys")
    if configuration.trust_store is not None:
        _check_stored(configuration.trust_store, "trust stores")


def _check_stored(one: Any, what: str) -> None:
    if one._id is not None:
        raise ConfigError(
            f"{what} by identifier are not supported: there is no store that knows {one._id!r}. Give them from a buffer "
            "or a file",
            code="identifier",
        )


def client_config(configuration: Any) -> ClientConfig:
    """A client's. Raises ``ConfigError`` for what can't be loaded, or is not supported."""
    _validate(configuration)
    chain = configuration.certificate_chain
    return ClientConfig(
        trust=_anchors(configuration.trust_store) if configuration.trust_store is not None else None,
        identity=_identity(chain) if chain is not None else None,
        **_common(configuration),
    )


def server_config(configuration: Any) -> ServerConfig:
    """A server's. Raises ``ConfigError`` for what can't be loaded, or is not supported."""
    _validate(configuration)
    store = configuration.trust_store
    return ServerConfig(
        identities=[_identity(chain) for chain in configuration.certificate_chain or ()],
        trust=_anchors(store) if store is not None else None,
        client_auth=ClientAuth.REQUIRED if store is not None else ClientAuth.NONE,
        **_common(configuration),
    )


def _common(configuration: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"alpn": [_protocol(one) for one in configuration.inner_protocols or ()]}
    lowest, highest = configuration.lowest_supported_version, configuration.highest_supported_version
    if lowest is not None:
        settings["min_version"] = _version(lowest, _LOWEST, "lowest_supported_version")
    if highest is not None:
        settings["max_version"] = _version(highest, _HIGHEST, "highest_supported_version")
    if configuration.ciphers is not None:
        settings["cipher_suites"] = _suites(configuration.ciphers)
    return settings


def _version(wanted: Any, table: dict[str, ProtocolVersion], setting: str) -> ProtocolVersion:
    name = getattr(wanted, "name", str(wanted))
    if name not in table:
        raise ConfigError(f"{setting} is {name} and must be one of {', '.join(table)}", code="old-version")
    return table[name]


def _suites(wanted: Any) -> list[CipherSuite]:
    """Those that are spoken, since the PEP has one list for all implementations."""
    spoken = [CipherSuite(number) for number in dict.fromkeys(map(int, wanted)) if number in SUITES]
    if not spoken:
        raise ConfigError("ciphers names no cipher suite that tlscope speaks", code="no-suites")
    if not any(SUITES[suite].is_tls13 for suite in spoken):
        # The PEP's own list of defaults has none of them, and is not meant to do without TLS 1.3.
        spoken = [*(suite for suite in DEFAULT_CIPHER_SUITES if SUITES[suite].is_tls13), *spoken]
    return spoken


def _protocol(one: Any) -> str:
    name = one if isinstance(one, bytes) else one.value
    try:
        return str(name, "utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"the application protocol {name!r} is not UTF-8", code="bad-alpn") from None


def _read(one: Any, what: str) -> tuple[bytes, Source]:
    if one._buffer is not None:
        return one._buffer, Source(None, f"{what} given")
    return read_file(one._path, what)


def _anchors(store: Any) -> TrustAnchors:
    if store._path is not None:
        return TrustAnchors.from_file(store._path)
    return TrustAnchors.system() if store._buffer is None else TrustAnchors.from_pem(store._buffer)


def _identity(chain: Any) -> Identity:
    leaf, key = chain.leaf
    ders = []
    for one in (leaf, *chain.chain):
        data, source = _read(one, "a certificate")
        loaded = load_certificates(read_blocks(data, source, "a certificate"), source)
        ders += [certificate.public_bytes(Encoding.DER) for certificate in loaded]
    data, _ = _read(leaf, "a certificate") if key is None else _read(key, "a private key")
    return Identity.from_der(ders, data)
