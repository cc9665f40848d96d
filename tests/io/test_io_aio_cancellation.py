"""Streams over asyncio: tasks that are cancelled, anywhere."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aio_loopback import dial, echo, hang_up, run, serving
from certificates import root, stranger
from loopback import PATIENCE, client_settings, server_settings
from moments import Moments, Watched

from tlscope import CertificateRejected, TrustAnchors, VerifyPeer, aio


class TestCancellation:
    @pytest.mark.parametrize("trusting", [True, False])
    @pytest.mark.parametrize("action", ["cancel", "time out"])
    def test_open_connection_at_every_await(self, action: str, trusting: bool) -> None:
        """Wherever it is hit, nothing is left open or in the open, nothing is logged as lost, and the server serves on."""
        anchors_of = [root().certificate] if trusting else [stranger().certificate]
        config = client_settings(trust=TrustAnchors.from_certificates(anchors_of))
        outcome: type[Exception] = asyncio.CancelledError if action == "cancel" else TimeoutError  # type: ignore[assignment]

        async def attempt(port: int, at: int) -> bool:
            scope = asyncio.timeout(60)

            def act() -> None:
                if action == "cancel":
                    task.cancel()
                else:
                    scope.reschedule(0)

            async def watched() -> None:
                async with scope:
                    await hang_up((await Watched(dial(port, config), moment))[1])

            moment = Moments(at, lambda: asyncio.get_running_loop().call_soon(act))
            task = asyncio.create_task(watched())
            try:
                await task
            except CertificateRejected:
                assert not trusting
            except (asyncio.CancelledError, TimeoutError) as error:
                assert isinstance(error, outcome)
                assert moment.acted
            else:
                assert trusting
            return moment.acted

        async def main() -> None:
            async with serving(on_error=lambda error, _: None) as port:
                at = 1
                while await attempt(port, at):
                    at += 1
                assert at > 3
                reader, writer = await dial(port)
                writer.write(b"x")
                assert await reader.readexactly(1) == b"x"
                await hang_up(writer)

        run(main())

    def test_reads_drains_and_closes_can_be_cancelled(self) -> None:
        async def main() -> None:
            async with serving() as port:
                reader, writer = await dial(port)
                for pending in (reader.read(1), reader.readexactly(2), reader.readline(), reader.read()):
                    task = asyncio.create_task(pending)
                    await asyncio.sleep(0.005)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                writer.write(b"still whole\n")
                assert await reader.readline() == b"still whole\n"
                writer.close()
                task = asyncio.create_task(writer.wait_closed())
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await writer.wait_closed()

        run(main())

    def test_a_decision_that_is_cancelled_with_its_connection(self) -> None:
        async def forever(decision: Any) -> Any:
            await asyncio.sleep(PATIENCE * 10)

        async def main() -> None:
            async with serving(on_error=lambda error, _: None) as port:
                with pytest.raises(TimeoutError):
                    await dial(
                        port, client_settings(ask=frozenset({VerifyPeer})), handshake_timeout=0.1, decide=forever
                    )

        run(main())

    def test_a_loop_that_ends_with_connections_open_complains_of_nothing(self) -> None:
        async def main() -> None:
            server = await aio.start_server(echo, server_settings())
            _, writer = await dial(server.sockets[0].getsockname()[1])
            writer.close()
            server.close()

        run(main())
