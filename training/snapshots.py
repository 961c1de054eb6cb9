"""Snapshots of the past: everybody's features as known on each day, and labels as known on any later one.

All rows wait in one temporary table of the lake's connection, so a province spills to disk instead of
memory. What leaves it is everybody of one snapshot (to be judged), or all leavers and a sample of the
others (to be fitted on). The sample is drawn by a hash of pupil and snapshot and re-weighted exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.features.compute import SNAPSHOT_FEATURES
from risk_model.features.feature import Feature
from risk_model.features.snapshot import lay_snapshot
from risk_model.labels import label
from risk_model.lake.reading import Lake
from risk_model.settings import Settings, TrainingSettings
from risk_model.timeline import build_timeline
from training.fit import Rows

if TYPE_CHECKING:
    import duckdb

PUPIL = {
    "student_id": "VARCHAR",
    "county_id": "VARCHAR",
    "school_id": "VARCHAR",
    "class_key": "VARCHAR",
    "grade": "INTEGER",
}
COMPONENTS = ("dropped_out", "long_absence", "non_return", "transferred_nowhere")
STATES = ("unknown", "censored", "already_out", "positive", "negative")
LOOKBACK = timedelta(days=60)
"""Labels of the first snapshot count streaks that began before it."""


@dataclass(frozen=True)
class Everybody:
    """The whole scored cohort of one snapshot, in the order of student_id."""

    x: NDArray[np.float32]
    """(n, k)"""
    pupils: pd.DataFrame
    """The columns of ``PUPIL``; n rows."""


class Snapshots:
    """The snapshots of one training, filled day by day."""

    def __init__(self, lake: Lake, settings: Settings, features: Sequence[Feature]) -> None:
        self._lake = lake
        self._settings = settings
        self._names = [feature.name for feature in features]
        create_snapshot_rows(lake.con, self._names)

    def add(self, day: date) -> int:
        """Take everybody scored on ``day``, as known on ``day``; answer how many."""
        lay_snapshot(self._lake, day, self._settings)
        arriving = f"FROM ({SNAPSHOT_FEATURES}) f WHERE status = 'scored'"
        query = f"INSERT INTO snapshot_rows SELECT ?::DATE, {self._columns('f.')} {arriving}"
        taken: int = self._lake.con.execute(query, [day]).fetchall()[0][0]
        return taken

    def label_as_known_on(self, day: date, snapshots: Sequence[date]) -> None:
        """Label the rows of ``snapshots`` from what was recorded by ``day``; replaces earlier labels."""
        con = self._lake.con
        self._lake.known_on(day)
        build_timeline(con, day, since=min(snapshots, default=day) - LOOKBACK)
        con.execute(
            "CREATE OR REPLACE TEMP TABLE to_label AS "
            "SELECT student_id, school_id, class_key, grade, snapshot "
            "FROM snapshot_rows WHERE list_contains(?::DATE[], snapshot)",
            [list(snapshots)],
        )
        label(con, "to_label", day, self._settings.labels)

    def labels(self, snapshots: Sequence[date]) -> pd.DataFrame:
        """All columns of the current labels of ``snapshots``, by snapshot and student_id."""
        return self._lake.con.execute(
            "SELECT * FROM labels WHERE list_contains(?::DATE[], snapshot) ORDER BY snapshot, student_id",
            [list(snapshots)],
        ).df()

    def leavers(self, snapshots: Sequence[date]) -> pd.DataFrame:
        """The same of those alone who left: few, however many rows there are."""
        return self._lake.con.execute(
            "SELECT * FROM labels WHERE label = 1 AND list_contains(?::DATE[], snapshot) "
            "ORDER BY snapshot, student_id",
            [list(snapshots)],
        ).df()

    def counts(self) -> dict[str, Any]:
        """Rows of the current labels by what became of them, and how many pupils they are about."""
        states = dict(self._lake.con.execute("SELECT state, count(*) FROM labels GROUP BY state").fetchall())
        sums = ", ".join(f"count(*) FILTER ({name})" for name in COMPONENTS)
        cared = "count(*) FILTER (care_affected AND label IS NOT NULL)"
        pupils = "count(DISTINCT student_id) FILTER (label IS NOT NULL), "
        pupils += "count(DISTINCT student_id) FILTER (label = 1)"
        told = self._lake.con.execute(f"SELECT {cared}, {pupils}, {sums} FROM labels").fetchall()[0]
        return {
            **{name: states.get(name, 0) for name in STATES},
            "care_affected": told[0],
            "pupils": {"labelled": told[1], "left": told[2]},
            "components": dict(zip(COMPONENTS, told[3:], strict=True)),
        }

    def learnt_late(self, day: date) -> float | None:
        """Share of exits of the time looked back on that were recorded later than the reporting lag."""
        lag = self._settings.labels.reporting_lag_days
        settled = day - timedelta(days=lag + self._settings.labels.horizon_days)
        self._lake.known_on(day)
        found: float | None = self._lake.con.execute(
            "SELECT avg((recorded_on - ended_on > $1)::INTEGER) FROM known.enrolments "
            "WHERE end_reason = 'dropped_out' AND ended_on <= $2 "
            "AND ended_on >= (SELECT min(snapshot) FROM snapshot_rows)",
            [lag, settled],
        ).fetchall()[0][0]
        return found

    def rows(self, snapshots: Sequence[date]) -> Rows:
        """All positives and the sampled negatives of ``snapshots``, with exact weights.

        Care-affected rows count for ``training.care_weight`` on top; with 0 they are left out.
        """
        return sampled_rows(self._lake.con, self._names, snapshots, self._settings.training)

    def everybody(self, day: date) -> Everybody:
        """The whole cohort of one snapshot."""
        query = f"SELECT {self._columns('r.')} FROM snapshot_rows r WHERE snapshot = ? ORDER BY student_id"
        found = self._lake.con.execute(query, [day]).df()
        return Everybody(_matrix(found, self._names), found[list(PUPIL)])

    def _columns(self, prefix: str) -> str:
        return _columns(prefix, self._names)


def create_snapshot_rows(con: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
    """Make the empty temp table ``snapshot_rows``: the day, the columns of ``PUPIL``, a FLOAT per feature."""
    columns = [f"{name} {kind}" for name, kind in PUPIL.items()] + [f'"{name}" FLOAT' for name in names]
    con.execute(f"CREATE OR REPLACE TEMP TABLE snapshot_rows (snapshot DATE, {', '.join(columns)})")


def sampled_rows(
    con: duckdb.DuckDBPyConnection,
    names: Sequence[str],
    snapshots: Sequence[date],
    training: TrainingSettings,
) -> Rows:
    """The rows :meth:`Snapshots.rows` answers, from the temp tables ``snapshot_rows`` and ``labels``.

    The draw happens inside DuckDB, which spills; only what was drawn leaves it.
    """
    ratio, most = float(training.negatives_per_positive), float(training.most_negatives)
    query = SAMPLED.format(columns=_columns("r.", names))
    found = con.execute(query, [list(snapshots), str(training.seed), ratio, training.care_weight, most]).df()
    return Rows(
        _matrix(found, names),
        found["label"].to_numpy(dtype=np.int8),
        found["weight"].to_numpy(dtype=np.float64),
        found[["snapshot", *PUPIL]].astype({"snapshot": "datetime64[us]"}),
    )


# The md5 is the draw: the same on every machine and version, and not a word about the label in it.
SAMPLED = """
WITH labelled AS (
    SELECT student_id, snapshot, label, CASE WHEN care_affected THEN $4 ELSE 1.0 END AS care,
           md5_number_lower(concat_ws('|', $2, student_id, snapshot)) / 18446744073709551616.0 AS draw
    FROM labels WHERE label IS NOT NULL AND list_contains($1::DATE[], snapshot)),
share AS (
    SELECT least(1.0, least($3 * count(*) FILTER (label = 1), $5) / greatest(count(*) FILTER (label = 0), 1))
        AS kept
    FROM labelled),
drawn AS (
    SELECT student_id, snapshot, label, care, label = 1 OR draw < kept AS taken FROM labelled, share),
weights AS (
    SELECT snapshot,
           count(*) FILTER (label = 0) / greatest(count(*) FILTER (label = 0 AND taken), 1) AS weight
    FROM drawn GROUP BY snapshot)
SELECT r.snapshot, {columns}, d.label,
       d.care * CASE WHEN d.label = 1 THEN 1.0 ELSE w.weight END AS weight
FROM drawn d JOIN weights w USING (snapshot) JOIN snapshot_rows r USING (student_id, snapshot)
WHERE d.taken AND d.care > 0 ORDER BY r.snapshot, r.student_id
"""


def _columns(prefix: str, names: Sequence[str]) -> str:
    return ", ".join(f'{prefix}"{name}"' for name in (*PUPIL, *names))


def _matrix(found: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    matrix: NDArray[Any] = found[list(names)].to_numpy(dtype=np.float32, na_value=np.nan)
    return np.ascontiguousarray(matrix)
