"""Lab cases: a server whose certificate the client must refuse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509

from ..authority import Authority, CertificateSpec, Issued, Revocation, make_crl, make_ocsp_response, self_signed
from ..errors import Judge
from ..trust.policy import VerificationPolicy
from ..trust.revocation import RevocationList
from .case import Case, Expected, Party, Plan
from .workshop import HOST, Workshop, leaf_only

__all__ = ["CASES"]

DAY = timedelta(days=1)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _case(
    id: str,
    title: str,
    issue: Callable[[Workshop], Any],
    *,
    told: str = "",
    row: str = "",
    name: str = HOST,
    client: Callable[[Workshop], dict[str, Any]] = lambda shop: {},
) -> Case:
    """A case whose server shows what ``issue`` makes; ``told`` is the row that the server takes it for."""

    def plan(shop: Workshop) -> Plan:
        made = issue(shop)
        identity = made.identity() if isinstance(made, Issued) else made
        return Plan(
            client=Party(config=shop.client_config(**client(shop)), name=name),
            server=Party(config=shop.server_config(identity)),
        )

    row = row or id
    return Case(
        id=id,
        row=row,
        title=title,
        broken="server",
        plan=plan,
        client=Expected(row, "Certificate"),
        server=Expected(told or row, "Certificate", Judge.PEER, "alert"),
    )


def _expired_intermediate(shop: Workshop) -> Issued:
    below = shop.authority.issue_intermediate(
        "Expired intermediate CA", not_before=_now() - 40 * DAY, not_after=_now() - DAY
    )
    return below.issue_server(HOST, not_before=_now() - 30 * DAY, not_after=_now() + 30 * DAY)


def _root_sent(shop: Workshop) -> Any:
    from ..trust.identity import Identity

    issued = shop.stranger.issue_server(HOST)
    chain = [*issued.chain, shop.stranger.root]
    return Identity.from_certificates(chain, issued.key)


def _not_a_ca(shop: Workshop) -> Issued:
    usage = ("digital_signature", "key_cert_sign")
    false = shop.authority.issue_intermediate("Not a CA", ca=False, key_usage=usage)
    return false.issue_server(HOST)


def _too_deep(shop: Workshop) -> Issued:
    first = shop.authority.issue_intermediate("Example intermediate CA", path_length=0)
    return first.issue_intermediate("One CA too many").issue_server(HOST)


def _constrained(shop: Workshop) -> Issued:
    below = shop.authority.issue_intermediate("Example constrained CA", permitted=("example.com",))
    return below.issue_server(HOST)


def _stapled(status: str, stale: bool) -> Callable[[Workshop], Any]:
    def issue(shop: Workshop) -> Any:
        issued = shop.server
        dates = {"this_update": _now() - 20 * DAY, "next_update": _now() - 13 * DAY} if stale else {}
        response = make_ocsp_response(shop.authority, issued.certificate, status, **dates)  # type: ignore[arg-type]
        return issued.identity().with_ocsp_response(response)

    return issue


def _revoked(shop: Workshop) -> dict[str, Any]:
    entry = Revocation(shop.server.certificate.serial_number, _now() - DAY, "keyCompromise")
    crl = RevocationList.from_pem(make_crl(shop.authority, [entry]))
    return {"verification": VerificationPolicy(crls=(crl,))}


def _common_name(shop: Workshop) -> Issued:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    return shop.authority.issue(CertificateSpec(subject=subject, usages=("serverAuth",)))


def _ca_without_key_usage(shop: Workshop) -> Issued:
    return shop.authority.issue_intermediate("Example handmade CA", key_usage=None).issue_server(HOST)


def _remade(shop: Workshop) -> Issued:
    return Authority.create("Example CA").issue_server(HOST)


CASES = (
    _case(
        "cert-expired",
        "the server's certificate has expired",
        lambda shop: shop.authority.issue_server(HOST, not_before=_now() - 100 * DAY, not_after=_now() - 3 * DAY),
    ),
    _case("cert-expired-intermediate", "the intermediate has expired", _expired_intermediate, row="cert-expired"),
    _case(
        "cert-not-yet-valid",
        "the server's certificate is not valid yet",
        lambda shop: shop.authority.issue_server(HOST, not_before=_now() + 2 * DAY, not_after=_now() + 90 * DAY),
    ),
    _case(
        "wrong-host",
        "the certificate is for other names",
        lambda shop: shop.authority.issue_server("www.example.com", "example.com"),
    ),
    _case(
        "wrong-host-wildcard",
        "a wildcard is asked to stand for two labels",
        lambda shop: shop.authority.issue_server("*.example.com"),
        row="wrong-host",
        name="a.b.example.com",
    ),
    _case("cn-only", "the certificate has a common name and no subjectAltName", _common_name),
    _case(
        "ip-vs-dns",
        "an address is asked for and the certificate has a DNS name only",
        lambda shop: shop.server,
        name="127.0.0.1",
    ),
    _case("self-signed", "the certificate signed itself", lambda shop: self_signed(HOST)),
    _case("unknown-ca-root-sent", "the chain ends in a root that is not trusted", _root_sent),
    _case("unknown-ca", "the issuer is not trusted", lambda shop: shop.stranger.issue_server(HOST)),
    _case(
        "unknown-ca-remade",
        "the CA was made anew under its old name",
        _remade,
        row="unknown-ca",
    ),
    _case(
        "missing-intermediate",
        "the server sends its leaf only",
        lambda shop: leaf_only(shop.intermediate.issue_server(HOST)),
        told="unknown-ca",
    ),
    _case(
        "wrong-purpose-server",
        "the certificate is for clients",
        lambda shop: shop.authority.issue_server(HOST, usages=("clientAuth",)),
    ),
    _case("issuer-not-ca", "a certificate that is no CA's has issued the server's", _not_a_ca),
    _case("path-length", "there are more CAs in the chain than one of them allows", _too_deep),
    _case("name-constraint", "the CA may not issue for this name", _constrained),
    _case(
        "weak-key",
        "the server's RSA key has 1,024 bits",
        lambda shop: shop.authority.issue_server(HOST, key="RSA-1024"),
    ),
    _case(
        "weak-signature",
        "the certificate is signed with SHA-1",
        lambda shop: shop.authority.issue_server(HOST, signature_hash="sha1"),
    ),
    _case(
        "not-rfc5280",
        "the certificate has no authorityKeyIdentifier",
        lambda shop: shop.authority.issue_server(HOST, authority_key_identifier=False),
    ),
    _case("not-rfc5280-ca", "the CA's certificate has no keyUsage", _ca_without_key_usage, row="not-rfc5280"),
    _case("revoked", "a CRL has the certificate", lambda shop: shop.server, client=_revoked),
    _case("revoked-staple", "the stapled OCSP response says so", _stapled("revoked", False), row="revoked"),
    _case(
        "bad-staple",
        "the certificate promises a staple, and none comes",
        lambda shop: shop.authority.issue_server(HOST, must_staple=True),
    ),
    _case("bad-staple-stale", "the stapled OCSP response is out of date", _stapled("good", True), row="bad-staple"),
)
