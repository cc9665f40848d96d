"""Rows of the atlas: what is not TLS, was cut, changed or delayed, and what is only worth knowing."""

from __future__ import annotations

from .row import Row, fix

__all__ = ["WIRE"]

WIRE = (
    Row(
        "http-on-tls-port",
        "plain HTTP came to a port that speaks TLS",
        "server",
        "ClientHello",
        "client",
        "RFC 8446 section 5.1",
        "The client said http:// where https:// is wanted. tlscope answers as nginx does: in plain HTTP, with status 400 "
        "and a sentence, so that whoever typed it can read what is wrong.",
        (
            fix("client", "say https:// instead of http://", "curl https://HOST:PORT/"),
            fix("client", "behind a proxy: have it speak TLS to this port, too"),
        ),
    ),
    Row(
        "tls-on-http-port",
        "what answered does not speak TLS",
        "client",
        "ServerHello",
        "server",
        "RFC 8446 section 5.1",
        "The first bytes tell what it is: HTTP/ is a web server's plain port, SSH- an SSH server, 220 a mail server, which "
        'wants STARTTLS first. Others say "wrong version number" or "record layer failure" for it.',
        (
            fix("client", "use the port that speaks TLS: 443 instead of 80, 465 or 993 instead of 25 or 143"),
            fix("server", "or switch TLS on where it listens"),
        ),
    ),
    Row(
        "hello-dropped",
        "the ClientHello was not answered",
        "client",
        "ClientHello",
        "client",
        "RFC 8446 section 4.1.2",
        "The connection was closed, or stayed silent, after the ClientHello. Nobody said why. A firewall that does not "
        "like the hello, an old server that does not understand it, or a service that is not TLS at all all look like this.",
        (
            fix(
                "client",
                "find out by leaving things away, one at a time: first the post-quantum key share, which makes "
                "the hello larger than one packet",
                "tlscope connect HOST --groups x25519",
            ),
            fix("client", "then TLS 1.3", "tlscope connect HOST --tls 1.2"),
            fix("client", "then the name: connect by address"),
            fix("server", "see its log: many services say there why they hang up"),
        ),
        (
            (
                "tls-on-http-port",
                "A service that waits for its client to speak plain text stays silent too: try the port "
                "with telnet or nc.",
            ),
            ("unknown-sni", "Some front ends drop names that they do not serve without a word."),
        ),
    ),
    Row(
        "old-peer",
        "the peer speaks only versions that are no longer spoken",
        "either",
        "ClientHello",
        "client",
        "RFC 8996",
        "SSLv2 (RFC 6176), SSLv3 (RFC 7568), TLS 1.0 and TLS 1.1 (RFC 8996) are broken or out of use; tlscope does not "
        "speak them, and there is no setting that makes it.",
        (
            fix("either", "update the older side, or its setting: it has to speak TLS 1.2 at least"),
            fix("either", "where that can't be: put a proxy before it that speaks both"),
        ),
    ),
    Row(
        "renegotiation",
        "the peer starts or demands renegotiation, or can't protect from it",
        "either",
        "ServerHello",
        "server",
        "RFC 5746",
        "A peer without RFC 5746 lets somebody between splice two connections into one. tlscope never renegotiates: a wish "
        "for it is declined, and a peer that insists is refused. TLS 1.3 has none.",
        (
            fix("either", "update the peer: every library since 2010 has RFC 5746"),
            fix(
                "server",
                "where it asks for a certificate by renegotiation (for one path only): ask in the handshake, or "
                "use TLS 1.3's post-handshake authentication",
            ),
        ),
    ),
    Row(
        "truncated",
        "the connection was cut",
        "either",
        "close_notify",
        "server",
        "RFC 8446 section 6.1",
        "The transport ended without close_notify. An end that was meant is said so, under the keys; a cut can be a crash, "
        "a proxy's time-out, or somebody who wants the rest not to be seen.",
        (
            fix("either", "take what came for incomplete, unless the application's own protocol says how long it is"),
            fix("either", "on the side that ended: close TLS before the socket (unwrap, end, SSL_shutdown)"),
        ),
    ),
    Row(
        "tampered",
        "a record can't be opened",
        "either",
        "record",
        "server",
        "RFC 8446 section 5.2",
        "Each record carries a proof that it is as it was sent. One that does not hold was changed in transit, or the two "
        "sides have different keys.",
        (
            fix(
                "either",
                'look between the two: a proxy, an "accelerator" or bad memory changes bytes; the same over '
                "loopback tells",
            ),
            fix("either", "if it is always the same record: one of the two has a fault; keep both sides' traces"),
        ),
    ),
    Row(
        "downgraded",
        "somebody between the two changed the versions",
        "client",
        "ServerHello",
        "server",
        "RFC 8446 section 4.1.3",
        "A TLS 1.3 server that is asked for less marks its random, and the client, which did not ask for less, sees the "
        "mark. So the ClientHello did not arrive as it was sent.",
        (
            fix("either", 'look between the two: a firewall or proxy that "supports" TLS 1.2 only rewrites hellos'),
            fix("client", "do not work around it by switching TLS 1.3 off where an attacker may be the cause"),
        ),
    ),
    Row(
        "replayed-early-data",
        "early data was seen before",
        "server",
        "ClientHello",
        "client",
        "RFC 8446 section 8",
        "Early data can be recorded and sent again by anybody. The server remembers the hellos that came with it, does not "
        "take it twice, and goes on with a full handshake, which a recording can't finish.",
        (
            fix(
                "client",
                "send again as ordinary data; a client that was not replayed does so by itself (EarlyDataRejected)",
            ),
            fix("server", "take only requests as early data that do no harm twice (RFC 8470)"),
        ),
    ),
    Row(
        "handshake-too-slow",
        "the handshake took longer than it may",
        "server",
        "ClientHello",
        "client",
        "RFC 8446 appendix C",
        "Whoever opens connections and says nothing holds resources; so a handshake has its time.",
        (
            fix("server", "for slow but honest clients raise the limit: handshake_timeout (seconds)"),
            fix("client", "see what delays it: a smart card, a name look-up, a slow network, a port scanner"),
        ),
    ),
    Row(
        "handshake-too-big",
        "the handshake is larger than it may be",
        "server",
        "ClientHello",
        "client",
        "RFC 8446 section 4",
        "A message may announce 16 MiB, and whoever sends it is not known yet; so messages have limits.",
        (
            fix(
                "either",
                "for honest peers with long chains raise the limit: Limits(max_handshake_message=...) or "
                "Limits(max_handshake_bytes=...)",
            ),
            fix("either", "send fewer certificates: the root need not be sent"),
        ),
    ),
    Row(
        "ticket-rejected",
        "the session was not resumed, and a full handshake was made instead",
        "server",
        "ClientHello",
        "client",
        "RFC 8446 section 4.6.1",
        "A ticket is a hint and never a promise: a server that can't open or use it goes on with a full handshake, and "
        "nothing has failed. It costs time, and early data.",
        (
            fix(
                "server",
                "share ticket keys between the machines of one name, and keep old keys for a while after they "
                "are changed",
            ),
            fix("client", "keep tickets apart by server name and ALPN"),
        ),
    ),
)
