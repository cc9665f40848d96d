"""Settings that hold for every test."""

from __future__ import annotations

from hypothesis import settings

# The same examples on every run and machine, and no verdict that depends on how busy the machine is.
settings.register_profile("tlscope", derandomize=True, deadline=None)
settings.load_profile("tlscope")
