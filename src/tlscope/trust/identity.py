"""A certificate chain and the key that belongs to it: what one side proves who it is with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..crypto.signatures import describe_key, key_kind, schemes_for
from ..crypto.signatures import sign as sign_with_key
from ..errors import ConfigError, Misuse
from .certificate_scheme import certificate_scheme
from .der import DERError, read_tbs_certificate
from .files import (
    Password,
    Source,
    find_key,
    is_pkcs12,
    load_certificates,
    load_key,
    load_pkcs12,
    read_blocks,
    read_file,
)
from .names import PeerNames, parse_server_name, shown

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from ..wire.codepoints import SignatureScheme

__all__ = ["RSASSA_PSS", "Identity", "Signer", "key_identifier", "spki"]

Signer = Callable[["SignatureScheme", bytes], bytes]
"""Signs for a key that lives elsewhere: takes the scheme and the data, returns the signature."""

RSASSA_PSS = x509.ObjectIdentifier("1.2.840.113549.1.1.10")
"""id-RSASSA-PSS (RFC 4055 section 1.2): an RSA key that makes PSS signatures only."""

MIN_RSA_BITS = 2048

_CERTIFICATE = "a certificate (PEM, DER or PKCS#12)"


@dataclass(frozen=True, eq=False, repr=False)
class Identity:
    """A certificate chain and its private key. Immutable; equal only to itself; its repr shows no key.

    ``chain`` is the DER of the certificates as they are sent, the leaf first (RFC 8446 section 4.4.2). ``schemes`` are
    the signature schemes that the key can make in TLS 1.3, in order of preference. ``key`` is None where ``signer``
    signs instead. ``ocsp_response`` is the DER OCSPResponse that is stapled to the leaf.
    """

    chain: tuple[bytes, ...]
    certificates: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes | None
    schemes: tuple[SignatureScheme, ...]
    names: PeerNames
    issuers: frozenset[bytes]
    label: str
    signer: Signer | None = None
    ocsp_response: bytes | None = None
    signed_certificate_timestamps: tuple[bytes, ...] = ()

    # From outside

    @classmethod
    def from_files(
        cls,
        certificate: str | Path,
        key: str | Path | None = None,
        password: Password = None,
        *,
        min_rsa_bits: int = MIN_RSA_BITS,
    ) -> Identity:
        """Load a chain, leaf first, and its key, each PEM or DER.

        Without ``key`` the key is looked for in the certificate's file. A PKCS#12 file, recognised by what is in it,
        holds both. ``password`` opens an encrypted key; a callable is asked only where one is needed. Raises
        ``ConfigError`` with the path, what the file is, what was wanted and what to do.
        """
        data, source = read_file(certificate, _CERTIFICATE)
        if is_pkcs12(data):
            return cls._from_pkcs12(data, password, source, min_rsa_bits)
        if key is None:
            return cls._from_data(data, source, None, None, password, min_rsa_bits)
        key_data, key_source = read_file(key, "a private key")
        return cls._from_data(data, source, key_data, key_source, password, min_rsa_bits)

    @classmethod
    def from_pem(
        cls,
        certificate: bytes | str,
        key: bytes | str | None = None,
        password: Password = None,
        *,
        min_rsa_bits: int = MIN_RSA_BITS,
    ) -> Identity:
        """Load a chain, leaf first, and its key from PEM in memory; without ``key`` it is looked for there too."""
        source = Source(None, "the certificate given")
        key_source = Source(None, "the key given")
        return cls._from_data(
            _bytes(certificate), source, None if key is None else _bytes(key), key_source, password, min_rsa_bits
        )

    @classmethod
    def from_der(
        cls,
        certificates: bytes | Sequence[bytes],
        key: bytes,
        password: Password = None,
        *,
        min_rsa_bits: int = MIN_RSA_BITS,
    ) -> Identity:
        """Load a chain, leaf first, and its key (PKCS#8 or traditional) from DER in memory."""
        source = Source(None, "the certificate given")
        ders = [certificates] if isinstance(certificates, bytes) else list(certificates)
        loaded = [one for der in ders for one in _load_der(der, source)]
        key_source = Source(None, "the key given")
        private = load_key(read_blocks(key, key_source, "a private key"), password, key_source)
        return cls._assemble(loaded, private, source, key_source, min_rsa_bits)

    @classmethod
    def from_pkcs12(cls, data: bytes, password: Password = None, *, min_rsa_bits: int = MIN_RSA_BITS) -> Identity:
        """Load a chain and its key from PKCS#12 in memory (RFC 7292)."""
        source = Source(None, "the PKCS#12 data given")
        if not is_pkcs12(data):
            raise source.error("this is not PKCS#12 data")
        return cls._from_pkcs12(data, password, source, min_rsa_bits)

    @classmethod
    def from_certificates(
        cls, certificates: Iterable[x509.Certificate], key: PrivateKeyTypes, *, min_rsa_bits: int = MIN_RSA_BITS
    ) -> Identity:
        """Join a chain, leaf first, and its key, both already loaded by ``cryptography``."""
        source = Source(None, "the certificates given")
        return cls._assemble(list(certificates), key, source, Source(None, "the key given"), min_rsa_bits)

    @classmethod
    def with_signer(cls, chain: Sequence[bytes], signer: Signer, schemes: Iterable[SignatureScheme]) -> Identity:
        """A chain (DER, leaf first) whose key lives elsewhere: in a token, an agent, another process.

        ``signer`` is called with one of ``schemes`` and the data to sign during each full handshake and must return the
        signature.
        """
        source = Source(None, "the certificate given")
        certificates = [one for der in chain for one in _load_der(der, source)]
        offered = tuple(schemes)
        if not certificates or not offered:
            raise source.error("a certificate and at least one signature scheme are wanted", "config")
        return cls._of(certificates, None, offered, source, signer)

    # What it does

    def with_ocsp_response(self, response: bytes | None) -> Identity:
        """The same identity with this DER OCSPResponse to staple (RFC 6066 section 8); None takes it away."""
        return replace(self, ocsp_response=response)

    def with_signed_certificate_timestamps(self, *timestamps: bytes) -> Identity:
        """The same identity with these SCTs to hand out (RFC 6962 section 3.3)."""
        return replace(self, signed_certificate_timestamps=timestamps)

    def sign(self, scheme: SignatureScheme, data: bytes) -> bytes:
        """Sign ``data``. What an external signer raises passes through."""
        if self.signer is not None:
            return self.signer(scheme, data)
        return sign_with_key(self.key, scheme, data)

    def serves(self, server_name: str) -> bool:
        """Whether a client that asks for this DNS name or address would find it here (RFC 9525)."""
        try:
            return self.names.fits(parse_server_name(server_name))
        except Misuse:
            return False

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate that the key belongs to."""
        return self.certificates[0]

    @cached_property
    def key_kind(self) -> str:
        """As ``crypto.signatures.key_kind`` names the leaf's key: ``ec:secp256r1``, ``rsa``, ``rsa-pss``, ``ed25519``."""
        pss_only = self.leaf.public_key_algorithm_oid == RSASSA_PSS
        return key_kind(self.leaf.public_key(), pss_only=pss_only)

    @cached_property
    def may_decrypt(self) -> bool:
        """Whether the key is at hand and its certificate lets it decrypt: what RSA key transport needs of a server."""
        if self.key is None or self.key_kind != "rsa":
            return False
        try:
            usage = self.leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        except x509.ExtensionNotFound:
            return True  # RFC 5280 section 4.2.1.3: without keyUsage every use is allowed
        return usage.key_encipherment

    @cached_property
    def schemes_12(self) -> tuple[SignatureScheme, ...]:
        """What the key can make in TLS 1.2, where an ECDSA scheme names no curve and PKCS #1 v1.5 may sign."""
        if self.signer is not None:
            return self.schemes
        pss_only = self.leaf.public_key_algorithm_oid == RSASSA_PSS
        return schemes_for(self.leaf.public_key(), pss_only=pss_only, tls13=False)

    @cached_property
    def chain_schemes(self) -> frozenset[SignatureScheme]:
        """The schemes that the chain's certificates are signed with, self-signed ones left out, as far as they have a
        code point: what a peer's signature_algorithms_cert is about (RFC 8446 section 4.2.3).
        """
        return frozenset(
            scheme
            for one in self.certificates
            if one.issuer != one.subject and (scheme := certificate_scheme(one)) is not None
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the leaf's DER in hexadecimal."""
        return self.leaf.fingerprint(SHA256()).hex()

    def __repr__(self) -> str:
        key = "external signer" if self.key is None else describe_key(self.leaf.public_key())
        return f"<Identity {self.label!r}, {len(self.chain)} certificates, {key}>"

    def __reduce__(self) -> Any:
        raise TypeError("an Identity holds a private key and is not pickled")

    # How it is put together

    @classmethod
    def _from_data(
        cls,
        data: bytes,
        source: Source,
        key_data: bytes | None,
        key_source: Source | None,
        password: Password,
        min_rsa_bits: int,
    ) -> Identity:
        if is_pkcs12(data):
            return cls._from_pkcs12(data, password, source, min_rsa_bits)
        blocks = read_blocks(data, source, _CERTIFICATE)
        certificates = load_certificates(blocks, source, wanted=_CERTIFICATE)
        if key_data is not None and key_source is not None:
            key = load_key(read_blocks(key_data, key_source, "a private key"), password, key_source)
            return cls._assemble(certificates, key, source, key_source, min_rsa_bits)
        if find_key(blocks) is None:
            raise source.error("there is a certificate in it but no private key: name the key's file too", "file-kind")
        return cls._assemble(certificates, load_key(blocks, password, source), source, source, min_rsa_bits)

    @classmethod
    def _from_pkcs12(cls, data: bytes, password: Password, source: Source, min_rsa_bits: int) -> Identity:
        key, certificates = load_pkcs12(data, password, source)
        return cls._assemble(_in_order(certificates), key, source, source, min_rsa_bits)

    @classmethod
    def _assemble(
        cls,
        certificates: list[x509.Certificate],
        key: PrivateKeyTypes,
        source: Source,
        key_source: Source,
        min_rsa_bits: int,
    ) -> Identity:
        if not certificates:
            raise source.error("at least one certificate is wanted")
        _check_key_fits(certificates, key, source, key_source)
        public = _public_key(certificates[0], source)
        pss_only = certificates[0].public_key_algorithm_oid == RSASSA_PSS
        schemes = schemes_for(public, pss_only=pss_only)
        if not schemes:
            raise source.error(
                f"its key is {describe_key(public)}, which TLS 1.3 can't sign with (RFC 8446 section 4.2.3): "
                f"make an ECDSA key on P-256",
                "weak-key",
            )
        bits = getattr(public, "key_size", min_rsa_bits) if describe_key(public).startswith("RSA") else min_rsa_bits
        if bits < min_rsa_bits:
            raise source.error(
                f"its RSA key has {bits} bits, and peers demand {min_rsa_bits} or more: make a new key "
                f"(min_rsa_bits={bits} loads it all the same)",
                "weak-key",
                bits=bits,
                wanted=min_rsa_bits,
            )
        return cls._of(certificates, key, schemes, source, None)

    @classmethod
    def _of(
        cls,
        certificates: list[x509.Certificate],
        key: PrivateKeyTypes | None,
        schemes: tuple[SignatureScheme, ...],
        source: Source,
        signer: Signer | None,
    ) -> Identity:
        chain = tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)
        try:
            names = PeerNames.of(certificates[0])
            issuers = frozenset(read_tbs_certificate(der).issuer for der in chain)
        except (ValueError, DERError) as error:
            raise source.error(f"the certificate in it is malformed: {error}", "malformed-certificate") from None
        label = shown(str(names), 80)
        return cls(chain, tuple(certificates), key, schemes, names, issuers, label, signer)


def spki(key: Any) -> bytes:
    """The DER SubjectPublicKeyInfo of a public key: what a certificate and a key have in common."""
    der: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der


def key_identifier(key: Any) -> str:
    """A public key in few words: its kind and the first eight bytes of the SHA-256 of its SubjectPublicKeyInfo."""
    digest = Hash(SHA256())
    digest.update(spki(key))
    return f"{describe_key(key)} {digest.finalize()[:8].hex(':')}"


def _check_key_fits(
    certificates: list[x509.Certificate], key: PrivateKeyTypes, source: Source, key_source: Source
) -> None:
    """Raise ``key-mismatch`` where no certificate fits the key, ``pem-order`` where one does but not the first."""
    try:
        public = key.public_key()
        wanted = spki(public)
    except (AttributeError, TypeError):
        raise key_source.error(f"a private key is wanted, not {type(key).__name__}") from None
    fitting = []
    for index, certificate in enumerate(certificates):
        try:
            if spki(_public_key(certificate, source)) == wanted:
                fitting.append(index)
        except ConfigError:
            if index == 0:
                raise
    if 0 in fitting:
        return
    if fitting:
        place = fitting[0] + 1
        raise source.error(
            f"certificate {place} is the one that fits the key, and it must come first: the leaf, then its issuer, and "
            f"so on (RFC 8446 section 4.4.2); certificate 1 is {shown(certificates[0].subject.rfc4514_string())}",
            "pem-order",
            position=place,
            first=certificates[0].subject.rfc4514_string(),
        )
    certified, held = key_identifier(certificates[0].public_key()), key_identifier(public)
    other = "" if key_source == source else f" in {key_source.path or key_source.what}"
    raise source.error(
        f"this certificate and the private key{other} don't belong together: the certificate is for {certified}, "
        f"the key is {held}; give the key that the certificate was requested with",
        "key-mismatch",
        certificate=certified,
        key=held,
    )


def _public_key(certificate: x509.Certificate, source: Source) -> Any:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise source.error(f"the public key in the certificate can't be used: {error}", "weak-key") from None


def _load_der(der: bytes, source: Source) -> list[x509.Certificate]:
    return load_certificates(read_blocks(der, source, _CERTIFICATE), source, wanted=_CERTIFICATE)


def _in_order(certificates: list[x509.Certificate]) -> list[x509.Certificate]:
    """The leaf and then each issuer of the one before: PKCS#12 keeps the rest in no order (RFC 7292 section 4.2)."""
    ordered, rest = certificates[:1], certificates[1:]
    while rest:
        following = next((one for one in rest if one.subject == ordered[-1].issuer), None)
        if following is None:
            break
        ordered.append(following)
        rest.remove(following)
    return ordered + rest


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)
