"""Who did not come back when a term began."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from risk_model.timeline.class_days import bounds
from risk_model.timeline.spells import FOREVER

if TYPE_CHECKING:
    import duckdb

FIRST_DAYS = 15
"""School days at the beginning of a term that are looked at …"""
KEPT_DAYS = 10
"""… and on how many of them the class must have kept its register."""


def build_starts(con: duckdb.DuckDBPyConnection, day: date) -> None:
    """Make ``label_starts``: where each pupil should have been on the first days of each term."""
    con.execute(_FIRST_DAYS, {"days": FIRST_DAYS})
    con.execute(_TERMS, {"day": day, "days": FIRST_DAYS})
    con.execute(_SCHOOL_REGISTER, {"day": day})
    con.execute(_ENROLLED)
    con.execute(_AWAITED_PUPILS)


def add_returns(con: duckdb.DuckDBPyConnection, pupils: range) -> None:
    """Add ``non_return`` and ``undecided`` to ``label_events``, of pupils whose marks are laid out.

    Where a pupil should have been when the term began:

    - in the class of the first spell that touches the term's first 15 school days, even one that begins
      late (days after a spell's end are not asked: nobody expects the pupil there any more);
    - promoted (or graduated below grade 9) and enrolled nowhere: in the class most of the old
      classmates are in, so that the leavers of a primary school are asked for at their junior school;
    - where no classmate is left to follow: at the old school, by the register of the school.

    A pupil of whom no mark but ``absent_unexcused`` is seen on those days, marks of badly kept days and of
    other schools included, did not return if the register was kept on 10 of them; if it was not, or the
    15 days are not over, nothing is decided.
    """
    con.execute(_MISSING, bounds(pupils))
    con.execute(_KEPT)
    con.execute(_RETURNS, {"kept": KEPT_DAYS})


_FIRST_DAYS = """
CREATE OR REPLACE TEMP TABLE label_first_days AS
SELECT school_id, term_start, day FROM school_days WHERE term_start IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY school_id, term_start ORDER BY day) <= $days
"""

# label_terms: `over` = all first days have gone by; a term shorter than 15 days is over with the next.
_TERMS = """
CREATE OR REPLACE TEMP TABLE label_terms AS
WITH terms AS (
    SELECT school_id, term_start, max(day) AS last_day, count(*) AS days
    FROM label_first_days GROUP BY school_id, term_start)
SELECT school_id, term_start, last_day, last_day <= $day AND (days = $days
    OR lead(term_start) OVER (PARTITION BY school_id ORDER BY term_start) IS NOT NULL) AS over
FROM terms
"""

# label_school_register: school days up to now, kept = at least half of the school's pupils are in classes
# that kept theirs. A school day nobody was enrolled on is not kept.
_SCHOOL_REGISTER = """
CREATE OR REPLACE TEMP TABLE label_school_register AS
WITH kept AS (
    SELECT school_id, day, coalesce(sum(expected) FILTER (kept), 0) * 2 >= sum(expected) AS kept
    FROM class_days GROUP BY school_id, day)
SELECT d.school_id, d.day, coalesce(k.kept, false) AS kept
FROM school_days d LEFT JOIN kept k ON k.school_id = d.school_id AND k.day = d.day
WHERE d.day <= $day
"""

# label_starts: where each pupil should be when a term begins; a class that ends in those days with its
# pupils expected elsewhere is not the place.
_ENROLLED = """
CREATE OR REPLACE TEMP TABLE label_starts AS
SELECT s.student_no, t.term_start, t.last_day, t.over, c.school_id, s.class_no, s.to_day, false AS awaited
FROM timeline_stays s JOIN timeline_classes c USING (class_no)
JOIN label_terms t ON t.school_id = c.school_id AND s.from_day <= t.last_day AND s.to_day >= t.term_start
WHERE NOT (s.awaited AND s.to_day < t.last_day)
QUALIFY row_number() OVER (PARTITION BY s.student_no, t.term_start ORDER BY s.from_day) = 1
"""

_AWAITED_PUPILS = f"""
INSERT INTO label_starts
WITH ended AS (
    SELECT s.student_no, s.class_no, s.to_day, c.school_id
    FROM timeline_stays s JOIN timeline_classes c USING (class_no) WHERE s.awaited),
