"""GREASE: reserved values in what one side says that the other must not mind (RFC 8701)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import extensions as x
from ..wire.codepoints import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme
from ..wire.extensions import Extensions, KeyShareEntry
from ..wire.handshake import ClientHello

if TYPE_CHECKING:
    from ..config import ServerConfig
    from ..crypto.randomness import Randomness

__all__ = ["add_grease", "server_extensions"]


def add_grease(hello: ClientHello, randomness: Randomness) -> None:
    """Put a reserved value in front of each of the hello's lists, and an empty and a short extension around the others."""
    seeds = randomness.bytes(6)
    suite, group, scheme, version, first, last = ((seed >> 4) * 0x1010 + 0x0A0A for seed in seeds)
    if last == first:
        last ^= 0x1010  # no extension may stand there twice
    hello.cipher_suites = (CipherSuite(suite), *hello.cipher_suites)
    ext = hello.extensions
    changes: list[tuple[int, bytes]] = []
    groups, shares = ext.get(x.SUPPORTED_GROUPS), ext.get(x.KEY_SHARES)
    if groups is not None:
        changes.append(x.SUPPORTED_GROUPS((NamedGroup(group), *groups)))
    if shares is not None:
        changes.append(x.KEY_SHARES((KeyShareEntry(NamedGroup(group), b"\0"), *shares)))
    schemes, versions = ext.get(x.SIGNATURE_ALGORITHMS), ext.get(x.SUPPORTED_VERSIONS)
    if schemes is not None:
        changes.append(x.SIGNATURE_ALGORITHMS((SignatureScheme(scheme), *schemes)))
    if versions is not None:
        changes.append(x.SUPPORTED_VERSIONS((ProtocolVersion(version), *versions)))
    hello.extensions = Extensions([(first, b""), *ext.with_(*changes), (last, b"\0")])


def server_extensions(config: ServerConfig, *items: tuple[int, bytes]) -> Extensions:
    """The extensions of a CertificateRequest or NewSessionTicket; where the setting says so with reserved values among
    them: an extension and, where there are any, a signature scheme (section 4.1).
    """
    if not config.grease:
        return Extensions(items)
    kind, scheme = ((seed >> 4) * 0x1010 + 0x0A0A for seed in config.randomness.bytes(2))
    extensions = Extensions([*items, (kind, b"")])
    schemes = extensions.get(x.SIGNATURE_ALGORITHMS)
    if schemes is None:
        return extensions
    return extensions.with_(x.SIGNATURE_ALGORITHMS((SignatureScheme(scheme), *schemes)))
