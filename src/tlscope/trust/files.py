"""What is in a file: certificates, a key, or something else that a person took for one of the two.

Everything that can be wrong with a file is found here, when it is loaded, and said in words: what it is, what was
wanted, what to do. The alternative is the same file failing in the middle of a handshake.
"""

from __future__ import annotations

import base64
import binascii
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from ..errors import ConfigError
from .der import DERError, children

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

__all__ = [
    "MAX_FILE_BYTES",
    "Block",
    "Password",
    "Source",
    "advice_on",
    "encrypted_or_wrong",
    "is_pkcs12",
    "is_pkcs7",
    "load_certificates",
    "load_key",
    "load_pkcs7",
    "load_pkcs12",
    "read_blocks",
    "read_file",
]

Password = bytes | str | Callable[[], bytes | str] | None
"""A passphrase, or what is called for it once it is needed."""

MAX_FILE_BYTES = 16 * 1024 * 1024
"""More than any trust store of this world: what is longer is not read."""

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9# ]+)-----[ \t]*\r?\n(.*?)-----END \1-----", re.DOTALL)
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9# ]+)-----")

CERTIFICATE_LABELS = frozenset({"CERTIFICATE", "X509 CERTIFICATE"})
PKCS7_LABELS = frozenset({"PKCS7", "CMS", "PKCS #7 SIGNED DATA"})
KEY_LABELS = frozenset({"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"})

_KINDS = {
    **dict.fromkeys(CERTIFICATE_LABELS, "a certificate"),
    **dict.fromkeys(KEY_LABELS, "a private key"),
    "TRUSTED CERTIFICATE": "a certificate in OpenSSL's own format with trust settings",
    "CERTIFICATE REQUEST": "a certificate signing request (CSR)",
    "NEW CERTIFICATE REQUEST": "a certificate signing request (CSR)",
    "X509 CRL": "a certificate revocation list (CRL)",
    "PUBLIC KEY": "a public key",
    "RSA PUBLIC KEY": "a public key",
    "OPENSSH PRIVATE KEY": "an OpenSSH private key",
    "DSA PRIVATE KEY": "a DSA private key",
    "PKCS12": "a PKCS#12 file",
    **dict.fromkeys(PKCS7_LABELS, "a PKCS#7 bundle of certificates"),
    "EC PARAMETERS": "the parameters of an elliptic curve",
    "DH PARAMETERS": "Diffie-Hellman parameters",
    "PGP PUBLIC KEY BLOCK": "an OpenPGP key",
    "PGP PRIVATE KEY BLOCK": "an OpenPGP key",
}

_ADVICE = {
    "a certificate signing request (CSR)": "a CSR is what a CA is sent; give the certificate that it sent back",
    "a certificate revocation list (CRL)": "give the certificate, and the CRL as a CRL",
    "a public key": "a certificate holds the public key together with its names; give the certificate",
    "an OpenSSH private key": "convert a copy of it with: ssh-keygen -p -m PKCS8 -f COPY",
    "an OpenSSH public key": "SSH keys are no certificates; `tlscope ca` makes certificates for local use",
    "a certificate in OpenSSL's own format with trust settings": "convert it with: openssl x509 -in FILE -out cert.pem",
    "a PKCS#7 bundle of certificates": "convert it with: openssl pkcs7 -print_certs -in FILE -out chain.pem",
    "a PKCS#12 file": "it holds certificate and key together; load it alone, as the certificate",
    "a Java key store": "convert it with: keytool -importkeystore -deststoretype PKCS12 -srckeystore FILE ...",
    "an HTML page": "the download gave a web page, perhaps one that asks to sign in",
    "text in UTF-16": "save it again as plain ASCII",
    "a private key": "certificate and key may have changed places",
    "a certificate": "certificate and key may have changed places",
    "a DSA private key": "TLS 1.3 has no DSA (RFC 8446 section 4.2.3); make an ECDSA key",
}


def advice_on(kind: str) -> str:
    """What to do with a file of a kind that TLS does not read, as half a sentence; empty where there is nothing to say."""
    return _ADVICE.get(kind, "")


class Source(NamedTuple):
    """Where bytes came from: the path, or None for memory, in which case ``what`` names them."""

    path: Path | None
    what: str

    def error(self, sentence: str, code: str = "file-kind", **evidence: Any) -> ConfigError:
        """A ``ConfigError`` that begins with the path, or with what the caller handed over."""
        if self.path is not None:
            return ConfigError(sentence, path=self.path, code=code, **evidence)
        return ConfigError(f"{self.what}: {sentence}", code=code, **evidence)

    def wrong_kind(self, kind: str, wanted: str) -> ConfigError:
        """The error for a file that is something else than was wanted."""
        advice = _ADVICE.get(kind, "")
        return self.error(
            f"this is {kind}, and {wanted} is wanted{advice and '; ' + advice}", found=kind, wanted=wanted
        )


