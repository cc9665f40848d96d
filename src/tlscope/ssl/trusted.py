"""What an ``SSLContext`` trusts: certificates and revocation lists, from files, directories and memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from ..errors import ConfigError
from ..trust.anchors import TrustAnchors
from ..trust.der import DERError, read_tbs_certificate, sequences
from ..trust.files import Source as FileSource
from ..trust.files import read_blocks, read_file
from ..trust.identity import Identity
from ..trust.revocation import RevocationList
from .certificates import is_ca
from .errors import as_ssl, made_as_ssl

__all__ = ["Trusted", "as_path", "with_intermediates"]

_WANTED = "a file of trusted certificates or revocation lists (PEM or DER)"


def as_path(name: Any) -> Path:
    """A path as the standard library takes one. Raises ``TypeError``, and ``FileNotFoundError`` where there is nothing."""
    path = Path(os.fsdecode(name))
    if not path.exists():
        raise FileNotFoundError(2, "No such file or directory", str(path))
    return path


class Trusted:
    """Anchors and CRLs, gathered call by call."""

    def __init__(self) -> None:
        self._parts: list[TrustAnchors] = []
        self._joined: TrustAnchors | None = None
        self.crls: tuple[RevocationList, ...] = ()

    def load_file(self, cafile: Any) -> None:
        """Certificates and CRLs in a file."""
        data, source = made_as_ssl(lambda: read_file(as_path(cafile), _WANTED))
        self._load(data, source)

    def load_directory(self, capath: Any) -> None:
        """The certificates in a directory; none is no error, as with OpenSSL, who looks when it needs one."""
        path = as_path(capath)
        try:
            self._add(TrustAnchors.from_directory(path))
        except ConfigError:
            self._add(TrustAnchors((), f"{path} (0 certificates)"))

    def load_data(self, cadata: str | bytes) -> None:
        """PEM text, or DER certificates one behind the other."""
        source = FileSource(None, "cadata")
        if isinstance(cadata, str):
            if "-----BEGIN" not in cadata:
                raise as_ssl(source.error("there is no PEM in it", "no-start-line"))
            self._load(cadata.encode(), source)
            return
        try:
            ders = sequences(bytes(cadata))
            if not ders:
                raise DERError("it is empty")
        except DERError as error:
            raise as_ssl(source.error(f"it is no DER certificate: {error}", "not-enough-data")) from None
        self._add(made_as_ssl(lambda: TrustAnchors.from_der(ders)))

    def load_system(self) -> None:
        """The system's anchors; where there is no store nobody is trusted, which a handshake will say."""
        try:
            self._add(TrustAnchors.system())
        except ConfigError as error:
            self._add(TrustAnchors((), f"the system's trust store, which is not there: {error.sentence}"))

    def _load(self, data: bytes, source: FileSource) -> None:
        blocks = made_as_ssl(lambda: read_blocks(data, source, _WANTED))
        lists = [block.der for block in blocks if block.label == "X509 CRL"]
        self.crls += tuple(made_as_ssl(lambda: [RevocationList.from_der(der) for der in lists]))
        if len(lists) == len(blocks):
            return
        if source.path is not None and not lists:
            self._add(made_as_ssl(lambda: TrustAnchors.from_file(str(source.path))))
            return
        ders = [block.der for block in blocks if block.label.endswith("CERTIFICATE")]
        self._add(made_as_ssl(lambda: TrustAnchors.from_der(ders)))

    def _add(self, anchors: TrustAnchors) -> None:
        self._parts.append(anchors)
        self._joined = None

    @property
    def anchors(self) -> TrustAnchors | None:
        """All of them together, None where nothing was loaded."""
        if self._joined is None and self._parts:
            joined = self._parts[0]
            for more in self._parts[1:]:
                joined = joined + more
            self._joined = joined
        return self._joined

    def ca_certificates(self) -> list[bytes]:
        """DER of those that are CAs'."""
        anchors = self.anchors
        return [] if anchors is None else [anchors.der(one) for one in anchors if is_ca(one)]

    def stats(self) -> dict[str, int]:
        """How many certificates and CRLs there are."""
        anchors = self.anchors
        return {
            "x509": 0 if anchors is None else len(anchors),
            "crl": len(self.crls),
            "x509_ca": len(self.ca_certificates()),
        }


def with_intermediates(identity: Identity, known: Iterable[x509.Certificate]) -> Identity:
    """As OpenSSL does: a certificate that came alone goes on with its issuers, where they are known, but for the root.

    A chain that was given is left as it is.
    """
    chain = list(identity.certificates)
    by_subject = {one.subject: one for one in known if one.issuer != one.subject}
    while len(identity.certificates) == 1 and (issuer := by_subject.pop(chain[-1].issuer, None)) is not None:
        try:
            chain[-1].verify_directly_issued_by(issuer)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
            break
        chain.append(issuer)
    if len(chain) == len(identity.certificates):
        return identity
    ders = tuple(one.public_bytes(Encoding.DER) for one in chain)
    issuers = frozenset(read_tbs_certificate(der).issuer for der in ders)
    return replace(identity, chain=ders, certificates=tuple(chain), issuers=issuers)
