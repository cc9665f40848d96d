"""Combinations of features, each a handshake that goes well."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

from certificates import client_identity
from puppet import Recording, record

from tlscope import ClientAuth, NamedGroup

X25519, P256 = NamedGroup.x25519, NamedGroup.secp256r1

Settings = dict[str, Any]

# How the client is asked for a certificate, and what it answers.
AUTHENTICATION: dict[str, tuple[Settings, Settings]] = {
    "one-way": ({}, {}),
    "requested, none": ({}, {"client_auth": ClientAuth.REQUESTED}),
    "requested, shown": ({"identity": client_identity()}, {"client_auth": ClientAuth.REQUESTED}),
    "required": ({"identity": client_identity()}, {"client_auth": ClientAuth.REQUIRED}),
}

# Why the server has the client say hello again.
RETRY: dict[str, tuple[Settings, Settings]] = {
    "first hello": ({}, {}),
    "cookie": ({}, {"hello_retry_cookie": True}),
    "group": ({"groups": (X25519, P256), "key_shares": (X25519,)}, {"groups": (P256,)}),
    "group and cookie": (
        {"groups": (X25519, P256), "key_shares": (X25519,)},
        {"groups": (P256,), "hello_retry_cookie": True},
    ),
}

COMPATIBILITY: dict[str, tuple[Settings, Settings]] = {
    "middlebox": ({}, {}),
    "plain": ({"middlebox_compatibility": False}, {}),
    "client only": ({}, {"middlebox_compatibility": False}),
}

ALPN: dict[str, tuple[Settings, Settings]] = {
    "no protocol": ({}, {}),
    "protocol": ({"alpn": ("h2", "http/1.1")}, {"alpn": ("http/1.1",)}),
}

COMBINATIONS = ["; ".join(names) for names in product(AUTHENTICATION, RETRY, COMPATIBILITY, ALPN)]
"""Every combination, by name."""

PLAIN = "one-way; first hello; middlebox; no protocol"
MUTUAL = "required; first hello; middlebox; no protocol"
RETRIED = "one-way; group; middlebox; no protocol"
EVERYTHING = "required; group and cookie; middlebox; protocol"
NONE_SHOWN = "requested, none; first hello; plain; no protocol"
FEW = [PLAIN, MUTUAL, NONE_SHOWN, RETRIED, EVERYTHING]
"""The combinations that between them visit every state."""


def settings(name: str) -> tuple[Settings, Settings]:
    """The client's and the server's settings of a combination."""
    client: Settings = {}
    server: Settings = {}
    for table, choice in zip((AUTHENTICATION, RETRY, COMPATIBILITY, ALPN), name.split("; "), strict=True):
        client.update(table[choice][0])
        server.update(table[choice][1])
    return client, server


@cache
def recorded(name: str) -> Recording:
    """The recording of a combination, made once in a process."""
    client, server = settings(name)
    return record(client, server)
