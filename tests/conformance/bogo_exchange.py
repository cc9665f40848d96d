"""One connection of a case: handshake, what the flags expect of it, an echo of each byte XOR 0xFF, and its end."""

from __future__ import annotations

import contextlib
import hashlib
import socket
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bogo_flags import Flags
from bogo_settings import NO_NAME, Memory, Shown, client_config, place_of, server_config, shown
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tlscope import (
    AlertDescription,
    CertificateRejected,
    ClientConnection,
    ConfigError,
    ConnectionFacts,
    DataReceived,
    DecisionNeeded,
    EarlyDataReceived,
    EarlyDataRejected,
    Event,
    HandshakeCompleted,
    PeerClosed,
    ProtocolVersion,
    ServerConnection,
    Session,
    TLSError,
    TruncatedStream,
)
from tlscope import trace as t
from tlscope.handshake.flow import ChooseClientIdentity, ChooseServerIdentity, VerifyPeer
from tlscope.wire import extensions as x
from tlscope.wire import handshake12 as tls12
from tlscope.wire.codepoints import CertificateType, CipherSuite
from tlscope.wire.handshake import ClientHello, ServerHello

_EARLY_DATA_REASONS = {
    "HelloRetryRequest": "hello_retry_request",
    "application protocol": "alpn_mismatch",
    "ticket age": "ticket_age_skew",
    "does not allow it": "unsupported_for_session",
}

__all__ = ["Exchange", "Failure"]

_INVERTED = bytes(value ^ 0xFF for value in range(256))
_TLS13 = ProtocolVersion.TLS1_3
_HELLOS: dict[str, Any] = {"ClientHello": ClientHello, "ServerHello": ServerHello}


class Failure(Exception):
    """The connection was not as the flags say it should be; the text is for whoever reads the runner's report."""


def check(condition: object, what: str) -> None:
    """Raise ``Failure`` where something is not as expected."""
    if not condition:
        raise Failure(what)


@dataclass(frozen=True)
class Refused:
    """Why the shim refuses a certificate: because a flag says so. ``alert`` depends on the kind of callback it plays."""

    code: str
    alert: AlertDescription
    rfc: str = "RFC 8446 section 4.4.2"

    def sentence(self) -> str:
        return "a flag says so"

    def evidence(self) -> Mapping[str, Any]:
        return {}


@dataclass
class Sink:
    """What the flags ask about a connection and only its trace knows."""

    choices: list[t.Choice] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    raw: dict[str, bytes] = field(default_factory=dict)
    secrets = True

    def hello(self, name: str) -> Any:
        """The first hello of a kind."""
        return _HELLOS[name].decode(self.raw[name][4:])

    def why(self, topic: str) -> str:
        """The reason for the last choice about something; empty where none was made."""
        return next((choice.why for choice in reversed(self.choices) if choice.topic == topic), "")

    def __call__(self, event: t.TraceEvent) -> None:
        if isinstance(event, t.Choice):
            self.choices.append(event)
        elif isinstance(event, t.Message):
            self._saw(event.direction, f"hs {event.raw[0]}")
            self.raw.setdefault(event.name, event.raw)
        elif isinstance(event, t.ChangeCipherSpecEvent):
            self._saw(event.direction, "ccs")
        elif isinstance(event, t.AlertEvent):
            self._saw(event.direction, f"alert {int(event.level)} {int(event.description)}")

    def _saw(self, direction: str, what: str) -> None:
        self.messages.append(f"{'write' if direction == 'sent' else 'read'} {what}\n")


