"""PEP 748: configurations, buffers and sockets, in tlscope's names and in another module's."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pep748_words
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from loopback import PATIENCE, Task

import tlscope
from tlscope import pep748
from tlscope.authority import Authority, Issued
from tlscope.pep748 import (
    TLSCOPE_IMPLEMENTATION,
    Certificate,
    CipherSuite,
    NextProtocol,
    PrivateKey,
    SigningChain,
    TLSClientConfiguration,
    TLSServerConfiguration,
    TLSVersion,
    TrustStore,
)

NAME = "localhost"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def server_leaf(authority: Authority) -> Issued:
    return authority.issue_server(NAME)


def chain_of(issued: Issued, *, pem: bool = True) -> SigningChain:
    if pem:
        return SigningChain((Certificate.from_buffer(issued.pem()), PrivateKey.from_buffer(issued.key_pem())))
    leaf = x509.load_pem_x509_certificate(issued.pem()).public_bytes(Encoding.DER)
    return SigningChain((Certificate.from_buffer(leaf), PrivateKey.from_buffer(issued.key_pem())))


@pytest.fixture
def store(authority: Authority) -> TrustStore:
    return TrustStore.from_buffer(authority.pem())


@pytest.fixture
def contexts(server_leaf: Issued, store: TrustStore) -> Callable[..., tuple[Any, Any]]:
    def make(client: dict[str, Any] | None = None, server: dict[str, Any] | None = None) -> tuple[Any, Any]:
        ours = TLSClientConfiguration(**{"trust_store": store, **(client or {})})
        theirs = TLSServerConfiguration(**{"certificate_chain": [chain_of(server_leaf)], **(server or {})})
        return TLSCOPE_IMPLEMENTATION.client_context(ours), TLSCOPE_IMPLEMENTATION.server_context(theirs)

    return make


def carry(left: Any, right: Any) -> None:
    for one, two in ((left, right), (right, left)):
        while one.outgoing_bytes_buffered():
            two.process_incoming(one.process_outgoing(1000))


def until_done(left: Any, right: Any, call: str, words: Any = pep748) -> None:
    """Both sides' ``do_handshake`` or ``shutdown``, each as often as it takes."""
    left_to_do = [left, right]
    for _ in range(10):
        for one in list(left_to_do):
            try:
                getattr(one, call)()
                left_to_do.remove(one)
            except words.WantReadError:
                pass
            carry(left, right)
        if not left_to_do:
            return
    raise AssertionError(f"{call} did not come to an end")


def buffers(client: Any, server: Any, words: Any = pep748) -> tuple[Any, Any]:
    left, right = client.create_buffer(NAME), server.create_buffer()
    until_done(left, right, "do_handshake", words)
    return left, right


