"""Which class kept its register on which school day, and what it says about each of its pupils."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from risk_model.timeline.marks import MARK

if TYPE_CHECKING:
    import duckdb


EVERYBODY = range(2**31 - 1)
"""All pupils, by their numbers in ``timeline_pupils``."""


def bounds(pupils: range) -> dict[str, int]:
    """``first`` and ``last`` number of some pupils, as statements ask for them."""
    return {"first": pupils.start, "last": pupils.stop - 1}


def build_class_days(con: duckdb.DuckDBPyConnection, day: date) -> None:
    """Make ``class_days``: kept = a mark for at least half of the class, or a complete headcount."""
    con.execute(_CLASS_DAYS, {"day": day})


def build_pupil_days(con: duckdb.DuckDBPyConnection, pupils: range = EVERYBODY) -> None:
    """Make ``timeline_pupil_days`` of ``pupils``, whose marks are in ``timeline_marks``, and a view of it."""
    con.execute(_PUPIL_DAYS, bounds(pupils))
    con.execute(_PUPIL_DAYS_VIEW)


_CLASS_DAYS = """
CREATE OR REPLACE TEMP TABLE class_days AS
WITH lives AS (
    SELECT class_no, min(from_day) AS from_day, max(to_day) AS to_day FROM timeline_stays GROUP BY class_no),
days AS (
    SELECT c.class_no, c.class_key, c.school_id, d.county_id, d.day, d.day_no
    FROM timeline_classes c JOIN lives l USING (class_no)
    JOIN school_days d ON d.school_id = c.school_id AND d.day BETWEEN l.from_day AND l.to_day
    WHERE d.day <= $day),
counted AS (
    SELECT d.*, z.expected, coalesce(m.marked, 0) AS marked, h.class_no IS NOT NULL AS complete
    FROM days d ASOF JOIN timeline_class_sizes z ON z.class_no = d.class_no AND d.day >= z.from_day
    LEFT JOIN timeline_class_marks m ON m.class_no = d.class_no AND m.day = d.day
    LEFT JOIN timeline_complete h ON h.class_no = d.class_no AND h.day = d.day)
SELECT *, complete OR marked * 2 >= expected AS kept FROM counted WHERE expected > 0
"""

# Marks of kept days, then the pupils of kept days without one: present where the headcount was
# complete, else not known. The second part looks only at class days that lack somebody's mark.
_PUPIL_DAYS = f"""
CREATE OR REPLACE TEMP TABLE timeline_pupil_days AS
WITH lacking AS (SELECT class_no, day, day_no, complete FROM class_days WHERE kept AND marked < expected)
SELECT m.student_no, m.class_no, m.day, c.day_no, m.mark
FROM timeline_marks m JOIN class_days c ON c.class_no = m.class_no AND c.day = m.day WHERE c.kept
UNION ALL
SELECT s.student_no, l.class_no, l.day, l.day_no, CASE WHEN l.complete THEN 'present' END::{MARK}
FROM lacking l JOIN timeline_stays s ON s.class_no = l.class_no AND l.day BETWEEN s.from_day AND s.to_day
    AND s.student_no BETWEEN $first AND $last
ANTI JOIN (SELECT m.student_no, m.day FROM timeline_marks m SEMI JOIN lacking USING (class_no, day)) m
    ON m.student_no = s.student_no AND m.day = l.day
"""

_PUPIL_DAYS_VIEW = """
CREATE OR REPLACE TEMP VIEW pupil_days AS
SELECT p.student_id, c.class_key, c.school_id, d.day, d.day_no, d.mark::VARCHAR AS mark
FROM timeline_pupil_days d JOIN timeline_pupils p USING (student_no) JOIN timeline_classes c USING (class_no)
"""
