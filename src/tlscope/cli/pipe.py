"""A TLS connection joined to an input and an output: whatever comes goes out, and the end is found with patience."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import TLSError
from .errors import OutputGone

if TYPE_CHECKING:
    from ..io import TLSStream

__all__ = ["MAX_ANSWER", "Pipe", "collect", "write_stdout"]

MAX_ANSWER = 1024 * 1024
"""Bytes of an answer that ``collect`` keeps."""

_SILENCE = 1.0
"""Seconds without a byte after which an answer that has begun is taken to be complete."""

_TICK = 0.05
_CHUNK = 64 * 1024
_STDIN, _STDOUT = 0, 1


class Pipe:
    """Sends stdin, or a text, and hands what comes to ``write``, which may say False to end it.

    ``wait`` is how many seconds the first byte of an answer may take once there is nothing more to send.
    """

    def __init__(self, stream: TLSStream, wait: float, write: Callable[[bytes], bool | None]) -> None:
        self._stream = stream
        self._wait = wait
        self._write = write
        self._received: queue.Queue[bytes | Exception] = queue.Queue(maxsize=16)
        self._said_all: float | None = None
        """When there was nothing more to send, on the monotonic clock."""
        self._failure: Exception | None = None
        self._over = False

    def run(self, text: bytes | None) -> None:
        """Until the server ends or has nothing more to say. Raises ``TLSError`` or ``OSError``."""
        for work in (lambda: self._send(text), self._receive):
            threading.Thread(target=work, name="tlscope-pipe", daemon=True).start()
        try:
            self._wait_for_end()
        finally:
            self._over = True

    def _wait_for_end(self) -> None:
        heard, goodbye = 0.0, 0.0
        while True:
            try:
                item = self._received.get(timeout=_TICK)
            except queue.Empty:
                if self._failure is not None:
                    self._raise_why()
                now = time.monotonic()
                if goodbye and now - max(goodbye, heard) > min(_SILENCE, self._wait):
                    return
                if not goodbye and self._is_silent(now, heard):
                    goodbye = now
                    self._stream.shutdown_write()
                continue
            if isinstance(item, Exception):
                raise item
            if not item or self._write(item) is False:
                return
            heard = time.monotonic()

    def _is_silent(self, now: float, heard: float) -> bool:
        """Whether all was said and, as it seems, answered."""
        ended = self._said_all
        if ended is None:
            return False
        return now - max(ended, heard) > (min(_SILENCE, self._wait) if heard > ended else self._wait)

    def _raise_why(self) -> None:
        """Sending failed; what the server said about it, if anything, is the better reason."""
        with suppress(queue.Empty):
            while item := self._received.get(timeout=_SILENCE):
                if isinstance(item, Exception):
                    raise item
                self._write(item)
        if self._failure is not None:
            raise self._failure

    def _receive(self) -> None:
        item: bytes | Exception = b"-"
        while item and not isinstance(item, Exception):
            try:
                item = self._stream.recv(_CHUNK)
            except (TLSError, OSError) as error:
                item = error
            while not self._over:
                with suppress(queue.Full):
                    self._received.put(item, timeout=_SILENCE)
                    break

    def _send(self, text: bytes | None) -> None:
        sent = False
        try:
            if text is not None:
                self._stream.sendall(text)
                sent = bool(text)
            else:
                while chunk := os.read(_STDIN, _CHUNK):
                    self._stream.sendall(chunk)
                    sent = True
        except (TLSError, OSError) as error:
            self._failure = error
        # Where nothing was said there is no answer to wait for.
        self._said_all = time.monotonic() - (0.0 if sent else self._wait)


def collect(stream: TLSStream, text: bytes, wait: float) -> bytes:
    """Send a text and give the answer, ``MAX_ANSWER`` bytes of it at most."""
    answer = bytearray()

    def keep(data: bytes) -> bool:
        answer.extend(data)
        return len(answer) < MAX_ANSWER

    Pipe(stream, wait, keep).run(text)
    return bytes(answer[:MAX_ANSWER])


def write_stdout(data: bytes) -> None:
    """Write bytes to standard output at once. Raises ``OutputGone`` where nobody reads it any more."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(_STDOUT, view) :]
        except OSError as error:
            raise OutputGone from error
