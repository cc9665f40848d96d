"""Every row of ``violations.py`` provoked: the victim names the row, and the peer is told with the row's alert.

``lie`` has one side of a real handshake change what it says (``rewrite``); a ``Puppet`` says things that no honest
stack would send at all. Rows of TLS 1.2 and of extensions are provoked beside the tests of those; one test holds all to
the table.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from certificates import client_identity, root, server_identity, signing
from certificates import der as der_of
from cryptography.hazmat.primitives.asymmetric import rsa, x25519
from memory import Pair, client_config, server_config
from puppet import Puppet, plain, record
from samples import MESSAGES
from scenarios import MUTUAL, PLAIN, recorded

from tlscope import (
    AlertDescription,
    AlertReceived,
    CipherSuite,
    ClientAuth,
    Identity,
    Limits,
    NamedGroup,
    PeerViolation,
    ProtocolVersion,
    SignatureScheme,
    VerifyPeer,
    violations,
)
from tlscope.external_psk import ExternalPsk
from tlscope.record.protection import Protection13
from tlscope.sessions import MemorySessionCache, TicketKeys
from tlscope.violations import ROWS
from tlscope.wire import extensions as x
from tlscope.wire import handshake as m
from tlscope.wire.codepoints import CertificateCompressionAlgorithm, ContentType
from tlscope.wire.codepoints import ExtensionType as E
from tlscope.wire.extensions import Extensions, KeyShareEntry, OfferedPsks

TESTS = Path(__file__).parents[1]

X25519, P256, P384 = NamedGroup.x25519, NamedGroup.secp256r1, NamedGroup.secp384r1
GCM, CHACHA = CipherSuite.TLS_AES_128_GCM_SHA256, CipherSuite.TLS_CHACHA20_POLY1305_SHA256
ECDSA = SignatureScheme.ecdsa_secp256r1_sha256
RETRY_CLIENT: dict[str, Any] = {"groups": (X25519, P256), "key_shares": (X25519,)}
RETRY_SERVER: dict[str, Any] = {"groups": (P256,)}
TLS12: dict[str, Any] = {"min_version": ProtocolVersion.TLS1_2, "max_version": ProtocolVersion.TLS1_2}
ASKED: dict[str, Any] = {"client_auth": ClientAuth.REQUIRED}


@dataclass
class Outcome:
    """What became of it: the victim's error, and what the liar was told."""

    error: Exception | None
    alert: AlertDescription | None
    complete: bool = False


PROVOCATIONS: list[tuple[str, str, Callable[[], Outcome]]] = []


def provokes(code: str) -> Callable[[Callable[[], Outcome]], Callable[[], Outcome]]:
    """Register a way to break the rule of one row."""

    def register(provoke: Callable[[], Outcome]) -> Callable[[], Outcome]:
        PROVOCATIONS.append((code, provoke.__name__, provoke))
        return provoke

    return register


def lie(
    role: str,
    change: Callable[[Any], Any],
    client: dict[str, Any] | None = None,
    server: dict[str, Any] | None = None,
    **pair: Any,
) -> Outcome:
    """One side tells a lie in a handshake that would go well."""
    client, server = dict(client or {}), dict(server or {})
    (client if role == "client" else server)["rewrite"] = change
    both = Pair(client_config(**client), server_config(**server), **pair).run()
    victim, liar = ("server", "client") if role == "client" else ("client", "server")
    told = both.errors.get(liar)
    return Outcome(
        both.errors.get(victim),
        told.description if isinstance(told, AlertReceived) else None,
        # A server may find fault with the client's last words only after the client is done.
        both.side(victim).handshake_complete,
    )


def played(puppet: Puppet) -> Outcome:
    return Outcome(puppet.error, puppet.alert)


def in_message(cls: type, change: Callable[[Any], Any], nth: int = 0) -> Callable[[Any], Any]:
    """A ``rewrite`` that changes the nth message of a class."""
    seen = 0

    def rewrite(message: Any) -> Any:
        nonlocal seen
        if type(message) is not cls:
            return message
        seen += 1
        return change(message) if seen == nth + 1 else message

    return rewrite


def with_extensions(cls: type, *items: tuple[int, bytes], nth: int = 0) -> Callable[[Any], Any]:
    return in_message(cls, lambda said: replace(said, extensions=said.extensions.with_(*items)), nth)


def without_extensions(cls: type, *kinds: int, nth: int = 0) -> Callable[[Any], Any]:
    return in_message(cls, lambda said: replace(said, extensions=said.extensions.without(*kinds)), nth)


# Order and alignment


@provokes("unexpected-message")
def finished_before_its_time() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell(1)
    puppet.say(MESSAGES["Finished"])
    return played(puppet)


@provokes("unexpected-record")
def a_record_type_that_tls_does_not_have() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell(1)
    puppet.deliver(plain(24, b"heartbeat"))
    return played(puppet)


