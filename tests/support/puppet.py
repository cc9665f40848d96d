"""Recorded handshakes, and a peer that replays them and says anything it likes in between, under the right keys.

With seeded randomness a side says the same in every run. So one honest handshake is recorded; afterwards any number of
fresh victims can be brought into any state of it, and a ``Puppet`` talks to them with the recorded secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from certificates import SERVER_NAME
from memory import Connection, Pair, Seeded, client_config, server_config

from tlscope import (
    AlertDescription,
    CipherSuite,
    ClientConfig,
    ClientConnection,
    ServerConfig,
    ServerConnection,
    TLSError,
    Trace,
)
from tlscope import trace as t
from tlscope.crypto.cipher_suites import SUITES
from tlscope.events import Event
from tlscope.keys.schedule13 import TrafficSecret
from tlscope.record.protection import InvalidTag, Protection13
from tlscope.wire.codepoints import ContentType

CCS = "ChangeCipherSpec"


@dataclass(frozen=True)
class Said:
    """One thing that a side says: a handshake message with its header, or a ChangeCipherSpec."""

    sender: str
    name: str
    epoch: str
    raw: bytes

    @property
    def record(self) -> int:
        return ContentType.change_cipher_spec if self.name == CCS else ContentType.handshake


@dataclass
class Recording:
    """One honest handshake, and how to have it again."""

    client_config: ClientConfig
    server_config: ServerConfig
    said: list[Said] = field(default_factory=list)
    flights: list[tuple[str, bytes]] = field(default_factory=list)
    secrets: dict[str, bytes] = field(default_factory=dict)
    suite: CipherSuite = CipherSuite.TLS_AES_128_GCM_SHA256
    pair: Pair | None = None

    def fresh(self, role: str) -> Connection:
        """A connection that will say what it said in the recording."""
        if role == "client":
            _again(self.client_config)
            return ClientConnection(self.client_config, SERVER_NAME)
        _again(self.server_config)
        return ServerConnection(self.server_config)

    def by(self, sender: str) -> list[Said]:
        """What one side said, in order."""
        return [one for one in self.said if one.sender == sender]

    def keys(self, sender: str, epoch: str) -> Protection13:
        """Fresh protection, at sequence number 0, of one sender's epoch."""
        if epoch == "handshake":
            label = f"{sender.upper()}_HANDSHAKE_TRAFFIC_SECRET"
        else:
            label = f"{sender.upper()}_TRAFFIC_SECRET_{int(epoch.partition('+')[2] or 0)}"
        return protection(self.suite, self.secrets[label], epoch)


def protection(suite: CipherSuite, secret: bytes, epoch: str = "application") -> Protection13:
    """Protection from a traffic secret, at sequence number 0."""
    keys = TrafficSecret(SUITES[suite], secret).keys()
    return Protection13(SUITES[suite], keys.key, keys.iv, epoch)


def _again(config: Any) -> None:
    assert isinstance(config.randomness, Seeded)
    config.randomness.again()


def record(client: dict[str, Any] | None = None, server: dict[str, Any] | None = None) -> Recording:
    """Run one handshake with these settings and keep all of it."""
    recording = Recording(client_config(**(client or {})), server_config(**(server or {})))
    traces = {"client": Trace(secrets=True), "server": Trace(secrets=True)}
    told = {"client": 0, "server": 0}

    def listen(sender: str, data: bytes) -> bytes:
        recording.flights.append((sender, data))
        recording.said += _spoken(sender, traces[sender].events[told[sender] :])
        told[sender] = len(traces[sender])
        return data

    pair = Pair(
        recording.client_config,
        recording.server_config,
        client_trace=traces["client"],
        server_trace=traces["server"],
        tamper=listen,
    ).done()
    for trace in traces.values():
        recording.secrets.update({one.label: one.value for one in trace.of(t.Secret) if one.value is not None})
    assert pair.client.facts is not None
    recording.suite = pair.client.facts.cipher_suite
    recording.pair = pair
    return recording


def _spoken(role: str, events: Iterable[t.TraceEvent]) -> Iterable[Said]:
    for event in events:
        if isinstance(event, t.Message) and event.direction == "sent":
            yield Said(role, event.name, event.epoch, event.raw)
        elif isinstance(event, t.ChangeCipherSpecEvent) and event.direction == "sent":
            yield Said(role, CCS, "plaintext", b"\1")


