"""Will these two accept each other: real handshakes in memory with the files of both sides, and where others differ."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..config import ClientAuth, ClientConfig, ServerConfig
from ..connection import ClientConnection, ServerConnection
from ..errors import ConfigError, TLSError
from ..explain.words import printable
from ..trace import Trace
from ..trust.anchors import TrustAnchors
from ..trust.files import CERTIFICATE_LABELS, find_key, is_pkcs12, load_certificates, load_key, read_blocks, read_file
from ..trust.identity import Identity, spki
from ..wire.codepoints import ProtocolVersion
from .errors import usage

__all__ = ["Attempt", "SideFiles", "attempts", "remarks", "side_of"]

_WEAK_BITS = 1024


@dataclass(frozen=True, slots=True)
class SideFiles:
    """What the files of one side come to: who it is, and whom it trusts. Either may be None."""

    identity: Identity | None
    trust: TrustAnchors | None
    weak: bool = False
    """Whether its RSA key is one that tlscope refuses to load."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One handshake: ``errors`` are what failed, the side's that judged first; empty where both were content."""

    version: str
    errors: tuple[tuple[str, TLSError], ...]
    client: Trace
    server: Trace

    @property
    def ok(self) -> bool:
        """Whether they accepted each other."""
        return not self.errors


def side_of(paths: list[Path], option: str, ask: Callable[[Path], Callable[[], str]]) -> SideFiles:
    """Sort a side's files: a key and the certificates that it belongs to are its identity, all else is what it trusts.

    Raises ``ConfigError``.
    """
    chains: list[tuple[Path, list[x509.Certificate]]] = []
    keys: list[tuple[Path, Any]] = []
    bundles: list[Path] = []
    for path in paths:
        data, source = read_file(path, "a certificate, a key or a PKCS#12 file")
        if is_pkcs12(data):
            bundles.append(path)
            continue
        blocks = read_blocks(data, source, "a certificate, a key or a PKCS#12 file")
        if any(block.label in CERTIFICATE_LABELS for block in blocks):
            chains.append((path, load_certificates(blocks, source)))
        if find_key(blocks) is not None:
            keys.append((path, load_key(blocks, ask(path), source)))
    if len(keys) + len(bundles) > 1:
        raise usage(f"{option}: there is more than one private key in its files; give one side one identity")
    identity, weak, own = None, False, None
    if bundles:
        identity, weak = _loaded(bundles[0], None, ask)
    elif keys:
        key_path, key = keys[0]
        public = spki(key.public_key())
        # A file whose first certificate fits is the chain; one where another does is a chain in the wrong order.
        fitting = [path for path, chain in chains if any(spki(one.public_key()) == public for one in chain)]
        own = fitting[0] if fitting else chains[0][0] if chains else None
        if own is None:
            raise ConfigError(
                "there is a private key but no certificate that goes with it", path=key_path, code="file-kind"
            )
        identity, weak = _loaded(own, key_path, ask)
    trusted = [one for path, chain in chains if path != own for one in chain]
    where = ", ".join(str(path) for path, _ in chains if path != own)
    return SideFiles(identity, TrustAnchors(trusted, where) if trusted else None, weak)


def _loaded(path: Path, key: Path | None, ask: Callable[[Path], Callable[[], str]]) -> tuple[Identity, bool]:
    secret = ask(key or path)
    try:
        return Identity.from_files(path, key, secret), False
    except ConfigError as error:
        if error.code != "weak-key" or "bits" not in error.evidence:
            raise
    return Identity.from_files(path, key, secret, min_rsa_bits=_WEAK_BITS), True


def attempts(client: SideFiles, server: SideFiles, name: str) -> Iterator[Attempt]:
    """A handshake in each version that tlscope speaks."""
    for version in (ProtocolVersion.TLS1_3, ProtocolVersion.TLS1_2):
        yield _attempt(client, server, name, version)


def _attempt(client: SideFiles, server: SideFiles, name: str, version: ProtocolVersion) -> Attempt:
    assert server.identity is not None  # noqa: S101 - the command sees to it
    traces = Trace(), Trace()
    versions: dict[str, Any] = {"min_version": version, "max_version": version}
    one = ClientConnection(
        ClientConfig(trust=client.trust, identity=client.identity, **versions), name, trace=traces[0]
    )
    demand = ClientAuth.NONE if server.trust is None else ClientAuth.REQUIRED
    config = ServerConfig(identities=[server.identity], trust=server.trust, client_auth=demand, **versions)
    other = ServerConnection(config, trace=traces[1])
    errors: list[tuple[str, TLSError]] = []
    one.start()
    for _ in range(10):
        moved = _move(one, other, "server", errors)
        moved = _move(other, one, "client", errors) or moved
        if not moved:
            break
    return Attempt(str(version), tuple(errors), *traces)


def _move(source: Any, target: Any, role: str, errors: list[tuple[str, TLSError]]) -> bool:
    data = source.data_to_send()
    if data and role not in [judge for judge, _ in errors]:
        try:
            target.receive_data(data)
        except TLSError as error:
            errors.append((role, error))
    return bool(data)


# Where others differ


def remarks(client: SideFiles, server: SideFiles, name: str, *, accepted: bool) -> Iterator[str]:
    """What other programs make of the same certificates; ``accepted`` is whether tlscope's client took the server's."""
    identity = server.identity
    if identity is None:
        return
    if server.weak or client.weak:
        side = "server" if server.weak else "client"
        yield (
            f"the {side}'s RSA key has 1024 bits: tlscope, browsers and OpenSSL at its usual security level, 2, refuse it; "
            "OpenSSL at security level 1, old Java and old curl take it"
        )
    if not any(True for _ in identity.names) and identity.names.common_name:
        yield (
            f"the server's certificate has no subjectAltName, only the common name {printable(identity.names.common_name)}: "
            "tlscope, browsers, Go and Node refuse it; curl with OpenSSL and wget still take a common name"
        )
    for strict, who in (
        (True, "Python 3.13 and newer (VERIFY_X509_STRICT)"),
        (False, "Python 3.12 and older, like OpenSSL by itself,"),
    ):
        fault = _openssl(identity, client.trust, name, strict=strict)
        if (fault is None) != accepted:
            yield f"{who} would accept the server" if fault is None else f"{who} would refuse the server: {fault}"
    if client.identity is not None and server.trust is None:
        yield "the client has a certificate, but the server has no CA to ask for one: it is never shown"
    lifetime = identity.leaf.not_valid_after_utc - identity.leaf.not_valid_before_utc
    if lifetime.days > 825:
        yield f"the server's certificate is valid for {lifetime.days} days: Apple's systems refuse more than 825"


def _openssl(identity: Identity, trust: TrustAnchors | None, name: str, *, strict: bool) -> str | None:
    """What the ssl module of this Python says of the server's certificate; None where it is content."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags &= ~(ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN)
    if strict:
        context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    if trust is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(
            cadata="".join(one.public_bytes(Encoding.PEM).decode("ascii") for one in trust.certificates)
        )
    server = ServerConnection(ServerConfig(identities=[identity]))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    for _ in range(10):
        try:
            client.do_handshake()
            return None
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as error:
            return error.verify_message or "its certificate is not accepted"
        except ssl.SSLError as error:
            return f"OpenSSL says {printable(error.reason or error, 100)}"
        try:
            server.receive_data(outgoing.read())
        except TLSError as error:
            return printable(error, 200)
        incoming.write(server.data_to_send())
    return "the handshake does not end"
