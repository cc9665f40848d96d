"""Other implementations of TLS to talk to over loopback: each as a client and as a server, told the same things.

A peer is started for one test, listens on a port that the operating system chose where it can be asked to, is waited for
with a bound, and is stopped by its own process handle.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loopback import PATIENCE, Task

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

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
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


class OpenSSL(Peer):
    """The command line of OpenSSL."""

    name = "openssl"
    program = "openssl"
    suites = (*AEADS_13, CipherSuite.TLS_AES_128_CCM_SHA256, CipherSuite.TLS_AES_128_CCM_8_SHA256, *OPENSSL_12)

    def _options(self, setup: Setup) -> list[str]:
        options = ["-CAfile", str(setup.ca), "-tls1_3" if setup.version is V13 else "-tls1_2"]
        if setup.identity is not None:
            certificate, key = map(str, setup.identity)
            options += ["-cert", certificate, "-cert_chain", certificate, "-key", key]
        if setup.groups:
            options += ["-groups", openssl_groups(setup)]
        new, old = openssl_suites(setup)
        if new:
            options += ["-ciphersuites", new]
        if old:
            options += ["-cipher", old]
        if setup.alpn:
            options += ["-alpn", ",".join(setup.alpn)]
        return options

    def start_client(self, setup: Setup, port: int) -> Process:
        options = ["-servername", SERVER_NAME, "-verify_hostname", SERVER_NAME, "-verify_return_error"]
        return Process("openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options, *self._options(setup))

    def client(self, setup: Setup, port: int, message: bytes) -> Answer:
        with self.start_client(setup, port) as process:
            process.say(message)
            found = process.wait_for(re.escape(message.decode()))
            code = process.result()
            ok = found is not None and code == 0
            facts = {"verified": "Verify return code: 0 (ok)" in process.text}
            if match := re.search(r"ALPN protocol: (\S+)", process.text):
                facts["alpn"] = match[1]
            return Answer(ok, message if ok else b"", process.text, facts)

    @contextlib.contextmanager
    def server(self, setup: Setup, mode: str | None = "-rev") -> Iterator[Running]:
        options = self._options(setup) + ([mode] if mode else [])
        if setup.ask:
            options += ["-Verify", "4", "-verify_return_error"]
        with Process("openssl", "s_server", "-accept", "127.0.0.1:0", *options) as process:
            match = process.wait_for(r"ACCEPT 127\.0\.0\.1:(\d+)")
            assert match is not None, process.text
            yield Running(int(match[1]), process)

    def echo(self, message: bytes) -> bytes:
        return message[-2::-1] + b"\n"


class GnuTLS(Peer):
    """The command line of GnuTLS."""

    name = "gnutls"
    program = "gnutls-cli"
    suites = (
        *AEADS_13,
        CipherSuite.TLS_AES_128_CCM_SHA256,
        CipherSuite.TLS_AES_128_CCM_8_SHA256,
        *OPENSSL_12,
    )

    def absent(self) -> str | None:
        missing = [program for program in ("gnutls-cli", "gnutls-serv") if shutil.which(program) is None]
        return f"{missing[0]} is not installed" if missing else None

    def _options(self, setup: Setup) -> list[str]:
        priority = ["NORMAL", "-VERS-ALL", "+VERS-TLS1.3" if setup.version is V13 else "+VERS-TLS1.2"]
        if setup.groups:
            priority += ["-GROUP-ALL", *(f"+GROUP-{group.name.upper()}" for group in setup.groups)]
        if setup.suites:
            priority += ["-CIPHER-ALL", *(f"+{self._cipher(suite)}" for suite in setup.suites)]
        options = ["--x509cafile", str(setup.ca), "--priority", ":".join(priority)]
        if setup.identity is not None:
            certificate, key = map(str, setup.identity)
            options += ["--x509certfile", certificate, "--x509keyfile", key]
        for protocol in setup.alpn:
            options += ["--alpn", protocol]
        return options

    @staticmethod
    def _cipher(suite: CipherSuite) -> str:
        name = suite.name.removeprefix("TLS_").split("_WITH_")[-1]
        return re.sub(r"_SHA\d+$", "", name).replace("_", "-")

    def start_client(self, setup: Setup, port: int, *more: str) -> Process:
        options = ["--sni-hostname", SERVER_NAME, "--verify-hostname", SERVER_NAME, *more, *self._options(setup)]
        return Process("gnutls-cli", "--port", str(port), *options, "127.0.0.1")

    def client(self, setup: Setup, port: int, message: bytes) -> Answer:
        with self.start_client(setup, port) as process:
            # It reads its input from the start, but must not see its end before the answer has come.
            process.say(message)
            found = process.wait_for(re.escape(message.decode()))
            code = process.result()
            ok = found is not None and code == 0
            facts = {"verified": "The certificate is trusted" in process.text}
            if match := re.search(r"Application protocol: (\S+)", process.text):
                facts["alpn"] = match[1]
            return Answer(ok, message if ok else b"", process.text, facts)

    @contextlib.contextmanager
    def server(self, setup: Setup) -> Iterator[Running]:
        options = self._options(setup)
        options += ["--require-client-cert", "--verify-client-cert"] if setup.ask else ["--disable-client-cert"]
        # It can be told neither to choose a port nor to listen on loopback alone; another process may take the port.
        for _ in range(5):
            with socket.create_server(("127.0.0.1", 0)) as probe:
                port = probe.getsockname()[1]
            with Process("gnutls-serv", "--echo", "--nodb", "--port", str(port), *options) as process:
                if process.wait_for(r"listening on IPv4 0\.0\.0\.0 port \d+\.*done") is None:
                    continue
                yield Running(port, process)
                return
        raise AssertionError("gnutls-serv found no port")


_NODE_COMMON = """
const tls = require('tls'), fs = require('fs'), o = JSON.parse(process.argv[1]);
const options = {minVersion: o.version, maxVersion: o.version, ca: fs.readFileSync(o.ca), allowHalfOpen: true};
if (o.cert) { options.cert = fs.readFileSync(o.cert); options.key = fs.readFileSync(o.key); }
if (o.groups) options.ecdhCurve = o.groups;
if (o.ciphers) options.ciphers = o.ciphers;
if (o.alpn.length) options.ALPNProtocols = o.alpn;
"""
_NODE_CLIENT = (
    _NODE_COMMON
    + """
