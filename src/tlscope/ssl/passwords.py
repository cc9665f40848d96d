"""The ``password`` of ``load_cert_chain``: text, bytes or what gives one, with the standard library's complaints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["checked_password"]

_LONGEST = 1023
"""Bytes that OpenSSL's buffer takes."""


def checked_password(password: Any) -> bytes | Callable[[], bytes] | None:
    """A password that ``Identity`` takes. Raises ``TypeError`` and ``ValueError``; of a callable, when it is called."""
    if password is None:
        return None
    if callable(password):
        return lambda: _as_bytes(password(), "password callback must return a string")
    return _as_bytes(password, "password should be a string or callable")


def _as_bytes(value: Any, complaint: str) -> bytes:
    if not isinstance(value, str | bytes | bytearray):
        raise TypeError(complaint)
    secret = value.encode() if isinstance(value, str) else bytes(value)
    if len(secret) > _LONGEST:
        raise ValueError(f"password cannot be longer than {_LONGEST} bytes")
    return secret
