"""What is recorded, and the hash that ties each record to the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GENESIS = "0" * 64
"""What the first record holds for its predecessor's hash."""
CONTENT = (
    "id", "at", "nonce", "account_id", "system_user", "action", "student_id", "unit", "role", "reason",
    "detail",
)  # fmt: skip
"""Columns a record's hash is made of, in this order; ``previous`` comes first."""
LENGTHS = {"system_user": 128, "action": 32, "student_id": 128, "unit": 300, "role": 32, "reason": 32}
DETAIL = 500
"""Characters kept of an entry's detail."""


@dataclass(frozen=True)
class Entry:
    """One look or change, as the caller tells it; the writer adds number, time (UTC) and hashes.

    ``account_id`` is the account that acted, or ``system_user`` the operating-system user of a command.
    ``reason`` is the kind of the access reason, ``role`` the role the account acted in if that is another
    word. Texts that are too long, or no database can keep, are cut and cleaned, never refused.
    """

    account_id: int | None
    action: str
    student_id: str | None = None
    unit: str | None = None
    reason: str | None = None
    detail: str = ""
    role: str | None = None
    system_user: str | None = None

    def __post_init__(self) -> None:
        for name, length in LENGTHS.items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, clean(value, length))
        object.__setattr__(self, "detail", clean(self.detail, DETAIL))


def clean(text: str, length: int) -> str:
    """The text as every database keeps it: no lone surrogates, no null characters, not too long.

    >>> clean("a\\x00b\\ud800c", 4)
    'a?b?'
    """
    return text.replace("\x00", "?").encode("utf-8", "replace").decode()[:length]


def digest(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record's content and its predecessor's hash; ``at`` to the microsecond.

    Text and nulls are told apart and nothing can be moved from one column into the next.
    """
    content = [record["previous"], *(record[name] for name in CONTENT)]
    content[2] = record["at"].isoformat(timespec="microseconds")
    return hashlib.sha256(json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()
