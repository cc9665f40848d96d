"""docs/drop-in.md is true: its examples run, and the names in it exist."""

from __future__ import annotations

import re
import ssl as std
from pathlib import Path

import pytest

import tlscope
import tlscope.ssl
from tlscope.ssl.sockets import SSLObject

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "drop-in.md").read_text("utf-8")


def test_the_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    examples = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    kept = std.SSLContext
    for example in examples:
        exec(compile(example, "drop-in.md", "exec", dont_inherit=True), {})
    assert std.SSLContext is kept
    assert "wrong-host" in capsys.readouterr().out


def test_the_names_exist() -> None:
    rows = re.findall(
        r"^\| `([a-z_]+)[`(]", PAGE.partition("On an `SSLSocket`")[2].partition("## Errors")[0], re.MULTILINE
    )
    assert len(rows) >= 5
    assert [name for name in rows if not hasattr(SSLObject, name)] == []
    settings = re.findall(r"^\| `([a-z_]+)`", PAGE.partition("## Settings")[2].partition("## Threads")[0], re.MULTILINE)
    assert len(settings) >= 7
    assert [name for name in settings if not hasattr(tlscope.ssl.SSLContext, name)] == []