class TestBuffers:
    def test_a_conversation(self, contexts: Callable[..., tuple[Any, Any]]) -> None:
        client, server = contexts({"inner_protocols": [NextProtocol.H2]}, {"inner_protocols": [b"x", NextProtocol.H2]})
        left, right = client.create_buffer(NAME), server.create_buffer()
        assert left.cipher() is None
        assert left.negotiated_tls_version is None
        assert left.negotiated_protocol() is None
        assert left.getpeercert() is None
        with pytest.raises(pep748.WantReadError):
            left.write(b"nothing goes out in the open")
        assert b"open" not in left.process_outgoing(0)
        until_done(left, right, "do_handshake")
        assert left.context is client
        assert left.negotiated_tls_version is TLSVersion.TLSv1_3
        assert left.negotiated_protocol() is NextProtocol.H2
        assert left.cipher() == CipherSuite.TLS_AES_128_GCM_SHA256
        assert left.getpeercert() is not None
        assert right.getpeercert() is None
        assert left.connection.facts.server_name == NAME
        for one, two in ((left, right), (right, left)):
            with pytest.raises(pep748.WantReadError):
                two.read(10)
            assert one.write(memoryview(b"a message")) == 9
            carry(one, two)
            assert two.read(2) == b"a "
            into = bytearray(100)
            assert two.read(100, into) == 7
            assert into[:7] == b"message"
        until_done(left, right, "shutdown")
        assert left.read(1) == b""
        assert right.read(1, bytearray(1)) == 0
        with pytest.raises(pep748.TLSError):
            left.write(b"more")

    def test_what_was_sent_before_a_shutdown_can_be_read(self, contexts: Callable[..., tuple[Any, Any]]) -> None:
        left, right = buffers(*contexts())
        left.write(b"last")
        with pytest.raises(pep748.WantReadError):
            left.shutdown()
        carry(left, right)
        assert right.read(100) == b"last"
        assert right.read(100) == b""

    def test_both_directions_are_bounded(self, contexts: Callable[..., tuple[Any, Any]]) -> None:
        left, right = buffers(*contexts())
        data = memoryview(bytes(3 << 20))
        sent = left.write(data)
        assert sent == 1 << 20
        with pytest.raises(pep748.WantWriteError):
            left.write(data)
        flood = left.process_outgoing(2 << 20)
        right.process_incoming(flood[:1_000_000])
        waiting = right.incoming_bytes_buffered()
        with pytest.raises(pep748.WantReadError, match="full"):
            right.process_incoming(flood[1_000_000:])
        assert right.incoming_bytes_buffered() == waiting
        assert len(right.read(1 << 21)) > 0

    def test_an_end_without_close_notify(self, contexts: Callable[..., tuple[Any, Any]]) -> None:
        left, right = buffers(*contexts())
        left.write(b"part")
        carry(left, right)
        right.process_eof()
        assert right.read(100) == b"part"
        with pytest.raises(pep748.RaggedEOF):
            right.read(100)

    def test_a_refusal_is_explained_and_the_alert_is_there_to_be_sent(
        self, contexts: Callable[..., tuple[Any, Any]]
    ) -> None:
        client, server = contexts()
        left, right = client.create_buffer("example.org"), server.create_buffer()
        with pytest.raises(tlscope.CertificateRejected) as caught:
            until_done(left, right, "do_handshake")
        assert isinstance(caught.value, pep748.TLSError)
        assert caught.value.explain()
        carry(left, right)
        with pytest.raises(tlscope.AlertReceived):
            right.do_handshake()
        with pytest.raises(tlscope.CertificateRejected):
            left.write(b"x")

    def test_versions_ciphers_and_client_certificates(
        self, contexts: Callable[..., tuple[Any, Any]], authority: Authority, store: TrustStore
    ) -> None:
        issued = authority.issue_client("alice@example.test")
        _, right = buffers(
            *contexts(
                {
                    "highest_supported_version": TLSVersion.TLSv1_2,
                    "ciphers": [0x1305, 0xC02C, 0xC030],
                    "certificate_chain": chain_of(issued, pem=False),
                },
                {"trust_store": store, "lowest_supported_version": TLSVersion.MINIMUM_SUPPORTED},
            )
        )
        assert right.negotiated_tls_version is TLSVersion.TLSv1_2
        assert right.cipher() == CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        assert right.getpeercert() is not None

    def test_a_server_that_is_several(self, authority: Authority, store: TrustStore, tmp_path: Path) -> None:
        chains = []
        for name in ("one.example", "two.example"):
            issued = authority.issue_server(name)
            (tmp_path / name).write_bytes(issued.pem() + issued.key_pem())
            chains.append(SigningChain((Certificate.from_file(tmp_path / name), None)))
        server = pep748.ServerContext(TLSServerConfiguration(certificate_chain=chains))
        client = pep748.ClientContext(TLSClientConfiguration(trust_store=store))
        left, right = client.create_buffer("two.example"), server.create_buffer()
        until_done(left, right, "do_handshake")


