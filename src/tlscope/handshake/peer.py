"""The other side, as its Certificate shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..trust.peer_key import PeerKey

if TYPE_CHECKING:
    from ..trust.verify import VerifiedPeer

__all__ = ["Peer", "other"]


class Peer(NamedTuple):
    """The peer as its Certificate shows it: the chain as sent, the verdict (None where none was asked for), its key."""

    chain: tuple[bytes, ...]
    verified: VerifiedPeer | None
    key: PeerKey


def other(role: str) -> str:
    """``"server"`` for ``"client"`` and the reverse."""
    return "server" if role == "client" else "client"
