"""Cipher suites and groups by OpenSSL's names, which the standard library's ``ssl`` uses."""

from __future__ import annotations

from typing import Any

from ..crypto.cipher_suites import SUITES
from ..wire.codepoints import CipherSuite, NamedGroup

__all__ = ["describe_suite", "group_named", "openssl_name"]

_GROUPS = {
    "prime256v1": NamedGroup.secp256r1,
    "p-256": NamedGroup.secp256r1,
    "p-384": NamedGroup.secp384r1,
    "p-521": NamedGroup.secp521r1,
}


def openssl_name(suite: CipherSuite) -> str:
    """``ECDHE-RSA-AES128-GCM-SHA256`` and the like; those of TLS 1.3 have the RFC's names there too."""
    name = suite.name.removeprefix("TLS_")
    if "_WITH_" not in name:
        return suite.name
    exchange, cipher = name.split("_WITH_")
    exchange = "" if exchange == "RSA" else exchange.replace("_", "-") + "-"
    cipher = cipher.replace("AES_128", "AES128").replace("AES_256", "AES256")
    if cipher.startswith("CHACHA20"):
        cipher = "CHACHA20_POLY1305"
        return f"{exchange}{cipher.replace('_', '-')}"
    return exchange + cipher.replace("_", "-")


def describe_suite(suite: CipherSuite) -> dict[str, Any]:
    """A cipher suite as ``SSLContext.get_ciphers()`` describes it."""
    known = SUITES[suite]
    bits = known.aead.key_length * 8
    return {
        "id": 0x03000000 | suite,
        "name": openssl_name(suite),
        "protocol": "TLSv1.3" if known.is_tls13 else "TLSv1.2",
        "strength_bits": bits,
        "alg_bits": bits,
        "aead": True,
        "symmetric": known.aead.name.lower(),
        "digest": None,
        "kx": "kx-any" if known.is_tls13 else f"kx-{known.key_exchange.lower()}",
        "auth": "auth-any" if known.is_tls13 else f"auth-{known.authentication.lower()}",
    }


def group_named(name: str) -> NamedGroup:
    """A group by OpenSSL's or the registry's name. Raises ``ValueError``."""
    known = _GROUPS.get(name.lower())
    if known is not None:
        return known
    try:
        return NamedGroup.named(name)
    except KeyError:
        raise ValueError(f"unknown elliptic curve name {name!r}") from None
