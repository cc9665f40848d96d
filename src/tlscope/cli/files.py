"""Files of one directory, and of nothing else: what ``tlscope serve --respond DIR`` answers with.

Every part of a path is opened below the directory before it, and symbolic links are not followed, so no name and no race
leads out. Hidden files don't exist here.
"""

from __future__ import annotations

import html
import mimetypes
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from ..errors import ConfigError
from ..explain.words import printable
from .http import Request, Response, error, page

__all__ = ["Directory"]

_CHUNK = 64 * 1024
_MAX_LISTED = 2000

_NOT_FOUND = "There is no such file here."


class Directory:
    """Answers requests with the files below ``root``."""

    def __init__(self, root: Path) -> None:
        """Raises ``ConfigError`` where the directory can't be read."""
        self._root = root
        try:
            os.close(self._open_root())
        except OSError as problem:
            raise ConfigError(
                f"this directory can't be served: {problem.strerror}; --respond takes echo, http or a directory",
                path=root,
                code="no-directory",
            ) from None

    def __call__(self, request: Request) -> Response:
        """The file, the listing, or the error that a request gets."""
        parts = _parts(request.target)
        if parts is None:
            return error(HTTPStatus.NOT_FOUND, _NOT_FOUND)
        try:
            return self._answer(request.target, parts)
        except OSError:
            # Whether it is missing, forbidden or a link is nobody's business.
            return error(HTTPStatus.NOT_FOUND, _NOT_FOUND)

    def _open_root(self) -> int:
        return os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def _answer(self, target: str, parts: list[str]) -> Response:
        descriptor = self._walk(parts)
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                if not target.partition("?")[0].endswith("/"):
                    # Built from the parts and not from what was sent: "//host" would lead elsewhere.
                    where = "/" + "/".join(quote(part) for part in parts) + "/"
                    return error(HTTPStatus.MOVED_PERMANENTLY, "This is a directory.", ("Location", where))
                index = _open_below(descriptor, "index.html")
                if index is None:
                    return _listing(descriptor, parts)
                os.close(descriptor)
                descriptor, parts, status = index, [*parts, "index.html"], os.fstat(index)
            elif target.partition("?")[0].endswith("/"):
                return error(HTTPStatus.NOT_FOUND, _NOT_FOUND)
            if not stat.S_ISREG(status.st_mode):
                return error(HTTPStatus.NOT_FOUND, _NOT_FOUND)
            response = _file(descriptor, parts[-1], status.st_size)
            descriptor = -1
            return response
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _walk(self, parts: list[str]) -> int:
        descriptor = self._open_root()
        try:
            for place, part in enumerate(parts, 1):
                kind = os.O_DIRECTORY if place < len(parts) else os.O_NONBLOCK
                below = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | kind, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _parts(target: str) -> list[str] | None:
    """The names in a request's path; None where one of them can't be served."""
    if target.lower().startswith(("http://", "https://")):
        target = "/" + target.partition("://")[2].partition("/")[2]
    path = target.partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        return None
    # Decoded once, as the file system's own bytes.
    text = os.fsdecode(unquote_to_bytes(path))
    parts = [part for part in text.split("/") if part]
    if any(part.startswith(".") or "\0" in part or "\\" in part or len(os.fsencode(part)) > 255 for part in parts):
        return None
    return parts


def _open_below(directory: int, name: str) -> int | None:
    with suppress(OSError):
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=directory)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    return None


def _file(descriptor: int, name: str, size: int) -> Response:
    kind, encoding = mimetypes.guess_type(name)
    if kind is None or encoding is not None:
        kind = "application/octet-stream"
    elif kind.startswith("text/"):
        kind += "; charset=utf-8"
    return Response(HTTPStatus.OK, kind, size, _pieces(descriptor, size), close=lambda: os.close(descriptor))


def _pieces(descriptor: int, size: int) -> Iterator[bytes]:
    while size > 0 and (piece := os.read(descriptor, min(size, _CHUNK))):
        size -= len(piece)
        yield piece


def _listing(directory: int, parts: list[str]) -> Response:
    names = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not (
                entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
            ):
                continue
            names.append(entry.name + ("/" if entry.is_dir(follow_symlinks=False) else ""))
            if len(names) >= _MAX_LISTED:
                break
    rows = [
        f"<li><a href='./{quote(os.fsencode(name))}'>{html.escape(printable(name))}</a></li>" for name in sorted(names)
    ]
    up = ["<li><a href='../'>../</a></li>"] if parts else []
    where = "/" + "".join(f"{part}/" for part in parts)
    return page(printable(where), "<ul>" + "\n".join([*up, *rows]) + "</ul>")
