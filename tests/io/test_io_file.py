"""A stream as a file."""

from __future__ import annotations

import io

import pytest
from loopback import Task, stream_pair

from tlscope import Misuse, TruncatedStream


def test_lines_are_read_across_records() -> None:
    with stream_pair() as (client, server):
        for piece in (b"one\ntw", b"o\nthree\nthe ", b"end"):
            client.sendall(piece)
        client.shutdown_write()
        with server.makefile("rb") as file:
            assert file.readline() == b"one\n"
            assert list(file) == [b"two\n", b"three\n", b"the end"]
            assert file.read() == b""


def test_text_both_ways() -> None:
    with stream_pair() as (client, server):
        ours, theirs = client.makefile("rw", encoding="utf-8"), server.makefile("rw", encoding="utf-8", newline="")
        ours.write("Grüße\n")
        ours.flush()
        assert theirs.readline() == "Grüße\n"
        theirs.write("zurück\r\n")
        theirs.flush()
        assert ours.readline() == "zurück\n"


def test_closing_a_file_flushes_it_and_leaves_the_stream() -> None:
    with stream_pair() as (client, server):
        with client.makefile("wb") as file:
            file.write(b"in the buffer")
        assert server.recv(100) == b"in the buffer"
        client.sendall(b"still open")
        assert server.recv(100) == b"still open"


def test_without_a_buffer() -> None:
    with stream_pair() as (client, server):
        file = client.makefile("wb", 0)
        assert isinstance(file, io.RawIOBase)
        assert file.fileno() == client.fileno()
        assert file.write(memoryview(b"now").cast("B")) == 3
        assert server.recv(100) == b"now"
        assert not file.readable()
        with pytest.raises(io.UnsupportedOperation):
            server.makefile("wb").read()


def test_much_data() -> None:
    data = bytes(range(256)) * 4096
    with stream_pair() as (client, server):

        def write() -> None:
            with client.makefile("wb") as file:
                file.write(data)
            client.shutdown_write()

        writing = Task(write)
        assert server.makefile("rb").read() == data
        writing.result()


def test_an_end_without_close_notify_is_no_end_of_file() -> None:
    with stream_pair() as (client, server):
        client.sendall(b"cut he")
        client._sock.shutdown(2)
        with pytest.raises(TruncatedStream):
            server.makefile("rb").read()


def test_after_a_time_out_it_can_not_be_read() -> None:
    with stream_pair() as (client, server):
        server.settimeout(0.02)
        client.sendall(b"half a li")
        file = server.makefile("rb")
        with pytest.raises(TimeoutError):
            file.read(100)
        client.sendall(b"ne\n")
        with pytest.raises(OSError, match="an earlier read timed out"):
            file.readline()


@pytest.mark.parametrize("mode", ["", "a", "r+", "rbb", "rr", "x"])
def test_modes_that_there_are_not(mode: str) -> None:
    with stream_pair() as (client, _), pytest.raises(Misuse, match="mode"):
        client.makefile(mode)


def test_text_needs_a_buffer() -> None:
    with stream_pair() as (client, _), pytest.raises(Misuse, match="buffer"):
        client.makefile("r", 0)
