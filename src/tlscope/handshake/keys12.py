"""Keys of a TLS 1.2 handshake: the master secret, ChangeCipherSpec and Finished, the same on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import violations
from ..crypto.cipher_suites import Suite
from ..crypto.hashes import equal
from ..errors import PeerViolation
from ..keys.prf12 import ConnectionKeys, MasterSecret12
from ..record.protection import Protection12
from ..wire.handshake import Finished

if TYPE_CHECKING:
    from .driver import Handshake

Keys = ConnectionKeys


def derive_master(
    hs: Handshake, suite: Suite, premaster: bytes, server_random: bytes, *, extended: bool
) -> MasterSecret12:
    """The master secret, after ClientKeyExchange (RFC 7627 section 4, RFC 5246 section 8.1)."""
    if extended:
        inputs = ("premaster secret", "ClientHello..ClientKeyExchange")
        master = MasterSecret12.extended(suite, premaster, hs.hash_so_far, hs.client_random, server_random)
    else:
        inputs = ("premaster secret", "both randoms")
        master = MasterSecret12.plain(suite, premaster, hs.client_random, server_random)
    hs.reveal("CLIENT_RANDOM", master.secret, *inputs)
    return master


def write_12(hs: Handshake, suite: Suite, keys: ConnectionKeys) -> None:
    """Send ChangeCipherSpec; what follows is protected (RFC 5246 section 7.1)."""
    key, iv = (keys.client_key, keys.client_iv) if hs.role == "client" else (keys.server_key, keys.server_iv)
    hs.send_change_cipher_spec("keys")
    hs.write_with(Protection12(suite, key, iv, "application"))


def read_12(hs: Handshake, suite: Suite, keys: ConnectionKeys) -> None:
    """The peer's ChangeCipherSpec has come; what follows is protected."""
    key, iv = (keys.server_key, keys.server_iv) if hs.role == "client" else (keys.client_key, keys.client_iv)
    hs.read_with(Protection12(suite, key, iv, "application"))


def check_finished_12(hs: Handshake, master: MasterSecret12, sender: str, message: Finished) -> bytes:
    """Raises ``PeerViolation`` where the peer's verify_data is wrong; gives it (RFC 5246 section 7.4.9)."""
    if not equal(master.finished(sender, hs.before.digest()), message.verify_data):
        raise PeerViolation(violations.BAD_FINISHED)
    return message.verify_data
