"""Connections of every kind through the drop-in, for some minutes: nothing may grow.

    make bench-soak ARGS="--minutes 10"

A server with a thread for each connection and clients of both libraries exchange data one-way and mutually, resume
sessions, renew keys and certificates, are refused, break off and send rubbish, over sockets and over asyncio. Memory
(RSS and what Python allocates), objects, file descriptors and threads are counted after a warm-up and again later.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import random
import socket
import ssl as std
import sys
import tempfile
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tlscope.ssl as ours
from tlscope.authority import Authority

from .__main__ import resident

NAME = "localhost"
PATIENCE = 20.0
GROWTH = {"resident": 0.10, "python": 0.10, "objects": 0.05}
"""By what part each may be larger at the end than after the warm-up; descriptors and threads not at all."""


@dataclass(frozen=True)
class Counts:
    """What the process holds."""

    resident: int
    python: int
    objects: int
    descriptors: int
    threads: int

    @classmethod
    def now(cls) -> Counts:
        """As it is once everything that can be freed is."""
        for _ in range(3):
            gc.collect()
        descriptors = Path("/proc/self/fd")
        return cls(
            resident(),
            tracemalloc.get_traced_memory()[0],
            len(gc.get_objects()),
            len(list(descriptors.iterdir())) if descriptors.exists() else 0,
            threading.active_count(),
        )

    def grown(self, since: Counts) -> list[str]:
        """What has grown by more than it may."""
        found = [
            f"{name}: {getattr(since, name)} to {getattr(self, name)}"
            for name, part in GROWTH.items()
            if getattr(self, name) > getattr(since, name) * (1 + part)
        ]
        for name in ("descriptors", "threads"):
            if getattr(self, name) > getattr(since, name):
                found.append(f"{name}: {getattr(since, name)} to {getattr(self, name)}")
        return found

    def __str__(self) -> str:
        return (
            f"{self.resident / 2**20:.1f} MiB resident, {self.python / 2**20:.2f} MiB of Python's, {self.objects} objects, "
            f"{self.descriptors} descriptors, {self.threads} threads"
        )


class Soak:
    """The server, and what is done to it."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._authority = directory, Authority.create()
        self._ca, self._server_pem, self._client_pem = (
            directory / name for name in ("ca.pem", "server.pem", "client.pem")
        )
        self._ca.write_bytes(self._authority.pem())
        client = self._authority.issue_client("alice")
        self._client_pem.write_bytes(client.pem() + client.key_pem())
        self._issue()
        self._server = ours.create_default_context(std.Purpose.CLIENT_AUTH)
        self._server.load_cert_chain(self._server_pem)
        self._server.load_verify_locations(self._ca)
        self._server.verify_mode = std.CERT_OPTIONAL
        self._clients = [module.create_default_context(cafile=str(self._ca)) for module in (ours, std)]
        self._mutual = [module.create_default_context(cafile=str(self._ca)) for module in (ours, std)]
        for context in self._mutual:
            context.load_cert_chain(self._client_pem)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self.done: Counter[str] = Counter()
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _issue(self) -> None:
        issued = self._authority.issue_server(NAME)
        self._server_pem.write_bytes(issued.pem() + issued.key_pem())

    def close(self) -> None:
        """End the server."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()

    def _accept(self) -> None:
        threads: list[threading.Thread] = []
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                break
            threads = [one for one in threads if one.is_alive()]
            threads.append(threading.Thread(target=self._serve, args=(sock,)))
            threads[-1].start()
        for one in threads:
            one.join()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        with contextlib.suppress(OSError), sock, self._server.wrap_socket(sock, server_side=True) as tls:
            while data := tls.recv(65536):
                tls.sendall(data)
            tls.unwrap()

    # What clients do

    def _connected(self, context: Any, **options: Any) -> Any:
        raw = socket.create_connection(self.address, timeout=PATIENCE)
        try:
            return context.wrap_socket(raw, server_hostname=NAME, **options)
        except BaseException:
            raw.close()
            raise

    def exchange(self) -> None:
        """Data both ways, an end as it should be; with and without a client's certificate."""
        with self._connected(random.choice(self._clients + self._mutual)) as tls:
            data = os.urandom(random.choice((1, 1000, 100_000)))
            tls.sendall(data)
            received = b""
            while len(received) < len(data):
                received += tls.recv(65536)
            assert received == data
            tls.unwrap()

    def resume(self) -> None:
        """A session, and another connection with it."""
        context = random.choice(self._clients)
        with self._connected(context) as tls:
            tls.sendall(b"x")
            tls.recv(1)
            session = tls.session
        with self._connected(context, session=session) as tls:
            tls.sendall(b"x")
            tls.recv(1)
            assert tls.session_reused

    def update_keys(self) -> None:
        """Keys that change under way."""
        with self._connected(self._clients[0]) as tls:
            for _ in range(5):
                tls.connection.update_keys(request_peer=True)
                tls.sendall(b"y" * 100)
                tls.recv(100)

    def break_off(self) -> None:
        """A client that goes away: before, in or after the handshake."""
        raw = socket.create_connection(self.address, timeout=PATIENCE)
        with raw:
            incoming, outgoing = std.MemoryBIO(), std.MemoryBIO()
            tls = random.choice(self._clients).wrap_bio(incoming, outgoing, server_hostname=NAME)
            for _ in range(random.randrange(3)):
                with contextlib.suppress(std.SSLWantReadError):
                    tls.do_handshake()
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))

    def send_rubbish(self) -> None:
        """A client that does not speak TLS, or stops to."""
        with socket.create_connection(self.address, timeout=PATIENCE) as raw, contextlib.suppress(OSError):
            raw.sendall(random.choice((b"GET / HTTP/1.1\r\n\r\n", os.urandom(100), b"\x16\x03\x01\x00\x05hello")))
            while raw.recv(65536):
                pass

    def refuse(self) -> None:
        """A client that does not believe the server."""
        context = random.choice((ours, std)).create_default_context()
        try:
            self._connected(context).close()
        except std.SSLCertVerificationError as error:
            assert error.verify_code in (18, 19, 20), error
        else:
            raise AssertionError("a client believed a server of an unknown CA")

    def renew(self) -> None:
        """A new certificate, read without a restart."""
        self._issue()
        self._server.reload()

    def stream(self) -> None:
        """The same over asyncio."""

        async def talk() -> None:
            context = random.choice(self._clients + self._mutual)
            reader, writer = await asyncio.open_connection(*self.address, ssl=context, server_hostname=NAME)
            writer.write(b"z" * 50_000)
            await reader.readexactly(50_000)
            if random.random() < 0.5:
                writer.transport.abort()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

        asyncio.run(asyncio.wait_for(talk(), PATIENCE))

    def run(self, seconds: float) -> None:
        """Do all of it, in any order, for some time. What a client should be spared raises."""
        ways: list[tuple[Callable[[], None], int]] = [
            (self.exchange, 10),
            (self.resume, 5),
            (self.update_keys, 3),
            (self.break_off, 5),
            (self.send_rubbish, 3),
            (self.refuse, 3),
            (self.stream, 3),
            (self.renew, 1),
        ]
        actions, weights = [way for way, _ in ways], [weight for _, weight in ways]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            (action,) = random.choices(actions, weights)
            action()
            self.done[action.__name__] += 1

    def settle(self) -> None:
        """Wait until the server's threads have ended."""
        deadline = time.monotonic() + 2 * PATIENCE
        while threading.active_count() > 2 and time.monotonic() < deadline:
            time.sleep(0.05)


def main() -> int:
    """Soak; 1 where something has grown."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=1, help="how long, the warm-up of a quarter of it included (1)"
    )
    options = parser.parse_args()
    seconds = options.minutes * 60
    tracemalloc.start()
    with tempfile.TemporaryDirectory(prefix="tlscope-soak-") as directory:
        soak = Soak(Path(directory))
        try:
            soak.run(seconds / 4)
            soak.settle()
            before = Counts.now()
            print(f"after the warm-up  {before}", flush=True)
            for _ in range(3):
                soak.run(seconds / 4)
                soak.settle()
                after = Counts.now()
                print(f"after {sum(soak.done.values()):>7} turns {after}", flush=True)
        finally:
            soak.close()
    grown = after.grown(before)
    print(", ".join(f"{name} {count}" for name, count in sorted(soak.done.items())))
    print("grown: " + "; ".join(grown) if grown else "nothing has grown")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
