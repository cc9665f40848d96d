"""Contexts for the tests of the drop-in: each test runs tlscope against itself and against the standard library."""

from __future__ import annotations

import ssl as std
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

import tlscope.ssl
from tlscope.authority import Authority, Issued

NAME = "localhost"


@dataclass(frozen=True)
class Files:
    """A throwaway authority's certificates, as files."""

    directory: Path
    authority: Authority
    server: Issued
    client: Issued

    @property
    def ca(self) -> str:
        return str(self.directory / "ca.pem")

    @property
    def server_pem(self) -> str:
        return str(self.directory / "server.pem")

    @property
    def client_pem(self) -> str:
        return str(self.directory / "client.pem")


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    directory = tmp_path_factory.mktemp("certificates")
    authority = Authority.create()
    server, client = authority.issue_server(NAME, "127.0.0.1", "::1"), authority.issue_client("alice@example.test")
    (directory / "ca.pem").write_bytes(authority.pem())
    (directory / "server.pem").write_bytes(server.pem() + server.key_pem())
    (directory / "client.pem").write_bytes(client.pem() + client.key_pem())
    return Files(directory, authority, server, client)


@dataclass(frozen=True)
class Sides:
    """Which module each side uses, and the contexts that it makes with it."""

    client_module: ModuleType
    server_module: ModuleType
    files: Files

    def client(self, *, certificate: bool = True) -> std.SSLContext:
        context = self.client_module.create_default_context(cafile=self.files.ca)
        if certificate:
            context.load_cert_chain(self.files.client_pem)
        return context

    def server(self, *, mutual: bool = False) -> std.SSLContext:
        context = self.server_module.create_default_context(self.server_module.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.files.server_pem)
        if mutual:
            context.load_verify_locations(self.files.ca)
            context.verify_mode = std.CERT_REQUIRED
        return context


PAIRS: dict[str, tuple[ModuleType, ModuleType]] = {
    "both": (tlscope.ssl, tlscope.ssl),
    "client": (tlscope.ssl, std),
    "server": (std, tlscope.ssl),
}


@pytest.fixture(params=PAIRS)
def sides(request: pytest.FixtureRequest, files: Files) -> Sides:
    return Sides(*PAIRS[request.param], files)


@pytest.fixture
def both(files: Files) -> Sides:
    return Sides(*PAIRS["both"], files)


Handshake = Callable[..., tuple[std.SSLObject, std.SSLObject]]


@pytest.fixture
def in_memory() -> Handshake:
    """A handshake between two contexts over four ``MemoryBIO``s."""

    def handshake(
        client: std.SSLContext, server: std.SSLContext, name: str | None = NAME, **options: object
    ) -> tuple[std.SSLObject, std.SSLObject]:
        to_server, to_client = std.MemoryBIO(), std.MemoryBIO()
        a = client.wrap_bio(to_client, to_server, server_hostname=name, **options)  # type: ignore[arg-type]
        b = server.wrap_bio(to_server, to_client, server_side=True)
        done = [False, False]
        for _ in range(8):
            for index, end in enumerate((a, b)):
                if not done[index]:
                    try:
                        end.do_handshake()
                        done[index] = True
                    except std.SSLWantReadError:
                        pass
        assert all(done)
        return a, b

    return handshake
