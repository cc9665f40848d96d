"""Streams over anyio, on asyncio and on trio: data, attributes, both ends of everything."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSAttribute as TheirAttribute
from anyio.streams.tls import TLSStream as TheirStream
from anyio_loopback import BACKENDS, both, dial, read_all, run, serving, stream_pair, tcp_pair
from certificates import SERVER_NAME, client_identity, der, server_identity, stranger_identity
from loopback import MUTUAL, PATIENCE, Task, client_settings, server_settings
from loopback import read_all as read_blocking

from tlscope import (
    ClientConfig,
    ClientConnection,
    Identity,
    ProtocolVersion,
    ServerConfig,
    ServerConnection,
    Trace,
    TrustAnchors,
    connect,
)
from tlscope.anyio import ConnectionAttribute, TLSAttribute, TLSConnectable, TLSListener, TLSStream, connect_tcp
from tlscope.authority import Authority

BIG = bytes(range(256)) * 16 * 1024  # 4 MiB

pytestmark = pytest.mark.parametrize("backend", BACKENDS)


def only(version: ProtocolVersion) -> dict[str, Any]:
    return {"min_version": version, "max_version": version}


class TestData:
    @pytest.mark.parametrize("version", [ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3], ids=str)
    def test_both_directions_at_once(self, backend: str, version: ProtocolVersion) -> None:
        async def main() -> None:
            async with serving(config=server_settings(**only(version), **MUTUAL)) as port:
                stream = await dial(port, client_settings(**only(version)))

                async def send() -> None:
                    for start in range(0, len(BIG), 100_000):
                        await stream.send(BIG[start : start + 100_000])
                    await stream.send_eof()

                async with anyio.create_task_group() as group:
                    group.start_soon(send)
                    data = await read_all(stream)
                assert hashlib.sha256(data).digest() == hashlib.sha256(BIG).digest()
                await stream.aclose()

        run(backend, main)

    def test_short_reads_and_what_anyio_builds_on_streams(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            await left.send(b"")
            await left.send(bytearray(b"one\ntwo\n"))
            await left.send(memoryview(b"rest"))
            assert await right.receive(2) == b"on"
            assert await right.receive(1) == b"e"
            buffered = BufferedByteReceiveStream(right)
            assert await buffered.receive_until(b"\n", 100) == b""
            assert await buffered.receive_until(b"\n", 100) == b"two"
            assert await buffered.receive_exactly(4) == b"rest"
            with pytest.raises(ValueError, match="positive"):
                await right.receive(0)
            await both(left.aclose, right.aclose)

        run(backend, main)

    def test_half_close(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            await left.send(b"question")
            await left.send_eof()
            await left.send_eof()
            assert await read_all(right) == b"question"
            with pytest.raises(anyio.EndOfStream):
                await right.receive()
            await right.send(b"answer")
            await right.aclose()
            assert await read_all(left) == b"answer"
            await left.aclose()

        run(backend, main)

    def test_a_blocking_client(self, backend: str) -> None:
        def client(port: int) -> bytes:
            with connect("127.0.0.1", port, client_settings(), server_name=SERVER_NAME, timeout=PATIENCE) as stream:
                sending = Task(lambda: (stream.sendall(BIG), stream.shutdown_write()))
                data = read_blocking(stream)
                sending.result()
            return data

        async def main() -> None:
            async with serving() as port:
                assert await anyio.to_thread.run_sync(client, port) == BIG

        run(backend, main)

    def test_many_clients_at_once(self, backend: str) -> None:
        async def ask(port: int, number: int) -> None:
            async with await dial(port) as stream:
                await stream.send(bytes([number]) * 10_000)
                await stream.send_eof()
                assert await read_all(stream) == bytes([number]) * 10_000

        async def main() -> None:
            async with serving(config=server_settings(**MUTUAL)) as port, anyio.create_task_group() as group:
                for number in range(20):
                    group.start_soon(ask, port, number)

        run(backend, main)

    def test_tls_in_tls(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            inner = await both(
                lambda: TLSStream.wrap(left, client_settings(), server_name=SERVER_NAME),
                lambda: TLSStream.wrap(right, server_settings()),
            )
            await inner[0].send(b"twice")
            await inner[0].send_eof()
            assert await read_all(inner[1]) == b"twice"
            await both(inner[0].aclose, inner[1].aclose)

        run(backend, main)

    def test_early_data(self, backend: str) -> None:
        heard: list[tuple[bytes, bytes]] = []

        async def handler(stream: TLSStream) -> None:
            async with stream:
                await stream.send(b"answer")
                heard.append((stream.extra(ConnectionAttribute.early_data), await read_all(stream)))

        async def main() -> None:
            config = client_settings(early_data=True)
            async with serving(handler, server_settings(max_early_data=16384)) as port:
                for _ in range(2):
                    async with await dial(port, config, early_data=b"first words") as stream:
                        await stream.send(b", and more")
                        await stream.send_eof()
                        assert await read_all(stream) == b"answer"

        run(backend, main)
        assert heard == [(b"", b"first words, and more"), (b"first words", b", and more")]


class TestAttributes:
    @pytest.mark.parametrize("version", [ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3], ids=str)
    def test_anyio_s_and_ours(self, backend: str, version: ProtocolVersion) -> None:
        trace = Trace()

        async def main() -> None:
            ours, theirs = await tcp_pair()
            left, right = await both(
                lambda: TLSStream.wrap(
                    ours, client_settings(alpn=["h2"], **only(version)), server_name=SERVER_NAME, trace=trace
                ),
                lambda: TLSStream.wrap(theirs, server_settings(alpn=["h2"], **MUTUAL), standard_compatible=False),
            )
            cipher = (
                ("TLS_AES_128_GCM_SHA256", "TLSv1.3", 128)
                if version is ProtocolVersion.TLS1_3
                else ("ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2", 128)
            )
            shown = {left: der(client_identity().certificates[0]), right: der(server_identity().certificates[0])}
            for stream, other in ((left, right), (right, left)):
                assert stream.extra(TLSAttribute.alpn_protocol) == "h2"
                assert stream.extra(TLSAttribute.cipher) == cipher
                assert stream.extra(TLSAttribute.tls_version) == cipher[1]
                assert stream.extra(TLSAttribute.peer_certificate_binary) == shown[other]
                assert stream.extra(TLSAttribute.server_side) is (stream is right)
                assert stream.extra(TLSAttribute.standard_compatible) is (stream is left)
                assert stream.extra(TLSAttribute.ssl_object, None) is None
                facts = stream.extra(ConnectionAttribute.facts)
                assert facts.version is version
                peer = stream.extra(ConnectionAttribute.peer)
                assert peer is not None
                assert peer.path[0] == shown[other]
                assert stream.extra(ConnectionAttribute.early_data) == b""
                assert stream.extra(anyio.abc.SocketAttribute.remote_address)[0] == "127.0.0.1"
            assert ("DNS", SERVER_NAME) in left.extra(TLSAttribute.peer_certificate)["subjectAltName"]  # type: ignore[index]
            assert left.extra(TLSAttribute.shared_ciphers) is None
            shared = right.extra(TLSAttribute.shared_ciphers)
            assert shared is not None
            assert cipher in shared
            assert len(shared) > 2
            assert isinstance(left.extra(ConnectionAttribute.connection), ClientConnection)
            assert isinstance(right.extra(ConnectionAttribute.connection), ServerConnection)
            assert left.extra(ConnectionAttribute.trace) is trace
            assert right.extra(ConnectionAttribute.trace) is None
            binding = left.extra(TLSAttribute.channel_binding_tls_unique, None)
            if version is ProtocolVersion.TLS1_2:
                assert binding == right.extra(TLSAttribute.channel_binding_tls_unique)
                assert len(binding or b"") == 12
            else:
                assert binding is None
                with pytest.raises(anyio.TypedAttributeLookupError):
                    left.extra(TLSAttribute.channel_binding_tls_unique)
            await both(left.aclose, right.aclose)

        run(backend, main)
        assert len(trace) > 10

    def test_every_attribute_of_anyio_s_is_answered_for(self, backend: str) -> None:
        without = {"ssl_object"}  # there is none
        names = {name for name in vars(TheirAttribute) if not name.startswith("_")}

        async def main() -> None:
            left, right = await stream_pair(client_settings(**only(ProtocolVersion.TLS1_2)))
            found = {name for name in names if getattr(TheirAttribute, name) in left.extra_attributes}
            assert found == names - without
            await both(left.aclose, right.aclose)

        run(backend, main)

    def test_without_a_certificate(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair(client_settings(insecure_skip_verification=True, trust=None))
            assert right.extra(TLSAttribute.peer_certificate) is None
            assert right.extra(TLSAttribute.peer_certificate_binary) is None
            # Nobody verified it, so nothing is said of it, as with the standard library.
            assert left.extra(TLSAttribute.peer_certificate) == {}
            assert left.extra(TLSAttribute.peer_certificate_binary) == der(server_identity().certificates[0])
            assert repr(left) == "<TLSStream client connected>"
            await both(left.aclose, right.aclose)
            assert repr(left) == "<TLSStream client closed>"

        run(backend, main)

    def test_of_a_refused_client_nothing_is_said(self, backend: str) -> None:
        async def main() -> None:
            refusing = server_settings(**MUTUAL, report_refused_clients=True, send_certificate_authorities=False)
            left, right = await stream_pair(client_settings(identity=stranger_identity()), refusing)
            assert right.extra(TLSAttribute.peer_certificate) is None
            assert right.extra(TLSAttribute.peer_certificate_binary) is None
            assert right.extra(ConnectionAttribute.peer) is None
            assert right.extra(ConnectionAttribute.facts).refusal is not None
            await both(left.aclose, right.aclose)

        run(backend, main)


class TestWaysToConnect:
    def test_a_listener(self, backend: str) -> None:
        async def main() -> None:
            tcp = await anyio.create_tcp_listener(local_host="127.0.0.1")
            listener = TLSListener(tcp, server_settings(), standard_compatible=False)
            assert listener.extra(TLSAttribute.standard_compatible) is False
            assert listener.extra(anyio.abc.SocketAttribute.local_port) > 0
            seen: list[bool] = []

            async def handler(stream: TLSStream) -> None:
                seen.append(stream.extra(TLSAttribute.standard_compatible))
                await stream.aclose()

            async with listener, anyio.create_task_group() as group:
                group.start_soon(listener.serve, handler)
                stream = await dial(listener.extra(anyio.abc.SocketAttribute.local_port))
                assert await read_all(stream) == b""
                await stream.aclose()
                group.cancel_scope.cancel()
            assert seen == [False]

        run(backend, main)

    def test_a_connectable(self, backend: str) -> None:
        async def main() -> None:
            async with serving() as port:
                way = TLSConnectable(
                    anyio.as_connectable(("127.0.0.1", port)), client_settings(), server_name=SERVER_NAME
                )
                async with await way.connect() as stream:
                    await stream.send(b"x")
                    assert await stream.receive() == b"x"

        run(backend, main)

    def test_the_name_is_the_host_s_where_none_is_given(self, backend: str) -> None:
        authority = Authority.create()
        issued = authority.issue_server("127.0.0.1")
        config = ServerConfig(identities=[Identity.from_pem(issued.pem() + issued.key_pem())])

        async def main() -> None:
            async with serving(config=config) as port:
                trust = TrustAnchors.from_pem(authority.pem())
                async with await connect_tcp("127.0.0.1", port, ClientConfig(trust=trust)) as stream:
                    assert stream.extra(ConnectionAttribute.facts).server_name == "127.0.0.1"

        run(backend, main)


@pytest.mark.interop
@pytest.mark.parametrize("ours", ["client", "server"])
def test_a_peer_on_anyio_s_own_tls(backend: str, ours: str, tmp_path: Path) -> None:
    authority = Authority.create()
    issued = authority.issue_server(SERVER_NAME)
    (tmp_path / "server.pem").write_bytes(issued.pem() + issued.key_pem())
    if ours == "client":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "server.pem")
    else:
        context = ssl.create_default_context(cadata=authority.pem().decode())

    async def main() -> None:
        client, server = await tcp_pair()
        if ours == "client":
            config = ClientConfig(trust=TrustAnchors.from_pem(authority.pem()))
            pair = await both(
                lambda: TLSStream.wrap(client, config, server_name=SERVER_NAME),
                lambda: TheirStream.wrap(server, server_side=True, ssl_context=context),
            )
        else:
            serving_with = ServerConfig(identities=[Identity.from_files(tmp_path / "server.pem")])
            pair = await both(
                lambda: TLSStream.wrap(server, serving_with),
                lambda: TheirStream.wrap(client, hostname=SERVER_NAME, ssl_context=context),
            )
        mine, other = pair
        for name in ("alpn_protocol", "cipher", "tls_version", "standard_compatible"):
            attribute = getattr(TLSAttribute, name)
            assert mine.extra(attribute) == other.extra(attribute)
        for one, two in ((mine, other), (other, mine)):
            await one.send(b"line\n")
            assert await two.receive() == b"line\n"
        assert await both(mine.aclose, other.aclose) == [None, None]

    run(backend, main)


class TestAfterTheHandshake:
    def test_new_keys(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            await left.update_keys(request_peer=True)
            await left.send(b"with new keys")
            assert await right.receive() == b"with new keys"
            # The answer goes out before the other side waits, though it has nothing to say itself.
            with anyio.move_on_after(0.05):
                await right.receive()
            await right.send(b"too")
            assert await left.receive() == b"too"
            await both(left.aclose, right.aclose)

        run(backend, main)

    def test_a_client_s_certificate(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair(client_settings(post_handshake_auth=True))
            await left.send(b"before")
            peer, _ = await both(right.request_client_certificate, lambda: listen(left))
            assert peer.names.dns == ("client.example",)
            assert right.extra(ConnectionAttribute.peer) is peer
            assert await right.receive() == b"before"
            await both(left.aclose, right.aclose)

        async def listen(stream: TLSStream) -> None:
            with anyio.move_on_after(0.5):
                await stream.receive()

        run(backend, main)
