"""What peers may agree on beyond the plain handshake, with other implementations: further groups and signatures,
compressed certificates, record sizes, raw public keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from native_openssl import NativeOpenSSL
from ours import Credentials, Settings
from peer_programs import GnuTLS, Node, OpenSSL
from peers import V12, V13, Peer

from tlscope import (
    AlertReceived,
    CertificateRejected,
    CipherSuite,
    ClientAuth,
    NamedGroup,
    ProtocolVersion,
    RawKeyIdentity,
    SignatureScheme,
    TLSStream,
    Trace,
    connect,
)
from tlscope.authority import Authority
from tlscope.config import DEFAULT_SIGNATURE_SCHEMES
from tlscope.trace import Message, Record
from tlscope.wire.codepoints import CertificateCompressionAlgorithm as Algorithm

WORD = b"there-and-back\n"
HYBRIDS = (NamedGroup.X25519MLKEM768, NamedGroup.SecP256r1MLKEM768, NamedGroup.SecP384r1MLKEM1024)

versions = pytest.mark.parametrize("version", [V13, V12], ids=lambda version: str(version).replace(" ", ""))


def present(peer: Peer) -> Peer:
    if reason := peer.absent():
        pytest.skip(reason)
    return peer


def talk(peer: Peer, port: int, config: Any, trace: Any = None, word: bytes = WORD) -> TLSStream:
    """A word to a peer's server and back; gives the stream, closed."""
    with connect("127.0.0.1", port, config, server_name="localhost", timeout=10, trace=trace) as stream:
        stream.sendall(word)
        received = b""
        while len(received) < len(word):
            piece = stream.recv(65536)
            assert piece, "the peer ended early"
            received += piece
        assert received == peer.echo(word)
        return stream


class TestHybridGroupsByHelloRetryRequest:
    """Without one: see the groups of ``test_interop_handshakes``."""

    @pytest.mark.parametrize("group", HYBRIDS, ids=lambda group: group.name)
    @pytest.mark.parametrize("cookie", [False, True], ids=["group", "group-and-cookie"])
    def test_that_we_send(self, group: NamedGroup, cookie: bool, settings, serve) -> None:
        peer = present(NativeOpenSSL())
        ours = serve(settings.server(V13, groups=[group], hello_retry_cookie=cookie))
        # It shares a key for the first group alone.
        answer = peer.client(settings.peer_client(V13, groups=(NamedGroup.x448, group)), ours.port, WORD)
        assert answer.ok, answer.text
        assert ours.facts[0].hello_retry_request
        assert ours.facts[0].group is group

    @pytest.mark.parametrize("group", HYBRIDS, ids=lambda group: group.name)
    def test_that_they_send(self, group: NamedGroup, settings) -> None:
        peer = present(NativeOpenSSL())
        with peer.server(settings.peer_server(V13, groups=(group,))) as running:
            config = settings.client(V13, groups=[NamedGroup.x25519, group], key_shares=[NamedGroup.x25519])
            facts = talk(peer, running.port, config).facts
        assert facts.hello_retry_request
        assert facts.group is group

    def test_and_a_session_is_resumed(self, settings) -> None:
        peer = present(NativeOpenSSL())
        with peer.server(settings.peer_server(V13, groups=(HYBRIDS[0],))) as running:
            config = settings.client(V13, groups=[NamedGroup.x25519, HYBRIDS[0]], key_shares=[NamedGroup.x25519])
            for resumed in (False, True):
                facts = talk(peer, running.port, config).facts
                assert facts.hello_retry_request
                assert facts.resumed is resumed
                assert facts.group is HYBRIDS[0]


ML_DSA = {
    "ML-DSA-44": SignatureScheme.mldsa44,
    "ML-DSA-65": SignatureScheme.mldsa65,
    "ML-DSA-87": SignatureScheme.mldsa87,
}


