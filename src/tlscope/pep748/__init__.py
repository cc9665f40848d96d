"""tlscope behind the interface of PEP 748, a unified TLS API for Python.

    from tlscope.pep748 import TLSCOPE_IMPLEMENTATION, TLSClientConfiguration, TrustStore

    configuration = TLSClientConfiguration(trust_store=TrustStore.from_file("ca.pem"))
    context = TLSCOPE_IMPLEMENTATION.client_context(configuration)
    sock = context.connect(("localhost", 8443))

The PEP is a draft, and its names are in circulation in two forms: ``TLSImplementation``, as the PEP has it, is ``Backend``
in the releases of its reference package, tlslib. Both are accepted, and so are configurations of any module that follows the
PEP: a context that is made with tlslib's answers with tlslib's enumerations and raises its errors, which are tlscope's at
once. ``implementation(tlslib)`` gives the same object as one of tlslib's own class.

What the PEP sets apart as insecure is refused: there is nothing here that leaves a certificate or a name unverified.
"""

from __future__ import annotations

from .buffer import TLSBuffer
from .contexts import (
    TLSCOPE_BACKEND,
    TLSCOPE_IMPLEMENTATION,
    Backend,
    ClientContext,
    ServerContext,
    TLSImplementation,
    implementation,
)
from .names import (
    DEFAULT_CIPHER_LIST,
    Certificate,
    CipherSuite,
    ConfigurationError,
    NextProtocol,
    PrivateKey,
    RaggedEOF,
    SigningChain,
    TLSClientConfiguration,
    TLSError,
    TLSServerConfiguration,
    TLSVersion,
    TrustStore,
    WantReadError,
    WantWriteError,
)
from .settings import validate_config
from .sockets import TLSSocket

__all__ = [
    "TLSCOPE_IMPLEMENTATION",
    "TLSCOPE_BACKEND",
    "implementation",
    "validate_config",
    "TLSImplementation",
    "Backend",
    "TLSClientConfiguration",
    "TLSServerConfiguration",
    "ClientContext",
    "ServerContext",
    "TLSSocket",
    "TLSBuffer",
    "Certificate",
    "PrivateKey",
    "SigningChain",
    "TrustStore",
    "CipherSuite",
    "DEFAULT_CIPHER_LIST",
    "NextProtocol",
    "TLSVersion",
    "TLSError",
    "WantReadError",
    "WantWriteError",
    "RaggedEOF",
    "ConfigurationError",
]
