"""Serve broken servers on the loopback interface, to point one's own client at.

Each case stands on a port of its own: what a good client must refuse, and what it is to say about it, is the case. The
certificates are made when it starts and made anew as they age; the CA that clients have to trust is written to
ca.pem in the directory that is printed, beside a good client's certificate and key, and goes away at the end. With --ca
a CA made by `tlscope ca init` issues them, which clients may trust already.

What each server comes to know of a client's refusal is printed as it happens. Ctrl-C ends it.

Examples:

    tlscope lab serve wrong-host
    tlscope lab serve all --base-port 9000
    tlscope lab serve unknown-ca --base-port 9000 --ca my-ca
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from ..authority import Store
from ..lab import Case, LabServer, Seen, Workshop, has_server
from . import options
from .errors import network_error, usage
from .lab_run import CaseId, chosen, document_of, show_view
from .output import Output
from .serve import Stop

__all__ = ["CaOption", "lab_serve", "workshop_of"]

CaOption = Annotated[
    Path | None,
    typer.Option("--ca", metavar="DIR", help="Issue with this CA, made by `tlscope ca init`. Default: a new one."),
]


def lab_serve(
    context: typer.Context,
    case: CaseId,
    base_port: Annotated[
        int,
        typer.Option("--base-port", metavar="N", min=0, max=65000, help="The first port; 0 for free ones. Default: 0."),
    ] = 0,
    ca: CaOption = None,
    as_json: options.JsonText = False,
) -> None:
    """The command ``tlscope lab serve``."""
    output = Output.of(context)
    cases = [one for one in chosen(case) if has_server(one)]
    if not cases:
        raise usage(f"the fault of {case} is in a file, so there is nothing to serve: tlscope lab run {case}")
    workshop = workshop_of(ca)
    lock = threading.Lock()

    def told(one: Case, seen: Seen) -> None:
        with lock:
            if output.as_json:
                output.line({"event": "connection", "case": one.id, **document_of(seen)})
                return
            output.say("")
            output.text(f"{one.id}: a client came")
            show_view(output, seen)

    stop = Stop()
    with ExitStack() as stack:
        stack.callback(workshop.close)
        servers = []
        for number, one in enumerate(cases):
            try:
                server = LabServer(one, workshop, base_port + number if base_port else 0, on_seen=told)
            except OSError as error:
                raise network_error(error, f"listen on 127.0.0.1:{base_port + number}") from None
            servers.append(stack.enter_context(server))
        stack.enter_context(stop.on_signals())
        _say_hello(output, workshop, servers)
        stop.wait()


def workshop_of(ca: Path | None) -> Workshop:
    """The workshop of ``--ca``. Raises ``ConfigError``."""
    return Workshop() if ca is None else Workshop(Store.open(ca).authority)


def _say_hello(output: Output, workshop: Workshop, servers: list[LabServer]) -> None:
    root = workshop.file("ca.pem", workshop.authority.pem())
    client = workshop.file("client.pem", workshop.client.pem())
    key = workshop.file("client-key.pem", workshop.client.key_pem())
    if output.as_json:
        for one in servers:
            host, port = one.address
            output.line(
                {
                    "event": "listening",
                    "case": one.case.id,
                    "host": host,
                    "port": port,
                    "server_name": one.client_name,
                    "ca": str(root),
                    "client_certificate": str(client),
                    "client_key": str(key),
                }
            )
        return
    output.rows([("trust", str(root)), ("good client", str(client)), ("its key", str(key))], indent=0)
    output.say("")
    output.rows((f"127.0.0.1:{one.address[1]}", _what(one)) for one in servers)
    output.say("", "For example:", "")
    first = servers[0]
    output.commands(
        [f"tlscope connect 127.0.0.1:{first.address[1]}", f"--server-name {first.client_name}", f"--trust {root}"]
    )
    output.say("", "Ctrl-C ends it.")


def _what(server: LabServer) -> str:
    name = server.client_name
    return f"{server.case.id}: {server.case.title}{'' if name == 'localhost' else f' (ask for {name})'}"
