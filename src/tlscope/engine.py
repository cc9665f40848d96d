"""The engine under a connection: records in, each to where it belongs; the running flow; failures out as alerts.

This file is the one place that turns an error into an alert. What an application may call is in ``connection.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from . import trace as t
from . import violations
from .errors import AlertReceived, PeerViolation, TLSError
from .events import DataReceived, DecisionNeeded, EarlyDataReceived, Event, HandshakeCompleted, PeerClosed
from .handshake.driver import Driver, Handshake
from .handshake.established import Established
from .handshake.flow import ChangeCipherSpec, Flow
from .handshake.post_handshake_auth import PostHandshakeAuth
from .handshake.situation import described, situation_of
from .record.layer import RecordLayer
from .wire.alerts import Alert
from .wire.codec import DecodeError
from .wire.codepoints import AlertDescription, AlertLevel, ContentType, ProtocolVersion

if TYPE_CHECKING:
    from .config import _Config
    from .trace import Sink

__all__ = ["Engine"]

# Looking a member up in its enumeration takes as long as calling a method.
_CHANGE_CIPHER_SPEC, _ALERT = ContentType.change_cipher_spec, ContentType.alert
_HANDSHAKE, _DATA = ContentType.handshake, ContentType.application_data

_THE_CHANGE_CIPHER_SPEC = ChangeCipherSpec()

_HTTP_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)
_HTTP_SENTENCE = b"This port speaks HTTPS, and the request came in plain HTTP. Use https:// in the address.\n"


class Engine:
    """Takes records, runs flows, and fails closed."""

    role: str

    def __init__(self, config: _Config, server_name: str | None, trace: Sink | None) -> None:
        self._config = config
        if trace is None and config.trace is not None:
            trace = config.trace()
        self.trace: Sink | None = trace
        """The sink of this connection's events, None where nobody looks."""
        self._records = RecordLayer()
        self._records.max_fragment = config.max_fragment
        self._records.padding = config.padding
        self._handshake = Handshake(self.role, config, self._records, trace, server_name)
        self._driver = Driver(self._handshake)
        self._established: Established | None = None
        self._error: TLSError | None = None
        self._started = False
        self._closed_by_us = False
        self._closed_by_peer = False
        self._empty_records = 0
        self._warnings: tuple[str, ...] = ()
        self._change_cipher_specs = 0
        if trace is not None:
            self._records.on_record = partial(_trace_record, trace)
            trace(t.Started("client" if self.role == "client" else "server", server_name or ""))

    # Running flows

    def _flow(self) -> Flow[Established]:
        raise NotImplementedError

    def _connected_flow(self) -> Flow[Any]:
        raise NotImplementedError

    def _key_limit(self, aead_limit: int) -> int:
        wish = self._config.key_update_after
        if self._established is None or self._established.facts.version is not ProtocolVersion.TLS1_3:
            return 1 << 62
        return aead_limit if wish is None else max(1, min(wish, aead_limit))

    def _guarded(self, action: Callable[[], list[Event] | None]) -> list[Event]:
        try:
            return action() or []
        except TLSError as error:
            self._fail(error)
            raise
        except Exception:
            # An application's hook raised something of its own: the peer learns that it is not its fault.
            self._records.padding = None  # it may be this one, and the alert must go out
            self._fail(TLSError("a hook of the application failed", code="hook-failed", alert=_INTERNAL_ERROR))
            raise

    def _run(self, flow: Flow[Any]) -> None:
        self._driver.start(flow)
        self._after_step()

    def _answer(self, value: Any) -> list[Event]:
        self._driver.answer(value)
        self._after_step()
        return self._pump()

    def _after_step(self) -> None:
        """After each step of a flow: a finished handshake makes place for what comes after it."""
        if self._established is None and self._driver.finished:
            self._established = self._driver.result
            hs = self._handshake
            hs.change_cipher_specs_allowed = False
            if self._established.post_handshake_auth and hs.transcript is not None:
                hs.post_handshake = PostHandshakeAuth(hs.transcript)
            hs.transcript = None
            hs.hello = None
            hs.reassembly.relax()
            facts = self._established.facts
            if self.trace is not None:
                self.trace(t.Completed(facts.as_dict()))
            hs.events.append(HandshakeCompleted(facts))
            self._driver = Driver(hs, "connected")
            self._driver.start(self._connected_flow())

    def _wait(self) -> list[Event]:
        """More has come while a decision is awaited: it is kept, within bounds."""
        limit = self._config.limits.max_buffered
        if self._records.buffered > limit:
            raise PeerViolation(violations.TOO_MUCH_BUFFERED, limit=limit, setting="Limits.max_buffered")
        return self._pump()

    def _pump(self) -> list[Event]:
        hs, records = self._handshake, self._records
        reassembly = hs.reassembly
        while not self._closed_by_peer:
            if self._driver.decision is not None:
                if not (hs.events and isinstance(hs.events[-1], DecisionNeeded)):
                    hs.events.append(DecisionNeeded(self._driver.decision))
                break
            if reassembly.pending:
                message = reassembly.next_message()
                if message is not None:
                    self._deliver(message)
                    continue
            records.inside_message = reassembly.pending > 0
            record = records.next_record()
            if record is None:
                break
            kind, content = record
            if kind == _HANDSHAKE and content:
                reassembly.feed(content)
            elif kind == _DATA and not reassembly.pending:
                self._receive_application_data(content)
            else:
                self._receive_record(kind, content)
        events, hs.events = hs.events, []
        return events

    def _deliver(self, message: bytes) -> None:
        self._driver.deliver(message)
        if self._driver.finished:
            self._after_step()
        elif self._handshake.late_peer is not None and self._established is not None:
            late, self._handshake.late_peer = self._handshake.late_peer, None
            facts = replace(
                self._established.facts,
                peer=late.verified,
                peer_chain=late.chain,
                peer_signature_scheme=late.scheme,
                client_certificate_requested=True,
            )
            self._established = replace(self._established, facts=facts)

    def _receive_record(self, kind: int, content: bytes) -> None:
        """Whatever is not a piece of a handshake message."""
        if kind == _HANDSHAKE:
            raise PeerViolation(violations.EMPTY_HANDSHAKE_RECORD, received=ContentType(kind))
        if self._handshake.reassembly.pending:
            if kind == _ALERT:
                self._receive_alert(content)  # a peer that gives up in the middle of a message may say so
            raise PeerViolation(violations.INTERLEAVED_RECORD, received=ContentType(kind))
        if kind == _DATA:
            self._receive_application_data(content)
        elif kind == _ALERT:
            self._receive_alert(content)
        elif kind == _CHANGE_CIPHER_SPEC:
            self._receive_change_cipher_spec(content)
        else:
            self._driver.refuse_record(kind)

    def _receive_application_data(self, content: bytes) -> None:
        early = self._handshake.early_data
        if self._established is None and (self.role == "client" or early is None or not early.open):
            raise PeerViolation(violations.EARLY_APPLICATION_DATA)
        if not content:
            self._empty_records += 1
            limit = self._config.limits.max_empty_records
            if self._empty_records > limit:
                raise PeerViolation(violations.TOO_MANY_EMPTY_RECORDS, limit=limit, setting="Limits.max_empty_records")
            return
        self._empty_records = self._handshake.key_updates_received = 0
        self._warnings = ()
        if self.trace is not None:
            kept = content if getattr(self.trace, "secrets", False) else None
            self.trace(t.Data("received", len(content), self._epoch_in, kept))
        if self._established is not None:
            self._handshake.events.append(DataReceived(content))
        elif early is not None:
            if not early.take(len(content)):
                raise PeerViolation(violations.TOO_MUCH_EARLY_DATA, limit=early.limit)
            self._handshake.events.append(EarlyDataReceived(content))

    def _receive_alert(self, content: bytes) -> None:
        if not content and self._records.is_tls13 and self._records.read is not None:
            raise PeerViolation(violations.EMPTY_HANDSHAKE_RECORD, received=ContentType.alert)
        try:
            alert = Alert.decode(content)
        except DecodeError as problem:
            raise PeerViolation(violations.MALFORMED_ALERT, problem=problem) from None
        description = alert.description
        if self.trace is not None:
            self.trace(t.AlertEvent("received", alert.level, description, description.name, self._epoch_in))
        if description == AlertDescription.close_notify:
            self._receive_close_notify()
            return
        if not alert.level.is_named:
            raise PeerViolation(violations.BAD_ALERT_LEVEL, level=alert.level, description=description.name)
        # Section 6: in TLS 1.3 the level is ignored, and every alert but two ends the connection. Before a version is
        # agreed, a server of TLS 1.2 may still have something to warn of.
        is_tls13, warning = self._records.is_tls13, alert.level == AlertLevel.warning
        tolerated = description == AlertDescription.user_canceled if is_tls13 else warning
        if not tolerated:
            # Section 6.2: such an alert must be sent as fatal; whoever warns with it may think that all goes on.
            answer = AlertDescription.decode_error if warning else None
            raise AlertReceived(alert.level, description, answer=answer)
        self._warnings += (description.name,)
        limit = self._config.limits.max_warning_alerts
        if len(self._warnings) > limit:
            raise PeerViolation(violations.TOO_MANY_WARNINGS, limit=limit, setting="Limits.max_warning_alerts")

    def _receive_close_notify(self) -> None:
        self._closed_by_peer = True
        if self.trace is not None:
            self.trace(t.Closed("received", "close_notify"))
        if self._established is None:
            raise AlertReceived(AlertLevel.warning, AlertDescription.close_notify)
        self._handshake.events.append(PeerClosed())

    def _receive_change_cipher_spec(self, content: bytes) -> None:
        hs, protected = self._handshake, self._records.read is not None and not self._records.is_tls13
        if content != b"\x01" or protected:
            raise PeerViolation(violations.BAD_CHANGE_CIPHER_SPEC)
        if self._driver.change_cipher_spec(_THE_CHANGE_CIPHER_SPEC):
            if self.trace is not None:
                self.trace(t.ChangeCipherSpecEvent("received", "keys"))
            return
        if not hs.change_cipher_specs_allowed:
            raise PeerViolation(violations.BAD_CHANGE_CIPHER_SPEC)
        self._change_cipher_specs += 1
        limit = self._config.limits.max_change_cipher_specs
        if self._change_cipher_specs > limit:
            raise PeerViolation(
                violations.TOO_MANY_CHANGE_CIPHER_SPECS, limit=limit, setting="Limits.max_change_cipher_specs"
            )
        if self.trace is not None:
            self.trace(t.ChangeCipherSpecEvent("received", "compatibility"))

    # Failing

    @property
    def _given_up(self) -> bool:
        """Whether this side closed before it could send anything: nothing it would say may follow close_notify."""
        return self._closed_by_us and self._established is None and not self._handshake.half_rtt

    def _raise_if_failed(self) -> None:
        if self._error is not None:
            raise self._error

    def _fail(self, error: TLSError, *, alert: bool = True) -> None:
        if self._error is not None:
            return
        self._error = self._placed(error)
        if self.trace is not None:
            self.trace(t.Failed(described(error)))
        if self._established is None and self._handshake.forget_session is not None:
            with suppress(Exception):  # an application's cache must not stand in the way of the alert
                self._handshake.forget_session()
        violation = getattr(error, "violation", None)
        if violation is violations.HTTP_ON_TLS_PORT and self.role == "server":
            # As nginx does: the person who typed http:// gets a sentence and not a blank page.
            self._records.queue_raw(_HTTP_ANSWER % (len(_HTTP_SENTENCE), _HTTP_SENTENCE))
        elif alert and error.alert is not None and not self._closed_by_us:
            self._send_alert(AlertLevel.fatal, error.alert)

    def _placed(self, error: TLSError) -> TLSError:
        """The error with its step, and with what was known when it arose."""
        self._driver.placed(error)
        if error.situation is None:
            with suppress(Exception):  # an explanation must never stand in the way of the alert
                error.situation = situation_of(self._handshake, self._records, error, self._warnings)
        return error

    def _send_alert(self, level: AlertLevel, description: AlertDescription) -> None:
        if self.trace is not None:
            write = self._records.write
            epoch = "plaintext" if write is None else write.epoch
            self.trace(t.AlertEvent("sent", level, description, description.name, epoch))
        self._records.queue(ContentType.alert, Alert(level, description).encode())

    @property
    def _epoch_in(self) -> str:
        read = self._records.read
        return "plaintext" if read is None else read.epoch


def _trace_record(sink: Sink, direction: Any, kind: int, epoch: str, sequence: int, length: int, raw: bytes) -> None:
    sink(t.Record(direction, kind, epoch, sequence, length, raw))


_INTERNAL_ERROR = AlertDescription.internal_error
