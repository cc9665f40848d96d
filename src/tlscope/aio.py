"""tlscope over asyncio: ``from tlscope import aio``, then ``aio.open_connection`` and ``aio.start_server``."""

from __future__ import annotations

from .io.aio import TLSStreamReader, create_connection, open_connection, start_server

__all__ = ["TLSStreamReader", "create_connection", "open_connection", "start_server"]
