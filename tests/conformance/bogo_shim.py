#!/usr/bin/env -S python3 -IS
"""The shim through which the BoringSSL runner (ssl/test/runner) drives tlscope: one call a case.

    runner -shim-path tests/conformance/bogo_shim.py -shim-config tests/conformance/bogo_config.json

The first call, ``-is-handshaker-supported``, leaves a warm process behind that has tlscope loaded. Every further call
only hands its arguments and descriptors over to it, and gets the exit code of a fork back. The warm process belongs to
the runner and ends with it. Where there is none, a call plays the case by itself.

Exit codes: 0 as expected, 1 not (with ``:reason:`` on stderr), 89 for what is not implemented.
"""

# ruff: noqa: PTH100, PTH110, PTH118, PTH120
# Importing pathlib would double the time that a call takes.

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
UNIMPLEMENTED = 89


def warm_address(owner: int) -> str:
    """Where the warm process of this runner listens: a name in Linux's own space, which no other user can take over."""
    return f"\0tlscope-bogo-{os.getuid()}-{owner}"


def hand_over(owner: int, argv: list[str]) -> int | None:
    """Have the warm process play the case; None where there is none."""
    import _socket

    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        link.connect(warm_address(owner))
    except OSError:
        return None
    _, uid = peer_of(link)
    if uid != os.getuid():
        return None
    request = b"\0".join(os.fsencode(argument) for argument in argv)
    descriptors = (1).to_bytes(4, sys.byteorder) + (2).to_bytes(4, sys.byteorder)
    header = len(request).to_bytes(4, "big")
    link.sendmsg([header], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
    link.sendall(request)
    answer = link.recv(1)
    return answer[0] if answer else 1


def peer_of(link: "Any") -> tuple[int, int]:
    """Process and user at the other end of a local socket."""
    import _socket

    credentials = link.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    values = [int.from_bytes(credentials[start : start + 4], sys.byteorder) for start in (0, 4, 8)]
    return values[0], values[1]


def main(argv: list[str]) -> int:
    if argv == ["-is-handshaker-supported"]:
        print("No", flush=True)
        start_warm_process(os.getppid())
        return 0
    code = hand_over(os.getppid(), argv)
    if code is not None:
        return code
    sys.path[:0] = [HERE]
    import bogo_flags

    try:
        bogo_flags.parse(argv)
    except bogo_flags.Unimplemented:
        return UNIMPLEMENTED
    become([*argv])
    return 1


def start_warm_process(owner: int) -> None:
    """Leave ``bogo_server.py`` behind, under the interpreter that has what tlscope needs."""
    if os.fork() == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        become(["--serve", str(owner)])


def become(arguments: list[str]) -> None:
    """Go on as ``bogo_case.py`` under the project's interpreter."""
    python = os.path.join(ROOT, ".venv", "bin", "python")
    if not os.path.exists(python):
        python = sys.executable
    os.execv(python, [python, os.path.join(HERE, "bogo_case.py"), *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
