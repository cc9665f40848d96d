"""As much of HTTP/1.1 as ``tlscope serve`` needs: one bounded request a connection, and its response."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..io import TLSStream

__all__ = ["Request", "Response", "answer", "error", "page"]

MAX_HEAD = 16 * 1024
"""Bytes in a request's line and header fields."""

HEAD_SECONDS = 20.0
"""How long a client may take to send them."""

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;"
    "background:#fff}h1{font-size:1.4rem}pre{font:13px/1.25 ui-monospace,monospace;overflow-x:auto;padding:1rem;"
    "background:#f5f5f2;border-radius:6px}th{text-align:left;padding-right:1.5rem;font-weight:600;vertical-align:top}"
    "td{overflow-wrap:anywhere}@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}"
    "pre{background:#222}a{color:#8ab4f8}}"
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its body. ``target`` is as it was sent; ``accept`` the Accept field, in lower case."""

    method: str
    target: str
    accept: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """A response. ``body`` gives its ``length`` bytes in pieces; ``headers`` are further ones."""

    status: HTTPStatus
    content_type: str
    length: int
    body: Iterable[bytes] = field(repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    close: Callable[[], None] = field(default=lambda: None, repr=False)


def page(title: str, content: str, status: HTTPStatus = HTTPStatus.OK, *headers: tuple[str, str]) -> Response:
    """An HTML page. ``title`` is escaped here, ``content`` is HTML already. No script can run in it, whatever it holds."""
    data = (
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
        "<meta name=viewport content='width=device-width,initial-scale=1'>\n"
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n<h1>{html.escape(title)}</h1>\n{content}\n</html>\n"
    ).encode()
    policy = (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    )
    return Response(status, "text/html; charset=utf-8", len(data), (data,), (policy, *headers))


def error(status: HTTPStatus, sentence: str = "", *headers: tuple[str, str]) -> Response:
    """A page that says what is wrong."""
    return page(
        f"{status.value} {status.phrase}", f"<p>{html.escape(sentence)}</p>" if sentence else "", status, *headers
    )


def answer(stream: TLSStream, respond: Callable[[Request], Response]) -> tuple[Request | None, Response]:
    """Read one request and send what ``respond`` makes of it; gives both, None for a request that could not be read."""
    found = _read(stream)
    request = found if isinstance(found, Request) else None
    if isinstance(found, Response):
        response = found
    elif found.method not in ("GET", "HEAD"):
        response = error(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.", ("Allow", "GET, HEAD"))
    else:
        response = respond(found)
    try:
        stream.sendall(_head(response))
        if request is None or request.method != "HEAD":
            for piece in response.body:
                stream.sendall(piece)
    finally:
        response.close()
    return request, response


def _head(response: Response) -> bytes:
    lines = [
        f"HTTP/1.1 {response.status.value} {response.status.phrase}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {response.length}",
        "X-Content-Type-Options: nosniff",
        "Cache-Control: no-store",
        "Connection: close",
        *(f"{name}: {value}" for name, value in response.headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def _read(stream: TLSStream) -> Request | Response:
    head = b""
    deadline = time.monotonic() + HEAD_SECONDS
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        left = deadline - time.monotonic()
        if len(head) > MAX_HEAD:
            return error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"At most {MAX_HEAD} bytes are read.")
        if left <= 0:
            return error(HTTPStatus.REQUEST_TIMEOUT, "The request did not come in time.")
        stream.settimeout(left)
        try:
            data = stream.recv(4096)
        except TimeoutError:
            continue
        if not data:
            return error(HTTPStatus.BAD_REQUEST, "The request ends before it is complete.")
        head += data
    stream.settimeout(HEAD_SECONDS)
    return _parse(head)


def _parse(head: bytes) -> Request | Response:
    lines = head.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("latin-1").split("\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[0].isalpha() or not words[0].isascii():
        return error(HTTPStatus.BAD_REQUEST, "This is no HTTP/1 request.")
    fields = dict(_fields(lines[1:]))
    return Request(words[0], words[1], fields.get("accept", "").lower())


def _fields(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip().lower(), value.strip()
