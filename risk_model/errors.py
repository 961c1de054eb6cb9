"""Errors people can act on: each says what is wrong and what to do next, and carries an exit code."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any


class RiskModelError(Exception):
    """Base of all errors this project raises on purpose; the message is one readable line."""

    exit_code = 1

    def __init__(self, message: str, *, document: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.document = document
        """What ``--json`` prints all the same, for example the accounts of a refused delivery."""


class UsageError(RiskModelError, ValueError):
    """The call itself is wrong: an unknown unit, a date that is none, a setting out of range."""

    exit_code = 2


class InputRefusedError(RiskModelError, ValueError):
    """A delivery was refused as a whole; yesterday's registers stay live."""

    exit_code = 3


class PromotionRefusedError(RiskModelError):
    """The gate did not pass and ``--require-promotion`` was given, or the champion changed meanwhile."""

    exit_code = 4


class LockHeldError(RiskModelError, BlockingIOError):
    """Another run holds the lock of this home."""

    exit_code = 5


class MissingError(RiskModelError, LookupError):
    """Something the step needs is not there yet: no registers, no champion, no published list."""


class BundleError(RiskModelError, ValueError):
    """A model bundle does not match its manifest, or cannot serve what is asked of it."""


FULL = ("no space left", "disk is full", "disk quota exceeded", "file too large")
READ_ONLY = ("read-only file system", "readonly database", "read-only database")
"""Words of the operating system, DuckDB and SQLite; DuckDB tells no number of an error."""
STORES = frozenset({"duckdb", "_duckdb", "sqlite3", "sqlalchemy"})
NEXT_TO_NOTHING = 1 << 20
"""Bytes free on a disk below which it is full: SQLite says no more of it than that a write failed."""


def disk_trouble(error: BaseException, folder: Path) -> str | None:
    """What to do if ``error``, or what it came from, is a full or read-only disk; else null.

    ``folder`` is where registers and lists are kept, and is looked at where the error does not say.

    >>> disk_trouble(ValueError("no"), Path())
    """
    for one in _with_causes(error):
        number = one.errno if isinstance(one, OSError) else None
        said = str(one).lower()
        place = getattr(one, "filename", None) or folder
        if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or any(word in said for word in FULL):
            return _full(place)
        if number == errno.EROFS or any(word in said for word in READ_ONLY):
            return _read_only(place)
    if not any(_of_storage(one) for one in _with_causes(error)):
        return None
    with suppress(OSError, AttributeError):  # no such folder yet, or no such question on this system
        disk = os.statvfs(folder)
        if disk.f_flag & os.ST_RDONLY:
            return _read_only(folder)
        if disk.f_bavail * disk.f_frsize < NEXT_TO_NOTHING:
            return _full(folder)
    return None


def _full(place: object) -> str:
    return (
        f"the disk of {place} is full. Registers and lists are as they were; free space there and run again."
    )


def _read_only(place: object) -> str:
    return (
        f"the disk of {place} is read-only. Registers and lists are as they were; make it writable and run "
        "again."
    )


def _of_storage(error: BaseException) -> bool:
    """Whether it comes from a disk or a database; anything else on a full disk is another fault."""
    return isinstance(error, OSError) or type(error).__module__.split(".")[0] in STORES


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        following = error.__cause__ or error.__context__
        if following is None:
            return
        error = following
