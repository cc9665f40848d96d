"""Certificate revocation lists (RFC 5280 sections 5 and 6.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from .files import CERTIFICATE_LABELS, Block, Source, read_blocks, read_file
from .oids import oid_name
from .reasons import Place, Reason, RevocationUnknown, Revoked

if TYPE_CHECKING:
    from ..errors import ConfigError

__all__ = ["CrlCheck", "RevocationList", "RevocationLists", "read_revocation_lists"]

CrlCheck = Literal["listed", "leaf", "chain"]
"""Which certificates a list must cover, as ``VerificationPolicy.crl_check`` says."""

_WANTED = "a certificate revocation list (PEM or DER)"


@dataclass(frozen=True, slots=True, eq=False)
class RevocationList:
    """One CRL that can be used: complete, for one issuer, with every extension understood.

    ``source`` says for people where it came from. Whether its issuer signed it is found out once the issuer is known.
    """

    crl: x509.CertificateRevocationList
    source: str

    @classmethod
    def from_file(cls, path: str | Path) -> RevocationList:
        """Load PEM or DER. Raises ``ConfigError`` (``file-kind``, ``bad-crl``), also for a file with several."""
        return _only(read_revocation_lists(path), Source(Path(path), _WANTED))

    @classmethod
    def from_pem(cls, data: bytes | str) -> RevocationList:
        """Load from PEM in memory. Raises ``ConfigError``."""
        source = Source(None, "the CRL given")
        return _only(_load(data.encode() if isinstance(data, str) else data, source), source)

    @classmethod
    def from_der(cls, data: bytes) -> RevocationList:
        """Load from DER in memory. Raises ``ConfigError``."""
        source = Source(None, "the CRL given")
        return _only(_load(data, source), source)

    def __repr__(self) -> str:
        return f"<RevocationList of {self.crl.issuer.rfc4514_string()}, {len(self.crl)} certificates, {self.source}>"


def read_revocation_lists(path: str | Path) -> tuple[RevocationList, ...]:
    """Every CRL in a PEM file, or the one in a DER file. Raises ``ConfigError`` (``file-kind``, ``bad-crl``)."""
    data, source = read_file(path, _WANTED)
    return _load(data, source)


class RevocationLists:
    """Lists by issuer, and the check of a path against them. Remembers which key signed which list."""

    def __init__(self, lists: Sequence[RevocationList], check: CrlCheck) -> None:
        self._check = check
        self._by_issuer: dict[x509.Name, list[RevocationList]] = {}
        for one in lists:
            self._by_issuer.setdefault(one.crl.issuer, []).append(one)
        self._signed: dict[tuple[int, bytes], bool] = {}

    def fault(
        self, path: Sequence[x509.Certificate], chain: Sequence[x509.Certificate], now: datetime, whose: str
    ) -> Reason | None:
        """Why a path (leaf to anchor) fails: a certificate was revoked, or it can't be told though it must be."""
        if self._check == "listed" and not self._by_issuer:
            return None
        for height, certificate in enumerate(path[:-1]):
            index = chain.index(certificate) if certificate in chain else None
            about = {
                "whose": whose,
                "place": Place(index, len(chain), certificate.subject.rfc4514_string()),
            }
            needed = self._check == "chain" or (self._check == "leaf" and height == 0)
            if (reason := self._look_up(certificate, path[height + 1], now, about, needed=needed)) is not None:
                return reason
        return None

    def _look_up(
        self,
        certificate: x509.Certificate,
        issuer: x509.Certificate,
        now: datetime,
        about: dict[str, Any],
        *,
        needed: bool,
    ) -> Reason | None:
        name = issuer.subject.rfc4514_string()
        lists = [one for one in self._by_issuer.get(certificate.issuer, ()) if self._is_signed(one, issuer)]
        if not lists:
            detail = f"there is no revocation list of its issuer, {name}"
            return RevocationUnknown(**about, issuer=name, detail=detail) if needed else None
        if not _may_sign(issuer):
            detail = f"its issuer, {name}, may not sign revocation lists (its keyUsage lacks cRLSign)"
            return RevocationUnknown(**about, issuer=name, detail=detail)
        # Section 6.3.3 wants any one list that is current; the latest is the one to believe.
        latest = max(lists, key=lambda one: one.crl.last_update_utc)
        if (entry := latest.crl.get_revoked_certificate_by_serial_number(certificate.serial_number)) is not None:
            return _revoked(entry, latest, about)
        begins, ends = latest.crl.last_update_utc, latest.crl.next_update_utc
        if ends is None or not begins <= now <= ends:
            until = "without an end" if ends is None else f"to {ends:%Y-%m-%d %H:%M:%S} UTC"
            detail = (
                f"the revocation list of {name} in {latest.source} counts from {begins:%Y-%m-%d %H:%M:%S} UTC {until}, "
                f"and the local clock says {now:%Y-%m-%d %H:%M:%S} UTC: get a current one"
            )
            return RevocationUnknown(**about, issuer=name, detail=detail)
        return None

    def _is_signed(self, one: RevocationList, issuer: x509.Certificate) -> bool:
        # By the identity of the list, which this object holds, and the issuer's key.
        key = (id(one), hashlib.sha256(issuer.tbs_certificate_bytes).digest())
        known = self._signed.get(key)
        if known is None:
            public: Any = issuer.public_key()
            try:
                known = one.crl.is_signature_valid(public)
            except (TypeError, ValueError, UnsupportedAlgorithm):
                known = False  # it was made by a key of another kind
            if len(self._signed) < 1024:
                self._signed[key] = known
        return known