def plain(kind: int, content: bytes, version: int = 0x0303) -> bytes:
    """One record without protection."""
    return bytes((kind,)) + version.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content


class Puppet:
    """Plays the peer of one fresh victim."""

    def __init__(self, recording: Recording, victim: str, connection: Connection | None = None) -> None:
        self.recording = recording
        self.victim_role = victim
        self.role = "server" if victim == "client" else "client"
        self.victim = recording.fresh(victim) if connection is None else connection
        self.honest = recording.by(self.role)
        self.told = 0
        """How many of the honest peer's messages the victim has."""
        self.events: list[Event] = []
        self.error: Exception | None = None
        self.heard: list[tuple[int, bytes]] = []
        """What the victim said, as opened records: content type and content."""
        self.write: Protection13 | None = None
        self._read: Protection13 | None = None
        self._read_epochs = ["handshake", "application"]
        self._partial = b""
        self.victim.start()
        self.listen()

    # Speaking

    def deliver(self, data: bytes) -> None:
        """Hand bytes to the victim as they are; its error is kept."""
        try:
            self.events += self.victim.receive_data(data)
        except TLSError as error:
            self.error = error
        self.listen()

    def seal(self, content: bytes, kind: int = ContentType.handshake, padding: int = 0) -> bytes:
        """One record under the keys of now."""
        if self.write is None:
            return plain(kind, content)
        return b"".join(self.write.seal(kind, content, padding))

    def say(self, content: bytes, kind: int = ContentType.handshake) -> None:
        """Send one record under the keys of now."""
        self.deliver(self.seal(content, kind))

    def tell(self, count: int = 1) -> None:
        """Say the next ``count`` things that the honest peer said, each in a record of its own."""
        for _ in range(count):
            self.deliver(self.next_record())

    def next_record(self, rewrite: Callable[[bytes], bytes] = lambda raw: raw) -> bytes:
        """The record with the next honest thing, which counts as told."""
        one = self.honest[self.told]
        content = rewrite(one.raw)
        data = plain(one.record, content) if one.name == CCS else self.seal(content)
        self.told += 1
        if one.name != CCS:
            self._follow(one)
        return data

    def tell_until(self, name: str) -> None:
        """Say what the honest peer said, up to the first message of this name, which is not said yet."""
        while self.honest[self.told].name != name:
            self.tell()

    def tell_all(self) -> None:
        """Say all that the honest peer said in the handshake."""
        self.tell(len(self.honest) - self.told)

    def use(self, epoch: str) -> None:
        """Speak under the keys of this epoch from now on."""
        self.write = self.recording.keys(self.role, epoch)

    def _follow(self, one: Said) -> None:
        rest = [later for later in self.honest[self.told :] if later.name != CCS]
        if rest and rest[0].epoch != one.epoch:
            self.use(rest[0].epoch)
        elif one.name == "Finished":
            self.use("application")

    # Listening

    def listen(self) -> None:
        """Open what the victim says."""
        data = self._partial + self.victim.data_to_send()
        while len(data) >= 5:
            length = 5 + int.from_bytes(data[3:5], "big")
            if len(data) < length:
                break
            self.heard.append(self._open(data[:5], data[5:length]))
            data = data[length:]
        self._partial = data

    def _open(self, header: bytes, fragment: bytes) -> tuple[int, bytes]:
        if header[0] != ContentType.application_data:
            return header[0], fragment
        while True:
            try:
                if self._read is not None:
                    return self._read.open(header, fragment)
            except InvalidTag:
                assert self._read_epochs, "the victim's record fits none of its keys"
            self._read = self.recording.keys(self.victim_role, self._read_epochs.pop(0))

    @property
    def alerts(self) -> list[tuple[int, AlertDescription]]:
        """The alerts that the victim sent, level and description."""
        return [(content[0], AlertDescription(content[1])) for kind, content in self.heard if kind == ContentType.alert]

    @property
    def alert(self) -> AlertDescription | None:
        """The fatal alert that the victim sent, None for none; more than one is a fault of its own."""
        fatal = [description for level, description in self.alerts if level == 2]
        assert len(fatal) <= 1, fatal
        return fatal[0] if fatal else None

    @property
    def data(self) -> bytes:
        """The application data that the victim sent."""
        return b"".join(content for kind, content in self.heard if kind == ContentType.application_data)
