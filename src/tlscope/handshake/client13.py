"""The client's side of the TLS 1.3 handshake, in the order of RFC 8446 section 2, figure 1.

ClientHello            -------->
                                        ServerHello
                              {EncryptedExtensions}
                              {CertificateRequest*}
                                      {Certificate}
                                {CertificateVerify}
                       <--------         {Finished}
{Certificate*}
{CertificateVerify*}
{Finished}             -------->
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .. import violations
from ..crypto.cipher_suites import Suite
from ..crypto.groups import InvalidPublicKey
from ..crypto.hashes import equal
from ..errors import PeerViolation
from ..events import ConnectionFacts, EarlyDataRejected
from ..keys.schedule13 import EarlySecret, HandshakeSecret, MasterSecret, TrafficSecret
from ..wire import extensions as x
from ..wire.codepoints import CertificateType, NamedGroup, ProtocolVersion, PskKeyExchangeMode, SignatureScheme
from ..wire.handshake import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    CompressedCertificate,
    EncryptedExtensions,
    EndOfEarlyData,
    Finished,
    HelloRetryRequest,
    ServerHello,
)
from . import authenticate, negotiate
from .certificate_compression import compress, decompress
from .certificate_types import peer_shows_raw_key, read_types
from .early_data import early_data_status, settle_early_data
from .established import Established
from .flow import Flow
from .hello import (
    Offer,
    check_answers,
    check_encrypted_answers,
    check_place,
    check_server_hello,
    read_alpn,
    required,
    retry,
)
from .peer import Peer
from .psk import Psk, accepted_psk, with_psks
from .record_size import heed_peer

if TYPE_CHECKING:
    from ..config import ClientConfig
    from ..trust.identity import Identity
    from .driver import Handshake

TLS1_3 = ProtocolVersion.TLS1_3


def client_handshake_13(hs: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello) -> Flow[Established]:
    """From the server's first answer to the client's Finished."""
    hs.version = TLS1_3
    hs.records.is_tls13 = True
    hs.change_cipher_specs_allowed = True
    if isinstance(hello, HelloRetryRequest):
        offer = say_hello_again(hs, config, offer, hello)
        hello = yield from hs.expect(ServerHello)
    suite, group, psk, secret = agree_on_keys(hs, offer, hello)

    server_traffic, client_traffic = derive_handshake_keys(hs, secret)
    if hs.early_data is None:
        if offer.retried is None:
            compatibility_change_cipher_spec(hs, offer)
        hs.write_with_secret(client_traffic, "handshake")

    encrypted = yield from hs.expect(EncryptedExtensions)
    alpn = read_encrypted_extensions(hs, config, offer, encrypted)
    if not settle_early_data(hs, offer, encrypted, psk, suite, alpn) and hs.early_data is not None:
        hs.write_with_secret(client_traffic, "handshake")

    if psk is None:
        read_types(hs, offer.hello.extensions, encrypted.extensions)
        server = yield from hear_server_certificate(hs, config, offer)
    else:
        server = yield from resume_with(hs, config, psk)

    finished = yield from hs.expect(Finished)
    check_finished(server_traffic, hs.before.digest(), finished)
    hs.check_aligned()  # now: an alert under the handshake keys would come too late behind the client's Finished

    master = secret.master()
    after_server_finished = hs.hash_so_far
    if hs.early_data is not None and hs.early_data.status == "accepted":
        hs.send(EndOfEarlyData())
        hs.write_with_secret(client_traffic, "handshake")
    shown = Shown()
    if server.request is not None:
        shown = yield from show_certificate(hs, config, server.request)
    hs.send(Finished(client_traffic.finished(hs.hash_so_far)))

    return settle(
        hs,
        config,
        master,
        after_server_finished,
        ConnectionFacts(
            version=TLS1_3,
            cipher_suite=suite.name,
            group=group,
            server_name=hs.server_name,
            alpn=alpn,
            peer=None if server.peer is None else server.peer.verified,
            peer_chain=() if server.peer is None else server.peer.chain,
            peer_signature_scheme=server.scheme,
            identity=server.identity if psk is not None else shown.identity,
            identity_refusal=shown.refusal,
            client_certificate_requested=server.request is not None,
            hello_retry_request=offer.retried is not None,
            resumed=psk is not None and psk.session is not None,
            external_psk=None if psk is None else psk.external_identity,
            signed_certificate_timestamps=server.timestamps,
            ocsp_response=None if server.peer is None else server.peer.staple,
            early_data=early_data_status(hs) if offer.offers_early_data else "",
        ),
        psk,
        offer,
    )


class Server(NamedTuple):
    """Who the server is, by its certificate or by the session; and what it asks of the client."""

    peer: Peer | None = None
    scheme: SignatureScheme | None = None
    request: CertificateRequest | None = None
    identity: Identity | None = None
    timestamps: tuple[bytes, ...] = ()


def hear_server_certificate(hs: Handshake, config: ClientConfig, offer: Offer) -> Flow[Server]:
    """CertificateRequest*, Certificate and CertificateVerify (sections 4.3.2, 4.4.2 and 4.4.3)."""
    request: CertificateRequest | None = None
    message: CertificateRequest | Certificate | CompressedCertificate
    if config.certificate_compression:
        message = yield from hs.expect(CertificateRequest, Certificate, CompressedCertificate)
    else:
        message = yield from hs.expect(CertificateRequest, Certificate)
    if isinstance(message, CertificateRequest):
        request = read_certificate_request(message)
        message = yield from expect_certificate(hs)
    if isinstance(message, CompressedCertificate):
        message = decompress(hs, message)
    peer = yield from judge_server(hs, config, offer, message)
    verify = yield from hs.expect(CertificateVerify)
    authenticate.check_proof(hs, peer, verify)
    timestamps = message.certificate_list[0].extensions.get(x.SIGNED_CERTIFICATE_TIMESTAMPS) or ()
    return Server(peer, verify.algorithm, request, timestamps=timestamps)


def expect_certificate(hs: Handshake) -> Flow[Certificate | CompressedCertificate]:
    """The peer's Certificate, which may come compressed where that was offered (RFC 8879 section 4)."""
    if hs.config.certificate_compression:
        return (yield from hs.expect(Certificate, CompressedCertificate))
    return (yield from hs.expect(Certificate))