def _may_sign(issuer: x509.Certificate) -> bool:
    """Section 6.3.3 (f): a keyUsage, if there is one, must have cRLSign."""
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _revoked(entry: x509.RevokedCertificate, where: RevocationList, about: dict[str, Any]) -> Reason | None:
    try:
        flag = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        flag = x509.ReasonFlags.unspecified
    if flag is x509.ReasonFlags.remove_from_crl:
        return None
    why = "" if flag is x509.ReasonFlags.unspecified else flag.value
    source = f"the revocation list of {where.crl.issuer.rfc4514_string()} ({where.source})"
    return Revoked(**about, source=source, when=entry.revocation_date_utc, serial=entry.serial_number, why=why)


def _only(lists: tuple[RevocationList, ...], source: Source) -> RevocationList:
    if len(lists) != 1:
        raise source.error(f"there are {len(lists)} revocation lists in it, and one is wanted")
    return lists[0]


def _load(data: bytes, source: Source) -> tuple[RevocationList, ...]:
    blocks = read_blocks(data, source, _WANTED)
    lists = tuple(_usable(block, source) for block in blocks if block.label == "X509 CRL")
    if not lists:
        kind = "a certificate" if blocks[0].label in CERTIFICATE_LABELS else blocks[0].kind
        raise source.wrong_kind(kind, _WANTED)
    return lists


def _usable(block: Block, source: Source) -> RevocationList:
    """A list that may be relied on: section 5.2 forbids the use of one whose critical extensions aren't understood."""
    try:
        crl = x509.load_der_x509_crl(block.der)
        extensions, algorithm = crl.extensions, crl.signature_hash_algorithm
        entries_understood = not any(_critical(entry.extensions) for entry in crl)
    except Exception as error:  # an ill-made list makes cryptography raise more kinds than it documents
        raise source.error(f"the revocation list in it can't be parsed: {error}", "file-kind") from None
    faults = {f"its extension {name} is critical and not understood": True for name in _critical(extensions)} | {
        "it is signed with a hash that can be forged": isinstance(algorithm, hashes.SHA1 | hashes.MD5),
        "it has an entry with a critical extension that is not understood": not entries_understood,
        "it has no cRLNumber (RFC 5280 section 5.2.3)": not _has(extensions, x509.CRLNumber),
        "it has no nextUpdate (RFC 5280 section 5.1.2.5)": crl.next_update_utc is None,
        "it is only a part of a list (issuingDistributionPoint)": _has(extensions, x509.IssuingDistributionPoint),
        "it lists changes only (deltaCRLIndicator)": _has(extensions, x509.DeltaCRLIndicator),
    }
    for fault, holds in faults.items():
        if holds:
            raise _unusable(source, fault)
    return RevocationList(crl, str(source.path or source.what))


def _unusable(source: Source, fault: str) -> ConfigError:
    return source.error(f"this revocation list can't be relied on: {fault}", "bad-crl")


def _critical(extensions: x509.Extensions) -> list[str]:
    """No critical extension of a list or of an entry is processed, so the names of all of them."""
    return [oid_name(one.oid) for one in extensions if one.critical]


def _has(extensions: x509.Extensions, kind: type[x509.ExtensionType]) -> bool:
    return any(isinstance(one.value, kind) for one in extensions)
