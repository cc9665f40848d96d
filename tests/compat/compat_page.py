"""docs/compatibility.md, made of a run of all rows: ``python tests/compat/compat_page.py`` writes it.

The rows run in environments of their own, with the packages of the ``requirements*.txt`` beside this file, one for each;
``--python FILE...`` names the interpreters of such that are there already.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from compat_failures import CASES

__all__ = ["collect", "collect_all", "failures", "make_environments", "page"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "compatibility.md"

INTRODUCTION = """\
# What tlscope runs under

Made by `python tests/compat/compat_page.py`, and checked by `make test-slow`, from a run in which each row was a real
exchange over loopback, mostly of 100,000 bytes or more, with tlscope as the side that the row names. *One-way* the server
shows a certificate, *mutual* the client does too, and the server sees whose it is. The other side is the standard
library's `ssl` or tlscope itself. In every row the trace proves that tlscope was in it; gunicorn, a process of its own,
says so itself.

There are two ways to get there. A library that takes an `SSLContext` is given one of `tlscope.ssl`:

    import tlscope.ssl as ssl
    httpx.Client(verify=ssl.create_default_context(cafile="ca.pem"))

For one that makes its own, call `tlscope.inject_into_ssl()` before it is imported, or start the program with
`tlscope run -- python program.py`, which changes nothing in it and explains its handshakes.
"""

REFUSED = """\
## Clients that are refused

With `refuse_clients_by` set to `"answer"` or `"application"` ([servers.md](servers.md)): a client shows no certificate where
one is required, or one of a CA that is not trusted. It gets a 403 with the reason, over HTTP/1.1, over HTTP/2 where the
server speaks it, and for a websocket; or the application finds the reason.
"""

FAILED = """\
## Where a failure is explained

A server's certificate is for another host, of an unknown CA or expired, or the server requires a client certificate that the
client does not have. *In its text*: the text of the library's own error says why, in tlscope's words, so that a log has it.
*In its cause*: the library says less, and tlscope's error, with `explain()`, is behind its own, as `__cause__` or in what it
was made of. *Nowhere*: the library drops what it was told, or may; a trace (`trace_with`, `tlscope run`) has it.
"""

BEYOND = """\
## What it does not run under

These bring a TLS of their own, in another language, and never ask Python's `ssl`:

| what | why |
|---|---|
| psycopg, and all else that stands on libpq | libpq is C and links OpenSSL; asyncpg and pg8000 speak TLS through `ssl` |
| grpcio | gRPC's core is C++ and links BoringSSL |
| pycurl, curl_cffi | libcurl is C and links OpenSSL, BoringSSL or another |
| pyOpenSSL, and twisted and scrapy on it | they call OpenSSL through `cryptography`, not through `ssl` |
| mysqlclient | its client library is C and brings its own TLS |
| confluent-kafka | librdkafka is C and links OpenSSL; kafka-python uses `ssl` |
| granian | its server is Rust and uses rustls |
| uWSGI, mod_wsgi | their servers are C and end TLS before Python begins |

HTTP/3 is QUIC: its TLS is inside aioquic or qh3, so a client that speaks it is to be kept to HTTP/2.

## What was not run

An empty cell: PostgreSQL and Redis speak TLS with OpenSSL and nothing else.
"""


def make_environments(directory: Path) -> list[Path]:
    """An environment for each list of packages that go together; gives their interpreters.

    Raises ``CalledProcessError`` where the packages can't be had.
    """
    made = []
    for wanted in sorted(HERE.glob("requirements*.txt")):
        venv.create(directory / wanted.stem, with_pip=True)
        python = directory / wanted.stem / "bin" / "python"
        install = [python, "-m", "pip", "--disable-pip-version-check", "-q", "install", "--no-deps"]
        subprocess.run([*install, "-r", wanted], check=True)
        made.append(python)
    return made


def collect_all(pythons: list[Path]) -> list[dict[str, Any]]:
    """All rows, each from the environment that has what it needs."""
    about: dict[str, Any] = {"packages": {}}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for python in pythons:
        first, *others = collect(python)
        about = {**about, **first, "packages": {**about["packages"], **first["packages"]}}
        for one in others:
            known = rows.setdefault((one["name"], one["side"]), one)
            if known.get("missing") and not one.get("missing"):
                known.clear()
                known.update(one)
    return [about, *rows.values()]


def collect(python: Path) -> list[dict[str, Any]]:
    """What ``compat_run.py`` says: first the versions, then a row each. Raises ``RuntimeError`` where it broke off."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SSL"))}
    environment["PYTHONPATH"] = str(ROOT / "src")
    command = [python, "-W", "ignore", HERE / "compat_run.py"]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=900, check=False)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    if not found or done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return found


def failures(found: list[dict[str, Any]]) -> list[str]:
    """The exchanges that went wrong, and how."""
    return [
        f"{one['name']} ({one['side']}), {what}: {failure}"
        for one in found[1:]
        for what, failure in one["results"].items()
        if failure
    ]


def page(found: list[dict[str, Any]]) -> str:
    """The page."""
    about, *rows = found
    packages = about["packages"]
    parts = [INTRODUCTION, f"Run on Python {about['python']} with {about['openssl']} as the other side.\n"]
    standard = [one for one in rows if not one["packages"] and one["side"] != "failing"]
    others = [one for one in rows if one["packages"] and one["side"] != "failing"]
    for title, some in (
        ("The standard library", standard),
        ("Clients", [one for one in others if one["side"] == "client"]),
        ("Servers", [one for one in others if one["side"] == "server"]),
    ):
        parts.append(f"## {title}\n")
        parts.append(_table(some, packages))
    parts += [REFUSED, _table([one for one in others if one["side"] == "refusing"], packages, _REFUSED)]
    failing = [one for one in rows if one["side"] == "failing"]
    parts += [FAILED, _table(failing, packages, {case: case for case in CASES})]
    return "\n".join([*parts, BEYOND])


_COLUMNS = {
    "ssl one-way": "with `ssl`, one-way",
    "ssl mutual": "mutual",
    "tlscope one-way": "with tlscope, one-way",
    "tlscope mutual": "mutual",
}
_REFUSED = {
    "answer, missing": "403: missing",
    "answer, untrusted": "untrusted",
    "application, missing": "the application is told: missing",
    "application, untrusted": "untrusted",
}


def _table(rows: list[dict[str, Any]], packages: dict[str, str], columns: dict[str, str] = _COLUMNS) -> str:
    heads = ["what", "version", "tlscope is the", *columns.values()]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for one in rows:
        version = packages.get(one["packages"][0], "") if one["packages"] else ""
        side = {"refusing": "server", "failing": "client"}.get(one["side"], one["side"])
        cells = [_cell(one, column) for column in columns]
        lines.append(f"| {one['name']} | {version} | {side} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(one: dict[str, Any], column: str) -> str:
    if one.get("missing"):
        return "not run"
    if column not in one["results"]:
        return ""
    if one["results"][column]:
        return "**fails**"
    return str(one["shown"][column]) if "shown" in one else "works"


def main(arguments: list[str]) -> int:
    """Write the page; gives 1 where an exchange went wrong."""
    with tempfile.TemporaryDirectory() as directory:
        given = [Path(one) for one in arguments[1:]] if arguments[:1] == ["--python"] else []
        found = collect_all(given or make_environments(Path(directory)))
    PAGE.write_text(page(found), "utf-8")
    print("\n".join(failures(found)) or f"{len(found) - 1} rows, and all work")
    return int(bool(failures(found)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
