"""Rows of the atlas: what two sides can't agree on, and proofs that don't hold."""

from __future__ import annotations

from .row import Row, fix

__all__ = ["HANDSHAKE"]


def _row(id: str, title: str, rule: str, meaning: str, *fixes: object, others: object = ()) -> Row:
    return Row(id, title, "server", "ClientHello", "client", rule, meaning, fixes, others)  # type: ignore[arg-type]


_CLIENT_LESS = fix("client", "offer more: leave the setting at its default", "tlscope connect HOST")

HANDSHAKE = (
    Row(
        "bad-certificate-verify",
        "the proof does not fit the certificate's key",
        "either",
        "CertificateVerify",
        "server",
        "RFC 8446 section 4.4.3",
        "Each side signs the handshake with the key of its certificate. A signature that does not fit was made with "
        "another key, or over another handshake, as when somebody between the two changed a message.",
        (
            fix(
                "either",
                "on the side that signed: load the key that belongs to the certificate; tlscope refuses others "
                "when they are loaded (key-mismatch), a hardware token or an external signer may not",
                "openssl x509 -in CERT -noout -pubkey; openssl pkey -in KEY -pubout",
            ),
        ),
        (
            (
                "tampered",
                "If key and certificate fit, something between changed the handshake: compare both sides' traces.",
            ),
        ),
    ),
    _row(
        "no-common-version",
        "no version of TLS in common",
        "RFC 8446 section 4.2.1",
        "The client names the versions that it speaks, the server takes the newest that it has too.",
        fix("either", "let both sides speak TLS 1.3 and TLS 1.2: leave min_version and max_version at their defaults"),
        others=(("old-peer", "If the older side speaks TLS 1.1 at most, it has to be replaced."),),
    ),
    _row(
        "no-common-cipher",
        "no cipher suite in common",
        "RFC 8446 section 4.1.1",
        "TLS 1.3 and TLS 1.2 have suites of their own, and a server's TLS 1.2 suites must also fit the kind of its key: "
        "ECDSA suites need an ECDSA certificate, RSA ones an RSA certificate.",
        _CLIENT_LESS,
        fix(
            "server",
            "configure a suite that the client offers; the other way to fit an old client is a certificate with "
            "another kind of key",
        ),
        fix(
            "client",
            "see what the server takes of a client that offers more; what has CBC in its name, or RSA key transport only "
            "(RSA_KEY_TRANSPORT), is a server to update",
            "openssl s_client -connect HOST:PORT -cipher ALL </dev/null",
        ),
        others=(
            ("no-common-group", "The server's log, or its trace, tells which list it was: they share an alert."),
            ("no-common-signature", "Likely where the server's key is of a rare kind."),
        ),
    ),
    _row(
        "no-common-group",
        "no key-exchange group in common",
        "RFC 8446 section 4.1.1",
        "Both sides need a group for the key exchange, such as x25519 or secp256r1.",
        fix("either", "allow x25519 or secp256r1 on both sides: leave groups at its default"),
        others=(("no-common-cipher", "They share an alert."), ("no-common-signature", "They share an alert.")),
    ),
    _row(
        "no-common-signature",
        "no signature scheme in common",
        "RFC 8446 section 4.4.2.2",
        "The server must sign with its certificate's key, in a way that the client can check.",
        fix(
            "server",
            "use a certificate with an ECDSA key on P-256 or an RSA key, which every client can check",
            "tlscope ca issue DIR NAME",
        ),
        fix("client", "or accept the server's: leave signature_schemes at its default"),
        others=(("no-common-cipher", "They share an alert."), ("no-common-group", "They share an alert.")),
    ),
    _row(
        "unknown-sni",
        "the server has no certificate for the name",
        "RFC 6066 section 3",
        "The client says in server_name whom it wants to reach; this server refuses names that it does not serve instead "
        "of showing its default certificate.",
        fix("client", "ask for a name that the server serves", "tlscope connect HOST --server-name NAME"),
        fix("server", "add a certificate for the name, or allow its default: require_known_name=False"),
    ),
    Row(
        "missing-sni",
        "no server_name was sent, so the default certificate came",
        "client",
        "Certificate",
        "server",
        "RFC 6066 section 3",
        "A server with several certificates chooses by the client's server_name. Without one, as for an address, it shows "
        "its default.",
        (
            fix(
                "client",
                "connect by name, and see that server_name is sent: old libraries leave it out",
                "tlscope connect HOST --server-name NAME",
            ),
            fix("server", "or make the certificate that such clients need the default, the first"),
        ),
        (("wrong-host", "If server_name was sent, the server has no certificate for the name."),),
    ),
    _row(
        "no-common-alpn",
        "no application protocol in common",
        "RFC 7301 section 3.2",
        "Both sides named application protocols (ALPN), and none is on both lists. A server that names none takes any.",
        fix("either", "name a protocol that both speak, such as http/1.1", "tlscope connect HOST --alpn http/1.1"),
    ),
)
