"""The two sides of each measurement: handshakes and records in memory, by tlscope and by the standard library's ``ssl``."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend

from tlscope import (
    CipherSuite,
    ClientAuth,
    ClientConfig,
    ClientConnection,
    Identity,
    NamedGroup,
    ProtocolVersion,
    ServerConfig,
    ServerConnection,
    TrustAnchors,
    VerificationPolicy,
)
from tlscope.authority import Authority

NAME = "localhost"
SUITES = {
    ProtocolVersion.TLS1_3: CipherSuite.TLS_AES_256_GCM_SHA384,
    ProtocolVersion.TLS1_2: CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
}
# In TLS 1.2 the one group that ``ssl`` can be told must be the certificates' curve too (RFC 8422 section 5.1).
GROUPS = {
    ProtocolVersion.TLS1_3: (NamedGroup.x25519, "X25519"),
    ProtocolVersion.TLS1_2: (NamedGroup.secp256r1, "prime256v1"),
}


@dataclass(frozen=True)
class Certificates:
    """A throwaway authority with a server's and a client's identity, P-256 throughout."""

    anchors: TrustAnchors
    server: Identity
    client: Identity
    directory: Path

    @classmethod
    def make(cls) -> Certificates:
        """Fresh ones, in memory and as files for ``ssl``."""
        directory = Path(tempfile.mkdtemp(prefix="tlscope-bench-"))
        authority = Authority.create()
        server, client = authority.issue_server(NAME), authority.issue_client("client")
        (directory / "ca.pem").write_bytes(authority.pem())
        for name, issued in (("server", server), ("client", client)):
            (directory / f"{name}.pem").write_bytes(issued.pem() + issued.key_pem())
        anchors = TrustAnchors.from_certificates([authority.certificate])
        return cls(anchors, server.identity(), client.identity(), directory)


Pair = tuple[ClientConnection, ServerConnection]


class Tlscope:
    """Handshakes by tlscope: both ends in this process, in memory."""

    library = backend.openssl_version_text()

    def __init__(
        self,
        certificates: Certificates,
        version: ProtocolVersion,
        *,
        mutual: bool,
        resume: bool = False,
        remember: int | None = None,
        trace: Callable[[], object] | None = None,
    ) -> None:
        policy = VerificationPolicy() if remember is None else VerificationPolicy(remember=remember)
        common = {
            "min_version": version,
            "max_version": version,
            "cipher_suites": [SUITES[version]],
            "groups": [GROUPS[version][0]],
            "verification": policy,
        }
        self._client = ClientConfig(
            trust=certificates.anchors,
            identity=certificates.client if mutual else None,
            ocsp_stapling=False,
            trace=trace,
            **({} if resume else {"sessions": None}),
            **common,
        )
        self._server = ServerConfig(
            identities=[certificates.server],
            trust=certificates.anchors if mutual else None,
            client_auth=ClientAuth.REQUIRED if mutual else ClientAuth.NONE,
            trace=trace,
            **({} if resume else {"tickets": None}),
            **common,
        )

    def handshake(self) -> Pair:
        """One handshake; both ends are connected."""
        client, server = ClientConnection(self._client, NAME), ServerConnection(self._server)
        client.start()
        while client.has_data_to_send or server.has_data_to_send:
            server.receive_data(client.data_to_send())
            client.receive_data(server.data_to_send())
        if not (client.handshake_complete and server.handshake_complete):
            raise RuntimeError("the handshake did not end")
        return client, server


class Standard:
    """Handshakes by ``ssl`` over MemoryBIO, with the same suite, group and certificates."""

    library = ssl.OPENSSL_VERSION

    def __init__(
        self, certificates: Certificates, version: ProtocolVersion, *, mutual: bool, resume: bool = False
    ) -> None:
        directory = certificates.directory
        ca = str(directory / "ca.pem")
        self._client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client.load_verify_locations(ca)
        self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.load_cert_chain(str(directory / "server.pem"))
        if mutual:
            self._client.load_cert_chain(str(directory / "client.pem"))
            self._server.load_verify_locations(ca)
            self._server.verify_mode = ssl.CERT_REQUIRED
        tls = {ProtocolVersion.TLS1_3: ssl.TLSVersion.TLSv1_3, ProtocolVersion.TLS1_2: ssl.TLSVersion.TLSv1_2}[version]
        for context in (self._client, self._server):
            context.minimum_version = context.maximum_version = tls
            context.set_ecdh_curve(GROUPS[version][1])
            if version is ProtocolVersion.TLS1_2:
                context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
        if not resume:
            self._server.num_tickets = 0
            self._server.options |= ssl.OP_NO_TICKET
        self._resume = resume
        self._session: ssl.SSLSession | None = None

    def handshake(self) -> tuple[ssl.SSLObject, ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
        """One handshake; both ends and the two wires between them."""
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self._client.wrap_bio(to_client, to_server, server_hostname=NAME, session=self._session)
        server = self._server.wrap_bio(to_server, to_client, server_side=True)
        done = [False, False]
        for _ in range(6):
            for index, end in enumerate((client, server)):
                if not done[index]:
                    try:
                        end.do_handshake()
                        done[index] = True
                    except ssl.SSLWantReadError:
                        pass
            if all(done):
                break
        if not all(done):
            raise RuntimeError("the handshake did not end")
        if self._resume:
            self._keep_session(client, server)
        return client, server, to_server, to_client

    def _keep_session(self, client: ssl.SSLObject, server: ssl.SSLObject) -> None:
        server.write(b"x")
        client.read(1)  # a TLS 1.3 ticket is read with the data behind it
        self._session = client.session
