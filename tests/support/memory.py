"""Two ends of a connection in memory, and configurations under which every run gives the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from certificates import SERVER_NAME, anchors, clock, server_identity

from tlscope import ClientConfig, ClientConnection, NamedGroup, ProtocolVersion, ServerConfig, ServerConnection
from tlscope.crypto.groups import Group, KeyPair
from tlscope.events import Event


class Seeded:
    """Randomness from a seed: known answers for tests, and nothing else."""

    def __init__(self, seed: str) -> None:
        self._seed, self._count = seed.encode(), 0

    def again(self) -> None:
        """From the start: the next connection says what the first one said."""
        self._count = 0

    def bytes(self, length: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(self._seed + self._count.to_bytes(4, "big")).digest(length)

    def key_pair(self, group: Group) -> KeyPair:
        return group.from_private(self.bytes(_private_length(group)))


def _private_length(group: Group) -> int:
    # 31 bytes are a valid scalar on every one of the NIST curves; a hybrid's private key is a seed and a scalar.
    if group.is_hybrid:
        return 64 + (32 if group.name is NamedGroup.X25519MLKEM768 else 31)
    return {NamedGroup.x25519: 32, NamedGroup.x448: 56}.get(group.name, 31)


def _without_resumption(cls: type) -> dict[str, Any]:
    """Settings that keep a run to the plain handshake."""
    known = {field.name for field in fields(cls)}
    return {name: None for name in ("sessions", "tickets", "session_store") if name in known}


_COMMON: dict[str, Any] = {
    "min_version": ProtocolVersion.TLS1_3,
    "groups": (NamedGroup.x25519,),
    "clock": clock,
}


def client_config(**changes: Any) -> ClientConfig:
    """A client of TLS 1.3 with seeded randomness, fixed clock, x25519 and the test root."""
    settings = {**_COMMON, **_without_resumption(ClientConfig), "trust": anchors(), "randomness": Seeded("client")}
    return ClientConfig(**{**settings, **changes})


def server_config(**changes: Any) -> ServerConfig:
    """The same for a server, with the identity for ``SERVER_NAME``."""
    settings = {**_COMMON, **_without_resumption(ServerConfig), "trust": anchors(), "randomness": Seeded("server")}
    return ServerConfig(**{**settings, "identities": [server_identity()], **changes})


Connection = ClientConnection | ServerConnection
Tamper = Callable[[str, bytes], bytes]
"""Takes the sender's role and what it sends; gives what arrives."""


class Pair:
    """A client and a server, and what each was told."""

    def __init__(
        self,
        client: ClientConfig | None = None,
        server: ServerConfig | None = None,
        *,
        server_name: str | None = SERVER_NAME,
        client_trace: Any = None,
        server_trace: Any = None,
        tamper: Tamper | None = None,
    ) -> None:
        self.client = ClientConnection(client or client_config(), server_name, trace=client_trace)
        self.server = ServerConnection(server or server_config(), trace=server_trace)
        self.events: dict[str, list[Event]] = {"client": [], "server": []}
        self.errors: dict[str, Exception] = {}
        self.sent: list[tuple[str, bytes]] = []
        """Every flight as it left: who sent it, and its bytes."""
        self._tamper = tamper

    def side(self, role: str) -> Connection:
        return self.client if role == "client" else self.server

    def start(self) -> Pair:
        """The client says hello; nothing moves yet."""
        self._watched("client", self.client.start)
        return self

    def run(self) -> Pair:
        """Start, and move bytes both ways until neither side has anything to say. Errors are kept, not raised."""
        self.start()
        while self.move("client") | self.move("server"):
            pass
        return self

    def done(self) -> Pair:
        """Run, and both sides must have completed without an error."""
        self.run()
        for error in self.errors.values():
            raise error
        assert self.client.handshake_complete
        assert self.server.handshake_complete
        return self

    def move(self, sender: str) -> bool:
        """Move what one side has to send; gives whether that was anything."""
        data = self.side(sender).data_to_send()
        if not data:
            return False
        self.sent.append((sender, data))
        if self._tamper is not None:
            data = self._tamper(sender, data)
        self.give("server" if sender == "client" else "client", data)
        return True

    def give(self, role: str, data: bytes) -> list[Event]:
        """Hand bytes to one side; gives its events."""
        receiver = self.side(role)
        events: list[Event] = []
        if role not in self.errors:
            self._watched(role, lambda: events.extend(receiver.receive_data(data)))
        self.events[role] += events
        return events

    def _watched(self, role: str, action: Callable[[], Any]) -> None:
        try:
            action()
        except Exception as error:
            self.errors[role] = error
