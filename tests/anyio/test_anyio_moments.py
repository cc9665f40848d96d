"""Streams over anyio: cancelled, timed out, closed, cut and reset at every moment of a handshake and of a transfer.

Whatever happens when: nothing goes out in the open, nothing is lost of which nobody is told, and nobody waits for ever.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import anyio
import pytest
from anyio_loopback import BACKENDS
from anyio_wires import Wire
from certificates import SERVER_NAME
from loopback import MUTUAL, client_settings, server_settings
from moments import Moments, Side, Watched, at_every_moment, check_transfer, check_wire, pieces

from tlscope import NamedGroup, ProtocolVersion
from tlscope.anyio import TLSStream

ACTIONS = ["cancel", "time out", "close", "cut", "reset"]
FOREVER = 1e6
QUICK: dict[str, Any] = {"groups": [NamedGroup.x25519, NamedGroup.secp256r1]}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "TLS 1.3, mutual": ({}, MUTUAL),
    "TLS 1.2, one-way": ({"max_version": ProtocolVersion.TLS1_2}, {}),
}


class Attempt:
    """One connection over a wire, one side of which has something done to it at one moment."""

    def __init__(self, role: str, kind: str, step: int, talk: bool, at: int, action: str, jump: Any) -> None:
        # In a task of its own, once the one that it is about waits.
        self.moment = Moments(at, lambda: self._group.start_soon(self._act, action))
        self.wires = dict(zip(("client", "server"), Wire.pair(self.moment, step), strict=True))
        self.sides = {"client": Side(), "server": Side()}
        self.role, self.other = role, "server" if role == "client" else "client"
        client, server = KINDS[kind]
        self._configs: dict[str, Any] = {
            "client": client_settings(**QUICK, **client),
            "server": server_settings(**QUICK, **server),
        }
        self._talk, self._jump = talk, jump
        self._scope = anyio.CancelScope()
        self._group: Any = None

    async def _act(self, action: str) -> None:
        wire, side = self.wires[self.role], self.sides[self.role]
        if action == "cancel":
            self._scope.cancel()
        elif action == "time out":
            self._jump(1000)
        elif action == "close":
            await (wire if side.stream is None else side.stream).aclose()
        elif action == "cut":
            self.wires[self.other].close()
        else:
            wire.reset()

    async def live(self, role: str) -> None:
        side, wire = self.sides[role], self.wires[role]
        name = SERVER_NAME if role == "client" else None
        stream = side.stream = await TLSStream.wrap(wire, self._configs[role], server_name=name)
        for piece in pieces(role) if self._talk else ():
            side.attempted += piece
            await stream.send(piece)
            side.completed += piece
        await stream.send_eof()
        while not side.ended:
            try:
                side.received += await stream.receive()
            except anyio.EndOfStream:
                side.ended = True
        await stream.aclose()

    async def _run_other(self) -> None:
        side = self.sides[self.other]
        try:
            await self.live(self.other)
        except Exception as error:
            side.error = error
            await anyio.aclose_forcefully(self.wires[self.other])

    async def run(self, polite: bool) -> None:
        side, wire = self.sides[self.role], self.wires[self.role]
        with anyio.fail_after(FOREVER):
            async with anyio.create_task_group() as self._group:
                self._group.start_soon(self._run_other)
                with self._scope, anyio.move_on_after(500) as time:
                    try:
                        await Watched(self.live(self.role), self.moment)
                    except Exception as error:
                        side.error = error
                if self._scope.cancelled_caught or time.cancelled_caught:
                    side.error = TimeoutError()
                if side.stream is None:
                    assert wire.closed, "somebody could go on in the open"
                elif polite:
                    await self._go_on(side)
                    await side.stream.aclose()
                else:
                    await anyio.aclose_forcefully(side.stream)
        self._check()

    async def _go_on(self, side: Side) -> None:
        """As a program would that takes a time-out for no great matter: it is refused where something was cut short."""
        more = pieces(self.role)[1]
        side.attempted += more
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await side.stream.send(more)
            side.completed += more

    def _said_end(self, role: str) -> bool:
        stream = self.sides[role].stream
        return stream is not None and stream.connection.closed_by_us

    def _check(self) -> None:
        for wire in self.wires.values():
            check_wire(bytes(wire.sent))
        client, server = self.sides["client"], self.sides["server"]
        check_transfer(client, server, said_end=self._said_end("client"))
        check_transfer(server, client, said_end=self._said_end("server"))
        if not self.moment.acted:
            assert client.error is None
            assert server.error is None
            assert client.ended
            assert server.ended


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize(
    ("backend", "kind"),
    [
        ("asyncio", "TLS 1.3, mutual"),
        ("asyncio", "TLS 1.2, one-way"),
        ("trio", "TLS 1.3, mutual"),
        pytest.param("trio", "TLS 1.2, one-way", marks=pytest.mark.slow),
    ],
)
class TestEveryMoment:
    def test_of_a_handshake(self, backend: str, role: str, action: str, kind: str) -> None:
        assert at_every_moment(backend, lambda at, jump: Attempt(role, kind, 400, False, at, action, jump)) > 20

    def test_of_a_transfer(self, backend: str, role: str, action: str, kind: str) -> None:
        assert at_every_moment(backend, lambda at, jump: Attempt(role, kind, 20_000, True, at, action, jump)) > 20


class Listening(Attempt):
    """The side that is hit receives, from a peer that changes keys and asks for the same; cancelled once, it goes on."""

    async def live(self, role: str) -> None:
        if role == self.role:
            await self._listen()
            return
        side = self.sides[role]
        stream = side.stream = await TLSStream.wrap(self.wires[role], self._configs[role])
        for piece in pieces(role):
            await stream.update_keys(request_peer=True)
            side.attempted += piece
            await stream.send(piece)
            side.completed += piece
        await stream.send_eof()
        side.received += await stream.receive()
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()
        side.ended = True
        await stream.aclose()

    async def _listen(self) -> None:
        side = self.sides[self.role]
        wire, name = self.wires[self.role], SERVER_NAME if self.role == "client" else None
        stream = side.stream = await TLSStream.wrap(wire, self._configs[self.role], server_name=name)
        while not side.ended:
            with anyio.CancelScope() as self._scope:
                try:
                    side.received += await Watched(stream.receive(), self.moment)
                except anyio.EndOfStream:
                    side.ended = True
        side.attempted += b"thanks"
        await stream.send(b"thanks")
        side.completed += b"thanks"
        await stream.aclose()

    async def run(self, polite: bool) -> None:
        with anyio.fail_after(FOREVER):
            async with anyio.create_task_group() as self._group:
                self._group.start_soon(self._run_other)
                await self.live(self.role)
        self._check()
        for side in self.sides.values():
            assert side.error is None
            assert side.ended
        assert self.sides[self.role].received == self.sides[self.other].attempted
        assert self.sides[self.other].received == b"thanks"


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_is_cancelled_while_receiving_loses_nothing_and_can_go_on(backend: str) -> None:
    found = at_every_moment(
        backend, lambda at, jump: Listening("client", "TLS 1.3, mutual", 12_000, True, at, "cancel", jump)
    )
    assert found > 20


def test_what_is_looked_for_would_be_found() -> None:
    with pytest.raises(AssertionError):
        check_wire(b"\x17\x03\x03\x00\x20" + pieces("client")[0] * 2)
    with pytest.raises(AssertionError):
        check_wire(b"EHLO example\r\n")
    sender = Side(attempted=bytearray(b"all"), completed=bytearray(b"all"))
    for loser in (
        Side(received=bytearray(b"al"), ended=True),
        Side(received=bytearray(b"al")),
        Side(received=bytearray(b"ll"), error=EOFError()),
    ):
        with pytest.raises(AssertionError):
            check_transfer(sender, loser, said_end=True)
    with pytest.raises(AssertionError):
        check_transfer(sender, Side(received=bytearray(b"all"), ended=True), said_end=False)