@provokes("message-across-key-change")
def a_byte_behind_the_server_hello() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.deliver(puppet.next_record(lambda raw: raw + b"\x08"))
    return played(puppet)


@provokes("excess-handshake-data")
def a_byte_behind_the_hello() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "server")
    puppet.deliver(puppet.next_record(lambda raw: raw + b"\x10"))
    return played(puppet)


@provokes("interleaved-record")
def data_in_the_middle_of_a_message() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell_all()
    puppet.say(MESSAGES["KeyUpdate"][:3])
    puppet.say(b"data", ContentType.application_data)
    return played(puppet)


@provokes("too-much-buffered")
def a_flood_while_a_decision_is_awaited() -> Outcome:
    """The client's certificate is being judged elsewhere, and the client does not stop talking."""
    server = server_config(**ASKED, ask=frozenset({VerifyPeer}), limits=Limits(max_buffered=5000))
    pair = Pair(client_config(identity=client_identity()), server).run()
    assert pair.client.handshake_complete
    for _ in range(10):
        pair.client.send_data(bytes(1000))
        pair.move("client")
    pair.move("server")
    told = pair.errors.get("client")
    return Outcome(pair.errors.get("server"), told.description if isinstance(told, AlertReceived) else None)


@provokes("empty-handshake-record")
def a_handshake_record_of_nothing() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "server")
    puppet.say(b"")
    return played(puppet)


@provokes("early-application-data")
def data_before_finished() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "server")
    puppet.tell(1)
    puppet.use("handshake")
    puppet.say(b"data", ContentType.application_data)
    return played(puppet)


@provokes("bad-change-cipher-spec")
def a_change_cipher_spec_of_two() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.deliver(plain(20, b"\2"))
    return played(puppet)


@provokes("bad-change-cipher-spec")
def a_change_cipher_spec_after_the_handshake() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell_all()
    puppet.deliver(plain(20, b"\1"))
    return played(puppet)


# Bounds


def bounded(victim: str, **limits: int) -> Puppet:
    """A puppet whose victim has other limits; what is said is as in the plain recording."""
    puppet = Puppet(recorded(MUTUAL), victim)
    config = puppet.victim.config.replace(limits=Limits(**limits))
    config.randomness.again()
    return Puppet(recorded(MUTUAL), victim, type(puppet.victim)(config, *["localhost"] * (victim == "client")))


@provokes("record-too-long")
def a_record_that_announces_too_much() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "server")
    puppet.deliver(b"\x16\3\1\x40\1")
    return played(puppet)


@provokes("handshake-too-big")
def a_message_that_announces_too_much() -> Outcome:
    puppet = bounded("client", max_handshake_message=400)
    puppet.tell_until("Certificate")
    puppet.say(b"\x0b\0\1\x91")
    return played(puppet)


@provokes("handshake-too-long")
def too_many_messages() -> Outcome:
    puppet = bounded("client", max_handshake_bytes=500)
    puppet.tell_until("CertificateVerify")
    return played(puppet)


@provokes("too-many-empty-records")
def nothing_but_empty_records() -> Outcome:
    puppet = bounded("server", max_empty_records=5)
    puppet.tell_all()
    for _ in range(5):
        puppet.say(b"", ContentType.application_data)
    assert puppet.error is None
    puppet.say(b"", ContentType.application_data)
    return played(puppet)


@provokes("too-many-warnings")
def user_canceled_again_and_again() -> Outcome:
    puppet = bounded("client", max_warning_alerts=3)
    puppet.tell_all()
    for _ in range(3):
        puppet.say(bytes((1, AlertDescription.user_canceled)), ContentType.alert)
    assert puppet.error is None
    puppet.say(bytes((1, AlertDescription.user_canceled)), ContentType.alert)
    return played(puppet)


@provokes("too-many-change-cipher-specs")
def nothing_but_change_cipher_specs() -> Outcome:
    puppet = bounded("server", max_change_cipher_specs=5)
    puppet.tell(1)
    for _ in range(5):
        puppet.deliver(plain(20, b"\1"))
    assert puppet.error is None
    puppet.deliver(plain(20, b"\1"))
    return played(puppet)


@provokes("too-many-key-updates")
def nothing_but_key_updates() -> Outcome:
    pair = Pair(client_config(limits=Limits(max_key_updates=4)), server_config()).done()
    for _ in range(5):
        assert "client" not in pair.errors
        pair.server.update_keys()
        pair.move("server")
    pair.move("client")
    told = pair.errors.get("server")
    return Outcome(pair.errors.get("client"), told.description if isinstance(told, AlertReceived) else None)


@provokes("too-many-tickets")
def one_ticket_too_many() -> Outcome:
    puppet = bounded("client", max_tickets=3)
    puppet.tell_all()
    for _ in range(3):
        puppet.say(MESSAGES["NewSessionTicket"])
    assert puppet.error is None
    puppet.say(MESSAGES["NewSessionTicket"])
    return played(puppet)


