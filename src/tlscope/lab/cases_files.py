"""Lab cases: files that can't work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ..trust.anchors import TrustAnchors
from ..trust.identity import Identity
from .case import Case, Expected, Plan
from .workshop import HOST, Workshop

__all__ = ["CASES"]

Load = Callable[[Workshop], object]


def _case(id: str, title: str, load: Load, *, row: str = "") -> Case:
    row = row or id
    return Case(
        id=id,
        row=row,
        title=title,
        broken="file",
        plan=lambda shop: Plan(load=lambda: load(shop)),
        local=Expected(row, "loading a file"),
    )


def _files(shop: Workshop, certificate: bytes, key: bytes) -> tuple[Path, Path]:
    return shop.file("server.pem", certificate), shop.file("server-key.pem", key)


def _wrong_key(shop: Workshop) -> Identity:
    other = shop.authority.issue_server(HOST)
    return Identity.from_files(*_files(shop, shop.server.pem(), other.key_pem()))


def _wrong_order(shop: Workshop) -> Identity:
    issued = shop.intermediate.issue_server(HOST)
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in reversed(issued.chain))
    return Identity.from_files(*_files(shop, pem, issued.key_pem()))


def _empty(shop: Workshop) -> Identity:
    return Identity.from_files(*_files(shop, b"", shop.server.key_pem()))


def _swapped(shop: Workshop) -> Identity:
    certificate, key = _files(shop, shop.server.pem(), shop.server.key_pem())
    return Identity.from_files(key, certificate)


def _request(shop: Workshop) -> Identity:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(shop.server.key, SHA256())
    return Identity.from_files(*_files(shop, csr.public_bytes(Encoding.PEM), shop.server.key_pem()))


def _pkcs12(shop: Workshop) -> TrustAnchors:
    return TrustAnchors.from_file(shop.file("server.p12", shop.server.pkcs12("secret")))


def _cut(shop: Workshop) -> Identity:
    return Identity.from_files(*_files(shop, shop.server.pem()[:-40], shop.server.key_pem()))


def _der(shop: Workshop) -> Identity:
    return Identity.from_files(
        shop.file("server.der", b"\x30\x82" + shop.server.der()[0][3:]), shop.file("k.pem", b"x")
    )


def _encrypted(password: str | None) -> Load:
    def load(shop: Workshop) -> Identity:
        return Identity.from_files(*_files(shop, shop.server.pem(), shop.server.key_pem("correct horse")), password)

    return load


CASES = (
    _case("key-mismatch", "the key is another certificate's", _wrong_key),
    _case("pem-order", "the intermediate stands before the leaf", _wrong_order),
    _case("file-kind", "the certificate's file is empty", _empty),
    _case("file-kind-swapped", "certificate and key have changed places", _swapped, row="file-kind"),
    _case("file-kind-request", "the certificate's file holds a request", _request, row="file-kind"),
    _case("file-kind-pkcs12", "the CA's file is PKCS#12", _pkcs12, row="file-kind"),
    _case("file-kind-cut", "the certificate's file was cut off", _cut, row="file-kind"),
    _case("file-kind-damaged", "the certificate's file is damaged DER", _der, row="file-kind"),
    _case("encrypted-key", "the key is encrypted and no passphrase is given", _encrypted(None)),
    _case("wrong-passphrase", "the passphrase is another one", _encrypted("wrong horse")),
)
