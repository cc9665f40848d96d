"""Which of CPython's own tests of ``ssl`` tlscope fails on purpose. Each reason is a heading in docs/drop-in.md."""

from __future__ import annotations

import sys

__all__ = ["DEVIATIONS", "expected"]

_BEFORE_313 = sys.version_info < (3, 13)

DEVIATIONS: dict[str, tuple[str, ...]] = {
    "Common names": (
        "test_ssl.ContextTests.test_hostname_checks_common_name",
        "test_ssl.ThreadedTests.test_hostname_checks_common_name",
    ),
    "Diffie-Hellman parameters": (
        "test_ssl.ContextTests.test_load_dh_params",
        "test_ssl.ThreadedTests.test_dh_params",
        "test_ssl.SSLErrorTests.test_lib_reason",  # the error that it looks at comes from load_dh_params
    ),
    "Directories of certificates": (
        "test_ssl.SimpleBackgroundTests.test_get_ca_certs_capath",
        "test_ssl.ContextTests.test_load_default_certs_env",
        "test_ssl.ContextTests.test_load_default_certs_env_windows",
    ),
    "Proxy certificates": ("test_ssl.ContextTests.test_verify_flags",),
    "tls-unique in TLS 1.3": (
        ("test_ssl.SimpleBackgroundTests.test_bio_handshake", "test_ssl.ThreadedTests.test_tls_unique_channel_binding")
        if _BEFORE_313
        else ()
    ),
    "No protocol in common": ("test_ssl.ThreadedTests.test_alpn_protocols",),
    "A certificate that the server did not ask for": ("test_ssl.ThreadedTests.test_wrong_cert_tls13",),
    "Roots are not sent": ("test_ssl.TestPostHandshakeAuth.test_internal_chain_server",),
    "Pre-shared keys": ("test_ssl.ThreadedTests.test_psk", "test_ssl.ThreadedTests.test_psk_tls1_3"),
}


def expected() -> set[str]:
    """All of them, as far as the running Python has them."""
    return {test for tests in DEVIATIONS.values() for test in tests}
