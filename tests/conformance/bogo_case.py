"""One case of the runner played with tlscope; or, as a warm process, many, each in a fork.

python bogo_case.py FLAGS...           play a case
python bogo_case.py --serve OWNER      play those that are handed over, as long as the process OWNER lives
"""

from __future__ import annotations

import array
import gc
import os
import select
import signal
import socket
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "src")]

import bogo_flags  # noqa: E402
from bogo_shim import UNIMPLEMENTED, peer_of, warm_address  # noqa: E402


def play(argv: list[str]) -> int:
    """Play one case; gives the exit code."""
    try:
        first, resumed, retried = bogo_flags.parse(argv)
        from bogo_exchange import Exchange, Failure
        from bogo_settings import Memory

        from tlscope import TLSError

        memory = Memory()
        try:
            for number in range((first.resume_count or 0) + 1):
                flags = resumed if number else first
                memory.sessions.next_connection()
                if number and not flags.server and memory.sessions.offered is None:
                    raise Failure("there is no session to offer")
                Exchange(flags, retried, memory, resumes=number > 0).run()
                memory.passed += flags.resumption_delay or 0
        except TLSError as error:
            sys.stderr.write(f":{error.code}: {error}\n")
            return 1
        except Failure as failure:
            sys.stderr.write(f"{failure}\n")
            return 1
    except bogo_flags.Unimplemented:
        return UNIMPLEMENTED
    except OSError as problem:
        sys.stderr.write(f":no-connection: {problem}\n")
        return 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def serve(owner: int) -> None:
    """Play each case that is handed over in a fork, until the owner has ended."""
    import bogo_exchange  # noqa: F401
    import bogo_settings  # noqa: F401

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(warm_address(owner))
        listener.listen(64)
        gc.collect()
        gc.freeze()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        with os.fdopen(os.pidfd_open(owner), "rb", buffering=0) as alive:
            while True:
                ready, _, _ = select.select([listener, alive], [], [])
                if alive in ready:
                    return
                link, _ = listener.accept()
                if os.fork() == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    listener.close()
                    answer(link)
                link.close()


def answer(link: socket.socket) -> None:
    """Play the case of one caller, with its standard output and error; never returns."""
    code = 1
    try:
        if peer_of(link)[1] == os.getuid():
            header, ancillary, _, _ = link.recvmsg(4, socket.CMSG_SPACE(8))
            descriptors = array.array("i")
            descriptors.frombytes(ancillary[0][2][:8])
            for number, descriptor in enumerate(descriptors, 1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            code = play(receive(link, int.from_bytes(header, "big")))
            sys.stderr.flush()
        link.sendall(bytes([code]))
    finally:
        os._exit(code)


def receive(link: socket.socket, length: int) -> list[str]:
    """The caller's arguments."""
    data = b""
    while len(data) < length:
        part = link.recv(length - len(data))
        if not part:
            break
        data += part
    return [os.fsdecode(part) for part in data.split(b"\0")]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(int(sys.argv[2]))
    else:
        sys.exit(play(sys.argv[1:]))
