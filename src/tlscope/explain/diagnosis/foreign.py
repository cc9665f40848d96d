"""What a service that does not speak TLS says first, and how TLS is to be had of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..words import printable
from .failure import Failure
from .model import Diagnosis, Fix

__all__ = ["first_words", "foreign_client", "foreign_fixes", "recognised", "short_answer"]


@dataclass(frozen=True, slots=True)
class _Service:
    """``says`` stands behind "the server"; ``do`` is how TLS is to be had, with a command that shows it."""

    says: str
    do: str = ""
    command: str = ""


def _starttls(says: str, name: str, port: int, tls_port: int) -> _Service:
    return _Service(
        says,
        f"use the port for TLS from the start, {tls_port}; or have the program ask for STARTTLS, which turns this "
        f"connection into TLS",
        f"openssl s_client -starttls {name} -connect HOST:{port}",
    )


_MYSQL = _Service(
    "greets as MySQL and MariaDB servers do, which change to TLS only after their own greeting",
    "let the database's own client do it (ssl-mode=REQUIRED)",
    "openssl s_client -starttls mysql -connect HOST:3306",
)
_POSTGRES = _Service(
    "answers as PostgreSQL servers do, which want their own SSLRequest before TLS (version 17 and newer take TLS at once, "
    "with ALPN postgresql)",
    "let the database's own client do it (sslmode=require)",
    "openssl s_client -starttls postgres -connect HOST:5432",
)
_GREETINGS: tuple[tuple[bytes, _Service], ...] = (
    (
        b"HTTP/",
        _Service(
            "answers in plain HTTP: a web server's plain port, or a proxy in front of it",
            "use the port that speaks TLS, mostly 443 instead of 80 or 8443 instead of 8080; through a proxy, ask it with "
            "CONNECT first",
        ),
    ),
    (b"SSH-", _Service("greets as SSH servers do", "use the port that speaks TLS; 22 is SSH's")),
    (b"* OK", _starttls("greets as IMAP servers do before STARTTLS", "imap", 143, 993)),
    (b"* PREAUTH", _starttls("greets as IMAP servers do before STARTTLS", "imap", 143, 993)),
    (b"* BYE", _starttls("turns us away as IMAP servers do", "imap", 143, 993)),
    (b"+OK", _starttls("greets as POP3 servers do before STLS", "pop3", 110, 995)),
    (b"220", _starttls("greets in plain text, as mail and FTP servers do before STARTTLS", "smtp", 587, 465)),
    (b"421", _starttls("turns us away in plain text, as mail and FTP servers do", "smtp", 587, 465)),
    (b"554", _starttls("turns us away in plain text, as mail servers do", "smtp", 587, 465)),
    (b"<?xml", _Service("answers in XML, as XMPP servers do before STARTTLS")),
    (b"<stream:", _Service("answers as XMPP servers do before STARTTLS")),
    (b"<!", _Service("answers with a web page in place of TLS")),
    (b"<html", _Service("answers with a web page in place of TLS")),
    (b"RFB ", _Service("greets as VNC servers do")),
    (b"-ERR", _Service("answers with an error in plain text, as Redis and POP3 servers do")),
    (b"-NOAUTH", _Service("answers as Redis servers do")),
    (b"E\0\0\0", _POSTGRES),
    (b"\xff\xfb", _Service("greets as telnet servers do")),
    (b"\xff\xfd", _Service("greets as telnet servers do")),
    (b"\x16\xfe", _Service("speaks DTLS, the TLS of UDP")),
    (b"\x05\xff", _Service("answers as SOCKS proxies do", "have the program speak SOCKS to it first")),
)


_FROM_CLIENTS: tuple[tuple[bytes, _Service], ...] = (
    (
        b"PROXY ",
        _Service(
            "a proxy in front announces its client with the PROXY protocol, which is not understood here",
            "on the proxy: leave the PROXY protocol off for this port (HAProxy: send-proxy)",
        ),
    ),
    (b"SSH-", _Service("an SSH client", "give it SSH's port")),
    (b"\0\0\0\x08\x04\xd2\x16\x2f", _Service("a PostgreSQL client asks whether TLS is spoken here, in its own words")),
    (b"\x03\0\0", _Service("a client of the remote desktop protocol (RDP)")),
    (b"\0\0\0", _Service("perhaps a client for Windows file shares (SMB)")),
    (b"EHLO", _Service("a mail client", "give it the mail server's port")),
    (b"HELO", _Service("a mail client", "give it the mail server's port")),
    (b"AMQP", _Service("an AMQP client without TLS", "switch TLS on in it (amqps:)")),
    (b"*1\r\n", _Service("a Redis client without TLS", "switch TLS on in it (rediss:)")),
    (b"\x05", _Service("a client that takes this port for a SOCKS proxy")),
    (b"\x04\x01", _Service("a client that takes this port for a SOCKS proxy")),
    (b"\x16\xfe", _Service("a client that speaks DTLS, the TLS of UDP")),
)


def foreign_client(data: bytes) -> tuple[str, tuple[Fix, ...]]:
    """Who says these first words to a TLS server, empty where nothing tells, and what to do about it."""
    if data.startswith(b"\r\n\r\n\0\r\nQUIT\n"):
        data = b"PROXY "
    if data[:1] == b"\x10" and b"MQTT" in data[:12]:
        service: _Service | None = _Service("an MQTT client without TLS", "switch TLS on in it (mqtts:, port 8883)")
    else:
        service = next((service for start, service in _FROM_CLIENTS if data.startswith(start)), None)
    do = "have it speak TLS to this port, or give it the port of the service that it looks for"
    return ("" if service is None else service.says), (Fix("client", (service and service.do) or do),)


def recognised(data: bytes) -> _Service | None:
    """The service whose first words these are; None where nothing tells."""
    if data in (b"N", b"S"):  # to a ClientHello, whose first bytes it takes for a request of its own
        return _POSTGRES
    if len(data) > 4 and data[3] == 0 and data[4] in (0x0A, 0xFF) and int.from_bytes(data[:3], "little") < 1024:
        return _MYSQL
    if len(data) > 4 and data[0] == 0x30 and data[2] == 0x02:
        return _Service(
            "answers as LDAP servers do, which want StartTLS before TLS",
            "use the port for TLS from the start, 636; or have the program ask for StartTLS",
            "openssl s_client -starttls ldap -connect HOST:389",
        )
    if len(data) > 8 and data[:2] == b"\0\0" and data[3] == 4 and data[5:9] == bytes(4):
        return _Service("answers in HTTP/2 without TLS", "switch TLS on where it listens, or use its TLS port")
    return next((service for start, service in _GREETINGS if data.startswith(start)), None)


def foreign_fixes(data: bytes) -> tuple[Fix, ...]:
    """What to do about it: where the service is known, how it speaks TLS."""
    service = recognised(data)
    first = (Fix("client", service.do, service.command),) if service is not None and service.do else ()
    general = Fix("client", "use the port that speaks TLS: 443 instead of 80, 465 or 993 instead of 25 or 143")
    return (*(first or (general,)), Fix("server", "or switch TLS on where it listens"))


def first_words(data: bytes) -> str:
    """What came, as a person reads it: the first line where it is text, else the bytes."""
    text = data.split(b"\n")[0].decode("ascii", "replace").strip()
    readable = text and sum(one.isprintable() and one != "\ufffd" for one in text) == len(text)
    return f'"{printable(text, 60)}"' if readable else data[:16].hex(" ")


def short_answer(failure: Failure, how: str) -> Diagnosis | None:
    """The explanation where too few bytes came for a record, and they begin none; ``how`` it ended behind them."""
    data = failure.known.first_bytes
    if failure.role != "client" or failure.known.received or not data or 20 <= data[0] <= 23:
        return None
    service = recognised(data)
    said = f"it {service.says}" if service is not None else "nothing of TLS begins like that"
    count = "1 byte" if len(data) == 1 else f"{len(data)} bytes"
    return Diagnosis(
        id="tls-on-http-port",
        title="what answered does not speak TLS",
        cause=f"the server does not speak TLS: it sent {count}, {first_words(data)}, and {how}; {said}",
        step="ServerHello",
        role="client",
        sender="server",
        evidence=(("first bytes", data[:24].hex(" ")),),
        rule="RFC 8446 section 5.1",
        fixes=foreign_fixes(data),
    )
