"""Settings that hold for every test."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from hypothesis import settings

pytest_plugins = ["tlscope.testing"]

# What the tests share lies in tests/support; its modules are imported by their bare names.
sys.path.insert(0, str(Path(__file__).parent / "support"))

# The same examples on every run and machine, and no verdict that depends on how busy the machine is.
settings.register_profile("tlscope", derandomize=True, deadline=None)
settings.load_profile("tlscope")

# Whoever starts the tests in the background of a script has Ctrl-C ignored, and so would have what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
