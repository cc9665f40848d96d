"""The little DER that is read by hand."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from tlscope.authority import Authority
from tlscope.trust.der import DERError, children, read_serial, read_tbs_certificate

ISSUED = Authority.create("Example CA").issue_server("shop.example")
DER = ISSUED.der()[0]


def test_fields_of_a_certificate() -> None:
    fields = read_tbs_certificate(DER)
    assert fields.issuer == ISSUED.certificate.issuer.public_bytes()
    assert fields.subject == ISSUED.certificate.subject.public_bytes()
    assert int.from_bytes(read_serial(DER), "big") == ISSUED.certificate.serial_number


def test_a_certificate_of_version_1_has_no_version_field() -> None:
    (_, tbs), *_ = children(DER)
    body = DER[DER.index(tbs) :]
    assert body.startswith(bytes.fromhex("a003020102"))
    serial = read_serial(DER)
    # SEQUENCE { SEQUENCE { serial, ... } } without the version.
    inner = body[5 : 5 + 2 + len(serial)]
    v1 = b"\x30" + bytes([len(inner) + 2]) + b"\x30" + bytes([len(inner)]) + inner
    assert read_serial(v1) == serial


@pytest.mark.parametrize(
    "data",
    [b"", b"\x30", b"\x30\x05\x02", b"\x30\x80\x00\x00", b"\x30\x85\x01\x01\x01\x01\x01", b"\x31\x00", b"\x30\x00\x00"],
)
def test_what_is_not_one_sequence(data: bytes) -> None:
    with pytest.raises(DERError):
        children(data)
    for read in (read_serial, read_tbs_certificate):
        with pytest.raises(DERError):
            read(data)


def test_an_element_longer_than_its_sequence() -> None:
    with pytest.raises(DERError):
        children(b"\x30\x03\x02\x05\x00")


def test_long_lengths() -> None:
    assert children(b"\x30\x82\x01\x04\x04\x82\x01\x00" + bytes(256)) == [(0x04, bytes(256))]


@given(st.binary(max_size=200))
def test_noise_raises_nothing_else(data: bytes) -> None:
    for read in (children, read_serial, read_tbs_certificate):
        try:
            read(data)
        except DERError:
            continue


@given(cut=st.integers(0, len(DER) - 1))
def test_what_is_cut_short(cut: int) -> None:
    with pytest.raises(DERError):
        children(DER[:cut])
    with pytest.raises(ValueError):
        x509.load_der_x509_certificate(DER[:cut])
    assert ISSUED.certificate.public_bytes(Encoding.DER) == DER
