"""Compressed certificates, record sizes, raw public keys, GREASE, SCTs and channel bindings."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from certificates import anchors, client_identity, server_identity
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from memory import Pair, client_config, server_config

from tlscope import (
    AlertReceived,
    CertificateRejected,
    ClientAuth,
    ClientConfig,
    ConfigError,
    DecisionNeeded,
    MemorySessionCache,
    Misuse,
    NamedGroup,
    ProtocolVersion,
    RawKeyIdentity,
    ServerConfig,
    TicketKeys,
    Trace,
    VerifyPeer,
)
from tlscope.trace import Message, Record
from tlscope.wire import extensions as x
from tlscope.wire.codepoints import CertificateCompressionAlgorithm as Algorithm
from tlscope.wire.codepoints import CertificateType, is_grease
from tlscope.wire.handshake import Certificate, ClientHello, CompressedCertificate, EncryptedExtensions

TLS1_2 = ProtocolVersion.TLS1_2
ZLIB = (Algorithm.zlib,)
# In TLS 1.2 the certificate's curve must be among the groups (RFC 8422 section 5.3).
BOTH: list[dict[str, Any]] = [
    {},
    {"min_version": TLS1_2, "max_version": TLS1_2, "groups": [NamedGroup.x25519, NamedGroup.secp256r1]},
]


# Certificate compression (RFC 8879)


def long_chain() -> Any:
    """An identity whose chain is worth compressing: the same certificate many times over."""
    from dataclasses import replace

    one = server_identity()
    return replace(one, chain=one.chain * 4, certificates=one.certificates * 4)


def test_both_sides_certificates_go_compressed_where_both_agree() -> None:
    trace = Trace()
    pair = Pair(
        client_config(identity=client_identity(), certificate_compression=ZLIB),
        server_config(identities=[long_chain()], client_auth=ClientAuth.REQUIRED, certificate_compression=ZLIB),
        client_trace=trace,
    ).done()
    names = [(event.direction, event.name) for event in trace.of(Message)]
    assert ("received", "CompressedCertificate") in names
    assert pair.client.facts.peer_chain == long_chain().chain
    plain = Pair(client_config(certificate_compression=ZLIB), server_config(identities=[long_chain()])).done()
    assert plain.client.facts.peer is not None


def compressing(change: Any) -> Any:
    def rewrite(message: Any) -> Any:
        if isinstance(message, Certificate) and message.certificate_list:
            body = message.encode()[4:]
            return change(body)
        return message

    return rewrite


BAD: dict[str, tuple[Any, str, str]] = {
    "longer than announced": (
        lambda body: CompressedCertificate(Algorithm.zlib, len(body) - 1, zlib.compress(body)),
        "bad-compressed-certificate",
        "bad_certificate",
    ),
    "shorter than announced": (
        lambda body: CompressedCertificate(Algorithm.zlib, len(body) + 1, zlib.compress(body)),
        "bad-compressed-certificate",
        "bad_certificate",
    ),
    "a bomb": (
        lambda body: CompressedCertificate(Algorithm.zlib, 0xFFFFFF, zlib.compress(bytes(0xFFFFFF))),
        "bad-compressed-certificate",
        "bad_certificate",
    ),
    "no zlib": (
        lambda body: CompressedCertificate(Algorithm.zlib, len(body), b"not zlib at all"),
        "bad-compressed-certificate",
        "bad_certificate",
    ),
    "cut": (
        lambda body: CompressedCertificate(Algorithm.zlib, len(body), zlib.compress(body)[:-4]),
        "bad-compressed-certificate",
        "bad_certificate",
    ),
    "not offered": (
        lambda body: CompressedCertificate(Algorithm.brotli, len(body), b"x"),
        "unoffered-compression",
        "illegal_parameter",
    ),
    "no certificate inside": (
        lambda body: CompressedCertificate(Algorithm.zlib, 3, zlib.compress(b"abc")),
        "malformed",
        "decode_error",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_compressed_certificate_is_refused(case: str) -> None:
    change, code, alert = BAD[case]
    pair = Pair(client_config(certificate_compression=ZLIB), server_config(rewrite=compressing(change))).run()
    assert pair.errors["client"].code == code
    assert isinstance(pair.errors["server"], AlertReceived)
    assert pair.errors["server"].description.name == alert


def test_one_that_was_not_offered_at_all_is_unexpected() -> None:
    change = BAD["cut"][0]
    pair = Pair(client_config(), server_config(rewrite=compressing(change))).run()
    assert pair.errors["client"].code == "unexpected-message"


def test_an_unknown_algorithm_is_found_in_the_configuration() -> None:
    with pytest.raises(ConfigError):
        client_config(certificate_compression=[Algorithm(77)])


# Record sizes (RFC 8449)


@pytest.mark.parametrize("version", BOTH, ids=["TLS 1.3", "TLS 1.2"])
def test_each_side_heeds_the_others_limit(version: dict[str, Any]) -> None:
    settings = {"min_version": TLS1_2, **version}
    trace = Trace()
    pair = Pair(
        client_config(record_size_limit=100, **settings),
        server_config(record_size_limit=200, **settings),
        client_trace=trace,
    ).done()
    pair.server.send_data(bytes(1000))
    pair.client.send_data(bytes(1000))
    pair.move("server")
    pair.move("client")
    assert not pair.errors
    tls13 = pair.client.facts.version == ProtocolVersion.TLS1_3
    protected = [event for event in trace.of(Record) if event.epoch == "application" and event.content_type == 23]
    assert max(event.length for event in protected if event.direction == "received") == 100 - tls13
    assert max(event.length for event in protected if event.direction == "sent") == 200 - tls13


def test_a_longer_record_than_announced_is_refused() -> None:
    pair = Pair(client_config(record_size_limit=100), server_config()).done()
    pair.server._records.max_fragment = 200
    pair.server.send_data(bytes(200))
    pair.move("server")
    assert pair.errors["client"].code == "record-too-long"
    assert pair.errors["client"].alert.name == "record_overflow"


@pytest.mark.parametrize("limit", [0, 63])
def test_a_limit_below_64_is_refused(limit: int) -> None:
    def rewrite(message: Any) -> Any:
        if isinstance(message, ClientHello):
            message.extensions = message.extensions.with_(x.RECORD_SIZE_LIMIT(limit))
        return message

    pair = Pair(client_config(rewrite=rewrite), server_config()).run()
    assert pair.errors["server"].code == "bad-record-size-limit"
    with pytest.raises(ConfigError):
        client_config(record_size_limit=limit)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 0])
def test_max_fragment_length_is_honoured(code: int) -> None:
    def rewrite(message: Any) -> Any:
        if isinstance(message, ClientHello):
            message.extensions = message.extensions.with_(x.MAX_FRAGMENT_LENGTH(code))
        return message

    offered = {"rewrite": rewrite}
    pair = Pair(client_config(**offered), server_config()).run()
    if code not in (1, 2, 3, 4):
        assert pair.errors["server"].code == "bad-record-size-limit"
        return
    assert pair.server._records.max_fragment == 1 << (8 + code)


# Raw public keys (RFC 7250)


def raw(number: int = 1) -> RawKeyIdentity:
    return RawKeyIdentity.from_key(ec.derive_private_key(number, ec.SECP256R1()))


def test_raw_keys_both_ways() -> None:
    mine, theirs = RawKeyIdentity.from_key(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))), raw()
    pair = Pair(
        client_config(trust=None, trusted_raw_keys=[theirs.public_key], raw_key=mine),
        server_config(
            trust=None,
            identities=(),
            raw_key=theirs,
            trusted_raw_keys=[mine.public_key],
            client_auth=ClientAuth.REQUIRED,
        ),
        server_name=None,
    ).done()
    assert pair.client.facts.peer_chain == (theirs.public_key,)
    assert pair.server.facts.peer_chain == (mine.public_key,)
    assert pair.client.facts.peer is None, "nobody vouches for a raw key, so there is no verdict on a chain"


NO_RAW: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "an unknown key": (
        {"trust": None, "trusted_raw_keys": [raw(2).public_key]},
        {"identities": (), "raw_key": raw(1)},
        "client",
        "unknown-raw-key",
    ),
    "a certificate where only raw keys are believed": (
        {"trust": None, "trusted_raw_keys": [raw(2).public_key]},
        {},
        "server",
        "no-common-certificate-type",
    ),
    "a raw key where only certificates are believed": (
        {},
        {"identities": (), "raw_key": raw(1)},
        "server",
        "no-common-certificate-type",
    ),
    "a client without a raw key where only those are believed": (
        {},
        {"trust": None, "trusted_raw_keys": [raw(2).public_key], "client_auth": ClientAuth.REQUIRED},
        "server",
        "no-common-certificate-type",
    ),
}


@pytest.mark.parametrize("case", NO_RAW)
def test_nothing_else_is_believed(case: str) -> None:
    client, server, judge, code = NO_RAW[case]
    pair = Pair(client_config(**client), server_config(**server)).run()
    assert pair.errors[judge].code == code
    assert not pair.client.handshake_complete
    assert not pair.server.handshake_complete


def test_a_server_that_answers_with_the_wrong_type_is_refused() -> None:
    def rewrite(message: Any) -> Any:
        if isinstance(message, EncryptedExtensions):
            message.extensions = message.extensions.without(x.SERVER_CERTIFICATE_TYPE.type)
        return message

    pair = Pair(
        client_config(trust=None, trusted_raw_keys=[raw().public_key]),
        server_config(identities=(), raw_key=raw(), rewrite=rewrite),
    ).run()
    assert pair.errors["client"].code == "unoffered-certificate-type"


def test_several_keys_or_junk_are_refused() -> None:
    for entries in (lambda one: (one, one), lambda one: (type(one)(b"junk"),)):

        def rewrite(message: Any, entries: Any = entries) -> Any:
            if isinstance(message, Certificate):
                message.certificate_list = entries(message.certificate_list[0])
            return message

        pair = Pair(
            client_config(trust=None, trusted_raw_keys=[raw().public_key, b"junk"]),
            server_config(identities=(), raw_key=raw(), rewrite=rewrite),
        ).run()
        assert pair.errors["client"].code == "bad-raw-key"


def test_a_raw_key_hides_its_private_half() -> None:
    assert CertificateType.RawPublicKey == 2
    assert "private" not in repr(raw())


def raw_friends(**client: Any) -> tuple[Any, Any]:
    """A client and a server that know each other's raw keys, and keep sessions."""
    theirs = raw(2)
    mine = client_config(
        trust=None, trusted_raw_keys=[theirs.public_key], raw_key=raw(1), sessions=MemorySessionCache()
    )
    settings = {"identities": (), "raw_key": theirs, "trusted_raw_keys": [raw(1).public_key], "trust": None}
    return mine.replace(**client), server_config(**settings, client_auth=ClientAuth.REQUIRED, tickets=TicketKeys())


