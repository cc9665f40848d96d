"""What every interop test needs: certificates in files, a server of ours, and both of its sides' settings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import PATIENCE
from ours import Credentials, Serve, Settings

from tlscope.authority import Authority

KEYS = ("P-256", "RSA-2048", "Ed25519")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.interop)


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """``server-KIND`` and ``client-KIND`` of an authority, its intermediate in between, and ``stranger``'s of another."""
    directory = tmp_path_factory.mktemp("credentials")
    root, other = Authority.create("Interop root"), Authority.create("Unknown root")
    intermediate = root.issue_intermediate("Interop intermediate")
    (directory / "ca.pem").write_bytes(root.pem())
    (directory / "other-ca.pem").write_bytes(other.pem())
    for key in KEYS:
        intermediate.issue_server("localhost", "127.0.0.1", key=key).write(directory, f"server-{key}")
        intermediate.issue_client("client.example", "client.example", key=key).write(directory, f"client-{key}")
    other.issue_client("stranger.example", "stranger.example").write(directory, "stranger")
    return Credentials(directory)


@pytest.fixture
def serve() -> Iterator[Serve]:
    starter = Serve()
    yield starter
    starter.close()


@pytest.fixture
def settings(credentials: Credentials) -> Settings:
    return Settings(credentials)


@pytest.fixture(autouse=True)
def bounded(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test comes to an end by itself; this says which one took long."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < 4 * PATIENCE
