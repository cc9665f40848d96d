"""Cipher suites and groups by OpenSSL's names, which the standard library's ``ssl`` uses."""

from __future__ import annotations

from ..wire.codepoints import CipherSuite, NamedGroup

__all__ = ["group_named", "openssl_name"]

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


def group_named(name: str) -> NamedGroup:
    """A group by OpenSSL's or the registry's name. Raises ``ValueError``."""
    known = _GROUPS.get(name.lower())
    if known is not None:
        return known
    try:
        return NamedGroup.named(name)
    except KeyError:
        raise ValueError(f"unknown elliptic curve name {name!r}") from None
