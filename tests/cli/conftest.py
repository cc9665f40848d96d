"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Files, make_files


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A file that isn't there."""
    return tmp_path / "nowhere.pem"
