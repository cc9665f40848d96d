"""What a flow is: a generator that yields what it waits for, and is handed exactly that.

A flow yields an ``Expect`` for a message, or a ``Decision`` for something the application may want to decide. It never
yields anything else, and what it is handed is never of another type: the driver sees to both.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..wire.codepoints import HandshakeType

if TYPE_CHECKING:
    from ..trust.identity import Identity
    from ..trust.verify import VerifiedPeer
    from ..wire.codepoints import SignatureScheme

__all__ = [
    "ChangeCipherSpec",
    "ChooseClientIdentity",
    "ChooseServerIdentity",
    "Decision",
    "Expect",
    "Flow",
    "Sign",
    "VerifyPeer",
    "expectation",
]

T = TypeVar("T")


class ChangeCipherSpec:
    """Not a handshake message, but in TLS 1.2 a flow waits for it like for one (RFC 5246 section 7.1)."""

    __slots__ = ()


class Expect:
    """A wait for one message of one of these classes."""

    __slots__ = ("change_cipher_spec", "classes", "decoders", "names")

    def __init__(self, classes: tuple[type[Any], ...]) -> None:
        self.classes = classes
        self.names = tuple(cls.__name__ for cls in classes)
        self.change_cipher_spec = ChangeCipherSpec in classes
        self.decoders: dict[int, Callable[[bytes], Any]] = {
            int(cls.type): cls.decode for cls in classes if cls is not ChangeCipherSpec
        }


@lru_cache(maxsize=128)
def expectation(classes: tuple[type[Any], ...]) -> Expect:
    """The wait for these classes; made once for each combination."""
    return Expect(classes)


class Decision(Generic[T]):
    """A question that the configuration answers at once, or the application in its own time."""

    __slots__ = ()

    def resolve(self) -> T:
        """The configuration's answer."""
        raise NotImplementedError


class ChooseServerIdentity(Decision["Identity"]):
    """Which certificate a server shows.

    ``server_name`` is what the client asks for (None without SNI), ``signature_schemes`` what it can check,
    ``certificate_authorities`` whom it trusts (DER names; empty where it does not say), ``alpn`` what it would speak.
    ``fits(identity)`` says whether an identity's key goes with what the client can check, and in TLS 1.2 with a common
    cipher suite.
    """

    __slots__ = ("_choose", "alpn", "certificate_authorities", "fits", "server_name", "signature_schemes")

    def __init__(
        self,
        server_name: str | None,
        signature_schemes: tuple[SignatureScheme, ...],
        certificate_authorities: tuple[bytes, ...],
        alpn: tuple[bytes, ...],
        choose: Callable[[ChooseServerIdentity], Identity],
        fits: Callable[[Identity], bool],
    ) -> None:
        self.server_name = server_name
        self.signature_schemes = signature_schemes
        self.certificate_authorities = certificate_authorities
        self.alpn = alpn
        self.fits = fits
        self._choose = choose

    def resolve(self) -> Identity:
        """The identity that fits best."""
        return self._choose(self)


class ChooseClientIdentity(Decision["Identity | None"]):
    """Which certificate a client shows, None for none; what the server accepts is in the attributes.

    ``fits(identity)`` says whether an identity's key can sign what the server can check and, in TLS 1.2, is of a type that
    the server takes.
    """

    __slots__ = ("_choose", "certificate_authorities", "fits", "signature_schemes")

    def __init__(
        self,
        signature_schemes: tuple[SignatureScheme, ...],
        certificate_authorities: tuple[bytes, ...],
        choose: Callable[[], Identity | None],
        fits: Callable[[Identity], bool],
    ) -> None:
        self.signature_schemes = signature_schemes
        self.certificate_authorities = certificate_authorities
        self.fits = fits
        self._choose = choose

    def resolve(self) -> Identity | None:
        """The first identity that fits, if any."""
        return self._choose()


class Sign(Decision[bytes]):
    """A signature by the key of ``identity``; for keys that are elsewhere, such as in a token or another process."""

    __slots__ = ("data", "identity", "scheme")

    def __init__(self, identity: Identity, scheme: SignatureScheme, data: bytes) -> None:
        self.identity = identity
        self.scheme = scheme
        self.data = data

    def resolve(self) -> bytes:
        """Sign with the key that the identity holds."""
        return self.identity.sign(self.scheme, self.data)


class VerifyPeer(Decision["VerifiedPeer | None"]):
    """The verdict on the peer's chain. An answer other than ``resolve()``'s replaces the whole verification.

    ``ocsp_response`` is the DER that the peer stapled, None without one. With ``raw_key`` the chain is one raw public key
    (a DER SubjectPublicKeyInfo, RFC 7250), about which a configuration knows only whether it is trusted. ``resumed`` says
    that the chain was shown, and judged, when the session began that is now to be resumed; a server that is answered with
    ``CertificateRejected`` then goes on with a full handshake.
    """

    __slots__ = ("_verify", "chain", "ocsp_response", "raw_key", "resumed", "server_name")

    def __init__(
        self,
        chain: tuple[bytes, ...],
        server_name: str | None,
        verify: Callable[[], VerifiedPeer | None],
        *,
        ocsp_response: bytes | None = None,
        resumed: bool = False,
        raw_key: bool = False,
    ) -> None:
        self.chain = chain
        self.server_name = server_name
        self._verify = verify
        self.ocsp_response = ocsp_response
        self.resumed = resumed
        self.raw_key = raw_key

    def resolve(self) -> VerifiedPeer | None:
        """Verify as configured. Raises ``CertificateRejected``."""
        return self._verify()


Flow = Generator[Expect | Decision[Any], Any, T]


@lru_cache(maxsize=256)
def message_name(kind: int) -> str:
    """The RFC's name of a handshake message, such as ``ClientHello``, from its type."""
    known = HandshakeType.of(kind)
    return "".join(part.capitalize() for part in known.name.split("_")) if known.is_named else f"message {known.name}"
