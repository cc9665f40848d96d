"""A program in a network of its own, for servers that can't be told to listen on loopback alone.

Run as a program: ``own_network.py DESCRIPTOR PORT COMMAND...`` becomes ``COMMAND`` in a new network namespace that has
nothing but a loopback interface. What connects to the listening socket that it inherited as ``DESCRIPTOR``, which stays in
the network where it was made, is passed on to ``PORT`` inside. Nobody else can reach the program.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import threading
from functools import cache

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def command(listener: socket.socket, port: int, *program: str) -> list[str]:
    """The command line; the listener's descriptor must be passed on to it."""
    return [sys.executable, "-I", __file__, str(listener.fileno()), str(port), *program]


@cache
def absent() -> str | None:
    """Why there can be no such network here; None where there can."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tried = subprocess.run(command(listener, 1, "true"), pass_fds=[listener.fileno()], capture_output=True)
    return None if tried.returncode == 0 else "this system gives no network namespace, and it would listen everywhere"


def enter() -> None:
    """Leave the network that this process is in for a new one."""
    libc = ctypes.CDLL(None, use_errno=True)
    # Root may at once; everybody else as the root of a user namespace, where the system has those.
    if libc.unshare(CLONE_NEWNET) and libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def relay(listener: socket.socket, port: int, life: int) -> None:
    """Pass connections on until the other end of ``life`` is closed."""
    while True:
        if life in select.select([listener, life], [], [])[0]:
            return
        outside, _ = listener.accept()
        try:
            inside = socket.create_connection(("127.0.0.1", port))
        except OSError:
            outside.close()
            continue
        for pair in ((outside, inside), (inside, outside)):
            threading.Thread(target=_copy, args=pair, daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def main(descriptor: str, port: str, *program: str) -> None:
    enter()
    # Only the program holds the writing end: the relay hears when it is gone, whatever ended it.
    life, held = os.pipe()
    if os.fork() == 0:
        os.close(held)
        silence = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(silence, standard)
        relay(socket.socket(fileno=int(descriptor)), int(port), life)
        os._exit(0)
    os.close(life)
    os.close(int(descriptor))
    os.set_inheritable(held, True)
    os.execvp(program[0], program)


if __name__ == "__main__":
    main(*sys.argv[1:])
