"""The modules for servers, as far as that goes without the servers; with them they are in docs/compatibility.md."""

from __future__ import annotations

import asyncio
import ssl as std
from types import SimpleNamespace
from typing import Any

import pytest

import tlscope.hypercorn
import tlscope.ssl
import tlscope.uvicorn
from tlscope import ConfigError, Misuse


@pytest.fixture
def context() -> Any:
    return tlscope.ssl.create_default_context(std.Purpose.CLIENT_AUTH)


async def app(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nobody should have come here")


@pytest.mark.parametrize("settings", [{"workers": 2}, {"reload": True}])
def test_uvicorn_runs_in_one_process(context: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="another one"):
        tlscope.uvicorn.run(app, tls=context, **settings)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"quic_bind": ["127.0.0.1:1"]}, "HTTP/3"),
        ({"ssl_enabled": True}, "set twice"),
        ({"ca_certs": "ca.pem"}, "set twice"),
        ({"verify_mode": std.CERT_REQUIRED}, "set twice"),
    ],
)
def test_hypercorn_s_settings_must_not_contradict_the_context(
    context: Any, changes: dict[str, Any], problem: str
) -> None:
    plain: dict[str, Any] = {"quic_bind": [], "ssl_enabled": False, "ca_certs": None, "verify_mode": None}
    with pytest.raises(ConfigError, match=problem):
        tlscope.hypercorn._config(SimpleNamespace(**{**plain, **changes}), app, context)


def test_a_request_whose_connection_nobody_knows_is_not_answered() -> None:
    """Not without the extension, and not as if there were no TLS."""
    one = tlscope.hypercorn._application(app)
    for kind, scheme in (("http", "https"), ("websocket", "wss")):
        with pytest.raises(Misuse, match="who the client is"):
            asyncio.run(one({"type": kind, "scheme": scheme}, None, None))  # type: ignore[arg-type]
