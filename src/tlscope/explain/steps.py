"""The numbers: which messages people count as one step, and what they call it.

TLS 1.2's numbers are those of the guides: one-way 1 client hello, 2 server hello with the certificate, 3 key exchange, 4
encrypted messages; mutual 3 certificate request, 4 client certificate, 5 key exchange, 6 proof by signature. TLS 1.3 is
counted in the same spirit.
"""

from __future__ import annotations

from .messages import Known
from .model import Side, Step

__all__ = ["Steps"]

_CONFIRMS = "The client confirms"
_AFTER_HANDSHAKE = ("NewSessionTicket", "KeyUpdate")


class Steps:
    """Counts the steps of one connection as its messages go by."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._data: int | None = None
        self._early: int | None = None

    def message(self, name: str, sender: Side, known: Known) -> tuple[int | None, bool]:
        """The number of the step that a message belongs to, and whether it opens it. To be called after its details."""
        if name in _AFTER_HANDSHAKE and (known.is_tls13 or self._data is not None):
            return None, False
        title = (_title_13 if known.is_tls13 else _title_12)(name, sender, known)
        if title is None and self.steps:
            return self.steps[-1].number, False
        return self._open(title or name, sender), True

    def cipher_change(self, sender: Side, known: Known) -> tuple[int | None, bool]:
        """The same for a ChangeCipherSpec of TLS 1.2, with which a resuming client begins its answer."""
        if known.resumed and sender == "client":
            return self._open(_CONFIRMS, sender), True
        return (self.steps[-1].number if self.steps else None), False

    def data(self, sender: Side, epoch: str) -> tuple[int, bool]:
        """The same for application data: all of it is one step, but what is sent early is one of its own."""
        if epoch == "early":
            if self._early is not None:
                return self._early, False
            self._early = self._open("The client sends early data", sender)
            return self._early, True
        if self._data is not None:
            return self._data, False
        self._data = self._open("Encrypted messages", sender)
        return self._data, True

    def _open(self, title: str, sender: Side) -> int:
        self.steps.append(Step(len(self.steps) + 1, title, sender))
        return len(self.steps)


def _title_13(name: str, sender: Side, known: Known) -> str | None:
    if name == "ClientHello":
        return "The client says hello" if known.hellos < 2 else "The client says hello again"
    if name == "HelloRetryRequest":
        return "The server asks for another hello"
    if name == "ServerHello":
        return "The server answers, and both have keys"
    if name == "CertificateRequest":
        return "The server asks for a certificate"
    if name == "Certificate":
        return f"The {sender} shows who it is" if sender in known.proven else f"The {sender} shows no certificate"
    if name == "EndOfEarlyData":
        return "The client ends its early data"
    if name == "Finished" and (sender == "client" or "server" not in known.proven):
        return _CONFIRMS if sender == "client" else "The server confirms"
    return None


def _title_12(name: str, sender: Side, known: Known) -> str | None:
    if name == "ClientHello":
        return "The client says hello"
    if name == "ServerHello":
        return "The server answers" if known.resumed else "The server answers and shows its certificate"
    if name == "CertificateRequest":
        return "The server asks for a certificate"
    if name == "Certificate" and sender == "client":
        return "The client shows its certificate" if sender in known.proven else "The client shows no certificate"
    if name == "ClientKeyExchange":
        return "The client sends the premaster secret" if known.rsa_key_transport else "The client sends its key share"
    if name == "CertificateVerify":
        return "The client proves the certificate is its own"
    return None
