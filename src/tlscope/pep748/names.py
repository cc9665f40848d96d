"""The names of PEP 748: what a program configures, and what it is told.

The PEP's errors are tlscope's own under its names: ``RaggedEOF`` is ``TruncatedStream``, ``ConfigurationError`` is
``ConfigError``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from os import PathLike
from typing import Any, Self

from ..config import DEFAULT_CIPHER_SUITES
from ..errors import ConfigError as ConfigurationError
from ..errors import TLSError
from ..errors import TruncatedStream as RaggedEOF
from ..wire.codepoints import CipherSuite

__all__ = [
    "DEFAULT_CIPHER_LIST",
    "Certificate",
    "CipherSuite",
    "ConfigurationError",
    "NextProtocol",
    "PrivateKey",
    "RaggedEOF",
    "SigningChain",
    "TLSClientConfiguration",
    "TLSError",
    "TLSServerConfiguration",
    "TLSVersion",
    "TrustStore",
    "WantReadError",
    "WantWriteError",
]

DEFAULT_CIPHER_LIST: Sequence[int] = DEFAULT_CIPHER_SUITES
"""What is spoken where a configuration names nothing."""


class WantReadError(TLSError):
    """The operation needs more from the peer first."""

    def __init__(self, sentence: str = "nothing has come from the peer") -> None:
        super().__init__(sentence, code="want-read")


class WantWriteError(TLSError):
    """The operation needs what is to be sent to go out first."""

    def __init__(self, sentence: str = "the peer takes no more at the moment") -> None:
        super().__init__(sentence, code="want-write")


class NextProtocol(Enum):
    """Well-known application protocols (RFC 7301), by what they are called on the wire."""

    H2 = b"h2"
    H2C = b"h2c"
    HTTP1 = b"http/1.1"
    WEBRTC = b"webrtc"
    C_WEBRTC = b"c-webrtc"
    FTP = b"ftp"
    STUN = b"stun.nat-discovery"
    TURN = b"stun.turn"


class TLSVersion(Enum):
    """Versions of TLS; the first and the last are whatever is the lowest and the highest."""

    MINIMUM_SUPPORTED = "MINIMUM_SUPPORTED"
    TLSv1_2 = "TLSv1.2"
    TLSv1_3 = "TLSv1.3"
    MAXIMUM_SUPPORTED = "MAXIMUM_SUPPORTED"


class _Stored:
    """Something that is in memory, in a file, or known to a system's store by an identifier."""

    __slots__ = ("_buffer", "_id", "_path")

    def __init__(
        self, buffer: bytes | None = None, path: PathLike[str] | str | None = None, id: bytes | None = None
    ) -> None:
        self._buffer, self._path, self._id = buffer, path, id

    @classmethod
    def from_buffer(cls, buffer: bytes) -> Self:
        """PEM or DER in memory."""
        return cls(buffer=buffer)

    @classmethod
    def from_file(cls, path: PathLike[str] | str) -> Self:
        """A file of PEM or DER; it is read when a context is made."""
        return cls(path=path)

    @classmethod
    def from_id(cls, id: bytes) -> Self:
        """An identifier. tlscope has no store that knows any: ``validate_config`` refuses it."""
        return cls(id=id)

    def _key(self) -> tuple[Any, ...]:
        return type(self), self._buffer, self._path, self._id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Stored) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        known = {"in memory": self._buffer, f"from {self._path}": self._path, f"named {self._id!r}": self._id}
        where = next((where for where, value in known.items() if value is not None), "of the system")
        return f"<{type(self).__name__} {where}>"


class _Needed(_Stored):
    __slots__ = ()

    def __init__(
        self, buffer: bytes | None = None, path: PathLike[str] | str | None = None, id: bytes | None = None
    ) -> None:
        if buffer is None and path is None and id is None:
            raise ValueError(f"{type(self).__name__} cannot be empty: give it a buffer, a path or an id")
        super().__init__(buffer, path, id)


class Certificate(_Needed):
    """A certificate, PEM or DER."""

    __slots__ = ()


class PrivateKey(_Needed):
    """A private key, PEM or DER, without a passphrase."""

    __slots__ = ()


class TrustStore(_Stored):
    """Certificates to believe, in PEM; where nothing is given, those of the system."""

    __slots__ = ()

    @classmethod
    def system(cls) -> Self:
        """Those of the system."""
        return cls()


@dataclass(frozen=True, slots=True, init=False)
class SigningChain:
    """What one side proves who it is with: a leaf with its key, and the certificates between it and a root.

    Where there is no key beside the leaf, it is looked for in the leaf's own PEM.
    """

    leaf: tuple[Certificate, PrivateKey | None]
    chain: tuple[Certificate, ...]

    def __init__(self, leaf: tuple[Certificate, PrivateKey | None], chain: Sequence[Certificate] | None = None) -> None:
        object.__setattr__(self, "leaf", leaf)
        object.__setattr__(self, "chain", tuple(chain or ()))


@dataclass(frozen=True, slots=True)
class TLSClientConfiguration:
    """A client's settings: immutable, and equal where all of them are. None stands for tlscope's default."""

    certificate_chain: SigningChain | None = None
    """What to show a server that asks for a certificate."""
    ciphers: Sequence[int] | None = None
    """``CipherSuite`` or its number, in order of preference; a list without any of TLS 1.3 leaves those as they are."""
    inner_protocols: Sequence[NextProtocol | bytes] | None = None
    """Application protocols, in order of preference."""
    lowest_supported_version: TLSVersion | None = None
    highest_supported_version: TLSVersion | None = None
    trust_store: TrustStore | None = None
    """Whom to believe; None for the system's."""

    def __post_init__(self) -> None:
        _freeze(self)


@dataclass(frozen=True, slots=True)
class TLSServerConfiguration:
    """A server's settings: immutable, and equal where all of them are. None stands for tlscope's default."""

    certificate_chain: Sequence[SigningChain] | None = None
    """Whom to be, by the name that a client asks for; the first where it asks for none."""
    ciphers: Sequence[int] | None = None
    """As a client's."""
    inner_protocols: Sequence[NextProtocol | bytes] | None = None
    """Application protocols, in order of preference."""
    lowest_supported_version: TLSVersion | None = None
    highest_supported_version: TLSVersion | None = None
    trust_store: TrustStore | None = None
    """Whose certificates to demand of clients; None demands none."""

    def __post_init__(self) -> None:
        if self.certificate_chain is not None:
            object.__setattr__(self, "certificate_chain", tuple(self.certificate_chain))
        _freeze(self)


def _freeze(configuration: Any) -> None:
    object.__setattr__(configuration, "inner_protocols", tuple(configuration.inner_protocols or ()))
    if configuration.ciphers is not None:
        object.__setattr__(configuration, "ciphers", tuple(configuration.ciphers))
