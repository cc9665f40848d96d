"""The key schedule against every secret of RFC 8448, and what its classes keep to themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from traces8448 import message, octets, traces

from tlscope.crypto.cipher_suites import SUITES
from tlscope.crypto.hashes import SHA256, SHA384
from tlscope.keys.keylog import key_log_line
from tlscope.keys.schedule13 import EarlySecret, HandshakeSecret, MasterSecret, TrafficSecret, resumption_psk
from tlscope.keys.transcript import Transcript
from tlscope.wire.codepoints import CipherSuite

SUITE = SUITES[CipherSuite.TLS_AES_128_GCM_SHA256]

NAMES = list(traces())
every_trace = pytest.mark.parametrize("trace", [pytest.param(traces()[name], id=name) for name in NAMES])


def hash_at(trace: dict[str, Any], point: str) -> bytes:
    return octets(trace["transcript_hashes"][point])


def early_of(trace: dict[str, Any]) -> EarlySecret:
    return EarlySecret(SHA256, octets(trace["psk"]["psk"]) if "psk" in trace else None)


def handshake_of(trace: dict[str, Any]) -> HandshakeSecret:
    return early_of(trace).handshake(SUITE, octets(trace["secrets"]["ecdhe_shared"]))


def master_of(trace: dict[str, Any]) -> MasterSecret:
    return handshake_of(trace).master()


def check(trace: dict[str, Any], name: str, secret: TrafficSecret) -> None:
    """A traffic secret, and the key and IV that come from it."""
    assert secret.secret == octets(trace["secrets"][f"{name}_traffic"])
    assert secret.suite is SUITE
    keys = secret.keys()
    assert keys.key == octets(trace["traffic_keys"][name]["key"])
    assert keys.iv == octets(trace["traffic_keys"][name]["iv"])


def test_the_traces_are_the_ones_that_were_checked() -> None:
    source = Path(__file__).resolve().parents[3] / "shared" / "data" / "rfc8448.json"
    if not source.is_file():
        pytest.skip("the whole collection of RFC 8448's traces is not beside this checkout")
    theirs = {trace["name"]: trace for trace in json.loads(source.read_text("utf-8"))["traces"]}
    for name, trace in traces().items():
        for part in ("keys", "messages", "secrets", "traffic_keys", "transcript_hashes", "finished_keys"):
            assert trace[part] == theirs[name][part]
        assert [one["record"] for one in trace["records"]] == [one["record"] for one in theirs[name]["records"]]


@every_trace
def test_handshake_secrets(trace: dict[str, Any]) -> None:
    point = hash_at(trace, "ClientHello..ServerHello")
    check(trace, "client_handshake", handshake_of(trace).client_traffic(point))
    check(trace, "server_handshake", handshake_of(trace).server_traffic(point))


@every_trace
def test_application_secrets(trace: dict[str, Any]) -> None:
    point = hash_at(trace, "ClientHello..server Finished")
    check(trace, "client_application", master_of(trace).client_traffic(point))
    check(trace, "server_application", master_of(trace).server_traffic(point))
    assert master_of(trace).exporter(point).secret == octets(trace["secrets"]["exporter_master"])
    end = hash_at(trace, "ClientHello..client Finished")
    assert master_of(trace).resumption(end) == octets(trace["secrets"]["resumption_master"])


@every_trace
def test_finished(trace: dict[str, Any]) -> None:
    start = hash_at(trace, "ClientHello..ServerHello")
    for sender in ("server", "client"):
        secret = getattr(handshake_of(trace), f"{sender}_traffic")(start)
        verify_data = secret.finished(hash_at(trace, f"before {sender} Finished"))
        assert verify_data == message(trace, sender, "Finished")[4:]


@every_trace
def test_transcript_hashes(trace: dict[str, Any]) -> None:
    transcript = Transcript()
    retry = any(one["type"] == "HelloRetryRequest" for one in trace["messages"])
    seen = {}
    for one in trace["messages"]:
        sender, kind, raw = one["sender"], one["type"], octets(one["hex"])
        if kind in ("CertificateVerify", "Finished"):
            seen[f"before {sender} {kind}"] = transcript.digest()
        transcript.add(raw)
        if kind == "HelloRetryRequest":
            # Section 4.4.1: the first ClientHello gives place to its hash.
            first, transcript = octets(trace["messages"][0]["hex"]), Transcript()
            transcript.add(first)
            transcript.select(SHA256)
            seen["ClientHello1"] = transcript.digest()
            transcript.replace_with_message_hash()
            transcript.add(raw)
        elif kind == "ServerHello":
            transcript.select(SHA256)
            seen["ClientHello..ServerHello"] = transcript.digest()
        elif kind == "Finished":
            seen[f"ClientHello..{sender} Finished"] = transcript.digest()
    for point, digest in seen.items():
        if point in trace["transcript_hashes"]:
            assert digest == hash_at(trace, point), point
    assert ("ClientHello1" in seen) == retry
    assert len(seen) >= 5


def test_early_secrets() -> None:
    trace = traces()["resumed_0rtt"]
    early = early_of(trace)
    first = hash_at(trace, "ClientHello")
    check(trace, "client_early", early.client_early_traffic(SUITE, first))
    assert early.early_exporter(first).secret == octets(trace["secrets"]["early_exporter_master"])


def test_the_binder() -> None:
    trace = traces()["resumed_0rtt"]
    prefix = octets(trace["psk"]["client_hello_prefix"])
    digest = Transcript().digest_with(SHA256, prefix)
    assert digest == hash_at(trace, "binder")
    assert early_of(trace).binder(b"res binder", digest) == octets(trace["psk"]["binder"])
    assert early_of(trace).binder(b"ext binder", digest) != octets(trace["psk"]["binder"])


def test_the_resumption_psk() -> None:
    trace = traces()["simple_1rtt"]
    nonce = octets(trace["new_session_ticket"]["nonce"])
    psk = resumption_psk(SHA256, octets(trace["secrets"]["resumption_master"]), nonce)
    assert psk == octets(trace["secrets"]["resumption_psk"]) == octets(traces()["resumed_0rtt"]["psk"]["psk"])


def test_without_a_psk_and_without_a_key_exchange_zeros_stand_in() -> None:
    zeros = bytes(32)
    assert EarlySecret(SHA256).binder(b"res binder", b"") == EarlySecret(SHA256, zeros).binder(b"res binder", b"")
    one, two = (EarlySecret(SHA256).handshake(SUITE, secret) for secret in (None, zeros))
    assert one.client_traffic(zeros).secret == two.client_traffic(zeros).secret


def test_an_updated_secret_is_another_one() -> None:
    # RFC 8446 section 7.2. The value is that of HKDF-Expand-Label(secret, "traffic upd", "", 32).
    secret = TrafficSecret(SUITE, bytes(32))
    info = b"\0\x20" + b"\x11tls13 traffic upd" + b"\0"
    assert secret.updated().secret == SHA256.expand(bytes(32), info, 32)
    chain = {secret.secret}
    for _ in range(5):
        secret = secret.updated()
        chain.add(secret.secret)
    assert len(chain) == 6


def test_exporters_differ_by_label_context_and_length() -> None:
    exporter = master_of(traces()["simple_1rtt"]).exporter(bytes(32))
    drawn = {
        exporter.export(b"EXPERIMENTAL a", b"", 32),
        exporter.export(b"EXPERIMENTAL b", b"", 32),
        exporter.export(b"EXPERIMENTAL a", b"c", 32),
    }
    assert len(drawn) == 3
    assert len(exporter.export(b"EXPERIMENTAL a", b"", 255 * 32)) == 255 * 32
    # Another length gives other bytes, not a part of the longer one (RFC 8446 section 7.1).
    short = exporter.export(b"EXPERIMENTAL a", b"", 16)
    assert not exporter.export(b"EXPERIMENTAL a", b"", 32).startswith(short)


def test_a_label_and_its_context_are_not_confused() -> None:
    exporter = master_of(traces()["simple_1rtt"]).exporter(bytes(32))
    assert exporter.export(b"ab", b"c", 32) != exporter.export(b"a", b"bc", 32)


def test_sha_384_has_longer_secrets() -> None:
    suite = SUITES[CipherSuite.TLS_AES_256_GCM_SHA384]
    secret = EarlySecret(SHA384).handshake(suite, bytes(32)).client_traffic(bytes(48))
    assert len(secret.secret) == len(secret.finished(bytes(48))) == 48
    assert (len(secret.keys().key), len(secret.keys().iv)) == (32, 12)


def test_nothing_shows_its_secret() -> None:
    trace = traces()["simple_1rtt"]
    early, handshake, master = early_of(trace), handshake_of(trace), master_of(trace)
    traffic = handshake.client_traffic(bytes(32))
    exporter = master.exporter(bytes(32))
    secrets = [*trace["secrets"].values(), traffic.secret.hex(), traffic.keys().key.hex(), exporter.secret.hex()]
    for stage in (early, handshake, master, traffic, exporter, traffic.keys()):
        shown = repr(stage) + str(stage)
        assert "redacted" in shown
        assert not any(secret in shown for secret in secrets)
        assert not any(repr(octets(secret)) in shown for secret in secrets)


def test_a_transcript_goes_both_ways_after_a_fork() -> None:
    transcript = Transcript()
    transcript.add(b"one")
    early = transcript.fork()
    early.add(b"two")
    early.select(SHA256)
    assert early.digest() == SHA256.digest(b"onetwo")
    transcript.add(b"three")
    transcript.select(SHA256)
    late = transcript.fork()
    late.add(b"four")
    assert late.digest() == SHA256.digest(b"onethreefour")
    assert transcript.digest() == SHA256.digest(b"onethree")
    assert transcript.digest_with(SHA256, b"four") == late.digest()
    assert transcript.digest() == SHA256.digest(b"onethree")


def test_a_transcripts_hash_is_chosen_once() -> None:
    transcript = Transcript()
    transcript.select(SHA256)
    transcript.select(SHA256)
    with pytest.raises(ValueError, match="can't change"):
        transcript.select(SHA384)


def test_a_key_log_line_has_three_fields() -> None:
    assert key_log_line("CLIENT_RANDOM", b"\1" * 32, b"\2" * 48) == f"CLIENT_RANDOM {'01' * 32} {'02' * 48}"
