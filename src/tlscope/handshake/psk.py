"""Pre-shared keys: what a client offers and how a server picks (RFC 8446 section 4.2.11).

A PSK comes from a ticket of an earlier handshake, or from outside. Which it is changes the label of its binder and
nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .. import violations
from ..crypto.cipher_suites import SUITES, Suite
from ..crypto.hashes import Hash, equal
from ..errors import Incompatible, PeerViolation
from ..external_psk import ExternalPsk
from ..keys.schedule13 import EarlySecret
from ..keys.transcript import Transcript
from ..sessions import Session, TicketRejected
from ..trust.names import shown
from ..wire import extensions as x
from ..wire.codepoints import AlertDescription, CipherSuite, ProtocolVersion, PskKeyExchangeMode
from ..wire.extensions import OfferedPsks, PskIdentity
from ..wire.handshake import ClientHello, ServerHello
from .flow import Flow
from .resumption12 import decode_session, judge_again

if TYPE_CHECKING:
    from ..config import ClientConfig, ServerConfig
    from ..trust.identity import Identity
    from ..trust.verify import VerifiedPeer
    from .driver import Handshake

TLS1_3 = ProtocolVersion.TLS1_3
_RFC = "RFC 8446 section 4.2.11"

MAX_IDENTITIES = 8
"""How many of a client's PSK identities a server tries: opening a ticket costs work, and a stranger asks for it."""


@dataclass(slots=True)
class Psk:
    """A pre-shared key with the hash that it is for, and the session behind it where there is one."""

    identity: bytes
    secret: bytes = field(repr=False)
    hash: Hash
    label: bytes
    session: Session | None = None
    obfuscated_age: int = 0
    external: ExternalPsk | None = field(default=None, repr=False)
    """The external PSK that it is, or that its session began with."""
    _early: EarlySecret | None = field(default=None, init=False, repr=False)

    @property
    def early(self) -> EarlySecret:
        """The first stage of the key schedule (section 7.1), made once for binder, early data and handshake."""
        if self._early is None:
            self._early = EarlySecret(self.hash, self.secret)
        return self._early

    @property
    def external_identity(self) -> bytes | None:
        """What the external PSK is called on the wire, None where there is none."""
        return None if self.external is None else self.external.identity_for(self.hash)

    @classmethod
    def of_session(cls, session: Session, now: float, externals: Sequence[ExternalPsk] = ()) -> Psk:
        """The PSK of a ticket, with its age in milliseconds, obfuscated (section 4.2.11.1)."""
        hash, age = SUITES[session.cipher_suite].hash, _obfuscated_age(session, now)
        external = begun_with(externals, session)
        return cls(session.ticket, session.secret, hash, b"res binder", session, age, external)

    def grown_older(self, now: float) -> Psk:
        """The same with the age that its ticket has now; an external PSK has none."""
        return self if self.session is None else replace(self, obfuscated_age=_obfuscated_age(self.session, now))

    @classmethod
    def of_external(cls, psk: ExternalPsk) -> tuple[Psk, ...]:
        """The PSKs that an external one gives: itself, or what the importer makes of it (RFC 9258)."""
        return tuple(cls._of_variant(psk, *variant) for variant in psk.variants())

    @classmethod
    def named(cls, config: ServerConfig, name: bytes) -> Psk | None:
        """The external PSK that goes by this name on the wire."""
        known = config.external_psks_by_name.get(name)
        if known is not None:
            return cls._of_variant(*known)
        found = None if config.find_external_psk is None else config.find_external_psk(name)
        return None if found is None else next((psk for psk in cls.of_external(found) if psk.identity == name), None)

    @classmethod
    def _of_variant(cls, psk: ExternalPsk, identity: bytes, secret: bytes, hash: Hash) -> Psk:
        return cls(identity, secret, hash, b"imp binder" if psk.imported else b"ext binder", external=psk)

    def binder(self, transcript: Transcript, truncated_hello: bytes) -> bytes:
        """The binder over what came before and the ClientHello up to the binders (section 4.2.11.2)."""
        return self.early.binder(self.label, transcript.digest_with(self.hash, truncated_hello))


def _obfuscated_age(session: Session, now: float) -> int:
    age = max(0, int((now - session.issued_at) * 1000))
    return (age + session.age_add) % (1 << 32)


def begun_with(externals: Sequence[ExternalPsk], session: Session) -> ExternalPsk | None:
    """The external PSK that a session began with."""
    return next((one for one in externals if one.fingerprint == session.identity), None)


# The client's side


def psks_to_offer(hs: Handshake, config: ClientConfig, session: Session | None) -> tuple[Psk, ...]:
    """The PSKs for a ClientHello: the session's first, because early data goes with the first (section 4.2.10)."""
    psks: list[Psk] = []
    if session is not None and session.version is TLS1_3:
        psks.append(Psk.of_session(session, config.clock().timestamp(), config.external_psks))
    for external in config.external_psks:
        psks.extend(Psk.of_external(external))
    if not psks:
        return ()
    hashes = [SUITES[suite].hash for suite in config.suites_13]
    return tuple([psk for psk in psks if psk.hash in hashes])


