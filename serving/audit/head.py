"""The head of the chain, outside the database: cut the newest records off, and it still names them."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from serving.audit.entries import GENESIS
from serving.audit.tables import AuditError

SLOT = 512
"""Bytes of one of the two places that are written in turn: a torn write leaves the other one whole."""


@dataclass(frozen=True)
class Head:
    """Number and hash of the newest record that was answered; 0 and zeros before the first."""

    number: int
    hash: str


START = Head(0, GENESIS)


def read_head(path: Path) -> Head | None:
    """The newest whole head of the file; None without a file.

    Raises
    ------
    AuditError
        The file is there and holds no head, or cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AuditError(f"{path} cannot be read: {error.strerror}. Make it readable.") from error
    heads = [head for head in (_parse(content[:SLOT]), _parse(content[SLOT:])) if head is not None]
    if not heads:
        raise AuditError(f"{path} holds no head. Restore it together with the audit database.")
    return max(heads, key=lambda head: head.number)


def write_head(path: Path, head: Head) -> None:
    """Write the head and wait until the disk has it."""
    new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        held = os.pread(descriptor, 2 * SLOT, 0)
        first, second = _parse(held[:SLOT]), _parse(held[SLOT:])
        older_is_second = first is not None and (second is None or second.number < first.number)
        os.pwrite(descriptor, _line(head), SLOT if older_is_second else 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _line(head: Head) -> bytes:
    text = json.dumps({"number": head.number, "hash": head.hash, "check": _check(head)})
    return text.encode().ljust(SLOT - 1) + b"\n"


def _parse(slot: bytes) -> Head | None:
    try:
        told = json.loads(slot)
        head = Head(int(told["number"]), str(told["hash"]))
        return head if told["check"] == _check(head) else None
    except (ValueError, KeyError, TypeError):
        return None


def _check(head: Head) -> str:
    return hashlib.sha256(f"{head.number} {head.hash}".encode()).hexdigest()[:16]
