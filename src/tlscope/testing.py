"""A pytest plugin: a CA, identities, a TLS server and every case of the lab, as fixtures.

It is there as soon as tlscope is installed; docs/testing.md shows how it is used. Everything is made for the test run,
listens on the loopback interface alone, and ends with the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .authority import Authority, Issued
    from .config import ClientConfig
    from .io import TLSStream
    from .lab import LabServer, Workshop

__all__ = ["TLSTestServer", "tls_authority", "tls_client_identity", "tls_lab", "tls_server", "tls_server_identity"]

# tlscope itself is imported when a fixture is used: a run that uses none must not pay for it.


class TLSTestServer:
    """A server that runs: ``host``, ``port``, ``name`` (whom its certificate is for) and ``client_config`` (a good client).

    It sends back what it is sent, and answers HTTP requests with 200 and a body of ``ok``.
    """

    def __init__(self, address: tuple[str, int], name: str, client_config: ClientConfig) -> None:
        self.host, self.port = address
        self.name = name
        self.client_config = client_config

    @property
    def url(self) -> str:
        """Its address for an HTTP client."""
        return f"https://{self.name}:{self.port}/"

    def connect(self, config: ClientConfig | None = None, server_name: str | None = None) -> TLSStream:
        """A connected stream to it; without ``config`` that of a good client. Raises ``TLSError``."""
        from .io import connect

        name = self.name if server_name is None else server_name
        return connect(self.host, self.port, config or self.client_config, server_name=name, timeout=10)


@pytest.fixture(scope="session")
def tls_authority() -> Authority:
    """A CA for the whole run: ``issue_server`` and ``issue_client`` issue, ``anchors()`` and ``pem()`` are for trust."""
    from .authority import Authority

    return Authority.create("Test CA")


@pytest.fixture(scope="session")
def tls_server_identity(tls_authority: Authority) -> Issued:
    """A certificate for ``localhost``, 127.0.0.1 and ::1, with its key; ``identity()``, ``pem()``, ``write(directory)``."""
    return tls_authority.issue_server("localhost", "127.0.0.1", "::1")


@pytest.fixture(scope="session")
def tls_client_identity(tls_authority: Authority) -> Issued:
    """A client's certificate for ``alice``, with its key."""
    return tls_authority.issue_client("alice")


@pytest.fixture
def tls_server(tls_authority: Authority, tls_server_identity: Issued) -> Iterator[TLSTestServer]:
    """A ``TLSTestServer`` on a free port of 127.0.0.1, for one test."""
    from .config import ClientConfig, ServerConfig
    from .io import Server

    config = ServerConfig(identities=[tls_server_identity.identity()])
    client = ClientConfig(trust=tls_authority.anchors())
    with Server(config, _answer, timeout=10, on_error=lambda error, address: None) as server:
        yield TLSTestServer(server.address, "localhost", client)


@pytest.fixture(scope="session")
def _tls_workshop(tls_authority: Authority) -> Iterator[Workshop]:
    from .lab import Workshop

    workshop = Workshop(tls_authority)
    yield workshop
    workshop.close()


@pytest.fixture
def tls_lab(_tls_workshop: Workshop) -> Iterator[Callable[[str], LabServer]]:
    """Starts the broken server of a lab case: ``tls_lab("cert-expired").address``. Its CA is ``tls_authority``."""
    from .lab import LabServer, case

    with ExitStack() as stack:
        yield lambda id: stack.enter_context(LabServer(case(id), _tls_workshop))


def _answer(stream: TLSStream) -> None:
    while data := stream.recv(65536):
        if data.split(b" ", 1)[0] in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE"):
            stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            return
        stream.sendall(data)