class Exchange:
    """One connection, from the TCP connection to its end."""

    def __init__(self, flags: Flags, after_rejection: Flags, memory: Memory, *, resumes: bool) -> None:
        self.flags, self.after_rejection, self.memory, self.resumes = flags, after_rejection, memory, resumes
        self.sink = Sink()
        self.secrets: dict[str, bytes] = {}
        self.inbox: deque[bytes] = deque()
        self.opened = False
        self.verified: str | None = None
        self.peer_raw_key = False
        self.facts: ConnectionFacts | None = None
        self.peer_closed = False
        self.was_cut = False
        self.offered_early_data = False
        self.early_data_rejected = False
        self.unsent = b""
        self.tls: ClientConnection | ServerConnection
        more: dict[str, Any] = {"trace": lambda: self.sink, "key_log": self._learn_secret}
        try:
            if flags.server:
                self.tls = ServerConnection(server_config(flags, memory, **more))
            else:
                self.tls = ClientConnection(client_config(flags, memory, **more), flags.host_name or NO_NAME)
        except ConfigError:
            _refuse(_connect(flags))
            raise
        self.socket = _connect(flags)

    def run(self) -> None:
        """Play the connection. Raises ``Failure`` or ``TLSError``; the peer has then been told what it is owed."""
        try:
            self._handshake()
            if not self.flags.send_alert:
                self._echo()
                self._check_end()
                self._shut_down()
        finally:
            self._drain()

    # In and out

    def _send(self) -> None:
        data = self.tls.data_to_send()
        if data:
            with contextlib.suppress(ConnectionError):  # what the peer had to say is still there to be read
                self.socket.sendall(data)

    def _step(self) -> None:
        """Take what comes."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.tls.receive_eof()
            return
        try:
            events = self.tls.receive_data(data)
        except TLSError:
            self._take(self.tls.events_before_error())
            raise
        self._take(events)
        if self.sink.why("renegotiation") and not self.flags.renegotiate_ignore:
            # tlscope refuses, and goes on; the runner wants a client that takes offence.
            self.tls.abort(AlertDescription.no_renegotiation)
            raise Failure(":no-renegotiation:")

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, DecisionNeeded):
                self._take(self.tls.answer(self._answer_to(event.decision)))
            elif isinstance(event, HandshakeCompleted):
                self.facts = event.facts
            elif isinstance(event, DataReceived | EarlyDataReceived):
                self.inbox.append(event.data)
            elif isinstance(event, EarlyDataRejected):
                self._early_data_rejected()
            elif isinstance(event, PeerClosed):
                self.peer_closed = True

    def _drain(self) -> None:
        """Half-close, and read to the end: a reset could swallow the alert that the peer is owed."""
        self._send()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(65536):
                pass
        self.socket.close()

    # Decisions

    def _answer_to(self, decision: Any) -> Any:
        try:
            return self._decide(decision)
        except Failure:
            raise
        except Exception as problem:  # what a decision's own way to decide raises is the connection's to report
            return problem

    def _decide(self, decision: Any) -> Any:
        if self.flags.fail_cert_callback and not isinstance(decision, VerifyPeer):
            return TLSError("a flag says so", code="cert-callback", alert=AlertDescription.internal_error)
        if isinstance(decision, ChooseServerIdentity):
            return self._choose(decision)
        if isinstance(decision, ChooseClientIdentity):
            self._check_request(decision)
            return self._own_certificate(decision)
        assert isinstance(decision, VerifyPeer)
        return self._verdict(decision)

    def _choose(self, decision: ChooseServerIdentity) -> Any:
        flags = self.flags
        if flags.expect_advertised_alpn is not None:
            offered = x.ALPN_OFFER(decision.alpn)[1][2:]
            check(offered == flags.expect_advertised_alpn, f"the client offers the protocols {offered!r}")
        self._check_peer_schemes(
            [int(scheme) for scheme in self.sink.hello("ClientHello").extensions.get(x.SIGNATURE_ALGORITHMS) or ()]
        )
        if flags.use_ocsp_callback and flags.fail_ocsp_callback:
            return TLSError("a flag says so", code="ocsp-callback", alert=AlertDescription.internal_error)
        if any(one.must_match_issuer for one in shown(flags)):
            return self._own_certificate(decision)
        return decision.resolve()

    def _own_certificate(self, decision: ChooseClientIdentity | ChooseServerIdentity) -> Any:
        """The first one that fits; where none does tlscope would show none, and the runner wants it to fail instead."""
        candidates = [one for one in shown(self.flags) if _has_issuer(one, decision.certificate_authorities)]
        if not candidates:
            if not shown(self.flags):
                return None
            raise TLSError("no CA matches", code="no-matching-issuer", alert=AlertDescription.handshake_failure)
        return next((one.identity for one in candidates if decision.fits(one.identity)), candidates[0].identity)

    def _verdict(self, decision: VerifyPeer) -> Any:
        """None accepts the certificate without a judgement; an exception refuses it."""
        flags = self.flags
        self.peer_raw_key = decision.raw_key
        if decision.resumed and not flags.reverify_on_resume:
            return None
        if not decision.resumed:
            self.memory.staple = decision.ocsp_response
        bad = flags.verify_fail
        self.verified = "refused" if bad else "accepted"
        soft = not (flags.verify_peer or flags.require_any_client_certificate or flags.use_custom_verify_callback)
        if bad and (not soft or decision.raw_key):
            alert = AlertDescription.handshake_failure
            if flags.use_custom_verify_callback:
                alert = AlertDescription.certificate_unknown
            return _refusal("verify-fail", alert)
        if flags.use_ocsp_callback and flags.fail_ocsp_callback and not flags.server:
            return _refusal("ocsp-callback", AlertDescription.bad_certificate_status_response)
        if flags.expect_peer_rpk_sha256 is not None:
            digest = hashlib.sha256(decision.chain[0]).digest()
            check(digest == flags.expect_peer_rpk_sha256, "the peer's raw key is another one")
        return None

    def _check_request(self, decision: ChooseClientIdentity) -> None:
        flags = self.flags
        self._check_peer_schemes([int(scheme) for scheme in decision.signature_schemes])
        if flags.expect_certificate_types is not None:
            types = bytes(tls12.CertificateRequest.decode(self.sink.raw["CertificateRequest"][4:]).certificate_types)
            check(types == flags.expect_certificate_types, f"the server takes the types {types.hex()}")
        if flags.expect_client_ca_list is not None and flags.expect_client_ca_list not in ("<NULL>", "<EMPTY>"):
            names = ",".join(name.hex() for name in decision.certificate_authorities)
            check(names == flags.expect_client_ca_list, f"the server names the CAs {names}")

    def _check_peer_schemes(self, schemes: list[int]) -> None:
        expected = self.flags.expect_peer_verify_pref
        check(not expected or schemes == expected, f"the peer accepts the signatures {schemes}")

    # The handshake

    def _handshake(self) -> None:
        tls = self.tls
        tls.start()
        if isinstance(tls, ClientConnection) and tls.early_data_room:
            check(not self.flags.expect_no_offer_early_data, "early data was offered")
            self.offered_early_data = True
            self._open()
        while self.facts is None:
            self._send()
            self._step()
            if self.facts is None and self.inbox:
                self._open()  # early data is answered before the handshake is complete
                self._answer()
        self._check_handshake(self.facts)
        if self.unsent and not self.early_data_rejected:
            self._write(self.unsent)
        self._open()

    def _early_data_rejected(self) -> None:
        """From here on it is a connection of its own, with other expectations."""
        check(self.flags.expect_reject_early_data, "the early data was rejected")
        self.flags, self.early_data_rejected, self.opened, self.unsent = self.after_rejection, True, False, b""

    def _open(self) -> None:
        """What the shim says before it listens."""
        if self.opened:
            return
        self.opened = True
        flags, tls = self.flags, self.tls
        if flags.export_keying_material:
            context = flags.export_context if flags.use_export_context else None
            self._write(tls.export_keying_material(flags.export_label or b"", flags.export_keying_material, context))
        if flags.export_traffic_secrets:
            ours, theirs = self.secrets["CLIENT_TRAFFIC_SECRET_0"], self.secrets["SERVER_TRAFFIC_SECRET_0"]
            read, write = (ours, theirs) if flags.server else (theirs, ours)
            self._write(len(read).to_bytes(2, "little") + read + write)
        if flags.tls_unique:
            self._write(tls.channel_binding("tls-unique"))
        if flags.send_alert:
            tls.abort(AlertDescription.decompression_failure)
            return
        if flags.shim_writes_first or flags.read_with_unfinished_write:
            for _ in range(flags.repeat_shim_initial_write):
                self._write(flags.shim_initial_write)

    def _write(self, data: bytes) -> None:
        tls = self.tls
        if self.facts is None and isinstance(tls, ClientConnection):
            room = tls.early_data_room
            if room and not self.unsent:
                tls.send_early_data(data[:room])
                data = data[room:]
            self.unsent += data
        else:
            tls.send_data(data)

    def _learn_secret(self, line: str) -> None:
        label, _, secret = line.split()
        self.secrets[label] = bytes.fromhex(secret)

    # After it

    def _echo(self) -> None:
        self._send()
        if self.flags.shim_shuts_down:
            return
        while True:
            if self.flags.key_update_before_read:
                self.tls.update_keys()
                self._send()
            # Nothing is sent only because something came: the answer to a KeyUpdate waits for the next data.
            while not (self.inbox or self.peer_closed):
                try:
                    self._step()
                except TruncatedStream:
                    self.was_cut = True
                    return
            if not self.inbox:
                return
            self._answer()

    def _answer(self) -> None:
        """Answer one read's worth of data."""
        size = self.flags.read_size or 512
        data = self.inbox.popleft()
        if len(data) > size:
            self.inbox.appendleft(data[size:])
        if self.flags.key_update:
            self.tls.update_keys()
        self.tls.send_data(data[:size].translate(_INVERTED))
        self._send()

    def _shut_down(self) -> None:
        flags, tls = self.flags, self.tls
        if not flags.check_close_notify:
            self._send()
            return
        if self.was_cut:
            raise TruncatedStream
        tls.close()
        self._send()
        while flags.shim_shuts_down:
            if self.inbox:
                raise Failure(":application-data-on-shutdown:")
            if self.peer_closed:
                return
            self._step()

    # Expectations

    def _check_handshake(self, facts: ConnectionFacts) -> None:
        flags = self.flags
        resumed = self.resumes and not flags.expect_session_miss
        check(facts.resumed == resumed, f"the session was {'' if facts.resumed else 'not '}resumed")
        if flags.expect_version is not None:
            check(facts.version == flags.expect_version, f"the version is {facts.version}")
        if flags.expect_curve_id is not None:
            check(facts.group == flags.expect_curve_id, f"the group is {facts.group}")
        # The runner's aes and no-aes expectations are for servers that look at the processor; this one does not.
        for expected in (flags.expect_cipher, flags.expect_cipher_aes):
            check(expected is None or facts.cipher_suite == expected, f"the cipher suite is {facts.cipher_suite}")
        if flags.expect_server_name is not None:
            check(facts.server_name == flags.expect_server_name, f"the server name is {facts.server_name}")
        check(not (flags.expect_no_server_name and facts.server_name), f"the server name is {facts.server_name}")
        alpn = flags.select_alpn if flags.server else flags.expect_alpn
        check((facts.alpn or "").encode() == (alpn or b""), f"the application protocol is {facts.alpn}")
        check(not (flags.expect_hrr and not facts.hello_retry_request), "there was no HelloRetryRequest")
        check(not (flags.expect_no_hrr and facts.hello_retry_request), "there was a HelloRetryRequest")
        self._check_peer(facts)
        self._check_early_data(facts)
        self._check_sessions(facts)

    def _check_peer(self, facts: ConnectionFacts) -> None:
        flags = self.flags
        scheme = facts.peer_signature_scheme
        expected = flags.expect_peer_signature_algorithm
        check(expected in (None, scheme), f"the peer signed with {scheme}")
        if flags.expect_no_peer_cert:
            check(not facts.peer_chain, "the peer showed a certificate")
        elif facts.external_psk is None and (not flags.server or flags.require_any_client_certificate):
            check(facts.peer_chain, "the peer showed no certificate")
        if flags.expect_verify_result and self.verified is not None:
            check(self.verified == ("refused" if flags.verify_fail else "accepted"), f"the peer was {self.verified}")
        if flags.expect_peer_cert_file:
            expected_chain = _pem_chain(flags.expect_peer_cert_file)
            check(facts.peer_chain == expected_chain, "the peer's chain is another one")
        if flags.expect_peer_certificate_type is not None:
            shown_type = CertificateType.RawPublicKey if self.peer_raw_key else CertificateType.X509
            check(shown_type == flags.expect_peer_certificate_type, f"the peer showed a {shown_type}")
        if flags.expect_ocsp_response is not None:
            check(self.memory.staple == flags.expect_ocsp_response, "the staple is another one")
        if flags.expect_signed_cert_timestamps is not None:
            if not facts.resumed:
                self.memory.timestamps = x.SIGNED_CERTIFICATE_TIMESTAMPS(facts.signed_certificate_timestamps)[1]
            check(self.memory.timestamps == flags.expect_signed_cert_timestamps, "the SCTs are others")
        if flags.expect_selected_credential is not None and not facts.resumed:
            place = place_of(flags, facts)
            check(place == flags.expect_selected_credential, f"the credential is number {place}")
        self._check_old_protections(facts)

    def _check_old_protections(self, facts: ConnectionFacts) -> None:
        """What TLS 1.3 has built in and TLS 1.2 by extensions: RFC 5746 and RFC 7627."""
        if facts.version == _TLS13:
            return
        flags, hello = self.flags, self.sink.hello("ClientHello" if self.flags.server else "ServerHello")
        secure = x.RENEGOTIATION_INFO.type in hello.extensions
        if flags.server:
            secure = secure or CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV in hello.cipher_suites
        check(secure or not flags.expect_secure_renegotiation, "the peer does not know RFC 5746")
        check(not (secure and flags.expect_no_secure_renegotiation), "the peer knows RFC 5746")
        extended = x.EXTENDED_MASTER_SECRET.type in self.sink.hello("ServerHello").extensions
        check(extended or not flags.expect_extended_master_secret, "the extended master secret is not in use")

    def _check_early_data(self, facts: ConnectionFacts) -> None:
        flags = self.flags
        if flags.expect_accept_early_data:
            check(facts.early_data == "accepted", f"early data was {facts.early_data or 'not offered'}")
        if flags.expect_reject_early_data:
            check(facts.early_data != "accepted", "early data was accepted")
        if flags.expect_early_data_reason is not None:
            reason = self._early_data_reason(facts)
            check(reason == flags.expect_early_data_reason, f"the reason about early data is {reason}")

    def _early_data_reason(self, facts: ConnectionFacts) -> str:
        """In the runner's words."""
        flags, offered = self.flags, self.memory.sessions.offered
        had_session = bool(self.sink.why("resumption")) if flags.server else offered is not None
        reasons = (
            (not flags.enable_early_data, "disabled"),
            (facts.version < _TLS13, "protocol_version"),
            (facts.early_data == "accepted", "accept"),
            (not had_session, "no_session_offered"),
            (offered is not None and not offered.max_early_data, "unsupported_for_session"),
            (not self.offered_early_data and not flags.server, "alpn_mismatch"),
            (facts.hello_retry_request and not flags.server, "hello_retry_request"),
            (not facts.resumed, "session_not_resumed"),
        )
        for holds, reason in reasons:
            if holds:
                return reason
        why = self.sink.why("early_data")
        return next((reason for words, reason in _EARLY_DATA_REASONS.items() if words in why), "peer_declined")

    def _check_sessions(self, facts: ConnectionFacts) -> None:
        flags, memory = self.flags, self.memory
        if flags.expect_ticket_age_skew is not None and facts.resumed:
            skew = self._ticket_age_skew()
            check(skew == flags.expect_ticket_age_skew, f"the ticket's ages differ by {skew} s")
        if not flags.server and facts.version < _TLS13:
            expected = not flags.expect_no_session and (not facts.resumed or flags.expect_ticket_renewal)
            check((memory.sessions.received is not None) == expected, "a session was kept, or none, against the flags")
        if flags.server and not self.resumes:
            kept = memory.store.kept > 0
            check(kept or not flags.expect_session_id, "no session was kept on the server")
            check(not (kept and flags.expect_no_session_id), "a session was kept on the server")

    def _ticket_age_skew(self) -> int:
        """Seconds by which the ticket is older to the client than to this server."""
        offered = self.sink.hello("ClientHello").extensions.get(x.PRE_SHARED_KEYS).identities[0]
        now = self.memory.clock().timestamp()
        session = Session.decode(self.memory.tickets.open(offered.identity, now))
        claimed = (offered.obfuscated_ticket_age - session.age_add) % (1 << 32)
        return int(claimed // 1000 - int(now - session.issued_at))

    def _check_end(self) -> None:
        """What only the end of the connection can tell: tickets come when they come."""
        flags, received = self.flags, self.memory.sessions.received
        if self.early_data_rejected or not flags.expect_reject_early_data:
            pass
        elif not flags.server:
            raise Failure("the early data was not rejected")
        if not flags.server and self.facts is not None and self.facts.version == _TLS13:
            expected = not flags.expect_no_session and not flags.shim_shuts_down
            check((received is not None) == expected, "a ticket came, or none, against the flags")
            if expected and received is not None:
                early = bool(received.max_early_data)
                check(early == flags.expect_ticket_supports_early_data, f"the ticket's early data: {early}")
        if flags.expect_msg_callback is not None:
            messages = "".join(self.sink.messages)
            check(messages == flags.expect_msg_callback, f"the messages were\n{messages}")


def _has_issuer(one: Shown, authorities: tuple[bytes, ...]) -> bool:
    """Whether a CA that the peer names issued it, where that is asked for."""
    if not one.must_match_issuer:
        return True
    issuers = {x509.load_der_x509_certificate(der).issuer.public_bytes() for der in one.identity.chain}
    return not issuers.isdisjoint(authorities)


def _refusal(code: str, alert: AlertDescription) -> CertificateRejected:
    return CertificateRejected(Refused(code, alert), whose="peer")


def _pem_chain(path: str) -> tuple[bytes, ...]:
    certificates = x509.load_pem_x509_certificates(Path(path).read_bytes())
    return tuple(one.public_bytes(Encoding.DER) for one in certificates)


def _refuse(connection: socket.socket) -> None:
    """tlscope finds bad settings before there is a connection; the runner waits for one, and for internal_error on it."""
    connection.sendall(b"\x15\x03\x03\0\2\2\x50")
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass
    connection.close()


def _connect(flags: Flags) -> socket.socket:
    address = ("::1" if flags.ipv6 else "127.0.0.1", flags.port)
    connection = socket.create_connection(address, timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(flags.shim_id.to_bytes(8, "little"))
    return connection
