"""Cipher suites and groups by OpenSSL's names, which the standard library's ``ssl`` uses."""

from __future__ import annotations

import re
import ssl as std
from collections.abc import Sequence
from typing import Any

from ..config import RSA_KEY_TRANSPORT
from ..crypto.cipher_suites import SUITES
from ..errors import ConfigError, Misuse
from ..wire.codepoints import CipherSuite, NamedGroup

__all__ = ["chosen_suites", "describe_suite", "group_named", "openssl_name", "suites_13_named"]

_NATIVE: Any = std.SSLContext.__mro__[1]

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


def chosen_suites(context: Any, cipherlist: str, present: Sequence[CipherSuite]) -> tuple[CipherSuite, ...]:
    """What is left of OpenSSL's reading of a list of TLS 1.2's suites, behind those of TLS 1.3 among ``present``.

    Raises ``ssl.SSLError`` for a list in which OpenSSL finds nothing, ``ConfigError`` where tlscope speaks nothing of it.
    """
    level = re.search(r"@SECLEVEL=(\d+)", cipherlist)
    if level is not None and level[1] != "2":
        raise Misuse(
            f"@SECLEVEL={level[1]} has no meaning here: keys and signatures are as strong as at level 2, and for more "
            "set VerificationPolicy(min_rsa_bits=...); leave it out",
            code="no-meaning",
        )
    _NATIVE.set_ciphers(context, cipherlist)
    named = [one["name"] for one in _NATIVE.get_ciphers(context) if one["protocol"] != "TLSv1.3"]
    by_name = {openssl_name(suite): suite for suite in SUITES if not SUITES[suite].is_tls13}
    outright = re.split(r"[:, ]", cipherlist)
    older = [
        suite
        for name in named
        if (suite := by_name.get(name)) is not None
        # ALL and its like mean what is good; a key exchange without forward secrecy has to be asked for.
        and (suite not in RSA_KEY_TRANSPORT or name in outright or "kRSA" in cipherlist)
    ]
    if not older and context.minimum_version < std.TLSVersion.TLSv1_3:
        spoken = ", ".join(name for name, suite in by_name.items() if suite not in RSA_KEY_TRANSPORT)
        raise ConfigError(f"tlscope speaks none of {cipherlist!r}; in TLS 1.2 it speaks {spoken}", code="no-suites")
    return (*(suite for suite in present if SUITES[suite].is_tls13), *older)


def suites_13_named(names: str, present: Sequence[CipherSuite]) -> tuple[CipherSuite, ...]:
    """TLS 1.3's suites by name, before those of TLS 1.2 among ``present``. Raises ``ConfigError`` for an unknown one."""
    known = {suite.name: suite for suite in SUITES if SUITES[suite].is_tls13}
    wanted = list(dict.fromkeys(filter(None, names.split(":"))))
    strange = [name for name in wanted if name not in known]
    if strange or not wanted:
        spoken = ", ".join(known)
        raise ConfigError(
            f"no cipher suite of TLS 1.3 is called {', '.join(strange) or repr(names)}; there are {spoken}"
        )
    return (*(known[name] for name in wanted), *(suite for suite in present if not SUITES[suite].is_tls13))


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
