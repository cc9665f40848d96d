"""The lab: every failure of the atlas, to be had at will, with throwaway certificates that are always fresh.

    from tlscope.lab import CASES, run

    outcome = run(CASES["wrong-host"])
    print(outcome.client.diagnosis)

Each case is two parties, one of them broken; ``run`` connects them over loopback, and what each side makes of it is its
explanation. ``LabServer`` and ``client_of`` play one party alone, against a program of one's own.
"""

from __future__ import annotations

from .case import Case, Expected, Outcome, Party, Plan, Seen
from .cases import CASES, case
from .run import act, run
from .serve import LabServer, client_of, has_broken_client, has_server
from .workshop import Workshop

__all__ = [
    "CASES",
    "Case",
    "Expected",
    "LabServer",
    "Outcome",
    "Party",
    "Plan",
    "Seen",
    "Workshop",
    "act",
    "case",
    "client_of",
    "has_broken_client",
    "has_server",
    "run",
]
