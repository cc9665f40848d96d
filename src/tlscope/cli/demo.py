"""Make real handshakes on this machine, and draw them as they happened.

A certificate authority is made, issues a certificate for a server on the loopback interface and one for a client, and is
forgotten when the command ends. Server and client then shake hands over a socket, once with the server's certificate
alone (one-way), once with both (mutual TLS), and after each handshake the client sends an encrypted message, which the
server answers. The ladder has each side's verdict on what the other showed. Nothing leaves this machine, and nothing is
written but the files that are asked for.

Examples:

    tlscope demo
    tlscope demo --mutual
    tlscope demo --tls 1.2 --key-exchange rsa
    tlscope demo --one-way --trace one-way.jsonl --keylog keys.log
    tlscope demo --html demo.html --pcapng demo.pcapng
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.text import Text

from ..authority import Authority
from ..config import RSA_KEY_TRANSPORT, ClientAuth, ClientConfig, ServerConfig
from ..explain import Diagram, draw
from ..explain.words import printable
from ..io import Server, TLSStream, connect, key_log_file
from ..trust.anchors import TrustAnchors
from ..wire.codepoints import ProtocolVersion
from . import options, pictures
from .errors import network_error, usage
from .output import Output
from .recorder import Recorder, TraceFile, steps_of

__all__ = ["demo"]

SERVER, CLIENT = "localhost", "alice@example.test"
QUESTION, ANSWER = b"Hello, is this line private?", b"It is: only you and I can read this."

_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Flow:
    """One kind of handshake to show. ``settings`` are for both sides' configs, ``key`` the kind of the server's key."""

    name: str
    title: str
    mutual: bool
    settings: dict[str, Any] = field(default_factory=dict)
    key: str = "P-256"


def demo(
    context: typer.Context,
    one_way: Annotated[bool, typer.Option("--one-way", help="Only the server shows a certificate.")] = False,
    mutual: Annotated[
        bool, typer.Option("--mutual", help="Both show one. Default: both flows, one after the other.")
    ] = False,
    tls: options.Tls = None,
    key_exchange: Annotated[
        str | None,
        typer.Option(
            "--key-exchange",
            metavar="ecdhe|rsa",
            help="In TLS 1.2: rsa is the classic one, where the client encrypts the premaster secret to the server's key. "
            "Default: ecdhe.",
        ),
    ] = None,
    trace: options.TraceFile = None,
    keylog: options.KeyLog = None,
    html: pictures.HtmlFile = None,
    svg: pictures.SvgFile = None,
    mermaid: pictures.MermaidFile = None,
    pcapng: pictures.PcapngFile = None,
    as_json: options.Json = False,
) -> None:
    """The command ``tlscope demo``."""
    output = Output.of(context)
    settings, server_key = _key_exchange(key_exchange, options.versions(tls))
    flows = []
    if one_way or not mutual:
        flows.append(Flow("one-way", "One-way: the server proves who it is", False, settings, server_key))
    if mutual or not one_way:
        flows.append(Flow("mutual", "Mutual: the client proves who it is, too", True, settings, server_key))
    file, drawn, key_log = TraceFile(trace), pictures.Pictures(html, svg, mermaid, pcapng), key_log_file(keylog)
    authority = Authority.create()
    output.document["flows"] = []
    for number, flow in enumerate(flows):
        if number:
            output.say("", "")
        recorder, of_server = drawn.recorder(content=True), Recorder()
        try:
            _play(flow, authority, recorder, of_server, key_log)
        finally:
            file.add(recorder)
            drawn.add(recorder, flow.title)
            _show(output, flow, recorder, of_server)
    drawn.write("TLS, seen through")


def _key_exchange(name: str | None, settings: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Both configs' settings, and the kind of the server's key. Raises ``ConfigError``."""
    if name is None or name.lower() == "ecdhe":
        return settings, "P-256"
    if name.lower() != "rsa":
        raise usage(f"--key-exchange {printable(name, 40)}: there are ecdhe and rsa")
    settings = settings or options.versions("1.2")
    if settings["max_version"] is not ProtocolVersion.TLS1_2:
        raise usage("--key-exchange rsa is TLS 1.2's, and TLS 1.3 has nothing like it: give --tls 1.2")
    return {**settings, "cipher_suites": RSA_KEY_TRANSPORT}, "RSA-2048"


def _play(
    flow: Flow,
    authority: Authority,
    recorder: Recorder,
    of_server: Recorder,
    key_log: Callable[[str], None] | None,
) -> None:
    """Run a server and a client, who greet each other and part."""
    anchors = TrustAnchors([authority.root], "the authority made for this demo")
    server_config = ServerConfig(
        identities=[authority.issue_server(SERVER, "127.0.0.1", key=flow.key).identity()],
        trust=anchors if flow.mutual else None,
        client_auth=ClientAuth.REQUIRED if flow.mutual else ClientAuth.NONE,
        trace=lambda: of_server,
        **flow.settings,
    )
    client_config = ClientConfig(
        trust=anchors,
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
            while tls.recv(4096):
                pass
    except OSError as error:
        raise network_error(error, "use the loopback interface") from None


def _answer(stream: TLSStream) -> None:
    received = b""
    while len(received) < len(QUESTION) and (data := stream.recv(4096)):
        received += data
    stream.sendall(ANSWER)


def _show(output: Output, flow: Flow, recorder: Recorder, of_server: Recorder) -> None:
    diagram = Diagram.of(recorder, peer=of_server)
    document = {"flow": flow.name, "facts": recorder.facts, "steps": steps_of(diagram)}
    output.document["flows"].append(document)
    output.say(Text(flow.title, "bold"), "", draw(diagram, width=output.out.width))
