"""Which cipher suites of TLS 1.2 go with which certificate, and why none does (RFC 5246 section 7.4.2, RFC 8422)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..crypto.cipher_suites import SUITES
from ..errors import Incompatible
from ..wire import extensions as x
from ..wire.codepoints import AlertDescription, CipherSuite, NamedGroup, SignatureScheme
from ..wire.handshake import ClientHello
from . import authenticate

if TYPE_CHECKING:
    from ..config import ServerConfig
    from ..trust.identity import Identity


def suites_for(
    config: ServerConfig,
    hello: ClientHello,
    identity: Identity,
    usable: tuple[SignatureScheme, ...],
    group: NamedGroup | None,
) -> tuple[CipherSuite, ...]:
    """The common suites that this certificate's key can serve, in the server's order."""
    signs = any(scheme in usable for scheme in identity.schemes_12)
    # RFC 8422 section 5.3: the curve of the certificate's key must be one that the client named, where it named any.
    curves, curve = hello.extensions.get(x.SUPPORTED_GROUPS), identity.key_kind.removeprefix("ec:")
    if curves is not None and identity.key_kind.startswith("ec:") and all(one.name != curve for one in curves):
        return ()
    found = []
    for name in config.suites_12:
        suite = SUITES[name]
        if name not in hello.cipher_suites or not authenticate.key_fits_suite(identity.key_kind, suite):
            continue
        if suite.key_exchange == "ECDHE" and not (signs and group is not None):
            continue
        if suite.key_exchange == "RSA" and not identity.may_decrypt:
            continue
        found.append(name)
    return tuple(found)


def no_fit(
    config: ServerConfig, hello: ClientHello, usable: tuple[SignatureScheme, ...], group: NamedGroup | None
) -> Incompatible:
    """Why no common cipher suite goes with any certificate of the server's: what exactly is not in common."""
    common = [SUITES[name] for name in config.suites_12 if name in hello.cipher_suites]
    ext, kinds = hello.extensions, [one.key_kind for one in config.identities]
    groups = ext.get(x.SUPPORTED_GROUPS) or ()
    what, ours, theirs, code = (
        "cipher suite",
        list[object](config.suites_12),
        list[object](hello.cipher_suites),
        "cipher",
    )
    if common and all(suite.key_exchange == "ECDHE" for suite in common):
        if group is None:
            what, ours, theirs, code = "key-exchange group", list(config.groups_12), list(groups), "group"
        elif not usable:
            offered = ext.get(x.SIGNATURE_ALGORITHMS) or ()
            what, ours, theirs, code = "signature scheme", list(config.signature_schemes), list(offered), "signature"
        elif any(suite.authentication == "ECDSA" for suite in common) and all(kind[:3] == "ec:" for kind in kinds):
            curves = [kind.removeprefix("ec:") for kind in kinds]
            what, ours, theirs, code = "curve for the server's certificate", list(curves), list(groups), "group"
    if common and code == "cipher":
        what, ours = "cipher suite for the kind of key in the server's certificate", list(kinds)
    return Incompatible(
        what,
        ours,
        theirs,
        code=f"no-common-{code}",
        alert=AlertDescription.handshake_failure,
        rfc="RFC 5246 section 7.4.1.3",
    )
