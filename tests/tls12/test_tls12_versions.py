"""Which version is spoken: negotiation, downgrades that are found out, fallback, and peers from before TLS 1.2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from memory import Pair, client_config, server_config
from puppet12 import OLD, issued, pair12

from tlscope import (
    AlertDescription,
    AlertReceived,
    ClientConnection,
    Incompatible,
    NamedGroup,
    PeerViolation,
    ProtocolVersion,
    ServerConnection,
)
from tlscope.wire import extensions as x
from tlscope.wire.codepoints import CipherSuite, ContentType
from tlscope.wire.codepoints import ExtensionType as E
from tlscope.wire.extensions import Extensions
from tlscope.wire.handshake import ClientHello, ServerHello

A = AlertDescription
V = ProtocolVersion
BOTH = {"min_version": V.TLS1_2, "groups": (NamedGroup.x25519, NamedGroup.secp256r1)}
SIGN_ONLY = {**BOTH, "max_version": V.TLS1_3}


def in_between(change: Callable[[ClientHello], ClientHello]) -> Callable[[str, bytes], bytes]:
    """A man in the middle who rewrites the ClientHello."""

    def tamper(sender: str, data: bytes) -> bytes:
        if sender == "client" and data[:1] == b"\x16" and data[5] == 1:
            raw = change(ClientHello.decode(data[9:])).encode()
            return data[:3] + len(raw).to_bytes(2, "big") + raw
        return data

    return tamper


def down_to_12(hello: ClientHello) -> ClientHello:
    return replace(hello, extensions=hello.extensions.without(E.supported_versions))


def down_to_12_by_list(hello: ClientHello) -> ClientHello:
    return replace(hello, extensions=hello.extensions.with_(x.SUPPORTED_VERSIONS((V.TLS1_2,))))


@pytest.mark.parametrize("change", [down_to_12, down_to_12_by_list])
def test_a_downgrade_by_somebody_between_is_found_out(change: Callable[[ClientHello], ClientHello]) -> None:
    pair = Pair(client_config(**BOTH), server_config(**BOTH), tamper=in_between(change)).run()
    error = pair.errors["client"]
    assert isinstance(error, PeerViolation)
    assert error.code == "downgraded"
    assert error.alert is A.illegal_parameter
    assert "the server can do TLS 1.3 and chose TLS 1.2" in str(error)
    assert isinstance(pair.errors["server"], AlertReceived)
    assert not pair.client.handshake_complete
    assert not pair.server.handshake_complete


def test_with_the_mark_wiped_out_the_signature_tells() -> None:
    """The random that carries the mark is signed, so wiping it out does not help (RFC 8446 section 4.1.3)."""

    def tamper(sender: str, data: bytes) -> bytes:
        if sender == "client":
            return in_between(down_to_12)(sender, data)
        return data.replace(b"DOWNGRD\1", bytes(8), 1)

    pair = Pair(client_config(**BOTH), server_config(**BOTH), tamper=tamper).run()
    assert isinstance(pair.errors["client"], PeerViolation)
    assert pair.errors["client"].code == "bad-certificate-verify"
    assert pair.errors["client"].evidence["message"] == "ServerKeyExchange"


@pytest.mark.parametrize("best", [V.TLS1_2, V.TLS1_3])
def test_the_mark_is_there_where_the_server_could_do_better(best: V) -> None:
    pair = pair12({}, {"max_version": best}).done()
    random = pair.sent[1][1][11:43]
    assert (random[-8:] == b"DOWNGRD\1") == (best is V.TLS1_3)


def marked(mark: bytes, version: V = V.TLS1_2) -> Any:
    def change(message: Any) -> Any:
        if type(message) is ServerHello:
            return replace(message, random=message.random[:24] + mark, legacy_version=version)
        return message

    return change


@pytest.mark.parametrize(
    ("client", "mark", "version", "code"),
    [
        (V.TLS1_3, b"DOWNGRD\1", V.TLS1_2, "downgraded"),
        (V.TLS1_3, b"DOWNGRD\0", V.TLS1_2, "downgraded"),
        (V.TLS1_3, b"DOWNGRD\0", V.TLS1_1, "downgraded"),
        (V.TLS1_2, b"DOWNGRD\0", V.TLS1_1, "downgraded"),
        (V.TLS1_2, b"DOWNGRD\0", V.TLS1_0, "downgraded"),
        (V.TLS1_2, b"DOWNGRD\1", V.TLS1_2, ""),
        (V.TLS1_2, b"DOWNGRD\0", V.TLS1_2, ""),
        (V.TLS1_3, b"DOWNGRD\2", V.TLS1_2, ""),
        (V.TLS1_3, b"DOWNGRD\2", V.TLS1_1, "no-common-version"),
    ],
)
def test_which_marks_count_for_whom(client: V, mark: bytes, version: V, code: str) -> None:
    pair = pair12({"max_version": client}, {"rewrite": marked(mark, version)}).run()
    error = pair.errors["client"]
    if not code:
        # The server has signed its own random, so this goes wrong later.
        assert isinstance(error, PeerViolation)
        assert error.code == "bad-certificate-verify"
        return
    assert getattr(error, "code", "") == code
    if code == "downgraded":
        assert str(version) in str(error)
        assert f"can do {version}" not in str(error)


# FALLBACK_SCSV (RFC 7507)


def test_a_client_that_fell_back_is_told_to_come_forward() -> None:
    pair = pair12({"fallback": True}, {"max_version": V.TLS1_3}).run()
    assert isinstance(pair.errors["server"], PeerViolation)
    assert pair.errors["server"].code == "inappropriate-fallback"
    assert isinstance(pair.errors["client"], AlertReceived)
    assert pair.errors["client"].description is A.inappropriate_fallback


def test_a_fallback_to_the_best_there_is_is_fine() -> None:
    assert pair12({"fallback": True}).done().client.handshake_complete
    both = {"fallback": True, "max_version": V.TLS1_3}
    assert pair12(both, {"max_version": V.TLS1_3}).done().client.handshake_complete


# Peers from before


def old_hello(version: int, *, suites: bytes = b"\0\x2f\0\x35", record: int = 0x0301) -> bytes:
    body = version.to_bytes(2, "big") + bytes(32) + b"\0" + len(suites).to_bytes(2, "big") + suites + b"\1\0"
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"\x16" + record.to_bytes(2, "big") + len(message).to_bytes(2, "big") + message


@pytest.mark.parametrize(
    ("version", "name"), [(0x0300, "SSL 3.0"), (0x0301, "TLS 1.0"), (0x0302, "TLS 1.1")], ids=["SSL 3.0", "1.0", "1.1"]
)
@pytest.mark.parametrize("best", [V.TLS1_2, V.TLS1_3])
def test_an_old_client_learns_what_both_sides_speak(version: int, name: str, best: V) -> None:
    server = ServerConnection(server_config(**{**OLD, "max_version": best}))
    with pytest.raises(Incompatible) as caught:
        server.receive_data(old_hello(version, record=max(version, 0x0300)))
    assert caught.value.code == "no-common-version"
    assert caught.value.alert is A.protocol_version
    assert name in str(caught.value)
    assert "TLS 1.2" in str(caught.value)
    assert ("TLS 1.3" in str(caught.value)) == (best is V.TLS1_3)
    alert = server.data_to_send()
    assert alert[0] == ContentType.alert
    assert alert[5:] == bytes((2, A.protocol_version))


def test_an_old_client_that_fell_back_is_told_so() -> None:
    # RFC 7507 section 3 allows either alert where not even the version that it fell back to is spoken; this one says why.
    server = ServerConnection(server_config(**SIGN_ONLY))
    with pytest.raises(PeerViolation) as caught:
        server.receive_data(old_hello(0x0302, suites=b"\0\x2f\x56\0"))
    assert caught.value.code == "inappropriate-fallback"
    assert "TLS 1.1" in str(caught.value)
    assert "TLS 1.3" in str(caught.value)
    assert server.data_to_send()[5:] == bytes((2, A.inappropriate_fallback))


def sslv2_hello(version: int) -> bytes:
    """RFC 5246 appendix E.2: a version 2 hello, which may ask for a newer version."""
    specs = b"\1\0\x80\0\0\x2f"
    body = b"\1" + version.to_bytes(2, "big") + len(specs).to_bytes(2, "big") + b"\0\0\0\x10" + specs + bytes(16)
    return (0x8000 | len(body)).to_bytes(2, "big") + body


@pytest.mark.parametrize("version", [0x0002, 0x0300, 0x0301, 0x0303])
def test_a_hello_of_ssl_2(version: int) -> None:
    server = ServerConnection(server_config(**SIGN_ONLY))
    with pytest.raises(PeerViolation) as caught:
        server.receive_data(sslv2_hello(version))
    assert caught.value.alert is A.protocol_version
    assert "SSLv2" in str(caught.value)
    assert "TLS 1.2" in str(caught.value)
    assert server.data_to_send()[5:] == bytes((2, A.protocol_version))


@pytest.mark.parametrize("version", [V.SSL3, V.TLS1_0, V.TLS1_1], ids=str)
@pytest.mark.parametrize("best", [V.TLS1_2, V.TLS1_3])
def test_an_old_server_is_refused(version: V, best: V) -> None:
    client = ClientConnection(client_config(**{**OLD, "max_version": best}), "localhost")
    client.start()
    hello = ServerHello(bytes(32), CipherSuite.of(0x002F), Extensions(), b"", version).encode()
    record = b"\x16" + version.to_bytes(2, "big") + len(hello).to_bytes(2, "big") + hello
    client.data_to_send()
    with pytest.raises(Incompatible) as caught:
        client.receive_data(record)
    assert caught.value.alert is A.protocol_version
    assert str(version) in str(caught.value)
    assert "TLS 1.2" in str(caught.value)
    assert client.data_to_send()[5:] == bytes((2, A.protocol_version))


# Negotiation


@pytest.mark.parametrize("client", [(V.TLS1_2, V.TLS1_2), (V.TLS1_2, V.TLS1_3), (V.TLS1_3, V.TLS1_3)], ids=str)
@pytest.mark.parametrize("server", [(V.TLS1_2, V.TLS1_2), (V.TLS1_2, V.TLS1_3), (V.TLS1_3, V.TLS1_3)], ids=str)
def test_the_newest_common_version(client: tuple[V, V], server: tuple[V, V]) -> None:
    pair = pair12(
        {"min_version": client[0], "max_version": client[1]}, {"min_version": server[0], "max_version": server[1]}
    ).run()
    common = [one for one in (V.TLS1_3, V.TLS1_2) if all(low <= one <= high for low, high in (client, server))]
    if common:
        assert not pair.errors
        assert pair.client.facts is not None
        assert pair.client.facts.version is common[0]
        return
    error = pair.errors["server"]
    assert isinstance(error, Incompatible)
    assert error.alert is A.protocol_version
    assert {str(client[1]), str(server[0])} <= {*map(str, error.ours), *map(str, error.theirs)}
    assert isinstance(pair.errors["client"], AlertReceived)
    assert pair.errors["client"].description is A.protocol_version


@pytest.mark.parametrize("version", [0x0304, 0x0305, 0x7F1C, 0xFFFF])
def test_a_legacy_version_of_the_future_means_1_2(version: int) -> None:
    # RFC 8446 section 4.2.1: without supported_versions nobody gets TLS 1.3.
    def newer(hello: ClientHello) -> ClientHello:
        return replace(down_to_12(hello), legacy_version=V.of(version))

    pair = Pair(client_config(**BOTH), server_config(**BOTH), tamper=in_between(newer)).run()
    assert isinstance(pair.errors["client"], PeerViolation)
    assert pair.errors["client"].code == "downgraded"


@pytest.mark.parametrize("selected", [V.TLS1_2, V.TLS1_1, V.of(0x0305)], ids=str)
def test_supported_versions_in_a_server_hello_says_1_3_or_nothing(selected: V) -> None:
    # RFC 8446 section 4.2.1.
    def change(message: Any) -> Any:
        if type(message) is ServerHello:
            return replace(message, extensions=message.extensions.with_(x.SELECTED_VERSION(selected)))
        return message

    pair = pair12({"max_version": V.TLS1_3}, {"rewrite": change, "identities": [issued("P-256")]}).run()
    assert isinstance(pair.errors["client"], PeerViolation)
    assert pair.errors["client"].alert is A.illegal_parameter
