"""Names: the one a client asks for, those that a certificate holds, and whether they fit (RFC 9525)."""

from __future__ import annotations

import difflib
import functools
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import NameOID

from ..errors import Misuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["PeerNames", "ServerName", "dns_matches", "near_miss", "parse_server_name", "shown"]

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")
_SHOWN_LIMIT = 200


def shown(text: str, limit: int = _SHOWN_LIMIT) -> str:
    """``text`` from a certificate, made fit to print: control characters escaped, cut after ``limit`` characters.

    Whoever makes a certificate chooses the text in it, and a terminal obeys what it is sent.
    """
    if len(text) <= limit and text.isprintable():
        return text
    clean = "".join(ch if ch.isprintable() else ch.encode("unicode_escape").decode() for ch in text[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


@dataclass(frozen=True, slots=True)
class PeerNames:
    """The names of a certificate: those of its subjectAltName by kind, and the subject.

    ``ip`` holds addresses in their canonical text form. ``common_name`` and ``subject`` (RFC 4514) are for people and
    for client certificates; a server's name is looked for in ``dns`` and ``ip`` alone (RFC 9525 section 2).
    """

    dns: tuple[str, ...] = ()
    ip: tuple[str, ...] = ()
    uri: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    common_name: str | None = None
    subject: str = ""

    @classmethod
    def of(cls, certificate: x509.Certificate) -> PeerNames:
        """Read them from a certificate. Raises ``ValueError`` where its extensions or subject can't be parsed."""
        subject = certificate.subject
        common = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        common_name = None if not common else str(common[-1].value)
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return cls(common_name=common_name, subject=subject.rfc4514_string())
        found: dict[type, list[str]] = {}
        for name in names:
            found.setdefault(type(name), []).append(str(name.value))
        return cls(
            dns=tuple(found.get(x509.DNSName, ())),
            ip=tuple(found.get(x509.IPAddress, ())),
            uri=tuple(found.get(x509.UniformResourceIdentifier, ())),
            email=tuple(found.get(x509.RFC822Name, ())),
            common_name=common_name,
            subject=subject.rfc4514_string(),
        )

    def __iter__(self) -> Iterator[str]:
        """Every name of the subjectAltName."""
        return iter((*self.dns, *self.ip, *self.uri, *self.email))

    def fits(self, name: ServerName) -> bool:
        """Whether one of the DNS names or addresses is ``name`` (RFC 9525 section 6)."""
        if name.address is not None:
            return str(name.address) in self.ip
        return name.text in self.dns or any(dns_matches(pattern, name.text) for pattern in self.dns)

    def __str__(self) -> str:
        """The first name that tells a person whose certificate this is."""
        return shown(next(iter(self), self.common_name or self.subject or "a certificate without names"))


@dataclass(frozen=True, slots=True)
class ServerName:
    """A server's name as a client asks for it.

    ``text`` is canonical: A-labels in lower case without the trailing dot, or an address. ``address`` is None for a DNS
    name. ``sni`` is what goes into server_name, which has no room for addresses (RFC 6066 section 3).
    """

    text: str
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None = None

    @property
    def sni(self) -> str | None:
        """The HostName for the server_name extension; None for an address."""
        return self.text if self.address is None else None

    @property
    def subject(self) -> x509.DNSName | x509.IPAddress:
        """The name as ``cryptography``'s verifier takes it."""
        return x509.DNSName(self.text) if self.address is None else x509.IPAddress(self.address)


@functools.lru_cache(maxsize=256)
def parse_server_name(name: str) -> ServerName:
    """Read a DNS name or an IP literal (``::1``, ``[::1]``, ``192.0.2.1``).

    Names outside ASCII become A-labels by the IDNA of the standard library (RFC 3490); an IPv6 zone is dropped, since
    no certificate can hold one. Raises ``Misuse`` where no certificate could hold the name.
    """
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        address = ipaddress.ip_address(bare.partition("%")[0] if ":" in bare else bare)
        return ServerName(str(address), address)
    except ValueError:
        pass
    text = name[:-1] if name.endswith(".") else name
    try:
        ascii_name = (text if text.isascii() else text.encode("idna").decode("ascii")).lower()
    except UnicodeError as error:
        raise Misuse(f"{shown(name)!r} is not a host name: {error}", code="server-name") from None
    if fault := _fault(ascii_name):
        raise Misuse(f"{shown(name)!r} is not a host name: {fault}", code="server-name")
    return ServerName(ascii_name)


def _fault(name: str) -> str:
    """What makes ``name`` no DNS name of letters, digits and hyphens (RFC 5280 section 4.2.1.6), or nothing."""
    if not name:
        return "it is empty"
    if len(name) > 253:
        return f"it is {len(name)} characters long, and 253 is the most"
    for label in name.split("."):
        if not label:
            return "a label is empty"
        if len(label) > 63:
            return f"a label is {len(label)} characters long, and 63 is the most"
        if "_" in label:
            return "an underscore may not stand in a host name; use a hyphen"
        if not _LABEL.match(label):
            return f"the label {shown(label)!r} is not made of letters, digits and inner hyphens"
    if label.isdigit():
        return "it ends in a number as an IPv4 address does, and is not a valid address"
    return ""


def dns_matches(pattern: str, name: str) -> bool:
    """Whether a dNSName of a certificate covers ``name`` (canonical, RFC 9525 section 6.3).

    A wildcard is a whole left-most label, covers exactly one label, and has at least two labels to its right: nobody
    may hold a certificate for everything below a top-level domain.
    """
    pattern = pattern.lower()
    if not pattern.startswith("*."):
        return pattern == name and "*" not in pattern
    parent = pattern[2:]
    _, dot, rest = name.partition(".")
    return bool(dot) and rest == parent and "." in parent and "*" not in parent


def near_miss(asked: str, found: Iterable[str]) -> str:
    """Why a name of the certificate comes close to the DNS name asked for without fitting; empty where none does."""
    patterns = [name.lower() for name in found][:50]
    for pattern in patterns:
        parent = pattern[2:] if pattern.startswith("*.") else None
        if pattern == f"www.{asked}" or asked == f"www.{pattern}":
            return f"{shown(pattern)} is there, but the name with www and the name without are two names"
        if parent is None:
            continue
        if "." not in parent:
            return f"the wildcard {shown(pattern)} is too wide: it would cover everything below {shown(parent)}"
        if asked == parent:
            return f"the wildcard {shown(pattern)} does not cover {shown(parent)} itself"
        if asked.endswith(f".{parent}"):
            return f"the wildcard {shown(pattern)} covers one label, and {shown(asked)} has more below {shown(parent)}"
    for pattern in patterns:
        if "*" in pattern.removeprefix("*."):
            return f"the wildcard in {shown(pattern)} is not a whole left-most label, so it counts for nothing"
    close = difflib.get_close_matches(asked[:253], [name for name in patterns if len(name) <= 253], n=1, cutoff=0.85)
    return f"{shown(close[0])} is there, which differs in a few letters" if close else ""
