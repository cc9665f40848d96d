"""``tlscope run``: a program over tlscope is what it is alone, and its handshakes are explained."""

from __future__ import annotations

import json
import socket
import ssl as std
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from command import PATIENCE, Files, running, tlscope

from tlscope import ClientAuth, Identity, Server, ServerConfig, Trace, TrustAnchors
from tlscope.trace import Completed, Failed

PROGRAM = dedent(
    """
    import socket, ssl, sys
    port, trust = int(sys.argv[1]), sys.argv[2:]
    context = ssl.create_default_context(cafile=trust[0] if trust else None)
    if trust[1:]:
        context.load_cert_chain(*trust[1:])
    try:
        with socket.create_connection(("127.0.0.1", port)) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as tls:
                tls.sendall(b"ping")
                print("got", tls.recv(100).decode(), "of", type(tls).__mro__[1].__module__, flush=True)
    except ssl.SSLError as error:
        print("caught", isinstance(error, ssl.SSLCertVerificationError))
        sys.exit(7)
    """
)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def port(files: Files) -> Iterator[int]:
    yield from _serve(files)


@pytest.fixture
def mutual_port(files: Files) -> Iterator[int]:
    yield from _serve(files, trust=TrustAnchors.from_file(files.ca), client_auth=ClientAuth.REQUIRED)


def _serve(files: Files, **settings: object) -> Iterator[int]:
    config = ServerConfig(identities=[Identity.from_files(files.server, files.server_key)], **settings)  # type: ignore[arg-type]
    with Server(config, lambda tls: tls.sendall(tls.recv(100)), timeout=PATIENCE, on_error=lambda *_: None) as server:
        yield server.address[1]


def ca(files: Files) -> Path:
    return files.ca / "ca.pem" if files.ca.is_dir() else files.ca


def test_a_handshake_is_told_in_a_line(files: Files, program: Path, port: int) -> None:
    result = tlscope("run", program, port, ca(files))
    assert (result.code, result.stdout.split()[:2]) == (0, ["got", "ping"])
    assert " ".join(result.stderr.split()).startswith("tlscope: to localhost: One-way TLS 1.3, TLS_AES_")


def test_a_mutual_handshake_is_told_in_a_line(files: Files, program: Path, mutual_port: int) -> None:
    result = tlscope("run", program, mutual_port, ca(files), files.client, files.client_key)
    assert (result.code, result.stdout.split()[:2]) == (0, ["got", "ping"])
    assert "Mutual TLS 1.3" in result.stderr


def test_a_failure_is_drawn_and_explained_and_the_exit_code_is_the_programs(program: Path, port: int) -> None:
    result = tlscope("run", "--", sys.executable, program, port)
    assert (result.code, result.stdout) == (7, "caught True\n")
    assert "tlscope: to localhost: the handshake failed" in result.stderr
    assert "Alert: unknown_ca" in result.stderr
    assert "\nunknown-ca: the server's certificate is refused" in result.stderr
    assert "  fix " in result.stderr


def test_a_server_that_refuses_after_the_handshake_is_explained(files: Files, program: Path, mutual_port: int) -> None:
    """In TLS 1.3 a client has finished before it hears that its certificate was missed (RFC 8446 section 4.4.2.4)."""
    result = tlscope("run", program, mutual_port, ca(files))
    assert (result.code, result.stdout) == (7, "caught False\n")
    assert "Alert: certificate_required" in result.stderr


def test_a_servers_program_is_explained_too(files: Files, tmp_path: Path) -> None:
    program = tmp_path / "server.py"
    program.write_text(
        dedent(
            """
            import socket, ssl, sys
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*sys.argv[1:])
            with socket.create_server(("127.0.0.1", 0)) as listener:
                print(listener.getsockname()[1], flush=True)
                raw, _ = listener.accept()
                with raw, context.wrap_socket(raw, server_side=True) as tls:
                    tls.sendall(b"hello")
                    tls.unwrap()
            """
        )
    )
    with running("run", program, files.server, files.server_key) as process:
        assert process.stdout is not None and process.stderr is not None
        port = int(process.stdout.readline())
        context = std.create_default_context(cafile=str(ca(files)))

        with (
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as tls,
        ):
            assert tls.recv(100) == b"hello"
            tls.unwrap()
        assert process.wait(PATIENCE) == 0
        assert "tlscope: for localhost: One-way TLS 1.3" in process.stderr.read().decode()


