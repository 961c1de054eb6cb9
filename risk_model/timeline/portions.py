"""The timeline of a great many pupils: their days are laid out for a portion of them at a time.

Labels look at every mark of every pupil. As rows, the half year of a province is a hundred million, twice;
as a matrix of a byte a day (:mod:`risk_model.timeline.diaries`) it is a few hundred megabytes. So the marks
are read once into the matrix, classes are counted over everybody, and rows are made for as many pupils as
are looked at together. A portion is cut by number, not by county: what classes and schools did is known of
all of them before the first one, so pupils who moved need no telling.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from risk_model.timeline.build import build_days_kept
from risk_model.timeline.class_days import bounds, build_pupil_days
from risk_model.timeline.diaries import KNOWN, MarkSource
from risk_model.timeline.marks import MARK, MARKS
from risk_model.timeline.spells import build_spells

if TYPE_CHECKING:
    import duckdb

PORTION = 100_000
"""Pupils whose days are rows at the same time: a hundred days of each are 300 MB."""


def build_in_portions(
    con: duckdb.DuckDBPyConnection,
    day: date,
    *,
    since: date,
    source: MarkSource = KNOWN,
    most: int = PORTION,
) -> Iterator[range]:
    """The tables of :func:`risk_model.timeline.build_timeline`, pupils' days and marks in portions.

    All other tables are there when this returns. Each turn of the iterator lays out ``timeline_marks`` and
    ``timeline_pupil_days`` of at most ``most`` pupils in place of those before, and answers their numbers.
    """
    build_spells(con, day)
    marks, _ = build_days_kept(con, day, since=since, source=source)
    return _portions(con, marks, since, most)


def _portions(
    con: duckdb.DuckDBPyConnection, marks: NDArray[np.uint8], since: date, most: int
) -> Iterator[range]:
    for start in range(0, len(marks), most):
        pupils = range(start, min(start + most, len(marks)))
        _lay_marks(con, marks, pupils, since)
        build_pupil_days(con, pupils)
        yield pupils


def _lay_marks(con: duckdb.DuckDBPyConnection, marks: NDArray[np.uint8], pupils: range, since: date) -> None:
    """Make ``timeline_marks`` of some pupils from their rows of the matrix."""
    import pyarrow as pa

    held = marks[pupils.start : pupils.stop]
    row, at = np.nonzero(held)
    told = pa.table(
        {
            "student_no": pa.array((row + pupils.start).astype(np.int32)),
            "off": pa.array(at.astype(np.int16)),
            "code": pa.array(held[row, at]),
        }
    )
    con.register("marks_of_portion", told)
    con.execute(_LAID, {"since": since, **bounds(pupils)})
    con.unregister("marks_of_portion")


_LAID = f"""
CREATE OR REPLACE TEMP TABLE timeline_marks AS
SELECT m.student_no, s.class_no, m.day, m.mark
FROM (
    SELECT student_no, $since::DATE + off::INTEGER AS day, ({list(MARKS)})[code]::{MARK} AS mark
    FROM marks_of_portion) m
LEFT JOIN (
    SELECT * FROM timeline_stays WHERE to_day >= $since AND student_no BETWEEN $first AND $last) s
    ON s.student_no = m.student_no AND m.day BETWEEN s.from_day AND s.to_day
"""
