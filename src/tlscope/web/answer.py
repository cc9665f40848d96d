"""The answer to a client that is refused: 403, and the reason in tlscope's words."""

from __future__ import annotations

from ..errors import TLSError
from ..explain.words import printable

__all__ = ["REASON", "answer", "told_why"]

REASON = "Forbidden"


def told_why(refusal: TLSError) -> str:
    """The reason in one sentence, fit for a stranger's eyes.

    It names what the client itself sent and no file of the server's; control characters, which names in certificates may
    have, are shown as what they are.
    """
    sentence, store = refusal.sentence, refusal.evidence.get("store")
    if isinstance(store, str) and store:
        sentence = sentence.replace(store, "what this server trusts")
    return printable(sentence)


def answer(refusal: TLSError) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body of the 403 for ``refusal``: plain text, which nobody may keep or take for anything else."""
    body = f"403 {REASON}: {told_why(refusal)}.\n".encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return headers, body
