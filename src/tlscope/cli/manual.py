"""A command's help, made from its module's docstring: the same text on the terminal and in docs/cli.md.

A docstring is prose in paragraphs, headings that end in a colon, and indented lines that stay as they are. The options
stand before the first heading, the exit codes at the end.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import typer
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from .errors import EXIT_CODES, ExitCode
from .output import WIDTH, Output

__all__ = ["Command", "Group", "Line", "page"]

_COLUMN = 26
"""Where the explanation of an option begins."""


class Line(NamedTuple):
    """A line of help and what it is: ``text``, ``heading``, ``verbatim`` or an ``entry`` whose name has ``name`` letters."""

    text: str
    kind: str = "text"
    name: int = 0


class Command(TyperCommand):
    """A command with such a help, whose every failure becomes one line and an exit code."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write(_rendered(ctx, page(ctx)))

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises ``typer.Exit`` and nothing else."""
        output = Output.of(ctx)
        code = ExitCode.OK
        try:
            super().invoke(ctx)
            output.finish()
        except typer.Exit:
            raise
        except BaseException as error:
            if isinstance(error, SystemExit | GeneratorExit):
                raise
            code = output.failed(error)
        if code is not ExitCode.OK:
            if code is not ExitCode.PIPE_CLOSED:
                output.finish(code)
            raise typer.Exit(code)


class Group(TyperGroup):
    """A group of commands with such a help."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write(_rendered(ctx, page(ctx)))


def page(ctx: Any, width: int = WIDTH) -> list[Line]:
    """The help of the command of this context, line by line, none longer than ``width``."""
    command = ctx.command
    parts = list(_paragraphs(command.help or ""))
    first = next((place for place, (kind, _) in enumerate(parts) if kind == "heading"), len(parts))
    lines = [*_usage(ctx, width), Line("")]
    lines += _prose(parts[:first], width)
    if isinstance(command, TyperGroup):
        lines += _section("Commands", _commands(ctx), width)
    params = [param for param in command.get_params(ctx) if not getattr(param, "hidden", False)]
    arguments = [_argument(param) for param in params if param.param_type_name == "argument"]
    lines += _section("Arguments", arguments, width)
    lines += _section("Options", [_option(param) for param in params if param.param_type_name == "option"], width)
    lines += _prose(parts[first:], width)
    if not isinstance(command, TyperGroup) or ctx.parent is None:
        lines += _section("Exit codes", [(str(int(code)), text) for code, text in EXIT_CODES.items()], width, 7)
    while lines and not lines[-1].text:
        lines.pop()
    return lines


def _usage(ctx: Any, width: int) -> list[Line]:
    pieces = []
    for param in ctx.command.get_params(ctx):
        if param.param_type_name == "argument":
            name, _ = _argument(param)
            pieces.append(name if param.required else f"[{name}]")
    if isinstance(ctx.command, TyperGroup):
        pieces.append("COMMAND ...")
    text = " ".join([f"Usage: {ctx.command_path}", "[OPTIONS]", *pieces])
    return [Line(line, "usage") for line in textwrap.wrap(text, width, subsequent_indent=" " * 7)]


def _paragraphs(text: str) -> Iterator[tuple[str, str]]:
    for block in textwrap.dedent(text).strip().split("\n\n"):
        block = block.strip("\n")
        if block.startswith(" "):
            yield "verbatim", block
        elif block.endswith(":") and "\n" not in block and len(block) < 40:
            yield "heading", block
        elif block.startswith("- "):
            for item in ("\n" + block).split("\n- ")[1:]:
                yield "item", " ".join(item.split())
        elif block:
            yield "text", " ".join(block.split())


def _prose(parts: Iterable[tuple[str, str]], width: int) -> list[Line]:
    lines: list[Line] = []
    before = ""
    for kind, text in parts:
        if before == "item" and kind != "item":
            lines.append(Line(""))
        if kind == "heading":
            lines.append(Line(text, "heading"))
        elif kind == "verbatim":
            lines += [Line(f"  {line}" if line else "", "verbatim") for line in _dedented(text)]
            lines.append(Line(""))
        elif kind == "item":
            lines += [Line(line) for line in _wrapped(text, width, "- ", "  ")]
        else:
            lines += [Line(line) for line in _wrapped(text.replace("``", ""), width)] + [Line("")]
        before = kind
    return lines + ([Line("")] if before == "item" else [])


def _dedented(block: str) -> list[str]:
    return textwrap.dedent(block).splitlines()


def _wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    return textwrap.wrap(
        text.replace("``", ""),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _section(title: str, entries: list[tuple[str, str]], width: int, column: int = _COLUMN) -> list[Line]:
    if not entries:
        return []
    lines = [Line(f"{title}:", "heading")]
    for name, text in entries:
        room = width - column
        wrapped = _wrapped(text, room) or [""]
        head = f"  {name}"
        if len(head) > column - 2:
            lines.append(Line(head, "entry", len(name)))
        else:
            lines.append(Line(f"{head:<{column}}{wrapped.pop(0)}", "entry", len(name)))
        lines += [Line(" " * column + line) for line in wrapped]
    return [*lines, Line("")]


def _argument(param: Any) -> tuple[str, str]:
    return param.metavar or param.name.upper(), param.help or ""


def _option(param: Any) -> tuple[str, str]:
    names = sorted(param.opts, key=len)
    name = ", ".join(names)
    if param.secondary_opts:
        name += "/" + ", ".join(param.secondary_opts)
    if not param.is_flag and param.metavar:
        name += f" {param.metavar}"
    return name, param.help or ""


def _commands(ctx: Any) -> list[tuple[str, str]]:
    group = ctx.command
    found = []
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        found.append((name, (command.help or "").strip().partition("\n")[0].rstrip(".")))
    return found


def _rendered(ctx: Any, lines: list[Line]) -> str:
    target = Output("", as_json=False).out
    with target.capture() as capture:
        for line in page(ctx, target.width) if target.width < WIDTH else lines:
            target.print(_styled(line), soft_wrap=True)
    return capture.get()


def _styled(line: Line) -> Text:
    text = Text(line.text)
    if line.kind == "heading":
        text.stylize("bold")
    elif line.kind == "usage" and line.text.startswith("Usage:"):
        text.stylize("bold", 0, 6)
    elif line.kind == "entry":
        text.stylize("cyan", 2, 2 + line.name)
    elif line.kind == "verbatim":
        text.stylize("green")
    return text
