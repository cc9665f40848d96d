"""Runs the rows that can run here and prints a JSON line for each: ``python compat_run.py [WORD...]``.

It needs no pytest, so it runs in an environment that has the packages and nothing else.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import ssl
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import compat_clients
import compat_databases
import compat_examples
import compat_glue
import compat_servers
import compat_standard
from compat_exchange import LIMIT, REFUSALS, ROWS, Files, attempt, attempt_refusal
from compat_failures import CASES, FAILURES, Failing, Faults, provoke

__all__ = ["main"]

_FILLED = (compat_standard, compat_clients, compat_servers, compat_glue, compat_examples, compat_databases)


def _attempt(action: Callable[[], None]) -> str:
    """Run one exchange; gives what went wrong, ``""`` where nothing did."""
    failure = [f"nothing happened for {3 * LIMIT:g} seconds"]

    def run() -> None:
        try:
            action()
            failure[0] = ""
        except BaseException as error:
            failure[0] = f"{type(error).__name__}: {error}"
            traceback.print_exc()

    # Some libraries must run in the main thread only when they handle signals; none of the rows lets them.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(3 * LIMIT)
    return failure[0]


def _plan(files: Files) -> Iterator[tuple[Any, str, dict[str, Callable[[], None]]]]:
    """Each row with the side that is tlscope's, and its exchanges by name."""
    for one in ROWS:
        yield (
            one,
            one.side,
            {
                f"{peer} {'mutual' if mutual else 'one-way'}": partial(attempt, one, files, peer, mutual)
                for peer in one.peers
                for mutual in (False, True)
            },
        )
    for server in REFUSALS:
        yield (
            server,
            "example" if server.example else "refusing",
            {
                f"{by}, {'untrusted' if shows else 'missing'}": partial(attempt_refusal, server, files, by, shows)
                for by in (("answer",) if server.example else ("answer", "application"))
                for shows in (False, True)
            },
        )


def _failing(directory: Path) -> Iterator[tuple[Any, str, dict[str, Callable[[], None]]]]:
    """The libraries that are seen failing; what they show of it is kept in ``_shown``."""
    faults = Faults(directory)

    def provoked(one: Failing, case: str) -> None:
        _shown[one.name, case] = provoke(one, case, faults)

    for one in FAILURES:
        yield one, "failing", {case: partial(provoked, one, case) for case in CASES}


_shown: dict[tuple[str, str], str] = {}


def main(words: list[str]) -> int:
    """Run; gives 1 where a row failed."""
    packages = sorted({package for one in ROWS for package in one.packages if not one.missing})
    about: dict[str, Any] = {
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "packages": {name: importlib.metadata.version(name) for name in packages},
    }
    print(json.dumps(about), flush=True)
    failed = False
    with tempfile.TemporaryDirectory() as directory:
        files = Files(Path(directory))
        for one, side, attempts in [*_plan(files), *_failing(Path(directory))]:
            if words and not any(word in one.name for word in words):
                continue
            result: dict[str, Any] = {"name": one.name, "side": side, "packages": one.packages, "results": {}}
            if one.missing:
                result["missing"] = one.missing
            else:
                result["results"] = {what: _attempt(action) for what, action in attempts.items()}
            if side == "failing":
                result["shown"] = {case: _shown.get((one.name, case), "") for case in CASES}
            failed = failed or any(result["results"].values())
            print(json.dumps(result), flush=True)
        sys.stderr.flush()
    return int(failed)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    # A row that hangs leaves a thread; waiting for it would hang as well.
    os._exit(code)
