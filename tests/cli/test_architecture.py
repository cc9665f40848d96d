"""docs/architecture.md is true: what it names exists, and what exists it names."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "tlscope"
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def names_in(path: Path) -> set[str]:
    """Classes, functions and methods of a module."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found.update(f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef))
    return found


def test_every_file_that_it_names_exists() -> None:
    named = re.findall(r"`([a-z_0-9/]+(?:\.py|\.md|/))`", PAGE)
    assert len(named) > 60
    bases = (SOURCE, ROOT)
    assert [name for name in named if not any((base / name).exists() for base in bases)] == []


def test_everything_that_it_says_is_in_a_module_is_there() -> None:
    places = re.findall(r"((?:`[A-Za-z_.]+`(?: and |, )?)+) (?:in|of) `([a-z_0-9/]+\.py)`", PAGE)
    assert len(places) > 25
    missing = []
    for names, path in places:
        there = names_in(SOURCE / path)
        missing += [f"{name} in {path}" for name in re.findall(r"`([^`]+)`", names) if name not in there]
    assert missing == []


def test_it_names_every_room_and_every_module_beside_them() -> None:
    rooms = {f"{path.name}/" for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    modules = {path.name for path in SOURCE.glob("*.py") if not path.name.startswith("_")}
    named = set(re.findall(r"`([a-z_0-9]+(?:\.py|/))`", PAGE.partition("## Import directions")[0]))
    assert (rooms | modules) - named == set()


def test_its_layers_are_those_that_are_held() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    held = [
        {
            name
            for name in re.findall(r"[a-z_0-9]+", layer)
            if (SOURCE / name).exists() or (SOURCE / f"{name}.py").exists()
        }
        for layer in layers
    ]
    shown = re.search(r"^cli\n(?:.*\n)*?wire$", PAGE, re.MULTILINE)
    assert shown is not None
    assert [set(line.split(", ")) for line in shown[0].splitlines()] == [layer for layer in held if layer]


def test_the_limits_it_names_are_settings() -> None:
    source = (SOURCE / "limits.py").read_text("utf-8")
    for name in re.findall(r"`Limits\.(\w+)`", PAGE):
        assert f"    {name}: int" in source