def with_psks(hello: ClientHello, psks: tuple[Psk, ...], transcript: Transcript) -> bytes:
    """Give the hello pre_shared_key as its last extension; ``transcript`` is what came before it.

    Gives the whole message, because the binders cover all of it but themselves (section 4.2.11.2).
    """
    if x.PRE_SHARED_KEYS.type in hello.extensions:
        hello.extensions = hello.extensions.without(x.PRE_SHARED_KEYS.type)
    if not psks:
        return hello.encode()
    base = hello.extensions
    identities = tuple([PskIdentity(psk.identity, psk.obfuscated_age) for psk in psks])
    offered = OfferedPsks(identities, tuple([bytes(psk.hash.length) for psk in psks]))
    hello.extensions = base.with_(x.PRE_SHARED_KEYS(offered))
    truncated = hello.encode()[: -offered.binders_length]
    offered = OfferedPsks(identities, tuple([psk.binder(transcript, truncated) for psk in psks]))
    kind, body = x.PRE_SHARED_KEYS(offered)
    hello.extensions = base.with_((kind, body))
    return truncated + body[-offered.binders_length :]


def accepted_psk(config: Any, psks: tuple[Psk, ...], hello: ServerHello, suite: Suite) -> Psk | None:
    """The PSK that a ServerHello chose, None where it chose none. Raises ``PeerViolation`` for an impossible choice, and
    ``Incompatible`` for none where one is required.
    """
    index = hello.extensions.get(x.SELECTED_PSK)
    if index is None and config.require_external_psk:
        raise Incompatible(
            "pre-shared key",
            [_shown(one.identity) for one in config.external_psks],
            (),
            code="no-common-psk",
            alert=AlertDescription.handshake_failure,
            rfc="RFC 8446 section 4.2.11",
        )
    if index is None:
        return None
    if index >= len(psks):
        raise PeerViolation(violations.BAD_SELECTED_PSK, problem=f"it names number {index} of {len(psks)}")
    psk = psks[index]
    if psk.hash is not suite.hash:
        raise PeerViolation(
            violations.BAD_SELECTED_PSK, problem=f"it was made with {psk.hash} and {suite.name} uses {suite.hash}"
        )
    return psk


# The server's side


@dataclass(slots=True)
class Selected:
    """The PSK that a server goes on with, its place in the client's list, and what its session says."""

    psk: Psk
    index: int
    identity: Identity | None = None
    peer: VerifiedPeer | None = None
    age_is_fresh: bool = False


def suites_of_known_psks(config: ServerConfig, hello: ClientHello) -> tuple[CipherSuite, ...]:
    """The suites in common that go with an external PSK which both sides know; empty where there is none.

    A PSK and the suite must have one hash (section 4.2.11), and a server may have nothing to show but that PSK.
    """
    offered = hello.extensions.get(x.PRE_SHARED_KEYS)
    if offered is None or not (config.external_psks or config.find_external_psk):
        return ()
    names = {identity.identity for identity in offered.identities[:MAX_IDENTITIES]}
    hashes = {psk.hash for name in names if (psk := Psk.named(config, name)) is not None}
    return tuple(one for one in config.suites_13 if one in hello.cipher_suites and SUITES[one].hash in hashes)


def select_psk(hs: Handshake, config: ServerConfig, hello: ClientHello, suite: Suite) -> Flow[Selected | None]:
    """The first PSK that the server knows and that may be used, its binder checked; None for a full handshake.

    An unknown or stale one is no error where there is a certificate to show instead, and the reason is in the trace; a
    wrong binder always is one (section 4.2.11).
    """
    selected = yield from _find_psk(hs, config, hello, suite)
    if selected is None and not config.shows_certificates:
        raise _nothing_in_common(hs, config, hello, suite)
    return selected


def _find_psk(hs: Handshake, config: ServerConfig, hello: ClientHello, suite: Suite) -> Flow[Selected | None]:
    offered = hello.extensions.get(x.PRE_SHARED_KEYS)
    if offered is None:
        return None
    if hello.extensions.get(x.PSK_KEY_EXCHANGE_MODES) is None:
        # Section 4.2.9: without modes there is no saying how the PSK may be used.
        raise PeerViolation(
            violations.MISSING_EXTENSION, message="ClientHello", extension=x.PSK_KEY_EXCHANGE_MODES.type
        )
    if not (with_key_exchange(hello) or alone(config, hello)):
        hs.note(
            "resumption", "declined", "the two sides have no way to use a PSK in common", rfc="RFC 8446 section 4.2.9"
        )
        return None
    for index, identity in enumerate(offered.identities[:MAX_IDENTITIES]):
        try:
            selected = _known(hs, config, identity, index, suite)
            truncated = hs.message[: -offered.binders_length]
            if not equal(selected.psk.binder(hs.before, truncated), offered.binders[index]):
                raise PeerViolation(violations.BAD_BINDER, index=index)
            if selected.psk.session is not None and selected.psk.external is None:
                selected.peer = yield from judge_again(hs, config, selected.psk.session)
        except TicketRejected as reason:
            hs.note("resumption", "declined", f"PSK {index} can't be used: {reason}", rfc=_RFC)
            continue
        what = "the external PSK is known" if selected.psk.session is None else "the ticket is good and fits"
        hs.note("resumption", f"PSK {index}", what, rfc=_RFC)
        return selected
    return None


