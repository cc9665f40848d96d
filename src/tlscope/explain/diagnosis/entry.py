"""From an error, or a trace that ends in one, to its explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...trace import Failed, Started, Trace
from .cut import cut, timed_out
from .failure import Failure
from .seen import seen
from .told import told

if TYPE_CHECKING:
    from ...errors import TLSError
    from .model import Diagnosis

__all__ = ["diagnose", "diagnose_event", "diagnose_trace"]


def diagnose(error: TLSError) -> Diagnosis:
    """The explanation of an error; ``error.explain()`` is the same."""
    return _of(Failure.of_error(error))


def diagnose_trace(trace: Trace) -> Diagnosis | None:
    """The explanation of the failure that a trace ends in, None where nothing failed; ``remarks`` has the rest."""
    role = next((event.role for event in trace.events if isinstance(event, Started)), "")
    failed = next((event for event in trace.events if isinstance(event, Failed)), None)
    return None if failed is None else diagnose_event(failed, role)


def diagnose_event(event: Failed, role: str) -> Diagnosis:
    """The explanation of the failure that an event of a trace tells of; ``role`` is whose trace it is."""
    return _of(Failure.of_event(event.error, role))


def _of(failure: Failure) -> Diagnosis:
    if failure.kind == "AlertReceived" or failure.code.startswith("alert-"):
        return told(failure)
    if failure.code == "truncated":
        return cut(failure)
    if failure.kind == "HandshakeTimeout":
        return timed_out(failure)
    return seen(failure)
