"""The rows of servers with tlscope's own modules under them: what an application is told of its client, and 403s."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from compat_exchange import BODY, LIMIT, NAME, Exchange, refusal, row
from compat_servers import _ask_twice, application, gunicorn_command, server_process
from compat_standard import _limited


class Looking:
    """An ASGI application that keeps what it is told of its clients."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            self.seen.append((f"{scope['type']} {scope['http_version']}", scope["extensions"]["tls"]))
        if scope["type"] != "websocket":
            await application(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "bytes": message["bytes"]})
        await receive()

    def check(self, x: Exchange, *kinds: str) -> None:
        """The extension was there in full, in requests of these kinds."""
        assert {kind for kind, _ in self.seen} == set(kinds), self.seen
        for _, tls in self.seen:
            assert (tls["tls_version"], tls["client_cert_error"]) == (0x0304, None)
            assert tls["cipher_suite"] in (0x1301, 0x1302, 0x1303)
            assert Path(x.files.server).read_text().startswith(tls["server_cert"].strip())
            assert tls["client_cert_name"] == ("CN=alice" if x.mutual else None)
            # OpenSSL sends the root along where it trusts it.
            sent = "".join(tls["client_cert_chain"]).split()
            shown = Path(x.files.client).read_text().split() if x.mutual else []
            assert sent[: len(shown)] == shown and bool(sent) is x.mutual


def _websocket(context: Any, port: int) -> None:
    from websockets.sync.client import connect

    with connect(f"wss://{NAME}:{port}/", ssl=context, max_size=None) as connection:
        connection.send(BODY)
        assert connection.recv(LIMIT) == BODY


def _http2(context: Any, port: int) -> tuple[int, bytes]:
    import httpx

    with httpx.Client(verify=context, http2=True, trust_env=False) as client:
        answer = client.get(f"https://{NAME}:{port}/")
        assert answer.http_version == "HTTP/2"
        return answer.status_code, answer.content


def _ask_all(x: Exchange, port: int) -> None:
    _ask_twice(x, port)
    _websocket(x.peer_client("http/1.1"), port)


def _ask_all_and_http2(x: Exchange, port: int) -> None:
    _ask_all(x, port)
    assert _http2(x.peer_client("h2"), port) == (200, BODY)


Serve = Callable[[Any, Any, Callable[[int], None]], None]
"""Serve an application with a context while a client, given the port, asks."""


def _uvicorn(websockets: str, loop: str = "asyncio") -> Serve:
    def serve(app: Any, context: Any, ask: Callable[[int], None]) -> None:
        import uvicorn

        import tlscope.uvicorn

        settings: dict[str, Any] = {"loop": loop, "log_level": "error", "lifespan": "off", "port": 0}
        server = uvicorn.Server(tlscope.uvicorn.config(app, tls=context, ws=websockets, **settings))

        async def main() -> None:
            task = asyncio.create_task(server._serve())
            while not server.started:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(ask, server.servers[0].sockets[0].getsockname()[1])
            server.should_exit = True
            await task

        importlib.import_module(loop).run(_limited(main()))

    return serve


def _hypercorn_config(listener: socket.socket) -> Any:
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{os.dup(listener.fileno())}"]
    config.accesslog = config.errorlog = None
    return config


def _hypercorn(app: Any, context: Any, ask: Callable[[int], None]) -> None:
    import tlscope.hypercorn

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            stop = asyncio.Event()
            config = _hypercorn_config(listener)
            task = asyncio.create_task(
                tlscope.hypercorn.serve(app, config, tls=context, shutdown_trigger=stop.wait)  # type: ignore[func-returns-value]
            )
            await asyncio.to_thread(ask, listener.getsockname()[1])
            stop.set()
            await task

    asyncio.run(_limited(main()))


