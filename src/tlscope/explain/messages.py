"""What matters in each handshake message: a few labelled lines, decoded from the bytes of the trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..trace import Message
from ..wire import extensions as x
from ..wire import handshake as tls13
from ..wire import handshake12 as tls12
from ..wire.codec import DecodeError
from ..wire.codepoints import (
    CipherSuite,
    CodePoint,
    HandshakeType,
    KeyUpdateRequest,
    ProtocolVersion,
    is_grease,
)
from .certificates import CertificateSummary, name_of, summarize
from .model import SEALED, Detail, Side, other_side
from .words import plural, printable

__all__ = ["Known", "Reading", "decode", "describe"]

_SIGNALS = (CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV, CipherSuite.TLS_FALLBACK_SCSV)


@dataclass(slots=True)
class Known:
    """What the messages so far have said, for the understanding of the next one."""

    version: ProtocolVersion | None = None
    suite: CipherSuite | None = None
    group: str = ""
    alpn: str = ""
    server_name: str = ""
    client_random: bytes = b""
    hellos: int = 0
    retried: bool = False
    resumed: bool = False
    requested: bool = False
    """Whether the server asked for a client certificate."""
    session_id: bytes = b""
    chain: dict[Side, tuple[CertificateSummary, ...]] = field(default_factory=dict)
    proven: set[Side] = field(default_factory=set)
    """The sides that have shown a certificate that was not empty."""
    why: dict[str, str] = field(default_factory=dict)
    """The reasons of this side's own choices, by topic, until they have been told."""
    hello: tuple[Detail, ...] = ()
    """The details of the first ClientHello."""

    @property
    def is_tls13(self) -> bool:
        """Whether TLS 1.3 is spoken, as far as is known."""
        return self.version is None or self.version >= ProtocolVersion.TLS1_3

    @property
    def rsa_key_transport(self) -> bool:
        """Whether the client encrypts the premaster secret to the key in the server's certificate."""
        return self.suite is not None and self.suite.name.startswith("TLS_RSA_WITH_")

    def leaf(self, side: Side) -> str:
        """The name in the certificate that a side has shown."""
        chain = self.chain.get(side, ())
        return chain[0].name if chain else f"the {side}"


@dataclass(frozen=True, slots=True)
class Reading:
    """One message that is being described."""

    message: Any
    sender: Side
    known: Known

    def why(self, topic: str) -> str:
        """The reason for a choice of the observed side, told once."""
        return self.known.why.pop(topic, "")


def decode(event: Message) -> Any:
    """The message of an event, in the grammar of its version; None for one that is unknown or was not kept.

    Raises ``DecodeError`` for one that is malformed.
    """
    if len(event.raw) < 4:
        return None
    kind = HandshakeType.of(event.raw[0])
    table = _CLASSES_12 if event.version <= ProtocolVersion.TLS1_2 else _CLASSES_13
    cls = table.get(kind) or _CLASSES.get(kind)
    return None if cls is None else cls.decode(event.raw[4:])


def describe(event: Message, sender: Side, known: Known) -> tuple[Detail, ...]:
    """The details of a message; ``known`` learns from it."""
    try:
        message = decode(event)
    except DecodeError as problem:
        return (Detail("malformed", (printable(problem),)),)
    if message is None:
        return () if event.raw or event.epoch == SEALED else (Detail("", ("its bytes were not kept",)),)
    describer = _DESCRIBERS.get(type(message))
    if describer is None:
        return ()
    try:
        return tuple(detail for detail in describer(Reading(message, sender, known)) if detail.items)
    except DecodeError as problem:  # a field that is read late, such as ClientKeyExchange's
        return (Detail("malformed", (printable(problem),)),)


# The hellos


def _client_hello(r: Reading) -> Iterable[Detail]:
    """The details of a hello; of one that is said again, those that are new."""
    r.known.hellos += 1
    details = tuple(_all_of_client_hello(r))
    if r.known.hellos == 1:
        r.known.hello = details
        return details
    return *(one for one in details if one not in r.known.hello), Detail("", ("all else as before",))


