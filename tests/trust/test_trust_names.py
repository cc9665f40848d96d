"""Names: what a client may ask for, and what a certificate's names cover."""

from __future__ import annotations

import ipaddress

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import given
from hypothesis import strategies as st

from tlscope.authority import Authority
from tlscope.errors import Misuse
from tlscope.trust import PeerNames, parse_server_name
from tlscope.trust.names import dns_matches, near_miss, shown


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("localhost", "localhost"),
        ("Shop.EXAMPLE", "shop.example"),
        ("shop.example.", "shop.example"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("3com.example", "3com.example"),
        ("a-b.example", "a-b.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_dns_names(given: str, text: str) -> None:
    name = parse_server_name(given)
    assert (name.text, name.address, name.sni) == (text, None, text)
    assert name.subject == x509.DNSName(text)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_addresses_have_no_place_in_server_name(given: str, text: str) -> None:
    name = parse_server_name(given)
    assert (name.text, str(name.address), name.sni) == (text, text, None)
    assert name.subject == x509.IPAddress(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "it is empty"),
        (".", "it is empty"),
        ("a..b", "a label is empty"),
        (".example", "a label is empty"),
        ("my_service", "an underscore may not stand"),
        ("-a.example", "letters, digits and inner hyphens"),
        ("a-.example", "letters, digits and inner hyphens"),
        ("*.example", "letters, digits and inner hyphens"),
        ("a b", "letters, digits and inner hyphens"),
        ("shop.example\n", "letters, digits and inner hyphens"),
        ("shop.example\0.evil.example", "letters, digits and inner hyphens"),
        ("https://shop.example", "letters, digits and inner hyphens"),
        ("localhost:8443", "letters, digits and inner hyphens"),
        ("a" * 64, "a label is 64 characters long"),
        ("a." * 127 + "ab", "it is 256 characters long"),
        ("127.0.0.256", "ends in a number"),
        ("127.0.0.01", "ends in a number"),
        ("ü" * 64, "is not a host name"),
    ],
)
def test_what_is_no_name(given: str, why: str) -> None:
    with pytest.raises(Misuse, match=why) as caught:
        parse_server_name(given)
    assert caught.value.code == "server-name"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("shop.example", "shop.example", True),
        ("SHOP.example", "shop.example", True),
        ("*.shop.example", "a.shop.example", True),
        ("*.Shop.example", "a.shop.example", True),
        ("*.shop.example", "shop.example", False),
        ("*.shop.example", "a.b.shop.example", False),
        ("*.shop.example", ".shop.example", True),  # no such name reaches this function
        ("*.example", "shop.example", False),
        ("*", "localhost", False),
        ("*.", "localhost", False),
        ("*", "*", False),
        ("s*.shop.example", "shop.shop.example", False),
        ("a.*.example", "a.b.example", False),
        ("*.*.example", "a.b.example", False),
        ("shop.example", "shop.example.evil", False),
        ("xn--*.shop.example", "xn--a.shop.example", False),
        ("", "", True),
    ],
)
def test_matching(pattern: str, name: str, fits: bool) -> None:
    assert dns_matches(pattern, name) is fits


LABELS = st.sampled_from(["a", "b", "shop", "*", "x*", "example", "com"])
PATTERNS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
NAMES = st.lists(st.sampled_from(["a", "b", "shop", "example", "com"]), min_size=1, max_size=4).map(".".join)


@given(pattern=PATTERNS, name=NAMES)
def test_nothing_fits_that_the_path_builder_would_not_take(pattern: str, name: str) -> None:
    ca = _CA
    leaf = ca.issue_server("x.test", names=(x509.DNSName(pattern),), key=_KEY)
    verifier = PolicyBuilder().store(Store([ca.root])).build_server_verifier(x509.DNSName(name))
    try:
        verifier.verify(leaf.certificate, [])
        accepted = True
    except VerificationError:
        accepted = False
    ours = dns_matches(pattern, name)
    assert not ours or accepted
    if accepted and not ours:
        assert pattern.startswith("*.")
        assert "." not in pattern[2:]  # the one thing that is stricter here: *.com


_CA = Authority.create("Example CA")
_KEY = _CA.issue_server("x.test").key


def test_names_of_a_certificate() -> None:
    issued = _CA.issue_client("Ada", "ada@corp.example", "spiffe://corp/ada", "127.0.0.1", "ada.example")
    names = PeerNames.of(issued.certificate)
    assert names == PeerNames(
        dns=("ada.example",),
        ip=("127.0.0.1",),
        uri=("spiffe://corp/ada",),
        email=("ada@corp.example",),
        common_name="Ada",
        subject="CN=Ada",
    )
    assert list(names) == ["ada.example", "127.0.0.1", "spiffe://corp/ada", "ada@corp.example"]
    assert str(names) == "ada.example"
    assert str(PeerNames.of(_CA.issue_client("Ada").certificate)) == "Ada"
    assert str(PeerNames()) == "a certificate without names"


def test_a_near_miss_is_found_among_many_names_in_bounded_time() -> None:
    many = [f"{'x' * 60}{number}.example" for number in range(10_000)]
    assert near_miss("shop.example", many) == ""
    assert near_miss("y" * 5000, many) == ""


@given(st.text(max_size=400))
def test_what_is_shown_is_printable_and_short(text: str) -> None:
    assert shown(text).isprintable()
    assert len(shown(text)) <= 200


@given(st.text(max_size=80))
def test_reading_a_name_raises_nothing_else(text: str) -> None:
    try:
        name = parse_server_name(text)
    except Misuse:
        return
    assert name.text.isascii()
    assert x509.DNSName(name.text) if name.address is None else True
