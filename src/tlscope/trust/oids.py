"""Object identifiers by name."""

from __future__ import annotations

from cryptography import x509

__all__ = ["oid_name"]


def oid_name(oid: x509.ObjectIdentifier) -> str:
    """The name that the RFCs give an object identifier, or its digits."""
    name = str(getattr(oid, "_name", "Unknown OID"))
    return oid.dotted_string if name == "Unknown OID" else name