def resume_with(hs: Handshake, config: ClientConfig, psk: Psk) -> Flow[Server]:
    """The PSK stands for the server's certificate: a session's is judged anew, an external one has none (2.2)."""
    session = psk.session
    if session is None:
        hs.note("resumption", "external PSK", "the server knows the key", rfc="RFC 8446 section 2.2")
        return Server()
    hs.note("resumption", "resumed", "the server accepted the ticket", rfc="RFC 8446 section 2.2")
    identity = next((one for one in config.all_identities if one.fingerprint == session.identity), None)
    if not session.peer_chain:
        return Server(identity=identity)
    peer = yield from authenticate.judge(hs, config.verifier, session.peer_chain, session=session)
    return Server(peer, session.peer_signature_scheme, identity=identity)


class Shown(NamedTuple):
    """What the client answered to a CertificateRequest: an identity, or the reason for an empty list."""

    identity: Identity | None = None
    refusal: str | None = None


def say_hello_again(hs: Handshake, config: ClientConfig, offer: Offer, request: HelloRetryRequest) -> Offer:
    """Answer a HelloRetryRequest (section 4.1.4)."""
    suite = check_server_hello(offer, request)
    offer = retry(hs, config, offer, request)
    # Section 4.4.1: ClientHello1 is replaced by its hash, so that a server need not keep it.
    transcript = hs.before
    transcript.select(suite.hash)
    transcript.replace_with_message_hash()
    transcript.add(hs.message)
    hs.transcript = transcript
    hs.records.record_version = 0x0303
    if hs.early_data is None:
        compatibility_change_cipher_spec(hs, offer)
    else:
        hs.early_data.settle("rejected")
        hs.events.append(EarlyDataRejected(bytes(hs.early_data.sent)))
        hs.records.flush_handshake()
        hs.records.write = None  # the second ClientHello goes out as the first did
        hs.early_data = None
    offer.encoded = with_psks(offer.hello, offer.psks, transcript)
    offer.hello = hs.hello = hs.send(offer.hello, encoded=offer.encoded)
    return offer


