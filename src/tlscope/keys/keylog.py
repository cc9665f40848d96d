"""The key log: what Wireshark needs to read along (RFC 9850)."""

from __future__ import annotations

__all__ = ["key_log_line"]


def key_log_line(label: str, client_random: bytes, secret: bytes) -> str:
    """One line of a key log, without its line end: label, client random (32 bytes) and secret in hexadecimal."""
    return f"{label} {client_random.hex()} {secret.hex()}"
