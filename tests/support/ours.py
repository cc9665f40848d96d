"""Our side of the interoperability tests: certificates in files, a server that answers, and settings from few words."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loopback import PATIENCE
from peers import Setup

from tlscope import (
    ClientAuth,
    ClientConfig,
    ConnectionFacts,
    Identity,
    ProtocolVersion,
    Server,
    ServerConfig,
    TLSStream,
    TrustAnchors,
)


@dataclass(frozen=True)
class Credentials:
    """Files for the peer, and the same for us."""

    directory: Path

    @property
    def ca(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def other_ca(self) -> Path:
        return self.directory / "other-ca.pem"

    @property
    def anchors(self) -> TrustAnchors:
        return TrustAnchors.from_file(self.ca)

    @property
    def other_anchors(self) -> TrustAnchors:
        return TrustAnchors.from_file(self.other_ca)

    def files(self, name: str) -> tuple[Path, Path]:
        return self.directory / f"{name}.pem", self.directory / f"{name}-key.pem"

    def identity(self, name: str) -> Identity:
        return Identity.from_files(*self.files(name))


@dataclass
class Ours:
    """A server of ours that echoes, or answers HTTP with the path, and what it saw."""

    server: Server
    port: int
    facts: list[ConnectionFacts] = field(default_factory=list)
    exported: list[bytes] = field(default_factory=list)
    ends: list[Exception | None] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def ended(self, count: int = 1) -> list[Exception | None]:
        """How so many connections ended: None, or an error."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.ends) >= count, PATIENCE), "the connection did not end"
            return self.ends

    def error(self) -> Exception:
        """What one connection failed with."""
        (error,) = self.ended()
        assert error is not None, "the connection did not fail"
        return error


def answer(stream: TLSStream) -> None:
    """Echo; but to an HTTP request give its path as the body."""
    data = stream.recv(65536)
    if data.startswith(b"GET "):
        while b"\r\n\r\n" not in data:
            data += stream.recv(65536)
        body = data.split()[1][1:] + b"\n"
        stream.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        return
    while data:
        stream.sendall(data)
        data = stream.recv(65536)


class Serve:
    """Starts servers of ours."""

    def __init__(self) -> None:
        self._running: list[Ours] = []

    def __call__(self, config: ServerConfig, handler: Any = answer) -> Ours:
        def begun(stream: TLSStream) -> None:
            assert stream.facts is not None
            ours.facts.append(stream.facts)
            ours.exported.append(stream.connection.export_keying_material("EXPERIMENTAL interop", 32, b"context"))

        def over(stream: TLSStream, address: Any, error: Exception | None) -> None:
            with ours.news:
                ours.ends.append(error)
                ours.news.notify_all()

        server = Server(
            config, handler, timeout=PATIENCE, on_handshake=begun, on_end=over, on_error=lambda error, address: None
        )
        ours = Ours(server, server.address[1])
        server.start()
        self._running.append(ours)
        return ours

    def close(self) -> None:
        for ours in self._running:
            ours.server.close()


@dataclass(frozen=True)
class Settings:
    """Both sides' settings from the same words."""

    credentials: Credentials

    def server(
        self, version: ProtocolVersion, key: str = "P-256", *, mutual: bool = False, **more: Any
    ) -> ServerConfig:
        return ServerConfig(
            **{
                "identities": [self.credentials.identity(f"server-{key}")],
                "trust": self.credentials.anchors if mutual else None,
                "client_auth": ClientAuth.REQUIRED if mutual else ClientAuth.NONE,
                "min_version": version,
                "max_version": version,
                **more,
            }
        )

    def client(self, version: ProtocolVersion, key: str | None = None, **more: Any) -> ClientConfig:
        return ClientConfig(
            **{
                "trust": self.credentials.anchors,
                "identity": None if key is None else self.credentials.identity(f"client-{key}"),
                "min_version": version,
                "max_version": version,
                **more,
            }
        )

    def peer_client(self, version: ProtocolVersion, key: str | None = None, **more: Any) -> Setup:
        identity = None if key is None else self.credentials.files(f"client-{key}")
        return Setup(**{"version": version, "ca": self.credentials.ca, "identity": identity, **more})

    def peer_server(self, version: ProtocolVersion, key: str = "P-256", *, mutual: bool = False, **more: Any) -> Setup:
        identity = self.credentials.files(f"server-{key}")
        return Setup(**{"version": version, "ca": self.credentials.ca, "identity": identity, "ask": mutual, **more})
