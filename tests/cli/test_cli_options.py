"""How the values of options are read."""

from __future__ import annotations

import pytest

from tlscope import ConfigError, NamedGroup, ProtocolVersion
from tlscope.cli.connect import _unescaped
from tlscope.cli.options import Address, parse_address, parse_alpn, parse_groups, versions


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("example.org", "example.org", 443),
        ("example.org:8443", "example.org", 8443),
        ("127.0.0.1:1", "127.0.0.1", 1),
        ("[::1]", "::1", 443),
        ("[::1]:8443", "::1", 8443),
        ("::1", "::1", 443),
        ("2001:db8::1:2", "2001:db8::1:2", 443),
        ("[fe80::1%eth0]:65535", "fe80::1%eth0", 65535),
        (" example.org:0 ", "example.org", 0),
    ],
)
def test_an_address(text: str, host: str, port: int) -> None:
    assert parse_address(text, port=443) == Address(host, port)


@pytest.mark.parametrize(("text", "host", "port"), [("8443", "h", 8443), (":1", "h", 1), ("0", "h", 0), ("x", "x", 9)])
def test_an_address_to_listen_on(text: str, host: str, port: int) -> None:
    assert parse_address(text, host="h", port=9) == Address(host, port)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "host is missing"),
        (":443", "host is missing"),
        ("example.org:", "a port is a number"),
        ("example.org:https", "a port is a number"),
        ("example.org:65536", "a port is a number"),
        ("example.org:-1", "a port is a number"),
        ("example.org:٤٤٣", "a port is a number"),
        ("example.org:" + "9" * 5000, "a port is a number"),
        ("[::1", "written [::1]"),
        ("[::1]443", "written [::1]"),
        ("[localhost]:443", "no IPv6 address"),
        ("1:2:3", "no IPv6 address"),
        ("https://example.org/path", "leave the rest away: example.org"),
        ("exa mple.org", "is no host"),
        ("user@example.org", "is no host"),
        ("example.org/path", "is no host"),
        ("evil\x1b[2J.example", "is no host"),
    ],
)
def test_no_address(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_address(text, port=443)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_an_address_is_shown_as_it_is_written() -> None:
    assert str(Address("::1", 443)) == "[::1]:443"
    assert str(Address("example.org", 443)) == "example.org:443"


@pytest.mark.parametrize("text", ["1.2", "TLS1.2", "tlsv1.2", " 1.2 "])
def test_a_version(text: str) -> None:
    assert versions(text) == {"min_version": ProtocolVersion.TLS1_2, "max_version": ProtocolVersion.TLS1_2}
    assert versions(None) == {}


def test_no_version() -> None:
    with pytest.raises(ConfigError, match="RFC 8996 ended the older ones"):
        versions("1.1")
    with pytest.raises(ConfigError, match=r"give 1\.2 or 1\.3"):
        versions("\x1b[31mnew")


def test_groups_by_any_of_their_names() -> None:
    assert parse_groups("P-256,x25519, X25519MLKEM768,prime256v1"[:-11]) == {
        "groups": (NamedGroup.secp256r1, NamedGroup.x25519, NamedGroup.X25519MLKEM768)
    }
    assert parse_groups(None) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a name is empty"),
        ("x25519,,x448", "a name is empty"),
        ("x25519,P-257", "'P-257' is no group"),
        ("MLKEM512", "is no group that tlscope speaks"),
        ("x25519,X25519", "twice"),
        ("P-256,secp256r1", "twice"),
    ],
)
def test_no_groups(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_groups(text)


def test_application_protocols() -> None:
    assert parse_alpn("h2, http/1.1") == {"alpn": ("h2", "http/1.1")}
    assert parse_alpn(None) == {}
    with pytest.raises(ConfigError, match="a name is empty"):
        parse_alpn("h2,")


def test_escapes_in_a_text_to_send() -> None:
    assert _unescaped(r"GET / HTTP/1.0\r\n\r\n") == b"GET / HTTP/1.0\r\n\r\n"
    assert _unescaped(r"\\n \x00\xff\t\0 \q ü") == b"\\n \x00\xff\t\x00 \\q " + "ü".encode()
