"""Errors people can act on: each says what is wrong and what to do next, and carries an exit code."""

from __future__ import annotations

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
