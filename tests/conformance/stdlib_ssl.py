"""Runs the installed Python's own tests of ``ssl`` against tlscope's, and prints a JSON line for each test.

    python stdlib_ssl.py [--inject] [-k WORD]... [MODULE...]

Without ``--inject`` the name ``ssl`` stands for ``tlscope.ssl`` before anything can import it, which is what ``import
tlscope.ssl as ssl`` makes of a program; with it the standard library's module stays, and ``inject_into_ssl`` is called.
A test that does not end in ``PATIENCE`` seconds has failed. The tests are CPython's, and are where Python was installed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
import unittest
import warnings
from pathlib import Path
from typing import Any

__all__ = ["MODULES", "main"]

MODULES = ("test_ssl",)
"""Below ``test``."""

PATIENCE = 60
"""Seconds that one test may take."""


def _stand_in(inject: bool) -> list[None]:
    """Put tlscope where ``ssl`` is looked for, before anything imports ``ssl``; gives a list that counts its connections."""
    import tlscope.ssl

    made: list[None] = []
    connection = tlscope.ssl.SSLContext.connection

    def counted(*arguments: Any) -> Any:
        made.append(None)
        return connection(*arguments)

    tlscope.ssl.SSLContext.connection = counted  # type: ignore[method-assign]
    if inject:
        tlscope.inject_into_ssl()
    else:
        sys.modules["ssl"] = tlscope.ssl
    return made


def _last_line(error: Any) -> str:
    kind, value, _ = error
    return (traceback.format_exception_only(kind, value)[-1].strip().splitlines() or [""])[0][:300]


class _Result(unittest.TestResult):
    """Prints what became of each test as soon as it is known; one with several parts that failed has failed once."""

    def __init__(self, details: bool) -> None:
        super().__init__()
        self._details = details
        self._wrong: list[Any] = []
        self._skipped = ""
        self._begun = 0.0

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self._wrong, self._skipped, self._begun = [], "", time.monotonic()
        signal.alarm(PATIENCE)

    def stopTest(self, test: Any) -> None:
        signal.alarm(0)
        super().stopTest(test)
        # An id such as test.test_ssl.ContextTests.test_options begins with where Python keeps it.
        seconds = round(time.monotonic() - self._begun, 2)
        found = {"test": test.id().removeprefix("test."), "outcome": "passed", "seconds": seconds}
        if self._wrong:
            found |= {"outcome": "failed", "why": _last_line(self._wrong[0])}
            if self._details:
                found["traceback"] = "".join("".join(traceback.format_exception(*one)) for one in self._wrong)
        elif self._skipped:
            found |= {"outcome": "skipped", "why": self._skipped}
        _say(found)

    def addError(self, test: Any, err: Any) -> None:
        self._wrong.append(err)
        if not isinstance(test, unittest.TestCase):  # setUpModule or setUpClass
            _say({"test": test.id(), "outcome": "failed", "why": _last_line(err)})

    def addFailure(self, test: Any, err: Any) -> None:
        self._wrong.append(err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self._wrong.append(err)

    def addSkip(self, test: Any, reason: str) -> None:
        self._skipped = reason

    def addUnexpectedSuccess(self, test: Any) -> None:
        self._skipped = "unexpected success"


def _say(found: dict[str, Any]) -> None:
    print(json.dumps(found), file=sys.__stdout__, flush=True)


def _ring(*_: Any) -> None:
    raise TimeoutError(f"the test did not end in {PATIENCE} seconds")


def _cases(suite: Any) -> Any:
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from _cases(one)
        else:
            yield one


def main(arguments: list[str]) -> None:
    """Run them. What went wrong stands in the lines; the exit code only tells whether all were run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inject", action="store_true")
    parser.add_argument("--details", action="store_true", help="with the traceback of what failed")
    parser.add_argument("-k", dest="words", action="append", default=[], help="only tests with this in their name")
    parser.add_argument("modules", nargs="*", default=MODULES)
    options = parser.parse_args(arguments)
    made = _stand_in(options.inject)

    from test import support

    support.use_resources = []  # nothing beyond this machine
    support.verbose = 0
    signal.signal(signal.SIGALRM, _ring)
    suite = unittest.TestSuite()
    for name in options.modules:
        suite.addTests(unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(f"test.{name}")))
    if options.words:
        chosen = [one for one in _cases(suite) if any(word in one.id() for word in options.words)]
        suite = unittest.TestSuite(chosen)
    with (
        tempfile.TemporaryDirectory() as directory,
        contextlib.chdir(directory),
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("default")
        suite.run(_Result(options.details))
    _say({"connections": len(made)})
    # A test that was given up may have left a thread that waits for good.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
