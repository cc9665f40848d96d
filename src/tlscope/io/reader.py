"""asyncio's reader and its protocol, which keep apart what asyncio takes for the same: a clean end, and a failure."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

from ..errors import Misuse

__all__ = ["TLSStreamProtocol", "TLSStreamReader"]


class TLSStreamReader(asyncio.StreamReader):
    """asyncio's reader, which hands out all that arrived before the connection failed, and then raises why it did.

    A clean end, with close_notify, is an ordinary end of file. Anything else can't be taken for one: ``read()`` and
    ``readexactly()`` raise ``TruncatedStream`` or what else happened where asyncio would give a part. So does a connection
    that this side closes while it reads: ``Misuse``, since nobody knows what the peer would still have sent.
    """

    _failure: Exception | None = None

    def set_exception(self, exc: Exception) -> None:
        """Fail, after what is in the buffer."""
        self._failure = exc
        self.feed_eof()

    def exception(self) -> Exception | None:
        """What the connection failed with, at once."""
        return self._failure

    async def read(self, n: int = -1) -> bytes:
        """As asyncio's."""
        data = await super().read(n)
        if not data and n != 0 and self._failure is not None:
            raise self._failure
        return data

    async def readexactly(self, n: int) -> bytes:
        """As asyncio's."""
        try:
            return await super().readexactly(n)
        except asyncio.IncompleteReadError as incomplete:
            self._raise_why(incomplete)

    async def readuntil(self, separator: Any = b"\n") -> bytes:
        """As asyncio's."""
        try:
            return await super().readuntil(separator)
        except asyncio.IncompleteReadError as incomplete:
            self._raise_why(incomplete)

    def _raise_why(self, incomplete: asyncio.IncompleteReadError) -> NoReturn:
        if self._failure is not None:
            raise self._failure from incomplete
        raise incomplete


class TLSStreamProtocol(asyncio.StreamReaderProtocol):
    """asyncio's, but it says why the connection is gone, and a cancelled ``wait_closed`` can be called again."""

    def __init__(self, reader: TLSStreamReader, client_connected_cb: Any = None) -> None:
        super().__init__(reader, client_connected_cb, asyncio.get_running_loop())
        self._failure: Exception | None = None
        self._peer_ended = False

    def eof_received(self) -> bool | None:
        """Take note that the peer has ended."""
        self._peer_ended = True
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever reads or writes."""
        self._failure = exc
        reader: Any = self._stream_reader  # type: ignore[attr-defined]
        if exc is None and not self._peer_ended and reader is not None:
            reader.set_exception(Misuse("the connection was closed while it was read", code="closed"))
        super().connection_lost(exc)

    async def _drain_helper(self) -> None:
        transport: Any = self._transport  # type: ignore[attr-defined]
        if transport is not None and transport.dropped:
            raise transport.failure or Misuse("nothing more can be sent: the connection was closed", code="closed")
        try:
            await super()._drain_helper()  # type: ignore[misc]
        except ConnectionResetError as lost:
            raise self._failure or lost from None

    def _get_close_waiter(self, stream: asyncio.StreamWriter) -> asyncio.Future[None]:
        waiter: asyncio.Future[None] = super()._get_close_waiter(stream)  # type: ignore[misc]
        return asyncio.shield(waiter)
