"""What a command keeps of a connection: its trace, bounded, for the diagram, for ``--json`` and for ``--trace``."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

from ..errors import ConfigError
from ..explain import Diagram
from ..explain.model import AlertRow, DataRow, MessageRow
from ..trace import AlertEvent, Closed, Completed, Data, Failed, Message, Secret, Trace, TraceEvent

__all__ = ["MAX_EVENTS", "Recorder", "TraceFile", "steps_of"]

MAX_EVENTS = 4000
"""Events kept of one connection: a handshake has about fifty, and whoever sends data can make any number."""

MAX_SECRETS = 64
"""Secrets kept of one connection: a handshake has about seven, and the keys can be changed any number of times."""

_ALWAYS_KEPT = (AlertEvent, Closed, Completed, Failed)


class Recorder(Trace):
    """A trace that a stranger can't make grow without end: past ``MAX_EVENTS`` only alerts and ends are kept."""

    def __init__(self, *, content: bool = False, reveal: bool = False) -> None:
        """``content`` keeps what application data says, but no secret; ``reveal`` keeps secrets, apart, in ``revealed``."""
        super().__init__(max_bytes=4 * 1024 * 1024, secrets=content or reveal)
        self.revealed: list[Secret] = []
        self._content = content
        self._reveal = reveal

    def __call__(self, event: TraceEvent) -> None:
        """Keep the event, or let it go."""
        if isinstance(event, Secret):
            if self._reveal and len(self.revealed) < MAX_SECRETS:
                self.revealed.append(replace(event))
            event.value = None
        elif isinstance(event, Data) and not self._content:
            event.content = None
        if len(self.events) < MAX_EVENTS or (isinstance(event, _ALWAYS_KEPT) and len(self.events) < MAX_EVENTS + 100):
            super().__call__(event)

    @property
    def failure(self) -> dict[str, Any] | None:
        """The error that the connection failed with, as data."""
        return next((event.error for event in reversed(self.events) if isinstance(event, Failed)), None)

    @property
    def said_anything(self) -> bool:
        """Whether there is anything to draw."""
        return any(isinstance(event, Message) for event in self.events)

    @property
    def facts(self) -> dict[str, str]:
        """What the handshake agreed, by name; empty where it came to no agreement."""
        return next((event.facts for event in self.events if isinstance(event, Completed)), {})


class TraceFile:
    """The file of ``--trace``: JSON lines, each connection's events together behind a header line of their own."""

    def __init__(self, path: Path | None) -> None:
        """Begin the file anew. Raises ``ConfigError`` where it can't be written."""
        self._path = path
        self._lock = Lock()
        if path is not None:
            self._write("", os.O_TRUNC)

    def add(self, trace: Trace) -> None:
        """Append a connection's trace. Raises ``ConfigError``."""
        if self._path is not None:
            self._write(trace.to_json_lines(), os.O_APPEND)

    def _write(self, text: str, how: int) -> None:
        path = self._path
        if path is None:
            return
        try:
            with self._lock, os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600), "w") as file:
                file.write(text)
        except OSError as error:
            raise ConfigError(f"the trace can't be written: {error.strerror}", path=path, code="file-write") from None


def steps_of(diagram: Diagram) -> list[dict[str, Any]]:
    """The numbered steps of a diagram as JSON-ready data, each with what was sent in it."""
    found: dict[int, dict[str, Any]] = {
        step.number: {"number": step.number, "title": step.title, "sender": step.sender, "messages": []}
        for step in diagram.steps
    }
    extra: list[dict[str, Any]] = []
    for row in diagram.rows:
        if not isinstance(row, MessageRow | DataRow | AlertRow):
            continue
        said: dict[str, Any] = {"sender": row.sender, "time": row.time, "epoch": row.epoch}
        if isinstance(row, MessageRow):
            said["name"] = row.name
            said["details"] = {detail.label: list(detail.items) for detail in row.details}
        elif isinstance(row, DataRow):
            said |= {"name": "application data", "bytes": row.length}
            if row.content is not None:
                said["text"] = row.content.decode("utf-8", "replace")
        else:
            said |= {"name": "alert", "alert": row.name}
        number = None if isinstance(row, AlertRow) else row.step
        if number in found:
            found[number]["messages"].append(said)
        else:
            extra.append({"number": None, "title": said["name"], "sender": row.sender, "messages": [said]})
    return [*found.values(), *extra]
