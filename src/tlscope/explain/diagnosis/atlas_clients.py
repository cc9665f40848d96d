"""Rows of the atlas: client certificates, which the server judges, and the client learns of by an alert at best."""

from __future__ import annotations

from .row import Row, fix

__all__ = ["CLIENTS"]

_LATE = (
    "In TLS 1.3 the client is done before the server has looked, so the refusal comes with its first read, where others "
    "show EOF or a broken pipe."
)


def _row(id: str, title: str, rule: str, meaning: str, *fixes: object, others: object = ()) -> Row:
    return Row(id, title, "server", "Certificate", "client", rule, meaning, fixes, others)  # type: ignore[arg-type]


CLIENTS = (
    _row(
        "no-client-cert",
        "the server demands a client certificate and none was sent",
        "RFC 8446 section 4.4.2.4",
        "The server asks with CertificateRequest; a client without one answers with an empty list. " + _LATE,
        fix("client", "give it a certificate and its key", "tlscope connect HOST --identity FILE --key FILE"),
        fix(
            "server",
            "or let clients in without one: ClientAuth.REQUESTED",
            "tlscope serve --client-ca CA.pem --client-auth requested",
        ),
        others=(
            (
                "client-cert-not-offered",
                "The client may have one that matches nothing the server asked for; its own "
                "trace says so (client_identity: none).",
            ),
        ),
    ),
    _row(
        "client-cert-not-offered",
        "a client certificate is configured and fits nothing that the server asked for",
        "RFC 8446 section 4.2.4",
        "CertificateRequest names the CAs and algorithms that the server accepts. A client keeps a certificate of another "
        "CA to itself, without a word, and sends an empty list.",
        fix("client", "use a certificate that one of those CAs issued"),
        fix(
            "server",
            "or trust the CA that issued the client's (nginx: ssl_client_certificate, HAProxy: ca-file)",
            "tlscope serve --client-ca CA.pem",
        ),
        fix(
            "client",
            "if its CA is an intermediate's root: put the intermediates into the certificate file, so that the "
            "issuer named can be found in the chain",
        ),
    ),
    _row(
        "client-unknown-ca",
        "the client's certificate is from a CA that the server does not trust",
        "RFC 5280 section 6.1",
        "The server judged the client's certificate, never the reverse. " + _LATE,
        fix(
            "server",
            "trust the CA that issued it (nginx: ssl_client_certificate, HAProxy: ca-file)",
            "tlscope serve --client-ca CA.pem",
        ),
        fix("client", "or use a certificate of a CA that the server trusts"),
        others=(
            (
                "client-missing-intermediate",
                "If its issuer is an intermediate, the client has to send that too: see "
                "how many certificates were sent.",
            ),
        ),
    ),
    _row(
        "client-missing-intermediate",
        "the client did not send the intermediate certificate",
        "RFC 8446 section 4.4.2",
        "A client sends its own certificate and the intermediates up to the root, as a server does.",
        fix(
            "client",
            "send the whole chain: put the intermediates behind the leaf in the certificate file",
            "cat client.pem intermediate.pem > chain.pem",
        ),
        others=(
            ("client-unknown-ca", "If the issuer is a root, nothing is missing, and the server does not trust it."),
        ),
    ),
    _row(
        "client-cert-expired",
        "the client's certificate has expired, or is not valid yet",
        "RFC 5280 section 4.1.2.5",
        "It counts from notBefore to notAfter, by the server's clock.",
        fix("client", "have it renewed", "tlscope ca issue DIR NAME --client"),
        fix("server", "if the dates look right, set the clock", "timedatectl set-ntp true"),
    ),
    _row(
        "client-wrong-purpose",
        "the client's certificate is not for clients",
        "RFC 5280 section 4.2.1.12",
        "A client's certificate needs clientAuth in extendedKeyUsage. Public CAs stopped issuing that in 2026, so a "
        "certificate renewed there can lose it from one day to the next.",
        fix("ca", "issue one for a client, from a private CA", "tlscope ca issue DIR NAME --client"),
    ),
    _row(
        "client-not-authorised",
        "the client's certificate is valid, and its holder may not enter",
        "RFC 8446 section 6.2",
        "The chain is good; the application's own rule refused the names in it.",
        fix("server", "put one of the names in the certificate on the access list"),
        fix("client", "or use a certificate with a name that is on it"),
    ),
)
