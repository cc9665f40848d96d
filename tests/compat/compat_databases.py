"""The rows of databases: a real PostgreSQL and a real Redis, where there are, which are OpenSSL on the other side."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from compat_exchange import BODY, LIMIT, NAME, Exchange, row

__all__ = ["postgres_programs"]


def postgres_programs() -> Path | None:
    """Where PostgreSQL's programs are, None where there are none."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def _as_somebody() -> dict[str, Any]:
    """PostgreSQL refuses to be run by root."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def postgres(x: Exchange) -> Iterator[int]:
    """A PostgreSQL of its own that takes connections over TLS only; gives its port."""
    programs = postgres_programs()
    assert programs is not None, "there is no PostgreSQL here"
    somebody = _as_somebody()
    with TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as probe:
        directory, port = Path(name), probe.getsockname()[1]
        probe.close()
        if somebody:
            os.chown(directory, somebody["user"], somebody["group"])
        data = directory / "data"
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **somebody}
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "alice", "-A", "trust", "--no-sync"], check=True, **quiet
        )
        for source, target in (("server", "server.crt"), ("server_key", "server.key"), ("ca", "root.crt")):
            path = data / target
            path.write_bytes(Path(getattr(x.files, source)).read_bytes())
            path.chmod(0o600)
            if somebody:
                os.chown(path, somebody["user"], somebody["group"])
        method = "cert" if x.mutual else "trust"
        (data / "pg_hba.conf").write_text(f"hostssl all all 127.0.0.1/32 {method}\n")
        settings = {"ssl": "on", "ssl_ca_file": "root.crt", "fsync": "off", "listen_addresses": "127.0.0.1"}
        settings |= {"port": str(port), "unix_socket_directories": ""}
        options = [text for key, value in settings.items() for text in ("-c", f"{key}={value}")]
        process = subprocess.Popen([programs / "postgres", "-D", data, *options], **quiet)
        try:
            _until_ready(programs, port, process)
            yield port
        finally:
            process.send_signal(signal.SIGINT)  # at once, whoever is still connected
            process.wait(LIMIT)


def _until_ready(programs: Path, port: int, process: Any) -> None:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        asked = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        if subprocess.run(asked, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError("PostgreSQL did not begin")


_POSTGRES: dict[str, Any] = {
    "peers": ("ssl",),
    "needs": "PostgreSQL",
    "there": lambda: postgres_programs() is not None,
}


@row("asyncpg, to PostgreSQL", "client", "asyncpg", **_POSTGRES)
def asyncpg_client(x: Exchange) -> None:
    import asyncpg

    async def main(port: int) -> None:
        connection = await asyncpg.connect(
            host=NAME, port=port, user="alice", database="postgres", ssl=x.client(), timeout=LIMIT
        )
        assert await connection.fetchval("select $1::bytea", BODY) == BODY
        assert await connection.fetchval("select ssl from pg_stat_ssl where pid = pg_backend_pid()") is True
        await connection.close()

    with postgres(x) as port:
        asyncio.run(asyncio.wait_for(main(port), LIMIT))


@row("pg8000, to PostgreSQL", "client", "pg8000", **_POSTGRES)
def pg8000_client(x: Exchange) -> None:
    import pg8000.native

    with postgres(x) as port:
        connection = pg8000.native.Connection(
            "alice", host=NAME, port=port, database="postgres", ssl_context=x.client()
        )
        assert connection.run("select cast(:data as bytea)", data=BODY) == [[BODY]]
        assert connection.run("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == [[True]]
        connection.close()


@contextmanager
def redis_server(x: Exchange) -> Iterator[int]:
    """A Redis of its own that takes connections over TLS only; gives its port."""
    with TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        settings = {
            "bind": "127.0.0.1",
            "port": "0",
            "tls-port": str(port),
            "tls-cert-file": x.files.server,
            "tls-key-file": x.files.server_key,
            "tls-ca-cert-file": x.files.ca,
            "tls-auth-clients": "yes" if x.mutual else "no",
            "save": "",
            "dir": name,
        }
        options = [text for key, value in settings.items() for text in (f"--{key}", value)]
        process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _until_taken(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(LIMIT)


def _until_taken(port: int, process: Any) -> None:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("Redis did not begin")


@row(
    "redis-py, to Redis",
    "client",
    "redis",
    peers=("ssl",),
    needs="Redis",
    there=lambda: shutil.which("redis-server") is not None,
)
def redis_client(x: Exchange) -> None:
    import redis

    certificate, key = x.identity or (None, None)
    settings: dict[str, Any] = {"ssl_ca_certs": x.files.ca, "ssl_certfile": certificate, "ssl_keyfile": key}
    settings |= {"ssl": True, "ssl_check_hostname": True, "socket_timeout": LIMIT}
    with redis_server(x) as port, x.injected(), redis.Redis(NAME, port, **settings) as client:
        assert client.ping()
        client.set("body", BODY)
        assert client.get("body") == BODY
        with client.pipeline() as pipeline:
            for _ in range(10):
                pipeline.get("body")
            assert pipeline.execute() == 10 * [BODY]
