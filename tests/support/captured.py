"""An HTTP request and its answer in handshakes of each kind, traced with their secrets."""

from __future__ import annotations

from typing import Any

from certificates import client_identity
from memory import Pair, client_config, server_config
from observed import _MUTUAL, _OLD

from tlscope import Trace

REQUEST = b"GET /secret HTTP/1.1\r\nHost: localhost\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

FLOWS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one-way 1.3": ({}, {}),
    "mutual 1.3": ({"identity": client_identity()}, _MUTUAL),
    "one-way 1.2": (_OLD, _OLD),
    "mutual 1.2": ({**_OLD, "identity": client_identity()}, {**_OLD, **_MUTUAL}),
}


def talk(flow: str, role: str) -> Trace:
    """An HTTP request and its answer inside a handshake of a kind, as a side saw it."""
    client, server = FLOWS[flow]
    traces = {"client": Trace(secrets=True), "server": Trace(secrets=True)}
    pair = Pair(
        client_config(**client),
        server_config(**server),
        server_name="localhost",
        client_trace=traces["client"],
        server_trace=traces["server"],
    ).done()
    pair.client.send_data(REQUEST)
    pair.move("client")
    pair.server.send_data(ANSWER)
    pair.move("server")
    for side in ("client", "server"):
        pair.side(side).close()
        pair.move(side)
    return traces[role]
