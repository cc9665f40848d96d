"""Make real handshakes on this machine, and draw them as they happened.

A certificate authority is made, issues a certificate for a server on the loopback interface and one for a client, and is
forgotten when the command ends. Server and client then shake hands over a socket, once with the server's certificate
alone (one-way), once with both (mutual TLS), and after each handshake the client sends an encrypted message, which the
server answers. Nothing leaves this machine, and nothing is written but what --trace and --keylog ask for.

Examples:

    tlscope demo
    tlscope demo --mutual
    tlscope demo --one-way --trace one-way.jsonl --keylog keys.log
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.text import Text

from ..authority import Authority
from ..config import ClientAuth, ClientConfig, ServerConfig
from ..explain import Diagram, draw
from ..io import Server, TLSStream, connect, key_log_file
from ..trace import Completed
from . import options
from .errors import network_error, usage
from .output import Output
from .recorder import Recorder, TraceFile, steps_of

__all__ = ["demo"]

SERVER, CLIENT = "localhost", "alice@example.test"
QUESTION, ANSWER = b"Hello, is this line private?", b"It is: only you and I can read this."

_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Flow:
    """One kind of handshake to show. ``settings`` are for both sides' configs: versions, suites."""

    name: str
    title: str
    mutual: bool
    settings: dict[str, Any] = field(default_factory=dict)


def demo(
    context: typer.Context,
    one_way: Annotated[bool, typer.Option("--one-way", help="Only the server shows a certificate.")] = False,
    mutual: Annotated[
        bool, typer.Option("--mutual", help="Both show one. Default: both flows, one after the other.")
    ] = False,
    tls: options.Tls = None,
    trace: options.TraceFile = None,
    keylog: options.KeyLog = None,
    as_json: options.Json = False,
) -> None:
    """The command ``tlscope demo``."""
    output = Output.of(context)
    settings = options.versions(tls)
    flows = []
    if one_way or not mutual:
        flows.append(Flow("one-way", "One-way: the server proves who it is", False, settings))
    if mutual or not one_way:
        flows.append(Flow("mutual", "Mutual: the client proves who it is, too", True, settings))
    file, key_log = TraceFile(trace), key_log_file(keylog)
    authority = Authority.create()
    output.document["flows"] = []
    for number, flow in enumerate(flows):
        if number:
            output.say("", "")
        recorder = Recorder(content=True)
        try:
            answer = _play(flow, authority, recorder, key_log)
        finally:
            file.add(recorder)
            _show(output, flow, recorder)
        if answer != ANSWER:
            raise usage("the demo's server answered something else")


def _play(flow: Flow, authority: Authority, recorder: Recorder, key_log: Callable[[str], None] | None) -> bytes:
    """Run a server and a client; gives what the client got for an answer."""
    server_config = ServerConfig(
        identities=[authority.issue_server(SERVER, "127.0.0.1").identity()],
        trust=authority.anchors() if flow.mutual else None,
        client_auth=ClientAuth.REQUIRED if flow.mutual else ClientAuth.NONE,
        **flow.settings,
    )
    client_config = ClientConfig(
        trust=authority.anchors(),
        identity=authority.issue_client(CLIENT).identity() if flow.mutual else None,
        key_log=key_log,
        **flow.settings,
    )
    try:
        with (
            Server(server_config, _answer, timeout=_PATIENCE, on_error=lambda error, address: None) as server,
            connect(*server.address, client_config, server_name=SERVER, timeout=_PATIENCE, trace=recorder) as tls,
        ):
            tls.sendall(QUESTION)
            return tls.recv(len(ANSWER) + 1)
    except OSError as error:
        raise network_error(error, "use the loopback interface") from None


def _answer(stream: TLSStream) -> None:
    received = b""
    while len(received) < len(QUESTION) and (data := stream.recv(4096)):
        received += data
    stream.sendall(ANSWER)


def _show(output: Output, flow: Flow, recorder: Recorder) -> None:
    diagram = Diagram.of(recorder)
    facts = next((event.facts for event in recorder.events if isinstance(event, Completed)), {})
    document = {"flow": flow.name, "facts": facts, "steps": steps_of(diagram)}
    output.document["flows"].append(document)
    output.say(Text(flow.title, "bold"), "", draw(diagram, width=output.out.width))