def test_a_session_of_raw_keys_is_resumed_by_who_still_knows_them() -> None:
    mine, theirs = raw_friends()
    facts = []
    for _ in range(3):
        pair = Pair(mine, theirs).done()
        facts.append((pair.client.facts.resumed, pair.client.facts.peer_chain, pair.server.facts.peer_chain))
    keys = ((raw(2).public_key,), (raw(1).public_key,))
    assert facts == [(False, *keys), (True, *keys), (True, *keys)]
    # A key that is not trusted any more ends its sessions, on either side.
    stranger = [raw(3).public_key]
    with_both = theirs.replace(trusted_raw_keys=[*stranger, raw(1).public_key], raw_key=raw(3))
    pair = Pair(mine.replace(trusted_raw_keys=stranger), with_both).run()
    assert not pair.errors
    assert not pair.client.facts.resumed
    pair = Pair(mine, theirs.replace(trusted_raw_keys=stranger)).run()
    assert pair.errors["server"].code == "unknown-raw-key"


@pytest.mark.parametrize("first", ["certificate", "raw key"])
def test_a_ticket_of_a_client_that_can_not_be_judged_here_means_a_full_handshake(first: str) -> None:
    """Two servers that share ticket keys and not what they believe."""
    keys, mine = TicketKeys(), client_config(sessions=MemorySessionCache(), identity=client_identity(), raw_key=raw(1))
    certificates = server_config(client_auth=ClientAuth.REQUIRED, tickets=keys)
    raw_keys = certificates.replace(trust=None, trusted_raw_keys=[raw(1).public_key])
    servers = (certificates, raw_keys) if first == "certificate" else (raw_keys, certificates)
    for server in servers:
        pair = Pair(mine, server).done()
        assert not pair.server.facts.resumed
    assert pair.server.facts.peer_chain == ((raw(1).public_key,) if first == "certificate" else client_identity().chain)


