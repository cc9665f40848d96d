"""The part of ``tlscope run`` that lives in the program: it traces every handshake and explains it on stderr.

Nothing here may disturb the program: what can't be written is left out, and what draws is imported when it is needed.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import sys
import textwrap
from collections import deque
from pathlib import Path

from ..ssl.inject import inject_into_ssl
from ..trace import AlertEvent, Closed, Completed, Data, Failed, Message, Started, Trace, TraceEvent

__all__ = ["KEEP", "Witness", "begin"]

KEEP = "TLSCOPE_RUN_KEEP"
"""The environment variable that asks for traces to be kept in files, for ``--html`` and ``--trace``."""

MOST_EVENTS = 400
"""Events kept of one connection; a handshake has about fifty. Ends are kept beyond that."""

MOST_FILES = 1000
"""Traces that one process keeps in files; then the oldest are written over."""

MOST_UNFINISHED = 50
"""Handshakes without an end that are remembered, to be drawn when the program ends."""

_unfinished: deque[Witness] = deque(maxlen=MOST_UNFINISHED)
_numbers = itertools.count()
_ENDS = (AlertEvent, Closed, Completed, Failed)


def begin(reports: str) -> None:
    """Put tlscope under this process. ``reports`` is the directory in which ``tlscope run`` looks afterwards."""
    directory = Path(reports)
    _touch(directory / "began")
    inject_into_ssl(trace=lambda: Witness(directory))
    atexit.register(_last_words)


def _last_words() -> None:
    for witness in list(_unfinished):
        witness.given_up()


def _touch(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.touch(0o600)


class Witness(Trace):
    """One connection's trace, which speaks up when the handshake has come to its end."""

    def __init__(self, directory: Path) -> None:
        super().__init__(max_bytes=1024 * 1024)
        self._directory = directory
        self._file = f"{os.getpid()}-{next(_numbers) % MOST_FILES}.jsonl"
        self._owed: Failed | None = None
        self._told = False
        _unfinished.append(self)

    def __call__(self, event: TraceEvent) -> None:
        """Keep the event, and report if it is an end. It never raises: that would end the connection."""
        if len(self.events) < MOST_EVENTS or (isinstance(event, _ENDS) and len(self.events) < MOST_EVENTS + 20):
            super().__call__(event)
        if not isinstance(event, _ENDS):
            return
        with contextlib.suppress(Exception):
            self._hear(event)

    def _hear(self, event: TraceEvent) -> None:
        if isinstance(event, Completed):
            self._report(_line(self))
        elif isinstance(event, Failed) and self._worth_telling(event):
            # The alert that we owe comes next, and belongs to the drawing.
            alert_follows = event.error.get("judge") == "us" and event.error.get("alert")
            if alert_follows and event.error.get("code") != "http-on-tls-port":
                self._owed = event
            else:
                self._report(_drawing(self))
        elif self._owed is not None:
            self._owed = None
            self._report(_drawing(self))

    def _worth_telling(self, event: Failed) -> bool:
        """Whether a failure is the handshake's. Servers of HTTP cut connections when they have answered."""
        if not any(isinstance(one, Completed) for one in self.events):
            return True
        cut = event.error.get("code") == "truncated"
        heard = any(isinstance(one, Data) and one.direction == "received" for one in self.events)
        return not cut or (self._role == "client" and not heard)

    def given_up(self) -> None:
        """The program has ended: report what had no end."""
        with contextlib.suppress(Exception):
            if self._owed is not None or (not self._told and any(isinstance(one, Message) for one in self.events)):
                self._report(_drawing(self, "" if self._owed is not None else "it was never finished"))

    @property
    def _role(self) -> str:
        return next((one.role for one in self.events if isinstance(one, Started)), "client")

    def _report(self, text: str) -> None:
        self._told = True
        with contextlib.suppress(ValueError):
            _unfinished.remove(self)
        if os.environ.get(KEEP):
            _write(self._directory / self._file, self.to_json_lines())
        else:
            _touch(self._directory / "handshake.jsonl")
        stream = sys.__stderr__
        if stream is not None:
            encoding = stream.encoding or "utf-8"
            stream.write(text.encode(encoding, "replace").decode(encoding))
            stream.flush()


def _write(path: Path, text: str) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)


def _head(trace: Witness, name: str) -> str:
    from ..explain.words import printable

    role = "to" if trace._role == "client" else "for"
    return f"tlscope: {role} {printable(name, 80) if name else 'a peer without a name'}"


def _line(trace: Witness) -> str:
    """A handshake that went well, in one line, or two where 80 columns are too few."""
    from ..explain import Diagram
    from ..explain.words import milliseconds

    diagram = Diagram.of(trace)
    said = [diagram.title, diagram.cipher_suite, diagram.group, diagram.alpn]
    said.append("" if diagram.seconds is None else milliseconds(diagram.seconds))
    text = f"{_head(trace, diagram.server.name)}: {', '.join(one for one in said if one)}"
    return textwrap.fill(text, 80, subsequent_indent="  ", break_on_hyphens=False) + "\n"


def _drawing(trace: Witness, why: str = "") -> str:
    """A handshake that failed: drawn, and explained."""
    from ..explain import Diagram, diagnose_trace, to_text

    diagram = Diagram.of(trace)
    diagnosis = diagnose_trace(trace)
    # Others may write on the same terminal; one write keeps it together.
    parts = [f"{_head(trace, diagram.server.name)}: {why or 'the handshake failed'}\n", to_text(diagram)]
    if diagnosis is not None:
        parts.append(diagnosis.to_text().rstrip("\n") + "\n")
    return "\n".join(parts)
