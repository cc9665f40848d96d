"""What a name given on a command line is: a DNS name, an address, an email address or a URI."""

from __future__ import annotations

import ipaddress
import re

from cryptography import x509

from ..errors import ConfigError, Misuse
from ..trust.names import parse_server_name, shown

__all__ = ["general_name", "general_names"]

_URI = re.compile(r"([a-z][a-z0-9+.-]*://[!-~]+|urn:[!-~]+)\Z", re.IGNORECASE)
_EMAIL = re.compile(r"[!-?A-~]+@[A-Za-z0-9.-]+\Z")


def general_name(name: str) -> x509.GeneralName:
    """The subjectAltName for one name, its kind read off its form. Raises ``ConfigError`` where it has none."""
    text = name.strip()
    try:
        return x509.IPAddress(ipaddress.ip_address(text[1:-1] if text.startswith("[") and text.endswith("]") else text))
    except ValueError:
        pass
    if _URI.match(text):
        if text.lower().startswith(("http://", "https://")):
            raise _fault(name, "this is a web address; a server's certificate names the host alone")
        return x509.UniformResourceIdentifier(text)
    if "@" in text:
        if not _EMAIL.match(text):
            raise _fault(name, "this is no email address")
        return x509.RFC822Name(text)
    if re.fullmatch(r"[^:/]+:\d+", text):
        raise _fault(name, "a certificate names a host without a port")
    return x509.DNSName(_dns(name, text))


def general_names(names: tuple[str, ...]) -> tuple[x509.GeneralName, ...]:
    """``general_name`` of each, without repetitions. Raises ``ConfigError``."""
    return tuple(dict.fromkeys(general_name(name) for name in names))


def _dns(name: str, text: str) -> str:
    host = text.removeprefix("*.")
    try:
        host = parse_server_name(host).text
    except Misuse as error:
        raise ConfigError(error.sentence, code="server-name") from None
    if host == text.rstrip(".").lower() or not text.startswith("*."):
        return host
    if "." not in host:
        raise _fault(name, f"a wildcard directly below {host} is accepted by no browser nor by OpenSSL; name the hosts")
    return f"*.{host}"


def _fault(name: str, why: str) -> ConfigError:
    return ConfigError(f"{shown(name)!r} can't be in a certificate: {why}", code="server-name")
