"""Which state a lake is in, without opening it: by the catalog's files as the disk tells of them.

The catalog must not be opened for this. DuckDB brings an SQLite of its own, and of two SQLites in one process
the first to close a file lets go of the other's locks on it: the other then maps what was cut off under it,
and the process dies (https://sqlite.org/howtocorrupt.html, 2.2.1; seen).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LakeState:
    """Another import, cleaning or restore is another state; the same state may come under two names."""

    device: int
    inode: int
    catalog: tuple[int, int]
    """Size, and nanosecond of the last change."""
    log: tuple[int, int]
    """The same of what is not yet in the catalog's own file; (0, 0): nothing."""


def glance(folder: Path) -> LakeState | None:
    """The state of the lake in ``folder``; None where there is none."""
    catalog = folder / "catalog.sqlite"
    try:
        file = catalog.stat()
    except OSError:
        return None
    try:
        log = catalog.with_name("catalog.sqlite-wal").stat()
        told = (log.st_size, log.st_mtime_ns) if log.st_size else (0, 0)
    except OSError:
        told = (0, 0)
    return LakeState(file.st_dev, file.st_ino, (file.st_size, file.st_mtime_ns), told)
