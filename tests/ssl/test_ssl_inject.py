"""``inject_into_ssl`` and ``extract_from_ssl``: one class is exchanged, and everything is as it was afterwards."""

from __future__ import annotations

import asyncio
import http.client
import ssl as std
import subprocess
import sys
from collections.abc import Iterator
from textwrap import dedent
from types import ModuleType

import pytest
from contexts import Files, Handshake

import tlscope
import tlscope.ssl as ssl
from tlscope import Trace

NATIVE = std.SSLContext


@pytest.fixture(autouse=True)
def extracted() -> Iterator[None]:
    yield
    tlscope.extract_from_ssl()


def test_everything_is_restored() -> None:
    before = dict(vars(std))
    tlscope.inject_into_ssl(trace=Trace)
    assert issubclass(std.SSLContext, ssl.SSLContext)
    assert std.SSLContext.__name__ == "SSLContext"
    changed = {name for name, value in vars(std).items() if before.get(name) is not value}
    assert changed == {"SSLContext"}
    tlscope.extract_from_ssl()
    assert dict(vars(std)) == before
    assert ssl.SSLContext.default_trace is None


def test_once_for_any_number_of_times() -> None:
    for _ in range(3):
        tlscope.inject_into_ssl()
    tlscope.extract_from_ssl()
    assert std.SSLContext is NATIVE
    tlscope.extract_from_ssl()
    assert std.SSLContext is NATIVE


def test_what_others_have_put_there_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """truststore does the same: whoever came first is restored, whoever came later stays."""

    class Earlier(NATIVE):  # type: ignore[misc, valid-type]
        pass

    class Later(NATIVE):  # type: ignore[misc, valid-type]
        pass

    monkeypatch.setattr(std, "SSLContext", Earlier)
    tlscope.inject_into_ssl()
    tlscope.extract_from_ssl()
    assert std.SSLContext is Earlier
    tlscope.inject_into_ssl()
    std.SSLContext = Later  # type: ignore[misc]
    tlscope.extract_from_ssl()
    assert std.SSLContext is Later


def test_references_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    early, late = ModuleType("urllib3.util.ssl_"), ModuleType("pip._vendor.urllib3.util.ssl_")
    early.SSLContext = NATIVE  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "urllib3.util.ssl_", early)
    monkeypatch.delitem(sys.modules, "pip._vendor.urllib3.util.ssl_", raising=False)
    tlscope.inject_into_ssl()
    assert early.SSLContext is std.SSLContext  # type: ignore[attr-defined]
    late.SSLContext = std.SSLContext  # type: ignore[attr-defined] - it is imported now
    monkeypatch.setitem(sys.modules, "pip._vendor.urllib3.util.ssl_", late)
    tlscope.extract_from_ssl()
    assert early.SSLContext is late.SSLContext is NATIVE  # type: ignore[attr-defined]


def test_contexts_from_before_and_after_are_contexts(files: Files, in_memory: Handshake) -> None:
    """asyncio asks ``isinstance(context, ssl.SSLContext)``, whenever the context was made."""
    before = std.create_default_context(cafile=files.ca)
    tlscope.inject_into_ssl()
    meanwhile = std.create_default_context(cafile=files.ca)
    assert isinstance(before, std.SSLContext) and isinstance(meanwhile, std.SSLContext)
    assert isinstance(meanwhile, ssl.SSLContext) and not isinstance(before, ssl.SSLContext)
    assert isinstance(meanwhile, NATIVE)
    assert not isinstance("context", std.SSLContext)

    class Own(std.SSLContext):
        pass

    assert not isinstance(before, Own) and not isinstance(meanwhile, Own)
    assert isinstance(Own(std.PROTOCOL_TLS_CLIENT), Own)
    server = std.create_default_context(std.Purpose.CLIENT_AUTH)
    server.load_cert_chain(files.server_pem)
    assert isinstance(server, ssl.SSLContext)
    in_memory(before, server)
    tlscope.extract_from_ssl()
    in_memory(meanwhile, server)
    assert not isinstance(std.create_default_context(cafile=files.ca), ssl.SSLContext)


def test_start_tls_takes_a_context_from_before(files: Files) -> None:
    context = std.create_default_context(cafile=files.ca)
    server = std.create_default_context(std.Purpose.CLIENT_AUTH)
    server.load_cert_chain(files.server_pem)
    tlscope.inject_into_ssl()

    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.start_tls(server)
        writer.write(await reader.readline())
        writer.close()

    async def talk() -> bytes:
        listener = await asyncio.start_server(upgrade, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
        await writer.start_tls(context, server_hostname="localhost")
        writer.write(b"hello\n")
        said = await reader.readline()
        writer.close()
        listener.close()
        return said

    assert asyncio.run(asyncio.wait_for(talk(), 20)) == b"hello\n"


def test_names_taken_before() -> None:
    """A function looks the class up when it is called; a name of the class does not change."""
    from ssl import SSLContext, create_default_context

    tlscope.inject_into_ssl()
    assert isinstance(create_default_context(), ssl.SSLContext)
    assert not isinstance(SSLContext(std.PROTOCOL_TLS_CLIENT), ssl.SSLContext)
    assert isinstance(http.client.HTTPSConnection("localhost")._context, ssl.SSLContext)  # type: ignore[attr-defined]


def test_injected_before_anything_else_was_imported() -> None:
    program = """
        import sys
        assert "urllib.request" not in sys.modules
        import tlscope
        tlscope.inject_into_ssl()
        import asyncio, http.client, smtplib, ssl, urllib.request
        import tlscope.ssl
        for make in (ssl.create_default_context, ssl._create_unverified_context, ssl._create_default_https_context):
            assert isinstance(make(), tlscope.ssl.SSLContext), make
        child = "import ssl, tlscope.ssl; print(issubclass(ssl.SSLContext, tlscope.ssl.SSLContext))"
        import subprocess
        print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout.strip())
    """
    done = subprocess.run([sys.executable, "-c", dedent(program)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "False\n"), (
        done.stderr + " (a child is its own affair; tlscope run sees to it)"
    )
