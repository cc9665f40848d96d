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

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import violations
from ..crypto.cipher_suites import Suite
from ..crypto.groups import InvalidPublicKey
from ..crypto.hashes import equal
from ..errors import PeerViolation
from ..events import ConnectionFacts
from ..keys.schedule13 import EarlySecret, HandshakeSecret, MasterSecret, TrafficSecret
from ..wire import extensions as x
from ..wire.codepoints import NamedGroup, ProtocolVersion
from ..wire.handshake import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    EncryptedExtensions,
    Finished,
    HelloRetryRequest,
    ServerHello,
)
from . import authenticate, negotiate
from .authenticate import Peer
from .established import Established
from .flow import Flow
from .hello import Offer, check_answers, check_place, check_server_hello, required, retry

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
    suite, group, secret = agree_on_keys(hs, offer, hello)

    server_traffic, client_traffic = derive_handshake_keys(hs, secret)
    if offer.retried is None:
        compatibility_change_cipher_spec(hs, offer)
    hs.write_with_secret(client_traffic, "handshake")

    encrypted = yield from hs.expect(EncryptedExtensions)
    alpn = read_encrypted_extensions(hs, offer, encrypted)

    request: CertificateRequest | None = None
    message = yield from hs.expect(CertificateRequest, Certificate)
    if isinstance(message, CertificateRequest):
        request = read_certificate_request(message)
        message = yield from hs.expect(Certificate)
    assert isinstance(message, Certificate)  # noqa: S101 - expect() gives nothing else
    peer = yield from judge_server(hs, config, offer, message)

    verify = yield from hs.expect(CertificateVerify)
    authenticate.check_proof(hs, peer, verify)

    finished = yield from hs.expect(Finished)
    check_finished(server_traffic, hs.before.digest(), finished)

    master = secret.master()
    after_server_finished = hs.hash_so_far
    shown = Shown()
    if request is not None:
        shown = yield from show_certificate(hs, config, request)
    hs.send(Finished(client_traffic.finished(hs.hash_so_far)))

    return settle(
        hs,
        master,
        after_server_finished,
        ConnectionFacts(
            version=TLS1_3,
            cipher_suite=suite.name,
            group=group,
            server_name=hs.server_name,
            alpn=alpn,
            peer=peer.verified,
            peer_chain=peer.chain,
            peer_signature_scheme=verify.algorithm,
            identity=shown.identity,
            identity_refusal=shown.refusal,
            client_certificate_requested=request is not None,
            hello_retry_request=offer.retried is not None,
        ),
    )


@dataclass(frozen=True, slots=True)
class Shown:
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
    compatibility_change_cipher_spec(hs, offer)
    hs.records.record_version = 0x0303
    return Offer(hs.send(offer.hello), offer.key_pairs, request)


def compatibility_change_cipher_spec(hs: Handshake, offer: Offer) -> None:
    """Before its second flight a client in compatibility mode sends a ChangeCipherSpec (appendix D.4)."""
    if hs.config.middlebox_compatibility and offer.hello.session_id:
        hs.send_change_cipher_spec()


def agree_on_keys(hs: Handshake, offer: Offer, hello: ServerHello) -> tuple[Suite, NamedGroup, HandshakeSecret]:
    """Suite, group and handshake secret from the ServerHello (sections 4.1.3 and 7.1)."""
    suite = check_server_hello(offer, hello)
    if offer.retried is not None and offer.retried.cipher_suite != suite.name:
        raise PeerViolation(
            violations.CHANGED_CIPHER_SUITE, first=offer.retried.cipher_suite, second=hello.cipher_suite
        )
    hs.records.record_version = 0x0303
    assert hs.transcript is not None  # noqa: S101 - it is closed only after the handshake
    hs.transcript.select(suite.hash)
    hs.note("version", TLS1_3, "the server chose it", (TLS1_3,), hs.config.versions, "RFC 8446 section 4.2.1")
    hs.note("cipher_suite", suite.name, "the server chose it", (suite.name,), hs.config.cipher_suites)

    share = required("ServerHello", hello.extensions, x.SERVER_KEY_SHARE)
    pair = offer.key_pairs.get(share.group)
    if pair is None:
        raise PeerViolation(violations.UNOFFERED_KEY_SHARE, received=share.group)
    hs.note("group", share.group, "the server answered this key share", tuple(offer.key_pairs), hs.config.groups)
    try:
        shared_secret = pair.shared_secret(share.key_exchange)
    except InvalidPublicKey as problem:
        raise PeerViolation(violations.BAD_KEY_SHARE, group=share.group, problem=problem) from None
    return suite, share.group, EarlySecret(suite.hash).handshake(suite, shared_secret)


