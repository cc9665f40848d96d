"""External pre-shared keys, imported or not, with and without a key exchange (RFC 8446 section 2.2, RFC 9258)."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from memory import Pair, client_config, server_config

from tlscope import (
    DEFAULT_CIPHER_SUITES,
    AlertDescription,
    CipherSuite,
    ClientAuth,
    ConfigError,
    ExternalPsk,
    MemorySessionCache,
    NamedGroup,
    ProtocolVersion,
    TicketKeys,
    external_psk,
)
from tlscope.crypto.hashes import SHA256, SHA384
from tlscope.handshake.psk import Psk, with_psks
from tlscope.keys.transcript import Transcript
from tlscope.wire import extensions as x
from tlscope.wire.codepoints import PskKeyExchangeMode
from tlscope.wire.handshake import ClientHello

SECRET = bytes(range(32))


def psk(**changes: Any) -> ExternalPsk:
    return ExternalPsk(**{"identity": b"device-1", "secret": SECRET, **changes})


@pytest.mark.parametrize(("imported", "alone"), list(product((False, True), (False, True))))
def test_a_key_stands_for_certificates(imported: bool, alone: bool) -> None:
    keys = [psk(imported=imported)]
    pair = Pair(
        client_config(external_psks=keys, psk_without_key_exchange=alone),
        server_config(external_psks=keys, psk_without_key_exchange=alone, identities=()),
    ).done()
    for facts in (pair.client.facts, pair.server.facts):
        assert facts.external_psk is not None
        assert b"device-1" in facts.external_psk
        assert (facts.peer, facts.peer_chain, facts.resumed) == (None, (), False)
        assert facts.group == NamedGroup.x25519, "forward secrecy comes first even where it may be done without"
    pair.client.send_data(b"hello")
    pair.move("client")
    assert pair.events["server"][-1].data == b"hello"


def without(*kinds: int) -> Any:
    """A ``rewrite`` that leaves these extensions out of the ClientHello, whose binders are made anew."""

    def drop(message: Any) -> Any:
        if isinstance(message, ClientHello):
            message.extensions = message.extensions.without(*kinds)
            with_psks(message, Psk.of_external(psk()), Transcript())
        return message

    return drop


@pytest.mark.parametrize("left_out", [x.KEY_SHARES.type, x.SUPPORTED_GROUPS.type])
def test_groups_and_shares_come_together_or_not_at_all(left_out: int) -> None:
    # RFC 8446 section 9.2, with a PSK as without.
    client = client_config(external_psks=[psk()], psk_without_key_exchange=True, rewrite=without(left_out))
    pair = Pair(client, server_config(external_psks=[psk()], psk_without_key_exchange=True)).run()
    error = pair.errors["server"]
    assert (error.code, error.alert) == ("missing-extension", AlertDescription.missing_extension)


def test_psk_alone_needs_both_sides_wish() -> None:
    """A client that offers no group at all: with psk_ke it goes on, without the setting it is refused."""
    keys, drop = [psk()], without(x.KEY_SHARES.type, x.SUPPORTED_GROUPS.type)
    client = client_config(external_psks=keys, psk_without_key_exchange=True, rewrite=drop)
    pair = Pair(client, server_config(external_psks=keys, psk_without_key_exchange=True)).done()
    assert pair.client.facts.group is None
    assert pair.server.facts.group is None
    refused = Pair(client, server_config(external_psks=keys)).run()
    assert refused.errors["server"].code == "missing-extension"


@pytest.mark.parametrize("imported", [False, True])
def test_the_hash_decides_which_suites_it_goes_with(imported: bool) -> None:
    keys = [psk(imported=imported)]
    suite = [CipherSuite.TLS_AES_256_GCM_SHA384]
    pair = Pair(client_config(external_psks=keys), server_config(external_psks=keys, cipher_suites=suite)).run()
    facts = pair.server.facts
    # As it is, it belongs to SHA-256; imported, it has a twin for each hash.
    assert (facts.external_psk is not None) is imported
    assert (facts.identity is None) is imported


@pytest.mark.parametrize("alone", [False, True])
def test_a_known_key_decides_over_the_preferred_suite(alone: bool) -> None:
    """It goes with SHA-256, the server would rather have SHA-384, and may have nothing to show but the key."""
    keys = [psk()]
    suites = [CipherSuite.TLS_AES_256_GCM_SHA384, CipherSuite.TLS_CHACHA20_POLY1305_SHA256]
    more: dict[str, Any] = {"identities": ()} if alone else {}
    pair = Pair(client_config(external_psks=keys), server_config(external_psks=keys, cipher_suites=suites, **more))
    facts = pair.done().client.facts
    assert facts.external_psk == b"device-1"
    assert facts.cipher_suite is CipherSuite.TLS_CHACHA20_POLY1305_SHA256
    # A key that the server does not know has no say.
    others = [psk(identity=b"other")]
    pair = Pair(client_config(external_psks=others), server_config(external_psks=keys, cipher_suites=suites)).done()
    assert pair.client.facts.cipher_suite is CipherSuite.TLS_AES_256_GCM_SHA384


def test_another_secret_under_the_same_name_is_refused() -> None:
    pair = Pair(client_config(external_psks=[psk(secret=bytes(32))]), server_config(external_psks=[psk()])).run()
    assert pair.errors["server"].code == "bad-binder"


def test_an_unknown_name_means_certificates() -> None:
    pair = Pair(client_config(external_psks=[psk(identity=b"other")]), server_config(external_psks=[psk()])).done()
    assert pair.client.facts.external_psk is None
    assert pair.client.facts.peer is not None


def test_a_stranger_has_no_secret_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may have thousands of keys, and who offers eight unknown names must not cost it two HKDFs for each."""
    imported: list[bytes] = []
    real = external_psk._import

    def counted(hash: Any, secret: bytes, identity: bytes, length: int) -> bytes:
        imported.append(identity)
        return real(hash, secret, identity, length)

    monkeypatch.setattr(external_psk, "_import", counted)
    ours = [ExternalPsk(b"known %d" % number, SECRET, imported=True) for number in range(10)]
    config = server_config(external_psks=ours)
    strange = [ExternalPsk(b"strange %d" % number, SECRET) for number in range(8)]
    for _ in range(3):
        Pair(client_config(external_psks=strange), config).done()
    assert len(imported) == 2 * len(ours), "each for its two hashes, once for all connections"
    assert not Pair(client_config(external_psks=ours[-1:]), config).run().errors


