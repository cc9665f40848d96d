r"""Say what files and servers are: certificates, keys, chains, and whether two sides will accept each other.

Each FILE may be PEM, DER, PKCS#12 or PKCS#7 and hold certificates, keys, certificate signing requests (CSR) or revocation
lists (CRL), in any mixture. What is in it is said in words, with what is wrong or soon will be: a chain's order and gaps, an
expired certificate, a key that belongs to another. Give certificate and key together to learn whether they fit. Secrets are
never printed.

HOST[:PORT] is connected to, and its certificates are looked at in the same way and judged as a client would.

With --server and --client it is a pre-flight: the files of a server and those of a client that shall speak with each
other. Of each side's files, a key and the certificates that go with it are its identity; all other certificates are what
it trusts. Both then make real handshakes in memory, in TLS 1.3 and in TLS 1.2, and what they say is shown, with remarks on
programs that see it otherwise. A server that trusts a CA demands a client certificate; a client that trusts none trusts
the system's.

Examples:

    tlscope inspect server.pem server-key.pem
    tlscope inspect example.org
    tlscope inspect --server my-ca/localhost.pem --server my-ca/localhost-key.pem \
        --client my-ca/ca.pem
    tlscope inspect --server srv.pem,srv-key.pem,ca.pem --client ca.pem,me.pem,me-key.pem
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography import x509
from rich.text import Text

from ..config import ClientConfig
from ..errors import CertificateRejected, TLSError
from ..explain.words import plural, printable
from ..io import connect as connect_to
from ..trust.anchors import TrustAnchors
from . import options
from .errors import network_error, usage
from .inspect_files import (
    Contents,
    Item,
    certificate_item,
    chain_faults,
    describe_chain,
    read_items,
    same_keys,
    utc_now,
)
from .inspect_preflight import Attempt, attempts, remarks, side_of
from .output import Output

__all__ = ["inspect"]

_PATIENCE = 10.0
_FILES = frozenset(
    (".pem", ".crt", ".cer", ".der", ".key", ".p12", ".pfx", ".csr", ".crl", ".p7b", ".p7c", ".jks", ".txt")
)


def inspect(
    context: typer.Context,
    what: Annotated[
        list[str] | None, typer.Argument(metavar="FILE|HOST[:PORT]", help="Files, or a server to connect to. Port 443.")
    ] = None,
    server: Annotated[
        list[str] | None,
        typer.Option("--server", metavar="FILES", help="Pre-flight: the server's files, with commas or one by one."),
    ] = None,
    client: Annotated[
        list[str] | None,
        typer.Option("--client", metavar="FILES", help="Pre-flight: the client's files, with commas or one by one."),
    ] = None,
    server_name: Annotated[
        str | None,
        typer.Option(
            "--server-name", metavar="NAME", help="Whom the client asks for. Default: HOST, or the first name."
        ),
    ] = None,
    trust: Annotated[
        Path | None, typer.Option("--trust", metavar="FILE", help="Judge HOST by these CAs instead of the system's.")
    ] = None,
    as_json: options.JsonText = False,
) -> None:
    """The command ``tlscope inspect``."""
    output = Output.of(context)
    if server or client:
        if what:
            raise usage("a pre-flight takes its files from --server and --client; leave the rest away")
        _preflight(output, _paths(server), _paths(client), server_name)
        return
    if not what:
        raise usage("name files or a host, or give --server and --client; tlscope inspect --help has examples")
    if len(what) == 1 and not _is_file(what[0]):
        _host(output, what[0], server_name, trust)
        return
    contents = [read_items(Path(one), options.passphrase(Path(one)), utc_now()) for one in what]
    output.document["files"] = []
    for number, one in enumerate(contents):
        if number:
            output.say("")
        _show(output, one)
    verdicts = same_keys(contents)
    output.document["keys"] = [{"text": words, "fits": fits} for words, fits in verdicts]
    if verdicts:
        output.say("")
    for words, fits in verdicts:
        _verdict(output, words, fits)


def _is_file(text: str) -> bool:
    path = Path(text)
    return path.exists() or path.suffix.lower() in _FILES or "/" in text


def _paths(given: list[str] | None) -> list[Path]:
    found = []
    for one in given or []:
        pieces = [one] if Path(one).exists() else one.split(",")
        found += [Path(piece) for piece in pieces if piece]
    return found


def _show(output: Output, contents: Contents) -> None:
    output.say(Text(printable(contents.path, 400), "bold"))
    for item in contents.items:
        _item(output, item)
    faults = chain_faults(contents.certificates) if len(contents.certificates) > 1 else []
    chain = describe_chain(contents.certificates, faults)
    if chain:
        output.text(chain, indent=2)
    for fault in faults:
        _fault(output, fault)
    output.document["files"].append(
        {
            "path": str(contents.path),
            "items": [item.as_dict() for item in contents.items],
            "chain": chain,
            "chain_faults": faults,
        }
    )


def _item(output: Output, item: Item) -> None:
    output.text(item.kind, "bold", indent=2)
    output.rows(list(item.facts), indent=4)
    for fault in item.faults:
        _fault(output, fault, indent=4)


def _fault(output: Output, fault: str, indent: int = 2) -> None:
    output.text(f"! {fault}", "yellow", indent=indent)


def _verdict(output: Output, words: str, fits: bool) -> None:
    output.text(f"{'✓' if fits else '✗'} {words}", "green" if fits else "red")


# A server


def _host(output: Output, text: str, server_name: str | None, trust: Path | None) -> None:
    address = options.parse_address(text, port=443)
    config = ClientConfig(trust=None if trust is None else TrustAnchors.from_file(trust))
    _ = config.verifier
    failure: TLSError | None = None
    chain: tuple[bytes, ...] = ()
    try:
        with connect_to(
            address.host, address.port, config, server_name=server_name, handshake_timeout=_PATIENCE
        ) as stream:
            facts = stream.facts
            if facts is not None:
                chain = facts.peer_chain
                output.document["facts"] = facts.as_dict()
                output.rows([(name.replace("_", " "), value) for name, value in facts.as_dict().items()], indent=0)
    except CertificateRejected as error:
        failure, chain = error, error.chain
    except TLSError:
        raise
    except OSError as error:
        raise network_error(error, f"connect to {address}") from None
    _server_chain(output, chain)
    if failure is not None:
        output.say("", Text(failure.explain().to_text(output.out.width)))
        output.document["diagnosis"] = failure.explain().as_dict()
        raise failure
    _verdict(output, f"a client that asks for {server_name or address.host} accepts it", True)


def _server_chain(output: Output, chain: tuple[bytes, ...]) -> None:
    certificates = []
    items = []
    for der in chain:
        try:
            certificate = x509.load_der_x509_certificate(der)
        except ValueError as error:
            items.append(Item("a certificate", (), (f"it can't be parsed: {printable(error, 200)}",)))
            continue
        certificates.append(certificate)
        items.append(certificate_item(certificate, utc_now()))
    output.say("", Text(f"What the server shows: {plural(len(chain), 'certificate')}", "bold"))
    for item in items:
        _item(output, item)
    faults = chain_faults(certificates) if len(certificates) > 1 else []
    for fault in faults:
        _fault(output, fault)
    output.document["chain"] = [item.as_dict() for item in items]
    output.document["chain_faults"] = faults


# A pre-flight


def _preflight(output: Output, server_files: list[Path], client_files: list[Path], name: str | None) -> None:
    if not server_files or not client_files:
        raise usage("a pre-flight takes both sides: --server FILES and --client FILES")
    server = side_of(server_files, "--server", options.passphrase)
    client = side_of(client_files, "--client", options.passphrase)
    if server.identity is None:
        raise usage("--server: there is no private key in its files, and a server needs one with its certificate")
    wanted = name or next(iter((*server.identity.names.dns, *server.identity.names.ip)), None)
    asked = (wanted or server.identity.names.common_name or "localhost").replace("*", "www", 1)
    output.rows(
        [
            (
                "server",
                f"{server.identity.label}" + ("" if server.trust is None else f", trusts {server.trust.source}"),
            ),
            ("client", "no certificate" if client.identity is None else client.identity.label),
            ("it trusts", "the system's CAs" if client.trust is None else client.trust.source),
            ("asks for", asked),
        ],
        indent=0,
    )
    output.say("")
    found = list(attempts(client, server, asked))
    output.document["server_name"] = asked
    known: set[str] = set()
    output.document["attempts"] = [_attempt(output, one, known) for one in found]
    weak = server.weak or client.weak
    accepted = all(one.ok for one in found) and not weak
    refused = weak or any(judge == "client" for one in found for judge, _ in one.errors[:1])
    said = list(remarks(client, server, asked, accepted=not refused))
    if weak:
        _verdict(output, "tlscope refuses to load an RSA key of fewer than 2048 bits", False)
    for remark in said:
        output.text(f"• {remark}", indent=0)
    output.document["accepted"], output.document["remarks"] = accepted, said
    for one in found:
        if not one.ok:
            raise one.errors[0][1]
    if weak:
        raise usage("the RSA key has too few bits: make a new one")


def _attempt(output: Output, one: Attempt, known: set[str]) -> dict[str, Any]:
    if one.ok:
        _verdict(output, f"{one.version}: they accept each other", True)
        return {"version": one.version, "accepted": True}
    judge, error = one.errors[0]
    diagnosis = error.explain()
    _verdict(output, f"{one.version}: the {judge} refuses", False)
    if diagnosis.id not in known:  # the same in both versions is said once
        output.say(Text(diagnosis.to_text(output.out.width)), "")
        known.add(diagnosis.id)
    return {"version": one.version, "accepted": False, "judge": judge, "diagnosis": diagnosis.as_dict()}