def _all_of_client_hello(r: Reading) -> Iterable[Detail]:
    hello: tls13.ClientHello = r.message
    known, ext = r.known, hello.extensions
    known.client_random = hello.random
    known.session_id = hello.session_id
    asked, protocols = ext.get(x.SERVER_NAME), ext.get(x.ALPN_OFFER)
    known.server_name = printable(asked or "")
    versions = ext.get(x.SUPPORTED_VERSIONS) or (hello.legacy_version,)
    suites = [suite for suite in hello.cipher_suites if suite not in _SIGNALS]
    groups, schemes = ext.get(x.SUPPORTED_GROUPS), ext.get(x.SIGNATURE_ALGORITHMS)
    shares = [share.group for share in ext.get(x.KEY_SHARES) or ()]
    yield Detail("asks for", (known.server_name or "no name (no SNI)",))
    yield Detail("versions", _names(versions))
    yield Detail("ciphers", _names(suites))
    yield Detail("groups", _names(groups or ()))
    yield Detail("key shares", _names(shares))
    yield Detail("signatures", _names(schemes or ()))
    yield Detail("ALPN", _protocols(protocols or ()))
    psks = ext.get(x.PRE_SHARED_KEYS)
    if psks is not None:
        yield Detail("PSK", (f"{len(psks.identities)} offered",))
    elif ext.get(x.SESSION_TICKET):
        yield Detail("resumes", ("a session ticket offered",))
    if ext.get(x.EARLY_DATA):
        yield Detail("early data", ("offered",))
    cookie = ext.get(x.COOKIE)
    if cookie is not None:
        yield Detail("cookie", (f"{plural(len(cookie), 'byte')}, brought back",))
    if CipherSuite.TLS_FALLBACK_SCSV in hello.cipher_suites:
        yield Detail("fallback", ("a second try with a lower version",))


def _server_hello(r: Reading) -> Iterable[Detail]:
    hello: tls13.ServerHello = r.message
    known, ext = r.known, hello.extensions
    known.version, known.suite = hello.version, hello.cipher_suite
    yield Detail("version", (printable(hello.version),), r.why("version"))
    yield Detail("cipher", (printable(hello.cipher_suite),), r.why("cipher_suite"))
    share = ext.get(x.SERVER_KEY_SHARE)
    if share is not None:
        known.group = printable(share.group)
        yield Detail("key share", (known.group,), r.why("group"))
    psk = ext.get(x.SELECTED_PSK)
    if psk is not None:
        known.resumed = True
        yield Detail("PSK", (f"number {psk + 1} of those offered",), r.why("resumption"))
    elif not known.is_tls13 and hello.session_id and hello.session_id == known.session_id:
        known.resumed = True
        yield Detail("resumes", ("the session is accepted",), r.why("resumption"))
    if ext.get(x.EXTENDED_MASTER_SECRET):
        yield Detail("master secret", ("extended: bound to this handshake",))
    yield from _alpn(r, ext)


def _hello_retry_request(r: Reading) -> Iterable[Detail]:
    hello: tls13.HelloRetryRequest = r.message
    ext = hello.extensions
    r.known.version, r.known.retried = hello.version, True
    group = ext.get(x.SELECTED_GROUP)
    if group is not None:
        yield Detail("asks for", (f"a key share of {printable(group)}",), r.why("group"))
    cookie, why = ext.get(x.COOKIE), r.why("hello_retry_request")
    if cookie is not None:
        yield Detail("cookie", (f"{plural(len(cookie), 'byte')} to bring back",), why if group is None else "")
    yield Detail("version", (printable(hello.version),), r.why("version"))
    yield Detail("cipher", (printable(hello.cipher_suite),), r.why("cipher_suite"))


