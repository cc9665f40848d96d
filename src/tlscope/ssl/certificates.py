"""A certificate as ``SSLSocket.getpeercert()`` describes it: a dictionary of text in OpenSSL's spelling."""

from __future__ import annotations

import ipaddress
import ssl as std
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID as Access
from cryptography.x509.oid import NameOID

__all__ = ["Certificate", "describe_certificate", "is_ca"]

_NAMES = {
    NameOID.COMMON_NAME: "commonName",
    NameOID.COUNTRY_NAME: "countryName",
    NameOID.LOCALITY_NAME: "localityName",
    NameOID.STATE_OR_PROVINCE_NAME: "stateOrProvinceName",
    NameOID.STREET_ADDRESS: "streetAddress",
    NameOID.ORGANIZATION_NAME: "organizationName",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "organizationalUnitName",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.SURNAME: "surname",
    NameOID.GIVEN_NAME: "givenName",
    NameOID.TITLE: "title",
    NameOID.DOMAIN_COMPONENT: "domainComponent",
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.USER_ID: "userId",
    NameOID.POSTAL_CODE: "postalCode",
}


class Certificate:
    """A certificate of a chain as ``_sslobj`` hands it out: comparable, printable, with its bytes."""

    PEM, DER = 1, 2
    """What ``public_bytes`` is asked for; the standard library's ``_ssl.ENCODING_PEM`` and ``ENCODING_DER``."""

    def __init__(self, der: bytes) -> None:
        self._der = der

    def public_bytes(self, format: int = PEM) -> str | bytes:
        """PEM text, or DER. Raises ``ValueError`` for another format."""
        if format == self.PEM:
            return std.DER_cert_to_PEM_cert(self._der)
        if format == self.DER:
            return self._der
        raise ValueError("Unsupported format")

    def get_info(self) -> dict[str, Any]:
        """The dictionary of ``getpeercert()``."""
        return describe_certificate(self._der)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self._der == other._der

    def __hash__(self) -> int:
        return hash(self._der)

    def __repr__(self) -> str:
        subject = x509.load_der_x509_certificate(self._der).subject
        names = ", ".join(part.rfc4514_string() for part in subject.rdns)
        return f"<Certificate {names!r}>"


def is_ca(certificate: x509.Certificate) -> bool:
    """Whether a certificate says that it is a CA's (RFC 5280 section 4.2.1.9); one of version 1 that signed itself is."""
    if certificate.version is x509.Version.v1:
        return certificate.subject == certificate.issuer
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def describe_certificate(der: bytes) -> dict[str, Any]:
    """The dictionary of ``getpeercert()`` for a DER certificate."""
    certificate = x509.load_der_x509_certificate(der)
    described: dict[str, Any] = {
        "subject": _name(certificate.subject),
        "issuer": _name(certificate.issuer),
        "version": certificate.version.value + 1,
        "serialNumber": _serial(certificate.serial_number),
        "notBefore": _date(certificate.not_valid_before_utc),
        "notAfter": _date(certificate.not_valid_after_utc),
    }
    for extension in certificate.extensions:
        value = extension.value
        if isinstance(value, x509.SubjectAlternativeName):
            described["subjectAltName"] = tuple(_general_name(one) for one in value)
        elif isinstance(value, x509.AuthorityInformationAccess):
            for key, method in (("OCSP", Access.OCSP), ("caIssuers", Access.CA_ISSUERS)):
                found = tuple(one.access_location.value for one in value if one.access_method == method)
                if found:
                    described[key] = found
        elif isinstance(value, x509.CRLDistributionPoints):
            points = tuple(name.value for point in value for name in point.full_name or ())
            if points:
                described["crlDistributionPoints"] = points
    return described


def _name(name: x509.Name) -> tuple[tuple[tuple[str, str], ...], ...]:
    return tuple(
        tuple((_NAMES.get(one.oid, one.oid.dotted_string), str(one.value)) for one in part) for part in name.rdns
    )


def _serial(number: int) -> str:
    text = f"{number:X}"
    return text if len(text) % 2 == 0 else "0" + text


def _date(moment: datetime) -> str:
    # The month's name must not follow the locale.
    month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][moment.month - 1]
    return f"{month} {moment.day:2d} {moment:%H:%M:%S} {moment.year} GMT"


def _general_name(name: x509.GeneralName) -> tuple[str, Any]:
    if isinstance(name, x509.DNSName):
        return "DNS", name.value
    if isinstance(name, x509.IPAddress):
        value = name.value
        if isinstance(value, ipaddress.IPv6Address):
            # OpenSSL writes all eight groups, without leading zeros.
            return "IP Address", ":".join(f"{int(group, 16):X}" for group in value.exploded.split(":"))
        return "IP Address", str(value)
    if isinstance(name, x509.RFC822Name):
        return "email", name.value
    if isinstance(name, x509.UniformResourceIdentifier):
        return "URI", name.value
    if isinstance(name, x509.DirectoryName):
        return "DirName", _name(name.value)
    if isinstance(name, x509.RegisteredID):
        return "Registered ID", name.value.dotted_string
    return "othername", "<unsupported>"
