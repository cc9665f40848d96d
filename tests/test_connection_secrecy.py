"""Secrets are compared in constant time and shown to nobody who did not ask."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import client_identity
from memory import Pair, client_config, server_config
from puppet import Puppet, Recording
from scenarios import EVERYTHING, MUTUAL, recorded

import tlscope
from tlscope import ClientAuth, Trace
from tlscope import trace as t
from tlscope.crypto import hashes
from tlscope.crypto.cipher_suites import SUITES
from tlscope.handshake import client13, server13
from tlscope.keys.schedule13 import TrafficSecret

SOURCE = Path(tlscope.__file__).parent

# Names of values that a peer sends and that only the holder of a secret can make, or that are secrets themselves.
GUARDED = {"verify_data", "cookie", "binder", "binders", "secret", "premaster", "psk", "tag", "mac", "finished"}


def words(node: ast.AST) -> Iterator[str]:
    """The names of the values in an expression, whole and in parts: of ``psk.identity`` only ``identity``."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    yield from (name, *name.split("_"))
    if not isinstance(node, ast.Attribute):
        for child in ast.iter_child_nodes(node):
            yield from words(child)


def measured(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("len", "type")


def test_no_secret_is_compared_with_an_operator() -> None:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        if path.relative_to(SOURCE).parts[0] in ("cli", "explain", "authority", "proxy", "trust"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                sides = [side for side in (node.left, *node.comparators) if not measured(side)]
                named = {word for side in sides for word in words(side)} & GUARDED
                if named:
                    found.append((path.name, node.lineno, ast.unparse(node)))
    assert found == []


@pytest.mark.parametrize("role", ["client", "server"])
def test_finished_goes_through_the_constant_time_comparison(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = recorded(EVERYTHING)
    compared: list[tuple[bytes, bytes]] = []

    def watched(ours: bytes, theirs: bytes) -> bool:
        compared.append((ours, theirs))
        return hashes.equal(ours, theirs)

    monkeypatch.setattr(client13, "equal", watched)
    monkeypatch.setattr(server13, "equal", watched)
    puppet = Puppet(recording, role)
    puppet.tell_all()
    assert puppet.victim.handshake_complete
    finished = next(one.raw[4:] for one in puppet.honest if one.name == "Finished")
    assert (finished, finished) in compared
    # The server checks its cookie in the same way.
    assert len(compared) == (1 if role == "client" else 2)
    if role == "server":
        assert len(compared[0][0]) == 32


def test_a_comparison_that_says_yes_is_all_that_stands_between(monkeypatch: pytest.MonkeyPatch) -> None:
    # The other way round: where the comparison says no, the handshake ends, whatever was sent.
    recording = recorded(MUTUAL)
    monkeypatch.setattr(client13, "equal", lambda ours, theirs: False)
    puppet = Puppet(recording, "client")
    puppet.tell_all()
    assert not puppet.victim.handshake_complete


def secrets_of(recording: Recording) -> dict[str, bytes]:
    """Every secret of a recorded handshake, and the keys that come from them."""
    found = dict(recording.secrets)
    for label, secret in recording.secrets.items():
        if "TRAFFIC" in label:
            keys = TrafficSecret(SUITES[recording.suite], secret).keys()
            found[f"{label} key"], found[f"{label} iv"] = keys.key, keys.iv
    return found


def shown_in(text: str, secrets: dict[str, bytes]) -> list[str]:
    """The secrets that a text gives away, in hexadecimal or as Python writes bytes."""
    return [label for label, secret in secrets.items() if secret.hex() in text.lower() or repr(secret)[2:-1] in text]


def everything_about(connection: Any) -> Iterator[object]:
    """The connection and whatever hangs on it, three steps deep."""
    seen: set[int] = set()
    todo = [(connection, 0)]
    while todo:
        one, depth = todo.pop()
        if id(one) in seen or isinstance(one, bytes | bytearray | str | int | type) or one is None:
            continue
        seen.add(id(one))
        yield one
        if depth < 3 and type(one).__module__.startswith("tlscope"):
            names = [
                *getattr(one, "__dict__", ()),
                *(s for c in type(one).__mro__ for s in getattr(c, "__slots__", ())),
            ]
            todo += [(getattr(one, name, None), depth + 1) for name in names]


@pytest.mark.parametrize("role", ["client", "server"])
def test_nothing_shows_a_secret(role: str) -> None:
    recording = recorded(EVERYTHING)
    secrets = secrets_of(recording)
    assert len(secrets) == 6 + 2 * 4
    puppet = Puppet(recording, role)
    for one in puppet.honest:
        puppet.tell()
        for thing in everything_about(puppet.victim):
            if type(thing).__module__.startswith("tlscope"):
                assert shown_in(repr(thing) + str(thing), secrets) == [], (one.name, type(thing))
    assert puppet.victim.handshake_complete
    assert shown_in(repr(puppet.events), secrets) == []
    assert shown_in(str(puppet.victim.facts and puppet.victim.facts.as_dict()), secrets) == []


def traced(secrets: bool) -> tuple[Trace, Pair]:
    sink = Trace(secrets=secrets)
    client = client_config(identity=client_identity(), alpn=("http/1.1",))
    server = server_config(client_auth=ClientAuth.REQUIRED, alpn=("http/1.1",))
    pair = Pair(client, server, client_trace=sink).done()
    pair.client.send_data(b"attack at dawn")
    pair.move("client")
    pair.server.send_data(b"agreed, at dawn")
    pair.move("server")
    return sink, pair


def test_a_trace_shows_secrets_and_data_only_when_asked() -> None:
    open_trace, _ = traced(secrets=True)
    closed_trace, _ = traced(secrets=False)
    secrets = {event.label: event.value for event in open_trace.of(t.Secret) if event.value is not None}
    assert len(secrets) == 6
    assert set(shown_in(open_trace.to_json_lines(), secrets)) == secrets.keys()
    assert [event.label for event in closed_trace.of(t.Secret)] == list(secrets)
    for text in (closed_trace.to_json_lines(), repr(closed_trace.events), repr(closed_trace), repr(open_trace.events)):
        assert shown_in(text, secrets) == []
        assert "dawn" not in text
        assert b"dawn".hex() not in text
    assert [event.content for event in closed_trace.of(t.Data)] == [None, None]
    assert [event.content for event in open_trace.of(t.Data)] == [b"attack at dawn", b"agreed, at dawn"]


def test_errors_show_no_secret() -> None:
    recording = recorded(MUTUAL)
    secrets = secrets_of(recording)
    for role in ("client", "server"):
        for index, one in enumerate(recording.by("server" if role == "client" else "client")):
            if one.epoch == "plaintext":
                continue
            puppet = Puppet(recording, role)
            puppet.tell(index)
            puppet.deliver(puppet.next_record(lambda raw: raw[:-1] + bytes((raw[-1] ^ 1,))))
            while puppet.error is None and puppet.told < len(puppet.honest):
                puppet.tell()
            error = puppet.victim.error
            assert error is not None
            assert shown_in(f"{error!r} {error} {error.as_dict()} {error.evidence!r}", secrets) == []


def test_a_configuration_shows_no_secret() -> None:
    config = recorded(MUTUAL).client_config
    assert "randomness" not in repr(config)
    assert "<Identity" in repr(config)
