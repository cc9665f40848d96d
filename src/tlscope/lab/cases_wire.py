"""Lab cases: what is not TLS, is cut, changed, delayed or too big, and what only costs a round trip."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from ..config import ClientConfig
from ..connection import ClientConnection
from ..errors import Judge
from ..io import TLSStream
from ..limits import Limits
from ..sessions import MemorySessionCache, Session, TicketKeys
from ..wire.codepoints import ContentType, ExtensionType, ProtocolVersion
from ..wire.extensions import Extensions
from ..wire.handshake import ClientHello, ServerHello
from ..wire.handshake12 import HelloRequest
from . import scripts
from .case import Case, Expected, Party, Plan
from .workshop import HOST, Workshop

__all__ = ["CASES"]

SSLV2_HELLO = bytes.fromhex("802e0100020015000000100100800200800600400400800700c00300800500800600")


def _to_plain_server(greeting: bytes, *, speaks_first: bool = False) -> Callable[[Workshop], Plan]:
    def plan(shop: Workshop) -> Plan:
        script = scripts.plain_server(greeting, speaks_first=speaks_first)
        return Plan(client=Party(config=shop.client_config()), server=Party(script=script))

    return plan


def _plain(id: str, title: str, greeting: bytes, *, speaks_first: bool = False) -> Case:
    return Case(
        id=id,
        row="tls-on-http-port",
        title=title,
        broken="server",
        plan=_to_plain_server(greeting, speaks_first=speaks_first),
        client=Expected("tls-on-http-port", "ServerHello"),
    )


def _http_client(shop: Workshop) -> Plan:
    return Plan(client=Party(script=scripts.plain_http_client), server=Party(config=shop.server_config()))


def _dropped(script: Any, timeout: float = 5.0) -> Callable[[Workshop], Plan]:
    return lambda shop: Plan(
        client=Party(config=shop.client_config(), handshake_timeout=timeout), server=Party(script=script)
    )


def _old_hello(message: Any) -> Any:
    """What a client of TLS 1.0 says: no supported_versions, and 3.1 in legacy_version."""
    if isinstance(message, ClientHello):
        message.extensions = message.extensions.without(ExtensionType.supported_versions)
        message.legacy_version = ProtocolVersion.TLS1_0
    return message


def _old_client(shop: Workshop) -> Plan:
    client = shop.client_config(rewrite=_old_hello)
    return Plan(client=Party(config=client), server=Party(config=shop.server_config()))


def _sslv2_client(shop: Workshop) -> Plan:
    script = scripts.say_and_listen(SSLV2_HELLO, ("SSLv2",))
    return Plan(client=Party(script=script), server=Party(config=shop.server_config()))


def _old_server(shop: Workshop) -> Plan:
    return Plan(client=Party(config=shop.client_config()), server=Party(script=scripts.tls10_server))


def _without_renegotiation_info(message: Any) -> Any:
    if isinstance(message, ServerHello):
        message.extensions = message.extensions.without(ExtensionType.renegotiation_info)
    return message


def _before_rfc5746(shop: Workshop) -> Plan:
    server = shop.server_config(max_version=ProtocolVersion.TLS1_2, rewrite=_without_renegotiation_info)
    return Plan(client=Party(config=shop.client_config()), server=Party(config=server))


def _ask_to_renegotiate(stream: TLSStream, sock: socket.socket) -> None:
    """What an old server does that wants a certificate for one path only: it asks for a new handshake."""
    question = stream.recv(4096)
    stream.connection._handshake.send(HelloRequest())  # nothing that an application may do
    stream.sendall(question)


def _wants_renegotiation(shop: Workshop) -> Plan:
    server = shop.server_config(max_version=ProtocolVersion.TLS1_2)
    return Plan(client=Party(config=shop.client_config()), server=Party(config=server, talk=_ask_to_renegotiate))


def _cut(shop: Workshop) -> Plan:
    return Plan(
        client=Party(config=shop.client_config(), talk=_ask_and_read),
        server=Party(config=shop.server_config(), talk=scripts.closes_abruptly),
    )


def _ask_and_read(stream: TLSStream, sock: socket.socket) -> None:
    stream.sendall(b"the whole story, please")
    while stream.recv(4096):
        pass


def _tampered(sender: str, number: int = 0) -> Callable[[Workshop], Plan]:
    return lambda shop: Plan(
        client=Party(config=shop.client_config()),
        server=Party(config=shop.server_config()),
        between=scripts.corrupt_record(sender, ContentType.application_data, number),
    )


def _downgraded(shop: Workshop) -> Plan:
    return Plan(
        client=Party(config=shop.client_config()),
        server=Party(config=shop.server_config()),
        between=scripts.downgrade,
    )


def _slow(shop: Workshop) -> Plan:
    server = Party(config=shop.server_config(), handshake_timeout=0.3)
    return Plan(client=Party(script=scripts.dawdle), server=server)


def _padded(message: Any) -> Any:
    if isinstance(message, ClientHello):
        message.extensions = Extensions([(ExtensionType.padding, bytes(9000)), *message.extensions])
    return message


def _big(shop: Workshop) -> Plan:
    limits = Limits(max_handshake_message=8192)
    return Plan(
        client=Party(config=shop.client_config(rewrite=_padded)),
        server=Party(config=shop.server_config(limits=limits)),
    )


def _new_ticket_keys(shop: Workshop) -> Plan:
    """Each connection is served by another machine, which does not know the others' ticket keys."""
    client = Party(config=shop.client_config(sessions=MemorySessionCache()))
    server = Party(config=lambda: shop.server_config(tickets=TicketKeys()))
    return Plan(client=client, server=server, before=(client,))


