"""What a chain must satisfy beyond RFC 5280."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from .revocation import CrlCheck, RevocationList

__all__ = ["VerificationPolicy"]


@dataclass(frozen=True, slots=True)
class VerificationPolicy:
    """Limits and demands; the defaults suit a client of the public Web as well as a private CA.

    ``max_depth``: CA certificates between the leaf and its root. ``max_certificates``: how many the peer may send; more
    are refused before any is parsed. ``min_rsa_bits``: below 2,048 it has an effect only on a leaf, since the path
    builder takes no weaker issuer. ``curves``: the elliptic curves that a leaf's key may be on.

    ``crls``: revocation lists. ``crl_check`` says which certificates a list must cover: ``listed``, those whose issuer
    has a list among ``crls``; ``leaf``, the leaf too; ``chain``, every certificate but the anchor. ``require_staple``:
    a server must staple an OCSP response, even where its certificate doesn't promise one.

    ``strict``: refuse a certificate for a rule of form of RFC 5280 that OpenSSL holds only with ``X509_V_FLAG_X509_STRICT``,
    such as a CA's basicConstraints that is not critical. Old private CAs break some; without it, what gives a certificate
    its meaning (signatures, dates, cA, keyCertSign, path lengths, names, purposes) is still held.

    ``remember``: how many accepted chains a verifier keeps, so that a peer that comes again costs no signature check
    until one of its certificates expires.
    """

    max_depth: int = 8
    max_certificates: int = 10
    min_rsa_bits: int = 2048
    curves: frozenset[str] = frozenset({"secp256r1", "secp384r1", "secp521r1"})
    crls: tuple[RevocationList, ...] = ()
    crl_check: CrlCheck = "listed"
    require_staple: bool = False
    strict: bool = True
    remember: int = 64

    def __post_init__(self) -> None:
        for name, low, high in (
            ("max_depth", 0, 255),
            ("max_certificates", 1, 1000),
            ("min_rsa_bits", 1024, 16384),
            ("remember", 0, 1_000_000),
        ):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name} must be from {low} to {high}, not {getattr(self, name)}")
        if self.crl_check not in ("listed", "leaf", "chain"):
            raise ConfigError(f"crl_check must be listed, leaf or chain, not {self.crl_check!r}")
