"""What a connection knew when it failed, as plain facts: gathered then, and never before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import Situation, TLSError
from ..trust.distinguished_name import describe_name
from ..wire import extensions as x
from ..wire.handshake import ClientHello

if TYPE_CHECKING:
    from ..record.layer import RecordLayer
    from ..wire.codepoints import SignatureScheme
    from .driver import Handshake

__all__ = ["Asked", "described", "lists_of", "situation_of"]


class Asked(NamedTuple):
    """A CertificateRequest's demands: the schemes, the CAs (DER names), and why nothing was shown, empty where it was."""

    schemes: tuple[SignatureScheme, ...]
    authorities: tuple[bytes, ...]
    refusal: str


def situation_of(hs: Handshake, records: RecordLayer, error: TLSError, warnings: tuple[str, ...] = ()) -> Situation:
    """The facts that an explanation of ``error`` may need."""
    config: Any = hs.config
    hello = {} if hs.hello is None else lists_of(hs.hello)
    configured = {
        "versions": _words(config.versions),
        "cipher suites": _words(config.cipher_suites),
        "groups": _words(config.groups),
        "signature schemes": _words(config.signature_schemes),
        "protocols": tuple(config.alpn),
    }
    client = hs.role == "client"
    name = hs.server_name if hs.hello is None else hs.hello.extensions.get(x.SERVER_NAME)
    asked, shown = hs.asked, hs.shown
    chain: tuple[bytes, ...] | None = None if shown is None else shown.chain
    if shown is None and asked is not None:
        chain = ()
    return Situation(
        role=hs.role,
        phase=error.step.phase if error.step is not None else "handshake",
        version=str(hs.version) if {"ServerHello", "HelloRetryRequest"} & {*hs.said, *hs.heard} else "",
        sent=tuple(hs.said),
        received=tuple(hs.heard),
        server_name=name,
        expected_name=hs.server_name if client else None,
        ours=(hello or configured) if client else configured,
        theirs={} if client else hello,
        shown=chain,
        not_shown="" if asked is None else asked.refusal,
        asked_authorities=_authorities(hs),
        asked_schemes=() if asked is None else _words(asked.schemes),
        configured=tuple((one.label, _issuers(one)) for one in config.identities),
        heard_nothing=records.heard_nothing,
        first_bytes=records.unread,
        warnings=warnings,
        declined_renegotiation=hs.renegotiations_refused > 0,
        silent_since=_silent_since(records),
        now=config.clock().isoformat(timespec="seconds"),
    )


def described(error: TLSError) -> dict[str, Any]:
    """An error as a trace keeps it: with its kind, its step in parts, and the situation."""
    step = error.step
    place = {} if step is None else {"message": step.message, "awaiting": list(step.awaiting), "phase": step.phase}
    situation = {} if error.situation is None else error.situation.as_dict()
    return {**error.as_dict(), "kind": type(error).__name__, "place": place, "situation": situation}


def _silent_since(records: RecordLayer) -> bool:
    """Whether nothing came under the last keys but, in TLS 1.2, the Finished itself."""
    read = records.read
    return read is not None and read.epoch == "application" and read.sequence <= (0 if records.is_tls13 else 1)


def _authorities(hs: Handshake) -> tuple[str, ...] | None:
    """The CAs that the CertificateRequest named, whichever side sent it; None where there was none."""
    if hs.asked is not None:
        return tuple(describe_name(one) for one in hs.asked.authorities[:50])
    if "CertificateRequest" not in hs.said:
        return None
    config: Any = hs.config
    return tuple(describe_name(one) for one in config.named_authorities[:50])


def lists_of(hello: ClientHello) -> dict[str, tuple[str, ...]]:
    """What a ClientHello offers, by the names that a ``Situation`` has for the lists."""
    ext = hello.extensions
    protocols = ext.get(x.ALPN_OFFER) or ()
    return {
        "versions": _words(ext.get(x.SUPPORTED_VERSIONS) or (hello.legacy_version,)),
        "cipher suites": _words(hello.cipher_suites),
        "groups": _words(ext.get(x.SUPPORTED_GROUPS) or ()),
        "signature schemes": _words(ext.get(x.SIGNATURE_ALGORITHMS) or ()),
        "protocols": tuple(one.decode("utf-8", "replace") for one in protocols),
        "key shares": _words(share.group for share in ext.get(x.KEY_SHARES) or ()),
    }


def _words(values: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in list(values)[:100])


def _issuers(identity: Any) -> str:
    own = [certificate.issuer.rfc4514_string() for certificate in identity.certificates]
    return own[-1] if own else ""
