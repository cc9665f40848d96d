"""Key-exchange groups: published vectors, agreement, and every share that must be refused."""

from __future__ import annotations

import pytest
from memory import Seeded

from tlscope.crypto.finite_field import prime
from tlscope.crypto.groups import GROUPS, InvalidPublicKey
from tlscope.crypto.randomness import SYSTEM_RANDOMNESS
from tlscope.wire.codepoints import NamedGroup

unhex = bytes.fromhex

MONTGOMERY = [NamedGroup.x25519, NamedGroup.x448]
NIST = [NamedGroup.secp256r1, NamedGroup.secp384r1, NamedGroup.secp521r1]
FINITE_FIELD = [NamedGroup.ffdhe2048, NamedGroup.ffdhe3072]
HYBRID = [NamedGroup.X25519MLKEM768, NamedGroup.SecP256r1MLKEM768, NamedGroup.SecP384r1MLKEM1024]
KEM = [NamedGroup.MLKEM768, NamedGroup.MLKEM1024]

# Two private keys, their public keys, the shared secret.
VECTORS = {
    # RFC 7748 section 6.1.
    NamedGroup.x25519: (
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
    ),
    # RFC 7748 section 6.2.
    NamedGroup.x448: (
        "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28d"
        "d9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b",
        "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d"
        "6927c120bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d",
        "9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c"
        "22c5d9bbc836647241d953d40c5b12da88120d53177f80e532c41fa0",
        "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b430"
        "27d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609",
        "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282b"
        "b60c0b56fd2464c335543936521c24403085d59a449a5037514a879d",
    ),
    # RFC 5903 section 8.1.
    NamedGroup.secp256r1: (
        "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
        "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
        "04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180"
        "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
        "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
        "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
        "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de",
    ),
}


@pytest.mark.parametrize("name", VECTORS, ids=str)
def test_published_vectors(name: NamedGroup) -> None:
    one, two, one_public, two_public, shared = map(unhex, VECTORS[name])
    group = GROUPS[name]
    alice, bob = group.from_private(one), group.from_private(two)
    assert (alice.public_key, bob.public_key) == (one_public, two_public)
    assert alice.shared_secret(bob.public_key) == bob.shared_secret(alice.public_key) == shared
    assert group.respond(one_public, lambda _: bob) == (two_public, shared)


@pytest.mark.parametrize("name", GROUPS, ids=str)
def test_both_sides_agree(name: NamedGroup) -> None:
    group = GROUPS[name]
    ours = group.generate()
    assert len(ours.public_key) == group.client_share_length
    theirs, secret = group.respond(ours.public_key, SYSTEM_RANDOMNESS.key_pair)
    assert len(theirs) == group.server_share_length
    assert ours.shared_secret(theirs) == secret
    assert group.generate().public_key != ours.public_key


@pytest.mark.parametrize("name", [*MONTGOMERY, *NIST, *HYBRID, *KEM], ids=str)
def test_a_given_private_key_gives_the_same_key_pair(name: NamedGroup) -> None:
    group = GROUPS[name]
    one, two = Seeded("a").key_pair(group), Seeded("a").key_pair(group)
    assert one.public_key == two.public_key
    theirs, secret = group.respond(one.public_key, SYSTEM_RANDOMNESS.key_pair)
    assert one.shared_secret(theirs) == two.shared_secret(theirs) == secret


@pytest.mark.parametrize("name", HYBRID, ids=str)
def test_a_hybrid_joins_its_parts_in_the_order_of_its_name(name: NamedGroup) -> None:
    # draft-ietf-tls-ecdhe-mlkem sections 4.1 to 4.3: the part that is approved by FIPS comes first.
    group = GROUPS[name]
    curve, key, ciphertext = {
        NamedGroup.X25519MLKEM768: (GROUPS[NamedGroup.x25519], 1184, 1088),
        NamedGroup.SecP256r1MLKEM768: (GROUPS[NamedGroup.secp256r1], 1184, 1088),
        NamedGroup.SecP384r1MLKEM1024: (GROUPS[NamedGroup.secp384r1], 1568, 1568),
    }[name]
    assert group.is_hybrid
    assert not curve.is_hybrid
    assert group.client_share_length == key + curve.client_share_length
    assert group.server_share_length == ciphertext + curve.server_share_length
    private = Seeded("curve").bytes(32 if name is NamedGroup.X25519MLKEM768 else 31)
    ours = group.from_private(bytes(64) + private)
    share = curve.from_private(private).public_key
    if name is NamedGroup.X25519MLKEM768:
        assert ours.public_key.endswith(share)
    else:
        assert ours.public_key.startswith(share)
    theirs, secret = group.respond(ours.public_key, SYSTEM_RANDOMNESS.key_pair)
    curve_share = theirs[ciphertext:] if name is NamedGroup.X25519MLKEM768 else theirs[: curve.server_share_length]
    curve_secret = curve.from_private(private).shared_secret(curve_share)
    assert len(secret) == 32 + len(curve_secret)
    if name is NamedGroup.X25519MLKEM768:
        assert secret.endswith(curve_secret)
    else:
        assert secret.startswith(curve_secret)


