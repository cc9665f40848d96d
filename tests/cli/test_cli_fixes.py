"""The commands that explanations give: each is run, with what its words in capitals stand for in their place."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from command import PATIENCE, TLSCOPE, environment, invoke, serving
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tlscope.explain.diagnosis import ATLAS
from tlscope.explain.diagnosis.told_client import KEY_FIXES

FIXES = [*(one for row in ATLAS.values() for one in row.fixes), *KEY_FIXES]
COMMANDS = sorted({one.command for one in FIXES if one.command})
NOT_HERE = ("timedatectl",)
"""Those that would change this machine."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA with certificates, and a request, by the names that the commands use."""
    where = tmp_path_factory.mktemp("fixes")
    for command, *more in (["init"], ["issue", "localhost"], ["issue", "me", "--client"]):
        assert invoke("ca", command, where / "DIR", *more).code == 0
    made = {
        "CA.pem": "ca.pem",
        "CA-KEY": "ca-key.pem",
        "ROOT.pem": "ca.pem",
        "shown.pem": "ca.pem",
        "FILE": "me-client.pem",
        "CERT": "localhost.pem",
        "PATH": "localhost.pem",
        "KEY": "localhost-key.pem",
        "leaf.pem": "localhost.pem",
        "client.pem": "me-client.pem",
        "intermediate.pem": "ca.pem",
    }
    for name, file in made.items():
        shutil.copy(where / "DIR" / file, where / name)
    request = ["openssl", "req", "-new", "-key", "KEY", "-subj", "/CN=localhost", "-out", "REQUEST"]
    subprocess.run(
        [*request, "-addext", "subjectAltName=DNS:localhost"],
        cwd=where,
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    return where


def filled(command: str, port: int) -> str:
    values = {"{asked}": "localhost", "{path}": "PATH"}
    for name, value in values.items():
        command = command.replace(name, value)
    command = re.sub(r"\bHOST(:PORT)?\b", f"localhost:{port}", command)
    return re.sub(
        r"(?<=issue DIR )NAME", "other.example", re.sub(r"--server-name NAME", "--server-name localhost", command)
    )


@pytest.mark.parametrize("command", [one for one in COMMANDS if not one.startswith((*NOT_HERE, "tlscope serve"))])
def test_a_command_works(command: str, place: Path, tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    where = tmp_path / "here"
    shutil.copytree(place, where)
    if command.startswith("openssl pkey") and "-pubout" not in command:
        # These are for keys with a passphrase, which openssl asks for.
        key = load_pem_private_key((where / "KEY").read_bytes(), None)
        (where / "PATH").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
        )
        command += " -passin pass:secret"
    if "ca init DIR" in command:
        shutil.rmtree(where / "DIR")
    answer = ("--respond", "http") if command.startswith("curl") else ()
    identity = ("--identity", place / "DIR" / "localhost.pem", "--key", place / "DIR" / "localhost-key.pem")
    with serving(*identity, *answer) as server:
        line = filled(command, server.port)
        if line.startswith("tlscope connect") and "--trust" not in line:
            line += " --trust CA.pem"
        if line.startswith("tlscope connect"):
            line = line.replace("--identity FILE --key FILE", "--identity CERT --key KEY")
        if line.startswith("curl"):
            line += " --cacert CA.pem"
        line = re.sub(r"\btlscope (?=ca|connect|inspect)", f"{shlex.join(TLSCOPE)} ", line)
        done = subprocess.run(
            ["bash", "-c", line], cwd=where, env=environment(), input=b"", capture_output=True, timeout=PATIENCE
        )
    assert done.returncode == 0, (line, done.stderr.decode())
    if "copy_extensions" in line:
        text = invoke("inspect", where / "CERT").stdout
        assert "localhost" in text.partition("for ")[2]


@pytest.mark.parametrize("command", [one for one in COMMANDS if one.startswith("tlscope serve")])
def test_a_server_starts_so(command: str, place: Path) -> None:
    arguments = [str(place / one) if one.endswith(".pem") else one for one in shlex.split(command)[2:]]
    with serving(*arguments) as server:
        assert server.lines[0].startswith("Listening")
