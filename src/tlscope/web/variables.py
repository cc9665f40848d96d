"""A connection's TLS as CGI variables, by the names of Apache's mod_ssl: ``SSL_PROTOCOL``, ``SSL_CLIENT_S_DN`` and more."""

from __future__ import annotations

import ssl as std
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

from .._version import __version__
from ..crypto.cipher_suites import SUITES
from ..ssl.certificates import describe_certificate
from ..ssl.ciphers import openssl_name
from .answer import told_why

if TYPE_CHECKING:
    from ..connection import ClientConnection, ServerConnection
    from ..events import ConnectionFacts

__all__ = ["tls_variables"]

_VERSIONS = {0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}

# mod_ssl's names for the parts of a distinguished name.
_PARTS = {
    NameOID.COUNTRY_NAME: "C",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.LOCALITY_NAME: "L",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.COMMON_NAME: "CN",
    NameOID.TITLE: "T",
    NameOID.INITIALS: "I",
    NameOID.GIVEN_NAME: "G",
    NameOID.SURNAME: "S",
    NameOID.USER_ID: "UID",
    NameOID.EMAIL_ADDRESS: "Email",
}

_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")

_KEYS: tuple[tuple[Any, str], ...] = (
    (rsa.RSAPublicKey, "rsaEncryption"),
    (ec.EllipticCurvePublicKey, "id-ecPublicKey"),
    (ed25519.Ed25519PublicKey, "ED25519"),
    (ed448.Ed448PublicKey, "ED448"),
    (dsa.DSAPublicKey, "dsaEncryption"),
)


def tls_variables(connection: ClientConnection | ServerConnection) -> dict[str, str]:
    """The variables of a server's connection whose handshake is complete.

    ``SSL_CLIENT_VERIFY`` is ``SUCCESS``, ``NONE``, or ``FAILED:`` and why. Of a client that was not verified nothing else
    is told: whoever forgets to look at ``SSL_CLIENT_VERIFY`` finds nobody there.
    """
    facts = connection.facts
    if facts is None:
        raise ValueError("handshake not done yet")
    suite = SUITES[facts.cipher_suite]
    bits = str(suite.aead.key_length * 8)
    variables = {
        "HTTPS": "on",
        "SSL_PROTOCOL": _VERSIONS[int(facts.version)],
        "SSL_CIPHER": openssl_name(suite.name),
        "SSL_CIPHER_USEKEYSIZE": bits,
        "SSL_CIPHER_ALGKEYSIZE": bits,
        "SSL_CIPHER_EXPORT": "false",
        "SSL_COMPRESS_METHOD": "NULL",
        "SSL_SECURE_RENEG": "true",
        "SSL_SESSION_RESUMED": "Resumed" if facts.resumed else "Initial",
        "SSL_VERSION_INTERFACE": f"tlscope/{__version__}",
        "SSL_VERSION_LIBRARY": f"tlscope/{__version__}",
        "SSL_CLIENT_VERIFY": _verdict(facts),
    }
    if facts.server_name is not None:
        variables["SSL_TLS_SNI"] = facts.server_name
    identity = facts.identity
    if identity is not None and identity.chain:
        variables |= {f"SSL_SERVER_{name}": value for name, value in _certificate(identity.chain[0])}
    if facts.peer is not None and facts.peer_chain:
        variables |= {f"SSL_CLIENT_{name}": value for name, value in _certificate(facts.peer_chain[0])}
        variables["SSL_CLIENT_V_REMAIN"] = str(_days_left(facts.peer_chain[0]))
        for place, der in enumerate(facts.peer_chain[1:]):
            variables[f"SSL_CLIENT_CERT_CHAIN_{place}"] = std.DER_cert_to_PEM_cert(der)
    return variables


