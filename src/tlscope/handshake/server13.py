"""The server's side of the TLS 1.3 handshake, in the order of RFC 8446 section 2, figure 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import violations
from ..config import ClientAuth
from ..crypto.cipher_suites import Suite
from ..crypto.groups import GROUPS, InvalidPublicKey
from ..crypto.hashes import equal
from ..errors import PeerViolation
from ..events import ConnectionFacts
from ..keys.schedule13 import EarlySecret, HandshakeSecret, TrafficSecret
from ..wire import extensions as x
from ..wire.codepoints import ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme
from ..wire.extensions import Extensions, KeyShareEntry
from ..wire.handshake import (
    HELLO_RETRY_REQUEST_RANDOM,
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    HelloRetryRequest,
    ServerHello,
)
from . import authenticate, negotiate
from .authenticate import Peer
from .client13 import check_finished
from .established import Established
from .flow import Flow
from .hello import check_answers, check_retried_hello, required

if TYPE_CHECKING:
    from ..config import ServerConfig
    from ..trust.identity import Identity
    from .driver import Handshake

TLS1_3 = ProtocolVersion.TLS1_3


def server_handshake_13(hs: Handshake, config: ServerConfig, hello: ClientHello) -> Flow[Established]:
    """From the ClientHello to the client's Finished."""
    hs.version = TLS1_3
    hs.change_cipher_specs_allowed = True
    check_client_hello(hello)
    suite = choose_suite(hs, config, hello)
    group = choose_group(hs, config, hello)

    retried = group not in shared_groups(hello) or config.hello_retry_cookie
    if retried:
        first, cookie = hello, ask_again(hs, config, hello, suite, group)
        hello = yield from hs.expect(ClientHello)
        check_second_hello(first, hello, group, cookie)

    hs.records.is_tls13 = True
    secret = answer_hello(hs, config, hello, suite, group)
    compatibility_change_cipher_spec(hs, hello, already=retried)
    server_traffic, client_traffic = derive_handshake_keys(hs, secret)

    alpn = choose_alpn(hs, config, hello)
    hs.send(EncryptedExtensions(encrypted_extensions(hs, config, hello, alpn)))

    if config.client_auth is not ClientAuth.NONE:
        hs.send(CertificateRequest(authenticate.request_extensions(config)))

    offered = required("ClientHello", hello.extensions, x.SIGNATURE_ALGORITHMS)
    identity, scheme = yield from choose_identity(hs, config, hello, offered)
    staple = hello.extensions.get(x.STATUS_REQUEST) is not None
    hs.send(authenticate.certificate_message(identity, staple=staple))
    hs.send((yield from authenticate.prove(hs, identity, scheme)))

    hs.send(Finished(server_traffic.finished(hs.hash_so_far)))
    master = secret.master()
    after_server_finished = hs.hash_so_far
    server_application = master.server_traffic(after_server_finished)
    client_application = master.client_traffic(after_server_finished)
    exporter = master.exporter(after_server_finished)
    inputs = ("master secret", "ClientHello..server Finished")
    hs.reveal("SERVER_TRAFFIC_SECRET_0", server_application.secret, *inputs)
    hs.reveal("CLIENT_TRAFFIC_SECRET_0", client_application.secret, *inputs)
    hs.reveal("EXPORTER_SECRET", exporter.secret, *inputs)
    hs.write_with_secret(server_application, "application")

    proof = Proof()
    if config.client_auth is not ClientAuth.NONE:
        proof = yield from expect_client_certificate(hs, config)
    finished = yield from hs.expect(Finished)
    check_finished(client_traffic, hs.before.digest(), finished)

    hs.read_with_secret(client_application, "application")
    resumption = master.resumption(hs.hash_so_far)
    hs.reveal("resumption_master_secret", resumption, "master secret", "ClientHello..client Finished", log=False)
    peer = proof.peer
    facts = ConnectionFacts(
        version=TLS1_3,
        cipher_suite=suite.name,
        group=group,
        server_name=hs.server_name,
        alpn=None if alpn is None else alpn.decode("utf-8", "replace"),
        peer=None if peer is None else peer.verified,
        peer_chain=() if peer is None else peer.chain,
        peer_signature_scheme=proof.scheme,
        identity=identity,
        client_certificate_requested=config.client_auth is not ClientAuth.NONE,
        hello_retry_request=retried,
    )
    return Established(facts, exporter, resumption)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a client showed: nothing, or a good certificate and the scheme that it proved its key with."""

    peer: Peer | None = None
    scheme: SignatureScheme | None = None


def shared_groups(hello: ClientHello) -> tuple[NamedGroup, ...]:
    """The groups that the client sent key shares for."""
    return tuple(share.group for share in hello.extensions.get(x.KEY_SHARES) or ())


def check_client_hello(hello: ClientHello) -> None:
    """What a ClientHello of TLS 1.3 must have and must not (sections 4.1.2, 4.2.8 and 9.2)."""
    if hello.compression_methods != b"\0":
        raise PeerViolation(violations.NO_NULL_COMPRESSION)
    if ExtensionType.oid_filters in hello.extensions:
        raise PeerViolation(violations.MISPLACED_EXTENSION, message="ClientHello", extension=ExtensionType.oid_filters)
    groups = required("ClientHello", hello.extensions, x.SUPPORTED_GROUPS)
    shares = required("ClientHello", hello.extensions, x.KEY_SHARES)
    seen: set[int] = set()
    for share in shares:
        if share.group in seen:
            raise PeerViolation(violations.DUPLICATE_KEY_SHARE, group=share.group)
        if share.group not in groups:
            raise PeerViolation(violations.KEY_SHARE_OUTSIDE_GROUPS, group=share.group)
        seen.add(share.group)


def choose_suite(hs: Handshake, config: ServerConfig, hello: ClientHello) -> Suite:
    """The cipher suite, and with it the transcript's hash (section 4.1.1)."""
    configured = config.suites_13
    suite = negotiate.cipher_suite(hello.cipher_suites, configured, by_client=config.client_cipher_order)
    hs.note("cipher_suite", suite.value.name, suite.why, hello.cipher_suites, configured, "RFC 8446 section 4.1.1")
    assert hs.transcript is not None  # noqa: S101 - it is closed only after the handshake
    hs.transcript.select(suite.value.hash)
    return suite.value


