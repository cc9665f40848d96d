"""How a handshake over asyncio goes, for whoever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from .protocol import TLSProtocol

__all__ = ["Outcome"]


class Outcome:
    """What ``TLSProtocol`` tells, by way of ``tell``, and one task waits for, in ``seconds`` at most."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # A task that is cancelled in the moment in which it is told of a failure does not look at it.
        self._told.add_done_callback(lambda told: told.cancelled() or told.exception())

    def tell(self, protocol: TLSProtocol, error: Exception | None) -> None:
        """Take what became of the handshake."""
        if not self._told.done():
            if error is None:
                self._told.set_result(None)
            else:
                self._told.set_exception(error)

    async def wait(
        self, protocol: TLSProtocol, connecting: Awaitable[object] | None = None, place: str = "the peer"
    ) -> None:
        """Wait until the connection is made and the handshake complete; end it where that does not come about.

        Raises what it failed with, ``TimeoutError`` where ``place`` could not be reached in time, ``HandshakeTimeout``
        where it was slow from then on.
        """
        try:
            async with asyncio.timeout(self._seconds) as limit:
                if connecting is not None:
                    await connecting
                await self._told
        except BaseException as error:
            self._told.cancel()
            protocol.abort()
            if isinstance(error, TimeoutError) and limit.expired():
                if protocol.raw is None:
                    raise TimeoutError(f"{place} could not be reached within {self._seconds} s") from None
                awaited = protocol.awaited(self._seconds)
                raise protocol.connection.receive_timeout(awaited, self._seconds) from None
            raise