def _verdict(facts: ConnectionFacts) -> str:
    if facts.refusal is not None:
        return f"FAILED:{told_why(facts.refusal)}"
    if facts.peer_chain and facts.peer is None:
        return "FAILED:the certificate was not verified"
    return "SUCCESS" if facts.peer is not None else "NONE"


@lru_cache(maxsize=64)
def _certificate(der: bytes) -> tuple[tuple[str, str], ...]:
    """What mod_ssl tells of a certificate, by its names without the prefix; the server's own is the same each time."""
    return tuple(_described(der))


def _described(der: bytes) -> Iterator[tuple[str, str]]:
    certificate = x509.load_der_x509_certificate(der)
    described = describe_certificate(der)
    yield "M_VERSION", str(described["version"])
    yield "M_SERIAL", described["serialNumber"]
    yield "V_START", described["notBefore"]
    yield "V_END", described["notAfter"]
    yield "A_SIG", _signature_algorithm(certificate)
    yield "A_KEY", _key_algorithm(certificate)
    yield "CERT", std.DER_cert_to_PEM_cert(der)
    for letter, name in (("S", certificate.subject), ("I", certificate.issuer)):
        yield f"{letter}_DN", name.rfc4514_string()
        yield from _numbered(
            (f"{letter}_DN_{_PARTS[part.oid]}", str(part.value)) for part in name if part.oid in _PARTS
        )
    yield from _alternative_names(certificate)


def _numbered(pairs: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The first of a name as it is, the further ones with ``_1``, ``_2``."""
    seen: dict[str, int] = {}
    for name, value in pairs:
        count = seen.get(name, 0)
        seen[name] = count + 1
        yield (name if count == 0 else f"{name}_{count}"), value


def _alternative_names(certificate: x509.Certificate) -> Iterator[tuple[str, str]]:
    """``SAN_DNS_0``, ``SAN_Email_0``, ``SAN_OTHER_msUPN_0`` and so on."""
    try:
        names = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except (x509.ExtensionNotFound, ValueError):
        return
    assert isinstance(names, x509.SubjectAlternativeName)  # noqa: S101 - that is what the OID says
    found: dict[str, list[str]] = {}
    for name in names:
        if isinstance(name, x509.DNSName):
            found.setdefault("DNS", []).append(name.value)
        elif isinstance(name, x509.RFC822Name):
            found.setdefault("Email", []).append(name.value)
        elif isinstance(name, x509.UniformResourceIdentifier):
            found.setdefault("URI", []).append(name.value)
        elif isinstance(name, x509.IPAddress):
            found.setdefault("IP", []).append(str(name.value))
        elif isinstance(name, x509.OtherName) and name.type_id == _UPN and name.value[:1] == b"\x0c":
            text = _utf8_string(name.value)
            if text is not None:
                found.setdefault("OTHER_msUPN", []).append(text)
    for kind, values in found.items():
        for place, value in enumerate(values):
            yield f"SAN_{kind}_{place}", value


def _utf8_string(der: bytes) -> str | None:
    """The text of a DER UTF8String of up to 127 bytes, None for anything else."""
    if len(der) < 2 or der[1] != len(der) - 2 or der[1] > 127:
        return None
    try:
        return der[2:].decode()
    except UnicodeDecodeError:
        return None


def _signature_algorithm(certificate: x509.Certificate) -> str:
    """OpenSSL's name, such as ``ecdsa-with-SHA256``."""
    name: str = getattr(certificate.signature_algorithm_oid, "_name", "") or ""
    known = {"rsassaPss": "rsassaPss", "ed25519": "ED25519", "ed448": "ED448"}
    return known.get(name, name) or certificate.signature_algorithm_oid.dotted_string


def _key_algorithm(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except (ValueError, TypeError):
        return "unknown"
    return next((name for kind, name in _KEYS if isinstance(key, kind)), "unknown")


def _days_left(der: bytes) -> int:
    left = x509.load_der_x509_certificate(der).not_valid_after_utc - datetime.now(UTC)
    return max(0, left.days)