@pytest.fixture(scope="session")
def post_quantum(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Credentials with ML-DSA keys; their authority's is an ordinary one."""
    directory = tmp_path_factory.mktemp("post-quantum")
    root = Authority.create("Interop root")
    (directory / "ca.pem").write_bytes(root.pem())
    for key in ML_DSA:
        root.issue_server("localhost", key=key).write(directory, f"server-{key}")
        root.issue_client("client.example", "client.example", key=key).write(directory, f"client-{key}")
    return Credentials(directory)


class TestPostQuantumSignatures:
    @pytest.fixture
    def settings(self, post_quantum: Any) -> Any:
        return Settings(post_quantum)

    @pytest.fixture
    def schemes(self) -> dict[str, Any]:
        everything = (*ML_DSA.values(), *DEFAULT_SIGNATURE_SCHEMES)
        return {"signature_schemes": everything, "certificate_signature_schemes": everything}

    @pytest.mark.parametrize("key", ML_DSA)
    def test_both_sides_with_their_client(self, key: str, settings, schemes, serve) -> None:
        peer = present(NativeOpenSSL())
        ours = serve(settings.server(V13, key, mutual=True, **schemes))
        answer = peer.client(settings.peer_client(V13, key), ours.port, WORD)
        assert answer.ok, answer.text
        assert answer.facts["verified"]
        assert ours.facts[0].peer_signature_scheme is ML_DSA[key]
        assert ours.facts[0].peer.names.dns == ("client.example",)

    @pytest.mark.parametrize("key", ML_DSA)
    def test_both_sides_with_their_server(self, key: str, settings, schemes) -> None:
        peer = present(NativeOpenSSL())
        with peer.server(settings.peer_server(V13, key, mutual=True)) as running:
            facts = talk(peer, running.port, settings.client(V13, key, **schemes)).facts
        assert facts.peer_signature_scheme is ML_DSA[key]
        assert facts.identity is not None


class TestCompressedCertificates:
    """RFC 8879. OpenSSL has it since 3.2, and the one within ``cryptography`` is built without; GnuTLS may be as well."""

    CONFIG: ClassVar[dict[str, Any]] = {"certificate_compression": [Algorithm.zlib]}

    def test_both_sides(self, settings, serve) -> None:
        peer, trace = present(GnuTLS()), Trace()
        ours = serve(settings.server(V13, mutual=True, trace=lambda: trace, **self.CONFIG))
        answer = peer.client(settings.peer_client(V13, "P-256"), ours.port, WORD, "--compress-cert", "zlib")
        if "Unknown compression method" in answer.text:
            pytest.skip("this GnuTLS is built without zlib")
        assert answer.ok, answer.text
        assert ours.facts[0].peer.names.dns == ("client.example",)
        assert self.compressed(trace) == ["sent", "received"]

        trace = Trace()
        with peer.server(settings.peer_server(V13, mutual=True), "--compress-cert", "zlib") as running:
            facts = talk(peer, running.port, settings.client(V13, "P-256", **self.CONFIG), trace).facts
        assert facts.peer.names.dns == ("localhost",)
        assert self.compressed(trace) == ["received", "sent"]

    @staticmethod
    def compressed(trace: Trace) -> list[str]:
        return [event.direction for event in trace.of(Message) if event.name == "CompressedCertificate"]


class TestRecordSizes:
    """RFC 8449, which GnuTLS alone speaks of all peers, and from 512 on; OpenSSL has max_fragment_length (RFC 6066)."""

    MESSAGE = bytes(range(65, 91)) * 100 + b"\n"

    @staticmethod
    def longest(trace: Trace, direction: str) -> int:
        lengths = [
            event.length for event in trace.of(Record) if event.epoch == "application" and event.direction == direction
        ]
        return max(lengths)

    @versions
    def test_with_their_client(self, version: ProtocolVersion, settings, serve) -> None:
        """gnutls-cli sends no more of a line than goes into one record."""
        peer, trace, received = present(GnuTLS()), Trace(), []

        def handler(stream: TLSStream) -> None:
            received.append(len(stream.recv(65536)))
            stream.sendall(self.MESSAGE)
            stream.recv(1)

        ours = serve(settings.server(version, trace=lambda: trace, record_size_limit=600), handler)
        with peer.start_client(settings.peer_client(version), ours.port, "--recordsize", "700") as process:
            process.say(self.MESSAGE)
            assert process.wait_for(self.MESSAGE.decode()), process.text
            assert process.result() == 0
        # In TLS 1.3 the limit covers the content type's byte as well.
        assert received == [599 if version is V13 else 600]
        assert self.longest(trace, "sent") == 700

    @versions
    def test_with_their_server(self, version: ProtocolVersion, settings) -> None:
        peer, trace = present(GnuTLS()), Trace()
        with peer.server(settings.peer_server(version), "--recordsize", "700") as running:
            config = settings.client(version, record_size_limit=600)
            talk(peer, running.port, config, trace, self.MESSAGE)
        assert self.longest(trace, "received") == (599 if version is V13 else 600)
        assert self.longest(trace, "sent") == 700

    @versions
    @pytest.mark.parametrize("length", [512, 4096])
    def test_max_fragment_length_of_openssl_s_client(
        self, length: int, version: ProtocolVersion, settings, serve
    ) -> None:
        peer, trace = present(OpenSSL()), Trace()
        ours = serve(settings.server(version, trace=lambda: trace))
        message = b"0123456789abcde\n" * 500
        answer = peer.client(settings.peer_client(version), ours.port, message, "-maxfraglen", str(length))
        assert answer.ok, answer.text
        assert self.longest(trace, "sent") == length


class TestRawPublicKeys:
    """RFC 7250 in TLS 1.3. The OpenSSL within ``cryptography`` has it, but not its binding; GnuTLS does."""

    @staticmethod
    def files(directory: Path, key: Any) -> tuple[list[str], bytes]:
        """The peer's options for its own key, and what we have to know of it."""
        private, public = directory / "raw-key.pem", directory / "raw.pem"
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        known = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return ["--rawpkkeyfile", str(private), "--rawpkfile", str(public)], known

    KEYS = pytest.mark.parametrize("kind", ["P-256", "Ed25519"])

    @staticmethod
    def generate(kind: str) -> Any:
        return ec.generate_private_key(ec.SECP256R1()) if kind == "P-256" else ed25519.Ed25519PrivateKey.generate()

    @KEYS
    def test_both_sides_with_their_client(self, kind: str, settings, serve, tmp_path: Path) -> None:
        """gnutls-cli judges no raw key unless it remembers one, so it is told to take any."""
        peer = present(GnuTLS("+CTYPE-CLI-RAWPK", "+CTYPE-SRV-RAWPK"))
        options, theirs = self.files(tmp_path, self.generate(kind))
        raw = RawKeyIdentity.from_key(self.generate(kind))
        config = settings.server(
            V13, identities=(), raw_key=raw, trusted_raw_keys=[theirs], client_auth=ClientAuth.REQUIRED
        )
        ours = serve(config)
        answer = peer.client(settings.peer_client(V13), ours.port, WORD, "--insecure", *options)
        assert answer.ok, answer.text
        assert ours.facts[0].peer_chain == (theirs,)
        assert ours.facts[0].identity is raw

    def test_their_client_shows_an_unknown_one(self, settings, serve, tmp_path: Path) -> None:
        peer = present(GnuTLS("+CTYPE-CLI-RAWPK", "+CTYPE-SRV-RAWPK"))
        options, _ = self.files(tmp_path, self.generate("P-256"))
        raw = RawKeyIdentity.from_key(self.generate("P-256"))
        config = settings.server(
            V13, identities=(), raw_key=raw, trusted_raw_keys=[raw.public_key], client_auth=ClientAuth.REQUIRED
        )
        ours = serve(config)
        answer = peer.client(settings.peer_client(V13), ours.port, WORD, "--insecure", *options)
        assert not answer.ok
        assert isinstance(ours.error(), CertificateRejected)

    @KEYS
    def test_both_sides_with_their_server(self, kind: str, settings, tmp_path: Path) -> None:
        peer = present(GnuTLS("+CTYPE-CLI-RAWPK", "+CTYPE-SRV-RAWPK"))
        options, theirs = self.files(tmp_path, self.generate(kind))
        raw = RawKeyIdentity.from_key(self.generate(kind))
        with peer.server(settings.peer_server(V13), *options, asks=["--require-client-cert"]) as running:
            config = settings.client(V13, trust=None, raw_key=raw, trusted_raw_keys=[theirs])
            facts = talk(peer, running.port, config).facts
        assert facts.peer_chain == (theirs,)
        assert facts.identity is raw

    def test_their_server_shows_an_unknown_one(self, settings, tmp_path: Path) -> None:
        peer = present(GnuTLS("+CTYPE-CLI-RAWPK", "+CTYPE-SRV-RAWPK"))
        options, _ = self.files(tmp_path, self.generate("P-256"))
        other = RawKeyIdentity.from_key(self.generate("P-256")).public_key
        with peer.server(settings.peer_server(V13), *options) as running:
            config = settings.client(V13, trust=None, trusted_raw_keys=[other])
            with pytest.raises(CertificateRejected):
                talk(peer, running.port, config)


class TestRSAKeyTransport:
    """TLS 1.2's oldest key exchange, which both sides must ask for: it has no forward secrecy."""

    NAMES: ClassVar[dict[str, CipherSuite]] = {
        "AES128-GCM-SHA256": CipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256,
        "AES256-GCM-SHA384": CipherSuite.TLS_RSA_WITH_AES_256_GCM_SHA384,
    }
    suites = pytest.mark.parametrize("name", NAMES)
    auths = pytest.mark.parametrize("mutual", [False, True], ids=["one-way", "mutual"])

    @suites
    @auths
    @pytest.mark.parametrize("peer", [OpenSSL(), Node(), GnuTLS("-KX-ALL", "+RSA")], ids=str)
    def test_their_client(self, peer: Peer, mutual: bool, name: str, settings, serve) -> None:
        present(peer)
        ours = serve(settings.server(V12, "RSA-2048", mutual=mutual, cipher_suites=[self.NAMES[name]]))
        setup = settings.peer_client(V12, "P-256" if mutual else None)
        if isinstance(peer, OpenSSL):
            answer = peer.client(setup, ours.port, WORD, "-cipher", name)
        elif isinstance(peer, Node):
            answer = peer.client(setup, ours.port, WORD, ciphers=name)
        else:
            answer = peer.client(setup, ours.port, WORD)
        assert answer.ok, answer.text
        assert ours.facts[0].cipher_suite is self.NAMES[name]
        assert ours.facts[0].group is None
        assert (ours.facts[0].peer is not None) is mutual

    @suites
    @auths
    @pytest.mark.parametrize("peer", [OpenSSL(), GnuTLS("-KX-ALL", "+RSA")], ids=str)
    def test_their_server(self, peer: Peer, mutual: bool, name: str, settings) -> None:
        present(peer)
        more = ["-rev", "-cipher", name] if isinstance(peer, OpenSSL) else []
        with peer.server(settings.peer_server(V12, "RSA-2048", mutual=mutual), *more) as running:
            config = settings.client(V12, "P-256" if mutual else None, cipher_suites=[self.NAMES[name]])
            for resumed in (False, True):
                facts = talk(peer, running.port, config).facts
                assert facts.cipher_suite is self.NAMES[name]
                assert facts.group is None
                assert facts.resumed is resumed

    def test_is_off_by_default(self, settings, serve) -> None:
        peer = present(OpenSSL())
        ours = serve(settings.server(V12, "RSA-2048"))
        assert not peer.client(settings.peer_client(V12), ours.port, WORD, "-cipher", "AES128-GCM-SHA256").ok
        with (
            peer.server(settings.peer_server(V12, "RSA-2048"), "-rev", "-cipher", "AES128-GCM-SHA256") as running,
            pytest.raises(AlertReceived),
        ):
            talk(peer, running.port, settings.client(V12))
