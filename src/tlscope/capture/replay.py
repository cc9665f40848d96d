"""One connection's records as the trace that its client, or whoever was refused, would have kept.

A listener knows less than the two: what is not decrypted is shown as the records that they were, and no verdict is made up.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .. import trace as t
from ..explain.model import SEALED, Side
from ..wire.codepoints import AlertDescription, AlertLevel, ContentType
from ..wire.records import HEADER_LENGTH, MAX_CIPHERTEXT_12
from .failing import Fatal, Lost, failed, other
from .hearing import Heard
from .opening import Keys13, Protection, early_keys, keys_12, opened
from .secrets import Secrets

__all__ = ["Replay", "Side"]

MOST_EVENTS = 20_000
MOST_CONTENT = 64 * 1024
_MOST_MESSAGE = 1 << 17


@dataclass(slots=True)
class _Speaker:
    """What is known of one side."""

    wire: bytearray = field(default_factory=bytearray)
    messages: bytearray = field(default_factory=bytearray)
    epoch: str = "plaintext"
    keys: Protection | None = None
    traffic: Keys13 | None = None
    sequence: int = 0
    finished: bool = False
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    first: bytes | None = None
    goodbye: bool = False
    over: bool = False


class Replay:
    """Takes the bytes of both sides as they went by; ``finish`` gives the trace."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._sides: dict[Side, _Speaker] = {"client": _Speaker(), "server": _Speaker()}
        self._events: list[tuple[Side | None, t.TraceEvent]] = []
        self._heard = Heard()
        self._labels: dict[str, bytes] = {}
        self._sealed: list[tuple[Side, float, int, int]] = []
        self._start: float | None = None
        self._completed = False
        self._lost: Lost | None = None
        self._fatal: Fatal | None = None
        self.decrypted = False
        self.sealed = False

    @property
    def obstacle(self) -> str:
        """Why something stayed encrypted, as a sentence; empty where nothing did."""
        if not self.sealed:
            return ""
        if self._heard.answered and self._heard.suite is None:
            return f"{self._heard.facts()['cipher_suite']} is not among those that are decrypted here."
        if not self._labels:
            return "Its secrets are not at hand, so what is encrypted stays so."
        return "The secrets at hand do not open all of it."

    # What comes in

    def feed(self, side: Side, data: bytes, time: float) -> None:
        """Bytes that a side sent."""
        if self._start is None:
            self._start = time
        speaker = self._sides[side]
        speaker.first = ((speaker.first or b"") + data)[:64]
        if speaker.over:
            return
        speaker.wire += data
        while len(speaker.wire) >= HEADER_LENGTH:
            length = int.from_bytes(speaker.wire[3:5], "big")
            if not 20 <= speaker.wire[0] <= 23 or speaker.wire[1] != 3 or length > MAX_CIPHERTEXT_12:
                speaker.over = True  # no record: whatever it is, it can't be followed any further
                return
            if len(speaker.wire) < HEADER_LENGTH + length:
                return
            record = bytes(speaker.wire[: HEADER_LENGTH + length])
            del speaker.wire[: HEADER_LENGTH + length]
            if len(self._events) < MOST_EVENTS:
                self._record(side, speaker, record, time)

    def end(self, side: Side, time: float, *, reset: bool = False) -> None:
        """A side closed its half of the connection, or ``reset`` it."""
        speaker = self._sides[side]
        self._flush()
        if not speaker.goodbye and not self.sealed and self._fatal is None:
            self._add(side, t.Closed("sent", "cut"), time)
            if not self._completed and self._lost is None:
                self._lost = side, time, reset

    # Records

    def _record(self, side: Side, speaker: _Speaker, record: bytes, time: float) -> None:
        kind = record[0]
        if kind == ContentType.change_cipher_spec:
            self._flush()
            self._wire(side, speaker, record, kind, record[5:], "plaintext", time)
            self._change_cipher_spec(side, speaker, time)
        elif speaker.epoch == "plaintext" and kind != ContentType.application_data:
            self._flush()
            self._wire(side, speaker, record, kind, record[5:], "plaintext", time)
            self._content(side, speaker, kind, record[5:], "plaintext", time)
        else:
            self._protected(side, speaker, record, time)

    def _protected(self, side: Side, speaker: _Speaker, record: bytes, time: float) -> None:
        if speaker.keys is None and side == "client" and not self._heard.answered:
            self._begin_early(speaker, record, time)
        content = None if speaker.keys is None else opened(speaker.keys, record)
        if (
            content is None
            and side == "client"
            and speaker.epoch == "handshake"
            and self._begin_early(speaker, record, time)
        ):
            content = None if speaker.keys is None else opened(speaker.keys, record)  # it crossed the ServerHello
        elif content is None and side == "client" and speaker.epoch == "early" and self._heard.answered:
            self._switch(side, "handshake", time)  # early data was not taken: what follows is the handshake's
            content = None if speaker.keys is None else opened(speaker.keys, record)
        if content is None:
            self.sealed = True
            self._wire(side, speaker, record, record[0], record[5:], SEALED, time)
            if self._sealed and (self._sealed[-1][0], self._sealed[-1][3]) != (side, record[0]):
                self._flush()
            self._sealed.append((side, time, len(record), record[0]))
            return
        self._flush()
        self.decrypted = True
        epoch = speaker.epoch
        self._wire(side, speaker, record, content[0], content[1], epoch, time)
        self._content(side, speaker, content[0], content[1], epoch, time)

    def _content(self, side: Side, speaker: _Speaker, kind: int, content: bytes, epoch: str, time: float) -> None:
        if kind == ContentType.handshake:
            speaker.messages += content
            self._messages(side, speaker, epoch, time)
        elif kind == ContentType.alert and len(content) == 2:
            self._alert(side, speaker, content, epoch, time)
        elif kind == ContentType.application_data:
            shown = content[:MOST_CONTENT]
            self._add(side, t.Data("sent", len(content), epoch, shown if len(shown) == len(content) else None), time)

    def _messages(self, side: Side, speaker: _Speaker, epoch: str, time: float) -> None:
        while len(speaker.messages) >= 4:
            length = 4 + int.from_bytes(speaker.messages[1:4], "big")
            if length > _MOST_MESSAGE:
                speaker.over = True
                return
            if len(speaker.messages) < length:
                return
            raw = bytes(speaker.messages[:length])
            del speaker.messages[:length]
            name = self._heard.take(side, raw)
            speaker.said.append(name)
            self._add(side, t.Message("sent", name, epoch, self._heard.version, raw), time)
            self._after(side, speaker, name, time)

    def _alert(self, side: Side, speaker: _Speaker, content: bytes, epoch: str, time: float) -> None:
        level, description = AlertLevel.of(content[0]), AlertDescription.of(content[1])
        self._add(side, t.AlertEvent("sent", level, description, description.name, epoch), time)
        if description == AlertDescription.close_notify:
            speaker.goodbye = True
            self._add(side, t.Closed("sent", "close_notify"), time)
        elif (
            self._fatal is None
            and (level == AlertLevel.fatal or self._heard.is_13)
            and description is not AlertDescription.user_canceled
        ):
            self._fatal = side, level, description, time
        else:
            speaker.warned.append(description.name)

    # What changes keys

    def _after(self, side: Side, speaker: _Speaker, name: str, time: float) -> None:
        heard = self._heard
        if name == "ClientHello":
            self._labels = self._secrets.get(heard.client_random, {})
        elif name == "ServerHello" and heard.is_13:
            self._switch("server", "handshake", time)
            if self._sides["client"].epoch != "early":
                self._switch("client", "handshake", time)
        elif name == "EndOfEarlyData":
            self._switch("client", "handshake", time)
        elif name == "Finished":
            speaker.finished = True
            if heard.is_13:
                self._switch(side, "application", time)
            if all(one.finished for one in self._sides.values()) and not self._completed:
                self._completed = True
                self._add(None, t.Completed(heard.facts()), time)
        elif name == "KeyUpdate" and speaker.traffic is not None:
            speaker.traffic.update()
            speaker.keys = speaker.traffic.protection
            speaker.epoch = speaker.keys.epoch
            self._add(side, t.KeyChange("sent", speaker.epoch, speaker.keys.description), time)

    def _switch(self, side: Side, epoch: str, time: float) -> None:
        """The keys of TLS 1.3's next epoch, as far as their secret is known."""
        speaker, suite = self._sides[side], self._heard.suite
        label = f"{side.upper()}_{'HANDSHAKE_TRAFFIC_SECRET' if epoch == 'handshake' else 'TRAFFIC_SECRET_0'}"
        secret = self._labels.get(label)
        stage = ("handshake secret", "ClientHello..ServerHello")
        if epoch == "application":
            stage = ("master secret", "ClientHello..server Finished")
        self._add(None, t.Secret(label, stage, self._heard.client_random), time)
        speaker.traffic, speaker.keys, speaker.epoch = None, None, epoch
        if secret is not None and suite is not None and len(secret) == suite.hash.length:
            speaker.traffic = Keys13(suite, secret, epoch)
            speaker.keys = speaker.traffic.protection
        name = "unknown" if suite is None else suite.aead.name
        self._add(side, t.KeyChange("sent", epoch, name), time)

    def _begin_early(self, speaker: _Speaker, record: bytes, time: float) -> bool:
        secret = self._labels.get("CLIENT_EARLY_TRAFFIC_SECRET")
        keys = None if secret is None else early_keys(secret, record)
        if keys is not None:
            speaker.traffic, speaker.keys, speaker.epoch = keys, keys.protection, "early"
            early = t.Secret("CLIENT_EARLY_TRAFFIC_SECRET", ("early secret", "ClientHello"), self._heard.client_random)
            self._add(None, early, time)
            self._add("client", t.KeyChange("sent", "early", keys.protection.description), time)
        return keys is not None

    def _change_cipher_spec(self, side: Side, speaker: _Speaker, time: float) -> None:
        heard = self._heard
        switches = heard.answered and not heard.is_13
        self._add(side, t.ChangeCipherSpecEvent("sent", "keys" if switches else "compatibility"), time)
        if not switches:
            return
        master, suite = self._labels.get("CLIENT_RANDOM"), heard.suite
        if not any(isinstance(event, t.Secret) for _, event in self._events):
            self._add(
                None,
                t.Secret("CLIENT_RANDOM", ("premaster secret",), heard.client_random),
                time,
            )
        speaker.epoch, speaker.keys = "application", None
        if master is not None and suite is not None and len(master) == 48:
            client, server = keys_12(suite, master, heard.client_random, heard.server_random)
            speaker.keys = client if side == "client" else server
        self._add(side, t.KeyChange("sent", "application", "unknown" if suite is None else suite.aead.name), time)

    # What goes out

    def _add(self, side: Side | None, event: t.TraceEvent, time: float) -> None:
        event.time = max(0.0, time - (self._start or 0.0))
        self._events.append((side, event))

    def _wire(
        self, side: Side, speaker: _Speaker, record: bytes, kind: int, content: bytes, epoch: str, time: float
    ) -> None:
        event = t.Record("sent", kind, epoch, speaker.sequence, len(content), record)
        speaker.sequence += 1
        self._add(side, event, time)

    def _flush(self) -> None:
        """Tell of the records that stayed encrypted, those of one side in one go."""
        if not self._sealed:
            return
        side, time, _, kind = self._sealed[0]
        count, size = len(self._sealed), sum(length for _, _, length, _ in self._sealed)
        self._sealed.clear()
        # In TLS 1.2 the type stays readable; in TLS 1.3 all look like application data (RFC 8446 section 5.2).
        of = "" if self._heard.is_13 else f" of {ContentType.of(kind).name.replace('_', ' ')}"
        words = f"{count} encrypted record{'' if count == 1 else 's'}{of}, {size:,} bytes"
        self._add(side, t.Message("sent", words, SEALED, self._heard.version, b""), time)

    def finish(self) -> t.Trace:
        """The trace, as the side saw it that was refused; the client's where nobody was."""
        self._flush()
        ended = self._fatal or self._lost
        role: Side = "client" if ended is None else other(ended[0])
        trace = t.Trace(secrets=self.decrypted)
        trace.started_at = self._start or 0.0
        trace.events = [t.Started(role, self._heard.server_name if role == "client" else "")]
        for side, event in self._events:
            if side is not None:
                event.direction = "sent" if side == role else "received"  # type: ignore[attr-defined]
            trace.events.append(event)
        failure = self._failure(role)
        if failure is not None:
            trace.events.append(failure)
        return trace

    def _failure(self, role: Side) -> t.Failed | None:
        lost = None if self.sealed else self._lost
        peer = self._sides[other(role)]
        return failed(
            self._heard,
            role,
            {side: speaker.said for side, speaker in self._sides.items()},
            peer.first if not peer.said else b"",
            self._start or 0.0,
            fatal=self._fatal,
            lost=lost,
            completed=self._completed,
            warnings=peer.warned,
        )
