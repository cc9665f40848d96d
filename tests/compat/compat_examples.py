"""The examples of docs/servers.md, run as they stand: their files are written, the servers started, and both kinds of
client ask.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from compat_exchange import Exchange, refusal
from compat_servers import server_process

__all__ = ["PAGE"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "servers.md"
_NAMED = re.compile(r"```python\n# (\w+\.py)\n(.*?)```", re.S)
_COMMAND = re.compile(r"```sh\ngunicorn (.*?)\n```", re.S)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _started(x: Exchange, server: str) -> Iterator[int]:
    text = PAGE.read_text("utf-8")
    port = _free_port()
    with TemporaryDirectory() as name:
        directory = Path(name)
        for file, program in _NAMED.findall(text):
            (directory / file).write_text(program.replace("8443", str(port)), "utf-8")
        (directory / "my-ca").mkdir()
        for target, source in (
            ("ca", x.files.ca),
            ("localhost", x.files.server),
            ("localhost-key", x.files.server_key),
        ):
            (directory / "my-ca" / f"{target}.pem").write_bytes(Path(source).read_bytes())
        command = [sys.executable, "-Wignore", f"serve_{server}.py"]
        if server == "gunicorn":
            (options,) = _COMMAND.findall(text)
            command = [sys.executable, "-Wignore", "-m", "gunicorn", "--no-control-socket"]
            command += shlex.split(options.replace("8443", str(port)))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(directory), os.environ.get("PYTHONPATH", "")])}
        with server_process(command, port, cwd=directory, env=environment):
            yield port


def _example(server: str) -> None:
    @refusal(f"docs/servers.md, {server}", server, example=True)
    def run(x: Exchange, by: str) -> None:
        with _started(x, server) as port:
            assert x.fetch(port).decode() == "hello, CN=alice\n"
            status, said = x.ask_refused(port)
            assert (status, x.reason in said) == (403, True), (status, said)


for _server in ("uvicorn", "hypercorn", "gunicorn"):
    _example(_server)
