"""What may be written down: texts cleaned and bounded, words of a known vocabulary, days and times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from serving.refusing import RefusedError

LONGEST = 4000
"""Characters of a text."""


def said(text: str, what: str | None = None) -> str:
    """The text as it is kept; with ``what`` it must not be empty.

    Raises
    ------
    RefusedError
        It is too long, empty where something must be said, or holds what no database can keep.
    """
    text = text.strip()
    if len(text) > LONGEST:
        raise RefusedError(
            "A text has at most %(most)s characters, this one %(length)s. Shorten it.",
            most=f"{LONGEST:,}",
            length=f"{len(text):,}",
        )
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise RefusedError("The text holds characters that cannot be kept. Type it again.")
    if what is not None and not text:
        raise RefusedError("Say %(what)s: it is empty.", what=what)
    return text


def one_of(words: Mapping[str, Any], word: str, what: str) -> str:
    """The word, if it is one of those.

    Raises
    ------
    RefusedError
        It is none.
    """
    if word not in words:
        raise RefusedError("This is no %(what)s. Choose one of %(words)s.", what=what, words=", ".join(words))
    return word


def known(staff_id: str) -> str:
    """The identifier of a member of staff, as it can be kept."""
    if not 0 < len(said(staff_id)) <= 128:
        raise RefusedError("Name who is to care: the identifier of a member of staff.")
    return staff_id


def today(at: datetime) -> date:
    """The day it is where the service runs; a time without zone is UTC."""
    return naive(at).replace(tzinfo=UTC).astimezone().date()


def naive(at: datetime) -> datetime:
    """The time in UTC as tables keep it."""
    return at if at.tzinfo is None else at.astimezone(UTC).replace(tzinfo=None)
