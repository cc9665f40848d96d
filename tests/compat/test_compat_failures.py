"""The standard library's clients say what tlscope found; the others do in the slow test of docs/compatibility.md."""

from __future__ import annotations

import pytest
from compat_failures import CASES, FAILURES, Failing, Faults, provoke

STANDARD = [one for one in FAILURES if not one.packages]


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    return Faults(tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("one", STANDARD, ids=lambda one: one.name)
def test_the_explanation_is_in_the_error_s_text(one: Failing, case: str, faults: Faults) -> None:
    assert provoke(one, case, faults) == "in its text"
