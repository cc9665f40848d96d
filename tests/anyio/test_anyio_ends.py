"""Streams over anyio: refusals, cuts, closing, and tasks in each other's way."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import anyio
import anyio.abc
import pytest
from anyio_loopback import BACKENDS, both, dial, read_all, run, serving, stream_pair, tcp_pair
from certificates import SERVER_NAME, stranger, stranger_identity
from loopback import MUTUAL, client_settings, reset, server_settings
from loopback import tcp_pair as socket_pair

from tlscope import (
    AlertReceived,
    CertificateRejected,
    HandshakeTimeout,
    Misuse,
    PeerViolation,
    ProtocolVersion,
    TLSError,
    TruncatedStream,
    TrustAnchors,
    VerifyPeer,
)
from tlscope.anyio import TLSConnectable, TLSStream, connect_tcp

pytestmark = pytest.mark.parametrize("backend", BACKENDS)


def distrustful(**changes: Any) -> Any:
    return client_settings(trust=TrustAnchors.from_certificates([stranger().certificate]), **changes)


class TestRefusals:
    def test_both_sides_learn_why(self, backend: str) -> None:
        """tlscope's errors, explained, which are what programs on anyio look for as well; and nobody goes on in the open."""

        async def main() -> None:
            ours, theirs = await tcp_pair()
            left, right = await both(
                lambda: TLSStream.wrap(ours, distrustful(), server_name=SERVER_NAME),
                lambda: TLSStream.wrap(theirs, server_settings()),
            )
            assert isinstance(left, CertificateRejected)
            assert isinstance(left, anyio.BrokenResourceError)
            assert left.code == "unknown-ca"
            assert "on the server's Certificate" in str(left)
            assert "judge     this side, the client" in str(left.explain())
            assert isinstance(right, AlertReceived)
            assert isinstance(right, anyio.BrokenResourceError)
            for stream in (ours, theirs):
                with pytest.raises(anyio.ClosedResourceError):
                    await stream.send(b"PASS secret")

        run(backend, main)

    def test_a_refusal_that_comes_after_the_client_s_handshake(self, backend: str) -> None:
        async def main() -> None:
            ours, theirs = await tcp_pair()
            left, right = await both(
                lambda: TLSStream.wrap(ours, client_settings(identity=stranger_identity()), server_name=SERVER_NAME),
                lambda: TLSStream.wrap(theirs, server_settings(**MUTUAL)),
            )
            assert isinstance(right, PeerViolation)
            with pytest.raises(AlertReceived, match="certificate_required") as caught:
                await left.receive()
            assert isinstance(caught.value, anyio.BrokenResourceError)
            with pytest.raises(AlertReceived):
                await left.send(b"too late")
            await left.aclose()

        run(backend, main)

    def test_a_sender_is_told_of_the_alert_and_not_of_a_broken_pipe(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            right.connection.abort()
            await right.transport_stream.send(right.connection.data_to_send())
            await right.transport_stream.aclose()
            results: list[Any] = []

            async def receive() -> None:
                results.extend(await both(left.receive))

            async with anyio.create_task_group() as group:
                # asyncio closes a socket that can't be written to, so there an alert is heard by who receives meanwhile.
                if backend == "asyncio":
                    group.start_soon(receive)
                with pytest.raises(AlertReceived, match="internal_error"):
                    for _ in range(100):
                        await left.send(bytes(65536))
                        await anyio.sleep(0.005)
            await left.aclose()
            assert all(isinstance(result, AlertReceived) for result in results)

        run(backend, main)

    def test_a_listener_tells_of_failures_and_serves_on(self, backend: str, caplog: pytest.LogCaptureFixture) -> None:
        told: list[tuple[Exception, Any]] = []

        async def main(**options: Any) -> None:
            async with serving(**options) as port:
                with pytest.raises(CertificateRejected):
                    await dial(port, distrustful())
                async with await dial(port) as stream:
                    await stream.send(b"x")
                    assert await stream.receive() == b"x"

        with caplog.at_level(logging.INFO, "tlscope.io"):
            run(backend, main)
        assert len(caplog.messages) == 1
        assert "the client refused our certificate" in caplog.messages[0]
        run(backend, lambda: main(on_error=lambda error, peer: told.append((error, peer))))
        ((error, peer),) = told
        assert isinstance(error, AlertReceived)
        assert peer[0] == "127.0.0.1"

    def test_a_fault_of_the_application_s_own_is_not_hidden(self, backend: str) -> None:
        class Fault(Exception):
            pass

        def decide(decision: Any) -> Any:
            raise Fault

        async def main() -> None:
            ours, theirs = await tcp_pair()
            left, right = await both(
                lambda: TLSStream.wrap(
                    ours, client_settings(ask=frozenset({VerifyPeer})), server_name=SERVER_NAME, decide=decide
                ),
                lambda: TLSStream.wrap(theirs, server_settings()),
            )
            assert isinstance(left, Fault)
            assert isinstance(right, TLSError)

        run(backend, main)

    def test_what_can_t_begin_leaves_the_stream_open(self, backend: str) -> None:
        async def main() -> None:
            ours, theirs = await tcp_pair()
            with pytest.raises(Misuse, match="without server_name"):
                await TLSStream.wrap(ours, client_settings())
            with pytest.raises(Misuse, match="a server has none"):
                await TLSStream.wrap(ours, server_settings(), server_name=SERVER_NAME)
            with pytest.raises(Misuse, match="without server_name"):
                await TLSConnectable(anyio.as_connectable(("127.0.0.1", 1)), client_settings()).connect()
            await ours.send(b"still in the open")
            assert await theirs.receive() == b"still in the open"
            await both(ours.aclose, theirs.aclose)

        run(backend, main)


class TestTime:
    def test_a_server_that_is_silent(self, backend: str) -> None:
        async def main() -> None:
            ours, theirs = await tcp_pair()
            with pytest.raises(HandshakeTimeout, match=r"the server sent no ServerHello .*within 0\.05 s") as caught:
                await TLSStream.wrap(ours, client_settings(), server_name=SERVER_NAME, handshake_timeout=0.05)
            assert isinstance(caught.value, TimeoutError)
            assert isinstance(caught.value, anyio.BrokenResourceError)
            await theirs.aclose()

        run(backend, main)

    def test_connecting_and_the_handshake_have_one_time(self, backend: str) -> None:
        async def main() -> None:
            async with await anyio.create_tcp_listener(local_host="127.0.0.1") as silent:
                port = silent.extra(anyio.abc.SocketAttribute.local_port)
                with pytest.raises(HandshakeTimeout, match=r"within 0\.05 s"):
                    await connect_tcp(
                        "127.0.0.1", port, client_settings(), server_name=SERVER_NAME, handshake_timeout=0.05
                    )

        run(backend, main)

    def test_a_client_that_is_silent_does_not_hold_up_a_listener(self, backend: str) -> None:
        told: list[Exception] = []

        async def main() -> None:
            heard = anyio.Event()

            def on_error(error: Exception, peername: Any) -> None:
                told.append(error)
                heard.set()

            async with serving(on_error=on_error, handshake_timeout=0.05) as port:
                silent = await anyio.connect_tcp("127.0.0.1", port)
                with pytest.raises(anyio.EndOfStream):
                    await silent.receive()
                await heard.wait()
                await silent.aclose()

        run(backend, main)
        (error,) = told
        assert isinstance(error, HandshakeTimeout)
        assert "the client sent no ClientHello" in str(error)

    def test_the_caller_s_own_scope(self, backend: str) -> None:
        async def main() -> None:
            ours, theirs = await tcp_pair()
            with pytest.raises(TimeoutError), anyio.fail_after(0.05):
                await TLSStream.wrap(ours, client_settings(), server_name=SERVER_NAME)
            with pytest.raises(anyio.ClosedResourceError):
                await ours.send(b"in the open")
            await theirs.aclose()

        run(backend, main)


class TestCuts:
    @pytest.mark.parametrize("version", [ProtocolVersion.TLS1_2, ProtocolVersion.TLS1_3], ids=str)
    def test_an_end_without_close_notify(self, backend: str, version: ProtocolVersion) -> None:
        async def main() -> None:
            left, right = await stream_pair(client_settings(min_version=version, max_version=version))
            await right.send(b"all that there")
            await right.transport_stream.aclose()
            assert await left.receive() == b"all that there"
            for _ in range(2):
                with pytest.raises(TruncatedStream) as caught:
                    await left.receive()
                assert isinstance(caught.value, anyio.BrokenResourceError)
            await left.aclose()

        run(backend, main)

    def test_the_same_where_that_is_not_compatible_with_the_standard(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair(standard_compatible=False)
            await right.send(b"all that there")
            await right.transport_stream.aclose()
            assert await read_all(left) == b"all that there"
            await left.aclose()

        run(backend, main)

    @pytest.mark.parametrize("standard_compatible", [True, False])
    def test_a_reset_is_never_an_end(self, backend: str, standard_compatible: bool) -> None:
        async def main() -> None:
            ours, theirs = socket_pair()
            below = await anyio.abc.SocketStream.from_socket(ours)
            other = await anyio.abc.SocketStream.from_socket(theirs)
            left, right = await both(
                lambda: TLSStream.wrap(
                    below, client_settings(), server_name=SERVER_NAME, standard_compatible=standard_compatible
                ),
                lambda: TLSStream.wrap(other, server_settings()),
            )
            spare = other.extra(anyio.abc.SocketAttribute.raw_socket).dup()
            await right.transport_stream.aclose()
            reset(spare)
            with pytest.raises(TruncatedStream) as caught:
                await left.receive()
            if not isinstance(caught.value.__cause__, anyio.BrokenResourceError):
                assert standard_compatible  # the end overtook the reset
            await left.aclose()

        run(backend, main)

    def test_in_the_middle_of_the_handshake(self, backend: str) -> None:
        async def main() -> None:
            ours, theirs = await tcp_pair()
            await theirs.aclose()
            with pytest.raises(TruncatedStream, match="closed the connection after the ClientHello") as caught:
                await TLSStream.wrap(ours, client_settings(), server_name=SERVER_NAME, standard_compatible=False)
            assert isinstance(caught.value, anyio.BrokenResourceError)

        run(backend, main)


class TestClosing:
    def test_it_says_close_notify(self, backend: str) -> None:
        async def main() -> None:
            for standard_compatible in (True, False):
                left, right = await stream_pair(standard_compatible=standard_compatible)
                await left.send(b"last words")
                await both(left.aclose, lambda: expect(right, b"last words"))  # noqa: B023 - called at once
                await left.aclose()
                await right.aclose()

        async def expect(stream: TLSStream, data: bytes) -> None:
            assert await read_all(stream) == data

        run(backend, main)

    def test_nothing_can_be_done_with_a_closed_stream(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            await right.send(b"unread")
            await both(left.aclose, right.aclose)
            for attempt in (left.receive, lambda: left.send(b"x"), left.update_keys):
                with pytest.raises(anyio.ClosedResourceError):
                    await attempt()

        run(backend, main)

    def test_nothing_can_be_sent_after_send_eof(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            await left.send_eof()
            with pytest.raises(Misuse, match="after send_eof") as caught:
                await left.send(b"more")
            assert isinstance(caught.value, anyio.ClosedResourceError)
            await both(left.aclose, right.aclose)

        run(backend, main)

    def test_a_peer_that_does_not_end_is_waited_for_half_a_second(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            began = anyio.current_time()
            await left.aclose()
            assert 0.4 < anyio.current_time() - began < 5
            await right.aclose()

        run(backend, main)

    def test_cancelled_it_closes_at_once(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            await anyio.aclose_forcefully(left)
            with pytest.raises(anyio.ClosedResourceError):
                await left.transport_stream.send(b"in the open")
            with pytest.raises(TruncatedStream):
                await right.receive()
            await right.aclose()

        run(backend, main)

    def test_a_task_that_receives_is_told(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            results: list[Any] = []

            async def receive() -> None:
                results.append(await both(left.receive))

            async with anyio.create_task_group() as group:
                group.start_soon(receive)
                await anyio.sleep(0.02)
                await left.aclose()
            assert isinstance(results[0][0], anyio.ClosedResourceError)
            await right.aclose()

        run(backend, main)

    def test_a_task_that_sends_is_told_and_its_peer_too(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            results: list[Any] = []

            async def flood() -> None:
                results.append(await both(lambda: left.send(bytes(64 << 20))))

            async with anyio.create_task_group() as group:
                group.start_soon(flood)
                await anyio.sleep(0.1)
                await left.aclose()
            assert isinstance(results[0][0], anyio.ClosedResourceError)
            with pytest.raises(TruncatedStream):
                await read_all(right)
            await right.aclose()

        run(backend, main)


class Stuck(anyio.abc.ByteStream):
    """A stream with a peer that does not read."""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        raise NotImplementedError

    async def send(self, item: bytes) -> None:
        await anyio.sleep_forever()

    async def send_eof(self) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


class TestTasks:
    def test_one_receives_and_one_sends(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            async with anyio.create_task_group() as group:
                group.start_soon(left.receive)
                await anyio.sleep(0.02)
                with pytest.raises(anyio.BusyResourceError):
                    await left.receive()
                group.start_soon(left.send, bytes(64 << 20))
                await anyio.sleep(0.02)
                for attempt in (lambda: left.send(b"x"), left.send_eof, left.update_keys):
                    with pytest.raises(anyio.BusyResourceError):
                        await attempt()
                group.cancel_scope.cancel()
            await anyio.aclose_forcefully(left)
            await anyio.aclose_forcefully(right)

        run(backend, main)

    def test_a_receiver_that_is_cancelled_loses_nothing(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            for _ in range(3):
                with anyio.move_on_after(0.01):
                    await left.receive()
            await right.send(b"whole")
            assert await left.receive() == b"whole"
            await both(left.aclose, right.aclose)

        run(backend, main)

    def test_a_sender_that_is_cancelled_can_t_go_on(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            below, left.transport_stream = left.transport_stream, Stuck()
            with anyio.move_on_after(0.02):
                await left.send(b"who knows how much of this went out")
            left.transport_stream = below
            with pytest.raises(Misuse, match="cut short") as caught:
                await left.send(b"more")
            assert isinstance(caught.value, anyio.BrokenResourceError)
            await right.send(b"the other direction is whole")
            assert await left.receive() == b"the other direction is whole"
            await left.aclose()
            with pytest.raises(TruncatedStream):
                await read_all(right)
            await right.aclose()

        run(backend, main)

    def test_a_sender_that_had_not_begun_can_go_on(self, backend: str) -> None:
        async def main() -> None:
            left, right = await stream_pair()
            with anyio.CancelScope() as scope:
                scope.cancel()
                await left.send(b"never")
            await left.send(b"instead")
            assert await right.receive() == b"instead"
            await both(left.aclose, right.aclose)

        run(backend, main)


def test_without_anyio_it_says_what_to_install(backend: str) -> None:
    program = "import sys; sys.modules['anyio'] = None; import tlscope.anyio"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert 'tlscope.anyio needs the package anyio: pip install "tlscope[anyio]"' in done.stderr
