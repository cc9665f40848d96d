"""WSGI: mod_ssl's variables, from the connection alone."""

from __future__ import annotations

import datetime as dt
import ssl as std
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tlscope.web.variables import _certificate, tls_variables
from tlscope.web.wsgi import Client, told

FORGED = {
    "SSL_CLIENT_VERIFY": "SUCCESS",
    "SSL_CLIENT_S_DN": "CN=root",
    "HTTPS": "on",
    "HTTP_SSL_CLIENT_VERIFY": "SUCCESS",
    "HTTP_X_SSL_CLIENT_S_DN_CN": "root",
    "HTTP_CLIENT_CERT": ":MIIB:",
    "HTTP_X_FORWARDED_CLIENT_CERT": "Subject=root",
}


def call(client: Client | None, method: str = "GET") -> tuple[str, dict[str, str], bytes, dict[str, Any]]:
    """A request with forged headers; gives status, headers and body, and what the application saw."""
    seen: dict[str, Any] = {}
    started: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return [b"hello"]

    environ = {"REQUEST_METHOD": method, "HTTP_HOST": "localhost", **FORGED}
    body = b"".join(told(app, lambda _: client)(environ, lambda *answer: started.append(answer)))
    ((status, headers),) = started
    return status, dict(headers), body, seen


def test_a_client_is_who_its_certificate_says(connect: Any, shop: Any, tmp_path: Path) -> None:
    status, _, _, seen = call(Client(connect(shop.client)))
    assert status == "200 OK"
    shown, _ = shop.client.write(tmp_path)
    described = std._ssl._test_decode_cert(str(shown))  # type: ignore[attr-defined]
    assert seen["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert seen["SSL_CLIENT_M_SERIAL"] == described["serialNumber"]
    assert (seen["SSL_CLIENT_V_START"], seen["SSL_CLIENT_V_END"]) == (described["notBefore"], described["notAfter"])
    certificate = x509.load_pem_x509_certificate(shop.client.pem())
    assert seen["SSL_CLIENT_S_DN"] == certificate.subject.rfc4514_string()
    assert seen["SSL_CLIENT_I_DN"] == certificate.issuer.rfc4514_string()
    assert shop.client.pem().decode().startswith(seen["SSL_CLIENT_CERT"])
    assert seen["SSL_CLIENT_SAN_Email_0"] == "alice@example.test"
    assert (seen["SSL_CLIENT_A_KEY"], seen["SSL_CLIENT_A_SIG"]) == ("id-ecPublicKey", "ecdsa-with-SHA256")
    assert int(seen["SSL_CLIENT_V_REMAIN"]) > 0
    assert (seen["HTTPS"], seen["SSL_PROTOCOL"], seen["SSL_TLS_SNI"]) == ("on", "TLSv1.3", "localhost")
    assert seen["SSL_SERVER_SAN_DNS_0"] == "localhost"
    assert seen["SSL_SESSION_RESUMED"] == "Initial"


def test_an_older_connection_has_openssl_s_names(connect: Any, shop: Any) -> None:
    variables = tls_variables(connect(shop.client, tls12=True).connection)
    assert variables["SSL_PROTOCOL"] == "TLSv1.2"
    assert variables["SSL_CIPHER"] in {one["name"] for one in std.create_default_context().get_ciphers()}
    assert variables["SSL_CIPHER_USEKEYSIZE"] in ("128", "256")


@pytest.mark.parametrize("tls", [False, True], ids=["without TLS", "a client without a certificate"])
def test_no_header_makes_somebody_of_a_client(connect: Any, tls: bool) -> None:
    _, _, _, seen = call(Client(connect(None, optional=True)) if tls else None)
    assert not {name for name in seen if name.startswith(("SSL_CLIENT_", "HTTP_"))} - {"SSL_CLIENT_VERIFY", "HTTP_HOST"}
    assert seen.get("SSL_CLIENT_VERIFY") == ("NONE" if tls else None)
    assert seen.get("HTTPS") == ("on" if tls else None)


@pytest.mark.parametrize("shows", [False, True], ids=["missing", "untrusted"])
def test_a_refused_client_gets_a_403(connect: Any, shop: Any, shows: bool) -> None:
    client = Client(connect(shop.stranger if shows else None, "answer"))
    status, headers, body, seen = call(client)
    assert (status, seen) == ("403 Forbidden", {})
    assert int(headers["Content-Length"]) == len(body)
    assert ("what this server trusts" if shows else "required here") in body.decode()
    assert call(client, "HEAD")[2] == b""


@pytest.mark.parametrize("shows", [False, True], ids=["missing", "untrusted"])
def test_the_application_is_told_of_a_refused_client_and_nothing_else(connect: Any, shop: Any, shows: bool) -> None:
    _, _, _, seen = call(Client(connect(shop.stranger if shows else None, "application")))
    assert seen["SSL_CLIENT_VERIFY"].startswith("FAILED:the client")
    assert str(shop.directory) not in seen["SSL_CLIENT_VERIFY"]
    assert [name for name in seen if name.startswith("SSL_CLIENT_")] == ["SSL_CLIENT_VERIFY"]
    assert len(seen["tlscope.unverified_chain"]) == int(shows)


def test_names_of_every_kind() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    parts = [
        (NameOID.COUNTRY_NAME, "NL"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "first"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "second"),
        (NameOID.COMMON_NAME, "Ålice, of the first"),
        (NameOID.DOMAIN_COMPONENT, "test"),
    ]
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
    upn = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
    others = [
        x509.DNSName("a.test"),
        x509.DNSName("b.test"),
        x509.RFC822Name("a@a.test"),
        x509.OtherName(upn, b"\x0c\x06a@a.te"),
        x509.OtherName(upn, b"\x0c\x01\xff"),
    ]
    now = dt.datetime(2030, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 0xABC, now, now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(others), False)
        .sign(key, hashes.SHA256())
    )
    told_of = dict(_certificate(certificate.public_bytes(Encoding.DER)))
    assert told_of["S_DN_C"] == "NL"
    assert (told_of["S_DN_OU"], told_of["S_DN_OU_1"]) == ("first", "second")
    assert told_of["S_DN_CN"] == "Ålice, of the first"
    assert told_of["S_DN"] == r"DC=test,CN=Ålice\, of the first,OU=second,OU=first,C=NL"
    assert (told_of["SAN_DNS_0"], told_of["SAN_DNS_1"], told_of["SAN_Email_0"]) == ("a.test", "b.test", "a@a.test")
    assert [value for name, value in told_of.items() if "UPN" in name] == ["a@a.te"]
    assert (told_of["M_SERIAL"], told_of["M_VERSION"]) == ("0ABC", "3")
    assert told_of["V_START"] == "Jan  2 03:04:05 2030 GMT"
