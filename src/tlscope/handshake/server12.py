"""The server's side of the TLS 1.2 handshake, in the order of RFC 5246 section 7.3, figures 1 and 2."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from .. import violations
from ..config import ClientAuth
from ..crypto.cipher_suites import SUITES, Suite
from ..crypto.groups import GROUPS, InvalidPublicKey, KeyPair
from ..crypto.hashes import equal
from ..crypto.key_transport import rsa_decrypt
from ..errors import PeerViolation, TLSError
from ..events import ConnectionFacts
from ..keys.prf12 import MasterSecret12
from ..wire import extensions as x
from ..wire import handshake12 as tls12
from ..wire.codepoints import (
    CipherSuite,
    ClientCertificateType,
    ExtensionType,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)
from ..wire.extensions import Extensions
from ..wire.handshake import CertificateVerify, ClientHello, Finished, ServerHello
from . import authenticate, negotiate
from .established import Established
from .flow import ChangeCipherSpec, Flow
from .hello import choose_alpn
from .keys12 import check_finished_12, derive_master, read_12, write_12
from .peer import Peer
from .record_size import answer_items
from .resumption12 import Resumable, find_session, new_session_id, new_ticket
from .suites12 import no_fit, suites_for

if TYPE_CHECKING:
    from ..config import ServerConfig
    from ..trust.identity import Identity
    from .driver import Handshake

_SHA1_SCHEMES = (SignatureScheme.rsa_pkcs1_sha1, SignatureScheme.ecdsa_sha1)

TLS1_2, TLS1_3 = ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3


@dataclass(slots=True)
class Choices:
    """What the server settles before it answers. ``group`` and ``scheme`` are None with RSA key transport."""

    identity: Identity
    suite: Suite
    group: NamedGroup | None
    scheme: SignatureScheme | None
    alpn: bytes | None
    extended: bool
    client_version: int
    random: bytes = field(repr=False)
    session_id: bytes = field(repr=False)
    ticket_promised: bool


def server_handshake_12(hs: Handshake, config: ServerConfig, hello: ClientHello) -> Flow[Established]:
    """From the ClientHello to the server's Finished."""
    hs.version = TLS1_2
    hs.records.record_version = 0x0303
    extended = check_client_hello(config, hello)
    resumable = yield from find_session(hs, config, hello, extended=extended)
    if resumable is not None:
        return (yield from resume(hs, config, hello, resumable))
    choices = yield from choose(hs, config, hello, extended)

    say_hello(hs, choices, hello)
    show_certificate(hs, choices.identity, hello)
    pair: KeyPair | None = None
    if choices.group is not None and choices.scheme is not None:
        pair = config.randomness.key_pair(GROUPS[choices.group])
        yield from send_server_key(hs, choices, pair, choices.group, choices.scheme)
    if config.client_auth is not ClientAuth.NONE:
        hs.send(certificate_request(config))
    hs.send(tls12.ServerHelloDone())

    peer: Peer | None = None
    refusal: TLSError | None = None
    if config.client_auth is not ClientAuth.NONE:
        peer, refusal = yield from expect_client_certificate(hs, config)
    exchange = yield from hs.expect(tls12.ClientKeyExchange)
    premaster = read_client_key(hs, config, choices, pair, exchange)
    master = derive_master(hs, choices.suite, premaster, choices.random, extended=choices.extended)
    proof: SignatureScheme | None = None
    if peer is not None:
        verify = yield from hs.expect(CertificateVerify)
        authenticate.check_proof_12(hs, peer, verify)
        proof = verify.algorithm

    keys = master.keys()
    yield from hs.expect(ChangeCipherSpec)
    read_12(hs, choices.suite, keys)
    finished = yield from hs.expect(Finished)
    first_finished = check_finished_12(hs, master, "client", finished)

    facts = ConnectionFacts(
        version=TLS1_2,
        cipher_suite=choices.suite.name,
        group=choices.group,
        server_name=hs.server_name,
        alpn=None if choices.alpn is None else choices.alpn.decode("utf-8", "replace"),
        peer=None if peer is None else peer.verified,
        peer_chain=() if peer is None else peer.chain,
        peer_signature_scheme=proof,
        identity=choices.identity,
        client_certificate_requested=config.client_auth is not ClientAuth.NONE,
        refusal=refusal,
        shared_cipher_suites=negotiate.shared(config.cipher_suites, hello.cipher_suites),
    )
    if choices.ticket_promised:
        hs.send(new_ticket(config, facts, master, extended=choices.extended))
    if choices.session_id and refusal is None:
        new_session_id(config, facts, master, choices.session_id, extended=choices.extended)
    write_12(hs, choices.suite, keys)
    hs.send(Finished(master.finished("server", hs.hash_so_far)))
    return Established(facts, master, binds=choices.extended, tls_unique=first_finished)


