"""What tonight is compared with: the same point of last school year, and what the model was made from."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from monitoring.drift.profile import (
    ColumnProfile,
    Profile,
    column_profiles,
    kept,
    load_facts,
    of_array,
    read,
    save,
)  # fmt: skip
from risk_model.model.manifest import Manifest, Reference
from risk_model.model.reference import LEVELS
from risk_model.run_evidence import PartFacts
from risk_model.settings import Settings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from risk_model.lake.reading import Lake
    from risk_model.model.bundle import Bundle


def scored_about(folder: Path, then: date, digest: str, days_off: int) -> Profile | None:
    """The stored night nearest to ``then``, by this model if there is one; else None."""
    near = [
        (abs((when - then).days), digest[:12] not in file.name, file)
        for file in folder.glob("*-run-*.json")
        if abs((when := date.fromisoformat(file.name[:10])) - then).days <= days_off
    ]
    return read(min(near, key=lambda found: found[:2])[2]) if near else None


def from_registers(
    folder: Path, lake: Lake, then: date, settings: Settings, bundle: Bundle, version: str
) -> Profile | None:
    """The profile of the day ``then`` as the office knew it; made once.

    None where the registers do not reach so far back. The model of tonight gives the risks and reasons, so
    that only the pupils differ.
    """
    first = lake.first_day()
    if first is None or (then - first).days < settings.labels.horizon_days:
        return None
    frame = _snapshot(lake, then, settings)
    if not (frame["status"] == "scored").any():
        return None
    profile = profile_of_frame(lake.con, frame, then, bundle, version)
    save(profile, folder)
    return profile


def made_before(folder: Path, then: date, digest: str) -> Profile | None:
    """What :func:`from_registers` made for ``then``; it needs neither registers nor model."""
    return kept(folder, then, "registers", digest)


def monday_of(day: date) -> date:
    """The Monday of its week: one reference serves seven nights.

    >>> monday_of(date(2026, 3, 18))
    datetime.date(2026, 3, 16)
    """
    return day - timedelta(days=day.weekday())


def _snapshot(lake: Lake, day: date, settings: Settings) -> pd.DataFrame:
    from risk_model.features.snapshot import snapshot_frame

    return snapshot_frame(lake, day, settings)


def profile_of_frame(
    con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, day: date, bundle: Bundle, version: str
) -> Profile:
    """The profile of a snapshot's rows (``status, county_id, grade`` and features), scored by ``bundle``."""
    scored = frame[frame["status"] == "scored"]
    matrix = scored[list(bundle.features)].to_numpy(dtype=np.float64)
    explained = bundle.explain(matrix)
    facts = PartFacts(scored["student_id"].to_numpy(), matrix, explained.contributions)
    rows, importance = load_facts(con, [facts], bundle.features)
    return Profile(
        day, "registers", bundle.digest, version, rows, column_profiles(con, bundle.features),
        of_array(explained.risk), importance, mixes_of(frame),
    )  # fmt: skip


def mixes_of(frame: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Pupils by county, grade and status."""
    names = {"county": "county_id", "grade": "grade", "status": "status"}
    return {
        what: {str(value): int(count) for value, count in frame[column].value_counts().items()}
        for what, column in names.items()
    }


TRAINING = "training"
FITTED = 10_000
"""Rows a quantile of the training stands for: its number of rows is not in the bundle."""


def of_training(manifest: Manifest, version: str) -> Profile | None:
    """The quantiles kept in the bundle as a profile: all seasons together, no risks, no reasons."""
    columns = {name: _of_quantiles(kept) for name, kept in manifest.reference.items() if kept.quantiles}
    if not columns:
        return None
    nothing = of_array(np.empty(0))
    return Profile(manifest.as_of, TRAINING, "", version, FITTED, columns, nothing, {})


def _of_quantiles(kept: Reference) -> ColumnProfile:
    values = np.array(kept.quantiles)
    levels = {
        float(value): level for value, level in zip(values, LEVELS, strict=True)
    }  # of equals the highest
    shares = np.diff([0.0, *levels.values(), 1.0])
    known = round(FITTED * (1 - kept.null_share))
    counts = tuple(round(share * known) for share in shares)
    middle = np.interp(np.linspace(0.01, 0.99, 99), LEVELS, values)
    return ColumnProfile(
        FITTED, FITTED - known, float(values[0]), float(values[-1]), float(middle.mean()),
        float(middle.std()), tuple(levels), counts,
    )  # fmt: skip
