"""Every rule that a peer can break, one row each: the alert it is sent, the RFC section, one sentence.

``PeerViolation(row, **evidence)`` is how a flow says so; the names in braces are the evidence that the sentence needs.
"""

from __future__ import annotations

from dataclasses import dataclass

from .wire.codepoints import AlertDescription as A

__all__ = ["ROWS", "Violation"]


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule of the protocol. ``code`` is stable for machines."""

    code: str
    alert: A
    rfc: str
    sentence: str


ROWS: dict[str, Violation] = {}
"""Every violation by its code."""


def _row(code: str, alert: A, rfc: str, sentence: str) -> Violation:
    row = Violation(code, alert, rfc, sentence)
    if code in ROWS:
        raise ValueError(f"two violations are called {code}")
    ROWS[code] = row
    return row


# Order and alignment of messages
UNEXPECTED_MESSAGE = _row(
    "unexpected-message",
    A.unexpected_message,
    "RFC 8446 section 4",
    "the peer sent {received} where {expected} was due",
)
UNEXPECTED_RECORD = _row(
    "unexpected-record",
    A.unexpected_message,
    "RFC 8446 section 5",
    "the peer sent a record of type {received} {when}",
)
MESSAGE_ACROSS_KEY_CHANGE = _row(
    "message-across-key-change",
    A.unexpected_message,
    "RFC 8446 section 5.1",
    "{pending} bytes of a handshake message stand in the same record as {message}, after which the keys change",
)
EXCESS_HANDSHAKE_DATA = _row(
    "excess-handshake-data",
    A.unexpected_message,
    "RFC 8446 section 4",
    "{pending} more bytes of handshake messages stand behind {message}, at which it is the other side's turn",
)
INTERLEAVED_RECORD = _row(
    "interleaved-record",
    A.unexpected_message,
    "RFC 8446 section 5.1",
    "a record of type {received} stands between the parts of a handshake message",
)
EMPTY_HANDSHAKE_RECORD = _row(
    "empty-handshake-record",
    A.unexpected_message,
    "RFC 8446 section 5.1",
    "the peer sent an empty record of type {received}, which only application data may be",
)
EARLY_APPLICATION_DATA = _row(
    "early-application-data",
    A.unexpected_message,
    "RFC 8446 section 2",
    "the peer sent application data before the handshake allowed any",
)
BAD_CHANGE_CIPHER_SPEC = _row(
    "bad-change-cipher-spec",
    A.unexpected_message,
    "RFC 8446 section 5",
    "the peer sent a ChangeCipherSpec that is not one byte 1, protected, or at a time when none is allowed",
)

# Bounds
RECORD_TOO_LONG = _row(
    "record-too-long",
    A.record_overflow,
    "RFC 8446 section 5.1",
    "a record announces {length} bytes, at most {limit} are allowed",
)
MESSAGE_TOO_LONG = _row(
    "handshake-too-big",
    A.illegal_parameter,
    "RFC 8446 section 4",
    "{message} announces {length} bytes; the limit {setting} allows {limit}",
)
HANDSHAKE_TOO_LONG = _row(
    "handshake-too-long",
    A.internal_error,
    "RFC 8446 section 4",
    "the handshake's messages add up to more than {limit} bytes, the limit {setting}",
)
TOO_MUCH_BUFFERED = _row(
    "too-much-buffered",
    A.internal_error,
    "RFC 8446 section 6.2",
    "the peer sent more than {limit} bytes while a decision was awaited, the limit {setting}",
)
TOO_MANY_EMPTY_RECORDS = _row(
    "too-many-empty-records",
    A.unexpected_message,
    "RFC 8446 section 5.1",
    "more than {limit} empty records came in a row, the limit {setting}",
)
TOO_MANY_WARNINGS = _row(
    "too-many-warnings",
    A.unexpected_message,
    "RFC 8446 section 6",
    "more than {limit} warning alerts came in a row, the limit {setting}",
)
TOO_MANY_CHANGE_CIPHER_SPECS = _row(
    "too-many-change-cipher-specs",
    A.unexpected_message,
    "RFC 8446 appendix D.4",
    "more than {limit} ChangeCipherSpec records came in one handshake, the limit {setting}",
)
TOO_MANY_KEY_UPDATES = _row(
    "too-many-key-updates",
    A.unexpected_message,
    "RFC 8446 section 4.6.3",
    "more than {limit} KeyUpdates came without data between them, the limit {setting}",
)
TOO_MANY_TICKETS = _row(
    "too-many-tickets",
    A.unexpected_message,
    "RFC 8446 section 4.6.1",
    "more than {limit} NewSessionTickets came on one connection, the limit {setting}",
)
CHAIN_TOO_LONG = _row(
    "chain-too-long",
    A.bad_certificate,
    "RFC 8446 section 4.4.2",
    "the peer sent {count} certificates; the limit {setting} allows {limit}",
)

# Form
MALFORMED = _row("malformed", A.decode_error, "RFC 8446 section 6.2", "{message} can't be read: {problem}")
ILLEGAL_VALUE = _row(
    "illegal-value",
    A.illegal_parameter,
    "RFC 8446 section 6.2",
    "{message} holds an illegal value: {problem}",
)
BAD_RECORD_VERSION = _row(
    "bad-record-version",
    A.protocol_version,
    "RFC 8446 section 5.1",
    "a record claims the version {received}, which is not TLS",
)
NOT_TLS = _row("not-tls", A.unexpected_message, "RFC 8446 section 5.1", "the peer does not speak TLS: {problem}")
HTTP_ON_TLS_PORT = _row(
    "http-on-tls-port",
    A.unexpected_message,
    "RFC 8446 section 5.1",
    "the peer speaks plain HTTP to this TLS port",
)
SSLV2_HELLO = _row(
    "old-peer",
    A.protocol_version,
    "RFC 6176 section 2",
    "the peer greets with an SSLv2 hello, which is not spoken here: TLS 1.2 is the oldest version",
)
BAD_ALERT_LEVEL = _row(
    "bad-alert-level",
    A.illegal_parameter,
    "RFC 8446 section 6",
    "the alert {description} has the level {level}, which is neither warning nor fatal",
)
MALFORMED_ALERT = _row("malformed-alert", A.decode_error, "RFC 8446 section 6", "an alert can't be read: {problem}")

# Protection
BAD_RECORD_MAC = _row(
    "tampered",
    A.bad_record_mac,
    "RFC 8446 section 5.2",
    "record {sequence} under the {epoch} keys can't be opened: it was changed in transit, or the keys disagree",
)
NO_CONTENT_TYPE = _row(
    "no-content-type",
    A.unexpected_message,
    "RFC 8446 section 5.4",
    "a protected record holds nothing but padding, so it has no content type",
)
UNPROTECTED_RECORD = _row(
    "unprotected-record",
    A.bad_record_mac,
    "RFC 8446 section 5.2",
    "the peer sent an unprotected record of type {received} after the keys were agreed",
)
FALSE_OUTER_TYPE = _row(
    "false-outer-type",
    A.unexpected_message,
    "RFC 8446 section 5.2",
    "a protected record claims to be of type {received}, where all of them claim to be application_data",
)
TOO_MUCH_SKIPPED_EARLY_DATA = _row(
    "too-much-skipped-early-data",
    A.unexpected_message,
    "RFC 8446 section 4.2.10",
    "the client sent more refused early data than is passed over",
)

# Hellos
NO_NULL_COMPRESSION = _row(
    "no-null-compression",
    A.illegal_parameter,
    "RFC 8446 section 4.1.2",
    "the ClientHello's compression methods are not just null",
)
MISSING_EXTENSION = _row(
    "missing-extension",
    A.missing_extension,
    "RFC 8446 section 9.2",
    "{message} lacks the extension {extension}",
)
UNSOLICITED_EXTENSION = _row(
    "unsolicited-extension",
    A.unsupported_extension,
    "RFC 8446 section 4.2",
    "{message} answers with the extension {extension}, which was not offered",
)
MISPLACED_EXTENSION = _row(
    "misplaced-extension",
    A.illegal_parameter,
    "RFC 8446 section 4.2",
    "the extension {extension} must not stand in {message}",
)
MISPLACED_ANSWER = _row(
    "misplaced-answer",
    A.unsupported_extension,
    "RFC 8446 section 4.2",
    "{message} answers with the extension {extension}, which is not answered there",
)
UNOFFERED_VERSION = _row(
    "unoffered-version",
    A.illegal_parameter,
    "RFC 8446 section 4.2.1",
    "the server chose the version {received}, which was not offered",
)
UNOFFERED_CIPHER_SUITE = _row(
    "unoffered-cipher-suite",
    A.illegal_parameter,
    "RFC 8446 section 4.1.3",
    "the server chose the cipher suite {received}, which was not offered",
)
CHANGED_CIPHER_SUITE = _row(
    "changed-cipher-suite",
    A.illegal_parameter,
    "RFC 8446 section 4.1.4",
    "the server chose {first} in HelloRetryRequest and {second} in ServerHello",
)
CHANGED_VERSION = _row(
    "changed-version",
    A.illegal_parameter,
    "RFC 8446 section 4.1.4",
    "the server chose TLS 1.3 in HelloRetryRequest and {second} in ServerHello",
)
BAD_SESSION_ID_ECHO = _row(
    "bad-session-id-echo",
    A.illegal_parameter,
    "RFC 8446 section 4.1.3",
    "the server's legacy_session_id_echo is not what the client sent",
)
BAD_COMPRESSION_METHOD = _row(
    "bad-compression-method",
    A.illegal_parameter,
    "RFC 8446 section 4.1.3",
    "the server chose the compression method {received}",
)
BAD_LEGACY_VERSION = _row(
    "bad-legacy-version",
    A.illegal_parameter,
    "RFC 8446 section 4.1.3",
    "legacy_version is {received} beside supported_versions",
)
UNOFFERED_KEY_SHARE = _row(
    "unoffered-key-share",
    A.illegal_parameter,
    "RFC 8446 section 4.2.8",
    "the server answered with a key share of {received}, for which none was offered",
)
BAD_KEY_SHARE = _row(
    "bad-key-share",
    A.illegal_parameter,
    "RFC 8446 section 4.2.8",
    "the peer's key share for {group} is not a valid public key: {problem}",
)
DUPLICATE_KEY_SHARE = _row(
    "duplicate-key-share",
    A.illegal_parameter,
    "RFC 8446 section 4.2.8",
    "the ClientHello has two key shares for {group}",
)
KEY_SHARE_OUTSIDE_GROUPS = _row(
    "key-share-outside-groups",
    A.illegal_parameter,
    "RFC 8446 section 4.2.8",
    "the ClientHello has a key share for {group}, which its supported_groups don't list",
)
DOWNGRADED = _row(
    "downgraded",
    A.illegal_parameter,
    "RFC 8446 section 4.1.3",
    "the server can do {best} and chose {received}: somebody between the two changed the versions",
)
INAPPROPRIATE_FALLBACK = _row(
    "inappropriate-fallback",
    A.inappropriate_fallback,
    "RFC 7507 section 3",
    "the client fell back to {received} though both sides can do {best}",
)

# TLS 1.2
NO_EXTENDED_MASTER_SECRET = _row(
    "no-extended-master-secret",
    A.handshake_failure,
    "RFC 7627 section 5",
    "the peer does not speak the extended master secret, which require_extended_master_secret demands",
)
CHANGED_EXTENDED_MASTER_SECRET = _row(
    "changed-extended-master-secret",
    A.handshake_failure,
    "RFC 7627 section 5.3",
    "the session was made with the extended master secret and is resumed without it, or the reverse",
)
NO_SECURE_RENEGOTIATION = _row(
    "renegotiation",
    A.handshake_failure,
    "RFC 5746 section 3.4",
    "the peer does not know RFC 5746, so somebody between could splice two connections",
)
BAD_RENEGOTIATION_INFO = _row(
    "bad-renegotiation-info",
    A.handshake_failure,
    "RFC 5746 section 3.4",
    "renegotiation_info is not empty in the first handshake of a connection",
)
TOO_MANY_RENEGOTIATIONS = _row(
    "too-many-renegotiations",
    A.no_renegotiation,
    "RFC 5246 section 7.2.2",
    "the peer asked for renegotiation more than {limit} times, the limit {setting}",
)
NO_UNCOMPRESSED_POINTS = _row(
    "no-uncompressed-points",
    A.illegal_parameter,
    "RFC 8422 section 5.1.2",
    "the peer's ec_point_formats leave out uncompressed points, the only ones there are",
)
BAD_CLIENT_KEY_EXCHANGE = _row(
    "bad-client-key-exchange",
    A.illegal_parameter,
    "RFC 8422 section 5.7",
    "the client's public key for {group} is not valid: {problem}",
)
UNOFFERED_GROUP = _row(
    "unoffered-group",
    A.illegal_parameter,
    "RFC 8422 section 5.4",
    "the server's ServerKeyExchange uses {received}, which was not offered",
)
CERTIFICATE_DOES_NOT_FIT_SUITE = _row(
    "certificate-does-not-fit-suite",
    A.illegal_parameter,
    "RFC 5246 section 7.4.2",
    "the cipher suite {suite} needs another kind of key than the server's certificate has ({key})",
)
CERTIFICATE_ON_UNOFFERED_CURVE = _row(
    "certificate-on-unoffered-curve",
    A.illegal_parameter,
    "RFC 8422 section 5.3",
    "the key of the server's certificate ({key}) is on a curve that was not offered",
)
RESUMED_WITH_OTHER_PARAMETERS = _row(
    "resumed-with-other-parameters",
    A.illegal_parameter,
    "RFC 5246 section 7.4.1.3",
    "the server resumes the session with another {field} than it was made with",
)
NO_CLIENT_CERTIFICATE_12 = _row(
    "no-client-cert-tls12",
    A.handshake_failure,
    "RFC 5246 section 7.4.6",
    "the client was asked for a certificate, which is required here, and sent none",
)

# HelloRetryRequest
SECOND_HELLO_RETRY_REQUEST = _row(
    "second-hello-retry-request",
    A.unexpected_message,
    "RFC 8446 section 4.1.4",
    "the server sent a second HelloRetryRequest",
)
POINTLESS_HELLO_RETRY_REQUEST = _row(
    "pointless-hello-retry-request",
    A.illegal_parameter,
    "RFC 8446 section 4.1.4",
    "the HelloRetryRequest asks for nothing that would change the ClientHello",
)
RETRY_WITH_BAD_GROUP = _row(
    "retry-with-bad-group",
    A.illegal_parameter,
    "RFC 8446 section 4.2.8",
    "the HelloRetryRequest asks for {group}, {problem}",
)
IGNORED_HELLO_RETRY_REQUEST = _row(
    "ignored-hello-retry-request",
    A.illegal_parameter,
    "RFC 8446 section 4.1.4",
    "the second ClientHello does not do what the HelloRetryRequest asked: {problem}",
)
CHANGED_CLIENT_HELLO = _row(
    "changed-client-hello",
    A.illegal_parameter,
    "RFC 8446 section 4.1.2",
    "the second ClientHello differs from the first in {field}, which must not change",
)
BAD_COOKIE = _row(
    "bad-cookie", A.illegal_parameter, "RFC 8446 section 4.2.2", "the cookie is not the one that was sent"
)

# Pre-shared keys and early data
BAD_SELECTED_PSK = _row(
    "bad-selected-psk",
    A.illegal_parameter,
    "RFC 8446 section 4.2.11",
    "the server's choice of a PSK is impossible: {problem}",
)
BAD_BINDER = _row(
    "bad-binder",
    A.decrypt_error,
    "RFC 8446 section 4.2.11.2",
    "the binder of PSK {index} does not fit: the client does not have the key, or its hello was changed",
)
TOO_MUCH_EARLY_DATA = _row(
    "too-much-early-data",
    A.unexpected_message,
    "RFC 8446 section 4.2.10",
    "the client sent more early data than the {limit} bytes that its ticket allows",
)
UNWANTED_EARLY_DATA_ANSWER = _row(
    "unwanted-early-data-answer",
    A.illegal_parameter,
    "RFC 8446 section 4.2.10",
    "the server accepts early data although it {problem}",
)

# Records and certificates in other sizes
BAD_RECORD_SIZE_LIMIT = _row(
    "bad-record-size-limit",
    A.illegal_parameter,
    "RFC 8449 section 4",
    "the peer's limit on records is not allowed: {problem}",
)
UNOFFERED_COMPRESSION = _row(
    "unoffered-compression",
    A.illegal_parameter,
    "RFC 8879 section 4",
    "the peer compressed its certificate with {received}, which was not offered",
)
BAD_COMPRESSED_CERTIFICATE = _row(
    "bad-compressed-certificate",
    A.bad_certificate,
    "RFC 8879 section 4",
    "the peer's compressed certificate can't be expanded: {problem}",
)

UNOFFERED_CERTIFICATE_TYPE = _row(
    "unoffered-certificate-type",
    A.unsupported_certificate,
    "RFC 7250 section 4.2",
    "the peer goes for a certificate of type {received}, which this side can't judge",
)
BAD_RAW_KEY = _row(
    "bad-raw-key", A.bad_certificate, "RFC 7250 section 3", "the peer's raw public key can't be used: {problem}"
)

# Authentication
UNOFFERED_SIGNATURE_SCHEME = _row(
    "unoffered-signature-scheme",
    A.illegal_parameter,
    "RFC 8446 section 4.4.3",
    "the peer signed with {received}, which was not offered",
)
SCHEME_DOES_NOT_FIT_KEY = _row(
    "scheme-does-not-fit-key",
    A.illegal_parameter,
    "RFC 8446 section 4.4.3",
    "the peer signed with {received}, which its certificate's key ({key}) can't make",
)
BAD_CERTIFICATE_VERIFY = _row(
    "bad-certificate-verify",
    A.decrypt_error,
    "RFC 8446 section 4.4.3",
    "the signature in {message} does not fit the key of the peer's certificate",
)
BAD_FINISHED = _row(
    "bad-finished",
    A.decrypt_error,
    "RFC 8446 section 4.4.4",
    "the peer's Finished does not fit what was said: the two sides have seen different handshakes",
)
BAD_REQUEST_CONTEXT = _row(
    "bad-request-context",
    A.illegal_parameter,
    "RFC 8446 section 4.4.2",
    "the certificate_request_context is not the one that was due",
)
EMPTY_SERVER_CERTIFICATE = _row(
    "empty-server-certificate",
    A.decode_error,
    "RFC 8446 section 4.4.2.4",
    "the server sent an empty list of certificates",
)
NO_CLIENT_CERTIFICATE = _row(
    "no-client-cert",
    A.certificate_required,
    "RFC 8446 section 4.4.2.4",
    "the client was asked for a certificate, which is required here, and sent none",
)
UNREADABLE_CERTIFICATE = _row(
    "unreadable-certificate",
    A.decode_error,
    "RFC 8446 section 4.4.2",
    "the peer's certificate can't be read: {problem}",
)
KEY_USAGE = _row(
    "wrong-key-usage",
    A.unsupported_certificate,
    "RFC 8446 section 4.4.2.2",
    "the keyUsage of the peer's certificate lacks {needed}, which its key is needed for here",
)
BAD_PUBLIC_KEY = _row(
    "bad-public-key",
    A.bad_certificate,
    "RFC 8446 section 4.4.2",
    "the peer's certificate holds a key that can't be used: {problem}",
)

# ALPN, SNI
UNOFFERED_ALPN = _row(
    "unoffered-alpn",
    A.illegal_parameter,
    "RFC 7301 section 3.1",
    "the server chose the protocol {received}, which was not offered",
)
UNKNOWN_SNI = _row(
    "unknown-sni",
    A.unrecognized_name,
    "RFC 6066 section 3",
    "the client asks for {asked}; the names served here are {served}",
)

# After the handshake
POST_HANDSHAKE_CERTIFICATE_REQUEST = _row(
    "unwanted-certificate-request",
    A.unexpected_message,
    "RFC 8446 section 4.6.2",
    "the server asked for a certificate after the handshake, which the client did not offer",
)
BAD_TICKET = _row(
    "bad-ticket",
    A.illegal_parameter,
    "RFC 8446 section 4.6.1",
    "the server's ticket breaks a rule: {problem}",
)
