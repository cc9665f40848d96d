"""A client's certificate after the handshake (RFC 8446 section 4.6.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from certificates import client_identity, stranger_identity
from memory import Pair, client_config, server_config

from tlscope import AlertReceived, ClientAuth, Misuse, NamedGroup, PeerAuthenticated, ProtocolVersion, Sign, Trace
from tlscope.handshake.post_handshake_auth import MAX_OUTSTANDING
from tlscope.trace import Message
from tlscope.wire.codepoints import CertificateCompressionAlgorithm
from tlscope.wire.extensions import Extensions
from tlscope.wire.handshake import Certificate, CertificateRequest, CertificateVerify, Finished


def connected(client: dict[str, Any] | None = None, server: dict[str, Any] | None = None) -> Pair:
    mine = {"identity": client_identity(), "post_handshake_auth": True, **(client or {})}
    return Pair(client_config(**mine), server_config(**(server or {}))).done()


def settle(pair: Pair) -> Pair:
    while pair.move("server") | pair.move("client"):
        pass
    return pair


def answers(pair: Pair) -> list[PeerAuthenticated]:
    return [event for event in pair.events["server"] if isinstance(event, PeerAuthenticated)]


def test_a_server_asks_later_and_is_answered() -> None:
    pair = connected()
    assert pair.server.facts.peer is None
    pair.server.request_client_certificate()
    settle(pair)
    assert not pair.errors
    (answer,) = answers(pair)
    assert "client.example" in answer.peer.names.dns


def test_data_and_new_keys_go_on_between() -> None:
    pair = connected()
    pair.server.request_client_certificate()
    pair.server.update_keys(request_peer=True)
    pair.server.send_data(b"before the answer")
    pair.client.update_keys()
    pair.client.send_data(b"and after")
    settle(pair)
    assert not pair.errors
    assert len(answers(pair)) == 1
    assert not settle(pair).errors


def test_several_requests_are_answered_each_by_its_context() -> None:
    pair = connected()
    for _ in range(MAX_OUTSTANDING):
        pair.server.request_client_certificate()
    with pytest.raises(Misuse):
        pair.server.request_client_certificate()
    settle(pair)
    assert len(answers(pair)) == MAX_OUTSTANDING
    pair.server.request_client_certificate()
    assert len(answers(settle(pair))) == MAX_OUTSTANDING + 1


def test_an_empty_answer_is_an_answer_unless_a_certificate_is_required() -> None:
    pair = connected({"identity": None})
    pair.server.request_client_certificate()
    assert [event.peer for event in answers(settle(pair))] == [None]

    mine = {"identity": None, "post_handshake_auth": True}
    pair = Pair(client_config(**mine), server_config(client_auth=ClientAuth.REQUESTED)).done()
    pair.server.config = pair.server.config.replace(client_auth=ClientAuth.REQUIRED)
    pair.server._handshake.config = pair.server.config
    pair = connected({"identity": None})
    assert not pair.errors


def test_a_later_certificate_may_come_compressed_too() -> None:
    # RFC 8879 section 3: the CertificateRequest says which algorithms the server takes, whenever it comes.
    both = {"certificate_compression": (CertificateCompressionAlgorithm.zlib,)}
    one = client_identity()
    long = replace(one, chain=one.chain * 4, certificates=one.certificates * 4)
    trace = Trace()
    mine = client_config(**both, identity=long, post_handshake_auth=True)
    pair = Pair(mine, server_config(**both), server_trace=trace).done()
    pair.server.request_client_certificate()
    settle(pair)
    assert not pair.errors
    assert "CompressedCertificate" in [event.name for event in trace.of(Message) if event.direction == "received"]
    (answer,) = answers(pair)
    assert "client.example" in answer.peer.names.dns
    assert pair.server.facts.peer_chain == long.chain


def test_a_strangers_certificate_is_refused() -> None:
    pair = connected({"identities": [stranger_identity()], "identity": None}, {"send_certificate_authorities": False})
    pair.server.request_client_certificate()
    settle(pair)
    assert pair.errors["server"].code == "client-unknown-ca"
    assert isinstance(pair.errors["client"], AlertReceived)


def test_only_who_offered_it_is_asked() -> None:
    pair = connected({"post_handshake_auth": False})
    with pytest.raises(Misuse):
        pair.server.request_client_certificate()
    curve = {"groups": [NamedGroup.secp256r1], "min_version": ProtocolVersion.TLS1_2}
    pair = connected({**curve, "max_version": ProtocolVersion.TLS1_2}, curve)
    with pytest.raises(Misuse):
        pair.server.request_client_certificate()


def test_a_client_that_did_not_offer_it_refuses_to_be_asked() -> None:
    pair = connected({"post_handshake_auth": False})
    pair.server._handshake.send(CertificateRequest(Extensions(), b"context"), beside=True)
    settle(pair)
    assert pair.errors["client"].code == "unwanted-certificate-request"


def test_a_request_without_a_context_is_refused() -> None:
    pair = connected()
    pair.server._handshake.send(CertificateRequest(Extensions()), beside=True)
    settle(pair)
    assert pair.errors["client"].code == "bad-request-context"


def test_an_answer_to_no_request_is_refused() -> None:
    pair = connected()
    pair.server.request_client_certificate()
    pair.server.data_to_send()
    pair.client._handshake.send(Certificate((), b"of my own"), beside=True)
    settle(pair)
    assert pair.errors["server"].code == "bad-request-context"


@pytest.mark.parametrize("broken", [CertificateVerify, Finished])
def test_a_wrong_proof_is_refused(broken: type[Any]) -> None:
    def rewrite(message: Any) -> Any:
        if type(message) is broken and late:
            if broken is Finished:
                message.verify_data = bytes(len(message.verify_data))
            else:
                message.signature = message.signature[:-1] + bytes((message.signature[-1] ^ 1,))
        return message

    late: list[bool] = []
    pair = connected({"rewrite": rewrite})
    late.append(True)
    pair.server.request_client_certificate()
    settle(pair)
    expected = "bad-finished" if broken is Finished else "bad-certificate-verify"
    assert pair.errors["server"].code == expected


def test_a_key_elsewhere_may_take_its_time() -> None:
    pair = connected({"ask": frozenset({Sign})})
    pair.server.request_client_certificate()
    pair.move("server")
    needed = pair.events["client"][-1].decision
    pair.client.update_keys()  # keys may change while the token is asked
    pair.client.answer(needed.resolve())
    settle(pair)
    assert not pair.errors
    assert len(answers(pair)) == 1
