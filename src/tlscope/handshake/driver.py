"""The driver: the one place that checks types, record alignment before a key change, transcript and trace.

``Driver`` runs a flow and hands it the messages that it waits for; what the flow works with is in ``handshake.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from .. import trace as t
from .. import violations
from ..errors import Misuse, PeerViolation, Step, TLSError
from ..wire.codec import DecodeError, IllegalValue
from ..wire.codepoints import ContentType, HandshakeType, ProtocolVersion
from ..wire.handshake import CertificateVerify, ClientHello, Finished, HelloRetryRequest
from .flow import Decision, Expect, Flow, message_name
from .handshake import Handshake

__all__ = ["Driver", "Handshake"]

# What a flow may need the transcript before of: binders, signatures and Finished cover what came before them, and a
# HelloRetryRequest replaces it (RFC 8446 section 4.4.1).
_SNAPSHOT = {ClientHello, HelloRetryRequest, CertificateVerify, Finished}

# It belongs to no transcript (RFC 5246 section 7.4.1.1). That section would have a client ignore one that comes while it
# negotiates. Here nobody waits for it then, so it is refused as out of turn: nothing that a server has to say depends on
# it, renegotiation is refused anyway, and what may stand anywhere in a handshake is what somebody between can add to it.
_HELLO_REQUEST = HandshakeType.hello_request

_CHANGE_CIPHER_SPEC = ContentType.change_cipher_spec

# What comes at a wrong time often enough to have a sentence of its own.
_NAMED_REFUSALS = {
    ("handshake", "HelloRetryRequest"): violations.SECOND_HELLO_RETRY_REQUEST,
    ("connected", "CertificateRequest"): violations.POST_HANDSHAKE_CERTIFICATE_REQUEST,
}


class Driver:
    """Runs one flow: starts it, hands it the messages it waits for, and knows at which step it is."""

    def __init__(self, handshake: Handshake, phase: str = "handshake") -> None:
        self.handshake = handshake
        self.phase = phase
        self.result: Any = None
        self.finished = False
        self.decision: Decision[Any] | None = None
        """The decision that the flow waits for, if it does."""
        self._flow: Flow[Any] | None = None
        self._waiting: Expect | Decision[Any] | None = None
        self._name: str | None = None

    @property
    def awaiting(self) -> tuple[str, ...]:
        """The RFC's names of the messages that the flow waits for."""
        return self._waiting.names if isinstance(self._waiting, Expect) else ()

    def start(self, flow: Flow[Any]) -> None:
        """Run a flow up to its first wait."""
        self._flow, self.finished = flow, False
        self._advance(flow.send, None)

    def answer(self, value: Any) -> None:
        """Answer the decision that the flow waits for; an exception as the answer is raised where it waits."""
        flow = self._flow
        if flow is None or self.decision is None:
            raise Misuse("no decision is waited for")
        self._advance(flow.throw if isinstance(value, BaseException) else flow.send, value)

    def deliver(self, raw: bytes) -> None:
        """Check one whole handshake message against what is due, decode it and hand it to the flow."""
        hs, waiting, flow = self.handshake, self._waiting, self._flow
        kind = raw[0]
        if flow is None or not isinstance(waiting, Expect) or kind not in waiting.decoders:
            self._name = message_name(kind)
            self._trace(raw)
            self._refuse(self._name)
        try:
            message = waiting.decoders[kind](raw[4:])
        except DecodeError as problem:
            self._name = message_name(kind)
            self._trace(raw)
            row = violations.ILLEGAL_VALUE if isinstance(problem, IllegalValue) else violations.MALFORMED
            raise self.placed(PeerViolation(row, message=self._name, problem=problem)) from None
        cls = type(message)
        self._name = name = cls.__name__
        hs.message = raw
        if hs.sink is not None:
            self._trace(raw)
        if cls not in waiting.classes:
            self._refuse(name)
        transcript = hs.transcript
        if transcript is not None:
            if cls in _SNAPSHOT:
                hs.before = transcript.fork()
            if kind != _HELLO_REQUEST:
                transcript.add(raw)
            hs.heard.append(name)
            if cls is ClientHello:
                hs.hello = message
        self._advance(flow.send, message)

    def change_cipher_spec(self, message: object) -> bool:
        """Hand a ChangeCipherSpec to a flow that waits for one; False where it does not."""
        flow, waiting = self._flow, self._waiting
        if flow is None or not isinstance(waiting, Expect) or not waiting.change_cipher_spec:
            return False
        self._name, self.handshake.message = "ChangeCipherSpec", b""
        self._advance(flow.send, message)
        return True

    def refuse_record(self, content_type: int) -> None:
        """A record came that has no place here."""
        self._refuse(f"a record of type {ContentType(content_type)}")

    def placed(self, error: TLSError) -> TLSError:
        """The error with the step at which it arose."""
        if error.step is None:
            error.step = Step(self.handshake.role, self.phase, self._name, self.awaiting)
        return error

    def _trace(self, raw: bytes) -> None:
        hs = self.handshake
        if hs.sink is not None:
            read = hs.records.read
            epoch = "plaintext" if read is None else read.epoch
            hs.sink(t.Message("received", self._name or "", epoch, hs.version, raw))

    def _refuse(self, received: str) -> NoReturn:
        if self.handshake.version is ProtocolVersion.TLS1_3:
            named = _NAMED_REFUSALS.get((self.phase, received))
            if named is not None:
                raise self.placed(PeerViolation(named))
        expected = " or ".join(self.awaiting) or "nothing"
        raise self.placed(PeerViolation(violations.UNEXPECTED_MESSAGE, received=received, expected=expected))

    def _advance(self, step: Callable[[Any], Expect | Decision[Any]], value: Any) -> None:
        try:
            self._waiting = waiting = step(value)
            self._name = None
            self.decision = None if isinstance(waiting, Expect) else waiting
        except StopIteration as end:
            self.result, self.finished = end.value, True
            self._waiting = self._flow = self._name = self.decision = None
        except TLSError as error:
            raise self.placed(error) from error.__cause__
        # A field that only the flow could read, such as ClientKeyExchange's, or what a compressed message holds.
        except IllegalValue as problem:
            raise self.placed(PeerViolation(violations.ILLEGAL_VALUE, message=self._name, problem=problem)) from None
        except DecodeError as problem:
            raise self.placed(PeerViolation(violations.MALFORMED, message=self._name, problem=problem)) from None
