"""Connections in memory between a client and a server of tlscope's whose application asks who the client is."""

from __future__ import annotations

import contextlib
import ssl as std
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import tlscope.ssl
from tlscope.authority import Authority, Issued
from tlscope.ssl.sockets import SSLObject

Connect = Callable[..., SSLObject]


@dataclass(frozen=True)
class Shop:
    directory: Path
    authority: Authority
    server: Issued
    client: Issued
    stranger: Issued


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    directory = tmp_path_factory.mktemp("certificates")
    authority = Authority.create()
    (directory / "ca.pem").write_bytes(authority.pem())
    return Shop(
        directory,
        authority,
        authority.issue_server("localhost"),
        authority.issue_client("alice@example.test"),
        Authority.create("Nobody's CA").issue_client("mallory"),
    )


@pytest.fixture
def connect(shop: Shop, tmp_path: Path) -> Connect:
    """The server's end of a connection whose client shows ``shows``, None for nothing."""

    def connect(shows: Issued | None, by: str = "alert", *, optional: bool = False, tls12: bool = False) -> SSLObject:
        server: Any = tlscope.ssl.create_default_context(std.Purpose.CLIENT_AUTH, cafile=str(shop.directory / "ca.pem"))
        server.load_identity(shop.server.identity())
        server.verify_mode = std.CERT_OPTIONAL if optional else std.CERT_REQUIRED
        server.refuse_clients_by = by
        # OpenSSL's client shows what it has, whomever the server trusts.
        client = std.create_default_context(cafile=str(shop.directory / "ca.pem"))
        if shows is not None:
            client.load_cert_chain(*shows.write(tmp_path, "shown"))
        if tls12:
            client.maximum_version = std.TLSVersion.TLSv1_2
        to_server, to_client = std.MemoryBIO(), std.MemoryBIO()
        a = client.wrap_bio(to_client, to_server, server_hostname="localhost")
        b = server.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(4):
            for end in (a, b):
                with contextlib.suppress(std.SSLWantReadError):
                    end.do_handshake()
        assert isinstance(b, SSLObject)
        return b

    return connect