@pytest.mark.parametrize("name", GROUPS, ids=str)
def test_a_share_of_the_wrong_length_is_refused(name: NamedGroup) -> None:
    group = GROUPS[name]
    ours = group.generate()
    theirs, _ = group.respond(ours.public_key, SYSTEM_RANDOMNESS.key_pair)
    for bad in (b"", b"\4", ours.public_key[:-1], ours.public_key + b"\0"):
        with pytest.raises(InvalidPublicKey, match="bytes"):
            group.respond(bad, SYSTEM_RANDOMNESS.key_pair)
    for bad in (b"", b"\4", theirs[:-1], theirs + b"\0", theirs[1:], b"\0" + theirs):
        with pytest.raises(InvalidPublicKey):
            ours.shared_secret(bad)


# Points of low order (RFC 7748 section 7, and the curves' twists): each leads to an all-zero secret.
LOW_ORDER = {
    NamedGroup.x25519: [
        bytes(32),
        b"\1" + bytes(31),
        unhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        unhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        unhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        unhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        unhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ],
    NamedGroup.x448: [
        bytes(56),
        b"\1" + bytes(55),
        unhex("fe" + "ff" * 27 + "fe" + "ff" * 27),
        unhex("ff" * 28 + "fe" + "ff" * 27),
    ],
}


@pytest.mark.parametrize("name", MONTGOMERY, ids=str)
def test_a_share_that_leads_to_zero_is_refused(name: NamedGroup) -> None:
    # RFC 8446 section 7.4.2: the all-zero result must be checked for.
    group = GROUPS[name]
    for share in LOW_ORDER[name]:
        with pytest.raises(InvalidPublicKey, match="all-zero"):
            group.generate().shared_secret(share)
        with pytest.raises(InvalidPublicKey, match="all-zero"):
            group.respond(share, SYSTEM_RANDOMNESS.key_pair)


@pytest.mark.parametrize("name", NIST, ids=str)
def test_only_uncompressed_points_are_read(name: NamedGroup) -> None:
    group = GROUPS[name]
    good = group.generate().public_key
    size = (len(good) - 1) // 2
    compressed = bytes((2 + good[-1] % 2,)) + good[1 : 1 + size]
    hybrid_form = bytes((6 + good[-1] % 2,)) + good[1:]
    for bad in (compressed, hybrid_form, b"\0", b"\5" + good[1:], b"\0" * len(good)):
        with pytest.raises(InvalidPublicKey):
            group.generate().shared_secret(bad)


@pytest.mark.parametrize("name", NIST, ids=str)
def test_a_point_off_the_curve_is_refused(name: NamedGroup) -> None:
    # RFC 8446 section 4.2.8.2: peers must check that the point is on the curve.
    group = GROUPS[name]
    good = bytearray(group.generate().public_key)
    good[-1] ^= 1
    size = (len(good) - 1) // 2
    too_large = b"\4" + b"\xff" * (2 * size)
    for bad in (bytes(good), too_large, b"\4" + bytes(2 * size)):
        with pytest.raises(InvalidPublicKey, match="not a point"):
            group.generate().shared_secret(bad)
        with pytest.raises(InvalidPublicKey, match="not a point"):
            group.respond(bad, SYSTEM_RANDOMNESS.key_pair)


