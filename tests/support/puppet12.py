"""The ``Puppet`` for TLS 1.2: recorded handshakes of every shape, replayed under the right keys."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

from certificates import NOW, SERVER_NAME, anchors, client_identity, clock, server_identity
from memory import Connection, Pair, Seeded, client_config, server_config
from puppet import CCS, Puppet, Recording, Said, record

from tlscope import (
    RSA_KEY_TRANSPORT,
    ClientAuth,
    ClientConfig,
    ClientConnection,
    Identity,
    MemorySessionCache,
    MemorySessionStore,
    NamedGroup,
    ProtocolVersion,
    Session,
    TicketKeys,
    TrustAnchors,
)
from tlscope import trace as t
from tlscope.authority import Authority
from tlscope.crypto.cipher_suites import SUITES
from tlscope.keys.prf12 import MasterSecret12
from tlscope.record.protection import InvalidTag, Protection12
from tlscope.wire import extensions as x
from tlscope.wire.codepoints import ContentType
from tlscope.wire.handshake import ServerHello

TLS1_2 = ProtocolVersion.TLS1_2
UNREADABLE = 0
OLD: dict[str, Any] = {
    "min_version": TLS1_2,
    "max_version": TLS1_2,
    "groups": (NamedGroup.x25519, NamedGroup.secp256r1),
}
"""Settings of either side for TLS 1.2 and nothing else."""


@cache
def rsa_authority() -> Authority:
    """A root whose certificates may have RSA keys."""
    return Authority.create("RSA root", now=NOW)


@cache
def issued(kind: str) -> Identity:
    """A server's identity for ``SERVER_NAME`` with this kind of key."""
    return rsa_authority().issue_server(SERVER_NAME, key=kind).identity()


@cache
def both_anchors() -> TrustAnchors:
    """The test root and the RSA root."""
    roots = [rsa_authority().root, *anchors().certificates]
    return TrustAnchors.from_certificates(roots)


def encrypt_steadily(public_key: Any, secret: bytes) -> bytes:
    """RSAES-PKCS1-v1_5 with padding that is no secret, so that a client says the same in every run."""
    numbers = public_key.public_numbers()
    length = (numbers.n.bit_length() + 7) // 8
    block = b"\0\2" + b"\x5a" * (length - 3 - len(secret)) + b"\0" + secret
    return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(length, "big")


# Shapes of a handshake

Settings = dict[str, Any]
_MUTUAL: tuple[Settings, Settings] = ({"identity": client_identity()}, {"client_auth": ClientAuth.REQUIRED})
_RSA: tuple[Settings, Settings] = (
    {"cipher_suites": RSA_KEY_TRANSPORT, "trust": both_anchors()},
    {"cipher_suites": RSA_KEY_TRANSPORT, "identities": [issued("RSA-2048")]},
)


class _Steady(Seeded):
    """The same bytes for every wish of one length: a key, its name, and the nonce of every ticket."""

    def bytes(self, length: int) -> bytes:
        self.again()
        return super().bytes(length)


class _Lasting(MemorySessionStore):
    """Keeps a session whatever becomes of it, so that it can be replayed."""

    def take(self, name: bytes, now: float) -> bytes | None:
        return self.get(name, now)


_TICKET: Settings = {"tickets": TicketKeys(randomness=_Steady("tickets"))}


def _joined(*pairs: tuple[Settings, Settings]) -> tuple[Settings, Settings]:
    client, server = dict(OLD), dict(OLD)
    for one in pairs:
        client.update(one[0])
        server.update(one[1])
    return client, server


_STAPLED: tuple[Settings, Settings] = (
    {"insecure_skip_verification": True},
    {"identities": [server_identity().with_ocsp_response(b"not looked at")]},
)


def promise_status(message: Any) -> Any:
    """A ``rewrite`` of a server that promises an OCSP response and has none."""
    if isinstance(message, ServerHello):
        return replace(message, extensions=message.extensions.with_(x.STATUS_PROMISED(True)))
    return message


SHAPES: dict[str, tuple[Settings, Settings]] = {
    "one-way": _joined(),
    "mutual": _joined(_MUTUAL),
    "requested, none": _joined(({}, {"client_auth": ClientAuth.REQUESTED})),
    "stapled": _joined(_STAPLED),
    "promised, not stapled": _joined(({}, {"rewrite": promise_status})),
    "ticket": _joined(({}, _TICKET)),
    "rsa one-way": _joined(_RSA),
    "rsa mutual": _joined(_RSA, _MUTUAL),
    "rsa stapled": _joined(
        _RSA,
        (
            {"insecure_skip_verification": True},
            {"identities": [issued("RSA-2048").with_ocsp_response(b"not looked at")]},
        ),
    ),
    "resumed by ticket": _joined(({}, _TICKET)),
    "resumed by ID": _joined(({}, {"session_store": _Lasting()})),
}
"""Every shape by name: the client's and the server's settings."""

