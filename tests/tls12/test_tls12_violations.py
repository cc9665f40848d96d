"""Rules that only TLS 1.2 has, each broken by a peer that is honest in everything else; and renegotiation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from certificates import client_identity, server_identity
from memory import Pair, Seeded
from puppet12 import Puppet12, issued, names, notes, pair12, recorded12
from samples import MESSAGES

from tlscope import (
    AlertDescription,
    AlertReceived,
    CipherSuite,
    ClientAuth,
    DataReceived,
    Incompatible,
    Limits,
    NamedGroup,
    PeerViolation,
    ServerConnection,
    SignatureScheme,
    TicketKeys,
    Trace,
)
from tlscope.crypto.cipher_suites import SUITES
from tlscope.handshake.resumption12 import new_ticket
from tlscope.keys.prf12 import MasterSecret12
from tlscope.violations import ROWS
from tlscope.wire import extensions as x
from tlscope.wire.codepoints import ContentType
from tlscope.wire.codepoints import ExtensionType as E
from tlscope.wire.handshake import CertificateVerify, ClientHello, Finished, ServerHello
from tlscope.wire.handshake12 import (
    Certificate,
    CertificateRequest,
    CertificateStatus,
    ClientKeyExchange,
    HelloRequest,
    NewSessionTicket,
    ServerKeyExchange,
)

A, S = AlertDescription, SignatureScheme
ROLES = ["client", "server"]

ONLY_12 = {
    "downgraded": "test_tls12_versions",
    "no-extended-master-secret": "",
    "changed-extended-master-secret": "test_tls12_resumption",
    "renegotiation": "",
    "bad-renegotiation-info": "",
    "too-many-renegotiations": "",
    "no-uncompressed-points": "",
    "bad-client-key-exchange": "",
    "unoffered-group": "",
    "certificate-does-not-fit-suite": "",
    "resumed-with-other-parameters": "test_tls12_resumption",
    "no-client-cert-tls12": "",
}
"""The rows of ``violations.py`` that are TLS 1.2's own, and the file that breaks them where it isn't this one."""


@dataclass(frozen=True)
class Lie:
    """One change that a liar makes to one of its messages."""

    code: str
    liar: str
    cls: type
    change: Callable[[Any], Any]
    client: Any = None
    server: Any = None

    def run(self) -> Pair:
        def rewrite(message: Any) -> Any:
            return self.change(message) if type(message) is self.cls else message

        client, server = dict(self.client or {}), dict(self.server or {})
        (client if self.liar == "client" else server)["rewrite"] = rewrite
        return pair12(client, server).run()


def plus(*items: tuple[int, bytes]) -> Callable[[Any], Any]:
    return lambda said: replace(said, extensions=said.extensions.with_(*items))


def minus(*kinds: int) -> Callable[[Any], Any]:
    return lambda said: replace(said, extensions=said.extensions.without(*kinds))


def field(**changes: Any) -> Callable[[Any], Any]:
    return lambda said: replace(said, **changes)


def flipped(name: str, place: int = -1) -> Callable[[Any], Any]:
    def change(said: Any) -> Any:
        value = bytearray(getattr(said, name))
        value[place] ^= 1
        return replace(said, **{name: bytes(value)})

    return change


ASKED = {"client_auth": ClientAuth.REQUIRED}
SHOWN = {"identity": client_identity()}
EC_SUITE = CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
RSA_SUITE = CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
ON_CURVE = {"groups": (NamedGroup.secp256r1,)}

LIES = [
    # The extended master secret and RFC 5746: demanded of both.
    Lie("no-extended-master-secret", "client", ClientHello, minus(E.extended_master_secret)),
    Lie("no-extended-master-secret", "server", ServerHello, minus(E.extended_master_secret)),
    Lie("renegotiation", "client", ClientHello, minus(E.renegotiation_info)),
    Lie("renegotiation", "server", ServerHello, minus(E.renegotiation_info)),
    Lie("bad-renegotiation-info", "client", ClientHello, plus(x.RENEGOTIATION_INFO(b"anything"))),
    Lie("bad-renegotiation-info", "server", ServerHello, plus(x.RENEGOTIATION_INFO(b"anything"))),
    Lie("no-uncompressed-points", "client", ClientHello, plus(x.EC_POINT_FORMATS(b"\1\2"))),
    Lie("no-uncompressed-points", "server", ServerHello, plus(x.EC_POINT_FORMATS(b"\2"))),
    # Hellos.
    Lie("no-null-compression", "client", ClientHello, field(compression_methods=b"\1")),
    Lie("bad-compression-method", "server", ServerHello, field(compression_method=1)),
    Lie("unoffered-cipher-suite", "server", ServerHello, field(cipher_suite=CipherSuite.of(0x002F))),
    Lie("unoffered-cipher-suite", "server", ServerHello, field(cipher_suite=CipherSuite.TLS_AES_128_GCM_SHA256)),
    Lie(
        "unoffered-cipher-suite",
        "server",
        ServerHello,
        field(cipher_suite=CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CCM),
    ),
    Lie("unsolicited-extension", "server", ServerHello, plus(x.ALPN_CHOICE(b"h2"))),
    Lie("unsolicited-extension", "server", ServerHello, plus(x.SESSION_TICKET_PROMISED(True))),
    Lie("unsolicited-extension", "server", ServerHello, plus((E.heartbeat, b"\1"))),
    Lie("misplaced-extension", "server", ServerHello, plus((E.signature_algorithms, b"\0\2\4\3"))),
    Lie("unoffered-alpn", "server", ServerHello, plus(x.ALPN_CHOICE(b"h3")), client={"alpn": ("h2",)}),
    # The server's certificate and key.
    Lie("empty-server-certificate", "server", Certificate, field(chain=())),
    Lie("chain-too-long", "server", Certificate, lambda said: replace(said, chain=said.chain * 11)),
    Lie(
        "certificate-does-not-fit-suite",
        "server",
        Certificate,
        lambda said: Certificate(issued("RSA-2048").chain),
        client={"cipher_suites": [EC_SUITE]},
    ),
    Lie(
        "certificate-does-not-fit-suite",
        "server",
        Certificate,
        lambda said: Certificate(issued("P-256").chain),
        client={"cipher_suites": [RSA_SUITE]},
        server={"identities": [issued("RSA-2048")]},
    ),
    Lie("unoffered-group", "server", ServerKeyExchange, field(group=NamedGroup.secp521r1)),
    Lie("unoffered-group", "server", ServerKeyExchange, field(group=NamedGroup.ffdhe2048)),
    Lie("unoffered-group", "server", ServerKeyExchange, field(group=NamedGroup.X25519MLKEM768)),
    Lie("unoffered-signature-scheme", "server", ServerKeyExchange, field(algorithm=S.of(0x0203))),
    Lie(
        "unoffered-signature-scheme",
        "server",
        ServerKeyExchange,
        field(algorithm=S.ecdsa_secp384r1_sha384),
        client={"signature_schemes": [S.ecdsa_secp256r1_sha256]},
    ),
    Lie("scheme-does-not-fit-key", "server", ServerKeyExchange, field(algorithm=S.rsa_pss_rsae_sha256)),
    Lie("scheme-does-not-fit-key", "server", ServerKeyExchange, field(algorithm=S.ed25519)),
    Lie("bad-certificate-verify", "server", ServerKeyExchange, field(algorithm=S.ecdsa_secp521r1_sha512)),
    Lie("bad-certificate-verify", "server", ServerKeyExchange, flipped("signature")),
    Lie("bad-certificate-verify", "server", ServerKeyExchange, field(signature=b"")),
    Lie("bad-certificate-verify", "server", ServerKeyExchange, flipped("public_key", 3)),
    # What the client sends.
    Lie("no-client-cert-tls12", "client", Certificate, field(chain=()), client=SHOWN, server=ASKED),
    Lie("bad-certificate-verify", "client", CertificateVerify, flipped("signature"), client=SHOWN, server=ASKED),
    Lie("bad-certificate-verify", "client", CertificateVerify, field(signature=b""), client=SHOWN, server=ASKED),
    Lie("unoffered-signature-scheme", "client", CertificateVerify, field(algorithm=S.of(0x0201)), SHOWN, ASKED),
    Lie("scheme-does-not-fit-key", "client", CertificateVerify, field(algorithm=S.rsa_pkcs1_sha256), SHOWN, ASKED),
    Lie("bad-client-key-exchange", "client", ClientKeyExchange, lambda _: ClientKeyExchange.ecdhe(bytes(32))),
    Lie("bad-client-key-exchange", "client", ClientKeyExchange, lambda _: ClientKeyExchange.ecdhe(b"\5" * 31)),
    Lie("bad-client-key-exchange", "client", ClientKeyExchange, lambda _: ClientKeyExchange.ecdhe(b"\4" * 65)),
    Lie("malformed", "client", ClientKeyExchange, lambda _: ClientKeyExchange(b"")),
    Lie("malformed", "client", ClientKeyExchange, lambda _: ClientKeyExchange(b"\0")),
    Lie("malformed", "client", ClientKeyExchange, lambda said: ClientKeyExchange(said.body + b"\0")),
    Lie("malformed", "client", ClientKeyExchange, lambda said: ClientKeyExchange(said.body[:-1])),
    # Finished, under good keys.
    *(
        Lie("bad-finished", liar, Finished, change)
        for liar in ROLES
        for change in (flipped("verify_data"), field(verify_data=b""), lambda said: Finished(said.verify_data + b"\0"))
    ),
    *(
        Lie("malformed", "server", CertificateRequest, change, server=ASKED)
        for change in (
            field(certificate_types=()),
            field(signature_algorithms=()),
            field(certificate_authorities=(b"",)),
        )
    ),
    Lie(
        "malformed",
        "server",
        CertificateStatus,
        field(response=b""),
        client={"insecure_skip_verification": True},
        server={"identities": [issued("P-256").with_ocsp_response(b"response")]},
    ),
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: f"{lie.code}, {lie.liar}'s {lie.cls.__name__}")
def test_a_lie_is_named_and_told(lie: Lie) -> None:
    pair = lie.run()
    liar, victim = pair.side(lie.liar), pair.side("server" if lie.liar == "client" else "client")
    error = victim.error
    assert isinstance(error, PeerViolation), error
    assert error.code == lie.code
    assert error.alert is ROWS[lie.code].alert
    assert error.step is not None
    assert "<" not in str(error)
    assert isinstance(liar.error, AlertReceived)
    assert liar.error.description is ROWS[lie.code].alert
    assert not victim.handshake_complete


def test_every_row_of_tls_1_2_is_broken_somewhere() -> None:
    broken = {lie.code for lie in LIES} | {"too-many-renegotiations"}
    assert {code for code, where in ONLY_12.items() if not where} <= broken
    assert ONLY_12.keys() <= ROWS.keys()


@pytest.mark.parametrize("point", [b"\5" * 65, b"\4" + bytes(64), b"\2" + b"\7" * 32, b"\3" + b"\7" * 32, b"\0", b"\4"])
@pytest.mark.parametrize("role", ROLES)
def test_points_that_are_none(point: bytes, role: str) -> None:
    # RFC 8422 section 5.4: uncompressed, on the curve, not infinity.
    if role == "server":
        lie = Lie("", "client", ClientKeyExchange, lambda _: ClientKeyExchange.ecdhe(point), ON_CURVE, ON_CURVE)
        code = "bad-client-key-exchange"
    else:
        # Signed as it is, by a server that means it.
        lie = Lie(
            "", "server", ServerKeyExchange, lambda said: signed(replace(said, public_key=point)), ON_CURVE, ON_CURVE
        )
        code = "bad-key-share"
    error = lie.run().errors[role]
    assert isinstance(error, PeerViolation)
    assert error.code == code
    assert error.alert is A.illegal_parameter


def signed(message: ServerKeyExchange) -> ServerKeyExchange:
    """A ServerKeyExchange signed anew by the test server, for the randoms of the seeded configurations."""
    content = Seeded("client").bytes(32) + Seeded("server").bytes(32) + message.params
    return replace(message, signature=server_identity().sign(message.algorithm, content))


# What is demanded can be let go, by setting


@pytest.mark.parametrize("liar", ROLES)
def test_without_the_extended_master_secret_where_that_is_allowed(liar: str) -> None:
    allowed = {"require_extended_master_secret": False}
    cls = ClientHello if liar == "client" else ServerHello

    def rewrite(message: Any) -> Any:
        return minus(E.extended_master_secret)(message) if type(message) is cls else message

    client, server = dict(allowed), dict(allowed)
    if liar == "client":
        pair12({**client, "rewrite": rewrite}, server).done()
        return
    # A server that says nothing and yet computes with it is found out by its Finished.
    pair = pair12(client, {**server, "rewrite": rewrite}).run()
    assert isinstance(pair.errors["server"], PeerViolation)
    assert pair.errors["server"].code == "tampered"


def test_the_scsv_stands_in_for_the_extension() -> None:
    # RFC 5746 section 3.3.
    def rewrite(message: Any) -> Any:
        if type(message) is ClientHello:
            suites = (*message.cipher_suites, CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV)
            return replace(minus(E.renegotiation_info)(message), cipher_suites=suites)
        return message

    sink = Trace()
    pair = pair12({"rewrite": rewrite}, server_trace=sink).run()
    # Our own client did not offer the extension that the server answers with, and says so.
    assert isinstance(pair.errors["client"], PeerViolation)
    assert pair.errors["client"].code == "unsolicited-extension"
    assert names(sink, "sent")[0] == "ServerHello"


def test_point_formats_are_answered_where_they_were_offered() -> None:
    for change, there in ((lambda hello: hello, True), (minus(E.ec_point_formats), False)):
        sink = Trace()

        def rewrite(message: Any, change: Any = change) -> Any:
            return change(message) if type(message) is ClientHello else message

        pair12({"rewrite": rewrite}, client_trace=sink).done()
        raw = next(event.raw for event in sink if getattr(event, "name", "") == "ServerHello")
        assert (E.ec_point_formats in ServerHello.decode(raw[4:]).extensions) == there


def test_nothing_in_common() -> None:
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"cipher_suites": [EC_SUITE]}, {"cipher_suites": [RSA_SUITE], "identities": [issued("RSA-2048")]}),
        ({"cipher_suites": [EC_SUITE]}, {"identities": [issued("RSA-2048")]}),
        ({"groups": (NamedGroup.x25519,)}, {"groups": (NamedGroup.secp256r1,)}),
        ({"signature_schemes": [S.rsa_pss_rsae_sha256]}, {}),
    ]
    for client, server in cases:
        pair = pair12(client, server).run()
        assert isinstance(pair.errors["server"], Incompatible)
        assert isinstance(pair.errors["client"], AlertReceived)
        assert pair.errors["client"].description is A.handshake_failure


def test_a_hello_without_any_extension() -> None:
    """RFC 5246 section 7.4.1.2 allows it, but not without the signal of RFC 5746."""
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\xc0\x2b" + b"\1\0"
    server = ServerConnection(pair12().server.config)
    with pytest.raises(PeerViolation) as caught:
        server.receive_data(b"\x16\3\1\0" + bytes((len(body) + 4,)) + b"\1\0\0" + bytes((len(body),)) + body)
    assert caught.value.code == "renegotiation"


# Renegotiation, after the handshake


@pytest.mark.parametrize("role", ROLES)
def test_renegotiation_is_refused_with_a_warning_and_not_for_ever(role: str) -> None:
    recording = recorded12("one-way")
    sink = Trace()
    victim = recording.fresh(role)
    victim.trace = victim._handshake.sink = sink
    puppet = Puppet12(recording, role, victim)
    puppet.tell_all()
    asking = HelloRequest().encode() if role == "client" else recording.by("client")[0].raw
    limit = Limits().max_warning_alerts
    for count in range(1, limit + 1):
        puppet.say(asking)
        assert puppet.error is None
        assert puppet.alerts == [(1, A.no_renegotiation)] * count
    assert len(notes(sink, "renegotiation")) == limit
    # The connection goes on.
    puppet.say(b"data", ContentType.application_data)
    assert isinstance(puppet.events[-1], DataReceived)
    puppet.victim.send_data(b"answer")
    puppet.listen()
    assert puppet.data == b"answer"
    puppet.say(asking)
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.error.code == "too-many-renegotiations"
    assert puppet.alert is A.no_renegotiation
    assert puppet.heard[-1][1] == bytes((2, A.no_renegotiation))


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_said_about_renegotiation_after_close_notify(role: str) -> None:
    puppet = Puppet12(recorded12("one-way"), role)
    puppet.tell_all()
    puppet.victim.close()
    puppet.say(HelloRequest().encode() if role == "client" else recorded12("one-way").by("client")[0].raw)
    assert puppet.error is None
    assert puppet.alerts == [(1, A.close_notify)]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", ["KeyUpdate", "NewSessionTicket", "Finished", "CertificateRequest", "ServerHello"])
def test_nothing_else_may_be_said_after_the_handshake(role: str, name: str) -> None:
    puppet = Puppet12(recorded12("one-way"), role)
    puppet.tell_all()
    puppet.say(MESSAGES[name])
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.alert is A.unexpected_message


# Bounds


@pytest.mark.parametrize(("length", "fits"), [(65_000, True), (65_535, False)])
def test_a_session_too_large_for_a_ticket_is_not_kept(length: int, fits: bool) -> None:
    # RFC 5077 section 3.3: an empty ticket takes the promise back.
    pair = pair12().done()
    assert pair.server.facts is not None
    facts = replace(pair.server.facts, peer_chain=(bytes(length),))
    master = MasterSecret12(SUITES[facts.cipher_suite], bytes(48), bytes(32), bytes(32))
    ticket = new_ticket(pair.server.config.replace(tickets=TicketKeys()), facts, master)
    assert bool(ticket.ticket) == bool(ticket.ticket_lifetime_hint) == fits
    assert NewSessionTicket.decode(ticket.encode()[4:]) == ticket


def test_limits_hold_in_tls_1_2() -> None:
    small = {"limits": Limits(max_handshake_message=64)}
    pair = pair12(small).run()
    assert isinstance(pair.errors["client"], PeerViolation)
    assert pair.errors["client"].code == "handshake-too-big"
    total = pair12({"limits": Limits(max_handshake_bytes=300)}).run()
    assert isinstance(total.errors["client"], PeerViolation)
    assert total.errors["client"].code == "handshake-too-long"


@pytest.mark.parametrize("role", ROLES)
def test_empty_records_are_counted(role: str) -> None:
    puppet = Puppet12(recorded12("one-way"), role)
    puppet.tell_all()
    limit = Limits().max_empty_records
    for _ in range(limit):
        puppet.say(b"", ContentType.application_data)
        assert puppet.error is None
    puppet.say(b"", ContentType.application_data)
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.error.code == "too-many-empty-records"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("length", "fits"), [(1 << 14, True), ((1 << 14) + 1, False)])
def test_no_record_holds_more_than_2_to_the_14(role: str, length: int, fits: bool) -> None:
    puppet = Puppet12(recorded12("one-way"), role)
    puppet.tell_all()
    puppet.say(bytes(length), ContentType.application_data)
    if fits:
        assert isinstance(puppet.events[-1], DataReceived)
        return
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.error.code == "record-too-long"
    assert puppet.alert is A.record_overflow


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("length", [(1 << 14) + 2049, 0xFFFF])
def test_a_record_that_announces_too_much_is_refused_unread(role: str, length: int) -> None:
    puppet = Puppet12(recorded12("one-way"), role)
    puppet.tell_all()
    puppet.deliver(b"\x17\3\3" + length.to_bytes(2, "big"))
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.alert is A.record_overflow


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("length", range(0, 25, 3))
def test_a_record_too_short_for_its_protection(role: str, length: int) -> None:
    puppet = Puppet12(recorded12("one-way"), role)
    puppet.tell_all()
    puppet.deliver(b"\x17\3\3\0" + bytes((length,)) + bytes(length))
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.alert is A.bad_record_mac
