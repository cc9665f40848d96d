"""What a stranger's first bytes may be, and alerts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlscope.wire.alerts import Alert
from tlscope.wire.codec import DecodeError
from tlscope.wire.codepoints import AlertDescription, AlertLevel
from tlscope.wire.records import recognise


@pytest.mark.parametrize(
    ("first", "speaks"),
    [
        (b"\x16\3\1\0\5hello", "tls"),
        (b"\x15\3\3\0\2", "tls"),
        (b"\x17\3\xff\0\2", "tls"),
        (b"\x16\2\0\0\2", "unknown"),
        (b"\x18\3\3\0\2", "unknown"),
        (b"\x13\3\3\0\2", "unknown"),
        (b"GET / HTTP/1.1\r\n", "http-request"),
        (b"POST /", "http-request"),
        (b"DELETE /", "http-request"),
        (b"PRI * HTTP/2.0", "http-request"),
        (b"GETTY", "unknown"),
        (b"HTTP/1.1 400", "http"),
        (b"SSH-2.0-x", "ssh"),
        (b"220 mail", "smtp"),
        (b"220-mail", "smtp"),
        (b"2200m", "unknown"),
        (b"\x80\x2e\1\0\2", "sslv2"),
        (b"\x80\x2e\4\0\2", "unknown"),
        (b"\0\0\0\0\0", "unknown"),
    ],
)
def test_first_bytes_are_recognised(first: bytes, speaks: str) -> None:
    assert recognise(first) == speaks


@given(first=st.binary(min_size=5, max_size=20))
def test_any_first_bytes_are_something(first: bytes) -> None:
    known = {"tls", "http-request", "http", "ssh", "smtp", "sslv2", "unknown"}
    assert recognise(first) in known
    assert (recognise(first) == "tls") == (20 <= first[0] <= 23 and first[1] == 3)


@given(level=st.integers(0, 255), description=st.integers(0, 255))
def test_an_alert_survives(level: int, description: int) -> None:
    raw = bytes((level, description))
    alert = Alert.decode(raw)
    assert alert.encode() == raw
    assert alert == Alert(AlertLevel.of(level), AlertDescription.of(description))


@given(body=st.binary(max_size=10).filter(lambda body: len(body) != 2))
def test_an_alert_has_two_bytes(body: bytes) -> None:
    with pytest.raises(DecodeError, match="two bytes"):
        Alert.decode(body)
