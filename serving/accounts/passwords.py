"""Passwords: Argon2id at OWASP's minimum (19 MiB, 2 passes, 1 lane), so many at a time at most."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from risk_model.errors import RiskModelError
from serving.refusing import RefusedError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

AT_ONCE = 4
"""Hashes of a process at a time: 76 MiB; others wait…"""
WAIT_SECONDS = 5.0
"""…so long."""
SHORTEST = 10
LONGEST = 256
FEWEST_SIGNS = 5
"""Different signs a password has at least: "1111111111" is soon guessed."""
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of generated passwords: none that is read as another."""
_places = BoundedSemaphore(AT_ONCE)


class TooBusyError(RiskModelError):
    """Too many sign in at once; try again in some seconds."""


def new_password() -> str:
    """A password to print once: 16 letters in groups of four, 79 bits.

    >>> password = new_password()
    >>> len(password), password.count("-")
    (19, 3)
    """
    groups = ("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


def hashed(password: str, login: str = "") -> str:
    """The hash to keep, with its salt and parameters.

    Raises
    ------
    RefusedError
        The password is too short or too long, has too few different signs, or holds the login.
    TooBusyError
        No place among those that hash became free.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise RefusedError(
            "A password has %(least)s to %(most)s characters; choose another.", least=SHORTEST, most=LONGEST
        )
    if len(set(password)) < FEWEST_SIGNS:
        raise RefusedError(
            "A password has at least %(few)s different signs; choose another.", few=FEWEST_SIGNS
        )
    if login and login.casefold() in password.casefold():
        raise RefusedError("The password holds the login; choose another.")
    with place_to_hash():
        return _hasher().hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Whether ``password`` is the one ``kept`` is the hash of; takes as long where there is none kept.

    Within :func:`place_to_hash`, please.
    """
    from argon2.exceptions import InvalidHashError, VerifyMismatchError

    try:
        right = _hasher().verify(kept or _nobodys(), password[:LONGEST])
    except (VerifyMismatchError, InvalidHashError):
        return False
    return right and kept is not None


@contextmanager
def place_to_hash() -> Iterator[None]:
    """One of the places among those that hash.

    Raises
    ------
    TooBusyError
        None became free in time.
    """
    if not _places.acquire(timeout=WAIT_SECONDS):
        raise TooBusyError("Too many people sign in right now. Try again in some seconds.")
    try:
        yield
    finally:
        _places.release()


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


@cache
def _nobodys() -> str:
    """The hash of a password nobody knows: what an unknown login is compared with."""
    return _hasher().hash(secrets.token_urlsafe(32))
