"""Hashes, AEADs and the tables over them, against published vectors."""

from __future__ import annotations

import ast
import hmac
from pathlib import Path

import pytest

import tlscope.crypto.hashes
from tlscope.crypto.cipher_suites import SUITES, InvalidTag
from tlscope.crypto.hashes import SHA256, SHA384, SHA512, Hash, equal
from tlscope.crypto.randomness import SYSTEM_RANDOMNESS
from tlscope.wire.codepoints import CipherSuite

unhex = bytes.fromhex


def test_hmac() -> None:
    # RFC 4231 section 4.3.
    key, data = b"Jefe", b"what do ya want for nothing?"
    assert SHA256.hmac(key, data).hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert SHA384.hmac(key, data).hex() == (
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"
    )


def test_hkdf() -> None:
    # RFC 5869 appendix A.1.
    secret = SHA256.extract(unhex("000102030405060708090a0b0c"), b"\x0b" * 22)
    assert secret.hex() == "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
    assert SHA256.expand(secret, unhex("f0f1f2f3f4f5f6f7f8f9"), 42).hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )


@pytest.mark.parametrize("hash", [SHA256, SHA384, SHA512], ids=str)
def test_a_key_that_is_set_once_serves_again(hash: Hash) -> None:
    keyed = hash.keyed(b"the key")
    for data in (b"", b"one", b"two" * 100, b"one"):
        running = keyed.copy()
        running.update(data)
        assert running.finalize() == hash.hmac(b"the key", data) == hmac.digest(b"the key", data, hash.name)


@pytest.mark.parametrize("hash", [SHA256, SHA384, SHA512], ids=str)
def test_a_hash_runs(hash: Hash) -> None:
    running = hash.new(b"one ")
    copy = running.copy()
    running.update(b"two")
    assert running.digest() == hash.digest(b"one two")
    assert copy.digest() == hash.digest(b"one ")
    assert len(running.digest()) == hash.length


# Key, nonce, associated data, plaintext, ciphertext with tag.
AEAD_VECTORS = {
    # McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 4 and 16.
    CipherSuite.TLS_AES_128_GCM_SHA256: (
        "feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
        "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
        "5bc94fbc3221a5db94fae95ae7121a47",
    ),
    CipherSuite.TLS_AES_256_GCM_SHA384: (
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
    # RFC 8439 section 2.8.2.
    CipherSuite.TLS_CHACHA20_POLY1305_SHA256: (
        "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
        "070000004041424344454647",
        "50515253c0c1c2c3c4c5c6c7",
        b"Ladies and Gentlemen of the class of '99: "
        b"If I could offer you only one tip for the future, sunscreen would be it.".hex(),
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
        "3ff4def08e4b7a9de576d26586cec64b6116"
        "1ae10b594f09e26a7e902ecbd0600691",
    ),
    # NIST SP 800-38C appendix C.3.
    CipherSuite.TLS_AES_128_CCM_8_SHA256: (
        "404142434445464748494a4b4c4d4e4f",
        "101112131415161718191a1b",
        "000102030405060708090a0b0c0d0e0f10111213",
        "202122232425262728292a2b2c2d2e2f3031323334353637",
        "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951",
    ),
}


@pytest.mark.parametrize("suite", AEAD_VECTORS, ids=lambda suite: suite.name)
def test_an_aead_seals_and_opens(suite: CipherSuite) -> None:
    key, nonce, associated, plaintext, sealed = map(unhex, AEAD_VECTORS[suite])
    row = SUITES[suite].aead
    assert (len(key), len(sealed) - len(plaintext)) == (row.key_length, row.tag_length)
    aead = row.key(key)
    room = bytearray(len(sealed))
    aead.encrypt_into(nonce, plaintext, associated, room)
    assert room == sealed
    assert aead.decrypt(nonce, sealed, associated) == plaintext


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_every_suites_aead_refuses_what_was_changed(suite: CipherSuite) -> None:
    row = SUITES[suite].aead
    aead = row.key(bytes(range(row.key_length)))
    room = bytearray(5 + row.tag_length)
    aead.encrypt_into(bytes(12), b"hello", b"header", room)
    sealed = bytes(room)
    assert aead.decrypt(bytes(12), sealed, b"header") == b"hello"
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(InvalidTag):
            aead.decrypt(bytes(12), bytes(changed), b"header")
    with pytest.raises(InvalidTag):
        aead.decrypt(bytes(12), sealed, b"other")
    with pytest.raises(InvalidTag):
        aead.decrypt(bytes(11) + b"\1", sealed, b"header")
    for length in range(len(sealed)):
        with pytest.raises(InvalidTag):
            aead.decrypt(bytes(12), sealed[:length], b"header")


def test_suites_are_told_apart_by_version() -> None:
    of_13 = {suite for suite, row in SUITES.items() if row.is_tls13}
    assert of_13 == {suite for suite in SUITES if 0x1301 <= suite <= 0x1305}
    for suite, row in SUITES.items():
        assert suite == row.name
        assert row.hash is (SHA384 if "SHA384" in suite.name else SHA256)
        assert bool(row.key_exchange) == bool(row.authentication) == (not row.is_tls13)


@pytest.mark.parametrize(
    ("suite", "limit"), [(0x1301, 2**24.5), (0x1302, 2**24.5), (0x1304, 2**23.5), (0x1305, 2**23.5)]
)
def test_no_key_protects_more_than_its_aead_allows(suite: int, limit: float) -> None:
    # RFC 8446 section 5.5, and RFC 9147 section 4.5.3 for CCM.
    assert SUITES[CipherSuite(suite)].aead.record_limit <= limit


def test_secrets_are_compared_in_constant_time() -> None:
    assert equal(b"same", b"same")
    assert not equal(b"same", b"some")
    assert not equal(b"same", b"same but longer")
    tree = ast.parse(Path(tlscope.crypto.hashes.__file__).read_text("utf-8"))
    body = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "equal")
    assert any(isinstance(node, ast.Attribute) and node.attr == "compare_digest" for node in ast.walk(body))
    assert not any(isinstance(node, ast.Compare) for node in ast.walk(body))
    assert tlscope.crypto.hashes.hmac is hmac


def test_the_systems_randomness_does_not_repeat() -> None:
    drawn = {SYSTEM_RANDOMNESS.bytes(32) for _ in range(50)}
    assert len(drawn) == 50
    assert {len(one) for one in drawn} == {32}
