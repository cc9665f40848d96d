"""One side of the load's measurement: uvicorn with a context of ``ssl`` or of ``tlscope.ssl``, in an environment with both.

python load_server.py ssl|tlscope PORT CERTIFICATE LOOP HTTP
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import uvicorn

BODIES = {"/": b"hello\n", "/mib": bytes(1 << 20)}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """A few bytes, or 1 MiB."""
    if scope["type"] != "http":
        return
    body = BODIES[scope["path"]]
    headers = [(b"content-type", b"application/octet-stream"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main(side: str, port: str, certificate: str, loop: str, http: str) -> None:
    """Serve until the process is told to end."""
    ssl = importlib.import_module({"ssl": "ssl", "tlscope": "tlscope.ssl"}[side])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(port),
        loop=loop,
        http=http,
        log_level="error",
        lifespan="off",
        ssl_context_factory=lambda *_: context,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