class TestConfigurations:
    def test_they_are_immutable_equal_and_keys(self, server_leaf: Issued, store: TrustStore) -> None:
        def client() -> TLSClientConfiguration:
            return TLSClientConfiguration(chain_of(server_leaf), ciphers=[0x1301], trust_store=store)

        assert client() == client()
        assert len({client(), client()}) == 1
        assert client() != TLSClientConfiguration()
        one = TLSServerConfiguration([chain_of(server_leaf)])
        assert hash(one) == hash(TLSServerConfiguration([chain_of(server_leaf)]))
        with pytest.raises(AttributeError):
            one.trust_store = store  # type: ignore[misc]
        assert TLSClientConfiguration().inner_protocols == ()
        assert TrustStore() == TrustStore.system()
        assert TrustStore() != store
        with pytest.raises(ValueError, match="cannot be empty"):
            Certificate()
        with pytest.raises(ValueError, match="cannot be empty"):
            PrivateKey()
        assert repr(store) == "<TrustStore in memory>"

    def test_what_is_not_supported_is_refused_without_a_look_at_files(self) -> None:
        validate = TLSCOPE_IMPLEMENTATION.validate_config
        named = Certificate.from_id(b"hsm:1")
        for configuration in (
            TLSClientConfiguration(trust_store=TrustStore.from_id(b"x")),
            TLSClientConfiguration(SigningChain((named, None))),
            TLSServerConfiguration([SigningChain((Certificate.from_buffer(b"x"), PrivateKey.from_id(b"y")))]),
            TLSServerConfiguration([SigningChain((Certificate.from_buffer(b"x"), None), [named])]),
        ):
            with pytest.raises(pep748.ConfigurationError, match="by identifier"):
                validate(configuration)
        validate(TLSClientConfiguration(trust_store=TrustStore.from_file("/does/not/exist")))
        with pytest.raises(pep748.ConfigurationError, match="no configuration"):
            validate({"trust_store": None})

    def test_nothing_is_left_unverified(self) -> None:
        class InsecureConfiguration:
            disable_verification = True
            disable_hostname_check = True

        for use in (TLSCOPE_IMPLEMENTATION.validate_config, pep748.ClientContext, pep748.ServerContext):
            with pytest.raises(pep748.ConfigurationError, match="into the trust store"):
                use(InsecureConfiguration())
        assert not hasattr(TLSCOPE_IMPLEMENTATION, "insecure_client_context")
        with pytest.raises(pep748.TLSError, match="server_name"):
            pep748.ClientContext(TLSClientConfiguration()).create_buffer(None)  # type: ignore[arg-type]

    def test_what_can_t_work_is_found_when_a_context_is_made(self, server_leaf: Issued, store: TrustStore) -> None:
        chain = [chain_of(server_leaf)]
        for configuration, words in (
            (TLSClientConfiguration(trust_store=TrustStore.from_file("/does/not/exist")), "no such file"),
            (TLSClientConfiguration(trust_store=store, ciphers=[0x002F]), "no cipher suite that tlscope speaks"),
            (TLSClientConfiguration(trust_store=store, ciphers=[]), "no cipher suite that tlscope speaks"),
            (
                TLSClientConfiguration(trust_store=store, highest_supported_version=TLSVersion.MINIMUM_SUPPORTED),
                "highest_supported_version is MINIMUM_SUPPORTED",
            ),
            (TLSClientConfiguration(trust_store=store, inner_protocols=[b"\xff"]), "not UTF-8"),
            (TLSClientConfiguration(SigningChain((Certificate.from_buffer(b""), None))), "empty"),
        ):
            with pytest.raises(pep748.ConfigurationError, match=words):
                pep748.ClientContext(configuration)
        with pytest.raises(pep748.ConfigurationError):
            pep748.ServerContext(TLSServerConfiguration())
        with pytest.raises(pep748.ConfigurationError):
            pep748.ServerContext(
                TLSServerConfiguration(
                    chain,
                    lowest_supported_version=TLSVersion.TLSv1_3,
                    highest_supported_version=TLSVersion.TLSv1_2,
                )
            )

    def test_suites_of_tls_1_3_stay_where_a_list_has_none(self, contexts: Callable[..., tuple[Any, Any]]) -> None:
        left, _ = buffers(*contexts({"ciphers": [CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]}))
        assert left.negotiated_tls_version is TLSVersion.TLSv1_3


