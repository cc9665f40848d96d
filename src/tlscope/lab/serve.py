"""One party of a case alone: a broken server that stands on a port, a broken client that goes to one."""

from __future__ import annotations

import contextlib
import dataclasses
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from ..config import ClientConfig
from ..errors import Misuse
from .case import PATIENCE, Case, Party, Plan, Seen
from .run import act, relayed
from .workshop import HOST, Workshop

__all__ = ["LabServer", "client_of", "has_broken_client", "has_server"]

FRESH = 3600.0
"""Seconds after which a server makes its certificates anew, so that none grows old."""


def has_server(case: Case) -> bool:
    """Whether the case has a server that can stand on a port: all but those of files have."""
    return case.local is None


def has_broken_client(case: Case) -> bool:
    """Whether the case's client does something that a server may have to refuse."""
    return case.broken in ("client", "both") and case.local is None


class LabServer:
    """The server of a case, on the loopback interface; a context manager.

    Clients have to trust ``workshop.authority``. ``on_seen`` is told what the server came to know of each connection.
    Raises ``OSError`` where the port can't be had; port 0 takes any free one: see ``address``.
    """

    def __init__(
        self,
        case: Case,
        workshop: Workshop,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        on_seen: Callable[[Case, Seen], object] | None = None,
    ) -> None:
        if not has_server(case):
            raise Misuse(f"the lab case {case.id} has no server: its fault is in a file", code="no-such-case")
        self.case = case
        self._workshop = workshop
        self._on_seen = on_seen
        self._listener = socket.create_server((host, port))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        """Host and port that it listens on."""
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._plan: Plan | None = None
        self._made = 0.0
        self._acceptor = threading.Thread(target=self._accept, name=f"tlscope-lab-{case.id}", daemon=True)

    def start(self) -> Self:
        """Begin to accept, on a thread of its own."""
        self._server()  # makes the certificates now, so that the first client need not wait
        self._acceptor.start()
        return self

    def close(self) -> None:
        """Stop accepting, and wait for the connections that are left."""
        if self._acceptor.is_alive():
            self._wake_sender.send(b"\0")
            self._acceptor.join()
        for sock in (self._listener, self._wake_receiver, self._wake_sender):
            sock.close()
        for thread in list(self._threads):
            thread.join(2 * PATIENCE)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def client_name(self) -> str:
        """The name that a client has to ask for, to see the case."""
        plan = self._current()
        return plan.client.name if plan.client is not None else HOST

    def _current(self) -> Plan:
        with self._lock:
            if self._plan is None or time.monotonic() - self._made > FRESH:
                self._plan, self._made = self.case.plan(self._workshop), time.monotonic()
            return self._plan

    def _server(self) -> Party:
        party = self._current().server
        assert party is not None  # noqa: S101 - every case with a connection has one
        return party

    def _accept(self) -> None:
        while True:
            ready, _, _ = select.select([self._listener, self._wake_receiver], [], [])
            if self._wake_receiver in ready:
                return
            try:
                sock, _ = self._listener.accept()
            except OSError:
                continue
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        plan = self._current()
        between = None if plan.between is None else plan.between()
        with contextlib.suppress(OSError), relayed(sock, between) as inner:
            seen = act(dataclasses.replace(self._server(), talk=self._server().talk or _echo), inner, "server")
            if self._on_seen is not None:
                self._on_seen(self.case, seen)


def _echo(stream: Any, sock: socket.socket) -> None:
    """Gives back what comes; a client that speaks HTTP gets an answer that it understands."""
    while data := stream.recv(65536):
        if data.startswith((b"GET ", b"HEAD ", b"POST ")):
            body = b"the client took this server for good\n"
            head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
            stream.sendall(head + body)
            return
        stream.sendall(data)


def _knock(stream: Any, sock: socket.socket) -> None:
    """Says something that every server answers, or refuses: a word of its is enough to know that the client is in."""
    stream.wait_for_verdict(1.0)
    stream.settimeout(1.0)
    stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
    with contextlib.suppress(TimeoutError):
        stream.recv(65536)


def client_of(case: Case, workshop: Workshop, host: str, port: int, **settings: Any) -> Seen:
    """Play the case's broken client against a server; gives what it came to know.

    ``settings`` replace those of its config, such as ``trust``. Raises ``Misuse`` where the case's client is in order, and
    ``OSError`` where nobody answers.
    """
    if not has_broken_client(case):
        raise Misuse(
            f"the client of the lab case {case.id} is in order; what is broken is the {case.broken}",
            code="no-such-case",
        )
    plan = case.plan(workshop)
    seen = Seen(role="client")
    for party in (*plan.before, plan.client):
        assert party is not None  # noqa: S101 - every case with a connection has one
        if isinstance(party.config, ClientConfig) and settings:
            party = dataclasses.replace(party, config=party.config.replace(**settings))
        party = dataclasses.replace(party, talk=party.talk or _knock, name=host if party.name == HOST else party.name)
        seen = act(party, socket.create_connection((host, port), timeout=PATIENCE), "client")
    return seen