due AS (
    SELECT e.*, t.term_start, t.last_day, t.over
    FROM ended e ASOF JOIN label_terms t ON t.school_id = e.school_id AND e.to_day < t.last_day),
nowhere AS (
    SELECT d.* FROM due d ANTI JOIN timeline_stays s
        ON s.student_no = d.student_no AND s.from_day > d.to_day AND s.from_day <= d.last_day),
classmates AS (
    SELECT n.class_no, n.term_start, l.class_no AS next_class, l.school_id AS next_school
    FROM (SELECT DISTINCT class_no, term_start FROM nowhere) n
    JOIN timeline_stays s ON s.class_no = n.class_no
    JOIN label_starts l ON l.student_no = s.student_no AND l.term_start = n.term_start),
followed AS (
    SELECT class_no, term_start, next_class, next_school FROM classmates
    GROUP BY class_no, term_start, next_class, next_school
    QUALIFY row_number() OVER (PARTITION BY class_no, term_start ORDER BY count(*) DESC, next_class) = 1)
SELECT n.student_no, n.term_start, n.last_day, n.over, coalesce(f.next_school, n.school_id), f.next_class,
    {FOREVER}, true
FROM nowhere n LEFT JOIN followed f ON f.class_no = n.class_no AND f.term_start = n.term_start
"""

# label_missing: those of whom those days hold no mark but absent_unexcused.
_MISSING = """
CREATE OR REPLACE TEMP TABLE label_missing AS
WITH days AS (SELECT DISTINCT day FROM label_first_days),
seen AS (
    SELECT student_no, day FROM timeline_marks SEMI JOIN days USING (day) WHERE mark <> 'absent_unexcused'
    UNION ALL
    SELECT student_no, day FROM timeline_pupil_days SEMI JOIN days USING (day)
    WHERE mark <> 'absent_unexcused')
SELECT l.* FROM label_starts l
ANTI JOIN seen s ON s.student_no = l.student_no AND s.day BETWEEN l.term_start AND l.last_day
WHERE l.student_no BETWEEN $first AND $last
"""

# label_kept: on how many of those days the register that should have named the pupil was kept.
_KEPT = """
CREATE OR REPLACE TEMP TABLE label_kept AS
SELECT m.student_no, m.term_start, count(*) AS kept
FROM label_missing m
JOIN class_days c ON c.class_no = m.class_no AND c.day BETWEEN m.term_start AND least(m.to_day, m.last_day)
WHERE c.kept GROUP BY ALL
UNION ALL
SELECT m.student_no, m.term_start, count(*)
FROM label_missing m
JOIN label_school_register c ON c.school_id = m.school_id AND c.day BETWEEN m.term_start AND m.last_day
WHERE m.class_no IS NULL AND c.kept GROUP BY ALL
"""

_RETURNS = f"""
INSERT INTO label_events
WITH seen AS (
    SELECT student_no, day FROM timeline_marks SEMI JOIN label_missing USING (student_no)
    WHERE mark <> 'absent_unexcused'
    UNION ALL
    SELECT student_no, day FROM timeline_pupil_days SEMI JOIN label_missing USING (student_no)
    WHERE mark <> 'absent_unexcused'),
back AS (
    SELECT m.student_no, m.term_start, min(s.day) AS day
    FROM label_missing m JOIN seen s ON s.student_no = m.student_no AND s.day > m.last_day GROUP BY ALL)
SELECT m.student_no, m.term_start,
    CASE WHEN m.over AND k.kept >= $kept THEN 'non_return' ELSE 'undecided' END, coalesce(b.day, {FOREVER})
FROM label_missing m
LEFT JOIN label_kept k ON k.student_no = m.student_no AND k.term_start = m.term_start
LEFT JOIN back b ON b.student_no = m.student_no AND b.term_start = m.term_start
"""
