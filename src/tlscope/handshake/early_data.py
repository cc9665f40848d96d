"""Early data: what a client may say before the server has answered, and whether the server listens (RFC 8446 sections
2.3, 4.2.10 and 8).

It can be replayed by whoever saw it and has no forward secrecy, so both sides must ask for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import trace as t
from .. import violations
from ..crypto.cipher_suites import SUITES, Suite
from ..errors import Misuse, PeerViolation
from ..events import EarlyDataRejected
from ..keys.schedule13 import TrafficSecret
from ..wire import extensions as x
from ..wire.codepoints import ContentType, ExtensionType
from ..wire.handshake import ClientHello, EncryptedExtensions
from .hello import Offer
from .psk import Psk, Selected

if TYPE_CHECKING:
    from ..config import ClientConfig, ServerConfig
    from .driver import Handshake


@dataclass(slots=True)
class EarlyData:
    """One side's state. ``status`` is ``offered``, ``accepted`` or ``rejected``; ``used`` counts bytes of content."""

    limit: int
    status: str = "offered"
    open: bool = True
    used: int = 0
    sent: bytearray = field(default_factory=bytearray, repr=False)

    def take(self, length: int) -> bool:
        """Count bytes; False where they exceed the limit."""
        self.used += length
        return self.used <= self.limit

    def settle(self, status: str) -> None:
        """The server has said whether it listens; nothing more is sent as early data."""
        self.status, self.open = status, False


def begin_early_data(hs: Handshake, config: ClientConfig, offer: Offer) -> None:
    """Behind its ClientHello the client writes with the early keys (section 7.1)."""
    psk = offer.psks[0]
    assert psk.session is not None  # noqa: S101 - only a session's PSK carries early data
    suite = SUITES[psk.session.cipher_suite]
    # Section 5.1: the ClientHello's record is the only one that may claim another version than 0x0303.
    hs.records.flush_handshake()
    hs.records.record_version = 0x0303
    if config.middlebox_compatibility and offer.hello.session_id:
        hs.send_change_cipher_spec()
    assert hs.transcript is not None  # noqa: S101 - it is closed only after the handshake
    digest = hs.transcript.digest_with(suite.hash, b"")
    early = psk.early
    secret = early.client_early_traffic(suite, digest)
    hs.reveal("CLIENT_EARLY_TRAFFIC_SECRET", secret.secret, "early secret", "ClientHello")
    hs.early_exporter = early.early_exporter(digest)
    hs.reveal("EARLY_EXPORTER_SECRET", hs.early_exporter.secret, "early secret", "ClientHello")
    hs.early_data = EarlyData(psk.session.max_early_data)
    hs.write_with_secret(secret, "early")


def send_early_data(hs: Handshake, data: bytes | memoryview) -> None:
    """Queue early data. Raises ``Misuse`` where none may be sent now, or more than the server allows."""
    early = hs.early_data
    if early is None or not early.open:
        raise Misuse(
            "early data can't be sent now: no session allows it, or the server has answered", code="early-data"
        )
    if early.used + len(data) > early.limit:
        raise Misuse(
            f"the server takes {early.limit} bytes of early data, {early.used} are sent already", code="early-data"
        )
    early.take(len(data))
    early.sent += data
    if hs.sink is not None:
        hs.sink(t.Data("sent", len(data), "early", bytes(data) if getattr(hs.sink, "secrets", False) else None))
    hs.records.queue(ContentType.application_data, data)


def early_data_status(hs: Handshake) -> str:
    """What became of the early data that was offered, for the facts."""
    return "rejected" if hs.early_data is None else hs.early_data.status


