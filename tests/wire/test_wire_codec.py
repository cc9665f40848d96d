"""The presentation language of RFC 8446 section 3: what is consumed, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlscope.wire import codec
from tlscope.wire.codec import DecodeError, IllegalValue, Reader

INTEGERS = {"u8": 1, "u16": 2, "u24": 3, "u32": 4}
VECTORS = {"vec8": 1, "vec16": 2, "vec24": 3}


@pytest.mark.parametrize("name", INTEGERS)
@given(data=st.data())
def test_an_integer_survives(name: str, data: st.DataObject) -> None:
    width = INTEGERS[name]
    value = data.draw(st.integers(0, 256**width - 1))
    raw = getattr(codec, name)(value)
    assert raw == value.to_bytes(width, "big")
    reader = Reader(raw + b"rest")
    assert getattr(reader, name)() == value
    assert reader.rest() == b"rest"


@pytest.mark.parametrize("name", INTEGERS)
def test_an_integer_that_does_not_fit_is_never_cut(name: str) -> None:
    with pytest.raises(OverflowError):
        getattr(codec, name)(256 ** INTEGERS[name])
    with pytest.raises(OverflowError):
        getattr(codec, name)(-1)


@pytest.mark.parametrize("name", INTEGERS)
def test_a_cut_integer_is_refused(name: str) -> None:
    for length in range(INTEGERS[name]):
        with pytest.raises(DecodeError):
            getattr(Reader(b"\1" * length), name)()


@pytest.mark.parametrize("name", VECTORS)
@given(body=st.binary(max_size=255))
def test_a_vector_survives(name: str, body: bytes) -> None:
    raw = getattr(codec, name)(body)
    assert raw == len(body).to_bytes(VECTORS[name], "big") + body
    reader = Reader(raw)
    assert getattr(reader, name)() == body
    reader.end()


@pytest.mark.parametrize("name", VECTORS)
def test_a_cut_vector_is_refused(name: str) -> None:
    raw = getattr(codec, name)(b"four")
    for length in range(len(raw)):
        with pytest.raises(DecodeError):
            getattr(Reader(raw[:length]), name)()


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_outside_its_bounds_is_refused(name: str) -> None:
    raw = getattr(codec, name)(b"four")
    assert getattr(Reader(raw), name)(4, 4) == b"four"
    for least, most in ((5, 9), (0, 3)):
        with pytest.raises(DecodeError, match=f"{least} to {most} are allowed"):
            getattr(Reader(raw), name)(least, most)


@pytest.mark.parametrize(("write", "longest"), [(codec.vec8, 0xFF), (codec.vec16, 0xFFFF), (codec.vec24, 0xFFFFFF)])
def test_a_vector_that_is_too_long_to_write_is_not_cut(write: Callable[[bytes], bytes], longest: int) -> None:
    assert len(write(bytes(longest))) > longest
    with pytest.raises(OverflowError):
        write(bytes(longest + 1))


@given(values=st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=400))
def test_lists_of_two_byte_values_survive(values: list[int]) -> None:
    body = codec.u16_list(values)
    assert Reader(codec.vec16(body)).u16s() == tuple(values)
    if len(body) <= 0xFF:
        assert Reader(codec.vec8(body)).u16s(1) == tuple(values)


def test_a_strangers_long_list_leaves_nothing_behind() -> None:
    before = len(codec._known_structs)
    for count in range(129, 400):
        assert Reader(codec.vec16(bytes(2 * count))).u16s() == (0,) * count
    assert len(codec._known_structs) == before


@pytest.mark.parametrize("raw", [b"", b"\0\0", b"\0\1a", b"\0\3abc", b"\0\2a"])
def test_a_bad_list_of_two_byte_values_is_refused(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        Reader(raw).u16s()


def test_what_is_left_over_is_refused() -> None:
    reader = Reader(b"abc")
    reader.take(2)
    assert reader.remaining == 1
    with pytest.raises(DecodeError, match="1 bytes are left over"):
        reader.end()


def test_items_of_a_vector_are_read_to_its_end() -> None:
    assert Reader(b"").each(b"\1\2\3", Reader.u8) == (1, 2, 3)
    with pytest.raises(DecodeError):
        Reader(b"").each(b"\1\2\3", Reader.u16)


def test_an_illegal_value_is_a_kind_of_decode_error() -> None:
    assert issubclass(IllegalValue, DecodeError)
    assert issubclass(DecodeError, ValueError)


@given(data=st.binary(max_size=20), calls=st.lists(st.sampled_from([*INTEGERS, *VECTORS, "u16s", "rest", "end"])))
def test_a_reader_raises_nothing_but_decode_errors(data: bytes, calls: list[str]) -> None:
    reader: Any = Reader(data)
    for call in calls:
        before = reader.remaining
        try:
            getattr(reader, call)()
        except DecodeError:
            return
        assert 0 <= reader.remaining <= before
