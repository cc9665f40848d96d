"""TLS 1.2's key derivation."""

from __future__ import annotations

import pytest

from tlscope.crypto.cipher_suites import SUITES
from tlscope.crypto.hashes import SHA256
from tlscope.keys.prf12 import MasterSecret12, prf
from tlscope.wire.codepoints import CipherSuite

unhex = bytes.fromhex
GCM = SUITES[CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
CHACHA = SUITES[CipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256]
CLIENT, SERVER = b"\1" * 32, b"\2" * 32


def test_the_prf() -> None:
    # "Test vectors for TLS 1.2 PRF", sent to the TLS working group's list on 2009-03-19.
    secret, seed = unhex("9bbe436ba940f017b17652849a71db35"), unhex("a0ba9f936cda311827a6f796ffd5198c")
    assert prf(SHA256, secret, b"test label", seed, 100) == unhex(
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af"
        "0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
        "87347b66"
    )


@pytest.mark.parametrize(("suite", "key", "iv"), [(GCM, 16, 4), (CHACHA, 32, 12)])
def test_the_key_block_is_cut_up_in_order(suite: object, key: int, iv: int) -> None:
    master = MasterSecret12(suite, bytes(48), CLIENT, SERVER)  # type: ignore[arg-type]
    keys = master.keys()
    block = prf(SHA256, bytes(48), b"key expansion", SERVER + CLIENT, 2 * (key + iv))
    assert keys.client_key + keys.server_key + keys.client_iv + keys.server_iv == block
    assert (len(keys.client_key), len(keys.client_iv)) == (key, iv)


def test_two_ways_to_the_master_secret() -> None:
    plain = MasterSecret12.plain(GCM, b"premaster", CLIENT, SERVER)
    assert plain.secret == prf(SHA256, b"premaster", b"master secret", CLIENT + SERVER, 48)
    extended = MasterSecret12.extended(GCM, b"premaster", b"hash", CLIENT, SERVER)
    assert extended.secret == prf(SHA256, b"premaster", b"extended master secret", b"hash", 48)
    assert len({plain.secret, extended.secret}) == 2


def test_finished_has_twelve_bytes_and_a_sender() -> None:
    master = MasterSecret12(GCM, bytes(48), CLIENT, SERVER)
    assert master.finished("client", b"hash") == prf(SHA256, bytes(48), b"client finished", b"hash", 12)
    assert master.finished("client", b"hash") != master.finished("server", b"hash")


def test_no_context_and_an_empty_one_are_not_the_same() -> None:
    # RFC 5705 section 4.
    master = MasterSecret12(GCM, bytes(48), CLIENT, SERVER)
    assert master.export(b"label", None, 16) == prf(SHA256, bytes(48), b"label", CLIENT + SERVER, 16)
    with_context = prf(SHA256, bytes(48), b"label", CLIENT + SERVER + b"\0\0", 16)
    assert master.export(b"label", b"", 16) == with_context != master.export(b"label", None, 16)


def test_nothing_of_tls_1_2_shows_its_secret() -> None:
    master = MasterSecret12(GCM, b"\x5a" * 48, CLIENT, SERVER)
    for shown in (repr(master), str(master), repr(master.keys())):
        assert "redacted" in shown
        assert "5a5a" not in shown
        assert "ZZZZ" not in shown
