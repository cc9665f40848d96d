"""Channel bindings: what a protocol above may mix into its own authentication (RFC 5929, RFC 9266)."""

from __future__ import annotations

from ..errors import Misuse
from ..trust.end_point import server_end_point
from .established import Established

__all__ = ["NOT_BOUND", "channel_binding"]

NOT_BOUND = (
    "this TLS 1.2 connection has no extended master secret, so somebody between may share its keys with another one: "
    "nothing may be derived from them to authenticate with (RFC 7627 section 5.4)"
)


def channel_binding(kind: str, role: str, established: Established) -> bytes:
    """The bytes of one binding. Raises ``Misuse`` for an unknown kind, or one that this connection does not have."""
    facts = established.facts
    if kind in ("tls-exporter", "tls-unique") and not established.binds:
        raise Misuse(NOT_BOUND, code="no-extended-master-secret")
    if kind == "tls-exporter":
        return established.exporter.export(b"EXPORTER-Channel-Binding", b"", 32)
    if kind == "tls-unique":
        if established.tls_unique is None:
            raise Misuse(f"{facts.version} has no tls-unique; use tls-exporter (RFC 9266)", code="no-channel-binding")
        return established.tls_unique
    if kind == "tls-server-end-point":
        chain = facts.peer_chain if role == "client" else (() if facts.identity is None else facts.identity.chain)
        if not chain:
            raise Misuse("the server showed no certificate on this connection", code="no-channel-binding")
        return server_end_point(chain[0])
    raise Misuse(
        f"{kind!r} is no channel binding; there are tls-exporter, tls-unique and tls-server-end-point",
        code="no-channel-binding",
    )