# Hearing the ClientHello


def check_client_hello(config: ServerConfig, hello: ClientHello) -> bool:
    """What a ClientHello must have for TLS 1.2; gives whether it offers the extended master secret."""
    if 0 not in hello.compression_methods:
        raise PeerViolation(violations.NO_NULL_COMPRESSION)
    ext = hello.extensions
    renegotiation = ext.get(x.RENEGOTIATION_INFO)
    if renegotiation:
        raise PeerViolation(violations.BAD_RENEGOTIATION_INFO)
    if not knows_renegotiation_info(hello) and config.require_secure_renegotiation:
        raise PeerViolation(violations.NO_SECURE_RENEGOTIATION)
    if b"\0" not in (ext.get(x.EC_POINT_FORMATS) or b"\0"):
        raise PeerViolation(violations.NO_UNCOMPRESSED_POINTS)
    extended = ext.get(x.EXTENDED_MASTER_SECRET) is not None
    if not extended and config.require_extended_master_secret:
        raise PeerViolation(violations.NO_EXTENDED_MASTER_SECRET)
    return extended


def knows_renegotiation_info(hello: ClientHello) -> bool:
    """Whether the client says that it knows RFC 5746, in one of the two ways (section 3.4)."""
    signal = CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV
    return ExtensionType.renegotiation_info in hello.extensions or signal in hello.cipher_suites


def choose(hs: Handshake, config: ServerConfig, hello: ClientHello, extended: bool) -> Flow[Choices]:
    """Certificate, cipher suite, group, signature scheme and application protocol (RFC 5246 section 7.4.1)."""
    ext = hello.extensions
    # RFC 5246 section 7.4.1.4.1: a client that names none takes SHA-1, which this side may have been told to do.
    schemes = ext.get(x.SIGNATURE_ALGORITHMS) or _SHA1_SCHEMES
    usable = tuple(filter(schemes.__contains__, config.signing_schemes_12))
    # RFC 8422 section 4 lets a server guess where a client names no group; such a client mostly has no ECDHE at all.
    groups = ext.get(x.SUPPORTED_GROUPS) or ()
    group = next((one for one in config.groups_12 if one in groups), None)

    nothing = partial(no_fit, config, hello, usable, group)
    identity = yield from authenticate.choose_server_identity(
        hs, config, hello, usable, lambda one: bool(suites_for(config, hello, one, usable, group)), nothing
    )
    fitting = suites_for(config, hello, identity, usable, group)
    if not fitting:
        # The application chose an identity that no common cipher suite goes with.
        raise nothing()
    common = [one for one in hello.cipher_suites if one in fitting]
    suite = negotiate.cipher_suite(common, fitting, **config.cipher_order)
    if hs.sink is not None:
        hs.note("cipher_suite", suite.value.name, suite.why, hello.cipher_suites, config.suites_12)
    assert hs.transcript is not None  # noqa: S101 - it is closed only after the handshake
    # The client's CertificateVerify signs all messages, with a hash of its choice (section 7.4.8).
    hs.transcript.select(suite.value.hash, keep=config.client_auth is not ClientAuth.NONE)

    scheme: SignatureScheme | None = None
    if suite.value.key_exchange == "ECDHE":
        chosen = negotiate.signature_scheme_12(schemes, identity, usable)
        if hs.sink is not None:
            hs.note("group", group, "it is the server's first choice among the common ones", groups, config.groups_12)
            hs.note("signature_scheme", chosen.value, chosen.why, schemes, identity.schemes_12)
        scheme = chosen.value
    else:
        group = None
        hs.note(
            "key_exchange",
            "RSA key transport",
            "no cipher suite with forward secrecy is common to both sides' lists",
            hello.cipher_suites,
            config.suites_12,
            "RFC 5246 section 7.4.7.1",
        )
    # RFC 7627 section 5.4: a session without the extended master secret should not be resumed; a server whose setting does
    # without it does that too.
    ticket = config.tickets is not None and ext.get(x.SESSION_TICKET) is not None
    return Choices(
        identity,
        suite.value,
        group,
        scheme,
        choose_alpn(hs, config, hello),
        extended,
        hello.legacy_version,
        server_random(config),
        config.randomness.bytes(32) if config.session_store is not None and not ticket else b"",
        ticket,
    )


