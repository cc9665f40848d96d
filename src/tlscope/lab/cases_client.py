"""Lab cases: a client whose certificate the server must refuse, or that shows none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from ..authority import self_signed
from ..config import ClientAuth
from ..errors import CertificateRejected, Judge
from ..trust.reasons import RejectedByApplication
from ..trust.verify import VerifiedPeer
from ..wire.codepoints import ProtocolVersion, SignatureScheme
from .case import Case, Expected, Party, Plan
from .workshop import CLIENT, HOST, Workshop, leaf_only

__all__ = ["CASES"]

DAY = timedelta(days=1)
ALLOWED = "bob"


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _case(
    id: str,
    title: str,
    show: Callable[[Workshop], Any],
    *,
    row: str = "",
    found: str = "",
    told: str = "",
    server: dict[str, Any] | None = None,
    both: dict[str, Any] | None = None,
) -> Case:
    """``show`` makes the client's identity; ``found`` is what the server calls it, ``told`` what the client takes it for."""

    def plan(shop: Workshop) -> Plan:
        settings = both or {}
        return Plan(
            client=Party(config=shop.client_config(identity=show(shop), **settings)),
            server=Party(config=shop.mutual_config(**{**(server or {}), **settings})),
        )

    row = row or id
    return Case(
        id=id,
        row=row,
        title=title,
        broken="client",
        plan=plan,
        client=Expected(told or row, "Certificate", Judge.PEER, "alert"),
        server=Expected(found or row, "Certificate"),
    )


def _allow_bob(peer: VerifiedPeer) -> None:
    if peer.names.common_name != ALLOWED:
        found = (peer.names.common_name or "",)
        rule = f"the access list has only {ALLOWED}"
        raise CertificateRejected(
            RejectedByApplication(whose="client", rule=rule, names=found), whose="client", index=0
        )


def _expired(shop: Workshop) -> Any:
    return shop.authority.issue_client(CLIENT, not_before=_now() - 100 * DAY, not_after=_now() - 3 * DAY).identity()


def _of_server(shop: Workshop) -> Any:
    return shop.authority.issue_client(CLIENT, usages=("serverAuth",)).identity()


_UNNAMED = {"send_certificate_authorities": False}
_TLS12 = {"max_version": ProtocolVersion.TLS1_2}


def _silently_left_out(shop: Workshop) -> Plan:
    return Plan(
        client=Party(config=shop.client_config(identity=shop.stranger.issue_client(CLIENT).identity())),
        server=Party(config=shop.mutual_config(client_auth=ClientAuth.REQUESTED)),
    )


def _other_algorithms(shop: Workshop) -> Plan:
    schemes = (SignatureScheme.rsa_pss_rsae_sha256,)
    server = shop.authority.issue_server(HOST, key="RSA-2048").identity()
    return Plan(
        client=Party(config=shop.client_config(identity=shop.client.identity())),
        server=Party(config=shop.mutual_config(identities=[server], signature_schemes=schemes)),
    )


CASES = (
    _case("no-client-cert", "the client has no certificate", lambda shop: None),
    _case("no-client-cert-tls12", "the same in TLS 1.2", lambda shop: None, row="no-client-cert", both=_TLS12),
    _case(
        "client-cert-not-offered",
        "the client's certificate is of a CA that the server did not name, so it stays at home",
        lambda shop: shop.stranger.issue_client(CLIENT).identity(),
        found="no-client-cert",
    ),
    Case(
        id="client-cert-not-offered-algorithm",
        row="client-cert-not-offered",
        title="the server accepts RSA signatures only, and the client's key is ECDSA",
        broken="client",
        plan=_other_algorithms,
        client=Expected("client-cert-not-offered", "Certificate", Judge.PEER, "alert"),
        server=Expected("no-client-cert", "Certificate"),
    ),
    Case(
        id="client-cert-not-offered-quietly",
        row="client-cert-not-offered",
        title="the same where the server lets clients in without one",
        broken="client",
        plan=_silently_left_out,
        client=Expected("client-cert-not-offered", "Certificate", failure=False),
    ),
    _case(
        "client-unknown-ca",
        "the client's certificate is of a CA that the server does not trust",
        lambda shop: shop.stranger.issue_client(CLIENT).identity(),
        server=_UNNAMED,
    ),
    _case(
        "client-unknown-ca-tls12",
        "the same in TLS 1.2",
        lambda shop: shop.stranger.issue_client(CLIENT).identity(),
        row="client-unknown-ca",
        server=_UNNAMED,
        both=_TLS12,
    ),
    _case(
        "client-self-signed",
        "the client's certificate signed itself",
        lambda shop: self_signed("alice.example", usages=("clientAuth",)).identity(),
        row="client-unknown-ca",
        server=_UNNAMED,
    ),
    _case(
        "client-missing-intermediate",
        "the client sends its leaf only",
        lambda shop: leaf_only(shop.intermediate.issue_client(CLIENT)),
        told="client-unknown-ca",
        server=_UNNAMED,
    ),
    _case("client-cert-expired", "the client's certificate has expired", _expired),
    _case("client-wrong-purpose", "the client's certificate is for servers", _of_server),
    _case(
        "client-not-authorised",
        "the client's certificate is good, and its holder not on the access list",
        lambda shop: shop.client.identity(),
        server={"on_verified": _allow_bob},
    ),
)
