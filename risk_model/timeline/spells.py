"""Spells of enrolment, classes, and where each pupil is listed on each day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

UNKNOWN_COUNTY = "unknown"
"""County of schools that no register of schools places: one county for all of them."""

LISTED_ORDER = "(started_on, recorded_on, school_id)"
"""Of two open spells the pupil is listed under the greater one (contract §1, Units)."""

AWAITED = "(end_reason = 'promoted' OR (end_reason = 'graduated' AND grade < 9))"
"""Spells after whose end the pupil is expected back: compulsory schooling goes on."""

FOREVER = "DATE '9999-12-31'"

_AFTER_THE_YEAR = "CASE WHEN end_reason IN ('promoted', 'graduated') THEN 61 ELSE 31 END"
"""Days into a school year in which a spell may end that belongs to the year before."""
_LOOKED_AT = f"least($day::DATE, coalesce(e.ended_on, {FOREVER}) - {_AFTER_THE_YEAR})"


def build_spells(con: duckdb.DuckDBPyConnection, day: date, since: date = date.min) -> None:
    """Make ``spells``, ``timeline_classes``, ``timeline_pupils`` and ``timeline_stays``.

    Stays that ended before ``since`` are left out.
    """
    spells_on(con, day)
    con.execute(_CLASSES)
    con.execute(_PUPILS)
    con.execute(_STAYS, {"day": day, "since": since})


def spells_on(con: duckdb.DuckDBPyConnection, day: date) -> None:
    """Make ``spells`` alone: enrolments with place, stage and key of the class, as known on ``day``."""
    con.execute(_SPELLS, {"day": day})


# A class id is unique only within a school and school year (1 August to 31 July). The year of the key is
# that of the day looked at: offices that keep one spell over many years supersede its class in place, and
# classmates who came in other years must share the key. An ended spell keeps its last school year, to which
# the holiday after it belongs, and after a promotion September too. Without a class id the grade is the
# class.
_SPELLS = f"""
CREATE OR REPLACE TEMP TABLE spells AS
SELECT e.student_id, e.school_id, coalesce(s.county_id, '{UNKNOWN_COUNTY}') AS county_id, s.township_id,
    s.stage, e.class_id,
    e.school_id || ':' || coalesce(e.class_id, '(grade ' || e.grade || ')') || ':'
        || (year(greatest(e.started_on, {_LOOKED_AT}) + INTERVAL 5 MONTH) - 1) AS class_key,
    e.grade, e.started_on, e.ended_on, e.end_reason, e.boarding, e.recorded_on
FROM known.enrolments e LEFT JOIN known.schools s ON s.school_id = e.school_id
"""

# timeline_classes: numbers for the classes, the small keys of the big tables.
_CLASSES = """
CREATE OR REPLACE TEMP TABLE timeline_classes AS
SELECT row_number() OVER (ORDER BY class_key)::INTEGER AS class_no, class_key,
    any_value(school_id) AS school_id, any_value(county_id) AS county_id, any_value(class_id) AS class_id
FROM spells GROUP BY class_key
"""

# timeline_pupils: numbers for the pupils who ever had a spell.
_PUPILS = """
CREATE OR REPLACE TEMP TABLE timeline_pupils AS
SELECT row_number() OVER (ORDER BY student_id)::INTEGER AS student_no, student_id
FROM (SELECT DISTINCT student_id FROM spells)
"""

# timeline_stays: stretches of days, first and last included, never overlapping per pupil, with the class
# the pupil is listed under; awaited = the spell behind it ends with the pupil expected back. Where spells
# overlap, days are cut at every start and end and each piece goes to the spell that lists the pupil; most
# pupils have spells one after the other, which are their stays as they stand.
_STAYS = f"""
CREATE OR REPLACE TEMP TABLE timeline_stays AS
WITH begun AS MATERIALIZED (
    SELECT student_id, class_key, started_on, coalesce(ended_on, {FOREVER}) AS to_day, recorded_on, school_id,
        coalesce(ended_on IS NOT NULL AND {AWAITED}, false) AS awaited
    FROM spells WHERE started_on <= $day AND coalesce(ended_on >= $since, true)),
several AS MATERIALIZED (
    SELECT student_id FROM (
        SELECT student_id,
            to_day >= lead(started_on) OVER (PARTITION BY student_id ORDER BY started_on) AS over
        FROM begun SEMI JOIN (SELECT student_id FROM begun GROUP BY student_id HAVING count(*) > 1)
            USING (student_id))
    GROUP BY student_id HAVING bool_or(over)),
overlapping AS MATERIALIZED (SELECT * FROM begun SEMI JOIN several USING (student_id)),
cuts AS (
    SELECT student_id, started_on AS from_day FROM overlapping
    UNION SELECT student_id, to_day + 1 FROM overlapping WHERE to_day < {FOREVER}),
pieces AS (
    SELECT student_id, from_day,
        coalesce(lead(from_day) OVER (PARTITION BY student_id ORDER BY from_day) - 1, {FOREVER}) AS to_day
    FROM cuts),
listed AS (
    SELECT p.student_id, p.from_day, any_value(p.to_day) AS to_day,
        arg_max(b.class_key, {LISTED_ORDER}) AS class_key, arg_max(b.awaited, {LISTED_ORDER}) AS awaited
    FROM pieces p JOIN overlapping b ON b.student_id = p.student_id
        AND p.from_day BETWEEN b.started_on AND b.to_day
    GROUP BY p.student_id, p.from_day
    UNION ALL
    SELECT student_id, started_on, to_day, class_key, awaited
    FROM begun ANTI JOIN several USING (student_id) WHERE started_on <= to_day)
SELECT p.student_no, l.student_id, c.class_no, l.from_day, l.to_day, l.awaited
FROM listed l JOIN timeline_pupils p USING (student_id) JOIN timeline_classes c USING (class_key)
"""
