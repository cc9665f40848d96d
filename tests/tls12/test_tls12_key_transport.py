"""RSA key transport: whatever is wrong with the premaster secret, nobody learns it (RFC 5246 section 7.4.7.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from certificates import SERVER_NAME, client_identity, der, root
from cryptography.hazmat.primitives.asymmetric import rsa
from memory import Pair
from puppet12 import CCS, Puppet12, encrypt_steadily, issued, pair12, recorded12, rsa_authority

from tlscope import (
    DEFAULT_CIPHER_SUITES,
    RSA_KEY_TRANSPORT,
    AlertDescription,
    CertificateRejected,
    CipherSuite,
    ClientAuth,
    Identity,
    Incompatible,
    MemorySessionCache,
    PeerViolation,
    ProtocolVersion,
    ServerConnection,
    TicketKeys,
    Trace,
)
from tlscope.crypto.randomness import SYSTEM_RANDOMNESS as SYSTEM
from tlscope.trace import TraceEvent, event_to_json
from tlscope.wire.handshake import ClientHello
from tlscope.wire.handshake12 import ClientKeyExchange

pytestmark = pytest.mark.usefixtures("steady_encryption")

BOTH: dict[str, Any] = {"cipher_suites": RSA_KEY_TRANSPORT}


def key() -> rsa.RSAPublicKey:
    public = issued("RSA-2048").leaf.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    return public


def raw(block: bytes) -> bytes:
    """RSA without padding: the block is what decryption will find."""
    numbers = key().public_numbers()
    return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(256, "big")


def padded(secret: bytes, *, head: bytes = b"\0\2", filler: bytes = b"\x5a", separator: bytes = b"\0") -> bytes:
    block = head + filler * (256 - len(head) - len(separator) - len(secret)) + separator + secret
    assert len(block) == 256
    return raw(block)


SECRET = b"\3\3" + bytes(range(46))

BAD: dict[str, Callable[[], bytes]] = {
    "first byte not zero": lambda: raw(b"\1\2" + b"\x5a" * 205 + b"\0" + SECRET),
    "block type 1": lambda: padded(SECRET, head=b"\0\1"),
    "block type 0": lambda: padded(SECRET, head=b"\0\0"),
    "no separator": lambda: raw(b"\0\2" + b"\x5a" * 206 + SECRET.replace(b"\0", b"\1")),
    "separator too early": lambda: raw(b"\0\2" + b"\x5a" * 7 + b"\0" + b"\x5a" * 197 + b"\0" + SECRET),
    "separator first": lambda: raw(b"\0\2" + b"\0" + b"\x5a" * 204 + b"\0" + SECRET),
    "47 bytes": lambda: padded(SECRET[:47]),
    "49 bytes": lambda: padded(SECRET + b"\0"),
    "nothing in it": lambda: padded(b""),
    "TLS 1.0": lambda: padded(b"\3\1" + SECRET[2:]),
    "TLS 1.3": lambda: padded(b"\3\4" + SECRET[2:]),
    "SSL 2.0": lambda: padded(b"\0\2" + SECRET[2:]),
    "random": lambda: raw(bytes((0, *(17 * index % 256 for index in range(255))))),
    "zero": lambda: bytes(256),
    "one": lambda: bytes(255) + b"\1",
    "as large as the modulus": lambda: key().public_numbers().n.to_bytes(256, "big"),
    "all ones": lambda: b"\xff" * 256,
    "too short": lambda: padded(SECRET)[:255],
    "too long": lambda: b"\0" + padded(SECRET),
    "empty": lambda: b"",
}


@dataclass
class Seen:
    """All that somebody outside, or a log inside, sees of one try."""

    answers: list[list[tuple[int, int]]]
    error: tuple[str, str, str, str]
    trace: list[str]


def attempt(ciphertext: bytes, shape: str) -> Seen:
    recording, sink = recorded12(shape), Trace()
    recording.fresh("server")  # from here on the server's randomness is as it was in the recording
    puppet = Puppet12(recording, "server", ServerConnection(recording.server_config, trace=sink))
    answers = []
    while puppet.told < len(puppet.honest) and puppet.error is None:
        before = len(puppet.heard)
        one = puppet.honest[puppet.told]
        if one.name == "ClientKeyExchange":
            said = ClientKeyExchange.rsa(ciphertext).encode()
            puppet.deliver(puppet.next_record(lambda _, said=said: said))
        elif one.name == "CertificateVerify":
            return Seen(answers, ("", "", "", ""), [])
        else:
            puppet.tell()
        answers.append([(kind, len(content)) for kind, content in puppet.heard[before:]])
    error = puppet.error
    assert isinstance(error, PeerViolation)
    assert not puppet.victim.handshake_complete
    return Seen(
        answers, (error.code, str(error), str(error.alert), str(error.as_dict())), [shown(event) for event in sink]
    )


def shown(event: TraceEvent) -> str:
    data = event_to_json(event)
    kept = ("kind", "name", "direction", "topic", "chosen", "label", "epoch", "content_type", "description")
    return str([data.get(name) for name in kept])


@pytest.mark.parametrize("wrong", BAD)
def test_a_bad_premaster_secret_looks_like_a_good_one(wrong: str) -> None:
    # The yardstick is a premaster secret with nothing wrong but that the client's keys come from another one.
    good = attempt(padded(SECRET), "rsa one-way")
    assert good.error[0] == "tampered"
    assert good.error[2] == "bad_record_mac"
    assert [len(one) for one in good.answers] == [1, 0, 0, 1]
    bad = attempt(BAD[wrong](), "rsa one-way")
    assert bad == good


def test_a_bad_premaster_secret_is_not_found_out_before_the_proof() -> None:
    good = attempt(padded(SECRET), "rsa mutual")
    for wrong in BAD.values():
        assert attempt(wrong(), "rsa mutual") == good


def test_the_honest_one_is_taken() -> None:
    puppet = Puppet12(recorded12("rsa one-way"), "server")
    puppet.tell_all()
    assert puppet.victim.handshake_complete
    assert [one.name for one in puppet.honest] == ["ClientHello", "ClientKeyExchange", CCS, "Finished"]


def test_every_try_has_its_own_substitute() -> None:
    """Were it always the same, two tries with the same bad ciphertext could be told from two with a good one."""
    masters = set()
    for _ in range(2):
        lines: list[str] = []

        def spoil(message: Any) -> Any:
            return ClientKeyExchange.rsa(bytes(256)) if isinstance(message, ClientKeyExchange) else message

        server = {**BOTH, "identities": [issued("RSA-2048")], "key_log": lines.append, "randomness": SYSTEM}
        pair = pair12({**BOTH, "rewrite": spoil}, server).run()
        assert isinstance(pair.errors["server"], PeerViolation)
        masters.add(lines[0].split()[2])
    assert len(masters) == 2


def test_the_version_in_it_is_that_of_the_client_hello() -> None:
    # RFC 5246 section 7.4.7.1: what the hello said, even where that is newer than anybody speaks.
    def newer(message: Any) -> Any:
        return replace(message, legacy_version=ProtocolVersion.of(0x0305)) if type(message) is ClientHello else message

    assert pair12({**BOTH, "rewrite": newer}, {**BOTH, "identities": [issued("RSA-2048")]}).done()

    def only_later(message: Any) -> Any:
        if isinstance(message, ClientKeyExchange):
            return ClientKeyExchange.rsa(encrypt_steadily(key(), b"\3\5" + bytes(46)))
        return message

    refused = pair12({**BOTH, "rewrite": only_later}, {**BOTH, "identities": [issued("RSA-2048")]}).run()
    assert isinstance(refused.errors["server"], PeerViolation)
    assert refused.errors["server"].alert is AlertDescription.bad_record_mac


@pytest.mark.parametrize("body", [b"", b"\0", b"\1\0" + bytes(255), b"\1\0" + bytes(257)])
def test_only_its_frame_can_be_malformed(body: bytes) -> None:
    puppet = Puppet12(recorded12("rsa one-way"), "server")
    puppet.tell(1)
    puppet.say(ClientKeyExchange(body).encode())
    assert isinstance(puppet.error, PeerViolation)
    assert puppet.error.code == "malformed"
    assert puppet.alert is AlertDescription.decode_error


# When it is chosen, and with which certificates


def test_it_is_off_unless_asked_for() -> None:
    suites = (*DEFAULT_CIPHER_SUITES, *RSA_KEY_TRANSPORT)
    server = {"identities": [issued("RSA-2048")]}
    for client_suites, server_suites in (
        (RSA_KEY_TRANSPORT, DEFAULT_CIPHER_SUITES),
        (DEFAULT_CIPHER_SUITES, RSA_KEY_TRANSPORT),
    ):
        pair = pair12({"cipher_suites": client_suites}, {**server, "cipher_suites": server_suites}).run()
        assert isinstance(pair.errors["server"], Incompatible)
    both = pair12({"cipher_suites": suites}, {**server, "cipher_suites": suites}).done()
    assert both.client.facts is not None
    assert both.client.facts.cipher_suite is CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256


def test_both_sides_say_what_is_lost() -> None:
    sinks = Trace(), Trace()
    pair12(BOTH, {**BOTH, "identities": [issued("RSA-2048")]}, client_trace=sinks[0], server_trace=sinks[1]).done()
    for sink in sinks:
        why = next(event_to_json(one)["why"] for one in sink if getattr(one, "topic", "") == "key_exchange")
        assert "forward secrecy" in why


@pytest.mark.parametrize("kind", ["P-256", "Ed25519"])
def test_it_needs_an_rsa_key(kind: str) -> None:
    pair = pair12(BOTH, {**BOTH, "identities": [issued(kind)]}).run()
    assert isinstance(pair.errors["server"], Incompatible)


def test_it_needs_a_key_that_may_decrypt() -> None:
    # A certificate for signatures alone, and a key that is elsewhere: neither can serve.
    key = rsa.generate_private_key(65537, 2048)
    leaf = root().leaf("localhost", 32, public=key.public_key())
    signing_only = Identity.from_certificates([leaf], key)
    assert not signing_only.may_decrypt
    elsewhere = Identity.with_signer([der(leaf)], lambda scheme, data: b"", signing_only.schemes)
    for identity in (signing_only, elsewhere):
        pair = pair12(BOTH, {**BOTH, "identities": [identity]}).run()
        assert isinstance(pair.errors["server"], Incompatible)

    # And a client refuses a server that does it all the same (RFC 5246 section 7.4.2).
    class Able(type(signing_only)):  # type: ignore[misc]
        may_decrypt = True

    able = object.__new__(Able)
    for name in signing_only.__dataclass_fields__:
        object.__setattr__(able, name, getattr(signing_only, name))
    pair = pair12(BOTH, {**BOTH, "identities": [able]}).run()
    assert isinstance(pair.errors["client"], CertificateRejected)
    assert pair.errors["client"].code == "wrong-purpose-server"
    assert "keyEncipherment" in str(pair.errors["client"])


def test_mutual() -> None:
    server = {**BOTH, "identities": [issued("RSA-2048")], "client_auth": ClientAuth.REQUIRED}
    pair = pair12({**BOTH, "identity": client_identity()}, server).done()
    assert pair.server.peer is not None
    assert pair.client.facts is not None
    assert pair.client.facts.group is None
    assert pair.client.facts.peer_signature_scheme is None


def test_a_key_that_only_decrypts_serves_for_resumption_too() -> None:
    only = rsa_authority().issue_server(SERVER_NAME, key="RSA-2048", key_usage=("key_encipherment",)).identity()
    client = {**BOTH, "sessions": MemorySessionCache()}
    server = {**BOTH, "identities": [only], "tickets": TicketKeys()}
    first = pair12(client, server).done()
    second = Pair(first.client.config, first.server.config).done()
    assert second.client.facts is not None
    assert second.client.facts.resumed
