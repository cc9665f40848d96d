"""Peers that run on a thread of the test, and the standard library's ``ssl`` as one of them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

from loopback import PATIENCE, Task
from peers import OPENSSL_12, SERVER_NAME, V13, Answer, Peer, Running, Setup, openssl_suites

from tlscope import NamedGroup


class InProcess(Peer):
    """A peer that runs on a thread of the test."""

    def context(self, setup: Setup, *, server: bool) -> Any:
        """What its connections share."""
        raise NotImplementedError

    def connect(self, context: Any, setup: Setup, sock: socket.socket, session: Any = None) -> Any:
        """Shake hands as a client; gives something with recv, sendall, end, close, facts and session."""
        raise NotImplementedError

    def accept(self, context: Any, setup: Setup, sock: socket.socket) -> Any:
        """Shake hands as a server; gives the same."""
        raise NotImplementedError

    def client(self, setup: Setup, port: int, message: bytes) -> Answer:
        return self._client(self.context(setup, server=False), setup, port, message)[0]

    def resume(self, setup: Setup, port: int, message: bytes) -> Answer:
        context = self.context(setup, server=False)
        answer, session = self._client(context, setup, port, message)
        return self._client(context, setup, port, message, session)[0] if answer.ok else answer

    def _client(self, context: Any, setup: Setup, port: int, message: bytes, session: Any = None) -> tuple[Answer, Any]:
        sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        data = b""
        facts: dict[str, Any] = {}
        stream = None
        try:
            stream = self.connect(context, setup, sock, session)
            stream.sendall(message)
            if setup.half_close:
                stream.end()
            while len(data) < len(message) and (piece := stream.recv()):
                data += piece
            facts = stream.facts()
            return Answer(data == message, data, "", facts), stream.session()
        except OSError as error:
            return Answer(False, data, str(error), facts), None
        finally:
            if stream is not None:
                stream.close()
            sock.close()

    @contextlib.contextmanager
    def server(self, setup: Setup) -> Iterator[Running]:
        context, stop = self.context(setup, server=True), threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.02)
            running = Running(listener.getsockname()[1])
            task = Task(self._serve, context, setup, listener, running, stop)
            yield running
            stop.set()
            task.result()

    def _serve(
        self, context: Any, setup: Setup, listener: socket.socket, running: Running, stop: threading.Event
    ) -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                sock, _ = listener.accept()
                self._serve_one(context, setup, sock, running)

    def _serve_one(self, context: Any, setup: Setup, sock: socket.socket, running: Running) -> None:
        sock.settimeout(PATIENCE)
        stream = None
        try:
            stream = self.accept(context, setup, sock)
            running.sessions.append(stream.facts())
            data = b""
            while piece := stream.recv():
                data += piece
                if not setup.half_close:
                    stream.sendall(piece)
            if setup.half_close:
                stream.sendall(data)
        except OSError as error:
            running.errors.append(error)
        finally:
            if stream is not None:
                stream.close()
            sock.close()


class _PythonStream:
    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock

    def facts(self) -> dict[str, Any]:
        return {
            "version": self._sock.version(),
            "alpn": self._sock.selected_alpn_protocol(),
            "verified": True,
            "resumed": self._sock.session_reused,
        }

    def session(self) -> Any:
        return self._sock.session

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(data)

    def recv(self) -> bytes:
        return self._sock.recv(65536)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.unwrap()
        self._sock.close()


class PythonSSL(InProcess):
    """The standard library's ``ssl``."""

    name = "python-ssl"
    groups = (NamedGroup.secp256r1, NamedGroup.secp384r1, NamedGroup.secp521r1)  # what set_ecdh_curve takes
    suites = (*OPENSSL_12,)  # it can't choose among TLS 1.3's

    def context(self, setup: Setup, *, server: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        version = ssl.TLSVersion.TLSv1_3 if setup.version is V13 else ssl.TLSVersion.TLSv1_2
        context.minimum_version = context.maximum_version = version
        context.load_verify_locations(setup.ca)
        if setup.identity is not None:
            context.load_cert_chain(*setup.identity)
        if setup.alpn:
            context.set_alpn_protocols(list(setup.alpn))
        if setup.groups:
            (group,) = setup.groups
            context.set_ecdh_curve({NamedGroup.secp256r1: "prime256v1"}.get(group, group.name))
        if setup.suites:
            context.set_ciphers(openssl_suites(setup)[1])
        if setup.ask:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def connect(self, context: Any, setup: Setup, sock: socket.socket, session: Any = None) -> _PythonStream:
        return _PythonStream(context.wrap_socket(sock, server_hostname=SERVER_NAME, session=session))

    def accept(self, context: Any, setup: Setup, sock: socket.socket) -> _PythonStream:
        return _PythonStream(context.wrap_socket(sock, server_side=True))
