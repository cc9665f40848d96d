"""Contexts for the tests of the drop-in: tlscope against itself and against the standard library."""

from __future__ import annotations

import ssl as std
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

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

Handshake = Callable[..., tuple[std.SSLObject, std.SSLObject]]
