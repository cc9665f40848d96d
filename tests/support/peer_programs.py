"""Peers that are programs of their own: OpenSSL's and GnuTLS's command lines, Node and curl."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import own_network
import pytest
from loopback import PATIENCE
from peers import (
    AEADS_13,
    OPENSSL_12,
    SERVER_NAME,
    V13,
    Answer,
    Peer,
    Process,
    Running,
    Setup,
    openssl_groups,
    openssl_suites,
)

from tlscope import CipherSuite


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

    def start_client(self, setup: Setup, port: int, *more: str) -> Process:
        options = ["-servername", SERVER_NAME, "-verify_hostname", SERVER_NAME, "-verify_return_error", *more]
        return Process("openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options, *self._options(setup))

    def client(self, setup: Setup, port: int, message: bytes, *more: str) -> Answer:
        with self.start_client(setup, port, *more) as process:
            process.say(message)
            found = process.wait_for(re.escape(message.decode()))
            code = process.result()
            ok = found is not None and code == 0
            facts = {"verified": "Verify return code: 0 (ok)" in process.text}
            if match := re.search(r"ALPN protocol: (\S+)", process.text):
                facts["alpn"] = match[1]
            return Answer(ok, message if ok else b"", process.text, facts)

    def resume(self, setup: Setup, port: int, message: bytes, *more: str) -> Answer:
        with tempfile.TemporaryDirectory() as directory:
            session = str(Path(directory) / "session.pem")
            first = self.client(setup, port, message, "-sess_out", session)
            return self.client(setup, port, message, "-sess_in", session, *more) if first.ok else first

    @contextlib.contextmanager
    def server(self, setup: Setup, mode: str | None = "-rev", *more: str) -> Iterator[Running]:
        options = self._options(setup) + ([mode] if mode else []) + list(more)
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

    def __init__(self, *priority: str) -> None:
        self._priority = priority
        """What is put at the end of its priority string."""

    def absent(self) -> str | None:
        missing = [program for program in ("gnutls-cli", "gnutls-serv") if shutil.which(program) is None]
        return f"{missing[0]} is not installed" if missing else None

    def _options(self, setup: Setup) -> list[str]:
        priority = ["NORMAL", "-VERS-ALL", "+VERS-TLS1.3" if setup.version is V13 else "+VERS-TLS1.2"]
        if setup.groups:
            priority += ["-GROUP-ALL", *(f"+GROUP-{group.name.upper()}" for group in setup.groups)]
        if setup.suites:
            priority += ["-CIPHER-ALL", *(f"+{self._cipher(suite)}" for suite in setup.suites)]
        options = ["--x509cafile", str(setup.ca), "--priority", ":".join((*priority, *self._priority))]
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

    def client(self, setup: Setup, port: int, message: bytes, *more: str) -> Answer:
        with self.start_client(setup, port, *more) as process:
            # It reads its input from the start, but must not see its end before the answer has come.
            process.say(message)
            found = process.wait_for(re.escape(message.decode()))
            code = process.result()
            ok = found is not None and code == 0
            facts = {"verified": "The certificate is trusted" in process.text}
            if match := re.search(r"Application protocol: (\S+)", process.text):
                facts["alpn"] = match[1]
            return Answer(ok, message if ok else b"", process.text, facts)

    def resume(self, setup: Setup, port: int, message: bytes, *more: str) -> Answer:
        with self.start_client(setup, port, "--resume", "--waitresumption", *more) as process:
            found = process.wait_for(r"This is a resumed session")
            process.say(message)
            found = found and process.wait_for(re.escape(message.decode()))
            ok = process.result() == 0 and found is not None
            return Answer(ok, message if ok else b"", process.text)

    @contextlib.contextmanager
    def server(self, setup: Setup, *more: str, asks: Sequence[str] = ()) -> Iterator[Running]:
        options = [*self._options(setup), *more]
        if not asks:
            asks = ("--require-client-cert", "--verify-client-cert") if setup.ask else ("--disable-client-cert",)
        options += asks
        # It can't be told to listen on loopback alone, so it gets a network that has nothing else.
        if reason := own_network.absent():
            pytest.skip(f"gnutls-serv is not started: {reason}")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            program = own_network.command(listener, 4433, "gnutls-serv", "--echo", "--nodb", "--port", "4433", *options)
            with Process(*program, pass_fds=(listener.fileno(),)) as process:
                assert process.wait_for(r"listening on IPv4 0\.0\.0\.0 port \d+\.*done") is not None, process.text
                yield Running(listener.getsockname()[1], process)


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
let got = '', facts = {}, session;
function go(times) {
  got = '';
  const s = tls.connect({...options, host: '127.0.0.1', port: o.port, servername: 'localhost', session}, () => {
    facts = {verified: s.authorized, version: s.getProtocol(), alpn: s.alpnProtocol, reused: s.isSessionReused()};
    if (o.half_close) s.end(o.message); else s.write(o.message);
  });
  s.on('session', ticket => { session = ticket; });
  s.on('data', data => { got += data; if (!o.half_close && got.length >= o.message.length) s.end(); });
  s.on('error', error => console.log('ERROR ' + error.code + ' ' + error.message));
  s.on('close', () => { if (times > 1) go(times - 1); });
}
go(o.times);
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

    def resume(self, setup: Setup, port: int, message: bytes) -> Answer:
        return self.client(setup, port, message, times=2)

    def client(self, setup: Setup, port: int, message: bytes, times: int = 1, **more: Any) -> Answer:
        options = self._options(setup, port=port, message=message.decode(), times=times, **more)
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

    def resume(self, setup: Setup, port: int, message: bytes) -> Answer:
        return self.client(setup, port, message, times=2)

    def client(self, setup: Setup, port: int, message: bytes, times: int = 1) -> Answer:
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
        with Process(*command, *[f"https://{SERVER_NAME}:{port}/{message.decode().strip()}"] * times) as process:
            code = process.result()
            ok = code == 0 and message.decode() in process.text
            facts: dict[str, Any] = {"verified": "SSL certificate verify ok" in process.text, "code": code}
            if match := re.search(r"ALPN: server accepted (\S+)", process.text):
                facts["alpn"] = match[1]
            return Answer(ok, message if ok else b"", process.text, facts)
