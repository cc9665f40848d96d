"""The rows of servers that come as packages; the other side is a client of the standard library's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from compat_exchange import BODY, LIMIT, NAME, Exchange, row
from compat_standard import _limited


async def application(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that answers with the body."""
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": BODY})


def _ask_twice(x: Exchange, port: int) -> None:
    for _ in range(2):
        assert x.fetch(port) == BODY


@row("aiohttp", "server", "aiohttp")
def aiohttp_server(x: Exchange) -> None:
    from aiohttp import web

    async def answer(request: Any) -> Any:
        x.check_peer(request.transport.get_extra_info("peercert"))
        return web.Response(body=BODY)

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=x.server())
        await site.start()
        await asyncio.to_thread(_ask_twice, x, runner.addresses[0][1])
        await runner.cleanup()

    asyncio.run(_limited(main()))


def _uvicorn(x: Exchange, loop: str) -> None:
    import uvicorn

    settings: dict[str, Any] = {"loop": loop, "log_level": "error", "lifespan": "off", "port": 0}
    # uvicorn refuses a factory's context where it is not asked for TLS with a file.
    config = uvicorn.Config(application, ssl_context_factory=lambda config, default: x.server(), **settings)
    server = uvicorn.Server(config)

    async def main() -> None:
        task = asyncio.create_task(server._serve())
        while not server.started:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(_ask_twice, x, server.servers[0].sockets[0].getsockname()[1])
        server.should_exit = True
        await task

    if loop == "uvloop":
        import uvloop

        uvloop.run(_limited(main()))
    else:
        asyncio.run(_limited(main()))


@row("uvicorn", "server", "uvicorn")
def uvicorn_server(x: Exchange) -> None:
    _uvicorn(x, "asyncio")


@row("uvicorn on uvloop", "server", "uvicorn", "uvloop")
def uvicorn_uvloop(x: Exchange) -> None:
    _uvicorn(x, "uvloop")


@row("hypercorn, HTTP/1.1 and HTTP/2", "server", "hypercorn", "h2", "httpx")
def hypercorn_server(x: Exchange) -> None:
    import httpx
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    def ask(port: int) -> None:
        _ask_twice(x, port)
        with httpx.Client(verify=x.peer_client(), http2=True, trust_env=False) as client:
            answer = client.get(f"https://{NAME}:{port}/")
            assert (answer.http_version, answer.content) == ("HTTP/2", BODY)

    async def main() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        config = Config()
        config.bind = [f"fd://{os.dup(listener.fileno())}"]
        config.accesslog = config.errorlog = None
        config.certfile, config.keyfile = x.files.server, x.files.server_key
        if x.mutual:
            config.ca_certs = x.files.ca
            import ssl

            config.verify_mode = ssl.CERT_REQUIRED
        stop = asyncio.Event()
        with x.injected():
            task = asyncio.create_task(serve(application, config, shutdown_trigger=stop.wait))
            await asyncio.sleep(0.3)
        await asyncio.to_thread(ask, listener.getsockname()[1])
        stop.set()
        await task
        listener.close()

    asyncio.run(_limited(main()))


_GUNICORN = """\
import tlscope
tlscope.inject_into_ssl()
import ssl
certfile, keyfile = {certificate!r}, {key!r}
{mutual}
"""

_WSGI = f"""\
def application(environ, start_response):
    assert type(environ["gunicorn.socket"]).__module__ == "tlscope.ssl.sockets"
    start_response("200 OK", [("Content-Length", "{len(BODY)}")])
    return [{BODY[:16]!r} * {len(BODY) // 16}]
"""


def _until_listening(port: int, process: Any) -> None:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("the server never listened")


def _gunicorn(x: Exchange, worker: str) -> None:
    with TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as listener:
        directory, port = Path(name), listener.getsockname()[1]
        mutual = f"ca_certs = {x.files.ca!r}\ncert_reqs = ssl.CERT_REQUIRED" if x.mutual else ""
        (directory / "settings.py").write_text(
            _GUNICORN.format(certificate=x.files.server, key=x.files.server_key, mutual=mutual)
        )
        (directory / "program.py").write_text(_WSGI)
        listener.set_inheritable(True)
        command = gunicorn_command(worker, listener)
        with server_process(command, port, cwd=directory, pass_fds=[listener.fileno()]):
            _ask_twice(x, port)


def gunicorn_command(worker: str, listener: socket.socket) -> list[str]:
    """gunicorn with its settings in ``settings.py`` and its application in ``program.py``."""
    command = [sys.executable, "-Wignore", "-m", "gunicorn", "-c", "settings.py", "-k", worker]
    # With threads gunicorn takes another worker than the one that it is asked for, where that is its sync.
    command += ["--threads", "2"] if "thread" in worker.lower() else []
    command += ["-b", f"fd://{listener.fileno()}", "--log-level", "error", "--no-control-socket"]
    return [*command, "program:application"]


