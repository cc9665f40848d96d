"""Draw and explain connections from a file: a trace that tlscope wrote, or a capture of any two peers.

FILE is what --trace wrote (JSON lines), or a capture that tlscope, Wireshark, tshark or tcpdump wrote (pcapng or pcap). A
capture is read from its packets, IPv4 or IPv6, from the first TLS record of each connection on; who makes it needs no
tlscope. With the secrets of its connections, which lie in the capture itself or in a key log that most TLS programs write
where SSLKEYLOGFILE says, all of it is shown. Without them, what anyone on the way can read is: in TLS 1.3 the hellos, in
TLS 1.2 the certificates too.

Each connection is drawn; where it failed, the explanation follows. With --json it is all one document.

Examples:

    tlscope connect example.org --trace visit.jsonl
    tlscope explain visit.jsonl --html visit.html
    tshark -i lo -w capture.pcapng
    tlscope explain capture.pcapng --keylog keys.log
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.rule import Rule
from rich.text import Text

from ..capture import read
from ..errors import ConfigError
from ..explain import Diagram, diagnose_trace, draw
from ..explain.pcapng_blocks import CaptureError, is_capture
from ..explain.words import plural, printable
from ..trace import Completed, Trace
from . import options, pictures
from .errors import usage
from .output import Output
from .recorder import steps_of

__all__ = ["explain"]

MOST_BYTES = 512 * 1024 * 1024
"""Bytes of a file that is read."""


@dataclass(frozen=True, slots=True)
class _Connection:
    trace: Trace
    title: str = ""
    client: str = ""
    remark: str = ""


def explain(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A trace (JSON lines) or a capture (pcapng or pcap).")],
    keylog: Annotated[
        Path | None,
        typer.Option(
            "--keylog", metavar="FILE", help="The secrets of a capture's connections, as SSLKEYLOGFILE has them."
        ),
    ] = None,
    html: pictures.HtmlFile = None,
    svg: pictures.SvgFile = None,
    mermaid: pictures.MermaidFile = None,
    pcapng: pictures.PcapngFile = None,
    as_json: options.Json = False,
) -> None:
    """The command ``tlscope explain``."""
    output = Output.of(context)
    content = _read(file)
    secrets = "" if keylog is None else _read(keylog).decode("ascii", "replace")
    if is_capture(content):
        found, remarks = _captured(file, content, secrets)
    elif keylog is not None:
        raise usage("--keylog is for captures; a trace holds what it holds")
    else:
        found, remarks = list(_traces(file, content)), []
    drawn = pictures.Pictures(html, svg, mermaid, pcapng, most=200)
    output.document["connections"] = []
    for number, one in enumerate(found):
        if number:
            output.say("")
        _show(output, one)
        drawn.add(one.trace, one.title, one.client)
    for remark in remarks:
        output.text(remark, "dim")
    output.document["remarks"] = remarks
    drawn.write(printable(file.name, 100))


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"it has more than {MOST_BYTES:,} bytes", path=path, code="file-too-big")
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the file can't be read: {error.strerror}", path=path, code="file-read") from None


def _captured(path: Path, content: bytes, secrets: str) -> tuple[list[_Connection], list[str]]:
    try:
        reading = read(content, secrets)
    except CaptureError as problem:
        raise ConfigError(str(problem), path=path, code="bad-capture") from None
    if not reading.connections:
        seen = f"{plural(reading.packets, 'packet')}, {plural(reading.others, 'connection')} of another kind"
        raise ConfigError(
            f"there is no TLS connection in it that was captured from its beginning ({seen})", path=path, code="no-tls"
        )
    found = []
    for one in reading.connections:
        said = [one.obstacle] if one.obstacle else []
        if one.sealed and not secrets and "not at hand" in one.obstacle:
            said.append("A key log opens it: --keylog FILE.")
        if one.holes:
            said.append("Packets are missing from the capture; behind a gap nothing can be read.")
        title = f"{one.client} to {one.server}" if len(reading.connections) > 1 else ""
        found.append(_Connection(one.trace, title, one.client, " ".join(said)))
    remarks = []
    if reading.others:
        remarks.append(f"Left out: {plural(reading.others, 'connection')} that speak something else, or began before.")
    if reading.full:
        remarks.append("There was more in the capture than is kept.")
    return found, remarks


def _traces(path: Path, content: bytes) -> Iterator[_Connection]:
    """The traces in a file of JSON lines: each begins with a header of its own."""
    lines = content.decode("utf-8", "replace").splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith('{"kind": "trace"')]
    if not starts or any(line.strip() for line in lines[: starts[0]]):
        raise ConfigError("it is neither a trace of tlscope nor a capture", path=path, code="not-a-trace")
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(lines)], strict=True), 1):
        try:
            trace = Trace.from_json_lines(lines[start:end])
        except ValueError as problem:
            raise ConfigError(
                f"connection {number}: {printable(problem, 200)}", path=path, code="not-a-trace"
            ) from None
        yield _Connection(trace, f"Connection {number}" if len(starts) > 1 else "")


def _show(output: Output, one: _Connection) -> None:
    diagram, diagnosis = Diagram.of(one.trace, client=one.client), diagnose_trace(one.trace)
    document: dict[str, Any] = {
        "title": diagram.title,
        "client": diagram.client.name,
        "server": diagram.server.name,
        "facts": next((event.facts for event in one.trace.of(Completed)), {}),
        "steps": steps_of(diagram),
        "diagnosis": None if diagnosis is None else diagnosis.as_dict(),
    }
    if one.remark:
        document["remark"] = one.remark
    output.document["connections"].append(document)
    if one.title:
        output.say(Rule(Text(one.title), align="left", style="dim"))
    output.say(draw(diagram, width=output.out.width))
    if one.remark:
        output.text(one.remark, "yellow")
    if diagnosis is not None:
        output.say("", Text(diagnosis.to_text(output.out.width)))
