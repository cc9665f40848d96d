"""docs/failures.md is what the lab says."""

from __future__ import annotations

from pathlib import Path

from tlscope.explain.diagnosis import ATLAS
from tlscope.lab import CASES
from tlscope.lab.document import failures

PAGE = Path(__file__).resolve().parents[2] / "docs" / "failures.md"


def test_the_page_is_what_the_lab_says() -> None:
    assert failures() == PAGE.read_text("utf-8"), "run: make docs"


def test_the_page_has_every_row_and_every_case() -> None:
    text = PAGE.read_text("utf-8")
    assert [row for row in ATLAS if f"\n## {row}\n" not in text] == []
    assert [case for case in CASES if f"**`{case}`**" not in text] == []
