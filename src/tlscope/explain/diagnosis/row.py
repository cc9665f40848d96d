"""One row of the failure atlas."""

from __future__ import annotations

from dataclasses import dataclass

from .model import Fix

__all__ = ["Row", "fix"]


def fix(who: str, do: str, command: str = "") -> Fix:
    """A ``Fix``, in the order in which it is read."""
    return Fix(who, do, command)


@dataclass(frozen=True, slots=True)
class Row:
    """What is always so of a failure.

    ``judge`` is the side that finds the fault (``client``, ``server``, ``either``, ``local``), ``step`` the message at
    which it does, ``sender`` who sent that. ``meaning`` is what one should know. ``fixes`` have places in braces for the
    failure's evidence. ``others`` are ids of causes that are easily taken for this one, with how to tell.
    """

    id: str
    title: str
    judge: str
    step: str
    sender: str
    rule: str
    meaning: str
    fixes: tuple[Fix, ...] = ()
    others: tuple[tuple[str, str], ...] = ()
