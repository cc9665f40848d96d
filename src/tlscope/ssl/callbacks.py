"""What a context's callbacks are called with: messages as OpenSSL reports them, pre-shared keys, and key log lines."""

from __future__ import annotations

import ssl as std
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import trace as t
from ..errors import Misuse
from ..external_psk import ExternalPsk

if TYPE_CHECKING:
    from .channel import Channel

__all__ = ["MessageCallback", "Observer", "client_psk", "server_psk"]

_std: Any = std
_CONTENT, _MESSAGE, _ALERT = _std._TLSContentType, _std._TLSMessageType, _std._TLSAlertType
_DIRECTIONS = {"sent": "write", "received": "read"}

MessageCallback = Callable[[Any, str, Any, Any, Any, bytes], None]
"""Called with the connection, ``read`` or ``write``, version, content type, message type, and the message's bytes."""


class Observer:
    """A trace's sink that tells the context's message callback, and the trace itself where there is one.

    What the callback raises is kept, and raised when the operation at hand is done: it is to look, not to decide.
    """

    def __init__(self, channel: Channel, callback: MessageCallback, sink: t.Sink | None) -> None:
        self._channel, self._callback, self._sink = weakref.ref(channel), callback, sink
        self._version = 0x0303
        self.secrets = bool(getattr(sink, "secrets", False))

    def __call__(self, event: t.TraceEvent) -> None:
        """Pass an event on."""
        if self._sink is not None:
            self._sink(event)
        if isinstance(event, t.Message):
            self._version = event.version
            self._tell(event.direction, _CONTENT.HANDSHAKE, _named(_MESSAGE, event.raw[0]), event.raw)
        elif isinstance(event, t.Record):
            self._tell(event.direction, _CONTENT.HEADER, _named(_CONTENT, event.raw[0]), event.raw[:5])
            if event.epoch != "plaintext" and event.raw[0] != event.content_type:
                inner = bytes((event.content_type,))
                self._tell(event.direction, _CONTENT.INNER_CONTENT_TYPE, _named(_CONTENT, event.content_type), inner)
        elif isinstance(event, t.AlertEvent):
            content = bytes((event.level, event.description))
            self._tell(event.direction, _CONTENT.ALERT, _named(_ALERT, event.description), content)
        elif isinstance(event, t.ChangeCipherSpecEvent):
            self._tell(event.direction, _CONTENT.CHANGE_CIPHER_SPEC, _MESSAGE.CHANGE_CIPHER_SPEC, b"\x01")

    def _tell(self, direction: str, content_type: Any, message_type: Any, data: bytes) -> None:
        channel = self._channel()
        if channel is None:
            return
        version = _named(std.TLSVersion, self._version)
        try:
            self._callback(channel.owner, _DIRECTIONS[direction], version, content_type, message_type, data)
        except Exception as error:
            channel.delayed = error


def _named(names: Any, value: int) -> Any:
    """The member of an enumeration, or the number itself where it has none."""
    try:
        return names(value)
    except ValueError:
        return value


def client_psk(callback: Callable[[str | None], tuple[str | None, bytes]]) -> ExternalPsk:
    """The PSK to offer. TLS 1.3 has no identity hint (RFC 8446 section 4.2.11). Raises ``Misuse``, ``ConfigError``."""
    identity, secret = callback(None)
    if not identity:
        raise Misuse("in TLS 1.3 a PSK has an identity; the callback gave none", code="psk")
    return ExternalPsk(identity.encode(), bytes(secret))


def server_psk(callback: Callable[[str | None], bytes]) -> Callable[[bytes], ExternalPsk | None]:
    """Asks a server's callback for the PSK of an identity; nothing from it, as in OpenSSL, means that there is none."""

    def find(name: bytes) -> ExternalPsk | None:
        try:
            identity = name.decode("utf-8")
        except UnicodeDecodeError:
            return None  # a ticket: what a callback of ssl's knows is text
        secret = callback(identity)
        return ExternalPsk(name, bytes(secret)) if secret else None

    return find