RESUMED = ("resumed by ticket", "resumed by ID")
WITH_CACHE = ("ticket", *RESUMED)


@dataclass
class Recording12(Recording):
    """One honest handshake of TLS 1.2. ``session`` is what the client brings to it."""

    session: Session | None = None
    caches: bool = False

    def fresh(self, role: str) -> Connection:
        if role == "server":
            return super().fresh(role)
        assert isinstance(self.client_config.randomness, Seeded)
        self.client_config.randomness.again()
        return ClientConnection(self.client(), SERVER_NAME)

    def client(self) -> ClientConfig:
        """The client's settings with a cache of its own, which holds ``session``."""
        if not self.caches:
            return self.client_config
        cache = MemorySessionCache()
        if self.session is not None:
            cache.put(SERVER_NAME, self.session)
        return self.client_config.replace(sessions=cache)

    @property
    def master(self) -> MasterSecret12:
        hellos = {one.name: one.raw[6:38] for one in self.said if one.name in ("ClientHello", "ServerHello")}
        return MasterSecret12(
            SUITES[self.suite], self.secrets["CLIENT_RANDOM"], hellos["ClientHello"], hellos["ServerHello"]
        )

    def keys(self, sender: str, epoch: str) -> Any:
        keys = self.master.keys()
        key, iv = (keys.client_key, keys.client_iv) if sender == "client" else (keys.server_key, keys.server_iv)
        return Protection12(SUITES[self.suite], key, iv, epoch)


@cache
def recorded12(shape: str) -> Recording12:
    """The recording of a shape, made once in a process."""
    client, server = (dict(one) for one in SHAPES[shape])
    session = _first_session(client, server) if shape in RESUMED else None
    if shape in WITH_CACHE:
        client["sessions"] = MemorySessionCache()
        if session is not None:
            client["sessions"].put(SERVER_NAME, session)
    made = record(client, server)
    known = {field.name: getattr(made, field.name) for field in fields(made)}
    return Recording12(**known, session=session, caches=shape in WITH_CACHE)


def _first_session(client: Settings, server: Settings) -> Session:
    cache = MemorySessionCache()
    first = client_config(**{**client, "sessions": cache, "randomness": Seeded("first client")})
    Pair(first, server_config(**{**server, "randomness": Seeded("first server")})).done()
    session = cache.find(SERVER_NAME, clock().timestamp())
    assert session is not None
    return session


class Puppet12(Puppet):
    """Plays the peer of one fresh victim in TLS 1.2."""

    recording: Recording12

    def __init__(self, recording: Recording12, victim: str, connection: Connection | None = None) -> None:
        self._protected = False
        super().__init__(recording, victim, connection)

    def next_record(self, rewrite: Any = lambda raw: raw) -> bytes:
        one = self.honest[self.told]
        data = super().next_record(rewrite)
        if one.name == CCS:
            self.use("application")
        return data

    def _follow(self, one: Said) -> None:
        """Nothing but ChangeCipherSpec changes the keys."""

    def _open(self, header: bytes, fragment: bytes) -> tuple[int, bytes]:
        if self._read is not None:
            try:
                return self._read.open(header, fragment)
            except InvalidTag:
                return UNREADABLE, fragment  # what it was told led it to other keys than those of the recording
        if header[0] == ContentType.change_cipher_spec:
            self._read = self.recording.keys(self.victim_role, "application")
        return header[0], fragment

    @property
    def said(self) -> list[str]:
        """What kinds of records the victim said, by name."""
        return [ContentType(kind).name for kind, _ in self.heard]


def pair12(client: Settings | None = None, server: Settings | None = None, **more: Any) -> Pair:
    """A client and a server of TLS 1.2 in memory, not started."""
    return Pair(
        client_config(**{**OLD, "trust": both_anchors(), **(client or {})}),
        server_config(**{**OLD, **(server or {})}),
        **more,
    )


def names(trace: t.Trace, direction: str) -> list[str]:
    """The handshake messages that one side sent or received, in order."""
    return [event.name for event in trace.of(t.Message) if event.direction == direction]


def notes(trace: t.Trace, topic: str) -> list[t.Choice]:
    """The decisions on one topic."""
    return [event for event in trace.of(t.Choice) if event.topic == topic]
