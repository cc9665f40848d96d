"""Trust anchors: the certificates that a chain may end in (RFC 5280 section 6.1.1)."""

from __future__ import annotations

import os
import ssl
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import Store

from ..errors import ConfigError
from .der import DERError, read_tbs_certificate
from .files import CERTIFICATE_LABELS, Source, load_certificates, read_blocks, read_file

__all__ = ["TrustAnchors"]

_WANTED = "a file of trusted certificates (PEM or DER)"
_GIVEN = Source(None, "the trusted certificates given")


class TrustAnchors:
    """The certificates that are trusted, and where they came from. Immutable; ``a + b`` trusts both.

    ``source`` says for people which store this is, as in ``ca.pem (1 certificate)``.
    """

    def __init__(self, certificates: Iterable[x509.Certificate], source: str) -> None:
        unique = {certificate.public_bytes(Encoding.DER): certificate for certificate in certificates}
        self._ders = frozenset(unique)
        self._by_certificate = {certificate: der for der, certificate in unique.items()}
        self.certificates: tuple[x509.Certificate, ...] = tuple(unique.values())
        self.source = source

    @classmethod
    def from_file(cls, path: str | Path) -> TrustAnchors:
        """Load PEM with any number of certificates, or DER with one. Raises ``ConfigError`` (``file-kind``)."""
        data, source = read_file(path, _WANTED)
        return cls._from_data(data, source, str(path))

    @classmethod
    def from_pem(cls, data: bytes | str) -> TrustAnchors:
        """Load PEM from memory. Raises ``ConfigError``."""
        return cls._from_data(
            data.encode() if isinstance(data, str) else data, _GIVEN, "the trusted certificates given"
        )

    @classmethod
    def from_der(cls, certificates: bytes | Sequence[bytes]) -> TrustAnchors:
        """Load one DER certificate or several. Raises ``ConfigError``."""
        ders = [certificates] if isinstance(certificates, bytes) else list(certificates)
        loaded = [one for der in ders for one in _load(der, _GIVEN)]
        return cls.from_certificates(loaded)

    @classmethod
    def from_certificates(cls, certificates: Iterable[x509.Certificate]) -> TrustAnchors:
        """Trust certificates that ``cryptography`` has loaded. Raises ``ConfigError`` where there is none."""
        loaded = list(certificates)
        if not loaded:
            raise _GIVEN.error("there is none, so nobody could be trusted")
        return cls._named(loaded, "the trusted certificates given")

    @classmethod
    def from_directory(cls, path: str | Path) -> TrustAnchors:
        """Load every certificate file (``.pem``, ``.crt``, ``.cer``, ``.der``, or OpenSSL's hash names) of a directory.

        Files of other kinds are passed over and subdirectories not entered. Raises ``ConfigError`` where there is none.
        """
        source = Source(Path(path), _WANTED)
        loaded = list(_read_directory(source))
        if not loaded:
            raise source.error("there is no certificate in this directory")
        return cls._named(loaded, str(path))

    @classmethod
    def system(cls) -> TrustAnchors:
        """The operating system's store, as the standard library's ``ssl`` finds it.

        ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` (several, separated as in ``PATH``) replace OpenSSL's built-in places.
        Raises ``ConfigError`` where there is no store.
        """
        paths = ssl.get_default_verify_paths()
        loaded: list[x509.Certificate] = []
        used, seen = [], set[Path]()
        if paths.cafile is not None:
            data, source = read_file(paths.cafile, _WANTED)
            loaded += _load_leniently(data, source)
            used.append(paths.cafile)
            seen.add(Path(paths.cafile).resolve())
        # Distributions build the file from the directory: reading both would read everything twice.
        chosen = os.environ.get(paths.openssl_cafile_env) is not None or os.environ.get(paths.openssl_capath_env)
        if not loaded or chosen:
            listed = os.environ.get(paths.openssl_capath_env, "").split(os.pathsep) if chosen else []
            for directory in [*filter(None, listed)] or [paths.capath or paths.openssl_capath]:
                if found := list(_read_directory(Source(Path(directory), _WANTED), seen)):
                    loaded += found
                    used.append(directory)
        if not loaded:
            raise ConfigError(
                f"there is no system trust store at {paths.openssl_cafile} or {paths.openssl_capath}: install the "
                f"package ca-certificates, set {paths.openssl_cafile_env}, or name a file of trusted certificates",
                code="no-trust-store",
            )
        return cls._named(loaded, f"the system's trust store, {' and '.join(used)}")

    @classmethod
    def nobody(cls) -> TrustAnchors:
        """Trust no one: every chain is refused."""
        return cls((), "an empty trust store")

    @cached_property
    def subjects(self) -> tuple[bytes, ...]:
        """The subjects' DER Names, as certificate_authorities carries them (RFC 8446 section 4.2.4)."""
        return tuple(dict.fromkeys(read_tbs_certificate(der).subject for der in self._by_certificate.values()))

    @cached_property
    def store(self) -> Store:
        """The anchors as ``cryptography``'s path builder takes them."""
        return Store(list(self.certificates))

    @cached_property
    def by_subject(self) -> dict[x509.Name, tuple[x509.Certificate, ...]]:
        """The anchors by their subjects."""
        found: dict[x509.Name, tuple[x509.Certificate, ...]] = {}
        for certificate in self.certificates:
            found[certificate.subject] = (*found.get(certificate.subject, ()), certificate)
        return found

    def der(self, certificate: x509.Certificate) -> bytes:
        """The DER of an anchor. Raises ``KeyError`` for any other certificate."""
        return self._by_certificate[certificate]

    def __contains__(self, certificate: object) -> bool:
        """Whether this certificate (DER, or loaded) is an anchor, byte for byte."""
        if isinstance(certificate, x509.Certificate):
            return certificate in self._by_certificate
        return certificate in self._ders

    def __add__(self, other: TrustAnchors) -> TrustAnchors:
        if not isinstance(other, TrustAnchors):
            return NotImplemented
        return TrustAnchors((*self.certificates, *other.certificates), f"{self.source} and {other.source}")

    def __len__(self) -> int:
        return len(self.certificates)

    def __iter__(self) -> Iterator[x509.Certificate]:
        return iter(self.certificates)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TrustAnchors) and self._ders == other._ders

    def __hash__(self) -> int:
        return hash(self._ders)

    def __repr__(self) -> str:
        return f"<TrustAnchors {self.source}>"

    @classmethod
    def _from_data(cls, data: bytes, source: Source, text: str) -> TrustAnchors:
        return cls._named(_load(data, source), text)

    @classmethod
    def _named(cls, certificates: Iterable[x509.Certificate], where: str) -> TrustAnchors:
        unique = list({certificate.public_bytes(Encoding.DER): certificate for certificate in certificates}.values())
        return cls(unique, f"{where} ({_count(unique)})")


