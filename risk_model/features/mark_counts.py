"""What each scored pupil's diary holds, counted: the relation of all features of attendance.

``mark_counts(pupil, <mark>_<window> …, …)`` has a row per scored pupil whose class kept a register in the
windows. ``<mark>`` is one of :data:`MARKS`, ``<window>`` one of :data:`WINDOWS`; windows are those of the
school the pupil is listed under. Days without a kept register stand in no column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from risk_model.timeline.diaries import CODE, Diaries

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SPANS = (7, 14, 30, 60, 90)
"""School days looked back on; 60 only to set the last 30 against the 30 before."""
WINDOWS = ("7", "14", "30", "before_30", "90", "term", "all")
"""``before_30``: the 30 school days before the last 30; ``all``: the last 90 and the whole term."""
ABSENT = ("absent_sick", "absent_leave", "absent_unexcused")
COUNTED = ("present", "late", *ABSENT)
"""Marks that tell whether the pupil was there; shares are shares of days with one of them."""
MARKS = ("unmarked", "other", *COUNTED)
"""``other`` tells neither presence nor absence (home taught): it is a kept register all the same."""
STREAKS = (
    "absence_longest",
    "absence_current",
    "unexcused_longest",
    "unexcused_current",
    "days_since_present",
    "absence_episodes",
)
"""Over the last 90 school days, in days, the episodes in number; null where nothing is told."""
PATTERNS = ("absences", "beside_weekend", "after_holiday")
"""Absences of the last 90 school days: all, on a Monday or Friday, on the first day after a holiday."""
NULL = -1
"""Of a streak that nothing is known of."""


def days(window: str, *marks: str) -> str:
    """SQL: on how many days of the window the pupil has one of the marks.

    >>> days("30", "present", "late")
    '(present_30 + late_30)'
    """
    return "(" + " + ".join(f"{mark}_{window}" for mark in marks) + ")"


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
    """The column of :data:`MARKS` for each byte of a diary."""
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