@provokes("chain-too-long")
def a_chain_of_three() -> Outcome:
    def thrice(said: m.Certificate) -> m.Certificate:
        return replace(said, certificate_list=said.certificate_list * 3)

    return lie("server", in_message(m.Certificate, thrice), {"limits": Limits(max_certificates=2)})


# Form


@provokes("malformed")
def encrypted_extensions_that_end_too_early() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell(2)
    puppet.say(m.frame(8, b"\0\5\0"))
    return played(puppet)


@provokes("illegal-value")
def a_key_update_that_asks_for_something_else() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "server")
    puppet.tell_all()
    puppet.say(m.frame(24, b"\2"))
    return played(puppet)


for _code, _kind in (("malformed", 0x1234), ("illegal-value", E.server_name)):

    @provokes(_code)
    def an_extension_twice(kind: int = _kind) -> Outcome:
        puppet = Puppet(recorded(PLAIN), "client")
        puppet.tell(2)
        puppet.say(m.frame(8, b"\0\x08" + (kind.to_bytes(2, "big") + b"\0\0") * 2))
        return played(puppet)


@provokes("malformed")
def an_extension_twice_in_a_compressed_certificate() -> Outcome:
    leaf = server_identity().chain[0]
    entries = len(leaf).to_bytes(3, "big") + leaf + b"\0\x08" + b"\x12\x34\0\0" * 2
    body = b"\0" + len(entries).to_bytes(3, "big") + entries
    return compressed(ZLIB, len(body), zlib.compress(body))


@provokes("malformed")
def a_compressed_certificate_that_ends_too_early() -> Outcome:
    return compressed(ZLIB, 4, zlib.compress(b"\0\0\0\5"))


@provokes("bad-record-version")
def a_record_of_another_protocol() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell(1)
    puppet.deliver(b"\x16\2\0\0\1\0")
    return played(puppet)


@provokes("bad-record-version")
def another_version_under_keys() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell(2)
    data = puppet.next_record()
    puppet.deliver(data[:2] + b"\xff" + data[3:])
    return played(puppet)


@provokes("not-tls")
def something_else_than_tls() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.deliver(b"SSH-2.0-OpenSSH_9.9\r\n")
    return played(puppet)


@provokes("old-peer")
def an_sslv2_hello() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "server")
    puppet.deliver(b"\x80\x2e\1\3\1\0\x15\0\0\0\x10")
    return played(puppet)


@provokes("malformed-alert")
def half_an_alert() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "server")
    puppet.tell_all()
    puppet.say(b"\2", ContentType.alert)
    return played(puppet)


# Protection


@provokes("tampered")
def a_changed_tag() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "server")
    puppet.tell_until("Finished")
    data = puppet.next_record()
    puppet.deliver(data[:-1] + bytes((data[-1] ^ 1,)))
    return played(puppet)


@provokes("no-content-type")
def nothing_but_padding() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell_all()
    puppet.say(b"", 0)
    return played(puppet)


@provokes("bad-alert-level")
def an_alert_neither_warning_nor_fatal() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell_all()
    puppet.say(bytes((0x42, AlertDescription.unexpected_message)), ContentType.alert)
    return played(puppet)


@provokes("unprotected-record")
def a_plain_message_under_keys() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell(2)
    puppet.deliver(plain(22, MESSAGES["EncryptedExtensions"]))
    return played(puppet)


@provokes("false-outer-type")
def a_false_label() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell(2)
    keys, inner = puppet.write, MESSAGES["EncryptedExtensions"] + b"\x16"
    assert isinstance(keys, Protection13)
    header = plain(22, bytes(len(inner) + 16))[:5]
    nonce = (keys._iv ^ keys.sequence).to_bytes(12, "big")
    puppet.deliver(header + keys._aead.encrypt(nonce, inner, header))
    return played(puppet)


@provokes("too-much-skipped-early-data")
def more_refused_early_data_than_is_passed_over() -> Outcome:
    hello = with_extensions(m.ClientHello, x.EARLY_DATA(True))
    recording = record({"rewrite": hello}, {"limits": Limits(max_skipped_early_data=100)})
    puppet = Puppet(recording, "server")
    puppet.tell(1)
    puppet.deliver(plain(23, bytes(90)))
    assert puppet.error is None
    puppet.deliver(plain(23, bytes(20)))
    return played(puppet)


# Hellos


@provokes("no-null-compression")
def a_hello_that_would_compress() -> Outcome:
    return lie("client", in_message(m.ClientHello, lambda said: replace(said, compression_methods=b"\1\0")))


for _kind in (E.supported_groups, E.key_share, E.signature_algorithms):

    @provokes("missing-extension")
    def a_hello_that_lacks_something(kind: int = _kind) -> Outcome:
        return lie("client", without_extensions(m.ClientHello, kind))


