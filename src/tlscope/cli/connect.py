r"""Connect to a TLS server, draw the handshake, then join the connection to stdin and stdout.

The diagram, the server's certificates and every message for people go to stderr; stdout carries what the server sends,
and nothing else. What is typed or piped in is sent as it is. At the end of the input, or once --send has sent its text,
the answer is waited for: --wait seconds for its first byte, then until the server has been silent for a second. Then
close_notify is sent, and the server has the same time to end its side.

A TLS 1.3 client is done with its handshake before the server has judged the client's certificate. Where one was asked
for, the server's verdict is waited for before anything is drawn or sent.

With --json nothing is read from stdin, and the answer to --send is a part of the document.

Examples:

    tlscope connect example.org
    tlscope connect localhost:8443 --trust my-ca/ca.pem
    tlscope connect [::1]:8443 --trust my-ca/ca.pem --server-name localhost
    tlscope connect example.org --alpn http/1.1 --send "GET / HTTP/1.0\r\n\r\n"
    tlscope connect localhost:8443 --trust my-ca/ca.pem \
        --identity my-ca/alice-client.pem --key my-ca/alice-client-key.pem
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from ..config import ClientConfig
from ..errors import TLSError
from ..explain import Diagram, draw
from ..explain.certificates import summarize
from ..io import TLSStream, key_log_file
from ..io import connect as connect_to
from ..trust.anchors import TrustAnchors
from . import options, pictures
from .errors import network_error, usage
from .output import Output
from .pipe import Pipe, collect, write_stdout
from .recorder import Recorder, TraceFile, steps_of

__all__ = ["connect"]

_NAMES = 8
"""Names of a certificate that are printed."""

_PATIENCE = 10.0
"""Seconds that connecting and the handshake may take."""

_VERDICT = 2.0
"""Seconds that a server's verdict on our certificate is waited for: a server that is content may say nothing at all."""


def connect(
    context: typer.Context,
    host: Annotated[str, typer.Argument(metavar="HOST[:PORT]", help="Whom to connect to. IPv6 in brackets. Port 443.")],
    trust: Annotated[
        Path | None,
        typer.Option("--trust", metavar="FILE", help="Certificates to trust, in PEM or DER, instead of the system's."),
    ] = None,
    identity: Annotated[
        Path | None,
        typer.Option(
            "--identity", metavar="FILE", help="Our certificate, for a server that asks: PEM, DER or PKCS#12."
        ),
    ] = None,
    key: options.KeyFile = None,
    server_name: Annotated[
        str | None,
        typer.Option("--server-name", metavar="NAME", help="Whom the certificate must be for. Default: HOST."),
    ] = None,
    alpn: Annotated[
        str | None, typer.Option("--alpn", metavar="LIST", help="Application protocols to offer, such as h2,http/1.1.")
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            "--groups", metavar="LIST", help="Key-exchange groups to offer, such as x25519,P-256, the best first."
        ),
    ] = None,
    send: Annotated[
        str | None,
        typer.Option(
            "--send", metavar="TEXT", help="Send TEXT instead of stdin. \\r, \\n, \\t, \\\\ and \\xNN are understood."
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", help="How long to wait for an answer. Default: 10.")
    ] = 10.0,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Believe any certificate. For looking at broken servers only.")
    ] = False,
    tls: options.Tls = None,
    trace: options.TraceFile = None,
    keylog: options.KeyLog = None,
    html: pictures.HtmlFile = None,
    svg: pictures.SvgFile = None,
    mermaid: pictures.MermaidFile = None,
    pcapng: pictures.PcapngFile = None,
    as_json: options.Json = False,
) -> None:
    """The command ``tlscope connect``."""
    output = Output.of(context)
    address = options.parse_address(host, port=443)
    text = None if send is None else _unescaped(send)
    if key is not None and identity is None:
        raise usage("--key names the key of a certificate: give the certificate with --identity FILE")
    if not 0 < wait <= 86400:
        raise usage("--wait takes seconds, more than 0")
    config = ClientConfig(
        trust=None if trust is None else TrustAnchors.from_file(trust),
        identity=None if identity is None else options.read_identity(identity, key),
        insecure_skip_verification=insecure,
        key_log=key_log_file(keylog),
        **options.versions(tls),
        **options.parse_groups(groups),
        **options.parse_alpn(alpn),
    )
    _ = config.verifier  # a trust store that isn't there is better missed now than in the middle of a handshake
    file, drawn = TraceFile(trace), pictures.Pictures(html, svg, mermaid, pcapng)
    recorder = drawn.recorder()
    output.document.update(host=address.host, port=address.port)
    try:
        _run(output, config, address, server_name, recorder, text, wait)
    finally:
        file.add(recorder)
        drawn.add(recorder)
        drawn.write()


