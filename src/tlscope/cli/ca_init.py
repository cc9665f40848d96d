"""Make a certificate authority in a directory, and say what to do with it.

It writes ca.pem, the certificate that others have to trust, and ca-key.pem, the key that signs, which only you can read.
An authority that is there already is never overwritten.

Examples:

    tlscope ca init my-ca
    tlscope ca init my-ca --name "Example development CA"
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ..authority import Store
from . import options
from .output import Output

__all__ = ["ca_init"]


def ca_init(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to make it; created if it is not there.")],
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="What to call it.")] = None,
    as_json: options.JsonText = False,
) -> None:
    """The command ``tlscope ca init``."""
    output = Output.of(context)
    store = Store.init(directory, name)
    certificate = store.authority.certificate
    output.document.update(
        certificate=str(store.root),
        key=str(store.directory / "ca-key.pem"),
        name=store.authority.name,
        not_after=certificate.not_valid_after_utc.isoformat(),
    )
    where = shlex.quote(str(directory))
    output.text(f"Made a certificate authority: {store.authority.name}")
    output.rows(
        [
            ("certificate", str(store.root)),
            ("key", f"{store.directory / 'ca-key.pem'} (yours alone: it can sign for any name)"),
            ("valid until", f"{certificate.not_valid_after_utc:%Y-%m-%d}"),
        ]
    )
    output.say("", "Issue certificates with it:", "")
    output.commands(
        ["tlscope ca issue", where, "localhost 127.0.0.1 ::1"],
        ["tlscope ca issue", where, "alice", "--client"],
    )
