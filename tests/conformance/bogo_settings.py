"""From the runner's flags to tlscope's configurations, with the defaults that the runner takes for granted."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from bogo_flags import Credential, Flags, Unimplemented
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tlscope import (
    DEFAULT_CIPHER_SUITES,
    RSA_KEY_TRANSPORT,
    CipherSuite,
    ClientAuth,
    ClientConfig,
    ConfigError,
    ConnectionFacts,
    ExternalPsk,
    Identity,
    Limits,
    NamedGroup,
    ProtocolVersion,
    RawKeyIdentity,
    ServerConfig,
    Session,
    SignatureScheme,
    TicketKeys,
    TrustAnchors,
)
from tlscope.crypto.cipher_suites import SUITES
from tlscope.crypto.groups import GROUPS
from tlscope.crypto.signatures import SCHEMES
from tlscope.handshake.flow import ChooseClientIdentity, ChooseServerIdentity, VerifyPeer
from tlscope.replay import MemoryReplayGuard
from tlscope.sessions import MemorySessionStore, TicketRejected
from tlscope.wire import extensions as x
from tlscope.wire import handshake12 as tls12
from tlscope.wire.codec import DecodeError
from tlscope.wire.codepoints import CertificateType
from tlscope.wire.handshake import CertificateRequest

__all__ = ["NO_NAME", "Memory", "Shown", "client_config", "place_of", "server_config", "shown"]

NO_NAME = "127.0.0.1"
"""Stands for a server that is not asked for by name: an address is never sent (RFC 6066 section 3)."""

_DEFAULT_GROUPS = (NamedGroup.X25519MLKEM768, NamedGroup.x25519, NamedGroup.secp256r1, NamedGroup.secp384r1)
_DEFAULT_VERIFY_PREFS = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201)
_DEFAULT_SIGNING_PREFS = (
    *(0x0904, 0x0905, 0x0906, 0x0807),
    *(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0603, 0x0806, 0x0601),
    *(0x0203, 0x0201),
)
_NEVER_SCHEMES = (0xFF01,)  # RSA with MD5 and SHA-1, of TLS 1.0: a setting that is ignored

_MAX_EARLY_DATA = 14336
_X509, _RAW = int(CertificateType.X509), int(CertificateType.RawPublicKey)


def _ecdhe(bits: str) -> tuple[str, str]:
    hash = {"128": "SHA256", "256": "SHA384"}[bits]
    return f"TLS_ECDHE_ECDSA_WITH_AES_{bits}_GCM_{hash}", f"TLS_ECDHE_RSA_WITH_AES_{bits}_GCM_{hash}"


_POLICIES: dict[str, dict[str, Any]] = {
    # NIST SP 800-52 revision 2.
    "-fips-202205": {
        "cipher_suites": ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", *_ecdhe("128"), *_ecdhe("256")),
        "groups": (NamedGroup.secp256r1, NamedGroup.secp384r1),
        "schemes": (0x0401, 0x0501, 0x0601, 0x0403, 0x0503, 0x0804, 0x0805, 0x0806),
    },
    # WPA 3.1 section 3.5.
    "-wpa-202304": {
        "cipher_suites": ("TLS_AES_256_GCM_SHA384", *_ecdhe("256")),
        "groups": (NamedGroup.secp384r1,),
        "schemes": (0x0501, 0x0601, 0x0503, 0x0805, 0x0806),
    },
    # RFC 9151.
    "-cnsa1-202603": {
        "cipher_suites": ("TLS_AES_256_GCM_SHA384", *_ecdhe("256"), "TLS_RSA_WITH_AES_256_GCM_SHA384"),
        "groups": (NamedGroup.MLKEM1024, NamedGroup.secp384r1),
        "schemes": (0x0503, 0x0805, 0x0501),
    },
    # The draft for CNSA 2.0.
    "-cnsa2-202603": {
        "cipher_suites": ("TLS_AES_256_GCM_SHA384",),
        "groups": (NamedGroup.MLKEM1024,),
        "schemes": (0x0503, 0x0805, 0x0501),
    },
    "-cnsa-202407": {
        "cipher_suites": ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
    },
}


@dataclass
class OneSession:
    """A client's sessions as the runner wants them: each connection offers the last one of the connection before."""

    received: Session | None = None
    offered: Session | None = None
    looked_at: bool = False

    def next_connection(self) -> None:
        """What was received last is what is offered next."""
        self.offered, self.received, self.looked_at = self.received, None, False

    def put(self, server_name: str, session: Session) -> None:
        self.received = session

    def find(self, server_name: str, now: float) -> Session | None:
        self.looked_at = True
        return self.offered if self.offered is not None and self.offered.is_fresh(now) else None

    def remove(self, server_name: str, session: Session) -> None:
        self.offered = None


