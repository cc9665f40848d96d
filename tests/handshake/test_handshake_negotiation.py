"""What is offered and what is configured, into what is chosen; and both lists where nothing is in common."""

from __future__ import annotations

from typing import Any

import pytest
from certificates import client_identity, identity, root, server_identity, stranger, stranger_identity
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from memory import Pair, client_config, server_config

from tlscope import (
    AlertDescription,
    AlertReceived,
    CertificateRejected,
    CipherSuite,
    ClientAuth,
    Identity,
    Incompatible,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
    Trace,
)
from tlscope import trace as t
from tlscope.handshake import negotiate

A = AlertDescription
GCM, GCM_256, CHACHA = (
    CipherSuite.TLS_AES_128_GCM_SHA256,
    CipherSuite.TLS_AES_256_GCM_SHA384,
    CipherSuite.TLS_CHACHA20_POLY1305_SHA256,
)
X25519, P256, P384, HYBRID = (
    NamedGroup.x25519,
    NamedGroup.secp256r1,
    NamedGroup.secp384r1,
    NamedGroup.X25519MLKEM768,
)
S = SignatureScheme

# The settings of both sides, the code, the alert, and the name of what is not in common.
NOTHING_IN_COMMON: dict[str, tuple[dict[str, Any], dict[str, Any], str, A]] = {
    "version": (
        {"min_version": ProtocolVersion.TLS1_3},
        {"min_version": ProtocolVersion.TLS1_2, "max_version": ProtocolVersion.TLS1_2},
        "no-common-version",
        A.protocol_version,
    ),
    "suite": ({"cipher_suites": (GCM,)}, {"cipher_suites": (CHACHA,)}, "no-common-cipher", A.handshake_failure),
    "group": ({"groups": (X25519,)}, {"groups": (P384,)}, "no-common-group", A.handshake_failure),
    "signature": ({"signature_schemes": (S.ed25519,)}, {}, "no-common-signature", A.handshake_failure),
    "protocol": ({"alpn": ("h2",)}, {"alpn": ("http/1.1",)}, "no-common-alpn", A.no_application_protocol),
}


@pytest.mark.parametrize("name", NOTHING_IN_COMMON)
def test_both_lists_are_in_the_error_and_the_alert_is_told(name: str) -> None:
    client, server, code, alert = NOTHING_IN_COMMON[name]
    pair = Pair(client_config(**client), server_config(**server)).run()
    error = pair.errors["server"]
    assert isinstance(error, Incompatible)
    assert error.code == code
    assert error.alert is alert
    assert error.ours
    assert error.theirs
    assert not set(error.ours) & set(error.theirs)
    for one in (*error.ours, *error.theirs):
        assert str(one) in str(error)
    told = pair.errors["client"]
    assert isinstance(told, AlertReceived)
    assert told.description is alert
    assert error.as_dict()["evidence"]["what"] == error.what


@pytest.mark.parametrize(
    ("by_client", "chosen"), [(False, CHACHA), (True, GCM_256)], ids=["the server's order", "the client's order"]
)
def test_whose_order_of_suites_counts(by_client: bool, chosen: CipherSuite) -> None:
    client = client_config(cipher_suites=(GCM_256, CHACHA))
    server = server_config(cipher_suites=(GCM, CHACHA, GCM_256), client_cipher_order=by_client)
    pair = Pair(client, server).done()
    assert pair.server.facts is not None
    assert pair.server.facts.cipher_suite is chosen


@pytest.mark.parametrize(
    ("offered", "shared", "configured", "chosen"),
    [
        # Among curves one with a share saves a round trip, whatever the order.
        ((X25519, P256), (X25519,), (P256, X25519), X25519),
        ((X25519, P256), (X25519, P256), (P256, X25519), P256),
        ((X25519, P256), (), (P256, X25519), P256),
        # A hybrid that both have is worth the round trip.
        ((X25519, HYBRID), (X25519,), (HYBRID, X25519), HYBRID),
        # But only where this side puts it first.
        ((HYBRID, X25519), (X25519,), (X25519, HYBRID), X25519),
        ((P256,), (P256,), (HYBRID, X25519, P256), P256),
    ],
)
def test_the_group(offered: Any, shared: Any, configured: Any, chosen: NamedGroup) -> None:
    assert negotiate.group(offered, shared, configured).value is chosen


