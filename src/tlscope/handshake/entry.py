"""Where every handshake begins: one ClientHello, from which the versions go their own ways."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .. import violations
from ..errors import PeerViolation
from ..wire import extensions as x
from ..wire.codepoints import CipherSuite, ProtocolVersion
from ..wire.handshake import ClientHello, HelloRetryRequest, ServerHello
from . import negotiate
from .client12 import client_handshake_12
from .client13 import client_handshake_13
from .early_data import begin_early_data
from .established import Established
from .flow import Flow
from .hello import agree_version, check_downgrade, make_offer
from .server12 import server_handshake_12
from .server13 import server_handshake_13

if TYPE_CHECKING:
    from ..config import ClientConfig, ServerConfig
    from .driver import Handshake

__all__ = ["client_handshake", "server_handshake"]


def client_handshake(hs: Handshake, config: ClientConfig) -> Flow[Established]:
    """Say hello, and go on in the version that the server chose."""
    offer = make_offer(hs, config)
    hs.client_random = offer.hello.random
    offer.hello = hs.hello = hs.send(offer.hello, encoded=offer.encoded)
    if offer.session is not None and config.sessions is not None and hs.server_name is not None:
        hs.forget_session = partial(config.sessions.remove, hs.server_name, offer.session)
    # RFC 8446 section 5: from the ClientHello on, a ChangeCipherSpec for middleboxes is passed over.
    hs.change_cipher_specs_allowed = ProtocolVersion.TLS1_3 in config.versions
    if offer.offers_early_data:
        begin_early_data(hs, config, offer)
    hello = yield from hs.expect(ServerHello, HelloRetryRequest)
    check_downgrade(hello, config.versions[0])
    version = agree_version(offer, hello, config.versions)
    if hs.early_data is not None and version is ProtocolVersion.TLS1_2:
        # RFC 8446 appendix D.3: a server that went back to TLS 1.2 can't have sent the ticket.
        raise PeerViolation(violations.UNOFFERED_VERSION, received=version)
    retry = isinstance(hello, HelloRetryRequest) and ProtocolVersion.TLS1_3 in config.versions
    if version is ProtocolVersion.TLS1_2 and not retry:
        return (yield from client_handshake_12(hs, config, offer, hello))
    return (yield from client_handshake_13(hs, config, offer, hello))


def server_handshake(hs: Handshake, config: ServerConfig) -> Flow[Established]:
    """Hear the ClientHello, choose the version and go on in it."""
    hello = yield from hs.expect(ClientHello)
    hs.client_random = hello.random
    hs.server_name = hello.extensions.get(x.SERVER_NAME)
    if choose_version(hs, config, hello) is ProtocolVersion.TLS1_2:
        return (yield from server_handshake_12(hs, config, hello))
    return (yield from server_handshake_13(hs, config, hello))


def choose_version(hs: Handshake, config: ServerConfig, hello: ClientHello) -> ProtocolVersion:
    """The newest common version (RFC 8446 section 4.2.1)."""
    offered = hello.extensions.get(x.SUPPORTED_VERSIONS)
    if offered is None:
        # Without supported_versions, what legacy_version says is the newest that the client speaks, and never TLS 1.3.
        offered = (min(hello.legacy_version, ProtocolVersion.TLS1_2),)
    if CipherSuite.TLS_FALLBACK_SCSV in hello.cipher_suites:
        # First of all: the version fallen back to may be one that is not spoken here, and the alert tells why.
        newest = max(filter(_is_known, offered), default=hello.legacy_version)
        if newest < config.versions[0]:
            raise PeerViolation(violations.INAPPROPRIATE_FALLBACK, received=newest, best=config.versions[0])
    chosen = negotiate.version(offered, config.versions)
    if hs.sink is not None:
        hs.note("version", chosen.value, chosen.why, offered, config.versions, "RFC 8446 section 4.2.1")
    return chosen.value


def _is_known(version: ProtocolVersion) -> bool:
    return version.is_named  # GREASE values are larger than any version (RFC 8701)
