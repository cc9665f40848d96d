"""Every way a command can end: the exit code, what happened and why in a sentence, and what to do about it."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from enum import IntEnum

from ..errors import (
    AlertReceived,
    CertificateRejected,
    ConfigError,
    HandshakeTimeout,
    Incompatible,
    PeerViolation,
    TLSError,
    TruncatedStream,
)
from ..explain import Diagnosis
from ..wire.codepoints import AlertDescription as Alert

__all__ = [
    "EXIT_CODES",
    "ExitCode",
    "NetworkError",
    "OutputGone",
    "Report",
    "network_error",
    "report",
    "usage",
]


class ExitCode(IntEnum):
    """What ``tlscope`` exits with."""

    OK = 0
    DEFECT = 1
    USAGE = 2
    NETWORK = 3
    REFUSED_PEER = 4
    REFUSED_BY_PEER = 5
    NOTHING_IN_COMMON = 6
    INTERRUPTED = 130
    PIPE_CLOSED = 141


EXIT_CODES: dict[ExitCode, str] = {
    ExitCode.OK: "all went well",
    ExitCode.DEFECT: "a defect of tlscope itself",
    ExitCode.USAGE: "the command line, a file or a setting can't work",
    ExitCode.NETWORK: "the network: no connection, no answer in time, or it was cut",
    ExitCode.REFUSED_PEER: "we refused the peer: its certificate, or a rule that it broke",
    ExitCode.REFUSED_BY_PEER: "the peer refused us, and said so with an alert",
    ExitCode.NOTHING_IN_COMMON: "nothing in common: no version, suite, group or protocol",
    ExitCode.INTERRUPTED: "ended by Ctrl-C (serve: 0)",
    ExitCode.PIPE_CLOSED: "whoever read the output went away",
}
"""What each exit code means, as the help says it."""


class NetworkError(TLSError):
    """The network failed before or beneath TLS: no such host, nobody listening, an address in use."""


class OutputGone(Exception):
    """Whoever read our output went away."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a command ends: ``code``, ``what`` happened and why, ``advice`` (empty where there is none to give)."""

    code: ExitCode
    what: str
    advice: str = ""


def report(error: BaseException) -> Report:
    """The report of any exception, an unforeseen one included."""
    if isinstance(error, TLSError):
        return Report(_exit_code(error), str(error), _advice(error))
    if isinstance(error, KeyboardInterrupt):
        return Report(ExitCode.INTERRUPTED, "interrupted")
    if isinstance(error, BrokenPipeError | OutputGone):
        return Report(ExitCode.PIPE_CLOSED, "the reader of the output went away")
    if isinstance(error, OSError) and error.filename is not None:
        return Report(ExitCode.USAGE, f"{error.filename}: {_reason(error)}", "Name another file.")
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return Report(
            ExitCode.USAGE, f"the output can't be written: {_reason(error)}", "Make room, or write elsewhere."
        )
    if isinstance(error, OSError):
        return Report(ExitCode.NETWORK, _reason(error))
    fault = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Report(ExitCode.DEFECT, f"tlscope failed: {fault}", "This should not happen: please report it.")


def network_error(error: OSError, doing: str) -> NetworkError:
    """An ``OSError`` of a socket as a ``NetworkError``; ``doing`` stands behind "could not", as in "connect to ..."."""
    return NetworkError(f"could not {doing}: {_reason(error)}", code=_network_code(error), evidence={"doing": doing})


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return (
            "there is no such host"
            if error.errno in _UNKNOWN_HOST
            else f"the name can't be looked up ({error.strerror})"
        )
    if isinstance(error, TimeoutError):
        return str(error) if error.errno is None and str(error) else "no answer came in time"
    if error.errno is not None:
        text = os.strerror(error.errno)
        return text[:1].lower() + text[1:]
    return str(error) or type(error).__name__


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}

