"""Clients that are refused once they are connected (``SSLContext.refuse_clients_by``)."""

from __future__ import annotations

import ssl as std
from typing import Any

import pytest
from contexts import Handshake, Sides

from tlscope import AlertReceived, CertificateRejected, ConfigError, PeerViolation
from tlscope.authority import Authority
from tlscope.ssl import SSLContext, SSLObject


@pytest.fixture(params=["answer", "application"])
def server(request: pytest.FixtureRequest, both: Sides) -> Any:
    context: Any = both.server(mutual=True)
    context.refuse_clients_by = request.param
    return context


def stranger(both: Sides, tmp_path: Any) -> Any:
    """A client with another authority's certificate; OpenSSL shows it whomever the server trusts."""
    context = std.create_default_context(cafile=both.files.ca)
    context.load_cert_chain(*Authority.create().issue_client("mallory").write(tmp_path))
    return context


def talk(client: Any, server: Any) -> bytes:
    client.write(b"hello")
    received: bytes = server.read(100)
    server.write(b"and good bye")
    assert client.read(100) == b"and good bye"
    return received


def test_whoever_has_asked_may_talk_to_a_refused_client(both: Sides, in_memory: Handshake, server: Any) -> None:
    a, b = in_memory(both.client(certificate=False), server)
    assert isinstance(b, SSLObject)
    refusal = b.client_refusal()
    assert isinstance(refusal, PeerViolation) and isinstance(refusal, std.SSLError)
    assert "required here, and sent none" in str(refusal)
    assert talk(a, b) == b"hello"


@pytest.mark.parametrize("first", ["read", "write"])
def test_nothing_passes_before(both: Sides, in_memory: Handshake, server: Any, first: str) -> None:
    """A server that does not know of the setting refuses as ever."""
    a, b = in_memory(both.client(certificate=False), server)
    a.write(b"the secret?")
    for _ in range(2):
        with pytest.raises(std.SSLError, match="required here, and sent none"):
            b.read(100) if first == "read" else b.write(b"here it is")
    with pytest.raises(AlertReceived, match="certificate_required"):
        a.read(100)


def test_a_refused_certificate_proves_nothing(both: Sides, in_memory: Handshake, server: Any, tmp_path: Any) -> None:
    a, b = in_memory(stranger(both, tmp_path), server)
    assert isinstance(b, SSLObject)
    refusal = b.client_refusal()
    assert isinstance(refusal, CertificateRejected) and isinstance(refusal, std.SSLCertVerificationError)
    assert b.getpeercert() == {}
    assert b.getpeercert(binary_form=True) is None
    assert b.get_verified_chain() == []
    assert len(b.get_unverified_chain()) == 1
    assert talk(a, b) == b"hello"


def test_a_good_client_needs_nobody_to_ask(both: Sides, in_memory: Handshake, server: Any) -> None:
    a, b = in_memory(both.client(), server)
    assert talk(a, b) == b"hello"
    assert isinstance(b, SSLObject) and b.client_refusal() is None


def test_an_optional_certificate_may_be_missing_but_not_bad(both: Sides, in_memory: Handshake, server: Any) -> None:
    server.verify_mode = std.CERT_OPTIONAL
    a, b = in_memory(both.client(certificate=False), server)
    assert talk(a, b) == b"hello"


def test_the_setting_can_be_changed_and_is_checked(both: Sides, in_memory: Handshake, server: Any) -> None:
    with pytest.raises(ConfigError, match="'alert', 'answer', 'application'"):
        server.refuse_clients_by = "403"
    server.refuse_clients_by = "alert"
    assert isinstance(server, SSLContext) and server.refuse_clients_by == "alert"
