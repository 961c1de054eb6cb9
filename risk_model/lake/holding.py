"""Who is at work on which state of a lake: what a reader holds is not cleaned away under it.

A reader holds its snapshot by a locked file in the lake's folder, named by the snapshot. The operating
system drops the lock when the process ends, however it ends; the file that is left is swept by the next
upkeep.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

FOLDER = "readers"
NEWBORN = timedelta(minutes=1)
"""A file this young may be a reader's that has not locked it yet."""


class Hold:
    """A reader's hold on one snapshot; :meth:`release` ends it."""

    def __init__(self, folder: Path, snapshot: int) -> None:
        self._path = folder / FOLDER / f"{snapshot}-{uuid4().hex}.lock"
        # Whoever lets go may be another thread than the one that took it.
        self._lock = FileLock(self._path, thread_local=False)
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            self._lock.acquire()
        except OSError:
            # Where nothing can be written nothing is cleaned either, not from this side.
            return

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._lock.is_locked:
            self._lock.release()
            self._path.unlink(missing_ok=True)


def named_by_models(bundles: Path) -> frozenset[int]:
    """Snapshots that the manifests of the models in ``bundles`` name; a damaged one names none."""
    found = (_named(manifest) for manifest in bundles.glob("*/manifest.json"))
    return frozenset(snapshot for snapshot in found if snapshot is not None)


def held(folder: Path) -> frozenset[int]:
    """Snapshots of the lake in ``folder`` that living readers hold; sweeps what dead ones left."""
    return frozenset(
        int(path.name.partition("-")[0])
        for path in sorted((folder / FOLDER).glob("*-*.lock"))
        if _is_held(path)
    )


def _is_held(path: Path) -> bool:
    try:
        if datetime.now().timestamp() - path.stat().st_mtime < NEWBORN.total_seconds():
            return True
        with FileLock(path, timeout=0):
            path.unlink(missing_ok=True)
    except Timeout:
        return True
    except FileNotFoundError:  # released meanwhile
        return False
    return False


def _named(manifest: Path) -> int | None:
    try:
        return int(json.loads(manifest.read_bytes())["lake_snapshot"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
