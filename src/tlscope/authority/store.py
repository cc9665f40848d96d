"""A CA in a directory: ``ca.pem``, ``ca-key.pem``, what it has issued, and what it has taken back.

The directory is made for its owner alone, and the key is readable by nobody else: whoever holds it can be any server to
everybody who trusts the CA.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..trust.files import Password
from ..trust.identity import Identity
from .crl import REASONS, Revocation, make_crl
from .files import safe_name, write_file
from .issue import Authority, Issued, self_signed

__all__ = ["IssuedFiles", "Record", "Store"]

CERTIFICATE = "ca.pem"
KEY = "ca-key.pem"
LOG = "issued.jsonl"
CRL = "crl.pem"


@dataclass(frozen=True, slots=True)
class IssuedFiles:
    """What ``Store.issue`` wrote."""

    certificate: Path
    key: Path
    issued: Issued


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the log: a certificate that was issued, or one that was revoked (``revoked`` is when, ``why`` why)."""

    serial: str
    names: tuple[str, ...] = ()
    file: str = ""
    not_after: str = ""
    revoked: str = ""
    why: str = ""


class Store:
    """A CA directory. ``init`` makes one, ``open`` opens it; both raise ``ConfigError`` with the path at fault."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        self.directory = directory
        self.authority = authority

    @classmethod
    def init(
        cls,
        directory: str | os.PathLike[str],
        name: str | None = None,
        *,
        key: str = "P-256",
        password: bytes | str | None = None,
        **options: Any,
    ) -> Store:
        """Make a new CA in a directory, which is created where it's missing; ``options`` are ``Authority.create``'s.

        Raises ``ConfigError`` (``ca-exists``) where there is a CA, or a part of one: it is never overwritten.
        """
        path = Path(directory)
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            reason = "there is a file of this name" if path.exists() else error.strerror
            raise ConfigError(f"this directory can't be made: {reason}", path=path, code="file-write") from None
        for part in (CERTIFICATE, KEY):
            if os.path.lexists(path / part):
                raise ConfigError(
                    "there is a CA here already, and it is kept: name another directory, or remove it yourself",
                    path=path / part,
                    code="ca-exists",
                )
        authority = Authority.create(name, key=key, **options)
        write_file(path / KEY, authority.key_pem(password), private=True, replace=False)
        write_file(path / CERTIFICATE, authority.pem(), replace=False)
        return cls(path, authority)

    @classmethod
    def open(cls, directory: str | os.PathLike[str], password: Password = None) -> Store:
        """Open the CA in a directory.

        Raises ``ConfigError``: ``no-ca`` where there is none, ``ca-key-exposed`` where others may read its key, and what
        ``Identity.from_files`` raises for a bad file.
        """
        path = Path(directory)
        if not (path / CERTIFICATE).is_file():
            raise ConfigError(
                f"there is no CA here ({CERTIFICATE} is missing): make one with `tlscope ca init`",
                path=path,
                code="no-ca",
            )
        _check_private(path / KEY)
        loaded = Identity.from_files(path / CERTIFICATE, path / KEY, password)
        key: Any = loaded.key
        authority = Authority(loaded.leaf, key, root=loaded.leaf)
        return cls(path, authority)

    @property
    def root(self) -> Path:
        """The file that others have to trust."""
        return self.directory / CERTIFICATE

    def issue(
        self,
        *names: str,
        client: bool = False,
        standalone: bool = False,
        directory: str | os.PathLike[str] | None = None,
        key: str = "P-256",
        days: int | None = None,
        **overrides: Any,
    ) -> IssuedFiles:
        """Issue a certificate and write ``NAME.pem`` and ``NAME-key.pem`` (``NAME-client.pem`` for a client's).

        ``standalone`` makes it self-signed: the CA is not used. ``directory`` is where to write, by default the CA's own.
        A certificate of the same name is replaced. Raises ``ConfigError``.
        """
        if not names:
            raise ConfigError("name at least one host, address or client", code="server-name")
        if days is not None:
            overrides["lifetime"] = _days(days)
        if standalone:
            usages = {"usages": ("clientAuth",)} if client else {}
            issued = self_signed(*names, key=key, **(usages | overrides))
        elif client:
            issued = self.authority.issue_client(*names, key=key, **overrides)
        else:
            issued = self.authority.issue_server(*names, key=key, **overrides)
        target = self.directory if directory is None else Path(directory)
        stem = safe_name(names[0]) + ("-client" if client else "")
        if f"{stem}.pem" in (CERTIFICATE, KEY, CRL) or f"{stem}-key.pem" == KEY:
            stem = f"_{stem}"
        certificate, private = issued.write(target, stem)
        if not standalone:
            self._log(
                Record(
                    serial=f"{issued.certificate.serial_number:x}",
                    names=names,
                    file=certificate.name,
                    not_after=issued.certificate.not_valid_after_utc.isoformat(),
                )
            )
        return IssuedFiles(certificate, private, issued)

    def revoke(self, which: str, why: str = "", *, now: datetime | None = None) -> Path:
        """Take a certificate back and write the list of all that were, ``crl.pem``, which is given back.

        ``which`` is the serial number in hexadecimal, the file's name, or one of its names, in which case the latest of
        that name is meant. Raises ``ConfigError`` (``no-such-certificate``) where none was issued.
        """
        if why and why not in REASONS:
            raise ConfigError(f"{why!r} is no reason; there are {', '.join(REASONS)}", code="crl-reason")
        records = list(self.records())
        wanted = which.lower().replace(":", "")
        found = [
            record
            for record in records
            if not record.revoked
            and (record.serial.zfill(len(wanted)) == wanted or Path(which).name == record.file or which in record.names)
        ]
        if not found:
            raise ConfigError(
                f"no certificate that this CA issued has the serial number, file or name {which!r}",
                path=self.directory,
                code="no-such-certificate",
            )
        serial = found[-1].serial
        if not any(record.revoked for record in records if record.serial == serial):
            moment = (now or datetime.now(UTC)).replace(microsecond=0)
            self._log(Record(serial=serial, revoked=moment.isoformat(), why=why))
        return self.write_crl(now=now)

    def write_crl(self, *, now: datetime | None = None) -> Path:
        """Write ``crl.pem`` anew, good for 30 days: a list must not grow stale, even where nothing was revoked."""
        moment = (now or datetime.now(UTC)).replace(microsecond=0)
        revoked = [
            Revocation(int(record.serial, 16), datetime.fromisoformat(record.revoked), record.why)
            for record in self.records()
            if record.revoked
        ]
        pem = make_crl(self.authority, revoked, number=int(moment.timestamp()), this_update=moment)
        write_file(self.directory / CRL, pem)
        return self.directory / CRL

    def records(self) -> Iterator[Record]:
        """What was issued and revoked, the oldest first. Raises ``ConfigError`` where the log is damaged."""
        path = self.directory / LOG
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return
        for number, line in enumerate(lines, 1):
            try:
                fields = json.loads(line)
                yield Record(**(fields | {"names": tuple(fields["names"])}))
            except (ValueError, TypeError, KeyError):
                raise ConfigError(f"line {number} of this log is damaged", path=path, code="ca-log") from None

    def _log(self, record: Record) -> None:
        line = json.dumps(asdict(record)) + "\n"
        path = self.directory / LOG
        try:
            # One write to a file opened to append: two commands at once don't mix their lines.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ConfigError(f"this can't be written: {error.strerror}", path=path, code="file-write") from None

    def __repr__(self) -> str:
        return f"<Store {str(self.directory)!r}, {self.authority.name}>"


def _check_private(path: Path) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return  # loading it says what is wrong
    if os.name == "posix" and mode & 0o077:
        raise ConfigError(
            f"others may read this CA's key (mode {mode:04o}): chmod 600 it, and make a new CA if they may have",
            path=path,
            code="ca-key-exposed",
        )


def _days(days: int) -> timedelta:
    if not 1 <= days <= 36500:
        raise ConfigError(f"a certificate lasts from 1 to 36500 days, not {days}", code="lifetime")
    return timedelta(days=days)
