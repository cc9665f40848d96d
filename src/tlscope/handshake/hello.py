"""The client's hello, and what the server's answer to it may be (RFC 8446 section 4.1)."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import violations
from ..crypto.cipher_suites import SUITES, Suite
from ..crypto.groups import GROUPS, KeyPair
from ..errors import Incompatible, PeerViolation
from ..trust.names import parse_server_name
from ..wire import extensions as x
from ..wire.codepoints import AlertDescription, CertificateType, ExtensionType, NamedGroup, ProtocolVersion
from ..wire.extensions import Extensions, KeyShareEntry
from ..wire.handshake import ClientHello, HelloRetryRequest, ServerHello
from . import negotiate
from .certificate_types import acceptable
from .grease import add_grease
from .psk import Psk, begun_with, psks_to_offer, with_psks

if TYPE_CHECKING:
    from ..config import ClientConfig, ServerConfig
    from ..sessions import Session
    from .driver import Handshake

TLS1_2, TLS1_3 = ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3

_BELOW_TLS12 = b"DOWNGRD\x00"
_SENTINELS = (b"DOWNGRD\x01", _BELOW_TLS12)
"""What a server that can do TLS 1.3, or 1.2, leaves at the end of its random where it chose less (section 4.1.3)."""


@dataclass(slots=True)
class Offer:
    """A ClientHello, and the private halves of its key shares."""

    hello: ClientHello
    key_pairs: Mapping[NamedGroup, KeyPair] = field(repr=False)
    encoded: bytes = field(repr=False)
    retried: HelloRetryRequest | None = None
    session: Session | None = field(default=None, repr=False)
    psks: tuple[Psk, ...] = ()
    offers_early_data: bool = False


def make_offer(hs: Handshake, config: ClientConfig) -> Offer:
    """A fresh ClientHello with everything that the configuration allows."""
    randomness = config.randomness
    random = randomness.bytes(32)
    offers_13 = TLS1_3 in config.versions
    # Appendix D.4: a session ID makes the handshake look like a TLS 1.2 resumption to middleboxes.
    session_id = randomness.bytes(32) if offers_13 and config.middlebox_compatibility else b""
    session = find_session(hs, config)
    if session is not None and session.version is TLS1_2:
        # RFC 5077 section 3.4: the echo of this session ID will say that the ticket was accepted.
        session_id = session.session_id or session_id or randomness.bytes(32)
    key_pairs = {}
    if offers_13:
        key_pairs = {group: randomness.key_pair(GROUPS[group]) for group in config.shared_groups}
    suites = config.hello_cipher_suites
    hello = ClientHello(random, suites, _extensions(hs, config, key_pairs, session), session_id)
    if config.grease:
        add_grease(hello, randomness)
    psks = psks_to_offer(hs, config, session) if offers_13 else ()
    early = bool(config.early_data and psks and may_carry_early_data(config, psks[0].session))
    if early:
        hello.extensions = hello.extensions.with_(x.EARLY_DATA(True))
    encoded = with_psks(hello, psks, hs.before)
    return Offer(hello, key_pairs, encoded, session=session, psks=psks, offers_early_data=early)


def may_carry_early_data(config: ClientConfig, session: Session | None) -> bool:
    """Whether early data can go with this session: it speaks the session's application protocol (section 4.2.10)."""
    if session is None or not session.max_early_data:
        return False
    return session.alpn is None or session.alpn in config.alpn


def find_session(hs: Handshake, config: ClientConfig) -> Session | None:
    """A session with this server that may be resumed under the present settings."""
    if config.sessions is None or hs.server_name is None:
        return None
    session = config.sessions.find(hs.server_name, config.clock().timestamp())
    if session is None or session.version not in config.versions or session.cipher_suite not in config.cipher_suites:
        return None
    if session.version is TLS1_2 and config.require_extended_master_secret and not session.extended_master_secret:
        return None
    known_by_key = begun_with(config.external_psks, session) is not None
    known = known_by_key or any(one.fingerprint == session.identity for one in config.all_identities)
    if session.identity and not known:
        return None  # it belongs to somebody else than this configuration
    if config.require_external_psk and not known_by_key:
        return None
    shown = CertificateType.RawPublicKey if session.peer_raw_key else CertificateType.X509
    if session.peer_chain and shown not in acceptable(config):
        return None  # the present settings can't judge what the server showed
    return session


def _extensions(
    hs: Handshake, config: ClientConfig, key_pairs: Mapping[NamedGroup, KeyPair], session: Session | None
) -> Extensions:
    items: list[tuple[int, bytes]] = []
    sni = None if hs.server_name is None else parse_server_name(hs.server_name).sni
    if sni is not None:
        items.append(x.SERVER_NAME(sni))
    items += config.static_extensions
    if TLS1_2 in config.versions and config.sessions is not None:
        ticket = session.ticket if session is not None and session.version is TLS1_2 else b""
        items.append(x.SESSION_TICKET(ticket))
    if TLS1_3 in config.versions:
        # Section 4.2.8: an empty list asks for a HelloRetryRequest.
        shares = [KeyShareEntry(group, pair.public_key) for group, pair in key_pairs.items()]
        items.append(x.KEY_SHARES(tuple(shares)))
    return Extensions(items)


