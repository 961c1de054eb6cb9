"""Errors people can act on: each says what is wrong and what to do next, and carries an exit code."""

from __future__ import annotations

import errno
from collections.abc import Iterator
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


def disk_trouble(error: BaseException, folder: Path) -> str | None:
    """What to do if ``error``, or what it came from, is a full or read-only disk; else null.

    >>> disk_trouble(ValueError("no"), Path("/srv"))
    """
    for one in _with_causes(error):
        number = one.errno if isinstance(one, OSError) else None
        said = str(one).lower()
        of_file = getattr(one, "filename", None) or folder
        if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or any(word in said for word in FULL):
            return (
                f"the disk of {of_file} is full. Registers and lists are as they were; free space there and "
                "run again."
            )
        if number == errno.EROFS or any(word in said for word in READ_ONLY):
            return (
                f"the disk of {of_file} is read-only. Registers and lists are as they were; make it writable "
                "and run again."
            )
    return None


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        following = error.__cause__ or error.__context__
        if following is None:
            return
        error = following
