"""Trust anchors: where they come from and what is said where there are none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tlscope.authority import Authority
from tlscope.errors import ConfigError
from tlscope.trust import TrustAnchors

NOW = datetime(2030, 6, 1, 12, tzinfo=UTC)
FIRST = Authority.create("First CA", now=NOW)
SECOND = Authority.create("Second CA", now=NOW)


def der(authority: Authority) -> bytes:
    return authority.root.public_bytes(Encoding.DER)


def test_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(FIRST.pem())
    anchors = TrustAnchors.from_file(path)
    assert anchors.source == f"{path} (1 certificate)"
    assert anchors.certificates == (FIRST.root,)
    assert anchors.subjects == (FIRST.root.subject.public_bytes(),)
    assert der(FIRST) in anchors
    assert FIRST.root in anchors
    assert der(SECOND) not in anchors
    assert SECOND.root not in anchors
    assert repr(anchors) == f"<TrustAnchors {path} (1 certificate)>"
    assert anchors.store is anchors.store
    assert anchors.der(FIRST.root) == der(FIRST)


def test_from_memory() -> None:
    both = FIRST.pem() + SECOND.pem() + FIRST.pem()
    for anchors in (
        TrustAnchors.from_pem(both),
        TrustAnchors.from_pem(both.decode()),
        TrustAnchors.from_der([der(FIRST), der(SECOND)]),
        TrustAnchors.from_der(der(FIRST)) + TrustAnchors.from_der(der(SECOND)),
        TrustAnchors.from_certificates([FIRST.root, SECOND.root]),
    ):
        assert list(anchors) == [FIRST.root, SECOND.root]
        assert len(anchors) == len(anchors.subjects) == 2
        assert anchors == TrustAnchors.from_pem(SECOND.pem() + FIRST.pem())
        assert hash(anchors) == hash(TrustAnchors.from_pem(both))
    assert TrustAnchors.from_pem(both).source == "the trusted certificates given (2 certificates)"
    joined = TrustAnchors.from_der(der(FIRST)) + TrustAnchors.from_der(der(SECOND))
    assert joined.source.count("(1 certificate)") == 2
    with pytest.raises(TypeError):
        joined + 1  # type: ignore[operator]


def test_from_a_directory(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(FIRST.pem())
    (tmp_path / "b.der").write_bytes(der(SECOND))
    (tmp_path / "0123abcd.0").write_bytes(FIRST.pem())
    (tmp_path / "readme.txt").write_text("not a certificate")
    (tmp_path / "broken.crt").write_text("not a certificate either")
    (tmp_path / "sub").mkdir()
    anchors = TrustAnchors.from_directory(tmp_path)
    assert set(anchors) == {FIRST.root, SECOND.root}
    assert anchors.source == f"{tmp_path} (2 certificates)"
    with pytest.raises(ConfigError, match="there is no certificate in this directory"):
        TrustAnchors.from_directory(tmp_path / "sub")
    with pytest.raises(ConfigError, match="there is no certificate in this directory"):
        TrustAnchors.from_directory(tmp_path / "missing")


def test_nothing_is_no_store(tmp_path: Path) -> None:
    for load in (lambda: TrustAnchors.from_pem(b""), lambda: TrustAnchors.from_certificates([])):
        with pytest.raises(ConfigError) as caught:
            load()
        assert caught.value.code == "file-kind"
    path = tmp_path / "key.pem"
    path.write_bytes(FIRST.key_pem())
    with pytest.raises(ConfigError, match="this is a private key, and a file of trusted certificates") as caught:
        TrustAnchors.from_file(path)
    assert caught.value.path == str(path)


def test_the_system_store_by_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, directory = tmp_path / "bundle.pem", tmp_path / "certs"
    directory.mkdir()
    file.write_bytes(FIRST.pem())
    (directory / "0123abcd.0").write_bytes(SECOND.pem())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(directory))
    anchors = TrustAnchors.system()
    assert set(anchors) == {FIRST.root, SECOND.root}
    assert anchors.source == f"the system's trust store, {file} and {directory} (2 certificates)"
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "missing"))
    assert set(TrustAnchors.system()) == {FIRST.root}


def test_no_system_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match="there is no system trust store") as caught:
        TrustAnchors.system()
    assert caught.value.code == "no-trust-store"
    assert "ca-certificates" in str(caught.value)


def test_a_bad_certificate_does_not_cost_the_rest_of_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bundle.pem"
    file.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + FIRST.pem())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "missing"))
    assert list(TrustAnchors.system()) == [FIRST.root]


def test_subjects_are_the_bytes_of_the_certificate() -> None:
    # A Name whose encoding a re-encoder would not reproduce from its text alone: PrintableString where UTF8String is usual.
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Old CA", x509.name._ASN1Type.PrintableString)])
    old = Authority.create("Old CA", subject=name, now=NOW)
    (subject,) = TrustAnchors.from_der(der(old)).subjects
    assert subject == bytes.fromhex("3011310f300d06035504031306") + b"Old CA"


def test_an_old_root_with_a_negative_serial_number_costs_no_warning() -> None:
    """Bundles have such roots, and the library warns of each; pytest makes an error of a warning."""
    der = Authority.create().certificate.public_bytes(Encoding.DER)
    serial = der.index(b"\x02\x14") if b"\x02\x14" in der[:40] else der.index(b"\x02\x13")
    negative = der[: serial + 2] + bytes((der[serial + 2] | 0x80,)) + der[serial + 3 :]
    assert len(TrustAnchors.from_der([negative])) == 1
