"""The other side, as its Certificate shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..trust.peer_key import PeerKey

if TYPE_CHECKING:
    from ..errors import TLSError
    from ..sessions import Session
    from ..trust.verify import VerifiedPeer
    from ..wire.codepoints import SignatureScheme
    from .psk import Selected

__all__ = ["Peer", "Proof", "other"]


class Peer(NamedTuple):
    """The peer as its Certificate shows it: the chain as sent, the verdict (None where none was asked for), its key.

    Where a refused client is reported, ``refusal`` is why, and there is no verdict.
    ``staple`` is the OCSP response that came with it.
    """

    chain: tuple[bytes, ...]
    verified: VerifiedPeer | None
    key: PeerKey
    refusal: TLSError | None = None
    staple: bytes | None = None


class Proof(NamedTuple):
    """What a client showed, now or when its session began: nothing, or a chain, judged, and the scheme of its proof.

    ``refusal`` is why it is refused, where that is left to the application.
    """

    verified: VerifiedPeer | None = None
    chain: tuple[bytes, ...] = ()
    scheme: SignatureScheme | None = None
    refusal: TLSError | None = None

    @classmethod
    def of_session(cls, selected: Selected, session: Session) -> Proof:
        """What the client showed when the session began, judged anew."""
        return cls(selected.peer, session.peer_chain, session.peer_signature_scheme)


def other(role: str) -> str:
    """``"server"`` for ``"client"`` and the reverse."""
    return "server" if role == "client" else "client"
