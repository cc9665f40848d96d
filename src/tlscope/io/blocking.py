"""TLS over blocking sockets: ``connect`` is the way in; ``stream`` and ``server`` have the rest."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from ..config import ClientConfig
from ..connection import ClientConnection
from .pump import Decide
from .stream import TLSStream
from .waiting import deadline_in

if TYPE_CHECKING:
    from ..trace import Sink

__all__ = ["TLSStream", "connect"]


def connect(
    host: str,
    port: int,
    config: ClientConfig | None = None,
    *,
    server_name: str | None = None,
    timeout: float | None = None,
    handshake_timeout: float | None = 10.0,
    trace: Sink | None = None,
    decide: Decide | None = None,
    early_data: bytes = b"",
) -> TLSStream:
    """Connect to a TLS server and shake hands; the stream is a context manager.

    ``server_name`` is whom the certificate must be for, ``host`` where it is not given. ``handshake_timeout`` bounds
    connecting and the handshake together, ``timeout`` every later call that waits; both are in seconds, None waits for
    ever. ``early_data`` is the first thing to send: before the handshake where a session and ``config.early_data`` allow it,
    so it must do no harm when it arrives twice; else after it. ``decide`` answers what ``config.ask`` names. Raises
    ``TLSError``, ``TimeoutError``, or another ``OSError`` where the host can't be reached.
    """
    deadline = deadline_in(handshake_timeout)
    name = host if server_name is None else server_name
    connection = ClientConnection(config if config is not None else ClientConfig(), name, trace=trace)
    try:
        sock = socket.create_connection((host, port), timeout=handshake_timeout)
    except TimeoutError:
        raise TimeoutError(f"{host} port {port} could not be reached within {handshake_timeout} s") from None
    stream = TLSStream(sock, connection, timeout=timeout, decide=decide)
    stream._shake_hands(deadline, handshake_timeout, early_data)
    return stream
