"""Streams over asyncio: tasks that are cancelled, anywhere."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aio_loopback import dial, echo, hang_up, run, serving
from certificates import stranger
from loopback import PATIENCE, client_settings, server_settings

from tlscope import CertificateRejected, TrustAnchors, VerifyPeer, aio


async def steps(task: asyncio.Task[Any], count: int) -> None:
    """Let the loop go round so many times, or until the task is done."""
    for _ in range(count):
        if task.done():
            return
        await asyncio.sleep(0)


class TestCancellation:
    def test_open_connection_cancelled_at_every_await(self) -> None:
        """After each cancellation nothing is left open, nothing is logged as lost, and the server serves on."""
        completed = 0

        async def main() -> None:
            nonlocal completed
            async with serving(on_error=lambda error, _: None) as port:
                for count in range(400):
                    task = asyncio.create_task(dial(port))
                    await steps(task, count)
                    if task.done():
                        await hang_up(task.result()[1])
                        completed += 1
                        if completed == 3:
                            break
                        continue
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                reader, writer = await dial(port)
                writer.write(b"x")
                assert await reader.readexactly(1) == b"x"
                await hang_up(writer)

        run(main())
        assert completed == 3

    def test_a_refusal_cancelled_at_every_await(self) -> None:
        refused = 0

        async def main() -> None:
            nonlocal refused
            config = client_settings(trust=TrustAnchors.from_certificates([stranger().certificate]))
            async with serving(on_error=lambda error, _: None) as port:
                for count in range(400):
                    task = asyncio.create_task(dial(port, config))
                    await steps(task, count)
                    task.cancel()
                    with pytest.raises((asyncio.CancelledError, CertificateRejected)) as caught:
                        await task
                    refused += isinstance(caught.value, CertificateRejected)
                    if refused == 3:
                        break

        run(main())
        assert refused == 3

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
