"""Name constraints (RFC 5280 section 4.2.1.10): which name of which certificate a CA may not issue for.

The path builder decides; this says why, and looks at two names that the builder passes over: a common name and an
emailAddress in the subject of a certificate that has no subjectAltName of that kind.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cryptography import x509
from cryptography.x509.oid import NameOID

from .names import dns_matches

__all__ = ["Breach", "first_breach"]


class Breach(NamedTuple):
    """A name outside a constraint; ``below`` and ``authority`` are places in the path, 0 the leaf."""

    name: str
    constraint: tuple[str, ...]
    permitted: bool
    below: int
    authority: int


def first_breach(path: Sequence[x509.Certificate], *, subject_names_only: bool = False) -> Breach | None:
    """The first name in ``path`` (leaf first) that a CA above it is constrained from; None where there is none.

    ``subject_names_only`` looks at common names and emailAddresses that stand in for absent subjectAltNames alone.
    Raises ``ValueError`` where an extension can't be parsed.
    """
    for authority in range(1, len(path)):
        try:
            constraints = path[authority].extensions.get_extension_for_class(x509.NameConstraints).value
        except x509.ExtensionNotFound:
            continue
        for below in range(authority):
            if below and path[below].subject == path[below].issuer:
                continue  # self-issued certificates are exempt, unless they are the leaf
            for name in _names(path[below], leaf=below == 0, subject_only=subject_names_only):
                if (rule := _broken(name, constraints)) is not None:
                    return Breach(_text(name), *rule, below, authority)
    return None


def _names(certificate: x509.Certificate, *, leaf: bool, subject_only: bool) -> Iterator[x509.GeneralName]:
    try:
        names = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        names = []
    if not subject_only:
        yield from names
    # Section 4.2.1.10 for emailAddress; for the common name it is what keeps a constrained CA from naming anybody
    # through the field that no constraint is defined for.
    subject = certificate.subject
    if not any(isinstance(name, x509.RFC822Name) for name in names):
        for attribute in subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
            if str(attribute.value).isascii():
                yield x509.RFC822Name._init_without_validation(str(attribute.value))
    if leaf and not any(isinstance(name, x509.DNSName) for name in names):
        for attribute in subject.get_attributes_for_oid(NameOID.COMMON_NAME):
            common = str(attribute.value)
            if common.isascii() and "." in common and not common.strip("-.*_").count(" ") and "@" not in common:
                yield x509.DNSName._init_without_validation(common)


def _broken(name: x509.GeneralName, constraints: x509.NameConstraints) -> tuple[tuple[str, ...], bool] | None:
    for excluded in constraints.excluded_subtrees or ():
        if type(excluded) is type(name) and (_within(name, excluded) or _covers(name, excluded)):
            return (_text(excluded),), False
    permitted = [tree for tree in constraints.permitted_subtrees or () if type(tree) is type(name)]
    if permitted and not any(_within(name, tree) for tree in permitted):
        return tuple(_text(tree) for tree in permitted), True
    return None


def _within(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    if isinstance(name, x509.DNSName) and isinstance(tree, x509.DNSName):
        wanted, base = name.value.lower(), tree.value.lower().removeprefix(".")
        return not base or wanted == base or wanted.endswith(f".{base}")
    if isinstance(name, x509.IPAddress) and isinstance(tree, x509.IPAddress):
        address, network = name.value, tree.value
        if not isinstance(network, ipaddress.IPv4Network | ipaddress.IPv6Network):
            return False
        if not isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address):
            return False
        return address.version == network.version and address in network
    if isinstance(name, x509.RFC822Name) and isinstance(tree, x509.RFC822Name):
        mailbox, _, host = name.value.rpartition("@")
        base_mailbox, _, base = tree.value.rpartition("@")
        if base_mailbox:
            return mailbox == base_mailbox and host.lower() == base.lower()
        return host.lower().endswith(base.lower()) if base.startswith(".") else host.lower() == base.lower()
    if isinstance(name, x509.DirectoryName) and isinstance(tree, x509.DirectoryName):
        rdns, base_rdns = name.value.rdns, tree.value.rdns
        return rdns[: len(base_rdns)] == base_rdns
    return False


def _covers(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    """Whether a wildcard name reaches into an excluded tree."""
    return isinstance(name, x509.DNSName) and dns_matches(name.value, tree.value.lower())


def _text(name: x509.GeneralName) -> str:
    value = name.value
    return value.rfc4514_string() if isinstance(value, x509.Name) else str(value)