def server_random(config: ServerConfig) -> bytes:
    """32 random bytes; the last eight say so where the server could do better (RFC 8446 section 4.1.3)."""
    if config.versions[0] > TLS1_2:
        return config.randomness.bytes(24) + b"DOWNGRD\x01"
    return config.randomness.bytes(32)


# The server's first flight


def say_hello(hs: Handshake, choices: Choices, hello: ClientHello, *, resumed: bool = False) -> None:
    """ServerHello, with answers to what the client offered and nothing else (RFC 5246 section 7.4.1.4)."""
    offered = hello.extensions
    items = [x.RENEGOTIATION_INFO(b"")] if knows_renegotiation_info(hello) else []
    if not resumed and authenticate.used_server_name(hs):
        items.append(x.SERVER_NAME_ACKNOWLEDGED(True))
    if choices.extended:
        items.append(x.EXTENDED_MASTER_SECRET(True))
    if choices.group is not None and ExtensionType.ec_point_formats in offered:
        items.append(x.EC_POINT_FORMATS(b"\0"))
    if choices.ticket_promised:
        items.append(x.SESSION_TICKET_PROMISED(True))
    if not resumed and choices.identity.ocsp_response is not None and offered.get(x.STATUS_REQUEST) is not None:
        items.append(x.STATUS_PROMISED(True))
    timestamps = choices.identity.signed_certificate_timestamps
    if not resumed and timestamps and ExtensionType.signed_certificate_timestamp in offered:
        items.append(x.SIGNED_CERTIFICATE_TIMESTAMPS(timestamps))
    if choices.alpn is not None:
        items.append(x.ALPN_CHOICE(choices.alpn))
    items += answer_items(hs, offered)
    hs.send(ServerHello(choices.random, choices.suite.name, Extensions(items), choices.session_id))


def show_certificate(hs: Handshake, identity: Identity, hello: ClientHello) -> None:
    """Certificate, and CertificateStatus where it was promised (RFC 5246 section 7.4.2, RFC 6066 section 8)."""
    hs.send(tls12.Certificate(identity.chain))
    if identity.ocsp_response is not None and hello.extensions.get(x.STATUS_REQUEST) is not None:
        hs.send(tls12.CertificateStatus(identity.ocsp_response))


def send_server_key(
    hs: Handshake, choices: Choices, pair: KeyPair, group: NamedGroup, scheme: SignatureScheme
) -> Flow[None]:
    """ServerKeyExchange: the ephemeral key, signed with both randoms (RFC 8422 section 5.4)."""
    message = tls12.ServerKeyExchange(group, pair.public_key, scheme, b"")
    content = hs.client_random + choices.random + message.params
    message.signature = yield from authenticate.sign(hs, choices.identity, scheme, content, "both randoms and its key")
    hs.send(message)


