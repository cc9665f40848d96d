"""X.509 certificates or raw public keys: which of them each side shows (RFC 7250, RFC 8446 section 4.4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .. import trace as t
from .. import violations
from ..errors import CertificateRejected, Incompatible, PeerViolation
from ..trust.raw_key import key_fingerprint, read_raw_key
from ..trust.reasons import UnknownRawKey
from ..wire import extensions as x
from ..wire.codepoints import AlertDescription, CertificateType
from ..wire.extensions import Extensions
from .flow import Flow, VerifyPeer
from .peer import Peer, other

if TYPE_CHECKING:
    from ..config import ServerConfig, _Config
    from .driver import Handshake

X509, RAW = CertificateType.X509, CertificateType.RawPublicKey

__all__ = ["CertificateTypes", "choose_types", "judge_raw_key", "peer_shows_raw_key", "read_types"]


class CertificateTypes(NamedTuple):
    """What the server shows, and what the client is to show where it is asked."""

    server: CertificateType = X509
    client: CertificateType = X509


X509_CERTIFICATES = CertificateTypes()
"""What is shown where nobody speaks of types."""


def peer_shows_raw_key(hs: Handshake) -> bool:
    """Whether what the peer shows is, or will be, a raw public key."""
    types = hs.certificate_types
    return (types.server if hs.role == "client" else types.client) == RAW


def acceptable(config: _Config) -> tuple[CertificateType, ...]:
    """What this side can judge, raw keys first, because they are configured on purpose."""
    raw = (RAW,) if config.trusted_raw_keys else ()
    return raw if config.believes_raw_keys_alone else (*raw, X509)


def choose_types(hs: Handshake, config: ServerConfig, hello: Extensions) -> list[tuple[int, bytes]]:
    """The server's choice for both sides; gives the extensions that tell it. Raises ``Incompatible``."""
    items: list[tuple[int, bytes]] = []
    server = _choose(hs, "server", hello.get(x.SERVER_CERTIFICATE_TYPES), _own(config))
    if hello.get(x.SERVER_CERTIFICATE_TYPES) is not None:
        items.append(x.SERVER_CERTIFICATE_TYPE(server))
    client = X509
    offered = hello.get(x.CLIENT_CERTIFICATE_TYPES)
    if config.asks_for_certificate:
        client = _choose(hs, "client", offered, acceptable(config))
        if offered is not None:
            items.append(x.CLIENT_CERTIFICATE_TYPE(client))
    hs.certificate_types = CertificateTypes(server, client)
    return items


def _own(config: ServerConfig) -> tuple[CertificateType, ...]:
    return (*((RAW,) if config.raw_key is not None else ()), *((X509,) if config.shows_x509 else ()))


def _choose(
    hs: Handshake, whose: str, offered: tuple[CertificateType, ...] | None, ours: tuple[CertificateType, ...]
) -> CertificateType:
    for candidate in ours:
        if candidate in (offered or (X509,)):
            if offered is not None:
                hs.note(f"{whose}_certificate_type", candidate, "both sides can", offered, ours, "RFC 7250 section 4.2")
            return candidate
    raise Incompatible(
        f"type of {whose} certificate",
        ours,
        offered or (X509,),
        code="no-common-certificate-type",
        alert=AlertDescription.unsupported_certificate,
        rfc="RFC 7250 section 4.2",
    )


def read_types(hs: Handshake, offered: Extensions, answers: Extensions) -> None:
    """What the server chose, on the client. Raises ``PeerViolation`` for what was not offered or can't be judged here."""
    server, client = answers.get(x.SERVER_CERTIFICATE_TYPE), answers.get(x.CLIENT_CERTIFICATE_TYPE)
    if server is None and client is None and not hs.config.trusted_raw_keys:
        return  # as nearly always: nobody speaks of types
    lists = (server, offered.get(x.SERVER_CERTIFICATE_TYPES)), (client, offered.get(x.CLIENT_CERTIFICATE_TYPES))
    for chosen, listed in lists:
        if chosen is not None and chosen not in (listed or ()):
            raise PeerViolation(violations.UNOFFERED_CERTIFICATE_TYPE, received=chosen)
    # An absent answer means X.509, which a client that trusts raw keys alone can't judge.
    if server is None and X509 not in acceptable(hs.config):
        raise PeerViolation(violations.UNOFFERED_CERTIFICATE_TYPE, received=X509)
    hs.certificate_types = CertificateTypes(server or X509, client or X509)


def judge_raw_key(hs: Handshake, chain: tuple[bytes, ...], *, resumed: bool = False) -> Flow[Peer]:
    """A raw key must be one of those that are trusted. Raises ``CertificateRejected`` or ``PeerViolation``."""
    whose = other(hs.role)
    if len(chain) != 1:
        raise PeerViolation(violations.BAD_RAW_KEY, problem=f"there are {len(chain)} of them")
    info = chain[0]
    try:
        key = read_raw_key(info)
    except ValueError as problem:
        raise PeerViolation(violations.BAD_RAW_KEY, problem=problem) from None

    def verify() -> None:
        if info not in hs.config.trusted_raw_keys:
            unknown = UnknownRawKey(whose=whose, fingerprint=key_fingerprint(info))
            raise CertificateRejected(unknown, whose=whose, chain=chain)

    try:
        yield from hs.decide(VerifyPeer(chain, hs.server_name, verify, resumed=resumed, raw_key=True))
    except CertificateRejected as problem:
        _trace_verdict(hs, whose, info, problem.reason.sentence())
        raise
    _trace_verdict(hs, whose, info)
    return Peer(chain, None, key)


def _trace_verdict(hs: Handshake, whose: str, info: bytes, reason: str = "") -> None:
    if hs.sink is not None:
        names = (key_fingerprint(info),)
        hs.sink(t.CertificatesVerified(not reason, whose, hs.server_name or "", names=names, reason=reason))
