"""The names of ``tlscope`` itself, which are imported when they are asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tlscope

LIGHT = "import sys, {module}; print(*(name for name in sys.modules if name.startswith(('tlscope', 'cryptography'))))"


def loaded_by(module: str) -> set[str]:
    command = [sys.executable, "-c", LIGHT.format(module=module)]
    return set(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split())


def test_every_name_is_where_it_is_said_to_be() -> None:
    tree = ast.parse(Path(tlscope.__file__).read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name))
    imported = {
        name.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for name in node.names
    }
    assert imported == tlscope._PLACE
    assert {*imported, "__version__"} == set(tlscope.__all__)
    for name, module in imported.items():
        assert getattr(tlscope, name) is getattr(sys.modules[f"tlscope.{module}"], name)
    assert set(tlscope.__all__) <= set(dir(tlscope))


def test_rooms_are_there_and_nothing_else() -> None:
    assert tlscope.errors.TLSError is tlscope.TLSError
    for name in ("nothing", "_nothing"):
        with pytest.raises(AttributeError, match=name):
            getattr(tlscope, name)


def test_a_test_run_that_uses_no_fixture_pays_nothing() -> None:
    assert loaded_by("tlscope.testing") <= {"tlscope", "tlscope._version", "tlscope.testing"}
