"""School days of each school: from the calendar, else from the marks of the county."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

TERM_GAP_DAYS = 14
"""A term starts after at least so many days without a school day."""


def build_school_days(con: duckdb.DuckDBPyConnection, day: date, since: date) -> None:
    """Make ``school_days`` from ``since`` on; days after ``day`` come only from a calendar."""
    con.execute(_SCHOOLS, {"since": since})
    con.execute(_CALENDAR, {"since": since})
    con.execute(_MARKED_DAYS)
    con.execute(_DAYS)
    con.execute(_TERMS, {"since": since, "gap": TERM_GAP_DAYS})
    con.execute(_SCHOOL_DAYS)


_SCHOOLS = """
CREATE OR REPLACE TEMP TABLE timeline_schools AS
SELECT school_id, any_value(county_id) AS county_id FROM spells
WHERE ended_on IS NULL OR ended_on >= $since GROUP BY school_id
"""

# What the calendar says about each school's days; a row of the school goes before one of its county,
# and that before one for everybody.
_CALENDAR = """
CREATE OR REPLACE TEMP TABLE timeline_calendar AS
WITH said AS (
    SELECT s.school_id, c.day, c.school_day, 2 AS nearness
    FROM known.calendar c JOIN timeline_schools s ON c.school_id = s.school_id
    UNION ALL
    SELECT s.school_id, c.day, c.school_day, 1
    FROM known.calendar c JOIN timeline_schools s ON c.county_id = s.county_id WHERE c.school_id IS NULL
    UNION ALL
    SELECT s.school_id, c.day, c.school_day, 0 FROM known.calendar c, timeline_schools s
    WHERE c.school_id IS NULL AND c.county_id IS NULL)
SELECT school_id, day, arg_max(school_day, nearness) AS school_day FROM said WHERE day >= $since GROUP BY ALL
"""

# Days on which at least half of a county's pupils have a mark; a pupil whose class sent a complete
# headcount counts as marked.
_MARKED_DAYS = """
CREATE OR REPLACE TEMP TABLE timeline_marked_days AS
WITH counted AS (
    SELECT class_no, day, max(marked) AS marked, max(complete) AS complete FROM (
        SELECT class_no, day, marked, 0 AS complete FROM timeline_class_marks
        UNION ALL SELECT class_no, day, 0, 1 FROM timeline_complete)
    GROUP BY ALL),
sized AS (
    SELECT k.county_id, c.day, CASE c.complete WHEN 1 THEN z.expected ELSE c.marked END AS marked
    FROM counted c ASOF JOIN timeline_class_sizes z ON z.class_no = c.class_no AND c.day >= z.from_day
    JOIN timeline_classes k ON k.class_no = c.class_no),
marked AS (SELECT county_id, day, sum(marked) AS marked FROM sized GROUP BY ALL),
steps AS (
    SELECT county_id, from_day, sum(step) AS step FROM (
        SELECT class_no, from_day, 1 AS step FROM timeline_stays
        UNION ALL SELECT class_no, to_day + 1, -1 FROM timeline_stays WHERE year(to_day) < 9999)
    JOIN timeline_classes USING (class_no) GROUP BY ALL),
sizes AS (
    SELECT county_id, from_day, sum(step) OVER (PARTITION BY county_id ORDER BY from_day) AS pupils
    FROM steps)
SELECT m.county_id, m.day
FROM marked m ASOF JOIN sizes z ON z.county_id = m.county_id AND m.day >= z.from_day
WHERE m.marked * 2 >= z.pupils
"""

# A calendar decides every day between its first and last of a school year, if it names any school day
# of that year; a single day it names it always decides. The rest comes from the marks.
_DAYS = """
CREATE OR REPLACE TEMP TABLE timeline_days AS
WITH decided AS (
    SELECT school_id, min(day) AS from_day, max(day) AS to_day FROM timeline_calendar
    GROUP BY school_id, year(day + INTERVAL 5 MONTH) HAVING bool_or(school_day)),
inferred AS (
    SELECT s.school_id, s.county_id, m.day
    FROM timeline_marked_days m JOIN timeline_schools s USING (county_id))
SELECT c.school_id, s.county_id, c.day FROM timeline_calendar c JOIN timeline_schools s USING (school_id)
WHERE c.school_day
UNION ALL
SELECT i.* FROM inferred i
ANTI JOIN timeline_calendar c ON c.school_id = i.school_id AND c.day = i.day
ANTI JOIN decided d ON d.school_id = i.school_id AND i.day BETWEEN d.from_day AND d.to_day
"""

# The county has school when at least half of its schools have. The day before `since` counts as a
# school day: nobody looked at it, so it proves no holiday.
_TERMS = """
CREATE OR REPLACE TEMP TABLE timeline_terms AS
WITH county_days AS (
    SELECT d.county_id, d.day
    FROM (SELECT county_id, day, count(*) AS schools FROM timeline_days GROUP BY ALL) d
    JOIN (SELECT county_id, count(*) AS schools FROM timeline_schools GROUP BY ALL) a USING (county_id)
    WHERE d.schools * 2 >= a.schools),
gaps AS (
    SELECT county_id, day,
        day - coalesce(lag(day) OVER (PARTITION BY county_id ORDER BY day), $since::DATE - 1) - 1 AS gap
    FROM county_days)
SELECT county_id, day AS term_start FROM gaps WHERE gap >= $gap
"""

_SCHOOL_DAYS = """
CREATE OR REPLACE TEMP TABLE school_days AS
SELECT d.school_id, d.county_id, d.day, t.term_start,
    row_number() OVER (PARTITION BY d.school_id ORDER BY d.day)::INTEGER AS day_no
FROM timeline_days d ASOF LEFT JOIN timeline_terms t ON t.county_id = d.county_id AND d.day >= t.term_start
"""
