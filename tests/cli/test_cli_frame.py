"""What holds for every command: help, versions, colour, streams that can't take it, and the pages made from help."""

from __future__ import annotations

import importlib.util
import os
import pty
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from command import PATIENCE, TLSCOPE, environment, invoke, running, tlscope, too_wide

import tlscope as package
from tlscope.cli import main
from tlscope.cli.app import app
from tlscope.cli.errors import EXIT_CODES
from tlscope.cli.manual import _wrapped

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ([], ["demo"], ["connect"], ["serve"], ["ca"], ["ca", "init"], ["ca", "issue"])


def generator() -> ModuleType:
    """docs/generate.py."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help(command: list[str]) -> None:
    result = invoke(*command, "--help")
    assert result.code == 0
    assert not too_wide(result.stdout)
    assert result.stdout.startswith(f"Usage: {' '.join(['tlscope', *command])} [OPTIONS]")
    assert "Examples:\n  tlscope " in result.stdout
    assert invoke(*command, "-h").stdout == result.stdout
    if command != ["ca"]:
        for code, text in EXIT_CODES.items():
            assert re.search(rf"^  {int(code)} +{re.escape(text)}$", result.stdout, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_options_are_explained_and_examples_use_them_as_they_are(command: list[str]) -> None:
    text = invoke(*command, "--help").stdout
    options = text.partition("Options:\n")[2].partition("\n\n")[0]
    assert not re.findall(r"^  (-\S+(?: \S+)?) *\n(?!    )", options, re.MULTILINE), "an option without a word about it"
    examples = text.partition("Examples:\n")[2].partition("\n\n")[0].replace("\\\n", " ")
    for line in examples.splitlines():
        context: Any = typer.main.get_command(app)
        words = shlex.split(line)[1:]
        while hasattr(context, "commands"):
            context = context.commands[words.pop(0)] if words else None
        known = {name for param in context.params for name in param.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_no_command_is_a_plea_for_help() -> None:
    assert invoke().stdout == invoke("--help").stdout


def test_the_version() -> None:
    assert invoke("--version").stdout == f"tlscope {package.__version__}\n"


def test_a_typing_mistake_is_understood() -> None:
    result = invoke("conect", "localhost")
    assert result.code == 2
    assert "Did you mean 'connect'" in result.stderr


def test_main_gives_the_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["tlscope", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("tlscope ")


def on_a_terminal(*arguments: str, columns: int = 80, **env: str) -> tuple[int, str]:
    """Exit code and output of a command whose stdin, stdout and stderr are one terminal."""
    ours, theirs = pty.openpty()
    settings = environment(TERM="xterm-256color", COLUMNS=str(columns), **env)
    process = subprocess.Popen([*TLSCOPE, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=settings)
    os.close(theirs)
    output = b""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and select.select([ours], [], [], PATIENCE)[0]:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how Linux says that the other end was closed
            break
        if not piece:
            break
        output += piece
    os.close(ours)
    return process.wait(PATIENCE), output.decode().replace("\r\n", "\n")


def test_colour_is_for_terminals() -> None:
    code, coloured = on_a_terminal("demo", "--one-way")
    assert code == 0
    assert "\x1b[" in coloured
    _, plain = on_a_terminal("demo", "--one-way", NO_COLOR="1")
    # Bold and dim are no colours.
    assert not re.search(r"\x1b\[[0-9;]*(?:3[0-7]|9[0-7]|38)[;m]", plain)
    assert "\x1b" not in tlscope("demo", "--one-way").stdout
    assert not too_wide(re.sub(r"\x1b\[[0-9;]*m", "", coloured))


def test_a_wide_terminal_gets_no_wider_drawing() -> None:
    _, output = on_a_terminal("demo", "--one-way", columns=200, NO_COLOR="1", TERM_PROGRAM="")
    assert not too_wide(re.sub(r"\x1b\[[0-9;]*m", "", output))


def test_a_terminal_without_unicode() -> None:
    result = tlscope("demo", "--one-way", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert result.code == 0
    assert result.stdout.isascii()
    assert "ClientHello" in result.stdout


def test_nobody_reads_the_output() -> None:
    for arguments in (["demo"], ["--help"], ["demo", "--json"]):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [*TLSCOPE, *arguments], stdout=write, stderr=subprocess.PIPE, env=environment(), timeout=PATIENCE
        )
        os.close(write)
        assert done.returncode == 141, arguments
        assert done.stderr == b""


def test_a_full_disk(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*TLSCOPE, "demo", "--json"], stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=PATIENCE
        )
    assert done.returncode == 2
    assert b"the output can't be written: no space left" in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_the_shell_has_closed(closed: str) -> None:
    command = f"{shlex.join(TLSCOPE)} demo --one-way {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, env=environment(), timeout=PATIENCE)
    assert done.returncode == 0
    assert done.stderr == b""
    assert (b"Finished" in done.stdout) == (" >&-" not in f" {closed}")


def test_a_ladder_in_a_terminal_too_narrow_for_it_is_drawn_whole() -> None:
    result = tlscope("demo", "--one-way", COLUMNS="40")
    arrows = [line for line in result.stdout.splitlines() if " Finished " in line]
    assert len(arrows) == 2
    assert all(line.endswith(("╣", "║")) for line in arrows)


def test_ctrl_c_in_the_middle_of_a_handshake() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
        with running("connect", f"127.0.0.1:{silent.getsockname()[1]}", "--insecure") as process:
            connection, _ = silent.accept()
            with connection:
                connection.settimeout(PATIENCE)
                assert connection.recv(5)[:1] == b"\x16"
                process.send_signal(signal.SIGINT)
                stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert stdout == b""
    assert b"Traceback" not in stderr


def test_words_are_not_broken() -> None:
    assert _wrapped("a --client-auth b", 12) == ["a", "--client-auth", "b"]


def test_the_pages_made_from_runs_are_up_to_date() -> None:
    assert generator().stale() == [], "run: make docs"
