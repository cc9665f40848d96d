"""tlscope over asyncio: ``from tlscope import aio``, then ``aio.open_connection``, ``start_server`` and ``start_tls``."""

from __future__ import annotations

from .io.aio import TLSStreamReader, create_connection, open_connection, start_server
from .io.upgrade import start_tls

__all__ = ["TLSStreamReader", "create_connection", "open_connection", "start_server", "start_tls"]