@provokes("missing-extension")
def a_server_hello_without_a_key_share() -> Outcome:
    return lie("server", without_extensions(m.ServerHello, E.key_share))


@provokes("missing-extension")
def a_hello_retry_request_without_a_version() -> Outcome:
    # Where TLS 1.2 is spoken too, a ServerHello without the extension would be one of TLS 1.2.
    change = without_extensions(m.HelloRetryRequest, E.supported_versions)
    outcome = lie("server", change, {**RETRY_CLIENT, "min_version": ProtocolVersion.TLS1_2}, RETRY_SERVER)
    assert outcome.error is not None
    return outcome


@provokes("missing-extension")
def a_certificate_request_without_algorithms() -> Outcome:
    return lie(
        "server",
        in_message(m.CertificateRequest, lambda said: replace(said, extensions=Extensions())),
        {"identity": client_identity()},
        ASKED,
    )


@provokes("unsolicited-extension")
def a_protocol_that_nobody_asked_for() -> Outcome:
    return lie("server", with_extensions(m.EncryptedExtensions, x.ALPN_CHOICE(b"h2")))


@provokes("unsolicited-extension")
def an_unknown_answer() -> Outcome:
    return lie("server", with_extensions(m.ServerHello, (0x7777, b"")))


@provokes("unsolicited-extension")
def a_staple_that_nobody_asked_for() -> Outcome:
    def staple(said: m.Certificate) -> m.Certificate:
        entry = m.CertificateEntry(said.chain[0], Extensions([x.CERTIFICATE_STATUS(b"response")]))
        return replace(said, certificate_list=(entry,))

    return lie("server", in_message(m.Certificate, staple), {"ocsp_stapling": False})


@provokes("unsolicited-extension")
def a_client_that_staples() -> Outcome:
    def staple(said: m.Certificate) -> m.Certificate:
        entry = m.CertificateEntry(said.chain[0], Extensions([x.CERTIFICATE_STATUS(b"response")]))
        return replace(said, certificate_list=(entry,))

    return lie("client", in_message(m.Certificate, staple), {"identity": client_identity()}, ASKED)


@provokes("misplaced-extension")
def a_protocol_in_the_server_hello() -> Outcome:
    return lie("server", with_extensions(m.ServerHello, x.ALPN_CHOICE(b"h2")), {"alpn": ("h2",)}, {"alpn": ("h2",)})


@provokes("misplaced-answer")
def a_key_share_in_encrypted_extensions() -> Outcome:
    return lie("server", with_extensions(m.EncryptedExtensions, (E.key_share, b"\0\x1d")))


@provokes("unsolicited-extension")
def a_cookie_in_encrypted_extensions() -> Outcome:
    return lie("server", with_extensions(m.EncryptedExtensions, (E.cookie, b"\0\1\0")))


@provokes("misplaced-extension")
def oid_filters_in_a_client_hello() -> Outcome:
    return lie("client", with_extensions(m.ClientHello, (E.oid_filters, b"\0\0")))


@provokes("misplaced-extension")
def a_server_name_in_a_certificate_request() -> Outcome:
    return lie("server", with_extensions(m.CertificateRequest, (E.server_name, b"")), None, ASKED)


@provokes("misplaced-extension")
def a_key_share_in_a_ticket() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell_all()
    puppet.say(m.NewSessionTicket(60, 7, b"\0", b"ticket", Extensions([(E.key_share, b"\0\x1d")])).encode())
    return played(puppet)


for _version in (ProtocolVersion.of(0x0305), ProtocolVersion.TLS1_1, ProtocolVersion.of(0x7F1C)):

    @provokes("unoffered-version")
    def a_version_that_was_not_offered(version: ProtocolVersion = _version) -> Outcome:
        return lie("server", with_extensions(m.ServerHello, x.SELECTED_VERSION(version)))


@provokes("unoffered-version")
def a_hello_retry_request_of_tls_1_2() -> Outcome:
    change = with_extensions(m.HelloRetryRequest, x.SELECTED_VERSION(ProtocolVersion.TLS1_2))
    return lie("server", change, {**RETRY_CLIENT, "min_version": ProtocolVersion.TLS1_2}, RETRY_SERVER)


for _suite in (CipherSuite.TLS_AES_256_GCM_SHA384, CipherSuite.of(0x1399)):

    @provokes("unoffered-cipher-suite")
    def a_suite_that_was_not_offered(suite: CipherSuite = _suite) -> Outcome:
        change = in_message(m.ServerHello, lambda said: replace(said, cipher_suite=suite))
        return lie("server", change, {"cipher_suites": (GCM,)})


