"""A sentence on each message and each field, and where the RFCs say it."""

from __future__ import annotations

__all__ = ["MESSAGES", "about_field", "about_message"]

_Told = tuple[str, str]

MESSAGES: dict[str, _Told] = {
    "ClientHello": (
        "The client begins: which versions, cipher suites and groups it can use, its key shares, whom it wants to reach.",
        "RFC 8446 section 4.1.2",
    ),
    "ServerHello": (
        "The server's choice of version, cipher suite and group; with its key share both sides can compute the same keys.",
        "RFC 8446 section 4.1.3",
    ),
    "HelloRetryRequest": (
        "The server can go on, but not with this hello: the client must send another one, with what is asked for here.",
        "RFC 8446 section 4.1.4",
    ),
    "EncryptedExtensions": (
        "The server's answers to the client's extensions that need not be in the open: the first encrypted message.",
        "RFC 8446 section 4.3.1",
    ),
    "CertificateRequest": (
        "The server asks the client to show who it is, and says which signatures and which CAs it accepts.",
        "RFC 8446 section 4.3.2; RFC 5246 section 7.4.4",
    ),
    "Certificate": (
        "The sender's certificate and those between it and a CA that the other side may trust. It proves nothing by itself: "
        "anyone can send a copy of it.",
        "RFC 8446 section 4.4.2; RFC 5246 section 7.4.2",
    ),
    "CompressedCertificate": (
        "A Certificate message, compressed, because chains are most of a handshake's bytes.",
        "RFC 8879 section 4",
    ),
    "CertificateStatus": (
        "The CA's recent word, stapled by the server, that its certificate has not been revoked.",
        "RFC 6066 section 8",
    ),
    "CertificateVerify": (
        "A signature over the handshake so far: proof that the sender holds the private key of the certificate it showed.",
        "RFC 8446 section 4.4.3; RFC 5246 section 7.4.8",
    ),
    "Finished": (
        "A keyed hash of the whole handshake: where both sides saw the same messages and have the same keys, it fits.",
        "RFC 8446 section 4.4.4; RFC 5246 section 7.4.9",
    ),
    "EndOfEarlyData": (
        "The client has sent all its early data; what follows is protected with the keys of the handshake.",
        "RFC 8446 section 4.5",
    ),
    "NewSessionTicket": (
        "Something to show next time, so that the next handshake can be shorter.",
        "RFC 8446 section 4.6.1; RFC 5077 section 3.3",
    ),
    "KeyUpdate": (
        "What the sender sends from here on is protected with new keys, made from the old ones.",
        "RFC 8446 section 4.6.3",
    ),
    "HelloRequest": (
        "The server wishes to negotiate anew, which is no longer done.",
        "RFC 5246 section 7.4.1.1",
    ),
    "ServerKeyExchange": (
        "The server's fresh public key for this connection alone, signed with the key of its certificate.",
        "RFC 8422 section 5.4",
    ),
    "ServerHelloDone": (
        "The server has said what it has to say, and waits for the client.",
        "RFC 5246 section 7.4.5",
    ),
    "ClientKeyExchange": (
        "The client's half of the key exchange: its fresh public key, or a secret encrypted to the server's.",
        "RFC 5246 section 7.4.7; RFC 8422 section 5.7",
    ),
    "ChangeCipherSpec": (
        "In TLS 1.2 the sender encrypts from here on. In TLS 1.3 it means nothing: it makes middleboxes let the rest pass.",
        "RFC 5246 section 7.1; RFC 8446 appendix D.4",
    ),
    "Alert": (
        "One side tells the other that it ends the connection or what is wrong.",
        "RFC 8446 section 6",
    ),
    "Application data": (
        "What the two programs say to each other: what all this is for.",
        "RFC 8446 section 5.2",
    ),
}
"""What each message is for, by the RFC's name of it."""

