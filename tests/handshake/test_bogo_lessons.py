"""What an outside suite taught, pinned with our own means: rules that each once was broken or left open here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from certificates import client_identity, server_identity
from memory import Pair, client_config, clock, server_config

from tlscope import (
    AlertDescription,
    AlertReceived,
    CertificateRejected,
    CipherSuite,
    ClientAuth,
    DecisionNeeded,
    ExternalPsk,
    Incompatible,
    MemorySessionCache,
    MemorySessionStore,
    NamedGroup,
    PeerViolation,
    ProtocolVersion,
    SignatureScheme,
    TicketKeys,
    TLSError,
    Trace,
    VerifyPeer,
)
from tlscope import trace as t
from tlscope.handshake.flow import ChooseClientIdentity, ChooseServerIdentity
from tlscope.handshake.psk import Psk, with_psks
from tlscope.keys.transcript import Transcript
from tlscope.replay import MemoryReplayGuard
from tlscope.wire import extensions as x
from tlscope.wire.codepoints import ClientCertificateType, ExtensionType, is_grease
from tlscope.wire.extensions import Extensions, OfferedPsks
from tlscope.wire.handshake import (
    CertificateRequest,
    ClientHello,
    EncryptedExtensions,
    NewSessionTicket,
    ServerHello,
)
from tlscope.wire.handshake12 import CertificateRequest as CertificateRequest12

TLS12, TLS13 = ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3
X25519, P256 = NamedGroup.x25519, NamedGroup.secp256r1
VERSIONS = [pytest.param(version, id=str(version)) for version in (TLS12, TLS13)]


def only(version: ProtocolVersion) -> dict[str, Any]:
    """Settings for one version."""
    return {"min_version": version, "max_version": version, "groups": (X25519, P256)}


def friends(version: ProtocolVersion, **server: Any) -> tuple[Any, Any]:
    """A client and a server that keep sessions."""
    both = only(version)
    mine = client_config(**both, sessions=MemorySessionCache())
    return mine, server_config(**{**both, "tickets": TicketKeys(), **server})


def heard(trace: Trace, name: str) -> bytes:
    """The first message of this name that one side received."""
    return next(one.raw for one in trace.of(t.Message) if one.name == name and one.direction == "received")


def in_hello(change: Callable[[ClientHello], ClientHello], nth: int = 0) -> Callable[[Any], Any]:
    """A ``rewrite`` of the nth ClientHello."""
    seen = -1

    def rewrite(message: Any) -> Any:
        nonlocal seen
        if not isinstance(message, ClientHello):
            return message
        seen += 1
        return change(message) if seen == nth else message

    return rewrite


# Names and resumption


@pytest.mark.parametrize("version", VERSIONS)
def test_a_resumed_session_says_nothing_about_the_name(version: ProtocolVersion) -> None:
    # RFC 6066 section 3: the server MUST NOT include server_name in the hello that resumes a session.
    mine, theirs = friends(version)
    said = []
    for _ in range(2):
        trace = Trace()
        pair = Pair(mine, theirs, client_trace=trace).done()
        if version is TLS13:
            message: Any = EncryptedExtensions.decode(heard(trace, "EncryptedExtensions")[4:])
        else:
            message = ServerHello.decode(heard(trace, "ServerHello")[4:])
        assert pair.client.facts is not None
        said.append((pair.client.facts.resumed, x.SERVER_NAME_ACKNOWLEDGED.type in message.extensions))
    assert said == [(False, True), (True, False)]


def test_who_chooses_the_certificate_himself_has_used_the_name() -> None:
    trace = Trace()
    theirs = server_config(**only(TLS13), choose_identity=lambda decision: None)
    Pair(client_config(insecure_skip_verification=True), theirs, server_name="other.test", client_trace=trace).done()
    answers = EncryptedExtensions.decode(heard(trace, "EncryptedExtensions")[4:]).extensions
    assert x.SERVER_NAME_ACKNOWLEDGED.type in answers


def test_a_ticket_stands_for_the_session_id() -> None:
    # RFC 5077 section 3.4: a server that hands out a ticket has no use for a session ID, and keeps nothing.
    store = MemorySessionStore()
    mine, theirs = friends(TLS12, session_store=store)
    Pair(mine, theirs).done()
    assert "0 sessions" in repr(store)
    silent = mine.replace(rewrite=in_hello(lambda said: replace(said, extensions=said.extensions.without(35))))
    Pair(silent, theirs).done()
    assert "1 sessions" in repr(store)


def with_decisions(pair: Pair, decide: Callable[[Any], Any]) -> Pair:
    """Run a pair whose server asks; an exception as the answer is handed over as one."""
    pair.start()
    while pair.move("client") | pair.move("server"):
        while _asks(pair):
            asked = pair.events["server"].pop()
            assert isinstance(asked, DecisionNeeded)
            try:
                pair.events["server"] += pair.server.answer(decide(asked.decision))
            except TLSError as error:
                pair.errors["server"] = error
    return pair


def _asks(pair: Pair) -> bool:
    events = pair.events["server"]
    return bool(events) and isinstance(events[-1], DecisionNeeded)


@dataclass(frozen=True)
class NotToday:
    """A reason of the application's own."""

    code: str = "not-today"
    alert: AlertDescription = AlertDescription.access_denied
    rfc: str = "RFC 8446 section 4.4.2"

    def sentence(self) -> str:
        return "not today"

    def evidence(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("verdict", ["accepted", "refused"])
def test_the_verdict_on_a_resumed_client_is_the_applications_too(version: ProtocolVersion, verdict: str) -> None:
    asked: list[bool] = []

    def decide(decision: VerifyPeer) -> Any:
        asked.append(decision.resumed)
        if decision.resumed and verdict == "refused":
            return CertificateRejected(NotToday(), whose="client")
        return None

    mine, theirs = friends(version, client_auth=ClientAuth.REQUIRED, ask=frozenset({VerifyPeer}))
    mine = mine.replace(identity=client_identity())
    pair = [with_decisions(Pair(mine, theirs), decide) for _ in range(2)][1]
    assert not pair.errors
    assert pair.server.facts is not None
    assert pair.server.facts.resumed is (verdict == "accepted")
    assert asked[:2] == [False, True]
    assert asked[2:] == ([] if verdict == "accepted" else [False])


# The second ClientHello


@pytest.mark.parametrize("kept", [True, False])
def test_a_psk_that_fits_stays_in_the_second_hello(kept: bool) -> None:
    mine, theirs = friends(TLS13)
    Pair(mine, theirs).done()
    without = in_hello(lambda said: replace(said, extensions=said.extensions.without(x.PRE_SHARED_KEYS.type)), 1)
    retrying = mine if kept else mine.replace(rewrite=without)
    pair = Pair(retrying, theirs.replace(groups=(P256,))).run()
    if kept:
        assert not pair.errors
        return
    error = pair.errors["server"]
    assert isinstance(error, PeerViolation)
    assert (error.code, error.alert) == ("missing-extension", AlertDescription.missing_extension)


def test_a_second_hello_that_still_speaks_of_early_data_gets_none() -> None:
    def eager(message: Any) -> Any:
        if not isinstance(message, ClientHello):
            return message
        return replace(message, extensions=message.extensions.with_(x.EARLY_DATA(True)))

    both = only(TLS13)
    pair = Pair(client_config(**both, rewrite=eager), server_config(**{**both, "groups": (P256,)})).run()
    assert not pair.errors
    assert pair.server.facts is not None
    assert pair.server.facts.hello_retry_request
    # What comes behind the second hello is not passed over (RFC 8446 section 4.2.10).
    assert pair.server._records.skip_budget == 0


def test_a_binder_that_is_too_short_is_a_wrong_one() -> None:
    mine, theirs = friends(TLS13)
    Pair(mine, theirs).done()

    def shorten(hello: ClientHello) -> ClientHello:
        offered = hello.extensions.get(x.PRE_SHARED_KEYS)
        assert offered is not None
        cut = OfferedPsks(offered.identities, tuple(binder[:-1] for binder in offered.binders))
        return replace(hello, extensions=hello.extensions.with_(x.PRE_SHARED_KEYS(cut)))

    pair = Pair(mine.replace(rewrite=in_hello(shorten)), theirs).run()
    error = pair.errors["server"]
    assert isinstance(error, PeerViolation)
    assert (error.code, error.alert) == ("bad-binder", AlertDescription.decrypt_error)


@pytest.mark.parametrize("spoken", [("a",), ("b",)])
def test_early_data_goes_with_a_protocol_that_is_still_offered(spoken: tuple[str, ...]) -> None:
    mine, theirs = friends(TLS13, max_early_data=1000, alpn=("a", "b"), replay_guard=MemoryReplayGuard())
    mine = mine.replace(early_data=True, alpn=("a",))
    Pair(mine, theirs).done()
    pair = Pair(mine.replace(alpn=spoken), theirs).start()
    assert (pair.client.early_data_room > 0) is (spoken == ("a",))


def test_a_psk_that_fits_must_not_give_way_to_another_in_the_second_hello() -> None:
    # RFC 8446 section 4.1.2: only those that the chosen cipher suite excludes may go.
    key, other = (ExternalPsk(name, bytes(range(32))) for name in (b"known", b"unknown"))

    def swap(hello: ClientHello) -> ClientHello:
        with_psks(hello, Psk.of_external(other), Transcript())
        return hello

    mine = client_config(**only(TLS13), external_psks=[key], rewrite=in_hello(swap, 1))
    error = Pair(mine, server_config(**{**only(TLS13), "groups": (P256,)}, external_psks=[key])).run().errors["server"]
    assert (error.code, error.alert) == ("changed-client-hello", AlertDescription.illegal_parameter)


def test_the_age_of_a_ticket_is_told_anew_in_the_second_hello() -> None:
    # RFC 8446 section 4.1.2: obfuscated_ticket_age and binders are computed again.
    now = clock()
    mine, theirs = friends(TLS13)
    Pair(mine, theirs).done()
    hellos: list[ClientHello] = []

    def later(message: Any) -> Any:
        nonlocal now
        if isinstance(message, ClientHello):
            hellos.append(ClientHello.decode(message.encode()[4:]))
            now += timedelta(seconds=2)
        return message

    mine = mine.replace(clock=lambda: now, rewrite=later)
    facts = Pair(mine, theirs.replace(groups=(P256,))).done().client.facts
    assert facts is not None
    assert facts.resumed
    ages = [hello.extensions.get(x.PRE_SHARED_KEYS).identities[0].obfuscated_ticket_age for hello in hellos]
    assert (ages[1] - ages[0]) % (1 << 32) == 2000


@pytest.mark.parametrize("later", [b"\1", None])
def test_a_client_with_ech_may_come_back_with_another_or_without(later: bytes | None) -> None:
    # RFC 9849: what a server without ECH makes of the outer hello must not depend on it.
    kind = ExtensionType.encrypted_client_hello
    seen = 0

    def outer(message: Any) -> Any:
        nonlocal seen
        if isinstance(message, ClientHello):
            seen += 1
            added = b"\0" if seen == 1 else later
            message.extensions = message.extensions.without(kind)
            if added is not None:
                message.extensions = Extensions([(int(kind), added), *message.extensions])
        return message

    pair = Pair(client_config(**only(TLS13), rewrite=outer), server_config(**{**only(TLS13), "groups": (P256,)}))
    facts = pair.done().server.facts
    assert facts is not None
    assert facts.hello_retry_request


# Choices


def test_an_empty_list_of_shares_asks_the_server_to_choose() -> None:
    pair = Pair(client_config(**only(TLS13), key_shares=()), server_config(**only(TLS13))).done()
    assert pair.client.facts is not None
    assert pair.client.facts.hello_retry_request


@pytest.mark.parametrize("insists", [True, False])
def test_a_server_may_insist_on_its_order_of_groups(insists: bool) -> None:
    mine = client_config(**{**only(TLS13), "groups": (P256, X25519)})
    pair = Pair(mine, server_config(**only(TLS13), insist_on_group_order=insists)).done()
    assert pair.client.facts is not None
    assert pair.client.facts.group is (X25519 if insists else P256)
    assert pair.client.facts.hello_retry_request is insists


AES, CHACHA = CipherSuite.TLS_AES_128_GCM_SHA256, CipherSuite.TLS_CHACHA20_POLY1305_SHA256


@pytest.mark.parametrize("heeds", [True, False])
@pytest.mark.parametrize("first", [AES, CHACHA])
def test_a_server_may_heed_who_has_no_aes(heeds: bool, first: CipherSuite) -> None:
    mine = client_config(cipher_suites=sorted((AES, CHACHA), key=lambda suite: suite is not first))
    pair = Pair(mine, server_config(cipher_suites=(AES, CHACHA), prioritize_chacha20=heeds)).done()
    assert pair.client.facts is not None
    assert pair.client.facts.cipher_suite is (CHACHA if heeds and first is CHACHA else AES)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_signed_with_may_be_another_list_than_what_is_accepted(version: ProtocolVersion) -> None:
    weak = SignatureScheme.ecdsa_secp256r1_sha256
    both = {**only(version), "signature_schemes": (SignatureScheme.ed25519, weak)}
    pair = Pair(client_config(**both), server_config(**{**both, "signing_schemes": (weak,)})).done()
    assert pair.client.facts is not None
    assert pair.client.facts.peer_signature_scheme is weak
    refused = Pair(
        client_config(**both), server_config(**{**both, "signing_schemes": (SignatureScheme.ed25519,)})
    ).run()
    assert "server" in refused.errors


def test_what_only_clients_may_sign_with() -> None:
    legacy, own = SignatureScheme.rsa_pkcs1_sha256_legacy, SignatureScheme.ecdsa_secp256r1_sha256
    mine = client_config(signature_schemes=(own, legacy), signing_schemes=(legacy,))
    theirs = server_config(signature_schemes=(own, legacy), signing_schemes=(own, legacy))
    assert (mine.signature_schemes_13, mine.signing_schemes_13) == ((own,), (legacy,))
    assert (theirs.signature_schemes_13, theirs.signing_schemes_13) == ((own, legacy), (own,))


# Old peers


def no_renegotiation_info(message: Any) -> Any:
    """A hello as of a peer that does not know RFC 5746."""
    if not isinstance(message, ClientHello | ServerHello):
        return message
    return replace(message, extensions=message.extensions.without(x.RENEGOTIATION_INFO.type))


@pytest.mark.parametrize("old", ["client", "server"])
@pytest.mark.parametrize("required", [True, False])
def test_a_peer_without_secure_renegotiation(old: str, required: bool) -> None:
    settings = {role: {**only(TLS12), "require_secure_renegotiation": required} for role in ("client", "server")}
    settings[old] |= {"rewrite": no_renegotiation_info, "require_secure_renegotiation": False}
    trace = Trace()
    pair = Pair(client_config(**settings["client"]), server_config(**settings["server"]), client_trace=trace).run()
    other = "server" if old == "client" else "client"
    if required:
        assert getattr(pair.errors[other], "code", "") == "renegotiation"
        return
    assert not pair.errors
    # RFC 5246 section 7.4.1.4: nothing is answered that was not offered.
    assert x.RENEGOTIATION_INFO.type not in ServerHello.decode(heard(trace, "ServerHello")[4:]).extensions


def test_a_fallback_to_a_version_that_is_not_spoken_is_still_called_one() -> None:
    """RFC 7507 section 3 leaves the choice of alert; protocol_version would hide why."""

    def fallen_back(hello: ClientHello) -> ClientHello:
        suites = (*hello.cipher_suites, CipherSuite.TLS_FALLBACK_SCSV)
        return replace(hello, legacy_version=ProtocolVersion.TLS1_0, cipher_suites=suites)

    pair = Pair(client_config(**only(TLS12), rewrite=in_hello(fallen_back)), server_config()).run()
    assert getattr(pair.errors["server"], "code", "") == "inappropriate-fallback"
    assert getattr(pair.errors["client"], "description", None) is AlertDescription.inappropriate_fallback


def test_a_certificate_of_a_type_that_was_not_asked_for_is_not_signed_with() -> None:
    """RFC 5246 section 7.4.4: the types bind also an application that names the certificate itself."""

    def rsa_alone(message: Any) -> Any:
        if isinstance(message, CertificateRequest12):
            message.certificate_types = (ClientCertificateType.rsa_sign,)
        return message

    mine = client_config(**only(TLS12), ask=frozenset({ChooseClientIdentity}))
    asking = server_config(**only(TLS12), client_auth=ClientAuth.REQUIRED, rewrite=rsa_alone)
    pair = Pair(mine, asking).run()
    assert isinstance(pair.events["client"][-1], DecisionNeeded)
    with pytest.raises(TLSError) as caught:
        pair.client.answer(client_identity())
    assert caught.value.code == "no-common-signature"


@pytest.mark.parametrize("version", VERSIONS)
def test_an_application_that_chooses_is_told_which_of_its_keys_fit(version: ProtocolVersion) -> None:
    strong = SignatureScheme.ecdsa_secp384r1_sha384
    told: list[bool] = []

    def decide(decision: Any) -> Any:
        told.append(decision.fits(server_identity()))
        return decision.resolve()

    mine = client_config(**only(version))
    theirs = server_config(**only(version), ask=frozenset({ChooseServerIdentity}))
    assert not with_decisions(Pair(mine, theirs), decide).errors
    pair = with_decisions(Pair(mine.replace(signature_schemes=(strong,)), theirs), decide)
    assert told == [True, False]
    # The configuration's own answer, asked for by the application, fails as it does by itself.
    assert isinstance(pair.errors["server"], Incompatible)


# SCTs


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("asked", [True, False])
def test_scts_come_to_who_asks_and_once_a_session(version: ProtocolVersion, asked: bool) -> None:
    listed = (b"first", b"second")
    identity = server_identity().with_signed_certificate_timestamps(*listed)
    mine, theirs = friends(version, identities=[identity])
    mine = mine.replace(signed_certificate_timestamps=asked)
    got = []
    for _ in range(2):
        facts = Pair(mine, theirs).done().client.facts
        assert facts is not None
        got.append((facts.resumed, facts.signed_certificate_timestamps))
    assert got == [(False, listed if asked else ()), (True, ())]


# GREASE


def test_a_server_may_say_what_no_client_may_mind() -> None:
    trace = Trace()
    mine, theirs = friends(TLS13, grease=True, client_auth=ClientAuth.REQUIRED, tickets_per_handshake=1)
    mine = mine.replace(identity=client_identity())
    Pair(mine, theirs, client_trace=trace).done()
    request = CertificateRequest.decode(heard(trace, "CertificateRequest")[4:]).extensions
    ticket = NewSessionTicket.decode(heard(trace, "NewSessionTicket")[4:]).extensions
    assert [sum(map(is_grease, found.types)) for found in (request, ticket)] == [1, 1]
    assert is_grease((request.get(x.SIGNATURE_ALGORITHMS) or ())[0])
    facts = Pair(mine, theirs).done().client.facts
    assert facts is not None
    assert facts.resumed


# Application protocols


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("accepts", [True, False])
def test_a_client_may_bear_a_protocol_that_it_did_not_offer(version: ProtocolVersion, accepts: bool) -> None:
    def choose_another(message: Any) -> Any:
        answers = EncryptedExtensions if version is TLS13 else ServerHello
        if isinstance(message, answers):
            message.extensions = message.extensions.with_(x.ALPN_CHOICE(b"baz"))
        return message

    trace = Trace()
    mine = client_config(**only(version), alpn=("foo", "bar"), accept_unoffered_alpn=accepts)
    pair = Pair(mine, server_config(**only(version), alpn=("foo",), rewrite=choose_another), client_trace=trace).run()
    if not accepts:
        error = pair.errors["client"]
        assert isinstance(error, PeerViolation)
        assert (error.code, error.alert) == ("unoffered-alpn", AlertDescription.illegal_parameter)
        return
    assert not pair.errors
    assert pair.client.facts is not None
    assert pair.client.facts.alpn == "baz"
    assert "was not offered" in next(one.why for one in trace.of(t.Choice) if one.topic == "alpn")


def test_where_no_protocol_is_offered_none_is_accepted() -> None:
    def choose(message: Any) -> Any:
        if isinstance(message, EncryptedExtensions):
            message.extensions = message.extensions.with_(x.ALPN_CHOICE(b"baz"))
        return message

    mine = client_config(**only(TLS13), accept_unoffered_alpn=True)
    error = Pair(mine, server_config(**only(TLS13), rewrite=choose)).run().errors["client"]
    assert error.code == "unsolicited-extension"


# Giving up


@pytest.mark.parametrize("version", VERSIONS)
def test_an_application_may_give_a_connection_up(version: ProtocolVersion) -> None:
    pair = Pair(client_config(**only(version)), server_config(**only(version))).done()
    pair.server.abort(AlertDescription.access_denied)
    pair.move("server")
    told = pair.errors["client"]
    assert isinstance(told, AlertReceived)
    assert told.description is AlertDescription.access_denied
    with pytest.raises(TLSError, match="gave the connection up"):
        pair.server.send_data(b"more")
