"""Compression algorithms for certificates (RFC 8879): bounded when they expand.

zlib is always there; brotli and zstd where their packages are installed (the extra ``compression``).
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from .errors import ConfigError
from .wire.codepoints import CertificateCompressionAlgorithm as Algorithm

__all__ = ["Corrupt", "check_algorithms", "compress", "expand"]


class _Codec(NamedTuple):
    compress: Callable[[bytes], bytes]
    expand: Callable[[bytes, int], bytes]
    """Takes the compressed bytes and a bound, gives at most one byte more than the bound."""


class Corrupt(Exception):
    """The compressed bytes are not of their algorithm."""


def _zlib() -> _Codec:
    def expand(data: bytes, bound: int) -> bytes:
        expander = zlib.decompressobj()
        try:
            output = expander.decompress(data, bound + 1)
        except zlib.error as problem:
            raise Corrupt(str(problem)) from None
        if len(output) <= bound and not expander.eof:
            raise Corrupt("the stream is cut short")
        return output

    return _Codec(zlib.compress, expand)


def _brotli() -> _Codec:
    module: Any = importlib.import_module("brotli")

    def expand(data: bytes, bound: int) -> bytes:
        expander = module.Decompressor()
        try:
            output: bytes = expander.process(data, output_buffer_limit=bound + 1)
            while len(output) <= bound and not expander.can_accept_more_data():
                output += expander.process(b"", output_buffer_limit=bound + 1 - len(output))
        except module.error as problem:
            raise Corrupt(str(problem)) from None
        if len(output) <= bound and not expander.is_finished():
            raise Corrupt("the stream is cut short")
        return output[: bound + 1]

    return _Codec(module.compress, expand)


def _zstd() -> _Codec:
    module: Any = importlib.import_module("zstandard")

    def expand(data: bytes, bound: int) -> bytes:
        try:
            with module.ZstdDecompressor(max_window_size=1 << 23).stream_reader(data) as reader:
                output: bytes = reader.read(bound + 1)
        except module.ZstdError as problem:
            raise Corrupt(str(problem)) from None
        return output

    return _Codec(lambda data: module.ZstdCompressor(level=9).compress(data), expand)


_MAKERS: dict[int, Callable[[], _Codec]] = {Algorithm.zlib: _zlib, Algorithm.brotli: _brotli, Algorithm.zstd: _zstd}


@lru_cache(maxsize=8)
def _codec(algorithm: int) -> _Codec:
    return _MAKERS[algorithm]()


def check_algorithms(algorithms: Sequence[Algorithm]) -> None:
    """Raises ``ConfigError`` for an algorithm that is unknown or whose package is not installed."""
    for algorithm in algorithms:
        if algorithm not in _MAKERS:
            raise ConfigError(f"certificate_compression names {algorithm}; there are zlib, brotli and zstd")
        try:
            _codec(algorithm)
        except ImportError:
            raise ConfigError(
                f"certificate_compression names {algorithm}, whose package is not installed: "
                "pip install 'tlscope[compression]'",
                code="not-installed",
            ) from None


@lru_cache(maxsize=32)
def compress(algorithm: int, body: bytes) -> bytes:
    """The bytes compressed; what was compressed before, as one's own certificate is each time, is remembered."""
    return _codec(algorithm).compress(body)


def expand(algorithm: int, data: bytes, bound: int) -> bytes:
    """The bytes expanded, at most one more than ``bound``. Raises ``Corrupt``."""
    return _codec(algorithm).expand(data, bound)
