"""What can be found wrong with a chain that this side itself showed, when the peer refuses it without a reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from ...trust.distinguished_name import describe_name
from ...trust.names import PeerNames, parse_server_name
from ..certificates import summarize
from ..words import listed, printable

__all__ = ["Fault", "Shown", "faults", "shown"]

_E = TypeVar("_E", bound=x509.ExtensionType)

_WEAK_HASHES = ("md5", "sha1")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is plain to see: the row of the atlas, and a sentence."""

    id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What a chain is, in words."""

    count: int
    subject: str
    issuer: str
    top_issuer: str
    names: tuple[str, ...]
    self_signed: bool
    ends_in_root: bool


def shown(chain: tuple[bytes, ...]) -> Shown:
    """A chain of at least one certificate, in words."""
    leaf, last = summarize(chain[0]), summarize(chain[-1])
    return Shown(
        count=len(chain),
        subject=printable(leaf.subject or "an unreadable certificate"),
        issuer=printable(leaf.issuer or "nobody"),
        top_issuer=printable(last.issuer or "nobody"),
        names=leaf.names,
        self_signed=leaf.self_signed,
        ends_in_root=len(chain) > 1 and last.self_signed,
    )


def faults(chain: tuple[bytes, ...], role: str, asked: str | None, now: str) -> list[Fault]:
    """What is plainly wrong with a chain that the ``role`` showed; ``asked`` is the name that its peer asked for."""
    found: list[Fault] = []
    for index, der in enumerate(chain):
        try:
            certificate = x509.load_der_x509_certificate(der)
            found += _of_any(certificate, index, role, _moment(now))
            if index == 0:
                found += _of_leaf(certificate, role, asked)
        except Exception:  # noqa: S112 - it was chosen by whoever configured it; an explanation never fails
            continue
    if role == "server":
        with suppress(Exception):
            found += _outside(chain)
    return found


def _of_any(certificate: x509.Certificate, index: int, role: str, now: datetime) -> Iterator[Fault]:
    what = "it" if index == 0 else f"certificate {index + 1} of the chain, {describe_name(_der(certificate))},"
    client = role == "client"
    if certificate.not_valid_after_utc < now:
        row = "client-cert-expired" if client else "cert-expired"
        yield Fault(row, f"{what} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S UTC}")
    elif certificate.not_valid_before_utc > now:
        row = "client-cert-expired" if client else "cert-not-yet-valid"
        yield Fault(row, f"{what} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S UTC}")
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        yield Fault("weak-key", f"{what} has an RSA key of {key.key_size} bits, and 2048 are needed")
    algorithm = certificate.signature_hash_algorithm
    root = certificate.issuer == certificate.subject
    if algorithm is not None and algorithm.name in _WEAK_HASHES and not root:
        yield Fault("weak-signature", f"{what} is signed with {algorithm.name.upper().replace('SHA1', 'SHA-1')}")
    if index and not _is_ca(certificate):
        yield Fault("issuer-not-ca", f"{what} is not a CA's and stands behind the leaf")
    yield from _of_authority(certificate, index, what)


def _of_leaf(certificate: x509.Certificate, role: str, asked: str | None) -> Iterator[Fault]:
    needed, name = (
        (ExtendedKeyUsageOID.CLIENT_AUTH, "clientAuth")
        if role == "client"
        else (ExtendedKeyUsageOID.SERVER_AUTH, "serverAuth")
    )
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        usages = None
    if usages is not None and needed not in usages:
        row = "client-wrong-purpose" if role == "client" else "wrong-purpose-server"
        yield Fault(row, f"its extendedKeyUsage does not have {name}")
    if role == "client":
        return
    names = PeerNames.of(certificate)
    if not names.dns and not names.ip:
        yield Fault("cn-only", f"it has no subjectAltName, only the common name {printable(names.common_name or '')}")
    elif asked is not None and not names.fits(parse_server_name(asked)):
        held = listed(tuple(map(printable, [*names.dns, *names.ip][:6])))
        yield Fault("wrong-host", f"the client asked for {printable(asked)}, and it is for {held}")
    if names.dns and any(label.replace(".", "").isdigit() for label in names.dns):
        yield Fault("ip-vs-dns", "it holds an address as a DNS name")


def _of_authority(certificate: x509.Certificate, index: int, what: str) -> Iterator[Fault]:
    """What only a CA's certificate can have wrong, and what RFC 5280 demands of form."""
    basic = _extension(certificate, x509.BasicConstraints)
    if basic is not None and basic.ca and basic.path_length is not None and basic.path_length < index - 1:
        below = f"{basic.path_length} CA certificates below itself, and the chain has {index - 1}"
        yield Fault("path-length", f"{what} allows {below}")
    for one in certificate.extensions:
        if one.critical and isinstance(one.value, x509.UnrecognizedExtension):
            said = f"the extension {one.oid.dotted_string}, which is critical and which few know"
            yield Fault("not-rfc5280", f"{what} has {said} (RFC 5280 section 4.2)")
    if certificate.issuer != certificate.subject and _extension(certificate, x509.AuthorityKeyIdentifier) is None:
        yield Fault("not-rfc5280", f"{what} has no authorityKeyIdentifier (RFC 5280 section 4.2.1.1)")
    if basic is not None and basic.ca:
        if _extension(certificate, x509.KeyUsage) is None:
            yield Fault("not-rfc5280", f"{what} is a CA's and has no keyUsage (RFC 5280 section 4.2.1.3)")
        if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).critical:
            yield Fault("not-rfc5280", f"{what} has basicConstraints that are not critical (RFC 5280 section 4.2.1.9)")


def _outside(chain: tuple[bytes, ...]) -> Iterator[Fault]:
    """DNS names of the leaf that a CA of the chain may not issue for (RFC 5280 section 4.2.1.10)."""
    names = PeerNames.of(x509.load_der_x509_certificate(chain[0])).dns
    for der in chain[1:]:
        constraints = _extension(x509.load_der_x509_certificate(der), x509.NameConstraints)
        if constraints is None:
            continue
        permitted = [one.value for one in constraints.permitted_subtrees or () if isinstance(one, x509.DNSName)]
        excluded = [one.value for one in constraints.excluded_subtrees or () if isinstance(one, x509.DNSName)]
        for name in names:
            if (permitted and not _within(name, permitted)) or _within(name, excluded):
                rule = listed(tuple(permitted)) if permitted else f"all but {listed(tuple(excluded))}"
                yield Fault(
                    "name-constraint", f"it names {printable(name)}, and a CA of its chain may issue for {rule}"
                )


def _within(name: str, trees: list[str]) -> bool:
    return any(name == tree.lstrip(".") or name.endswith("." + tree.lstrip(".")) for tree in trees)


def _extension(certificate: x509.Certificate, kind: type[_E]) -> _E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.subject.public_bytes()


def _moment(now: str) -> datetime:
    try:
        found = datetime.fromisoformat(now)
    except ValueError:
        return datetime.now(UTC)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
