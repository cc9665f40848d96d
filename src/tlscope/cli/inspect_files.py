"""What is in files: each thing in words, a chain's order, gaps and faults, and which key belongs to which certificate."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key, load_pem_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..errors import ConfigError
from ..explain.certificates import summarize
from ..explain.words import listed, plural, printable
from ..trust.files import (
    CERTIFICATE_LABELS,
    KEY_LABELS,
    PKCS7_LABELS,
    Block,
    Source,
    advice_on,
    is_pkcs7,
    is_pkcs12,
    load_key,
    load_pkcs7,
    load_pkcs12,
    read_blocks,
    read_file,
)
from ..trust.identity import key_identifier, spki

__all__ = [
    "Contents",
    "Item",
    "certificate_item",
    "chain_faults",
    "describe_chain",
    "read_items",
    "same_keys",
    "utc_now",
]

_SOON = timedelta(days=30)
_MOST_NAMES = 12
_PURPOSES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "TLS servers",
    ExtendedKeyUsageOID.CLIENT_AUTH: "TLS clients",
    ExtendedKeyUsageOID.CODE_SIGNING: "signed code",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "signed e-mail",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSP responses",
    ExtendedKeyUsageOID.TIME_STAMPING: "time stamps",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "anything",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a file: what it is, facts about it, and what is wrong with it or worth knowing."""

    kind: str
    facts: tuple[tuple[str, str], ...] = ()
    faults: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-ready data."""
        return {"kind": self.kind, "facts": dict(self.facts), "faults": list(self.faults)}


@dataclass(slots=True)
class Contents:
    """What a file holds, and of it the certificates and public halves of keys, in order."""

    path: Path
    items: list[Item] = field(default_factory=list)
    certificates: list[x509.Certificate] = field(default_factory=list)
    keys: list[Any] = field(default_factory=list)


def read_items(path: Path, ask: Callable[[], str], now: datetime) -> Contents:
    """What is in a file. Raises ``ConfigError`` where it can't be read, or is nothing that TLS knows."""
    wanted = "something that TLS uses"
    data, source = read_file(path, wanted)
    found = Contents(path)
    if is_pkcs12(data):
        _pkcs12(found, data, source, ask, now)
        return found
    if is_pkcs7(data):
        _pkcs7(found, data, source, now)
        return found
    for block in read_blocks(data, source, wanted):
        if block.label in PKCS7_LABELS:
            _pkcs7(found, block.der, source, now)
        else:
            found.items.append(_item(found, block, source, ask, now))
    return found


def _item(found: Contents, block: Block, source: Source, ask: Callable[[], str], now: datetime) -> Item:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if block.label in CERTIFICATE_LABELS:
                certificate = x509.load_der_x509_certificate(block.der)
                found.certificates.append(certificate)
                return certificate_item(certificate, now)
            if block.label in KEY_LABELS:
                return _key(found, block, source, ask)
            if block.label.endswith("CERTIFICATE REQUEST"):
                return _request(found, x509.load_der_x509_csr(block.der))
            if block.label == "X509 CRL":
                return _revocations(x509.load_der_x509_crl(block.der), now)
            if block.label in ("PUBLIC KEY", "RSA PUBLIC KEY"):
                load = load_der_public_key if block.text is block.der else load_pem_public_key
                public = load(block.text)
                found.keys.append(public)
                return Item("a public key", (("key", key_identifier(public)),))
    except (ValueError, UnsupportedAlgorithm, TypeError) as error:
        return Item(block.kind, (), (f"it can't be parsed: {printable(error, 200)}",))
    advice = advice_on(block.kind)
    return Item(block.kind, (), (f"TLS programs do not read it; {advice}",) if advice else ())


def _pkcs12(found: Contents, data: bytes, source: Source, ask: Callable[[], str], now: datetime) -> None:
    key, certificates = load_pkcs12(data, ask, source)
    public = key.public_key()
    found.items.append(
        Item("a PKCS#12 file", (("holds", f"a private key and {plural(len(certificates), 'certificate')}"),))
    )
    found.items.append(Item("a private key", (("key", key_identifier(public)),)))
    found.keys.append(public)
    for certificate in certificates:
        found.certificates.append(certificate)
        found.items.append(certificate_item(certificate, now))


def _pkcs7(found: Contents, der: bytes, source: Source, now: datetime) -> None:
    """A bundle is a set: its certificates are put in order, as a server has to send them."""
    certificates = in_order(load_pkcs7(der, source))
    facts = (("holds", f"{plural(len(certificates), 'certificate')} and no key"), ("order", "none: shown as a chain"))
    faults = ("TLS programs do not read it: the certificates have to be taken out, leaf first, into a PEM file",)
    found.items.append(Item("a PKCS#7 bundle", facts if len(certificates) > 1 else facts[:1], faults))
    for certificate in certificates:
        found.certificates.append(certificate)
        found.items.append(certificate_item(certificate, now))


