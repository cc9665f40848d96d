"""Rows of the atlas: what a client finds wrong with a server's certificate."""

from __future__ import annotations

from .row import Row, fix

__all__ = ["CERTIFICATES"]

_REISSUE = fix("ca", "issue it again with that name", "tlscope ca issue DIR {asked}")
_SAVE = fix(
    "client",
    "save what the server shows, to compare its fingerprint with what its owner says",
    "openssl s_client -connect HOST:PORT -showcerts </dev/null >shown.pem",
)
_TRUST_IN_PROGRAMS = fix(
    "client",
    "in a program of tlscope: ClientConfig(trust=TrustAnchors.from_file(...)); most programs on OpenSSL take it by "
    "SSL_CERT_FILE, Node by NODE_EXTRA_CA_CERTS, curl by --cacert",
)
_SET_CLOCK = "timedatectl set-ntp true"


def _row(id: str, title: str, rule: str, meaning: str, *fixes: object, others: object = ()) -> Row:
    return Row(id, title, "client", "Certificate", "server", rule, meaning, fixes, others)  # type: ignore[arg-type]


CERTIFICATES = (
    _row(
        "cert-expired",
        "a certificate of the server's chain has expired",
        "RFC 5280 section 4.1.2.5",
        "A certificate counts until its notAfter, by the clock of the side that checks it. Any certificate of the chain "
        "can be the one that has expired, an intermediate too.",
        fix(
            "server",
            "renew the certificate named above and load the new one; many servers keep the old one until they "
            "are reloaded",
            "tlscope ca issue DIR NAME",
        ),
        fix("client", "if the dates look right, set the clock", _SET_CLOCK),
        others=(("cert-not-yet-valid", "Compare both dates with the right time: RFC 8446 has one alert for both."),),
    ),
    _row(
        "cert-not-yet-valid",
        "a certificate of the server's chain is not valid yet",
        "RFC 5280 section 4.1.2.5",
        "Before its notBefore a certificate does not count. Mostly a clock is wrong: that of the side that checks, or that "
        "of the CA when it was issued.",
        fix(
            "client",
            "check the clock: virtual machines that slept and boards without a battery are often slow",
            _SET_CLOCK,
        ),
        fix("ca", "if the clock is right, issue it again with a notBefore a little in the past, as tlscope ca does"),
        others=(("cert-expired", "Compare both dates with the right time: RFC 8446 has one alert for both."),),
    ),
    _row(
        "wrong-host",
        "the certificate is not for the name that was asked for",
        "RFC 9525 section 6",
        "The name that the client was given must be one of the certificate's subjectAltNames. A wildcard stands for one "
        "label: *.example.com fits www.example.com, but neither example.com nor a.b.example.com.",
        fix(
            "client",
            "connect by a name that the certificate has, or say whom it must be for",
            "tlscope connect HOST --server-name NAME",
        ),
        _REISSUE,
        others=(
            ("missing-sni", "If no server_name was sent, the server showed its default certificate."),
            ("unknown-sni", "If server_name was sent, the server has no certificate for it and showed another."),
        ),
    ),
    _row(
        "cn-only",
        "the certificate has a common name and no subjectAltName",
        "RFC 9525 section 2",
        "Hosts are named in subjectAltName alone. Browsers, Go, Java and tlscope ignore the common name; curl with OpenSSL "
        "and Python's ssl still fall back to it, so that the same certificate works with one client and not another.",
        _REISSUE,
        fix(
            "ca",
            "or with openssl: ask for it in the request (openssl req ... -addext subjectAltName=DNS:{asked}), and have it "
            "copied, since openssl x509 drops it otherwise",
            "openssl x509 -req -in REQUEST -CA CA.pem -CAkey CA-KEY -copy_extensions copy -out CERT",
        ),
    ),
    _row(
        "ip-vs-dns",
        "an address was asked for and the certificate has DNS names only, or the other way round",
        "RFC 9525 section 6.5",
        "An address counts only as an iPAddress in subjectAltName; one that is written as a DNS name does not.",
        fix("client", "connect by the DNS name, if there is one"),
        fix("ca", "issue it again with {asked} as a subjectAltName", "tlscope ca issue DIR NAME {asked}"),
        others=(
            (
                "missing-sni",
                "A client sends no server_name for an address (RFC 6066 section 3), so the server showed "
                "its default certificate; by name it may show another.",
            ),
        ),
    ),
    _row(
        "self-signed",
        "the certificate signed itself",
        "RFC 5280 section 6.1",
        "No CA vouches for it, so it is believed only where this very certificate is trusted.",
        _SAVE,
        fix("client", "then trust this very certificate", "tlscope connect HOST --trust shown.pem"),
        _TRUST_IN_PROGRAMS,
        fix("ca", "or have a CA issue one, and trust the CA", "tlscope ca init DIR && tlscope ca issue DIR NAME"),
    ),
    _row(
        "unknown-ca-root-sent",
        "the chain ends in a root that is not trusted",
        "RFC 5280 section 6.1",
        "The chain is complete, and its root is not in the trust store that was read. It is a private CA's, or that of a "
        "proxy that inspects TLS: then every site's chain ends in the same root.",
        fix(
            "client",
            "trust that root, if it is one to trust: compare its fingerprint with what its owner says",
            "tlscope connect HOST --trust ROOT.pem",
        ),
        _TRUST_IN_PROGRAMS,
        others=(("unknown-ca", "The same, where the root itself is not sent along."),),
    ),
    _row(
        "unknown-ca",
        "the CA that issued the certificate is not trusted",
        "RFC 5280 section 6.1",
        "The chain that was sent leads to an issuer that is not in the trust store that was read.",
        fix("client", "trust that CA, if it is one to trust", "tlscope connect HOST --trust CA.pem"),
        _TRUST_IN_PROGRAMS,
        fix("server", "or show a certificate of a CA that the client trusts"),
        others=(
            (
                "missing-intermediate",
                "If the issuer is an intermediate, the server has to send it: see how many certificates came.",
            ),
        ),
    ),
    _row(
        "missing-intermediate",
        "the server did not send the intermediate certificate",
        "RFC 8446 section 4.4.2",
        "A server sends its own certificate and the intermediates up to the root. Browsers fetch or remember missing "
        "ones; programs do not, so the same server works in a browser and fails everywhere else.",
        fix(
            "server",
            "send the whole chain: put the intermediates behind the leaf in the certificate file (of what certbot "
            "writes, serve fullchain.pem)",
            "cat leaf.pem intermediate.pem > chain.pem",
        ),
        others=(("unknown-ca", "If the issuer is a root, nothing is missing, and the root is not trusted."),),
    ),
    _row(
        "wrong-purpose-server",
        "the certificate is not for servers",
        "RFC 5280 section 4.2.1.12",
        "extendedKeyUsage names the uses that a certificate has; a server's needs serverAuth.",
        fix("ca", "issue one for a server", "tlscope ca issue DIR {asked}"),
        fix("server", "or load the right file, if client's and server's have changed places", "tlscope inspect FILE"),
    ),
    _row(
        "issuer-not-ca",
        "a certificate in the chain has issued another and may not",
        "RFC 5280 section 4.2.1.9",
        "Only a certificate with CA:TRUE in basicConstraints, and keyCertSign in keyUsage, may sign others.",
        fix("ca", "issue from a CA's certificate, made as one", "tlscope ca init DIR"),
    ),
    _row(
        "path-length",
        "the chain is longer than a CA in it allows",
        "RFC 5280 section 4.2.1.9",
        "pathLenConstraint in a CA's basicConstraints is how many further CAs may stand below it.",
        fix("ca", "issue from the CA that has the constraint itself, or make it again with a larger one"),
    ),
    _row(
        "name-constraint",
        "a CA in the chain may not issue for this name",
        "RFC 5280 section 4.2.1.10",
        "A CA's nameConstraints say for which names it may issue: permitted ones only, or all but excluded ones.",
        fix("ca", "issue for a name within the constraint, or from another CA"),
    ),
    _row(
        "weak-key",
        "a key in the chain is too weak",
        "RFC 5280 section 4.1.2.7",
        "RSA keys need 2,048 bits or more, elliptic curves are P-256, P-384 and P-521.",
        fix("ca", "make a new key and have the certificate issued for it", "tlscope ca issue DIR NAME"),
    ),
    _row(
        "weak-signature",
        "a certificate is signed with a hash that can be forged",
        "RFC 8446 section 4.4.2.4",
        "Signatures with MD5 and SHA-1 can be forged, and are refused everywhere but on the root itself.",
        fix("ca", "issue it again, signed with SHA-256 or better", "tlscope ca issue DIR NAME"),
    ),
    _row(
        "not-rfc5280",
        "a certificate is not made as RFC 5280 demands",
        "RFC 5280 section 4.2",
        "Private CAs made by hand often leave out keyUsage, the key identifiers, or the mark that basicConstraints is "
        "critical. Python's ssl refuses such chains since 3.13 (VERIFY_X509_STRICT); curl, Node and Go take most of them.",
        fix(
            "ca",
            "issue the certificate named above again with a tool that sets what is missing",
            "tlscope ca issue DIR NAME",
        ),
        fix("ca", "where it is the CA's own, make the CA again, and all that it issued", "tlscope ca init DIR"),
    ),
    _row(
        "revoked",
        "the certificate was revoked",
        "RFC 5280 section 6.3",
        "Its CA has taken it back, mostly because the key was lost or replaced.",
        fix("server", "have a new one issued, for a new key", "tlscope ca issue DIR NAME"),
    ),
    _row(
        "bad-staple",
        "the stapled OCSP response is missing, or does not count",
        "RFC 6960 section 3.2, RFC 7633",
        "A certificate that promises a staple, or a client that demands one, is served with a fresh OCSP response of its "
        "CA. It counts from thisUpdate to nextUpdate, mostly for some days.",
        fix("server", "have it fetch a new response: see that it can reach the CA's OCSP responder, and its clock"),
        fix("ca", "or issue a certificate that does not promise one"),
    ),
)
