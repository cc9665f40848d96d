"""A client's certificate after the handshake, over sockets and over asyncio (RFC 8446 section 4.6.2)."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from aio_loopback import Reader, Writer, dial, hang_up, run, serving
from certificates import client_identity, stranger_identity
from loopback import PATIENCE, Task, client_settings, server_settings, stream_pair

from tlscope import (
    AlertDescription,
    AlertReceived,
    CertificateRejected,
    ChooseClientIdentity,
    ClientAuth,
    ClientConfig,
    Misuse,
    PeerViolation,
    Sign,
    TLSError,
    TLSStream,
    VerifyPeer,
)


def willing(**changes: Any) -> ClientConfig:
    return client_settings(post_handshake_auth=True, **changes)


def answering(client: TLSStream, words: int = 1) -> Task:
    """The client reads so many words, and with that answers what it is asked."""

    def read() -> list[bytes]:
        return [client.recv(100) for _ in range(words)]

    return Task(read)


class TestBlocking:
    def test_the_server_waits_for_the_answer(self) -> None:
        with stream_pair(willing()) as (client, server):
            assert server.peer is None
            reading = answering(client)
            peer = server.request_client_certificate()
            assert peer.names.dns == ("client.example",)
            assert server.peer is peer
            server.sendall(b"welcome")
            assert reading.result() == [b"welcome"]

    def test_data_that_comes_before_the_answer_is_kept(self) -> None:
        with stream_pair(willing()) as (client, server):
            client.sendall(b"said before")
            reading = answering(client)
            assert server.request_client_certificate() is not None
            assert server.recv(100) == b"said before"
            server.sendall(b"welcome")
            reading.result()

    def test_an_empty_answer(self) -> None:
        with stream_pair(willing(identity=None)) as (client, server):
            reading = answering(client)
            assert server.request_client_certificate() is None
            assert server.peer is None
            server.sendall(b"welcome")
            reading.result()

    def test_without_waiting_reading_comes_upon_it(self) -> None:
        with stream_pair(willing()) as (client, server):
            assert server.request_client_certificate(wait=False) is None
            server.sendall(b"who are you?")
            assert client.recv(100) == b"who are you?"
            client.sendall(b"as I said")
            assert server.recv(100) == b"as I said"
            assert server.peer.names.dns == ("client.example",)

    def test_another_thread_may_be_reading(self) -> None:
        with stream_pair(willing()) as (client, server):
            reading, serving = answering(client), answering(server)
            server.request_client_certificate(wait=False)
            server.sendall(b"now")
            assert reading.result() == [b"now"]
            client.sendall(b"then")
            assert serving.result() == [b"then"]
            assert server.peer is not None

    def test_a_refused_certificate(self) -> None:
        with stream_pair(
            willing(identity=stranger_identity()), server_settings(send_certificate_authorities=False)
        ) as (client, server):
            reading = answering(client)
            with pytest.raises(CertificateRejected):
                server.request_client_certificate()
            error = reading.failure()
            assert isinstance(error, AlertReceived)
            assert error.description is AlertDescription.unknown_ca

    def test_who_may_not_be_asked(self) -> None:
        with stream_pair(client_settings()) as (client, server):
            with pytest.raises(Misuse, match="post_handshake_auth"):
                server.request_client_certificate()
            with pytest.raises(Misuse, match="only a server"):
                client.request_client_certificate()
            server.sendall(b"no harm done")
            assert client.recv(100) == b"no harm done"

    def test_a_client_that_says_nothing(self) -> None:
        with stream_pair(willing()) as (_, server):
            server.settimeout(0.05)
            with pytest.raises(TimeoutError, match="no certificate within"):
                server.request_client_certificate()

    def test_a_client_that_leaves_instead(self) -> None:
        with stream_pair(willing()) as (client, server):
            client.shutdown_write()
            with pytest.raises(TLSError, match="instead of answering") as caught:
                server.request_client_certificate()
            assert caught.value.code == "no-answer"

    def test_a_client_that_talks_without_end(self) -> None:
        with stream_pair(willing()) as (client, server):
            stop = threading.Event()

            def talk() -> None:
                while not stop.is_set():
                    client.sendall(bytes(65536))
                client.shutdown_write()

            talking = Task(talk)
            with pytest.raises(TLSError, match="no answer to the request") as caught:
                server.request_client_certificate()
            assert caught.value.code == "no-answer"
            assert server.pending < 2 * 1024 * 1024
            stop.set()
            while server.recv(65536):
                pass
            talking.result()

    @pytest.mark.parametrize("kind", [ChooseClientIdentity, Sign])
    def test_the_client_takes_its_decisions_itself(self, kind: type) -> None:
        asked: list[Any] = []

        def decide(decision: Any) -> Any:
            asked.append(type(decision))
            return decision.resolve()

        with stream_pair(willing(ask=frozenset({kind})), decide=decide) as (client, server):
            assert asked == []
            reading = answering(client)
            assert server.request_client_certificate().names.dns == ("client.example",)
            server.sendall(b"welcome")
            reading.result()
        assert asked == [kind]

    def test_the_server_takes_its_decision_itself(self) -> None:
        def decide(decision: Any) -> Any:
            raise PermissionError("not this one")

        with stream_pair(willing(), server_settings(ask=frozenset({VerifyPeer})), decide=decide) as (client, server):
            reading = answering(client)
            with pytest.raises(PermissionError):
                server.request_client_certificate()
            assert isinstance(reading.failure(), AlertReceived)


async def until(something: list[Exception]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not something:
            await asyncio.sleep(0.01)


class TestAsyncio:
    def test_the_answer_is_awaited(self) -> None:
        async def ask(reader: Reader, writer: Writer) -> None:
            word = await reader.read(100)
            peer = await writer.transport.request_client_certificate()
            writer.write(word + b" " + (b"nobody" if peer is None else peer.names.dns[0].encode()))
            assert writer.get_extra_info("tlscope").peer is peer
            await hang_up(writer)

        async def main() -> None:
            for identity, name in ((client_identity(), b"client.example"), (None, b"nobody")):
                async with serving(ask) as port:
                    reader, writer = await dial(port, willing(identity=identity))
                    writer.write(b"hello")
                    assert await reader.read() == b"hello " + name
                    await hang_up(writer)

        run(main())

    def test_a_refused_certificate(self) -> None:
        errors: list[Exception] = []

        async def ask(reader: Reader, writer: Writer) -> None:
            await writer.transport.request_client_certificate()

        async def main() -> None:
            config = server_settings(send_certificate_authorities=False)
            async with serving(ask, config, on_error=lambda error, name: errors.append(error)) as port:
                reader, writer = await dial(port, willing(identity=stranger_identity()))
                with pytest.raises(AlertReceived):
                    await reader.read()
                await hang_up(writer)
                await until(errors)

        run(main())
        assert [type(error) for error in errors] == [CertificateRejected]

    def test_nobody_looks_at_the_answer(self) -> None:
        async def ask(reader: Reader, writer: Writer) -> None:
            writer.transport.request_client_certificate()
            with pytest.raises(PeerViolation):
                await reader.read()
            await hang_up(writer)

        async def main() -> None:
            config = server_settings(client_auth=ClientAuth.REQUESTED)
            async with serving(ask, config) as port:
                reader, writer = await dial(port, willing(rewrite=spoil))
                with pytest.raises(AlertReceived):
                    await reader.read()
                await hang_up(writer)

        late: list[bool] = []

        def spoil(message: Any) -> Any:
            if type(message).__name__ == "Finished":
                if late:
                    message.verify_data = bytes(len(message.verify_data))
                late.append(True)
            return message

        run(main())

    def test_a_client_that_leaves_instead(self) -> None:
        done: list[Exception] = []

        async def ask(reader: Reader, writer: Writer) -> None:
            request = writer.transport.request_client_certificate()
            writer.close()
            try:
                await asyncio.wait_for(request, PATIENCE)
            except TLSError as error:
                done.append(error)

        async def main() -> None:
            async with serving(ask) as port:
                reader, writer = await dial(port, client_settings(post_handshake_auth=True))
                await reader.read()
                await hang_up(writer)
                await until(done)

        run(main())
        assert [error.code for error in done] == ["no-answer"]

    def test_who_may_not_be_asked(self) -> None:
        async def ask(reader: Reader, writer: Writer) -> None:
            with pytest.raises(Misuse, match="post_handshake_auth"):
                writer.transport.request_client_certificate()
            writer.write(b"no harm done")
            await hang_up(writer)

        async def main() -> None:
            async with serving(ask) as port:
                reader, writer = await dial(port, client_settings())
                with pytest.raises(Misuse, match="only a server"):
                    writer.transport.request_client_certificate()
                assert await reader.read() == b"no harm done"
                await hang_up(writer)

        run(main())