def retry(hs: Handshake, config: ClientConfig, offer: Offer, request: HelloRetryRequest) -> Offer:
    """The second ClientHello, changed as the server asks and in nothing else (section 4.1.2); not encoded yet."""
    suite = check_server_hello(offer, request)
    ext = request.extensions
    group, cookie = ext.get(x.SELECTED_GROUP), ext.get(x.COOKIE)
    if group is None and cookie is None:
        raise PeerViolation(violations.POINTLESS_HELLO_RETRY_REQUEST)
    changes: list[tuple[int, bytes]] = []
    key_pairs = offer.key_pairs
    if group is not None:
        if group not in (offer.hello.extensions.get(x.SUPPORTED_GROUPS) or ()):
            raise PeerViolation(violations.RETRY_WITH_BAD_GROUP, group=group, problem="which was not offered")
        if group in key_pairs:
            raise PeerViolation(
                violations.RETRY_WITH_BAD_GROUP, group=group, problem="for which a key share was sent already"
            )
        key_pairs = {group: config.randomness.key_pair(GROUPS[group])}
        changes.append(x.KEY_SHARES((KeyShareEntry(group, key_pairs[group].public_key),)))
    if cookie is not None:
        changes.append(x.COOKIE(cookie))
    hs.note(
        "hello_retry_request",
        str(group) if group is not None else "cookie",
        "the server asks for a key share of another group" if group is not None else "the server sent a cookie",
        (),
        tuple(offer.key_pairs),
        "RFC 8446 section 4.1.4",
    )
    first = offer.hello
    # Section 4.2.10: early data is over with a HelloRetryRequest.
    extensions = first.extensions.without(ExtensionType.early_data).with_(*changes)
    hello = ClientHello(first.random, first.cipher_suites, extensions, first.session_id)
    # Section 4.1.2: PSKs whose hash is not that of the chosen cipher suite may go; ages and binders are new.
    now = config.clock().timestamp()
    psks = tuple(psk.grown_older(now) for psk in offer.psks if psk.hash is suite.hash)
    return Offer(hello, key_pairs, b"", request, psks=psks, offers_early_data=offer.offers_early_data)


def check_server_hello(offer: Offer, hello: ServerHello) -> Suite:
    """Check a TLS 1.3 ServerHello or HelloRetryRequest against the offer; gives the cipher suite (section 4.1.3)."""
    name = type(hello).__name__
    version = required(name, hello.extensions, x.SELECTED_VERSION)
    if version != TLS1_3:
        raise PeerViolation(violations.UNOFFERED_VERSION, received=version)
    if hello.legacy_version != TLS1_2:
        raise PeerViolation(violations.BAD_LEGACY_VERSION, received=hello.legacy_version)
    retrying = isinstance(hello, HelloRetryRequest)
    allowed = x.HELLO_RETRY_REQUEST_FORMS if retrying else x.SERVER_HELLO_13_FORMS
    offered: Container[int] = offer.hello.extensions
    if retrying:
        # Section 4.2: a cookie is the one extension that a server sends without having been offered it.
        offered = {*offer.hello.extensions.types, ExtensionType.cookie}
    check_answers(name, hello.extensions, offered, allowed)
    if hello.session_id != offer.hello.session_id:
        raise PeerViolation(violations.BAD_SESSION_ID_ECHO)
    if hello.compression_method != 0:
        problem = f"its legacy_compression_method is {hello.compression_method} and must be 0"
        raise PeerViolation(violations.MALFORMED, message=name, problem=problem)
    suite = SUITES.get(hello.cipher_suite)
    if hello.cipher_suite not in offer.hello.cipher_suites or suite is None or not suite.is_tls13:
        raise PeerViolation(violations.UNOFFERED_CIPHER_SUITE, received=hello.cipher_suite)
    return suite


def check_answers(name: str, answers: Extensions, offered: Container[int], allowed: Container[int]) -> None:
    """Raises ``PeerViolation`` for an answer to nothing, or one in the wrong message (section 4.2)."""
    for kind in answers.types:
        if kind not in offered:
            raise PeerViolation(violations.UNSOLICITED_EXTENSION, message=name, extension=ExtensionType.of(kind))
        if kind not in allowed:
            raise PeerViolation(violations.MISPLACED_EXTENSION, message=name, extension=ExtensionType.of(kind))


def check_encrypted_answers(answers: Extensions, offered: Extensions) -> None:
    """Raises ``PeerViolation`` for an answer in EncryptedExtensions to nothing that was asked there (section 4.2).

    For one that belongs into another message, such as a key_share, the section has two sentences: to an extension that
    is not specified for the message "illegal_parameter" is due, to a response without a request "unsupported_extension".
    What is answered in the ServerHello is no request that EncryptedExtensions may answer, and the second alert is what
    other implementations send.
    """
    for kind in answers.types:
        if kind in offered and kind not in x.ENCRYPTED_EXTENSIONS_FORMS:
            extension = ExtensionType.of(kind)
            raise PeerViolation(violations.MISPLACED_ANSWER, message="EncryptedExtensions", extension=extension)
    check_answers("EncryptedExtensions", answers, offered, x.ENCRYPTED_EXTENSIONS_FORMS)


