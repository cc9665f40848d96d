"""The rows that need nothing but Python: the standard library's own clients and servers."""

from __future__ import annotations

import asyncio
import contextlib
import ftplib
import http.client
import http.server
import imaplib
import smtplib
import socket
import urllib.request
from typing import Any

from compat_exchange import BODY, LIMIT, NAME, Exchange, _handler, _serving, exchange_chunks, row


@row("http.client", "client")
def http_client(x: Exchange) -> None:
    with x.web() as port:
        connection = http.client.HTTPSConnection(NAME, port, context=x.client(), timeout=LIMIT)
        for _ in range(2):
            connection.request("GET", "/")
            assert connection.getresponse().read() == BODY
        connection.request("POST", "/", BODY)
        assert connection.getresponse().read() == BODY
        connection.close()


@row("urllib.request", "client")
def urllib_request(x: Exchange) -> None:
    with (
        x.web() as port,
        urllib.request.urlopen(f"https://{NAME}:{port}/", context=x.client(), timeout=LIMIT) as answer,
    ):
        assert answer.read() == BODY


@row("http.server", "server")
def http_server(x: Exchange) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(x))
    server.daemon_threads = True
    server.socket = x.server().wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with _serving(server):
        assert x.fetch(server.server_address[1]) == BODY


def _smtp(file: Any, secure: Any) -> None:
    """A mail server's side of a conversation; ``secure`` makes a file over TLS of the connection."""
    file.write(b"220 here\r\n")
    file.flush()
    while line := file.readline():
        word = line.split()[0].upper()
        if word == b"DATA":
            file.write(b"354 go on\r\n")
            file.flush()
            text = b""
            while (line := file.readline()) not in (b".\r\n", b""):
                text += line
            assert b"0123456789" in text
        if word == b"EHLO":
            file.write(b"250-here\r\n250 STARTTLS\r\n")
        elif word == b"STARTTLS":
            file.write(b"220 go ahead\r\n")
            file.flush()
            file = secure()
            continue
        else:
            file.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
        file.flush()
        if word == b"QUIT":
            return


def _mail(client: smtplib.SMTP) -> None:
    lines = "\r\n".join(["0123456789" * 7] * 500)
    client.sendmail("a@example.test", ["b@example.test"], f"Subject: hello\r\n\r\n{lines}\r\n")
    client.quit()


@row("smtplib, SMTP_SSL", "client")
def smtp_over_tls(x: Exchange) -> None:
    def talk(sock: Any, context: Any) -> None:
        with context.wrap_socket(sock, server_side=True) as tls:
            x.check_peer(tls.getpeercert())
            _smtp(tls.makefile("rwb"), None)

    with x.listening(talk) as port:
        _mail(smtplib.SMTP_SSL(NAME, port, context=x.client(), timeout=LIMIT))


def smtp_starttls_server(x: Exchange) -> Any:
    """A mail server that begins in the clear."""

    def talk(sock: Any, context: Any) -> None:
        with contextlib.ExitStack() as stack:

            def secure() -> Any:
                tls = stack.enter_context(context.wrap_socket(sock, server_side=True))
                x.check_peer(tls.getpeercert())
                return stack.enter_context(tls.makefile("rwb"))

            _smtp(stack.enter_context(sock.makefile("rwb")), secure)

    return x.listening(talk)


@row("smtplib, starttls", "client")
def smtp_starttls(x: Exchange) -> None:
    with smtp_starttls_server(x) as port:
        client = smtplib.SMTP(NAME, port, timeout=LIMIT)
        client.starttls(context=x.client())
        _mail(client)


@row("imaplib, IMAP4_SSL", "client")
def imap(x: Exchange) -> None:
    def talk(sock: Any, context: Any) -> None:
        with context.wrap_socket(sock, server_side=True) as tls:
            x.check_peer(tls.getpeercert())
            file = tls.makefile("rwb")
            file.write(b"* OK here\r\n")
            file.flush()
            while line := file.readline():
                tag, word = line.split()[:2]
                if word == b"CAPABILITY":
                    file.write(b"* CAPABILITY IMAP4rev1\r\n")
                elif word == b"LOGOUT":
                    file.write(b"* BYE\r\n")
                file.write(tag + b" OK done\r\n")
                file.flush()

    with x.listening(talk) as port:
        client = imaplib.IMAP4_SSL(NAME, port, ssl_context=x.client(), timeout=LIMIT)
        assert client.login("alice", "secret")[0] == "OK"
        assert client.noop()[0] == "OK"
        client.logout()


