"""The server's side of the TLS 1.3 handshake, in the order of RFC 8446 section 2, figure 1."""

from __future__ import annotations

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
from ..wire.codepoints import CertificateType, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme
from ..wire.extensions import Extensions, KeyShareEntry
from ..wire.handshake import (
    HELLO_RETRY_REQUEST_RANDOM,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    CompressedCertificate,
    EncryptedExtensions,
    EndOfEarlyData,
    Finished,
    HelloRetryRequest,
    ServerHello,
)
from . import authenticate, negotiate
from .certificate_compression import compress, decompress
from .certificate_types import choose_types, peer_shows_raw_key
from .client13 import check_finished, expect_certificate, resumption_master_secret
from .early_data import judge_early_data, reject_early_data
from .established import Established
from .flow import Flow
from .grease import server_extensions
from .hello import check_answers, check_retried_hello, choose_alpn, required
from .peer import Proof
from .psk import Selected, select_psk, suites_of_known_psks, with_key_exchange
from .record_size import answer_items

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
    selected = yield from select_psk(hs, config, hello, suite)
    group = choose_group(hs, config, hello, selected)

    retried = (group is not None and group not in shared_groups(hello)) or config.hello_retry_cookie
    if retried:
        hello = yield from hear_second_hello(hs, config, hello, suite, group, selected)
        selected = yield from select_psk(hs, config, hello, suite)

    hs.records.is_tls13 = True
    alpn = choose_alpn(hs, config, hello)
    # Section 4.2.10: none comes behind a HelloRetryRequest, whatever the second hello says.
    early = None if retried else judge_early_data(hs, config, hello, selected, suite, alpn)
    secret = answer_hello(hs, config, hello, suite, group, selected)
    compatibility_change_cipher_spec(hs, hello, already=retried)
    server_traffic, client_traffic = derive_handshake_keys(hs, secret, early)

    hs.send(EncryptedExtensions(encrypted_extensions(hs, config, hello, alpn, resumed=selected is not None)))
    identity = None if selected is None else selected.identity
    if selected is None:
        identity = yield from show_certificate(hs, config, hello)

    hs.send(Finished(server_traffic.finished(hs.hash_so_far)))
    master = secret.master()
    after_server_finished = hs.hash_so_far
    server_application = master.server_traffic(after_server_finished)
    client_application = master.client_traffic(after_server_finished)
    exporter = master.exporter(after_server_finished)
    if hs.reveals:
        inputs = ("master secret", "ClientHello..server Finished")
        hs.reveal("SERVER_TRAFFIC_SECRET_0", server_application.secret, *inputs)
        hs.reveal("CLIENT_TRAFFIC_SECRET_0", client_application.secret, *inputs)
        hs.reveal("EXPORTER_SECRET", exporter.secret, *inputs)
    hs.write_with_secret(server_application, "application")
    hs.half_rtt = selected is not None or config.client_auth is ClientAuth.NONE

    if early is not None and hs.early_data is not None:
        yield from hs.expect(EndOfEarlyData)
        hs.early_data.open = False
        hs.read_with_secret(client_traffic, "handshake")
    proof = Proof()
    if selected is None and config.client_auth is not ClientAuth.NONE:
        proof = yield from expect_client_certificate(hs, config)
    finished = yield from hs.expect(Finished)
    check_finished(client_traffic, hs.before.digest(), finished)

    hs.read_with_secret(client_application, "application")
    # A session is bound to a certificate, or an external PSK, that it can be found by; a client that is refused has none.
    external = None if selected is None else selected.psk.external
    bound = (identity is not None or external in config.external_psks) and proof.refusal is None
    tickets_wanted = bound and with_key_exchange(hello)
    resumption = None
    if (tickets_wanted and config.tickets is not None) or hs.reveals:
        resumption = resumption_master_secret(hs, master)
    session = None if selected is None else selected.psk.session
    if selected is not None and session is not None:
        proof = Proof.of_session(selected, session)
    facts = ConnectionFacts(
        version=TLS1_3,
        cipher_suite=suite.name,
        group=group,
        server_name=hs.server_name,
        alpn=None if alpn is None else alpn.decode("utf-8", "replace"),
        peer=proof.verified,
        peer_chain=proof.chain,
        peer_signature_scheme=proof.scheme,
        identity=identity,
        client_certificate_requested=selected is None and config.client_auth is not ClientAuth.NONE,
        refusal=proof.refusal,
        hello_retry_request=retried,
        resumed=session is not None,
        external_psk=None if selected is None else selected.psk.external_identity,
        shared_cipher_suites=negotiate.shared(config.cipher_suites, hello.cipher_suites),
        early_data="" if hs.early_data is None else hs.early_data.status,
    )
    return Established(
        facts,
        exporter,
        resumption,
        tickets_wanted=tickets_wanted,
        session_created_at=None if session is None else session.created_at,
        external_psk=external,
        peer_raw_key=peer_shows_raw_key(hs) if session is None else session.peer_raw_key,
        post_handshake_auth=ExtensionType.post_handshake_auth in hello.extensions and config.trust is not None,
    )


