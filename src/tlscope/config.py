"""Settings: immutable, shared by any number of connections, checked when they are made.

What does not change between connections is worked out once here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from .compression import check_algorithms
from .crypto.cipher_suites import SUITES
from .crypto.groups import GROUPS
from .crypto.randomness import SYSTEM_RANDOMNESS, Randomness
from .crypto.signatures import SCHEMES
from .errors import ConfigError
from .external_psk import ExternalPsk
from .limits import Limits
from .replay import MemoryReplayGuard, ReplayGuard
from .sessions import MemorySessionCache, SessionCache, SessionStore, TicketKeys
from .trust.anchors import TrustAnchors
from .trust.certificate_scheme import as_signed
from .trust.policy import VerificationPolicy
from .trust.verify import Verifier
from .wire import extensions as x
from .wire.codepoints import (
    CertificateCompressionAlgorithm,
    CertificateType,
    CipherSuite,
    NamedGroup,
    ProtocolVersion,
    PskKeyExchangeMode,
    SignatureScheme,
)
from .wire.extensions import StatusRequest

if TYPE_CHECKING:
    from .crypto.hashes import Hash
    from .trace import Sink
    from .trust.identity import Identity
    from .trust.raw_key import RawKeyIdentity
    from .trust.verify import VerifiedPeer

__all__ = ["ClientAuth", "ClientConfig", "ServerConfig"]

DEFAULT_CIPHER_SUITES = (
    CipherSuite.TLS_AES_128_GCM_SHA256,
    CipherSuite.TLS_AES_256_GCM_SHA384,
    CipherSuite.TLS_CHACHA20_POLY1305_SHA256,
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
)

RSA_KEY_TRANSPORT = (CipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256, CipherSuite.TLS_RSA_WITH_AES_256_GCM_SHA384)
"""The classic key exchange of TLS 1.2: the client encrypts the premaster secret to the server certificate's RSA key.

Off unless ``cipher_suites`` names these. What is lost with them is forward secrecy: whoever records the traffic and one
day gets the server's private key can read all of it. TLS 1.3 has no such key exchange (RFC 8446 section 1.2).
"""

DEFAULT_GROUPS = (
    NamedGroup.X25519MLKEM768,
    NamedGroup.x25519,
    NamedGroup.secp256r1,
    NamedGroup.secp384r1,
    NamedGroup.secp521r1,
    NamedGroup.x448,
)

DEFAULT_SIGNATURE_SCHEMES = (
    SignatureScheme.ecdsa_secp256r1_sha256,
    SignatureScheme.ecdsa_secp384r1_sha384,
    SignatureScheme.ecdsa_secp521r1_sha512,
    SignatureScheme.ed25519,
    SignatureScheme.ed448,
    SignatureScheme.rsa_pss_rsae_sha256,
    SignatureScheme.rsa_pss_rsae_sha384,
    SignatureScheme.rsa_pss_rsae_sha512,
    SignatureScheme.rsa_pss_pss_sha256,
    SignatureScheme.rsa_pss_pss_sha384,
    SignatureScheme.rsa_pss_pss_sha512,
    # TLS 1.2 may sign its handshake with these too; TLS 1.3 never does.
    SignatureScheme.rsa_pkcs1_sha256,
    SignatureScheme.rsa_pkcs1_sha384,
    SignatureScheme.rsa_pkcs1_sha512,
)

LEGACY_SIGNATURE_SCHEMES = (
    SignatureScheme.rsa_pkcs1_sha256_legacy,
    SignatureScheme.ecdsa_sha1,
    SignatureScheme.rsa_pkcs1_sha1,
)
"""What old peers may need, off unless ``signature_schemes`` or ``signing_schemes`` names them.

