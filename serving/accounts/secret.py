"""Opaque secrets of sessions and tokens: 256 random bits; the database knows their digest alone."""

from __future__ import annotations

import secrets
from hashlib import sha256

LONGEST = 100
"""Characters; what is longer is nobody's."""


def new_secret(prefix: str = "") -> str:
    """A secret to hand over once."""
    return prefix + secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """What the database keeps. A fast hash does: nobody guesses 256 bits.

    >>> len(digest_of("x"))
    64
    """
    return sha256(secret[:LONGEST].encode("utf-8", "surrogatepass")).hexdigest()