def _nothing_in_common(hs: Handshake, config: ServerConfig, hello: ClientHello, suite: Suite) -> Incompatible:
    """For a server that has nothing to show but PSKs, none of which can be used with this client.

    Appendix E.6: whoever tries names must not learn which of them are known, so an unknown one is answered, and takes
    as long, as a wrong binder does.
    """
    offered = hello.extensions.get(x.PRE_SHARED_KEYS)
    if offered is not None and not (with_key_exchange(hello) or alone(config, hello)):
        modes = (PskKeyExchangeMode.psk_dhe_ke, PskKeyExchangeMode.psk_ke)
        offered_modes = hello.extensions.get(x.PSK_KEY_EXCHANGE_MODES)
        return Incompatible(
            "way to use a pre-shared key",
            modes if config.psk_without_key_exchange else modes[:1],
            offered_modes or (),
            code="no-common-psk-mode",
            alert=AlertDescription.handshake_failure,
            rfc="RFC 8446 section 4.2.9",
        )
    theirs: tuple[PskIdentity, ...] = ()
    if offered is not None:
        theirs = offered.identities[:MAX_IDENTITIES]
        nobodys = Psk(b"", bytes(suite.hash.length), suite.hash, b"ext binder")
        equal(nobodys.binder(hs.before, hs.message[: -offered.binders_length]), offered.binders[0])
    ours = [_shown(one.identity) for one in config.external_psks]
    if config.find_external_psk is not None:
        ours.append("what find_external_psk knows")
    return Incompatible(
        "pre-shared key",
        ours,
        [_shown(one.identity) for one in theirs],
        code="no-common-psk",
        alert=AlertDescription.decrypt_error if theirs else AlertDescription.unknown_psk_identity,
        rfc="RFC 8446 section 4.2.11",
    )


def _shown(identity: bytes) -> str:
    return shown(identity.decode("utf-8", "backslashreplace"))


def _known(hs: Handshake, config: ServerConfig, offered: PskIdentity, index: int, suite: Suite) -> Selected:
    known = Psk.named(config, offered.identity)
    if known is not None and known.hash is not suite.hash:
        raise TicketRejected(f"it is for {known.hash}, and {suite.name} uses {suite.hash}")
    if known is not None:
        return Selected(known, index)
    session, age_is_fresh = _open_ticket(hs, config, offered, suite)
    identity = next((one for one in config.all_identities if one.fingerprint == session.identity), None)
    begun = begun_with(config.external_psks, session)
    if identity is None and begun is None:
        raise TicketRejected("it was made with a certificate that is not shown any more, or a key that is not known")
    psk = Psk(offered.identity, session.secret, suite.hash, b"res binder", session, external=begun)
    return Selected(psk, index, identity, age_is_fresh=age_is_fresh)


def _open_ticket(hs: Handshake, config: ServerConfig, offered: PskIdentity, suite: Suite) -> tuple[Session, bool]:
    if config.tickets is None:
        raise TicketRejected("this server hands out no tickets")
    now = config.clock().timestamp()
    session = decode_session(config.tickets.open(offered.identity, now))
    if session.version is not TLS1_3:
        raise TicketRejected(f"it is of {session.version}")
    if not session.is_fresh(now):
        raise TicketRejected("it has expired")
    if session.cipher_suite != suite.name:
        # Section 4.2.11 asks for the same hash only; a session that keeps its suite can never be weaker than it was.
        raise TicketRejected(f"it was made with {session.cipher_suite}, and this handshake uses {suite.name}")
    if session.server_name != hs.server_name:
        raise TicketRejected(f"it was made for {session.server_name or 'no name'}")
    claimed = ((offered.obfuscated_ticket_age - session.age_add) % (1 << 32)) / 1000
    # Section 8.3: both clocks must agree on the ticket's age for early data, not for resumption.
    return session, abs(claimed - (now - session.issued_at)) <= config.early_data_window


def with_key_exchange(hello: ClientHello) -> bool:
    """Whether the client can use a PSK together with (EC)DHE (psk_dhe_ke, section 4.2.9)."""
    modes = hello.extensions.get(x.PSK_KEY_EXCHANGE_MODES) or ()
    return PskKeyExchangeMode.psk_dhe_ke in modes and x.KEY_SHARES.type in hello.extensions


def alone(config: ServerConfig, hello: ClientHello) -> bool:
    """Whether both sides would use a PSK without (EC)DHE (psk_ke, section 4.2.9)."""
    modes = hello.extensions.get(x.PSK_KEY_EXCHANGE_MODES) or ()
    return config.psk_without_key_exchange and PskKeyExchangeMode.psk_ke in modes
