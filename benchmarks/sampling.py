"""Is a fit on sampled, re-weighted negatives the fit on everybody, and does memory stay bounded?

``python -m benchmarks.sampling [--pupils N] [--base-rate P] [--seeds 5] [--json]`` fits both ways on made-up
snapshots that fit in memory and judges both on everybody of a later one. ``--scale ROWS --memory 500MB``
draws the sample from a table larger than DuckDB may keep, and tells the process's peak and what was spilt.

The rows are made in DuckDB and drawn by :func:`training.snapshots.sampled_rows`, as ``train`` draws them.
"""

from __future__ import annotations

import json
import resource
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import duckdb
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from risk_model.features.declared import FEATURES
from risk_model.settings import TrainingSettings
from training.backtest import Fitted, Material, fit_model
from training.snapshots import create_snapshot_rows, sampled_rows
from training.splits import Split

NAMES = (
    "absence_30", "absence_term", "failed_core_latest", "travel_km", "z_all_latest", "parent_illness",
    "months_over_age", "siblings",
)  # fmt: skip
"""Of the declared features those that are made up here."""
DAYS = tuple(date(2024, 10, 1) + timedelta(days=30 * month) for month in range(8))
SPLIT = Split(DAYS[7], fit=DAYS[:4], calibration=DAYS[4:7], seasonal=False)
EVERYBODY = 10**9
"""So many negatives a leaver: nobody is left out."""

# A uniform number per row, column, day and seed: the same in any order and on any number of threads.
DRAW = "(hash(i, '{name}', $day::DATE, $seed::INTEGER) / 18446744073709551616.0)"
ROWS = f"""
INSERT INTO snapshot_rows
WITH drawn AS (SELECT i, {", ".join(f"{DRAW.format(name=name)} AS {name}" for name in NAMES)}
    FROM range($pupils::BIGINT) AS numbered(i))
SELECT $day, 'P' || i, 'C' || i % 3, 'S' || i % 40, 'S' || i % 40 || ':' || i % 9, i % 9 + 1,
    absence_30 ** 4, CASE WHEN absence_term > 0.05 THEN absence_30 ** 3 * absence_term END,
    floor(3 * failed_core_latest ** 3), 12 * travel_km ** 2, ln(z_all_latest / (1 - z_all_latest)),
    (parent_illness < 0.08)::INTEGER, floor(20 * months_over_age ** 6), floor(4 * siblings)
FROM drawn
"""
LABELS = f"""
INSERT INTO labels
WITH risks AS (
    SELECT student_id, snapshot, substr(student_id, 2)::BIGINT AS i,
        4 * absence_30 + 0.7 * failed_core_latest + 0.05 * travel_km - 0.5 * z_all_latest
        + 0.9 * parent_illness + 0.1 * months_over_age
        + (absence_30 > 0.5)::INTEGER * (travel_km > 6)::INTEGER AS causes
    FROM snapshot_rows WHERE snapshot = $day),
scaled AS (SELECT *, $rate * exp(causes) / avg(exp(causes)) OVER () AS odds FROM risks)
SELECT student_id, snapshot, ({DRAW.format(name="left")} < odds / (1 + odds))::INTEGER, false FROM scaled
"""


def made_up(con: duckdb.DuckDBPyConnection, pupils: int, base_rate: float, seed: int) -> None:
    """Fill ``snapshot_rows`` and ``labels``: ``pupils`` on each of ``DAYS``, about ``base_rate`` leave."""
    create_snapshot_rows(con, NAMES)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE labels "
        "(student_id VARCHAR, snapshot DATE, label INTEGER, care_affected BOOLEAN)"
    )
    for day in DAYS:
        con.execute(ROWS, {"day": day, "seed": seed, "pupils": pupils})
        con.execute(LABELS, {"day": day, "seed": seed, "rate": base_rate})


def drawn(con: duckdb.DuckDBPyConnection, training: TrainingSettings) -> Material:
    """The rows of both slices of ``SPLIT``."""
    fit, calibration = (sampled_rows(con, NAMES, days, training) for days in (SPLIT.fit, SPLIT.calibration))
    return Material(SPLIT, fit, calibration)


def fitted(con: duckdb.DuckDBPyConnection, *, ratio: int, seed: int) -> Fitted:
    """The project's own trees and calibration with ``ratio`` negatives a leaver."""
    training = TrainingSettings(negatives_per_positive=ratio, seed=seed)
    declared = {feature.name: feature for feature in FEATURES}
    return fit_model(drawn(con, training), [declared[name] for name in NAMES], training)


