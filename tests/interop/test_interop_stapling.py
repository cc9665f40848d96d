"""OCSP responses that servers staple to their certificates, with other implementations (RFC 6066 section 8, RFC 7633)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from peer_programs import GnuTLS, OpenSSL
from peers import V12, V13, Peer, Setup

from tlscope import (
    AlertDescription,
    CertificateRejected,
    ClientConfig,
    Identity,
    ProtocolVersion,
    TrustAnchors,
    VerificationPolicy,
    connect,
)
from tlscope.authority import Authority, make_ocsp_response

WORD = b"there-and-back\n"
STRICT = VerificationPolicy(require_staple=True)

versions = pytest.mark.parametrize("version", [V13, V12], ids=lambda version: str(version).replace(" ", ""))
peers = pytest.mark.parametrize("peer", [OpenSSL(), GnuTLS()], ids=str)


@dataclass(frozen=True)
class Stapled:
    """A certificate of an authority in files, another that promises a staple, and responses on both."""

    directory: Path

    def setup(self, version: ProtocolVersion, name: str = "plain") -> Setup:
        """For a peer."""
        return Setup(version, self.directory / "root.pem", (self.file(f"{name}.pem"), self.file(f"{name}-key.pem")))

    def file(self, name: str) -> Path:
        return self.directory / name

    def identity(self, name: str, status: str | None) -> Identity:
        own = Identity.from_files(self.file(f"{name}.pem"), self.file(f"{name}-key.pem"))
        return own if status is None else own.with_ocsp_response(self.file(f"{name}-{status}.der").read_bytes())

    def client(self, version: ProtocolVersion, **more: object) -> ClientConfig:
        anchors = TrustAnchors.from_file(self.directory / "root.pem")
        return ClientConfig(**{"trust": anchors, "min_version": version, "max_version": version, **more})


@pytest.fixture(scope="session")
def stapled(tmp_path_factory: pytest.TempPathFactory) -> Stapled:
    directory = tmp_path_factory.mktemp("stapled")
    authority = Authority.create("Stapling root")
    (directory / "root.pem").write_bytes(authority.pem())
    responder = authority.issue_ocsp_responder()
    for name, promised in (("plain", False), ("must", True)):
        issued = authority.issue_server("localhost", must_staple=promised)
        issued.write(directory, name)
        for status in ("good", "revoked"):
            (directory / f"{name}-{status}.der").write_bytes(make_ocsp_response(authority, issued.certificate, status))
            # GnuTLS finds no signer that a response names by its key and does not carry, which RFC 6960 section 4.2.2.3
            # allows: for it a responder signs whom the authority has appointed.
            delegated = make_ocsp_response(authority, issued.certificate, status, responder=responder)
            (directory / f"{name}-{status}-delegated.der").write_bytes(delegated)
    return Stapled(directory)


def present(peer: Peer) -> Peer:
    if reason := peer.absent():
        pytest.skip(reason)
    return peer


class TestTheirClient:
    @versions
    @pytest.mark.parametrize("status", ["good", "revoked", None], ids=str)
    def test_openssl_s_client_reads_what_we_staple(
        self, status: str | None, version: ProtocolVersion, settings, serve, stapled: Stapled
    ) -> None:
        """It shows what came, whatever that says."""
        peer = present(OpenSSL())
        ours = serve(settings.server(version, identities=[stapled.identity("plain", status)]))
        answer = peer.client(stapled.setup(version), ours.port, WORD, "-status")
        assert answer.ok, answer.text
        if status is None:
            assert "OCSP response: no response sent" in answer.text
        else:
            assert "OCSP Response Status: successful (0x0)" in answer.text
            assert f"Cert Status: {status}" in answer.text

    @versions
    def test_openssl_s_client_that_does_not_ask_gets_none(
        self, version: ProtocolVersion, settings, serve, stapled: Stapled
    ) -> None:
        peer = present(OpenSSL())
        ours = serve(settings.server(version, identities=[stapled.identity("plain", "good")]))
        answer = peer.client(stapled.setup(version), ours.port, WORD, "-msg")
        assert answer.ok, answer.text
        assert "CertificateStatus" not in answer.text
        assert "OCSP" not in answer.text

    @versions
    @pytest.mark.parametrize(
        ("name", "status", "good"),
        [
            ("plain", None, True),
            ("plain", "good", True),
            ("plain", "revoked", False),
            ("must", "good", True),
            ("must", None, False),
        ],
    )
    def test_gnutls_cli_judges_what_we_staple(
        self, name: str, status: str | None, good: bool, version: ProtocolVersion, settings, serve, stapled: Stapled
    ) -> None:
        peer = present(GnuTLS())
        response = None if status is None else f"{status}-delegated"
        ours = serve(settings.server(version, identities=[stapled.identity(name, response)]))
        answer = peer.client(stapled.setup(version), ours.port, WORD)
        assert answer.ok is good, answer.text
        if status == "revoked":
            assert "revoked" in answer.text
        elif not good:
            assert "requires the server to include an OCSP status" in answer.text


class TestTheirServer:
    def reach(
        self,
        peer: Peer,
        config: ClientConfig,
        stapled: Stapled,
        version: ProtocolVersion,
        name: str,
        status: str | None,
    ) -> None:
        """Connect to a peer's server that staples the file with this response; exchange a word."""
        option = "-status_file" if isinstance(peer, OpenSSL) else "--ocsp-response"
        more = [] if status is None else [option, str(stapled.file(f"{name}-{status}.der"))]
        if isinstance(peer, OpenSSL):
            server = peer.server(stapled.setup(version, name), "-rev", *more)
        else:
            # It checks what it is given when it starts; a revoked certificate is refused there already.
            server = peer.server(stapled.setup(version, name), *more, "--ignore-ocsp-response-errors")
        with (
            server as running,
            connect("127.0.0.1", running.port, config, server_name="localhost", timeout=10) as stream,
        ):
            stream.sendall(WORD)
            assert stream.recv(65536) == peer.echo(WORD)

    @peers
    @versions
    @pytest.mark.parametrize("name", ["plain", "must"])
    def test_whose_staple_is_good(self, name: str, version: ProtocolVersion, peer: Peer, stapled: Stapled) -> None:
        present(peer)
        self.reach(peer, stapled.client(version, verification=STRICT), stapled, version, name, "good")

    @peers
    @versions
    @pytest.mark.parametrize("name", ["plain", "must"])
    def test_that_staples_nothing(self, name: str, version: ProtocolVersion, peer: Peer, stapled: Stapled) -> None:
        """That is an offence only for who promised it, or who is demanded to."""
        present(peer)
        if name == "plain":
            self.reach(peer, stapled.client(version), stapled, version, name, None)
        config = stapled.client(version, **({} if name == "must" else {"verification": STRICT}))
        with pytest.raises(CertificateRejected) as caught:
            self.reach(peer, config, stapled, version, name, None)
        assert caught.value.alert is AlertDescription.bad_certificate_status_response

    @peers
    @versions
    def test_whose_staple_says_revoked(self, version: ProtocolVersion, peer: Peer, stapled: Stapled) -> None:
        present(peer)
        with pytest.raises(CertificateRejected) as caught:
            self.reach(peer, stapled.client(version), stapled, version, "plain", "revoked")
        assert caught.value.alert is AlertDescription.certificate_revoked
        if isinstance(peer, OpenSSL):
            with pytest.raises(CertificateRejected):
                self.reach(peer, stapled.client(version), stapled, version, "must", "revoked")
        # Who does not ask for it does not learn of it.
        self.reach(peer, stapled.client(version, ocsp_stapling=False), stapled, version, "plain", "revoked")