def _hypercorn_trio(app: Any, context: Any, ask: Callable[[int], None]) -> None:
    import trio

    import tlscope.hypercorn

    async def main() -> None:
        with trio.fail_after(LIMIT), socket.create_server(("127.0.0.1", 0)) as listener:
            stop = trio.Event()
            config = _hypercorn_config(listener)
            async with trio.open_nursery() as nursery:

                async def serve() -> None:
                    await tlscope.hypercorn.serve(app, config, tls=context, shutdown_trigger=stop.wait)

                nursery.start_soon(serve)
                await trio.to_thread.run_sync(ask, listener.getsockname()[1])
                stop.set()

    trio.run(main)


_ASGI: tuple[tuple[str, Serve, tuple[str, ...], bool], ...] = (
    ("uvicorn with tlscope.uvicorn", _uvicorn("websockets"), ("uvicorn", "websockets"), False),
    ("uvicorn with tlscope.uvicorn, on uvloop", _uvicorn("wsproto", "uvloop"), ("uvicorn", "wsproto", "uvloop"), False),
    ("hypercorn with tlscope.hypercorn", _hypercorn, ("hypercorn", "h2", "httpx"), True),
    ("hypercorn with tlscope.hypercorn, trio", _hypercorn_trio, ("hypercorn", "h2", "httpx", "trio"), True),
)


def _told(serve: Serve, http2: bool) -> Callable[[Exchange], None]:
    def run(x: Exchange) -> None:
        """The application finds the ASGI TLS extension in its scope."""
        app = Looking()
        ask = _ask_all_and_http2 if http2 else _ask_all
        context = x.server("h2", "http/1.1") if http2 else x.server()
        serve(app, context, lambda port: ask(x, port))
        app.check(x, "http 1.1", "websocket 1.1", *(["http 2"] if http2 else []))

    return run


def _forbidden(serve: Serve, http2: bool) -> Callable[[Exchange, str], None]:
    def run(x: Exchange, by: str) -> None:
        """A client that shows nothing, or what is not trusted, is told so in a 403, or the application is told."""
        app = Looking()
        context = x.server("h2", "http/1.1") if http2 else x.server()
        context.refuse_clients_by = by

        def ask(port: int) -> None:
            status, said = x.ask_refused(port)
            if by == "answer":
                assert (status, x.reason in said) == (403, True), (status, said)
            else:
                assert (status, said) == (200, BODY.decode())
            if http2:
                status, _ = _http2(x.refused_client("h2"), port)
                assert status == (403 if by == "answer" else 200)
            if by == "answer":
                _refused_websocket(x, port)
            else:
                _websocket(x.refused_client("http/1.1"), port)

        serve(app, context, ask)
        if by == "answer":
            assert app.seen == []
        for _, tls in app.seen:
            assert x.reason in tls["client_cert_error"], tls
            assert bool(tls["client_cert_chain"]) is bool(tls["client_cert_name"]) is x.shows

    return run


def _refused_websocket(x: Exchange, port: int) -> None:
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    try:
        with connect(f"wss://{NAME}:{port}/", ssl=x.refused_client("http/1.1")):
            raise AssertionError("a refused client has a websocket")
    except InvalidStatus as error:
        assert error.response.status_code == 403


for _name, _serve, _packages, _two in _ASGI:
    row(_name, "server", *_packages)(_told(_serve, _two))
    refusal(_name, *_packages)(_forbidden(_serve, _two))


_GUNICORN = """\
import ssl
certfile, keyfile = {files.server!r}, {files.server_key!r}
{mutual}
{hook}
"""

_HOOK = """\
def ssl_context(config, default_ssl_context_factory):
    context = default_ssl_context_factory()
    context.refuse_clients_by = {by!r}
    return context
"""

