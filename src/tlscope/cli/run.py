"""Run a Python program over tlscope, unchanged, and explain every handshake that it makes.

The program's ``ssl`` module becomes tlscope's before it begins; it reads, prints and ends as it does alone, and its exit
code is ours. On stderr each handshake is told in a line, and each that fails is drawn and explained. Python programs
that it starts itself are looked at in the same way.

COMMAND is what you would type without tlscope: a program such as ``python`` or ``uvicorn`` with its arguments, a file
that ends in .py, or -m and a module. It has to run on a Python in which tlscope is installed. What does not use
``ssl``, such as pycurl, grpc and libpq, is not seen.

Examples:

    tlscope run python program.py --its-own options
    tlscope run --html report.html -- uvicorn app:app --ssl-certfile server.pem
    tlscope run -m http.client
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigError
from ..explain import Diagram
from ..explain.words import printable
from ..trace import Trace
from . import options, pictures
from .errors import usage
from .output import Output
from .recorder import TraceFile
from .run_inside import KEEP

__all__ = ["run"]

_BOOTSTRAP = Path(__file__).parent / "bootstrap"


def run(
    context: typer.Context,
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND...", help="The program and its arguments; -- may stand before it.")
    ],
    module: Annotated[bool, typer.Option("-m", help="COMMAND is a module, as in python -m.")] = False,
    html: pictures.HtmlFile = None,
    trace: options.TraceFile = None,
) -> None:
    """The command ``tlscope run``."""
    output = Output.of(context)
    program = _program(command, module)
    file, drawn = TraceFile(trace), pictures.Pictures(html)
    with tempfile.TemporaryDirectory(prefix="tlscope-") as directory:
        reports = Path(directory)
        code = _run(program, _environment(reports, keep=bool(html or trace)))
        _remark(output, reports)
        for one in _traces(reports):
            file.add(one)
            drawn.add(one, _title(one))
        drawn.write()
    raise typer.Exit(code)


def _program(command: list[str], module: bool) -> list[str]:
    """What to execute. Raises ``ConfigError`` where there is no such program."""
    if module:
        return [sys.executable, "-m", *command]
    name, *arguments = command
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise usage(f"there is no file {printable(name, 200)}")
        return [sys.executable, name, *arguments]
    found = shutil.which(name)
    if found is None and name in ("python", "python3"):
        found = sys.executable
    if found is None:
        raise usage(
            f"there is no program {printable(name, 200)}; name one that the shell finds, or a file that ends in .py"
        )
    return [found, *arguments]


def _environment(reports: Path, *, keep: bool) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != KEEP}
    paths = [str(_BOOTSTRAP)] + [path for path in (os.environ.get("PYTHONPATH"),) if path]
    # The program's standard streams are what they were: nothing else is set.
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "TLSCOPE_RUN": str(reports), **({KEEP: "1"} if keep else {})}


def _run(program: list[str], environment: dict[str, str]) -> int:
    sys.stdout.flush()
    try:
        # The person names the program, on the command line.
        process = subprocess.Popen(program, env=environment)  # noqa: S603
    except OSError as error:
        raise usage(f"{printable(program[0], 200)} can't be run: {error.strerror}") from None
    with _signals_to(process):
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _signals_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """What is meant for the program reaches it; a terminal's Ctrl-C reaches it by itself, and must not end us first."""

    def forward(number: int, _: Any) -> None:
        with contextlib.suppress(OSError):
            process.send_signal(number)

    before = {signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None)}
    for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        before[one] = signal.signal(one, forward)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _remark(output: Output, reports: Path) -> None:
    """Say why nothing was seen, where that is so."""
    absent = reports / "absent"
    if absent.exists():
        python = absent.read_text("utf-8").partition("\n")[0]
        output.text(f"tlscope run: tlscope is not installed in {python}, so it saw nothing there.", to_stderr=True)
    elif not (reports / "began").exists():
        output.text(
            "tlscope run: no Python program was begun, or one that ignores PYTHONPATH (python -I, -E): nothing was seen.",
            to_stderr=True,
        )
    elif not any(reports.glob("*.jsonl")):
        output.text("tlscope run: no handshake was made with the ssl module.", to_stderr=True)


def _traces(reports: Path) -> list[Trace]:
    found = []
    for path in reports.glob("*.jsonl"):
        # One that was being written when the program was killed has no end.
        with contextlib.suppress(ValueError, OSError, ConfigError):
            found.append(Trace.from_json_lines(path.read_text("utf-8")))
    return sorted((one for one in found if one.events), key=lambda one: one.started_at)


def _title(trace: Trace) -> str:
    diagram = Diagram.of(trace)
    return f"{'To' if diagram.role == 'client' else 'For'} {diagram.server.name or 'a peer without a name'}: {diagram.title}"
