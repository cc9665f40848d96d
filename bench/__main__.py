"""CPU time of handshakes and records, both ends in one process, as ratios to ``ssl`` in the same run.

The two are measured in turns of ten calls each, so that what else the machine does falls on both and each finds its own
code in the processor's caches, as a server does that shakes hands all day. The ratio is of the
medians; the one in brackets, of the lower quartiles, tells how far a busy machine can be trusted: it should be close.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tlscope import ProtocolVersion, Trace

from .peers import Certificates, Standard, Tlscope

TURN = 10
TLS12, TLS13 = ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3


class Times(NamedTuple):
    """CPU seconds of one call: the median and the lower quartile."""

    median: float
    quartile: float


def in_turns(ours: Callable[[], object], theirs: Callable[[], object], count: int) -> tuple[Times, Times]:
    """The two measured in turns over ``count`` calls each; what a call leaves behind is freed within its time."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(10):
        ours()
        theirs()
    gc.collect()
    gc.disable()
    try:
        for turn in range(max(10, count // TURN)):
            for action, taken in zip((ours, theirs), times, strict=True):
                start = time.thread_time()
                for _ in range(TURN):
                    action()
                taken.append((time.thread_time() - start) / TURN)
            if turn % 5 == 0:
                gc.collect()
    finally:
        gc.enable()
    a, b = (Times(statistics.median(one), statistics.quantiles(one, n=4)[0]) for one in times)
    return a, b


def heading(name: str, ours: str = "tlscope", theirs: str = "ssl", goal: str = "goal") -> None:
    """The table's first line."""
    print(f"\n{name:<46} {ours:>8} {theirs:>8} {'ratio':>7} {'':>7} {goal}")


def row(name: str, ours: Times, theirs: Times, goal: float | None) -> bool:
    """One line of the table, in microseconds; gives whether the goal, a ratio at most, was reached."""
    ratio, quartile = ours.median / theirs.median, ours.quartile / theirs.quartile
    verdict = "" if goal is None else f"<= {goal:<5} {'ok' if ratio <= goal else 'MISSED'}"
    print(f"{name:<46} {ours.median * 1e6:>8.0f} {theirs.median * 1e6:>8.0f} {ratio:>7.2f} ({quartile:.2f})  {verdict}")
    return goal is None or ratio <= goal


def handshakes(certificates: Certificates, count: int) -> bool:
    """Full and resumed handshakes against ``ssl``."""
    good = True
    heading("CPU time of a handshake, both ends (µs)")
    for version in (TLS13, TLS12):
        for mutual, goal in ((False, 0.9), (True, 0.6)):
            kind = "mutual" if mutual else "one-way"
            theirs = Standard(certificates, version, mutual=mutual).handshake
            ours = Tlscope(certificates, version, mutual=mutual).handshake
            good &= row(f"{version} {kind}, the peer's chain remembered", *in_turns(ours, theirs, count), goal)
            ours = Tlscope(certificates, version, mutual=mutual, remember=0).handshake
            row(f"{version} {kind}, verified from scratch", *in_turns(ours, theirs, count), None)
    for version, goal, name in ((TLS13, 0.6, "resumed, a new ticket each"), (TLS12, 0.8, "resumed")):
        ours = Tlscope(certificates, version, mutual=False, resume=True).handshake
        theirs = Standard(certificates, version, mutual=False, resume=True).handshake
        good &= row(f"{version} {name}", *in_turns(ours, theirs, count), goal)
    print("Both sides of the first four lines agree on nothing to resume. ssl verifies a chain anew in each handshake;")
    print("tlscope remembers the signatures of chains that it has accepted, and checks all else of them each time.")
    return good


def records(certificates: Certificates, count: int) -> bool:
    """Throughput of sealing and opening 16 KiB records."""
    client, server = Tlscope(certificates, TLS13, mutual=False).handshake()
    c, s, *_ = Standard(certificates, TLS13, mutual=False).handshake()
    data, four = bytes(16384), bytes(4 * 16384)

    def ours() -> None:
        client.send_data(four)
        server.receive_data(client.data_to_send())

    def theirs() -> None:
        for _ in range(4):
            c.write(data)
        for _ in range(4):
            s.read(16384)

    a, b = in_turns(ours, theirs, 4 * count)
    heading("Sealing and opening four records of 16 KiB (µs)")
    good = row("TLS 1.3 AES-256-GCM", a, b, 1.11)
    megabytes = " ".join(f"{65536 / one.median / 1e6:>8.0f}" for one in (a, b))
    print(f"{'  in MB/s: at least 0.9 of the throughput of ssl':<46} {megabytes} {b.median / a.median:>7.2f}")
    return good


def tracing(certificates: Certificates, count: int) -> bool:
    """What a trace costs where somebody looks; where nobody does, tests/test_speed_counts.py sees that it costs nothing."""
    plain = Tlscope(certificates, TLS13, mutual=True).handshake
    traced = Tlscope(certificates, TLS13, mutual=True, trace=Trace).handshake
    a, b = in_turns(traced, plain, count)
    heading("A trace of both ends (µs)", "with", "without")
    return row("TLS 1.3 mutual", a, b, 1.3)


def resident() -> int:
    """Bytes of this process that are in memory; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096
    except OSError:
        return 0


def memory(certificates: Certificates, count: int) -> bool:
    """State of an idle connection: what Python allocates for it, and what the process grows by, OpenSSL's part included."""
    pairs = Tlscope(certificates, TLS13, mutual=True)
    pairs.handshake()
    tracemalloc.start()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    kept = [pairs.handshake() for _ in range(200)]
    gc.collect()
    python = (tracemalloc.get_traced_memory()[0] - before) / (2 * len(kept))
    tracemalloc.stop()
    del kept[:]
    gc.collect()
    before = resident()
    kept = [pairs.handshake() for _ in range(10 * count)]
    gc.collect()
    whole = (resident() - before) / (2 * len(kept))
    limit = 20 * 1024
    good = max(python, whole) <= limit
    print(f"\n{'State of an idle connection, one end (KiB)':<46} {'Python':>8} {'process':>8} {'':>15}  goal")
    verdict = "ok" if good else "MISSED"
    print(f"{'TLS 1.3 mutual':<46} {python / 1024:>8.1f} {whole / 1024:>8.1f} {'':>15}  <= 20    {verdict}")
    return good


def main() -> int:
    """Measure everything; 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--turns", type=int, default=400, help="calls of each side for one line (400)")
    turns = parser.parse_args().turns
    certificates = Certificates.make()
    print(f"Python {sys.version.split()[0]}; ssl with {Standard.library}; tlscope with {Tlscope.library}")
    try:
        results = [measure(certificates, turns) for measure in (handshakes, records, tracing, memory)]
    finally:
        shutil.rmtree(certificates.directory, ignore_errors=True)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