_WSGI = """\
import json

def application(environ, start_response):
    assert type(environ["gunicorn.socket"]).__module__ == "tlscope.gunicorn"
    told = {name: value for name, value in environ.items() if "SSL" in name or "CERT" in name or name == "HTTPS"}
    body = json.dumps(told).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@contextmanager
def _gunicorn(x: Exchange, worker: str, by: str = "", *, http2: bool = False) -> Iterator[int]:
    with TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as listener:
        directory, port = Path(name), listener.getsockname()[1]
        mutual = f"ca_certs = {x.files.ca!r}\ncert_reqs = ssl.CERT_REQUIRED" if x.mutual or by else ""
        hook = _HOOK.format(by=by) if by else ""
        settings = _GUNICORN.format(files=x.files, mutual=mutual, hook=hook)
        (directory / "settings.py").write_text(settings + ('http_protocols = "h2,h1"\n' if http2 else ""))
        (directory / "program.py").write_text(_WSGI)
        listener.set_inheritable(True)
        command = gunicorn_command(f"tlscope.gunicorn.{worker}", listener)
        with server_process(command, port, cwd=directory, pass_fds=[listener.fileno()]):
            yield port


_FORGED = {
    "SSL_CLIENT_VERIFY": "SUCCESS",
    "Ssl-Client-Verify": "SUCCESS",
    "SSL-Client-S-DN": "CN=root",
    "X-SSL-Client-S-DN-CN": "root",
    "Client-Cert": ":MIIB:",
    "X-Forwarded-Client-Cert": "Subject=root",
    "Connection": "keep-alive, SSL-Client-Verify, HTTPS",
}


def _variables(x: Exchange, port: int, context: Any) -> tuple[int, str]:
    """Ask, with headers that would make somebody of the client."""
    import http.client

    connection = http.client.HTTPSConnection(NAME, port, context=context, timeout=LIMIT)
    try:
        connection.request("GET", "/", headers=_FORGED)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def _gunicorn_told(worker: str, *, http2: bool = False) -> Callable[[Exchange], None]:
    def run(x: Exchange) -> None:
        with _gunicorn(x, worker, http2=http2) as port:
            for _ in range(2):
                status, said = _variables(x, port, x.peer_client())
                assert status == 200
                _check_variables(x, json.loads(said))
            if http2:
                status, content = _http2(x.peer_client("h2"), port)
                _check_variables(x, json.loads(content))

    return run


def _check_variables(x: Exchange, told: dict[str, str]) -> None:
    assert [name for name in told if name.startswith("HTTP_")] == []
    assert (told["HTTPS"], told["SSL_PROTOCOL"]) == ("on", "TLSv1.3")
    assert told["SSL_CIPHER"] in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
    assert told["SSL_SERVER_SAN_DNS_0"] == NAME
    assert told["SSL_CLIENT_VERIFY"] == ("SUCCESS" if x.mutual else "NONE")
    assert told.get("SSL_CLIENT_S_DN_CN") == ("alice" if x.mutual else None)
    if x.mutual:
        described = ssl._ssl._test_decode_cert(x.files.client)  # type: ignore[attr-defined]
        assert told["SSL_CLIENT_M_SERIAL"] == described["serialNumber"]
        assert (told["SSL_CLIENT_V_START"], told["SSL_CLIENT_V_END"]) == (described["notBefore"], described["notAfter"])
        assert Path(x.files.client).read_text().startswith(told["SSL_CLIENT_CERT"].strip())


def _gunicorn_forbidden(worker: str) -> Callable[[Exchange, str], None]:
    def run(x: Exchange, by: str) -> None:
        with _gunicorn(x, worker, by) as port:
            status, said = _variables(x, port, x.refused_client())
            if by == "answer":
                assert status == 403 and x.reason in said, (status, said)
                return
            told = json.loads(said)
            assert told["SSL_CLIENT_VERIFY"].startswith("FAILED:") and x.reason in told["SSL_CLIENT_VERIFY"], told
            assert [name for name in told if name.startswith("SSL_CLIENT_") and name != "SSL_CLIENT_VERIFY"] == []

    return run


for _worker in ("SyncTLSWorker", "ThreadTLSWorker"):
    row(f"gunicorn with tlscope.gunicorn.{_worker}", "server", "gunicorn", elsewhere=True)(_gunicorn_told(_worker))
    refusal(f"gunicorn with tlscope.gunicorn.{_worker}", "gunicorn")(_gunicorn_forbidden(_worker))
row("gunicorn with tlscope.gunicorn.ThreadTLSWorker, HTTP/2", "server", "gunicorn", "h2", "httpx", elsewhere=True)(
    _gunicorn_told("ThreadTLSWorker", http2=True)
)
