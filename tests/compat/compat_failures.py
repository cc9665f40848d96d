"""What libraries say where TLS fails: whether tlscope's explanation is in the text of their own error."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import ssl as std
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from compat_exchange import LIMIT, NAME, _installed, listening
from compat_standard import _limited

import tlscope
from tlscope import TLSError
from tlscope.authority import Authority

__all__ = ["CASES", "FAILURES", "Failing", "Faults", "found_in", "provoke"]

CASES = {
    "wrong host": "wrong-host",
    "unknown CA": "unknown-ca",
    "expired": "cert-expired",
    "no client certificate": "no-client-cert",
}
"""Each case, and the row of the failure atlas that explains it."""


class Faults:
    """Servers whose certificates are not good, and one that asks for the client's."""

    def __init__(self, directory: Path) -> None:
        authority = Authority.create()
        self.ca = str(directory / "trusted.pem")
        Path(self.ca).write_bytes(authority.pem())
        past = datetime.now(UTC) - timedelta(days=40)
        issued = {
            "wrong host": authority.issue_server("other.test"),
            "unknown CA": Authority.create("Another CA").issue_server(NAME),
            "expired": authority.issue_server(NAME, not_before=past, not_after=past + timedelta(days=30)),
            "no client certificate": authority.issue_server(NAME),
        }
        self._files = {case: one.write(directory, case.replace(" ", "-")) for case, one in issued.items()}

    @contextmanager
    def serving(self, case: str) -> Iterator[int]:
        """A server on the standard library's ``ssl`` that answers HTTP, if it comes to that; gives its port."""
        context = std.create_default_context(std.Purpose.CLIENT_AUTH, cafile=self.ca)
        context.load_cert_chain(*self._files[case])
        if case == "no client certificate":
            context.verify_mode = std.CERT_REQUIRED

        def talk(sock: Any) -> None:
            with context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False) as tls:
                try:
                    tls.do_handshake()
                    tls.recv(65536)
                    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                except std.SSLError:
                    # A reset, for what is still on its way from the client, could overtake the alert.
                    while socket.socket.recv(tls, 65536):
                        pass

        with listening(talk) as port:
            yield port

    def client(self) -> Any:
        """The context of a client that has no certificate."""
        return tlscope.ssl.create_default_context(cafile=self.ca)


@dataclass(frozen=True)
class Failing:
    """A library: ``run`` is given a port and the faults, and lets the library's own error out."""

    name: str
    run: Callable[[int, Faults], None]
    packages: tuple[str, ...] = ()
    mute: tuple[str, ...] = ()
    """Cases of which the library says nothing, or not each time."""

    @property
    def missing(self) -> list[str]:
        """What is not installed here."""
        return [one for one in self.packages if not _installed(one)]


FAILURES: list[Failing] = []


def failing(name: str, *packages: str, mute: tuple[str, ...] = ()) -> Callable[[Any], Any]:
    """Make a function a library that is seen failing."""

    def add(function: Callable[[int, Faults], None]) -> Callable[[int, Faults], None]:
        FAILURES.append(Failing(name, function, packages, mute))
        return function

    return add


