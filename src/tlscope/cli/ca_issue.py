"""Issue a certificate for a server or a client, and say what to do with it.

A server's certificate is for host names and addresses: all that it will be called by. A client's is for a name of your
choosing, such as a person's or a program's. Each gets a new key, and is valid for 90 days. NAME.pem holds the
certificate, NAME-key.pem its key; a client's are NAME-client.pem and NAME-client-key.pem. Issuing for the same name
again replaces them.

With --self-signed the certificate signs itself and the authority is not used, so DIR need not hold one: who is to accept
it must trust this very certificate.

Examples:

    tlscope ca issue my-ca localhost 127.0.0.1 ::1
    tlscope ca issue my-ca "*.example.test" example.test
    tlscope ca issue my-ca alice --client
    tlscope ca issue . localhost --self-signed
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from ..authority import IssuedFiles, Store, self_signed
from ..authority.files import safe_name
from ..errors import ConfigError
from ..explain.words import printable
from . import options
from .errors import usage
from .output import Output

__all__ = ["ca_issue"]

_KINDS = ("P-256", "P-384", "P-521", "RSA-2048", "RSA-3072", "RSA-4096", "Ed25519", "Ed448")


def ca_issue(
    context: typer.Context,
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The authority's directory; files are written there.")
    ],
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Host names and addresses, or a client's name and more names."),
    ],
    client: Annotated[bool, typer.Option("--client", help="For a client instead of a server.")] = False,
    alone: Annotated[bool, typer.Option("--self-signed", help="Signed by itself, not by the authority.")] = False,
    key_type: Annotated[
        str,
        typer.Option(
            "--key-type", metavar="KIND", help=f"Of which kind its key is: {', '.join(_KINDS)}. Default: P-256."
        ),
    ] = "P-256",
    as_json: options.JsonText = False,
) -> None:
    """The command ``tlscope ca issue``."""
    output = Output.of(context)
    files = _issue(directory, names, client=client, alone=alone, key_type=key_type)
    trust = files.certificate if alone else directory / "ca.pem"
    certificate = files.issued.certificate
    output.document.update(
        certificate=str(files.certificate),
        key=str(files.key),
        trust=str(trust),
        purpose="client" if client else "server",
        names=list(names),
        self_signed=alone,
        not_after=certificate.not_valid_after_utc.isoformat(),
    )
    purpose = "client" if client else "server"
    output.text(f"Issued a {'self-signed ' if alone else ''}certificate for a {purpose}: {', '.join(names)}")
    output.rows(
        [
            ("certificate", str(files.certificate)),
            ("key", f"{files.key} (readable by you alone)"),
            ("valid until", f"{certificate.not_valid_after_utc:%Y-%m-%d}"),
        ]
    )
    files_named = _Files(shlex.quote(str(files.certificate)), shlex.quote(str(files.key)), shlex.quote(str(trust)))
    if client:
        _for_a_client(output, files, files_named, None if alone else directory)
    else:
        _for_a_server(output, files, files_named, names[0])


def _issue(directory: Path, names: list[str], *, client: bool, alone: bool, key_type: str) -> IssuedFiles:
    if key_type.upper() not in {kind.upper() for kind in _KINDS}:
        raise usage(f"--key-type {printable(key_type, 40)}: there are {', '.join(_KINDS)}")
    if not alone or (directory / "ca.pem").exists():
        store = Store.open(directory, options.passphrase(directory / "ca-key.pem"))
        return store.issue(*names, client=client, standalone=alone, key=key_type)
    usages: dict[str, Any] = {"usages": ("clientAuth",)} if client else {}
    issued = self_signed(*names, key=key_type, **usages)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"this directory can't be made: {error.strerror}", path=directory, code="file-write"
        ) from None
    certificate, key = issued.write(directory, safe_name(names[0]) + ("-client" if client else ""))
    return IssuedFiles(certificate, key, issued)


class _Files(NamedTuple):
    """The files' names, quoted for a shell."""

    certificate: str
    key: str
    trust: str


def _for_a_server(output: Output, files: IssuedFiles, quoted: _Files, name: str) -> None:
    host = name.removeprefix("*.") if not name.startswith("*.") else f"www.{name[2:]}"
    address = shlex.quote(f"[{host}]" if ":" in host else host)
    output.say("", "Serve with it, and look:", "")
    output.commands(
        ["tlscope serve", f"--identity {quoted.certificate}", f"--key {quoted.key}", "--respond http"],
        ["tlscope connect", f"{address}:8443", f"--trust {quoted.trust}"],
        ["curl", f"--cacert {quoted.trust}", f"https://{address}:8443/"],
    )
    certificate, key = _literal(files.certificate), _literal(files.key)
    output.say("", "nginx:", "")
    output.code(f"ssl_certificate {certificate};", f"ssl_certificate_key {key};")
    output.say("", "Python:", "")
    output.code(
        "context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)",
        f"context.load_cert_chain({certificate}, {key})",
    )


def _for_a_client(output: Output, files: IssuedFiles, quoted: _Files, directory: Path | None) -> None:
    """``directory`` is the CA's, None for a certificate that no CA has signed."""
    alone = directory is None
    trust = [] if alone else [f"--trust {quoted.trust}"]
    cafile = [] if alone else [f"--cacert {quoted.trust}"]
    output.say("", "Show it to a server:", "")
    output.commands(
        ["tlscope connect", "localhost:8443", *trust, f"--identity {quoted.certificate}", f"--key {quoted.key}"],
        ["curl", *cafile, f"--cert {quoted.certificate}", f"--key {quoted.key}", "https://localhost:8443/"],
    )
    output.say("", "Have a server demand it:", "")
    demand = [f"--client-ca {quoted.trust}", "--client-auth required"]
    if directory is None:
        output.commands(["tlscope serve", *demand])
    else:
        _demand(output, directory, demand)
    certificate, key, authority = _literal(files.certificate), _literal(files.key), _literal(quoted.trust)
    output.say("", "nginx:", "")
    output.code(f"ssl_client_certificate {authority};", "ssl_verify_client on;")
    output.say("", "Python:", "")
    output.code(
        "context = ssl.create_default_context()"
        if alone
        else f"context = ssl.create_default_context(cafile={authority})",
        f"context.load_cert_chain({certificate}, {key})",
    )


def _demand(output: Output, directory: Path, demand: list[str]) -> None:
    """A server that demands the certificate, with one of its own that the client believes, which is issued first."""
    own, key = directory / "localhost.pem", directory / "localhost-key.pem"
    served = [f"--identity {shlex.quote(str(own))}", f"--key {shlex.quote(str(key))}"]
    first = [] if own.exists() else [["tlscope ca issue", shlex.quote(str(directory)), "localhost"]]
    output.commands(*first, ["tlscope serve", *served, *demand])


def _literal(path: Path | str) -> str:
    """A file's name as nginx and Python both read it."""
    return json.dumps(str(path), ensure_ascii=False)
