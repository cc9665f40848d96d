"""The CA directory: what is written, with which modes, and what is refused."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from tlscope.authority import Store
from tlscope.authority.files import safe_name, write_file
from tlscope.errors import CertificateRejected, ConfigError
from tlscope.trust import Identity, RevocationList, TrustAnchors, VerificationPolicy, Verifier


def refused(code: str, call: Any, *args: Any, **options: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        call(*args, **options)
    assert caught.value.code == code, caught.value
    assert "\n" not in str(caught.value)
    return caught.value


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.init(tmp_path / "ca")


def test_init_and_open(tmp_path: Path) -> None:
    made = Store.init(tmp_path / "new" / "ca", "Example CA")
    assert mode(made.directory) == 0o700
    assert mode(made.directory / "ca-key.pem") == 0o600
    assert sorted(path.name for path in made.directory.iterdir()) == ["ca-key.pem", "ca.pem"]
    opened = Store.open(tmp_path / "new" / "ca")
    assert opened.authority.root == made.authority.root
    assert opened.root == made.directory / "ca.pem"
    assert TrustAnchors.from_file(opened.root).certificates == (made.authority.root,)
    assert repr(opened) == f"<Store '{made.directory}', CN=Example CA,O=Example CA>"


def test_options_of_init(tmp_path: Path) -> None:
    store = Store.init(tmp_path / "ca", key="RSA-2048", lifetime=timedelta(days=10), permitted=["corp.example"])
    root = store.authority.root
    assert root.not_valid_after_utc - root.not_valid_before_utc == timedelta(days=10)
    assert root.extensions.get_extension_for_class(x509.NameConstraints)


def test_a_passphrase_on_the_key(tmp_path: Path) -> None:
    Store.init(tmp_path / "ca", password="secret")
    refused("encrypted-key", Store.open, tmp_path / "ca")
    refused("wrong-passphrase", Store.open, tmp_path / "ca", "wrong")
    assert Store.open(tmp_path / "ca", lambda: "secret").issue("localhost")


@pytest.mark.parametrize("part", ["ca.pem", "ca-key.pem"])
def test_a_ca_is_never_overwritten(tmp_path: Path, part: str) -> None:
    store = Store.init(tmp_path / "ca")
    other = "ca.pem" if part == "ca-key.pem" else "ca-key.pem"
    (store.directory / other).unlink()
    before = (store.directory / part).read_bytes()
    error = refused("ca-exists", Store.init, tmp_path / "ca")
    assert str(store.directory / part) in str(error)
    assert (store.directory / part).read_bytes() == before
    assert not (store.directory / other).exists()


def test_a_dangling_link_is_a_ca_too(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").symlink_to(tmp_path / "elsewhere.pem")
    refused("ca-exists", Store.init, tmp_path)
    assert not (tmp_path / "elsewhere.pem").exists()


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "can't be made" in str(refused("file-write", Store.init, tmp_path / "file"))
    assert "can't be made" in str(refused("file-write", Store.init, tmp_path / "file" / "ca"))


def test_an_existing_directory_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Store.init(tmp_path)
    assert mode(tmp_path) == 0o755
    assert mode(tmp_path / "ca-key.pem") == 0o600


def test_no_ca(tmp_path: Path) -> None:
    assert "tlscope ca init" in str(refused("no-ca", Store.open, tmp_path))
    assert refused("no-ca", Store.open, tmp_path / "missing").path == str(tmp_path / "missing")


def test_a_key_that_others_may_read(store: Store) -> None:
    (store.directory / "ca-key.pem").chmod(0o644)
    assert "mode 0644" in str(refused("ca-key-exposed", Store.open, store.directory))


def test_a_key_of_another_ca(store: Store, tmp_path: Path) -> None:
    other = Store.init(tmp_path / "other")
    (other.directory / "ca-key.pem").replace(store.directory / "ca-key.pem")
    refused("key-mismatch", Store.open, store.directory)
    (store.directory / "ca-key.pem").unlink()
    refused("file-kind", Store.open, store.directory)


# Issuing


def test_issue_for_a_server(store: Store) -> None:
    files = store.issue("example.com", "*.example.com", "127.0.0.1")
    assert files.certificate == store.directory / "example.com.pem"
    assert files.key == store.directory / "example.com-key.pem"
    assert mode(files.key) == 0o600
    identity = Identity.from_files(files.certificate, files.key)
    assert Verifier(TrustAnchors.from_file(store.root), "server").verify(identity.chain, "www.example.com")
    assert files.issued.certificate == identity.leaf


def test_issue_for_a_client(store: Store) -> None:
    files = store.issue("ada@corp.example", client=True)
    assert files.certificate.name == "ada@corp.example-client.pem"
    identity = Identity.from_files(files.certificate, files.key)
    peer = Verifier(TrustAnchors.from_file(store.root), "client").verify(identity.chain)
    assert peer.names.email == ("ada@corp.example",)


def test_issue_standalone(store: Store) -> None:
    files = store.issue("localhost", standalone=True)
    identity = Identity.from_files(files.certificate, files.key)
    assert Verifier(TrustAnchors.from_file(files.certificate), "server").verify(identity.chain, "localhost")
    assert list(store.records()) == []
    client = store.issue("bob", standalone=True, client=True)
    assert Verifier(TrustAnchors.from_file(client.certificate), "client").verify(client.issued.der())


def test_issue_elsewhere_for_some_days(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    files = store.issue("localhost", directory=target, days=7, key="Ed25519")
    assert files.certificate == target / "localhost.pem"
    leaf = files.issued.certificate
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=7)
    assert "can't be written" in str(refused("file-write", store.issue, "localhost", directory=tmp_path / "missing"))
    for days in (0, -1, 36501):
        refused("lifetime", store.issue, "localhost", days=days)


def test_a_renewal_replaces_the_files(store: Store) -> None:
    first = store.issue("localhost").issued
    files = store.issue("localhost")
    assert Identity.from_files(files.certificate, files.key).leaf != first.certificate
    assert len(list(store.records())) == 2


@pytest.mark.parametrize("name", ["ca", "crl", "ca-key"])
def test_no_name_hits_the_cas_own_files(store: Store, name: str) -> None:
    before = {path.name: path.read_bytes() for path in store.directory.iterdir()}
    files = store.issue(name)
    assert files.certificate.name in {f"_{name}.pem"}
    assert {path: (store.directory / path).read_bytes() for path in before} == before
    store.issue("ca", client=True)
    assert {path: (store.directory / path).read_bytes() for path in before} == before


def test_no_name(store: Store) -> None:
    refused("server-name", store.issue)
    refused("server-name", store.issue, "../../etc/passwd")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("example.com", "example.com"),
        ("*.example.com", "_wildcard.example.com"),
        ("::1", "__1"),
        ("../../etc/passwd", "___.._etc_passwd"),
        ("/etc/passwd", "_etc_passwd"),
        ("..\\..\\boot.ini", "___.._boot.ini"),
        (".hidden", "_hidden"),
        ("-rf", "_rf"),
        ("spiffe://corp/ada", "spiffe_corp_ada"),
        ("a\nb\0c", "a_b_c"),
        ("x" * 500, "x" * 120),
        ("Ada Lovelace", "Ada_Lovelace"),
        ("bücher.example", "bücher.example"),
        ("bu\u0308cher.example", "bücher.example"),
        ("太郎", "太郎"),
        ("a\u202eb", "a_b"),  # right-to-left override
        ("é" * 100, "é" * 60),
    ],
)
def test_file_names(name: str, file: str) -> None:
    assert safe_name(name) == file


@given(st.text(max_size=300))
def test_no_name_leaves_the_directory(name: str) -> None:
    base = Path("/somewhere/ca")
    try:
        file = safe_name(name)
    except ConfigError as error:
        assert error.code == "file-name"
        return
    path = Path(os.path.normpath(base / f"{file}.pem"))
    assert path.parent == base
    assert not path.name.startswith((".", "-"))


# Revoking


def test_revoke(store: Store) -> None:
    good, bad = store.issue("good.example"), store.issue("bad.example", "www.bad.example")
    now = datetime.now(UTC) - timedelta(minutes=1)
    path = store.revoke("www.bad.example", "keyCompromise", now=now)
    assert path == store.directory / "crl.pem"
    policy = VerificationPolicy(crls=(RevocationList.from_file(path),), crl_check="leaf")
    verifier = Verifier(TrustAnchors.from_file(store.root), "server", policy)
    assert verifier.verify(good.issued.der(), "good.example")
    with pytest.raises(CertificateRejected, match=r"was revoked on .* \(keyCompromise\)") as caught:
        verifier.verify(bad.issued.der(), "bad.example")
    assert caught.value.code == "revoked"


@pytest.mark.parametrize("way", ["serial", "colons", "file", "path", "name"])
def test_ways_to_say_which(store: Store, way: str) -> None:
    files = store.issue("bad.example")
    serial = f"{files.issued.certificate.serial_number:040x}"
    which = {
        "serial": serial.lstrip("0"),
        "colons": ":".join(serial[at : at + 2] for at in range(0, 40, 2)).upper(),
        "file": "bad.example.pem",
        "path": str(files.certificate),
        "name": "bad.example",
    }[way]
    store.revoke(which)
    revoked = [record for record in Store.open(store.directory).records() if record.revoked]
    assert [int(record.serial, 16) for record in revoked] == [files.issued.certificate.serial_number]


def test_revoking_twice_changes_nothing(store: Store) -> None:
    store.issue("bad.example")
    for _ in range(2):
        store.revoke("bad.example")
    assert sum(bool(record.revoked) for record in store.records()) == 1


def test_the_latest_of_a_name_is_meant(store: Store) -> None:
    store.issue("bad.example")
    latest = store.issue("bad.example").issued.certificate
    crl = x509.load_pem_x509_crl(store.revoke("bad.example").read_bytes())
    assert [entry.serial_number for entry in crl] == [latest.serial_number]


def test_what_cannot_be_revoked(store: Store) -> None:
    store.issue("localhost")
    refused("no-such-certificate", store.revoke, "other")
    refused("crl-reason", store.revoke, "localhost", "boredom")
    assert len(x509.load_pem_x509_crl(store.write_crl().read_bytes())) == 0


def test_a_damaged_log(store: Store) -> None:
    store.issue("localhost")
    log = store.directory / "issued.jsonl"
    assert mode(log) == 0o600
    assert json.loads(log.read_text())["names"] == ["localhost"]
    for line in ("{", "[]", '{"names": []}', '{"serial": "1"}'):
        log.write_text(f"{line}\n")
        error = refused("ca-log", store.revoke, "localhost")
        assert "line 1 of this log is damaged" in str(error)


# Files


def test_files_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_file(path, b"old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    refused("file-write", write_file, path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    refused("file-write", write_file, tmp_path / "second", b"new", replace=False)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_file_that_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_file(path, b"old", replace=False)
    refused("file-exists", write_file, path, b"new", replace=False)
    assert path.read_bytes() == b"old"


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_bytes(b"precious")
    link.symlink_to(victim)
    write_file(link, b"new", private=True)
    assert victim.read_bytes() == b"precious"
    assert not link.is_symlink()
    assert mode(link) == 0o600