def shared_groups(hello: ClientHello) -> tuple[NamedGroup, ...]:
    """The groups that the client sent key shares for."""
    return tuple([share.group for share in hello.extensions.get(x.KEY_SHARES) or ()])


def check_client_hello(hello: ClientHello) -> None:
    """What a ClientHello of TLS 1.3 must have and must not (sections 4.1.2, 4.2.8 and 9.2)."""
    if hello.compression_methods != b"\0":
        raise PeerViolation(violations.NO_NULL_COMPRESSION)
    if ExtensionType.oid_filters in hello.extensions:
        raise PeerViolation(violations.MISPLACED_EXTENSION, message="ClientHello", extension=ExtensionType.oid_filters)
    exchanges = {ExtensionType.supported_groups, ExtensionType.key_share} & {*hello.extensions.types}
    if ExtensionType.pre_shared_key in hello.extensions and not exchanges:
        return  # section 9.2: with a PSK the client may do without (EC)DHE, and then names no groups either
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
    configured = suites_of_known_psks(config, hello) or config.suites_13
    suite = negotiate.cipher_suite(hello.cipher_suites, configured, **config.cipher_order)
    if hs.sink is not None:
        hs.note("cipher_suite", suite.value.name, suite.why, hello.cipher_suites, configured, "RFC 8446 section 4.1.1")
    assert hs.transcript is not None  # noqa: S101 - it is closed only after the handshake
    hs.transcript.select(suite.value.hash)
    return suite.value


def choose_group(
    hs: Handshake, config: ServerConfig, hello: ClientHello, selected: Selected | None
) -> NamedGroup | None:
    """The group of the key exchange (section 4.2.8); None where a PSK does without one (section 4.2.9)."""
    if selected is not None and not with_key_exchange(hello):
        hs.note("group", "none", "the client has a PSK and no key share, and psk_without_key_exchange allows it")
        return None
    required("ClientHello", hello.extensions, x.KEY_SHARES)
    offered = hello.extensions.get(x.SUPPORTED_GROUPS) or ()
    group = negotiate.group(offered, shared_groups(hello), config.groups, first_choice=config.insist_on_group_order)
    if hs.sink is not None:
        hs.note("group", group.value, group.why, offered, config.groups, "RFC 8446 section 4.1.1")
    return group.value


def hear_second_hello(
    hs: Handshake,
    config: ServerConfig,
    first: ClientHello,
    suite: Suite,
    group: NamedGroup | None,
    selected: Selected | None,
) -> Flow[ClientHello]:
    """HelloRetryRequest, and the ClientHello that answers it (section 4.1.4)."""
    if ExtensionType.early_data in first.extensions:
        reject_early_data(hs, config, "a HelloRetryRequest came between")
    cookie = ask_again(hs, config, first, suite, group)
    second = yield from hs.expect(ClientHello)
    hs.records.skip_budget = 0
    check_second_hello(first, second, group, cookie)
    if selected is not None:
        # Section 4.1.2: a PSK that goes with the chosen cipher suite must stay.
        psks = required("the second ClientHello", second.extensions, x.PRE_SHARED_KEYS)
        if all(one.identity != selected.psk.identity for one in psks.identities):
            raise PeerViolation(violations.CHANGED_CLIENT_HELLO, field="the extension pre_shared_key")
    return second


