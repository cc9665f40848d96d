"""A stream as a file, for what reads lines or is written for files."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any

from ..errors import Misuse

if TYPE_CHECKING:
    from .stream import TLSStream

__all__ = ["open_file"]


class _RawFile(io.RawIOBase):
    """The stream without buffers. Closing it leaves the stream open."""

    def __init__(self, stream: TLSStream, mode: str) -> None:
        self._stream = stream
        self._mode = mode
        self._timed_out = False

    def readable(self) -> bool:
        return "r" in self._mode

    def writable(self) -> bool:
        return "w" in self._mode

    def fileno(self) -> int:
        return self._stream.fileno()

    def readinto(self, buffer: Any) -> int:
        if self._timed_out:
            # The buffer above has lost what it had read for the call that timed out.
            raise OSError("the file can't be read any more: an earlier read timed out")
        try:
            return self._stream.recv_into(buffer)
        except TimeoutError:
            self._timed_out = True
            raise

    def write(self, data: Any) -> int:
        with memoryview(data) as view:
            self._stream.sendall(view)
            return view.nbytes


def open_file(
    stream: TLSStream, mode: str, buffering: int, encoding: str | None, errors: str | None, newline: str | None
) -> IO[Any]:
    """See ``TLSStream.makefile``."""
    kind = mode.replace("b", "", 1)
    if kind not in ("r", "w", "rw", "wr") or mode.count("b") > 1:
        raise Misuse(f"the mode {mode!r} of a file must be of 'r', 'w' and 'b'")
    binary = "b" in mode
    raw: Any = _RawFile(stream, kind)
    file: IO[Any]
    if buffering == 0:
        if not binary:
            raise Misuse("a text file can't be without a buffer: use mode 'b'")
        file = raw
        return file
    size = io.DEFAULT_BUFFER_SIZE if buffering < 0 else buffering
    buffered: Any
    if len(kind) == 2:
        buffered = io.BufferedRWPair(raw, raw, size)
    elif kind == "r":
        buffered = io.BufferedReader(raw, size)
    else:
        buffered = io.BufferedWriter(raw, size)
    file = buffered if binary else io.TextIOWrapper(buffered, encoding, errors, newline)
    return file
