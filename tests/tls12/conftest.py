"""What holds for all tests of TLS 1.2."""

from __future__ import annotations

import pytest
from puppet12 import encrypt_steadily


@pytest.fixture
def steady_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client with RSA key transport says the same in every run, so that it can be replayed."""
    monkeypatch.setattr("tlscope.trust.peer_key.rsa_encrypt", encrypt_steadily)
