"""All rows of docs/compatibility.md, in an environment with the packages that they need; and the page is true."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from compat_page import PAGE, collect_all, failures, make_environments, page


def _structure(text: str) -> str:
    """The page without what is this machine's."""
    return re.sub(r"Run on Python .*", "", text)


@pytest.mark.slow
def test_every_row_and_the_page(tmp_path: Path) -> None:
    try:
        pythons = make_environments(tmp_path)
    except subprocess.CalledProcessError:
        pytest.skip("the packages of tests/compat can't be installed here")
    found = collect_all(pythons)
    assert failures(found) == []
    missing = {what for one in found[1:] for what in one.get("missing", ())}
    assert missing <= {"PostgreSQL", "Redis"}
    if not missing:
        assert _structure(page(found)) == _structure(PAGE.read_text("utf-8")), (
            "docs/compatibility.md is out of date: write it with python tests/compat/compat_page.py"
        )


def test_a_failure_is_shown_as_one() -> None:
    """The page would say so."""
    result = {"ssl one-way": "", "ssl mutual": "ValueError: no"}
    found = [
        {"python": "3", "openssl": "O", "packages": {"p": "1.2"}},
        {"name": "p", "side": "client", "packages": ["p"], "results": result},
    ]
    assert failures(found) == ["p (client), ssl mutual: ValueError: no"]
    assert "| p | 1.2 | client | works | **fails** |  |  |" in page(found)
