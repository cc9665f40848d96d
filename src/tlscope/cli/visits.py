"""The clients of ``tlscope serve``: what each gets, and what is said about it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.rule import Rule
from rich.text import Text

from ..errors import TLSError
from ..explain import Diagnosis, Diagram, draw
from ..explain.words import plural, printable
from ..io import TLSStream
from .errors import OutputGone, report
from .files import Directory
from .http import Request, Response, answer
from .options import Address
from .output import Output
from .pictures import Pictures
from .recorder import Recorder, TraceFile, steps_of
from .visitor import visitor

__all__ = ["Respond", "Visits", "echo", "files", "http"]

_ECHO_PATIENCE = 600.0
_HTTP_PATIENCE = 20.0


@dataclass(slots=True)
class Visit:
    """One connection: its number, who it is from, what was recorded of it."""

    number: int
    address: Address
    recorder: Recorder
    said: str = ""


@dataclass(frozen=True, slots=True)
class Respond:
    """What clients get: ``serve`` handles a connection and gives a line about it. ``patience`` is in seconds."""

    serve: Callable[[TLSStream, Visit], str]
    patience: float


def echo() -> Respond:
    """What comes is sent back, until the client ends."""

    def serve(stream: TLSStream, visit: Visit) -> str:
        count = 0
        while data := stream.recv(64 * 1024):
            stream.sendall(data)
            count += len(data)
        return f"{plural(count, 'byte')} echoed"

    return Respond(serve, _ECHO_PATIENCE)


def http() -> Respond:
    """A page with the visitor's own handshake."""

    def serve(stream: TLSStream, visit: Visit) -> str:
        facts = stream.facts
        assert facts is not None  # noqa: S101 - the handshake is done
        return _logged(*answer(stream, lambda request: visitor(request, facts, visit.recorder, str(visit.address))))

    return Respond(serve, _HTTP_PATIENCE)


def files(root: Path) -> Respond:
    """The files of a directory. Raises ``ConfigError`` where it can't be read."""
    directory = Directory(root)

    def serve(stream: TLSStream, visit: Visit) -> str:
        return _logged(*answer(stream, directory))

    return Respond(serve, _HTTP_PATIENCE)


def _logged(request: Request | None, response: Response) -> str:
    asked = "a request that can't be read" if request is None else f"{request.method} {printable(request.target, 60)}"
    return f"{asked}: {response.status.value} {response.status.phrase}, {plural(response.length, 'byte')}"


class Visits:
    """Handles connections, several at a time, and reports on one after the other."""

    def __init__(
        self, output: Output, file: TraceFile, drawn: Pictures, respond: Respond, stop: Callable[[], None]
    ) -> None:
        """``stop`` is called once where what is reported can't be written any more; ``failure`` then says why."""
        self._output = output
        self._stop = stop
        self._file = file
        self._drawn = drawn
        self._respond = respond
        self._lock = threading.Lock()
        self._visits: dict[Recorder, Visit] = {}
        self._count = 0
        self.failure: BaseException | None = None

    def shook_hands(self, stream: TLSStream) -> None:
        """Draw a handshake that went well."""
        visit = self._visit(stream, stream.getpeername())
        facts = stream.facts
        document = {"facts": {} if facts is None else facts.as_dict()}
        self._report(visit, document)

    def handle(self, stream: TLSStream) -> None:
        """Give a client what it gets."""
        visit = self._visit(stream, stream.getpeername())
        visit.said = self._respond.serve(stream, visit)

    def ended(self, stream: TLSStream, where: Any, error: Exception | None) -> None:
        """Say how a connection ended, and draw the handshake if it never came to an end."""
        visit = self._visit(stream, where)
        found = None if error is None else report(error)
        explained = error.explain() if isinstance(error, TLSError) else None
        told = {"error": _as_dict(error, found), "diagnosis": None if explained is None else explained.as_dict()}
        lines: list[Text] = []
        if not stream.connection.handshake_complete:
            self._report(visit, told, explained)
        elif explained is not None and explained.id != "truncated":  # many clients end so: a line will do
            lines = _lines(explained.to_text(self._output.out.width))
        said = visit.said
        if found is not None:
            said = found.what + (f". {found.advice}" if found.advice else "")
        with self._lock:
            self._visits.pop(visit.recorder, None)
        with self._reporting():
            self._file.add(visit.recorder)
            self._drawn.add(visit.recorder, f"#{visit.number} from {visit.address}", str(visit.address))
            if self._output.as_json:
                self._output.line({"event": "end", "connection": visit.number, **told})
            else:
                self._output.say(*lines)
                self._output.text(f"#{visit.number} ended: {said}", "dim" if found is None else "red")

    def finish(self) -> None:
        """Say goodbye."""
        if not self._output.as_json:
            self._output.say(f"\nStopped after {plural(self._count, 'connection')}.")

    def _visit(self, stream: TLSStream, where: Any) -> Visit:
        recorder = stream.trace
        assert isinstance(recorder, Recorder)  # noqa: S101 - the configuration makes them
        with self._lock:
            if recorder not in self._visits:
                self._count += 1
                self._visits[recorder] = Visit(self._count, Address(where[0], where[1]), recorder)
            return self._visits[recorder]

    def _report(self, visit: Visit, document: dict[str, Any], explained: Diagnosis | None = None) -> None:
        diagram = Diagram.of(visit.recorder, client=str(visit.address))
        with self._reporting():
            if self._output.as_json:
                head = {"event": "handshake", "connection": visit.number, "address": str(visit.address)}
                self._output.line({**head, **document, "steps": steps_of(diagram)})
                return
            title = Text(f"#{visit.number} from {visit.address}")
            self._output.say(Rule(title, align="left", style="dim"), draw(diagram, width=self._output.out.width))
            if explained is not None:
                self._output.say("", *_lines(explained.details(self._output.out.width)), "")

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """One report at a time; where none can be written the server ends, since it would go on unseen."""
        with self._lock:
            try:
                yield
            except (OSError, TLSError, SystemExit) as error:  # rich turns a broken pipe into SystemExit
                self.failure = self.failure or (OutputGone() if isinstance(error, SystemExit) else error)
                self._stop()


def _lines(text: str) -> list[Text]:
    """Lines that are as wide as they should be: what is to be copied is not broken."""
    return [Text(line, no_wrap=True, overflow="ignore") for line in text.splitlines()]


def _as_dict(error: Exception | None, found: Any) -> dict[str, Any] | None:
    if error is None:
        return None
    data = error.as_dict() if isinstance(error, TLSError) else {"code": "system", "sentence": found.what}
    return {**data, "advice": found.advice}
