"""CPU time of handshakes and records, both ends in one process, as ratios to ``ssl`` in the same run.

The two are measured in turns, so that what else the machine does falls on both; the ratio is of the medians.
"""

from __future__ import annotations

import gc
import shutil
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable

from tlscope import ProtocolVersion, Trace

from .peers import Certificates, Standard, Tlscope

HANDSHAKES, TRANSFERS = 400, 1500
TLS12, TLS13 = ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3


def in_turns(ours: Callable[[], object], theirs: Callable[[], object], count: int) -> tuple[float, float]:
    """Median CPU seconds of one call each, over ``count`` turns of one call each."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(5):
        ours()
        theirs()
    gc.collect()
    gc.disable()
    try:
        for turn in range(count):
            for action, taken in zip((ours, theirs), times, strict=True):
                start = time.thread_time()
                action()
                taken.append(time.thread_time() - start)
            if turn % 50 == 0:
                gc.collect()
    finally:
        gc.enable()
    return statistics.median(times[0]), statistics.median(times[1])


def row(name: str, ours: float, theirs: float, goal: str, good: bool, ratio: float) -> bool:
    """Print one line of the table; gives whether the goal was reached."""
    print(f"{name:<42} {ours * 1e6:>8.0f} {theirs * 1e6:>8.0f} {ratio:>7.2f}  {goal:<8} {'ok' if good else 'MISSED'}")
    return good


def handshakes(certificates: Certificates) -> bool:
    """Full and resumed handshakes against ``ssl``."""
    good = True
    print(f"{'CPU time of a handshake, both ends':<42} {'tlscope':>8} {'ssl':>8} {'ratio':>7}  goal")
    for version in (TLS13, TLS12):
        for mutual, goal in ((False, 0.9), (True, 0.6)):
            theirs = Standard(certificates, version, mutual=mutual).handshake
            kind = "mutual" if mutual else "one-way"
            ours = Tlscope(certificates, version, mutual=mutual).handshake
            a, b = in_turns(ours, theirs, HANDSHAKES)
            good &= row(f"{version} {kind} (µs)", a, b, f"<= {goal}", a / b <= goal, a / b)
            if version is TLS13:
                forgetful = Tlscope(certificates, version, mutual=mutual, remember=0).handshake
                a, b = in_turns(forgetful, theirs, HANDSHAKES)
                good &= row("  each chain verified from scratch", a, b, f"<= {goal}", a / b <= goal, a / b)
    for version, goal in ((TLS12, 0.8),):
        ours = Tlscope(certificates, version, mutual=False, resume=True).handshake
        theirs = Standard(certificates, version, mutual=False, resume=True).handshake
        a, b = in_turns(ours, theirs, HANDSHAKES)
        good &= row(f"{version} resumed (µs)", a, b, f"<= {goal}", a / b <= goal, a / b)
    return good


def records(certificates: Certificates) -> bool:
    """Throughput of sealing and opening 16 KiB records."""
    client, server = Tlscope(certificates, TLS13, mutual=False).handshake()
    c, s, *_ = Standard(certificates, TLS13, mutual=False).handshake()
    data = bytes(16384)
    many = bytes(4 * 16384)

    def ours() -> None:
        client.send_data(many)
        server.receive_data(client.data_to_send())

    def theirs() -> None:
        for _ in range(4):
            c.write(data)
        for _ in range(4):
            s.read(16384)

    a, b = in_turns(ours, theirs, TRANSFERS)
    print(f"\n{'Sealing and opening 64 KiB':<42} {'tlscope':>8} {'ssl':>8} {'ratio':>7}  goal (throughput)")
    good = row("TLS 1.3 AES-256-GCM (µs)", a, b, ">= 0.9", b / a >= 0.9, b / a)
    print(f"{'':<42} {65536 / a / 1e6:>8.0f} {65536 / b / 1e6:>8.0f} MB/s")
    return good


def tracing(certificates: Certificates) -> bool:
    """What a trace costs."""
    plain = Tlscope(certificates, TLS13, mutual=True).handshake
    traced = Tlscope(certificates, TLS13, mutual=True, trace=Trace).handshake
    a, b = in_turns(traced, plain, HANDSHAKES)
    print(f"\n{'A trace of both ends, mutual':<42} {'with':>8} {'without':>8} {'ratio':>7}  goal")
    return row("TLS 1.3 mutual (µs)", a, b, "< 1.30", a / b < 1.3, a / b)


def memory(certificates: Certificates) -> bool:
    """State of an idle connection."""
    pairs = Tlscope(certificates, TLS13, mutual=True)
    pairs.handshake()
    count = 200
    tracemalloc.start()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    kept = [pairs.handshake() for _ in range(count)]
    gc.collect()
    each = (tracemalloc.get_traced_memory()[0] - before) / (2 * len(kept))
    tracemalloc.stop()
    good = each <= 20 * 1024
    print(
        f"\n{'State of an idle connection, one end':<42} {each / 1024:>8.1f} KiB {'':>12}  <= 20    {'ok' if good else 'MISSED'}"
    )
    return good


def main() -> int:
    """Measure everything; 1 where a goal was missed."""
    certificates = Certificates.make()
    try:
        results = [measure(certificates) for measure in (handshakes, records, tracing, memory)]
    finally:
        shutil.rmtree(certificates.directory, ignore_errors=True)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