def compatibility_change_cipher_spec(hs: Handshake, offer: Offer) -> None:
    """Before its second flight a client in compatibility mode sends a ChangeCipherSpec (appendix D.4)."""
    if hs.config.middlebox_compatibility and offer.hello.session_id:
        hs.send_change_cipher_spec()


def agree_on_keys(
    hs: Handshake, offer: Offer, hello: ServerHello
) -> tuple[Suite, NamedGroup | None, Psk | None, HandshakeSecret]:
    """Suite, group, PSK and handshake secret from the ServerHello (sections 4.1.3 and 7.1)."""
    if offer.retried is not None and hello.version is not TLS1_3:
        raise PeerViolation(violations.CHANGED_VERSION, second=hello.version)
    suite = check_server_hello(offer, hello)
    if offer.retried is not None and offer.retried.cipher_suite != suite.name:
        raise PeerViolation(
            violations.CHANGED_CIPHER_SUITE, first=offer.retried.cipher_suite, second=hello.cipher_suite
        )
    hs.records.record_version = 0x0303
    assert hs.transcript is not None  # noqa: S101 - it is closed only after the handshake
    hs.transcript.select(suite.hash)
    if hs.sink is not None:
        hs.note("version", TLS1_3, "the server chose it", (TLS1_3,), hs.config.versions, "RFC 8446 section 4.2.1")
        hs.note("cipher_suite", suite.name, "the server chose it", (suite.name,), hs.config.cipher_suites)

    psk = accepted_psk(hs.config, offer.psks, hello, suite)
    early = EarlySecret(suite.hash) if psk is None else psk.early
    if psk is not None and x.SERVER_KEY_SHARE.type not in hello.extensions:
        modes = offer.hello.extensions.get(x.PSK_KEY_EXCHANGE_MODES) or ()
        if PskKeyExchangeMode.psk_ke in modes:
            hs.note("group", "none", "the server goes on with the PSK alone, without forward secrecy")
            return suite, None, psk, early.handshake(suite, None)
    share = required("ServerHello", hello.extensions, x.SERVER_KEY_SHARE)
    pair = offer.key_pairs.get(share.group)
    if pair is None:
        raise PeerViolation(violations.UNOFFERED_KEY_SHARE, received=share.group)
    if hs.sink is not None:
        hs.note("group", share.group, "the server answered this key share", offer.key_pairs, hs.config.groups)
    try:
        shared_secret = pair.shared_secret(share.key_exchange)
    except InvalidPublicKey as problem:
        raise PeerViolation(violations.BAD_KEY_SHARE, group=share.group, problem=problem) from None
    return suite, share.group, psk, early.handshake(suite, shared_secret)


def derive_handshake_keys(hs: Handshake, secret: HandshakeSecret) -> tuple[TrafficSecret, TrafficSecret]:
    """The server's and the client's handshake traffic secrets; from here on the server's messages are protected."""
    after_server_hello = hs.hash_so_far
    server = secret.server_traffic(after_server_hello)
    client = secret.client_traffic(after_server_hello)
    if hs.reveals:
        inputs = ("handshake secret", "ClientHello..ServerHello")
        hs.reveal("SERVER_HANDSHAKE_TRAFFIC_SECRET", server.secret, *inputs)
        hs.reveal("CLIENT_HANDSHAKE_TRAFFIC_SECRET", client.secret, *inputs)
    hs.read_with_secret(server, "handshake")
    return server, client


def read_encrypted_extensions(
    hs: Handshake, config: ClientConfig, offer: Offer, message: EncryptedExtensions
) -> str | None:
    """Check the server's answers (section 4.3.1); gives the application protocol."""
    answers = message.extensions
    check_encrypted_answers(answers, offer.hello.extensions)
    heed_peer(hs, answers)
    return read_alpn(hs, config, offer, answers.get(x.ALPN_CHOICE))


def read_certificate_request(message: CertificateRequest) -> CertificateRequest:
    """Check a CertificateRequest of the handshake (section 4.3.2)."""
    if message.certificate_request_context:
        raise PeerViolation(violations.BAD_REQUEST_CONTEXT)
    check_place("CertificateRequest", message.extensions, x.CERTIFICATE_REQUEST_FORMS)
    return message


