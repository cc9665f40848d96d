"""Key-exchange groups: elliptic curves, and hybrids with ML-KEM (RFC 8446 section 4.2.8, RFC 7748).

For a curve both sides send a public key. For a hybrid the client sends a public key and the server a ciphertext, so the
two sides are different calls: the client makes a ``KeyPair`` and later asks it for the shared secret; the server
``respond``s to the client's share at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..wire.codepoints import NamedGroup
from . import finite_field

__all__ = ["GROUPS", "Group", "InvalidPublicKey", "KeyPair"]


class InvalidPublicKey(ValueError):
    """The peer's share has the wrong length, is not on the curve, or leads to an all-zero secret (RFC 7748 section 6)."""


class KeyPair(Protocol):
    """An ephemeral key pair."""

    @property
    def public_key(self) -> bytes:
        """What goes into the client's key share, or is a curve's server share."""

    def shared_secret(self, peer: bytes) -> bytes:
        """The secret shared with the peer's share. Raises ``InvalidPublicKey``."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """One group: lengths of the shares in bytes, and how to make keys."""

    name: NamedGroup
    client_share_length: int
    server_share_length: int
    generate: Callable[[], KeyPair] = field(repr=False)
    from_private: Callable[[bytes], KeyPair] = field(repr=False)
    """A key pair from a private key's bytes (RFC 7748's, or the big-endian scalar), for known-answer tests."""
    _respond: Callable[[bytes], tuple[bytes, bytes]] | None = field(default=None, repr=False)

    @property
    def is_hybrid(self) -> bool:
        """Whether ML-KEM is in it, so that the server answers with a ciphertext: a group of TLS 1.3 alone."""
        return self._respond is not None

    @property
    def is_curve(self) -> bool:
        """Whether it is an elliptic curve, which is what ECDHE in TLS 1.2 needs (RFC 8422); RFC 7919's are no curves."""
        return not self.is_hybrid and not 0x0100 <= self.name < 0x0200

    def respond(self, client_share: bytes, key_pair: Callable[[Group], KeyPair]) -> tuple[bytes, bytes]:
        """The server's share and the shared secret for a client's share. Raises ``InvalidPublicKey``."""
        self.check_length(client_share, self.client_share_length)
        if self._respond is not None:
            return self._respond(client_share)
        ours = key_pair(self)
        return ours.public_key, ours.shared_secret(client_share)

    def check_length(self, share: bytes, length: int) -> None:
        """Raises ``InvalidPublicKey`` for a share that is not ``length`` bytes long."""
        if len(share) != length:
            raise InvalidPublicKey(f"it has {len(share)} bytes and must have {length}")


class _Montgomery:
    """X25519 and X448: public keys are their bytes."""

    __slots__ = ("_length", "_private", "_public", "public_key")

    def __init__(self, private: Any, public: Any, length: int) -> None:
        self._private, self._public, self._length = private, public, length
        self.public_key: bytes = private.public_key().public_bytes_raw()

    def shared_secret(self, peer: bytes) -> bytes:
        if len(peer) != self._length:
            raise InvalidPublicKey(f"it has {len(peer)} bytes and must have {self._length}")
        try:
            secret: bytes = self._private.exchange(self._public.from_public_bytes(peer))
        except ValueError:
            # OpenSSL refuses the all-zero result, as RFC 7748 section 6 and RFC 8446 section 7.4.2 ask.
            raise InvalidPublicKey("it leads to an all-zero shared secret") from None
        return secret


def _montgomery(name: NamedGroup, private: Any, public: Any, length: int) -> Group:
    def generate() -> KeyPair:
        return _Montgomery(private.generate(), public, length)

    def from_private(data: bytes) -> KeyPair:
        return _Montgomery(private.from_private_bytes(data), public, length)

    return Group(name, length, length, generate, from_private)


class _Weierstrass:
    """The NIST curves: public keys are uncompressed points (RFC 8446 section 4.2.8.2)."""

    __slots__ = ("_private", "public_key")

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        self.public_key = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def shared_secret(self, peer: bytes) -> bytes:
        if len(peer) != len(self.public_key):
            raise InvalidPublicKey(f"it has {len(peer)} bytes and must have {len(self.public_key)}")
        if peer[0] != 4:
            raise InvalidPublicKey("it is not an uncompressed point")
        try:
            return self._private.exchange(
                ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(self._private.curve, peer)
            )
        except ValueError:
            raise InvalidPublicKey("it is not a point of the curve") from None


