"""The pytest plugin, and the examples of docs/testing.md, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

from tlscope import AlertReceived, CertificateRejected, ClientConfig

PAGE = Path(__file__).resolve().parents[2] / "docs" / "testing.md"

pytest_plugins = ["pytester"]


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def test_the_examples_of_the_page_run(pytester) -> None:
    *tests, script = blocks()
    pytester.makepyfile("\n".join(tests))
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    result.assert_outcomes(passed=7)
    outcome = pytester.runpython(pytester.makepyfile(script=script))
    assert outcome.ret == 0
    outcome.stdout.fnmatch_lines(["missing-intermediate: *", "unknown-ca: *"])


def test_the_plugin_is_there_without_being_asked_for(pytester) -> None:
    result = pytester.runpytest_subprocess("--fixtures", "-q", "-p", "no:xdist")
    for name in ("tls_authority", "tls_server_identity", "tls_client_identity", "tls_server", "tls_lab"):
        result.stdout.fnmatch_lines([f"{name} *"])


def test_the_server_echoes(tls_server) -> None:
    with tls_server.connect() as stream:
        stream.sendall(b"hello")
        assert stream.recv(100) == b"hello"


def test_the_identities_are_the_authority_s(tls_authority, tls_server_identity, tls_client_identity) -> None:
    for issued in (tls_server_identity, tls_client_identity):
        assert issued.certificate.issuer == tls_authority.certificate.subject
    assert set(tls_server_identity.identity().names) == {"localhost", "127.0.0.1", "::1"}


def test_any_lab_case_can_be_started_and_more_than_one(tls_lab, tls_authority, tls_client_identity) -> None:
    from tlscope import connect

    expired, mutual = tls_lab("cert-expired"), tls_lab("client-not-authorised")
    config = ClientConfig(trust=tls_authority.anchors(), identity=tls_client_identity.identity())
    for server, kind in ((expired, CertificateRejected), (mutual, AlertReceived)):
        try:
            with connect(*server.address, config, server_name=server.client_name, timeout=5) as stream:
                stream.recv(1)
        except kind:
            continue
        raise AssertionError(f"{server.case.id} was not refused")