@pytest.mark.parametrize("name", HYBRID, ids=str)
def test_a_bad_part_spoils_a_hybrid(name: NamedGroup) -> None:
    group = GROUPS[name]
    ours = group.generate()
    kem_first = name is NamedGroup.X25519MLKEM768
    curve = GROUPS[NamedGroup.x25519 if kem_first else NamedGroup.named(name.name.partition("MLKEM")[0])]
    split = len(ours.public_key) - curve.client_share_length if kem_first else curve.client_share_length
    # FIPS 203 section 7.2: coefficients of an encapsulation key are below 3329.
    kem_length = len(ours.public_key) - curve.client_share_length
    bad_kem = b"\xff" * kem_length
    bad_curve = bytes(curve.client_share_length)
    if kem_first:
        shares = [bad_kem + ours.public_key[split:], ours.public_key[:split] + bad_curve]
    else:
        shares = [ours.public_key[:split] + bad_kem, bad_curve + ours.public_key[split:]]
    for share in shares:
        assert len(share) == group.client_share_length
        with pytest.raises(InvalidPublicKey):
            group.respond(share, SYSTEM_RANDOMNESS.key_pair)
    theirs, _ = group.respond(ours.public_key, SYSTEM_RANDOMNESS.key_pair)
    length = curve.server_share_length
    with pytest.raises(InvalidPublicKey):
        ours.shared_secret(theirs[:-length] + bytes(length) if kem_first else bytes(length) + theirs[length:])


@pytest.mark.parametrize("name", [*HYBRID, *KEM], ids=str)
def test_a_changed_ciphertext_gives_another_secret_and_no_error(name: NamedGroup) -> None:
    # FIPS 203's implicit rejection: the handshake then fails at the first protected record.
    group = GROUPS[name]
    ours = group.generate()
    theirs, secret = group.respond(ours.public_key, SYSTEM_RANDOMNESS.key_pair)
    changed = bytearray(theirs)
    changed[0 if name is NamedGroup.X25519MLKEM768 else -1] ^= 1
    assert ours.shared_secret(bytes(changed)) != secret


@pytest.mark.parametrize("name", KEM, ids=str)
def test_an_encapsulation_key_out_of_range_is_refused(name: NamedGroup) -> None:
    group = GROUPS[name]
    with pytest.raises(InvalidPublicKey):
        group.respond(b"\xff" * group.client_share_length, SYSTEM_RANDOMNESS.key_pair)
    with pytest.raises(InvalidPublicKey):
        group.generate().shared_secret(bytes(group.server_share_length - 1))


def test_the_group_table_is_of_its_names() -> None:
    assert {*MONTGOMERY, *NIST, *HYBRID, *KEM, *FINITE_FIELD} == set(GROUPS)
    assert all(name == group.name for name, group in GROUPS.items())
    assert {name for name, group in GROUPS.items() if group.is_hybrid} == {*HYBRID, *KEM}


def test_a_key_pair_shows_no_private_key() -> None:
    for name, group in GROUPS.items():
        assert "private" not in repr(group), name
        if name not in FINITE_FIELD:
            private = Seeded("shown?").bytes(95)
            assert private[:16].hex() not in repr(Seeded("shown?").key_pair(group))


@pytest.mark.parametrize("name", FINITE_FIELD, ids=str)
def test_the_primes_are_rfc_7919s(name: NamedGroup) -> None:
    bits = int(name.name.removeprefix("ffdhe"))
    p = prime(bits)
    assert p.bit_length() == bits
    assert hex(p).startswith("0xffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695")
    # RFC 7919 appendices A.1 and A.2: the last eight bytes but the ones.
    tail = {2048: "886b423861285c97ffffffffffffffff", 3072: "25e41d2b66c62e37ffffffffffffffff"}[bits]
    assert hex(p).endswith(tail)
    # A safe prime, by Fermat's test to two bases.
    for number in (p, (p - 1) // 2):
        assert all(pow(base, number - 1, number) == 1 for base in (2, 3))


@pytest.mark.parametrize("name", FINITE_FIELD, ids=str)
def test_a_public_key_at_the_edge_of_a_finite_field_is_refused(name: NamedGroup) -> None:
    # RFC 7919 section 5.1: 1 < y < p - 1.
    group = GROUPS[name]
    length, p = group.client_share_length, prime(int(name.name.removeprefix("ffdhe")))
    for y in (0, 1, p - 1, p, p + 1, 2 ** (8 * length) - 1):
        with pytest.raises(InvalidPublicKey, match="not between"):
            group.generate().shared_secret(y.to_bytes(length, "big"))


def test_a_finite_fields_shared_secret_is_as_long_as_the_prime() -> None:
    # RFC 8446 section 7.4.1: leading zeros stay.
    one, two = GROUPS[NamedGroup.ffdhe2048].generate(), GROUPS[NamedGroup.ffdhe2048].generate()
    assert len(one.shared_secret(two.public_key)) == len(one.public_key) == 256
