"""A module that follows PEP 748 and is not tlscope's, with the PEP's names and its private attributes.

What it calls the implementation is what the reference package's releases call it.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Any


class CipherSuite(IntEnum):
    TLS_AES_128_GCM_SHA256 = 0x1301
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 = 0xC02B


class NextProtocol(Enum):
    H2 = b"h2"


class TLSVersion(Enum):
    MINIMUM_SUPPORTED = "MINIMUM_SUPPORTED"
    TLSv1_2 = "TLSv1.2"
    TLSv1_3 = "TLSv1.3"
    MAXIMUM_SUPPORTED = "MAXIMUM_SUPPORTED"


class TLSError(Exception):
    pass


class WantWriteError(TLSError):
    pass


class WantReadError(TLSError):
    pass


class RaggedEOF(TLSError):
    pass


class ConfigurationError(TLSError):
    pass


class Stored:
    def __init__(self, buffer: Any = None, path: Any = None, id: Any = None) -> None:
        self._buffer, self._path, self._id = buffer, path, id


class SigningChain:
    def __init__(self, leaf: Any, chain: Any = None) -> None:
        self.leaf, self.chain = leaf, list(chain or [])


class Configuration:
    def __init__(self, **settings: Any) -> None:
        self.certificate_chain = self.ciphers = self.trust_store = None
        self.lowest_supported_version = self.highest_supported_version = None
        self.inner_protocols: list[Any] = []
        vars(self).update(settings)


class Backend:
    def __init__(self, client_context: Any, server_context: Any, validate_config: Any) -> None:
        self.client_context, self.server_context = client_context, server_context
        self.validate_config = validate_config
