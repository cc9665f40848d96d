"""Rows of the atlas: files that can't work, found when they are loaded."""

from __future__ import annotations

from .row import Row, fix

__all__ = ["FILES"]

LOADING = "loading a file"


def _row(id: str, title: str, rule: str, meaning: str, *fixes: object, others: object = ()) -> Row:
    return Row(id, title, "local", LOADING, "", rule, meaning, fixes, others)  # type: ignore[arg-type]


FILES = (
    _row(
        "key-mismatch",
        "the key does not belong to the certificate",
        "RFC 5280 section 4.1.2.7",
        "A certificate names one public key, and only the private key of that pair can prove it. Others say "
        "KEY_VALUES_MISMATCH for this and for a wrongly ordered file alike.",
        fix(
            "here",
            "find the key that the certificate was requested with: tlscope inspect says of any number of files which "
            "go together, and both of these must print the same",
            "openssl x509 -in {path} -noout -pubkey; openssl pkey -in KEY -pubout",
        ),
    ),
    _row(
        "pem-order",
        "the certificates in the file are in the wrong order",
        "RFC 8446 section 4.4.2",
        "The leaf, whose key it is, comes first; then its issuer, and so on; the root may be left out.",
        fix("here", "put the leaf first", "cat leaf.pem intermediate.pem > chain.pem"),
    ),
    _row(
        "file-kind",
        "the file is something else than what is wanted",
        "RFC 7468",
        "Certificates, keys, requests, revocation lists, PKCS#12 and DER all come in files of similar names.",
        fix(
            "here",
            "see what the file is, in words",
            "tlscope inspect {path}",
        ),
    ),
    _row(
        "encrypted-key",
        "the key is encrypted and no passphrase was given",
        "RFC 5958 section 3",
        "Nothing is wrong with the file; it needs its passphrase.",
        fix("here", "give the passphrase: Identity.from_files(cert, key, password=...)"),
        fix("here", "or decrypt a copy, readable by its owner alone", "openssl pkey -in {path} -out plain-key.pem"),
    ),
    _row(
        "wrong-passphrase",
        "the passphrase does not open the key",
        "RFC 5958 section 3",
        "A passphrase was given, and it is another one than that which the file was encrypted with.",
        fix("here", "try it by hand; mind a newline at the end of a passphrase file", "openssl pkey -in {path} -noout"),
    ),
)
