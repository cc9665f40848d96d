"""README.md is true: its examples run, its commands exist, its diagram is today's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from tlscope.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for name, text in fenced if name == language]


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    examples = blocks("python")
    assert len(examples) == 8
    servers = []
    try:
        for example in examples:
            exec(compile(example, "README.md", "exec", dont_inherit=True), scope)
            server = scope.get("server")
            if hasattr(server, "close") and hasattr(server, "address") and server not in servers:
                servers.append(server)
    finally:
        for server in servers:
            server.close()
    assert len(servers) == 1
    printed = capsys.readouterr().out
    assert "alice@example.test" in printed
    assert "b'hello' TLS 1.3 TLS_AES_128_GCM_SHA256" in printed
    assert "handshake complete" in printed
    assert "the server's certificate is refused: it is for localhost and 127.0.0.1, not for example.org" in printed
    assert "wrong-host us on the server's Certificate" in printed
    assert "b'hello' TLSv1.3" in printed
    assert "judge     this side, the client, by what it saw" in printed
    assert "b'hello, asyncio\\n'" in printed
    assert (tmp_path / "localhost-key.pem").exists()


def test_each_example_is_short() -> None:
    for example in blocks("python"):
        assert len([line for line in example.splitlines() if line.strip()]) <= 16


def test_the_commands_exist() -> None:
    lines = [line for block in blocks("") for line in block.replace("\\\n", " ").splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("tlscope ")]
    commands += [shlex.split(inline) for inline in re.findall(r"`(tlscope [a-z][^`]*)`", README)]
    assert len(commands) >= 7
    for words in commands:
        command: Any = typer.main.get_command(app)
        rest = words[1:]
        while hasattr(command, "commands") and rest:
            assert rest[0] in command.commands, words
            command = command.commands[rest.pop(0)]
        known = {name for param in command.params for name in param.opts}
        assert {word for word in rest if word.startswith("--")} <= known, words


def test_the_links_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_diagram_is_generated() -> None:
    # That it is today's is a check of docs/generate.py.
    match = re.search(r"<!-- generated: (tlscope demo[^>]*) -->\n```text\n(.*?)```\n<!-- end -->", README, re.DOTALL)
    assert match is not None
    assert "ClientHello" in match[2]
    assert "handshake complete" in match[2]
