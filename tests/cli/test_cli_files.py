"""``tlscope serve --respond DIR``: files of the directory, and nothing else."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from command import Files, serving

from tlscope import ClientConfig, ConfigError, TrustAnchors, connect
from tlscope.cli.files import Directory
from tlscope.cli.http import Request


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "public"
    (root / "sub").mkdir(parents=True)
    (root / "with-index").mkdir()
    (root / ".git").mkdir()
    (root / "a.txt").write_text("alpha")
    (root / "page.html").write_text("<p>page")
    (root / "data").write_bytes(b"\0\1")
    (root / "sub" / "b c.txt").write_text("beta")
    (root / "with-index" / "index.html").write_text("<p>index")
    (root / ".secret").write_text("hidden")
    (root / ".git" / "config").write_text("hidden")
    (tmp_path / "outside.txt").write_text("outside")
    (root / "link.txt").symlink_to("../outside.txt")
    (root / "inner-link.txt").symlink_to("a.txt")
    (root / "up").symlink_to("..")
    (root / "<img src=x>\x1b[2J.txt").write_text("odd")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        here = Path.cwd()
        os.chdir(root)
        unix.bind("socket")
        os.chdir(here)
    return root


def get(root: Path, target: str) -> tuple[int, bytes, dict[str, str]]:
    response = Directory(root)(Request("GET", target))
    try:
        headers = {**dict(response.headers), "Content-Type": response.content_type}
        body = b"".join(response.body)
        assert len(body) == response.length
        return response.status.value, body, headers
    finally:
        response.close()


@pytest.mark.parametrize(
    ("target", "body", "kind"),
    [
        ("/a.txt", b"alpha", "text/plain; charset=utf-8"),
        ("/a.txt?query#fragment", b"alpha", "text/plain; charset=utf-8"),
        ("//a.txt", b"alpha", "text/plain; charset=utf-8"),
        ("https://localhost/a.txt", b"alpha", "text/plain; charset=utf-8"),
        ("/page.html", b"<p>page", "text/html; charset=utf-8"),
        ("/data", b"\0\1", "application/octet-stream"),
        ("/sub/b%20c.txt", b"beta", "text/plain; charset=utf-8"),
        ("/with-index/", b"<p>index", "text/html; charset=utf-8"),
    ],
)
def test_files(tree: Path, target: str, body: bytes, kind: str) -> None:
    status, content, headers = get(tree, target)
    assert (status, content, headers["Content-Type"]) == (200, body, kind)


@pytest.mark.parametrize(
    "target",
    [
        "/missing",
        "/../outside.txt",
        "/sub/../../outside.txt",
        "/sub/../a.txt",
        "/%2e%2e/outside.txt",
        "/..%2foutside.txt",
        "/%2e%2e%2foutside.txt",
        "/%252e%252e/outside.txt",
        "/..%5coutside.txt",
        "/..\\outside.txt",
        "/.%00./outside.txt",
        "/a.txt%00",
        "/a.txt/",
        "/a.txt/x",
        "/./a.txt",
        "/.secret",
        "/%2esecret",
        "/.git/config",
        "/link.txt",
        "/inner-link.txt",
        "/up/outside.txt",
        "/up/",
        "/pipe",
        "/socket",
        "/" + "a" * 300,
        "/" + "a/" * 3000,
        "a.txt",
        "*",
        "",
        "https://localhost/../outside.txt",
        "/%ff%fe",
        "/etc/passwd",
        "//etc/passwd",
    ],
)
def test_nothing_else(tree: Path, target: str) -> None:
    status, body, _ = get(tree, target)
    assert status == 404
    assert b"outside" not in body
    assert b"hidden" not in body


def test_a_listing_shows_what_can_be_had(tree: Path) -> None:
    status, body, headers = get(tree, "/")
    page = body.decode()
    assert status == 200
    assert "a.txt" in page
    assert "href='./sub/'" in page
    assert "&lt;img src=x&gt;" in page
    assert "<img" not in page
    assert "\x1b" not in page
    for hidden in ("secret", ".git", "link", "pipe", "socket", ">up"):
        assert hidden not in page.partition("<h1>")[2]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "../" not in page
    assert "../" in get(tree, "/sub/")[1].decode()


def test_a_directory_without_its_slash(tree: Path) -> None:
    assert get(tree, "/sub")[2]["Location"] == "/sub/"
    assert get(tree, "//sub")[2]["Location"] == "/sub/"
    (tree / "example.org").mkdir()
    status, _, headers = get(tree, "//example.org")
    assert (status, headers["Location"]) == (301, "/example.org/")


def test_an_index_that_is_a_link_is_none(tree: Path) -> None:
    (tree / "sub" / "index.html").symlink_to("../../outside.txt")
    status, body, _ = get(tree, "/sub/")
    assert status == 200
    assert b"outside" not in body
    assert b"b c.txt" in body


def test_a_file_that_may_not_be_read(tree: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tree / "a.txt").chmod(0)
    assert get(tree, "/a.txt")[0] == 404


def test_no_file_descriptor_is_left_open(tree: Path) -> None:
    open_ones = Path("/proc/self/fd")
    if not open_ones.exists():
        pytest.skip("this system does not list its processes' files")
    before = len(list(open_ones.iterdir()))
    for target in ("/a.txt", "/", "/sub/", "/with-index/", "/sub", "/missing", "/link.txt", "/pipe", "/a.txt/x"):
        get(tree, target)
    assert len(list(open_ones.iterdir())) == before


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("file", "nowhere"):
        with pytest.raises(ConfigError, match="can't be served"):
            Directory(tmp_path / name)


def test_over_the_wire(tree: Path, files: Files) -> None:
    big = os.urandom(1_000_000)
    (tree / "big.bin").write_bytes(big)
    config = ClientConfig(trust=TrustAnchors.from_file(files.ca), alpn=["http/1.1"])
    with serving(*files.as_server, "--respond", tree) as server:
        for target, status, wanted in (("/big.bin", b"200", big), ("/../outside.txt", b"404", None)):
            with connect("localhost", server.port, config, timeout=30) as stream:
                assert stream.alpn == "http/1.1"
                stream.sendall(b"GET " + target.encode() + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answer = b"".join(iter(lambda: stream.recv(65536), b""))
            assert answer.split(b" ")[1] == status
            assert wanted is None or answer.partition(b"\r\n\r\n")[2] == wanted
        server.wait_for("GET /big.bin: 200 OK, 1,000,000 bytes")
        server.wait_for("#2 ended")