def read_alpn(hs: Handshake, config: ClientConfig, offer: Offer, chosen: bytes | None) -> str | None:
    """The application protocol that the server chose (RFC 7301 section 3.1)."""
    if chosen is None:
        return None
    protocol, why = chosen.decode("utf-8", "replace"), "the server chose it"
    if chosen not in (offer.hello.extensions.get(x.ALPN_OFFER) or ()):
        if not config.accept_unoffered_alpn:
            raise PeerViolation(violations.UNOFFERED_ALPN, received=protocol)
        why = "the server chose it, though it was not offered; accept_unoffered_alpn bears that"
    if hs.sink is not None:
        hs.note("alpn", protocol, why, (protocol,), config.alpn, "RFC 7301 section 3.2")
    return protocol


def choose_alpn(hs: Handshake, config: ServerConfig, hello: ClientHello) -> bytes | None:
    """The application protocol that the server chooses (RFC 7301 section 3.2)."""
    offered = hello.extensions.get(x.ALPN_OFFER)
    chosen = negotiate.alpn(offered, config.alpn_wire)
    if chosen is None:
        return None
    if hs.sink is not None:
        names = [one.decode("utf-8", "replace") for one in offered or ()]
        hs.note("alpn", chosen.value.decode("utf-8", "replace"), chosen.why, names, config.alpn, "RFC 7301 section 3.2")
    return chosen.value


def check_place(name: str, extensions: Extensions, allowed: Container[int]) -> None:
    """Raises ``PeerViolation`` for a known extension that has no place in this message (section 4.2)."""
    for kind in extensions.types:
        if kind not in allowed and ExtensionType.of(kind).is_named:
            raise PeerViolation(violations.MISPLACED_EXTENSION, message=name, extension=ExtensionType.of(kind))


def check_downgrade(hello: ServerHello, best: ProtocolVersion) -> None:
    """Raises ``PeerViolation`` where the server leaves word that it could do better than it chose (section 4.1.3).

    ``best`` is the newest version that this client speaks. A client of TLS 1.2 looks only where something older came.
    """
    chosen, sentinel = hello.version, hello.random[-8:]
    if chosen < TLS1_3 and sentinel in _SENTINELS and (best >= TLS1_3 or chosen < TLS1_2):
        can_do = TLS1_2 if sentinel == _BELOW_TLS12 and chosen < TLS1_2 else TLS1_3
        raise PeerViolation(violations.DOWNGRADED, best=can_do, received=chosen)


def agree_version(offer: Offer, hello: ServerHello, configured: Iterable[ProtocolVersion]) -> ProtocolVersion:
    """The version that the server chose. Raises ``PeerViolation`` or ``Incompatible`` where it was not offered."""
    chosen = hello.version
    configured = tuple(configured)
    if chosen in configured:
        return chosen
    if hello.extensions.get(x.SELECTED_VERSION) is not None:
        raise PeerViolation(violations.UNOFFERED_VERSION, received=chosen)
    raise Incompatible(
        "protocol version",
        configured,
        (chosen,),
        code="no-common-version",
        alert=AlertDescription.protocol_version,
        rfc="RFC 8446 section 4.1.3",
    )


def check_retried_hello(first: ClientHello, second: ClientHello) -> None:
    """Raises ``PeerViolation`` where the second ClientHello changes what must stay (section 4.1.2)."""
    for name in ("legacy_version", "random", "session_id", "cipher_suites", "compression_methods"):
        if getattr(first, name) != getattr(second, name):
            raise PeerViolation(violations.CHANGED_CLIENT_HELLO, field=name)
    may_change = {
        ExtensionType.key_share,
        ExtensionType.early_data,
        ExtensionType.cookie,
        ExtensionType.pre_shared_key,
        ExtensionType.padding,
        # A client that offered ECH to a server without it encrypts anew, or leaves it out (RFC 9849 section 6.1).
        ExtensionType.encrypted_client_hello,
    }
    before = {kind: data for kind, data in first.extensions if kind not in may_change}
    after = {kind: data for kind, data in second.extensions if kind not in may_change}
    for kind in {**before, **after}:
        if before.get(kind) != after.get(kind):
            raise PeerViolation(violations.CHANGED_CLIENT_HELLO, field=f"the extension {ExtensionType.of(kind)}")


def required(message: str, extensions: Extensions, form: x.ExtensionForm[Any]) -> Any:
    """The value of an extension that must be there. Raises ``PeerViolation`` (missing_extension)."""
    value = extensions.get(form)
    if value is None:
        raise PeerViolation(violations.MISSING_EXTENSION, message=message, extension=form.type)
    return value
