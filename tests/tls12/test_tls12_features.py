"""What a TLS 1.2 handshake can agree on, and that both ends agree on the same."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from certificates import NOW, SERVER_NAME, anchors, client_identity, server_identity, stranger_identity
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from memory import Seeded
from puppet12 import OLD, both_anchors, issued, names, notes, pair12, rsa_authority

from tlscope import (
    DEFAULT_CIPHER_SUITES,
    RSA_KEY_TRANSPORT,
    AlertDescription,
    AlertReceived,
    CertificateRejected,
    CipherSuite,
    ClientAuth,
    ClientConfig,
    DataReceived,
    Identity,
    Incompatible,
    Misuse,
    NamedGroup,
    PeerViolation,
    ProtocolVersion,
    SignatureScheme,
    Trace,
    VerificationPolicy,
)
from tlscope import trace as t
from tlscope.authority import make_ocsp_response
from tlscope.crypto.cipher_suites import SUITES
from tlscope.crypto.groups import GROUPS
from tlscope.crypto.randomness import SYSTEM_RANDOMNESS
from tlscope.keys.prf12 import MasterSecret12
from tlscope.wire import extensions as x
from tlscope.wire.handshake import ServerHello
from tlscope.wire.handshake12 import CertificateRequest

A, S = AlertDescription, SignatureScheme
SUITES_12 = [suite for suite in SUITES.values() if not suite.is_tls13]
EVERY_CURVE = (NamedGroup.secp256r1, NamedGroup.secp384r1, NamedGroup.secp521r1, NamedGroup.x25519)
KINDS = ["P-256", "P-384", "P-521", "RSA-2048", "RSA-PSS", "Ed25519", "Ed448"]
SCHEME = {
    "P-256": S.ecdsa_secp256r1_sha256,
    "P-384": S.ecdsa_secp384r1_sha384,
    "P-521": S.ecdsa_secp521r1_sha512,
    "RSA-2048": S.rsa_pss_rsae_sha256,
    "RSA-PSS": S.rsa_pss_pss_sha256,
    "Ed25519": S.ed25519,
    "Ed448": S.ed448,
}


@cache
def server_of(kind: str) -> Identity:
    return pss_identity() if kind == "RSA-PSS" else issued(kind)


@cache
def client_of(kind: str) -> Identity:
    return rsa_authority().issue_client("client.example", key=kind).identity()


@cache
def pss_identity() -> Identity:
    """An RSA key whose certificate says id-RSASSA-PSS: ``cryptography`` makes no such thing, so its DER is edited."""
    made = rsa_authority().issue_server(SERVER_NAME, key="RSA-2048")
    plain, pss = bytes.fromhex("300d06092a864886f70d0101010500"), bytes.fromhex("300b06092a864886f70d01010a")
    tbs = made.certificate.tbs_certificate_bytes
    at = tbs.index(plain)
    # The subjectPublicKeyInfo, then the whole, are two bytes shorter.
    spki = at - 4
    length = int.from_bytes(tbs[spki + 2 : spki + 4], "big") - 2
    body = tbs[4:spki] + b"\x30\x82" + length.to_bytes(2, "big") + pss + tbs[at + len(plain) :]
    shorter = b"\x30\x82" + len(body).to_bytes(2, "big") + body
    authority = rsa_authority()
    signature = authority.key.sign(shorter, ec.ECDSA(hashes.SHA256()))  # type: ignore[call-arg, arg-type, union-attr]
    outer = (
        shorter + bytes.fromhex("300a06082a8648ce3d040302") + b"\x03" + _length(len(signature) + 1) + b"\0" + signature
    )
    certificate = x509.load_der_x509_certificate(b"\x30\x82" + len(outer).to_bytes(2, "big") + outer)
    return Identity.from_certificates([certificate], made.key)


def _length(value: int) -> bytes:
    return bytes((value,)) if value < 0x80 else bytes((0x81, value))


def fits(kind: str, suite: Any) -> bool:
    if suite.key_exchange == "RSA":
        return kind == "RSA-2048"
    return kind.startswith("RSA") == (suite.authentication == "RSA")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suite", SUITES_12, ids=lambda suite: str(suite.name))
def test_every_suite_with_every_kind_of_certificate(suite: Any, kind: str) -> None:
    both: dict[str, Any] = {"cipher_suites": [suite.name], "groups": EVERY_CURVE}
    pair = pair12(both, {**both, "identities": [server_of(kind)]})
    if not fits(kind, suite):
        pair.run()
        assert isinstance(pair.errors["server"], Incompatible)
        assert pair.errors["server"].code == "no-common-cipher"
        assert isinstance(pair.errors["client"], AlertReceived)
        assert pair.errors["client"].description is A.handshake_failure
        return
    pair.done()
    client, server = pair.client.facts, pair.server.facts
    assert client is not None
    assert server is not None
    assert client.version is ProtocolVersion.TLS1_2
    assert client.cipher_suite is server.cipher_suite is suite.name
    assert client.group == server.group == (None if suite.key_exchange == "RSA" else EVERY_CURVE[0])
    # A key signs with the hash that is as strong as its curve (TLS 1.2 would let it use any).
    assert client.peer_signature_scheme == (None if suite.key_exchange == "RSA" else SCHEME[kind])
    assert client.peer_chain == server_of(kind).chain
    for sender, receiver in (("client", "server"), ("server", "client")):
        for data in (b"", b"a", bytes(range(256)) * 300):
            pair.side(sender).send_data(data)
            pair.move(sender)
        received = [event.data for event in pair.events[receiver] if isinstance(event, DataReceived)]
        assert b"".join(received) == b"a" + bytes(range(256)) * 300


@pytest.mark.parametrize("suite", SUITES_12, ids=lambda suite: str(suite.name))
def test_records_are_as_long_as_their_suite_makes_them(suite: Any) -> None:
    kind = "RSA-2048" if suite.authentication == "RSA" else "P-256"
    both: dict[str, Any] = {"cipher_suites": [suite.name]}
    pair = pair12(both, {**both, "identities": [server_of(kind)]}).done()
    pair.client.send_data(bytes(100))
    # RFC 5288 section 3, RFC 6655 section 3: eight bytes of nonce and a tag; RFC 7905 section 2: a tag alone.
    nonce = 0 if "CHACHA20" in suite.name.name else 8
    assert len(pair.client.data_to_send()) == 5 + nonce + 100 + 16
    pair.client.send_data(bytes((1 << 14) + 1))
    assert len(pair.client.data_to_send()) == 2 * (5 + nonce + 16) + (1 << 14) + 1


def test_what_is_off_and_what_is_on() -> None:
    suites = {name.name for name in DEFAULT_CIPHER_SUITES}
    assert not [name for name in suites if "CCM" in name or name.startswith("TLS_RSA")]
    assert {suite.name for suite in RSA_KEY_TRANSPORT} == {
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_RSA_WITH_AES_256_GCM_SHA384",
    }
    config = ClientConfig()
    assert (config.min_version, config.max_version) == (ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3)
    assert config.require_extended_master_secret


# Groups


@pytest.mark.parametrize("group", [one for one in GROUPS if GROUPS[one].is_curve], ids=str)
def test_every_curve(group: NamedGroup) -> None:
    pair = pair12(
        {"groups": (group,), "cipher_suites": DEFAULT_CIPHER_SUITES},
        {"groups": (group,), "identities": [issued("RSA-2048")]},
    ).done()
    assert pair.client.facts is not None
    assert pair.client.facts.group is group


@pytest.mark.parametrize("group", [one for one in GROUPS if not GROUPS[one].is_curve], ids=str)
def test_what_is_no_curve_is_not_for_tls_1_2(group: NamedGroup) -> None:
    # A hybrid has no place in ServerKeyExchange, and RFC 7919's groups belong to DHE suites, which are not spoken here.
    both: dict[str, Any] = {"groups": (group, NamedGroup.x25519), "randomness": SYSTEM_RANDOMNESS}
    pair = pair12({**both, "max_version": ProtocolVersion.TLS1_3}, {**both, "identities": [issued("RSA-2048")]}).done()
    assert pair.client.facts is not None
    assert pair.client.facts.group is NamedGroup.x25519
    only = pair12({**both, "groups": (group,), "max_version": ProtocolVersion.TLS1_3}, {}).run()
    assert isinstance(only.errors["server"], Incompatible)
    assert only.errors["server"].code == "no-common-group"


def test_the_curve_of_the_certificate_must_be_the_clients_too() -> None:
    # RFC 8422 section 5.3: otherwise no ECDSA suite may be chosen; an RSA certificate takes its place where there is one.
    client = {"groups": (NamedGroup.x25519, NamedGroup.secp384r1)}
    refused = pair12(client, {"identities": [issued("P-256")]}).run()
    assert isinstance(refused.errors["server"], Incompatible)
    assert refused.errors["server"].code == "no-common-group"
    assert refused.errors["server"].ours == ("secp256r1",)
    pair = pair12(client, {"identities": [issued("P-256"), issued("RSA-2048")]}).done()
    assert pair.client.facts is not None
    assert pair.client.facts.cipher_suite is CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    assert pair12(client, {"identities": [issued("Ed25519")]}).done().client.handshake_complete


def test_for_a_client_without_groups_there_is_no_ecdhe() -> None:
    # RFC 8422 section 4 lets a server choose any curve then; who names none mostly has none.
    def silent(message: Any) -> Any:
        if hasattr(message, "cipher_suites"):
            return replace(message, extensions=message.extensions.without(x.SUPPORTED_GROUPS.type))
        return message

    pair = pair12({"rewrite": silent, "groups": EVERY_CURVE}).run()
    assert isinstance(pair.errors["server"], Incompatible)
    assert pair.errors["server"].code == "no-common-group"


# Several identities


@pytest.mark.parametrize("first", ["P-256", "RSA-2048"])
@pytest.mark.parametrize("wanted", ["ECDSA", "RSA"])
def test_a_server_with_two_kinds_of_keys_serves_who_can_do_one(wanted: str, first: str) -> None:
    suites = [suite.name for suite in SUITES_12 if suite.key_exchange == "ECDHE" and suite.authentication == wanted]
    identities = [issued(kind) for kind in sorted(("P-256", "RSA-2048"), key=lambda kind: kind != first)]
    pair = pair12({"cipher_suites": suites}, {"identities": identities}).done()
    assert pair.client.facts is not None
    assert wanted in pair.client.facts.cipher_suite.name
    assert pair.client.facts.peer_chain == issued("P-256" if wanted == "ECDSA" else "RSA-2048").chain


def test_sni_chooses_the_certificate() -> None:
    others = [rsa_authority().issue_server(name).identity() for name in ("a.example", "b.example")]
    for name, identity in zip(("a.example", "b.example"), others, strict=True):
        sinks = Trace(), Trace()
        pair = pair12({}, {"identities": others}, server_name=name, client_trace=sinks[0]).done()
        assert pair.client.facts is not None
        assert pair.client.facts.peer_chain == identity.chain
        assert pair.server.server_name == name
        hello = ServerHello.decode(next(one.raw for one in sinks[0].of(t.Message) if one.name == "ServerHello")[4:])
        assert hello.extensions.get(x.SERVER_NAME_ACKNOWLEDGED) is True


def test_a_name_that_nobody_has() -> None:
    server = {"identities": [issued("P-256")], "require_known_name": True}
    pair = pair12({}, server, server_name="unknown.example").run()
    assert isinstance(pair.errors["server"], PeerViolation)
    assert pair.errors["server"].code == "unknown-sni"
    assert isinstance(pair.errors["client"], AlertReceived)
    assert pair.errors["client"].description is A.unrecognized_name


# ALPN


def test_alpn() -> None:
    pair = pair12({"alpn": ("h2", "http/1.1")}, {"alpn": ("http/1.1", "h2")}).done()
    assert pair.client.alpn == pair.server.alpn == "http/1.1"
    assert pair12({"alpn": ("h2",)}).done().client.alpn is None
    refused = pair12({"alpn": ("h2",)}, {"alpn": ("http/1.1",)}).run()
    assert isinstance(refused.errors["server"], Incompatible)
    assert refused.errors["server"].alert is A.no_application_protocol


# Client authentication


@pytest.mark.parametrize("key_exchange", ["ECDHE", "RSA"])
@pytest.mark.parametrize("mode", list(ClientAuth))
@pytest.mark.parametrize("has", [True, False], ids=["with a certificate", "without"])
def test_client_authentication_in_its_modes(mode: ClientAuth, has: bool, key_exchange: str) -> None:
    both: dict[str, Any] = {}
    if key_exchange == "RSA":
        both = {"cipher_suites": RSA_KEY_TRANSPORT}
    server = {**both, "client_auth": mode, "identities": [issued("RSA-2048")]}
    pair = pair12({**both, "identity": client_identity() if has else None}, server).run()
    if mode is ClientAuth.REQUIRED and not has:
        error = pair.errors["server"]
        assert isinstance(error, PeerViolation)
        assert error.code == "no-client-cert-tls12"
        assert isinstance(pair.errors["client"], AlertReceived)
        # TLS 1.2 has no certificate_required (RFC 5246 section 7.4.6).
        assert pair.errors["client"].description is A.handshake_failure
        return
    assert not pair.errors
    asked = mode is not ClientAuth.NONE
    client, server_facts = pair.client.facts, pair.server.facts
    assert client is not None
    assert server_facts is not None
    assert client.client_certificate_requested == server_facts.client_certificate_requested == asked
    shown = has and asked
    assert (pair.server.peer is not None) == shown
    assert server_facts.peer_chain == (client_identity().chain if shown else ())
    assert (client.identity is not None) == shown
    if asked and not has:
        assert client.identity_refusal == "no client certificate is configured"
    if shown:
        assert server_facts.peer_signature_scheme is S.ecdsa_secp256r1_sha256
        assert pair.server.peer is not None
        assert "client.example" in str(pair.server.peer.names)


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "RSA-2048", "Ed25519", "Ed448"])
def test_every_kind_of_client_certificate(kind: str) -> None:
    server = {"client_auth": ClientAuth.REQUIRED, "trust": both_anchors()}
    pair = pair12({"identity": client_of(kind)}, server).done()
    assert pair.server.facts is not None
    assert pair.server.facts.peer_chain == client_of(kind).chain
    assert pair.server.facts.peer_signature_scheme is SCHEME[kind]


@pytest.mark.parametrize("scheme", [S.rsa_pkcs1_sha256, S.rsa_pkcs1_sha384, S.rsa_pkcs1_sha512, S.rsa_pss_rsae_sha512])
def test_a_proof_with_another_hash_than_the_suites(scheme: SignatureScheme) -> None:
    # RFC 5246 section 7.4.8: the client signs all messages, with a hash of its own choice.
    server = {"client_auth": ClientAuth.REQUIRED, "trust": both_anchors(), "signature_schemes": [scheme]}
    suites = [CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
    server |= {"identities": [issued("RSA-2048")], "cipher_suites": suites}
    pair = pair12({"identity": client_of("RSA-2048")}, server).done()
    assert pair.server.facts is not None
    assert pair.server.facts.peer_signature_scheme is scheme
    assert pair.client.facts is not None
    assert pair.client.facts.peer_signature_scheme is scheme


def test_a_client_that_nobody_trusts_is_refused() -> None:
    server = {"client_auth": ClientAuth.REQUESTED, "send_certificate_authorities": False}
    pair = pair12({"identity": stranger_identity()}, server).run()
    assert isinstance(pair.errors["server"], CertificateRejected)
    assert isinstance(pair.errors["client"], AlertReceived)
    assert pair.errors["client"].description is A.unknown_ca
    named = pair12({"identity": stranger_identity()}, {"client_auth": ClientAuth.REQUESTED}).done()
    assert named.client.facts is not None
    assert "no configured certificate was issued by a CA" in (named.client.facts.identity_refusal or "")


def test_the_certificate_request_says_what_is_accepted() -> None:
    sink = Trace()
    pair12({}, {"client_auth": ClientAuth.REQUESTED}, client_trace=sink).done()
    raw = next(one.raw for one in sink.of(t.Message) if one.name == "CertificateRequest")
    request = CertificateRequest.decode(raw[4:])
    assert {one.name for one in request.certificate_types} == {"ecdsa_sign", "rsa_sign"}
    assert request.certificate_authorities == anchors().subjects
    assert S.rsa_pkcs1_sha256 in request.signature_algorithms


def test_certificate_types_count() -> None:
    """A server that takes RSA alone is shown no ECDSA certificate (RFC 5246 section 7.4.4)."""

    def rsa_only(message: Any) -> Any:
        if isinstance(message, CertificateRequest):
            return replace(message, certificate_types=message.certificate_types[1:])
        return message

    server = {"client_auth": ClientAuth.REQUESTED, "trust": both_anchors(), "rewrite": rsa_only}
    pair = pair12({"identities": [client_of("P-256"), client_of("RSA-2048")]}, server).done()
    assert pair.server.facts is not None
    assert pair.server.facts.peer_chain == client_of("RSA-2048").chain


# Stapling


@cache
def response(status: str = "good") -> bytes:
    certificate = x509.load_der_x509_certificate(issued("RSA-2048").chain[0])
    return make_ocsp_response(rsa_authority(), certificate, status, this_update=NOW - dt.timedelta(hours=1))


_STAPLE = VerificationPolicy(require_staple=True)


@pytest.mark.parametrize("suites", [DEFAULT_CIPHER_SUITES, RSA_KEY_TRANSPORT], ids=["ECDHE", "RSA"])
def test_stapling(suites: Any) -> None:
    stapled = issued("RSA-2048").with_ocsp_response(response())
    both: dict[str, Any] = {"cipher_suites": suites}
    sink = Trace()
    client = {**both, "verification": _STAPLE}
    pair12(client, {**both, "identities": [stapled]}, client_trace=sink).done()
    assert names(sink, "received")[1:3] == ["Certificate", "CertificateStatus"]
    # A client that does not ask gets none.
    sink = Trace()
    pair12({**both, "ocsp_stapling": False}, {**both, "identities": [stapled]}, client_trace=sink).done()
    assert "CertificateStatus" not in names(sink, "received")
    # One that says "revoked" ends it.
    revoked = issued("RSA-2048").with_ocsp_response(response("revoked"))
    pair = pair12(both, {**both, "identities": [revoked]}).run()
    assert isinstance(pair.errors["client"], CertificateRejected)
    assert pair.errors["client"].alert is A.certificate_revoked


def promised(message: Any) -> Any:
    if isinstance(message, ServerHello):
        return replace(message, extensions=message.extensions.with_(x.STATUS_PROMISED(True)))
    return message


@pytest.mark.parametrize("suites", [DEFAULT_CIPHER_SUITES, RSA_KEY_TRANSPORT], ids=["ECDHE", "RSA"])
def test_a_response_that_was_promised_and_does_not_come(suites: Any) -> None:
    # RFC 6066 section 8: the server may leave CertificateStatus out all the same; what the policy demands, it demands.
    both: dict[str, Any] = {"cipher_suites": suites}
    server = {**both, "identities": [issued("RSA-2048")], "rewrite": promised}
    assert pair12(both, server).done().client.peer is not None
    pair = pair12({**both, "verification": _STAPLE}, server).run()
    assert isinstance(pair.errors["client"], CertificateRejected)
    assert pair.errors["client"].alert is A.bad_certificate_status_response


# What comes of the keys


def test_both_ends_export_the_same() -> None:
    pair = pair12().done()
    for label, context in (
        (b"EXPERIMENTAL test", None),
        ("EXPERIMENTAL test", b""),
        (b"EXPERIMENTAL test", b"context"),
    ):
        ours = pair.client.export_keying_material(label, 40, context)
        assert ours == pair.server.export_keying_material(label, 40, context)
        assert len(ours) == 40
    without = pair.client.export_keying_material(b"EXPERIMENTAL test", 40)
    # RFC 5705 section 4: no context and an empty one are not the same.
    assert without != pair.client.export_keying_material(b"EXPERIMENTAL test", 40, b"")
    assert without != pair12({"randomness": Seeded("another client")}).done().client.export_keying_material(
        b"EXPERIMENTAL test", 40
    )


@pytest.mark.parametrize("kind", ["tls-unique", "tls-server-end-point", "tls-exporter"])
def test_both_ends_have_the_same_channel_bindings(kind: str) -> None:
    sink = Trace()
    pair = pair12(client_trace=sink).done()
    binding = pair.client.channel_binding(kind)
    assert binding == pair.server.channel_binding(kind)
    if kind == "tls-unique":
        # RFC 5929 section 3: the first Finished, which is the client's in a full handshake.
        first = next(one for one in sink.of(t.Message) if one.name == "Finished")
        assert (first.direction, first.raw[4:]) == ("sent", binding)
    if kind == "tls-server-end-point":
        assert binding == hashlib.sha256(server_identity().chain[0]).digest()


def test_nothing_is_exported_without_the_extended_master_secret() -> None:
    # RFC 7627 section 5.4.
    plain = {"require_extended_master_secret": False}

    def strip(message: Any) -> Any:
        if hasattr(message, "cipher_suites"):
            return replace(message, extensions=message.extensions.without(x.EXTENDED_MASTER_SECRET.type))
        return message

    pair = pair12({**plain, "rewrite": strip}, plain).done()
    for side in (pair.client, pair.server):
        for take in (
            lambda side=side: side.export_keying_material(b"EXPERIMENTAL test", 32),
            lambda side=side: side.channel_binding("tls-unique"),
            lambda side=side: side.channel_binding("tls-exporter"),
        ):
            with pytest.raises(Misuse) as caught:
                take()
            assert caught.value.code == "no-extended-master-secret"
    assert pair.client.channel_binding("tls-server-end-point") == pair.server.channel_binding("tls-server-end-point")
    pair.client.send_data(b"it works all the same")
    pair.move("client")
    assert isinstance(pair.events["server"][-1], DataReceived)


def test_the_key_log_opens_the_records() -> None:
    lines: list[str] = []
    pair = pair12({"key_log": lines.append}, {"key_log": lines.append}).done()
    assert len(lines) == 2
    assert lines[0] == lines[1]
    label, client_random, secret = lines[0].split()
    assert label == "CLIENT_RANDOM"
    assert len(bytes.fromhex(secret)) == 48
    flights = b"".join(data for _, data in pair.sent)
    assert bytes.fromhex(client_random) == pair.sent[0][1][11:43]
    suite = SUITES[CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
    server_random = pair.sent[1][1][11:43]
    keys = MasterSecret12(suite, bytes.fromhex(secret), bytes.fromhex(client_random), server_random).keys()
    pair.client.send_data(b"for whoever has the log")
    record = pair.client.data_to_send()
    assert record[:5] == b"\x17\3\3\0" + bytes((len(record) - 5,))
    associated = (1).to_bytes(8, "big") + record[:3] + (len(record) - 5 - 24).to_bytes(2, "big")
    opened = AESGCM(keys.client_key).decrypt(keys.client_iv + record[5:13], record[13:], associated)
    assert opened == b"for whoever has the log"
    assert bytes.fromhex(secret) not in flights


def test_there_is_no_key_update() -> None:
    pair = pair12().done()
    for side in (pair.client, pair.server):
        with pytest.raises(Misuse) as caught:
            side.update_keys()
        assert caught.value.code == "no-key-update"
    with pytest.raises(Misuse):
        pair.server.request_client_certificate()


def test_no_false_start() -> None:
    # RFC 7918 is not done: a client sends nothing before the server's Finished has come.
    pair = pair12().start()
    pair.move("client")
    pair.move("server")
    assert pair.client.has_data_to_send
    with pytest.raises(Misuse):
        pair.client.send_data(b"early")


def test_a_1_3_pair_limited_by_either_side_speaks_1_2() -> None:
    for client, server in ((OLD, {}), ({}, OLD)):
        sink = Trace()
        both = {"max_version": ProtocolVersion.TLS1_3, "groups": (NamedGroup.x25519, NamedGroup.secp256r1)}
        pair = pair12({**both, **client}, {**both, **server}, client_trace=sink).done()
        assert pair.client.facts is not None
        assert pair.client.facts.version is ProtocolVersion.TLS1_2
        assert notes(sink, "version")[0].chosen == "TLS 1.2"
