"""Key pairs: the kinds that a certificate can be made for, and what each signs with."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa

from ..errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

__all__ = ["KEY_KINDS", "can_decrypt", "make_key", "signature_hash"]

_KINDS: dict[str, Callable[[], Any]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "RSA-2048": lambda: rsa.generate_private_key(65537, 2048),
    "RSA-3072": lambda: rsa.generate_private_key(65537, 3072),
    "RSA-4096": lambda: rsa.generate_private_key(65537, 4096),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
    "ML-DSA-44": mldsa.MLDSA44PrivateKey.generate,
    "ML-DSA-65": mldsa.MLDSA65PrivateKey.generate,
    "ML-DSA-87": mldsa.MLDSA87PrivateKey.generate,
}

KEY_KINDS = tuple(_KINDS)
"""The kinds of keys by name; case, hyphens and underscores are free when one is asked for."""

# Not in the list, since nobody should ask for one: what a laboratory needs to show that it is refused.
_WEAK: dict[str, Callable[[], Any]] = {
    "RSA-1024": lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505
    "P-192": lambda: ec.generate_private_key(ec.SECP192R1()),
}

_BY_NAME = {re.sub(r"[-_]", "", name).lower(): make for name, make in (_KINDS | _WEAK).items()}


def make_key(kind: str = "P-256") -> CertificateIssuerPrivateKeyTypes:
    """A new private key of a kind of ``KEY_KINDS``. Raises ``ConfigError`` for any other name."""
    make = _BY_NAME.get(re.sub(r"[-_ ]", "", kind).lower())
    if make is None:
        raise ConfigError(f"{kind!r} is no kind of key; there are {', '.join(KEY_KINDS)}", code="key-kind")
    key: CertificateIssuerPrivateKeyTypes = make()
    return key


def can_decrypt(key: object) -> bool:
    """Whether something can be encrypted to this key: to RSA keys alone."""
    return isinstance(key, rsa.RSAPrivateKey)


def signature_hash(key: object) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """The hash that a certificate is signed with under this key; None where the signature brings its own."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return hashes.SHA512() if key.key_size > 384 else hashes.SHA384() if key.key_size > 256 else hashes.SHA256()
    return hashes.SHA256() if isinstance(key, rsa.RSAPrivateKey) else None
