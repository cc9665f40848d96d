"""A web server under load: uvicorn with tlscope's drop-in beside uvicorn with ``ssl``, both asked by ``wrk`` in turns.

    make bench-load ARGS="--rounds 5 --seconds 3"

In each round every question is put to one server and then to the other, so that what else the machine does falls on
both. The ratio is of the medians over the rounds; the last column, the servers' own CPU time for a request, depends less
on how busy the machine is. Both servers and their client share the machine's processors.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tlscope.authority import Authority

HERE = Path(__file__).resolve().parent
SIDES = ("ssl", "tlscope")
PATIENCE = 30.0


@dataclass(frozen=True)
class Question:
    """What is asked of both servers, with how many connections at a time, and the least ratio of their answers."""

    name: str
    path: str
    connections: int
    goal: float
    close: bool = False


QUESTIONS = (
    Question("new connections a second", "/", 16, 1.2, close=True),
    Question("requests a second, kept alive", "/", 16, 0.95),
    Question("downloads of 1 MiB a second", "/mib", 4, 0.9),
)


@dataclass
class Measured:
    """What one side gave: answers a second, and CPU seconds of its process for each."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)


def make_environment(directory: Path) -> Path:
    """An environment with uvicorn; gives its interpreter. Raises ``CalledProcessError`` where it can't be had."""
    venv.create(directory, with_pip=True)
    python = directory / "bin" / "python"
    install = [python, "-m", "pip", "--disable-pip-version-check", "-q", "install", "--no-deps"]
    subprocess.run([*install, "-r", HERE / "load-requirements.txt"], check=True)
    return python


@contextlib.contextmanager
def serving(python: Path, side: str, certificate: Path, *uvicorns: str) -> Iterator[tuple[int, int]]:
    """A server of one side; gives its port and its process ID."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SSL"))}
    environment["PYTHONPATH"] = str(HERE.parent / "src")
    process = subprocess.Popen(
        [python, HERE / "load_server.py", side, str(port), certificate, *uvicorns], env=environment
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        else:
            raise RuntimeError(f"the server with {side} does not answer")
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(PATIENCE)


def cpu_seconds(pid: int) -> float:
    """What a process has used so far; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(question: Question, port: int, pid: int, seconds: float) -> tuple[float, float]:
    """Answers a second, and the server's CPU seconds for each. Raises ``RuntimeError`` where wrk met errors."""
    command = ["wrk", "-t1", f"-c{question.connections}", f"-d{seconds:g}s"]
    if question.close:
        command += ["-H", "Connection: close"]
    before = cpu_seconds(pid)
    command.append(f"https://127.0.0.1:{port}{question.path}")
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    used = cpu_seconds(pid) - before
    rate, count = re.search(r"Requests/sec:\s+([\d.]+)", said.stdout), re.search(r"(\d+) requests in", said.stdout)
    if rate is None or count is None or "Non-2xx" in said.stdout or int(count[1]) == 0:
        raise RuntimeError(f"wrk said: {said.stdout}{said.stderr}")
    return float(rate[1]), used / int(count[1])


def measure(ports: dict[str, tuple[int, int]], rounds: int, seconds: float) -> dict[str, dict[str, Measured]]:
    """Every question to each side, in turns."""
    found = {question.name: {side: Measured() for side in SIDES} for question in QUESTIONS}
    for question in QUESTIONS:
        for turn in range(rounds + 1):
            for side in SIDES if turn % 2 else reversed(SIDES):
                rate, cost = ask(question, *ports[side], seconds if turn else 1)
                if turn:  # the first is to warm up
                    found[question.name][side].rates.append(rate)
                    found[question.name][side].costs.append(cost)
    return found


def report(found: dict[str, dict[str, Measured]]) -> bool:
    """Print the table; gives whether every goal was reached."""
    good = True
    print(f"{'':<34} {'tlscope':>9} {'ssl':>9} {'ratio':>7} {'goal':>8} {'':<7} CPU of a request (µs)")
    for question in QUESTIONS:
        ours, theirs = found[question.name]["tlscope"], found[question.name]["ssl"]
        rates = [statistics.median(one.rates) for one in (ours, theirs)]
        costs = [statistics.median(one.costs) * 1e6 for one in (ours, theirs)]
        ratio = rates[0] / rates[1]
        verdict = "ok" if ratio >= question.goal else "MISSED"
        good = good and ratio >= question.goal
        print(
            f"{question.name:<34} {rates[0]:>9.1f} {rates[1]:>9.1f} {ratio:>7.2f} {f'>= {question.goal}':>8} {verdict:<7} "
            f"{costs[0]:.0f} against {costs[1]:.0f}"
        )
    return good


def main() -> int:
    """Measure; 1 where a goal was missed, 2 where nothing could be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each side for each question (5)")
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement (3)")
    parser.add_argument(
        "--loop", choices=("asyncio", "uvloop"), default="asyncio", help="uvicorn's event loop (asyncio)"
    )
    parser.add_argument("--http", choices=("h11", "httptools"), default="h11", help="uvicorn's HTTP parser (h11)")
    parser.add_argument(
        "--python", type=Path, help="an interpreter with uvicorn and cryptography, instead of a new one"
    )
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed; on Debian: apt install wrk", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="tlscope-load-") as place, contextlib.ExitStack() as stack:
        directory = Path(place)
        python = options.python or make_environment(directory / "environment")
        issued = Authority.create().issue_server("localhost", "127.0.0.1")
        certificate = directory / "server.pem"
        certificate.write_bytes(issued.pem() + issued.key_pem())
        ports = {
            side: stack.enter_context(serving(python, side, certificate, options.loop, options.http)) for side in SIDES
        }
        return 0 if report(measure(ports, options.rounds, options.seconds)) else 1


if __name__ == "__main__":
    sys.exit(main())