def test_a_client_that_is_asked_later_on_a_resumed_connection_shows_a_certificate() -> None:
    # The types were agreed for the handshake in which the session began; now nobody spoke of any (RFC 7250 section 4.2).
    mine, theirs = raw_friends(post_handshake_auth=True, identity=client_identity())
    theirs = theirs.replace(trust=anchors(), identities=server_config().identities)
    Pair(mine, theirs).done()
    pair = Pair(mine, theirs).done()
    assert pair.server.facts.resumed
    assert pair.server.facts.peer_chain == (raw(1).public_key,)
    pair.server.request_client_certificate()
    while pair.move("server") | pair.move("client"):
        pass
    assert not pair.errors
    assert pair.server.facts.peer_chain == client_identity().chain


def test_a_session_is_not_resumed_under_settings_that_can_not_judge_its_server() -> None:
    mine, theirs = raw_friends()
    server = theirs.replace(identities=server_config().identities, client_auth=ClientAuth.NONE)
    certified = mine.replace(trust=anchors(), trusted_raw_keys=())
    assert Pair(certified, server).done().client.facts.peer is not None
    facts = Pair(mine, server).done().client.facts
    assert (facts.resumed, facts.peer_chain) == (False, (raw(2).public_key,))
    facts = Pair(certified, server).done().client.facts
    assert (facts.resumed, facts.peer is None) == (False, False)