def _key(found: Contents, block: Block, source: Source, ask: Callable[[], str]) -> Item:
    encrypted = block.label == "ENCRYPTED PRIVATE KEY" or b"Proc-Type: 4,ENCRYPTED" in block.text[:200]
    try:
        key = load_key([block], ask, source)
        public = key.public_key()
        identifier = key_identifier(public)
    except ConfigError as error:
        if error.code == "wrong-passphrase":
            raise
        return Item("a private key", (("encrypted", "yes"),) if encrypted else (), (printable(error.sentence),))
    except AttributeError:
        return Item("a private key", (), ("it is of a kind that TLS has no use for",))
    found.keys.append(public)
    facts = (
        ("key", identifier),
        ("encrypted", "yes, with a passphrase" if encrypted else "no: whoever reads the file has it"),
    )
    bits = getattr(public, "key_size", 4096)
    weak = identifier.startswith("RSA") and bits < 2048
    return Item("a private key", facts, (f"{bits} bits are too few: 2048 or more are needed",) if weak else ())


# Certificates


def certificate_item(certificate: x509.Certificate, now: datetime) -> Item:
    """A certificate in words."""
    one = summarize(certificate.public_bytes(Encoding.DER))
    authority = _is_authority(certificate)
    names = listed(list(one.names[:_MOST_NAMES])) + (
        f" and {len(one.names) - _MOST_NAMES} more" if len(one.names) > _MOST_NAMES else ""
    )
    has_names = _extension(certificate, x509.SubjectAlternativeName) is not None
    kind = "a CA's certificate" if authority else "a certificate"
    if one.self_signed:
        kind += ", self-signed" if not authority else ", a root"
    facts = (
        ("subject", one.subject),
        ("for", names if has_names else ""),
        ("issued by", "itself" if one.self_signed else one.issuer),
        (
            "valid",
            f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} to {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
        ),
        ("key", one.key),
        ("good for", _purposes(certificate)),
        ("SHA-256", certificate.fingerprint(SHA256()).hex()),
    )
    faults = tuple(_certificate_faults(certificate, now, authority=authority, named=has_names))
    return Item(kind, tuple((name, value) for name, value in facts if value), faults)


def _certificate_faults(certificate: x509.Certificate, now: datetime, *, authority: bool, named: bool) -> Iterator[str]:
    if certificate.not_valid_after_utc < now:
        yield f"it expired {_ago(now - certificate.not_valid_after_utc)} ago"
    elif certificate.not_valid_before_utc > now:
        yield f"it is not valid yet, but in {_ago(certificate.not_valid_before_utc - now)}; is the clock right?"
    elif certificate.not_valid_after_utc - now < _SOON:
        yield f"it expires in {_ago(certificate.not_valid_after_utc - now)}"
    if not authority and not named:
        yield "it has no subjectAltName: a common name is no longer looked at (RFC 9525 section 2)"
    hash_name = getattr(certificate.signature_hash_algorithm, "name", "")
    if hash_name in ("md5", "sha1") and certificate.issuer != certificate.subject:
        yield f"it is signed with {hash_name.upper()}, which can be forged"
    key = certificate.public_key()
    bits = getattr(key, "key_size", 4096)
    if summarize(certificate.public_bytes(Encoding.DER)).key.startswith("RSA") and bits < 2048:
        yield f"its RSA key has {bits} bits, and peers demand 2048 or more"


