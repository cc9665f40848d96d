"""The failure atlas: a row for each way to fail that people meet, with what to do about it.

A row says what is always so; what is so in one failure, its evidence, comes from the failure.
"""

from __future__ import annotations

from .atlas_certificates import CERTIFICATES
from .atlas_clients import CLIENTS
from .atlas_files import FILES
from .atlas_handshake import HANDSHAKE
from .atlas_wire import WIRE
from .row import Row

__all__ = ["ATLAS", "Row"]

ATLAS: dict[str, Row] = {row.id: row for row in (*CERTIFICATES, *CLIENTS, *FILES, *HANDSHAKE, *WIRE)}
"""Every row by its id, in the order in which a handshake can meet them."""
