"""Marks and headcounts by class: what the registers say about each class and day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from risk_model.registers.declared import REGISTERS

if TYPE_CHECKING:
    import duckdb

MARKS = tuple(REGISTERS["attendance"].column("mark").values)
MARK = "ENUM({})".format(", ".join(f"'{mark}'" for mark in MARKS))
"""A mark in one byte: there are a hundred million of them."""


def build_marks(con: duckdb.DuckDBPyConnection, day: date, since: date) -> None:
    """Make ``timeline_marks`` and, per class, ``…_class_marks``, ``…_complete`` and ``…_class_sizes``."""
    con.execute(_MARKS, {"day": day, "since": since})
    con.execute(_CLASS_MARKS)
    build_class_sizes(con, day, since)


def build_class_sizes(con: duckdb.DuckDBPyConnection, day: date, since: date) -> None:
    """Make ``timeline_complete`` and ``timeline_class_sizes``."""
    con.execute(_COMPLETE, {"day": day, "since": since})
    con.execute(_CLASS_SIZES)


# timeline_marks: every mark of a known pupil with the class the pupil is listed under that day;
# class_no is null where the pupil was enrolled nowhere (a mark is still a sign of life).
_MARKS = f"""
CREATE OR REPLACE TEMP TABLE timeline_marks AS
SELECT p.student_no, s.class_no, a.day, a.mark::{MARK} AS mark
FROM known.attendance a
JOIN timeline_pupils p ON p.student_id = a.student_id
LEFT JOIN (SELECT * FROM timeline_stays WHERE to_day >= $since) s
    ON s.student_no = p.student_no AND a.day BETWEEN s.from_day AND s.to_day
WHERE a.day BETWEEN $since AND $day
"""

_CLASS_MARKS = """
CREATE OR REPLACE TEMP TABLE timeline_class_marks AS
SELECT class_no, day, count(*)::INTEGER AS marked FROM timeline_marks WHERE class_no IS NOT NULL GROUP BY ALL
"""

# timeline_complete: classes and days with a complete headcount, of the class or of its whole school.
_COMPLETE = """
CREATE OR REPLACE TEMP TABLE timeline_complete AS
WITH complete AS (SELECT school_id, class_id, day FROM known.headcounts
    WHERE complete AND day BETWEEN $since AND $day)
SELECT c.class_no, h.day FROM complete h JOIN timeline_classes c USING (school_id, class_id)
UNION
SELECT c.class_no, h.day FROM complete h JOIN timeline_classes c USING (school_id) WHERE h.class_id IS NULL
"""

# timeline_class_sizes: from from_day on, so many pupils are listed in the class.
_CLASS_SIZES = """
CREATE OR REPLACE TEMP TABLE timeline_class_sizes AS
WITH steps AS (
    SELECT class_no, from_day, 1 AS step FROM timeline_stays
    UNION ALL SELECT class_no, to_day + 1, -1 FROM timeline_stays WHERE year(to_day) < 9999),
daily AS (SELECT class_no, from_day, sum(step) AS step FROM steps GROUP BY ALL)
SELECT class_no, from_day,
    sum(step) OVER (PARTITION BY class_no ORDER BY from_day)::INTEGER AS expected
FROM daily
"""