class Block(NamedTuple):
    """One PEM block: its label, its DER, and its text as it was (an encrypted traditional key needs its headers)."""

    label: str
    der: bytes
    text: bytes

    @property
    def kind(self) -> str:
        """What the label stands for, with its article."""
        return _KINDS.get(self.label, f"a PEM block called {self.label}")


def read_file(path: str | Path, what: str) -> tuple[bytes, Source]:
    """The contents of a file of at most ``MAX_FILE_BYTES``. Raises ``ConfigError`` (``file-kind``) saying why not."""
    source = Source(Path(path), what)
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise source.error(f"there is no such file; {what} is wanted") from None
    except IsADirectoryError:
        raise source.error(f"this is a directory, and {what} is wanted: name a file in it") from None
    except PermissionError:
        raise source.error(f"this file may not be read by this user; {what} is wanted") from None
    except (OSError, ValueError) as error:
        raise source.error(
            f"this can't be read ({getattr(error, 'strerror', None) or error}); {what} is wanted"
        ) from None
    if len(data) > MAX_FILE_BYTES:
        raise source.error(f"this file is longer than {MAX_FILE_BYTES // 2**20} MiB; {what} is wanted")
    return data, source


def read_blocks(data: bytes, source: Source, wanted: str) -> list[Block]:
    """The PEM blocks in ``data``, or one block made of DER by what it holds. Raises ``ConfigError``."""
    if not data.strip():
        raise source.error(f"this is empty, and {wanted} is wanted", found="an empty file", wanted=wanted)
    blocks = []
    ends = 0
    for match in _BLOCK.finditer(data):
        label = match[1].decode("ascii")
        if _BEGIN.search(data, ends, match.start()) or _BEGIN.search(match[2]):
            raise _cut(source, data, ends)
        blocks.append(Block(label, _decode(match[2], label, source, data, match.start()), match[0] + b"\n"))
        ends = match.end()
    if _BEGIN.search(data, ends):
        raise _cut(source, data, ends)
    return blocks or [_block_of_der(data, source, wanted)]


def _cut(source: Source, data: bytes, start: int) -> ConfigError:
    begin = _BEGIN.search(data, start)
    label = "" if begin is None else begin[1].decode("ascii")
    line = data.count(b"\n", 0, start if begin is None else begin.start()) + 1
    return source.error(
        f"the PEM block {label} that starts in line {line} has no line -----END {label}-----: part of it is missing",
        line=line,
    )


def _decode(body: bytes, label: str, source: Source, data: bytes, start: int) -> bytes:
    headers, _, rest = body.replace(b"\r\n", b"\n").rpartition(b"\n\n")  # RFC 1421 headers end in an empty line
    text = rest if b":" in headers else body
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        line = data.count(b"\n", 0, start) + 1
        raise source.error(
            f"the PEM block {label} that starts in line {line} is not base64: it was damaged", line=line
        ) from None


def _block_of_der(data: bytes, source: Source, wanted: str) -> Block:
    kind = _kind_without_pem(data)
    if kind is not None:
        raise source.wrong_kind(kind, wanted)
    for label, load in (
        ("CERTIFICATE", x509.load_der_x509_certificate),
        ("CERTIFICATE REQUEST", x509.load_der_x509_csr),
        ("X509 CRL", x509.load_der_x509_crl),
        ("PUBLIC KEY", serialization.load_der_public_key),
    ):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what is looked for is the kind, not the faults
                load(data)
        except (ValueError, UnsupportedAlgorithm):
            continue
        return Block(label, data, data)
    if is_pkcs12(data):
        return Block("PKCS12", data, data)
    if is_pkcs7(data):
        raise source.wrong_kind("a PKCS#7 bundle of certificates", wanted)
    try:
        serialization.load_der_private_key(data, None)
        return Block("PRIVATE KEY", data, data)
    except TypeError:
        return Block("ENCRYPTED PRIVATE KEY", data, data)
    except (ValueError, UnsupportedAlgorithm):
        raise source.error(
            f"this is neither PEM nor DER, and {wanted} is wanted: a PEM file is text with a line like "
            f"-----BEGIN CERTIFICATE-----",
            found="an unknown format",
            wanted=wanted,
        ) from None