class CountingStore(MemorySessionStore):
    """A server's store that knows how many sessions were put into it."""

    kept = 0

    def put(self, name: bytes, session: bytes, expires_at: float) -> None:
        self.kept += 1
        super().put(name, session, expires_at)


@dataclass
class Memory:
    """What lasts over the connections of one case."""

    sessions: OneSession = field(default_factory=OneSession)
    tickets: Any = field(default_factory=TicketKeys)
    store: CountingStore = field(default_factory=lambda: CountingStore())
    staple: bytes | None = None
    """What the peer stapled in the handshake in which it showed its certificate."""
    timestamps: bytes = b""
    """The SCTs that came with it."""
    replay_guard: MemoryReplayGuard = field(default_factory=MemoryReplayGuard)
    passed: float = 0.0
    started: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def clock(self) -> datetime:
        """The case's own time, which stands still but for ``-resumption-delay``."""
        return self.started + timedelta(seconds=self.passed)


class NoTickets:
    """Tickets that are promised, and none comes of it: what is sealed is larger than any message."""

    lifetime = 7200

    def seal(self, session: bytes, now: float) -> bytes:
        return bytes(1 << 16)

    def open(self, ticket: bytes, now: float) -> bytes:
        raise TicketRejected("none was handed out")


class RewritableTickets:
    """Tickets as the runner's rewriting tools take them for granted: AES-128-CBC, HMAC-SHA-256 and an ASN.1 session.

    The tools change the version and the cipher suite in it, behind which stands tlscope's own session.
    """

    lifetime = 7200

    def __init__(self, key: bytes) -> None:
        self._name, self._mac, self._cipher = key[:16], key[16:32], algorithms.AES(key[32:48])

    def seal(self, session: bytes, now: float) -> bytes:
        fields = b"\x02\x01\x01" + b"\x02\x02" + session[:2] + b"\x04\x02" + session[2:4] + _der(4, session[4:])
        data = _der(0x30, fields)
        pad = 16 - len(data) % 16
        iv = os.urandom(16)
        encryptor = Cipher(self._cipher, modes.CBC(iv)).encryptor()
        sealed = self._name + iv + encryptor.update(data + bytes([pad]) * pad) + encryptor.finalize()
        return sealed + hmac.digest(self._mac, sealed, hashlib.sha256)

    def open(self, ticket: bytes, now: float) -> bytes:
        sealed, tag = ticket[:-32], ticket[-32:]
        known = ticket[:16] == self._name and len(sealed) >= 48 and len(sealed) % 16 == 0
        if not known or not hmac.compare_digest(tag, hmac.digest(self._mac, sealed, hashlib.sha256)):
            raise TicketRejected("it was sealed with another key, or changed")
        decryptor = Cipher(self._cipher, modes.CBC(sealed[16:32])).decryptor()
        data = decryptor.update(sealed[32:]) + decryptor.finalize()
        fields = _der_content(data[: -data[-1]])
        return fields[5:7] + fields[9:11] + _der_content(fields[11:])


