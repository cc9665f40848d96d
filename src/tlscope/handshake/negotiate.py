"""What is offered and what is configured, into what is chosen, and why: pure functions (RFC 8446 section 4.1.1).

Each gives a ``Chosen`` or raises ``Incompatible`` with both lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from ..crypto.cipher_suites import SUITES, Suite
from ..crypto.groups import GROUPS
from ..errors import Incompatible
from ..wire.codepoints import AlertDescription as A
from ..wire.codepoints import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme

if TYPE_CHECKING:
    from ..trust.identity import Identity

T = TypeVar("T")


class Chosen(NamedTuple, Generic[T]):
    """A choice, and the reason for it in words that stand behind "because"."""

    value: T
    why: str


def version(offered: Sequence[ProtocolVersion], configured: Sequence[ProtocolVersion]) -> Chosen[ProtocolVersion]:
    """The newest version that both sides speak; ``configured`` is best first."""
    for candidate in configured:
        if candidate in offered:
            return Chosen(candidate, "it is the newest that both sides speak")
    raise Incompatible(
        "protocol version",
        configured,
        [one for one in offered if one.is_named],
        code="no-common-version",
        alert=A.protocol_version,
        rfc="RFC 8446 section 4.2.1",
    )


def cipher_suite(
    offered: Sequence[CipherSuite],
    configured: Sequence[CipherSuite],
    *,
    by_client: bool = False,
    heed_chacha20: bool = False,
) -> Chosen[Suite]:
    """The first suite of the preferring side's list that the other side has too.

    With ``heed_chacha20`` a server prefers ChaCha20 for a client that does so itself.
    """
    if heed_chacha20 and "CHACHA20" in next((one.name for one in offered if one in SUITES), ""):
        configured = sorted(configured, key=lambda one: "CHACHA20" not in one.name)
    first, second = (offered, configured) if by_client else (configured, offered)
    for candidate in first:
        if candidate in second:
            whose = "client" if by_client else "server"
            return Chosen(SUITES[candidate], f"it is the first of the {whose}'s list that the other side has")
    raise Incompatible(
        "cipher suite",
        configured,
        offered,
        code="no-common-cipher",
        alert=A.handshake_failure,
        rfc="RFC 8446 section 4.1.1",
    )


def shared(configured: Sequence[CipherSuite], offered: Sequence[CipherSuite]) -> tuple[CipherSuite, ...]:
    """Those of one list that stand in the other too, in the first one's order."""
    return tuple([one for one in configured if one in offered])


def group(
    offered: Sequence[NamedGroup],
    shared: Iterable[NamedGroup],
    configured: Sequence[NamedGroup],
    *,
    first_choice: bool = False,
) -> Chosen[NamedGroup]:
    """The group for the key exchange. ``shared`` are those that the client has sent a key share for.

    A hybrid that both sides speak is worth a HelloRetryRequest, because it is what protects against quantum computers;
    among the others a group with a share is better than one without, because it saves a round trip. With
    ``first_choice`` the order of ``configured`` decides alone.
    """
    common = [candidate for candidate in configured if candidate in offered]
    if not common:
        raise Incompatible(
            "key-exchange group",
            configured,
            offered,
            code="no-common-group",
            alert=A.handshake_failure,
            rfc="RFC 8446 section 4.1.1",
        )
    shared = set(shared)
    if GROUPS[common[0]].is_hybrid:
        return Chosen(common[0], "it is the server's first choice among the common ones, and resists quantum computers")
    if first_choice:
        return Chosen(common[0], "it is the server's first choice among the common ones")
    for candidate in common:
        if candidate in shared:
            return Chosen(candidate, "it is the server's first choice among those with a key share")
    return Chosen(common[0], "it is the server's first choice among the common ones, none of which has a key share")


def signature_scheme(
    offered: Sequence[SignatureScheme], possible: Sequence[SignatureScheme], configured: Sequence[SignatureScheme]
) -> Chosen[SignatureScheme]:
    """What to sign with: the signer's first preference that its key can make and the other side can check."""
    for candidate in configured:
        if candidate in possible and candidate in offered:
            return Chosen(candidate, "it is the signer's first choice that its key can make and the peer can check")
    raise Incompatible(
        "signature scheme",
        [one for one in configured if one in possible],
        offered,
        code="no-common-signature",
        alert=A.handshake_failure,
        rfc="RFC 8446 section 4.4.2.2",
    )


