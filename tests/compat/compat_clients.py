"""The rows of clients that come as packages, each with its own way to be given a context, or with none at all."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from compat_exchange import BODY, LIMIT, NAME, Exchange, row
from compat_standard import (
    _limited,
    asyncio_client,
    asyncio_server,
    asyncio_server_start_tls,
    asyncio_start_tls,
    smtp_starttls_server,
)


def _url(port: int) -> str:
    return f"https://{NAME}:{port}/"


@row("requests", "client", "requests")
def requests_client(x: Exchange) -> None:
    import requests

    with x.web() as port, x.injected(), requests.Session() as session:
        session.trust_env = False
        for _ in range(2):
            assert session.get(_url(port), verify=x.files.ca, cert=x.identity, timeout=LIMIT).content == BODY
        assert session.post(_url(port), BODY, verify=x.files.ca, cert=x.identity, timeout=LIMIT).content == BODY


def _niquests(x: Exchange, port: int, version: int) -> None:
    import niquests

    with x.injected(), niquests.Session(disable_http3=True, disable_http1=version == 2) as session:
        session.trust_env = False
        for _ in range(2):
            answer = session.get(_url(port), verify=x.files.ca, cert=x.identity, timeout=LIMIT)
            assert answer.content == BODY
            assert answer.http_version == 10 * version + (version == 1)


@row("niquests, HTTP/1.1", "client", "niquests")
def niquests_client(x: Exchange) -> None:
    with x.web() as port:
        _niquests(x, port, 1)


@row("niquests, HTTP/2", "client", "niquests", "h2")
def niquests_http2(x: Exchange) -> None:
    with http2(x) as port:
        _niquests(x, port, 2)


@row("niquests async", "client", "niquests")
def niquests_async(x: Exchange) -> None:
    import niquests

    async def main(port: int) -> None:
        async with niquests.AsyncSession(disable_http3=True) as session:
            session.trust_env = False
            for _ in range(2):
                answer = await session.get(_url(port), verify=x.files.ca, cert=x.identity, timeout=LIMIT)
                assert answer.content == BODY

    with x.web() as port, x.injected():
        asyncio.run(_limited(main(port)))


@row("urllib3", "client", "urllib3")
def urllib3_client(x: Exchange) -> None:
    import urllib3

    with x.web() as port, urllib3.PoolManager(ssl_context=x.client(), timeout=LIMIT, retries=False) as pool:
        assert pool.request("GET", _url(port)).data == BODY
        assert pool.request("POST", _url(port), body=BODY).data == BODY


def _pipe(a: Any, b: Any) -> None:
    with contextlib.suppress(OSError):
        while data := a.recv(65536):
            b.sendall(data)
    with contextlib.suppress(OSError):
        b.shutdown(socket.SHUT_WR)


@row("urllib3, TLS in TLS through a proxy", "client", "urllib3")
def urllib3_tls_in_tls(x: Exchange) -> None:
    import threading

    import urllib3

    def proxy(sock: Any, context: Any) -> None:
        with context.wrap_socket(sock, server_side=True) as tls:
            asked = b""
            while not asked.endswith(b"\r\n\r\n"):
                asked += tls.recv(4096)
            assert asked.startswith(b"CONNECT ")
            port = int(asked.split()[1].rpartition(b":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as onward:
                tls.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pipe, args=(onward, tls), daemon=True)
                back.start()
                _pipe(tls, onward)
                back.join(LIMIT)

    with x.web() as port, x.listening(proxy) as at:
        settings: Any = {"proxy_ssl_context": x.client(), "ssl_context": x.client(), "timeout": LIMIT, "retries": False}
        with urllib3.ProxyManager(_url(at), **settings) as pool:
            assert pool.request("GET", _url(port)).data == BODY


@contextmanager
def http2(x: Exchange) -> Iterator[int]:
    """A server of HTTP/2 on the other side; gives its port."""
    import h2.config
    import h2.connection
    import h2.events

    def talk(sock: Any, context: Any) -> None:
        context.set_alpn_protocols(["h2"])
        with context.wrap_socket(sock, server_side=True) as tls:
            assert tls.selected_alpn_protocol() == "h2"
            x.check_peer(tls.getpeercert())
            h = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
            h.initiate_connection()
            tls.sendall(h.data_to_send())
            owed: dict[int, bytes] = {}
            while data := tls.recv(65536):
                for event in h.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        h.send_headers(event.stream_id, [(":status", "200")])
                        owed[event.stream_id] = BODY
                for stream, rest in list(owed.items()):
                    while rest and (room := min(h.local_flow_control_window(stream), h.max_outbound_frame_size)):
                        h.send_data(stream, rest[:room])
                        rest = rest[room:]
                    owed[stream] = rest
                    if not rest:
                        h.end_stream(stream)
                        del owed[stream]
                tls.sendall(h.data_to_send())

    with x.listening(talk) as port:
        yield port


def _httpx(module: str, version: int) -> Any:
    def sync(x: Exchange) -> None:
        import importlib

        httpx = importlib.import_module(module)
        settings = {"verify": x.client(), "http2": version == 2, "timeout": LIMIT, "trust_env": False}
        with x.web() if version == 1 else http2(x) as port, httpx.Client(**settings) as client:
            for _ in range(2):
                answer = client.get(_url(port))
                assert answer.content == BODY
                assert answer.http_version == ("HTTP/2" if version == 2 else "HTTP/1.1")

    return sync


def _httpx_async(module: str, version: int, backend: str = "asyncio") -> Any:
    def asynchronous(x: Exchange) -> None:
        import importlib

        import anyio

        httpx = importlib.import_module(module)

        async def main(port: int) -> None:
            settings = {"verify": x.client(), "http2": version == 2, "timeout": LIMIT, "trust_env": False}
            async with httpx.AsyncClient(**settings) as client:
                for _ in range(2):
                    answer = await client.get(_url(port))
                    assert answer.content == BODY
                    assert answer.http_version == ("HTTP/2" if version == 2 else "HTTP/1.1")

        with x.web() if version == 1 else http2(x) as port:
            anyio.run(main, port, backend=backend)

    return asynchronous


for _module in ("httpx", "httpx2"):
    for _version, _name in ((1, "HTTP/1.1"), (2, "HTTP/2")):
        row(f"{_module}, {_name}", "client", _module, "h2")(_httpx(_module, _version))
        row(f"{_module} async, {_name}", "client", _module, "h2")(_httpx_async(_module, _version))
    row(f"{_module} async on trio", "client", _module, "trio")(_httpx_async(_module, 1, "trio"))


@row("aiohttp", "client", "aiohttp")
def aiohttp_client(x: Exchange) -> None:
    import aiohttp

    async def main(port: int) -> None:
        async with aiohttp.ClientSession() as session:
            for _ in range(2):
                async with session.get(_url(port), ssl=x.client()) as answer:
                    assert await answer.read() == BODY

    with x.web() as port:
        asyncio.run(_limited(main(port)))


@row("tornado", "client", "tornado")
def tornado_client(x: Exchange) -> None:
    from tornado.httpclient import AsyncHTTPClient

    async def main(port: int) -> None:
        answer = await AsyncHTTPClient().fetch(_url(port), ssl_options=x.client())
        assert answer.body == BODY

    with x.web() as port:
        asyncio.run(_limited(main(port)))


@row("aiosmtplib", "client", "aiosmtplib")
def aiosmtplib_client(x: Exchange) -> None:
    import aiosmtplib

    text = "Subject: hello\r\n\r\n" + "\r\n".join(["0123456789" * 7] * 500)

    async def main(port: int) -> None:
        await aiosmtplib.send(
            text,
            sender="a@example.test",
            recipients=["b@example.test"],
            hostname=NAME,
            port=port,
            start_tls=True,
            tls_context=x.client(),
            timeout=LIMIT,
        )

    with smtp_starttls_server(x) as port:
        asyncio.run(_limited(main(port)))


@row("anyio.connect_tcp, on asyncio and trio", "client", "anyio", "trio")
def anyio_client(x: Exchange) -> None:
    import anyio

    async def main(port: int) -> None:
        with anyio.fail_after(LIMIT):
            async with (
                await anyio.connect_tcp(NAME, port, ssl_context=x.client()) as stream,
                anyio.create_task_group() as group,
            ):
                group.start_soon(stream.send, BODY)
                received = b""
                while len(received) < len(BODY):
                    received += await stream.receive()
                assert received == BODY

    for backend in ("asyncio", "trio"):
        with x.echo() as port:
            anyio.run(main, port, backend=backend)


@row("anyio.TLSConnectable", "client", "anyio", "trio")
def anyio_connectable(x: Exchange) -> None:
    import anyio
    from anyio.streams.tls import TLSConnectable

    async def main(port: int) -> None:
        with anyio.fail_after(LIMIT):
            connectable = TLSConnectable(anyio.TCPConnectable("127.0.0.1", port), hostname=NAME, ssl_context=x.client())
            async with await connectable.connect() as stream:
                await stream.send(b"hello")
                assert await stream.receive() == b"hello"

    for backend in ("asyncio", "trio"):
        with x.echo() as port:
            anyio.run(main, port, backend=backend)


@row("trio.SSLStream", "client", "trio")
def trio_client(x: Exchange) -> None:
    import trio

    async def main(port: int) -> None:
        with trio.fail_after(LIMIT):
            stream = await trio.open_ssl_over_tcp_stream(NAME, port, ssl_context=x.client())
            async with stream, trio.open_nursery() as nursery:
                nursery.start_soon(stream.send_all, BODY)
                received = b""
                while len(received) < len(BODY):
                    received += await stream.receive_some()
                assert received == BODY

    with x.echo() as port:
        trio.run(main, port)


@row("uvloop: open_connection, start_tls", "client", "uvloop")
def uvloop_client(x: Exchange) -> None:
    import uvloop

    asyncio_client(x, uvloop.run)
    asyncio_start_tls(x, uvloop.run)


@row("uvloop: start_server, start_tls", "server", "uvloop")
def uvloop_server(x: Exchange) -> None:
    import uvloop

    asyncio_server(x, uvloop.run)
    asyncio_server_start_tls(x, uvloop.run)


@row("websockets, asyncio and sync", "client", "websockets")
def websockets_client(x: Exchange) -> None:
    import threading

    from websockets.asyncio.client import connect
    from websockets.sync.client import connect as connect_sync
    from websockets.sync.server import serve

    def echo(connection: Any) -> None:
        for message in connection:
            connection.send(message)

    async def main(port: int) -> None:
        async with connect(f"wss://{NAME}:{port}/", ssl=x.client(), max_size=None) as connection:
            await connection.send(BODY)
            assert await connection.recv() == BODY

    with serve(echo, "127.0.0.1", 0, ssl=x.peer_server(), max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        port = server.socket.getsockname()[1]
        asyncio.run(_limited(main(port)))
        with connect_sync(f"wss://{NAME}:{port}/", ssl=x.client(), max_size=None) as connection:
            connection.send(BODY)
            assert connection.recv(LIMIT) == BODY
        server.shutdown()
        thread.join(LIMIT)


@row("redis-py (a server that knows PING)", "client", "redis")
def redis_client(x: Exchange) -> None:
    import redis

    def talk(sock: Any, context: Any) -> None:
        with context.wrap_socket(sock, server_side=True) as tls:
            x.check_peer(tls.getpeercert())
            file = tls.makefile("rwb")
            while head := file.readline():
                words = []
                for _ in range(int(head[1:])):
                    length = int(file.readline()[1:])
                    words.append(file.read(length + 2)[:-2])
                if words[0] == b"PING":
                    file.write(b"+PONG\r\n")
                elif words[0] == b"ECHO":
                    file.write(b"$%d\r\n%b\r\n" % (len(words[1]), words[1]))
                else:
                    file.write(b"-ERR unknown command\r\n" if words[0] == b"HELLO" else b"+OK\r\n")
                file.flush()

    with x.listening(talk) as port, x.injected():
        certificate, key = x.identity or (None, None)
        with redis.Redis(
            NAME,
            port,
            ssl=True,
            ssl_ca_certs=x.files.ca,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            ssl_check_hostname=True,
            protocol=2,
            socket_timeout=LIMIT,
        ) as client:
            assert client.ping()
            assert client.echo(BODY) == BODY
