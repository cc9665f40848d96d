"""nginx and HAProxy in front of us and behind us: mutual, in both versions, fresh and resumed."""

from __future__ import annotations

import pytest
from proxies import GREETING, absent, proxy

from tlscope import MemorySessionCache, ProtocolVersion

cases = pytest.mark.parametrize("key", ["P-256", "RSA-2048"])
versions = pytest.mark.parametrize(
    "version", [ProtocolVersion.TLS1_3, ProtocolVersion.TLS1_2], ids=lambda version: str(version).replace(" ", "")
)


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
@versions
@cases
def test_both_ways(program: str, version: ProtocolVersion, key: str, settings, serve) -> None:
    if reason := absent(program):
        pytest.skip(reason)
    ours = serve(settings.server(version, key, mutual=True))
    server, client = settings.peer_server(version, key, mutual=True), settings.peer_client(version, key)
    with proxy(program, server, client, ours.port) as running:
        config = settings.client(version, key, sessions=MemorySessionCache())
        for resumed in (False, True):
            stream, received = running.ask_over_tls(config)
            assert received.startswith(b"HTTP/1.1 200"), received
            assert GREETING in received
            assert b"CN=client.example" in received
            assert stream.facts is not None
            assert (stream.facts.version, stream.facts.resumed) == (version, resumed)
            assert stream.facts.identity is not None
        for number in range(2):
            assert running.ask_in_plain(b"word-%d" % number).endswith(b"\r\n\r\nword-%d\n" % number)
        assert ours.ended(2) == [None, None]
        assert [facts.resumed for facts in ours.facts] == [False, True]
        for facts in ours.facts:
            assert facts.version is version
            assert facts.server_name == "localhost"
            assert facts.peer.names.dns == ("client.example",)