def certificate_request(config: ServerConfig) -> tls12.CertificateRequest:
    """What the server accepts from a client (RFC 5246 section 7.4.4)."""
    authorities = config.named_authorities
    types = (ClientCertificateType.ecdsa_sign, ClientCertificateType.rsa_sign)
    return tls12.CertificateRequest(types, tuple(config.signature_schemes), authorities)


# The client's flight


def expect_client_certificate(hs: Handshake, config: ServerConfig) -> Flow[tuple[Peer | None, TLSError | None]]:
    """The client's Certificate, judged, None for an empty one (RFC 5246 section 7.4.6); and why it is refused if that is
    left to the application.
    """
    message = yield from hs.expect(tls12.Certificate)
    if not message.chain:
        return None, authenticate.judge_empty_list(hs, config, violations.NO_CLIENT_CERTIFICATE_12)
    report = config.report_refused_clients
    peer = yield from authenticate.judge(hs, config.verifier, message.chain, report=report)
    return peer, peer.refusal


def read_client_key(
    hs: Handshake, config: ServerConfig, choices: Choices, pair: KeyPair | None, message: tls12.ClientKeyExchange
) -> bytes:
    """The premaster secret out of ClientKeyExchange."""
    if pair is not None:
        try:
            return pair.shared_secret(message.public_key)
        except InvalidPublicKey as problem:
            raise PeerViolation(violations.BAD_CLIENT_KEY_EXCHANGE, group=choices.group, problem=problem) from None
    # RFC 5246 section 7.4.7.1: whatever is wrong with the premaster secret, go on with a random one, so that the client's
    # Finished fails as it would for any wrong key; whoever tries ciphertexts learns nothing.
    version = choices.client_version.to_bytes(2, "big")
    substitute = version + config.randomness.bytes(46)
    premaster = rsa_decrypt(choices.identity.key, message.encrypted_premaster_secret)
    good = (len(premaster) == 48) & equal(premaster[:2], version)
    return (substitute, premaster)[good]


# Resumption


def resume(hs: Handshake, config: ServerConfig, hello: ClientHello, resumable: Resumable) -> Flow[Established]:
    """The abbreviated handshake of RFC 5246 figure 2."""
    session = resumable.session
    suite = SUITES[session.cipher_suite]
    alpn = choose_alpn(hs, config, hello)
    assert hs.transcript is not None  # noqa: S101 - it is closed only after the handshake
    hs.transcript.select(suite.hash)
    choices = Choices(
        resumable.identity,
        suite,
        session.group,
        None,
        alpn,
        session.extended_master_secret,
        hello.legacy_version,
        server_random(config),
        # RFC 5077 section 3.4: the client knows by the echo of its session ID that the ticket was accepted.
        hello.session_id,
        resumable.renew,
    )
    say_hello(hs, choices, hello, resumed=True)
    master = MasterSecret12(suite, session.secret, hs.client_random, choices.random)
    hs.reveal("CLIENT_RANDOM", master.secret, "the session")
    facts = ConnectionFacts(
        version=TLS1_2,
        cipher_suite=suite.name,
        group=session.group,
        server_name=hs.server_name,
        alpn=None if alpn is None else alpn.decode("utf-8", "replace"),
        peer=resumable.peer,
        peer_chain=session.peer_chain,
        peer_signature_scheme=session.peer_signature_scheme,
        identity=resumable.identity,
        resumed=True,
        shared_cipher_suites=negotiate.shared(config.cipher_suites, hello.cipher_suites),
    )
    if choices.ticket_promised:
        hs.send(new_ticket(config, facts, master, session.created_at, extended=choices.extended))
    keys = master.keys()
    write_12(hs, suite, keys)
    first_finished = master.finished("server", hs.hash_so_far)
    hs.send(Finished(first_finished))
    yield from hs.expect(ChangeCipherSpec)
    read_12(hs, suite, keys)
    check_finished_12(hs, master, "client", (yield from hs.expect(Finished)))
    return Established(facts, master, binds=choices.extended, tls_unique=first_finished)