def found_in(error: BaseException) -> TLSError | None:
    """tlscope's error behind a library's: itself, its cause, its context, what it was made of or a group holds."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, TLSError):
            return one
        waiting += [one.__cause__, one.__context__, *one.args, getattr(one, "reason", None)]
        waiting += getattr(one, "exceptions", ())
    return None


def provoke(one: Failing, case: str, faults: Faults) -> str:
    """Fail once; gives ``in its text``, ``in its cause`` or ``nowhere``, by where the explanation is.

    Raises where the library did not fail, or tlscope's error can't be got at, or explains something else.
    """
    try:
        with faults.serving(case) as port:
            one.run(port, faults)
    except Exception as error:
        ours = found_in(error)
        if case in one.mute:
            return "nowhere"
        if ours is None:
            raise
        explained = ours.explain()
        assert explained.id == CASES[case], explained.id
        return "in its text" if TLSError.__str__(ours) in str(error) else "in its cause"
    raise AssertionError("nothing failed")


def _url(port: int) -> str:
    return f"https://{NAME}:{port}/"


@contextmanager
def _injected() -> Iterator[None]:
    tlscope.inject_into_ssl()
    try:
        yield
    finally:
        tlscope.extract_from_ssl()


@failing("http.client")
def http_client(port: int, faults: Faults) -> None:
    connection = http.client.HTTPSConnection(NAME, port, context=faults.client(), timeout=LIMIT)
    with contextlib.closing(connection):
        connection.request("GET", "/")
        connection.getresponse()


@failing("urllib.request")
def urllib_request(port: int, faults: Faults) -> None:
    urllib.request.urlopen(_url(port), context=faults.client(), timeout=LIMIT).close()


async def _streams(port: int, faults: Faults) -> None:
    reader, writer = await asyncio.open_connection(NAME, port, ssl=faults.client())
    try:
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@failing("asyncio.open_connection")
def asyncio_streams(port: int, faults: Faults) -> None:
    asyncio.run(_limited(_streams(port, faults)))


@failing("uvloop, open_connection", "uvloop")
def uvloop_streams(port: int, faults: Faults) -> None:
    import uvloop

    uvloop.run(_limited(_streams(port, faults)))


def _requests(module: str) -> Callable[[int, Faults], None]:
    def run(port: int, faults: Faults) -> None:
        import importlib

        library = importlib.import_module(module)
        with _injected(), library.Session() as session:
            session.trust_env = False
            session.get(_url(port), verify=faults.ca, timeout=LIMIT)

    return run


failing("requests", "requests")(_requests("requests"))
failing("niquests", "niquests")(_requests("niquests"))


@failing("urllib3", "urllib3")
def urllib3_client(port: int, faults: Faults) -> None:
    import urllib3

    with urllib3.PoolManager(ssl_context=faults.client(), timeout=LIMIT, retries=False) as pool:
        pool.request("GET", _url(port))


def _httpx(module: str, backend: str = "") -> Callable[[int, Faults], None]:
    def run(port: int, faults: Faults) -> None:
        import importlib

        httpx = importlib.import_module(module)
        settings = {"verify": faults.client(), "timeout": LIMIT, "trust_env": False}

        async def main() -> None:
            async with httpx.AsyncClient(**settings) as client:
                await client.get(_url(port))

        if backend:
            importlib.import_module("anyio").run(main, backend=backend)
            return
        with httpx.Client(**settings) as client:
            client.get(_url(port))

    return run


for _module in ("httpx", "httpx2"):
    failing(_module, _module)(_httpx(_module))
    failing(f"{_module} async", _module, "anyio")(_httpx(_module, "asyncio"))
    failing(f"{_module} async on trio", _module, "anyio", "trio")(_httpx(_module, "trio"))


@failing("aiohttp", "aiohttp")
def aiohttp_client(port: int, faults: Faults) -> None:
    import aiohttp

    async def main() -> None:
        async with aiohttp.ClientSession() as session, session.get(_url(port), ssl=faults.client()):
            pass

    asyncio.run(_limited(main()))


@failing("tornado", "tornado")
def tornado_client(port: int, faults: Faults) -> None:
    from tornado.httpclient import AsyncHTTPClient

    async def main() -> None:
        await AsyncHTTPClient().fetch(_url(port), ssl_options=faults.client())

    asyncio.run(_limited(main()))


@failing("websockets, asyncio", "websockets", mute=("no client certificate",))
def websockets_client(port: int, faults: Faults) -> None:
    from websockets.asyncio.client import connect

    async def main() -> None:
        async with connect(f"wss://{NAME}:{port}/", ssl=faults.client()):
            pass

    asyncio.run(_limited(main()))


@failing("websockets, sync", "websockets", mute=("no client certificate",))
def websockets_sync(port: int, faults: Faults) -> None:
    from websockets.sync.client import connect

    connect(f"wss://{NAME}:{port}/", ssl=faults.client()).close()


@failing("anyio.connect_tcp", "anyio")
def anyio_client(port: int, faults: Faults) -> None:
    import anyio

    async def main() -> None:
        async with await anyio.connect_tcp(NAME, port, ssl_context=faults.client()) as stream:
            await stream.send(b"hello")
            await stream.receive()

    anyio.run(main)


@failing("trio.SSLStream", "trio")
def trio_client(port: int, faults: Faults) -> None:
    import trio

    async def main() -> None:
        stream = await trio.open_ssl_over_tcp_stream(NAME, port, ssl_context=faults.client())
        async with stream:
            await stream.send_all(b"hello")
            await stream.receive_some()

    trio.run(main)


@failing("redis-py", "redis")
def redis_client(port: int, faults: Faults) -> None:
    import redis

    settings: dict[str, Any] = {"ssl_ca_certs": faults.ca, "ssl_check_hostname": True, "socket_timeout": LIMIT}
    with _injected(), redis.Redis(NAME, port, ssl=True, **settings) as client:
        client.ping()
