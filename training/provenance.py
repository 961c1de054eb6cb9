"""What a model was made from: its days and registers; code, installed versions and settings as hashes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from hashlib import sha256
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from risk_model.features.declared import FEATURES
from risk_model.lake.reading import Lake
from risk_model.model.manifest import Provenance
from risk_model.registers.declared import REGISTERS
from risk_model.settings import Settings
from training.candidate import Candidate
from training.search.searching import Searched

ROOMS = ("risk_model", "training")
"""Packages whose code decides what a model becomes."""
ELSEWHERE = {"database_url", "tracking_uri", "memory_limit", "registers"}
"""Settings of the place, not of the model; the addresses may hold passwords."""


def provenance_of(
    lake: Lake,
    settings: Settings,
    as_of: date,
    candidate: Candidate,
    labels: Mapping[str, Any],
    searched: Searched,
) -> Provenance:
    """What the manifest of the bundle says of its making.

    Parameters
    ----------
    labels : mapping
        Rows of all snapshots by what became of them, as known on ``as_of``.
    """
    return Provenance(
        lake_snapshot=lake.snapshot,
        as_of=as_of,
        trained_snapshots=candidate.snapshots,
        calibration_snapshots=candidate.calibration_snapshots,
        label=settings.labels.components,
        horizon_days=settings.labels.horizon_days,
        code_hash=code_hash(),
        lock_hash=lock_hash(),
        settings_hash=settings_hash(settings),
        seed=settings.training.seed,
        recorded_on_assumed=lake.assumed(),
        absent_registers=tuple(sorted(set(REGISTERS) - lake.registers())),
        reference=candidate.reference(FEATURES),
        notes=_notes(candidate, labels, settings.training.care_weight, searched),
    )


def depends_on(lake: Lake, settings: Settings, as_of: date) -> dict[str, str]:
    """What a search must have been made from to be continued."""
    return {
        "lake_snapshot": lake.snapshot,
        "as_of": as_of.isoformat(),
        "code": code_hash(),
        "lock": lock_hash(),
        "settings": settings_hash(settings),
    }


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


def _notes(
    candidate: Candidate, labels: Mapping[str, Any], weight: float, searched: Searched
) -> dict[str, str]:
    """Why it is this kind of model, what was searched, and what care-affected labels counted for."""
    notes = {"kind": candidate.why} if candidate.why else dict(searched.notes)
    notes |= {name: str(count) for name, count in labels["pupils"].items()}
    affected, labelled = labels["care_affected"], labels["positive"] + labels["negative"]
    if affected:
        counted = f"counted for {weight:g} each" if weight else "left out of the fit"
        notes["care"] = f"{affected:,} of {labelled:,} labelled rows were care-affected and {counted}."
    return notes


def _sources() -> list[tuple[Path, Path]]:
    folders = [Path(next(iter(find_spec(room).submodule_search_locations))) for room in ROOMS]  # type: ignore[union-attr, arg-type]
    return [(folder.parent, path) for folder in folders for path in sorted(folder.rglob("*.py"))]


def _hash(parts: Iterable[tuple[str, bytes]]) -> str:
    total = sha256()
    for name, content in parts:
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()