@pytest.mark.parametrize("believed", [True, False])
def test_the_verdict_on_a_raw_key_may_be_the_applications(believed: bool) -> None:
    mine, theirs = raw_friends(ask=frozenset({VerifyPeer}), trusted_raw_keys=[raw(3).public_key])
    pair = Pair(mine, theirs).start()
    while pair.move("client") | pair.move("server"):
        asked = [one.decision for one in pair.events["client"] if isinstance(one, DecisionNeeded)]
        pair.events["client"] = [one for one in pair.events["client"] if not isinstance(one, DecisionNeeded)]
        for decision in asked:
            assert (decision.raw_key, decision.chain) == (True, (raw(2).public_key,))
            if believed:
                pair.client.answer(None)
                continue
            with pytest.raises(CertificateRejected):  # the configuration does not know it
                decision.resolve()
            return
    assert pair.client.handshake_complete
    assert pair.server.handshake_complete


@pytest.mark.parametrize("victim", ["client", "server"])
def test_who_believes_raw_keys_alone_believes_no_certificate_of_tls_1_2(victim: str) -> None:
    old = {"min_version": TLS1_2, "groups": [NamedGroup.x25519, NamedGroup.secp256r1]}
    believes: dict[str, Any] = {**old, "trust": None, "trusted_raw_keys": [raw().public_key]}
    if victim == "client":
        mine, theirs = client_config(**believes), server_config(**old, max_version=TLS1_2)
    else:
        mine = client_config(**old, max_version=TLS1_2, identity=client_identity())
        theirs = server_config(**believes, client_auth=ClientAuth.REQUIRED)
    pair = Pair(mine, theirs).run()
    assert pair.errors["server"].code == "no-common-version"
    assert not pair.client.handshake_complete
    # And so does whoever must not be asked for TLS 1.3 at all.
    with pytest.raises(ConfigError, match="need TLS"):
        (mine if victim == "client" else theirs).replace(max_version=TLS1_2)