The first lets a TLS 1.3 client sign with an RSA key that can't make PSS signatures, as in old tokens. The others are of TLS
1.2 and use SHA-1, for which collisions can be bought; RFC 9155 forbids them.
"""

DEFAULT_CERTIFICATE_SIGNATURE_SCHEMES = (
    *DEFAULT_SIGNATURE_SCHEMES,
    SignatureScheme.mldsa44,
    SignatureScheme.mldsa65,
    SignatureScheme.mldsa87,
)


class ClientAuth(StrEnum):
    """What a server does about client certificates (RFC 8446 section 4.3.2)."""

    NONE = "none"
    """Does not ask."""
    REQUESTED = "requested"
    """Asks; goes on without one; a certificate that is sent must be good."""
    REQUIRED = "required"
    """Asks, and refuses a client that sends none (certificate_required)."""


def _now() -> datetime:
    return datetime.now(UTC)


_SEQUENCES = (
    "cipher_suites",
    "groups",
    "signature_schemes",
    "certificate_signature_schemes",
    "alpn",
    "external_psks",
    "certificate_compression",
    "trusted_raw_keys",
)


@dataclass(frozen=True, kw_only=True)
class _Config:
    _is_client: ClassVar[bool] = False

    trust: TrustAnchors | None = None
    """Whom to believe about the peer's certificate."""
    min_version: ProtocolVersion = ProtocolVersion.TLS1_2
    max_version: ProtocolVersion = ProtocolVersion.TLS1_3
    cipher_suites: Sequence[CipherSuite] = DEFAULT_CIPHER_SUITES
    """In order of preference."""
    groups: Sequence[NamedGroup] = DEFAULT_GROUPS
    """Key-exchange groups in order of preference."""
    signature_schemes: Sequence[SignatureScheme] = DEFAULT_SIGNATURE_SCHEMES
    """What the peer may sign the handshake with, and what this side may, in order of preference."""
    signing_schemes: Sequence[SignatureScheme] | None = None
    """What this side may sign with, in order of preference, where that is not the same list; None: it is."""
    raw_key: RawKeyIdentity | None = None
    """A bare key to show to peers that know it, instead of a certificate (RFC 7250), in TLS 1.3."""
    trusted_raw_keys: Sequence[bytes] = ()
    """Raw public keys (DER SubjectPublicKeyInfo) to believe; without ``trust`` nothing but these is believed."""
    external_psks: Sequence[ExternalPsk] = ()
    """Keys that both sides know already (RFC 8446 section 2.2); they stand in for certificates, TLS 1.3 only."""
    psk_without_key_exchange: bool = False
    """Allow a PSK without (EC)DHE (psk_ke). Whoever gets the PSK can then read all traffic, past traffic too."""
    certificate_signature_schemes: Sequence[SignatureScheme] = DEFAULT_CERTIFICATE_SIGNATURE_SCHEMES
    """What the peer's certificates may be signed with (signature_algorithms_cert, RFC 8446 section 4.2.3); others are
    refused. The anchor's own signature does not count."""
    alpn: Sequence[str] = ()
    """Application protocols (RFC 7301), in order of preference."""
    verification: VerificationPolicy = field(default_factory=VerificationPolicy)
    """How strictly certificates are judged."""
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], datetime] = _now
    """Gives the time at which certificates are judged: aware, in UTC."""
    randomness: Randomness = field(default=SYSTEM_RANDOMNESS, repr=False)
    """Anything but the system's is for tests with known answers."""
    key_log: Callable[[str], None] | None = field(default=None, repr=False)
    """Called with each line of the key log (RFC 9850); see ``tlscope.key_log_file`` for ``SSLKEYLOGFILE``."""
    trace: Callable[[], Sink | None] | None = field(default=None, repr=False)
    """Makes the sink of each new connection; ``tlscope.Trace`` itself will do."""
    middlebox_compatibility: bool = True
    """Send the session ID and ChangeCipherSpec records of RFC 8446 appendix D.4."""
    record_padding: Callable[[int], int] | int = 0
    """Pad records to a multiple of this many bytes, or by what a function of the content's length says (section 5.4)."""
    certificate_compression: Sequence[CertificateCompressionAlgorithm] = ()
    """Algorithms for compressed certificates (RFC 8879), in order of preference; brotli and zstd need their packages."""
    record_size_limit: int | None = None
    """The longest record that the peer may send, 64 to 16,385 bytes (RFC 8449); None: the protocol's own limit."""
    max_fragment: int = 1 << 14
    """Bytes of content in a record that this side sends, 64 to 16,384."""
    require_extended_master_secret: bool = True
    """In TLS 1.2, refuse a peer without RFC 7627, whose sessions can be spliced together by somebody between."""
    require_secure_renegotiation: bool = True
    """In TLS 1.2, refuse a peer without RFC 5746: it may take what somebody between said first for a part of this."""
    key_update_after: int | None = None
    """Change the sending keys after this many records; None: when the AEAD's limit asks for it (section 5.5)."""
    on_verified: Callable[[VerifiedPeer], None] | None = field(default=None, repr=False)
    """Has the last word on a peer whose certificate is good: raise ``CertificateRejected`` or any ``TLSError`` to refuse."""
    ask: frozenset[type] = frozenset()
    """Kinds of ``Decision`` that the application answers itself, by way of ``DecisionNeeded`` and ``answer``."""
    check_server_name: bool = True
    """Whether the server's certificate must be for the name that is asked for. Without it any server of a trusted CA is
    believed, whatever its name: for protocols that check the name themselves."""
    rewrite: Callable[[Any], Any] | None = field(default=None, repr=False)
    """Has the last look at each handshake message before it is sent; for tests, experiments and broken peers on purpose."""

    def __post_init__(self) -> None:
        for name in _SEQUENCES:
            object.__setattr__(self, name, tuple(getattr(self, name)))
        self._check_known("cipher_suites", self.cipher_suites, SUITES)
        self._check_versions()
        self._check_known("groups", self.groups, GROUPS)
        self._check_known("signature_schemes", self.signature_schemes, SCHEMES)
        self._check_known("certificate_signature_schemes", self.certificate_signature_schemes, SCHEMES)
        if self.signing_schemes is not None:
            object.__setattr__(self, "signing_schemes", tuple(self.signing_schemes))
            self._check_known("signing_schemes", self.signing_schemes, SCHEMES)
        for protocol in self.alpn:
            if not 1 <= len(protocol.encode()) <= 255:
                raise ConfigError(f"the ALPN protocol {protocol!r} must have 1 to 255 bytes", code="bad-alpn")
        if sum(1 + len(protocol.encode()) for protocol in self.alpn) > 0xFFFF:
            raise ConfigError("the ALPN protocols take more than 65,535 bytes together", code="bad-alpn")
        check_algorithms(self.certificate_compression)
        if self.record_size_limit is not None and not 64 <= self.record_size_limit <= (1 << 14) + 1:
            raise ConfigError(f"record_size_limit is {self.record_size_limit} and must be between 64 and 16385")
        if not 64 <= self.max_fragment <= 1 << 14:
            raise ConfigError(f"max_fragment is {self.max_fragment} and must be between 64 and 16384")
        if self.key_update_after is not None and self.key_update_after < 1:
            raise ConfigError(f"key_update_after is {self.key_update_after} and must be at least 1, or None")
        if not callable(self.record_padding) and not 0 <= self.record_padding <= 1 << 14:
            raise ConfigError(f"record_padding is {self.record_padding} and must be between 0 and 16384, or a function")

    def _check_versions(self) -> None:
        spoken = (ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3)
        for name in ("min_version", "max_version"):
            if getattr(self, name) not in spoken:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; tlscope speaks TLS 1.2 and TLS 1.3 (RFC 8996 ended the older ones)",
                    code="old-version",
                )
        if self.min_version > self.max_version:
            raise ConfigError(f"min_version {self.min_version} is above max_version {self.max_version}")
        if not self._may_speak(self.max_version):
            raise ConfigError(
                f"raw keys and PSKs in place of certificates need TLS 1.3, and max_version is {self.max_version}"
            )
        if not self.versions:
            raise ConfigError(
                f"cipher_suites names none of the versions {self.min_version} to {self.max_version}", code="no-suites"
            )

    def _check_known(self, name: str, values: Sequence[Any], table: dict[Any, Any]) -> None:
        if not values:
            raise ConfigError(f"{name} is empty")
        if len(set(values)) != len(values):
            raise ConfigError(f"{name} names something twice")
        for value in values:
            if value not in table:
                raise ConfigError(f"{name} names {value}, which tlscope does not speak", code="not-spoken")

    @cached_property
    def verifier(self) -> Verifier | None:
        """What judges the peer's certificate; None where nothing does."""
        raise NotImplementedError

    def replace(self, **changes: Any) -> Self:
        """A copy with some settings changed, checked anew."""
        return replace(self, **changes)

    @cached_property
    def all_identities(self) -> tuple[Identity, ...]:
        """Whatever this side may show: certificates, and the raw key."""
        identities: Sequence[Identity] = getattr(self, "identities", ())
        return (*identities, self.raw_key) if self.raw_key is not None else tuple(identities)

    @cached_property
    def versions(self) -> tuple[ProtocolVersion, ...]:
        """The versions allowed, best first; a version for which no cipher suite is configured is not."""
        suites = {ProtocolVersion.TLS1_3: self.suites_13, ProtocolVersion.TLS1_2: self.suites_12}
        return tuple(
            version
            for version in suites
            if self.min_version <= version <= self.max_version and suites[version] and self._may_speak(version)
        )

    def _may_speak(self, version: ProtocolVersion) -> bool:
        raise NotImplementedError

    @property
    def believes_raw_keys_alone(self) -> bool:
        """Whether raw keys are all that this side can judge, and certificates are not."""
        return bool(self.trusted_raw_keys) and self.trust is None

    @cached_property
    def signature_schemes_13(self) -> tuple[SignatureScheme, ...]:
        """The schemes that the peer may sign a TLS 1.3 handshake with: RSASSA-PKCS1-v1_5 is not among them."""
        return self._signing_in_13(self.signature_schemes, by_client=not self._is_client)

    @cached_property
    def signing_schemes_12(self) -> tuple[SignatureScheme, ...]:
        """What this side may sign a TLS 1.2 handshake with."""
        return tuple(self.signature_schemes if self.signing_schemes is None else self.signing_schemes)

    @cached_property
    def signing_schemes_13(self) -> tuple[SignatureScheme, ...]:
        """What this side may sign a TLS 1.3 handshake with."""
        return self._signing_in_13(self.signing_schemes_12, by_client=self._is_client)

    def _signing_in_13(self, schemes: Sequence[SignatureScheme], *, by_client: bool) -> tuple[SignatureScheme, ...]:
        rows = [SCHEMES[scheme] for scheme in schemes]
        return tuple(row.name for row in rows if row.in_tls13 and (by_client or not row.clients_only))

    @cached_property
    def certificate_schemes(self) -> frozenset[SignatureScheme]:
        """``certificate_signature_schemes`` as a certificate's signature tells them apart: not by kind of key."""
        return frozenset(map(as_signed, self.certificate_signature_schemes))

    @cached_property
    def suites_13(self) -> tuple[CipherSuite, ...]:
        """The suites of TLS 1.3."""
        return tuple(suite for suite in self.cipher_suites if SUITES[suite].is_tls13)

    @cached_property
    def suites_12(self) -> tuple[CipherSuite, ...]:
        """The suites of TLS 1.2."""
        return tuple(suite for suite in self.cipher_suites if not SUITES[suite].is_tls13)

    @cached_property
    def groups_12(self) -> tuple[NamedGroup, ...]:
        """The groups that TLS 1.2 can use, which are the curves (RFC 8422): a hybrid needs TLS 1.3's shape."""
        return tuple(group for group in self.groups if GROUPS[group].is_curve)

    @cached_property
    def alpn_wire(self) -> tuple[bytes, ...]:
        """The application protocols as bytes."""
        return tuple(protocol.encode() for protocol in self.alpn)

    @cached_property
    def padding(self) -> Callable[[int], int] | None:
        """From a record's content length to its padding, None for no padding."""
        setting = self.record_padding
        if callable(setting):
            return setting
        if not setting:
            return None
        return lambda length: -(length + 1) % setting


