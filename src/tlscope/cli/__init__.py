"""The command ``tlscope``: one module a command, whose docstring is its help and its page in docs/cli.md."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line in ``sys.argv``; gives the exit code (``errors.ExitCode``). Never raises."""
    try:
        from .app import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        return 130