class _Kept(MemorySessionCache):
    """Gives the same session again and again, as a client should not."""

    def find(self, server_name: str, now: float) -> Session | None:
        """The newest session, left where it is."""
        found = super().find(server_name, now)
        if found is not None:
            self.put(server_name, found)
        return found


def _replay(shop: Workshop) -> Plan:
    """A first flight with early data is sent, recorded, and sent again by somebody else."""
    cache, recorded = _Kept(), bytearray()
    config = shop.client_config(sessions=cache, early_data=True)
    server = shop.server_config(tickets=TicketKeys(), max_early_data=1024)

    def original(sock: socket.socket) -> None:
        recorded.extend(_first_flight(config))
        sock.sendall(recorded)
        sock.recv(65536)

    def again(sock: socket.socket) -> str:
        sock.sendall(recorded)
        sock.recv(65536)
        return "the server answered with a handshake, which a recording can't finish"

    first = Party(config=config)
    return Plan(
        client=Party(script=again),
        server=Party(config=server, handshake_timeout=2.0),
        before=(first, Party(script=original)),
    )


def _first_flight(config: ClientConfig) -> bytes:
    connection = ClientConnection(config, HOST)
    connection.start()
    if connection.early_data_room:
        connection.send_early_data(b"POST /pay?amount=100 HTTP/1.1\r\n\r\n")
    return connection.data_to_send()


_ALERT = (Judge.PEER, "alert")

