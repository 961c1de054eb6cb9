"""What a model was made from, as hashes: the code, the installed versions, the settings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

from risk_model.settings import Settings

ROOMS = ("risk_model", "training")
"""Packages whose code decides what a model becomes."""
ELSEWHERE = {"database_url", "tracking_uri", "memory_limit", "registers"}
"""Settings of the place, not of the model; the addresses may hold passwords."""


def code_hash() -> str:
    """SHA-256 over every Python file of the packages that make a model."""
    return _hash((str(path.relative_to(root)), path.read_bytes()) for root, path in _sources())


def lock_hash() -> str:
    """SHA-256 over the names and versions of everything installed: what the lock resolved to."""
    versions = sorted({(found.name.lower(), found.version) for found in distributions()})
    return _hash((name, version.encode()) for name, version in versions)


def settings_hash(settings: Settings) -> str:
    """SHA-256 over the settings that can change a model."""
    chosen = settings.model_dump(mode="json", exclude=ELSEWHERE)
    return sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


def _sources() -> list[tuple[Path, Path]]:
    folders = [Path(next(iter(find_spec(room).submodule_search_locations))) for room in ROOMS]  # type: ignore[union-attr, arg-type]
    return [(folder.parent, path) for folder in folders for path in sorted(folder.rglob("*.py"))]


def _hash(parts: Iterable[tuple[str, bytes]]) -> str:
    total = sha256()
    for name, content in parts:
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()
