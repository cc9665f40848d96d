"""Clients that are refused by the application and not by an alert (``ServerConfig.report_refused_clients``)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from certificates import NOW, client_identity, stranger_identity
from memory import Pair, client_config, server_config

from tlscope import (
    CertificateRejected,
    ClientAuth,
    MemorySessionCache,
    MemorySessionStore,
    NamedGroup,
    PeerViolation,
    ProtocolVersion,
    TicketKeys,
    Trace,
    VerifiedPeer,
)
from tlscope.explain import to_text
from tlscope.trust.reasons import RejectedByApplication
from tlscope.wire.handshake import CertificateVerify

VERSIONS = [ProtocolVersion.TLS1_3, ProtocolVersion.TLS1_2]
REPORT: dict[str, Any] = {
    "client_auth": ClientAuth.REQUIRED,
    "report_refused_clients": True,
    "send_certificate_authorities": False,  # a client would not show what is not asked for
}


def only(version: ProtocolVersion) -> dict[str, Any]:
    return {"min_version": version, "max_version": version, "groups": (NamedGroup.x25519, NamedGroup.secp256r1)}


@pytest.fixture(params=VERSIONS, ids=str)
def version(request: pytest.FixtureRequest) -> ProtocolVersion:
    chosen: ProtocolVersion = request.param
    return chosen


def pair(version: ProtocolVersion, identity: Any, auth: ClientAuth = ClientAuth.REQUIRED, **server: Any) -> Pair:
    client = client_config(**only(version), identity=identity)
    return Pair(client, server_config(**{**only(version), **REPORT, "client_auth": auth, **server}))


def not_authorised() -> CertificateRejected:
    return CertificateRejected(
        RejectedByApplication(whose="client", rule="it is not on the list"), whose="client", index=0
    )


def test_a_refused_client_is_connected_and_not_believed(version: ProtocolVersion) -> None:
    one = pair(version, stranger_identity()).done()
    facts = one.server.facts
    assert facts.peer is None and one.server.peer is None
    assert facts.peer_chain == stranger_identity().chain
    assert isinstance(facts.refusal, CertificateRejected)
    assert facts.refusal.code == "client-unknown-ca"
    assert str(facts.refusal).endswith("(on the client's Certificate)")
    assert "Unknown root" in str(facts.refusal.explain())
    assert facts.as_dict()["refusal"] == "client-unknown-ca"
    one.client.send_data(b"who am I?")
    one.move("client")
    assert not one.errors


def test_a_client_without_a_certificate_is_refused_where_one_is_required(version: ProtocolVersion) -> None:
    one = pair(version, None).done()
    assert isinstance(one.server.facts.refusal, PeerViolation)
    assert one.server.facts.refusal.code.startswith("no-client-cert")
    assert one.server.facts.peer is None and one.server.facts.peer_chain == ()
    free = pair(version, None, ClientAuth.REQUESTED).done()
    assert free.server.facts.refusal is None


def test_a_good_client_is_as_good_as_ever(version: ProtocolVersion) -> None:
    facts = pair(version, client_identity()).done().server.facts
    assert facts.refusal is None
    assert facts.peer is not None and "client.example" in facts.peer.names.dns


def test_without_the_setting_the_handshake_breaks(version: ProtocolVersion) -> None:
    for identity in (stranger_identity(), None):
        one = pair(version, identity, report_refused_clients=False).run()
        assert not one.server.handshake_complete
        assert "server" in one.errors


def test_what_the_application_rejects_is_not_believed_either(version: ProtocolVersion) -> None:
    """The certificate is good and the verdict is made; the application's last word undoes it."""

    def never(peer: VerifiedPeer) -> None:
        raise not_authorised()

    one = pair(version, client_identity(), on_verified=never).done()
    assert one.server.facts.peer is None
    assert isinstance(one.server.facts.refusal, CertificateRejected)


def test_the_key_must_still_be_theirs(version: ProtocolVersion) -> None:
    """Whoever shows another's certificate, refused or not, can't sign for it."""

    def forge(message: Any) -> Any:
        if isinstance(message, CertificateVerify):
            return replace(message, signature=message.signature[:-1] + bytes([message.signature[-1] ^ 1]))
        return message

    client = client_config(**only(version), identity=stranger_identity(), rewrite=forge)
    one = Pair(client, server_config(**only(version), **REPORT)).run()
    assert not one.server.handshake_complete
    assert isinstance(one.errors["server"], PeerViolation)


@pytest.mark.parametrize("kind", ["tickets", "session IDs"])
def test_a_refused_client_comes_back_to_no_session(version: ProtocolVersion, kind: str) -> None:
    """Not even where the certificate would be found good by then."""
    if kind == "session IDs" and version is ProtocolVersion.TLS1_3:
        pytest.skip("TLS 1.3 has tickets alone")
    refused = [True]

    def judge(peer: VerifiedPeer) -> None:
        if refused[0]:
            raise not_authorised()

    client = client_config(**only(version), identity=client_identity(), sessions=MemorySessionCache())
    kept = {"tickets": TicketKeys()} if kind == "tickets" else {"session_store": MemorySessionStore()}
    server = server_config(**only(version), **REPORT, **kept, on_verified=judge)
    assert Pair(client, server).done().server.facts.refusal is not None
    refused[0] = False
    again = Pair(client, server).done().server.facts
    assert not again.resumed and again.peer is not None
    assert Pair(client, server).done().server.facts.resumed  # it was the refusal that made the difference


def test_a_session_of_a_good_client_ends_with_its_certificate(version: ProtocolVersion) -> None:
    now = [NOW]
    client = client_config(**only(version), identity=client_identity(), sessions=MemorySessionCache())
    server = server_config(**only(version), **REPORT, tickets=TicketKeys(lifetime=86400 * 7), clock=lambda: now[0])
    now[0] += timedelta(days=29)
    assert Pair(client, server).done().server.facts.peer is not None
    now[0] += timedelta(days=2)
    facts = Pair(client, server).done().server.facts
    assert not facts.resumed and facts.peer is None
    assert facts.refusal is not None and facts.refusal.code == "client-cert-expired"


def test_the_drawing_says_so(version: ProtocolVersion) -> None:
    trace = Trace()
    client = client_config(**only(version), identity=stranger_identity())
    Pair(client, server_config(**only(version), **REPORT), server_trace=trace).done()
    text = to_text(trace)
    assert "the client's certificate is refused" in text
    assert "client authentication: reported" in text
    assert "not checked" not in text