@pytest.mark.parametrize(
    ("offered", "configured", "chosen"),
    [
        (None, (b"h2",), None),
        ((b"h2",), (), None),
        ((b"http/1.1", b"h2"), (b"h2", b"http/1.1"), b"h2"),
    ],
)
def test_the_protocol(offered: Any, configured: Any, chosen: bytes | None) -> None:
    choice = negotiate.alpn(offered, configured)
    assert (None if choice is None else choice.value) == chosen


def test_unknown_versions_are_passed_over() -> None:
    grease, future = ProtocolVersion.of(0x3A3A), ProtocolVersion.of(0x0305)
    offered = (grease, future, ProtocolVersion.TLS1_3)
    assert negotiate.version(offered, (ProtocolVersion.TLS1_3,)).value is ProtocolVersion.TLS1_3
    with pytest.raises(Incompatible) as caught:
        negotiate.version((grease, ProtocolVersion.TLS1_1), (ProtocolVersion.TLS1_3,))
    assert caught.value.theirs == (ProtocolVersion.TLS1_1,)


def test_a_grease_suite_and_group_are_passed_over() -> None:
    assert negotiate.cipher_suite((CipherSuite.of(0x1A1A), GCM), (GCM,)).value.name is GCM
    assert negotiate.group((NamedGroup.of(0x1A1A), X25519), (NamedGroup.of(0x1A1A),), (X25519,)).value is X25519


# Identities


def keyed(name: str, number: int, key: Any) -> Identity:
    return Identity.from_certificates([root().leaf(name, number, public=key.public_key())], key)


def test_a_server_chooses_by_name() -> None:
    identities = [server_identity(), identity(root(), "a.example", 40), identity(root(), "b.example", 41)]
    for name, expected in (("a.example", 1), ("b.example", 2), ("localhost", 0)):
        pair = Pair(client_config(), server_config(identities=identities), server_name=name).done()
        assert pair.server.facts is not None
        assert pair.server.facts.identity is identities[expected]
    # Without a match the first one is shown, and the client is the judge.
    pair = Pair(client_config(), server_config(identities=identities), server_name="c.example").run()
    error = pair.errors["client"]
    assert isinstance(error, CertificateRejected)
    assert error.code == "wrong-host"


def test_a_server_chooses_by_what_the_client_can_check() -> None:
    elliptic = keyed("localhost", 42, ec.derive_private_key(4242, ec.SECP256R1()))
    classic = keyed("localhost", 43, rsa.generate_private_key(65537, 2048))
    for schemes, expected in (((S.ecdsa_secp256r1_sha256,), elliptic), ((S.rsa_pss_rsae_sha256,), classic)):
        server = server_config(identities=[elliptic, classic])
        pair = Pair(client_config(signature_schemes=schemes), server).done()
        assert pair.server.facts is not None
        assert pair.server.facts.identity is expected
        assert pair.client.facts is not None
        assert pair.client.facts.peer_signature_scheme is schemes[0]


def test_a_server_prefers_a_certificate_of_a_ca_that_the_client_names() -> None:
    mine, other = server_identity(), identity(stranger(), "localhost", 44)
    usable = (S.ecdsa_secp256r1_sha256,)
    for wanted in (mine, other):
        chosen = negotiate.server_identity([mine, other], "localhost", usable, usable, tuple(wanted.issuers))
        assert chosen.value is wanted
        assert "a CA that the client named" in chosen.why
    assert negotiate.server_identity([mine, other], None, usable, usable, ()).value is mine


CLIENT_SCHEMES = (S.ecdsa_secp256r1_sha256, S.ed25519)


@pytest.mark.parametrize(
    ("identities", "authorities", "expected", "why"),
    [
        ([], (), None, "no client certificate is configured"),
        ([client_identity()], (), 0, "the server named no CA"),
        ([client_identity()], tuple(client_identity().issuers), 0, "a CA that the server named issued it"),
        ([client_identity()], tuple(stranger_identity().issuers), None, "issued by a CA that the server named"),
        ([stranger_identity(), client_identity()], tuple(client_identity().issuers), 1, "issued it"),
    ],
)
def test_a_client_shows_what_fits(identities: Any, authorities: Any, expected: int | None, why: str) -> None:
    chosen = negotiate.client_identity(identities, CLIENT_SCHEMES, authorities)
    assert chosen.value is (None if expected is None else identities[expected])
    assert why in chosen.why


