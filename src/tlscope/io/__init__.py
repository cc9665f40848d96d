"""Input and output: blocking sockets, asyncio (see ``tlscope.aio``), and the key log's file.

Thin pumps over ``connection.py``.
"""

from __future__ import annotations

from .blocking import TLSStream, connect
from .keylog import key_log_file
from .replay import FileReplayGuard
from .server import Server, serve

__all__ = ["FileReplayGuard", "Server", "TLSStream", "connect", "key_log_file", "serve"]
