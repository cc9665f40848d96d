r"""Serve TLS to any number of clients at once, and draw each handshake.

What clients get is up to --respond: ``echo`` sends back what they send; ``http`` answers with a page that shows the
visitor's own handshake (as text or JSON to a client that accepts nothing else); the name of a directory serves the files
in it, but no hidden file and no symbolic link.

Without --identity a self-signed certificate is made, which clients have no reason to trust. With --client-ca clients
must show a certificate that one of its CAs issued; --client-auth requested lets those in who show none.

The first line says the address. Ctrl-C ends it. With --json there is one JSON document a line: ``listening``, then
``handshake`` and ``end`` for each connection. Each connection's first few thousand events are kept for --trace. The last 20
connections are drawn for --html, --svg, --mermaid and --pcapng when the server ends.

Examples:

    tlscope serve
    tlscope serve --identity my-ca/localhost.pem \
        --key my-ca/localhost-key.pem --respond http
    tlscope serve --listen 0.0.0.0:8443 --respond public/
    tlscope serve --identity cert.pem --key key.pem --client-ca my-ca/ca.pem
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..authority import self_signed
from ..config import ClientAuth, ServerConfig
from ..explain.words import printable
from ..io import Server, key_log_file
from ..trust.anchors import TrustAnchors
from ..trust.identity import Identity
from . import options, pictures
from .errors import network_error, usage
from .output import Output
from .recorder import TraceFile
from .visits import Respond, Visits, echo, files, http

__all__ = ["Stop", "serve"]

_DEFAULT = options.Address("127.0.0.1", 8443)


def serve(
    context: typer.Context,
    listen: Annotated[
        str,
        typer.Option(
            "--listen", metavar="ADDR", help=f"HOST:PORT, HOST or PORT; 0 for a free port. Default: {_DEFAULT}."
        ),
    ] = str(_DEFAULT),
    identity: Annotated[
        Path | None,
        typer.Option("--identity", metavar="FILE", help="Our certificate, its chain after it: PEM, DER or PKCS#12."),
    ] = None,
    key: options.KeyFile = None,
    client_ca: Annotated[
        Path | None, typer.Option("--client-ca", metavar="FILE", help="CAs that issue the clients' certificates.")
    ] = None,
    client_auth: Annotated[
        str | None,
        typer.Option(
            "--client-auth",
            metavar="none|requested|required",
            help="Whether clients must show a certificate. Default: required with --client-ca, else none.",
        ),
    ] = None,
    respond: Annotated[
        str, typer.Option("--respond", metavar="echo|http|DIR", help="What clients get. Default: echo.")
    ] = "echo",
    tls: options.Tls = None,
    trace: options.TraceFile = None,
    keylog: options.KeyLog = None,
    html: pictures.HtmlFile = None,
    svg: pictures.SvgFile = None,
    mermaid: pictures.MermaidFile = None,
    pcapng: pictures.PcapngFile = None,
    as_json: options.Json = False,
) -> None:
    """The command ``tlscope serve``."""
    output = Output.of(context)
    address = options.parse_address(listen, host=_DEFAULT.host, port=_DEFAULT.port)
    if key is not None and identity is None:
        raise usage("--key names the key of a certificate: give the certificate with --identity FILE")
    answer, protocols = _responder(respond)
    shown = _self_signed(address.host) if identity is None else options.read_identity(identity, key)
    drawn = pictures.Pictures(html, svg, mermaid, pcapng)
    config = ServerConfig(
        identities=[shown],
        trust=None if client_ca is None else TrustAnchors.from_file(client_ca),
        client_auth=_client_auth(client_auth, client_ca),
        alpn=protocols,
        trace=drawn.recorder,
        key_log=key_log_file(keylog),
        **options.versions(tls),
    )
    stop = Stop()
    visits = Visits(output, TraceFile(trace), drawn, answer, stop.set)
    try:
        server = Server(
            config,
            visits.handle,
            address.host,
            address.port,
            timeout=answer.patience,
            on_handshake=visits.shook_hands,
            on_error=lambda error, where: None,
            on_end=visits.ended,
        )
    except OSError as error:
        raise network_error(error, f"listen on {address}") from None
    with stop.on_signals(), server:
        _say_hello(output, options.Address(*server.address), shown, config, respond, own=identity is None)
        stop.wait()
    drawn.write("Visitors")
    if visits.failure is not None:
        raise visits.failure
    visits.finish()


def _responder(respond: str) -> tuple[Respond, tuple[str, ...]]:
    if respond == "echo":
        return echo(), ()
    if respond == "http":
        return http(), ("http/1.1",)
    return files(Path(respond)), ("http/1.1",)


def _client_auth(text: str | None, client_ca: Path | None) -> ClientAuth:
    if text is None:
        return ClientAuth.NONE if client_ca is None else ClientAuth.REQUIRED
    try:
        return ClientAuth(text.lower())
    except ValueError:
        raise usage(f"--client-auth {printable(text, 40)}: there are none, requested and required") from None


def _self_signed(host: str) -> Identity:
    names = ["localhost", "127.0.0.1", "::1"]
    if host not in (*names, "0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        names.insert(0, host)
    return self_signed(*names).identity()


class Stop:
    """Something to wait for that a signal handler and any thread may set: a pipe, since an Event's lock is not reentrant."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def set(self) -> None:
        """End the wait."""
        os.write(self._write, b"x")

    def wait(self) -> None:
        """Until it is set."""
        os.read(self._read, 1)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM set it, even where a shell had SIGINT ignored; a second one no longer waits for anybody."""
        before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before[number] = signal.signal(number, self._heard)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heard(self, number: int, frame: object) -> None:
        signal.signal(number, signal.default_int_handler)
        self.set()


_RESPOND = {"echo": "echo", "http": "http: a page with the visitor's own handshake"}


def _say_hello(
    output: Output, address: options.Address, identity: Identity, config: ServerConfig, respond: str, *, own: bool
) -> None:
    if output.as_json:
        output.line(
            {
                "event": "listening",
                "host": address.host,
                "port": address.port,
                "certificate": {"names": list(identity.names), "sha256": identity.fingerprint, "self_signed": own},
                "client_auth": config.client_auth.value,
                "respond": respond,
            }
        )
        return
    output.say(f"Listening on {address}")
    clients = {
        ClientAuth.NONE: "are not asked for a certificate",
        ClientAuth.REQUESTED: "are asked for a certificate, and may have none",
        ClientAuth.REQUIRED: "must show a certificate",
    }[config.client_auth]
    if config.trust is not None and config.client_auth is not ClientAuth.NONE:
        clients += f" issued by {', '.join(one.subject.rfc4514_string() for one in list(config.trust)[:3])}"
    names = ", ".join(list(identity.names)[:8])
    made = "made for this run and self-signed, so no client trusts it; --identity FILE gives one" if own else names
    output.rows(
        [
            ("certificate", made),
            ("SHA-256", identity.fingerprint if own else ""),
            ("clients", clients),
            ("respond", _RESPOND.get(respond) or f"the files of {respond}"),
            ("stop", "Ctrl-C"),
        ]
    )
    output.say("")