@dataclass(frozen=True, kw_only=True)
class ClientConfig(_Config):
    """A client's settings. Without ``trust`` the system's anchors are used."""

    _is_client: ClassVar[bool] = True

    identity: Identity | None = None
    """The certificate to show a server that asks for one."""
    identities: Sequence[Identity] = ()
    """Further ones; the first that fits the server's CAs and algorithms is shown."""
    ocsp_stapling: bool = True
    """Ask the server for an OCSP response on its own certificate (RFC 6066 section 8)."""
    signed_certificate_timestamps: bool = False
    """Ask for the server's SCTs (RFC 6962 section 3.3.1); they are handed on in ``facts``, and not judged."""
    grease: bool = False
    """Send reserved values that no server may mind (RFC 8701)."""
    fallback: bool = False
    """Tell the server that this is another try with an older version, so that it can refuse a needless one (RFC 7507)."""
    sessions: SessionCache | None = field(default_factory=MemorySessionCache)
    """Where sessions are kept to be resumed; None resumes nothing."""
    early_data: bool = False
    """Offer early data with a session that allows it; then ``send_early_data`` works (RFC 8446 section 2.3)."""
    post_handshake_auth: bool = False
    """Let servers ask for a certificate after the handshake (RFC 8446 section 4.6.2)."""
    key_shares: Sequence[NamedGroup] | None = None
    """Groups to send a key share for; None: the first group and, where that is a hybrid, the first curve after it."""
    require_external_psk: bool = False
    """Go on only with a server that knows one of ``external_psks``: TLS 1.2, and certificates, are refused."""
    accept_unoffered_alpn: bool = False
    """Go on with an application protocol that the server chose though it was not offered, for servers that break RFC 7301
    section 3.1 so; the application must then look at ``facts.alpn`` before it says anything. Where none was offered, none
    is accepted.
    """
    insecure_skip_verification: bool = False
    """Believe any server. For looking at broken servers only: it gives up what TLS is for."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.require_external_psk and not self.external_psks:
            raise ConfigError("require_external_psk is set, and external_psks has none", code="psk")
        others = tuple(one for one in self.identities if one is not self.identity)
        object.__setattr__(self, "identities", others if self.identity is None else (self.identity, *others))
        if self.key_shares is not None:
            object.__setattr__(self, "key_shares", tuple(self.key_shares))
            for group in self.key_shares:
                if group not in self.groups:
                    raise ConfigError(f"key_shares names {group}, which groups does not")

    def replace(self, **changes: Any) -> Self:
        """A copy with some settings changed, checked anew; another ``identity`` takes the place of the present one."""
        changes.setdefault("identities", tuple(one for one in self.identities if one is not self.identity))
        return super().replace(**changes)

    def _may_speak(self, version: ProtocolVersion) -> bool:
        # TLS 1.2 has certificates alone to say who the server is.
        return version is ProtocolVersion.TLS1_3 or not (self.require_external_psk or self.believes_raw_keys_alone)

    @property
    def believes_raw_keys_alone(self) -> bool:
        """Whether raw keys are all that this side can judge, and certificates are not."""
        return bool(self.trusted_raw_keys) and (self.trust is None or self.insecure_skip_verification)

    @cached_property
    def hello_cipher_suites(self) -> tuple[CipherSuite, ...]:
        """The cipher suites of the ClientHello, those of the versions allowed."""
        allowed = {ProtocolVersion.TLS1_3: self.suites_13, ProtocolVersion.TLS1_2: self.suites_12}
        suites = tuple(
            suite for suite in self.cipher_suites if any(suite in allowed[version] for version in self.versions)
        )
        return (*suites, CipherSuite.TLS_FALLBACK_SCSV) if self.fallback else suites

    @cached_property
    def static_extensions(self) -> tuple[tuple[int, bytes], ...]:
        """The ClientHello's extensions that are the same in every one."""
        allows_12, allows_13 = ProtocolVersion.TLS1_2 in self.versions, ProtocolVersion.TLS1_3 in self.versions
        items = [
            x.SUPPORTED_GROUPS(tuple(self.groups if allows_13 else self.groups_12)),
            x.SIGNATURE_ALGORITHMS(tuple(self.signature_schemes if allows_12 else self.signature_schemes_13)),
            x.SIGNATURE_ALGORITHMS_CERT(tuple(self.certificate_signature_schemes)),
        ]
        if allows_13:
            items.append(x.SUPPORTED_VERSIONS(self.versions))
            if self.post_handshake_auth:
                items.append(x.POST_HANDSHAKE_AUTH(True))
            if self.sessions is not None or self.external_psks:
                modes = (PskKeyExchangeMode.psk_dhe_ke, PskKeyExchangeMode.psk_ke)
                items.append(x.PSK_KEY_EXCHANGE_MODES(modes if self.psk_without_key_exchange else modes[:1]))
        if allows_12:
            items += [
                x.EXTENDED_MASTER_SECRET(True),
                x.RENEGOTIATION_INFO(b""),
                x.EC_POINT_FORMATS(b"\0"),
            ]
        if allows_13 and self.trusted_raw_keys:
            judged = (CertificateType.RawPublicKey, CertificateType.X509)
            items.append(x.SERVER_CERTIFICATE_TYPES(judged if self.verifier is not None else judged[:1]))
        if allows_13 and self.raw_key is not None:
            shown = (CertificateType.RawPublicKey, CertificateType.X509)
            items.append(x.CLIENT_CERTIFICATE_TYPES(shown if self.identities else shown[:1]))
        if self.ocsp_stapling:
            items.append(x.STATUS_REQUEST(StatusRequest()))
        if allows_13 and self.certificate_compression:
            items.append(x.COMPRESS_CERTIFICATE(tuple(self.certificate_compression)))
        if self.record_size_limit is not None:
            items.append(x.RECORD_SIZE_LIMIT(self.record_size_limit))
        if self.signed_certificate_timestamps:
            items.append(x.SIGNED_CERTIFICATE_TIMESTAMP_REQUEST(True))
        if self.alpn:
            items.append(x.ALPN_OFFER(self.alpn_wire))
        return tuple(items)

    @cached_property
    def shared_groups(self) -> tuple[NamedGroup, ...]:
        """The groups to send a key share for."""
        if self.key_shares is not None:
            return tuple(self.key_shares)
        first = self.groups[0]
        if not GROUPS[first].is_hybrid:
            return (first,)
        return (first, *[group for group in self.groups if not GROUPS[group].is_hybrid][:1])

    @cached_property
    def verifier(self) -> Verifier | None:
        """What judges the server's certificate; None where nothing does."""
        if self.insecure_skip_verification or self.require_external_psk or self.believes_raw_keys_alone:
            return None
        anchors = self.trust if self.trust is not None else TrustAnchors.system()
        return Verifier(anchors, "server", self.verification, self.clock)


