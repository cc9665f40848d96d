"""What is drawn into files: the report (--html), pictures (--svg), mermaid source (--mermaid) and captures (--pcapng)."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Annotated

import typer

from ..errors import ConfigError
from ..explain import Diagram, Reported, to_html, to_mermaid, to_svg
from ..explain.pcapng import key_log_of, to_pcapng
from ..trace import Trace
from .recorder import Recorder

__all__ = ["HtmlFile", "MermaidFile", "PcapngFile", "Pictures", "SvgFile", "write_file"]

MOST = 20
"""Connections that are drawn where a command does not say otherwise."""

HtmlFile = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", help="Write the report to FILE: one page to look at in a browser. No secrets."
    ),
]
SvgFile = Annotated[
    Path | None,
    typer.Option(
        "--svg", metavar="FILE", help="Write the diagram to FILE as a picture; the second to FILE-2, and so on."
    ),
]
MermaidFile = Annotated[
    Path | None, typer.Option("--mermaid", metavar="FILE", help="Write the diagram to FILE as mermaid source.")
]
PcapngFile = Annotated[
    Path | None,
    typer.Option(
        "--pcapng",
        metavar="FILE",
        help="Write what went over the wire to FILE, with the secrets: Wireshark opens it decrypted. Keep it to yourself.",
    ),
]


def write_file(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file, for its owner alone where it is ``private``. Raises ``ConfigError``."""
    try:
        mode = 0o600 if private else 0o644
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode), "wb") as file:
            if private:
                os.fchmod(file.fileno(), mode)  # a file that was there before keeps its mode else
            file.write(content)
    except OSError as error:
        raise ConfigError(f"the file can't be written: {error.strerror}", path=path, code="file-write") from None


@dataclass(frozen=True, slots=True)
class _Kept:
    trace: Trace
    title: str
    client: str


class Pictures:
    """Collects connections and draws them at the end."""

    def __init__(
        self,
        html: Path | None = None,
        svg: Path | None = None,
        mermaid: Path | None = None,
        pcapng: Path | None = None,
        *,
        most: int = MOST,
    ) -> None:
        """Begin the files, so that one that can't be written is found now. Raises ``ConfigError``.

        Of more than ``most`` connections only the last ones are drawn.
        """
        self._html, self._svg, self._mermaid, self._pcapng = html, svg, mermaid, pcapng
        self._kept: deque[_Kept] = deque(maxlen=most)
        self._lock = Lock()
        for path in (html, svg, mermaid, pcapng):
            if path is not None:
                write_file(path, b"", private=path is pcapng)

    @property
    def wanted(self) -> bool:
        """Whether there is anything to draw."""
        return any((self._html, self._svg, self._mermaid, self._pcapng))

    def recorder(self, *, content: bool = False) -> Recorder:
        """A recorder that keeps what the files need: the secrets apart, and only for a capture."""
        return Recorder(content=content, reveal=self._pcapng is not None)

    def add(self, trace: Trace, title: str = "", client: str = "") -> None:
        """Keep a connection; ``client`` is who it is from, where the trace does not know."""
        if self.wanted and trace.events:
            with self._lock:
                self._kept.append(_Kept(trace, title, client))

    def write(self, title: str = "") -> None:
        """Draw. Raises ``ConfigError`` where a file can't be written."""
        with self._lock:
            kept = list(self._kept)
        if self._html is not None:
            page = to_html(*(Reported(one.trace, one.title, client=one.client) for one in kept), title=title)
            write_file(self._html, page.encode("utf-8", "replace"))
        for path, draw in ((self._svg, to_svg), (self._mermaid, to_mermaid)):
            if path is None:
                continue
            for number, one in enumerate(kept, 1):
                target = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
                write_file(target, draw(Diagram.of(one.trace, client=one.client)).encode("utf-8", "replace"))
        if self._pcapng is not None:
            traces = [one.trace for one in kept]
            logs = [key_log_of(trace.revealed) for trace in traces if isinstance(trace, Recorder)]
            write_file(self._pcapng, to_pcapng(*traces, key_log="".join(logs)), private=True)
