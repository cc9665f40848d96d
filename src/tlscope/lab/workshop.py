"""Throwaway certificates for the lab, always fresh: a CA that is trusted, one that is not, and settings that work."""

from __future__ import annotations

import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

from ..authority import Authority, Issued
from ..config import ClientAuth, ClientConfig, ServerConfig
from ..trust.identity import Identity

__all__ = ["CLIENT", "HOST", "Workshop"]

HOST = "localhost"
CLIENT = "alice"


class Workshop:
    """Makes what a case needs, when it needs it. ``authority`` is the CA that both sides trust, a new one by default.

    ``directory`` is for files, and goes with ``close``.
    """

    def __init__(self, authority: Authority | None = None) -> None:
        self.authority = authority if authority is not None else Authority.create("Example CA")

    @cached_property
    def stranger(self) -> Authority:
        """A CA that nobody trusts."""
        return Authority.create("Other CA")

    @cached_property
    def intermediate(self) -> Authority:
        """A CA below the one that both sides trust."""
        return self.authority.issue_intermediate("Example intermediate CA")

    @cached_property
    def server(self) -> Issued:
        """A good server's certificate for ``localhost``."""
        return self.authority.issue_server(HOST)

    @cached_property
    def client(self) -> Issued:
        """A good client's certificate."""
        return self.authority.issue_client(CLIENT)

    @cached_property
    def _temporary(self) -> Any:
        return tempfile.TemporaryDirectory(prefix="tlscope-lab-")

    @property
    def directory(self) -> Path:
        """A directory for files that a case loads."""
        return Path(self._temporary.name)

    def close(self) -> None:
        """Remove the files."""
        if "_temporary" in self.__dict__:
            self._temporary.cleanup()

    def client_config(self, **changes: Any) -> ClientConfig:
        """A client that trusts the CA and resumes nothing."""
        return ClientConfig(**{"trust": self.authority.anchors(), "sessions": None, **changes})

    def server_config(self, *identities: Identity, **changes: Any) -> ServerConfig:
        """A server with these identities, or the good one, that hands out no tickets."""
        shown = identities or (self.server.identity(),)
        return ServerConfig(**{"identities": shown, "tickets": None, **changes})

    def mutual_config(self, **changes: Any) -> ServerConfig:
        """A server that demands a client certificate of the CA."""
        settings = {"trust": self.authority.anchors(), "client_auth": ClientAuth.REQUIRED}
        return self.server_config(**{**settings, **changes})

    def file(self, name: str, data: bytes) -> Path:
        """A file in the directory."""
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_bytes(data)
        return path


def leaf_only(issued: Issued) -> Identity:
    """The identity without the intermediates that should be sent with it."""
    return Identity.from_certificates(issued.chain[:1], issued.key)