@dataclass(frozen=True, kw_only=True)
class ServerConfig(_Config):
    """A server's settings: at least one identity, and ``trust`` where clients are asked for certificates."""

    identities: Sequence[Identity] = ()
    """Certificates to show. The first is the default where none fits the name that the client asks for."""
    client_auth: ClientAuth = ClientAuth.NONE
    report_refused_clients: bool = False
    """Finish the handshake with a client whose certificate is refused, or missing where it is required, instead of an alert:
    ``facts.refusal`` then says why, ``facts.peer`` is None, and to refuse the client is left to the application. What breaks
    the protocol still ends the handshake, as does a signature that does not fit the certificate."""
    require_known_name: bool = False
    """Refuse a client that asks for a name which no identity has (unrecognized_name) instead of showing the default."""
    send_certificate_authorities: bool = True
    """Name the CAs of ``trust`` in CertificateRequest, so that the client can choose (RFC 8446 section 4.2.4)."""
    hello_retry_cookie: bool = False
    """Have every client come back with a cookie before anything is computed for it (RFC 8446 section 4.2.2)."""
    tickets: TicketKeys | None = field(default_factory=TicketKeys)
    """Seals sessions into tickets that clients keep (RFC 5077, RFC 8446 section 4.6.1); None hands out none."""
    tickets_per_handshake: int = 2
    """Tickets after a full TLS 1.3 handshake; a resumed one gives one, in place of that which it used up."""
    max_early_data: int = 0
    """Bytes of early data to take from a resuming client; 0 takes none. Read RFC 8446 section 8 before you change it."""
    early_data_window: float = 10.0
    """Seconds by which a client's idea of its ticket's age may differ from the server's for early data (section 8.3)."""
    replay_guard: ReplayGuard = field(default_factory=MemoryReplayGuard)
    """Remembers the hellos that came with early data; machines that share ticket keys must share it."""
    session_store: SessionStore | None = None
    """Keeps sessions here, named by session IDs, for TLS 1.2 clients without tickets."""
    insist_on_group_order: bool = False
    """Ask for the first of ``groups`` that the client has, at the price of a round trip, though it shared a later one."""
    prioritize_chacha20: bool = False
    """Choose ChaCha20 for a client that names it first, which shows that it has no AES instructions."""
    client_cipher_order: bool = False
    """Choose the cipher suite by the client's preference instead of the server's."""
    grease: bool = False
    """Put reserved values into CertificateRequest and NewSessionTicket that no client may mind (RFC 8701 section 4.1)."""
    find_external_psk: Callable[[bytes], ExternalPsk | None] | None = field(default=None, repr=False)
    """Looks up a PSK by the identity that a client offers, beside ``external_psks``; None from it: there is none such. It is
    asked for tickets too, which look like identities, and may be asked twice in a handshake."""
    choose_identity: Callable[[Any], Identity | None] | None = field(default=None, repr=False)
    """Chooses the identity for a ``ChooseServerIdentity``; None from it leaves the choice to tlscope."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "identities", tuple(self.identities))
        try:
            object.__setattr__(self, "client_auth", ClientAuth(self.client_auth))
        except ValueError:
            modes = ", ".join(ClientAuth)
            raise ConfigError(f"client_auth is {self.client_auth!r}; there are {modes}") from None
        if not (self.shows_certificates or self.external_psks or self.find_external_psk):
            raise ConfigError("a server needs at least one identity, a certificate and its key")
        if self.asks_for_certificate and self.trust is None and not self.trusted_raw_keys:
            raise ConfigError(
                "client_auth asks for client certificates and trust does not say which CAs issue them",
                code="no-client-trust",
            )

    def _may_speak(self, version: ProtocolVersion) -> bool:
        # In TLS 1.2 both sides have certificates alone to show; the mode is still as it was given.
        asks = self.client_auth != ClientAuth.NONE
        may_speak_12 = self.shows_x509 and not (asks and self.believes_raw_keys_alone)
        return version is ProtocolVersion.TLS1_3 or may_speak_12

    @cached_property
    def external_psks_by_name(self) -> dict[bytes, tuple[ExternalPsk, bytes, bytes, Hash]]:
        """By its name on the wire each external PSK, the name, the secret and the hash; the first of several by one name.

        Worked out once: a stranger has names looked up, and must not have a secret imported for each.
        """
        externals = reversed(self.external_psks)
        return {variant[0]: (psk, *variant) for psk in externals for variant in psk.variants()}

    @property
    def shows_x509(self) -> bool:
        """Whether there is a certificate to show: one that is configured, or the application's choice."""
        # The room that the decisions live in stands on this one.
        asks = any(kind.__name__ == "ChooseServerIdentity" for kind in self.ask)
        return bool(self.identities or self.choose_identity or asks)

    @property
    def shows_certificates(self) -> bool:
        """Whether there is a certificate, or a raw key, to show; without one only PSKs are left."""
        return self.raw_key is not None or self.shows_x509

    @property
    def asks_for_certificate(self) -> bool:
        """Whether clients are asked for a certificate in the handshake."""
        return self.client_auth is not ClientAuth.NONE

    @cached_property
    def cipher_order(self) -> dict[str, bool]:
        """Whose order of cipher suites counts, for ``negotiate.cipher_suite``."""
        return {"by_client": self.client_cipher_order, "heed_chacha20": self.prioritize_chacha20}

    @cached_property
    def named_authorities(self) -> tuple[bytes, ...]:
        """The CAs that a CertificateRequest names (DER Names)."""
        if not self.send_certificate_authorities or self.trust is None:
            return ()
        names = self.trust.subjects
        # A server that trusts the whole system's store says nothing sooner than more than fits.
        return names if sum(2 + len(name) for name in names) <= 0x3FFF else ()

    @cached_property
    def request_extensions(self) -> tuple[tuple[int, bytes], ...]:
        """What a CertificateRequest of TLS 1.3 says: algorithms, and the CAs that are trusted (RFC 8446 section 4.3.2)."""
        items: list[tuple[int, bytes]] = [
            # The list can't be empty; the schemes of TLS 1.2 may stand in it, and sign nothing here (section 4.2.3).
            x.SIGNATURE_ALGORITHMS(self.signature_schemes_13 or tuple(self.signature_schemes)),
            x.SIGNATURE_ALGORITHMS_CERT(tuple(self.certificate_signature_schemes)),
        ]
        if self.certificate_compression:
            items.append(x.COMPRESS_CERTIFICATE(tuple(self.certificate_compression)))
        if self.named_authorities:
            items.append(x.CERTIFICATE_AUTHORITIES(self.named_authorities))
        return tuple(items)

    @cached_property
    def verifier(self) -> Verifier | None:
        """What judges clients' certificates; None where none are asked for."""
        return None if self.trust is None else Verifier(self.trust, "client", self.verification, self.clock)
