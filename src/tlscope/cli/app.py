"""The commands put together, and the frame around them: no exception leaves it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from .._version import __version__
from . import (
    ca,
    ca_init,
    ca_issue,
    connect,
    demo,
    explain,
    inspect,
    lab,
    lab_client,
    lab_list,
    lab_run,
    lab_serve,
    serve,
)
from . import run as run_command
from .errors import ExitCode, usage
from .manual import Command, Group
from .output import Output

__all__ = ["app", "run"]

HELP = """
TLS that can be seen through: make handshakes, see them drawn, and learn why they fail.

``tlscope COMMAND --help`` is the manual page of a command; docs/cli.md has them all.

Examples:

    tlscope demo
    tlscope connect example.org
    tlscope serve --respond http
    tlscope run python program.py
    tlscope explain capture.pcapng --keylog keys.log
    tlscope ca init my-ca
    tlscope lab run wrong-host
"""

_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    cls=Group,
    help=HELP,
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=_SETTINGS,
)
_ca = typer.Typer(cls=Group, help=ca.__doc__, rich_markup_mode=None, context_settings=_SETTINGS)
_lab = typer.Typer(cls=Group, help=lab.__doc__, rich_markup_mode=None, context_settings=_SETTINGS)


def _add(group: typer.Typer, name: str, function: Callable[..., None], doc: str | None, **settings: Any) -> None:
    group.command(name, cls=Command, help=doc, context_settings=_SETTINGS | settings)(function)


_add(app, "demo", demo.demo, demo.__doc__)
_add(app, "connect", connect.connect, connect.__doc__)
_add(app, "serve", serve.serve, serve.__doc__)
_add(app, "run", run_command.run, run_command.__doc__, allow_interspersed_args=False)
_add(app, "explain", explain.explain, explain.__doc__)
_add(app, "inspect", inspect.inspect, inspect.__doc__)
_add(_ca, "init", ca_init.ca_init, ca_init.__doc__)
_add(_ca, "issue", ca_issue.ca_issue, ca_issue.__doc__)
app.add_typer(_ca, name="ca")
_add(_lab, "list", lab_list.lab_list, lab_list.__doc__)
_add(_lab, "run", lab_run.lab_run, lab_run.__doc__)
_add(_lab, "serve", lab_serve.lab_serve, lab_serve.__doc__)
_add(_lab, "client", lab_client.lab_client, lab_client.__doc__)
app.add_typer(_lab, name="lab")


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if version:
        typer.echo(f"tlscope {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


# What click raises for a mistake on the command line; its name has moved between typer's versions.
_ClickException: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException" and issubclass(base, Exception)
)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; gives its exit code."""
    _stand_in_for_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that can't show a character gets a question mark instead of a UnicodeEncodeError.
            stream.reconfigure(errors="replace")
    try:
        code = typer.main.get_command(app).main(list(arguments), prog_name="tlscope", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except _ClickException as mistake:
        return _mistake(mistake, as_json="--json" in arguments)
    except (BrokenPipeError, SystemExit):
        _close_quietly()
        return int(ExitCode.PIPE_CLOSED)
    except OSError as error:
        return int(Output("", as_json=False).failed(error))
    except (KeyboardInterrupt, typer.Abort):
        return int(ExitCode.INTERRUPTED)


def _stand_in_for_closed_streams() -> None:
    """A shell may have closed a stream (``>&-``), and Python has None for it then: what is said there goes nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nowhere, mode, encoding="utf-8", closefd=False))


def _mistake(mistake: Any, *, as_json: bool) -> int:
    context = getattr(mistake, "ctx", None)
    path = context.command_path if context is not None else "tlscope"
    sentence = mistake.format_message().strip().rstrip(".").replace("\n", " ")
    sentence = sentence[:1].lower() + sentence[1:]
    output = Output(path.partition(" ")[2], as_json=as_json)
    code = output.failed(usage(f"{sentence}; {path} --help says how it is used"))
    output.finish(code)
    return int(code)


def _close_quietly() -> None:
    """Nobody reads any more: keep the interpreter from complaining about it when it flushes at its end."""
    with contextlib.suppress(OSError, ValueError, io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