class TestNamesInCirculation:
    def test_both(self) -> None:
        assert pep748.Backend is pep748.TLSImplementation
        assert pep748.TLSCOPE_BACKEND is TLSCOPE_IMPLEMENTATION
        assert TLSCOPE_IMPLEMENTATION.client_context is pep748.ClientContext
        assert TLSCOPE_IMPLEMENTATION.server_context is pep748.ServerContext
        assert TLSCOPE_IMPLEMENTATION.validate_config is pep748.validate_config
        assert pep748.implementation() is TLSCOPE_IMPLEMENTATION

    def test_an_object_of_another_module_s_class(self) -> None:
        for name in ("Backend", "TLSImplementation"):
            module = ModuleType("another")
            setattr(module, name, pep748_words.Backend)
            made = pep748.implementation(module)
            assert type(made) is pep748_words.Backend
            assert made.client_context is pep748.ClientContext
        with pytest.raises(TypeError, match="neither"):
            pep748.implementation(ModuleType("empty"))

    def test_another_module_s_configurations_are_answered_in_its_names(
        self, authority: Authority, server_leaf: Issued
    ) -> None:
        words = pep748_words
        issued = words.SigningChain((words.Stored(server_leaf.pem()), words.Stored(server_leaf.key_pem())))
        settings = {"inner_protocols": [words.NextProtocol.H2, b"odd"]}
        trust = words.Stored(authority.pem())
        implementation = pep748.implementation(words)
        client = implementation.client_context(
            words.Configuration(trust_store=trust, highest_supported_version=words.TLSVersion.TLSv1_2, **settings)
        )
        server = implementation.server_context(words.Configuration(certificate_chain=[issued], **settings))
        left, right = buffers(client, server, words)
        assert left.negotiated_tls_version is words.TLSVersion.TLSv1_2
        assert left.negotiated_protocol() is words.NextProtocol.H2
        assert left.cipher() is words.CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        right.process_eof()
        with pytest.raises(words.RaggedEOF) as caught:
            right.read(1)
        assert isinstance(caught.value, tlscope.TruncatedStream)
        with pytest.raises(words.ConfigurationError):
            implementation.validate_config(words.Configuration(trust_store=words.Stored(id=b"x")))
        unnamed = words.Configuration(trust_store=trust, ciphers=[0x1302], inner_protocols=[b"odd"])
        left, _ = buffers(implementation.client_context(unnamed), server, words)
        assert left.cipher() == 0x1302
        assert left.negotiated_protocol() == b"odd"


