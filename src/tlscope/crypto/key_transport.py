"""RSA key transport: RSAES-PKCS1-v1_5 in both directions (RFC 5246 section 7.4.7.1)."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa

__all__ = ["rsa_decrypt", "rsa_encrypt"]


def rsa_encrypt(public_key: Any, secret: bytes) -> bytes:
    """``secret`` encrypted to an RSA key. Raises ``ValueError`` for a key of another kind."""
    if not isinstance(public_key, rsa.RSAPublicKey):
        raise ValueError(f"only an RSA key can encrypt, not {type(public_key).__name__}")
    return public_key.encrypt(secret, padding.PKCS1v15())


def rsa_decrypt(private_key: Any, ciphertext: bytes) -> bytes:
    """What ``ciphertext`` holds; for bad padding something else, which looks the same to whoever sent it.

    OpenSSL since 3.2 answers bad padding with pseudo-random bytes that depend on key and ciphertext (implicit
    rejection), so nothing here tells bad padding from good. Only a ciphertext of the wrong length gives ``b""``.
    """
    try:
        result: bytes = private_key.decrypt(ciphertext, padding.PKCS1v15())
    except ValueError:
        return b""
    return result