def judge_server(hs: Handshake, config: ClientConfig, offer: Offer, message: Certificate) -> Flow[Peer]:
    """Check the form of the server's Certificate and judge its chain (section 4.4.2)."""
    if message.certificate_request_context:
        raise PeerViolation(violations.BAD_REQUEST_CONTEXT)
    if not message.certificate_list:
        raise PeerViolation(violations.EMPTY_SERVER_CERTIFICATE)
    for entry in message.certificate_list:
        check_answers("Certificate", entry.extensions, offer.hello.extensions, x.CERTIFICATE_ENTRY_FORMS)
    staple = message.certificate_list[0].extensions.get(x.CERTIFICATE_STATUS)
    return (yield from authenticate.judge(hs, config.verifier, message.chain, staple))


def check_finished(sender: TrafficSecret, transcript_hash: bytes, message: Finished) -> None:
    """Raises ``PeerViolation`` where the peer's verify_data is not what it must be (section 4.4.4)."""
    if not equal(sender.finished(transcript_hash), message.verify_data):
        raise PeerViolation(violations.BAD_FINISHED)


def show_certificate(hs: Handshake, config: ClientConfig, request: CertificateRequest) -> Flow[Shown]:
    """Send Certificate and, where it is not empty, CertificateVerify (sections 4.4.2 and 4.4.3)."""
    usable = authenticate.usable_schemes(request, config)
    offered = request.extensions.get(x.SIGNATURE_ALGORITHMS) or ()
    authorities = request.extensions.get(x.CERTIFICATE_AUTHORITIES) or ()
    identity: Identity | None
    if hs.certificate_types.client == CertificateType.RawPublicKey:
        identity, why = config.raw_key, "the server takes raw public keys, and none is configured"
    else:
        identity, why = yield from authenticate.choose_client_identity(hs, config, offered, authorities, usable)
    context = request.certificate_request_context
    if identity is None:
        hs.send(Certificate((), context))
        return Shown(refusal=why)
    scheme = negotiate.signature_scheme(offered, identity.schemes, config.signing_schemes_13)
    if hs.sink is not None:
        hs.note("signature_scheme", scheme.value, scheme.why, offered, identity.schemes)
    staple = x.STATUS_PROMISED.type in request.extensions
    message = authenticate.certificate_message(identity, context, staple=staple)
    hs.send(compress(hs, message, request.extensions.get(x.COMPRESS_CERTIFICATE)))
    hs.send((yield from authenticate.prove(hs, identity, scheme.value)))
    return Shown(identity)


def resumption_master_secret(hs: Handshake, master: MasterSecret) -> bytes:
    """What the PSKs of tickets come from (section 7.1)."""
    secret = master.resumption(hs.hash_so_far)
    hs.reveal("resumption_master_secret", secret, "master secret", "ClientHello..client Finished", log=False)
    return secret


def settle(
    hs: Handshake,
    config: ClientConfig,
    master: MasterSecret,
    after_server_finished: bytes,
    facts: ConnectionFacts,
    psk: Psk | None,
    offer: Offer,
) -> Established:
    """Application keys both ways, exporter and resumption secrets (section 7.1)."""
    server = master.server_traffic(after_server_finished)
    client = master.client_traffic(after_server_finished)
    exporter = master.exporter(after_server_finished)
    if hs.reveals:
        inputs = ("master secret", "ClientHello..server Finished")
        hs.reveal("SERVER_TRAFFIC_SECRET_0", server.secret, *inputs)
        hs.reveal("CLIENT_TRAFFIC_SECRET_0", client.secret, *inputs)
        hs.reveal("EXPORTER_SECRET", exporter.secret, *inputs)
    hs.read_with_secret(server, "application")
    hs.write_with_secret(client, "application")
    resumption = None
    if config.sessions is not None or hs.reveals:
        resumption = resumption_master_secret(hs, master)
    session = None if psk is None else psk.session
    return Established(
        facts,
        exporter,
        resumption,
        peer_raw_key=peer_shows_raw_key(hs) if session is None else session.peer_raw_key,
        session_created_at=None if session is None else session.created_at,
        external_psk=None if psk is None else psk.external,
        post_handshake_auth=x.POST_HANDSHAKE_AUTH.type in offer.hello.extensions,
    )