def judged(model: Fitted, x: NDArray[np.float32], y: NDArray[np.int8]) -> dict[str, float]:
    """Figures on everybody of the day after the slices."""
    risk = model.predict(x)
    return {
        "roc_auc": float(roc_auc_score(y, risk)),
        "mean_risk": float(risk.mean()),
        "expected_over_observed": float(risk.sum() / y.sum()),
        "rows": len(model.fit.y) + len(model.calibration.y),
    }


def compared(pupils: int, base_rate: float, seed: int, ratio: int) -> dict[str, Any]:
    """One made-up county: everybody, everybody with other luck in the trees, and the sample."""
    with duckdb.connect() as con:
        made_up(con, pupils, base_rate, seed)
        later = sampled_rows(con, NAMES, DAYS[7:], TrainingSettings(negatives_per_positive=EVERYBODY))
        ways = {"full": (EVERYBODY, seed), "other_luck": (EVERYBODY, seed + 1000), "sampled": (ratio, seed)}
        return {
            name: judged(fitted(con, ratio=many, seed=luck), later.x, later.y)
            for name, (many, luck) in ways.items()
        }


def differences(counties: Sequence[dict[str, Any]], other: str) -> dict[str, dict[str, float]]:
    """Of each figure the mean difference to the full fit over counties, and its standard error."""
    told = {}
    for name in ("roc_auc", "mean_risk", "expected_over_observed"):
        found = np.array([county[other][name] - county["full"][name] for county in counties])
        error = found.std(ddof=1) / len(found) ** 0.5 if len(found) > 1 else float("nan")
        told[name] = {"mean": float(found.mean()), "standard_error": float(error)}
    return told


def scaled(rows: int, memory: str, base_rate: float, ratio: int) -> dict[str, Any]:
    """Draw both slices from ``rows`` rows in a DuckDB that may keep ``memory``."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as con:
        con.execute(f"SET memory_limit = '{memory}'; SET threads = 2; SET temp_directory = '{folder}'")
        con.execute("SET preserve_insertion_order = false")
        made_up(con, rows // len(DAYS), base_rate, seed=1)
        spilt = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        begun = perf_counter()
        material = drawn(con, TrainingSettings(negatives_per_positive=ratio))
        seconds = perf_counter() - begun
    return {
        "rows": rows,
        "drawn": len(material.fit.y) + len(material.calibration.y),
        "leavers": material.fit.positives + material.calibration.positives,
        "weight": float(material.fit.weight.sum() + material.calibration.weight.sum()),
        "spilt_mb": spilt / 1e6,
        "seconds": seconds,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


@click.command()
@click.option("--pupils", default=20_000, help="Pupils of each of eight snapshots.")
@click.option("--base-rate", default=0.012)
@click.option("--ratio", default=20, help="Negatives a leaver.")
@click.option("--seeds", default=5)
@click.option("--scale", type=int, help="Only draw, from so many rows.")
@click.option("--memory", default="500MB", help="With --scale: what DuckDB may keep.")
@click.option("--json", "as_json", is_flag=True)
def main(
    pupils: int, base_rate: float, ratio: int, seeds: int, scale: int | None, memory: str, as_json: bool
) -> None:
    """Compare the sampled with the full fit, or draw from many rows."""
    document: dict[str, Any]
    if scale is not None:
        document = scaled(scale, memory, base_rate, ratio)
    else:
        counties = [compared(pupils, base_rate, seed, ratio) for seed in range(1, seeds + 1)]
        names = ("sampled", "other_luck")
        document = {
            "counties": counties,
            "against_full": {name: differences(counties, name) for name in names},
        }
    print(json.dumps(document) if as_json else _text(document))


def _text(document: dict[str, Any]) -> str:
    if "counties" not in document:
        return "\n".join(f"{name}: {value:,.0f}" for name, value in document.items())
    lines = [f"{len(document['counties'])} counties, difference to the fit on everybody:"]
    for name, figures in document["against_full"].items():
        told = "  ".join(
            f"{figure} {found['mean']:+.5f} ± {found['standard_error']:.5f}"
            for figure, found in figures.items()
        )
        lines.append(f"  {name}: {told}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