def _load(data: bytes, source: Source) -> list[x509.Certificate]:
    loaded = load_certificates(read_blocks(data, source, _WANTED), source, wanted=_WANTED)
    for place, certificate in enumerate(loaded, 1):
        try:
            read_tbs_certificate(certificate.public_bytes(Encoding.DER))
        except DERError as error:
            raise source.error(f"certificate {place} in it can't be parsed: {error}") from None
    return loaded


def _load_leniently(data: bytes, source: Source) -> list[x509.Certificate]:
    """What can be loaded of a store that somebody else keeps: one certificate out of fashion must not cost the rest."""
    loaded = []
    for block in read_blocks(data, source, _WANTED):
        if block.label not in CERTIFICATE_LABELS:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loaded.append(x509.load_der_x509_certificate(block.der))
        except ValueError:
            continue
    return loaded


def _read_directory(source: Source, seen: set[Path] | None = None) -> Iterator[x509.Certificate]:
    if source.path is None or not source.path.is_dir():
        return
    seen = set() if seen is None else seen
    for path in sorted(source.path.iterdir()):
        hashed = len(path.stem) == 8 and path.suffix[1:].isdigit()
        if not hashed and path.suffix.lower() not in {".pem", ".crt", ".cer", ".der"}:
            continue
        target = path.resolve()  # a certificate stands there by its name and by its hash
        if target in seen:
            continue
        seen.add(target)
        try:
            data, file = read_file(path, _WANTED)
            yield from _load_leniently(data, file)
        except ConfigError:
            continue


def _count(certificates: Sequence[object]) -> str:
    return "1 certificate" if len(certificates) == 1 else f"{len(certificates)} certificates"
