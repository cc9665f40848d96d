"""The example handshakes of RFC 8448, as data."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data" / "rfc8448.json"


@cache
def traces() -> dict[str, dict[str, Any]]:
    """Every trace by its name: ``simple_1rtt``, ``resumed_0rtt``, ``hello_retry_request``, ..."""
    return {trace["name"]: trace for trace in json.loads(DATA.read_text("utf-8"))["traces"]}


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def message(trace: dict[str, Any], sender: str, kind: str, index: int = 0) -> bytes:
    """A message's bytes, header included: the ``index``-th of its kind by its sender."""
    found = [one for one in trace["messages"] if one["sender"] == sender and one["type"] == kind]
    return octets(found[index]["hex"])