def derive_handshake_keys(hs: Handshake, secret: HandshakeSecret) -> tuple[TrafficSecret, TrafficSecret]:
    """The server's and the client's handshake traffic secrets; from here on the server's messages are protected."""
    after_server_hello = hs.hash_so_far
    server = secret.server_traffic(after_server_hello)
    client = secret.client_traffic(after_server_hello)
    inputs = ("handshake secret", "ClientHello..ServerHello")
    hs.reveal("SERVER_HANDSHAKE_TRAFFIC_SECRET", server.secret, *inputs)
    hs.reveal("CLIENT_HANDSHAKE_TRAFFIC_SECRET", client.secret, *inputs)
    hs.read_with_secret(server, "handshake")
    return server, client


def read_encrypted_extensions(hs: Handshake, offer: Offer, message: EncryptedExtensions) -> str | None:
    """Check the server's answers (section 4.3.1); gives the application protocol."""
    answers = message.extensions
    check_answers("EncryptedExtensions", answers, offer.hello.extensions.types, x.ENCRYPTED_EXTENSIONS_FORMS)
    chosen = answers.get(x.ALPN_CHOICE)
    if chosen is None:
        return None
    offered = offer.hello.extensions.get(x.ALPN_OFFER) or ()
    if chosen not in offered:
        raise PeerViolation(violations.UNOFFERED_ALPN, received=chosen.decode("utf-8", "replace"))
    protocol = chosen.decode("utf-8", "replace")
    hs.note("alpn", protocol, "the server chose it", (protocol,), hs.config.alpn, "RFC 7301 section 3.2")
    return protocol


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
        check_answers("Certificate", entry.extensions, offer.hello.extensions.types, x.CERTIFICATE_ENTRY_FORMS)
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
    identity, why = yield from authenticate.choose_client_identity(hs, config, offered, authorities, usable)
    context = request.certificate_request_context
    if identity is None:
        hs.send(Certificate((), context))
        return Shown(refusal=why)
    scheme = negotiate.signature_scheme(offered, identity.schemes, tuple(config.signature_schemes_13))
    hs.note("signature_scheme", scheme.value, scheme.why, offered, identity.schemes)
    staple = x.STATUS_PROMISED.type in request.extensions
    hs.send(authenticate.certificate_message(identity, context, staple=staple))
    hs.send((yield from authenticate.prove(hs, identity, scheme.value)))
    return Shown(identity)


def settle(hs: Handshake, master: MasterSecret, after_server_finished: bytes, facts: ConnectionFacts) -> Established:
    """Application keys both ways, exporter and resumption secrets (section 7.1)."""
    server = master.server_traffic(after_server_finished)
    client = master.client_traffic(after_server_finished)
    exporter = master.exporter(after_server_finished)
    inputs = ("master secret", "ClientHello..server Finished")
    hs.reveal("SERVER_TRAFFIC_SECRET_0", server.secret, *inputs)
    hs.reveal("CLIENT_TRAFFIC_SECRET_0", client.secret, *inputs)
    hs.reveal("EXPORTER_SECRET", exporter.secret, *inputs)
    hs.read_with_secret(server, "application")
    hs.write_with_secret(client, "application")
    resumption = master.resumption(hs.hash_so_far)
    hs.reveal("resumption_master_secret", resumption, "master secret", "ClientHello..client Finished", log=False)
    return Established(facts, exporter, resumption)
