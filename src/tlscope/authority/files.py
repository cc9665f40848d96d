"""Files: written whole or not at all, private where they hold keys, never outside the directory that was named."""

from __future__ import annotations

import os
import re
import secrets
import unicodedata
from pathlib import Path

from ..errors import ConfigError

__all__ = ["safe_name", "write_file"]

_LONGEST = 120
"""Bytes of a file's name, to which an ending is added; most file systems take 255."""


def safe_name(name: str) -> str:
    """A file's name for a certificate's: ``*.example.com`` becomes ``_wildcard.example.com``, ``::1`` ``__1``.

    Whatever is not a letter or a digit of some script, or one of ``.-_@``, becomes ``_``, and so does a leading dot or
    hyphen, so that no name can reach another directory, hide, or look like an option. Raises ``ConfigError``.
    """
    text = unicodedata.normalize("NFC", name.strip())
    if text.startswith("*."):
        text = f"_wildcard.{text[2:]}"
    text = re.sub(r"[^\w.@-]", "_", text.replace("://", "_"))
    text = re.sub(r"^[.-]+", lambda match: "_" * len(match[0]), text)
    text = text.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore")
    if not text.strip("_."):
        raise ConfigError(f"{name!r} gives no file name", code="file-name")
    return text


def write_file(path: Path, data: bytes, *, private: bool = False, replace: bool = True) -> None:
    """Write a file whole or not at all; ``private`` ones are readable by the owner alone from their first byte on.

    Without ``replace`` a file that is there already stays. Raises ``ConfigError`` saying why nothing was written.
    """
    target = path.with_name(f".{path.name}.{secrets.token_hex(4)}") if replace else path
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            if replace:
                target.replace(path)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise ConfigError(
            "there is a file of this name already, which is kept", path=path, code="file-exists"
        ) from None
    except OSError as error:
        raise ConfigError(f"this can't be written: {error.strerror}", path=path, code="file-write") from None