@provokes("unoffered-cipher-suite")
def a_suite_of_tls_1_2() -> Outcome:
    suite = CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    change = in_message(m.ServerHello, lambda said: replace(said, cipher_suite=suite))
    return lie("server", change, {"min_version": ProtocolVersion.TLS1_2})


@provokes("changed-cipher-suite")
def another_suite_after_the_retry() -> Outcome:
    change = in_message(m.ServerHello, lambda said: replace(said, cipher_suite=CHACHA))
    return lie("server", change, {**RETRY_CLIENT, "cipher_suites": (GCM, CHACHA)}, RETRY_SERVER)


for _version in (ProtocolVersion.TLS1_2, ProtocolVersion.of(0x0305)):

    @provokes("changed-version")
    def another_version_after_the_retry(version: ProtocolVersion = _version) -> Outcome:
        change = with_extensions(m.ServerHello, x.SELECTED_VERSION(version))
        return lie("server", change, RETRY_CLIENT, RETRY_SERVER)


@provokes("changed-version")
def no_version_after_the_retry() -> Outcome:
    change = without_extensions(m.ServerHello, E.supported_versions)
    return lie("server", change, RETRY_CLIENT, RETRY_SERVER)


for _message in (m.ServerHello, m.HelloRetryRequest):

    @provokes("bad-session-id-echo")
    def another_session_id(cls: type = _message) -> Outcome:
        change = in_message(cls, lambda said: replace(said, session_id=b"other"))
        return lie("server", change, RETRY_CLIENT, RETRY_SERVER)

    @provokes("malformed")
    def a_compression_method(cls: type = _message) -> Outcome:
        change = in_message(cls, lambda said: replace(said, compression_method=1))
        return lie("server", change, RETRY_CLIENT, RETRY_SERVER)

    @provokes("bad-legacy-version")
    def a_legacy_version(cls: type = _message) -> Outcome:
        change = in_message(cls, lambda said: replace(said, legacy_version=ProtocolVersion.TLS1_3))
        return lie("server", change, RETRY_CLIENT, RETRY_SERVER)


@provokes("bad-compression-method")
def a_compression_method_in_tls12() -> Outcome:
    change = in_message(m.ServerHello, lambda said: replace(said, compression_method=1))
    return lie("server", change, {**TLS12, "groups": (X25519, P256)}, TLS12)


@provokes("certificate-on-unoffered-curve")
def a_key_on_a_curve_that_was_not_offered() -> Outcome:
    # An honest server shows no such certificate, so the client forgets what it has offered.
    forgetful = with_extensions(m.ClientHello, x.SUPPORTED_GROUPS((X25519, P256)))
    both = Pair(client_config(**TLS12, groups=(X25519,), rewrite=forgetful), server_config(**TLS12)).run()
    told = both.errors["server"]
    assert isinstance(told, AlertReceived)
    return Outcome(both.errors["client"], told.description)


@provokes("unoffered-key-share")
def a_share_of_another_group() -> Outcome:
    share = x.SERVER_KEY_SHARE(KeyShareEntry(P256, b"\4" + bytes(64)))
    return lie("server", with_extensions(m.ServerHello, share), {"groups": (X25519, P256)})


for _bytes in (bytes(32), bytes(31), b"\1" + bytes(31)):

    @provokes("bad-key-share")
    def a_bad_server_share(key: bytes = _bytes) -> Outcome:
        return lie("server", with_extensions(m.ServerHello, x.SERVER_KEY_SHARE(KeyShareEntry(X25519, key))))

    @provokes("bad-key-share")
    def a_bad_client_share(key: bytes = _bytes) -> Outcome:
        return lie("client", with_extensions(m.ClientHello, x.KEY_SHARES((KeyShareEntry(X25519, key),))))


@provokes("duplicate-key-share")
def two_shares_of_one_group() -> Outcome:
    share = KeyShareEntry(X25519, b"\x09" + bytes(31))
    return lie("client", with_extensions(m.ClientHello, x.KEY_SHARES((share, share))))


@provokes("key-share-outside-groups")
def a_share_of_a_group_that_is_not_listed() -> Outcome:
    shares = (KeyShareEntry(X25519, b"\x09" + bytes(31)), KeyShareEntry(P256, b"\4" + bytes(64)))
    return lie("client", with_extensions(m.ClientHello, x.KEY_SHARES(shares)))


@provokes("inappropriate-fallback")
def a_needless_fallback() -> Outcome:
    # RFC 7507: the client says that this is a second try with an older version, and the server could do better.
    return lie(
        "client",
        lambda said: said,
        {"min_version": ProtocolVersion.TLS1_2, "max_version": ProtocolVersion.TLS1_2, "fallback": True},
        {"min_version": ProtocolVersion.TLS1_2},
    )


# HelloRetryRequest


@provokes("second-hello-retry-request")
def another_hello_retry_request() -> Outcome:
    puppet = Puppet(recorded("one-way; group; middlebox; no protocol"), "client")
    puppet.tell(1)
    puppet.say(puppet.honest[0].raw)
    return played(puppet)


