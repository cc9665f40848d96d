"""The source of randomness: the operating system's, and for tests any other."""

from __future__ import annotations

import os
from typing import Protocol

from .groups import Group, KeyPair

__all__ = ["SYSTEM_RANDOMNESS", "Randomness", "SystemRandomness"]


class Randomness(Protocol):
    """Where random bytes and ephemeral keys come from. Anything but the system's is for tests with known answers."""

    def bytes(self, length: int) -> bytes:
        """``length`` unpredictable bytes."""

    def key_pair(self, group: Group) -> KeyPair:
        """A fresh ephemeral key pair of a group."""


class SystemRandomness:
    """The operating system's randomness, and key pairs made by OpenSSL."""

    def bytes(self, length: int) -> bytes:
        """``length`` bytes from the operating system."""
        return os.urandom(length)

    def key_pair(self, group: Group) -> KeyPair:
        """A fresh key pair, never used twice."""
        return group.generate()


SYSTEM_RANDOMNESS = SystemRandomness()
