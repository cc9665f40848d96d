"""What can be found wrong with a chain that this side itself showed, when the peer refuses it without a reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from ...trust.distinguished_name import describe_name
from ...trust.names import PeerNames, parse_server_name
from ..certificates import summarize
from ..words import listed, printable

__all__ = ["Fault", "Shown", "faults", "shown"]

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