def choose_group(hs: Handshake, config: ServerConfig, hello: ClientHello) -> NamedGroup:
    """The group of the key exchange (section 4.2.8)."""
    offered = hello.extensions.get(x.SUPPORTED_GROUPS) or ()
    group = negotiate.group(offered, shared_groups(hello), config.groups)
    hs.note("group", group.value, group.why, offered, config.groups, "RFC 8446 section 4.1.1")
    return group.value


def ask_again(hs: Handshake, config: ServerConfig, hello: ClientHello, suite: Suite, group: NamedGroup) -> bytes | None:
    """Send HelloRetryRequest (section 4.1.4); gives the cookie that the client must bring back, if any."""
    items = [x.SELECTED_VERSION(TLS1_3)]
    cookie = None
    if group not in shared_groups(hello):
        items.append(x.SELECTED_GROUP(group))
        why = f"the client sent no key share for {group}"
    else:
        why = "the client must bring back a cookie"
    if config.hello_retry_cookie:
        cookie = config.randomness.bytes(32)
        items.append(x.COOKIE(cookie))
    hs.note("hello_retry_request", group, why, shared_groups(hello), config.groups, "RFC 8446 section 4.1.4")
    assert hs.transcript is not None  # noqa: S101 - it is closed only after the handshake
    hs.transcript.replace_with_message_hash()
    hs.records.record_version = 0x0303
    hs.send(HelloRetryRequest(HELLO_RETRY_REQUEST_RANDOM, suite.name, Extensions(items), hello.session_id))
    compatibility_change_cipher_spec(hs, hello)
    return cookie


def check_second_hello(first: ClientHello, second: ClientHello, group: NamedGroup, cookie: bytes | None) -> None:
    """The second ClientHello must do what was asked and change nothing else (sections 4.1.2 and 4.2.8)."""
    check_client_hello(second)
    check_retried_hello(first, second)
    if group not in shared_groups(first):
        if shared_groups(second) != (group,):
            raise PeerViolation(
                violations.IGNORED_HELLO_RETRY_REQUEST, problem=f"it must have one key share, for {group}"
            )
    elif second.extensions.get(x.KEY_SHARES) != first.extensions.get(x.KEY_SHARES):
        raise PeerViolation(violations.CHANGED_CLIENT_HELLO, field="the extension key_share")
    returned = second.extensions.get(x.COOKIE)
    if cookie is None:
        if returned is not None:
            raise PeerViolation(violations.BAD_COOKIE)
    elif returned is None or not equal(cookie, returned):
        raise PeerViolation(violations.BAD_COOKIE)


