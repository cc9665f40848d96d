"""A certificate authority in memory: a root or an intermediate that issues for servers and clients."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from ..errors import ConfigError
from ..trust.anchors import TrustAnchors
from ..trust.identity import Identity
from ..trust.names import shown
from .files import safe_name, write_file
from .keys import can_decrypt, make_key
from .naming import general_name, general_names
from .spec import CA_LIFETIME, LEAF_LIFETIME, CertificateSpec, build, name_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

__all__ = ["Authority", "Issued", "self_signed"]

_CA_KEY_USAGE = ("key_cert_sign", "crl_sign", "digital_signature")


@dataclass(frozen=True, slots=True, eq=False)
class Issued:
    """A certificate, its key, and the chain that is sent with it: the leaf, then intermediates, without the root."""

    certificate: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes = field(repr=False)
    chain: tuple[x509.Certificate, ...] = field(repr=False)

    def identity(self) -> Identity:
        """As ``ServerConfig`` and ``ClientConfig`` take it, whatever its key: one made weak was meant to be."""
        return Identity.from_certificates(self.chain, self.key, min_rsa_bits=0)

    def pem(self) -> bytes:
        """The chain in PEM, the leaf first."""
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in self.chain)

    def der(self) -> tuple[bytes, ...]:
        """The chain in DER, the leaf first."""
        return tuple(certificate.public_bytes(Encoding.DER) for certificate in self.chain)

    def key_pem(self, password: bytes | str | None = None) -> bytes:
        """The key in PEM (PKCS#8), encrypted where there is a password."""
        return _key_pem(self.key, password)

    def pkcs12(self, password: bytes | str, name: str = "tlscope") -> bytes:
        """Certificate, chain and key as PKCS#12, which browsers and operating systems import."""
        secret = password.encode() if isinstance(password, str) else password
        return pkcs12.serialize_key_and_certificates(
            name.encode(),
            self.key,  # type: ignore[arg-type]  # ML-DSA keys are younger than the annotation
            self.certificate,
            list(self.chain[1:]),
            BestAvailableEncryption(secret),
        )

    def anchors(self) -> TrustAnchors:
        """Trust in this very certificate: for one that is self-signed."""
        return TrustAnchors.from_certificates([self.certificate])

    def write(self, directory: str | os.PathLike[str], name: str | None = None) -> tuple[Path, Path]:
        """Write ``NAME.pem`` and ``NAME-key.pem`` (readable by the owner alone); ``name`` is the certificate's first.

        Gives the two paths. Files that are there are replaced. Raises ``ConfigError`` where the directory can't be
        written to.
        """
        names = self.identity().names
        stem = safe_name(name if name is not None else next(iter(names), names.common_name or "certificate"))
        certificate, key = Path(directory) / f"{stem}.pem", Path(directory) / f"{stem}-key.pem"
        write_file(key, self.key_pem(), private=True)
        write_file(certificate, self.pem())
        return certificate, key


@dataclass(frozen=True, slots=True, eq=False)
class Authority:
    """A CA: its certificate, its key, and ``chain``, the certificates from its own up to below the root.

    ``now`` fixes the clock that the dates count from; None is the present. Immutable: what was issued is not recorded
    here but in ``store.Store``.
    """

    certificate: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes = field(repr=False)
    chain: tuple[x509.Certificate, ...] = field(default=(), repr=False)
    root: x509.Certificate = field(repr=False, kw_only=True)
    now: datetime | None = field(default=None, repr=False, kw_only=True)

    @classmethod
    def create(
        cls,
        name: str | None = None,
        *,
        key: str | CertificateIssuerPrivateKeyTypes = "P-256",
        lifetime: timedelta = CA_LIFETIME,
        path_length: int | None = None,
        permitted: Iterable[str] = (),
        excluded: Iterable[str] = (),
        now: datetime | None = None,
        **overrides: Any,
    ) -> Authority:
        """A new root. Its default name is ``tlscope local CA`` with six digits of its key, so that no two are alike.

        ``key`` is a kind of ``keys.KEY_KINDS``, or a private key; browsers take only chains signed with ECDSA or RSA.
        ``permitted`` and ``excluded`` constrain the names below it. ``overrides`` are fields of ``CertificateSpec``.
        Raises ``ConfigError``.
        """
        private = make_key(key) if isinstance(key, str) else key
        if name is None:
            digest = x509.SubjectKeyIdentifier.from_public_key(private.public_key()).digest
            name = f"tlscope local CA {digest[:3].hex()}"
        spec = CertificateSpec(
            subject=name_of(name, name),
            ca=True,
            path_length=path_length,
            key_usage=_CA_KEY_USAGE,
            lifetime=lifetime,
            permitted=tuple(permitted),
            excluded=tuple(excluded),
        )
        certificate = build(replace(spec, **overrides), private.public_key(), private, None, now)
        return cls(certificate, private, root=certificate, now=now)

    def issue_server(
        self, *names: str, key: str | CertificateIssuerPrivateKeyTypes = "P-256", **overrides: Any
    ) -> Issued:
        """A server's certificate for DNS names and addresses, 90 days long. Raises ``ConfigError`` for a bad name.

        With an RSA key it may decrypt too, which TLS 1.2's RSA key transport asks of it (RFC 5246 section 7.4.2).
        """
        if not names:
            raise ConfigError("a server's certificate needs at least one DNS name or address", code="server-name")
        spec = CertificateSpec(subject=_subject(names[0]), names=general_names(names), usages=("serverAuth",))
        private = make_key(key) if isinstance(key, str) else key
        if can_decrypt(private):
            spec = replace(spec, key_usage=("digital_signature", "key_encipherment"))
        return self.issue(replace(spec, **overrides), private)

    def issue_client(
        self, name: str, *names: str, key: str | CertificateIssuerPrivateKeyTypes = "P-256", **overrides: Any
    ) -> Issued:
        """A client's certificate: ``name`` is its common name; email addresses, URIs and hosts become subjectAltNames.

        A ``name`` that is an email address or a URI becomes one too. Raises ``ConfigError`` for a bad name.
        """
        if not name.strip():
            raise ConfigError("a client's certificate needs a name", code="server-name")
        wanted = names if "@" not in name and "://" not in name else (name, *names)
        spec = CertificateSpec(subject=name_of(name.strip()), names=general_names(wanted), usages=("clientAuth",))
        return self.issue(replace(spec, **overrides), key)

    def issue_ocsp_responder(self, name: str = "OCSP responder", **overrides: Any) -> Issued:
        """The certificate of a delegated OCSP responder (RFC 6960 section 4.2.2.2)."""
        no_check: tuple[x509.ExtensionType, bool] = (x509.OCSPNoCheck(), False)
        spec = CertificateSpec(subject=name_of(name), usages=("OCSPSigning",), extra=(no_check,))
        return self.issue(replace(spec, **overrides), "P-256")

    def issue_intermediate(
        self,
        name: str = "tlscope intermediate CA",
        *,
        key: str | CertificateIssuerPrivateKeyTypes = "P-256",
        lifetime: timedelta = CA_LIFETIME,
        **overrides: Any,
    ) -> Authority:
        """A CA below this one, of the same organisation. ``overrides`` are fields of ``CertificateSpec``."""
        private = make_key(key) if isinstance(key, str) else key
        organisation = _organisation(self.root)
        spec = CertificateSpec(subject=name_of(name, organisation), ca=True, key_usage=_CA_KEY_USAGE, lifetime=lifetime)
        certificate = build(replace(spec, **overrides), private.public_key(), self.key, self.certificate, self.now)
        return Authority(certificate, private, (certificate, *self.chain), root=self.root, now=self.now)

    def issue(self, spec: CertificateSpec, key: str | CertificateIssuerPrivateKeyTypes = "P-256") -> Issued:
        """Whatever a ``CertificateSpec`` says, for a new key of the kind named or for the key given."""
        if spec.not_before is None and self.certificate.not_valid_after_utc <= (self.now or datetime.now(UTC)):
            ended = self.certificate.not_valid_after_utc
            raise ConfigError(f"this CA expired on {ended:%Y-%m-%d}: make a new one", code="ca-expired")
        private = make_key(key) if isinstance(key, str) else key
        certificate = build(spec, private.public_key(), self.key, self.certificate, self.now)
        return Issued(certificate, private, (certificate, *self.chain))

    def anchors(self) -> TrustAnchors:
        """Trust in this CA's root."""
        return TrustAnchors.from_certificates([self.root])

    def pem(self) -> bytes:
        """The root's certificate in PEM: what others have to trust."""
        return self.root.public_bytes(Encoding.PEM)

    def key_pem(self, password: bytes | str | None = None) -> bytes:
        """This CA's key in PEM (PKCS#8), encrypted where there is a password."""
        return _key_pem(self.key, password)

    @property
    def name(self) -> str:
        """Its subject, for people."""
        return shown(self.certificate.subject.rfc4514_string())


def self_signed(
    *names: str,
    key: str | CertificateIssuerPrivateKeyTypes = "P-256",
    now: datetime | None = None,
    **overrides: Any,
) -> Issued:
    """A server's certificate that no CA has signed: peers have to trust this very one. 90 days long.

    ``overrides`` are fields of ``CertificateSpec``. Raises ``ConfigError`` for a bad name.
    """
    if not names:
        raise ConfigError("a certificate needs at least one DNS name or address", code="server-name")
    private = make_key(key) if isinstance(key, str) else key
    spec = CertificateSpec(
        subject=_subject(names[0]), names=general_names(names), usages=("serverAuth",), lifetime=LEAF_LIFETIME
    )
    certificate = build(replace(spec, **overrides), private.public_key(), private, None, now)
    return Issued(certificate, private, (certificate,))


def _subject(name: str) -> x509.Name:
    """A subject for a first name; a host's is written as its subjectAltName is."""
    try:
        canonical = str(general_name(name).value)
    except ConfigError:
        canonical = name.strip()
    return name_of(canonical)


def _organisation(certificate: x509.Certificate) -> str | None:
    values = certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    return str(values[0].value) if values else None


def _key_pem(key: CertificateIssuerPrivateKeyTypes, password: bytes | str | None) -> bytes:
    secret = password.encode() if isinstance(password, str) else password
    encryption = BestAvailableEncryption(secret) if secret else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