def _encrypted_extensions(r: Reading) -> Iterable[Detail]:
    yield from _alpn(r, r.message.extensions)
    if r.message.extensions.get(x.EARLY_DATA):
        yield Detail("early data", ("accepted",), r.why("early_data"))


def _alpn(r: Reading, ext: x.Extensions) -> Iterable[Detail]:
    chosen = ext.get(x.ALPN_CHOICE)
    if chosen is not None:
        (r.known.alpn,) = _protocols((chosen,))
        yield Detail("ALPN", (r.known.alpn,), r.why("alpn"))


# Certificates and proofs


def _certificate_request_13(r: Reading) -> Iterable[Detail]:
    ext = r.message.extensions
    r.known.requested = True
    return _wishes(ext.get(x.CERTIFICATE_AUTHORITIES) or (), ext.get(x.SIGNATURE_ALGORITHMS) or ())


def _certificate_request_12(r: Reading) -> Iterable[Detail]:
    r.known.requested = True
    return _wishes(r.message.certificate_authorities, r.message.signature_algorithms)


def _wishes(authorities: tuple[bytes, ...], schemes: Iterable[CodePoint]) -> Iterable[Detail]:
    yield Detail("issued by", tuple(map(name_of, authorities)) or ("any authority",))
    yield Detail("signatures", _names(schemes))


def _certificate(r: Reading) -> Iterable[Detail]:
    chain = tuple(map(summarize, r.message.chain))
    r.known.chain[r.sender] = chain
    if not chain:
        yield Detail("", ("an empty list",), r.why("client_identity"))
        return
    r.known.proven.add(r.sender)
    leaf = chain[0]
    if not leaf.readable:
        yield Detail("", ("not a certificate that can be read",))
        return
    yield Detail("for", leaf.names or (leaf.subject,), r.why("identity" if r.sender == "server" else "client_identity"))
    yield Detail("issued by", ("itself (self-signed)" if leaf.self_signed else leaf.issuer,))
    yield Detail("valid", (_validity(leaf),))
    yield Detail("key", (leaf.key,))
    if len(chain) > 1:
        yield Detail("chain", (plural(len(chain), "certificate"),))
    entries = getattr(r.message, "certificate_list", ())
    if entries and entries[0].extensions.get(x.CERTIFICATE_STATUS) is not None:
        yield Detail("OCSP", ("a response is stapled",))


def _certificate_status(r: Reading) -> Iterable[Detail]:
    yield Detail("OCSP", (f"a response of {plural(len(r.message.response), 'byte')}",))


def _compressed_certificate(r: Reading) -> Iterable[Detail]:
    yield Detail("compressed", (printable(r.message.algorithm),))


def _certificate_verify(r: Reading) -> Iterable[Detail]:
    yield Detail("signs", ("all messages so far",))
    yield Detail("with", (f"the private key of {r.known.leaf(r.sender)}",))
    yield Detail("scheme", (printable(r.message.algorithm),), r.why("signature_scheme"))


def _finished(r: Reading) -> Iterable[Detail]:
    yield Detail("proves", ("same handshake, same keys",))


# TLS 1.2's key exchange


def _server_key_exchange(r: Reading) -> Iterable[Detail]:
    r.known.group = printable(r.message.group)
    yield Detail("key share", (r.known.group,), r.why("group"))
    yield Detail("signed with", (f"the private key of {r.known.leaf(r.sender)}",))
    yield Detail("scheme", (printable(r.message.algorithm),), r.why("signature_scheme"))


def _client_key_exchange(r: Reading) -> Iterable[Detail]:
    if r.known.rsa_key_transport:
        size = len(r.message.encrypted_premaster_secret)
        yield Detail("holds", (f"the premaster secret, encrypted, {plural(size, 'byte')}",))
        yield Detail("readable by", (f"the private key of {r.known.leaf(other_side(r.sender))} alone",))
    else:
        yield Detail("key share", (r.known.group or plural(len(r.message.public_key), "byte"),))


# After the handshake