def settle_early_data(
    hs: Handshake, offer: Offer, message: EncryptedExtensions, psk: Psk | None, suite: Suite, alpn: str | None
) -> bool:
    """Whether the server takes the early data (section 4.2.10); False where none was offered, too."""
    if hs.early_data is None:
        return False
    accepted = message.extensions.get(x.EARLY_DATA) is not None
    if accepted:
        session = None if psk is None else psk.session
        if session is None or psk is not offer.psks[0]:
            raise PeerViolation(violations.UNWANTED_EARLY_DATA_ANSWER, problem="did not accept the first PSK")
        if session.cipher_suite != suite.name or session.alpn != alpn:
            raise PeerViolation(violations.UNWANTED_EARLY_DATA_ANSWER, problem="changed the suite or the protocol")
    hs.early_data.settle("accepted" if accepted else "rejected")
    if not accepted:
        hs.events.append(EarlyDataRejected(bytes(hs.early_data.sent)))
    hs.early_data.sent.clear()
    return accepted


def judge_early_data(
    hs: Handshake,
    config: ServerConfig,
    hello: ClientHello,
    selected: Selected | None,
    suite: Suite,
    alpn: bytes | None,
) -> TrafficSecret | None:
    """Whether the server takes the client's early data: its keys, or None; the reason is in the trace."""
    if ExtensionType.early_data not in hello.extensions:
        return None
    reason = _refusal(config, hello, selected, suite, alpn)
    if reason:
        reject_early_data(hs, config, reason)
        return None
    assert selected is not None  # noqa: S101 - it is a reason to refuse
    assert selected.psk.session is not None  # noqa: S101 - so is an external PSK
    hs.note("early_data", "accepted", "the ticket allows it and was not used before", rfc="RFC 8446 section 4.2.10")
    early = selected.psk.early
    digest = hs.hash_so_far
    secret = early.client_early_traffic(suite, digest)
    hs.reveal("CLIENT_EARLY_TRAFFIC_SECRET", secret.secret, "early secret", "ClientHello")
    hs.early_exporter = early.early_exporter(digest)
    hs.reveal("EARLY_EXPORTER_SECRET", hs.early_exporter.secret, "early secret", "ClientHello")
    hs.early_data = EarlyData(selected.psk.session.max_early_data, "accepted")
    return secret


def reject_early_data(hs: Handshake, config: ServerConfig, reason: str) -> None:
    """Take none: what the client has sent behind its hello is passed over (section 4.2.10)."""
    hs.note("early_data", "rejected", reason, rfc="RFC 8446 section 4.2.10")
    hs.early_data = EarlyData(0, "rejected", open=False)
    hs.records.skip_budget = max(config.max_early_data, config.limits.max_skipped_early_data)


def _refusal(
    config: ServerConfig,
    hello: ClientHello,
    selected: Selected | None,
    suite: Suite,
    alpn: bytes | None,
) -> str:
    """Why early data is not taken, empty where it is (sections 4.2.10, 8.1 to 8.3)."""
    if not config.max_early_data:
        return "this server takes none"
    if selected is None or selected.psk.session is None:
        return "no ticket was accepted"
    session = selected.psk.session
    checks = (
        (selected.index != 0, "it goes with the first PSK, and another was accepted"),
        (not session.max_early_data, "the ticket does not allow it"),
        (session.cipher_suite != suite.name, f"the session used {session.cipher_suite}, this one {suite.name}"),
        ((session.alpn or "").encode() != (alpn or b""), "the session spoke another application protocol"),
        (not selected.age_is_fresh, "the client's ticket age is too far from the server's: it may be a replay"),
    )
    for failed, reason in checks:
        if failed:
            return reason
    offered = hello.extensions.get(x.PRE_SHARED_KEYS)
    assert offered is not None  # noqa: S101 - a PSK was selected from it
    # Section 8.2: a binder covers the whole hello, so it names this very hello, whatever the ticket.
    until = config.clock().timestamp() + 2 * config.early_data_window
    if not config.replay_guard.is_first(offered.binders[0], config.clock().timestamp(), until):
        return "this ClientHello was seen before: it is a replay"
    return ""
