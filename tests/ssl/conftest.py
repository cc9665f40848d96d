"""Each test of the drop-in runs tlscope against itself and against the standard library."""

from __future__ import annotations

import ssl as std

import pytest
from contexts import NAME, PAIRS, Files, Handshake, Sides

from tlscope.authority import Authority


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    directory = tmp_path_factory.mktemp("certificates")
    authority = Authority.create()
    server, client = authority.issue_server(NAME, "127.0.0.1", "::1"), authority.issue_client("alice@example.test")
    (directory / "ca.pem").write_bytes(authority.pem())
    (directory / "server.pem").write_bytes(server.pem() + server.key_pem())
    (directory / "client.pem").write_bytes(client.pem() + client.key_pem())
    return Files(directory, authority, server, client)


@pytest.fixture(params=PAIRS)
def sides(request: pytest.FixtureRequest, files: Files) -> Sides:
    return Sides(*PAIRS[request.param], files)


@pytest.fixture
def both(files: Files) -> Sides:
    return Sides(*PAIRS["both"], files)


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
