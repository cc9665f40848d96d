"""``tlscope lab``: cases listed, run, served to other clients, and clients sent to other servers."""

from __future__ import annotations

import json
import signal
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from command import Files, Serving, invoke, running, serving, too_wide

from tlscope import ClientConfig, TLSError, TrustAnchors, connect
from tlscope.lab import CASES


def lines_of_json(server: Serving) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.lines if line.startswith("{")]


def test_list_names_every_case() -> None:
    done = invoke("lab", "list")
    assert done.code == 0
    assert not too_wide(done.stdout)
    assert [id for id in CASES if f"\n  {id} " not in f"\n{done.stdout}"] == []
    cases = json.loads(invoke("lab", "list", "--json").stdout)["cases"]
    assert [one["id"] for one in cases] == list(CASES)


@pytest.mark.parametrize("id", ["wrong-host", "client-cert-not-offered", "key-mismatch", "http-on-tls-port"])
def test_run_prints_what_both_sides_say(id: str) -> None:
    done = invoke("lab", "run", id)
    assert done.code == 0, done.stderr
    assert done.stdout.startswith(f"{id}: ")
    if CASES[id].local is None:
        assert done.stdout.index("What the client says:") < done.stdout.index("What the server says:")
    else:
        assert "What loading it says:" in done.stdout
    assert "  rule  " in done.stdout


def test_run_compares_the_traces_of_both_sides() -> None:
    done = invoke("lab", "run", "client-missing-intermediate")
    words = " ".join(done.stdout.split())
    assert "Both traces together: The server refused (client-missing-intermediate)" in words
    assert "takes it for client-unknown-ca; the real cause is among the others that it names." in words


def test_run_as_json() -> None:
    document = json.loads(invoke("lab", "run", "unknown-ca", "--json").stdout)
    (case,) = document["cases"]
    assert (case["id"], case["mistakes"]) == ("unknown-ca", [])
    assert case["client"]["diagnosis"]["judge"] == "us"
    assert case["server"]["diagnosis"]["judge"] == "peer"
    assert case["server"]["diagnosis"]["alert"] == "unknown_ca"


def test_run_all_runs_all() -> None:
    document = json.loads(invoke("lab", "run", "all", "--json").stdout)
    assert [case["id"] for case in document["cases"]] == list(CASES)
    assert document["exit_code"] == 0


def test_a_case_that_there_is_not_is_told_with_those_that_are_near() -> None:
    done = invoke("lab", "run", "expired")
    assert done.code == 2
    assert "cert-expired" in done.stderr
    assert invoke("lab", "serve", "key-mismatch").code == 2
    assert invoke("lab", "client", "all", "127.0.0.1:1").code == 2
    assert "lab serve wrong-host" in " ".join(invoke("lab", "client", "wrong-host", "127.0.0.1:1").stderr.split())


def test_serve_puts_broken_servers_on_ports() -> None:
    with running("lab", "serve", "wrong-host", "--json") as process:
        server = Serving(process)
        listening = json.loads(server.wait_for('"listening"'))
        assert (listening["case"], listening["server_name"]) == ("wrong-host", "localhost")
        context = ssl.create_default_context(cafile=listening["ca"])
        context.load_cert_chain(listening["client_certificate"], listening["client_key"])
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(socket.create_connection(("127.0.0.1", listening["port"])), server_hostname="localhost")
        told = json.loads(server.wait_for('"connection"'))
        assert told["diagnosis"]["id"] == "wrong-host"
        assert server.stop(signal.SIGTERM) == 0
        assert not Path(listening["ca"]).exists()


def test_serve_all_from_a_base_port_with_a_ca_of_ones_own(files: Files, tmp_path: Path) -> None:
    assert invoke("ca", "init", tmp_path / "ca").code == 0
    base = free_run_of_ports(len(CASES))
    with running("lab", "serve", "all", "--base-port", base, "--ca", tmp_path / "ca") as process:
        server = Serving.__new__(Serving)
        server.process = process
        _start_reading(server)
        server.wait_for("Ctrl-C ends it.")
        assert not too_wide("\n".join(line for line in server.lines if "--trust" not in line))
        config = ClientConfig(trust=TrustAnchors.from_file(tmp_path / "ca" / "ca.pem"))
        served = [case for case in CASES.values() if case.local is None]
        for number in (0, len(served) - 1):
            assert f"127.0.0.1:{base + number}" in server.text
        with pytest.raises(TLSError) as caught:
            connect("127.0.0.1", base, config, server_name="localhost")
        assert caught.value.explain().id == "cert-expired"
        server.wait_for("cert-expired: a client came")
        assert server.stop() == 0


def free_run_of_ports(count: int) -> int:
    """The first of so many ports in a row that nobody has."""
    for base in range(21000, 60000, count):
        try:
            for port in range(base, base + count):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return base
    raise AssertionError("no run of free ports")


def _start_reading(server: Serving) -> None:
    import threading

    server.lines = []
    server._changed = threading.Condition()
    server._reader = threading.Thread(target=server._read, daemon=True)
    server._reader.start()


def test_client_sends_a_broken_client_and_says_what_it_is_told(files: Files) -> None:
    with serving(*files.as_server, "--client-ca", files.ca) as server:
        done = invoke("lab", "client", "no-client-cert", f"127.0.0.1:{server.port}")
        assert done.code == 0, done.stderr
        assert "you were asked for a certificate" in " ".join(done.stdout.split())
        document = json.loads(invoke("lab", "client", "client-unknown-ca", f"localhost:{server.port}", "--json").stdout)
        assert document["diagnosis"]["id"] in ("client-cert-not-offered", "client-unknown-ca")
        server.wait_for("empty list", "sent none", "no-client-cert", "refused")


def test_client_says_so_where_the_server_takes_it(files: Files) -> None:
    with serving(*files.as_server) as server:
        done = invoke("lab", "client", "client-cert-expired", f"127.0.0.1:{server.port}", "--trust", files.ca)
    assert done.code == 0
    assert "The server took this client" in done.stdout


def test_client_stays_on_this_machine() -> None:
    done = invoke("lab", "client", "no-client-cert", "192.0.2.1:443")
    assert done.code == 2
    assert "--anywhere" in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert invoke("lab", "client", "no-client-cert", f"127.0.0.1:{port}").code == 3