@row("ftplib, FTP_TLS", "client")
def ftp(x: Exchange) -> None:
    """The control connection is upgraded by AUTH TLS, the data connection is over TLS by PROT P."""

    def talk(sock: Any, context: Any) -> None:
        file = sock.makefile("rwb")
        data = socket.create_server(("127.0.0.1", 0))

        def say(text: str) -> None:
            file.write(text.encode() + b"\r\n")
            file.flush()

        say("220 here")
        while line := file.readline():
            word = line.split()[0].upper()
            if word == b"AUTH":
                say("234 go ahead")
                sock = context.wrap_socket(sock, server_side=True)
                x.check_peer(sock.getpeercert())
                file = sock.makefile("rwb")
            elif word == b"PASV":
                port = data.getsockname()[1]
                say(f"227 Entering Passive Mode (127,0,0,1,{port >> 8},{port & 255})")
            elif word == b"RETR":
                say("150 here it comes")
                accepted, _ = data.accept()
                accepted.settimeout(LIMIT)
                with context.wrap_socket(accepted, server_side=True) as tls:
                    tls.sendall(BODY)
                    tls.unwrap().close()
                say("226 done")
            elif word == b"QUIT":
                say("221 bye")
                break
            else:
                say("331 and the password" if word == b"USER" else "230 ok" if word == b"PASS" else "200 ok")
        data.close()
        with contextlib.suppress(OSError):
            sock.close()

    with x.listening(talk) as port:
        client = ftplib.FTP_TLS(context=x.client(), timeout=LIMIT)
        client.connect(NAME, port)
        client.login("alice", "secret")
        client.prot_p()
        parts: list[bytes] = []
        client.retrbinary("RETR file", parts.append)
        assert b"".join(parts) == BODY
        client.quit()


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(BODY)
    assert await reader.readexactly(len(BODY)) == BODY
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _limited(coroutine: Any) -> Any:
    async def within() -> Any:
        return await asyncio.wait_for(coroutine, LIMIT)

    return within()


async def client_of_streams(x: Exchange, port: int) -> None:
    await _converse(*await asyncio.open_connection(NAME, port, ssl=x.client()))


@row("asyncio.open_connection", "client")
def asyncio_client(x: Exchange, run: Any = asyncio.run) -> None:
    with x.echo() as port:
        run(_limited(client_of_streams(x, port)))


async def server_of_streams(x: Exchange) -> None:
    seen = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peercert"))
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=x.server())
    async with server:
        await asyncio.to_thread(x.echoed, server.sockets[0].getsockname()[1])
    x.check_peer(seen[0])


@row("asyncio.start_server", "server")
def asyncio_server(x: Exchange, run: Any = asyncio.run) -> None:
    run(_limited(server_of_streams(x)))


async def client_start_tls(x: Exchange, port: int) -> None:
    reader, writer = await asyncio.open_connection(NAME, port)
    writer.write(b"STARTTLS\n")
    assert await reader.readline() == b"go ahead\n"
    await writer.start_tls(x.client(), server_hostname=NAME)
    await _converse(reader, writer)


@row("asyncio, StreamWriter.start_tls", "client")
def asyncio_start_tls(x: Exchange, run: Any = asyncio.run) -> None:
    def talk(sock: Any, context: Any) -> None:
        assert sock.recv(100) == b"STARTTLS\n"
        sock.sendall(b"go ahead\n")
        with context.wrap_socket(sock, server_side=True) as tls:
            x.check_peer(tls.getpeercert())
            while data := tls.recv(65536):
                tls.sendall(data)

    with x.listening(talk) as port:
        run(_limited(client_start_tls(x, port)))


@row("asyncio, start_tls on a server", "server")
def asyncio_server_start_tls(x: Exchange, run: Any = asyncio.run) -> None:
    async def main() -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert await reader.readexactly(5) == b"start"
            writer.write(b"go")
            await writer.start_tls(x.server())
            x.check_peer(writer.get_extra_info("peercert"))
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
                writer.close()

        def client(port: int) -> None:
            raw = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
            raw.sendall(b"start")
            assert raw.recv(2) == b"go"
            with x.peer_client().wrap_socket(raw, server_hostname=NAME) as tls:
                exchange_chunks(tls)

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            await asyncio.to_thread(client, server.sockets[0].getsockname()[1])

    run(_limited(main()))
