"""docs/async.md is true: its examples run, and what it names exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tlscope import aio, anyio, pep748

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "async.md").read_text("utf-8")


def test_the_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    examples = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    scope: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, "async.md", "exec", dont_inherit=True), scope)
    assert capsys.readouterr().out.splitlines() == [
        "b'220 at your service\\r\\n'",
        "b'220 go ahead\\r\\n'",
        "b'250 hello, alice@example.test\\r\\n'",
        "TLSv1.3 b'hello, alice@example.test'",
        "TLSv1.3 b'hello, alice@example.test'",
        "b'hello' TLSVersion.TLSv1_3 0x1301",
    ]


def test_the_names_exist() -> None:
    for name in ("open_connection", "start_server", "create_connection", "start_tls"):
        assert f"`{name}`" in PAGE
        assert name in aio.__all__
    ours = {name for name in vars(anyio.ConnectionAttribute) if not name.startswith("_")}
    row = re.search(r"^\| `ConnectionAttribute\.(.*?) \|", PAGE, re.MULTILINE)
    assert row is not None
    assert set(re.findall(r"[a-z_]+", row[1])) == ours
    theirs = {name for name in vars(anyio.TLSAttribute) if not name.startswith("_")}
    rows = " ".join(re.findall(r"^\| (`TLSAttribute\..*?) \|", PAGE, re.MULTILINE))
    assert set(re.findall(r"\b[a-z_0-9]{4,}", rows)) == theirs
    assert {"TLSImplementation", "Backend", "implementation"} <= set(pep748.__all__)
