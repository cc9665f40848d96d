"""X.509 for TLS: identities, trust anchors, and whether a chain is to be believed."""

from __future__ import annotations

from .anchors import TrustAnchors
from .identity import Identity
from .names import PeerNames, ServerName, parse_server_name
from .policy import VerificationPolicy
from .revocation import RevocationList, read_revocation_lists
from .verify import VerifiedPeer, Verifier

__all__ = [
    "Identity",
    "PeerNames",
    "RevocationList",
    "ServerName",
    "TrustAnchors",
    "VerificationPolicy",
    "VerifiedPeer",
    "Verifier",
    "parse_server_name",
    "read_revocation_lists",
]