def ask_again(
    hs: Handshake, config: ServerConfig, hello: ClientHello, suite: Suite, group: NamedGroup | None
) -> bytes | None:
    """Send HelloRetryRequest (section 4.1.4); gives the cookie that the client must bring back, if any."""
    items = [x.SELECTED_VERSION(TLS1_3)]
    cookie = None
    if group is not None and group not in shared_groups(hello):
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


def check_second_hello(first: ClientHello, second: ClientHello, group: NamedGroup | None, cookie: bytes | None) -> None:
    """The second ClientHello must do what was asked and change nothing else (sections 4.1.2 and 4.2.8)."""
    check_client_hello(second)
    check_retried_hello(first, second)
    if group is not None and group not in shared_groups(first):
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
    hs: Handshake,
    config: ServerConfig,
    hello: ClientHello,
    suite: Suite,
    group: NamedGroup | None,
    selected: Selected | None,
) -> HandshakeSecret:
    """Send ServerHello, with a key share and the chosen PSK; gives the handshake secret (sections 4.1.3 and 7.1)."""
    items: list[tuple[int, bytes]] = []
    shared_secret: bytes | None = None
    if group is None and selected is None:
        # The PSK that stood for a key exchange is gone from the second hello: nothing secret would be left.
        raise PeerViolation(violations.MISSING_EXTENSION, message="ClientHello", extension=ExtensionType.key_share)
    if group is not None:
        share = next(one for one in hello.extensions.get(x.KEY_SHARES) or () if one.group == group)
        try:
            ours, shared_secret = GROUPS[group].respond(share.key_exchange, config.randomness.key_pair)
        except InvalidPublicKey as problem:
            raise PeerViolation(violations.BAD_KEY_SHARE, group=group, problem=problem) from None
        items.append(x.SERVER_KEY_SHARE(KeyShareEntry(group, ours)))
    items.append(x.SELECTED_VERSION(TLS1_3))
    if selected is not None:
        items.append(x.SELECTED_PSK(selected.index))
    hs.records.record_version = 0x0303
    hs.send(ServerHello(config.randomness.bytes(32), suite.name, Extensions(items), hello.session_id))
    early = EarlySecret(suite.hash) if selected is None else selected.psk.early
    return early.handshake(suite, shared_secret)


def compatibility_change_cipher_spec(hs: Handshake, hello: ClientHello, *, already: bool = False) -> None:
    """After its first message a server sends a ChangeCipherSpec: it must where the client has a session ID (D.4)."""
    if hs.config.middlebox_compatibility and not already:
        hs.send_change_cipher_spec()


def derive_handshake_keys(
    hs: Handshake, secret: HandshakeSecret, early: TrafficSecret | None = None
) -> tuple[TrafficSecret, TrafficSecret]:
    """The server's and the client's handshake traffic secrets; from here on both sides' messages are protected.

    Where early data was accepted, what the client sends is under the early keys until EndOfEarlyData.
    """
    after_server_hello = hs.hash_so_far
    server = secret.server_traffic(after_server_hello)
    client = secret.client_traffic(after_server_hello)
    if hs.reveals:
        inputs = ("handshake secret", "ClientHello..ServerHello")
        hs.reveal("SERVER_HANDSHAKE_TRAFFIC_SECRET", server.secret, *inputs)
        hs.reveal("CLIENT_HANDSHAKE_TRAFFIC_SECRET", client.secret, *inputs)
    hs.write_with_secret(server, "handshake")
    if early is None:
        hs.read_with_secret(client, "handshake")
    else:
        hs.read_with_secret(early, "early")
    return server, client


