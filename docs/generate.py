"""Write the documentation that is drawn from runs: ``make docs``. With ``--check`` only say what is out of date.

Each page has a function that gives its text. What differs from run to run, such as times and names made at random, does
not make a page out of date.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from tlscope.cli.app import app
from tlscope.cli.manual import page
from tlscope.lab.document import failures

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))

from guide_runs import guide_pages  # noqa: E402 - it lies beside this file

BEGIN, END = "<!-- generated: {} -->", "<!-- end -->"

INTRODUCTION = """\
# The command line

Made by `make docs` from the commands themselves; `tlscope COMMAND --help` prints the same.

## What all commands have in common

- Diagrams and tables are at most 80 columns wide. Colour is used on a terminal only, and not where `NO_COLOR` is set.
- A failure is one sentence on stderr that says what happened and why, and one that says what to do. There is no traceback.
- The exit code says how it ended; every page below lists the codes.
- `--json` prints a document with `command`, `exit_code` and, where it failed, `error`: its `code` is stable, `sentence` is
  for people, `alert`, `rfc`, `judge` (`us` or `peer`), `step`, `evidence` and `advice` say the rest.
  - `demo` has `flows`, each with `flow`, `facts` and `steps`.
  - `connect` has `host`, `port`, `facts`, `steps`, `chain` (the server's certificates) and, with `--send`, `answer`.
  - `serve` prints a document a line, each with its `event`: `listening` (`host`, `port`, `certificate`), `handshake`
    (`connection`, `address`, `facts`, `steps`, or `error`) and `end` (`connection`, `error`).
  - `explain` has `connections`, each with `title`, `client`, `server`, `facts`, `steps` and `diagnosis`, and `remarks`.
  - `inspect` has `files` (`items` with `kind`, `facts` and `faults`, and `chain_faults`) and `keys`; of a server `facts`,
    `chain` and, where it is refused, `diagnosis`; of a pre-flight `attempts`, `accepted` and `remarks`.
  - A step has `number`, `title`, `sender` and `messages`; a message has `name`, `sender`, `time` (seconds), `epoch` (the
    keys that protect it) and `details`.
- `--trace FILE` writes one JSON object a line, one for each event, behind a header line for each connection;
  `tlscope.Trace.from_json_lines` reads a connection's lines back. Secrets are not in it.
- `--html FILE` writes the report, one page that loads nothing: the diagram, each message's fields beside its bytes, keys,
  certificates and decisions. `--svg` and `--mermaid` write the diagram alone.
- `--pcapng FILE` writes a capture with its secrets in it, readable by you alone; Wireshark opens it decrypted.
- `--keylog FILE` appends the lines of RFC 9850, readable by you alone. Who has them can read the connection.
"""


def contexts() -> Iterator[Any]:
    """The context of every command, in the order of its page."""
    root = typer.main.get_command(app)

    def walk(command: Any, name: str, parent: Any) -> Iterator[Any]:
        context = command.context_class(command, info_name=name, parent=parent, **command.context_settings)
        yield context
        for below in getattr(command, "commands", {}):
            yield from walk(command.commands[below], below, context)

    yield from walk(root, "tlscope", None)


def command_line() -> str:
    """docs/cli.md."""
    parts = [INTRODUCTION]
    for context in contexts():
        text = "\n".join(line.text for line in page(context)).rstrip()
        parts.append(f"## {context.command_path}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def run(*arguments: str) -> str:
    """What a tlscope command prints, without colour."""
    done = subprocess.run(  # noqa: S603 - our own command, named in our own pages
        [sys.executable, "-m", "tlscope", *arguments], capture_output=True, encoding="utf-8", check=True, cwd=ROOT
    )
    return done.stdout


def readme() -> str:
    """README.md with its diagrams drawn anew."""

    def drawn(match: re.Match[str]) -> str:
        command = match[1]
        return f"{BEGIN.format(command)}\n```text\n{run(*command.split()[1:]).strip(chr(10))}\n```\n{END}"

    text = (ROOT / "README.md").read_text("utf-8")
    return re.sub(r"<!-- generated: (tlscope [^>]*) -->\n.*?<!-- end -->", drawn, text, flags=re.DOTALL)


PAGES: dict[str, Callable[[], str]] = {
    "docs/cli.md": command_line,
    "docs/failures.md": failures,
    "README.md": readme,
}
GUIDE: dict[str, Callable[[], str]] = guide_pages()


def structure(text: str) -> str:
    """A page without what is different on every run: numbers, random names, and the room that they take."""
    text = re.sub(r"local CA[\s\u2502]+[0-9a-f]{6}", "local CA", text)
    text = re.sub(r"\d{4}-\d\d-\d\d|[\d.,]+ ms", "#", text)
    text = re.sub(r"\b[0-9a-f]{1,2}(?=:)|(?<=:)[0-9a-f]{1,2}\b", "#", text)
    return re.sub(r"[ \u2500\u2550\u254c]+", " ", text)


def stale(pages: dict[str, Callable[[], str]] = PAGES) -> list[str]:
    """Those of the pages that are out of date."""
    return [
        name
        for name, make in pages.items()
        if not (ROOT / name).exists() or structure(make()) != structure((ROOT / name).read_text("utf-8"))
    ]


def main() -> int:
    """Write, or check."""
    pages = {**PAGES, **GUIDE}
    found = stale(pages)
    for name in found:
        if "--check" not in sys.argv[1:]:
            (ROOT / name).write_text(pages[name](), "utf-8")
        print(f"{name}: {'out of date' if '--check' in sys.argv[1:] else 'written'}")
    return int(bool(found) and "--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
