"""The guide's commands, run: each ``shown`` mark of a page in docs/guide is followed by the command and what it printed.

    <!-- shown: tlscope demo --one-way -->
    <!-- shown: tlscope connect localhost:8443 --trust my-ca/ca.pem | against: tlscope serve -->

What stands between a mark and ``<!-- end -->`` is written here. All commands share one temporary directory, in which an
authority and two certificates have been made as the page on certificates says.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tlscope.cli.app import run

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs" / "guide"

MARK = re.compile(
    r"<!-- shown: (?P<command>tlscope [^>|]*?)(?: \| against: (?P<server>tlscope [^>]*?))? -->\n.*?<!-- end -->",
    re.DOTALL,
)
PREPARED = (
    "tlscope ca init my-ca",
    "tlscope ca issue my-ca localhost 127.0.0.1 ::1",
    "tlscope ca issue my-ca alice --client",
)
PORT = 8443
PATIENCE = 60.0
_UNWANTED = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "SSLKEYLOGFILE", "TERM")


class Stage:
    """A directory in which commands are run, each once."""

    def __init__(self) -> None:
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._printed: dict[tuple[str, str | None], str] = {}
        kept = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
        self._environment = {**kept, "PYTHONUTF8": "1"}

    def printed(self, command: str, server: str | None = None) -> str:
        """What a command prints, on either stream, with ``server`` running beside it where one is given."""
        here = server is None and command.split()[1] == "demo"
        if self._directory is None and not here:
            self._directory = tempfile.TemporaryDirectory()
            atexit.register(self._directory.cleanup)
            for needed in PREPARED:
                self.printed(needed)
        if (command, server) not in self._printed:
            with self._serving(server) as port:
                text = in_this_process(command) if here else self._run(command.replace(f":{PORT}", f":{port}"))
                text = text.replace(f":{port}", f":{PORT}")
            self._printed[command, server] = text
        return self._printed[command, server]

    def _run(self, command: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own commands, named in our own pages
            [sys.executable, "-m", "tlscope", *shlex.split(command)[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=PATIENCE,
            cwd=self._directory.name if self._directory else None,
            env=self._environment,
            check=False,
        )
        return done.stdout.strip("\n")

    @contextlib.contextmanager
    def _serving(self, command: str | None) -> Iterator[int]:
        if command is None:
            yield PORT
            return
        arguments = [*shlex.split(command)[1:], "--listen", "127.0.0.1:0", "--json"]
        with subprocess.Popen(  # noqa: S603 - see above
            [sys.executable, "-m", "tlscope", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            cwd=self._directory.name if self._directory else None,
            env=self._environment,
        ) as process:
            try:
                assert process.stdout is not None  # noqa: S101 - it is a pipe
                yield json.loads(process.stdout.readline())["port"]
            finally:
                process.terminate()


def in_this_process(command: str) -> str:
    """What a command prints that needs no directory and no other one beside it: quicker than a process of its own."""
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        run(shlex.split(command)[1:])
    return printed.buffer.getvalue().decode().strip("\n")  # type: ignore[attr-defined]


def drawn(stage: Stage, path: Path) -> str:
    """A page with everything in it run anew."""

    def shown(match: re.Match[str]) -> str:
        command, server = match["command"], match["server"]
        lines = [command] if server is None else [f"{server} &", command]
        mark = match[0].partition("\n")[0]
        text = "\n".join(line.rstrip() for line in stage.printed(command, server).splitlines())
        return f"{mark}\n```sh\n{chr(10).join(map(folded, lines))}\n```\n\n```text\n{text}\n```\n<!-- end -->"

    return MARK.sub(shown, path.read_text("utf-8"))


def folded(command: str, width: int = 100) -> str:
    """A command on as many lines as it needs, broken before options as a shell understands it."""
    lines, line = [], ""
    for part in re.split(r" (?=--)", command):
        if line and len(line) + 1 + len(part) > width - 2:
            lines.append(line)
            line = f"    {part}"
        else:
            line = f"{line} {part}" if line else part
    return " \\\n".join([*lines, line])


def guide_pages() -> dict[str, Callable[[], str]]:
    """Each page of the guide by its path, and what makes its text."""
    stage = Stage()
    return {path.relative_to(ROOT).as_posix(): partial(drawn, stage, path) for path in sorted(GUIDE.glob("*.md"))}
