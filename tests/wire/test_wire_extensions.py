"""Extensions: every form goes out and comes back, and stands only where RFC 8446 section 4.2 allows it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_values import FORMS, octets, u16s

from tlscope.wire import extensions as x
from tlscope.wire.codec import DecodeError, IllegalValue, u16, vec8, vec16
from tlscope.wire.codepoints import ExtensionType
from tlscope.wire.extensions import ExtensionForm, Extensions, StatusRequest

E = ExtensionType

# RFC 8446 section 4.2's table, the extensions that are spoken here. CH ClientHello, SH ServerHello,
# EE EncryptedExtensions, CT Certificate, CR CertificateRequest, NST NewSessionTicket, HRR HelloRetryRequest.
PLACES = {
    E.server_name: "CH EE",
    E.max_fragment_length: "CH EE",
    E.status_request: "CH CR CT",
    E.supported_groups: "CH EE",
    E.signature_algorithms: "CH CR",
    E.application_layer_protocol_negotiation: "CH EE",
    E.signed_certificate_timestamp: "CH CR CT",
    E.client_certificate_type: "CH EE",
    E.server_certificate_type: "CH EE",
    E.padding: "CH",
    E.key_share: "CH SH HRR",
    E.pre_shared_key: "CH SH",
    E.psk_key_exchange_modes: "CH",
    E.early_data: "CH EE NST",
    E.tls_flags: "NST",
    E.cookie: "CH HRR",
    E.supported_versions: "CH SH HRR",
    E.certificate_authorities: "CH CR",
    E.oid_filters: "CR",
    E.post_handshake_auth: "CH",
    E.signature_algorithms_cert: "CH CR",
    E.compress_certificate: "CH CR",  # RFC 8879 section 3
    E.record_size_limit: "CH EE",  # RFC 8449 section 4
}

# What only TLS 1.2 gives a meaning, which a ClientHello of both versions has too.
ONLY_TLS_1_2 = {E.ec_point_formats, E.extended_master_secret, E.session_ticket, E.renegotiation_info}

TABLES = {
    "CH": x.CLIENT_HELLO_FORMS,
    "SH": x.SERVER_HELLO_13_FORMS,
    "EE": x.ENCRYPTED_EXTENSIONS_FORMS,
    "CT": x.CERTIFICATE_ENTRY_FORMS,
    "CR": x.CERTIFICATE_REQUEST_FORMS,
    "NST": x.NEW_SESSION_TICKET_FORMS,
    "HRR": x.HELLO_RETRY_REQUEST_FORMS,
}

# A status_request of a type that was never defined is no error (RFC 6066 section 8), and is not kept.
NOT_KEPT = {"STATUS_REQUEST"}


def form(name: str) -> ExtensionForm[Any]:
    found: ExtensionForm[Any] = getattr(x, name)
    return found


@pytest.mark.parametrize("message", TABLES)
def test_each_extension_stands_where_the_rfc_allows_it(message: str) -> None:
    allowed = {kind for kind, places in PLACES.items() if message in places.split()}
    assert set(TABLES[message]) - (ONLY_TLS_1_2 if message == "CH" else set()) == allowed


def test_every_form_is_of_the_extension_that_its_table_says() -> None:
    for table in (*TABLES.values(), x.SERVER_HELLO_12_FORMS, x.SERVER_HELLO_FORMS):
        assert all(kind == one.type for kind, one in table.items())


def test_a_server_hello_is_read_before_its_version_is_known() -> None:
    # Its two versions share no extension, so one table reads both.
    assert not set(x.SERVER_HELLO_12_FORMS) & set(x.SERVER_HELLO_13_FORMS)


def test_every_form_is_tested() -> None:
    assert {name for name, value in vars(x).items() if isinstance(value, ExtensionForm)} == FORMS.keys()


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=30)
@given(data=st.data())
def test_a_value_goes_out_and_comes_back(name: str, data: st.DataObject) -> None:
    value = data.draw(FORMS[name])
    kind, body = form(name)(value)
    assert kind == form(name).type
    assert form(name).read(body) == value
    extensions = Extensions.decode(u16(kind) + vec16(body), {kind: form(name)})
    assert extensions.get(form(name)) == value
    assert extensions == Extensions([(kind, body)])


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=30)
@given(data=st.data())
def test_a_cut_or_padded_body_is_refused(name: str, data: st.DataObject) -> None:
    _, body = form(name)(data.draw(FORMS[name]))
    for damaged in (*(body[:length] for length in range(len(body))), body + b"\1"):
        try:
            value = form(name).read(damaged)
        except DecodeError:
            continue
        # What still reads must be something else that is whole: a shorter ticket, less padding.
        assert form(name)(value)[1] == damaged


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=30)
@given(body=octets(0, 60))
def test_any_bytes_are_read_or_refused(name: str, body: bytes) -> None:
    try:
        value = form(name).read(body)
    except DecodeError:
        return
    if not (name in NOT_KEPT and value is None):
        assert form(name)(value)[1] == body


@given(kind=u16s, body=octets())
def test_an_unknown_extension_survives(kind: int, body: bytes) -> None:
    extensions = Extensions([(kind, body)])
    again = Extensions.decode(extensions.encode()[2:], {})
    assert again == extensions
    assert again.encode() == extensions.encode()
    assert again.types == (kind,)
    assert kind in again
    assert list(again) == [(kind, body)]
    assert hash(again) == hash(extensions)


@pytest.mark.parametrize("kind", [E.server_name, 0x1234, 0x0A0A])
def test_an_extension_that_stands_there_twice_is_refused(kind: int) -> None:
    twice = Extensions([(kind, b""), (0x4444, b"")]).encode()[2:] + u16(kind) + vec16(b"")
    with pytest.raises(DecodeError, match="stands there twice") as error:
        Extensions.decode(twice, {})
    assert not isinstance(error.value, IllegalValue)


def test_of_a_known_extension_that_stands_there_twice_one_value_is_illegal() -> None:
    cookie = Extensions([x.COOKIE(b"crumbs")]).encode()[2:]
    with pytest.raises(IllegalValue, match="cookie stands there twice"):
        Extensions.decode(cookie * 2, x.HELLO_RETRY_REQUEST_FORMS)


@pytest.mark.parametrize(
    ("body", "error"), [(b"\x01\x00", IllegalValue), (b"\x02\x01\x00", IllegalValue), (b"\0", DecodeError)]
)
def test_flags_take_no_byte_too_many(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error, match="tls_flags is malformed") as raised:
        Extensions.decode(Extensions([(E.tls_flags, body)]).encode()[2:], x.NEW_SESSION_TICKET_FORMS)
    assert type(raised.value) is error


def test_a_malformed_extension_is_named() -> None:
    raw = Extensions([(E.supported_versions, b"\0")]).encode()[2:]
    with pytest.raises(DecodeError, match="supported_versions is malformed"):
        Extensions.decode(raw, x.CLIENT_HELLO_FORMS)


def test_an_illegal_value_in_an_extension_stays_illegal() -> None:
    raw = Extensions([(E.padding, b"\1")]).encode()[2:]
    with pytest.raises(IllegalValue, match="padding is malformed"):
        Extensions.decode(raw, x.CLIENT_HELLO_FORMS)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        # RFC 6066 section 3: one name of each type, and only host_name was ever defined.
        pytest.param("SERVER_NAME", b"\0\0", id="server_name: empty list"),
        pytest.param("SERVER_NAME", vec16(b"\0\0\1a\0\0\1b"), id="server_name: two names"),
        pytest.param("SERVER_NAME", vec16(b"\1\0\1a"), id="server_name: another type"),
        pytest.param("SERVER_NAME", vec16(b"\0\0\0"), id="server_name: empty name"),
        pytest.param("SERVER_NAME", vec16(b"\0\0\2a\0"), id="server_name: NUL"),
        pytest.param("SERVER_NAME", vec16(b"\0" + vec16("ü".encode())), id="server_name: not ASCII"),
        pytest.param("ALPN_OFFER", vec16(b"\0"), id="alpn: empty name"),
        pytest.param("ALPN_CHOICE", vec16(b"\1a\1b"), id="alpn: two names chosen"),
        pytest.param("ALPN_CHOICE", vec16(b""), id="alpn: nothing chosen"),
        pytest.param("SUPPORTED_GROUPS", vec16(b""), id="supported_groups: empty"),
        pytest.param("SUPPORTED_GROUPS", vec16(b"\0\1\2"), id="supported_groups: odd"),
        pytest.param("SIGNATURE_ALGORITHMS", vec16(b""), id="signature_algorithms: empty"),
        pytest.param("SUPPORTED_VERSIONS", vec8(b""), id="supported_versions: empty"),
        pytest.param("KEY_SHARES", vec16(b"\0\x1d\0\0"), id="key_share: empty key"),
        pytest.param("COOKIE", vec16(b""), id="cookie: empty"),
        pytest.param("PSK_KEY_EXCHANGE_MODES", vec8(b""), id="psk_key_exchange_modes: empty"),
        pytest.param("PRE_SHARED_KEYS", vec16(b"") + vec16(b""), id="pre_shared_key: empty"),
        pytest.param(
            "PRE_SHARED_KEYS", vec16(vec16(b"a") + bytes(4)) + vec16(vec8(b"")), id="pre_shared_key: empty binder"
        ),
        pytest.param(
            "PRE_SHARED_KEYS",
            vec16((vec16(b"a") + bytes(4)) * 2) + vec16(vec8(bytes(32))),
            id="pre_shared_key: a binder is missing",
        ),
        pytest.param("CERTIFICATE_AUTHORITIES", vec16(b""), id="certificate_authorities: empty"),
        pytest.param("CERTIFICATE_STATUS", b"\2\0\0\1a", id="status: not OCSP"),
        pytest.param("CERTIFICATE_STATUS", b"\1\0\0\0", id="status: empty"),
        pytest.param("EARLY_DATA", b"\0", id="early_data: not empty"),
    ],
)
def test_bad_forms_are_refused(name: str, body: bytes) -> None:
    with pytest.raises(DecodeError):
        form(name).read(body)


def test_a_status_request_of_an_unknown_type_is_passed_over() -> None:
    assert x.STATUS_REQUEST.read(b"\7anything") is None
    with pytest.raises(ValueError, match="can't be written"):
        x.STATUS_REQUEST(None)
    assert x.STATUS_REQUEST.read(b"\1\0\0\0\0") == StatusRequest()


def test_the_binders_are_what_stands_behind_the_rest() -> None:
    psks = x.OfferedPsks((x.PskIdentity(b"a", 1), x.PskIdentity(b"bb", 2)), (bytes(32), bytes(48)))
    assert psks.encode()[-psks.binders_length :] == vec16(vec8(bytes(32)) + vec8(bytes(48)))


def test_extensions_are_changed_by_making_new_ones() -> None:
    first = Extensions([(1, b"a"), (2, b"b")])
    assert first.with_((2, b"c"), (3, b"d")).items == ((1, b"a"), (2, b"c"), (3, b"d"))
    assert first.without(1).items == ((2, b"b"),)
    assert first.items == ((1, b"a"), (2, b"b"))
    assert first != "something else"
    assert repr(Extensions([(0, b""), (0x1A1A, b"")])) == "Extensions(server_name, GREASE(0x1a1a))"
    assert len(first) == 2


def test_an_absent_extension_has_no_value() -> None:
    assert Extensions().get(x.COOKIE) is None


def test_an_extension_of_another_tables_form_is_read_when_asked_for() -> None:
    extensions = Extensions.decode(Extensions([x.COOKIE(b"crumbs")]).encode()[2:], {})
    assert extensions.get(x.COOKIE) == b"crumbs"
    assert extensions.get(x.COOKIE) == b"crumbs"
