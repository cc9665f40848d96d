"""List the cases of the lab: the id of each, and what is wrong in it.

Examples:

    tlscope lab list
    tlscope lab list --json
"""

from __future__ import annotations

import typer

from ..lab import CASES, has_broken_client, has_server
from . import options
from .output import Output

__all__ = ["lab_list"]


def lab_list(context: typer.Context, as_json: options.JsonText = False) -> None:
    """The command ``tlscope lab list``."""
    output = Output.of(context)
    output.document["cases"] = [
        {
            "id": case.id,
            "row": case.row,
            "title": case.title,
            "broken": case.broken,
            "serve": has_server(case),
            "client": has_broken_client(case),
        }
        for case in CASES.values()
    ]
    output.rows((case.id, case.title) for case in CASES.values())