_UNKNOWN_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def _network_code(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "no-such-host"
    if isinstance(error, TimeoutError):
        return "timeout"
    codes = {
        errno.ECONNREFUSED: "connection-refused",
        errno.EADDRINUSE: "address-in-use",
        errno.EADDRNOTAVAIL: "address-not-here",
        errno.EACCES: "permission-denied",
        errno.ECONNRESET: "connection-reset",
        errno.EHOSTUNREACH: "unreachable",
        errno.ENETUNREACH: "unreachable",
    }
    return codes.get(error.errno or 0, "network")


_NOTHING_IN_COMMON = {
    Alert.protocol_version,
    Alert.insufficient_security,
    Alert.no_application_protocol,
}


def _exit_code(error: TLSError) -> ExitCode:
    if isinstance(error, NetworkError | TruncatedStream | HandshakeTimeout):
        return ExitCode.NETWORK
    if isinstance(error, Incompatible):
        return ExitCode.NOTHING_IN_COMMON
    if isinstance(error, AlertReceived):
        if error.description in _NOTHING_IN_COMMON or _no_agreement(error):
            return ExitCode.NOTHING_IN_COMMON
        return ExitCode.REFUSED_BY_PEER
    if isinstance(error, CertificateRejected | PeerViolation):
        return ExitCode.REFUSED_PEER
    return ExitCode.USAGE


def _no_agreement(error: AlertReceived) -> bool:
    """Whether handshake_failure means what RFC 8446 section 6.2 says it does.

    A TLS 1.2 server says the same where a client shows no certificate (RFC 5246 section 7.4.6).
    """
    asked = error.situation is not None and error.situation.asked_authorities is not None
    return error.description == Alert.handshake_failure and not asked


_OLD = "Update the older side: TLS 1.2 is the oldest version that is spoken."

_CLIENT_ADVICE = {
    "old-peer": _OLD,
    "missing-sni": "Connect by name, so that server_name is sent.",
    "self-signed": "If it is the server's own, trust that very certificate: --trust FILE.",
    "unknown-ca": "Trust the CA that issued it with --trust FILE.",
    "unknown-ca-root-sent": "Trust that CA with --trust FILE, if it is one to trust.",
    "missing-intermediate": "Have the server send its whole chain: the leaf, then the intermediates.",
    "wrong-host": "Connect by a name that it has, or give one with --server-name.",
    "cert-expired": "Have it renewed; check this machine's clock if the dates look right.",
    "cert-not-yet-valid": "Check the clock of this machine and of the CA.",
    "wrong-purpose-server": "The server needs a certificate with serverAuth.",
    "not-tls": "Check the port: what listens there may not be TLS.",
}

_SERVER_ADVICE = {
    "old-peer": _OLD,
    "no-hello": "A health check or a port scan does so; nothing is wrong here.",
    "no-client-cert": "The client has to show one; --client-auth requested would let it in without.",
    "client-unknown-ca": "Name the CA that issued it with --client-ca, if its holders are to be let in.",
    "client-missing-intermediate": "The client has to send its whole chain.",
    "client-cert-expired": "The client needs a new one.",
    "client-wrong-purpose": "The client needs one with clientAuth: tlscope ca issue DIR NAME --client.",
    "http-on-tls-port": "The client has to say https:// instead of http://.",
}

_ALERT_TO_CLIENT = {
    Alert.unknown_ca: "Show a certificate of a CA that the server trusts, or have it trust the CA of ours.",
    Alert.certificate_expired: "Renew our certificate, or check the server's clock.",
    Alert.certificate_required: "The server demands a client certificate: show one with --identity FILE [--key FILE].",
    Alert.unrecognized_name: "The server does not know that name: give one that it serves with --server-name.",
    Alert.protocol_version: "Leave --tls away, or update the server.",
    Alert.no_application_protocol: "Name a protocol that the server speaks with --alpn, or leave it away.",
    Alert.handshake_failure: "Leave --groups and --tls away; the server's log says what it looked for.",
}
"""What a client can do about an alert of its server, in the options of ``tlscope connect``."""

_CODE_ADVICE = {
    "no-such-host": "Check the name for a mistake.",
    "connection-refused": "Nothing listens there: start the server, or check host and port.",
    "handshake-too-slow": "Check host and port: what listens there may not speak TLS.",
    "timeout": "Check host and port, and whether a firewall is in between.",
    "address-in-use": "Another program listens there: name another port, or 0 for any free one.",
    "address-not-here": "This machine has no such address: try 127.0.0.1 or 0.0.0.0.",
    "permission-denied": "Ports below 1024 need privileges: name a higher one.",
    "encrypted-key": "Run it in a terminal to be asked for the passphrase.",
    "truncated": "What came may not be all; an attacker or a crash could have cut it (RFC 8446 section 6.1).",
    "no-client-trust": "Name the CA of the clients' certificates with --client-ca FILE.",
    "no-common-version": "Leave --tls away, or update the peer.",
    "no-common-group": "Leave --groups away.",
    "no-common-alpn": "Name a protocol that both speak with --alpn, or leave it away.",
}


_CUT_IN_HANDSHAKE = {
    True: "What listens there may not speak TLS, or not like this hello; its log may say. Try --tls 1.2.",
    False: "The client gave up without a word; its own log may say why.",
}


def _advice(error: TLSError) -> str:
    situation = error.situation
    if isinstance(error, AlertReceived):
        missing = situation is not None and situation.shown == ()
        if missing and error.description in (Alert.handshake_failure, Alert.bad_certificate, Alert.certificate_unknown):
            return _ALERT_TO_CLIENT[Alert.certificate_required]
        is_client = error.step is not None and error.step.role == "client"
        found = _ALERT_TO_CLIENT.get(error.description) if is_client else None
        return found or _first_fix(error.explain())
    is_client = error.step is None or error.step.role == "client"
    by_role = _CLIENT_ADVICE if is_client else _SERVER_ADVICE
    if error.step is not None and (found := by_role.get(error.explain().id)):
        return found
    if isinstance(error, TruncatedStream) and error.step is not None and error.step.phase == "handshake":
        return _CUT_IN_HANDSHAKE[is_client]
    return by_role.get(error.code) or _CODE_ADVICE.get(error.code, "")


_WHERE = {"client": "On the client: ", "server": "On the server: ", "ca": "At the CA: "}


def _first_fix(explained: Diagnosis) -> str:
    if not explained.fixes:
        return ""
    one = explained.fixes[0]
    do = one.do if one.who in _WHERE else one.do[:1].upper() + one.do[1:]
    return f"{_WHERE.get(one.who, '')}{do}."


def usage(sentence: str) -> ConfigError:
    """A mistake on the command line."""
    return ConfigError(sentence, code="usage")
