"""The keys that open one side's records, from the secrets of a key log."""

from __future__ import annotations

from ..crypto.cipher_suites import SUITES, Suite
from ..keys.prf12 import MasterSecret12
from ..keys.schedule13 import TrafficSecret
from ..record.protection import InvalidTag, Protection12, Protection13, UnsupportedRecord
from ..wire.codepoints import CipherSuite

__all__ = ["Keys13", "early_keys", "keys_12", "opened", "suite_of"]

Protection = Protection12 | Protection13


class Keys13:
    """The keys of one TLS 1.3 traffic secret, and those that come after it."""

    def __init__(self, suite: Suite, secret: bytes, epoch: str) -> None:
        self._secret = TrafficSecret(suite, secret)
        self._generation = 0
        self.protection = self._made(epoch)

    def _made(self, epoch: str) -> Protection13:
        keys = self._secret.keys()
        return Protection13(self._secret.suite, keys.key, keys.iv, epoch)

    def update(self) -> None:
        """The next generation (RFC 8446 section 7.2)."""
        self._generation += 1
        self._secret = self._secret.updated()
        self.protection = self._made(f"application+{self._generation}")


def suite_of(value: int) -> Suite | None:
    """The cipher suite of a code point, None for one that can't be opened here."""
    return SUITES.get(CipherSuite.of(value))


def early_keys(secret: bytes, record: bytes) -> Keys13 | None:
    """Keys for early data, whose suite is the session's and stands nowhere: the one that opens its first record."""
    for suite in SUITES.values():
        if not suite.is_tls13 or suite.hash.length != len(secret):
            continue
        if opened(Keys13(suite, secret, "early").protection, record) is not None:
            return Keys13(suite, secret, "early")
    return None


def keys_12(
    suite: Suite, master: bytes, client_random: bytes, server_random: bytes
) -> tuple[Protection12, Protection12]:
    """The client's and the server's keys of TLS 1.2."""
    keys = MasterSecret12(suite, master, client_random, server_random).keys()
    return (
        Protection12(suite, keys.client_key, keys.client_iv, "application"),
        Protection12(suite, keys.server_key, keys.server_iv, "application"),
    )


def opened(protection: Protection, record: bytes) -> tuple[int, bytes] | None:
    """Content type and content of a record; None where these keys don't open it."""
    try:
        return protection.open(record[:5], record[5:])
    except (InvalidTag, UnsupportedRecord, ValueError, OverflowError):
        return None