def retry(words: Any, call: Callable[[], Any]) -> Any:
    """As a program on a socket that does not block comes again."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except (words.WantReadError, words.WantWriteError):
            assert time.monotonic() < end
            time.sleep(0.001)


@pytest.fixture
def listening(contexts: Callable[..., tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    client, server = contexts()
    listener = server.connect(("127.0.0.1", 0))
    listener.listen(5)
    yield client, listener
    listener.close()


def connected(client: Any, listener: Any) -> tuple[Any, Any]:
    accepting = Task(lambda: retry(pep748, listener.accept))
    left = client.connect((NAME, listener.getsockname()[1]))
    right, address = accepting.result()
    assert address[1] == left.getsockname()[1]
    return left, right


def test_a_class_that_is_derived_from_a_module_s_configuration(authority: Authority) -> None:
    class Mine(pep748_words.Configuration):
        pass

    with pytest.raises(pep748_words.ConfigurationError):
        pep748.ClientContext(Mine(trust_store=pep748_words.Stored(path="/does/not/exist")))


class TestSockets:
    def test_a_conversation(self, listening: tuple[Any, Any]) -> None:
        client, listener = listening
        with pytest.raises(pep748.WantReadError) as caught:
            listener.accept()
        assert isinstance(caught.value, BlockingIOError)
        left, right = connected(client, listener)
        assert left.context is client
        assert left.negotiated_tls_version is TLSVersion.TLSv1_3
        assert left.getpeername() == right.getsockname()
        assert left.getpeercert() is not None
        assert right.getpeercert() is None
        assert left.connection.facts.server_name == NAME
        with pytest.raises(pep748.WantReadError):
            right.recv(10)
        assert left.send(b"a message") == 9
        assert select.select([right.fileno()], [], [], PATIENCE)[0]
        assert retry(pep748, lambda: right.recv(2)) == b"a "
        assert right.recv(100) == b"message"
        with pytest.raises(pep748.WantReadError):
            left.close()
        assert retry(pep748, lambda: right.recv(1)) == b""
        right.send(b"after its end")
        assert retry(pep748, lambda: left.recv(100)) == b"after its end"
        right.close()
        retry(pep748, left.close)
        left.close(force=True)
        assert left.negotiated_tls_version is None
        assert left.cipher() is None

    def test_a_peer_that_does_not_read(self, listening: tuple[Any, Any]) -> None:
        left, right = connected(*listening)
        data = bytes(range(256)) * 256 * 40
        sent = 0
        with pytest.raises(pep748.WantWriteError):
            while True:
                sent += left.send(data[sent % 65536 :][:65536])
        with pytest.raises(pep748.TLSError, match="send the same data again"):
            left.send(b"something else")
        reading = Task(lambda: read_all(right))
        stop = sent + (1 << 20)
        while sent < stop:
            part = data[sent % 65536 :][:65536]
            sent += retry(pep748, partial(left.send, part))
        closing = Task(lambda: retry(pep748, left.close))
        received = reading.result()
        right.close()
        closing.result()
        assert len(received) == sent
        assert received == (bytes(range(256)) * (sent // 256 + 1))[:sent]

    def test_a_cut(self, listening: tuple[Any, Any]) -> None:
        left, right = connected(*listening)
        right._stream._sock.close()
        with pytest.raises(pep748.RaggedEOF):
            retry(pep748, lambda: left.recv(1))
        left.close()

    def test_force_waits_for_nobody(self, listening: tuple[Any, Any]) -> None:
        left, right = connected(*listening)
        left.close(force=True)
        assert retry(pep748, lambda: right.recv(1)) == b""
        right.close()

    def test_a_client_that_is_refused_does_not_end_the_server(
        self, listening: tuple[Any, Any], contexts: Callable[..., tuple[Any, Any]]
    ) -> None:
        client, listener = listening
        stranger = TLSClientConfiguration(trust_store=TrustStore.from_buffer(Authority.create().pem()))
        accepting = Task(lambda: retry(pep748, listener.accept))
        with pytest.raises(tlscope.CertificateRejected):
            pep748.ClientContext(stranger).connect((NAME, listener.getsockname()[1]))
        assert isinstance(accepting.failure(), tlscope.AlertReceived)
        left, right = connected(client, listener)
        left.close(force=True)
        right.close(force=True)

    def test_what_a_listener_is_not_for(self, listening: tuple[Any, Any]) -> None:
        client, listener = listening
        for call in (lambda: listener.recv(1), lambda: listener.send(b"x"), listener.getpeername):
            with pytest.raises(pep748.TLSError, match="accept"):
                call()
        left, right = connected(client, listener)
        with pytest.raises(pep748.TLSError, match="only a server"):
            left.accept()
        with pytest.raises(pep748.TLSError, match="only a server"):
            left.listen(1)
        left.close(force=True)
        right.close(force=True)
        for kind in (pep748.TLSSocket, pep748.TLSBuffer):
            with pytest.raises(TypeError):
                kind()

    @pytest.mark.interop
    def test_a_server_on_the_standard_library(
        self, contexts: Callable[..., tuple[Any, Any]], server_leaf: Issued, tmp_path: Path
    ) -> None:
        (tmp_path / "server.pem").write_bytes(server_leaf.pem() + server_leaf.key_pem())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "server.pem")

        def serve() -> bytes:
            below, _ = listener.accept()
            with context.wrap_socket(below, server_side=True) as secured:
                data = secured.recv(100)
                secured.sendall(data)
                secured.unwrap()
            return data

        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = Task(serve)
            sock = contexts()[0].connect((NAME, listener.getsockname()[1]))
            sock.send(b"hello")
            assert retry(pep748, lambda: sock.recv(100)) == b"hello"
            retry(pep748, sock.close)
            assert serving.result() == b"hello"


def read_all(sock: Any) -> bytes:
    pieces = []
    while piece := retry(pep748, lambda: sock.recv(65536)):
        pieces.append(piece)
    return b"".join(pieces)