CASES = (
    Case(
        id="http-on-tls-port",
        row="http-on-tls-port",
        title="a browser says http:// to the TLS port",
        broken="client",
        plan=_http_client,
        server=Expected("http-on-tls-port", "ClientHello"),
    ),
    _plain("tls-on-http-port", "a web server answers in plain HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    _plain("tls-on-http-port-ssh", "an SSH server listens there", b"SSH-2.0-OpenSSH_9.9\r\n", speaks_first=True),
    _plain(
        "tls-on-http-port-smtp",
        "a mail server listens there, before STARTTLS",
        b"220 mail.example.com ESMTP\r\n",
        speaks_first=True,
    ),
    Case(
        id="hello-dropped",
        row="hello-dropped",
        title="the connection is closed after the ClientHello",
        broken="server",
        plan=_dropped(scripts.close_after_hello),
        client=Expected("hello-dropped", "ClientHello", Judge.PEER, "silence"),
    ),
    Case(
        id="hello-dropped-silent",
        row="hello-dropped",
        title="nothing comes after the ClientHello",
        broken="server",
        plan=_dropped(scripts.stay_silent, 0.3),
        client=Expected("hello-dropped", "ClientHello", Judge.PEER, "silence"),
    ),
    Case(
        id="old-peer",
        row="old-peer",
        title="the client speaks TLS 1.0 at most",
        broken="client",
        plan=_old_client,
        client=Expected("old-peer", "ClientHello", *_ALERT),
        server=Expected("old-peer", "ClientHello"),
    ),
    Case(
        id="old-peer-sslv2",
        row="old-peer",
        title="the client greets with SSLv2",
        broken="client",
        plan=_sslv2_client,
        client=Expected("old-peer", "ClientHello", *_ALERT),
        server=Expected("old-peer", "ClientHello"),
    ),
    Case(
        id="old-peer-server",
        row="old-peer",
        title="the server speaks TLS 1.0 at most",
        broken="server",
        plan=_old_server,
        client=Expected("old-peer", "ServerHello"),
        server=Expected("old-peer", "ServerHello", *_ALERT),
    ),
    Case(
        id="renegotiation",
        row="renegotiation",
        title="the server does not know RFC 5746",
        broken="server",
        plan=_before_rfc5746,
        client=Expected("renegotiation", "ServerHello"),
        server=Expected("renegotiation", "ServerHello", *_ALERT),
    ),
    Case(
        id="renegotiation-asked",
        row="renegotiation",
        title="the server asks for renegotiation, and goes on where it is declined",
        broken="server",
        plan=_wants_renegotiation,
        client=Expected("renegotiation", "HelloRequest", failure=False),
    ),
    Case(
        id="truncated",
        row="truncated",
        title="the server's end is not announced",
        broken="server",
        plan=_cut,
        client=Expected("truncated", "close_notify"),
    ),
    Case(
        id="tampered",
        row="tampered",
        title="a bit of the server's first encrypted record is turned",
        broken="between",
        plan=_tampered("server"),
        client=Expected("tampered", "record"),
        server=Expected("tampered", "record", *_ALERT),
    ),
    Case(
        id="tampered-data",
        row="tampered",
        title="a bit of the client's data is turned",
        broken="between",
        plan=_tampered("client", 1),
        client=Expected("tampered", "record", *_ALERT),
        server=Expected("tampered", "record"),
    ),
    Case(
        id="downgraded",
        row="downgraded",
        title="somebody between takes TLS 1.3 out of the ClientHello",
        broken="between",
        plan=_downgraded,
        client=Expected("downgraded", "ServerHello"),
        server=Expected("downgraded", "ServerHello", *_ALERT),
    ),
    Case(
        id="replayed-early-data",
        row="replayed-early-data",
        title="a recorded first flight with early data is sent again",
        broken="client",
        plan=_replay,
        server=Expected("replayed-early-data", "ClientHello", failure=False),
    ),
    Case(
        id="handshake-too-slow",
        row="handshake-too-slow",
        title="the client begins a hello and never ends it",
        broken="client",
        plan=_slow,
        server=Expected("handshake-too-slow", "ClientHello"),
    ),
    Case(
        id="handshake-too-big",
        row="handshake-too-big",
        title="the ClientHello is larger than the server allows",
        broken="client",
        plan=_big,
        client=Expected("alert-illegal-parameter", "ClientHello", *_ALERT),
        server=Expected("handshake-too-big", "ClientHello"),
    ),
    Case(
        id="ticket-rejected",
        row="ticket-rejected",
        title="the client brings a ticket of another machine",
        broken="both",
        plan=_new_ticket_keys,
        server=Expected("ticket-rejected", "ClientHello", failure=False),
    ),
)
