"""Runs in each Python that ``tlscope run`` starts, before the program: puts tlscope under it and steps aside.

This directory stands first in PYTHONPATH for that. What the program sees is what it would see without it: the directory
is taken off the path again, and a ``sitecustomize`` that the machine has of its own is run all the same.
"""

from __future__ import annotations

import importlib
import os
import sys


def _begin() -> None:
    reports = os.environ.get("TLSCOPE_RUN")
    if not reports:
        return
    try:
        from tlscope.cli.run_inside import begin
    except ImportError as error:
        with open(os.path.join(reports, "absent"), "w", encoding="utf-8") as file:  # noqa: PTH118, PTH123 - no imports here
            file.write(f"{sys.executable}\n{error}\n")
    else:
        begin(reports)


def _step_aside() -> None:
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - as above
    sys.path[:] = [path for path in sys.path if path != here]
    ours = sys.modules.pop(__name__)
    try:
        importlib.import_module(__name__)
    except ImportError as error:
        if error.name != __name__:
            raise
    finally:
        # Whoever imports us looks for what it has imported.
        sys.modules.setdefault(__name__, ours)


_begin()
_step_aside()
