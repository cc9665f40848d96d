"""The drop-in under asyncio's own streams: harm done at every moment of a handshake and of a transfer.

asyncio takes an end without close_notify for an ordinary one, so whoever counts on all having come counts the bytes.
"""

from __future__ import annotations

from typing import Any

import pytest
from aio_loopback import Reader, Writer
from aio_moments import ACTIONS, Attempt
from contexts import NAME, Sides
from moments import at_every_moment, pieces

CONTEXTS: dict[str, Any] = {}


class DropIn(Attempt):
    async def upgrade(self, role: str, reader: Reader, writer: Writer) -> tuple[Reader, Writer]:
        protocol: Any = writer._protocol  # type: ignore[attr-defined]
        if role == "server":
            protocol._client_connected_cb = print  # what asyncio knows a server's side by
        try:
            await writer.start_tls(CONTEXTS[role], server_hostname=None if role == "server" else NAME)
        except AttributeError:
            # For a connection that is lost in this moment asyncio's start_tls gives no transport, and trips over that.
            assert writer.transport is None
            writer._transport = self.wires[role]  # type: ignore[attr-defined]
            raise ConnectionResetError from None
        return reader, writer

    async def hear(self, role: str, reader: Reader) -> None:
        side, other = self.sides[role], "client" if role == "server" else "server"
        due = sum(map(len, pieces(other))) if self._talk else 0
        while len(side.received) < due:
            data = await reader.read(65536)
            if not data:
                raise EOFError
            side.received += data
        side.ended = True

    def said_end(self, role: str) -> bool:
        return True


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", ["client", "server"])
class TestEveryMoment:
    @pytest.fixture(autouse=True)
    def contexts(self, both: Sides) -> None:
        CONTEXTS.update(client=both.client(), server=both.server(mutual=True))

    def test_of_a_handshake(self, role: str, action: str) -> None:
        assert at_every_moment("asyncio", lambda at, jump: DropIn(role, 400, False, at, action, jump)) > 20

    def test_of_a_transfer(self, role: str, action: str) -> None:
        assert at_every_moment("asyncio", lambda at, jump: DropIn(role, 20_000, True, at, action, jump)) > 20