def _der(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _der_content(data: bytes) -> bytes:
    if data[1] < 0x80:
        return data[2 : 2 + data[1]]
    start = 2 + (data[1] & 0x7F)
    return data[start : start + int.from_bytes(data[2:start], "big")]


# Configurations


def client_config(flags: Flags, memory: Memory, **more: Any) -> ClientConfig:
    """A client that believes every certificate unless it is told otherwise, by way of decisions."""
    asks = {VerifyPeer, ChooseClientIdentity} if shown(flags) or flags.fail_cert_callback else {VerifyPeer}
    return ClientConfig(
        **_common(flags, memory),
        **_identities(flags),
        signed_certificate_timestamps=flags.enable_signed_cert_timestamps,
        ocsp_stapling=flags.enable_ocsp_stapling,
        fallback=flags.fallback_scsv,
        sessions=None if flags.no_ticket else memory.sessions,
        grease=flags.enable_grease,
        early_data=flags.enable_early_data,
        key_shares=_key_shares(flags),
        require_external_psk=any(one.kind == "psk" for one in flags.credentials) and not flags.verify_peer,
        accept_unoffered_alpn=flags.allow_unknown_alpn_protos,
        insecure_skip_verification=len(flags.accepted_peer_cert_types) < 2,
        trust=_some_anchor(),
        ask=frozenset(asks),
        **more,
    )


def server_config(flags: Flags, memory: Memory, **more: Any) -> ServerConfig:
    """A server that asks for client certificates only where a flag says so."""
    asks = ClientAuth.NONE
    if flags.require_any_client_certificate:
        asks = ClientAuth.REQUIRED
    if flags.verify_peer:
        asks = ClientAuth.REQUESTED
    if flags.ticket_key:
        memory.tickets = RewritableTickets(flags.ticket_key)
    return ServerConfig(
        **_common(flags, memory),
        **_identities(flags),
        client_auth=asks,
        trust=None if asks is ClientAuth.NONE or flags.accepted_peer_cert_types == [_RAW] else _some_anchor(),
        send_certificate_authorities=False,
        tickets=None if flags.no_ticket else NoTickets() if flags.skip_ticket else memory.tickets,
        max_early_data=_MAX_EARLY_DATA if flags.enable_early_data else 0,
        early_data_window=60.5,
        replay_guard=memory.replay_guard,
        session_store=memory.store,
        client_cipher_order=not (flags.cipher or flags.server_preference or flags.policy),
        prioritize_chacha20="|" in (flags.cipher or ""),
        insist_on_group_order=True,
        grease=True,
        ask=_asks_of_server(flags),
        rewrite=_name_authorities(flags.use_client_ca_list),
        **more,
    )


def _asks_of_server(flags: Flags) -> frozenset[type]:
    """Who asks about certificates has some; where the name is not to be acknowledged, it must have no part in it."""
    chooses = bool(shown(flags) or flags.fail_cert_callback) and not flags.no_server_name_ack
    return frozenset((VerifyPeer, ChooseServerIdentity) if chooses else (VerifyPeer,))


def _common(flags: Flags, memory: Memory) -> dict[str, Any]:
    lowest, highest = _versions(flags)
    common = {
        "min_version": lowest,
        "max_version": highest,
        "cipher_suites": _cipher_suites(flags.cipher),
        "groups": policy_groups(flags),
        "external_psks": external_psks(flags),
        "trusted_raw_keys": _trusted_raw_keys(flags),
        "signature_schemes": _schemes(flags.verify_prefs) or _schemes(_DEFAULT_VERIFY_PREFS),
        "signing_schemes": _schemes(flags.credentials[0].signing_prefs or _DEFAULT_SIGNING_PREFS),
        "alpn": _protocols(flags),
        "clock": memory.clock,
        "require_extended_master_secret": False,
        "require_secure_renegotiation": flags.no_legacy_server_connect,
        "max_fragment": flags.max_send_fragment or 1 << 14,
        "limits": Limits(max_handshake_message=flags.max_cert_list or 1 << 16, max_certificates=100),
    }
    policy = dict(_POLICIES.get(flags.policy, {}))
    if "schemes" in policy:
        policy["signature_schemes"] = policy["signing_schemes"] = _schemes(policy.pop("schemes"))
    if "cipher_suites" in policy:
        policy["cipher_suites"] = tuple(CipherSuite.named(name) for name in policy["cipher_suites"])
    return {**common, **policy}


def _versions(flags: Flags) -> tuple[ProtocolVersion, ProtocolVersion]:
    """The lowest and the highest version; a crossed pair where all are disabled, which tlscope must refuse."""
    old = not (flags.no_tls1 and flags.no_tls11) and (flags.min_version or 0) < ProtocolVersion.TLS1_2
    lowest = ProtocolVersion(max(flags.min_version or 0, ProtocolVersion.TLS1_2))
    highest = ProtocolVersion(min(flags.max_version or 0xFFFF, ProtocolVersion.TLS1_3))
    if flags.no_tls12:
        lowest = ProtocolVersion.TLS1_3
    if flags.no_tls13:
        highest = ProtocolVersion(min(highest, ProtocolVersion.TLS1_2))
    if lowest > highest:
        if old:
            raise Unimplemented("a version older than TLS 1.2")
        return ProtocolVersion.TLS1_3, ProtocolVersion.TLS1_2
    return lowest, highest


def _cipher_suites(text: str | None) -> tuple[CipherSuite, ...]:
    known = DEFAULT_CIPHER_SUITES + RSA_KEY_TRANSPORT
    if not text:
        return known
    of_13 = tuple(suite for suite in known if SUITES[suite].is_tls13)
    chosen: list[CipherSuite] = []
    for part in text.replace("[", "").replace("]", "").replace("|", ":").split(":"):
        if part.startswith("!"):
            chosen = [suite for suite in chosen if not _is_called(suite, part[1:])]
        else:
            chosen += [suite for suite in known if suite not in chosen and _is_called(suite, part)]
    return of_13 + tuple(suite for suite in chosen if suite not in of_13)


def _is_called(suite: CipherSuite, word: str) -> bool:
    """Whether a suite is meant by a word of OpenSSL's language for lists of them."""
    name = suite.name
    words = {"ALL": "", "DEFAULT": "", "AES": "_AES_", "AES128": "_AES_128_", "AES256": "_AES_256_", "ECDHE": "_ECDHE_"}
    words |= {"CHACHA20": "_CHACHA20_", "aRSA": "_RSA_", "aECDSA": "_ECDSA_", "kRSA": "TLS_RSA_"}
    return words[word] in name if word in words else name == word


def _groups(numbers: Iterable[int]) -> tuple[NamedGroup, ...]:
    groups = tuple(NamedGroup.of(number) for number in numbers)
    for group in groups:
        if group not in GROUPS:
            raise Unimplemented(f"the group {group}")
    return groups


def _key_shares(flags: Flags) -> tuple[NamedGroup, ...] | None:
    if flags.no_key_shares:
        return ()
    if flags.key_shares:
        return _groups(flags.key_shares)
    # The runner's default: the first group, and the first after it that is of the other kind, with ML-KEM or without.
    first, *others = policy_groups(flags)
    return (first, *[one for one in others if GROUPS[one].is_hybrid is not GROUPS[first].is_hybrid][:1])


def policy_groups(flags: Flags) -> tuple[NamedGroup, ...]:
    """The groups of the policy, those that were named, or the default ones."""
    named: tuple[NamedGroup, ...] = _POLICIES.get(flags.policy, {}).get("groups", ())
    return named or _groups(flags.curves) or _DEFAULT_GROUPS


def _schemes(numbers: Iterable[int]) -> tuple[SignatureScheme, ...]:
    schemes = tuple(SignatureScheme.of(number) for number in numbers if number not in _NEVER_SCHEMES)
    for scheme in schemes:
        if scheme not in SCHEMES:
            raise Unimplemented(f"the signature scheme {scheme}")
    return schemes


def _protocols(flags: Flags) -> tuple[str, ...]:
    """The application protocols: a client's list, or the one that a server picks."""
    if flags.server:
        if flags.reject_alpn:
            return ("spoken by nobody",)
        if flags.select_empty_alpn:
            return ("",)
        return () if not flags.select_alpn or flags.decline_alpn else (flags.select_alpn.decode(),)
    wire, protocols = flags.advertise_alpn or b"", []
    while wire:
        protocols.append(wire[1 : 1 + wire[0]].decode())
        wire = wire[1 + wire[0] :]
    return tuple(protocols)


# Certificates


@dataclass(frozen=True)
class Shown:
    """A certificate to show, its place among the flags (-1 for the default one), and whether a CA must be named for it."""

    identity: Identity
    place: int
    must_match_issuer: bool = False


def shown(flags: Flags) -> list[Shown]:
    """The certificates to show; their order is the order of preference."""
    if flags.shown is None:
        flags.shown = _shown(flags)
    return list(flags.shown)


def _identities(flags: Flags) -> dict[str, Any]:
    """What this side may show: certificates, a raw key, or both, of which tlscope prefers the key."""
    raw = raw_key(flags)
    found = {"identities": [one.identity for one in shown(flags)], "raw_key": raw}
    types = flags.available_client_cert_types
    if raw is None and _RAW in types:
        raise Unimplemented("a raw key that is promised and not there")
    if types == [_X509]:
        found["raw_key"] = None
    elif types == [_RAW]:
        found["identities"] = []
    elif types and types != [_RAW, _X509]:
        raise Unimplemented("certificates before raw keys")
    return found


def raw_key(flags: Flags) -> RawKeyIdentity | None:
    """The raw key among the credentials; there may be one, and no certificate is preferred to it."""
    kinds = [one.kind for one in flags.credentials if one.kind != "x509" or one.cert_file]
    if "rpk" not in kinds:
        return None
    if kinds.count("rpk") > 1 or ("x509" in kinds and kinds.index("x509") < kinds.index("rpk")):
        raise Unimplemented("several raw keys, or certificates before raw keys")
    one = next(one for one in flags.credentials if one.kind == "rpk")
    if one.signing_prefs or one.must_match_issuer:
        raise Unimplemented("preferences of a raw key's own")
    return _load_raw_key(one.key_file)


@lru_cache(maxsize=16)
def _load_raw_key(path: str) -> RawKeyIdentity:
    return RawKeyIdentity.from_key(load_pem_private_key(Path(path).read_bytes(), None))


def _trusted_raw_keys(flags: Flags) -> tuple[bytes, ...]:
    """Where raw keys are accepted, one that nobody has: what is believed is said by decisions."""
    if flags.accepted_peer_cert_types == [_X509, _RAW]:
        raise Unimplemented("certificates before raw keys")
    return (b"none",) if _RAW in flags.accepted_peer_cert_types else ()


def place_of(flags: Flags, facts: ConnectionFacts) -> int | None:
    """The place among the flags of the credential that a connection used; -1 for the default one, and for none."""
    if facts.external_psk is None and not isinstance(facts.identity, RawKeyIdentity):
        return next((one.place for one in shown(flags) if one.identity is facts.identity), -1)
    for place, one in enumerate(flags.credentials[1:]):
        if one.kind == "rpk" and isinstance(facts.identity, RawKeyIdentity):
            return place
        if (
            one.kind == "psk"
            and facts.external_psk
            and facts.external_psk in [identity for identity, _, _ in _external_psk(one).variants()]
        ):
            return place
    return None


def _shown(flags: Flags) -> list[Shown]:
    first, *others = flags.credentials
    found = [
        Shown(_identity(one), place, one.must_match_issuer) for place, one in enumerate(others) if one.kind == "x509"
    ]
    if first.cert_file:
        # Its preferences are the connection's.
        identity = _load(first.cert_file, first.key_file)
        staple = None if flags.decline_ocsp_callback else first.ocsp_response
        found.append(Shown(_with_timestamps(identity.with_ocsp_response(staple or None), first), -1))
    return found


def external_psks(flags: Flags) -> tuple[ExternalPsk, ...]:
    """The keys that both sides know already."""
    return tuple(_external_psk(one) for one in flags.credentials if one.kind == "psk")


def _external_psk(one: Credential) -> ExternalPsk:
    return ExternalPsk(
        one.psk_importer_identity,
        one.psk_importer_key,
        "sha384" if one.psk_importer_sha384 else "sha256",
        imported=True,
        context=one.psk_importer_context,
    )


def _identity(credential: Credential) -> Identity:
    identity = _load(credential.cert_file, credential.key_file)
    if credential.signing_prefs:
        schemes = [scheme for scheme in _schemes(credential.signing_prefs) if scheme in identity.schemes_12]
        identity = Identity.with_signer(identity.chain, identity.sign, schemes)
    return _with_timestamps(identity.with_ocsp_response(credential.ocsp_response or None), credential)


def _with_timestamps(identity: Identity, credential: Credential) -> Identity:
    listed = credential.signed_cert_timestamps
    if not listed:
        return identity
    try:
        return replace(identity, signed_certificate_timestamps=x.SIGNED_CERTIFICATE_TIMESTAMPS.read(listed))
    except DecodeError as problem:
        raise ConfigError(str(problem), code="bad-sct-list") from None


@lru_cache(maxsize=64)
def _load(certificate: str, key: str) -> Identity:
    return Identity.from_files(certificate, key, min_rsa_bits=512)


@lru_cache(maxsize=1)
def _some_anchor() -> TrustAnchors:
    """A server that asks for certificates must say whom it believes; what it says is overruled by decisions."""
    key = ec.derive_private_key(0xB060, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, datetime(2024, 1, 1), datetime(2123, 1, 1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return TrustAnchors.from_certificates([builder.sign(key, x509.base.hashes.SHA256())])


def _name_authorities(listed: str | None) -> Callable[[Any], Any] | None:
    """Put these CAs (hexadecimal DER names) into a CertificateRequest."""
    if not listed or listed in ("<NULL>", "<EMPTY>"):
        return None
    names = tuple(bytes.fromhex(name) for name in listed.split(","))

    def rewrite(message: Any) -> Any:
        if isinstance(message, CertificateRequest):
            message.extensions = message.extensions.with_(x.CERTIFICATE_AUTHORITIES(names))
        elif isinstance(message, tls12.CertificateRequest):
            message.certificate_authorities = names
        return message

    return rewrite
