"""Send a broken client to one's own server, and see what it is told.

What the client does wrong is the case; whether the server refuses it, and how, is what one wants to know. The server's
certificate is not judged, unless --trust says by whom. Client certificates are issued by the CA of --ca, which the server
has to know; without it by a new one.

Only addresses of this machine are gone to; --anywhere allows others, which should be one's own.

Examples:

    tlscope lab client no-client-cert 127.0.0.1:8443
    tlscope lab client client-cert-expired localhost:8443 --ca my-ca
    tlscope lab client no-common-version 127.0.0.1:8443
"""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Annotated, Any

import typer

from ..explain.words import printable
from ..lab import client_of, has_broken_client
from ..trust.anchors import TrustAnchors
from . import options
from .errors import network_error, usage
from .lab_run import chosen, document_of, show_view
from .lab_serve import CaOption, workshop_of
from .output import Output

__all__ = ["lab_client"]


def lab_client(
    context: typer.Context,
    case: Annotated[str, typer.Argument(metavar="ID", help="A case of `tlscope lab list` whose client is broken.")],
    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="Where the server listens.")],
    ca: CaOption = None,
    trust: Annotated[
        Path | None, typer.Option("--trust", metavar="FILE", help="Judge the server's certificate by these CAs.")
    ] = None,
    anywhere: Annotated[bool, typer.Option("--anywhere", help="Go to other machines, too.")] = False,
    as_json: options.JsonText = False,
) -> None:
    """The command ``tlscope lab client``."""
    output = Output.of(context)
    (one,) = chosen(case) if case != "all" else (None,)
    if one is None or not has_broken_client(one):
        raise usage(
            f"{printable(case, 60)} has no broken client; tlscope lab serve {printable(case, 60)} has the other side"
        )
    where = options.parse_address(address, port=443)
    if not anywhere and not _is_here(where.host):
        raise usage(f"{printable(where.host, 80)} is another machine: give --anywhere if it is yours to test")
    settings: dict[str, Any] = {"insecure_skip_verification": True}
    if trust is not None:
        settings = {"trust": TrustAnchors.from_file(trust)}
    workshop = workshop_of(ca)
    try:
        seen = client_of(one, workshop, where.host, where.port, **settings)
    except OSError as error:
        raise network_error(error, f"connect to {where}") from None
    finally:
        workshop.close()
    output.document.update(case=one.id, **document_of(seen))
    output.text(f"{one.id}: {one.title}")
    output.say("")
    if seen.diagnosis is None and seen.error is None and not seen.note:
        output.text("The server took this client: it did not refuse what the case does wrong.")
    else:
        show_view(output, seen)


def _is_here(host: str) -> bool:
    """Whether every address of a name is this machine's own."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return True  # connecting will say what is wrong with it
    return all(ipaddress.ip_address(one.partition("%")[0]).is_loopback for one in found)
