"""A well-formed example of every handshake message there is, and of some that there are not."""

from __future__ import annotations

from certificates import server_identity

from tlscope.wire import extensions as x
from tlscope.wire import handshake as m
from tlscope.wire import handshake12 as m12
from tlscope.wire.codepoints import (
    CertificateCompressionAlgorithm,
    CipherSuite,
    KeyUpdateRequest,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)
from tlscope.wire.extensions import Extensions, KeyShareEntry

SUITE = CipherSuite.TLS_AES_128_GCM_SHA256
SCHEME = SignatureScheme.ecdsa_secp256r1_sha256
_VERSION_13 = x.SELECTED_VERSION(ProtocolVersion.TLS1_3)
_SHARE = KeyShareEntry(NamedGroup.x25519, b"\x09" + bytes(31))


def _extensions(*items: tuple[int, bytes]) -> Extensions:
    return Extensions(items)


MESSAGES: dict[str, bytes] = {
    "ClientHello": m.ClientHello(
        bytes(32),
        (SUITE,),
        _extensions(
            x.SUPPORTED_VERSIONS((ProtocolVersion.TLS1_3,)),
            x.SUPPORTED_GROUPS((NamedGroup.x25519,)),
            x.SIGNATURE_ALGORITHMS((SCHEME,)),
            x.KEY_SHARES((_SHARE,)),
        ),
    ).encode(),
    "ServerHello": m.ServerHello(bytes(32), SUITE, _extensions(_VERSION_13, x.SERVER_KEY_SHARE(_SHARE))).encode(),
    "HelloRetryRequest": m.HelloRetryRequest(
        m.HELLO_RETRY_REQUEST_RANDOM, SUITE, _extensions(_VERSION_13, x.COOKIE(b"cookie"))
    ).encode(),
    "EncryptedExtensions": m.EncryptedExtensions(Extensions()).encode(),
    "CertificateRequest": m.CertificateRequest(_extensions(x.SIGNATURE_ALGORITHMS((SCHEME,)))).encode(),
    "Certificate": m.Certificate(tuple(map(m.CertificateEntry, server_identity().chain))).encode(),
    "CompressedCertificate": m.CompressedCertificate(CertificateCompressionAlgorithm.zlib, 9, b"data").encode(),
    "CertificateVerify": m.CertificateVerify(SCHEME, b"signature").encode(),
    "Finished": m.Finished(bytes(32)).encode(),
    "EndOfEarlyData": m.EndOfEarlyData().encode(),
    "NewSessionTicket": m.NewSessionTicket(60, 7, b"\0", b"ticket").encode(),
    "KeyUpdate": m.KeyUpdate(KeyUpdateRequest.update_not_requested).encode(),
    "HelloRequest": m12.HelloRequest().encode(),
    "CertificateStatus": m12.CertificateStatus(b"response").encode(),
    "ServerKeyExchange": m12.ServerKeyExchange(NamedGroup.x25519, bytes(32), SCHEME, b"signature").encode(),
    "ServerHelloDone": m12.ServerHelloDone().encode(),
    "ClientKeyExchange": m12.ClientKeyExchange.ecdhe(bytes(32)).encode(),
    "MessageHash": m.frame(254, bytes(32)),
    "message 0x63": m.frame(99, b"anything"),
}
"""By name, as ``connection.awaiting`` names them."""