def test_the_report_and_the_trace(files: Files, program: Path, port: int, tmp_path: Path) -> None:
    page, trace = tmp_path / "report.html", tmp_path / "trace.jsonl"
    assert tlscope("run", "--html", page, "--trace", trace, program, port, ca(files)).code == 0
    assert "To localhost: One-way TLS 1.3" in page.read_text("utf-8")
    read = Trace.from_json_lines(trace.read_text())
    assert (len(read.of(Completed)), read.of(Failed)) == (1, [])
    assert all(json.loads(line).get("value") in (None, "(redacted)") for line in trace.read_text().splitlines())


def test_programs_that_it_starts_are_looked_at_too(files: Files, program: Path, port: int, tmp_path: Path) -> None:
    outer = tmp_path / "outer.py"
    outer.write_text("import subprocess, sys\nsys.exit(subprocess.run([sys.executable, *sys.argv[1:]]).returncode)\n")
    result = tlscope("run", outer, program, port)
    assert result.code == 7
    assert "the handshake failed" in result.stderr


def test_processes_of_multiprocessing_are_too(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        dedent(
            """
            import multiprocessing, ssl

            def tell(queue):
                queue.put(type(ssl.create_default_context()).__module__)

            if __name__ == "__main__":
                for way in ("fork", "spawn"):
                    context = multiprocessing.get_context(way)
                    queue = context.Queue()
                    process = context.Process(target=tell, args=(queue,))
                    process.start()
                    print(way, queue.get(timeout=60).partition(".")[0])
                    process.join()
            """
        )
    )
    result = tlscope("run", program)
    assert (result.code, result.stdout) == (0, "fork tlscope\nspawn tlscope\n")


def test_a_run_within_a_run(files: Files, program: Path, port: int) -> None:
    result = tlscope("run", "--", sys.executable, "-m", "tlscope", "run", program, port, ca(files))
    assert (result.code, result.stdout.split()[:2]) == (0, ["got", "ping"])
    assert "One-way TLS 1.3" in " ".join(result.stderr.split())


def test_what_the_program_sees_is_what_it_sees_alone(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("print('the machine has one of its own')\n")
    program = tmp_path / "program.py"
    program.write_text("import sys; print([p for p in sys.path if 'bootstrap' in p], sys.argv[1:])\n")
    result = tlscope("run", program, "--help", "-x", PYTHONPATH=str(other))
    # The command's own Python has it too.
    assert result.stdout == 2 * "the machine has one of its own\n" + "[] ['--help', '-x']\n"
    assert "no handshake was made" in result.stderr


def test_a_module() -> None:
    result = tlscope("run", "-m", "json.tool", stdin=b"[1]")
    assert (result.code, result.stdout.split()) == (0, ["[", "1", "]"])


def test_a_handshake_without_an_end_is_drawn_at_the_end(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import ssl\n"
        "c = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname='localhost')\n"
        "try:\n    c.do_handshake()\nexcept ssl.SSLWantReadError:\n    pass\n"
    )
    result = tlscope("run", program)
    assert "tlscope: to localhost: it was never finished" in result.stderr
    assert "ClientHello" in result.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("no-such-program",), "there is no program no-such-program"),
        (("nowhere.py",), "there is no file nowhere.py"),
    ],
)
def test_what_cant_be_run(command: tuple[str, ...], said: str) -> None:
    result = tlscope("run", *command)
    assert result.code == 2
    assert said in result.stderr


def test_a_program_without_tlscope_under_it_is_said_to_be_one() -> None:
    result = tlscope("run", sys.executable, "-I", "-c", "print(1)")
    assert (result.code, result.stdout) == (0, "1\n")
    assert "nothing was seen" in " ".join(result.stderr.split())


def test_a_program_that_a_signal_ended(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import os, signal; os.kill(os.getpid(), signal.SIGTERM)\n")
    assert tlscope("run", program).code == 128 + 15