def answer_hello(
    hs: Handshake, config: ServerConfig, hello: ClientHello, suite: Suite, group: NamedGroup
) -> HandshakeSecret:
    """Send ServerHello with the server's key share; gives the handshake secret (sections 4.1.3 and 7.1)."""
    share = next(one for one in hello.extensions.get(x.KEY_SHARES) or () if one.group == group)
    try:
        ours, shared_secret = GROUPS[group].respond(share.key_exchange, config.randomness.key_pair)
    except InvalidPublicKey as problem:
        raise PeerViolation(violations.BAD_KEY_SHARE, group=group, problem=problem) from None
    hs.records.record_version = 0x0303
    extensions = Extensions([x.SERVER_KEY_SHARE(KeyShareEntry(group, ours)), x.SELECTED_VERSION(TLS1_3)])
    hs.send(ServerHello(config.randomness.bytes(32), suite.name, extensions, hello.session_id))
    return EarlySecret(suite.hash).handshake(suite, shared_secret)


def compatibility_change_cipher_spec(hs: Handshake, hello: ClientHello, *, already: bool = False) -> None:
    """After its first message a server answers a client's session ID with a ChangeCipherSpec (appendix D.4)."""
    if hello.session_id and hs.config.middlebox_compatibility and not already:
        hs.send_change_cipher_spec()


def derive_handshake_keys(hs: Handshake, secret: HandshakeSecret) -> tuple[TrafficSecret, TrafficSecret]:
    """The server's and the client's handshake traffic secrets; from here on both sides' messages are protected."""
    after_server_hello = hs.hash_so_far
    server = secret.server_traffic(after_server_hello)
    client = secret.client_traffic(after_server_hello)
    inputs = ("handshake secret", "ClientHello..ServerHello")
    hs.reveal("SERVER_HANDSHAKE_TRAFFIC_SECRET", server.secret, *inputs)
    hs.reveal("CLIENT_HANDSHAKE_TRAFFIC_SECRET", client.secret, *inputs)
    hs.write_with_secret(server, "handshake")
    hs.read_with_secret(client, "handshake")
    return server, client


def choose_alpn(hs: Handshake, config: ServerConfig, hello: ClientHello) -> bytes | None:
    """The application protocol (RFC 7301 section 3.2)."""
    offered = hello.extensions.get(x.ALPN_OFFER)
    chosen = negotiate.alpn(offered, config.alpn_wire)
    if chosen is None:
        return None
    names = [one.decode("utf-8", "replace") for one in offered or ()]
    hs.note("alpn", chosen.value.decode("utf-8", "replace"), chosen.why, names, config.alpn, "RFC 7301 section 3.2")
    return chosen.value


def encrypted_extensions(hs: Handshake, config: ServerConfig, hello: ClientHello, alpn: bytes | None) -> Extensions:
    """The answers to the client's extensions that need no key to be chosen (section 4.3.1)."""
    items: list[tuple[int, bytes]] = []
    if hs.server_name is not None and any(one.serves(hs.server_name) for one in config.identities):
        items.append(x.SERVER_NAME_ACKNOWLEDGED(True))
    if alpn is not None:
        items.append(x.ALPN_CHOICE(alpn))
    return Extensions(items)


def choose_identity(
    hs: Handshake, config: ServerConfig, hello: ClientHello, offered: tuple[SignatureScheme, ...]
) -> Flow[tuple[Identity, SignatureScheme]]:
    """The certificate to show, and the scheme to prove its key with (section 4.4.2.2)."""
    configured = tuple(config.signature_schemes_13)
    usable = tuple(scheme for scheme in configured if scheme in offered)
    identity = yield from authenticate.choose_server_identity(hs, config, hello, usable)
    scheme = negotiate.signature_scheme(offered, identity.schemes, configured)
    hs.note("signature_scheme", scheme.value, scheme.why, offered, identity.schemes, "RFC 8446 section 4.4.3")
    return identity, scheme.value


def expect_client_certificate(hs: Handshake, config: ServerConfig) -> Flow[Proof]:
    """The client's Certificate and, where it is not empty, CertificateVerify (sections 4.4.2 and 4.4.3)."""
    message = yield from hs.expect(Certificate)
    if message.certificate_request_context:
        raise PeerViolation(violations.BAD_REQUEST_CONTEXT)
    for entry in message.certificate_list:
        # The request offered no extension of certificate entries, so there is none to answer.
        check_answers("Certificate", entry.extensions, (), x.CERTIFICATE_ENTRY_FORMS)
    if not message.certificate_list:
        if config.client_auth is ClientAuth.REQUIRED:
            raise PeerViolation(violations.NO_CLIENT_CERTIFICATE)
        hs.note("client_authentication", "none", "the client sent an empty list, which is allowed here")
        return Proof()
    peer = yield from authenticate.judge(hs, config.verifier, message.chain)
    verify = yield from hs.expect(CertificateVerify)
    authenticate.check_proof(hs, peer, verify)
    return Proof(peer, verify.algorithm)