def _weierstrass(name: NamedGroup, curve: ec.EllipticCurve) -> Group:
    length = 1 + 2 * ((curve.key_size + 7) // 8)

    def generate() -> KeyPair:
        return _Weierstrass(ec.generate_private_key(curve))

    def from_private(data: bytes) -> KeyPair:
        return _Weierstrass(ec.derive_private_key(int.from_bytes(data, "big"), curve))

    return Group(name, length, length, generate, from_private)


class _FiniteField:
    """RFC 7919's groups: public keys as long as the prime (RFC 8446 section 4.2.8.1)."""

    __slots__ = ("_bits", "_private", "public_key")

    def __init__(self, private: Any, bits: int) -> None:
        self._bits = bits
        self._private = private
        self.public_key = finite_field.public_bytes(self._private, bits)

    def shared_secret(self, peer: bytes) -> bytes:
        if len(peer) != len(self.public_key):
            raise InvalidPublicKey(f"it has {len(peer)} bytes and must have {len(self.public_key)}")
        try:
            return finite_field.exchange(self._private, peer, self._bits)
        except ValueError as problem:
            raise InvalidPublicKey(str(problem)) from None


def _finite_field(name: NamedGroup, bits: int) -> Group:
    length = finite_field.LENGTHS[bits]

    def generate() -> KeyPair:
        return _FiniteField(finite_field.generate(bits), bits)

    def from_private(data: bytes) -> KeyPair:
        return _FiniteField(finite_field.from_private(data, bits), bits)

    return Group(name, length, length, generate, from_private)


class _Kem:
    """ML-KEM alone (FIPS 203): the client's share is an encapsulation key, the server's a ciphertext."""

    __slots__ = ("_private", "public_key")

    def __init__(self, private: Any) -> None:
        self._private = private
        self.public_key: bytes = private.public_key().public_bytes_raw()

    def shared_secret(self, peer: bytes) -> bytes:
        try:
            secret: bytes = self._private.decapsulate(peer)
        except ValueError:
            raise InvalidPublicKey(f"it has {len(peer)} bytes, which is not this group's length") from None
        return secret


def _kem(name: NamedGroup, private: Any, public: Any, key: int, ciphertext: int) -> Group:
    def generate() -> KeyPair:
        return _Kem(private.generate())

    def from_private(data: bytes) -> KeyPair:
        return _Kem(private.from_seed_bytes(data[:64]))

    def respond(client_share: bytes) -> tuple[bytes, bytes]:
        secret, encapsulated = _encapsulate(public, client_share)
        return encapsulated, secret

    return Group(name, key, ciphertext, generate, from_private, respond)


def _encapsulate(public: Any, key: bytes) -> tuple[bytes, bytes]:
    """A fresh secret and its ciphertext. Raises ``InvalidPublicKey``."""
    try:
        secret, ciphertext = public.from_public_bytes(key).encapsulate()
    except ValueError:
        # FIPS 203 section 7.2: an encapsulation key whose coefficients are out of range.
        raise InvalidPublicKey("its ML-KEM encapsulation key is invalid") from None
    return secret, ciphertext


class _Hybrid:
    """A KEM and a curve side by side: shares and secrets are joined in the order of the group's name."""

    __slots__ = ("_curve", "_kem", "_kem_first", "_split", "public_key")

    def __init__(self, kem: Any, curve: KeyPair, ciphertext_length: int, curve_length: int, kem_first: bool) -> None:
        self._kem, self._curve, self._kem_first = kem, curve, kem_first
        self._split = ciphertext_length if kem_first else curve_length
        kem_key: bytes = kem.public_key().public_bytes_raw()
        self.public_key = kem_key + curve.public_key if kem_first else curve.public_key + kem_key

    def shared_secret(self, peer: bytes) -> bytes:
        first, second = peer[: self._split], peer[self._split :]
        ciphertext, share = (first, second) if self._kem_first else (second, first)
        try:
            kem_secret: bytes = self._kem.decapsulate(ciphertext)
        except ValueError:
            raise InvalidPublicKey(f"it has {len(peer)} bytes, which is not this group's length") from None
        curve_secret = self._curve.shared_secret(share)
        return kem_secret + curve_secret if self._kem_first else curve_secret + kem_secret


def _hybrid(
    name: NamedGroup, private: Any, public: Any, key: int, ciphertext: int, curve: Group, *, kem_first: bool
) -> Group:
    curve_length = curve.client_share_length

    def generate() -> KeyPair:
        return _Hybrid(private.generate(), curve.generate(), ciphertext, curve_length, kem_first)

    def from_private(data: bytes) -> KeyPair:
        kem = private.from_seed_bytes(data[:64])
        return _Hybrid(kem, curve.from_private(data[64:]), ciphertext, curve_length, kem_first)

    def respond(client_share: bytes) -> tuple[bytes, bytes]:
        split = key if kem_first else curve_length
        first, second = client_share[:split], client_share[split:]
        kem_key, share = (first, second) if kem_first else (second, first)
        kem_secret, kem_ciphertext = _encapsulate(public, kem_key)
        ours = curve.generate()
        curve_secret = ours.shared_secret(share)
        if kem_first:
            return kem_ciphertext + ours.public_key, kem_secret + curve_secret
        return ours.public_key + kem_ciphertext, curve_secret + kem_secret

    return Group(name, key + curve_length, ciphertext + curve_length, generate, from_private, respond)


_X25519 = _montgomery(NamedGroup.x25519, x25519.X25519PrivateKey, x25519.X25519PublicKey, 32)
_P256 = _weierstrass(NamedGroup.secp256r1, ec.SECP256R1())
_P384 = _weierstrass(NamedGroup.secp384r1, ec.SECP384R1())
_ML_KEM_768 = (mlkem.MLKEM768PrivateKey, mlkem.MLKEM768PublicKey, 1184, 1088)
_ML_KEM_1024 = (mlkem.MLKEM1024PrivateKey, mlkem.MLKEM1024PublicKey, 1568, 1568)

GROUPS: dict[NamedGroup, Group] = {
    group.name: group
    for group in (
        _hybrid(NamedGroup.X25519MLKEM768, *_ML_KEM_768, _X25519, kem_first=True),
        _hybrid(NamedGroup.SecP256r1MLKEM768, *_ML_KEM_768, _P256, kem_first=False),
        _hybrid(NamedGroup.SecP384r1MLKEM1024, *_ML_KEM_1024, _P384, kem_first=False),
        _X25519,
        _P256,
        _P384,
        _weierstrass(NamedGroup.secp521r1, ec.SECP521R1()),
        _montgomery(NamedGroup.x448, x448.X448PrivateKey, x448.X448PublicKey, 56),
        _kem(NamedGroup.MLKEM768, *_ML_KEM_768),
        _kem(NamedGroup.MLKEM1024, *_ML_KEM_1024),
        _finite_field(NamedGroup.ffdhe2048, 2048),
        _finite_field(NamedGroup.ffdhe3072, 3072),
    )
}
"""Every group that can be spoken, by its code point."""
