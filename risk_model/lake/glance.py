"""Which state a lake is in, without opening it: the catalog is a file of SQLite that is asked one number."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

BUSY_SECONDS = 0.2
_NEWEST = "SELECT max(snapshot_id) FROM ducklake_snapshot"


@dataclass(frozen=True)
class LakeState:
    """Another import is another snapshot; a lake put back from a copy is another file."""

    device: int
    inode: int
    snapshot: int


def glance(folder: Path) -> LakeState | None:
    """The state of the lake in ``folder``; None where there is none, or it cannot be told just now."""
    catalog = folder / "catalog.sqlite"
    try:
        file = catalog.stat()
        with closing(
            sqlite3.connect(f"{catalog.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        ) as asked:
            newest = asked.execute(_NEWEST).fetchone()[0]
    except (OSError, sqlite3.Error):
        return None
    return None if newest is None else LakeState(file.st_dev, file.st_ino, int(newest))
