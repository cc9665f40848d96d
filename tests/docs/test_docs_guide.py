"""docs/guide is true: what it shows is what its commands print today, and everything that it links to is there."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from tlscope.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide"
PAGES = sorted(GUIDE.glob("*.md"))


def generator() -> ModuleType:
    """docs/generate.py."""
    spec = importlib.util.spec_from_file_location("generate_guide", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands(page: Path) -> list[str]:
    """Every tlscope command in a page's shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line.removesuffix("&").strip() for line in lines if line.startswith("tlscope ")]


QUICK = ("one-way.md", "mutual.md", "tls12.md")
"""The pages whose commands need no other one beside them."""


def stale(*names: str) -> list[str]:
    module = generator()
    found: list[str] = module.stale({f"docs/guide/{name}": module.GUIDE[f"docs/guide/{name}"] for name in names})
    return found


def test_its_diagrams_are_those_of_today() -> None:
    assert stale(*QUICK) == [], "run: make docs"


@pytest.mark.slow
def test_everything_in_it_is_what_is_printed_today() -> None:
    assert stale(*(page.name for page in PAGES if page.name not in QUICK)) == [], "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
    if page.name != "index.md":
        assert f"({page.name})" in (GUIDE / "index.md").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_commands_are_commands(page: Path) -> None:
    """They parse, whether they are run here or not."""
    for line in commands(page):
        arguments = shlex.split(line)[1:]
        command: Any = typer.main.get_command(app)
        while getattr(command, "commands", None):
            command = command.commands[arguments.pop(0)]
        assert command.make_context(command.name, arguments).params


@pytest.mark.parametrize("name", ["one-way.md", "mutual.md", "tls12.md", "certificates.md", "when-it-fails.md"])
def test_it_shows_real_handshakes(name: str) -> None:
    text = (GUIDE / name).read_text("utf-8")
    assert commands(GUIDE / name)
    assert re.search(r"^<!-- shown: tlscope .* -->\n```sh\n", text, re.MULTILINE)
    assert "<!-- shown" not in re.sub(r"<!-- shown: [^\n]* -->\n```sh\n.*?<!-- end -->", "", text, flags=re.DOTALL)


def test_the_four_classic_diagrams_are_there() -> None:
    shown = "\n".join(commands(GUIDE / "tls12.md"))
    for flow in ("--one-way", "--mutual"):
        assert f"tlscope demo {flow} --tls 1.2\n" in f"{shown}\n"
        assert f"tlscope demo {flow} --tls 1.2 --key-exchange rsa" in shown


def test_nothing_of_this_machine_is_in_it() -> None:
    for page in PAGES:
        text = page.read_text("utf-8")
        assert str(ROOT) not in text
        assert str(Path(sys.prefix)) not in text
        assert "/tmp/" not in text