def _ago(span: timedelta) -> str:
    return plural(span.days, "day") if span.days else plural(max(1, span.seconds // 3600), "hour")


def _extension(certificate: Any, kind: type[Any]) -> Any:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _is_authority(certificate: x509.Certificate) -> bool:
    constraints = _extension(certificate, x509.BasicConstraints)
    return bool(constraints is not None and constraints.ca)


def _purposes(certificate: x509.Certificate) -> str:
    usage = _extension(certificate, x509.ExtendedKeyUsage)
    if usage is None:
        return "issuing certificates" if _is_authority(certificate) else "any purpose (it names none)"
    return listed([_PURPOSES.get(one, one.dotted_string) for one in usage])


# Requests and revocation lists


def _request(found: Contents, request: x509.CertificateSigningRequest) -> Item:
    public = request.public_key()
    found.keys.append(public)
    names = _extension(request, x509.SubjectAlternativeName)
    faults = [] if request.is_signature_valid else ["its signature does not fit its key: it was damaged"]
    if names is None:
        faults.append("it asks for no subjectAltName, without which a server's certificate is of no use")
    told = "" if names is None else listed([printable(one.value) for one in names][:_MOST_NAMES])
    facts = (("subject", printable(request.subject.rfc4514_string())), ("for", told), ("key", key_identifier(public)))
    kind = "a certificate signing request (CSR): what a CA is sent, no certificate yet"
    return Item(kind, tuple((name, value) for name, value in facts if value), tuple(faults))


def _revocations(crl: x509.CertificateRevocationList, now: datetime) -> Item:
    until = crl.next_update_utc
    facts = (
        ("issued by", printable(crl.issuer.rfc4514_string())),
        ("from", f"{crl.last_update_utc:%Y-%m-%d %H:%M} UTC"),
        ("until", "" if until is None else f"{until:%Y-%m-%d %H:%M} UTC"),
        ("revokes", plural(len(crl), "certificate")),
    )
    faults = ("it is out of date: a newer one is due",) if until is not None and until < now else ()
    kind = "a certificate revocation list (CRL)"
    return Item(kind, tuple((name, value) for name, value in facts if value), faults)


# Together


def same_keys(contents: Iterable[Contents]) -> list[tuple[str, bool]]:
    """For each key whether a certificate belongs to it, in words; nothing where there are none of both."""
    found = list(contents)
    certificates = [(one.path, place, each) for one in found for place, each in enumerate(one.certificates, 1)]
    told = []
    if not certificates:
        return []
    for one in found:
        for key in one.keys:
            fitting = [place for place in certificates if _key_of(place[2]) == spki(key)]
            if fitting:
                path, number, certificate = fitting[0]
                where = f"certificate {number} of {path}" if len(certificates) > 1 else str(path)
                words = f"the key in {one.path} belongs to {where} ({summarize_name(certificate)})"
                told.append((printable(words, 400), True))
            else:
                words = f"the key in {one.path} belongs to none of the certificates: the key is {key_identifier(key)}"
                told.append((printable(words, 400), False))
    return told


def _key_of(certificate: x509.Certificate) -> bytes:
    try:
        return spki(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return b""


def summarize_name(certificate: x509.Certificate) -> str:
    """What a certificate is called."""
    one = summarize(certificate.public_bytes(Encoding.DER))
    return one.common_name or one.name


def chain_faults(certificates: list[x509.Certificate]) -> list[str]:
    """What is wrong with certificates as a chain in this order, the leaf first (RFC 8446 section 4.4.2)."""
    faults = []
    seen: set[bytes] = set()
    for place, certificate in enumerate(certificates, 1):
        digest = certificate.fingerprint(SHA256())
        if digest in seen:
            faults.append(f"certificate {place} is there twice")
        seen.add(digest)
    if certificates and _is_authority(certificates[0]) and not all(map(_is_authority, certificates)):
        faults.append("the leaf must come first, and certificate 1 is a CA's")
    for place in range(1, len(certificates)):
        below, above = certificates[place - 1], certificates[place]
        if below.issuer == below.subject:
            faults.append(f"certificate {place} is self-signed, so nothing needs to follow it")
        elif below.issuer != above.subject:
            right = next((n for n, one in enumerate(certificates, 1) if one.subject == below.issuer), None)
            named = printable(below.issuer.rfc4514_string())
            missing = (
                f"its issuer is certificate {right}" if right else f"its issuer, {named}, is not in the file: a gap"
            )
            faults.append(f"certificate {place} was not issued by certificate {place + 1}; {missing}")
        elif not _signed(below, above):
            faults.append(f"certificate {place + 1} has the name of certificate {place}'s issuer, but another key")
        elif not _is_authority(above):
            faults.append(f"certificate {place + 1} may not issue certificates: it is no CA's")
    last = certificates[-1] if certificates else None
    if last is not None and len(certificates) > 1 and last.issuer == last.subject:
        faults.append(_ROOT_SENT)
    return faults


def in_order(certificates: list[x509.Certificate]) -> list[x509.Certificate]:
    """The certificates as a chain: what issued none of the others first, each followed by its issuer, then what is left."""
    left, found = list(certificates), []
    while left:
        issuers = [one.issuer for one in left if one.issuer != one.subject]
        current: x509.Certificate | None = next((one for one in left if one.subject not in issuers), left[0])
        while current is not None:
            left.remove(current)
            found.append(current)
            current = next((one for one in left if one.subject == current.issuer), None)
    return found


def describe_chain(certificates: list[x509.Certificate], faults: list[str]) -> str:
    """Several certificates as the chain that they are; empty for fewer than two, and for what is no chain."""
    if len(certificates) < 2:
        return ""
    if all(map(_is_authority, certificates)) and faults:
        return f"A bundle of {len(certificates)} CAs' certificates."
    names = " ← ".join(printable(summarize_name(one), 60) for one in certificates[:10])
    return f"A chain{', with faults' if set(faults) - {_ROOT_SENT} else ''}: {names}"


_ROOT_SENT = "the root is in it, which does no harm and no good: whoever trusts it has it already"


def _signed(below: x509.Certificate, above: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)