@pytest.mark.parametrize("victim", ["client", "server"])
def test_what_can_not_be_judged_is_not_believed(victim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where the version did get agreed: the verdict has no way round."""
    for one in (ClientConfig, ServerConfig):
        monkeypatch.setattr(one, "_may_speak", lambda self, version: True)
    old = {"min_version": TLS1_2, "max_version": TLS1_2, "groups": [NamedGroup.x25519, NamedGroup.secp256r1]}
    believes: dict[str, Any] = {**old, "trust": None, "trusted_raw_keys": [raw().public_key]}
    if victim == "client":
        pair = Pair(client_config(**believes), server_config(**old)).run()
    else:
        asking = server_config(**believes, client_auth=ClientAuth.REQUIRED)
        pair = Pair(client_config(**old, identity=client_identity()), asking).run()
    assert pair.errors[victim].code == "unoffered-certificate-type"


def test_a_type_that_was_not_offered_is_refused() -> None:
    def rewrite(message: Any) -> Any:
        if isinstance(message, EncryptedExtensions):
            message.extensions = message.extensions.with_(x.CLIENT_CERTIFICATE_TYPE(CertificateType.X509))
        return message

    mine, theirs = raw_friends()
    pair = Pair(mine, theirs.replace(rewrite=rewrite)).run()
    assert pair.errors["client"].code == "unoffered-certificate-type"


# GREASE (RFC 8701)


@pytest.mark.parametrize("version", BOTH, ids=["TLS 1.3", "TLS 1.2"])
def test_reserved_values_are_sent_and_minded_by_nobody(version: dict[str, Any]) -> None:
    trace = Trace()
    settings = {"min_version": TLS1_2, **version}
    Pair(client_config(grease=True, **settings), server_config(**settings), client_trace=trace).done()
    hello = ClientHello.decode(trace.of(Message)[0].raw[4:])
    assert is_grease(hello.cipher_suites[0])
    kinds = hello.extensions.types
    assert is_grease(kinds[0])
    assert is_grease(kinds[-1])
    assert is_grease(hello.extensions.get(x.SUPPORTED_GROUPS)[0])


# SCTs (RFC 6962)


def test_scts_are_carried_to_who_asked() -> None:
    server = server_config(identities=[server_identity().with_signed_certificate_timestamps(b"first", b"second")])
    asked = Pair(client_config(signed_certificate_timestamps=True), server).done()
    assert asked.client.facts.signed_certificate_timestamps == (b"first", b"second")
    silent = Pair(client_config(), server).done()
    assert silent.client.facts.signed_certificate_timestamps == ()


# Channel bindings (RFC 5929, RFC 9266)


@pytest.mark.parametrize("version", BOTH, ids=["TLS 1.3", "TLS 1.2"])
def test_channel_bindings_agree(version: dict[str, Any]) -> None:
    settings = {"min_version": TLS1_2, **version}
    pair = Pair(client_config(**settings), server_config(**settings)).done()
    kinds = ["tls-exporter", "tls-server-end-point"] + (["tls-unique"] if version else [])
    for kind in kinds:
        assert pair.client.channel_binding(kind) == pair.server.channel_binding(kind)
    assert len(pair.client.channel_binding("tls-exporter")) == 32
    with pytest.raises(Misuse):
        pair.client.channel_binding("tls-nothing")
    if not version:
        with pytest.raises(Misuse, match="tls-exporter"):
            pair.client.channel_binding("tls-unique")
