"""Bounds on everything that a stranger can send before it is authenticated, each with a name."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ConfigError

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what a peer can make this side hold or do. Exceeding one is a ``PeerViolation`` that names it.

    A record is bounded by the protocol: 2^14 bytes of content (RFC 8446 section 5.1). The handshake's time is the I/O
    layer's to bound (``handshake_timeout``), because the core reads no clock.
    """

    max_handshake_message: int = 64 * 1024
    """Bytes in one handshake message. A ClientHello has at most 2^16, a certificate chain seldom over 16 KiB."""
    max_handshake_bytes: int = 128 * 1024
    """Bytes in all handshake messages up to the peer's Finished."""
    max_certificates: int = 10
    """Certificates in the peer's chain."""
    max_empty_records: int = 32
    """Empty application data records in a row (RFC 8446 section 5.1 allows them as traffic padding)."""
    max_warning_alerts: int = 4
    """Warning alerts in a row."""
    max_change_cipher_specs: int = 32
    """ChangeCipherSpec records that TLS 1.3 passes over in one handshake (RFC 8446 appendix D.4)."""
    max_key_updates: int = 32
    """KeyUpdates without application data between them (RFC 8446 section 4.6.3)."""
    max_buffered: int = 256 * 1024
    """Bytes that are held while a decision is awaited (``ask``), when nothing can be done with them yet."""
    max_skipped_early_data: int = 16 * 1024
    """Bytes of refused early data that are passed over (RFC 8446 section 4.2.10)."""
    max_tickets: int = 64
    """NewSessionTickets on one connection."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ConfigError(f"Limits.{name} must be a whole number of at least 1, not {value!r}")
