"""What a flow works with: messages out and in, keys, secrets, decisions, and the trace of them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .. import trace as t
from .. import violations
from ..errors import Misuse, PeerViolation
from ..keys.keylog import key_log_line
from ..keys.transcript import Transcript
from ..record.protection import Protection13
from ..record.reassembly import Reassembly
from ..wire.alerts import Alert
from ..wire.codepoints import AlertDescription, AlertLevel, ContentType, ProtocolVersion
from ..wire.handshake import ClientHello
from .certificate_types import X509_CERTIFICATES
from .flow import Decision, Flow, expectation, message_name

if TYPE_CHECKING:
    from ..config import _Config
    from ..events import Event
    from ..keys.schedule13 import ExporterSecret, TrafficSecret
    from ..record.layer import RecordLayer
    from ..record.protection import Direction
    from ..trace import Sink
    from ..trust.identity import Identity
    from ..wire.handshake import HandshakeMessage
    from .early_data import EarlyData
    from .post_handshake_auth import LatePeer, PostHandshakeAuth
    from .situation import Asked

__all__ = ["Handshake"]

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
M = TypeVar("M", bound="HandshakeMessage")
T = TypeVar("T")

_CHANGE_CIPHER_SPEC = ContentType.change_cipher_spec


class Handshake:
    """What a flow works with: messages out and in, keys, secrets, decisions, and the trace of them all."""

    __slots__ = (
        "asked",
        "before",
        "certificate_types",
        "change_cipher_specs_allowed",
        "client_random",
        "config",
        "early_data",
        "early_exporter",
        "events",
        "forget_session",
        "half_rtt",
        "heard",
        "held",
        "hello",
        "key_update_queued",
        "key_updates_received",
        "late_peer",
        "late_peer",
        "may_write",
        "message",
        "post_handshake",
        "read_generation",
        "read_secret",
        "reassembly",
        "records",
        "renegotiations_refused",
        "reveals",
        "role",
        "said",
        "server_name",
        "shown",
        "sink",
        "tickets_received",
        "transcript",
        "version",
        "write_generation",
        "write_secret",
    )

    def __init__(
        self, role: str, config: _Config, records: RecordLayer, sink: Sink | None, server_name: str | None = None
    ) -> None:
        self.role = role
        self.config = config
        self.records = records
        self.sink = sink
        self.reveals = sink is not None or config.key_log is not None
        """Whether a trace or a key log wants to know of secrets."""
        self.server_name = server_name
        self.version = ProtocolVersion.TLS1_3
        """The version whose grammar the messages follow, for the trace."""
        self.transcript: Transcript | None = Transcript()
        self.before = Transcript()
        """The transcript as it was before the hello, CertificateVerify or Finished at hand."""
        self.message: bytes = b""
        """The message at hand as it was received, header included."""
        self.client_random = b""
        self.events: list[Event] = []
        """What the application is to be told."""
        self.said: list[str] = []
        """The names of the handshake's messages that this side sent, so that a failure can be explained: as many as a flow
        has steps, since nothing is heard or said out of turn."""
        self.heard: list[str] = []
        """The same of the peer's."""
        self.hello: ClientHello | None = None
        """The last ClientHello, until the handshake is over."""
        self.asked: Asked | None = None
        """What the peer's CertificateRequest wanted, and what was answered."""
        self.shown: Identity | None = None
        """The identity that this side showed."""
        self.reassembly = Reassembly(config.limits.max_handshake_message, config.limits.max_handshake_bytes)
        self.change_cipher_specs_allowed = False
        """Whether a bare ChangeCipherSpec may come now (RFC 8446 section 5)."""
        self.may_write = True
        """False once this side has sent close_notify: nothing may follow it (RFC 8446 section 6.1)."""
        self.key_update_queued = False
        self.key_updates_received = 0
        self.tickets_received = 0
        self.renegotiations_refused = 0
        self.half_rtt = False
        """Whether a server may send application data before the client's Finished: nobody else is to be authenticated."""
        self.forget_session: Callable[[], object] | None = None
        """Takes the session at hand out of where it is kept: what a failed handshake does (RFC 5246 section 7.2.2)."""
        self.post_handshake: PostHandshakeAuth | None = None
        self.late_peer: LatePeer | None = None
        """What a client has just shown, for the engine to put into the facts."""
        self.held: list[bytes] | None = None
        """Messages that must go out together (section 4.6.2), while a decision may still come between them."""
        self.certificate_types = X509_CERTIFICATES
        self.early_data: EarlyData | None = None
        self.early_exporter: ExporterSecret | None = None
        self.read_generation = 0
        self.write_generation = 0
        self.write_secret: TrafficSecret | None = None
        self.read_secret: TrafficSecret | None = None

    # Messages

    def send(self, message: M, *, beside: bool = False, encoded: bytes = b"") -> M:
        """Queue a message and append it to the transcript; what was sent is returned, after ``config.rewrite``.

        ``encoded`` is what ``message.encode()`` would give, for who has it already.
        ``beside`` is for what may be said at any time after the handshake and belongs to no transcript. Raises
        ``PeerViolation`` where the peer has said more than the message that is answered here.
        """
        if self.reassembly.pending and self.reassembly.in_handshake:
            raise PeerViolation(
                violations.EXCESS_HANDSHAKE_DATA,
                pending=self.reassembly.pending,
                message=message_name(self.message[0]) if self.message else "ChangeCipherSpec",
            )
        if self.config.rewrite is not None:
            message, encoded = self.config.rewrite(message), b""
        raw = encoded or message.encode()
        if self.transcript is not None and not beside:
            self.transcript.add(raw)
            self.said.append(type(message).__name__)
        if self.held is None or beside:
            self.records.queue_handshake(raw)
        else:
            self.held.append(raw)
        if self.sink is not None:
            write = self.records.write
            epoch = "plaintext" if write is None else write.epoch
            self.sink(t.Message("sent", type(message).__name__, epoch, self.version, raw))
        return message

    @overload
    def expect(self, a: type[A], /) -> Flow[A]: ...
    @overload
    def expect(self, a: type[A], b: type[B], /) -> Flow[A | B]: ...
    @overload
    def expect(self, a: type[A], b: type[B], c: type[C], /) -> Flow[A | B | C]: ...
    @overload
    def expect(self, a: type[A], b: type[B], c: type[C], d: type[D], /) -> Flow[A | B | C | D]: ...
    def expect(self, *classes: type[Any]) -> Flow[Any]:
        """Wait for a message of one of these classes."""
        message = yield expectation(classes)
        return message

    def decide(self, decision: Decision[T]) -> Flow[T]:
        """Have a decision taken: at once by the configuration, or later by the application where it asked to."""
        if type(decision) in self.config.ask:
            answer: T = yield decision
            return answer
        return decision.resolve()

    @property
    def hash_so_far(self) -> bytes:
        """Transcript-Hash of all messages so far (RFC 8446 section 4.4.1)."""
        transcript = self.transcript
        if transcript is None:
            raise Misuse("the transcript is closed")
        return transcript.digest()

    # Keys

    def check_aligned(self) -> None:
        """Raises ``PeerViolation`` where the message at hand, after which the peer's keys change, did not end its record."""
        if self.reassembly.pending:
            raise PeerViolation(
                violations.MESSAGE_ACROSS_KEY_CHANGE,
                pending=self.reassembly.pending,
                message=message_name(self.message[0]) if self.message else "ChangeCipherSpec",
            )

    def read_with(self, protection: Direction) -> None:
        """What comes in from here on is under these keys; nothing may be left of the record under the old ones."""
        if self.reassembly.pending:
            self.check_aligned()
        self.records.read = protection
        if self.sink is not None:
            self.sink(t.KeyChange("received", protection.epoch, protection.description))

    def write_with(self, protection: Direction) -> None:
        """What goes out from here on is under these keys."""
        self.records.change_write(protection)
        if self.sink is not None:
            self.sink(t.KeyChange("sent", protection.epoch, protection.description))

    def read_with_secret(self, secret: TrafficSecret, epoch: str) -> None:
        """Read with the keys of a TLS 1.3 traffic secret (RFC 8446 section 7.3)."""
        key, iv = secret.key_and_iv()
        self.read_with(Protection13(secret.suite, key, iv, epoch))
        self.read_secret = secret

    def write_with_secret(self, secret: TrafficSecret, epoch: str) -> None:
        """Write with the keys of a TLS 1.3 traffic secret (RFC 8446 section 7.3)."""
        key, iv = secret.key_and_iv()
        self.write_with(Protection13(secret.suite, key, iv, epoch))
        self.write_secret = secret

    def reveal(self, label: str, secret: bytes, *inputs: str, log: bool = True) -> None:
        """Tell the key log, where it knows the label, and the trace of a secret."""
        if log and self.config.key_log is not None:
            self.config.key_log(key_log_line(label, self.client_random, secret))
        if self.sink is not None:
            value = secret if getattr(self.sink, "secrets", False) else None
            self.sink(t.Secret(label, inputs, self.client_random, value))

    def send_change_cipher_spec(self, meaning: str = "compatibility") -> None:
        """Queue a bare ChangeCipherSpec: for middleboxes in TLS 1.3, as the switch of keys in TLS 1.2."""
        self.records.queue_unprotected(_CHANGE_CIPHER_SPEC, b"\x01")
        if self.sink is not None:
            self.sink(t.ChangeCipherSpecEvent("sent", "keys" if meaning == "keys" else "compatibility"))

    def warn(self, description: AlertDescription) -> None:
        """Queue a warning alert: an answer that is not a failure. Failures are raised, never sent by hand."""
        self.records.queue(ContentType.alert, Alert(AlertLevel.warning, description).encode())
        if self.sink is not None:
            write = self.records.write
            epoch = "plaintext" if write is None else write.epoch
            self.sink(t.AlertEvent("sent", AlertLevel.warning, description, description.name, epoch))

    # Trace

    def note(
        self, topic: str, chosen: object, why: str, offered: Any = (), configured: Any = (), rfc: str = ""
    ) -> None:
        """Record a decision; free where nobody looks."""
        if self.sink is not None:
            offered, configured = tuple(map(str, offered)), tuple(map(str, configured))
            self.sink(t.Choice(topic, str(chosen), why, offered, configured, rfc))
