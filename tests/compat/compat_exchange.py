"""What a row of the table of compatibility has to work with: contexts for both sides, and servers to talk to.

A row is a function that takes an ``Exchange`` and raises where the exchange does not go well. It runs in the tests' own
environment (the standard library's clients and servers) or in one with the packages that it needs.
"""

from __future__ import annotations

import contextlib
import http.server
import importlib.metadata
import socket
import ssl as std
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tlscope.ssl
from tlscope import Trace
from tlscope.authority import Authority
from tlscope.trace import Completed, Started

BODY = b"0123456789abcdef" * 6250
"""100,000 bytes: several records."""

LIMIT = 20.0
"""Seconds that a row may take."""

MODULES = {"ssl": std, "tlscope": tlscope.ssl}
NAME = "localhost"


@dataclass(frozen=True)
class Row:
    """A row: what is tried, which side of it is tlscope's, and the packages that it needs."""

    name: str
    side: str
    run: Callable[[Exchange], None]
    packages: tuple[str, ...] = ()
    peers: tuple[str, ...] = ("ssl", "tlscope")
    elsewhere: bool = False
    """Whether tlscope's side is a process of its own, into which nobody here can look."""
    needs: str = ""
    """A server that is no package of Python's."""
    there: Callable[[], bool] = lambda: True
    """Whether that is installed."""

    @property
    def missing(self) -> list[str]:
        """What is not installed here."""
        found = [one for one in self.packages if not _installed(one)]
        return found if self.there() else [*found, self.needs]


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


ROWS: list[Row] = []


@dataclass(frozen=True)
class Refusals:
    """A server that tells its clients why they are refused. ``run`` is given whose task that is: the server's (``answer``)
    or the application's.
    """

    name: str
    run: Callable[[Exchange, str], None]
    packages: tuple[str, ...] = ()
    example: bool = False
    """Whether it is an example of the documentation, which does what it does."""

    @property
    def missing(self) -> list[str]:
        """What is not installed here."""
        return [one for one in self.packages if not _installed(one)]


REFUSALS: list[Refusals] = []


def refusal(name: str, *packages: str, example: bool = False) -> Callable[[Any], Any]:
    """Make a function a server that is tried with clients that are to be refused."""

    def add(function: Callable[[Exchange, str], None]) -> Callable[[Exchange, str], None]:
        REFUSALS.append(Refusals(name, function, packages, example))
        return function

    return add


def row(name: str, side: str, *packages: str, **settings: Any) -> Callable[[Any], Any]:
    """Make a function a row."""

    def add(function: Callable[[Exchange], None]) -> Callable[[Exchange], None]:
        ROWS.append(Row(name, side, function, packages, **settings))
        return function

    return add


_traces: list[Trace] = []


def _watch() -> Trace:
    """Makes the traces of tlscope's connections. Some libraries keep contexts, so it can't belong to one exchange."""
    trace = Trace()
    _traces.append(trace)
    return trace


class Files:
    """A throwaway authority's certificates, as files."""

    def __init__(self, directory: Path) -> None:
        authority = Authority.create()
        server, client = authority.issue_server(NAME, "127.0.0.1"), authority.issue_client("alice")
        self.ca = str(directory / "ca.pem")
        self.server, self.server_key = str(directory / "server.pem"), str(directory / "server-key.pem")
        self.client, self.client_key = str(directory / "client.pem"), str(directory / "client-key.pem")
        Path(self.ca).write_bytes(authority.pem())
        for issued, certificate, key in (
            (server, self.server, self.server_key),
            (client, self.client, self.client_key),
        ):
            Path(certificate).write_bytes(issued.pem())
            Path(key).write_bytes(issued.key_pem())
        stranger = Authority.create().issue_client("mallory").write(directory, "mallory")
        self.stranger, self.stranger_key = map(str, stranger)


