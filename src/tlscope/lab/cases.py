"""Every lab case, in the order of the atlas."""

from __future__ import annotations

from ..errors import Misuse
from . import cases_agreement, cases_client, cases_files, cases_server, cases_wire
from .case import Case

__all__ = ["CASES", "case"]

CASES: dict[str, Case] = {
    one.id: one for room in (cases_server, cases_client, cases_files, cases_agreement, cases_wire) for one in room.CASES
}
"""Every case by its id."""


def case(id: str) -> Case:
    """The case of this id. Raises ``Misuse`` where there is none."""
    if id not in CASES:
        raise Misuse(f"there is no lab case called {id}", code="no-such-case")
    return CASES[id]
