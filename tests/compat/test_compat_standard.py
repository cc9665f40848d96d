"""The rows of docs/compatibility.md that need nothing but Python, each against ``ssl`` and against tlscope."""

from __future__ import annotations

import compat_standard  # noqa: F401 - fills the table
import pytest
from compat_exchange import ROWS, Files, Row, attempt

STANDARD = [one for one in ROWS if not one.packages]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("mutual", [False, True], ids=["one-way", "mutual"])
@pytest.mark.parametrize("peer", ["ssl", "tlscope"])
@pytest.mark.parametrize("row", STANDARD, ids=lambda row: row.run.__name__)
def test_row(row: Row, peer: str, mutual: bool, files: Files) -> None:
    attempt(row, files, peer, mutual)
