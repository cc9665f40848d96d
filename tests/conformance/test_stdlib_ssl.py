"""CPython's own tests of ``ssl``, and of what stands on it, pass with tlscope in its place, but for named deviations."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from stdlib_deviations import DEVIATIONS, expected

RUNNER = Path(__file__).parent / "stdlib_ssl.py"
PAGE = Path(__file__).parents[2] / "docs" / "drop-in.md"
PATIENCE = 900

ABOVE = (
    "test_asyncio.test_ssl",
    "test_asyncio.test_sslproto",
    "test_httplib",
    "test_urllib2_localnet",
    "test_ftplib",
    "test_smtplib",
    "test_imaplib",
    "test_poplib",
)
WORDS = ("ssl", "SSL", "tls", "TLS", "https", "HTTPS")

needs_tests = pytest.mark.skipif(
    importlib.util.find_spec("test.test_ssl") is None, reason="this Python came without its own tests"
)


def run(*arguments: str, least: int = 10) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(RUNNER), *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PATIENCE
    )
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    assert rows, "nothing was run"
    assert rows[-1].get("connections", -1) >= least, "the run did not come to its end, or tlscope was not in it"
    return rows[:-1]


def having(rows: list[dict[str, Any]], outcome: str) -> dict[str, str]:
    return {row["test"]: row.get("why", "") for row in rows if row["outcome"] == outcome}


@needs_tests
@pytest.mark.slow
@pytest.mark.parametrize("way", ["replaced", "injected"])
def test_the_tests_of_ssl(way: str) -> None:
    inject = ["--inject"] if way == "injected" else []
    rows, known = run(*inject), expected()
    surprises = {test: why for test, why in having(rows, "failed").items() if test not in known}
    if surprises:
        # Some of CPython's tests mind how busy a machine is: what fails has to fail twice.
        words = [argument for test in surprises for argument in ("-k", test.rpartition(".")[2])]
        again = having(run(*inject, *words, least=0), "failed")
        surprises = {test: why for test, why in surprises.items() if test in again}
    assert surprises == {}
    assert known & having(rows, "passed").keys() == set(), "these deviate no more: take them off the list, and the page"
    assert len(having(rows, "passed")) > 150


@needs_tests
@pytest.mark.slow
def test_the_tests_of_what_stands_on_it() -> None:
    words = [argument for word in WORDS for argument in ("-k", word)]
    rows = run(*words, *ABOVE)
    assert having(rows, "failed") == {}
    assert len(having(rows, "passed")) > 150


def test_the_page_names_every_deviation() -> None:
    page = PAGE.read_text("utf-8")
    assert [reason for reason in DEVIATIONS if f"\n### {reason}\n" not in page] == []
