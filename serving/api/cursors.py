"""Where a page of a list ended, sealed for the caller who read it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass

MOST = 1024


@dataclass(frozen=True)
class Cursor:
    """Position in one list: of which run and unit, in which order, after whom."""

    run: int
    unit: str
    order: str
    everybody: bool
    after: str


def write_cursor(cursor: Cursor, secret: str) -> str:
    """The cursor as the caller gets it; no other caller can use it."""
    content = json.dumps(asdict(cursor), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(_seal(content, secret) + content).decode().rstrip("=")


def read_cursor(text: str, secret: str) -> Cursor | None:
    """The cursor; None for whatever was not written for this caller.

    >>> cursor = Cursor(3, "school:A", "rank", False, "G1")
    >>> read_cursor(write_cursor(cursor, "mine"), "mine") == cursor
    True
    >>> read_cursor(write_cursor(cursor, "mine"), "yours"), read_cursor("?", "mine")
    (None, None)
    """
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    seal, content = sealed[:16], sealed[16:]
    if not hmac.compare_digest(seal, _seal(content, secret)):
        return None
    return Cursor(**json.loads(content))


def _seal(content: bytes, secret: str) -> bytes:
    return hmac.new(secret.encode(), b"cursor" + content, hashlib.sha256).digest()[:16]
