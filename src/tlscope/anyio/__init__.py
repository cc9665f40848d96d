"""tlscope over anyio, and so over asyncio and trio: ``from tlscope.anyio import connect_tcp, TLSListener, TLSStream``.

    async with await connect_tcp("localhost", 8443, config) as stream:
        await stream.send(b"...")

The names and the manners are those of ``anyio.streams.tls``, with a ``ClientConfig`` or ``ServerConfig`` where that takes an
``ssl.SSLContext``. It needs anyio: ``pip install "tlscope[anyio]"``.
"""

from __future__ import annotations

try:
    from anyio.streams.tls import TLSAttribute
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] != "anyio":
        raise
    raise ImportError('tlscope.anyio needs the package anyio: pip install "tlscope[anyio]"', name="anyio") from None

from .attributes import ConnectionAttribute
from .connecting import TLSConnectable, TLSListener, connect_tcp
from .stream import TLSStream

__all__ = ["ConnectionAttribute", "TLSAttribute", "TLSConnectable", "TLSListener", "TLSStream", "connect_tcp"]
