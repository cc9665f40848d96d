"""TLS over a connection of asyncio's that has begun in the open, as after STARTTLS."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn

from ..config import ClientConfig, ServerConfig
from ..connection import make_connection
from ..errors import Misuse
from .outcome import Outcome
from .protocol import Decide, TLSProtocol
from .reader import TLSStreamProtocol, TLSStreamReader
from .transport import TLSTransport

if TYPE_CHECKING:
    from ..trace import Sink

__all__ = ["start_tls"]

_SPENT = "the connection went over to TLS: use the reader and writer that start_tls gave"


async def start_tls(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    config: ClientConfig | ServerConfig,
    *,
    server_name: str | None = None,
    handshake_timeout: float | None = 10.0,
    limit: int = 64 * 1024,
    trace: Sink | None = None,
    decide: Decide | None = None,
    early_data: bytes = b"",
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Go on in TLS over a connection that is open already; gives a reader and a writer in place of these.

    A ``ClientConfig`` makes this side the client, and ``server_name`` is whom the certificate must be for; a
    ``ServerConfig`` makes it the server. ``handshake_timeout`` is in seconds, ``limit`` the new reader's, in bytes. What was
    written before goes out before the handshake. What has arrived and was not read belongs to the handshake: nothing that
    somebody put before it is ever taken for something that came through TLS. The pair that was handed in can't be used
    any more: writing to it and reading from it raise ``Misuse``, closing it closes the connection.

    Raises ``TLSError`` and closes the connection where the handshake fails, so that nobody can go on in the open; ``Misuse``
    and leaves it as it was where it can't begin.
    """
    connection = make_connection(config, server_name, trace)
    await writer.drain()
    raw: Any = writer.transport
    if raw.is_closing():
        raise Misuse("the connection is closed, so it can't go over to TLS", code="closed")
    if getattr(reader, "_waiter", None) is not None:
        raise Misuse("another task reads from the connection, so it can't go over to TLS")
    loop = asyncio.get_running_loop()
    outcome = Outcome(handshake_timeout)
    secured = TLSStreamReader(limit=limit, loop=loop)
    application = TLSStreamProtocol(secured)
    protocol = _Upgraded(
        connection, lambda: application, outcome.tell, decide=decide, early_data=early_data, before=raw.get_protocol()
    )
    # From here to the first wait nothing can come in between.
    raw.set_protocol(protocol)
    arrived, ended = _take_over(reader, writer, protocol)
    raw.resume_reading()
    protocol.connection_made(raw)
    if arrived:
        protocol.data_received(arrived)
    if ended and not protocol.closing:
        protocol.eof_received()
    await outcome.wait(protocol)
    return secured, asyncio.StreamWriter(protocol.transport, application, secured, loop)


def _take_over(reader: Any, writer: Any, protocol: TLSProtocol) -> tuple[bytes, bool]:
    """Leave the old pair good for nothing; gives what had arrived and was not read, and whether the peer had ended."""
    arrived, ended = bytes(reader._buffer), reader._eof
    reader._buffer.clear()
    reader.set_exception(Misuse(_SPENT, code="spent"))
    writer._transport = _Spent(protocol)
    return arrived, ended


class _Upgraded(TLSProtocol):
    """A connection that another protocol had before; whoever still waits for that one's end learns of it."""

    def __init__(self, *args: Any, before: asyncio.BaseProtocol, **options: Any) -> None:
        super().__init__(*args, **options)
        self._before = before

    def connection_lost(self, problem: Exception | None) -> None:
        """Tell both."""
        super().connection_lost(problem)
        self._before.connection_lost(problem)


class _Spent(TLSTransport):
    """What the old writer writes to: nothing goes out in the open, and nothing by mistake into the new connection."""

    def write(self, data: bytes | bytearray | memoryview) -> NoReturn:
        """Raise ``Misuse``."""
        raise Misuse(_SPENT, code="spent")

    def write_eof(self) -> NoReturn:
        """Raise ``Misuse``."""
        raise Misuse(_SPENT, code="spent")

    def is_closing(self) -> bool:
        """True, so that a writer that is thrown away leaves the connection alone."""
        return True