let got = '', facts = {};
const s = tls.connect({...options, host: '127.0.0.1', port: o.port, servername: 'localhost'}, () => {
  facts = {verified: s.authorized, version: s.getProtocol(), alpn: s.alpnProtocol};
  if (o.half_close) s.end(o.message); else s.write(o.message);
});
s.on('data', data => { got += data; if (!o.half_close && got.length >= o.message.length) s.end(); });
s.on('error', error => console.log('ERROR ' + error.code + ' ' + error.message));
process.on('exit', () => console.log('RESULT ' + JSON.stringify({...facts, got})));
"""
)
_NODE_SERVER = (
    _NODE_COMMON
    + """
const server = tls.createServer({...options, requestCert: o.ask, rejectUnauthorized: o.ask}, s => {
  if (!o.half_close) { s.pipe(s); } else {
    let got = '';
    s.on('data', data => { got += data; });
    s.on('end', () => s.end(got));
  }
  s.on('error', error => console.log('ERROR ' + error.code + ' ' + error.message));
});
server.on('tlsClientError', error => console.log('ERROR ' + error.code + ' ' + error.message));
server.listen(0, '127.0.0.1', () => console.log('LISTENING ' + server.address().port));
"""
)


class Node(Peer):
    """Node's ``tls`` module."""

    name = "node"
    program = "node"
    suites = (*AEADS_13, *OPENSSL_12)

    def _options(self, setup: Setup, **more: Any) -> str:
        options: dict[str, Any] = {
            "version": "TLSv1.3" if setup.version is V13 else "TLSv1.2",
            "ca": str(setup.ca),
            "ask": setup.ask,
            "alpn": setup.alpn,
            "groups": openssl_groups(setup),
            "ciphers": ":".join(filter(None, openssl_suites(setup))),
            "half_close": setup.half_close,
            **more,
        }
        if setup.identity is not None:
            options["cert"], options["key"] = map(str, setup.identity)
        return json.dumps(options)

    def client(self, setup: Setup, port: int, message: bytes) -> Answer:
        options = self._options(setup, port=port, message=message.decode())
        with Process("node", "-e", _NODE_CLIENT, options) as process:
            process.wait_for(r"RESULT .*\n")
            process.result()
            found = re.search(r"RESULT (.*)\n", process.text)
            assert found is not None, process.text
            facts = json.loads(found[1])
            data = facts.pop("got").encode()
            return Answer(data == message and "ERROR" not in process.text, data, process.text, facts)

    @contextlib.contextmanager
    def server(self, setup: Setup) -> Iterator[Running]:
        with Process("node", "-e", _NODE_SERVER, self._options(setup)) as process:
            match = process.wait_for(r"LISTENING (\d+)")
            assert match is not None, process.text
            yield Running(int(match[1]), process)


