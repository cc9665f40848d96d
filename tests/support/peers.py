"""Other implementations of TLS to talk to over loopback: each as a client and as a server, told the same things.

A peer is started for one test, listens on a port that the operating system chose where it can be asked to, is waited for
with a bound, and is stopped by its own process handle.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loopback import PATIENCE

from tlscope import CipherSuite, NamedGroup, ProtocolVersion

SERVER_NAME = "localhost"
V12, V13 = ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3


@dataclass(frozen=True)
class Setup:
    """What a peer is told. Empty tuples leave it its defaults."""

    version: ProtocolVersion
    ca: Path
    """Whom it trusts."""
    identity: tuple[Path, Path] | None = None
    """Its certificate chain and key."""
    ask: bool = False
    """As a server: refuse clients without a good certificate."""
    groups: tuple[NamedGroup, ...] = ()
    suites: tuple[CipherSuite, ...] = ()
    alpn: tuple[str, ...] = ()
    half_close: bool = False
    """As a client: end its direction after the message, and still read the answer. As a server: answer at the end."""


@dataclass
class Answer:
    """How it went for a peer that was the client."""

    ok: bool
    data: bytes
    text: str
    facts: dict[str, Any] = field(default_factory=dict)


class Process:
    """A process whose output is read as it comes."""

    def __init__(self, *command: str, pass_fds: tuple[int, ...] = ()) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=pass_fds,
        )
        self._output = bytearray()
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while data := self._process.stdout.read(65536):
            with self._news:
                self._output += data
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def text(self) -> str:
        with self._news:
            return self._output.decode(errors="replace")

    def wait_for(self, pattern: str, times: int = 1) -> re.Match[str] | None:
        """Wait until the output has this so many times; None where the process ended without it."""
        found: re.Match[str] | None = None

        def seen() -> bool:
            nonlocal found
            matches = list(re.finditer(pattern, self._output.decode(errors="replace")))
            found = matches[times - 1] if len(matches) >= times else None
            return found is not None or self._ended

        with self._news:
            assert self._news.wait_for(seen, PATIENCE), f"{pattern!r} did not come; it said:\n{self._output.decode()}"
        return found

    def say(self, data: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(data)

    def end_input(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def result(self) -> int:
        """Wait for its end; gives its exit code."""
        self.end_input()
        code = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self.end_input()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


class Running:
    """A peer that serves."""

    def __init__(self, port: int, process: Process | None = None) -> None:
        self.port = port
        self.process = process
        self.sessions: list[dict[str, Any]] = []
        """What an in-process server learned of its clients."""
        self.errors: list[Exception] = []


class Peer:
    """One implementation."""

    name: str
    program: str | None = None
    groups: tuple[NamedGroup, ...] = (
        NamedGroup.x25519,
        NamedGroup.secp256r1,
        NamedGroup.secp384r1,
        NamedGroup.secp521r1,
        NamedGroup.x448,
    )
    suites: tuple[CipherSuite, ...] = ()

    def absent(self) -> str | None:
        """Why it can't be talked to here; None where it can."""
        if self.program is not None and shutil.which(self.program) is None:
            return f"{self.program} is not installed"
        return None

    def client(self, setup: Setup, port: int, message: bytes) -> Answer:
        """Connect to ``localhost`` at this port, send the message and read as much back."""
        raise NotImplementedError

    def server(self, setup: Setup) -> contextlib.AbstractContextManager[Running]:
        """Listen, and send back what comes."""
        raise NotImplementedError

    def resume(self, setup: Setup, port: int, message: bytes) -> Answer:
        """As ``client``, twice: the second time with the session of the first."""
        raise NotImplementedError

    def echo(self, message: bytes) -> bytes:
        """What its server makes of a line."""
        return message

    def __str__(self) -> str:
        return self.name


AEADS_13 = (
    CipherSuite.TLS_AES_128_GCM_SHA256,
    CipherSuite.TLS_AES_256_GCM_SHA384,
    CipherSuite.TLS_CHACHA20_POLY1305_SHA256,
)
OPENSSL_12 = {
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
    CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
    CipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
}
OPENSSL_GROUPS = {
    NamedGroup.x25519: "X25519",
    NamedGroup.secp256r1: "P-256",
    NamedGroup.secp384r1: "P-384",
    NamedGroup.secp521r1: "P-521",
    NamedGroup.x448: "X448",
}


def openssl_groups(setup: Setup) -> str:
    return ":".join(OPENSSL_GROUPS.get(group, group.name) for group in setup.groups)


def openssl_suites(setup: Setup) -> tuple[str, str]:
    """For TLS 1.3 and for TLS 1.2, separated by colons."""
    new = [suite.name for suite in setup.suites if suite not in OPENSSL_12]
    return ":".join(new), ":".join(OPENSSL_12[suite] for suite in setup.suites if suite in OPENSSL_12)