def _ticket_13(r: Reading) -> Iterable[Detail]:
    yield Detail("to resume", (f"within {_duration(r.message.ticket_lifetime)}",))
    size = r.message.extensions.get(x.MAX_EARLY_DATA_SIZE)
    if size is not None:
        yield Detail("early data", (f"up to {plural(size, 'byte')}",))


def _ticket_12(r: Reading) -> Iterable[Detail]:
    yield Detail("to resume", (f"within {_duration(r.message.ticket_lifetime_hint)}",))


def _key_update(r: Reading) -> Iterable[Detail]:
    asked = r.message.request_update == KeyUpdateRequest.update_requested
    yield Detail("new keys", (f"for what the {r.sender} sends" + (", and the same is asked back" if asked else ""),))


_CLASSES: dict[int, Any] = {
    HandshakeType.client_hello: tls13.ClientHello,
    HandshakeType.server_hello: tls13.ServerHello,
    HandshakeType.certificate_verify: tls13.CertificateVerify,
    HandshakeType.finished: tls13.Finished,
}
_CLASSES_13: dict[int, Any] = {
    HandshakeType.new_session_ticket: tls13.NewSessionTicket,
    HandshakeType.end_of_early_data: tls13.EndOfEarlyData,
    HandshakeType.encrypted_extensions: tls13.EncryptedExtensions,
    HandshakeType.certificate: tls13.Certificate,
    HandshakeType.compressed_certificate: tls13.CompressedCertificate,
    HandshakeType.certificate_request: tls13.CertificateRequest,
    HandshakeType.key_update: tls13.KeyUpdate,
}
_CLASSES_12: dict[int, Any] = {
    HandshakeType.hello_request: tls12.HelloRequest,
    HandshakeType.new_session_ticket: tls12.NewSessionTicket,
    HandshakeType.certificate: tls12.Certificate,
    HandshakeType.certificate_status: tls12.CertificateStatus,
    HandshakeType.server_key_exchange: tls12.ServerKeyExchange,
    HandshakeType.certificate_request: tls12.CertificateRequest,
    HandshakeType.server_hello_done: tls12.ServerHelloDone,
    HandshakeType.client_key_exchange: tls12.ClientKeyExchange,
}

_DESCRIBERS: dict[type[Any], Callable[[Reading], Iterable[Detail]]] = {
    tls13.ClientHello: _client_hello,
    tls13.ServerHello: _server_hello,
    tls13.HelloRetryRequest: _hello_retry_request,
    tls13.EncryptedExtensions: _encrypted_extensions,
    tls13.CertificateRequest: _certificate_request_13,
    tls12.CertificateRequest: _certificate_request_12,
    tls13.Certificate: _certificate,
    tls12.Certificate: _certificate,
    tls13.CompressedCertificate: _compressed_certificate,
    tls12.CertificateStatus: _certificate_status,
    tls13.CertificateVerify: _certificate_verify,
    tls13.Finished: _finished,
    tls12.ServerKeyExchange: _server_key_exchange,
    tls12.ClientKeyExchange: _client_key_exchange,
    tls13.NewSessionTicket: _ticket_13,
    tls12.NewSessionTicket: _ticket_12,
    tls13.KeyUpdate: _key_update,
}


def _names(values: Iterable[CodePoint]) -> tuple[str, ...]:
    """The names of code points, less those that only keep peers open to new ones (RFC 8701)."""
    return tuple(printable(value) for value in values if not is_grease(value))


def _protocols(names: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(
        printable(name.decode("utf-8", "replace"))
        for name in names
        if not (len(name) == 2 and is_grease(int.from_bytes(name, "big")))
    )


def _validity(leaf: CertificateSummary) -> str:
    if leaf.not_before is None or leaf.not_after is None:
        return ""
    return f"{_day(leaf.not_before)} to {_day(leaf.not_after)}"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _duration(seconds: int) -> str:
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return plural(seconds // size, unit)
    return plural(seconds, "second")
