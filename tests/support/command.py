"""The command ``tlscope`` as a process, and as a function where a process would tell no more."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.cells import cell_len

from tlscope.authority import Store

TLSCOPE = (sys.executable, "-m", "tlscope")
PATIENCE = 90.0
"""Seconds until a test gives up: many, since starting Python takes ten of them where many machines share one."""


def environment(**changes: str) -> dict[str, str]:
    """The environment of the commands: nothing of the person's who runs the tests that would change what they print."""
    unwanted = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "SSLKEYLOGFILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "TERM")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "PYTHONWARNINGS": "error", "PYTHONUTF8": "1", **changes}


@dataclass(frozen=True)
class Result:
    code: int
    raw: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        return self.raw.decode()


def tlscope(*arguments: object, stdin: bytes = b"", cwd: Path | None = None, **env: str) -> Result:
    """Run a command to its end. Whatever happens, it leaves no traceback and fits 80 columns."""
    command = [*TLSCOPE, *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=PATIENCE, cwd=cwd, env=environment(**env))
    result = Result(done.returncode, done.stdout, done.stderr.decode())
    assert "Traceback" not in result.stderr, result.stderr
    assert not too_wide(result.stderr)
    return result


def invoke(*arguments: object) -> Result:
    """Run a command in this process, which is quicker; for what is not stdin's, the pipe's or a signal's business."""
    from tlscope.cli.app import run

    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        code = run(list(map(str, arguments)))
    stdout, stderr = (stream.buffer.getvalue() for stream in streams)  # type: ignore[attr-defined]
    result = Result(code, stdout, stderr.decode())
    assert not too_wide(result.stderr)
    return result


def too_wide(text: str, columns: int = 80) -> list[str]:
    """The lines of a text that don't fit."""
    return [line for line in text.splitlines() if cell_len(line) > columns]


class Serving:
    """A running ``tlscope serve``."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        first = self.wait_for("Listening on ", '"listening"')
        self.port = int(first.rstrip('"}, \n').rpartition(":")[2]) if first.startswith("Listening") else 0

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.decode().rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self.lines.append("(end)")
            self._changed.notify_all()

    def wait_for(self, *wanted: str) -> str:
        """The first line that holds one of these."""

        def found() -> str | None:
            return next((line for line in self.lines if any(text in line for text in wanted)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None or "(end)" in self.lines, PATIENCE)
            line = found()
        assert line is not None, f"{wanted} was not printed, but {self.lines}"
        return line

    @property
    def text(self) -> str:
        """All that was printed so far."""
        return "\n".join(self.lines)

    def stop(self, number: int = signal.SIGINT) -> int:
        """End it, and give its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code


@contextmanager
def running(*arguments: object, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs by itself, with pipes for its streams; it does not outlive the test."""
    command = [*TLSCOPE, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(**env)) as process:
        # Whoever waits for its next word must not wait for ever.
        watchdog = threading.Timer(3 * PATIENCE, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


@contextmanager
def serving(*arguments: object, **env: str) -> Iterator[Serving]:
    """``tlscope serve`` on a free port; it must end well, without a word on stderr."""
    with running("serve", "--listen", "127.0.0.1:0", *arguments, **env) as process:
        server = Serving(process)
        yield server
        if process.poll() is None:
            assert server.stop() == 0
        assert process.stderr is not None
        assert process.stderr.read().decode() == ""


@dataclass(frozen=True)
class Files:
    """A CA in a directory, and what it has issued."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    @property
    def as_server(self) -> tuple[Any, ...]:
        return ("--identity", self.server, "--key", self.server_key)

    @property
    def as_client(self) -> tuple[Any, ...]:
        return ("--identity", self.client, "--key", self.client_key)

    @property
    def trust(self) -> tuple[Any, ...]:
        return ("--trust", self.ca)


def make_files(directory: Path) -> Files:
    """Certificates for localhost and for alice."""
    store = Store.init(directory / "ca")
    server = store.issue("localhost", "127.0.0.1", "::1")
    client = store.issue("alice", client=True)
    return Files(store.root, server.certificate, server.key, client.certificate, client.key)
