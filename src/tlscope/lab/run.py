"""Runs a case: both parties in this process, over sockets on the loopback interface."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from ..config import ClientConfig, ServerConfig
from ..connection import ClientConnection, ServerConnection
from ..errors import ConfigError, TLSError
from ..explain import diagnose, remarks
from ..io import TLSStream
from ..trace import Trace
from .case import PATIENCE, Between, Case, Outcome, Party, Plan, Seen
from .workshop import Workshop

__all__ = ["act", "relayed", "run"]

QUESTION, ANSWER = b"are you there?", b"I am here"


def run(case: Case, workshop: Workshop | None = None) -> Outcome:
    """Run a case and explain it from both sides. Takes some milliseconds, a second for those that wait."""
    ours = workshop if workshop is not None else Workshop()
    try:
        plan = case.plan(ours)
        if plan.load is not None:
            return Outcome(case=case, local=_load(plan))
        client, server = _connect(plan)
        return Outcome(case=case, client=client, server=server)
    finally:
        if workshop is None:
            ours.close()


def _load(plan: Plan) -> Seen:
    seen = Seen(role="here")
    try:
        assert plan.load is not None  # noqa: S101 - the caller looked
        plan.load()
    except ConfigError as error:
        seen.error, seen.diagnosis = error, diagnose(error)
    return seen


def _connect(plan: Plan) -> tuple[Seen, Seen]:
    """Every connection of the plan, one after the other; what the last one showed."""
    assert plan.client is not None  # noqa: S101 - a plan without a file has both
    assert plan.server is not None  # noqa: S101
    between = None if plan.between is None else plan.between()
    seen = Seen(role="client"), Seen(role="server")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        for party in (*plan.before, plan.client):
            seen = _one(listener, party, plan.server, between)
    return seen


def _one(listener: socket.socket, client: Party, server: Party, between: Between | None) -> tuple[Seen, Seen]:
    found: list[Seen] = []

    def serve() -> None:
        sock, _ = listener.accept()
        with relayed(sock, between) as inner:
            found.append(act(server, inner, "server"))

    thread = threading.Thread(target=serve, name="tlscope-lab-server", daemon=True)
    thread.start()
    sock = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
    client_seen = act(client, sock, "client")
    thread.join(3 * PATIENCE)
    return client_seen, found[0] if found else Seen(role="server", note="it did not come to an end")


def act(party: Party, sock: socket.socket, role: str) -> Seen:
    """Play one party over a connected socket, which is closed at the end; gives what it came to know."""
    sock.settimeout(PATIENCE)
    with contextlib.closing(sock):
        if party.script is not None:
            return _scripted(party, sock, role)
        trace = Trace()
        seen = Seen(role=role, trace=trace)
        try:
            stream = TLSStream(
                sock, _connection(party, role, trace), timeout=PATIENCE, handshake_timeout=party.handshake_timeout
            )
            with stream:
                stream.handshake()
                (party.talk or (_ask if role == "client" else _answer))(stream, sock)
        except TLSError as error:
            seen.error, seen.diagnosis = error, diagnose(error)
        except OSError as error:
            seen.error = error
        seen.remarks = remarks(trace)
        return seen


def _connection(party: Party, role: str, trace: Trace) -> ClientConnection | ServerConnection:
    config = party.config() if callable(party.config) else party.config
    if role == "client":
        assert isinstance(config, ClientConfig)  # noqa: S101 - the plan's to see to
        return ClientConnection(config, party.name, trace=trace)
    assert isinstance(config, ServerConfig)  # noqa: S101
    return ServerConnection(config, trace=trace)


def _scripted(party: Party, sock: socket.socket, role: str) -> Seen:
    seen = Seen(role=role)
    assert party.script is not None  # noqa: S101 - the caller looked
    try:
        found = party.script(sock)
    except OSError as error:
        seen.error = error
        return seen
    if isinstance(found, TLSError):
        seen.error, seen.diagnosis = found, diagnose(found)
    else:
        seen.note = found or ""
    return seen


def _ask(stream: TLSStream, sock: socket.socket) -> None:
    stream.sendall(QUESTION)
    while stream.recv(4096):
        pass


def _answer(stream: TLSStream, sock: socket.socket) -> None:
    received = b""
    while len(received) < len(QUESTION) and (data := stream.recv(4096)):
        received += data
    stream.sendall(ANSWER)


# Somebody between


@contextlib.contextmanager
def relayed(sock: socket.socket, between: Between | None) -> Iterator[socket.socket]:
    """The socket itself, or the far end of one behind which somebody stands and changes what goes by."""
    if between is None:
        yield sock
        return
    near, far = socket.socketpair()
    with sock, near, far:
        threads = [
            threading.Thread(target=_copy, args=(*ends, role, between), name="tlscope-lab-relay", daemon=True)
            for ends, role in (((sock, near), "client"), ((near, sock), "server"))
        ]
        for thread in threads:
            thread.start()
        yield far
        for thread in threads:
            thread.join(PATIENCE)


def _copy(source: socket.socket, target: socket.socket, role: str, between: Between) -> None:
    data = b""
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            data += piece
            while len(data) >= 5 and len(data) >= 5 + int.from_bytes(data[3:5], "big"):
                length = 5 + int.from_bytes(data[3:5], "big")
                one, data = data[:length], data[length:]
                target.sendall(between(role, one))
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
