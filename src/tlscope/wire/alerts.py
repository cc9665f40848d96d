"""Alerts (RFC 8446 section 6)."""

from __future__ import annotations

from dataclasses import dataclass

from .codec import DecodeError
from .codepoints import AlertDescription, AlertLevel


@dataclass(frozen=True, slots=True)
class Alert:
    """Two bytes: how bad, and what."""

    level: AlertLevel
    description: AlertDescription

    @classmethod
    def decode(cls, body: bytes) -> Alert:
        """Read one alert; several in a record, or a part of one, are refused (section 5.1)."""
        if len(body) != 2:
            raise DecodeError(f"an alert has two bytes, this one {len(body)}")
        return cls(AlertLevel.of(body[0]), AlertDescription.of(body[1]))

    def encode(self) -> bytes:
        """The alert's two bytes."""
        return bytes((self.level, self.description))