def test_an_imported_key_is_not_the_key_itself() -> None:
    pair = Pair(client_config(external_psks=[psk(imported=True)]), server_config(external_psks=[psk()])).done()
    assert pair.client.facts.external_psk is None
    contexts = [psk(imported=True, context=b"a")], [psk(imported=True, context=b"b")]
    pair = Pair(client_config(external_psks=contexts[0]), server_config(external_psks=contexts[1])).done()
    assert pair.client.facts.external_psk is None


def test_the_importers_identity_and_key() -> None:
    """RFC 9258 section 3.1: identity, context, TLS 1.3 and the KDF, each with its length; section 5.1: the key."""
    imported = list(psk(imported=True, context=b"ctx").variants())
    head = b"\x00\x08device-1\x00\x03ctx\x03\x04"
    assert [(identity, hash) for identity, _, hash in imported] == [
        (head + b"\x00\x01", SHA256),
        (head + b"\x00\x02", SHA384),
    ]
    assert [len(secret) for _, secret, _ in imported] == [32, 48]
    assert len({secret for _, secret, _ in imported} | {SECRET}) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"hash": "md5"},
        {"identity": b""},
        {"identity": bytes(0xFF01)},
        {"secret": b"guessme"},
        {"context": b"only imported ones have one"},
    ],
)
def test_keys_that_can_not_work_are_found_when_they_are_made(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        psk(**changes)


def test_the_secret_stays_out_of_sight() -> None:
    assert SECRET.hex() not in repr(psk())
    assert str(SECRET) not in repr(client_config(external_psks=[psk()]))


@pytest.mark.parametrize("theirs", [(), (psk(identity=b"device-2"),)])
def test_a_server_with_nothing_but_a_key_refuses_who_does_not_have_it(theirs: tuple[ExternalPsk, ...]) -> None:
    pair = Pair(client_config(external_psks=theirs), server_config(external_psks=[psk()], identities=())).run()
    error = pair.errors["server"]
    # RFC 8446 appendix E.6: an unknown name is answered as a wrong binder is.
    alert = AlertDescription.decrypt_error if theirs else AlertDescription.unknown_psk_identity
    assert (error.code, error.alert) == ("no-common-psk", alert)
    assert "device-1" in str(error)
    assert all(one.identity.decode() in str(error) for one in theirs)
    explained = " ".join(str(error.explain()).split())
    assert "we accept: device-1" in explained
    assert "give both sides something in common" in explained


def test_a_server_with_nothing_but_a_key_says_where_the_modes_do_not_meet() -> None:
    def alone(message: Any) -> Any:
        if isinstance(message, ClientHello):
            modes = x.PSK_KEY_EXCHANGE_MODES((PskKeyExchangeMode.psk_ke,))
            message.extensions = message.extensions.without(x.PRE_SHARED_KEYS.type).with_(modes)
            with_psks(message, Psk.of_external(psk()), Transcript())
        return message

    mine = client_config(external_psks=[psk()], rewrite=alone)
    error = Pair(mine, server_config(external_psks=[psk()], identities=())).run().errors["server"]
    assert (error.code, error.alert) == ("no-common-psk-mode", AlertDescription.handshake_failure)


def test_a_server_without_a_certificate_speaks_no_tls_1_2() -> None:
    old = {"min_version": ProtocolVersion.TLS1_2, "groups": [NamedGroup.x25519, NamedGroup.secp256r1]}
    theirs = server_config(**old, external_psks=[psk()], identities=())
    error = Pair(client_config(**old, max_version=ProtocolVersion.TLS1_2), theirs).run().errors["server"]
    assert (error.code, error.alert) == ("no-common-version", AlertDescription.protocol_version)
    with pytest.raises(ConfigError, match="in place of certificates"):
        theirs.replace(max_version=ProtocolVersion.TLS1_2)


def test_a_client_may_insist_on_the_key() -> None:
    mine = client_config(external_psks=[psk()], require_external_psk=True, trust=None)
    assert Pair(mine, server_config(external_psks=[psk()])).done().client.facts.external_psk == b"device-1"
    error = Pair(mine, server_config(external_psks=[psk(identity=b"device-2")])).run().errors["client"]
    assert (error.code, error.alert) == ("no-common-psk", AlertDescription.handshake_failure)
    # With TLS 1.2 there is no such key, so it is not offered.
    both = {"min_version": ProtocolVersion.TLS1_2, "cipher_suites": DEFAULT_CIPHER_SUITES}
    assert mine.replace(**both).versions == (ProtocolVersion.TLS1_3,)
    for wrong in (
        {"external_psks": ()},
        {"min_version": ProtocolVersion.TLS1_2, "max_version": ProtocolVersion.TLS1_2},
    ):
        with pytest.raises(ConfigError):
            mine.replace(**{**both, **wrong})


@pytest.mark.parametrize("imported", [False, True])
def test_a_session_begins_and_ends_with_its_key(imported: bool) -> None:
    keys = [psk(imported=imported)]
    mine = client_config(external_psks=keys, sessions=MemorySessionCache())
    theirs = server_config(external_psks=keys, tickets=TicketKeys(), identities=(), client_auth=ClientAuth.REQUIRED)
    facts = []
    for _ in range(3):
        pair = Pair(mine, theirs).done()
        facts.append([(one.facts.resumed, b"device-1" in one.facts.external_psk) for one in (pair.client, pair.server)])
    assert facts == [[(False, True)] * 2, [(True, True)] * 2, [(True, True)] * 2]
    # Another secret under the same name is another key: neither side goes on with the session.
    changed = [psk(imported=imported, secret=bytes(32))]
    pair = Pair(mine, theirs.replace(external_psks=[*changed, psk(identity=b"device-2")])).run()
    assert pair.errors["server"].code == "bad-binder"
    unbound = mine.replace(external_psks=changed)
    pair = Pair(unbound, theirs.replace(external_psks=changed)).done()
    assert not pair.client.facts.resumed


def test_a_key_that_is_looked_up_gives_no_session_that_it_could_not_be_found_by() -> None:
    mine = client_config(external_psks=[psk()], sessions=MemorySessionCache())
    theirs = server_config(find_external_psk=lambda name: psk(), tickets=TicketKeys(), identities=())
    for _ in range(2):
        pair = Pair(mine, theirs).done()
        assert (pair.client.facts.resumed, pair.client.facts.external_psk) == (False, b"device-1")
    assert [type(event).__name__ for event in pair.events["client"]] == ["HandshakeCompleted"], "and no ticket"
    unknown = Pair(client_config(), theirs.replace(find_external_psk=lambda name: None)).run().errors["server"]
    assert unknown.code == "no-common-psk"


def test_a_session_of_a_certificate_is_not_resumed_by_who_insists_on_a_key() -> None:
    mine = client_config(sessions=MemorySessionCache())
    theirs = server_config(tickets=TicketKeys(), external_psks=[psk()])
    Pair(mine, theirs).done()
    insisting = mine.replace(external_psks=[psk()], require_external_psk=True)
    facts = Pair(insisting, theirs).done().client.facts
    assert (facts.resumed, facts.external_psk) == (False, b"device-1")


def test_without_its_key_a_session_says_nothing_about_the_server() -> None:
    mine = client_config(sessions=MemorySessionCache(), external_psks=[psk()])
    theirs = server_config(tickets=TicketKeys(), external_psks=[psk()])
    Pair(mine, theirs).done()
    facts = Pair(mine.replace(external_psks=()), theirs).done().client.facts
    assert not facts.resumed
    assert facts.peer is not None
