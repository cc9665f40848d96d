"""TLS 1.2's key derivation with the longer hash; the shorter one's vectors are with the room's own tests."""

from __future__ import annotations

from tlscope.crypto.hashes import SHA384
from tlscope.keys.prf12 import prf


def test_the_prf_with_sha_384() -> None:
    # "Test vectors for TLS 1.2 PRF", sent to the TLS working group's list on 2009-03-19.
    secret = bytes.fromhex("b80b733d6ceefcdc71566ea48e5567df")
    seed = bytes.fromhex("cd665cf6a8447dd6ff8b27555edb7465")
    assert prf(SHA384, secret, b"test label", seed, 148) == bytes.fromhex(
        "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0e534cb400fed"
        "2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d9184259b5bf8cd4d90fa0d31e2dec4"
        "79e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e0990703d73e56f"
    )