class Curl(Peer):
    """curl, which can only be a client; the message goes into the path, and comes back as the body."""

    name = "curl"
    program = "curl"
    suites = AEADS_13

    def client(self, setup: Setup, port: int, message: bytes) -> Answer:
        version = "1.3" if setup.version is V13 else "1.2"
        command = ["curl", "--silent", "--show-error", "--verbose", "--max-time", str(PATIENCE), "--noproxy", "*"]
        command += [f"--tlsv{version}", "--tls-max", version, "--cacert", str(setup.ca)]
        command += ["--resolve", f"{SERVER_NAME}:{port}:127.0.0.1"]
        if setup.identity is not None:
            command += ["--cert", str(setup.identity[0]), "--key", str(setup.identity[1])]
        if setup.groups:
            command += ["--curves", openssl_groups(setup)]
        new, old = openssl_suites(setup)
        if new:
            command += ["--tls13-ciphers", new]
        if old:
            command += ["--ciphers", old]
        if setup.alpn:
            command += ["--http2" if "h2" in setup.alpn else "--http1.1"]
        with Process(*command, f"https://{SERVER_NAME}:{port}/{message.decode().strip()}") as process:
            code = process.result()
            ok = code == 0 and message.decode() in process.text
            facts: dict[str, Any] = {"verified": "SSL certificate verify ok" in process.text, "code": code}
            if match := re.search(r"ALPN: server accepted (\S+)", process.text):
                facts["alpn"] = match[1]
            return Answer(ok, message if ok else b"", process.text, facts)


class InProcess(Peer):
    """A peer that runs on a thread of the test."""

    def connect(self, setup: Setup, sock: socket.socket) -> Any:
        """Shake hands as a client; gives something with recv, sendall, end, close and facts."""
        raise NotImplementedError

    def accept(self, setup: Setup, sock: socket.socket) -> Any:
        """Shake hands as a server."""
        raise NotImplementedError

    def client(self, setup: Setup, port: int, message: bytes) -> Answer:
        sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        data = b""
        facts: dict[str, Any] = {}
        stream = None
        try:
            stream = self.connect(setup, sock)
            facts = stream.facts()
            stream.sendall(message)
            if setup.half_close:
                stream.end()
            while len(data) < len(message) and (piece := stream.recv()):
                data += piece
        except OSError as error:
            return Answer(False, data, str(error), facts)
        finally:
            if stream is not None:
                stream.close()
            sock.close()
        return Answer(data == message, data, "", facts)

    @contextlib.contextmanager
    def server(self, setup: Setup) -> Iterator[Running]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(PATIENCE)
            running = Running(listener.getsockname()[1])
            task = Task(self._serve_one, setup, listener, running)
            yield running
            if not running.sessions and not running.errors:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", running.port)).close()
            task.join(PATIENCE)

    def _serve_one(self, setup: Setup, listener: socket.socket, running: Running) -> None:
        sock, _ = listener.accept()
        sock.settimeout(PATIENCE)
        stream = None
        try:
            stream = self.accept(setup, sock)
            running.sessions.append(stream.facts())
            data = b""
            while piece := stream.recv():
                data += piece
                if not setup.half_close:
                    stream.sendall(piece)
            if setup.half_close:
                stream.sendall(data)
        except OSError as error:
            running.errors.append(error)
        finally:
            if stream is not None:
                stream.close()
            sock.close()


class _PythonStream:
    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock

    def facts(self) -> dict[str, Any]:
        return {"version": self._sock.version(), "alpn": self._sock.selected_alpn_protocol(), "verified": True}

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(data)

    def recv(self) -> bytes:
        return self._sock.recv(65536)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.unwrap()
        self._sock.close()


class PythonSSL(InProcess):
    """The standard library's ``ssl``."""

    name = "python-ssl"
    groups = (NamedGroup.secp256r1, NamedGroup.secp384r1, NamedGroup.secp521r1)  # what set_ecdh_curve takes
    suites = (*OPENSSL_12,)  # it can't choose among TLS 1.3's

    def _context(self, setup: Setup, purpose: int) -> ssl.SSLContext:
        context = ssl.SSLContext(purpose)
        version = ssl.TLSVersion.TLSv1_3 if setup.version is V13 else ssl.TLSVersion.TLSv1_2
        context.minimum_version = context.maximum_version = version
        context.load_verify_locations(setup.ca)
        if setup.identity is not None:
            context.load_cert_chain(*setup.identity)
        if setup.alpn:
            context.set_alpn_protocols(list(setup.alpn))
        if setup.groups:
            (group,) = setup.groups
            context.set_ecdh_curve({NamedGroup.secp256r1: "prime256v1"}.get(group, group.name))
        if setup.suites:
            context.set_ciphers(openssl_suites(setup)[1])
        return context

    def connect(self, setup: Setup, sock: socket.socket) -> _PythonStream:
        context = self._context(setup, ssl.PROTOCOL_TLS_CLIENT)
        return _PythonStream(context.wrap_socket(sock, server_hostname=SERVER_NAME))

    def accept(self, setup: Setup, sock: socket.socket) -> _PythonStream:
        context = self._context(setup, ssl.PROTOCOL_TLS_SERVER)
        if setup.ask:
            context.verify_mode = ssl.CERT_REQUIRED
        return _PythonStream(context.wrap_socket(sock, server_side=True))