def _kind_without_pem(data: bytes) -> str | None:
    start = data[:64].lstrip().lower()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text in UTF-16"
    if data.startswith(b"\xfe\xed\xfe\xed"):
        return "a Java key store"
    if start.startswith((b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-")):
        return "an OpenSSH public key"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "an HTML page"
    return None


def is_pkcs12(data: bytes) -> bool:
    """Whether this is a PFX: a SEQUENCE whose first element is the INTEGER 3 (RFC 7292 section 4)."""
    try:
        elements = children(data)
    except DERError:
        return False
    return 2 <= len(elements) <= 3 and elements[0] == (0x02, b"\x03") and elements[1][0] == 0x30


def is_pkcs7(data: bytes) -> bool:
    """Whether this is signed data of PKCS#7, as which certificates travel."""
    try:
        elements = children(data)
    except DERError:
        return False
    return bool(elements) and elements[0] == (0x06, bytes.fromhex("2a864886f70d010702"))


def load_certificates(blocks: list[Block], source: Source, *, wanted: str = "a certificate") -> list[x509.Certificate]:
    """The certificates among ``blocks``, in their order; keys and parameters beside them are passed over.

    Raises ``ConfigError`` (``file-kind``) where there is none, or where one can't be parsed.
    """
    certificates = []
    for block in blocks:
        if block.label not in CERTIFICATE_LABELS:
            continue
        try:
            # Bundles hold old roots that the library warns of; nobody who loads one can do anything about them.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                certificates.append(x509.load_der_x509_certificate(block.der))
        except ValueError as error:
            raise source.error(f"certificate {len(certificates) + 1} in it can't be parsed: {error}") from None
    if not certificates:
        raise source.wrong_kind(_telling(blocks), wanted)
    return certificates


def _telling(blocks: list[Block]) -> str:
    """The kind of the block that says most about a file: parameters stand before a key and say nothing."""
    return next((block.kind for block in blocks if not block.label.endswith("PARAMETERS")), blocks[0].kind)


def find_key(blocks: list[Block]) -> Block | None:
    """The first private key among ``blocks``."""
    return next((block for block in blocks if block.label in KEY_LABELS), None)


def load_key(blocks: list[Block], password: Password, source: Source) -> PrivateKeyTypes:
    """The first private key among ``blocks``.

    Raises ``ConfigError``: ``encrypted-key`` where it needs a passphrase and none was given, ``wrong-passphrase`` where
    the one given doesn't open it, ``file-kind`` where there is no key or none that can be used.
    """
    block = find_key(blocks)
    if block is None:
        raise source.wrong_kind(_telling(blocks), "a private key")
    encrypted = block.label == "ENCRYPTED PRIVATE KEY" or b"Proc-Type: 4,ENCRYPTED" in block.text[:200]
    secret = resolve(password) if encrypted else None
    if encrypted and secret is None:
        raise encrypted_or_wrong(None, source, "private key")
    load = serialization.load_pem_private_key if block.text is not block.der else serialization.load_der_private_key
    try:
        return load(block.text, secret)
    except (ValueError, TypeError) as error:
        if encrypted:
            raise encrypted_or_wrong(secret, source, "private key") from None
        raise source.error(f"the private key in it can't be read: {error}") from None
    except UnsupportedAlgorithm as error:
        raise source.error(f"the private key in it is of a kind that can't be used: {error}") from None


def load_pkcs12(data: bytes, password: Password, source: Source) -> tuple[PrivateKeyTypes, list[x509.Certificate]]:
    """The key and the certificates, leaf first, of a PKCS#12 file (RFC 7292). Raises ``ConfigError``."""
    try:
        store = pkcs12.load_pkcs12(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        store = None
    if store is None:
        secret = resolve(password)
        try:
            store = pkcs12.load_pkcs12(data, secret or b"")
        except UnsupportedAlgorithm as error:
            raise source.error(
                f"this PKCS#12 file is protected in a way that is no longer supported ({error}); "
                f"export it again with: openssl pkcs12 -export"
            ) from None
        except (ValueError, TypeError):
            raise encrypted_or_wrong(secret, source, "PKCS#12 file") from None
    if store.key is None or store.cert is None:
        missing = "private key" if store.key is None else "certificate that fits its key"
        raise source.error(f"this PKCS#12 file holds no {missing}; export certificate and key together")
    return store.key, [store.cert.certificate, *(extra.certificate for extra in store.additional_certs)]


def load_pkcs7(der: bytes, source: Source) -> list[x509.Certificate]:
    """The certificates of a PKCS#7 bundle, in an order that means nothing. Raises ``ConfigError``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pkcs7.load_der_pkcs7_certificates(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise source.error(f"the PKCS#7 bundle in it can't be read: {error}") from None


def encrypted_or_wrong(secret: bytes | None, source: Source, what: str) -> ConfigError:
    """Which of the two it is: no passphrase was given, or one that doesn't open it."""
    if secret is None:
        return source.error(f"the {what} is encrypted and no passphrase was given: give password=...", "encrypted-key")
    return source.error(f"the passphrase given does not open the {what}", "wrong-passphrase")


def resolve(password: Password) -> bytes | None:
    """The passphrase as bytes, asking for it where ``password`` is a callable."""
    value = password() if callable(password) else password
    return value.encode() if isinstance(value, str) else value