_FIELDS: dict[str, _Told] = {
    "msg_type": ("Which message this is.", "RFC 8446 section 4"),
    "length": ("How many bytes follow that belong to it: what varies in length says so first.", "RFC 8446 section 3.4"),
    "body": ("What the message says.", "RFC 8446 section 4"),
    "bytes": ("The bytes themselves, as many as the length says.", "RFC 8446 section 3.4"),
    "left over": ("Bytes where nothing should be any more: the message is malformed.", "RFC 8446 section 6.2"),
    "unreadable": (
        "Bytes that do not have the form that is due here: the message is malformed.",
        "RFC 8446 section 6.2",
    ),
    "extensions": ("What can be asked for and answered beyond the fixed fields.", "RFC 8446 section 4.2"),
    "extension_type": ("Which extension this is.", "RFC 8446 section 4.2"),
    "extension_data": ("Its content, which is not known here by its parts.", "RFC 8446 section 4.2"),
    # The hellos
    "legacy_version": (
        "In TLS 1.3 always TLS 1.2, so that old middleboxes let it pass; the true version is in supported_versions.",
        "RFC 8446 section 4.1.2",
    ),
    "random": ("32 random bytes, so that no two handshakes are the same.", "RFC 8446 section 4.1.2"),
    "HelloRetryRequest.random": (
        "The SHA-256 of the word HelloRetryRequest: by this value it is told from a ServerHello.",
        "RFC 8446 section 4.1.3",
    ),
    "legacy_session_id": (
        "In TLS 1.2 the session to resume; in TLS 1.3 random bytes that make the handshake look like one.",
        "RFC 8446 section 4.1.2; RFC 5246 section 7.4.1.2",
    ),
    "legacy_session_id_echo": (
        "In TLS 1.3 the client's legacy_session_id sent back; in TLS 1.2 the session's name, for next time.",
        "RFC 8446 section 4.1.3; RFC 5246 section 7.4.1.3",
    ),
    "cipher_suites": ("The cipher suites that the client can use, the best first.", "RFC 8446 section 4.1.2"),
    "cipher_suite": ("How records are encrypted, and with which hash keys are derived.", "RFC 8446 appendix B.4"),
    "legacy_compression_methods": (
        "None: compressing what is encrypted gives it away (CRIME), so TLS 1.3 forbids it.",
        "RFC 8446 section 4.1.2",
    ),
    "legacy_compression_method": ("None, as it must be.", "RFC 8446 section 4.1.3"),
    # Authentication
    "certificate_request_context": (
        "What ties the answer to the request: empty but after the handshake.",
        "RFC 8446 section 4.3.2",
    ),
    "certificate_list": ("The certificates, the sender's own first.", "RFC 8446 section 4.4.2"),
    "CertificateEntry": ("One certificate with what belongs to it alone.", "RFC 8446 section 4.4.2"),
    "cert_data": (
        "A certificate in DER, or a raw public key where both sides agreed on one.",
        "RFC 8446 section 4.4.2",
    ),
    "certificate": ("A certificate in DER.", "RFC 5246 section 7.4.2"),
    "algorithm": ("How the signature is made.", "RFC 8446 section 4.2.3"),
    "CompressedCertificate.algorithm": ("How the certificates are compressed.", "RFC 8879 section 4"),
    "compress_certificate.algorithm": ("A compression that the sender can undo.", "RFC 8879 section 3"),
    "compress_certificate.algorithms": ("The compressions that the sender can undo.", "RFC 8879 section 3"),
    "uncompressed_length": (
        "How long the Certificate is once decompressed: known before, so that it can't surprise.",
        "RFC 8879 section 4",
    ),
    "compressed_certificate_message": ("The Certificate message's body, compressed.", "RFC 8879 section 4"),
    "signature": ("The signature itself.", "RFC 8446 section 4.4.3"),
    "verify_data": (
        "An HMAC, or in TLS 1.2 the PRF, over a hash of every message so far, with a key that only the two have.",
        "RFC 8446 section 4.4.4; RFC 5246 section 7.4.9",
    ),
    "certificate_types": ("Kinds of keys, or of certificates, that are accepted.", "RFC 5246 section 7.4.4; RFC 7250"),
    "certificate_type": ("One kind of key or of certificate.", "RFC 5246 section 7.4.4; RFC 7250 section 3"),
    "supported_signature_algorithms": (
        "The signatures that the sender can check, the best first.",
        "RFC 8446 section 4.2.3",
    ),
    "signature_scheme": ("A kind of signature: the key's algorithm and the hash.", "RFC 8446 section 4.2.3"),
    "certificate_authorities": (
        "The names of the CAs that are trusted, which help to choose a certificate.",
        "RFC 8446 section 4.2.4; RFC 5246 section 7.4.4",
    ),
    "authorities": ("The names of the CAs.", "RFC 8446 section 4.2.4"),
    "distinguished_name": ("The name of one CA, in DER.", "RFC 8446 section 4.2.4"),
    "status_type": ("OCSP, the only kind there is.", "RFC 6066 section 8"),
    "response": ("The OCSP response in DER, signed by the CA.", "RFC 6066 section 8"),
    # Key exchange in TLS 1.2
    "curve_type": ("A curve with a name; spelling one out is no longer allowed.", "RFC 8422 section 5.4"),
    "named_curve": ("The curve of the server's key.", "RFC 8422 section 5.4"),
    "public_key": ("The server's fresh public key.", "RFC 8422 section 5.4"),
    "ecdh_Yc": ("The client's fresh public key.", "RFC 8422 section 5.7"),
    "encrypted_pre_master_secret": (
        "48 bytes that the client made up, encrypted with the public key of the server's certificate.",
        "RFC 5246 section 7.4.7.1",
    ),
    # After the handshake
    "ticket_lifetime": ("How long the ticket may be used, at most seven days.", "RFC 8446 section 4.6.1"),
    "ticket_lifetime_hint": ("How long the server means to honour the ticket.", "RFC 5077 section 3.3"),
    "ticket_age_add": (
        "A random number that hides the ticket's age from whoever watches when it is used.",
        "RFC 8446 section 4.6.1",
    ),
    "ticket_nonce": ("Makes each ticket's key another one.", "RFC 8446 section 4.6.1"),
    "ticket": ("The ticket: to the client mere bytes, to the server the session.", "RFC 8446 section 4.6.1; RFC 5077"),
    "request_update": ("Whether the other side shall change its keys, too.", "RFC 8446 section 4.6.3"),
    # Extensions
    "server_name": (
        "The name that the client wants to reach, so that the server can choose its certificate.",
        "RFC 6066 section 3",
    ),
    "server_name_list": ("The names asked for; it is always one.", "RFC 6066 section 3"),
    "name_type": ("A host name, the only kind there is.", "RFC 6066 section 3"),
    "host_name": ("The name, in ASCII, readable by anyone on the way.", "RFC 6066 section 3"),
    "max_fragment_length": ("Shorter records, for small devices; record_size_limit replaces it.", "RFC 6066 section 4"),
    "status_request": ("About a stapled OCSP response: the wish for one, or the response.", "RFC 6066 section 8"),
    "responder_id_list": ("OCSP responders that the client trusts; mostly none is named.", "RFC 6066 section 8"),
    "responder_id": ("One OCSP responder.", "RFC 6066 section 8"),
    "request_extensions": ("Extensions of the OCSP request; mostly none.", "RFC 6066 section 8"),
    "supported_groups": (
        "The groups for the key exchange that the sender can use, the best first.",
        "RFC 8446 section 4.2.7",
    ),
    "named_group_list": ("The groups, the best first.", "RFC 8446 section 4.2.7"),
    "named_group": ("One group for the key exchange.", "RFC 8446 section 4.2.7"),
    "ec_point_formats": (
        "How points on curves are written, for TLS 1.2; only uncompressed is left.",
        "RFC 8422 section 5.1.2",
    ),
    "ec_point_format_list": ("The forms that the sender can read.", "RFC 8422 section 5.1.2"),
    "ec_point_format": ("One form of a point.", "RFC 8422 section 5.1.2"),
    "signature_algorithms": (
        "The signatures that the sender can check in CertificateVerify, and in certificates where nothing else is said.",
        "RFC 8446 section 4.2.3",
    ),
    "signature_algorithms_cert": (
        "The signatures that the sender can check in certificates.",
        "RFC 8446 section 4.2.3",
    ),
    "delegated_credential": ("The signatures accepted on delegated credentials.", "RFC 9345 section 4.1.1"),
    "application_layer_protocol_negotiation": (
        "ALPN: which protocol is to be spoken inside, such as HTTP/2: the client's list, or the server's choice.",
        "RFC 7301 section 3",
    ),
    "protocol_name_list": ("The protocols, the best first; in the server's answer just one.", "RFC 7301 section 3.1"),
    "protocol_name": ("The name of a protocol.", "RFC 7301 section 3.1"),
    "signed_certificate_timestamp": (
        "Proofs that the certificate stands in public logs (Certificate Transparency), or the wish for them.",
        "RFC 6962 section 3.3",
    ),
    "sct_list": ("The proofs.", "RFC 6962 section 3.3"),
    "serialized_sct": ("A log's signed promise.", "RFC 6962 section 3.2"),
    "client_certificate_type": ("Whether the client shows a certificate or a raw public key.", "RFC 7250 section 3"),
    "server_certificate_type": ("Whether the server shows a certificate or a raw public key.", "RFC 7250 section 3"),
    "padding": (
        "Nothing, to make the message longer: some servers stumble over certain lengths.",
        "RFC 7685 section 3",
    ),
    "bytes of zero": ("Zeros.", "RFC 7685 section 3"),
    "encrypt_then_mac": ("For CBC cipher suites, which are not spoken here.", "RFC 7366 section 2"),
    "extended_master_secret": (
        "Binds the keys of TLS 1.2 to the whole handshake, so that nobody can make two connections share them.",
        "RFC 7627 section 5.1",
    ),
    "compress_certificate": ("The compressions of certificates that the sender can undo.", "RFC 8879 section 3"),
    "record_size_limit": ("The longest record that the sender is willing to receive.", "RFC 8449 section 4"),
    "session_ticket": ("In TLS 1.2: a ticket to resume with, or the wish for one.", "RFC 5077 section 3.2"),
    "pre_shared_key": (
        "Keys that both sides may have from before, such as a session's; the server says which it takes.",
        "RFC 8446 section 4.2.11",
    ),
    "identities": ("The names of the keys, such as tickets.", "RFC 8446 section 4.2.11"),
    "PskIdentity": ("The name of one key.", "RFC 8446 section 4.2.11"),
    "identity": ("The ticket, or the name that both sides agreed on.", "RFC 8446 section 4.2.11"),
    "obfuscated_ticket_age": (
        "How old the ticket is in milliseconds, plus its ticket_age_add: only the server can tell.",
        "RFC 8446 section 4.2.11.1",
    ),
    "binders": ("For each key a proof that the client has it, bound to this hello.", "RFC 8446 section 4.2.11.2"),
    "binder": ("An HMAC over the hello up to here.", "RFC 8446 section 4.2.11.2"),
    "selected_identity": ("Which of the client's keys it is, counted from 0.", "RFC 8446 section 4.2.11"),
    "early_data": (
        "Data that goes along with the first flight, and whoever recorded it can send it again.",
        "RFC 8446 section 4.2.10",
    ),
    "max_early_data_size": ("How much early data the server takes with this ticket.", "RFC 8446 section 4.2.10"),
    "supported_versions": (
        "The versions that the client speaks, or the one that the server chose.",
        "RFC 8446 section 4.2.1",
    ),
    "versions": ("The versions that the client speaks, the best first.", "RFC 8446 section 4.2.1"),
    "version": ("One version.", "RFC 8446 section 4.2.1"),
    "selected_version": ("The version that is spoken from here on.", "RFC 8446 section 4.2.1"),
    "cookie": (
        "Bytes that the client must send back with its next hello, by which the server need not remember the first.",
        "RFC 8446 section 4.2.2",
    ),
    "psk_key_exchange_modes": (
        "Whether keys from before may be used alone or only together with a fresh key exchange.",
        "RFC 8446 section 4.2.9",
    ),
    "ke_modes": ("The ways that the client accepts.", "RFC 8446 section 4.2.9"),
    "ke_mode": (
        "psk_dhe_ke adds a fresh key exchange, and with it forward secrecy; psk_ke does not.",
        "RFC 8446 section 4.2.9",
    ),
    "oid_filters": ("What a client's certificate must have in its extensions.", "RFC 8446 section 4.2.5"),
    "filters": ("The conditions.", "RFC 8446 section 4.2.5"),
    "certificate_extension_oid": ("Which extension of the certificate.", "RFC 8446 section 4.2.5"),
    "certificate_extension_values": ("What must stand in it.", "RFC 8446 section 4.2.5"),
    "post_handshake_auth": ("The client can be asked for its certificate later on, too.", "RFC 8446 section 4.2.6"),
    "key_share": ("The public keys of the key exchange: each side's half of the secret.", "RFC 8446 section 4.2.8"),
    "client_shares": (
        "One fresh public key for each group that the client expects the server to take.",
        "RFC 8446 section 4.2.8",
    ),
    "KeyShareEntry": ("A fresh public key of one group.", "RFC 8446 section 4.2.8"),
    "group": ("The group that the key is of.", "RFC 8446 section 4.2.8"),
    "key_exchange": (
        "The public key: with the other side's it makes a secret that no listener can compute.",
        "RFC 8446 section 4.2.8",
    ),
    "selected_group": ("The group of which the server wants a key share.", "RFC 8446 section 4.2.8"),
    "quic_transport_parameters": ("Settings of QUIC.", "RFC 9001 section 8.2"),
    "encrypted_client_hello": (
        "The true hello, encrypted to the server; from browsers often bytes that only look like it.",
        "RFC 9849 section 5",
    ),
    "tls_flags": (
        "Yes and no, in one bit each: extensions that need no more than that.",
        "RFC 8446 section 4.2",
    ),
    "flags": ("The numbers of the bits that are set.", "RFC 8446 section 4.2"),
    "type": ("The outer hello, which anyone can read, or the inner one.", "RFC 9849 section 5"),
    "kdf_id": ("The key derivation of HPKE.", "RFC 9180 section 7.2"),
    "aead_id": ("The AEAD of HPKE.", "RFC 9180 section 7.3"),
    "config_id": ("Which of the server's keys it is encrypted to.", "RFC 9849 section 5"),
    "enc": ("HPKE's encapsulated key.", "RFC 9849 section 5"),
    "payload": ("The encrypted hello.", "RFC 9849 section 5"),
    "renegotiation_info": (
        "Empty in a first handshake: the sender knows the attack on renegotiation of 2009 and guards against it.",
        "RFC 5746 section 3.2",
    ),
    "renegotiated_connection": ("Empty in a first handshake.", "RFC 5746 section 3.2"),
    "use_srtp": ("For keys of media streams.", "RFC 5764 section 4.1.1"),
    "heartbeat": ("To keep a connection alive, known for the bug in it; not done here.", "RFC 6520 section 2"),
    # Records and alerts
    "record.type": (
        "What is in it: when encrypted always application_data, and the true type inside.",
        "RFC 8446 section 5.2",
    ),
    "legacy_record_version": ("Kept at an old value, so that middleboxes let it pass.", "RFC 8446 section 5.1"),
    "record.length": ("How many bytes follow.", "RFC 8446 section 5.1"),
    "fragment": ("The content, readable by anyone.", "RFC 8446 section 5.1"),
    "encrypted_record": ("The content, encrypted, with a tag that shows any change.", "RFC 8446 section 5.2"),
    "level": ("warning or fatal; in TLS 1.3 it means nothing, the description says all.", "RFC 8446 section 6"),
    "description": ("What is wrong, or close_notify for a proper end.", "RFC 8446 section 6"),
}
"""By a field's name, where need be with its message or extension before it."""

_UNKNOWN = ("An extension that tlscope does not know; whoever does not know one ignores it.", "RFC 8446 section 4.2")
_GREASE = ("A value without meaning, sent so that servers stay used to ignoring what they don't know.", "RFC 8701")


def about_field(scope: str, name: str) -> _Told:
    """What a field is for and where that stands; ``scope`` is the message or extension that it is in."""
    found = _FIELDS.get(f"{scope}.{name}") or _FIELDS.get(name)
    if found is not None:
        return found
    return _GREASE if name.startswith("GREASE") else _UNKNOWN


def about_message(name: str) -> _Told:
    """What a message is for and where that stands."""
    return MESSAGES.get(name, ("A message of a type that tlscope does not know.", "RFC 8446 section 4"))