def test_a_client_remembers_that_nothing_fitted() -> None:
    for client, server, why in (
        ({"identity": stranger_identity()}, {}, "no configured certificate was issued by a CA that the server named"),
        (
            {"identity": client_identity()},
            {"signature_schemes": (S.rsa_pss_rsae_sha256,), "signing_schemes": (S.ecdsa_secp256r1_sha256,)},
            "the server accepts no signature that the configured certificate's key can make",
        ),
    ):
        pair = Pair(client_config(**client), server_config(client_auth=ClientAuth.REQUESTED, **server)).done()
        assert pair.client.facts is not None
        assert pair.client.facts.identity is None
        assert pair.client.facts.identity_refusal == why
        assert pair.server.peer is None


def test_a_client_that_the_server_does_not_trust_is_refused_by_the_server() -> None:
    server = server_config(client_auth=ClientAuth.REQUIRED, send_certificate_authorities=False)
    pair = Pair(client_config(identity=stranger_identity()), server).run()
    error = pair.errors["server"]
    assert isinstance(error, CertificateRejected)
    assert error.whose == "client"
    told = pair.errors["client"]
    assert isinstance(told, AlertReceived)
    assert told.description is error.alert is A.unknown_ca
    # The client's own handshake was over by then (RFC 8446 section 4.4.4): the refusal comes afterwards.
    assert pair.client.handshake_complete


def test_a_server_that_the_client_does_not_trust_is_refused_by_the_client() -> None:
    pair = Pair(client_config(), server_config(identities=[identity(stranger(), "localhost", 45)])).run()
    error = pair.errors["client"]
    assert isinstance(error, CertificateRejected)
    assert error.whose == "server"
    told = pair.errors["server"]
    assert isinstance(told, AlertReceived)
    assert told.description is error.alert is A.unknown_ca
    assert not pair.server.handshake_complete


SCHEME_KEYS = {
    S.ecdsa_secp256r1_sha256: lambda: ec.generate_private_key(ec.SECP256R1()),
    S.ecdsa_secp384r1_sha384: lambda: ec.generate_private_key(ec.SECP384R1()),
    S.ecdsa_secp521r1_sha512: lambda: ec.generate_private_key(ec.SECP521R1()),
    S.ed25519: ed25519.Ed25519PrivateKey.generate,
    S.rsa_pss_rsae_sha256: lambda: rsa.generate_private_key(65537, 2048),
    S.rsa_pss_rsae_sha384: lambda: rsa.generate_private_key(65537, 2048),
    S.rsa_pss_rsae_sha512: lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("scheme", SCHEME_KEYS, ids=lambda scheme: scheme.name)
def test_both_sides_prove_themselves_with_every_scheme(scheme: SignatureScheme) -> None:
    server_key, client_key = SCHEME_KEYS[scheme](), SCHEME_KEYS[scheme]()
    server = Identity.from_certificates([root().leaf("localhost", 50, public=server_key.public_key())], server_key)
    leaf = root().leaf("client.example", 51, client=True, public=client_key.public_key())
    client = Identity.from_certificates([leaf], client_key)
    # The path builder takes no EdDSA leaf, so that one is judged by nobody here; its signature is checked all the same.
    trusting = {} if scheme is not S.ed25519 else {"insecure_skip_verification": True}
    asked = {} if scheme is S.ed25519 else {"client_auth": ClientAuth.REQUIRED}
    pair = Pair(
        client_config(identity=client, signature_schemes=(scheme,), **trusting),
        server_config(identities=[server], signature_schemes=(scheme,), **asked),
    ).done()
    assert pair.client.facts is not None
    assert pair.client.facts.peer_signature_scheme is scheme
    if asked:
        assert pair.server.facts is not None
        assert pair.server.facts.peer_signature_scheme is scheme


# Reasons


def test_every_choice_is_in_the_trace_with_its_reason() -> None:
    sinks = {"client": Trace(), "server": Trace()}
    Pair(
        client_config(identity=client_identity(), alpn=("h2",), groups=(X25519, P256), key_shares=(X25519,)),
        server_config(client_auth=ClientAuth.REQUIRED, alpn=("h2",), groups=(P256,)),
        client_trace=sinks["client"],
        server_trace=sinks["server"],
    ).done()
    topics = {role: [event.topic for event in sink.of(t.Choice)] for role, sink in sinks.items()}
    expected = {"version", "cipher_suite", "group", "hello_retry_request", "signature_scheme", "alpn"}
    assert expected | {"identity"} <= set(topics["server"])
    assert expected | {"client_identity"} <= set(topics["client"])
    for sink in sinks.values():
        for event in sink.of(t.Choice):
            assert event.chosen
            assert event.why
            assert "\n" not in event.why