def signature_scheme_12(
    offered: Sequence[SignatureScheme], identity: Identity, usable: Sequence[SignatureScheme]
) -> Chosen[SignatureScheme]:
    """The same for TLS 1.2, where an EC key may sign with any hash: the one that is as strong as its curve comes first."""
    if identity.key_kind.startswith("ec:"):
        strong = identity.schemes
        usable = [one for one in usable if one in strong] + [one for one in usable if one not in strong]
    return signature_scheme(offered, identity.schemes_12, usable)


def alpn(offered: Sequence[bytes] | None, configured: Sequence[bytes]) -> Chosen[bytes] | None:
    """The application protocol; None where one side has no wish (RFC 7301 section 3.2)."""
    if not offered or not configured:
        return None
    for candidate in configured:
        if candidate in offered:
            return Chosen(candidate, "it is the first of the server's list that the client offers")
    raise Incompatible(
        "application protocol (ALPN)",
        [one.decode("utf-8", "replace") for one in configured],
        [one.decode("utf-8", "replace") for one in offered],
        code="no-common-alpn",
        alert=A.no_application_protocol,
        rfc="RFC 7301 section 3.2",
    )


def server_identity(
    identities: Sequence[Identity],
    server_name: str | None,
    usable: Sequence[SignatureScheme],
    certificate_schemes: Sequence[SignatureScheme],
    authorities: Sequence[bytes],
    fits: Callable[[Identity], bool] | None = None,
) -> Chosen[Identity]:
    """The certificate that fits the client best: by name first, then by its CAs, then by how the chain is signed.

    ``usable`` are the schemes that both sides have for the handshake, ``certificate_schemes`` what the client accepts in
    certificates; ``fits`` says in TLS 1.2 whether any common cipher suite goes with a certificate. Only that, or the
    key's scheme, is a must: for the rest RFC 8446 section 4.4.2.2 prefers a certificate that the client may not like to
    none.
    """
    able = [one for one in identities if (can_sign(one, usable) if fits is None else fits(one))]
    if not able and fits is not None:
        raise NoFit
    if not able:
        raise Incompatible(
            "signature scheme",
            sorted({scheme for one in identities for scheme in one.schemes}),
            usable,
            code="no-common-signature",
            alert=A.handshake_failure,
            rfc="RFC 8446 section 4.4.2.2",
        )
    if len(able) == 1 and len(identities) == 1:
        return Chosen(able[0], "it is the only one")
    wanted = set(authorities)

    def fit(one: Identity) -> tuple[bool, bool, bool]:
        named = server_name is not None and one.serves(server_name)
        known = not wanted or bool(wanted & one.issuers)
        return named, known, one.chain_schemes <= set(certificate_schemes)

    best = max(able, key=fit)  # the first of equals
    named, known, _ = fit(best)
    if server_name is None:
        why = "the client asked for no name"
    elif named:
        why = f"it is for {server_name}"
    else:
        why = f"none is for {server_name}"
    return Chosen(best, why + (", and a CA that the client named issued it" if wanted and known else ""))


def can_sign(identity: Identity, usable: Sequence[SignatureScheme], *, tls13: bool = True) -> bool:
    """Whether the key can make one of these signatures."""
    schemes = identity.schemes if tls13 else identity.schemes_12
    return any(scheme in usable for scheme in schemes)


class NoFit(Exception):
    """No identity goes with any cipher suite that both sides have; the caller knows both lists."""


def client_identity(
    identities: Sequence[Identity],
    usable: Sequence[SignatureScheme],
    authorities: Sequence[bytes],
    *,
    tls13: bool = True,
) -> Chosen[Identity | None]:
    """The first certificate that the server's algorithms and CAs allow; None with the reason where there is none."""
    if not identities:
        return Chosen(None, "no client certificate is configured")
    wanted = set(authorities)
    by_scheme = [one for one in identities if can_sign(one, usable, tls13=tls13)]
    if not by_scheme:
        return Chosen(None, "the server accepts no signature that the configured certificate's key can make")
    for one in by_scheme:
        if not wanted or wanted & one.issuers:
            why = "a CA that the server named issued it" if wanted else "the server named no CA, so any may do"
            return Chosen(one, why)
    return Chosen(None, "no configured certificate was issued by a CA that the server named")
