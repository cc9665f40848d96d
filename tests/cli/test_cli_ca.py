"""``tlscope ca``: what is written, what is said, what is refused."""

from __future__ import annotations

import json
import re
import shlex
import ssl
import stat
from pathlib import Path

import pytest
from command import invoke, too_wide

from tlscope import Identity, TrustAnchors


def said_by(*arguments: object) -> str:
    result = invoke(*arguments)
    assert result.code == 0, result.stderr
    return result.stdout


def test_an_authority_and_its_certificates(tmp_path: Path) -> None:
    ca = tmp_path / "my ca"
    said = said_by("ca", "init", ca, "--name", "Example CA")
    assert "Example CA" in said
    assert f"tlscope ca issue {shlex.quote(str(ca))} localhost" in said.replace(" \\\n     ", "")
    assert stat.S_IMODE(ca.stat().st_mode) == 0o700
    assert stat.S_IMODE((ca / "ca-key.pem").stat().st_mode) == 0o600
    said_by("ca", "issue", ca, "localhost", "127.0.0.1", "::1")
    identity = Identity.from_files(ca / "localhost.pem", ca / "localhost-key.pem")
    assert list(identity.names) == ["localhost", "127.0.0.1", "::1"]
    assert stat.S_IMODE((ca / "localhost-key.pem").stat().st_mode) == 0o600
    said_by("ca", "issue", ca, "alice", "--client", "--key-type", "ed25519")
    assert Identity.from_files(ca / "alice-client.pem", ca / "alice-client-key.pem").names.common_name == "alice"
    assert len(TrustAnchors.from_file(ca / "ca.pem")) == 1


def test_a_self_signed_certificate_needs_no_authority(tmp_path: Path) -> None:
    said = said_by("ca", "issue", tmp_path / "new", "localhost", "--self-signed")
    assert "self-signed" in said
    leaf = Identity.from_files(tmp_path / "new" / "localhost.pem", tmp_path / "new" / "localhost-key.pem").leaf
    assert leaf.issuer == leaf.subject
    assert not (tmp_path / "new" / "ca.pem").exists()
    said_by("ca", "issue", tmp_path / "new", "robot", "--self-signed", "--client")
    assert (tmp_path / "new" / "robot-client.pem").exists()


def test_the_advice_can_be_followed(tmp_path: Path) -> None:
    said_by("ca", "init", tmp_path / "ca")
    said = said_by("ca", "issue", tmp_path / "ca", "localhost")
    commands = re.findall(r"^  ((?:tlscope|curl) .*)", re.sub(r" \\\n +", " ", said), re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["tlscope", "tlscope", "curl"]
    for command in commands:
        named = [word for word in shlex.split(command) if word.endswith(".pem")]
        assert named
        assert all(Path(word).is_file() for word in named)
    python = re.search(r"context = .*\n.*", said)
    assert python is not None
    scope: dict[str, object] = {"ssl": ssl}
    exec(re.sub(r"^ +", "", python[0], flags=re.MULTILINE), scope)
    assert isinstance(scope["context"], ssl.SSLContext)
    nginx = re.findall(r'^  (ssl_certificate\w*) "(.*)";$', said, re.MULTILINE)
    assert [name for name, _ in nginx] == ["ssl_certificate", "ssl_certificate_key"]
    assert all(Path(path).is_file() for _, path in nginx)


def test_the_advice_to_demand_a_certificate_leads_to_a_server_that_its_client_believes(tmp_path: Path) -> None:
    said_by("ca", "init", tmp_path / "ca")
    own = [str(tmp_path / "ca" / "localhost.pem"), str(tmp_path / "ca" / "localhost-key.pem")]
    for issued_before in (False, True):
        if issued_before:
            said_by("ca", "issue", tmp_path / "ca", "localhost")
        said = re.sub(r" \\\n +", " ", said_by("ca", "issue", tmp_path / "ca", "alice", "--client"))
        demand = [shlex.split(line) for line in re.findall(r"^  (tlscope (?:ca|serve) .*)", said, re.MULTILINE)]
        issue = [["tlscope", "ca", "issue", str(tmp_path / "ca"), "localhost"]]
        serve = [
            "tlscope",
            "serve",
            "--identity",
            own[0],
            "--key",
            own[1],
            "--client-ca",
            str(tmp_path / "ca" / "ca.pem"),
        ]
        assert demand == [*([] if issued_before else issue), [*serve, "--client-auth", "required"]]


def test_the_output_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (["init", "ca"], ["issue", "ca", "a.example"], ["issue", "ca", "alice", "--client"]):
        assert not too_wide(said_by("ca", *arguments))


def test_json(tmp_path: Path) -> None:
    made = json.loads(said_by("ca", "init", tmp_path / "ca", "--json"))
    assert made["exit_code"] == 0
    assert Path(made["certificate"]).is_file()
    issued = json.loads(said_by("ca", "issue", tmp_path / "ca", "localhost", "--json"))
    assert issued["names"] == ["localhost"]
    assert issued["purpose"] == "server"
    assert Path(issued["key"]).is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["issue", "nothing", "localhost"], "there is no CA here"),
        (["issue", "ca", "https://localhost/"], "a web address"),
        (["issue", "ca", "local host"], "is not a host name"),
        (["issue", "ca", "evil\x1b[2J"], "is not a host name"),
        (["issue", "ca", "localhost", "--key-type", "RSA-512"], "there are P-256"),
        (["issue", "ca"], "missing argument"),
        (["init", "ca"], "there is a CA here already"),
        (["init", "ca/ca.pem"], "this directory can't be made"),
        (["remove", "ca"], "no such command"),
    ],
)
def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str) -> None:
    said_by("ca", "init", tmp_path / "ca")
    monkeypatch.chdir(tmp_path)
    result = invoke("ca", *arguments)
    assert result.code == 2
    assert says in " ".join(result.stderr.split())
    assert "\x1b" not in result.stderr
    assert result.stdout == ""


def test_an_authority_is_not_overwritten(tmp_path: Path) -> None:
    said_by("ca", "init", tmp_path)
    before = (tmp_path / "ca-key.pem").read_bytes()
    said = json.loads(invoke("ca", "init", tmp_path, "--json").stdout)
    assert said["error"]["code"] == "ca-exists"
    assert (tmp_path / "ca-key.pem").read_bytes() == before


def test_a_name_does_not_lead_out_of_the_directory(tmp_path: Path) -> None:
    said_by("ca", "init", tmp_path / "ca")
    for name in ("../../evil", "/etc/evil", "-rf", ".hidden"):
        invoke("ca", "issue", tmp_path / "ca", "--client", "--", name)
    assert {path.name for path in tmp_path.iterdir()} == {"ca"}
    assert not [path for path in (tmp_path / "ca").iterdir() if path.name.startswith((".", "-"))]
