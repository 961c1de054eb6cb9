"""What each scored pupil's diary holds, counted: the relation of all features of attendance.

``mark_counts(pupil, <mark>_<window> …, …)`` has a row per scored pupil whose class kept a register in the
windows. Marks, windows and the other columns are those of :mod:`risk_model.features.mark_columns`; windows
are of the school the pupil is listed under. Days without a kept register stand in no column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from risk_model.features.mark_columns import COUNTED, MARKS, NULL, PATTERNS, SPANS, STREAKS, WINDOWS
from risk_model.timeline.codes import CODE
from risk_model.timeline.diaries import Diaries

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def put_mark_counts(con: duckdb.DuckDBPyConnection, diaries: Diaries) -> None:
    """Make the temp table ``mark_counts`` from the diaries, ``scored``, ``windows`` and ``school_days``."""
    con.register("counted_diaries", _counted(con, diaries))
    con.execute("CREATE OR REPLACE TEMP TABLE mark_counts AS FROM counted_diaries")
    con.unregister("counted_diaries")


def _counted(con: duckdb.DuckDBPyConnection, diaries: Diaries) -> pa.Table:
    from risk_model.features.mark_kernels import walk

    bounds = con.execute("SELECT * FROM windows ORDER BY school_id").fetchnumpy()
    starts = np.column_stack(
        [diaries.column(_days(bounds[name])) for name in (*map(_from, SPANS), "term_start")]
    )
    pupils = con.execute(_PUPILS).fetchnumpy()
    pupil = pupils["pupil"].astype(np.int32)
    counts, streaks, patterns = walk(
        diaries.marks,
        diaries.kept,
        *(diaries.stays.begin, diaries.stays.first, diaries.stays.last, diaries.stays.class_no),
        *(pupil, pupils["school_no"].astype(np.int32)),
        *(starts, _after_holiday(con, diaries, len(starts)), _beside_weekend(diaries)),
        _columns_of_codes(),
    )
    known = counts[:, :, WINDOWS.index("all")].sum(axis=1) > 0
    return _table(pupil[known], counts[known], streaks[known], patterns[known])


def _table(
    pupil: NDArray[np.int32],
    counts: NDArray[np.int16],
    streaks: NDArray[np.int16],
    patterns: NDArray[np.int16],
) -> pa.Table:
    import pyarrow as pa

    columns = {"pupil": pa.array(pupil)}
    for place, mark in enumerate(MARKS):
        for at, window in enumerate(WINDOWS):
            columns[f"{mark}_{window}"] = pa.array(np.ascontiguousarray(counts[:, place, at]))
    for place, name in enumerate(STREAKS):
        columns[name] = pa.array(np.ascontiguousarray(streaks[:, place]), mask=streaks[:, place] == NULL)
    for place, name in enumerate(PATTERNS):
        columns[name] = pa.array(np.ascontiguousarray(patterns[:, place]))
    return pa.table(columns)


def _from(span: int) -> str:
    return f"from_{span}"


def _days(column: Any) -> NDArray[np.datetime64]:
    """Days with NaT for null, which DuckDB hands out as a masked array."""
    filled: NDArray[np.datetime64] = np.ma.filled(column.astype("datetime64[D]"), np.datetime64("NaT"))
    return filled


def _after_holiday(con: duckdb.DuckDBPyConnection, diaries: Diaries, schools: int) -> NDArray[np.bool_]:
    """(schools, days) whether the school had no day for more than two days before."""
    mask = np.zeros((schools, diaries.days), dtype=np.bool_)
    found = con.execute(_AFTER_HOLIDAY).fetchnumpy()
    mask[found["school_no"], diaries.column(_days(found["day"]))] = True
    return mask


def _beside_weekend(diaries: Diaries) -> NDArray[np.bool_]:
    first = np.datetime64(diaries.since) + np.arange(diaries.days)
    weekday = (first.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    return np.asarray((weekday == 0) | (weekday == 4))


def _columns_of_codes() -> NDArray[np.uint8]:
    """The column of ``MARKS`` for each byte of a diary."""
    found = np.full(len(CODE) + 1, MARKS.index("other"), dtype=np.uint8)
    found[0] = MARKS.index("unmarked")
    for mark in COUNTED:
        found[CODE[mark]] = MARKS.index(mark)
    return found


_PUPILS = """
SELECT p.pupil, w.school_no
FROM scored p JOIN (SELECT school_id, row_number() OVER (ORDER BY school_id) - 1 AS school_no FROM windows) w
    USING (school_id) ORDER BY p.pupil
"""

_AFTER_HOLIDAY = """
WITH gaps AS (
    SELECT school_id, day, day - lag(day) OVER (PARTITION BY school_id ORDER BY day) AS gap
    FROM school_days WHERE day <= getvariable('snapshot'))
SELECT w.school_no, g.day
FROM gaps g JOIN (SELECT school_id, row_number() OVER (ORDER BY school_id) - 1 AS school_no FROM windows) w
    USING (school_id) WHERE g.gap > 3
"""