def _run(
    output: Output,
    config: ClientConfig,
    address: options.Address,
    server_name: str | None,
    recorder: Recorder,
    text: bytes | None,
    wait: float,
) -> None:
    stream = _shake_hands(output, config, address, server_name, recorder)
    with stream:
        _report(output, stream, recorder)
        try:
            if not output.as_json:
                if text is None and sys.stdin is not None and sys.stdin.isatty():
                    output.text("Connected. What you type is sent; Ctrl-D ends it.", "dim", to_stderr=True)
                Pipe(stream, wait, write_stdout).run(text)
            elif text is not None:
                answer = collect(stream, text, wait)
                output.document["answer"] = {"bytes": len(answer), "text": answer.decode("utf-8", "replace")}
        except TLSError:
            raise
        except OSError as error:
            raise network_error(error, f"go on with {address}") from None
        finally:
            if output.as_json:
                _document(output, recorder)


def _shake_hands(
    output: Output, config: ClientConfig, address: options.Address, server_name: str | None, recorder: Recorder
) -> TLSStream:
    """Connect, and wait for the server's verdict on us. What fails is drawn before it is raised."""
    stream: TLSStream | None = None
    try:
        stream = connect_to(
            address.host, address.port, config, server_name=server_name, handshake_timeout=_PATIENCE, trace=recorder
        )
        stream.wait_for_verdict(_VERDICT)
    except (TLSError, OSError) as error:
        if stream is not None:
            stream.close()
        _draw(output, recorder)
        _explain(output, recorder, error)
        if recorder.said_anything:
            output.say("", to_stderr=True)
        _document(output, recorder)
        if not isinstance(error, TLSError):
            raise network_error(error, f"connect to {address}") from None
        raise
    return stream


def _report(output: Output, stream: TLSStream, recorder: Recorder) -> None:
    _draw(output, recorder)
    _document(output, recorder)
    facts = stream.facts
    if facts is None:
        return
    output.document["chain"] = _chain(facts.peer_chain)
    _describe(output, facts.peer_chain)
    if facts.peer is None:
        output.text("Nobody vouches for this server: its certificate was not verified.", "bold red", to_stderr=True)
    output.say("", to_stderr=True)


def _draw(output: Output, recorder: Recorder) -> None:
    if recorder.said_anything and not output.as_json:
        output.say(draw(recorder, width=output.err.width), to_stderr=True)


def _explain(output: Output, recorder: Recorder, error: Exception) -> None:
    """What stands behind the cause that the drawing names: how it is known, the evidence, what to do."""
    if not isinstance(error, TLSError):
        return
    diagnosis = error.explain()
    output.document["diagnosis"] = diagnosis.as_dict()
    if recorder.said_anything:
        lines = diagnosis.details(output.err.width).splitlines()
        output.say("", *(Text(line, no_wrap=True, overflow="ignore") for line in lines), to_stderr=True)


def _document(output: Output, recorder: Recorder) -> None:
    if recorder.said_anything:
        output.document["facts"] = recorder.facts
        output.document["steps"] = steps_of(Diagram.of(recorder))


def _chain(ders: tuple[bytes, ...]) -> list[dict[str, Any]]:
    found = []
    for der in ders:
        one = summarize(der)
        found.append(
            {
                "subject": one.subject,
                "issuer": one.issuer,
                "names": list(one.names),
                "not_before": None if one.not_before is None else one.not_before.isoformat(),
                "not_after": None if one.not_after is None else one.not_after.isoformat(),
                "key": one.key,
            }
        )
    return found


def _describe(output: Output, ders: tuple[bytes, ...]) -> None:
    output.say("", Text("The certificates that the server sent:", "bold"), to_stderr=True)
    for place, der in enumerate(ders, 1):
        one = summarize(der)
        if not one.readable:
            output.text(f"{place}  can't be read", indent=2, to_stderr=True)
            continue
        more = f" and {len(one.names) - _NAMES} more" if len(one.names) > _NAMES else ""
        names = ", ".join(one.names[:_NAMES]) + more
        until = "" if one.not_after is None else f"{one.not_after:%Y-%m-%d}"
        issuer = "itself" if one.self_signed else _common_name(one.issuer)
        output.text(f"{place}  {names or one.subject}", indent=2, to_stderr=True)
        output.text(f"{one.key}, until {until}, issued by {issuer}", "dim", indent=5, to_stderr=True)


def _common_name(distinguished: str) -> str:
    found = re.search(r"(?:^|,)CN=((?:[^,\\+]|\\.)+)", distinguished)
    return found[1] if found else distinguished


_ESCAPE = re.compile(r"\\(r|n|t|0|\\|x[0-9a-fA-F]{2})")
_ESCAPED = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}


def _unescaped(text: str) -> bytes:
    """The bytes of ``--send``: UTF-8, with the escapes that a shell does not offer."""
    out, end = [], 0
    for match in _ESCAPE.finditer(text):
        out.append(text[end : match.start()].encode("utf-8", "surrogateescape"))
        out.append(_ESCAPED.get(match[1]) or bytes.fromhex(match[1][1:]))
        end = match.end()
    return b"".join([*out, text[end:].encode("utf-8", "surrogateescape")])