@provokes("pointless-hello-retry-request")
def a_hello_retry_request_that_asks_for_nothing() -> Outcome:
    return lie("server", without_extensions(m.HelloRetryRequest, E.key_share), RETRY_CLIENT, RETRY_SERVER)


for _group in (X25519, P384):

    @provokes("retry-with-bad-group")
    def a_group_that_makes_no_sense(group: NamedGroup = _group) -> Outcome:
        return lie("server", with_extensions(m.HelloRetryRequest, x.SELECTED_GROUP(group)), RETRY_CLIENT, RETRY_SERVER)


@provokes("ignored-hello-retry-request")
def the_same_share_again() -> Outcome:
    share = x.KEY_SHARES((KeyShareEntry(X25519, b"\x09" + bytes(31)),))
    return lie("client", with_extensions(m.ClientHello, share, nth=1), RETRY_CLIENT, RETRY_SERVER)


@provokes("ignored-hello-retry-request")
def one_share_more_than_was_asked_for() -> Outcome:
    def more(said: m.ClientHello) -> m.ClientHello:
        shares = said.extensions.get(x.KEY_SHARES) or ()
        both = x.KEY_SHARES((*shares, KeyShareEntry(X25519, b"\x09" + bytes(31))))
        return replace(said, extensions=said.extensions.with_(both))

    return lie("client", in_message(m.ClientHello, more, 1), RETRY_CLIENT, RETRY_SERVER)


_CHANGES: dict[str, Callable[[m.ClientHello], m.ClientHello]] = {
    "random": lambda said: replace(said, random=bytes(32)),
    "session_id": lambda said: replace(said, session_id=bytes(32)),
    "cipher_suites": lambda said: replace(said, cipher_suites=(*said.cipher_suites, CHACHA)),
    "legacy_version": lambda said: replace(said, legacy_version=ProtocolVersion.TLS1_1),
    "one extension less": lambda said: replace(said, extensions=said.extensions.without(E.signature_algorithms_cert)),
    "one extension more": lambda said: replace(said, extensions=said.extensions.with_((0x7777, b""))),
    "another extension": lambda said: replace(said, extensions=said.extensions.with_(x.SUPPORTED_GROUPS((P256,)))),
}
for _change in _CHANGES.values():

    @provokes("changed-client-hello")
    def a_second_hello_that_differs(change: Callable[[m.ClientHello], m.ClientHello] = _change) -> Outcome:
        return lie("client", in_message(m.ClientHello, change, 1), RETRY_CLIENT, RETRY_SERVER)


@provokes("changed-client-hello")
def another_share_where_none_was_asked_for() -> Outcome:
    share = x.KEY_SHARES((KeyShareEntry(X25519, b"\x09" + bytes(31)),))
    return lie("client", with_extensions(m.ClientHello, share, nth=1), None, {"hello_retry_cookie": True})


@provokes("bad-cookie")
def another_cookie() -> Outcome:
    return lie("client", with_extensions(m.ClientHello, x.COOKIE(bytes(32)), nth=1), None, {"hello_retry_cookie": True})


@provokes("bad-cookie")
def no_cookie() -> Outcome:
    return lie("client", without_extensions(m.ClientHello, E.cookie, nth=1), None, {"hello_retry_cookie": True})


@provokes("bad-cookie")
def a_cookie_from_nowhere() -> Outcome:
    return lie("client", with_extensions(m.ClientHello, x.COOKIE(b"crumb"), nth=1), RETRY_CLIENT, RETRY_SERVER)


# Pre-shared keys and early data

PSK = ExternalPsk(b"name", b"a secret of 16 or more bytes")


@provokes("bad-selected-psk")
def a_psk_that_was_not_offered() -> Outcome:
    change = with_extensions(m.ServerHello, x.SELECTED_PSK(3))
    return lie("server", change, {"external_psks": (PSK,)}, {"external_psks": (PSK,)})


@provokes("bad-binder")
def a_binder_that_does_not_fit() -> Outcome:
    def forge(said: m.ClientHello) -> m.ClientHello:
        offered = said.extensions.get(x.PRE_SHARED_KEYS)
        assert offered is not None
        forged = OfferedPsks(offered.identities, (bytes(32),) * len(offered.binders))
        return replace(said, extensions=said.extensions.with_(x.PRE_SHARED_KEYS(forged)))

    return lie("client", in_message(m.ClientHello, forge), {"external_psks": (PSK,)}, {"external_psks": (PSK,)})