@contextmanager
def server_process(command: list[str], port: int, **settings: Any) -> Iterator[None]:
    """A server in a process of its own, which listens by now, and must have had no error by the end."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **settings)
    try:
        _until_listening(port, process)
        yield
    finally:
        process.terminate()
        _, said = process.communicate(timeout=LIMIT)
    assert b"Traceback" not in said, said


@row("gunicorn, sync", "server", "gunicorn", elsewhere=True)
def gunicorn_sync(x: Exchange) -> None:
    _gunicorn(x, "sync")


@row("gunicorn, gthread", "server", "gunicorn", elsewhere=True)
def gunicorn_gthread(x: Exchange) -> None:
    _gunicorn(x, "gthread")


@row("websockets, asyncio and sync", "server", "websockets")
def websockets_server(x: Exchange) -> None:
    from websockets.asyncio.server import serve
    from websockets.sync.client import connect
    from websockets.sync.server import serve as serve_sync

    def ask(port: int) -> None:
        with connect(f"wss://{NAME}:{port}/", ssl=x.peer_client(), max_size=None) as connection:
            connection.send(BODY)
            assert connection.recv(LIMIT) == BODY

    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    def echo_sync(connection: Any) -> None:
        for message in connection:
            connection.send(message)

    async def main() -> None:
        async with serve(echo, "127.0.0.1", 0, ssl=x.server(), max_size=None) as server:
            await asyncio.to_thread(ask, next(iter(server.sockets)).getsockname()[1])

    asyncio.run(_limited(main()))
    with serve_sync(echo_sync, "127.0.0.1", 0, ssl=x.server(), max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        ask(server.socket.getsockname()[1])
        server.shutdown()
        thread.join(LIMIT)


@row("anyio.TLSListener, on asyncio and trio", "server", "anyio", "trio")
def anyio_server(x: Exchange) -> None:
    import anyio
    from anyio.streams.tls import TLSAttribute, TLSListener

    async def echo(stream: Any) -> None:
        x.check_peer(stream.extra(TLSAttribute.peer_certificate, None))
        with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            async with stream:
                while True:
                    await stream.send(await stream.receive())

    async def main() -> None:
        with anyio.fail_after(LIMIT):
            tcp = await anyio.create_tcp_listener(local_host="127.0.0.1")
            port = tcp.extra(anyio.abc.SocketAttribute.local_port)
            async with anyio.create_task_group() as group:
                group.start_soon(TLSListener(tcp, x.server(), standard_compatible=False).serve, echo)
                await anyio.to_thread.run_sync(x.echoed, port)
                group.cancel_scope.cancel()

    for backend in ("asyncio", "trio"):
        anyio.run(main, backend=backend)


@row("trio.SSLListener", "server", "trio")
def trio_server(x: Exchange) -> None:
    import trio

    async def echo(stream: Any) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            async with stream:
                async for data in stream:
                    await stream.send_all(data)

    async def main() -> None:
        with trio.fail_after(LIMIT):
            async with trio.open_nursery() as nursery:
                serving: Callable[..., Any] = trio.serve_ssl_over_tcp
                settings = {"host": "127.0.0.1", "https_compatible": True}

                async def serve(task_status: Any) -> None:
                    await serving(echo, 0, x.server(), task_status=task_status, **settings)

                listeners = await nursery.start(serve)
                port = listeners[0].transport_listener.socket.getsockname()[1]
                await trio.to_thread.run_sync(x.echoed, port)
                nursery.cancel_scope.cancel()

    trio.run(main)


@row("tornado", "server", "tornado")
def tornado_server(x: Exchange) -> None:
    from tornado import httpserver, netutil, web

    class Handler(web.RequestHandler):
        def get(self) -> None:
            x.check_peer(self.request.get_ssl_certificate())
            self.write(BODY)

    async def main() -> None:
        server = httpserver.HTTPServer(web.Application([("/", Handler)]), ssl_options=x.server())
        sockets = netutil.bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        await asyncio.to_thread(_ask_twice, x, sockets[0].getsockname()[1])
        server.stop()
        await server.close_all_connections()

    asyncio.run(_limited(main()))


@contextmanager
def _cheroot(server: Any) -> Iterator[int]:
    server.prepare()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server.bind_addr[1]
    finally:
        server.stop()
        thread.join(LIMIT)


@row("cheroot", "server", "cheroot")
def cheroot_server(x: Exchange) -> None:
    from cheroot.ssl.builtin import BuiltinSSLAdapter
    from cheroot.wsgi import Server

    seen = []

    def answer(environ: Any, start_response: Any) -> Any:
        seen.append(environ.get("SSL_CLIENT_S_DN_CN"))
        start_response("200 OK", [("Content-Length", str(len(BODY)))])
        return [BODY]

    with x.injected():
        adapter = BuiltinSSLAdapter(x.files.server, x.files.server_key, x.files.ca)
    if x.mutual:
        import ssl

        adapter.context.verify_mode = ssl.CERT_REQUIRED
    server = Server(("127.0.0.1", 0), answer)
    server.ssl_adapter = adapter
    with _cheroot(server) as port:
        _ask_twice(x, port)
    assert seen == 2 * ["alice" if x.mutual else None]
