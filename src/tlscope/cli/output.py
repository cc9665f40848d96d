"""Where a command's output goes: people get text of at most 80 columns, machines one JSON document.

Text from peers and files is printed through ``printable``; nothing here reads rich's markup, so no name can forge any.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console, RenderableType
from rich.text import Text

from ..errors import TLSError
from ..explain.frame import wrap
from ..explain.words import printable
from .errors import ExitCode, Report, report

if TYPE_CHECKING:
    import typer

__all__ = ["WIDTH", "Output", "console", "width_of"]

WIDTH = 80
"""Columns, at most: what every terminal has, and what a diagram is drawn for."""


def console(file: TextIO) -> Console:
    """A console that wraps at 80 columns or the terminal's width, if that is less, and honours NO_COLOR."""
    found = Console(file=file, markup=False, emoji=False, highlight=False)
    found.width = width_of(found)
    return found


def width_of(found: Console) -> int:
    """The columns to use; a terminal that says it has none or hardly any is not believed."""
    return min(WIDTH, found.width) if found.width >= 20 else WIDTH


class Output:
    """One command's output. ``document`` is what ``--json`` prints at the end, whether it went well or not."""

    def __init__(self, command: str, *, as_json: bool) -> None:
        self.as_json = as_json
        self.document: dict[str, Any] = {"command": command}
        self.out = console(sys.stdout)
        self.err = console(sys.stderr)
        self._label = f"tlscope {command}".rstrip()
        self._printed = False

    @classmethod
    def of(cls, context: typer.Context) -> Output:
        """The output of the command that runs in this context; made where there is none yet."""
        found = context.meta.get("tlscope.output")
        if not isinstance(found, cls):
            command = context.command_path.partition(" ")[2]
            found = cls(command, as_json=bool(context.params.get("as_json")))
            context.meta["tlscope.output"] = found
        return found

    def say(self, *lines: RenderableType, to_stderr: bool = False) -> None:
        """Print for people; silent with ``--json``."""
        if not self.as_json:
            target = self.err if to_stderr else self.out
            for line in lines:
                target.print(line, crop=False)  # a ladder in a terminal that is too narrow for it is better whole

    def rows(self, rows: Iterable[tuple[str, str]], *, indent: int = 2, to_stderr: bool = False) -> None:
        """Print facts, a name and its value a line; empty values are left out."""
        found = [(name, value) for name, value in rows if value]
        room = indent + max((len(name) for name, _ in found), default=0) + 2
        for name, value in found:
            head = Text(f"{'':{indent}}{name}".ljust(room), "bold")
            self.say(*_paragraph(value, self.out.width, room, head), to_stderr=to_stderr)

    def text(self, text: str, style: str = "", *, indent: int = 0, to_stderr: bool = False) -> None:
        """Print a paragraph of text, which anybody may have chosen."""
        self.say(*_paragraph(text, self.out.width, indent, Text(" " * indent), style), to_stderr=to_stderr)

    def commands(self, *commands: list[str]) -> None:
        """Print commands to copy, each in pieces that are kept together; long ones go on after a backslash."""
        for pieces in commands:
            lines = [f"  {pieces[0]}"]
            for piece in pieces[1:]:
                if len(lines[-1]) + len(piece) + 3 > WIDTH:
                    lines[-1] += " \\"
                    lines.append(f"      {piece}")
                else:
                    lines[-1] += f" {piece}"
            self.code(*(line[2:] for line in lines))

    def code(self, *lines: str) -> None:
        """Print lines to copy; they are never wrapped, since a line that was broken can't be pasted."""
        for line in lines:
            if not self.as_json:
                self.out.print(Text(f"  {printable(line, 4000)}", "green"), soft_wrap=True)

    def failed(self, error: BaseException) -> ExitCode:
        """Say how the command failed: one line on stderr, advice below it; gives the exit code."""
        found = report(error)
        if found.code is ExitCode.PIPE_CLOSED:
            return found.code
        self.document["error"] = _as_dict(error, found)
        if found.code is ExitCode.INTERRUPTED:
            self.err.print()
        else:
            for line in _sentence(self._label, found, self.err.width):
                self.err.print(line)
        return found.code

    def finish(self, code: ExitCode = ExitCode.OK) -> None:
        """Print the document, once."""
        if self.as_json and not self._printed:
            self._printed = True
            self.document["exit_code"] = int(code)
            sys.stdout.write(json.dumps(self.document, indent=2) + "\n")
        sys.stdout.flush()

    def line(self, document: dict[str, Any]) -> None:
        """Print one JSON document on one line at once: for commands that report while they run."""
        self._printed = True
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()


def _paragraph(text: str, width: int, indent: int, head: Text, style: str = "") -> Iterator[Text]:
    """Lines of ``text`` indented by ``indent``, the first behind ``head``, which is as wide."""
    for place, line in enumerate(wrap(printable(text, 4000), max(20, width - indent))):
        shown = head.copy() if place == 0 else Text(" " * indent)
        shown.append(line, style or "not bold")
        yield shown


def _sentence(label: str, found: Report, width: int) -> Iterator[Text]:
    """What went wrong behind the command's name, what to do below it."""
    what = printable(found.what, 4000)
    what += "" if what.endswith((".", "!", "?")) else "."
    for place, line in enumerate(wrap(f"{label}: {what}", width - 2)):
        text = Text(line if place == 0 else f"  {line}")
        if place == 0:
            text.stylize("bold red", 0, len(label) + 1)
        yield text
    if found.advice:
        yield from _paragraph(found.advice, width, 2, Text("  "), "yellow")


def _as_dict(error: BaseException, found: Report) -> dict[str, Any]:
    if isinstance(error, TLSError):
        data = error.as_dict()
    else:
        code = "interrupted" if found.code is ExitCode.INTERRUPTED else "system"
        data = {"code": code, "sentence": found.what}
    return {**data, "advice": found.advice}