class Exchange:
    """One exchange: tlscope on one side, ``peer`` on the other, one-way or ``mutual``."""

    def __init__(self, files: Files, peer: str, mutual: bool) -> None:
        self.files, self.mutual, self._peer = files, mutual, MODULES[peer]
        self.shows = False
        """Whether a client that is refused shows a certificate, of somebody's whom nobody trusts, or none."""

    def check(self, side: str) -> None:
        """tlscope was in it, on that side, and knows whether the client showed who it is."""
        done = [one.of(Completed)[0].facts for one in _traces if one.of(Completed) and one.of(Started)[0].role == side]
        assert done, f"tlscope made no handshake as a {side}"
        # cheroot begins with a handshake with itself, to know what its certificate says.
        assert any(bool(facts.get("peer" if side == "server" else "identity")) is self.mutual for facts in done), done

    @contextmanager
    def injected(self) -> Iterator[None]:
        """tlscope under a library that makes its own context."""
        tlscope.inject_into_ssl(trace=_watch)
        try:
            yield
        finally:
            tlscope.extract_from_ssl()

    def client(self, *alpn: str) -> Any:
        """A client's context, tlscope's."""
        return self._client(tlscope.ssl, alpn)

    def server(self, *alpn: str) -> Any:
        """A server's context, tlscope's."""
        return self._server(tlscope.ssl, alpn)

    def peer_client(self, *alpn: str) -> Any:
        """The other side's, a client's."""
        return self._client(self._peer, alpn)

    def peer_server(self, *alpn: str) -> Any:
        """The other side's, a server's."""
        return self._server(self._peer, alpn)

    def _watched(self, context: Any) -> Any:
        if isinstance(context, tlscope.ssl.SSLContext):
            context.trace_with(_watch)
        return context

    def _client(self, module: Any, alpn: tuple[str, ...]) -> Any:
        context = module.create_default_context(cafile=self.files.ca)
        if self.mutual:
            context.load_cert_chain(self.files.client, self.files.client_key)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return self._watched(context)

    def _server(self, module: Any, alpn: tuple[str, ...]) -> Any:
        context = module.create_default_context(module.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.files.server, self.files.server_key)
        if self.mutual:
            context.load_verify_locations(self.files.ca)
            context.verify_mode = std.CERT_REQUIRED
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return self._watched(context)

    @property
    def identity(self) -> tuple[str, str] | None:
        """The client's certificate and key as files, where it has one."""
        return (self.files.client, self.files.client_key) if self.mutual else None

    def check_peer(self, described: Any) -> None:
        """What a server saw of its client is what it should be."""
        names = [value for part in (described or {}).get("subject", ()) for key, value in part if key == "commonName"]
        assert names == (["alice"] if self.mutual else []), described

    # Servers of the other side

    @contextmanager
    def web(self) -> Iterator[int]:
        """HTTP/1.1 with ``http.server``; gives its port."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        context = self.peer_server("http/1.1")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        with _serving(server):
            yield server.server_address[1]

    @contextmanager
    def listening(self, talk: Callable[[Any, Any], None]) -> Iterator[int]:
        """A plain listener whose ``talk`` is given each connection and the context; gives its port."""
        context = self.peer_server()
        with listening(lambda sock: talk(sock, context)) as port:
            yield port

    @contextmanager
    def echo(self) -> Iterator[int]:
        """Sends back what comes, and says goodbye as it should; gives its port."""

        def talk(sock: Any, context: Any) -> None:
            with context.wrap_socket(sock, server_side=True) as tls:
                self.check_peer(tls.getpeercert())
                while data := tls.recv(65536):
                    tls.sendall(data)
                with contextlib.suppress(OSError):
                    tls.unwrap()

        with self.listening(talk) as port:
            yield port

    def fetch(self, port: int, path: str = "/") -> bytes:
        """The other side as HTTP client, of a server that is tlscope's."""
        import http.client

        connection = http.client.HTTPSConnection(NAME, port, context=self.peer_client(), timeout=LIMIT)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == 200, answer.status
            return answer.read()
        finally:
            connection.close()

    # Clients that are refused

    @property
    def reason(self) -> str:
        """What such a client is told."""
        return "which is not in what this server trusts" if self.shows else "which is required here, and sent none"

    def refused_client(self, *alpn: str) -> Any:
        """The context of such a client: OpenSSL's, which shows a certificate whomever the server trusts."""
        context = std.create_default_context(cafile=self.files.ca)
        if self.shows:
            context.load_cert_chain(self.files.stranger, self.files.stranger_key)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def ask_refused(self, port: int) -> tuple[int, str]:
        """Ask as such a client; gives status and body."""
        import http.client

        connection = http.client.HTTPSConnection(NAME, port, context=self.refused_client(), timeout=LIMIT)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def echoed(self, port: int) -> None:
        """The other side as a client of an echo that is tlscope's."""
        raw = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
        with self.peer_client().wrap_socket(raw, server_hostname=NAME) as tls:
            exchange_chunks(tls)


def exchange_chunks(tls: Any) -> None:
    """Send the body and have it back, piece by piece: before Python 3.13 ``ssl`` bears one thread at a time only."""
    for start in range(0, len(BODY), 20_000):
        piece = BODY[start : start + 20_000]
        tls.sendall(piece)
        received = b""
        while len(received) < len(piece):
            data = tls.recv(65536)
            assert data, "the echo ended early"
            received += data
        assert received == piece


def attempt_refusal(one: Refusals, files: Files, by: str, shows: bool) -> None:
    """Have a client refused once. Raises where it is not told, or is let in."""
    exchange = Exchange(files, "ssl", mutual=True)
    exchange.shows = shows
    one.run(exchange, by)


def attempt(one: Row, files: Files, peer: str, mutual: bool) -> None:
    """Run a row once. Raises where the exchange did not go well, or tlscope was not in it."""
    _traces.clear()
    exchange = Exchange(files, peer, mutual)
    one.run(exchange)
    if not one.elsewhere:
        exchange.check(one.side)


def _handler(exchange: Exchange) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            exchange.check_peer(self.connection.getpeercert())  # type: ignore[attr-defined]
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def _serving(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(LIMIT)


@contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A listener whose ``talk`` is given each connection, in a thread of its own; gives its port."""
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.settimeout(LIMIT)
            thread = threading.Thread(target=serve, args=(sock,), daemon=True)
            threads.append(thread)
            thread.start()

    def serve(sock: socket.socket) -> None:
        # What goes wrong here the client tells of.
        with sock, contextlib.suppress(OSError, AssertionError):
            talk(sock)

    listener = socket.create_server(("127.0.0.1", 0))
    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [accepting, *threads]:
            thread.join(LIMIT)
