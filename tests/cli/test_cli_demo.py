"""``tlscope demo``: two real handshakes, drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import invoke, tlscope, too_wide

from tlscope import Trace
from tlscope.explain import to_text


def test_both_flows_one_after_the_other() -> None:
    result = tlscope("demo")
    assert (result.code, result.stderr) == (0, "")
    assert not too_wide(result.stdout)
    one_way, _, mutual = result.stdout.partition("Mutual: the client proves who it is, too")
    assert one_way.startswith("One-way: the server proves who it is\n")
    assert "One-way TLS 1.3" in one_way
    assert "CertificateRequest" not in one_way
    assert "Mutual TLS 1.3" in mutual
    assert "CertificateRequest" in mutual
    assert "alice@example.test" in mutual
    for flow in (one_way, mutual):
        assert "handshake complete" in flow
        assert flow.index("Hello, is this line private?") < flow.index("It is: only you and I can read this.")


@pytest.mark.parametrize(
    ("arguments", "flows", "version"),
    [
        ([], ["one-way", "mutual"], "TLS 1.3"),
        (["--one-way", "--mutual"], ["one-way", "mutual"], "TLS 1.3"),
        (["--one-way"], ["one-way"], "TLS 1.3"),
        (["--mutual", "--tls", "1.3"], ["mutual"], "TLS 1.3"),
        (["--tls", "1.2"], ["one-way", "mutual"], "TLS 1.2"),
        (["--tls", "1.2", "--key-exchange", "ecdhe"], ["one-way", "mutual"], "TLS 1.2"),
    ],
)
def test_what_can_be_asked_for(arguments: list[str], flows: list[str], version: str) -> None:
    document = json.loads(invoke("demo", "--json", *arguments).stdout)
    assert document["exit_code"] == 0
    assert [flow["flow"] for flow in document["flows"]] == flows
    for flow in document["flows"]:
        assert flow["facts"]["version"] == version
        assert ("identity" in flow["facts"]) is (flow["flow"] == "mutual")
        messages = [message for step in flow["steps"] for message in step["messages"]]
        assert messages[0]["name"] == "ClientHello"
        said = [message["text"] for message in messages if message["name"] == "application data"]
        assert said == ["Hello, is this line private?", "It is: only you and I can read this."]


def test_the_classic_key_exchange() -> None:
    for arguments in (["--key-exchange", "rsa"], ["--key-exchange", "RSA", "--tls", "1.2"]):
        result = invoke("demo", "--mutual", *arguments)
        assert result.code == 0
        assert "TLS_RSA_WITH" in result.stdout
        assert "ClientKeyExchange" in result.stdout
    assert "ServerKeyExchange" not in result.stdout


def test_traces_and_keys(tmp_path: Path) -> None:
    trace, keys = tmp_path / "trace.jsonl", tmp_path / "keys.log"
    assert invoke("demo", "--one-way", "--trace", trace, "--keylog", keys).code == 0
    drawn = to_text(Trace.from_json_lines(trace.read_text()))
    assert "handshake complete" in drawn
    assert "CLIENT_TRAFFIC_SECRET_0" in keys.read_text()
    secret = keys.read_text().split()[2]
    assert secret not in trace.read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--tls", "1.3", "--key-exchange", "rsa"], "TLS 1.3 has nothing like it"),
        (["--key-exchange", "dh"], "there are ecdhe and rsa"),
        (["--tls", "1.1"], "RFC 8996"),
        (["--two-way"], "no such option"),
        (["--keylog", "/nowhere/keys"], "the key log can't be written"),
    ],
)
def test_refusals(arguments: list[str], says: str) -> None:
    result = invoke("demo", *arguments)
    assert result.code == 2
    assert says in " ".join(result.stderr.split())
    assert json.loads(invoke("demo", "--json", *arguments).stdout)["exit_code"] == 2
