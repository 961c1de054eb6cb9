"""Features of everybody in the cohort on a day: one pass over each relation, then comparisons.

The result does not depend on the number of threads or on the order of the rows, to the last bit:
aggregates are counts, sums of whole numbers, medians or values picked by a key; floating point comes
in only row by row.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import duckdb
import pandas as pd

from risk_model.cohort import build_cohort
from risk_model.features.declared import FEATURES, FIRST_LEVEL, RELATIONS, features_of
from risk_model.features.exam_terms import norms_of
from risk_model.features.feature import COMPARED, Feature, Relation
from risk_model.features.groundwork import lay_groundwork, set_variables
from risk_model.features.sources import LAKE, Sources
from risk_model.parts import Part, keep_own_cohort, narrow
from risk_model.registers.declared import REGISTERS
from risk_model.settings import Settings
from risk_model.timeline import build_diaries, build_registers
from risk_model.timeline.diaries import LOOKBACK_DAYS
from risk_model.timeline.elsewhere import kept_for_others

if TYPE_CHECKING:
    import pyarrow as pa

COHORT_COLUMNS = (
    "student_id",
    "county_id",
    "township_id",
    "school_id",
    "class_id",
    "class_key",
    "grade",
    "stage",
    "started_on",
    "status",
)
"""Columns of ``cohort`` that stand before the features; its ``boarding`` is a feature."""


def compute_features(
    con: duckdb.DuckDBPyConnection,
    day: date,
    settings: Settings,
    part: Part | None = None,
    sources: Sources = LAKE,
) -> pd.DataFrame:
    """Timeline, cohort and features of ``day`` from ``known.*``, which the caller has cut by ``day``.

    ``sources`` says where marks and exams are read; the features are the same wherever it is.

    Returns
    -------
    DataFrame
        One row per pupil enrolled or awaited, sorted by ``student_id``: the columns of ``cohort`` and one
        float64 column per feature (NaN = null, and everywhere where ``status`` is not ``scored``).
    """
    lay_features(con, day, settings, part, sources)
    return con.execute(f"{SNAPSHOT_FEATURES} ORDER BY c.student_id").df()


def lay_features(
    con: duckdb.DuckDBPyConnection,
    day: date,
    settings: Settings,
    part: Part | None = None,
    sources: Sources = LAKE,
) -> None:
    """The tables :data:`SNAPSHOT_FEATURES` reads, from ``known.*``, which the caller has cut by ``day``.

    With a ``part`` only pupils of its counties; the caller has made the tables of
    :func:`risk_model.parts.take_over`.
    """
    present = _registers_present(con)  # anywhere: a county that sends no results is not one without exams
    if part is not None:
        narrow(con, part)
    since = day - timedelta(days=LOOKBACK_DAYS)
    diaries = build_diaries(con, day, since=since, of_part=part is not None, source=sources.marks)
    build_cohort(con, day, settings.labels)
    if part is not None:
        keep_own_cohort(con)
    lay_groundwork(con, day, settings, diaries, sources.exams, of_part=part is not None)
    for relation in RELATIONS:
        con.execute(_pass_over(relation, present))
    con.execute(_first_level())
    con.execute(_second_level(present))


def lay_for_others(
    con: duckdb.DuckDBPyConnection, day: date, settings: Settings, part: Part, sources: Sources = LAKE
) -> tuple[pa.Table, pa.Table]:
    """What other parts take over of this one: see :mod:`risk_model.parts`; kept registers, then norms."""
    narrow(con, part)
    build_registers(con, day, since=day - timedelta(days=LOOKBACK_DAYS), source=sources.marks)
    set_variables(con, day, settings)
    return kept_for_others(con), norms_of(con, day, sources.exams)


def _registers_present(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Registers with a row known on the day; without one their features are null."""
    checks = (f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM known.{name})" for name in REGISTERS)
    return frozenset(name for (name,) in con.execute(" UNION ALL ".join(checks)).fetchall())


def _column(feature: Feature, present: frozenset[str]) -> str:
    """SQL of one float64 column; null where a register is absent."""
    told = feature.sql if present.issuperset(feature.needs) else "NULL"
    return f"({told})::DOUBLE AS {feature.name}"


def _pass_over(relation: Relation, present: frozenset[str]) -> str:
    columns = ", ".join(_column(feature, present) for feature in features_of(relation.name))
    grouped = " GROUP BY pupil" if relation.many else ""
    return (
        f"CREATE OR REPLACE TEMP TABLE features_{relation.name} AS "
        f"SELECT pupil, {columns} FROM ({relation.sql}) AS {relation.name}{grouped}"
    )


def _first_level() -> str:
    """All first-level features side by side, a row per scored pupil."""
    columns = ", ".join(f"{feature.relation}.{feature.name}" for feature in FIRST_LEVEL)
    joins = " ".join(f"LEFT JOIN features_{r.name} AS {r.name} USING (pupil)" for r in RELATIONS)
    return (
        "CREATE OR REPLACE TEMP TABLE first_level AS "
        f"SELECT student_id, p.school_id, p.class_key, {columns} FROM scored p {joins}"
    )


def _second_level(present: frozenset[str]) -> str:
    """Comparisons with the class and the school, over the first level."""
    columns = ", ".join(_column(feature, present) for feature in features_of(COMPARED))
    return (
        f"CREATE OR REPLACE TEMP TABLE second_level AS SELECT student_id, {columns} FROM first_level "
        "WINDOW class AS (PARTITION BY class_key), school AS (PARTITION BY school_id)"
    )


def _frame() -> str:
    pupils = ", ".join(f"c.{name}" for name in COHORT_COLUMNS)
    table = {True: "second_level", False: "first_level"}
    columns = ", ".join(f"{table[f.relation == COMPARED]}.{f.name}" for f in FEATURES)
    return (
        f"SELECT {pupils}, {columns} FROM cohort c LEFT JOIN first_level USING (student_id) "
        "LEFT JOIN second_level USING (student_id)"
    )


SNAPSHOT_FEATURES = _frame()
"""SQL: the rows of :func:`compute_features`, in no order, once :func:`lay_features` has run."""