def with_session(**server: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings under which a first handshake has left a ticket."""
    cache, keys = MemorySessionCache(), TicketKeys()
    client = {"sessions": cache, "early_data": True}
    server = {"tickets": keys, **server}
    Pair(client_config(**client), server_config(**server)).done()
    return client, server


@provokes("too-much-early-data")
def more_early_data_than_the_ticket_allows() -> Outcome:
    client, server = with_session(max_early_data=100)
    pair = Pair(client_config(**client), server_config(**server)).start()
    early = pair.client._handshake.early_data
    assert early is not None
    early.limit = 1000
    pair.client.send_early_data(bytes(101))
    pair.run()
    told = pair.errors.get("client")
    return Outcome(pair.errors.get("server"), told.description if isinstance(told, AlertReceived) else None)


@provokes("unwanted-early-data-answer")
def early_data_accepted_for_another_protocol() -> Outcome:
    client, server = with_session(max_early_data=100)
    return lie(
        "server", with_extensions(m.EncryptedExtensions, x.ALPN_CHOICE(b"h2")), {**client, "alpn": ("h2",)}, server
    )


def test_early_data_is_not_accepted_without_its_psk() -> None:
    client, server = with_session(max_early_data=100)
    # The server has other ticket keys, so it does not know the session. It passes over what the client says under the
    # early keys, its alert too, so here the client alone knows.
    server["tickets"] = TicketKeys()
    outcome = lie("server", with_extensions(m.EncryptedExtensions, x.EARLY_DATA(True)), client, server)
    assert isinstance(outcome.error, PeerViolation)
    assert outcome.error.code == "unwanted-early-data-answer"
    assert not outcome.complete


# Records and compression


@provokes("bad-record-size-limit")
def a_limit_that_is_too_small() -> Outcome:
    return lie("client", with_extensions(m.ClientHello, x.RECORD_SIZE_LIMIT(63)))


ZLIB = CertificateCompressionAlgorithm.zlib


def compressed(algorithm: CertificateCompressionAlgorithm, length: int, data: bytes) -> Outcome:
    change = in_message(m.Certificate, lambda _: m.CompressedCertificate(algorithm, length, data))
    return lie("server", change, {"certificate_compression": (ZLIB,)})


@provokes("unoffered-compression")
def a_compression_that_was_not_offered() -> Outcome:
    return compressed(CertificateCompressionAlgorithm.brotli, 10, b"data")


for _length in (10, 1 << 20):

    @provokes("bad-compressed-certificate")
    def a_certificate_that_does_not_expand(length: int = _length) -> Outcome:
        return compressed(ZLIB, length, b"no zlib data")


# Authentication


@provokes("unoffered-signature-scheme")
def a_scheme_that_was_not_offered() -> Outcome:
    change = in_message(m.CertificateVerify, lambda said: replace(said, algorithm=SignatureScheme.of(0x0999)))
    return lie("server", change)


for _scheme in (SignatureScheme.rsa_pkcs1_sha256, SignatureScheme.ecdsa_sha1):

    @provokes("unoffered-signature-scheme")
    def a_scheme_for_certificates_alone(scheme: SignatureScheme = _scheme) -> Outcome:
        change = in_message(m.CertificateVerify, lambda said: replace(said, algorithm=scheme))
        return lie("client", change, {"identity": client_identity()}, ASKED)


for _scheme in (SignatureScheme.rsa_pss_rsae_sha256, SignatureScheme.ecdsa_secp384r1_sha384, SignatureScheme.ed25519):

    @provokes("scheme-does-not-fit-key")
    def a_scheme_of_another_key(scheme: SignatureScheme = _scheme) -> Outcome:
        return lie("server", in_message(m.CertificateVerify, lambda said: replace(said, algorithm=scheme)))


@provokes("bad-certificate-verify")
def an_empty_signature() -> Outcome:
    return lie("server", in_message(m.CertificateVerify, lambda said: replace(said, signature=b"")))


@provokes("bad-certificate-verify")
def another_keys_signature() -> Outcome:
    thief = Identity.with_signer(server_identity().chain, signing(99), [ECDSA])
    return lie("server", lambda said: said, None, {"identities": [thief]})


@provokes("bad-certificate-verify")
def a_client_with_another_keys_signature() -> Outcome:
    thief = Identity.with_signer(client_identity().chain, signing(99), [ECDSA])
    return lie("client", lambda said: said, {"identity": thief}, ASKED)


for _role in ("client", "server"):

    @provokes("bad-finished")
    def a_finished_of_zeros(role: str = _role) -> Outcome:
        return lie(role, in_message(m.Finished, lambda said: m.Finished(bytes(32))))


@provokes("bad-request-context")
def a_request_with_a_context() -> Outcome:
    change = in_message(m.CertificateRequest, lambda said: replace(said, certificate_request_context=b"a"))
    return lie("server", change, None, ASKED)


for _role in ("client", "server"):

    @provokes("bad-request-context")
    def a_certificate_with_a_context(role: str = _role) -> Outcome:
        change = in_message(m.Certificate, lambda said: replace(said, certificate_request_context=b"a"))
        return lie(role, change, {"identity": client_identity()}, ASKED)


@provokes("empty-server-certificate")
def a_server_without_a_certificate() -> Outcome:
    return lie("server", in_message(m.Certificate, lambda said: m.Certificate(())))


@provokes("no-client-cert")
def a_client_without_a_certificate() -> Outcome:
    return lie("client", lambda said: said, None, ASKED)


@provokes("bad-public-key")
def a_certificate_whose_key_signs_nothing() -> Outcome:
    public = x25519.X25519PrivateKey.from_private_bytes(bytes(31) + b"\1").public_key()
    odd = root().leaf("localhost", 30, public=public)
    identity = Identity.with_signer([der_of(odd)], signing(10), [ECDSA])
    return lie("server", lambda said: said, {"insecure_skip_verification": True}, {"identities": [identity]})


@provokes("unreadable-certificate")
def a_certificate_that_is_none() -> Outcome:
    change = in_message(m.Certificate, lambda said: m.Certificate((m.CertificateEntry(b"not DER"),)))
    return lie("server", change, {"insecure_skip_verification": True})


@provokes("wrong-key-usage")
def a_key_that_may_not_sign() -> Outcome:
    odd = root().leaf("localhost", 33, usage="key_agreement")
    identity = Identity.with_signer([der_of(odd)], signing(33), [ECDSA])
    return lie("server", lambda said: said, {"insecure_skip_verification": True}, {"identities": [identity]})


# ALPN, SNI


@provokes("unoffered-alpn")
def another_protocol() -> Outcome:
    change = with_extensions(m.EncryptedExtensions, x.ALPN_CHOICE(b"smtp"))
    return lie("server", change, {"alpn": ("h2",)}, {"alpn": ("h2",)})


@provokes("unknown-sni")
def another_name() -> Outcome:
    return lie("client", lambda said: said, None, {"require_known_name": True}, server_name="other.example")


# After the handshake


@provokes("unwanted-certificate-request")
def a_certificate_request_after_the_handshake() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell_all()
    puppet.say(MESSAGES["CertificateRequest"])
    return played(puppet)


@provokes("bad-ticket")
def a_ticket_for_more_than_a_week() -> Outcome:
    puppet = Puppet(recorded(PLAIN), "client")
    puppet.tell_all()
    puppet.say(m.NewSessionTicket(7 * 24 * 3600 + 1, 7, b"\0", b"ticket").encode())
    return played(puppet)


# The tests


@pytest.mark.parametrize(
    ("code", "provoke"),
    [
        pytest.param(code, provoke, id=f"{code}: {name} {number}")
        for number, (code, name, provoke) in enumerate(PROVOCATIONS)
    ],
)
def test_a_broken_rule_is_named_and_told(code: str, provoke: Callable[[], Outcome]) -> None:
    outcome = provoke()
    assert isinstance(outcome.error, PeerViolation), outcome.error
    assert outcome.error.code == code
    row = ROWS[code]
    assert outcome.error.violation is row
    assert outcome.error.alert is row.alert
    assert outcome.alert is row.alert
    assert not outcome.complete
    assert outcome.error.step is not None
    # The sentence has all of its evidence, and says it in one line.
    text = str(outcome.error)
    assert "<" not in text, text
    assert "\n" not in text
    assert len(text) < 500


def test_every_row_is_provoked() -> None:
    provoked = {code for code, _, _ in PROVOCATIONS}
    assert provoked <= ROWS.keys()
    names = {row.code: name for name, row in vars(violations).items() if isinstance(row, violations.Violation)}
    assert names.keys() == ROWS.keys()
    tests = "".join(path.read_text("utf-8") for path in TESTS.rglob("test_*.py") if path != Path(__file__))
    nowhere = [code for code in ROWS.keys() - provoked if f'"{code}"' not in tests and f".{names[code]}" not in tests]
    assert nowhere == []


def test_every_row_says_what_it_is() -> None:
    for code, row in ROWS.items():
        assert row.code == code
        assert code == code.lower()
        assert row.rfc.startswith("RFC ")
        assert not row.sentence.endswith(".")


def test_an_rsa_key_is_not_taken_for_a_pss_one() -> None:
    # rsa_pss_pss needs a certificate that says id-RSASSA-PSS (RFC 8446 section 4.2.3).
    key = rsa.generate_private_key(65537, 2048)
    leaf = root().leaf("localhost", 31, public=key.public_key())
    identity = Identity.from_certificates([leaf], key)
    assert Pair(client_config(), server_config(identities=[identity])).done().client.facts is not None
    change = in_message(m.CertificateVerify, lambda said: replace(said, algorithm=SignatureScheme.rsa_pss_pss_sha256))
    outcome = lie("server", change, None, {"identities": [identity]})
    assert isinstance(outcome.error, PeerViolation)
    assert outcome.error.code == "scheme-does-not-fit-key"
