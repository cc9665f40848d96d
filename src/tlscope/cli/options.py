"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import getpass
import ipaddress
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ..crypto.groups import GROUPS
from ..errors import ConfigError
from ..explain.words import printable
from ..trust.identity import Identity
from ..wire.codepoints import NamedGroup, ProtocolVersion
from .errors import usage

__all__ = [
    "Address",
    "Json",
    "JsonText",
    "KeyFile",
    "KeyLog",
    "Tls",
    "TraceFile",
    "parse_address",
    "parse_alpn",
    "parse_groups",
    "passphrase",
    "read_identity",
    "versions",
]

Json = Annotated[
    bool, typer.Option("--json", help="Print JSON instead of diagrams: facts, steps and, where it failed, the error.")
]
JsonText = Annotated[bool, typer.Option("--json", help="Print a JSON document instead of text.")]
Tls = Annotated[
    str | None,
    typer.Option("--tls", metavar="1.2|1.3", help="Speak this version of TLS only. Default: both, 1.3 first."),
]
TraceFile = Annotated[
    Path | None,
    typer.Option(
        "--trace", metavar="FILE", help="Write every event of the connection to FILE, as JSON lines. No secrets."
    ),
]
KeyLog = Annotated[
    Path | None,
    typer.Option(
        "--keylog",
        metavar="FILE",
        help="Append the secrets to FILE, with which Wireshark can decrypt a capture. SSLKEYLOGFILE does the same.",
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="The private key, where it is not in the certificate's file."),
]


def versions(text: str | None) -> dict[str, Any]:
    """``--tls`` as settings of a config. Raises ``ConfigError`` for a version that is not spoken."""
    if text is None:
        return {}
    known = {"1.2": ProtocolVersion.TLS1_2, "1.3": ProtocolVersion.TLS1_3}
    wanted = text.strip().lower().removeprefix("tls").removeprefix("v").strip()
    if wanted in known:
        return {"min_version": known[wanted], "max_version": known[wanted]}
    reason = " (RFC 8996 ended the older ones)" if wanted in {"1.0", "1", "1.1"} else ""
    raise usage(f"--tls {printable(text, 40)}: tlscope speaks TLS 1.2 and TLS 1.3{reason}; give 1.2 or 1.3")


_ALIASES = {
    "p_256": NamedGroup.secp256r1,
    "p256": NamedGroup.secp256r1,
    "prime256v1": NamedGroup.secp256r1,
    "p_384": NamedGroup.secp384r1,
    "p384": NamedGroup.secp384r1,
    "p_521": NamedGroup.secp521r1,
    "p521": NamedGroup.secp521r1,
}


def parse_groups(text: str | None) -> dict[str, Any]:
    """``--groups`` as settings of a config: names of key-exchange groups with commas. Raises ``ConfigError``."""
    if text is None:
        return {}
    groups = []
    for name in _listed(text, "--groups"):
        try:
            group = _ALIASES.get(name.lower().replace("-", "_")) or NamedGroup.named(name)
        except KeyError:
            group = None
        if group not in GROUPS:
            known = ", ".join(known.name for known in GROUPS)
            raise usage(f"--groups: {printable(name, 40)!r} is no group that tlscope speaks; there are {known}")
        groups.append(group)
    if len(set(groups)) != len(groups):
        raise usage("--groups names a group twice")
    return {"groups": tuple(groups)}


def parse_alpn(text: str | None) -> dict[str, Any]:
    """``--alpn`` as settings of a config: application protocols with commas, the best first. Raises ``ConfigError``."""
    return {} if text is None else {"alpn": tuple(_listed(text, "--alpn"))}


def _listed(text: str, option: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise usage(f"{option} {printable(text, 60)!r}: a name is empty; give names with commas between them")
    return names


@dataclass(frozen=True, slots=True)
class Address:
    """A host, name or address without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, *, host: str | None = None, port: int | None = None) -> Address:
    """``HOST``, ``HOST:PORT``, ``[IPv6]:PORT``, a bare IPv6 address, and, with a default ``host``, ``:PORT`` or ``PORT``.

    ``host`` and ``port`` stand in for what is left out. Raises ``ConfigError`` for anything else.
    """
    what = text.strip()
    if "://" in what:
        bare = what.partition("://")[2].partition("/")[0]
        raise usage(f"{printable(text, 80)!r} is a web address; leave the rest away: {printable(bare, 80)}")
    if host is not None and what.isascii() and what.isdigit():
        return Address(host, _port(what, text))
    if what.startswith("["):
        inside, closed, rest = what[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise usage(f"{printable(text, 80)!r}: an IPv6 address in brackets is written [::1] or [::1]:443")
        return Address(_ipv6(inside, text), _port(rest[1:], text, port))
    if what.count(":") > 1:
        return Address(_ipv6(what, text), _port("", text, port))
    name, colon, digits = what.partition(":")
    if not name and host is None:
        raise usage(f"{printable(text, 80)!r}: the host is missing; give HOST or HOST:PORT")
    if any(not character.isprintable() or character in " /\\@?#" for character in name):
        raise usage(f"{printable(text, 80)!r} is no host; give a name or an address, and a port after a colon")
    return Address(name or host or "", _port(digits, text, None if colon else port))


def _ipv6(text: str, whole: str) -> str:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        raise usage(f"{printable(whole, 80)!r}: {printable(text, 60)!r} is no IPv6 address") from None
    return text


def _port(digits: str, whole: str, default: int | None = None) -> int:
    if not digits and default is not None:
        return default
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and int(digits) <= 65535):
        raise usage(f"{printable(whole, 80)!r}: a port is a number from 0 to 65535")
    return int(digits)


def read_identity(certificate: Path, key: Path | None) -> Identity:
    """Load ``--identity`` and ``--key``."""
    return Identity.from_files(certificate, key, passphrase(key or certificate))


def passphrase(path: Path) -> Callable[[], str]:
    """Asks for the passphrase of an encrypted key, where it turns out to be one and there is a terminal to ask at."""

    def ask() -> str:
        if not sys.stdin.isatty():
            raise ConfigError(
                "the key is encrypted, and there is no terminal to ask for its passphrase",
                path=path,
                code="encrypted-key",
            )
        return getpass.getpass(f"Passphrase of {printable(path)}: ")

    return ask