def encrypted_extensions(
    hs: Handshake, config: ServerConfig, hello: ClientHello, alpn: bytes | None, *, resumed: bool
) -> Extensions:
    """The answers to the client's extensions that need no key to be chosen (section 4.3.1)."""
    items: list[tuple[int, bytes]] = []
    # RFC 6066 section 3: a server that resumes a session says nothing about the name.
    if not resumed and authenticate.used_server_name(hs):
        items.append(x.SERVER_NAME_ACKNOWLEDGED(True))
    if alpn is not None:
        items.append(x.ALPN_CHOICE(alpn))
    items += answer_items(hs, hello.extensions)
    if not resumed:
        items += choose_types(hs, config, hello.extensions)
    if hs.early_data is not None and hs.early_data.status == "accepted":
        items.append(x.EARLY_DATA(True))
    return Extensions(items)


def show_certificate(hs: Handshake, config: ServerConfig, hello: ClientHello) -> Flow[Identity]:
    """CertificateRequest*, Certificate and CertificateVerify (sections 4.3.2, 4.4.2 and 4.4.3)."""
    if config.client_auth is not ClientAuth.NONE:
        hs.send(CertificateRequest(server_extensions(config, *config.request_extensions)))
    offered = required("ClientHello", hello.extensions, x.SIGNATURE_ALGORITHMS)
    identity, scheme = yield from choose_identity(hs, config, hello, offered)
    staple = hello.extensions.get(x.STATUS_REQUEST) is not None
    timestamps = ExtensionType.signed_certificate_timestamp in hello.extensions
    message = authenticate.certificate_message(identity, staple=staple, timestamps=timestamps)
    hs.send(compress(hs, message, hello.extensions.get(x.COMPRESS_CERTIFICATE)))
    hs.send((yield from authenticate.prove(hs, identity, scheme)))
    return identity


def choose_identity(
    hs: Handshake, config: ServerConfig, hello: ClientHello, offered: tuple[SignatureScheme, ...]
) -> Flow[tuple[Identity, SignatureScheme]]:
    """The certificate to show, and the scheme to prove its key with (section 4.4.2.2)."""
    configured = config.signing_schemes_13
    usable = tuple(filter(offered.__contains__, configured))
    identity: Identity
    if hs.certificate_types.server == CertificateType.RawPublicKey and config.raw_key is not None:
        identity = config.raw_key
    else:
        identity = yield from authenticate.choose_server_identity(hs, config, hello, usable)
    scheme = negotiate.signature_scheme(offered, identity.schemes, configured)
    if hs.sink is not None:
        hs.note("signature_scheme", scheme.value, scheme.why, offered, identity.schemes, "RFC 8446 section 4.4.3")
    return identity, scheme.value


def expect_client_certificate(hs: Handshake, config: ServerConfig) -> Flow[Proof]:
    """The client's Certificate and, where it is not empty, CertificateVerify (sections 4.4.2 and 4.4.3)."""
    message = yield from expect_certificate(hs)
    if isinstance(message, CompressedCertificate):
        message = decompress(hs, message)
    if message.certificate_request_context:
        raise PeerViolation(violations.BAD_REQUEST_CONTEXT)
    for entry in message.certificate_list:
        # The request offered no extension of certificate entries, so there is none to answer.
        check_answers("Certificate", entry.extensions, (), x.CERTIFICATE_ENTRY_FORMS)
    if not message.certificate_list:
        return Proof(refusal=authenticate.judge_empty_list(hs, config, violations.NO_CLIENT_CERTIFICATE))
    report = config.report_refused_clients
    peer = yield from authenticate.judge(hs, config.verifier, message.chain, report=report)
    verify = yield from hs.expect(CertificateVerify)
    authenticate.check_proof(hs, peer, verify)
    return Proof(peer.verified, peer.chain, verify.algorithm, peer.refusal)
