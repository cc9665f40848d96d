"""The certificate is not for the name asked for, or names what its CA may not name."""

from __future__ import annotations

from dataclasses import dataclass

from ..names import shown
from .base import Reason, listed

__all__ = ["AddressMismatch", "CommonNameOnly", "NameConstraint", "NameMismatch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NameMismatch(Reason):
    """None of its DNS names and addresses is the one asked for. ``hint`` tells a near miss."""

    _code = "wrong-host"
    _rfc = "RFC 9525 section 6"
    asked: str
    names: tuple[str, ...]
    hint: str = ""

    def _say(self) -> str:
        found = f"it is for {listed(self.names)}, not" if self.names else "it names no host, so it is not"
        return f"{found} for {self.asked}" + (f" ({self.hint})" if self.hint else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonNameOnly(Reason):
    """It has no subjectAltName, only a common name."""

    _code = "cn-only"
    _rfc = "RFC 9525 section 2"
    asked: str
    common_name: str

    def _say(self) -> str:
        return (
            f"it has no subjectAltName, only the common name {shown(self.common_name)}, which no longer counts as a "
            f"host's name (browsers, Go and Java refuse it too; curl and Python's ssl still fall back to it): "
            f"reissue it with {self.asked} as a subjectAltName"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressMismatch(Reason):
    """An IP address was asked for and it has DNS names only, or the other way round."""

    _code = "ip-vs-dns"
    _rfc = "RFC 9525 section 6.5"
    asked: str
    asked_is_address: bool
    names: tuple[str, ...]

    def _say(self) -> str:
        if not self.asked_is_address:
            return (
                f"it holds IP addresses only ({listed(self.names)}), and the DNS name {self.asked} was asked for: "
                f"reissue it with DNS:{self.asked} as a subjectAltName"
            )
        if self.asked in self.names:
            return (
                f"it holds {self.asked} as a DNS name, and an address counts only as an IP address: "
                f"reissue it with IP:{self.asked} as a subjectAltName"
            )
        return (
            f"it holds DNS names only ({listed(self.names)}), and the IP address {self.asked} was asked for: "
            f"connect by name, or reissue it with IP:{self.asked} as a subjectAltName"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NameConstraint(Reason):
    """A CA may not issue for one of its names. ``constraint`` is what the CA permits, or excludes."""

    _code = "name-constraint"
    _rfc = "RFC 5280 section 4.2.1.10"
    name: str
    constraint: tuple[str, ...]
    permitted: bool
    authority: str

    def _say(self) -> str:
        rule = "may issue only for" if self.permitted else "may not issue for"
        authority, trees = shown(self.authority), listed(self.constraint)
        return f"{self.place} names {shown(self.name)}, but its CA {authority} {rule} {trees}"
