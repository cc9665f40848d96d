"""ASGI: the TLS extension by its specification, and the 403 for a client that is refused."""

from __future__ import annotations

import asyncio
import ssl as std
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509

from tlscope.web.asgi import extended, tls_extension

HTTP = {"type": "http", "http_version": "1.1", "method": "GET", "extensions": {"http.response.trailers": {}}}
DENIAL = {"websocket.http.response": {}}


class Application:
    """Keeps the scopes that it is given."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})


def call(app: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": f"{scope['type']}.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(dict(scope), receive, send))
    return sent


@pytest.mark.parametrize("tls12", [False, True], ids=["TLS 1.3", "TLS 1.2"])
def test_all_that_the_specification_names_is_there(connect: Any, shop: Any, tls12: bool) -> None:
    app = Application()
    sent = call(extended(app, connect(shop.client, tls12=tls12)), HTTP)
    assert sent[0]["status"] == 200
    (scope,) = app.scopes
    assert set(scope["extensions"]) == {"http.response.trailers", "tls"}
    tls = scope["extensions"]["tls"]
    assert set(tls) == {
        "server_cert",
        "client_cert_chain",
        "client_cert_name",
        "client_cert_error",
        "tls_version",
        "cipher_suite",
    }
    assert shop.server.pem().decode().startswith(tls["server_cert"])
    # OpenSSL sends the authority's certificate along, which it trusts itself.
    first, *_ = tls["client_cert_chain"]
    assert shop.client.pem().decode().startswith(first)
    leaf = x509.load_pem_x509_certificate(first.encode())
    assert tls["client_cert_name"] == leaf.subject.rfc4514_string()
    assert tls["client_cert_error"] is None
    assert tls["tls_version"] == (0x0303 if tls12 else 0x0304)
    assert tls["cipher_suite"] in ((0xC02B, 0xC02C, 0xCCA9) if tls12 else (0x1301, 0x1302, 0x1303))


def test_a_client_that_need_not_show_anything_has_nothing(connect: Any) -> None:
    tls = tls_extension(connect(None, optional=True).connection)
    assert (tls["client_cert_chain"], tls["client_cert_name"], tls["client_cert_error"]) == ([], None, None)


def test_a_name_that_can_not_be_read_is_none(connect: Any, shop: Any) -> None:
    """What a refused client shows may be anything, and must not break the server."""
    tls = connect(shop.stranger, "answer")
    facts = tls.connection.facts
    leaf = shop.stranger.der()[0].replace(b"mallory", b"\xff\xfe\xfdlory")
    connection: Any = SimpleNamespace(facts=replace(facts, peer_chain=(leaf,)))
    told = tls_extension(connection)
    assert told["client_cert_name"] is None
    assert told["client_cert_error"]


def test_before_the_handshake_there_is_nothing_to_tell(shop: Any) -> None:
    import tlscope.ssl

    context: Any = tlscope.ssl.create_default_context(std.Purpose.CLIENT_AUTH)
    context.load_identity(shop.server.identity())
    tls = context.wrap_bio(std.MemoryBIO(), std.MemoryBIO(), server_side=True)
    with pytest.raises(ValueError, match="not done yet"):
        tls_extension(tls.connection)
    with pytest.raises(ValueError, match="not done yet"):
        extended(Application(), tls)


def test_what_one_request_changes_no_other_sees(connect: Any, shop: Any) -> None:
    app = Application()
    one = extended(app, connect(shop.client))
    call(one, HTTP)
    app.scopes[0]["extensions"]["tls"]["client_cert_chain"].clear()
    app.scopes[0]["extensions"]["tls"]["client_cert_name"] = "CN=root"
    call(one, {**HTTP, "extensions": None})
    tls = app.scopes[1]["extensions"]["tls"]
    assert tls["client_cert_chain"] and tls["client_cert_name"] != "CN=root"


@pytest.mark.parametrize("shows", [False, True], ids=["missing", "untrusted"])
class TestRefused:
    def refused(self, connect: Any, shop: Any, shows: bool, by: str) -> tuple[Application, Any]:
        app = Application()
        return app, extended(app, connect(shop.stranger if shows else None, by))

    def reason(self, shows: bool) -> str:
        return "which is not in what this server trusts" if shows else "required here, and sent none"

    def test_the_answer_is_403_with_the_reason(self, connect: Any, shop: Any, shows: bool) -> None:
        app, one = self.refused(connect, shop, shows, "answer")
        start, body = call(one, HTTP)
        assert start["status"] == 403
        headers = dict(start["headers"])
        assert headers[b"content-type"] == b"text/plain; charset=utf-8"
        assert int(headers[b"content-length"]) == len(body["body"])
        assert self.reason(shows) in body["body"].decode()
        assert str(shop.directory) not in body["body"].decode()
        assert app.scopes == []

    def test_head_has_no_body(self, connect: Any, shop: Any, shows: bool) -> None:
        _, one = self.refused(connect, shop, shows, "answer")
        _, body = call(one, {**HTTP, "method": "HEAD"})
        assert body["body"] == b""

    def test_a_websocket_is_denied(self, connect: Any, shop: Any, shows: bool) -> None:
        app, one = self.refused(connect, shop, shows, "answer")
        (closed,) = call(one, {"type": "websocket", "extensions": {}})
        assert (closed["type"], closed["code"]) == ("websocket.close", 1008)
        start, body = call(one, {"type": "websocket", "extensions": DENIAL})
        assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
        assert self.reason(shows) in body["body"].decode()
        assert app.scopes == []

    def test_the_lifespan_is_nobody_s(self, connect: Any, shop: Any, shows: bool) -> None:
        app, one = self.refused(connect, shop, shows, "answer")
        call(one, {"type": "lifespan"})
        assert app.scopes == [{"type": "lifespan"}]

    def test_the_application_is_told(self, connect: Any, shop: Any, shows: bool) -> None:
        app, one = self.refused(connect, shop, shows, "application")
        call(one, HTTP)
        tls = app.scopes[0]["extensions"]["tls"]
        assert self.reason(shows) in tls["client_cert_error"]
        assert len(tls["client_cert_chain"]) == int(shows)
        assert bool(tls["client_cert_name"]) is shows


def test_a_name_of_the_client_s_choice_does_no_harm(connect: Any, shop: Any) -> None:
    from tlscope.authority import Authority

    stranger = Authority.create("Line\x1b[2J\r\nSet-Cookie: x").issue_client("mallory")
    _, body = call(extended(Application(), connect(stranger, "answer")), HTTP)
    assert body["body"].count(b"\n") == 1 and b"\x1b" not in body["body"] and b"\r" not in body["body"]
