"""Streams over asyncio: cancelled, timed out, closed, cut and reset at every moment of a handshake and of a transfer.

Whatever happens when: nothing goes out in the open, nothing is lost of which nobody is told, and nobody waits for ever.
"""

from __future__ import annotations

from typing import Any

import pytest
from aio_loopback import Reader, Writer
from aio_moments import ACTIONS, Attempt
from certificates import SERVER_NAME
from loopback import MUTUAL, client_settings, server_settings
from moments import at_every_moment

from tlscope import NamedGroup, ProtocolVersion, aio

QUICK: dict[str, Any] = {"groups": [NamedGroup.x25519, NamedGroup.secp256r1]}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "TLS 1.3, mutual": ({}, MUTUAL),
    "TLS 1.2, one-way": ({"max_version": ProtocolVersion.TLS1_2}, {}),
}


class Native(Attempt):
    kind = ""

    async def upgrade(self, role: str, reader: Reader, writer: Writer) -> tuple[Reader, Writer]:
        client, server = KINDS[self.kind]
        if role == "client":
            return await aio.start_tls(reader, writer, client_settings(**QUICK, **client), server_name=SERVER_NAME)
        return await aio.start_tls(reader, writer, server_settings(**QUICK, **server))

    async def hear(self, role: str, reader: Reader) -> None:
        side = self.sides[role]
        while data := await reader.read(65536):
            side.received += data
        side.ended = True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", ["client", "server"])
class TestEveryMoment:
    def attempts(self, *args: Any, kind: str) -> int:
        def make(at: int, jump: Any) -> Attempt:
            role, step, talk, action = args
            attempt = Native(role, step, talk, at, action, jump)
            attempt.kind = kind
            return attempt

        return at_every_moment("asyncio", make)

    def test_of_a_handshake(self, role: str, action: str, kind: str) -> None:
        assert self.attempts(role, 400, False, action, kind=kind) > 20

    def test_of_a_transfer(self, role: str, action: str, kind: str) -> None:
        assert self.attempts(role, 20_000, True, action, kind=kind) > 20
